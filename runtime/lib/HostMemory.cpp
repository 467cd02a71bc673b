// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/HostMemory.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <unistd.h>

using namespace pbs::runtime;

/// The first number of \p path, or of its line that begins with the word
/// \p key. Nothing where there is none: a limit may be "max".
static std::optional<uint64_t> readNumber(const std::string &path,
                                          const std::string &key = "") {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    uint64_t number;
    if (!key.empty() && (!(words >> word) || word != key))
      continue;
    if (words >> number)
      return number;
  }
  return std::nullopt;
}

namespace {

/// The names of a version's files.
struct ControlGroupFiles {
  const char *mount, *limit, *usage, *cache;
};

constexpr ControlGroupFiles versionOne = {
    "/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes",
    "total_inactive_file"};
constexpr ControlGroupFiles versionTwo = {"/sys/fs/cgroup", "/memory.max",
                                          "/memory.current", "inactive_file"};

} // namespace

/// What the control group at \p group and those around it leave. In a container
/// the group's name may be one outside of it, and its files those of the mount.
static uint64_t leftInGroup(const std::string &root, std::string group,
                            const ControlGroupFiles &files) {
  uint64_t left = UINT64_MAX;
  for (;;) {
    std::string folder = root + files.mount + group;
    if (auto limit = readNumber(folder + files.limit)) {
      // Cached files give way.
      uint64_t usage = readNumber(folder + files.usage).value_or(0);
      uint64_t cache =
          readNumber(folder + "/memory.stat", files.cache).value_or(0);
      usage -= std::min(usage, cache);
      left = std::min(left, *limit - std::min(*limit, usage));
    }
    size_t slash = group.rfind('/');
    if (slash == std::string::npos)
      return left;
    group.resize(slash);
  }
}

static uint64_t availableToSystem(const std::string &root) {
  if (auto kibibytes = readNumber(root + "/proc/meminfo", "MemAvailable:"))
    return *kibibytes * 1024;
  long pages = sysconf(_SC_AVPHYS_PAGES);
  long pageBytes = sysconf(_SC_PAGESIZE);
  return pages < 0 || pageBytes < 0 ? UINT64_MAX
                                    : uint64_t(pages) * uint64_t(pageBytes);
}

uint64_t pbs::runtime::availableHostMemory(const std::string &root) {
  uint64_t available = availableToSystem(root);
  // "4:memory:/name" of version 1, "0::/name" of version 2.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    std::string controllers =
        "," + line.substr(first + 1, second - first - 1) + ",";
    std::string group = line.substr(second + 1);
    if (group == "/")
      group.clear();
    if (controllers == ",,")
      available = std::min(available, leftInGroup(root, group, versionTwo));
    else if (controllers.find(",memory,") != std::string::npos)
      available = std::min(available, leftInGroup(root, group, versionOne));
  }
  return available;
}

void pbs::runtime::checkHostMemory(const std::string &what, uint64_t bytes) {
  constexpr uint64_t smallest = 16 << 20;
  if (bytes < smallest)
    return;
  uint64_t available = availableHostMemory();
  if (bytes > available)
    throw Error(what + ": needs " + std::to_string(bytes) +
                    " bytes, the host has " + std::to_string(available),
                ErrorKind::OutOfMemory);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/OutputFile.h"

#include "SignalCleanup.h"
#include "pbs/Runtime/Error.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace pbs::runtime;
namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string &path, const std::string &reason) {
  throw Error((path == "-"    ? "the standard output"
               : path.empty() ? "''"
                              : path) +
              ": cannot write: " + reason);
}

/// Where a path leads.
struct Destination {
  OutputKind kind = OutputKind::New;
  /// Behind all symbolic links.
  fs::path place;
  /// For a descriptor of this process, in place of `place`.
  int descriptor = -1;
};

/// The number of /proc/self/fd/1, which opened anew would not be written from
/// where it stands; -1 for other paths.
int descriptorOf(const fs::path &place) {
  std::string name = place.filename().string();
  int number = -1;
  auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), number);
  std::error_code ignored;
  bool isDescriptor =
      error == std::errc() && end == name.data() + name.size() && number >= 0 &&
      fs::equivalent(place.parent_path(), "/proc/self/fd", ignored);
  return isDescriptor ? number : -1;
}

Destination findDestination(const std::string &path) {
  Destination result;
  if (path == "-") {
    result.kind = OutputKind::Stream;
    result.descriptor = STDOUT_FILENO;
    return result;
  }
  result.place = path;
  std::error_code error;
  for (unsigned links = 0;; ++links) {
    result.descriptor = descriptorOf(result.place);
    if (result.descriptor >= 0) {
      result.kind = OutputKind::Stream;
      return result;
    }
    if (!fs::is_symlink(fs::symlink_status(result.place, error)))
      break;
    if (links == 40)
      fail(path, std::strerror(ELOOP));
    fs::path target = fs::read_symlink(result.place, error);
    if (error)
      fail(path, error.message());
    // An absolute target takes the place of all before it.
    result.place = result.place.parent_path() / target;
  }
  fs::file_status status = fs::status(result.place, error);
  switch (status.type()) {
  case fs::file_type::not_found:
    break;
  case fs::file_type::regular:
    result.kind = OutputKind::File;
    break;
  case fs::file_type::character:
  case fs::file_type::fifo:
    result.kind = OutputKind::Stream;
    break;
  case fs::file_type::directory:
    throw Error(path + ": is a folder");
  case fs::file_type::none:
    fail(path, error.message());
  default:
    throw Error(path +
                ": neither a regular file nor a character device or pipe");
  }
  return result;
}

/// Writes to a file descriptor, and keeps the error of the first write that
/// fails.
class DescriptorBuffer : public std::streambuf {
public:
  explicit DescriptorBuffer(int descriptor) : descriptor(descriptor) {
    setp(bytes.data(), bytes.data() + bytes.size());
  }

  int error = 0;

protected:
  int overflow(int character) override {
    if (sync() != 0)
      return traits_type::eof();
    if (character != traits_type::eof())
      sputc(traits_type::to_char_type(character));
    return traits_type::not_eof(character);
  }

  std::streamsize xsputn(const char *data, std::streamsize count) override {
    if (count < epptr() - pptr()) {
      std::memcpy(pptr(), data, static_cast<size_t>(count));
      pbump(static_cast<int>(count));
      return count;
    }
    return sync() == 0 && write(data, static_cast<size_t>(count)) ? count : 0;
  }

  int sync() override {
    bool written = write(pbase(), static_cast<size_t>(pptr() - pbase()));
    setp(bytes.data(), bytes.data() + bytes.size());
    return written ? 0 : -1;
  }

private:
  bool write(const char *data, size_t count) {
    while (count > 0 && error == 0) {
      ssize_t part = ::write(descriptor, data, count);
      if (part < 0 && errno == EINTR)
        continue;
      if (part < 0) {
        error = errno;
        break;
      }
      data += part;
      count -= static_cast<size_t>(part);
    }
    return error == 0;
  }

  int descriptor;
  std::array<char, 1 << 16> bytes;
};

/// A descriptor that is closed.
class Descriptor {
public:
  explicit Descriptor(int number) : number(number) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() { close(); }

  int get() const { return number; }
  /// The error, or 0.
  int close() {
    int closed = number < 0 ? 0 : ::close(number);
    number = -1;
    return closed == 0 ? 0 : errno;
  }

private:
  int number;
};

std::string randomName() {
  std::array<unsigned char, 12> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) !=
      static_cast<ssize_t>(bytes.size()))
    throw Error(std::string("no random numbers: ") + std::strerror(errno));
  std::string name = ".pbs-partial-";
  for (unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4];
    name += "0123456789abcdef"[byte & 15];
  }
  return name;
}

} // namespace

OutputKind pbs::runtime::outputKind(const std::string &path) {
  return findDestination(path).kind;
}

/// One file. The name beside its place does not build on its own, which may be
/// as long as names can be.
class OutputFiles::Pending {
public:
  explicit Pending(const std::string &path)
      : path(path), destination(findDestination(path)) {
    if (isStream())
      return;
    fs::path beside = destination.place.parent_path() / randomName();
    cleanup.emplace(beside.string());
    // What mkostemp does, but with the permissions that the umask gives.
    int number =
        open(beside.c_str(),
             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (number < 0)
      fail(path, std::strerror(errno));
    temporary = beside;
    file.emplace(number);
    buffer.emplace(number);
    stream.rdbuf(&*buffer);
  }
  Pending(const Pending &) = delete;
  Pending &operator=(const Pending &) = delete;
  ~Pending() {
    if (!temporary.empty())
      unlink(temporary.c_str());
  }

  bool isStream() const { return destination.kind == OutputKind::Stream; }

  void close() {
    if (isStream())
      return;
    stream.flush();
    int error = buffer->error;
    if (int closing = file->close(); error == 0)
      error = closing;
    if (error != 0 || !stream)
      fail(path, std::strerror(error != 0 ? error : EIO));
  }

  /// Passes on what a stream takes.
  void pass() {
    Descriptor opened(
        destination.descriptor >= 0
            ? fcntl(destination.descriptor, F_DUPFD_CLOEXEC, 0)
            : open(destination.place.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (opened.get() < 0)
      fail(path, std::strerror(errno));
    DescriptorBuffer out(opened.get());
    std::string text = held.str();
    out.sputn(text.data(), static_cast<std::streamsize>(text.size()));
    out.pubsync();
    int error = out.error;
    if (int closing = opened.close(); error == 0)
      error = closing;
    if (error != 0)
      fail(path, std::strerror(error));
  }

  void rename() {
    if (std::rename(temporary.c_str(), destination.place.c_str()) != 0)
      fail(path, std::strerror(errno));
    temporary.clear();
  }

private:
  std::string path;
  Destination destination;
  std::optional<SignalCleanup> cleanup;
  /// Empty for streams, and once it is in place.
  fs::path temporary;
  std::optional<Descriptor> file;
  std::optional<DescriptorBuffer> buffer;
  std::stringbuf held;

public:
  std::ostream stream{&held};
};

OutputFiles::OutputFiles() = default;
OutputFiles::~OutputFiles() = default;

std::ostream &OutputFiles::add(const std::string &path) {
  if (!pending.empty())
    pending.back()->close();
  pending.push_back(std::make_unique<Pending>(path));
  return pending.back()->stream;
}

void OutputFiles::add(const std::string &path, std::string_view contents) {
  add(path).write(contents.data(),
                  static_cast<std::streamsize>(contents.size()));
}

void OutputFiles::commit() {
  if (!pending.empty())
    pending.back()->close();
  for (auto &file : pending)
    if (file->isStream())
      file->pass();
  for (auto &file : pending)
    if (!file->isStream())
      file->rename();
  pending.clear();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/Names.h"

#include <algorithm>

// The build gives the version without quotes, which not every file that lists
// definitions could hold.
#define PBS_TEXT_OF(tokens) #tokens
#define PBS_TEXT(macro) PBS_TEXT_OF(macro)

std::string pbs::tools::versionOf(const std::string &tool) {
  return tool + " (PBS) " PBS_TEXT(PBS_VERSION);
}

/// The fewest insertions, deletions and replacements of characters, and
/// exchanges of neighbours, that turn one text into the other.
static size_t distance(const std::string &a, const std::string &b) {
  // Between the first i and the first j characters.
  std::vector<std::vector<size_t>> between(a.size() + 1,
                                           std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      size_t &least = between[i][j];
      if (i == 0 || j == 0) {
        least = i + j;
        continue;
      }
      least = std::min({between[i - 1][j] + 1, between[i][j - 1] + 1,
                        between[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        least = std::min(least, between[i - 2][j - 2] + 1);
    }
  return between[a.size()][b.size()];
}

std::string pbs::tools::nearestName(const std::string &name,
                                    const std::vector<std::string> &names) {
  std::string nearest;
  // A third of the name may be wrong.
  size_t least = name.size() / 3 + 1;
  for (const std::string &other : names) {
    size_t found = distance(name, other);
    if (found < least) {
      least = found;
      nearest = other;
    }
  }
  return nearest;
}

std::string
pbs::tools::describeUnknownOption(const std::string &argument,
                                  const std::vector<std::string> &names) {
  size_t begin = std::min(argument.find_first_not_of('-'), argument.size());
  std::string name = argument.substr(begin, argument.find('=') - begin);
  std::string nearest = nearestName(name, names);
  return argument + ": unknown option, " +
         (nearest.empty() ? "see --help" : "did you mean --" + nearest + "?");
}

std::string
pbs::tools::listAlternatives(const std::vector<std::string> &names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

std::string pbs::tools::describeCompiledInput(const std::string &path) {
  auto endsWith = [&](const std::string &end) {
    return path.size() > end.size() &&
           path.compare(path.size() - end.size(), end.size(), end) == 0;
  };
  if (endsWith(".json"))
    return path + ": is a plan, which pbs-launch runs";
  if (endsWith(".ptx"))
    return path + ": is PTX, which pbs-launch runs";
  return "";
}

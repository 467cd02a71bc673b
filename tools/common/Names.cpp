// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/Names.h"

#include <algorithm>
#include <numeric>

std::string pbs::tools::versionOf(const std::string &tool) {
  return tool + " (PBS) " PBS_VERSION;
}

/// The fewest insertions, deletions and replacements of characters that turn
/// one text into the other.
static size_t distance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t(0));
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
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
    text += (i == 0                  ? ""
             : i + 1 == names.size() ? " or "
                                     : ", ") +
            names[i];
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_SEEDS_H
#define PBS_TOOLS_COMMON_SEEDS_H

#include "pbs/Runtime/Array.h"

#include <charconv>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pbs::tools {

/// Parses all of \p text as a decimal integer, or returns false.
template <typename T> bool parseInteger(const std::string &text, T &value) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() &&
         !text.empty();
}

/// The value of --seed: one number, or FIRST..LAST.
struct Seeds {
  uint64_t first = 0;
  uint64_t last = 0;
  bool isRange = false;
};

/// Throws runtime::Error for anything else, or more than a million seeds.
Seeds parseSeeds(const std::string &text);

/// Calls \p run with each of \p seeds, several at a time from threads of their
/// own. Throws the Error of the first seed that fails, or one that says which
/// seed has other results than the first; returns the results.
std::vector<runtime::Array>
runWithSeeds(const Seeds &seeds,
             const std::function<std::vector<runtime::Array>(uint64_t)> &run);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_SEEDS_H

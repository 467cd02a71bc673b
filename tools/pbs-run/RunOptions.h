// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the command line of pbs-run asks for.

#ifndef PBS_TOOLS_PBSRUN_RUNOPTIONS_H
#define PBS_TOOLS_PBSRUN_RUNOPTIONS_H

#include "common/OpenDevice.h"
#include "common/Seeds.h"

#include <string>
#include <vector>

namespace pbs {

enum class CheckKind {
  /// No check.
  None,
  /// One line with the worst query block.
  Summary,
  /// One line for each query block as well.
  Blocks
};

struct RunOptions {
  /// For messages: the input file, "<stdin>" for "-".
  std::string input;
  /// The function to run; empty for the only one there is.
  std::string entry;
  /// "reference", "emulator", "cuda" or "cuda:N".
  std::string device;
  /// Target to compile for; empty for the compiler's default.
  std::string chip;
  /// As for pbs-compile; empty for the compiler's choice.
  std::string schedule;
  /// Where arguments are, in their order.
  std::vector<std::string> arguments;
  /// Where to write results, in their order.
  std::vector<std::string> results;
  CheckKind check = CheckKind::None;
  /// Empty for no dump.
  std::string dumpIntermediates;
  /// The page to write; empty for none.
  std::string report;
  bool profile = false;
  tools::EmulatorFlags emulator;
  /// Of --seed=FIRST..LAST, whose first is `emulator.seed`.
  std::optional<tools::Seeds> seeds;
  bool progress = false;

  bool keepsIntermediates() const {
    return !dumpIntermediates.empty() || !report.empty();
  }
  bool onReference() const { return device == "reference"; }
};

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_RUNOPTIONS_H

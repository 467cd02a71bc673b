// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_PBS_LAUNCH_OPTIONS_H
#define PBS_TOOLS_PBS_LAUNCH_OPTIONS_H

#include "common/OpenDevice.h"
#include "common/Seeds.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace pbs::launch {

struct Options {
  bool help = false;
  bool version = false;
  /// The plan or the PTX.
  std::string input;
  std::string device = "emulator";
  std::vector<std::string> arguments;
  std::vector<std::string> results;
  bool profile = false;
  tools::EmulatorFlags emulator;
  /// Of --seed=FIRST..LAST, whose first is `emulator.seed`.
  std::optional<tools::Seeds> seeds;

  /// Of a plan.
  std::string entry;

  /// Of a kernel without a plan.
  std::string kernel;
  /// Zeros if not given.
  std::array<int64_t, 3> grid = {};
  std::array<int64_t, 3> block = {};
  std::array<int64_t, 3> cluster = {1, 1, 1};
  uint64_t sharedBytes = 0;

  bool isKernel() const;
};

/// Throws runtime::Error on anything that is not an option, or does not belong
/// to the kind of input.
Options parseOptions(int argc, char **argv);

extern const char *const helpText;

} // namespace pbs::launch

#endif // PBS_TOOLS_PBS_LAUNCH_OPTIONS_H

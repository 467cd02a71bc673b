// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the command line of pbs-run asks for.

#ifndef PBS_TOOLS_PBSRUN_RUNOPTIONS_H
#define PBS_TOOLS_PBSRUN_RUNOPTIONS_H

#include <string>
#include <vector>

namespace pbs {

enum class DeviceKind { Reference, Emulator, Cuda };

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
  DeviceKind device = DeviceKind::Reference;
  /// Which of several CUDA devices.
  unsigned deviceIndex = 0;
  /// Target to compile for; empty for the device's own.
  std::string chip;
  /// Where to write results, in their order.
  std::vector<std::string> results;
  CheckKind check = CheckKind::None;
  /// Empty for no dump.
  std::string dumpIntermediates;
  bool profile = false;
};

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_RUNOPTIONS_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_PROGRESS_H
#define PBS_TOOLS_COMMON_PROGRESS_H

#include <cstdint>
#include <string>

namespace pbs::tools {

/// A line on std::cerr that shows how much of a launch is done, for --progress.
/// It is drawn over itself, and ended when all is done. Only terminals have it.
class ProgressBar {
public:
  ProgressBar();

  /// Names what the next updates are about.
  void begin(const std::string &what);
  /// Draws the bar if it has changed to the eye.
  void update(uint64_t done, uint64_t total);

private:
  bool isTerminal;
  std::string name;
  /// What is drawn, in percent; -1 for nothing.
  int drawn = -1;
};

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_PROGRESS_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_PROFILE_H
#define PBS_TOOLS_COMMON_PROFILE_H

#include "pbs/Runtime/Device.h"

#include <memory>
#include <ostream>
#include <string>

namespace pbs::tools {

/// Prints, for --profile, what a device tells of its launches: the emulator
/// what it counted, a GPU the milliseconds between events around each.
class LaunchProfile {
public:
  LaunchProfile(std::ostream &stream, runtime::Device &device)
      : stream(stream), device(device) {}

  /// Before a launch.
  void begin();
  /// After it; waits for it.
  void end(const std::string &kernel,
           const runtime::LaunchConfiguration &configuration);

private:
  std::ostream &stream;
  runtime::Device &device;
  std::unique_ptr<runtime::Event> start;
};

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_PROFILE_H

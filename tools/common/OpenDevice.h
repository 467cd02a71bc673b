// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_OPENDEVICE_H
#define PBS_TOOLS_COMMON_OPENDEVICE_H

#include "common/Progress.h"
#include "pbs/Runtime/Device.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pbs::tools {

/// What flags say of the emulator.
struct EmulatorFlags {
  /// --seed, by which chance decides when asynchronous work is done.
  std::optional<uint64_t> seed;
  /// One per core if 0.
  unsigned hostThreads = 0;
  /// --checks=all.
  bool checks = false;
  /// --max-steps.
  std::optional<uint64_t> maxSteps;
  /// --multiprocessors.
  std::optional<uint32_t> multiprocessors;
  /// --profile, which other devices have as well.
  bool profile = false;
};

/// The value of --checks; throws runtime::Error if it is neither all nor none.
bool parseChecks(const std::string &value);

/// The value of --max-steps; throws runtime::Error unless it is a number of at
/// least 1.
uint64_t parseMaxSteps(const std::string &value);

/// The value of --multiprocessors; throws runtime::Error unless it is a number
/// of at least 1.
uint32_t parseMultiprocessors(const std::string &value);

/// Opens the device that --device names: "emulator", "cuda" or "cuda:N". The
/// emulator reports to \p progress, which lives as long as the device, or is
/// null. Throws runtime::Error if there is no such device, or \p flags are set
/// for another one.
std::unique_ptr<runtime::Device> openDevice(const std::string &name,
                                            const EmulatorFlags &flags,
                                            ProgressBar *progress = nullptr);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_OPENDEVICE_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_OPENDEVICE_H
#define PBS_TOOLS_COMMON_OPENDEVICE_H

#include "common/Progress.h"
#include "pbs/Runtime/Device.h"

#include <memory>
#include <string>

namespace pbs::tools {

/// Opens the device that --device names: "emulator", "cuda" or "cuda:N".
/// The emulator reports to \p progress, which lives as long as the device, or
/// is null. Throws runtime::Error if there is no such device.
std::unique_ptr<runtime::Device> openDevice(const std::string &name,
                                            ProgressBar *progress = nullptr);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_OPENDEVICE_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_RUNTIME_OPENDEVICE_H
#define PBS_RUNTIME_OPENDEVICE_H

#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/Emulator.h"

#include <memory>
#include <string>

namespace pbs::runtime {

/// Opens the device that \p name names: "emulator", "cuda" or "cuda:N". Throws
/// Error if there is no such device.
std::unique_ptr<Device> openDevice(const std::string &name,
                                   const EmulatorOptions &options = {});

} // namespace pbs::runtime

#endif // PBS_RUNTIME_OPENDEVICE_H

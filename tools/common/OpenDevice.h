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

/// Opens the device that --device names: "emulator", "cuda" or "cuda:N".
/// \p seed is that of --seed, by which chance decides when the emulator's
/// asynchronous work is done. The emulator reports to \p progress, which lives
/// as long as the device, or is null. Throws runtime::Error if there is no such
/// device, or it takes no seed.
std::unique_ptr<runtime::Device> openDevice(const std::string &name,
                                            std::optional<uint64_t> seed,
                                            ProgressBar *progress = nullptr);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_OPENDEVICE_H

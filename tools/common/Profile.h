// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_PROFILE_H
#define PBS_TOOLS_COMMON_PROFILE_H

#include "pbs/Runtime/Device.h"

#include <ostream>
#include <string>

namespace pbs::tools {

/// Prints, for --profile, what \p device counted in its last launch. Throws
/// runtime::Error if it counts nothing; only the emulator does.
void printLastLaunch(std::ostream &stream, const std::string &kernel,
                     const runtime::LaunchConfiguration &configuration,
                     const runtime::Device &device);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_PROFILE_H

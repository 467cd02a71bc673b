// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_EMULATORPROFILE_H
#define PBS_TOOLS_COMMON_EMULATORPROFILE_H

#include "pbs/Runtime/Emulator.h"

#include <ostream>
#include <string>

namespace pbs::tools {

/// 1234567 as "1,234,567".
std::string grouped(uint64_t number);

/// Prints what the emulator found out about a launch, in 100 columns.
void printProfile(std::ostream &stream, const runtime::EmulatorProfile &profile,
                  const runtime::LaunchStatistics &statistics);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_EMULATORPROFILE_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_STANDARDOUTPUT_H
#define PBS_TOOLS_COMMON_STANDARDOUTPUT_H

namespace pbs::tools {

/// Makes the end of the process fail, with one line and exit code 1, if
/// std::cout could not be written. For the start of main().
void checkStandardOutput(const char *tool);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_STANDARDOUTPUT_H

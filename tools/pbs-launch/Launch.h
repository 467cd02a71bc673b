// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_PBS_LAUNCH_LAUNCH_H
#define PBS_TOOLS_PBS_LAUNCH_LAUNCH_H

#include "Options.h"
#include "pbs/Runtime/Array.h"

#include <vector>

namespace pbs::launch {

/// Runs an entry of a plan; returns its outputs. Throws runtime::Error.
std::vector<runtime::Array> launchPlan(const Options &options);

/// Runs one kernel of PTX; returns what its `out:` arguments hold after it.
std::vector<runtime::Array> launchKernel(const Options &options);

} // namespace pbs::launch

#endif // PBS_TOOLS_PBS_LAUNCH_LAUNCH_H

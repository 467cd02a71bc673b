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

/// Either of them, by the input.
std::vector<runtime::Array> launch(const Options &options);

/// launch() with each seed from the first to the last, several at a time on
/// emulators of their own. Throws the Error of the first seed that fails, or
/// one that says which seed has other results than the first; returns the
/// results.
std::vector<runtime::Array> launchWithSeeds(const Options &options);

} // namespace pbs::launch

#endif // PBS_TOOLS_PBS_LAUNCH_LAUNCH_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_PBS_LAUNCH_LAUNCH_H
#define PBS_TOOLS_PBS_LAUNCH_LAUNCH_H

#include "Options.h"
#include "pbs/Runtime/Array.h"

#include <vector>

namespace pbs::launch {

struct Outputs {
  std::vector<runtime::Array> arrays;
  /// For messages, as many.
  std::vector<std::string> names;
};

/// Runs an entry of a plan; returns its outputs. Throws runtime::Error.
Outputs launchPlan(const Options &options);

/// Runs one kernel of PTX; returns what its `out:` arguments hold after it.
Outputs launchKernel(const Options &options);

/// Either of them, by the input, with each of the seeds if several are given.
Outputs launchAll(const Options &options);

} // namespace pbs::launch

#endif // PBS_TOOLS_PBS_LAUNCH_LAUNCH_H

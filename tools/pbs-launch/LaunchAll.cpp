// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Launch.h"

using namespace pbs::launch;

static Outputs launchOnce(const Options &options) {
  return options.isKernel() ? launchKernel(options) : launchPlan(options);
}

Outputs pbs::launch::launchAll(const Options &options) {
  if (!options.seeds)
    return launchOnce(options);
  Outputs outputs;
  outputs.arrays = tools::runWithSeeds(*options.seeds, [&](uint64_t seed) {
    Options own = options;
    own.emulator.seed = seed;
    own.emulator.hostThreads = 1;
    Outputs result = launchOnce(own);
    // The first seed runs before all others.
    if (seed == options.seeds->first)
      outputs.names = result.names;
    return std::move(result.arrays);
  });
  return outputs;
}

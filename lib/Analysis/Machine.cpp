// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Analysis/Machine.h"

using namespace pbs;

/// Fitted to measurements.
static constexpr Machine h100 = {"H100",
                                 /*bytesPerSecond=*/2.5e12,
                                 /*cachedBytesPerSecond=*/7e12,
                                 /*flopsPerSecond=*/375e12,
                                 /*secondsPerScore=*/2.3e-13,
                                 /*secondsPerGatheredRow=*/7.5e-12,
                                 /*secondsPerLaunch=*/2e-6};

/// Scaled from the H100: memory by its bandwidth, products by the peak of
/// mma.sync, everything else by multiprocessors and clock.
static constexpr Machine a100 = {"A100",
                                 /*bytesPerSecond=*/1.5e12,
                                 /*cachedBytesPerSecond=*/4.5e12,
                                 /*flopsPerSecond=*/235e12,
                                 /*secondsPerScore=*/3.5e-13,
                                 /*secondsPerGatheredRow=*/1.15e-11,
                                 /*secondsPerLaunch=*/2e-6};

const Machine &pbs::getMachine(const Chip &chip) {
  return llvm::StringRef(chip.name).starts_with("sm_8") ? a100 : h100;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an access of a warp costs a GPU: wavefronts of shared memory, sectors of
// global memory.

#ifndef PBS_EMULATOR_ACCESSMODEL_H
#define PBS_EMULATOR_ACCESSMODEL_H

#include "Warp.h"
#include "pbs/Runtime/EmulatorProfile.h"

namespace pbs::runtime::emulator {

/// The wavefronts of one access by \p lanes, \p bytes each, at \p offsets in
/// shared memory. Up to 4 bytes a lane are served for the whole warp at once, 8
/// bytes for each half and 16 for each quarter of it. Lanes at the same word
/// share it, unless they \p takeTurns.
BankCounts countWavefronts(const uint32_t (&offsets)[warpSize], uint32_t lanes,
                           unsigned bytes, bool takeTurns);

/// The sectors of one access by \p lanes at \p addresses in global memory. It
/// is naturally aligned, so that no lane reaches into two sectors.
SectorCounts countSectors(const uint64_t (&addresses)[warpSize], uint32_t lanes,
                          unsigned bytes);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_ACCESSMODEL_H

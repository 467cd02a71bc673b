// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the addresses of a memory instruction to host memory, with every check.

#ifndef PBS_EMULATOR_MEMORYACCESS_H
#define PBS_EMULATOR_MEMORYACCESS_H

#include "SharedPlace.h"

namespace pbs::runtime::emulator {

/// Host addresses per lane. Lanes that are not active have the warp's scratch
/// memory, so that a load may read for all of them.
struct LanePointers {
  uint8_t *lane[warpSize];
  /// The space that was accessed; for generic addresses that of the first
  /// active lane.
  Space space = Space::Generic;
};

/// What an access is, for messages.
enum class Access : uint8_t { Read, Write, Update };

/// The device addresses of an address operand: \p operand plus \p offset.
void computeAddresses(const Warp &warp, uint32_t operand, uint64_t offset,
                      bool is64, uint64_t (&addresses)[warpSize]);

/// The address of \p lane from the two operands of an address that has its
/// offset beside it.
inline uint64_t addressOf(const Warp &warp, const uint32_t *operands,
                          unsigned lane) {
  uint32_t slot = operands[0] & ~wideAddress;
  uint64_t base = operands[0] & wideAddress ? warp.lanes<uint64_t>(slot)[lane]
                                            : warp.lanes<uint32_t>(slot)[lane];
  return base + uint64_t(int64_t(int32_t(operands[1])));
}

/// Checks and translates \p bytes bytes at each of \p addresses; throws Fault.
/// \p alignment is a power of two.
void translate(Warp &warp, const uint64_t (&addresses)[warpSize], Space space,
               uint32_t active, unsigned bytes, unsigned alignment,
               Access access, LanePointers &pointers);

/// The \p bytes bytes at \p address in shared memory of the executing CTA, of
/// the cluster, or at a generic address there; throws Fault.
SharedPlace findShared(Warp &warp, unsigned lane, uint64_t address, Space space,
                       uint64_t bytes, unsigned alignment, Access access);

/// The host bytes of [address, address + bytes) in global memory; throws Fault.
uint8_t *findGlobal(Warp &warp, unsigned lane, uint64_t address, uint64_t bytes,
                    unsigned alignment, Access access);

/// Both for an instruction's first address operand, naturally aligned; counts
/// the bytes in the statistics.
void resolve(Warp &warp, const Instruction &instruction, unsigned operand,
             uint32_t active, unsigned bytes, Access access,
             LanePointers &pointers);

/// Adds to the statistics what \p lanes lanes moved.
void countBytes(Warp &warp, Space space, Access access, uint64_t bytes);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_MEMORYACCESS_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarrier objects (PTX ISA, "mbarrier"): 64 bits of shared memory that count
// arrivals and the bytes of asynchronous work. Every misuse throws a Fault.

#ifndef PBS_EMULATOR_MBARRIER_H
#define PBS_EMULATOR_MBARRIER_H

#include "SharedPlace.h"

namespace pbs::runtime::emulator {

/// The object's state, which is also what an arrival returns.
struct MbarrierState {
  static constexpr uint32_t maximumCount = (1 << 20) - 1;

  /// Parity of the current phase.
  bool phase = false;
  uint32_t pending = 0;
  /// Arrivals of the next phase.
  uint32_t expected = 0;
  /// Bytes announced and not yet moved.
  int32_t transactions = 0;

  uint64_t encode() const;
  /// Null where \p word is none.
  static std::optional<MbarrierState> decode(uint64_t word);
};

/// What an arrival does besides.
struct Arrival {
  uint32_t count = 1;
  uint32_t expectedBytes = 0;
  bool drops = false;
  bool mayNotComplete = false;
};

void initializeMbarrier(SharedPlace place, unsigned lane, uint32_t count);
void invalidateMbarrier(SharedPlace place, unsigned lane);
/// Returns the state before.
uint64_t arriveAt(SharedPlace place, unsigned lane, const Arrival &arrival);
/// Announces bytes, or reports them as moved if \p bytes is negative.
void countTransactions(SharedPlace place, unsigned lane, int64_t bytes);
/// One more arrival is pending in the current phase.
void addPendingArrival(SharedPlace place, unsigned lane);
/// The phase of parity \p phase has completed.
bool hasCompleted(SharedPlace place, unsigned lane, bool phase);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_MBARRIER_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the CTAs of a cluster share while they run together.

#ifndef PBS_EMULATOR_CLUSTER_H
#define PBS_EMULATOR_CLUSTER_H

#include "AsyncWork.h"

namespace pbs::runtime::emulator {

struct Cluster {
  std::vector<Cta *> ctas;
  AsyncQueue async;
  /// Counts what may let a wait at an mbarrier pass: completed phases, and
  /// turns of warps that did not end with such a wait.
  uint64_t changes = 1;
  /// Counts completed phases alone.
  uint64_t phases = 0;
  /// In which all warps have their turns.
  uint64_t round = 0;

  /// Ends the phase of barrier.cluster where every thread has arrived.
  void checkBarrier();
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CLUSTER_H

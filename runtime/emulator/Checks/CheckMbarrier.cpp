// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What mbarriers order (PTX ISA, "mbarrier").

#include "../Cluster.h"
#include "Checker.h"

namespace pbs::runtime::emulator {

Checker::Mbarrier *Checker::findMbarrier(SharedPlace place) {
  auto found = mbarriers.find({place.cta, place.offset});
  return found == mbarriers.end() ? nullptr : &found->second;
}

void Checker::initializeMbarrier(Warp &warp, unsigned lane, SharedPlace place) {
  WarpChecks &checks = of(warp);
  Mbarrier &mbarrier = mbarriers[{place.cta, place.offset}];
  mbarrier = Mbarrier();
  mbarrier.actor = nextMbarrier++;
  mbarrier.initializer = checks.first + lane;
  mbarrier.initialized = checks.time;
  mbarrier.instruction = instructionOf(warp);
}

void Checker::invalidateMbarrier(SharedPlace place) {
  mbarriers.erase({place.cta, place.offset});
}

void Checker::useMbarrier(Warp &warp, unsigned lane, SharedPlace place) {
  const Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier)
    return;
  const WarpChecks &checks = of(warp);
  const KnowledgeReference &known = checks.known[lane];
  if (mbarrier->initializer == checks.first + lane ||
      (known && known->generic[mbarrier->initializer] >= mbarrier->initialized))
    return;
  report(HazardKind::Mbarrier, warp, lane, instructionOf(warp),
         mbarrier->instruction,
         "uses the mbarrier at " + hexadecimal(place.offset) +
             " without order after its mbarrier.init, which " +
             threadName(clusterNumber, mbarrier->initializer) +
             " executes in " + lineOf(mbarrier->instruction));
}

void Checker::arriveAtMbarrier(Warp &warp, unsigned lane, SharedPlace place) {
  useMbarrier(warp, lane, place);
  Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier)
    return;
  uint8_t order = launch.program->orders[instructionOf(warp)];
  if (order & AccessOrder::Release)
    mbarrier->arrivals.add(of(warp), 1u << lane);
  else
    mbarrier->arrivals.add(givenBy(warp, lane, order));
  tick(of(warp));
}

void Checker::completePhase(SharedPlace place) {
  Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier)
    return;
  mbarrier->arrivals.add(mbarrier->completed);
  KnowledgeReference completed = mbarrier->arrivals.take();
  completed.edit().generic.raise(mbarrier->actor, ++mbarrier->phases);
  mbarrier->completed = completed;
}

void Checker::waited(Warp &warp, unsigned lane, SharedPlace place) {
  const Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier || !mbarrier->completed)
    return;
  uint8_t order = launch.program->orders[instructionOf(warp)];
  if (!(order & AccessOrder::Acquire))
    return take(warp, lane, mbarrier->completed, mbarrier->completed, order);
  WarpChecks &checks = of(warp);
  KnowledgeReference &known = checks.known[lane];
  if (known && known->generic[mbarrier->actor] == mbarrier->phases)
    return;
  // Lanes that wait together have mostly known the same.
  if (lane > 0 && checks.joined.before == known && known &&
      checks.joined.with == mbarrier->completed) {
    known = checks.joined.after;
    return;
  }
  checks.joined.before = known;
  checks.joined.with = mbarrier->completed;
  known = checks.joined.after = join(known, mbarrier->completed);
}

} // namespace pbs::runtime::emulator

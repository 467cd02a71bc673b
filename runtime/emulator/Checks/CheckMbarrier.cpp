// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What mbarriers order (PTX ISA, "mbarrier").

#include "Checker.h"

namespace pbs::runtime::emulator {

Checker::Mbarrier *Checker::findMbarrier(SharedPlace place) {
  auto found = mbarriers.find({place.cta, place.offset});
  return found == mbarriers.end() || !found->second.isValid ? nullptr
                                                            : &found->second;
}

void Checker::initializeMbarrier(Warp &warp, unsigned lane, SharedPlace place) {
  const WarpChecks &checks = of(warp);
  auto [found, isNew] = mbarriers.try_emplace({place.cta, place.offset});
  Mbarrier &mbarrier = found->second;
  // Its actors' times go on, so that what its loads wrote before stays known.
  Mbarrier fresh;
  fresh.phaseActor = isNew ? nextActor : mbarrier.phaseActor;
  fresh.loadActor = isNew ? nextActor + 1 : mbarrier.loadActor;
  nextActor += isNew ? 2 : 0;
  fresh.phases = fresh.waited = fresh.lastLoad = mbarrier.phases;
  fresh.loads = mbarrier.loads;
  fresh.isValid = true;
  fresh.initializer = checks.first + lane;
  fresh.initialized = checks.time;
  fresh.instruction = instructionOf(warp);
  mbarrier = std::move(fresh);
  // Ordinary accesses to these bytes have to be ordered with it, too.
  Accessor own = accesses.accessor(warp, lane);
  accesses.run(own, place.host(), sizeof(uint64_t), place.cta,
               accesses.recordOf(own, Record::IsWrite));
}

void Checker::invalidateMbarrier(Warp &warp, unsigned lane, SharedPlace place) {
  Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier)
    return;
  Accessor own = accesses.accessor(warp, lane);
  Actor thread = own.checks->first + lane;
  for (Actor other = 0; other < mbarrier->uses.size(); ++other) {
    Mbarrier::Use use = mbarrier->uses[other];
    if (other == thread || (own.known && own.known->generic[other] >= use.time))
      continue;
    if (use.time != 0)
      reporter.report(HazardKind::Mbarrier, warp, lane, own.instruction,
                      use.instruction,
                      "ends the mbarrier at " + hexadecimal(place.offset) +
                          " without order after its use by " +
                          reporter.threadName(clusterNumber, other) + " in " +
                          reporter.lineOf(use.instruction));
  }
  mbarrier->isValid = false;
  accesses.run(own, place.host(), sizeof(uint64_t), place.cta,
               accesses.recordOf(own, Record::IsWrite));
  accesses.forget(place.host(), sizeof(uint64_t), place.cta);
}

void Checker::useMbarrier(Warp &warp, unsigned lane, SharedPlace place) {
  Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier)
    return;
  const WarpChecks &checks = of(warp);
  Actor thread = checks.first + lane;
  if (thread >= mbarrier->uses.size())
    mbarrier->uses.resize(thread + 1);
  mbarrier->uses[thread] = {checks.time, instructionOf(warp)};
  const KnowledgeReference &known = checks.known[lane];
  if (mbarrier->initializer == thread ||
      (known && known->generic[mbarrier->initializer] >= mbarrier->initialized))
    return;
  reporter.report(
      HazardKind::Mbarrier, warp, lane, instructionOf(warp),
      mbarrier->instruction,
      "uses the mbarrier at " + hexadecimal(place.offset) +
          " without order after its mbarrier.init, which " +
          reporter.threadName(clusterNumber, mbarrier->initializer) +
          " executes in " + reporter.lineOf(mbarrier->instruction));
}

void Checker::arriveAtMbarrier(Warp &warp, unsigned lane, SharedPlace place) {
  useMbarrier(warp, lane, place);
  Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier)
    return;
  uint8_t order = orderOf(warp);
  if (order & AccessOrder::Release)
    mbarrier->arrivals.add(of(warp), 1u << lane);
  else
    mbarrier->arrivals.add(
        givenBy(warp, lane, order, /*isWide=*/place.cta != warp.cta));
  tick(of(warp));
}

void Checker::completePhase(SharedPlace place) {
  Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier)
    return;
  // A phase is behind those before it, as arrivals read what they change.
  mbarrier->arrivals.add(mbarrier->completed);
  mbarrier->arrivals.add(mbarrier->phaseActor, ++mbarrier->phases);
  const auto &unfinished = mbarrier->unfinished;
  Time loads =
      unfinished.empty() ? mbarrier->loads : unfinished.front().first - 1;
  if (loads != 0)
    mbarrier->arrivals.add(mbarrier->loadActor, loads);
  mbarrier->completed = mbarrier->arrivals.take();
}

void Checker::waited(Warp &warp, unsigned lane, SharedPlace place) {
  Mbarrier *mbarrier = findMbarrier(place);
  if (!mbarrier || !mbarrier->completed)
    return;
  mbarrier->waited = mbarrier->phases;
  uint8_t order = orderOf(warp);
  if (!(order & AccessOrder::Acquire))
    return take(warp, lane, mbarrier->completed, mbarrier->completed, order);
  WarpChecks &checks = of(warp);
  KnowledgeReference &known = checks.known[lane];
  if (known && known->generic[mbarrier->phaseActor] == mbarrier->phases)
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

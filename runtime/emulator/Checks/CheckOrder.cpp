// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What orders the accesses of threads (PTX ISA, "Memory Consistency Model").

#include "../Cluster.h"
#include "Checker.h"

namespace pbs::runtime::emulator {

void Release::add(const KnowledgeReference &known) {
  if (!known || known == last)
    return;
  last = known;
  if (!gathered)
    gathered = known;
  else if (!gathered->covers(*known))
    gathered.edit().raise(*known);
}

void Release::add(const WarpChecks &warp, uint32_t lanes) {
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1)
    add(warp.known[unsigned(__builtin_ctz(rest))]);
  Knowledge &all = gathered.edit();
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    all.generic.raise(warp.first + lane, warp.time);
    if (warp.fencedShared[lane])
      all.asyncShared.raise(warp.first + lane, warp.fencedShared[lane]);
    if (warp.fencedGlobal[lane])
      all.asyncGlobal.raise(warp.first + lane, warp.fencedGlobal[lane]);
  }
}

KnowledgeReference Release::take() {
  last = KnowledgeReference();
  return std::move(gathered);
}

void Checker::arriveAtBarrier(Warp &warp, unsigned barrier, uint32_t lanes) {
  WarpChecks &checks = of(warp);
  shadows[warp.cta->rank].barriers[barrier].add(checks, lanes);
  tick(checks);
}

void Checker::completeBarrier(const Cta &cta, unsigned barrier) {
  barrierCompleted = shadows[cta.rank].barriers[barrier].take();
}

void Checker::leaveBarrier(Warp &warp, uint32_t lanes) {
  // All who wait have arrived, so that it holds what they knew.
  WarpChecks &checks = of(warp);
  for (; lanes != 0; lanes &= lanes - 1)
    checks.known[unsigned(__builtin_ctz(lanes))] = barrierCompleted;
}

void Checker::synchronizeLanes(Warp &warp, uint32_t lanes) {
  WarpChecks &checks = of(warp);
  Release all;
  all.add(checks, lanes);
  tick(checks);
  KnowledgeReference known = all.take();
  for (; lanes != 0; lanes &= lanes - 1)
    checks.known[unsigned(__builtin_ctz(lanes))] = known;
}

void Checker::arriveAtCluster(Warp &warp, uint32_t lanes) {
  if (!(launch.program->orders[instructionOf(warp)] & AccessOrder::Release))
    return;
  WarpChecks &checks = of(warp);
  clusterArrivals.add(checks, lanes);
  tick(checks);
}

void Checker::completeClusterBarrier() {
  clusterCompleted = clusterArrivals.take();
}

void Checker::leaveClusterBarrier(Warp &warp, uint32_t lanes) {
  WarpChecks &checks = of(warp);
  for (; lanes != 0; lanes &= lanes - 1) {
    KnowledgeReference &known = checks.known[unsigned(__builtin_ctz(lanes))];
    known = join(known, clusterCompleted);
  }
}

void Checker::fence(Warp &warp, uint32_t lanes) {
  uint8_t order = launch.program->orders[instructionOf(warp)];
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::MbarrierInit)
    for (auto &[place, mbarrier] : mbarriers)
      if (mbarrier.initializer - checks.first < warpSize &&
          (lanes >> (mbarrier.initializer - checks.first) & 1))
        mbarrier.isFenced = true;
  if (order & AccessOrder::ThreadFence) {
    if (!checks.flags)
      checks.flags = std::make_unique<WarpChecks::Flags>();
    for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
      unsigned lane = unsigned(__builtin_ctz(rest));
      KnowledgeReference &known = checks.known[lane];
      known = join(known, checks.flags->observed[lane]);
      checks.flags->atFence[lane] = known;
      checks.flags->fenceTime[lane] = checks.time;
    }
  }
  bool isShared = order & AccessOrder::ProxyShared;
  bool isGlobal = order & AccessOrder::ProxyGlobal;
  if (isShared || isGlobal) {
    KnowledgeReference before, after;
    for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
      unsigned lane = unsigned(__builtin_ctz(rest));
      if (isShared)
        checks.fencedShared[lane] = checks.time;
      if (isGlobal)
        checks.fencedGlobal[lane] = checks.time;
      KnowledgeReference &known = checks.known[lane];
      if (!known)
        continue;
      // Most lanes know the same.
      if (!before || known != before) {
        before = after = known;
        if (isShared && !after->asyncShared.covers(after->generic))
          after.edit().asyncShared.raise(before->generic);
        if (isGlobal && !after->asyncGlobal.covers(after->generic))
          after.edit().asyncGlobal.raise(before->generic);
      }
      known = after;
    }
  }
  tick(checks);
}

/// What the lane's strong write gives to who reads it.
KnowledgeReference Checker::givenBy(Warp &warp, unsigned lane, uint8_t order) {
  WarpChecks &checks = of(warp);
  Release given;
  if (order & AccessOrder::Release) {
    given.add(checks, 1u << lane);
    return given.take();
  }
  if (!checks.flags || checks.flags->fenceTime[lane] == 0)
    return {};
  KnowledgeReference known = checks.flags->atFence[lane];
  known.edit().generic.raise(checks.first + lane,
                             checks.flags->fenceTime[lane]);
  return known;
}

/// What the lane's strong read gets.
void Checker::take(Warp &warp, unsigned lane, const KnowledgeReference &given,
                   uint8_t order) {
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::Acquire) {
    checks.known[lane] = join(checks.known[lane], given);
    return;
  }
  if (!checks.flags)
    checks.flags = std::make_unique<WarpChecks::Flags>();
  KnowledgeReference &observed = checks.flags->observed[lane];
  observed = join(observed, given);
}

void Checker::passSharedFlag(Warp &warp, unsigned lane, uint8_t *host,
                             Access access, uint8_t order) {
  KnowledgeReference &flag = sharedFlags[host];
  KnowledgeReference before = flag;
  if (access != Access::Read) {
    KnowledgeReference given = givenBy(warp, lane, order);
    // An update goes on with what the value held before; a store does not.
    flag = access == Access::Update ? join(before, given) : given;
  }
  if (access != Access::Write && before)
    take(warp, lane, before, order);
}

void Checker::passGlobalFlag(Warp &warp, unsigned lane, uint8_t *host,
                             Access access, uint8_t order) {
  ForeignTimes before;
  KnowledgeReference given;
  if (access != Access::Read)
    given = givenBy(warp, lane, order);
  launch.shadow->atLocation(
      reinterpret_cast<uintptr_t>(host), [&](GlobalShadow::Published &flag) {
        before = flag.times;
        if (access == Access::Read)
          return;
        if (access == Access::Write)
          flag.times.clear();
        if (!given)
          return;
        flag.times[clusterNumber].raise(given->generic);
        if (given->foreign)
          for (const auto &[other, times] : *given->foreign)
            flag.times[other].raise(times);
      });
  if (access == Access::Write || before.empty())
    return;
  KnowledgeReference got;
  Knowledge &known = got.edit();
  if (auto own = before.find(clusterNumber); own != before.end()) {
    known.generic = own->second;
    before.erase(own);
  }
  if (!before.empty())
    known.foreign = std::make_shared<const ForeignTimes>(std::move(before));
  take(warp, lane, got, order);
}

void Checker::passFlags(Warp &warp, uint32_t active,
                        const LanePointers &pointers, Access access,
                        uint8_t order) {
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    uint8_t *host = pointers.lane[lane];
    bool isShared = false;
    for (const Cta *cta : cluster.ctas)
      isShared |= host >= cta->shared && host < cta->shared + cta->sharedBytes;
    if (isShared)
      passSharedFlag(warp, lane, host, access, order);
    else
      passGlobalFlag(warp, lane, host, access, order);
  }
  if (access != Access::Read)
    tick(of(warp));
}

} // namespace pbs::runtime::emulator

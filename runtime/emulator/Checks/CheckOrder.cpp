// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers and fences (PTX ISA, "Memory Consistency Model").

#include "Checker.h"

namespace pbs::runtime::emulator {

void Checker::arriveAtBarrier(Warp &warp, unsigned barrier, uint32_t lanes) {
  WarpChecks &checks = of(warp);
  barriers[warp.cta->rank][barrier].add(checks, lanes);
  tick(checks);
}

void Checker::completeBarrier(const Cta &cta, unsigned barrier, bool isForAll) {
  Release &arrivals = barriers[cta.rank][barrier];
  if (isForAll)
    for (const Warp &warp : cta.warps)
      if (uint32_t left = leftLanes(warp))
        arrivals.add(of(warp), left);
  barrierCompleted = arrivals.take();
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
  uint8_t order = orderOf(warp);
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::Release)
    clusterArrivals.add(checks, lanes);
  else
    for (; lanes != 0; lanes &= lanes - 1)
      clusterArrivals.add(givenBy(warp, unsigned(__builtin_ctz(lanes)), order));
  tick(checks);
}

void Checker::completeClusterBarrier() {
  for (const Cta *cta : cluster.ctas)
    for (const Warp &warp : cta->warps)
      if (uint32_t left = leftLanes(warp))
        clusterArrivals.add(of(warp), left);
  clusterCompleted = clusterArrivals.take();
}

void Checker::leaveClusterBarrier(Warp &warp, uint32_t lanes) {
  // It always acquires.
  for (; lanes != 0; lanes &= lanes - 1)
    take(warp, unsigned(__builtin_ctz(lanes)), clusterCompleted,
         clusterCompleted, AccessOrder::Acquire);
}

void Checker::fence(Warp &warp, uint32_t lanes) {
  uint8_t order = orderOf(warp);
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::MbarrierInit)
    for (auto &[place, mbarrier] : mbarriers)
      if (mbarrier.initializer - checks.first < warpSize &&
          (lanes >> (mbarrier.initializer - checks.first) & 1) &&
          mbarrier.fenced == 0)
        mbarrier.fenced = checks.time;
  if (order & AccessOrder::ThreadFence) {
    bool isWide = !(order & AccessOrder::CtaScope);
    for (bool wide : {true, false}) {
      if (wide && !isWide)
        continue;
      std::unique_ptr<WarpChecks::Flags> &flags =
          wide ? checks.wideFlags : checks.ctaFlags;
      if (!flags)
        flags = std::make_unique<WarpChecks::Flags>();
      for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
        unsigned lane = unsigned(__builtin_ctz(rest));
        KnowledgeReference &known = checks.known[lane];
        known = join(known, flags->observed[lane]);
        Release given;
        given.add(checks, 1u << lane);
        flags->atFence[lane] = given.take();
      }
    }
  }
  bool isShared = order & AccessOrder::ProxyShared;
  bool isGlobal = order & AccessOrder::ProxyGlobal;
  if (isShared || isGlobal)
    fenceProxies(checks, lanes, isShared, isGlobal);
  tick(checks);
}

void Checker::fenceProxies(WarpChecks &checks, uint32_t lanes, bool isShared,
                           bool isGlobal) {
  KnowledgeReference before, after;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    if (isShared) {
      checks.fencedShared[lane] = checks.time;
      checks.copies.fenced[lane] = checks.copies.done[lane];
    }
    if (isGlobal)
      checks.fencedGlobal[lane] = checks.time;
    KnowledgeReference &known = checks.known[lane];
    if (!known)
      continue;
    // Most lanes know the same.
    if (!before || known != before) {
      before = after = known;
      if (!after->isFenced(isShared, isGlobal))
        after.edit().fence(isShared, isGlobal);
      if (isGlobal && after->foreign)
        after.edit().foreign =
            std::make_shared<const ClusterTimes>(after->foreign->fenced());
    }
    known = after;
  }
}

} // namespace pbs::runtime::emulator

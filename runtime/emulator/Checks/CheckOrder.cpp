// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What orders the accesses of threads (PTX ISA, "Memory Consistency Model").

#include "../Cluster.h"
#include "Checker.h"

#include <algorithm>

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
  uint8_t order = launch.program->orders[instructionOf(warp)];
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::Release)
    clusterArrivals.add(checks, lanes);
  else
    for (; lanes != 0; lanes &= lanes - 1)
      clusterArrivals.add(givenBy(warp, unsigned(__builtin_ctz(lanes)), order));
  tick(checks);
}

void Checker::completeClusterBarrier() {
  clusterCompleted = clusterArrivals.take();
}

void Checker::leaveClusterBarrier(Warp &warp, uint32_t lanes) {
  // It always acquires.
  for (; lanes != 0; lanes &= lanes - 1)
    take(warp, unsigned(__builtin_ctz(lanes)), clusterCompleted,
         clusterCompleted, AccessOrder::Acquire);
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
    auto pass = [&](std::unique_ptr<WarpChecks::Flags> &flags) {
      if (!flags)
        flags = std::make_unique<WarpChecks::Flags>();
      for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
        unsigned lane = unsigned(__builtin_ctz(rest));
        KnowledgeReference &known = checks.known[lane];
        known = join(known, flags->observed[lane]);
        flags->atFence[lane] = known;
        flags->fenceTime[lane] = checks.time;
      }
    };
    if (!(order & AccessOrder::CtaScope))
      pass(checks.wideFlags);
    pass(checks.ctaFlags);
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

/// What the lane's strong write gives to who reads it in any CTA, or in its
/// own.
KnowledgeReference Checker::givenBy(Warp &warp, unsigned lane, uint8_t order,
                                    bool isWide) {
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::Release) {
    if (isWide && (order & AccessOrder::CtaScope))
      return {};
    Release given;
    given.add(checks, 1u << lane);
    return given.take();
  }
  const auto &flags = isWide ? checks.wideFlags : checks.ctaFlags;
  if (!flags || flags->fenceTime[lane] == 0)
    return {};
  KnowledgeReference known = flags->atFence[lane];
  known.edit().generic.raise(checks.first + lane, flags->fenceTime[lane]);
  return known;
}

void Checker::take(Warp &warp, unsigned lane, const KnowledgeReference &wide,
                   const KnowledgeReference &all, uint8_t order) {
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::Acquire) {
    checks.known[lane] =
        join(checks.known[lane], order & AccessOrder::CtaScope ? all : wide);
    return;
  }
  auto observe = [&](std::unique_ptr<WarpChecks::Flags> &flags,
                     const KnowledgeReference &given) {
    if (!flags)
      flags = std::make_unique<WarpChecks::Flags>();
    flags->observed[lane] = join(flags->observed[lane], given);
  };
  observe(checks.wideFlags, wide);
  observe(checks.ctaFlags, all);
}

// Flags in shared memory are taken to be for the CTA or its cluster, as their
// scope says; only whether there is any order matters.
void Checker::passSharedFlag(Warp &warp, unsigned lane, uint8_t *host,
                             Access access, uint8_t order) {
  KnowledgeReference &flag = sharedFlags[host];
  KnowledgeReference before = flag;
  if (access != Access::Read) {
    KnowledgeReference given = givenBy(warp, lane, order, /*isWide=*/false);
    // An update goes on with what the value held before; a store does not.
    flag = access == Access::Update ? join(before, given) : given;
  }
  if (access != Access::Write && before)
    take(warp, lane, before, before, order);
}

// Several host threads use flags in global memory. What a write gives is
// therefore put there before the write, and what a read gets is taken after the
// read. Stores do not take away what others gave, since somebody may have read
// the value before and be about to take it.
void Checker::publish(Warp &warp, unsigned lane, const uint8_t *host,
                      uint8_t order) {
  using Published = GlobalShadow::Published;
  uint32_t rank = warp.cta->rank;
  KnowledgeReference given[2] = {givenBy(warp, lane, order, /*isWide=*/true),
                                 givenBy(warp, lane, order, /*isWide=*/false)};
  launch.shadow->atLocation(
      reinterpret_cast<uintptr_t>(host), [&](std::vector<Published> &flag) {
        for (bool isNarrow : {false, true}) {
          const KnowledgeReference &known = given[isNarrow];
          if (!known)
            continue;
          auto entry = std::find_if(
              flag.begin(), flag.end(), [&](const Published &other) {
                return other.cluster == clusterNumber && other.rank == rank &&
                       other.isNarrow == isNarrow;
              });
          if (entry == flag.end())
            entry = flag.insert(entry, {clusterNumber, rank, isNarrow, {}});
          entry->times[clusterNumber].raise(known->generic);
          if (known->foreign)
            for (const auto &[other, times] : *known->foreign)
              entry->times[other].raise(times);
        }
      });
}

void Checker::observe() {
  using Published = GlobalShadow::Published;
  Warp &warp = *observation.warp;
  observation.warp = nullptr;
  for (uint32_t rest = observation.lanes; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    std::vector<Published> flag;
    launch.shadow->atLocation(
        reinterpret_cast<uintptr_t>(observation.hosts[lane]),
        [&](const std::vector<Published> &published) { flag = published; });
    if (flag.empty())
      continue;
    // From everybody, and from the own CTA with the narrow ones.
    auto gather = [&](bool isWide) {
      ForeignTimes all;
      for (const Published &entry : flag)
        if (isWide ? !entry.isNarrow
                   : entry.cluster == clusterNumber &&
                         entry.rank == warp.cta->rank)
          for (const auto &[other, times] : entry.times)
            all[other].raise(times);
      KnowledgeReference got;
      if (all.empty())
        return got;
      Knowledge &known = got.edit();
      if (auto own = all.find(clusterNumber); own != all.end()) {
        known.generic = own->second;
        all.erase(own);
      }
      if (!all.empty())
        known.foreign = std::make_shared<const ForeignTimes>(std::move(all));
      return got;
    };
    take(warp, lane, gather(true), gather(false), observation.order);
  }
}

void Checker::passFlags(Warp &warp, uint32_t active,
                        const LanePointers &pointers, Access access,
                        uint8_t order) {
  observation.lanes = 0;
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    uint8_t *host = pointers.lane[lane];
    bool isShared = false;
    for (const Cta *cta : cluster.ctas)
      isShared |= host >= cta->shared && host < cta->shared + cta->sharedBytes;
    if (isShared) {
      passSharedFlag(warp, lane, host, access, order);
      continue;
    }
    if (access != Access::Read)
      publish(warp, lane, host, order);
    if (access != Access::Write) {
      observation.lanes |= 1u << lane;
      observation.hosts[lane] = host;
    }
  }
  if (observation.lanes != 0) {
    observation.warp = &warp;
    observation.order = order;
  }
  if (access != Access::Read)
    tick(of(warp));
}

} // namespace pbs::runtime::emulator

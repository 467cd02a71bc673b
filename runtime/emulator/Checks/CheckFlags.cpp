// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What strong accesses order: flags that one thread sets and another one reads
// (PTX ISA, "Release and Acquire Patterns").

#include "Checker.h"

namespace pbs::runtime::emulator {

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
  return flags ? flags->atFence[lane] : KnowledgeReference();
}

void Checker::take(Warp &warp, unsigned lane, const KnowledgeReference &narrow,
                   const KnowledgeReference &wide, uint8_t order) {
  WarpChecks &checks = of(warp);
  if (order & AccessOrder::Acquire) {
    checks.known[lane] =
        join(checks.known[lane], order & AccessOrder::CtaScope ? narrow : wide);
    return;
  }
  auto observe = [&](std::unique_ptr<WarpChecks::Flags> &flags,
                     const KnowledgeReference &given) {
    if (!given)
      return;
    if (!flags)
      flags = std::make_unique<WarpChecks::Flags>();
    flags->observed[lane] = join(flags->observed[lane], given);
  };
  observe(checks.wideFlags, wide);
  observe(checks.ctaFlags, narrow);
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
  using Flag = GlobalShadow::Flag;
  auto raise = [&](std::shared_ptr<const ClusterTimes> &flag,
                   const Knowledge &given) {
    ClusterTimes times;
    if (flag)
      times = *flag;
    if (given.foreign)
      times.raise(*given.foreign);
    times.raise(clusterNumber, std::make_shared<const KnownTimes>(given));
    flag = std::make_shared<const ClusterTimes>(std::move(times));
  };
  KnowledgeReference wide = givenBy(warp, lane, order, /*isWide=*/true);
  KnowledgeReference narrow = givenBy(warp, lane, order, /*isWide=*/false);
  launch.shadow->atLocation(reinterpret_cast<uintptr_t>(host), [&](Flag &flag) {
    if (wide)
      raise(flag.wide, *wide);
    // What everybody gets need not be there twice.
    if (narrow && !(wide && wide->covers(*narrow)))
      raise(flag.narrow[{clusterNumber, warp.cta->rank}], *narrow);
  });
}

/// The times of this cluster apart from those of others.
KnowledgeReference Checker::knownFrom(const ClusterTimes *times) const {
  KnowledgeReference known;
  if (!times)
    return known;
  Knowledge &result = known.edit();
  if (const KnownTimes *own = times->find(clusterNumber))
    static_cast<KnownTimes &>(result) = *own;
  return known;
}

void Checker::observe() {
  using Flag = GlobalShadow::Flag;
  Warp &warp = *observation.warp;
  observation.warp = nullptr;
  for (uint32_t rest = observation.lanes; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    std::shared_ptr<const ClusterTimes> wide, narrow;
    launch.shadow->atLocation(
        reinterpret_cast<uintptr_t>(observation.hosts[lane]),
        [&](const Flag &flag) {
          wide = flag.wide;
          auto found = flag.narrow.find({clusterNumber, warp.cta->rank});
          if (found != flag.narrow.end())
            narrow = found->second;
        });
    auto knowledge = [&](const std::shared_ptr<const ClusterTimes> &times) {
      KnowledgeReference known = knownFrom(times.get());
      if (times)
        known.edit().foreign = times;
      return known;
    };
    KnowledgeReference all = join(knowledge(wide), knowledge(narrow));
    if (all)
      take(warp, lane, all, all, observation.order);
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Checker.h"

#include "../ProductForm.h"

#include <algorithm>
#include <cstring>

namespace pbs::runtime::emulator {

namespace {

/// Record::Flag of an access with \p order.
uint8_t strengthOf(uint8_t order) {
  if (!(order & AccessOrder::Strong))
    return 0;
  return Record::IsStrong |
         (order & AccessOrder::CtaScope ? Record::IsCtaScope : 0);
}

unsigned groupsOf(unsigned warps) {
  return (warps + groupWarps - 1) / groupWarps;
}

} // namespace

Checker::Checker(const LaunchState &launch, Cluster &cluster)
    : launch(launch), cluster(cluster),
      warpsPerCta(unsigned(cluster.ctas.front()->warps.size())),
      warps(warpsPerCta * cluster.ctas.size()), reporter(launch, cluster),
      accesses(launch, cluster, warps, reporter),
      registers(launch, cluster, reporter), barriers(cluster.ctas.size()) {}

void Checker::start(uint64_t number) {
  clusterNumber = number;
  Actor threads = Actor(warps.size() * warpSize);
  for (size_t index = 0; index < warps.size(); ++index) {
    warps[index] = WarpChecks();
    warps[index].first = Actor(index * warpSize);
    warps[index].copies.first = threads + Actor(index * warpSize);
  }
  firstWarpgroup = 2 * threads;
  size_t groups = groupsOf(warpsPerCta) * cluster.ctas.size();
  nextActor = firstWarpgroup + Actor(groups);
  reporter.start(number);
  accesses.start(number);
  registers.start();
  barriers.assign(barriers.size(), Barriers());
  barrierCompleted = KnowledgeReference();
  clusterArrivals = Release();
  clusterCompleted = KnowledgeReference();
  mbarriers.clear();
  stores.clear();
  collected.clear();
  collected.resize(groups);
  sharedFlags.clear();
}

void Checker::finish() {
  for (const Stores &own : stores)
    for (const Stores::Store &store : own.pending)
      if (store.time > own.read)
        reporter.report(HazardKind::OverwriteInFlight, *own.warp, own.lane,
                        store.instruction, HazardReporter::none,
                        "may still read shared memory when its CTA ends: no "
                        "cp.async.bulk.wait_group for it");
  for (const auto &[place, mbarrier] : mbarriers)
    if (mbarrier.isValid && mbarrier.loader &&
        (!mbarrier.unfinished.empty() || mbarrier.waited < mbarrier.lastLoad))
      reporter.report(HazardKind::OverwriteInFlight, *mbarrier.loader,
                      mbarrier.loaderLane, mbarrier.loadInstruction,
                      HazardReporter::none,
                      "may still write shared memory when its CTA ends: nobody "
                      "waits for it at the mbarrier at " +
                          hexadecimal(place.second));
  registers.finish();
}

void Checker::access(Warp &warp, const Instruction &instruction,
                     uint32_t active, const LanePointers &pointers,
                     unsigned bytes, Access access) {
  Space space = instruction.space;
  if (space == Space::Local || space == Space::Param || space == Space::Const)
    return;
  uint8_t order = orderOf(warp);
  accesses.access(warp, space, active, pointers, bytes, access,
                  strengthOf(order));
  if (order & AccessOrder::Strong)
    passFlags(warp, active, pointers, access, order);
}

void Checker::stored(Warp &warp, uint32_t active, const LanePointers &pointers,
                     unsigned bytes, unsigned element, const uint8_t *values,
                     unsigned valueStride) {
  if (orderOf(warp) & AccessOrder::Strong)
    return;
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    uint8_t *host = pointers.lane[lane] + size_t(element) * bytes;
    if (std::memcmp(host, values + size_t(lane) * valueStride, bytes) == 0)
      continue;
    // A later lane has written something else there. Places that overlap are
    // the same, since all lanes store as many bytes, naturally aligned.
    for (unsigned other = warpSize - 1; other > lane; --other)
      if ((active >> other & 1) &&
          pointers.lane[other] == pointers.lane[lane]) {
        accesses.overwritten(accesses.accessor(warp, lane), other, host);
        break;
      }
  }
}

} // namespace pbs::runtime::emulator

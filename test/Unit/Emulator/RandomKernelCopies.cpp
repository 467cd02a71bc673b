// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The copies of random kernels.

#include "RandomKernel.h"

namespace pbs::runtime::test {

void RandomKernel::addLoad() {
  unsigned warp = anyWarp();
  unsigned cta = isCluster() && chance(40) ? below(shape.ctas) : ctaOf(warp);
  unsigned number;
  Mbarrier *mbarrier = openMbarrier(cta, number);
  if (!mbarrier)
    return;
  uint32_t mask = anyLanes(warp, /*one=*/true);
  unsigned bytes = oneOf({16u, 32u});
  unsigned from = 16 * below(dataBytes / 32), to = 16 * below(dataBytes / 32);
  bool isRemote = cta != ctaOf(warp);
  std::string base = isRemote ? "%r" + std::to_string(40 + 2 * cta) : "%r20";
  emit(warp, mask,
       std::string("@mbarrier.arrive.expect_tx.release") +
           (isRemote ? ".cluster.shared::cluster.b64 _, "
                     : ".cta.shared::cta.b64 _, ") +
           mbarrierAt(warp, number) + ", " + std::to_string(bytes) +
           "; @cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
           "bytes [" +
           base + "+" + std::to_string(to) + "], [%rd2+" +
           std::to_string(from) + "], " + std::to_string(bytes) + ", " +
           mbarrierAt(warp, number) + ";");
  forLanes(mask, [&](unsigned lane) {
    step(warp, lane);
    gives(warp, lane, /*isRelease=*/true, mbarrier->phase);
    HazardOracle::Access access;
    access.start = access.end = step(warp, lane);
    access.instruction = unsigned(texts.size() - 1);
    access.space = HazardOracle::Global;
    access.begin = from;
    access.bytes = bytes;
    access.isAsync = true;
    oracle.access(access);
    access.end = mbarrier->phase;
    access.space = HazardOracle::Shared;
    access.memory = cta;
    access.begin = to;
    access.writes = true;
    oracle.access(access);
  });
  ++mbarrier->arrivals;
  mbarrier->needsWait = true;
}

void RandomKernel::addStore() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp, /*one=*/true);
  unsigned bytes = oneOf({16u, 32u});
  unsigned from = 16 * below(dataBytes / 32), to = 16 * below(dataBytes / 32);
  bool reduces = chance(30);
  emit(warp, mask,
       std::string(reduces ? "@cp.reduce.async.bulk.global.shared::"
                             "cta.bulk_group.add.u32 [%rd2+"
                           : "@cp.async.bulk.global.shared::cta."
                             "bulk_group [%rd2+") +
           std::to_string(to) + "], [%r20+" + std::to_string(from) + "], " +
           std::to_string(bytes) + "; @cp.async.bulk.commit_group;");
  forLanes(mask, [&](unsigned lane) {
    Thread &own = thread(warp, lane);
    Copy copy;
    copy.end = oracle.add();
    copy.readEnd = oracle.add();
    copy.group = own.storeGroups++;
    own.stores.push_back(copy);
    own.isBusy = true;
    HazardOracle::Access access;
    access.start = step(warp, lane);
    access.end = copy.readEnd;
    access.instruction = unsigned(texts.size() - 1);
    access.memory = ctaOf(warp);
    access.begin = from;
    access.bytes = bytes;
    access.isAsync = true;
    oracle.access(access);
    access.end = copy.end;
    access.space = HazardOracle::Global;
    access.memory = 0;
    access.begin = to;
    access.writes = true;
    access.isStrong = reduces;
    access.cta = ctaOf(warp);
    oracle.access(access);
  });
}

void RandomKernel::addStoreWait(bool isLast) {
  for (unsigned warp = 0; warp < warps.size(); ++warp)
    forLanes(warps[warp].live, [&](unsigned lane) {
      Thread &own = thread(warp, lane);
      if (own.stores.empty() || !(isLast || chance(40)))
        return;
      unsigned allowed = isLast ? 0 : below(2);
      bool isRead = !isLast && chance(40);
      emit(warp, 1u << lane,
           "@cp.async.bulk.wait_group" + std::string(isRead ? ".read " : " ") +
               std::to_string(allowed) + ";");
      Node node = step(warp, lane);
      for (const Copy &copy : own.stores)
        if (copy.group + allowed < own.storeGroups) {
          oracle.order(copy.readEnd, node);
          if (!isRead)
            oracle.order(copy.end, node);
        }
    });
}

void RandomKernel::addCopy() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp, /*one=*/true);
  unsigned bytes = oneOf({4u, 8u, 16u});
  unsigned from = bytes * below(dataBytes / bytes);
  unsigned to = bytes * below(dataBytes / bytes);
  emit(warp, mask,
       "@cp.async.ca.shared.global [%r20+" + std::to_string(to) + "], [%rd2+" +
           std::to_string(from) + "], " + std::to_string(bytes) +
           "; @cp.async.commit_group;");
  forLanes(mask, [&](unsigned lane) {
    Thread &own = thread(warp, lane);
    Copy copy;
    copy.end = oracle.add();
    copy.group = own.copyGroups++;
    own.copies.push_back(copy);
    HazardOracle::Access access;
    access.start = step(warp, lane);
    access.end = copy.end;
    access.instruction = unsigned(texts.size() - 1);
    access.space = HazardOracle::Global;
    access.begin = from;
    access.bytes = bytes;
    oracle.access(access);
    access.space = HazardOracle::Shared;
    access.memory = ctaOf(warp);
    access.begin = to;
    access.writes = true;
    oracle.access(access);
  });
}

void RandomKernel::addCopyWait() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp);
  unsigned allowed = below(2);
  emit(warp, mask, "@cp.async.wait_group " + std::to_string(allowed) + ";");
  forLanes(mask, [&](unsigned lane) {
    Thread &own = thread(warp, lane);
    Node node = step(warp, lane);
    for (const Copy &copy : own.copies)
      if (copy.group + allowed < own.copyGroups)
        oracle.order(copy.end, node);
  });
}

void RandomKernel::addCopyArrival() {
  unsigned warp = anyWarp();
  unsigned number;
  Mbarrier *mbarrier = openMbarrier(ctaOf(warp), number);
  if (!mbarrier)
    return;
  uint32_t mask = anyLanes(warp);
  emit(warp, mask,
       "@cp.async.mbarrier.arrive.noinc.shared::cta.b64 " +
           mbarrierAt(warp, number) + ";");
  forLanes(mask, [&](unsigned lane) {
    step(warp, lane);
    for (const Copy &copy : thread(warp, lane).copies)
      oracle.order(copy.end, mbarrier->phase);
    ++mbarrier->arrivals;
  });
}

} // namespace pbs::runtime::test

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// When what a warp waits for has happened. docs/ptx-debugging.md states the
// model, which is none of a GPU's timing.

#include "Cluster.h"
#include "Mbarrier.h"
#include "Profiler.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

/// A warp's copies follow one another at this rate, and arrive some time after
/// their last byte was read.
constexpr uint64_t copyBytesPerStep = 32;
constexpr uint64_t copyLatency = 500;
/// Of a warp's share of wgmma.
constexpr uint64_t flopsPerStep = 2048;
constexpr unsigned groupWarps = 4;

/// Sets a group's time; groups that have nothing to do keep 0.
void setGroup(std::vector<uint64_t> &groups, uint32_t group, uint64_t time) {
  if (groups.size() <= group)
    groups.resize(size_t(group) + 1);
  groups[group] = time;
}

/// When all groups before number \p end are done.
uint64_t groupsDone(const std::vector<uint64_t> &groups, uint64_t end) {
  size_t index = size_t(std::min<uint64_t>(groups.size(), end));
  while (index > 0 && groups[index - 1] == 0)
    --index;
  return index == 0 ? 0 : groups[index - 1];
}

uint64_t groupsBefore(uint32_t committed, uint32_t allowed) {
  return committed > allowed ? committed - allowed : 0;
}

} // namespace

Profiler::Completion::Completion(const AsyncWork &work)
    : profiler(work.warp->cta->profiler) {
  if (profiler)
    profiler->completing = &work;
}

Profiler::Completion::~Completion() {
  if (profiler)
    profiler->completing = nullptr;
}

uint64_t Profiler::timeOf(const Warp &warp) const {
  return uint64_t(int64_t(warp.clock) + times[slot(warp)].offset);
}

uint64_t Profiler::now() const {
  return completing ? completing->doneAt : timeOf(*running);
}

void Profiler::begin(const Warp &warp, WaitKind kind, uint32_t key) {
  uint32_t instruction = warp.pc - 1;
  times[slot(warp)].pending.push_back({kind, key, instruction, timeOf(warp)});
  WaitCounts &counts = warps[slot(warp)].waits[instruction];
  counts.kind = kind;
  ++counts.reached;
}

void Profiler::end(const Warp &warp, WaitKind kind, uint32_t key,
                   uint64_t time) {
  WarpTime &own = times[slot(warp)];
  for (size_t index = 0; index < own.pending.size();) {
    PendingWait wait = own.pending[index];
    if (wait.kind != kind || wait.key != key) {
      ++index;
      continue;
    }
    own.pending.erase(own.pending.begin() + ptrdiff_t(index));
    if (time > wait.since) {
      WaitCounts &counts = warps[slot(warp)].waits[wait.instruction];
      ++counts.waited;
      counts.steps += time - wait.since;
    }
    // What was executed while it waited, such as a loop that polls, took none
    // of its time.
    own.offset = int64_t(std::max(time, wait.since)) - int64_t(warp.clock);
  }
}

void Profiler::reachBarrier(const Warp &warp, uint32_t barrier, bool waits) {
  uint64_t &latest = ctas[warp.cta->rank].barriers[barrier];
  latest = std::max(latest, timeOf(warp));
  if (!waits)
    return;
  begin(warp, WaitKind::Barrier, barrier);
  WaitCounts &counts = warps[slot(warp)].waits[warp.pc - 1];
  counts.first = std::min(counts.first, barrier);
  counts.last = std::max(counts.last, barrier);
}

void Profiler::releaseBarrier(const Cta &cta, uint32_t barrier) {
  for (const Warp &warp : cta.warps)
    end(warp, WaitKind::Barrier, barrier, ctas[cta.rank].barriers[barrier]);
}

void Profiler::arriveAtCluster(const Warp &warp) {
  clusterArrived = std::max(clusterArrived, timeOf(warp));
}

void Profiler::reachClusterBarrier(const Warp &warp, bool isBlocked) {
  begin(warp, WaitKind::ClusterBarrier, 0);
  if (!isBlocked)
    end(warp, WaitKind::ClusterBarrier, 0, clusterCompleted);
}

void Profiler::releaseCluster(const Cluster &cluster) {
  clusterCompleted = clusterArrived;
  for (const Cta *cta : cluster.ctas)
    for (const Warp &warp : cta->warps)
      end(warp, WaitKind::ClusterBarrier, 0, clusterCompleted);
}

void Profiler::arrive(SharedPlace mbarrier, bool phase, bool completes) {
  MbarrierTimes &own = ctas[mbarrier.cta->rank].mbarriers[mbarrier.offset];
  own.lastArrival = std::max(own.lastArrival, now());
  if (completes)
    own.completed[phase] = own.lastArrival;
}

void Profiler::poll(const Warp &warp, SharedPlace mbarrier, unsigned lane,
                    uint32_t lanes, bool phase) {
  // One lane speaks for all, which mostly wait at the same mbarrier.
  if (lane != unsigned(__builtin_ctz(lanes)))
    return;
  uint32_t instruction = warp.pc - 1;
  const std::vector<PendingWait> &pending = times[slot(warp)].pending;
  bool isNew = std::none_of(
      pending.begin(), pending.end(), [&](const PendingWait &wait) {
        return wait.kind == WaitKind::Mbarrier && wait.key == instruction;
      });
  if (isNew) {
    begin(warp, WaitKind::Mbarrier, instruction);
    WaitCounts &counts = warps[slot(warp)].waits[instruction];
    counts.first = std::min(counts.first, mbarrier.offset);
    counts.last = std::max(counts.last, mbarrier.offset);
  }
  if (!hasCompleted(mbarrier, lane, phase))
    return;
  const auto &known = ctas[mbarrier.cta->rank].mbarriers;
  auto found = known.find(mbarrier.offset);
  end(warp, WaitKind::Mbarrier, instruction,
      found == known.end() ? 0 : found->second.completed[phase]);
}

uint64_t Profiler::readAfter(const Warp &warp, uint64_t copied) {
  uint64_t &read = times[slot(warp)].copiesRead;
  read = std::max(read, timeOf(warp)) +
         (copied + copyBytesPerStep - 1) / copyBytesPerStep;
  return read;
}

void Profiler::countCopy(const Warp &warp, const PendingCopy &copy,
                         const uint64_t (&sources)[warpSize]) {
  mark(warp);
  uint64_t total = 0;
  for (uint32_t rest = copy.lanes; rest != 0;) {
    // Lanes that read as many bytes belong to one access.
    unsigned size = copy.sourceBytes[__builtin_ctz(rest)];
    uint32_t group = 0;
    for (unsigned lane = 0; lane < warpSize; ++lane)
      if ((rest >> lane & 1) && copy.sourceBytes[lane] == size)
        group |= 1u << lane;
    rest &= ~group;
    total += uint64_t(size) * unsigned(__builtin_popcount(group));
    if (size != 0)
      countsOf(warp).sectors += countSectors(sources, group, size);
  }
  pathBytes(BytePath::GlobalToSharedCopy) += total;
  WarpTime &own = times[slot(warp)];
  own.copiesArrived = readAfter(warp, total) + copyLatency;
  setGroup(own.copyGroups, copy.group[__builtin_ctz(copy.lanes)],
           own.copiesArrived);
}

void Profiler::waitForCopies(const Warp &warp, uint32_t lanes,
                             uint32_t allowed) {
  uint32_t committed = warp.committedGroups[__builtin_ctz(lanes)];
  begin(warp, WaitKind::Copies, 0);
  end(warp, WaitKind::Copies, 0,
      groupsDone(times[slot(warp)].copyGroups,
                 groupsBefore(committed, allowed)));
}

void Profiler::issue(AsyncWork &work) {
  const Warp &warp = *work.warp;
  WarpTime &own = times[slot(warp)];
  mark(warp);
  if (work.kind == AsyncWork::Kind::Arrival) {
    work.doneAt = std::max(timeOf(warp), own.copiesArrived);
    return;
  }
  bool isReduction = work.reduction != Reduction::None;
  BytePath path = work.kind == AsyncWork::Kind::Exchange ? BytePath::Cluster
                  : work.kind == AsyncWork::Kind::Load
                      ? work.box ? BytePath::GlobalToSharedTensor
                                 : BytePath::GlobalToSharedBulk
                  : isReduction ? BytePath::SharedToGlobalReduction
                  : work.box    ? BytePath::SharedToGlobalTensor
                                : BytePath::SharedToGlobalBulk;
  uint64_t moved = work.box ? work.box->insideBytes() : work.bytes;
  pathBytes(path) += moved;
  uint64_t read = readAfter(warp, moved);
  work.doneAt = read + copyLatency;
  if (work.mbarriers.empty())
    setGroup(own.bulkGroups, work.group, read);
}

void Profiler::waitForBulkCopies(const Warp &warp, uint32_t lanes,
                                 uint32_t allowed, bool readOnly) {
  uint32_t committed = warp.committedBulkGroups[__builtin_ctz(lanes)];
  uint64_t read = groupsDone(times[slot(warp)].bulkGroups,
                             groupsBefore(committed, allowed));
  begin(warp, WaitKind::BulkCopies, 0);
  end(warp, WaitKind::BulkCopies, 0,
      read == 0 || readOnly ? read : read + copyLatency);
}

void Profiler::countGroupProduct(const Warp &warp, uint64_t flops,
                                 uint64_t operandBytes) {
  countProduct(warp, flops);
  pathBytes(BytePath::SharedToTensorCore) += operandBytes;
  uint64_t &done = times[slot(warp)].productsDone;
  done = std::max(done, timeOf(warp)) + flops / flopsPerStep;
  // A product is done when all warps of the group have done their share.
  std::vector<uint64_t> &products =
      ctas[warp.cta->rank].products[warp.index / groupWarps];
  if (products.size() <= warp.products.issued)
    products.resize(warp.products.issued + 1);
  uint64_t &product = products[warp.products.issued];
  product = std::max(product, done);
}

void Profiler::waitForProducts(const Warp &warp, bool isBlocked) {
  begin(warp, WaitKind::Products, 0);
  if (!isBlocked)
    releaseProducts(warp);
}

void Profiler::releaseProducts(const Warp &warp) {
  uint64_t demanded = warp.products.demanded;
  const std::vector<uint64_t> &products =
      ctas[warp.cta->rank].products[warp.index / groupWarps];
  end(warp, WaitKind::Products, 0, demanded == 0 ? 0 : products[demanded - 1]);
}

} // namespace pbs::runtime::emulator

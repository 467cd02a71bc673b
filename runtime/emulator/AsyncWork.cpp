// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "AsyncWork.h"

#include "Checks/Checker.h"
#include "Mbarrier.h"
#include "Profiler.h"

#include <algorithm>
#include <cstring>

namespace pbs::runtime::emulator {

namespace {

/// function(host address, offset, bytes) for the runs of shared memory that
/// hold the \p bytes bytes of the work at \p place.
template <typename Function>
void forEachRun(SharedPlace place, const std::optional<TensorBox> &box,
                uint64_t bytes, Function function) {
  if (!box)
    return function(place.host(), 0, bytes);
  box->forEachSharedRun(place.offset,
                        [&](uint32_t address, uint64_t offset, uint64_t bytes) {
                          function(place.cta->shared + address, offset, bytes);
                        });
}

void readSource(AsyncWork &work) {
  if (work.isRead || work.kind == AsyncWork::Kind::Arrival)
    return;
  work.isRead = true;
  if (work.kind == AsyncWork::Kind::Exchange && !work.source.cta)
    return;
  work.data.resize(work.bytes);
  uint8_t *data = work.data.data();
  if (work.kind != AsyncWork::Kind::Load) {
    forEachRun(work.source, work.box, work.bytes,
               [&](const uint8_t *host, uint64_t offset, uint64_t bytes) {
                 std::memcpy(data + offset, host, bytes);
               });
  } else if (work.box) {
    std::memset(data, 0, work.bytes);
    work.box->forEachPiece(
        [&](uint64_t offset, const uint8_t *host, uint64_t bytes) {
          std::memcpy(data + offset, host, bytes);
        });
  } else {
    std::memcpy(data, work.global, work.bytes);
  }
}

void store(const AsyncWork &work, uint8_t *destination, const uint8_t *source,
           uint64_t bytes) {
  if (work.reduction == Reduction::None)
    std::memcpy(destination, source, bytes);
  else
    reduce(work.reduction, work.type, destination, source, bytes);
}

void writeDestination(const AsyncWork &work) {
  const uint8_t *data = work.data.data();
  auto piece = [&](uint64_t offset, uint8_t *host, uint64_t bytes) {
    store(work, host, data + offset, bytes);
  };
  if (work.kind == AsyncWork::Kind::Store && work.box)
    work.box->forEachPiece(piece);
  else if (work.kind == AsyncWork::Kind::Store)
    piece(0, work.global, work.bytes);
  for (SharedPlace destination : work.destinations)
    forEachRun(destination, work.box, work.bytes,
               [&](uint8_t *host, uint64_t offset, uint64_t bytes) {
                 store(work, host, data + offset, bytes);
               });
}

/// All of it; a Fault names the thread that issued it.
void finish(AsyncWork &work) {
  Profiler::Completion completion(work);
  try {
    readSource(work);
    writeDestination(work);
    if (Checker *checker = work.warp->cta->checker)
      checker->finish(work);
    if (work.kind != AsyncWork::Kind::Arrival) {
      for (SharedPlace mbarrier : work.mbarriers)
        countTransactions(mbarrier, work.lane, -int64_t(work.bytes));
      return;
    }
    completeCopies(*work.warp, 1u << work.lane,
                   [&](const PendingCopy &copy, unsigned) {
                     return copy.order < work.copiesBefore;
                   });
    arriveAt(work.mbarriers.front(), work.lane, Arrival());
  } catch (Fault &fault) {
    fault.issuer = work.warp;
    fault.instruction = work.instruction;
    throw;
  }
}

} // namespace

std::unique_ptr<AsyncWork> AsyncQueue::make(Warp &warp, unsigned lane) {
  std::unique_ptr<AsyncWork> work;
  if (spare.empty()) {
    work = std::make_unique<AsyncWork>();
  } else {
    work = std::move(spare.back());
    spare.pop_back();
    // Keeps the memory of the vectors.
    AsyncWork fresh;
    fresh.data.swap(work->data);
    fresh.destinations.swap(work->destinations);
    fresh.mbarriers.swap(work->mbarriers);
    fresh.data.clear();
    fresh.destinations.clear();
    fresh.mbarriers.clear();
    *work = std::move(fresh);
  }
  work->warp = &warp;
  work->lane = lane;
  work->instruction = warp.pc - 1;
  work->group = warp.committedBulkGroups[lane];
  return work;
}

void AsyncQueue::issue(std::unique_ptr<AsyncWork> work) {
  bool early = work->warp->cta->launch->asyncCopies ==
               EmulatorOptions::AsyncCopies::Early;
  if (Checker *checker = work->warp->cta->checker)
    checker->issue(*work);
  if (Profiler *profiler = work->warp->cta->profiler)
    profiler->issue(*work);
  pending.push_back(std::move(work));
  if (early)
    complete(pending.size() - 1);
}

void AsyncQueue::complete(size_t index) {
  std::unique_ptr<AsyncWork> work = std::move(pending[index]);
  pending.erase(pending.begin() + ptrdiff_t(index));
  finish(*work);
  spare.push_back(std::move(work));
}

void AsyncQueue::completeGroups(const Warp &warp, uint32_t lanes,
                                uint32_t allowed, bool readOnly) {
  for (size_t index = 0; index < pending.size();) {
    AsyncWork &work = *pending[index];
    bool isDue =
        work.kind != AsyncWork::Kind::Arrival && work.mbarriers.empty() &&
        work.warp == &warp && (lanes >> work.lane & 1) &&
        uint64_t(work.group) + allowed < warp.committedBulkGroups[work.lane];
    if (isDue && !readOnly) {
      complete(index);
      continue;
    }
    if (isDue)
      readSource(work);
    ++index;
  }
}

size_t AsyncQueue::findNeeded(const std::vector<SharedPlace> &mbarriers) const {
  for (size_t index = 0; index < pending.size(); ++index)
    for (SharedPlace mbarrier : pending[index]->mbarriers)
      if (std::find(mbarriers.begin(), mbarriers.end(), mbarrier) !=
          mbarriers.end())
        return index;
  return pending.size();
}

void AsyncQueue::completeNeeded(const std::vector<SharedPlace> &mbarriers) {
  size_t needed = findNeeded(mbarriers);
  complete(needed == pending.size() ? 0 : needed);
}

void AsyncQueue::completeSome(Random &random) {
  // Some rounds do nothing and some do everything, so that long and short
  // delays are both seen.
  uint64_t eighths = random.below(4) * 3;
  for (size_t left = pending.size(); left > 0 && eighths > 0; --left) {
    size_t index = random.below(pending.size());
    if (random.below(8) >= eighths)
      continue;
    // What a thread reads may be read long before it is written.
    if (pending[index]->mbarriers.empty() && random.below(4) == 0)
      readSource(*pending[index]);
    else
      complete(index);
  }
}

void AsyncQueue::completeAll() {
  while (!pending.empty())
    complete(0);
}

void moveCopy(const PendingCopy &copy, uint32_t lanes) {
  for (; lanes != 0; lanes &= lanes - 1) {
    unsigned lane = unsigned(__builtin_ctz(lanes));
    std::memcpy(copy.destination[lane], copy.source[lane],
                copy.sourceBytes[lane]);
    std::memset(copy.destination[lane] + copy.sourceBytes[lane], 0,
                copy.bytes - copy.sourceBytes[lane]);
  }
}

} // namespace pbs::runtime::emulator

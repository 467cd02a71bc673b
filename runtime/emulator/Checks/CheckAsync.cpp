// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asynchronous copies. From issue on they access memory on behalf of the actor
// that tells of their end: the bulk loads of an mbarrier, the bulk stores of a
// thread, or its cp.async. It does not matter when the emulator moves the
// bytes.

#include "Checker.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

/// st.async and red.async, which store registers, are generic and relaxed.
bool isFromRegisters(const AsyncWork &work) {
  return work.kind == AsyncWork::Kind::Exchange && !work.source.cta;
}

/// function(host address, bytes) for the runs of shared memory of a copy.
template <typename Function>
void forSharedRuns(SharedPlace place, const AsyncWork &work,
                   Function function) {
  if (!work.box || work.box->isDense(place.offset))
    return function(place.host(), work.bytes);
  work.box->forEachSharedRun(place.offset,
                             [&](uint32_t address, uint64_t, uint64_t bytes) {
                               function(place.cta->shared + address, bytes);
                             });
}

/// The same for global memory.
template <typename Function>
void forGlobalRuns(const AsyncWork &work, Function function) {
  if (!work.box)
    return function(work.global, work.bytes);
  work.box->forEachPiece([&](uint64_t, uint8_t *host, uint64_t length) {
    function(host, length);
  });
}

} // namespace

void Checker::issueCopy(Warp &warp, const PendingCopy &copy) {
  WarpCopies &copies = of(warp).copies;
  WarpCopies::Copy own;
  own.time = copy.order + 1;
  own.lanes = copy.lanes;
  std::copy_n(copy.group, warpSize, own.group.begin());
  for (uint32_t rest = copy.lanes; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    Accessor by = accesses.accessor(warp, lane);
    Record record = accesses.recordOf(by, 0);
    record.actor = copies.first;
    record.time = own.time;
    accesses.run(by, const_cast<uint8_t *>(copy.source[lane]),
                 copy.sourceBytes[lane], nullptr, record);
    record.flags |= Record::IsWrite;
    accesses.run(by, copy.destination[lane], copy.bytes, warp.cta, record);
  }
  copies.pending.push_back(own);
}

void Checker::waitCopies(Warp &warp, uint32_t lanes, uint32_t allowed) {
  WarpCopies &copies = of(warp).copies;
  for (WarpCopies::Copy &copy : copies.pending)
    for (uint32_t rest = lanes & copy.lanes; rest != 0; rest &= rest - 1) {
      unsigned lane = unsigned(__builtin_ctz(rest));
      if (uint64_t(copy.group[lane]) + allowed >= warp.committedGroups[lane])
        continue;
      copy.lanes &= ~(1u << lane);
      copies.done[lane] = copy.time;
    }
  auto isDone = [](const WarpCopies::Copy &copy) { return copy.lanes == 0; };
  copies.pending.erase(
      std::remove_if(copies.pending.begin(), copies.pending.end(), isDone),
      copies.pending.end());
}

/// The async proxy has to know that the mbarrier has been initialised.
void Checker::checkMbarrierOfCopy(const AsyncWork &work,
                                  const Mbarrier &mbarrier) {
  const WarpChecks &checks = of(*work.warp);
  const KnowledgeReference &known = checks.known[work.lane];
  Actor thread = mbarrier.initializer;
  bool isOwn = thread == checks.first + work.lane;
  bool isSeen =
      (mbarrier.fenced != 0 &&
       (isOwn || (known && known->generic[thread] >= mbarrier.fenced))) ||
      (known && known->asyncShared[thread] >= mbarrier.initialized) ||
      (isOwn && checks.fencedShared[work.lane] >= mbarrier.initialized);
  if (!isSeen)
    reporter.report(HazardKind::RaceProxy, *work.warp, work.lane,
                    work.instruction, mbarrier.instruction,
                    "reports to an mbarrier whose mbarrier.init, which " +
                        reporter.threadName(clusterNumber, thread) +
                        " executes in " +
                        reporter.lineOf(mbarrier.instruction) +
                        ", is followed by neither fence.mbarrier_init nor "
                        "fence.proxy.async");
}

Checker::Stores &Checker::storesOf(const Warp &warp, unsigned lane) {
  for (Stores &own : stores)
    if (own.warp == &warp && own.lane == lane)
      return own;
  Stores fresh;
  fresh.warp = &warp;
  fresh.lane = lane;
  fresh.readActor = nextActor++;
  fresh.writeActor = nextActor++;
  return stores.emplace_back(fresh);
}

void Checker::issue(const AsyncWork &work) {
  Warp &warp = *work.warp;
  if (work.kind == AsyncWork::Kind::Arrival)
    return;
  Accessor by = accesses.accessor(warp, work.lane);
  by.isAsync = !isFromRegisters(work);
  auto record = [&](const Accessor &accessor, Actor actor, Time time,
                    uint8_t flags) {
    Record made = accesses.recordOf(
        accessor,
        flags | Record::IsSingle | (accessor.isAsync ? Record::IsAsync : 0));
    made.actor = actor;
    made.time = time;
    made.lanes = by.checks->first + work.lane;
    return made;
  };
  Accessor writer = by;
  if (work.reduction != Reduction::None || !by.isAsync)
    writer.strength = Record::IsStrong;
  auto accessShared = [&](const Accessor &accessor, SharedPlace place,
                          const Record &made) {
    forSharedRuns(place, work, [&](uint8_t *host, uint64_t bytes) {
      accesses.run(accessor, host, bytes, place.cta, made);
    });
  };
  auto accessGlobal = [&](const Accessor &accessor, const Record &made) {
    forGlobalRuns(work, [&](uint8_t *host, uint64_t bytes) {
      accesses.run(accessor, host, bytes, nullptr, made);
    });
  };

  if (work.kind == AsyncWork::Kind::Store) {
    Stores &own = storesOf(warp, work.lane);
    ++own.issued;
    own.pending.push_back({own.issued, work.group, work.instruction});
    accessShared(by, work.source, record(by, own.readActor, own.issued, 0));
    accessGlobal(writer,
                 record(writer, own.writeActor, own.issued, Record::IsWrite));
    return;
  }
  // That a load has read can only be known from its end, but who overwrites
  // global memory in the same launch waits for more than that.
  if (work.kind == AsyncWork::Kind::Load)
    accessGlobal(by, accesses.recordOf(by, Record::IsAsync));
  for (size_t index = 0; index < work.mbarriers.size(); ++index) {
    useMbarrier(warp, work.lane, work.mbarriers[index]);
    Mbarrier *mbarrier = findMbarrier(work.mbarriers[index]);
    // Where there is none the end of the work is a fault.
    if (!mbarrier)
      continue;
    if (by.isAsync)
      checkMbarrierOfCopy(work, *mbarrier);
    mbarrier->unfinished.emplace_back(++mbarrier->loads, &work);
    mbarrier->loader = &warp;
    mbarrier->loaderLane = work.lane;
    mbarrier->loadInstruction = work.instruction;
    // An exchange has read its source as well when it is done.
    if (index == 0 && work.source.cta)
      accessShared(by, work.source,
                   record(by, mbarrier->loadActor, mbarrier->loads, 0));
    accessShared(
        writer, work.destinations[index],
        record(writer, mbarrier->loadActor, mbarrier->loads, Record::IsWrite));
  }
}

void Checker::finish(const AsyncWork &work) {
  for (SharedPlace place : work.mbarriers) {
    Mbarrier *mbarrier = findMbarrier(place);
    if (!mbarrier)
      continue;
    if (work.kind == AsyncWork::Kind::Arrival) {
      // Of the thread's cp.async so far.
      if (work.copiesBefore != 0)
        mbarrier->arrivals.add(of(*work.warp).copies.first + work.lane,
                               work.copiesBefore);
      continue;
    }
    auto &unfinished = mbarrier->unfinished;
    auto isThis = [&](const auto &load) { return load.second == &work; };
    auto found = std::find_if(unfinished.begin(), unfinished.end(), isThis);
    if (found != unfinished.end())
      unfinished.erase(found);
    mbarrier->lastLoad = mbarrier->phases + 1;
  }
}

void Checker::waitGroups(Warp &warp, uint32_t lanes, uint32_t allowed,
                         bool readOnly) {
  for (Stores &own : stores) {
    if (own.warp != &warp || !(lanes >> own.lane & 1))
      continue;
    auto isDone = [&](const Stores::Store &store) {
      return uint64_t(store.group) + allowed <
             warp.committedBulkGroups[own.lane];
    };
    // Groups end in their order.
    auto end = std::find_if_not(own.pending.begin(), own.pending.end(), isDone);
    if (end == own.pending.begin())
      continue;
    Time time = std::prev(end)->time;
    Times &known = of(warp).known[own.lane].edit().generic;
    known.raise(own.readActor, time);
    own.read = std::max(own.read, time);
    if (readOnly)
      continue;
    known.raise(own.writeActor, time);
    own.pending.erase(own.pending.begin(), end);
  }
}

} // namespace pbs::runtime::emulator

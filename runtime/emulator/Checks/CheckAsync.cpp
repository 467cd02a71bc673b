// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asynchronous copies. From issue on, the bytes they write and the shared
// memory they read are in flight; what ends that is the event that tells a
// thread of their end: the wait of the thread that issued them, or the phase of
// their mbarrier. It does not matter when the emulator moves the bytes.

#include "../Cluster.h"
#include "Checker.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

bool isFromRegisters(const AsyncWork &work) {
  return work.kind == AsyncWork::Kind::Exchange && !work.source.cta;
}

uint8_t asyncFlag(const AsyncWork &work) {
  return isFromRegisters(work) ? 0 : Record::IsAsync;
}

} // namespace

template <typename Function>
void Checker::forSharedRuns(SharedPlace place, uint64_t bytes,
                            const std::optional<TensorBox> &box,
                            Function function) {
  if (!box || box->isDense(place.offset))
    return function(place.host(), bytes);
  box->forEachSharedRun(place.offset,
                        [&](uint32_t address, uint64_t, uint64_t bytes) {
                          function(place.cta->shared + address, bytes);
                        });
}

template <typename Function>
void Checker::forGlobalRuns(const std::optional<TensorBox> &box,
                            uint8_t *global, uint64_t bytes,
                            Function function) {
  if (!box)
    return function(global, bytes);
  box->forEachPiece([&](uint64_t, uint8_t *host, uint64_t length) {
    function(host, length);
  });
}

void Checker::issueCopy(Warp &warp, const PendingCopy &copy) {
  WarpChecks &checks = of(warp);
  WarpChecks::Copy own;
  own.lanes = copy.lanes;
  own.number = nextWork++;
  own.order = copy.order;
  own.instruction = instructionOf(warp);
  own.bytes = copy.bytes;
  std::copy_n(copy.group, warpSize, own.group.begin());
  std::copy_n(copy.destination, warpSize, own.destination.begin());
  for (uint32_t rest = copy.lanes; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    Accessor by = accessor(warp, lane);
    Record record = recordOf(by, 0, Record::InFlight);
    record.time = own.number;
    own.source[lane] = const_cast<uint8_t *>(copy.source[lane]);
    own.sourceBytes[lane] = copy.sourceBytes[lane];
    accessRun(by, own.source[lane], own.sourceBytes[lane], nullptr, record);
    record.flags |= Record::IsWrite;
    accessRun(by, own.destination[lane], own.bytes, warp.cta, record);
  }
  checks.copies.push_back(std::move(own));
}

void Checker::endCopy(Warp &warp, WarpChecks::Copy &copy, unsigned lane,
                      const Record &ended) {
  endFlight(copy.source[lane], copy.sourceBytes[lane], nullptr, copy.number,
            1u << lane, ended);
  Record written = ended;
  written.flags |= Record::IsWrite;
  endFlight(copy.destination[lane], copy.bytes, warp.cta, copy.number,
            1u << lane, written);
}

void Checker::waitCopies(Warp &warp, uint32_t lanes, uint32_t allowed) {
  WarpChecks &checks = of(warp);
  for (WarpChecks::Copy &copy : checks.copies)
    for (uint32_t rest = lanes & copy.lanes; rest != 0; rest &= rest - 1) {
      unsigned lane = unsigned(__builtin_ctz(rest));
      if (uint64_t(copy.group[lane]) + allowed >= warp.committedGroups[lane])
        continue;
      copy.lanes &= ~(1u << lane);
      Accessor by = accessor(warp, lane);
      by.instruction = copy.instruction;
      endCopy(warp, copy, lane, recordOf(by, 0, 0));
    }
  auto isDone = [](const WarpChecks::Copy &copy) { return copy.lanes == 0; };
  checks.copies.erase(
      std::remove_if(checks.copies.begin(), checks.copies.end(), isDone),
      checks.copies.end());
}

/// The async proxy has to know that the mbarrier has been initialised.
void Checker::checkMbarrierOfCopy(AsyncWork &work, Mbarrier &mbarrier) {
  const WarpChecks &checks = of(*work.warp);
  const KnowledgeReference &known = checks.known[work.lane];
  Actor thread = mbarrier.initializer;
  bool isSeen = mbarrier.isFenced ||
                (known && known->asyncShared[thread] >= mbarrier.initialized) ||
                (thread == checks.first + work.lane &&
                 checks.fencedShared[work.lane] >= mbarrier.initialized);
  if (!isSeen)
    report(HazardKind::RaceProxy, *work.warp, work.lane, work.instruction,
           mbarrier.instruction,
           "reports to an mbarrier whose mbarrier.init, which " +
               threadName(clusterNumber, thread) + " executes in " +
               lineOf(mbarrier.instruction) +
               ", is followed by neither fence.mbarrier_init nor "
               "fence.proxy.async");
}

void Checker::issue(AsyncWork &work) {
  Warp &warp = *work.warp;
  if (work.kind == AsyncWork::Kind::Arrival)
    return;
  work.number = nextWork++;
  Accessor by = accessor(warp, work.lane);
  // st.async and red.async, which store registers, are generic and relaxed.
  by.isAsync = !isFromRegisters(work);
  if (work.reduction != Reduction::None || !by.isAsync)
    by.strength = Record::IsStrong;
  auto record = [&](uint8_t flags) {
    Record made = recordOf(by, 0, flags | asyncFlag(work));
    if (flags & Record::InFlight)
      made.time = work.number;
    return made;
  };
  if (work.kind == AsyncWork::Kind::Load) {
    Accessor reader = by;
    reader.strength = 0;
    // That the copy has read can only be known from its end, but who overwrites
    // global memory in the same launch waits for more than that.
    forGlobalRuns(work.box, work.global, work.bytes,
                  [&](uint8_t *host, uint64_t bytes) {
                    accessRun(reader, host, bytes, nullptr,
                              recordOf(reader, 0, Record::IsAsync));
                  });
  } else if (work.source.cta) {
    Accessor reader = by;
    reader.strength = 0;
    forSharedRuns(work.source, work.bytes, work.box,
                  [&](uint8_t *host, uint64_t bytes) {
                    Record made = record(Record::InFlight);
                    made.flags &= uint8_t(~Record::IsStrong);
                    accessRun(reader, host, bytes, work.source.cta, made);
                  });
  }
  if (work.kind == AsyncWork::Kind::Store) {
    forGlobalRuns(work.box, work.global, work.bytes,
                  [&](uint8_t *host, uint64_t bytes) {
                    accessRun(by, host, bytes, nullptr,
                              record(Record::IsWrite | Record::InFlight));
                  });
    stores.push_back({&warp, work.lane, work.instruction, work.number,
                      work.group, work.source, work.bytes, work.global,
                      work.box, false});
  }
  for (SharedPlace destination : work.destinations)
    forSharedRuns(destination, work.bytes, work.box,
                  [&](uint8_t *host, uint64_t bytes) {
                    accessRun(by, host, bytes, destination.cta,
                              record(Record::IsWrite | Record::InFlight));
                  });
  for (SharedPlace place : work.mbarriers) {
    useMbarrier(warp, work.lane, place);
    Mbarrier *mbarrier = findMbarrier(place);
    if (!mbarrier)
      continue;
    if (by.isAsync)
      checkMbarrierOfCopy(work, *mbarrier);
    ++mbarrier->unfinishedLoads;
    mbarrier->loader = &warp;
    mbarrier->loaderLane = work.lane;
    mbarrier->loadInstruction = work.instruction;
  }
}

void Checker::finish(AsyncWork &work) {
  auto endedAt = [&](const Mbarrier &mbarrier, uint8_t flags) {
    Record ended;
    ended.time = mbarrier.phases + 1;
    ended.actor = mbarrier.actor;
    ended.lanes = of(*work.warp).first + work.lane;
    ended.instruction = work.instruction;
    ended.cluster = uint32_t(clusterNumber);
    ended.flags = flags | Record::IsOther;
    return ended;
  };
  if (work.kind == AsyncWork::Kind::Arrival) {
    const Mbarrier *mbarrier = findMbarrier(work.mbarriers.front());
    if (!mbarrier)
      return;
    uint32_t lane = 1u << work.lane;
    for (WarpChecks::Copy &copy : of(*work.warp).copies) {
      if (!(copy.lanes & lane) || copy.order >= work.copiesBefore)
        continue;
      copy.lanes &= ~lane;
      endCopy(*work.warp, copy, work.lane, endedAt(*mbarrier, 0));
    }
    return;
  }
  for (size_t index = 0; index < work.mbarriers.size(); ++index) {
    Mbarrier *mbarrier = findMbarrier(work.mbarriers[index]);
    if (!mbarrier)
      continue;
    --mbarrier->unfinishedLoads;
    mbarrier->lastLoad = mbarrier->phases + 1;
    SharedPlace place = work.destinations[index];
    Record ended = endedAt(*mbarrier, Record::IsWrite | asyncFlag(work));
    forSharedRuns(place, work.bytes, work.box,
                  [&](uint8_t *host, uint64_t bytes) {
                    endFlight(host, bytes, place.cta, work.number, 0, ended);
                  });
    // An exchange has read its source as well.
    if (index == 0 && work.source.cta) {
      ended.flags &= uint8_t(~Record::IsWrite);
      forSharedRuns(work.source, work.bytes, work.box,
                    [&](uint8_t *host, uint64_t bytes) {
                      endFlight(host, bytes, work.source.cta, work.number, 0,
                                ended);
                    });
    }
  }
}

void Checker::waitGroups(Warp &warp, uint32_t lanes, uint32_t allowed,
                         bool readOnly) {
  for (Store &store : stores) {
    if (store.warp != &warp || !(lanes >> store.lane & 1) ||
        uint64_t(store.group) + allowed >= warp.committedBulkGroups[store.lane])
      continue;
    Accessor by = accessor(warp, store.lane);
    by.instruction = store.instruction;
    if (!store.isRead) {
      store.isRead = true;
      forSharedRuns(store.source, store.bytes, store.box,
                    [&](uint8_t *host, uint64_t bytes) {
                      endFlight(host, bytes, store.source.cta, store.number, 0,
                                recordOf(by, 0, Record::IsAsync));
                    });
    }
    if (readOnly)
      continue;
    forGlobalRuns(store.box, store.global, store.bytes,
                  [&](uint8_t *host, uint64_t bytes) {
                    endFlight(
                        host, bytes, nullptr, store.number, 0,
                        recordOf(by, 0, Record::IsWrite | Record::IsAsync));
                  });
    store.warp = nullptr;
  }
  auto isDone = [](const Store &store) { return !store.warp; };
  stores.erase(std::remove_if(stores.begin(), stores.end(), isDone),
               stores.end());
}

} // namespace pbs::runtime::emulator

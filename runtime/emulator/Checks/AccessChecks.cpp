// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "AccessChecks.h"

#include "../MatrixDescriptor.h"

namespace pbs::runtime::emulator {

namespace {

/// The actors that are lanes of the accessor's warp, or its cp.async.
bool isOwnWarp(const Record &record, const WarpChecks &checks) {
  return !record.has(Record::IsSingle) &&
         (record.actor == checks.first || record.actor == checks.copies.first);
}

/// A strong access that may meet \p record may meet \p old as well.
bool isAsStrong(const Record &record, const Record &old) {
  return !record.has(Record::IsStrong) ||
         (record.flags & Record::strengthFlags) ==
             (old.flags & Record::strengthFlags);
}

/// Whoever conflicts with \p old conflicts with \p record as well, as far as
/// their bytes and strength go.
bool isAsStrict(const Record &record, const Record &old) {
  return (old.bytes & ~record.bytes) == 0 && isAsStrong(record, old);
}

/// Takes from \p old the lanes whose later access is \p record; true if no
/// access is left.
bool removeEarlier(Record &old, const Record &record) {
  if (old.actor != record.actor || old.cluster != record.cluster ||
      !isAsStrict(record, old))
    return false;
  if (record.has(Record::IsSingle))
    return true;
  old.lanes &= ~record.lanes;
  return old.lanes == 0;
}

} // namespace

void CollectedWrites::add(const Record &record, const uint8_t *host) {
  for (Write &known : writes)
    if (known.record.actor == record.actor &&
        known.record.time == record.time &&
        known.record.flags == record.flags &&
        known.record.instruction == record.instruction) {
      if (!record.has(Record::IsSingle))
        known.record.lanes |= record.lanes;
      return;
    }
  if (writes.size() < maximum)
    writes.push_back({record, host});
  else
    isIncomplete = true;
}

void AccessChecks::SeenWrite::setAccessor(const Accessor &accessor) {
  // What an access of the own warp comes before depends on the lane.
  if (known != accessor.known || isOwnWarp(write, *accessor.checks))
    write = Record();
  known = accessor.known;
}

AccessChecks::AccessChecks(const LaunchState &launch, const Cluster &cluster,
                           const std::vector<WarpChecks> &warps,
                           HazardReporter &reporter)
    : shadow(launch, cluster), warps(warps), reporter(reporter), launch(launch),
      threadsPerCta(unsigned(cluster.ctas.front()->warps.size()) * warpSize) {}

void AccessChecks::start(uint64_t number) {
  clusterNumber = number;
  shadow.start();
}

Accessor AccessChecks::accessor(Warp &warp, unsigned lane) const {
  const WarpChecks &checks =
      warps[size_t(warp.cta->rank) * warp.cta->warps.size() + warp.index];
  Accessor accessor;
  accessor.warp = &warp;
  accessor.checks = &checks;
  accessor.lanes = 1u << lane;
  accessor.known = checks.known[lane].get();
  accessor.instruction = warp.pc - 1;
  return accessor;
}

Record AccessChecks::recordOf(const Accessor &accessor, uint8_t flags) const {
  Record record;
  record.time = accessor.checks->time;
  record.actor = accessor.checks->first;
  record.lanes = accessor.lanes;
  record.instruction = accessor.instruction;
  record.cluster = uint32_t(clusterNumber);
  record.flags = flags | accessor.strength;
  return record;
}

/// Whether \p record comes before the accessor's access.
bool AccessChecks::comesBefore(const Record &record, const Accessor &accessor,
                               bool isShared) const {
  // Proxy fences are for generic writes only: a read has got its value when it
  // comes before, and what the async proxy did is seen by both when its end is.
  bool needsProxyFence = accessor.isAsync && record.has(Record::IsWrite) &&
                         !record.has(Record::IsAsync);
  const KnownTimes *known = accessor.known;
  if (known && isForeign(record))
    known = accessor.known->foreign
                ? accessor.known->foreign->find(record.cluster)
                : nullptr;
  static const Times nothing;
  const Times &times = !known             ? nothing
                       : !needsProxyFence ? known->generic
                       : isShared         ? known->asyncShared
                                          : known->asyncGlobal;
  if (record.has(Record::IsSingle))
    return times[record.actor] >= record.time;
  uint32_t lanes = record.lanes;
  const WarpChecks &checks = *accessor.checks;
  if (!isForeign(record) && isOwnWarp(record, checks)) {
    // What the lane itself has done.
    bool isCopy = record.actor == checks.copies.first;
    const std::array<Time, warpSize> *own =
        !isCopy           ? !needsProxyFence ? nullptr
                            : isShared       ? &checks.fencedShared
                                             : &checks.fencedGlobal
        : needsProxyFence ? &checks.copies.fenced
                          : &checks.copies.done;
    for (uint32_t rest = lanes & accessor.lanes; rest != 0; rest &= rest - 1)
      if (unsigned lane = unsigned(__builtin_ctz(rest));
          !own || (*own)[lane] >= record.time)
        lanes &= ~(1u << lane);
  }
  for (; lanes != 0; lanes &= lanes - 1)
    if (times[record.actor + unsigned(__builtin_ctz(lanes))] < record.time)
      return false;
  return true;
}

/// Strong accesses may meet, if their scope includes both threads.
bool AccessChecks::isAllowed(const Record &record,
                             const Accessor &accessor) const {
  if (!record.has(Record::IsStrong) || !(accessor.strength & Record::IsStrong))
    return false;
  bool isNarrow = record.has(Record::IsCtaScope) ||
                  (accessor.strength & Record::IsCtaScope);
  if (!isNarrow)
    return true;
  uint32_t thread =
      record.has(Record::IsSingle) ? record.lanes : uint32_t(record.actor);
  return !isForeign(record) &&
         thread / threadsPerCta == accessor.checks->first / threadsPerCta;
}

void AccessChecks::checkRecord(const Record &record, const Accessor &accessor,
                               bool writes, uint8_t bytes, const uint8_t *host,
                               const Cta *shared) {
  if (!record.exists() || !(record.bytes & bytes) ||
      !(writes || record.has(Record::IsWrite)))
    return;
  // The lane's own accesses need no more than this, mostly.
  if (record.actor == accessor.checks->first &&
      record.lanes == accessor.lanes && !record.has(Record::IsSingle) &&
      !accessor.isAsync && record.cluster == uint32_t(clusterNumber))
    return;
  if (!isAllowed(record, accessor) &&
      !comesBefore(record, accessor, shared != nullptr))
    reportConflict(record, accessor, writes, bytes, host, shared);
}

void AccessChecks::check(const Finder &finder, const Accessor &accessor,
                         bool writes, uint8_t bytes, const uint8_t *host) {
  const Word &word = *finder.word;
  const RecordPool &more = *finder.more;
  checkRecord(word.write, accessor, writes, bytes, host, finder.shared);
  if (writes)
    checkRecord(word.read, accessor, writes, bytes, host, finder.shared);
  for (RecordIndex index = word.more; index != 0; index = more[index].next)
    checkRecord(more[index].record, accessor, writes, bytes, host,
                finder.shared);
}

/// A later access that comes after this read also comes after all that this
/// read comes after. So those need not be kept.
void AccessChecks::addRead(Finder &finder, const Record &record,
                           const Accessor &accessor) {
  Word &word = *finder.word;
  Record &slot = word.read;
  if (!slot.exists()) {
    slot = record;
    return;
  }
  // Mostly the same lanes have read the word before, most often as the last
  // ones: the new record takes the place of the old one.
  if (slot.isSameBy(record) && !(record.lanes & ~slot.lanes))
    return;
  bool isKept = false;
  auto update = [&](Record &old) {
    if (old.actor != record.actor || old.has(Record::IsWrite))
      return false;
    if (!isKept && old.isSameBy(record))
      old.lanes |= record.lanes;
    else if (!removeEarlier(old, record))
      return false;
    else if (isKept)
      return true;
    else
      old = record;
    isKept = true;
    if (&old != &slot)
      std::swap(old, slot);
    return false;
  };
  update(slot);
  if (word.more != 0)
    finder.more->removeIf(word, update);
  if (isKept)
    return;
  unsigned foreign = 0;
  auto isReplaced = [&](const Record &old) {
    if (old.has(Record::IsWrite))
      return false;
    return (isAsStrict(record, old) &&
            comesBefore(old, accessor, finder.shared != nullptr)) ||
           (isForeign(old) && ++foreign > keptForeign);
  };
  bool isSlotKept = !isReplaced(slot);
  if (word.more != 0)
    finder.more->removeIf(word, isReplaced);
  if (isSlotKept)
    finder.more->push(word, slot);
  slot = record;
}

/// The same for a write. One that others may meet without an order does not
/// stand for those that came before it and are not ordered with it, nor for
/// weak ones, which others may not meet.
void AccessChecks::addWrite(Finder &finder, const Record &record,
                            const Accessor &accessor) {
  Word &word = *finder.word;
  Record &slot = word.write;
  if (slot.time == record.time && slot.isLike(record) &&
      slot.instruction == record.instruction && !record.has(Record::IsSingle)) {
    slot.lanes |= record.lanes;
    return;
  }
  unsigned foreign = 0;
  auto isCovered = [&](Record &old) {
    bool isBefore = isAsStrong(record, old) &&
                    (!record.has(Record::IsStrong) ||
                     comesBefore(old, accessor, finder.shared != nullptr));
    if (!isBefore)
      return removeEarlier(old, record) ||
             (isForeign(old) && ++foreign > keptForeign);
    old.bytes &= ~record.bytes;
    return old.bytes == 0;
  };
  bool isSlotKept = slot.exists() && !isCovered(slot);
  if (word.read.exists() && isCovered(word.read))
    word.read = Record();
  if (word.more != 0)
    finder.more->removeIf(word, isCovered);
  if (isSlotKept)
    finder.more->push(word, slot);
  slot = record;
}

void AccessChecks::readWord(Finder &finder, const Accessor &accessor,
                            const Record &record, const uint8_t *host,
                            SeenWrite &seen) {
  const Word &word = *finder.word;
  const Record &write = word.write;
  if (word.hasMoreWrites) {
    if (seen.collected)
      seen.collected->isIncomplete = true;
    check(finder, accessor, /*writes=*/false, record.bytes, host);
  } else if (write.exists() && !seen.is(write, record.bytes)) {
    checkRecord(write, accessor, /*writes=*/false, record.bytes, host,
                finder.shared);
    seen.write = write;
    seen.bytes = record.bytes;
    if (seen.collected)
      seen.collected->add(write, host);
  }
  if (!finder.isWritten(record.bytes))
    reportUnwritten(accessor, host, finder.shared);
  addRead(finder, record, accessor);
}

void AccessChecks::access(Warp &warp, Space space, uint32_t active,
                          const LanePointers &pointers, unsigned bytes,
                          Access access, uint8_t strength) {
  Finder finder(shadow, warp, space);
  uint8_t flags = access == Access::Read ? 0 : Record::IsWrite;
  Accessor own = accessor(warp, 0);
  own.strength = strength;
  Record record = recordOf(own, flags);
  record.bytes = wholeWord;
  // function(host address) for the words of all lanes. Accesses are aligned, so
  // that those of a lane are in one page.
  auto forLanes = [&](auto begin, auto function) {
    for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
      unsigned lane = unsigned(__builtin_ctz(rest));
      uint8_t *host = pointers.lane[lane];
      if (!finder.find(host))
        continue;
      own.lanes = record.lanes = 1u << lane;
      own.known = own.checks->known[lane].get();
      if (bytes < wordBytes)
        record.bytes = byteMask(host, bytes);
      begin();
      function(host);
      for (unsigned offset = wordBytes; offset < bytes; offset += wordBytes) {
        finder.next();
        function(host + offset);
      }
    }
  };
  if (access == Access::Read) {
    SeenWrite seen;
    forLanes([&] { seen.setAccessor(own); },
             [&](uint8_t *host) { readWord(finder, own, record, host, seen); });
    return;
  }
  // All lanes are compared with what was before, and none with another.
  auto nothing = [] {};
  forLanes(nothing, [&](uint8_t *host) {
    check(finder, own, /*writes=*/true, record.bytes, host);
    if (access == Access::Update && !finder.isWritten(record.bytes))
      reportUnwritten(own, host, finder.shared);
  });
  forLanes(nothing, [&](uint8_t *) {
    addWrite(finder, record, own);
    finder.setWritten(record.bytes);
  });
}

void AccessChecks::overwritten(const Accessor &own, unsigned other,
                               uint8_t *host) {
  Finder finder(shadow, *own.warp, Space::Generic);
  if (!finder.find(host))
    return;
  Record record = recordOf(own, Record::IsWrite);
  record.bytes = wholeWord;
  record.lanes = 1u << other;
  reportConflict(record, own, /*writes=*/true, wholeWord, host, finder.shared);
}

void AccessChecks::run(const Accessor &accessor, uint8_t *host, uint64_t bytes,
                       Cta *shared, const Record &record) {
  bool writes = record.has(Record::IsWrite);
  SeenWrite seen;
  Record own = record;
  shadow.forWords(host, bytes, shared,
                  [&](Finder &finder, uint8_t mask, uint8_t *place) {
                    own.bytes = mask;
                    if (!writes)
                      return readWord(finder, accessor, own, place, seen);
                    check(finder, accessor, writes, mask, place);
                    addWrite(finder, own, accessor);
                    finder.setWritten(mask);
                  });
}

void AccessChecks::readMatrix(const Accessor &accessor,
                              const MatrixDescriptor &matrix, unsigned firstRow,
                              unsigned rows, unsigned firstChunk,
                              unsigned chunks, const Record &record,
                              CollectedWrites *collected) {
  Cta *cta = accessor.warp->cta;
  Finder finder(shadow, cta);
  SeenWrite seen;
  seen.collected = collected;
  for (unsigned row = firstRow; row < firstRow + rows; ++row)
    for (unsigned chunk = firstChunk; chunk < firstChunk + chunks; ++chunk) {
      uint8_t *host = cta->shared + matrix.address(row, chunk);
      finder.find(host);
      for (unsigned offset = 0; offset < 16; offset += wordBytes) {
        readWord(finder, accessor, record, host + offset, seen);
        finder.next();
      }
    }
}

void AccessChecks::read(const Accessor &accessor,
                        const CollectedWrites &collected) {
  for (const CollectedWrites::Write &write : collected.writes)
    checkRecord(write.record, accessor, /*writes=*/false, wholeWord, write.host,
                accessor.warp->cta);
}

void AccessChecks::forget(uint8_t *host, uint64_t bytes, Cta *shared) {
  shadow.forWords(host, bytes, shared,
                  [](Finder &finder, uint8_t mask, uint8_t *) {
                    finder.word->written &= uint8_t(~mask);
                  });
}

void AccessChecks::reportUnwritten(const Accessor &accessor,
                                   const uint8_t *host, const Cta *shared) {
  reporter.report(HazardKind::Uninitialised, *accessor.warp, accessor.lane(),
                  accessor.instruction, HazardReporter::none,
                  "reads " + reporter.placeName(host, shared) +
                      ", which nobody has written");
}

/// Whether what is missing is a wait for the end of asynchronous work, and not
/// only an order of its thread with this one.
bool AccessChecks::isUnfinished(const Record &record) const {
  if (record.has(Record::IsSingle) || record.has(Record::IsAsync))
    return true;
  size_t threads = warps.size() * warpSize;
  if (record.actor < threads)
    return false;
  if (isForeign(record))
    return true;
  const WarpCopies &copies =
      warps[record.actor / warpSize - warps.size()].copies;
  for (uint32_t rest = record.lanes; rest != 0; rest &= rest - 1)
    if (copies.done[unsigned(__builtin_ctz(rest))] < record.time)
      return true;
  return false;
}

void AccessChecks::reportConflict(const Record &record,
                                  const Accessor &accessor, bool writes,
                                  uint8_t bytes, const uint8_t *host,
                                  const Cta *shared) {
  HazardKind kind = shared ? HazardKind::RaceShared : HazardKind::RaceGlobal;
  std::string why = "without order between them";
  if (isUnfinished(record)) {
    kind = writes ? HazardKind::OverwriteInFlight : HazardKind::ReadBeforeWait;
    why = "without a wait for its end";
  } else if (accessor.isAsync) {
    kind = HazardKind::RaceProxy;
    Accessor generic = accessor;
    generic.isAsync = false;
    if (comesBefore(record, generic, shared != nullptr))
      why = "without fence.proxy.async between them";
  }
  if (reporter.isKnown(kind, accessor.instruction, record.instruction))
    return;
  uint32_t thread = record.lanes;
  if (!record.has(Record::IsSingle)) {
    // Of the lanes of one access, one that this access may be ordered with is
    // the worse example.
    uint32_t lanes = record.lanes;
    if (isOwnWarp(record, *accessor.checks) && (lanes & ~accessor.lanes))
      lanes &= ~accessor.lanes;
    thread = record.actor % unsigned(warps.size() * warpSize) +
             unsigned(__builtin_ctz(lanes));
  }
  const uint8_t *word = host - reinterpret_cast<uintptr_t>(host) % wordBytes;
  reporter.report(kind, *accessor.warp, accessor.lane(), accessor.instruction,
                  record.instruction,
                  std::string(writes ? "writes " : "reads ") +
                      reporter.placeName(word + __builtin_ctz(bytes), shared) +
                      ", which " + reporter.threadName(record.cluster, thread) +
                      " " + (record.has(Record::IsWrite) ? "writes" : "reads") +
                      " in " + reporter.lineOf(record.instruction) + " (" +
                      std::string(launch.program->opcodes[record.instruction]) +
                      "), " + why);
}

} // namespace pbs::runtime::emulator

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Accesses to memory: which earlier ones they have to be ordered with.

#include "Checker.h"
#include "Finder.h"

#include <cstring>

namespace pbs::runtime::emulator {

namespace {

/// The bytes of a word that \p bytes bytes from \p host on cover.
uint8_t maskOf(const uint8_t *host, unsigned bytes) {
  if (bytes >= wordBytes)
    return wholeWord;
  return uint8_t(((1u << bytes) - 1)
                 << (reinterpret_cast<uintptr_t>(host) % wordBytes));
}

/// Record::Flag of an access with \p order.
uint8_t strengthOf(uint8_t order) {
  if (!(order & AccessOrder::Strong))
    return 0;
  return Record::IsStrong |
         (order & AccessOrder::CtaScope ? Record::IsCtaScope : 0);
}

} // namespace

bool Checker::comesBefore(const Record &record, const Accessor &accessor,
                          bool isShared) const {
  if (record.has(Record::InFlight))
    return false;
  const WarpChecks &checks = *accessor.checks;
  // Proxy fences are for generic writes only: a read has got its value when it
  // comes before, and what the async proxy did is seen by both when its end is.
  bool needsProxyFence = accessor.isAsync && record.has(Record::IsWrite) &&
                         !record.has(Record::IsAsync);
  const Knowledge *known = accessor.known;
  if (record.cluster != uint32_t(clusterNumber) && !isShared) {
    if (!known || !known->foreign)
      return false;
    auto found = known->foreign->find(record.cluster);
    if (found == known->foreign->end())
      return false;
    for (uint32_t lanes = record.lanes; lanes != 0; lanes &= lanes - 1)
      if (found->second[record.actor + unsigned(__builtin_ctz(lanes))] <
          record.time)
        return false;
    return true;
  }
  static const Times nothing;
  const Times &times = !known             ? nothing
                       : !needsProxyFence ? known->generic
                       : isShared         ? known->asyncShared
                                          : known->asyncGlobal;
  if (record.has(Record::IsOther))
    return times[record.actor] >= record.time;
  uint32_t lanes = record.lanes;
  if (record.actor == checks.first) {
    uint32_t own = lanes & accessor.lanes;
    if (!needsProxyFence) {
      lanes &= ~own;
    } else {
      const auto &fenced = isShared ? checks.fencedShared : checks.fencedGlobal;
      for (; own != 0; own &= own - 1)
        if (unsigned lane = unsigned(__builtin_ctz(own));
            fenced[lane] >= record.time)
          lanes &= ~(1u << lane);
    }
  }
  for (; lanes != 0; lanes &= lanes - 1)
    if (times[record.actor + unsigned(__builtin_ctz(lanes))] < record.time)
      return false;
  return true;
}

/// Strong accesses may meet, if their scope includes both threads.
bool Checker::isAllowed(const Record &record, const Accessor &accessor) const {
  if (!record.has(Record::IsStrong) || !(accessor.strength & Record::IsStrong))
    return false;
  bool isNarrow = record.has(Record::IsCtaScope) ||
                  (accessor.strength & Record::IsCtaScope);
  if (!isNarrow)
    return true;
  unsigned threads = warpsPerCta * warpSize;
  return record.cluster == uint32_t(clusterNumber) &&
         record.actor / threads == accessor.checks->first / threads;
}

void Checker::checkRecord(const Record &record, const Accessor &accessor,
                          bool writes, uint8_t bytes, const uint8_t *host,
                          const Cta *shared) {
  if (!record.exists() || !(record.bytes & bytes) ||
      !(writes || record.has(Record::IsWrite)))
    return;
  if (comesBefore(record, accessor, shared != nullptr) ||
      isAllowed(record, accessor))
    return;
  reportConflict(record, accessor, writes, bytes, host, shared);
}

void Checker::check(const Word &word, RecordPool &more, uint8_t bytes,
                    const Accessor &accessor, bool writes, const uint8_t *host,
                    const Cta *shared) {
  checkRecord(word.write, accessor, writes, bytes, host, shared);
  if (writes)
    checkRecord(word.read, accessor, writes, bytes, host, shared);
  for (RecordIndex index = word.more; index != 0; index = more[index].next)
    checkRecord(more[index].record, accessor, writes, bytes, host, shared);
}

Record Checker::recordOf(const Accessor &accessor, uint8_t bytes,
                         uint8_t flags) const {
  Record record;
  record.time = accessor.checks->time;
  record.actor = accessor.checks->first;
  record.lanes = accessor.lanes;
  record.instruction = accessor.instruction;
  record.cluster = uint32_t(clusterNumber);
  record.bytes = bytes;
  record.flags = flags | accessor.strength;
  return record;
}

void Checker::addRead(Word &word, RecordPool &more, const Record &record,
                      const Accessor &accessor, bool isShared) {
  // What a warp or warpgroup reads again and again needs one record, if the
  // later read comes after the earlier one.
  auto merge = [&](Record &old) {
    if (old.actor != record.actor || old.flags != record.flags ||
        old.bytes != record.bytes || old.cluster != record.cluster ||
        old.has(Record::InFlight))
      return false;
    if (old.time == record.time && !old.has(Record::IsOther)) {
      old.lanes |= record.lanes;
      return true;
    }
    if (!old.has(Record::IsOther) && old.lanes != record.lanes &&
        !comesBefore(old, accessor, isShared))
      return false;
    old = record;
    return true;
  };
  Record &slot = word.read;
  if (!slot.exists()) {
    slot = record;
    return;
  }
  if (merge(slot))
    return;
  for (RecordIndex index = word.more; index != 0; index = more[index].next)
    if (merge(more[index].record))
      return;
  // A read that comes before this one is before all that come after this one.
  auto isReplaced = [&](const Record &old) {
    return !old.has(Record::IsWrite) && !old.has(Record::IsStrong) &&
           (old.bytes & ~record.bytes) == 0 &&
           comesBefore(old, accessor, isShared);
  };
  if (word.more != 0)
    more.removeIf(word, isReplaced);
  if (!isReplaced(slot))
    more.push(word, slot);
  slot = record;
}

void Checker::addWrite(Word &word, RecordPool &more, const Record &record) {
  // What came before this write is before all that come after it.
  auto cover = [&](Record &old) {
    old.bytes &= ~record.bytes;
    return old.bytes == 0;
  };
  if (word.more != 0)
    more.removeIf(word, cover);
  word.hasMoreWrites &= word.more != 0;
  if (cover(word.read))
    word.read = Record();
  if (word.write.exists() && !cover(word.write))
    more.push(word, word.write);
  word.write = record;
}

void Checker::readWord(Finder &finder, uint8_t mask, const Accessor &accessor,
                       const Record &record, const uint8_t *host,
                       SeenWrite &seen) {
  Word &word = *finder.word;
  const Record &write = word.write;
  if (word.hasMoreWrites) {
    if (seen.collected)
      seen.collected->isIncomplete = true;
    check(word, *finder.more, mask, accessor, /*writes=*/false, host,
          finder.shared);
  } else if (write.exists() && !seen.is(write)) {
    checkRecord(write, accessor, /*writes=*/false, mask, host, finder.shared);
    seen.write = write;
    if (seen.collected)
      seen.collected->add(write, host);
  }
  if (finder.unwritten(mask))
    reportUnwritten(accessor, host, finder.shared);
  addRead(word, *finder.more, record, accessor, finder.shared != nullptr);
}

void Checker::access(Warp &warp, const Instruction &instruction,
                     uint32_t active, const LanePointers &pointers,
                     unsigned bytes, Access access) {
  if (instruction.space == Space::Local || instruction.space == Space::Param ||
      instruction.space == Space::Const)
    return;
  uint8_t order = launch.program->orders[instructionOf(warp)];
  bool writes = access != Access::Read;
  uint8_t strength = strengthOf(order);
  Finder finder(*this, warp, instruction.space);
  // All lanes are compared with what was before, and none with another.
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    Accessor own = accessor(warp, unsigned(__builtin_ctz(rest)));
    own.strength = strength;
    uint8_t *host = pointers.lane[own.lane()];
    uint8_t mask = maskOf(host, bytes);
    Record record = recordOf(own, mask, 0);
    SeenWrite seen;
    for (unsigned offset = 0; offset < bytes; offset += wordBytes) {
      // Accesses are aligned, so that all words are in one page.
      if (offset != 0)
        finder.next();
      else if (!finder.find(host))
        break;
      if (!writes) {
        readWord(finder, mask, own, record, host + offset, seen);
        continue;
      }
      check(*finder.word, *finder.more, mask, own, writes, host + offset,
            finder.shared);
      if (access == Access::Update && finder.unwritten(mask))
        reportUnwritten(own, host + offset, finder.shared);
    }
  }
  if (writes)
    for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
      Accessor own = accessor(warp, unsigned(__builtin_ctz(rest)));
      own.strength = strength;
      uint8_t *host = pointers.lane[own.lane()];
      uint8_t mask = maskOf(host, bytes);
      Record record = recordOf(own, mask, Record::IsWrite);
      for (unsigned offset = 0; offset < bytes; offset += wordBytes) {
        if (offset != 0)
          finder.next();
        else if (!finder.find(host))
          break;
        addWrite(*finder.word, *finder.more, record);
        finder.setWritten(mask);
      }
    }
  finder.release();
  if (order & AccessOrder::Strong)
    passFlags(warp, active, pointers, access, order);
}

void Checker::stored(Warp &warp, uint32_t active, const LanePointers &pointers,
                     unsigned bytes, unsigned element, const uint8_t *values,
                     unsigned valueStride) {
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    const uint8_t *host = pointers.lane[lane] + size_t(element) * bytes;
    if (std::memcmp(host, values + size_t(lane) * valueStride, bytes) == 0)
      continue;
    // A later lane has written something else there.
    for (unsigned other = warpSize - 1; other > lane; --other)
      if ((active >> other & 1) &&
          pointers.lane[other] == pointers.lane[lane]) {
        Accessor own = accessor(warp, lane);
        Record record = recordOf(own, wholeWord, Record::IsWrite);
        record.lanes = 1u << other;
        Finder finder(*this, warp, Space::Generic);
        if (finder.find(const_cast<uint8_t *>(host)))
          reportConflict(record, own, /*writes=*/true, wholeWord, host,
                         finder.shared);
        break;
      }
  }
}

template <typename Function>
void Checker::forWords(uint8_t *host, uint64_t bytes, Cta *shared,
                       Function function) {
  if (bytes == 0)
    return;
  Finder finder(*this, shared);
  uint8_t *end = host + bytes;
  finder.find(host);
  for (;;) {
    unsigned inWord =
        unsigned(wordBytes - reinterpret_cast<uintptr_t>(host) % wordBytes);
    unsigned count = unsigned(std::min<uint64_t>(inWord, uint64_t(end - host)));
    function(finder, maskOf(host, count), host);
    host += count;
    if (host == end)
      return;
    if (shared || reinterpret_cast<uintptr_t>(host) % WordPage::bytes != 0)
      finder.next();
    else
      finder.find(host);
  }
}

void Checker::accessRun(const Accessor &accessor, uint8_t *host, uint64_t bytes,
                        Cta *shared, const Record &record) {
  bool writes = record.has(Record::IsWrite);
  SeenWrite seen;
  Record own = record;
  forWords(host, bytes, shared,
           [&](Finder &finder, uint8_t mask, uint8_t *place) {
             own.bytes = mask;
             if (!writes)
               return readWord(finder, mask, accessor, own, place, seen);
             check(*finder.word, *finder.more, mask, accessor, writes, place,
                   shared);
             addWrite(*finder.word, *finder.more, own);
             finder.setWritten(mask);
           });
}

void Checker::endFlight(uint8_t *host, uint64_t bytes, Cta *shared,
                        uint32_t number, uint32_t lanes, const Record &ended) {
  auto end = [&](Record &record) {
    if (!record.has(Record::InFlight) || record.time != number ||
        (lanes != 0 && record.lanes != lanes) ||
        record.has(Record::IsWrite) != ended.has(Record::IsWrite))
      return;
    uint8_t mask = record.bytes;
    uint8_t strength = record.flags & Record::IsStrong;
    record = ended;
    record.bytes = mask;
    record.flags |= strength;
  };
  forWords(host, bytes, shared, [&](Finder &finder, uint8_t, uint8_t *) {
    Word &word = *finder.word;
    end(word.write);
    end(word.read);
    for (RecordIndex index = word.more; index != 0;
         index = (*finder.more)[index].next)
      end((*finder.more)[index].record);
  });
}

} // namespace pbs::runtime::emulator

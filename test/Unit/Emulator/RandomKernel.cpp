// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "RandomKernel.h"

#include <algorithm>

namespace pbs::runtime::test {

namespace {

unsigned countLines(const std::string &text) {
  return unsigned(std::count(text.begin(), text.end(), '\n'));
}

std::string decimal(uint64_t value) { return std::to_string(value); }

/// Sets %p0 in the lanes of \p mask.
std::string selectLanes(uint32_t mask) {
  return "shr.u32 %r10, " + decimal(mask) +
         ", %r3; and.b32 %r10, %r10, 1; setp.ne.u32 %p0, %r10, 0; ";
}

} // namespace

RandomKernel::RandomKernel(std::mt19937_64 &random, const Shape &shape,
                           unsigned features, unsigned steps)
    : random(random), shape(shape), features(features),
      warps(size_t(shape.warps) * shape.ctas), threads(warps.size() * lanes) {
  auto has = [&](unsigned feature) { return (features & feature) != 0; };
  accessPercent = oneOf({10u, 20u, 45u});
  dataBytes = oneOf({32u, 64u, 128u});
  writePercent = oneOf({10u, 30u, 50u});
  for (unsigned index = 0; index < steps; ++index) {
    unsigned choice = below(100);
    if (choice < 5 || chance(accessPercent))
      addAccess();
    else if (choice < 50 && chance(30))
      isCluster() && chance(60) ? addClusterArrival() : addBarrier();
    else if (choice < 54)
      has(Exits) && chance(30) ? addExit() : addNamedBarrier();
    else if (choice < 60)
      addWarpBarrier();
    else if (choice < 68 && has(Mbarriers))
      addArrival();
    else if (choice < 75 && has(Mbarriers))
      chance(75) ? addWait() : addNextPhase();
    else if (choice < 83 && has(Flags))
      oneOf({0, 1, 2}) != 0 ? addFence() : addExchange();
    else if (choice < 87 && has(Flags))
      chance(40) ? addSignal() : addSpin();
    else if (choice < 93 && has(BulkCopies))
      oneOf({0, 1}) ? addLoad() : addStore();
    else if (choice < 97 && has(BulkCopies))
      chance(60) ? addProxyFence() : addStoreWait(/*isLast=*/false);
    else if (has(Copies))
      oneOf({0, 1, 2}) == 0 ? addCopyArrival()
      : oneOf({0, 1})       ? addCopy()
                            : addCopyWait();
  }
  for (unsigned number = 0; number < mbarriers.size(); ++number)
    if (mbarriers[number].needsWait && mbarriers[number].isOpen())
      for (unsigned warp = 0; warp < warps.size(); ++warp)
        if (ctaOf(warp) == mbarriers[number].cta && warps[warp].live) {
          waitFor(number, warp, warps[warp].live & -warps[warp].live);
          break;
        }
  addStoreWait(/*isLast=*/true);
  // Nobody leaves while others may use its shared memory.
  if (isCluster())
    addClusterArrival();
  for (unsigned warp = 0; warp < warps.size(); ++warp)
    if (warps[warp].hasArrived)
      addClusterWait(warp);
}

void RandomKernel::emit(unsigned warp, uint32_t mask, const std::string &text) {
  std::string line;
  std::string guard;
  if (mask != warps[warp].live) {
    line = selectLanes(mask);
    guard = "@%p0 ";
  }
  for (char character : text)
    if (character == '@')
      line += guard;
    else
      line += character;
  warps[warp].steps.push_back(unsigned(texts.size()));
  texts.push_back(line);
}

void RandomKernel::emitLoop(unsigned warp, uint32_t mask,
                            const std::string &text) {
  std::string label = decimal(texts.size());
  std::string line;
  if (mask != warps[warp].live)
    line = selectLanes(mask) + "@!%p0 bra END" + label + "; ";
  warps[warp].steps.push_back(unsigned(texts.size()));
  texts.push_back(line + "LOOP" + label + ": " + text + " @!%p1 bra LOOP" +
                  label + "; END" + label + ":");
}

RandomKernel::Node RandomKernel::step(unsigned warp, unsigned lane) {
  Thread &own = thread(warp, lane);
  Node node = oracle.add();
  if (own.last != none)
    oracle.order(own.last, node);
  return own.last = node;
}

unsigned RandomKernel::anyWarp() {
  for (;;)
    if (unsigned warp = below(unsigned(warps.size())); warps[warp].live)
      return warp;
}

uint32_t RandomKernel::anyLanes(unsigned warp, bool one) {
  uint32_t live = warps[warp].live;
  for (;;) {
    unsigned choice = below(one ? 60 : 100);
    uint32_t mask = choice < 60   ? 1u << oneOf({0, 1, 2, 17, 31})
                    : choice < 80 ? UINT32_MAX
                                  : oneOf({3u, 7u, 0xFFFFu, 0x80000001u});
    if (mask & live)
      return mask & live;
    if (one || choice < 60)
      mask = live & -live;
    if (mask & live)
      return mask & live;
  }
}

std::string RandomKernel::scope(bool isWide) const {
  return isWide ? isCluster() ? ".cluster" : ".gpu" : ".cta";
}

/// What a write or arrival of a lane gives to \p to.
void RandomKernel::gives(unsigned warp, unsigned lane, bool isRelease,
                         Node to) {
  const Thread &own = thread(warp, lane);
  Node source = isRelease ? own.last : own.fence;
  if (source != none)
    oracle.order(source, to);
}

/// The lane gets \p from in its step \p at, or with its next fence.
void RandomKernel::gets(unsigned warp, unsigned lane, bool isAcquire, Node from,
                        Node at) {
  if (isAcquire)
    oracle.order(from, at);
  else
    thread(warp, lane).got.push_back(from);
}

void RandomKernel::addAccess() {
  unsigned warp = anyWarp();
  bool isAtomic = (features & Atomics) && chance(40);
  bool isGlobal = (features & (Flags | BulkCopies | Copies)) != 0
                      ? chance(30)
                      : shape.ctas != shape.cluster || chance(10);
  uint32_t mask = anyLanes(warp);
  unsigned size = isAtomic ? 4 : oneOf({1u, 2u, 4u, 4u, 4u, 8u, 16u});
  unsigned stride = size <= 4 && chance(30) ? 4 : 0;
  unsigned offset = below(dataBytes / size) * size;
  unsigned cta =
      isCluster() && !isGlobal && chance(40) ? below(shape.ctas) : ctaOf(warp);
  bool isRemote = cta != ctaOf(warp);
  std::string space = isGlobal   ? ".global"
                      : isRemote ? ".shared::cluster"
                                 : ".shared";
  std::string base = isGlobal   ? "%rd2"
                     : isRemote ? "%r" + decimal(40 + 2 * cta)
                                : "%r20";
  if (stride)
    base = isGlobal ? "%rd3" : isRemote ? "%r" + decimal(41 + 2 * cta) : "%r21";
  std::string place = "[" + base + "+" + decimal(offset) + "]";
  bool isWide = shape.ctas > 1 || chance(50);
  HazardOracle::Access access;
  access.isStrong = isAtomic;
  access.isNarrow = !isWide;
  std::string relaxed = isAtomic ? ".relaxed" + scope(isWide) : "";
  std::string type = size == 1   ? ".u8"
                     : size == 2 ? ".u16"
                     : size == 4 ? ".u32"
                     : size == 8 ? ".v2.u32"
                                 : ".v4.u32";
  std::string reg = size == 2   ? "%h1"
                    : size <= 4 ? "%r11"
                    : size == 8 ? "{%r11, %r12}"
                                : "{%r11, %r12, %r13, %r14}";
  std::string value = size == 2   ? "%h0"
                      : size <= 4 ? "%r8"
                      : size == 8 ? "{%r8, %r8}"
                                  : "{%r8, %r8, %r8, %r8}";
  access.writes = chance(writePercent);
  if (isAtomic && chance(60)) {
    access.writes = true;
    emit(warp, mask, "@red" + relaxed + space + ".add.u32 " + place + ", 1;");
  } else if (access.writes) {
    emit(warp, mask,
         "@st" + relaxed + space + type + " " + place + ", " + value + ";");
  } else {
    emit(warp, mask,
         "@ld" + relaxed + space + type + " " + reg + ", " + place + ";");
  }
  forLanes(mask, [&](unsigned lane) {
    access.start = access.end = step(warp, lane);
    access.instruction = unsigned(texts.size() - 1);
    access.space = isGlobal ? HazardOracle::Global : HazardOracle::Shared;
    access.memory = isGlobal ? 0 : cta;
    access.begin = offset + stride * lane;
    access.bytes = size;
    access.cta = ctaOf(warp);
    oracle.access(access);
  });
}

/// All threads of a CTA meet, of which those that have left count as there.
void RandomKernel::addBarrier() {
  unsigned cta = below(shape.ctas);
  Node node = oracle.add();
  std::string text = oneOf<const char *>(
      {"bar.sync 0;", "barrier.cta.red.popc.aligned.u32 %r11, 0, %p7;"});
  std::vector<unsigned> present;
  for (unsigned warp = cta * shape.warps; warp < (cta + 1) * shape.warps;
       ++warp) {
    forLanes(UINT32_MAX, [&](unsigned lane) {
      if (warps[warp].live >> lane & 1)
        step(warp, lane);
      if (Node last = thread(warp, lane).last; last != none)
        oracle.order(last, node);
    });
    if (warps[warp].live)
      present.push_back(warp);
  }
  for (unsigned warp : present) {
    emit(warp, warps[warp].live, text);
    forLanes(warps[warp].live,
             [&](unsigned lane) { oracle.order(node, step(warp, lane)); });
  }
}

/// Some warps of a CTA, as a whole.
void RandomKernel::addNamedBarrier() {
  unsigned cta = below(shape.ctas);
  std::vector<unsigned> present;
  for (unsigned warp = cta * shape.warps; warp < (cta + 1) * shape.warps;
       ++warp)
    if (warps[warp].live && chance(70))
      present.push_back(warp);
  if (present.empty() || named == 15)
    return;
  std::string which =
      decimal(++named) + ", " + decimal(present.size() * lanes) + ";";
  Node node = oracle.add();
  unsigned waiter = present[below(unsigned(present.size()))];
  for (unsigned warp : present)
    forLanes(UINT32_MAX, [&](unsigned lane) {
      if (warps[warp].live >> lane & 1)
        step(warp, lane);
      if (Node last = thread(warp, lane).last; last != none)
        oracle.order(last, node);
    });
  for (unsigned warp : present) {
    bool waits = warp == waiter || chance(60);
    emit(warp, warps[warp].live, (waits ? "bar.sync " : "bar.arrive ") + which);
    if (waits)
      forLanes(warps[warp].live,
               [&](unsigned lane) { oracle.order(node, step(warp, lane)); });
  }
}

void RandomKernel::addWarpBarrier() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp);
  uint32_t namedLanes = mask == warps[warp].live ? UINT32_MAX : mask;
  emit(warp, mask, "@bar.warp.sync " + decimal(namedLanes) + ";");
  Node node = oracle.add();
  forLanes(namedLanes, [&](unsigned lane) {
    if (mask >> lane & 1)
      step(warp, lane);
    if (Node last = thread(warp, lane).last; last != none)
      oracle.order(last, node);
  });
  forLanes(mask, [&](unsigned lane) { oracle.order(node, step(warp, lane)); });
}

/// All arrive at the cluster's barrier; each warp waits when it likes.
void RandomKernel::addClusterArrival() {
  for (unsigned warp = 0; warp < warps.size(); ++warp)
    if (warps[warp].hasArrived)
      addClusterWait(warp);
  clusterPhase = oracle.add();
  for (unsigned warp = 0; warp < warps.size(); ++warp) {
    bool isRelaxed = (features & Flags) && chance(20);
    forLanes(UINT32_MAX, [&](unsigned lane) {
      bool isLive = warps[warp].live >> lane & 1;
      if (isLive)
        step(warp, lane);
      if (!isLive && thread(warp, lane).last != none)
        oracle.order(thread(warp, lane).last, clusterPhase);
      if (isLive)
        gives(warp, lane, !isRelaxed, clusterPhase);
    });
    if (!warps[warp].live)
      continue;
    emit(warp, warps[warp].live,
         isRelaxed ? "barrier.cluster.arrive.relaxed;"
                   : "barrier.cluster.arrive;");
    warps[warp].hasArrived = true;
  }
  for (unsigned warp = 0; warp < warps.size(); ++warp)
    if (warps[warp].hasArrived && chance(60))
      addClusterWait(warp);
}

void RandomKernel::addClusterWait(unsigned warp) {
  warps[warp].hasArrived = false;
  emit(warp, warps[warp].live, "barrier.cluster.wait;");
  forLanes(warps[warp].live, [&](unsigned lane) {
    oracle.order(clusterPhase, step(warp, lane));
  });
}

std::string RandomKernel::mbarrierAt(unsigned warp, unsigned number) const {
  unsigned cta = mbarriers[number].cta;
  std::string base = cta == ctaOf(warp) ? "%r20" : "%r" + decimal(40 + 2 * cta);
  return "[" + base + "+" + decimal(mbarrierOffset + 8 * number) + "]";
}

/// An mbarrier of \p cta at which nobody waits so far.
RandomKernel::Mbarrier *RandomKernel::openMbarrier(unsigned cta,
                                                   unsigned &number) {
  for (number = 0; number < mbarriers.size(); ++number)
    if (mbarriers[number].isOpen() && mbarriers[number].cta == cta &&
        chance(50))
      return &mbarriers[number];
  if (number == mbarrierCount)
    return nullptr;
  mbarriers.emplace_back();
  mbarriers.back().cta = cta;
  mbarriers.back().phase = oracle.add();
  return &mbarriers.back();
}

void RandomKernel::addArrival() {
  unsigned warp = anyWarp();
  unsigned cta = chance(40) ? below(shape.cluster) : ctaOf(warp);
  if (!isCluster())
    cta = ctaOf(warp);
  unsigned number;
  Mbarrier *mbarrier = openMbarrier(cta, number);
  if (!mbarrier)
    return;
  bool isRelaxed = (features & Flags) && chance(30);
  bool isRemote = cta != ctaOf(warp);
  uint32_t mask = anyLanes(warp);
  emit(warp, mask,
       "@mbarrier.arrive." + std::string(isRelaxed ? "relaxed" : "release") +
           (isRemote ? ".cluster.shared::cluster.b64 _, "
                     : ".cta.shared::cta.b64 _, ") +
           mbarrierAt(warp, number) + ";");
  forLanes(mask, [&](unsigned lane) {
    step(warp, lane);
    gives(warp, lane, !isRelaxed, mbarrier->phase);
    ++mbarrier->arrivals;
  });
}

void RandomKernel::waitFor(unsigned number, unsigned warp, uint32_t mask) {
  Mbarrier &mbarrier = mbarriers[number];
  bool isRelaxed = (features & Flags) && chance(30);
  emitLoop(warp, mask,
           "mbarrier.try_wait.parity" +
               std::string(isRelaxed ? ".relaxed.cta" : "") +
               ".shared::cta.b64 %p1, " + mbarrierAt(warp, number) + ", " +
               decimal(mbarrier.completed % 2) + ";");
  forLanes(mask, [&](unsigned lane) {
    gets(warp, lane, !isRelaxed, mbarrier.phase, step(warp, lane));
  });
  ++mbarrier.waits;
  mbarrier.warp = warp;
  mbarrier.waiting = mask;
}

void RandomKernel::addWait() {
  unsigned number = below(unsigned(mbarriers.size()) + 1);
  if (number == mbarriers.size() || mbarriers[number].arrivals == 0)
    return;
  const Mbarrier &mbarrier = mbarriers[number];
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp);
  // The parity of a later phase is that of the one before the first as well: it
  // is for those to wait for who have waited for the phase between.
  if (mbarrier.completed > 0)
    mask &= warp == mbarrier.warp ? mbarrier.waiting : 0;
  if (ctaOf(warp) == mbarrier.cta && mask != 0)
    waitFor(number, warp, mask);
}

/// A lane of the only one that has waited makes all arrivals of the next phase.
void RandomKernel::addNextPhase() {
  for (unsigned number = 0; number < mbarriers.size(); ++number) {
    Mbarrier &mbarrier = mbarriers[number];
    unsigned warp = mbarrier.warp;
    uint32_t able = mbarrier.waiting & warps[warp].live;
    if (mbarrier.waits != 1 || !able || !chance(50))
      continue;
    Node next = oracle.add();
    oracle.order(mbarrier.phase, next);
    uint32_t mask = able & -able;
    emit(warp, mask,
         "@mbarrier.arrive.shared::cta.b64 _, " + mbarrierAt(warp, number) +
             ", " + decimal(mbarrier.arrivals) + ";");
    forLanes(mask, [&](unsigned lane) {
      step(warp, lane);
      gives(warp, lane, /*isRelease=*/true, next);
    });
    // Who has not waited before all of the warp has cannot be overtaken.
    mbarrier.phase = next;
    ++mbarrier.completed;
    mbarrier.waits = 0;
    return;
  }
}

void RandomKernel::addExit() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp);
  bool isLast = true;
  for (unsigned other = 0; other < warps.size(); ++other)
    isLast &=
        other == warp || !warps[other].live || ctaOf(other) != ctaOf(warp);
  bool isBusy = warps[warp].hasArrived;
  forLanes(mask, [&](unsigned lane) { isBusy |= thread(warp, lane).isBusy; });
  if (isBusy || (isLast && mask == warps[warp].live))
    return;
  emit(warp, mask, "@exit;");
  warps[warp].live &= ~mask;
}

std::string RandomKernel::ptx() const {
  std::string text = prologue();
  for (size_t warp = 0; warp < warps.size(); ++warp) {
    text += "WARP" + decimal(warp) + ":\n";
    for (unsigned index : warps[warp].steps)
      text += texts[index] + "\n";
    text += "ret;\n";
  }
  return text + "}\n";
}

std::string RandomKernel::prologue() const {
  std::string text =
      R"(.visible .entry kernel(.param .u64 data, .param .u64 out) {
.shared .align 128 .b8 tile[640];
.reg .b16 %h<4>; .reg .b32 %r<64>; .reg .b64 %rd<8>; .reg .pred %p<8>;
ld.param.u64 %rd2, [data]; ld.param.u64 %rd1, [out];
mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x;
and.b32 %r3, %r0, 31; mad.lo.u32 %r4, %r1, %r2, %r0; shr.u32 %r4, %r4, 5;
mov.u32 %r20, tile; mad.lo.u32 %r21, %r3, 4, %r20;
mad.wide.u32 %rd3, %r3, 4, %rd2;
mov.u32 %r8, 5; mov.u16 %h0, 5;
mov.u32 %r10, %r0;
FILL: mad.lo.u32 %r11, %r10, 4, %r20; st.shared.u32 [%r11], 0;
add.u32 %r10, %r10, %r2; setp.lt.u32 %p0, %r10, 96; @%p0 bra FILL;
setp.eq.u32 %p7, %r0, 0;
)";
  for (size_t number = 0; number < mbarriers.size(); ++number) {
    const Mbarrier &mbarrier = mbarriers[number];
    if (mbarrier.arrivals != 0)
      text += "setp.eq.and.u32 %p0, %r1, " + decimal(mbarrier.cta) +
              ", %p7; @%p0 mbarrier.init.shared::cta.b64 [%r20+" +
              decimal(mbarrierOffset + 8 * number) + "], " +
              decimal(mbarrier.arrivals) + ";\n";
  }
  for (unsigned cta = 0; isCluster() && cta < shape.ctas; ++cta)
    text += "mapa.shared::cluster.u32 %r" + decimal(40 + 2 * cta) + ", %r20, " +
            decimal(cta) + "; mapa.shared::cluster.u32 %r" +
            decimal(41 + 2 * cta) + ", %r21, " + decimal(cta) + ";\n";
  text += "fence.mbarrier_init.release.cluster; fence.proxy.async;\n";
  text += isCluster() ? "barrier.cluster.arrive; barrier.cluster.wait;\n"
                      : "bar.sync 0;\n";
  for (size_t warp = 0; warp < warps.size(); ++warp)
    text += "setp.eq.u32 %p0, %r4, " + decimal(warp) + "; @%p0 bra WARP" +
            decimal(warp) + ";\n";
  return text + "trap;\n";
}

std::set<std::pair<unsigned, unsigned>>
RandomKernel::races(const std::vector<uint32_t> &values) {
  for (size_t index = 0; index < observed.size(); ++index) {
    if (observed[index].acquires == none)
      continue;
    // What the value was written with, and what that followed.
    for (uint32_t value = values[index]; value != 0;) {
      const Written &write = written.at(value);
      if (write.source != none)
        oracle.order(write.source, observed[index].acquires);
      value = values[write.before];
    }
  }
  std::vector<unsigned> lines(texts.size());
  unsigned line = countLines(prologue());
  for (const Warp &warp : warps) {
    ++line;
    for (unsigned index : warp.steps)
      lines[index] = ++line;
    ++line;
  }
  std::set<std::pair<unsigned, unsigned>> pairs;
  for (auto [first, second] : oracle.races())
    pairs.insert(std::minmax(lines[first], lines[second]));
  return pairs;
}

} // namespace pbs::runtime::test

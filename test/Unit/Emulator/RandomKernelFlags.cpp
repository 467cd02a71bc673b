// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fences and flags of random kernels.

#include "RandomKernel.h"

namespace pbs::runtime::test {

void RandomKernel::addFence() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp);
  bool isWide = shape.ctas > 1 || chance(50);
  emit(warp, mask,
       "@fence." + std::string(oneOf<const char *>({"acq_rel", "sc"})) +
           scope(isWide) + ";");
  forLanes(mask, [&](unsigned lane) {
    Node node = step(warp, lane);
    Thread &own = thread(warp, lane);
    for (Node from : own.got)
      oracle.order(from, node);
    for (size_t index : own.read)
      observed[index].acquires = node;
    own.got.clear();
    own.read.clear();
    own.fence = node;
  });
}

void RandomKernel::addProxyFence() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp);
  unsigned choice = below(4);
  emit(warp, mask,
       choice == 0   ? "@fence.proxy.async.shared::cta;"
       : choice == 1 ? "@fence.proxy.async.global;"
                     : "@fence.proxy.async;");
  unsigned spaces = choice == 0   ? unsigned(HazardOracle::Shared)
                    : choice == 1 ? unsigned(HazardOracle::Global)
                                  : HazardOracle::Shared | HazardOracle::Global;
  forLanes(mask,
           [&](unsigned lane) { oracle.setFence(step(warp, lane), spaces); });
}

void RandomKernel::addSignal() {
  if (flags == flagCount)
    return;
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp, /*one=*/true);
  Signal signal;
  signal.isShared = shape.ctas == 1 && chance(50);
  signal.cta = ctaOf(warp);
  signal.space = signal.isShared ? ".shared" : ".global";
  signal.place = std::string(signal.isShared ? "[%r20+" : "[%rd2+") +
                 std::to_string(flagOffset + 4 * flags++) + "]";
  signal.value = nextValue++;
  bool isRelease = chance(50);
  bool isWide = shape.ctas > 1 || chance(50);
  emit(warp, mask,
       "@st." + std::string(isRelease ? "release" : "relaxed") + scope(isWide) +
           signal.space + ".u32 " + signal.place + ", " +
           std::to_string(signal.value) + ";");
  forLanes(mask, [&](unsigned lane) {
    Node node = step(warp, lane);
    signal.source = isRelease ? node : thread(warp, lane).fence;
  });
  signals.push_back(signal);
}

/// Waits for a signal.
void RandomKernel::addSpin() {
  if (signals.empty())
    return;
  const Signal &signal = signals[below(unsigned(signals.size()))];
  unsigned warp = anyWarp();
  // One host thread runs clusters one after the other.
  if (!isCluster() && signal.cta > ctaOf(warp))
    return;
  uint32_t mask = anyLanes(warp);
  bool isAcquire = chance(50);
  bool isWide = shape.ctas > 1 || chance(50);
  emitLoop(warp, mask,
           "ld." + std::string(isAcquire ? "acquire" : "relaxed") +
               scope(isWide) + signal.space + ".u32 %r11, " + signal.place +
               "; setp.eq.u32 %p1, %r11, " + std::to_string(signal.value) +
               ";");
  forLanes(mask, [&](unsigned lane) {
    Node node = step(warp, lane);
    if (signal.source != none)
      gets(warp, lane, isAcquire, signal.source, node);
  });
}

/// One lane exchanges a flag or reads it.
void RandomKernel::addExchange() {
  unsigned warp = anyWarp();
  uint32_t mask = anyLanes(warp, /*one=*/true);
  bool isShared = shape.ctas == 1 && chance(50);
  unsigned order = below(4);
  bool isAcquire = order & 1;
  bool isRelease = order & 2;
  bool isWide = shape.ctas > 1 || chance(50);
  bool isLoad = chance(30);
  std::string space = isShared ? ".shared" : ".global";
  std::string place = std::string(isShared ? "[%r20+" : "[%rd2+") +
                      std::to_string(flagOffset + 4 * flagCount) + "]";
  std::string out = " @st.global.u32 [%rd1+" +
                    std::to_string(4 * observed.size()) + "], %r11;";
  if (isLoad)
    emit(warp, mask,
         "@ld." + std::string(isAcquire ? "acquire" : "relaxed") +
             scope(isWide) + space + ".u32 %r11, " + place + ";" + out);
  else
    emit(warp, mask,
         "@atom." +
             std::string(order == 0   ? "relaxed"
                         : order == 1 ? "acquire"
                         : order == 2 ? "release"
                                      : "acq_rel") +
             scope(isWide) + space + ".exch.b32 %r11, " + place + ", " +
             std::to_string(nextValue) + ";" + out);
  forLanes(mask, [&](unsigned lane) {
    Node node = step(warp, lane);
    Thread &own = thread(warp, lane);
    if (!isLoad)
      written[nextValue++] = {isRelease ? node : own.fence, observed.size()};
    if (!isAcquire)
      own.read.push_back(observed.size());
    observed.push_back({isAcquire ? node : none});
  });
}

} // namespace pbs::runtime::test

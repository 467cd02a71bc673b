// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Checker.h"

#include "../Cluster.h"
#include "../Machine.h"
#include "../ProductForm.h"

#include <algorithm>

namespace pbs::runtime::emulator {

Checker::Checker(const LaunchState &launch, Cluster &cluster)
    : launch(launch), cluster(cluster),
      warpsPerCta(unsigned(cluster.ctas.front()->warps.size())),
      warps(warpsPerCta * cluster.ctas.size()), shadows(cluster.ctas.size()) {
  firstWarpgroup = Actor(warps.size() * warpSize);
}

void Checker::start(uint64_t number) {
  clusterNumber = number;
  nextMbarrier =
      firstWarpgroup + Actor((warps.size() + groupWarps - 1) / groupWarps);
  nextWork = 1;
  for (size_t index = 0; index < warps.size(); ++index) {
    warps[index] = WarpChecks();
    warps[index].first = Actor(index * warpSize);
  }
  for (size_t rank = 0; rank < shadows.size(); ++rank) {
    size_t words =
        (cluster.ctas[rank]->sharedBytes + wordBytes - 1) / wordBytes;
    shadows[rank].words.assign(words, Word());
    shadows[rank].more.clear();
    shadows[rank].barriers = {};
  }
  mbarriers.clear();
  stores.clear();
  collected.clear();
  collected.resize((warps.size() + groupWarps - 1) / groupWarps);
  clusterArrivals = Release();
  clusterCompleted = KnowledgeReference();
  barrierCompleted = KnowledgeReference();
  sharedFlags.clear();
}

Checker::Accessor Checker::accessor(Warp &warp, unsigned lane) {
  WarpChecks &checks = of(warp);
  Accessor accessor;
  accessor.warp = &warp;
  accessor.checks = &checks;
  accessor.lanes = 1u << lane;
  accessor.known = checks.known[lane].get();
  accessor.instruction = instructionOf(warp);
  return accessor;
}

Checker::Accessor Checker::collective(Warp &warp) {
  WarpChecks &checks = of(warp);
  Accessor accessor = this->accessor(warp, 0);
  accessor.lanes = fullMask;
  KnowledgeReference all = checks.known[0];
  for (const KnowledgeReference &known : checks.known)
    all = join(all, known);
  // Kept, so that the pointer stays valid.
  checks.joined.after = all;
  checks.joined.before = checks.joined.with = KnowledgeReference();
  accessor.known = all.get();
  return accessor;
}

void Checker::finish() {
  for (const Store &store : stores)
    if (!store.isRead && store.source.cta)
      report(HazardKind::OverwriteInFlight, *store.warp, store.lane,
             store.instruction, UINT32_MAX,
             "may still read shared memory when its CTA ends: no "
             "cp.async.bulk.wait_group for it");
  for (auto &[place, mbarrier] : mbarriers) {
    if (!mbarrier.loader)
      continue;
    Time known = 0;
    for (const WarpChecks &warp : warps)
      for (const KnowledgeReference &lane : warp.known)
        known = std::max(known, lane ? lane->generic[mbarrier.actor] : 0);
    if (mbarrier.unfinishedLoads == 0 && known >= mbarrier.lastLoad)
      continue;
    report(HazardKind::OverwriteInFlight, *mbarrier.loader, mbarrier.loaderLane,
           mbarrier.loadInstruction, UINT32_MAX,
           "may still write shared memory when its CTA ends: nobody waits for "
           "it at the mbarrier at " +
               hexadecimal(place.second));
  }
  // What setmaxnreg gives must be there.
  for (const Cta *cta : cluster.ctas) {
    uint64_t registers = 0;
    const Warp *last = nullptr;
    for (const Warp &warp : cta->warps) {
      uint32_t count = of(warp).registerCount;
      if (count != 0)
        last = &warp;
      registers +=
          uint64_t(count ? count : launch.kernel->maximumRegisters) * warpSize;
    }
    if (last && registers > maximumRegisters)
      report(HazardKind::Resources, *last, 0, of(*last).registerInstruction,
             UINT32_MAX,
             "leaves the CTA's warps with " + std::to_string(registers) +
                 " registers after setmaxnreg, more than the " +
                 std::to_string(maximumRegisters) + " of a multiprocessor");
  }
}

std::string Checker::lineOf(uint32_t instruction) const {
  return "line " + std::to_string(launch.program->code[instruction].line);
}

std::string Checker::threadName(uint64_t number, Actor thread) const {
  const auto &block = launch.configuration.block;
  unsigned threads = warpsPerCta * warpSize;
  uint32_t inCta = thread % threads;
  std::string name;
  if (number != clusterNumber || cluster.ctas.size() > 1)
    name = "CTA " +
           triple(ctaId(launch.configuration, number, thread / threads)) + " ";
  return name + "thread " +
         triple({inCta % block[0], inCta / block[0] % block[1],
                 inCta / block[0] / block[1]});
}

std::string Checker::placeName(const uint8_t *host, const Cta *shared) const {
  if (!shared)
    return hexadecimal(launch.memory->addressOf(host)) + " of global memory";
  std::string name =
      hexadecimal(uint64_t(host - shared->shared)) + " of shared memory";
  return cluster.ctas.size() == 1 ? name
                                  : name + " of CTA " + triple(shared->id);
}

void Checker::report(HazardKind kind, const Warp &warp, unsigned lane,
                     uint32_t instruction, uint32_t other,
                     const std::string &what) {
  if (log.isKnown(kind, instruction, other))
    return;
  const auto &block = launch.configuration.block;
  uint32_t thread = warp.index * warpSize + lane;
  std::string line =
      "hazard: " + std::string(hazardKindName(kind)) + ": " +
      launch.program->name + ":" +
      std::to_string(launch.program->code[instruction].line) + ": kernel '" +
      launch.kernel->name + "': CTA " + triple(warp.cta->id) + " thread " +
      triple({thread % block[0], thread / block[0] % block[1],
              thread / block[0] / block[1]}) +
      ": " + std::string(launch.program->opcodes[instruction]) + " " + what;
  log.add(kind, instruction, other, clusterNumber, std::move(line));
}

void Checker::reportUnwritten(const Accessor &accessor, const uint8_t *host,
                              const Cta *shared) {
  report(HazardKind::Uninitialised, *accessor.warp, accessor.lane(),
         accessor.instruction, UINT32_MAX,
         "reads " + placeName(host, shared) + ", which nobody has written");
}

void Checker::reportConflict(const Record &record, const Accessor &accessor,
                             bool writes, uint8_t bytes, const uint8_t *host,
                             const Cta *shared) {
  bool wrote = record.has(Record::IsWrite);
  bool isUnfinished = record.has(Record::InFlight) ||
                      record.has(Record::IsOther) ||
                      record.has(Record::IsAsync);
  HazardKind kind = shared ? HazardKind::RaceShared : HazardKind::RaceGlobal;
  std::string why = "without order between them";
  if (isUnfinished) {
    kind = writes ? HazardKind::OverwriteInFlight : HazardKind::ReadBeforeWait;
    why = "without a wait for its end";
  } else if (accessor.isAsync) {
    kind = HazardKind::RaceProxy;
    Accessor generic = accessor;
    generic.isAsync = false;
    if (comesBefore(record, generic, shared != nullptr))
      why = "without fence.proxy.async between them";
  }
  if (log.isKnown(kind, accessor.instruction, record.instruction))
    return;
  Actor thread = record.lanes;
  if (!record.has(Record::IsOther)) {
    // Of the lanes of one access, one that this access may be ordered with is
    // the worse example.
    uint32_t lanes = record.lanes;
    if (record.actor == accessor.checks->first && (lanes & ~accessor.lanes))
      lanes &= ~accessor.lanes;
    thread = record.actor + unsigned(__builtin_ctz(lanes));
  }
  unsigned first = unsigned(__builtin_ctz(bytes));
  std::string what =
      std::string(writes ? "writes " : "reads ") +
      placeName(host - reinterpret_cast<uintptr_t>(host) % wordBytes + first,
                shared) +
      ", which " + threadName(record.cluster, thread) + " " +
      (wrote ? "writes" : "reads") + " in " + lineOf(record.instruction) +
      " (" + std::string(launch.program->opcodes[record.instruction]) + "), " +
      why;
  report(kind, *accessor.warp, accessor.lane(), accessor.instruction,
         record.instruction, what);
}

} // namespace pbs::runtime::emulator

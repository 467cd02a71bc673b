// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Profiler.h"

#include "Cluster.h"

#include <algorithm>

namespace pbs::runtime::emulator {

Profiler::Profiler(const LaunchState &launch) : program(*launch.program) {
  const auto &block = launch.configuration.block;
  const auto &cluster = launch.configuration.cluster;
  warpsPerCta = (block[0] * block[1] * block[2] + warpSize - 1) / warpSize;
  ctasPerCluster = cluster[0] * cluster[1] * cluster[2];
  instructions.resize(program.code.size());
  warps.resize(size_t(warpsPerCta) * ctasPerCluster);
  for (WarpCounts &counts : warps)
    counts.marks.resize(program.code.size());
}

Profiler::WaitCounts &
Profiler::WaitCounts::operator+=(const WaitCounts &other) {
  kind = other.kind;
  first = std::min(first, other.first);
  last = std::max(last, other.last);
  reached += other.reached;
  waited += other.waited;
  steps += other.steps;
  return *this;
}

void Profiler::merge(const Profiler &other) {
  for (size_t index = 0; index < instructions.size(); ++index) {
    InstructionCounts &counts = instructions[index];
    const InstructionCounts &more = other.instructions[index];
    counts.banks += more.banks;
    counts.sectors += more.sectors;
    counts.products += more.products;
    counts.flops += more.flops;
  }
  for (size_t index = 0; index < bytePathCount; ++index)
    bytes[index] += other.bytes[index];
  for (size_t index = 0; index < warps.size(); ++index) {
    WarpCounts &counts = warps[index];
    const WarpCounts &more = other.warps[index];
    counts.warps += more.warps;
    counts.instructions += more.instructions;
    counts.flops += more.flops;
    for (size_t number = 0; number < more.marks.size(); ++number)
      if (more.marks[number])
        counts.marks[number] = true;
    for (const auto &[number, wait] : more.waits)
      counts.waits[number] += wait;
  }
}

void Profiler::beginCluster() {
  times.assign(warps.size(), WarpTime());
  ctas.assign(ctasPerCluster, CtaTimes());
  for (CtaTimes &cta : ctas)
    cta.products.resize(warpsPerCta / 4 + 1);
  clusterArrived = clusterCompleted = 0;
}

void Profiler::endCluster(const Cluster &cluster) {
  for (const Cta *cta : cluster.ctas)
    for (const Warp &warp : cta->warps) {
      WarpCounts &counts = warps[slot(warp)];
      ++counts.warps;
      counts.instructions += warp.clock;
    }
}

size_t Profiler::slot(const Warp &warp) const {
  return size_t(warp.cta->rank) * warpsPerCta + warp.index;
}

Profiler::InstructionCounts &Profiler::countsOf(const Warp &warp) {
  return instructions[warp.pc - 1];
}

void Profiler::mark(const Warp &warp) {
  warps[slot(warp)].marks[warp.pc - 1] = true;
}

namespace {

enum class Place : uint8_t { OwnShared, OtherShared, Local, Parameter, Global };

bool isIn(const uint8_t *host, const uint8_t *begin, uint64_t bytes) {
  return host >= begin && host < begin + bytes;
}

/// Where the host address of a lane lies; \p space is the instruction's.
Place placeOf(const Warp &warp, unsigned lane, Space space,
              const uint8_t *host) {
  const Cta &cta = *warp.cta;
  if (space == Space::Global)
    return Place::Global;
  if (space == Space::Shared)
    return Place::OwnShared;
  if (isIn(host, cta.shared, cta.sharedBytes))
    return Place::OwnShared;
  for (const Cta *other : cta.cluster->ctas)
    if (isIn(host, other->shared, other->sharedBytes))
      return Place::OtherShared;
  uint64_t localBytes = cta.launch->kernel->localBytes;
  if (isIn(host, warp.local + lane * localBytes, localBytes))
    return Place::Local;
  const std::vector<uint8_t> &parameters = cta.launch->parameters;
  return isIn(host, parameters.data(), parameters.size()) ? Place::Parameter
                                                          : Place::Global;
}

uint64_t bytesOf(uint32_t lanes, unsigned bytes) {
  return uint64_t(__builtin_popcount(lanes)) * bytes;
}

} // namespace

void Profiler::countAccess(const Warp &warp,
                           const uint64_t (&addresses)[warpSize],
                           const LanePointers &pointers, uint32_t lanes,
                           unsigned bytes, Access access) {
  Space space = program.code[warp.pc - 1].space;
  uint32_t at[5] = {};
  uint32_t offsets[warpSize];
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    const uint8_t *host = pointers.lane[lane];
    Place place = placeOf(warp, lane, space, host);
    at[unsigned(place)] |= 1u << lane;
    if (place == Place::OwnShared)
      offsets[lane] = uint32_t(host - warp.cta->shared);
  }
  InstructionCounts &counts = countsOf(warp);
  bool isUpdate = access == Access::Update;
  bool isRead = access == Access::Read;
  if (uint32_t shared = at[unsigned(Place::OwnShared)]) {
    counts.banks += countWavefronts(offsets, shared, bytes, isUpdate);
    pathBytes(isUpdate ? BytePath::SharedAtomics
              : isRead ? BytePath::SharedToRegisters
                       : BytePath::RegistersToShared) += bytesOf(shared, bytes);
  }
  if (uint32_t global = at[unsigned(Place::Global)]) {
    // Constants come from a cache of their own, atomics work in the L2 cache.
    if (!isUpdate && space != Space::Const)
      counts.sectors += countSectors(addresses, global, bytes);
    pathBytes(isUpdate ? BytePath::GlobalAtomics
              : isRead ? BytePath::GlobalToRegisters
                       : BytePath::RegistersToGlobal) += bytesOf(global, bytes);
  }
  pathBytes(BytePath::Cluster) +=
      bytesOf(at[unsigned(Place::OtherShared)], bytes);
  pathBytes(isRead ? BytePath::LocalLoads : BytePath::LocalStores) +=
      bytesOf(at[unsigned(Place::Local)], bytes);
}

void Profiler::countProduct(const Warp &warp, uint64_t flops) {
  mark(warp);
  InstructionCounts &counts = countsOf(warp);
  ++counts.products;
  counts.flops += flops;
  warps[slot(warp)].flops += flops;
}

} // namespace pbs::runtime::emulator

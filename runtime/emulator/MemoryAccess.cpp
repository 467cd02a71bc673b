// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "MemoryAccess.h"

#include "Checks/Checker.h"
#include "Cluster.h"

#include <cstdio>

namespace pbs::runtime::emulator {

namespace {

[[noreturn]] void outside(unsigned lane, uint64_t address, uint64_t bytes,
                          Access access, const std::string &what,
                          HazardKind kind = HazardKind::OutOfBounds) {
  static constexpr const char *verbs[] = {"reads", "writes", "updates"};
  char text[96];
  std::snprintf(text, sizeof(text), "%s %llu bytes at 0x%llx, ",
                verbs[unsigned(access)], (unsigned long long)bytes,
                (unsigned long long)address);
  throw Fault{lane, text + what, kind};
}

/// Translates a lane's address in a space of known base and size.
uint8_t *inRange(unsigned lane, uint64_t address, uint64_t bytes, Access access,
                 uint8_t *base, uint64_t size, const char *name) {
  if (address > size || size - address < bytes)
    outside(lane, address, bytes, access,
            std::string("outside the ") + std::to_string(size) + " bytes of " +
                name);
  return base + address;
}

uint8_t *inGlobal(Warp &warp, unsigned lane, uint64_t address, uint64_t bytes,
                  Access access) {
  const Allocation *&cached =
      warp.allocationCache[warp.pc % Warp::cachedAllocations];
  if (!cached || !cached->contains(address, bytes)) {
    const Allocation *found = warp.cta->launch->memory->find(address);
    if (!found)
      outside(lane, address, bytes, access, "outside every allocation");
    if (!found->contains(address, bytes))
      outside(lane, address, bytes, access,
              "beyond the end of an allocation of " +
                  std::to_string(found->bytes) + " bytes");
    cached = found;
  }
  return cached->host + (address - cached->begin);
}

/// The CTA whose shared memory holds \p address, of which the rank is taken
/// away.
Cta &ctaOfAddress(Warp &warp, unsigned lane, uint64_t &address, Space space,
                  uint64_t bytes, Access access) {
  Cta &own = *warp.cta;
  uint64_t rank = address >> clusterRankShift;
  if (rank == 0)
    return own;
  const std::vector<Cta *> &ctas = own.cluster->ctas;
  if (rank > ctas.size())
    outside(lane, address, bytes, access,
            ctas.size() == 1
                ? "outside the " + std::to_string(own.sharedBytes) +
                      " bytes of shared memory"
                : "outside the cluster");
  Cta &cta = *ctas[rank - 1];
  if (space == Space::Shared && &cta != &own)
    outside(lane, address, bytes, access,
            "in shared memory of CTA " + std::to_string(rank - 1) +
                " of the cluster, which is not its own");
  if (&cta != &own && cta.liveThreads() == 0)
    outside(lane, address, bytes, access,
            "in shared memory of CTA " + std::to_string(rank - 1) +
                " of the cluster, which has ended");
  address &= (uint64_t(1) << clusterRankShift) - 1;
  return cta;
}

uint8_t *translateLane(Warp &warp, unsigned lane, uint64_t address, Space space,
                       unsigned bytes, Access access, Space &accessed) {
  Cta &cta = *warp.cta;
  // A generic address may be that of any CTA of the cluster.
  Space named = space;
  if (space == Space::Generic) {
    uint64_t window = address & ~(windowBytes - 1);
    if (window == sharedWindow)
      space = Space::Shared;
    else if (window == localWindow)
      space = Space::Local;
    else if (window == paramWindow)
      space = Space::Param;
    else
      space = Space::Global;
    if (space != Space::Global)
      address -= window;
  }
  accessed = space == Space::SharedCluster ? Space::Shared : space;
  switch (space) {
  case Space::Shared:
  case Space::SharedCluster: {
    Cta &owner = ctaOfAddress(warp, lane, address, named, bytes, access);
    return inRange(lane, address, bytes, access, owner.shared,
                   owner.sharedBytes, "shared memory");
  }
  case Space::Local: {
    uint64_t size = cta.launch->kernel->localBytes;
    return inRange(lane, address, bytes, access, warp.local + lane * size, size,
                   "local memory");
  }
  case Space::Param: {
    if (access != Access::Read)
      outside(lane, address, bytes, access, "in the kernel's parameters");
    const auto &parameters = cta.launch->parameters;
    return inRange(lane, address, bytes, access,
                   const_cast<uint8_t *>(parameters.data()), parameters.size(),
                   "parameters");
  }
  default:
    return inGlobal(warp, lane, address, bytes, access);
  }
}

/// The same for all lanes one after the other; apart from the fast way so that
/// that one stays small.
[[gnu::noinline]] void translateLanes(Warp &warp,
                                      const uint64_t (&addresses)[warpSize],
                                      Space space, uint32_t active,
                                      unsigned bytes, Access access,
                                      LanePointers &pointers) {
  bool isFirst = true;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    pointers.lane[lane] = warp.scratch;
    if (!(active >> lane & 1))
      continue;
    Space accessed;
    pointers.lane[lane] = translateLane(warp, lane, addresses[lane], space,
                                        bytes, access, accessed);
    if (isFirst)
      pointers.space = accessed;
    isFirst = false;
  }
}

[[noreturn, gnu::noinline]] void
failMisaligned(const uint64_t (&addresses)[warpSize], uint32_t active,
               unsigned bytes, unsigned alignment, Access access) {
  unsigned lane = 0;
  while (!(active >> lane & 1) || (addresses[lane] & (alignment - 1)) == 0)
    ++lane;
  outside(lane, addresses[lane], bytes, access,
          "not aligned to " + std::to_string(alignment) + " bytes",
          HazardKind::Misaligned);
}

} // namespace

void computeAddresses(const Warp &warp, uint32_t operand, uint64_t offset,
                      bool is64, uint64_t (&addresses)[warpSize]) {
  if (is64) {
    const uint64_t *base = warp.lanes<uint64_t>(operand);
    for (unsigned lane = 0; lane < warpSize; ++lane)
      addresses[lane] = base[lane] + offset;
  } else {
    const uint32_t *base = warp.lanes<uint32_t>(operand);
    for (unsigned lane = 0; lane < warpSize; ++lane)
      addresses[lane] = base[lane] + offset;
  }
}

void translate(Warp &warp, const uint64_t (&addresses)[warpSize], Space space,
               uint32_t active, unsigned bytes, unsigned alignment,
               Access access, LanePointers &pointers) {
  uint64_t allBits = 0;
  for (unsigned lane = 0; lane < warpSize; ++lane)
    allBits |= active >> lane & 1 ? addresses[lane] : 0;
  if ((allBits & (alignment - 1)) != 0)
    failMisaligned(addresses, active, bytes, alignment, access);

  // Fast: all lanes in shared memory, or in the allocation of the last time.
  pointers.space = space;
  const Allocation *cached =
      warp.allocationCache[warp.pc % Warp::cachedAllocations];
  uint64_t begin = 0;
  uint64_t size = 0;
  uint8_t *host = nullptr;
  if (space == Space::Shared) {
    size = warp.cta->sharedBytes;
    host = warp.cta->shared;
  } else if (cached && (space == Space::Global || space == Space::Generic ||
                        space == Space::Const)) {
    begin = cached->begin;
    size = cached->bytes;
    host = cached->host;
    pointers.space = Space::Global;
  }
  if (size >= bytes && host) {
    uint64_t limit = size - bytes;
    bool isInside = true;
    for (unsigned lane = 0; lane < warpSize; ++lane) {
      uint64_t offset = addresses[lane] - begin;
      bool isActive = active >> lane & 1;
      bool reaches = isActive && offset <= limit;
      isInside &= reaches || !isActive;
      pointers.lane[lane] = reaches ? host + offset : warp.scratch;
    }
    if (isInside)
      return;
  }
  translateLanes(warp, addresses, space, active, bytes, access, pointers);
}

SharedPlace findShared(Warp &warp, unsigned lane, uint64_t address, Space space,
                       uint64_t bytes, unsigned alignment, Access access) {
  if (space == Space::Generic) {
    if ((address & ~(windowBytes - 1)) != sharedWindow)
      outside(lane, address, bytes, access, "outside shared memory");
    address -= sharedWindow;
  }
  if (address % alignment != 0)
    outside(lane, address, bytes, access,
            "not aligned to " + std::to_string(alignment) + " bytes",
            HazardKind::Misaligned);
  Cta &cta = ctaOfAddress(warp, lane, address, space, bytes, access);
  inRange(lane, address, bytes, access, cta.shared, cta.sharedBytes,
          "shared memory");
  return {&cta, uint32_t(address)};
}

uint8_t *findGlobal(Warp &warp, unsigned lane, uint64_t address, uint64_t bytes,
                    unsigned alignment, Access access) {
  if (address % alignment != 0)
    outside(lane, address, bytes, access,
            "not aligned to " + std::to_string(alignment) + " bytes",
            HazardKind::Misaligned);
  return inGlobal(warp, lane, address, bytes, access);
}

void countBytes(Warp &warp, Space space, Access access, uint64_t bytes) {
  LaunchStatistics &statistics = *warp.cta->statistics;
  bool loads = access != Access::Write;
  bool stores = access != Access::Read;
  if (space == Space::Shared) {
    statistics.sharedLoadBytes += loads ? bytes : 0;
    statistics.sharedStoreBytes += stores ? bytes : 0;
  } else if (space == Space::Global || space == Space::Const) {
    statistics.globalLoadBytes += loads ? bytes : 0;
    statistics.globalStoreBytes += stores ? bytes : 0;
  }
}

void resolve(Warp &warp, const Instruction &instruction, unsigned operand,
             uint32_t active, unsigned bytes, Access access,
             LanePointers &pointers) {
  uint64_t addresses[warpSize];
  computeAddresses(warp, instruction.operands[operand], instruction.immediate,
                   instruction.flags & Instruction::FirstAddress64, addresses);
  translate(warp, addresses, instruction.space, active, bytes, bytes, access,
            pointers);
  countBytes(warp, pointers.space, access,
             uint64_t(__builtin_popcount(active)) * bytes);
  if (warp.cta->checker)
    warp.cta->checker->access(warp, instruction, active, pointers, bytes,
                              access);
}

} // namespace pbs::runtime::emulator

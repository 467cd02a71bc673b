// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CTAs of a cluster among themselves: addresses, the barrier, and asynchronous
// stores and reductions (PTX ISA, mapa, getctarank, barrier.cluster, st.async,
// red.async).

#include "../Checks/Checker.h"
#include "../Cluster.h"
#include "../InstructionTable.h"
#include "../MemoryAccess.h"

#include <cstring>

#define PBS_THIS_FILE "Instructions/Clusters.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {

/// Operands: d, address, rank. A generic address keeps its window.
template <typename Lane>
void mapAddress(Warp &warp, const Instruction &instruction, uint32_t active) {
  Lane *result = warp.lanes<Lane>(instruction.operands[0]);
  const Lane *address = warp.lanes<Lane>(instruction.operands[1]);
  const uint32_t *rank = warp.lanes<uint32_t>(instruction.operands[2]);
  size_t count = warp.cta->cluster->ctas.size();
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    if (rank[lane] >= count)
      throw Fault{lane, "names CTA " + std::to_string(rank[lane]) +
                            " in a cluster of " + std::to_string(count)};
    uint64_t window = uint64_t(address[lane]) & ~(windowBytes - 1);
    if (window != (instruction.space == Space::Generic ? sharedWindow : 0))
      throw Fault{lane, "has an address outside shared memory",
                  HazardKind::OutOfBounds};
    uint64_t offset = address[lane] & ((uint64_t(1) << clusterRankShift) - 1);
    result[lane] =
        Lane(window | uint64_t(rank[lane] + 1) << clusterRankShift | offset);
  }
}

template <typename Lane>
void ctaRank(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t *result = warp.lanes<uint32_t>(instruction.operands[0]);
  const Lane *address = warp.lanes<Lane>(instruction.operands[1]);
  size_t count = warp.cta->cluster->ctas.size();
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    uint64_t window = uint64_t(address[lane]) & ~(windowBytes - 1);
    uint64_t rank = (uint64_t(address[lane]) - window) >> clusterRankShift;
    if (window != (instruction.space == Space::Generic ? sharedWindow : 0) ||
        rank > count)
      throw Fault{lane, "has an address outside shared memory",
                  HazardKind::OutOfBounds};
    result[lane] = rank == 0 ? warp.cta->rank : uint32_t(rank - 1);
  }
}

/// target: .aligned.
void checkAligned(const Warp &warp, const Instruction &instruction,
                  uint32_t active) {
  if (instruction.target && active != warp.live) {
    uint32_t missing = warp.live & ~active;
    throw Fault{unsigned(__builtin_ctz(missing ? missing : active)),
                "is reached by only some threads of the warp",
                HazardKind::Divergence};
  }
}

void clusterArrive(Warp &warp, const Instruction &instruction,
                   uint32_t active) {
  checkAligned(warp, instruction, active);
  if (uint32_t again = active & warp.clusterWaits)
    throw Fault{unsigned(__builtin_ctz(again)),
                "comes again before barrier.cluster.wait"};
  if (Checker *checker = warp.cta->checker)
    checker->arriveAtCluster(warp, active);
  warp.clusterArrived |= active;
  warp.clusterWaits |= active;
  warp.cta->cluster->checkBarrier();
}

void clusterWait(Warp &warp, const Instruction &instruction, uint32_t active) {
  checkAligned(warp, instruction, active);
  if (uint32_t missing = active & ~warp.clusterWaits)
    throw Fault{unsigned(__builtin_ctz(missing)),
                "comes without barrier.cluster.arrive"};
  if ((active & warp.clusterArrived) == 0) {
    warp.clusterWaits &= ~active;
    if (Checker *checker = warp.cta->checker)
      checker->leaveClusterBarrier(warp, active);
    return;
  }
  // Only the active lanes of a guarded barrier wait.
  if (active != warp.mask)
    throw Fault{unsigned(__builtin_ctz(active)),
                "is guarded by a predicate that differs between the threads "
                "of a warp",
                HazardKind::Divergence};
  warp.block(Path::State::AtClusterBarrier);
  warp.resume();
}

/// st.async and red.async. Operands: address, values, mbarrier. target is the
/// type, and from bit 8 on the reduction.
void storeAsync(Warp &warp, const Instruction &instruction, uint32_t active) {
  unsigned length = instruction.vectorLength;
  const uint32_t *operands =
      length + 4 > Instruction::inlineOperands
          ? warp.cta->launch->program->operandPool.data() +
                instruction.operands[0]
          : instruction.operands;
  Type type = Type(instruction.target & 0xFF);
  unsigned bytes = byteWidth(type);
  AsyncQueue &queue = warp.cta->cluster->async;
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    std::unique_ptr<AsyncWork> work = queue.make(warp, lane);
    work->kind = AsyncWork::Kind::Exchange;
    work->type = type;
    work->reduction = Reduction(instruction.target >> 8);
    work->bytes = uint64_t(bytes) * length;
    work->data.resize(work->bytes);
    for (unsigned index = 0; index < length; ++index) {
      uint64_t value = bytes == 8
                           ? warp.lanes<uint64_t>(operands[2 + index])[lane]
                           : warp.lanes<uint32_t>(operands[2 + index])[lane];
      std::memcpy(work->data.data() + size_t(index) * bytes, &value, bytes);
    }
    Access access =
        work->reduction == Reduction::None ? Access::Write : Access::Update;
    SharedPlace place = findShared(warp, lane, addressOf(warp, operands, lane),
                                   instruction.space, work->bytes,
                                   unsigned(work->bytes), access);
    SharedPlace signal =
        findShared(warp, lane, addressOf(warp, operands + 2 + length, lane),
                   instruction.space, 8, 8, Access::Update);
    if (place.cta != signal.cta)
      throw Fault{lane,
                  "writes to one CTA and reports to an mbarrier of "
                  "another",
                  HazardKind::Mbarrier};
    work->destinations.push_back(place);
    work->mbarriers.push_back(signal);
    countBytes(warp, Space::Shared, access, work->bytes);
    queue.issue(std::move(work));
  }
}

bool isClusterSpace(Space space) {
  return space == Space::Generic || space == Space::SharedCluster;
}

} // namespace

Handler selectMapAddress(const Opcode &opcode, Instruction &) {
  if (!isClusterSpace(opcode.space))
    return nullptr;
  if (opcode.types[0] == Type::U64)
    return mapAddress<uint64_t>;
  // 32-bit generic addresses do not exist in this address space.
  return opcode.types[0] == Type::U32 && opcode.space != Space::Generic
             ? mapAddress<uint32_t>
             : nullptr;
}

Handler selectCtaRank(const Opcode &opcode, Instruction &) {
  if (!isClusterSpace(opcode.space))
    return nullptr;
  if (opcode.types[0] == Type::U64)
    return ctaRank<uint64_t>;
  return opcode.types[0] == Type::U32 && opcode.space != Space::Generic
             ? ctaRank<uint32_t>
             : nullptr;
}

Handler selectClusterArrive(const Opcode &opcode, Instruction &instruction) {
  instruction.target = opcode.has("aligned");
  return clusterArrive;
}

Handler selectClusterWait(const Opcode &opcode, Instruction &instruction) {
  instruction.target = opcode.has("aligned");
  return clusterWait;
}

Handler selectStoreAsync(const Opcode &opcode, Instruction &instruction) {
  Type type = opcode.types[0];
  unsigned bits = bitWidth(type);
  unsigned expected = opcode.has("v2") ? 2 : opcode.has("v4") ? 4 : 1;
  bool isType = (bits == 32 || bits == 64) && type != Type::F16x2 &&
                type != Type::BF16x2 && type != Type::TF32 &&
                type != Type::F32x2;
  if (!isType || instruction.vectorLength != expected ||
      expected * bits > 128 || !isClusterSpace(opcode.space) ||
      !opcode.has("mbarrier::complete_tx::bytes"))
    return nullptr;
  instruction.target = uint32_t(type);
  return storeAsync;
}

Handler selectReductionAsync(const Opcode &opcode, Instruction &instruction) {
  Type type = opcode.types[0];
  Reduction reduction = reductionOf(opcode);
  bool exists = isReduction(reduction, type, /*toGlobal=*/false) ||
                (reduction == Reduction::Add && type == Type::S64);
  if (!exists || !isClusterSpace(opcode.space) ||
      !opcode.has("mbarrier::complete_tx::bytes"))
    return nullptr;
  instruction.target = uint32_t(type) | uint32_t(reduction) << 8;
  return storeAsync;
}

PBS_END_TARGET

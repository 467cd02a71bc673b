// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk and tensor copies and reductions (PTX ISA, "Data Movement and Conversion
// Instructions: Bulk copy" and "Tensor copy"). Every active lane issues one.

#include "../Checks/Checker.h"
#include "../Cluster.h"
#include "../InstructionTable.h"
#include "../MemoryAccess.h"
#include "../Profiler.h"

#include <algorithm>
#include <cstdio>

#define PBS_THIS_FILE "Instructions/BulkCopy.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {

// target: the reduction in the lowest 8 bits, its type in the next 8, and:
enum BulkFlag : uint32_t {
  IsLoad = 1 << 16,
  /// From shared memory of the CTA to that of the cluster.
  IsExchange = 1 << 17,
  IsStore = 1 << 18,
  /// The destination is named shared::cta.
  IsOwn = 1 << 19,
};

constexpr unsigned bulkAlignment = 16;
constexpr unsigned tensorAlignment = 128;
constexpr uint64_t tensorMapBytes = 128;
/// Operands of a tensor address: the address, its offset and 5 coordinates.
constexpr unsigned tensorOperands = 7;

const uint32_t *pooled(const Warp &warp, const Instruction &instruction) {
  return warp.cta->launch->program->operandPool.data() +
         instruction.operands[0];
}

std::unique_ptr<AsyncWork> makeWork(Warp &warp, const Instruction &instruction,
                                    unsigned lane) {
  std::unique_ptr<AsyncWork> work = warp.cta->cluster->async.make(warp, lane);
  work->kind = instruction.target & IsLoad    ? AsyncWork::Kind::Load
               : instruction.target & IsStore ? AsyncWork::Kind::Store
                                              : AsyncWork::Kind::Exchange;
  work->reduction = Reduction(instruction.target & 0xFF);
  work->type = Type(instruction.target >> 8 & 0xFF);
  return work;
}

/// Where a copy writes in shared memory and what it reports to. \p mask is the
/// operand of a multicast, which addresses the same offsets in each CTA.
void addDestinations(Warp &warp, const Instruction &instruction,
                     AsyncWork &work, uint64_t address,
                     const uint32_t *mbarrier, uint32_t mask, uint64_t reserved,
                     unsigned alignment) {
  unsigned lane = work.lane;
  Space space =
      instruction.target & IsOwn ? Space::Shared : Space::SharedCluster;
  SharedPlace place = findShared(warp, lane, address, space, reserved,
                                 alignment, Access::Write);
  SharedPlace signal = findShared(warp, lane, addressOf(warp, mbarrier, lane),
                                  space, 8, 8, Access::Update);
  if (mask == noOperand) {
    if (place.cta != signal.cta)
      throw Fault{lane,
                  "writes to one CTA and reports to an mbarrier of "
                  "another",
                  HazardKind::Mbarrier};
    work.destinations.push_back(place);
    work.mbarriers.push_back(signal);
    return;
  }
  uint32_t ctas = warp.lanes<uint32_t>(mask)[lane] & 0xFFFF;
  const std::vector<Cta *> &all = warp.cta->cluster->ctas;
  if (ctas == 0 || ctas >> all.size() != 0)
    throw Fault{lane, "has CTA mask " + std::to_string(ctas) +
                          " in a cluster of " + std::to_string(all.size())};
  for (Cta *cta : all)
    if (ctas >> cta->rank & 1) {
      if (cta != warp.cta && cta->liveThreads() == 0)
        throw Fault{lane,
                    "writes to CTA " + std::to_string(cta->rank) +
                        " of the cluster, which has ended",
                    HazardKind::OutOfBounds};
      work.destinations.push_back({cta, place.offset});
      work.mbarriers.push_back({cta, signal.offset});
    }
}

/// Counts what moves to or from global memory, or inside the cluster.
void count(Warp &warp, const AsyncWork &work, uint64_t bytes) {
  LaunchStatistics &statistics = *warp.cta->statistics;
  if (work.kind == AsyncWork::Kind::Load) {
    statistics.asyncCopyBytes += bytes;
    return;
  }
  Access access =
      work.reduction == Reduction::None ? Access::Write : Access::Update;
  if (work.kind == AsyncWork::Kind::Exchange) {
    countBytes(warp, Space::Shared, Access::Read, bytes);
    countBytes(warp, Space::Shared, access, bytes);
  } else {
    countBytes(warp, Space::Global, access, bytes);
  }
}

void checkSize(unsigned lane, uint32_t bytes) {
  if (bytes % bulkAlignment != 0)
    throw Fault{lane,
                "moves " + std::to_string(bytes) +
                    " bytes, which is no multiple of 16",
                HazardKind::Misaligned};
}

/// Operands: destination, source, size, mbarrier, CTA mask, cache policy.
void bulkCopy(Warp &warp, const Instruction &instruction, uint32_t active) {
  const uint32_t *operands = pooled(warp, instruction);
  const uint32_t *sizes = warp.lanes<uint32_t>(operands[4]);
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    std::unique_ptr<AsyncWork> work = makeWork(warp, instruction, lane);
    uint64_t destination = addressOf(warp, operands, lane);
    uint64_t source = addressOf(warp, operands + 2, lane);
    uint32_t bytes = sizes[lane];
    checkSize(lane, bytes);
    work->bytes = bytes;
    // An H200 takes it for an illegal instruction.
    if (work->kind == AsyncWork::Kind::Exchange &&
        warp.cta->cluster->ctas.size() == 1)
      throw Fault{lane, "needs a launch with a cluster"};
    // Nothing may be anywhere.
    if (work->kind == AsyncWork::Kind::Load)
      work->global = bytes == 0 ? nullptr
                                : findGlobal(warp, lane, source, bytes,
                                             bulkAlignment, Access::Read);
    else
      work->source = findShared(warp, lane, source, Space::Shared, bytes,
                                bulkAlignment, Access::Read);
    if (work->kind == AsyncWork::Kind::Store)
      work->global = bytes == 0 ? nullptr
                                : findGlobal(warp, lane, destination, bytes,
                                             bulkAlignment, Access::Write);
    else
      addDestinations(warp, instruction, *work, destination, operands + 5,
                      operands[7], bytes, bulkAlignment);
    count(warp, *work, bytes);
    warp.cta->cluster->async.issue(std::move(work));
  }
}

/// The box that a tensor address with \p operands means. \p rank is the one
/// that the opcode names.
TensorBox boxOf(Warp &warp, const uint32_t *operands, unsigned lane,
                unsigned rank) {
  Cta &cta = *warp.cta;
  uint64_t address = addressOf(warp, operands, lane);
  const std::vector<uint8_t> &parameters = cta.launch->parameters;
  uint64_t offset = address;
  if ((address & ~(windowBytes - 1)) == paramWindow)
    offset -= paramWindow;
  const uint8_t *bytes = nullptr;
  char text[64];
  std::snprintf(text, sizeof(text), "at 0x%llx", (unsigned long long)address);
  if (address % 64 != 0)
    throw Fault{lane,
                std::string("has a tensor map ") + text +
                    ", not aligned to 64 bytes",
                HazardKind::Misaligned};
  // Parameters are named by their address in parameter space as well.
  if (offset + tensorMapBytes <= parameters.size())
    bytes = parameters.data() + offset;
  else if (const Allocation *allocation = cta.launch->memory->find(address);
           allocation && allocation->contains(address, tensorMapBytes))
    bytes = allocation->host + (address - allocation->begin);
  std::optional<TensorLayout> layout;
  if (bytes)
    layout = decodeTensorMap(bytes);
  if (!layout)
    throw Fault{lane, std::string("finds no tensor map ") + text};
  if (layout->rank != rank)
    throw Fault{lane, "has a tensor map of rank " +
                          std::to_string(layout->rank) + " for a copy of " +
                          std::to_string(rank) + " dimensions"};
  TensorBox box;
  box.layout = *layout;
  for (unsigned dimension = 0; dimension < rank; ++dimension)
    box.start[dimension] =
        int32_t(warp.lanes<uint32_t>(operands[2 + dimension])[lane]);
  return box;
}

/// Operands: two tensor addresses, of which one is plain, mbarrier, CTA mask,
/// cache policy. vectorLength is the rank.
void tensorCopy(Warp &warp, const Instruction &instruction, uint32_t active) {
  const uint32_t *operands = pooled(warp, instruction);
  bool isLoad = instruction.target & IsLoad;
  const uint32_t *shared = operands + (isLoad ? 0 : tensorOperands);
  const uint32_t *tensor = operands + (isLoad ? tensorOperands : 0);
  const uint32_t *mbarrier = operands + size_t(2) * tensorOperands;
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    std::unique_ptr<AsyncWork> work = makeWork(warp, instruction, lane);
    TensorBox box = boxOf(warp, tensor, lane, instruction.vectorLength);
    box.use = isLoad ? TensorBox::Use::Load : TensorBox::Use::Store;
    if (work->reduction != Reduction::None) {
      Type type = box.layout.type;
      bool isBits = work->reduction >= Reduction::And;
      work->type = !isBits                ? type
                   : isFloat(type)        ? Type::None
                   : byteWidth(type) == 8 ? Type::B64
                   : byteWidth(type) == 4 ? Type::B32
                                          : Type::None;
      if (!isReduction(work->reduction, work->type, /*toGlobal=*/true))
        throw Fault{lane, "does not exist for the tensor map's type " +
                              std::string(typeName(type))};
    }
    box.resolve(*warp.cta->launch->memory, lane, isLoad ? "reads" : "writes");
    work->bytes = box.bytes();
    uint64_t reserved = box.sharedBytes();
    uint64_t address = addressOf(warp, shared, lane);
    if (isLoad)
      addDestinations(warp, instruction, *work, address, mbarrier, mbarrier[2],
                      reserved, tensorAlignment);
    else
      work->source = findShared(warp, lane, address, Space::Shared, reserved,
                                tensorAlignment, Access::Read);
    count(warp, *work, box.insideBytes());
    work->box = box;
    warp.cta->cluster->async.issue(std::move(work));
  }
}

/// Operands: address, size, cache policy. Only mistakes show.
void bulkPrefetch(Warp &warp, const Instruction &instruction, uint32_t active) {
  const uint32_t *sizes = warp.lanes<uint32_t>(instruction.operands[2]);
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    checkSize(lane, sizes[lane]);
    if (sizes[lane] != 0)
      findGlobal(warp, lane, addressOf(warp, instruction.operands, lane),
                 sizes[lane], bulkAlignment, Access::Read);
  }
}

void tensorPrefetch(Warp &warp, const Instruction &instruction,
                    uint32_t active) {
  const uint32_t *operands = pooled(warp, instruction);
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    TensorBox box = boxOf(warp, operands, lane, instruction.vectorLength);
    box.use = TensorBox::Use::Prefetch;
    box.resolve(*warp.cta->launch->memory, lane, "reads");
  }
}

void commit(Warp &warp, const Instruction &, uint32_t active) {
  for (unsigned lane = 0; lane < warpSize; ++lane)
    warp.committedBulkGroups[lane] += active >> lane & 1;
}

template <bool readOnly>
void waitGroup(Warp &warp, const Instruction &instruction, uint32_t active) {
  if (Profiler *profiler = warp.cta->profiler)
    profiler->waitForBulkCopies(warp, active, instruction.operands[0],
                                readOnly);
  warp.cta->cluster->async.completeGroups(warp, active, instruction.operands[0],
                                          readOnly);
  if (Checker *checker = warp.cta->checker)
    checker->waitGroups(warp, active, instruction.operands[0], readOnly);
}

/// The state spaces among the modifiers, which say first where to and then
/// where from.
struct Direction {
  bool toShared = false;
  bool toOwn = false;
  bool toGlobal = false;
  bool fromGlobal = false;
  bool fromShared = false;

  explicit Direction(const Opcode &opcode) {
    unsigned spaces = 0;
    for (std::string_view modifier : opcode.modifiers) {
      bool isOwn = modifier == "shared::cta";
      bool isShared = isOwn || modifier == "shared::cluster";
      bool isGlobal = modifier == "global";
      if (!isShared && !isGlobal)
        continue;
      if (++spaces == 1) {
        toShared = isShared;
        toOwn = isOwn;
        toGlobal = isGlobal;
      } else if (spaces == 2) {
        fromShared = isOwn;
        fromGlobal = isGlobal;
      }
    }
  }

  /// The flag of the direction, if \p opcode names the completion that goes
  /// with it; 0 where there is no such copy.
  uint32_t flags(const Opcode &opcode) const {
    bool signals = opcode.has("mbarrier::complete_tx::bytes");
    if (signals == opcode.has("bulk_group"))
      return 0;
    uint32_t own = toOwn ? uint32_t(IsOwn) : 0;
    if (toShared && fromGlobal && signals &&
        !(toOwn && opcode.has("multicast::cluster")))
      return IsLoad | own;
    if (opcode.has("multicast::cluster"))
      return 0;
    if (toShared && !toOwn && fromShared && signals)
      return IsExchange;
    return toGlobal && fromShared && !signals ? uint32_t(IsStore) : 0;
  }
};

/// The number before the "d" of the opcode's dimensions, or 0.
unsigned rankOf(const Opcode &opcode) {
  static constexpr std::string_view names[] = {"",   "1d", "2d",
                                               "3d", "4d", "5d"};
  for (unsigned rank = 1; rank <= maximumRank; ++rank)
    if (opcode.has(names[rank]))
      return rank;
  return 0;
}

} // namespace

Handler selectBulkCopy(const Opcode &opcode, Instruction &instruction) {
  instruction.target = Direction(opcode).flags(opcode);
  return instruction.target ? bulkCopy : nullptr;
}

Handler selectBulkReduction(const Opcode &opcode, Instruction &instruction) {
  uint32_t flags = Direction(opcode).flags(opcode);
  Reduction reduction = reductionOf(opcode);
  Type type = opcode.types[0];
  bool isSmallFloat = type == Type::F16 || type == Type::BF16;
  bool needsNoFlush = isSmallFloat && reduction == Reduction::Add;
  if (flags == 0 || flags & IsLoad || opcode.typeCount != 1 ||
      opcode.has("noftz") != needsNoFlush ||
      !isReduction(reduction, type, flags & IsStore))
    return nullptr;
  instruction.target = flags | uint32_t(reduction) | uint32_t(type) << 8;
  return bulkCopy;
}

Handler selectBulkPrefetch(const Opcode &opcode, Instruction &) {
  return opcode.has("L2") && opcode.space == Space::Global ? bulkPrefetch
                                                           : nullptr;
}

Handler selectTensorCopy(const Opcode &opcode, Instruction &instruction) {
  unsigned rank = rankOf(opcode);
  uint32_t flags = Direction(opcode).flags(opcode);
  unsigned tensor = flags & IsLoad ? 1 : 0;
  if (rank == 0 || !(flags & (IsLoad | IsStore)) ||
      opcode.coordinates[tensor] != rank || opcode.coordinates[1 - tensor] != 0)
    return nullptr;
  instruction.target = flags;
  instruction.vectorLength = uint8_t(rank);
  return tensorCopy;
}

Handler selectTensorReduction(const Opcode &opcode, Instruction &instruction) {
  Reduction reduction = reductionOf(opcode);
  if (reduction == Reduction::None || !selectTensorCopy(opcode, instruction) ||
      instruction.target != IsStore)
    return nullptr;
  instruction.target |= uint32_t(reduction);
  return tensorCopy;
}

Handler selectTensorPrefetch(const Opcode &opcode, Instruction &instruction) {
  unsigned rank = rankOf(opcode);
  if (rank == 0 || opcode.coordinates[0] != rank || !opcode.has("L2") ||
      opcode.space != Space::Global)
    return nullptr;
  instruction.vectorLength = uint8_t(rank);
  return tensorPrefetch;
}

Handler selectBulkCommit(const Opcode &, Instruction &) { return commit; }

Handler selectBulkWait(const Opcode &opcode, Instruction &) {
  return opcode.has("read") ? waitGroup<true> : waitGroup<false>;
}

PBS_END_TARGET

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where everything stands in the shared memory of a CTA: tiles, allocations,
// what reductions exchange, and behind them the part whose size the launch
// says.

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

#include "KernelInfo.h"

using namespace mlir;

namespace pbs::nvvm {

Actors KernelInfo::getActors(Region *region) const {
  auto [roles, role] = pbsgpu::RolesOp::findRole(region);
  if (!roles)
    return {0, warps, 0};
  return {roles.getFirstWarp(role), roles.getWarps()[role], role + 1};
}

/// Whether one thread does all that `role` does to memory: it copies through
/// tensor maps and deals with work items.
static bool isOfOneThread(Region &role) {
  bool acts = false;
  WalkResult walk = role.walk([&](Operation *op) {
    auto copy = dyn_cast<pbsgpu::CopyTileOp>(op);
    bool isOfOne =
        copy ? isa<pbsgpu::TensorMapType>(copy.getSource().getType())
             : isa<pbsgpu::AcquireOp, pbsgpu::AwaitRequestOp, pbsgpu::ClaimOp,
                   pbsgpu::PublishOp, pbsgpu::ReceiveOp, pbsgpu::RequestOp>(op);
    acts |= isOfOne;
    return isOfOne || isa<memref::LoadOp>(op) || isMemoryEffectFree(op)
               ? WalkResult::advance()
               : WalkResult::interrupt();
  });
  return acts && !walk.wasInterrupted();
}

/// How many warps arrive when they have received an item.
static int64_t countReceivers(pbsgpu::AllocItemsOp items,
                              const KernelInfo &info) {
  llvm::SmallDenseMap<Region *, int64_t> receivers;
  for (Operation *user : items->getUsers()) {
    if (!isa<pbsgpu::ReceiveOp>(user))
      continue;
    auto [roles, role] = pbsgpu::RolesOp::findRole(user->getParentRegion());
    Region *region = roles ? &roles.getBodies()[role] : nullptr;
    receivers[region] = info.ofOneThread.contains(region)
                            ? 1
                            : pbsgpu::RolesOp::countWarps(user);
  }
  int64_t warps = 0;
  for (auto &entry : receivers)
    warps += entry.second;
  return warps;
}

KernelInfo layOutSharedMemory(pbsgpu::KernelOp kernel) {
  // Of a lane's copy, an access of 16 bytes is the widest.
  constexpr int64_t alignment = 16;
  KernelInfo info;
  info.warps = kernel.getWarps();
  auto reserve = [&](int64_t bytes, int64_t multiple) {
    int64_t offset = llvm::alignTo(info.sharedBytes, multiple);
    info.sharedBytes = offset + llvm::alignTo(bytes, alignment);
    return offset;
  };
  // Tiles come first: their alignment is the largest.
  llvm::MapVector<Operation *, RingPlace> rings; // in order of their places
  kernel.walk([&](Operation *op) {
    if (auto tile = dyn_cast<pbsgpu::AllocTileOp>(op))
      info.sharedOffsets[tile] =
          reserve(tile.getType().getSizeInBytes(), tileAlignment);
    auto ring = dyn_cast<pbsgpu::AllocRingOp>(op);
    if (!ring)
      return;
    RingPlace &place = rings[ring];
    place.stages = ring.getType().getStages();
    place.filledBy = ring.getFilledBy();
    place.emptiedBy = ring.getEmptiedBy();
    place.tiles = info.sharedOffsets[ring] =
        reserve(ring.getType().getSizeInBytes(), tileAlignment);
  });
  for (auto &entry : rings)
    if (entry.second.filledBy)
      entry.second.signals =
          reserve(2 * entry.second.stages * signalBytes, signalBytes);
  kernel.walk([&](pbsgpu::RolesOp roles) {
    for (Region &role : roles.getBodies())
      if (isOfOneThread(role))
        info.ofOneThread.insert(&role);
  });
  kernel.walk([&](pbsgpu::AllocItemsOp items) {
    RingPlace &place = rings[items];
    place.stages = items.getType().getStages();
    place.filledBy = 1;
    place.emptiedBy = countReceivers(items, info);
    place.tiles = reserve(place.stages * itemBytes, itemBytes);
    place.areRequested = true;
    place.signals = reserve(3 * place.stages * signalBytes, signalBytes);
  });
  kernel.walk([&](Operation *op) {
    if (isa<pbsgpu::AcquireOp, pbsgpu::AwaitOp, pbsgpu::AwaitRequestOp,
            pbsgpu::PublishOp, pbsgpu::ReceiveOp, pbsgpu::RequestOp>(op))
      info.rings[op] = rings.lookup(op->getOperand(0).getDefiningOp());
    if (!isa<pbsgpu::AllocRingOp, pbsgpu::AllocItemsOp>(op))
      return;
    info.rings[op] = rings.lookup(op);
    if (info.rings[op].filledBy)
      info.signalled.push_back(op);
  });
  kernel.walk([&](memref::AllocaOp memory) {
    MemRefType type = memory.getType();
    int64_t bytes = type.getNumElements() *
                    llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    auto own = static_cast<int64_t>(memory.getAlignment().value_or(0));
    info.sharedOffsets[memory] = reserve(bytes, std::max(own, alignment));
  });
  WalkResult found =
      kernel.walk([](gpu::AllReduceOp) { return WalkResult::interrupt(); });
  if (found.wasInterrupted())
    info.reductionOffset =
        reserve(info.warps * static_cast<int64_t>(sizeof(int32_t)), alignment);
  return info;
}

} // namespace pbs::nvvm

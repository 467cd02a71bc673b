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
  kernel.walk([&](Operation *op) {
    if (isa<pbsgpu::AcquireOp, pbsgpu::AwaitOp>(op))
      info.rings[op] = rings.lookup(op->getOperand(0).getDefiningOp());
    auto ring = dyn_cast<pbsgpu::AllocRingOp>(op);
    if (!ring)
      return;
    info.rings[op] = rings.lookup(op);
    if (ring.hasSignals())
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

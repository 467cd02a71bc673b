// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of rings. The numbers are those of docs/spec-pbsgpu.md.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

using namespace mlir;
using namespace pbsgpu;

LogicalResult AllocRingOp::verify() {
  if (getFilledBy().has_value() != getEmptiedBy().has_value())
    return emitOpError(
        "alloc_ring_c1: has one of filled_by and emptied_by, but "
        "needs both or none");
  if (!hasSignals())
    return success();
  auto filledBy = static_cast<int64_t>(*getFilledBy());
  auto emptiedBy = static_cast<int64_t>(*getEmptiedBy());
  if (filledBy < 1 || filledBy > maxWarps * warpSize)
    return emitOpError("alloc_ring_c2: filled_by (")
           << filledBy << ") must be 1 to " << maxWarps * warpSize;
  if (emptiedBy < 1 || emptiedBy > maxWarps)
    return emitOpError("alloc_ring_c3: emptied_by (")
           << emptiedBy << ") must be 1 to " << maxWarps;
  auto kernel = dyn_cast<KernelOp>((*this)->getParentOp());
  if (!kernel || !(*this)->getBlock()->isEntryBlock())
    return emitOpError("alloc_ring_c4: a ring with signals stands in the first "
                       "block of a kernel, where its signals are made ready");
  return success();
}

/// Requires that `tile` is what a visit of `ring` gives.
static LogicalResult verifyVisit(Operation *op, StringRef constraint,
                                 RingType ring, TileType tile) {
  if (tile == ring.getTile())
    return success();
  return op->emitOpError(constraint) << ": gives " << tile << ", but a tile of "
                                     << ring << " is " << ring.getTile();
}

LogicalResult AcquireOp::verify() {
  if (failed(verifyVisit(*this, "acquire_c1", getRing().getType(), getType())))
    return failure();
  auto copies = llvm::count_if(getResult().getUsers(), [](Operation *user) {
    return isa<CopyTileOp>(user);
  });
  if (copies == 1 && getResult().hasOneUse())
    return success();
  return emitOpError("acquire_c2: the tile is used ")
         << llvm::range_size(getResult().getUses())
         << " times, but must be used once, by a pbsgpu.copy_tile into it";
}

LogicalResult AwaitOp::verify() {
  return verifyVisit(*this, "await_c1", getRing().getType(), getType());
}

AwaitOp ReleaseOp::getAwait() { return getTile().getDefiningOp<AwaitOp>(); }

LogicalResult ReleaseOp::verify() {
  if (!getAwait())
    return emitOpError("release_c1: the tile is not what a pbsgpu.await gives");
  for (Operation *user : getTile().getUsers())
    if (user != *this && isa<ReleaseOp>(user) &&
        user->getBlock() == (*this)->getBlock())
      return emitOpError("release_c2: the tile is released twice");
  return success();
}

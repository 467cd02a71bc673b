// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of rings. The constraints that the diagnostics cite are those of
// docs/spec-pbsgpu.md.

#include "Rings.h"

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

static std::pair<RolesOp, unsigned> findRole(Operation *op) {
  return RolesOp::findRole(op->getParentRegion());
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
  if (copies != 1 || !getResult().hasOneUse())
    return emitOpError("acquire_c2: the tile is used ")
           << llvm::range_size(getResult().getUses())
           << " times, but must be used once, by a pbsgpu.copy_tile into it";
  if (findRole(*this) != findRole(*getResult().user_begin()))
    return emitOpError("acquire_c3: another role copies into the tile than "
                       "the one that acquires it");
  return success();
}

LogicalResult AwaitOp::verify() {
  return verifyVisit(*this, "await_c1", getRing().getType(), getType());
}

AwaitOp ReleaseOp::getAwait() { return getTile().getDefiningOp<AwaitOp>(); }

LogicalResult ReleaseOp::verify() {
  if (!getAwait())
    return emitOpError("release_c1: the tile is not what a pbsgpu.await gives");
  if (findRole(*this) != findRole(getAwait()))
    return emitOpError("release_c3: another role awaits the tile than the one "
                       "that releases it");
  for (Operation *user : getTile().getUsers()) {
    Operation *sibling = (*this)->getBlock()->findAncestorOpInBlock(*user);
    if (user == *this || !sibling)
      continue;
    if (isa<ReleaseOp>(user))
      return emitOpError("release_c2: the tile is released twice");
    if ((*this)->isBeforeInBlock(sibling))
      return emitOpError("release_c4: the tile is read after it is released");
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Rings of kernels and key loops
//===----------------------------------------------------------------------===//

/// Requires that each copy into a tile of `ring` arrives as often as it waits
/// for.
static LogicalResult verifyArrivals(AllocRingOp ring, AcquireOp acquire) {
  auto copy = cast<CopyTileOp>(*acquire->user_begin());
  bool isRequest = isa<TensorMapType>(copy.getSource().getType());
  int64_t arrivals = isRequest ? 1 : RolesOp::countWarps(acquire) * warpSize;
  if (arrivals == static_cast<int64_t>(*ring.getFilledBy()))
    return success();
  return acquire.emitOpError("alloc_ring_c5: the copy arrives ")
         << arrivals << " times at the ring, but it is filled_by "
         << *ring.getFilledBy();
}

/// Requires that the warps which release tiles of `ring` are those it waits
/// for, and that its tiles are filled, read and released at all.
static LogicalResult verifySignals(AllocRingOp ring) {
  llvm::SmallDenseMap<std::pair<Operation *, unsigned>, int64_t> releasing;
  AwaitOp unreleased;
  bool isAcquired = false, isAwaited = false;
  for (Operation *user : ring->getUsers()) {
    if (auto acquire = dyn_cast<AcquireOp>(user)) {
      isAcquired = true;
      if (failed(verifyArrivals(ring, acquire)))
        return failure();
    }
    auto await = dyn_cast<AwaitOp>(user);
    if (!await)
      continue;
    isAwaited = true;
    if (llvm::any_of(await->getUsers(), llvm::IsaPred<ReleaseOp>)) {
      auto [roles, role] = findRole(await);
      releasing[{roles, role}] = RolesOp::countWarps(await);
    } else {
      unreleased = await;
    }
  }
  if (isAcquired != isAwaited)
    return ring.emitOpError("alloc_ring_c8: tiles of the ring are ")
           << (isAcquired ? "filled, but never awaited"
                          : "awaited, but never filled");
  if (releasing.empty())
    return success();
  if (unreleased)
    return unreleased.emitOpError("alloc_ring_c7: the tile is not released, "
                                  "but other tiles of the ring are");
  int64_t emptied = 0;
  for (auto &entry : releasing)
    emptied += entry.second;
  if (emptied == static_cast<int64_t>(*ring.getEmptiedBy()))
    return success();
  return ring.emitOpError("alloc_ring_c6: ")
         << emptied << " warps release the ring's tiles, but it is "
         << "emptied_by " << *ring.getEmptiedBy();
}

LogicalResult pbsgpu::verifyRingUses(KernelOp kernel) {
  WalkResult walk = kernel.getBody().walk([](Operation *op) {
    if (!isa<AcquireOp, AwaitOp>(op) ||
        op->getOperand(0).getDefiningOp<AllocRingOp>())
      return WalkResult::advance();
    op->emitOpError("kernel_c4: the ring is not what a pbsgpu.alloc_ring "
                    "gives");
    return WalkResult::interrupt();
  });
  if (walk.wasInterrupted())
    return failure();
  for (auto ring : kernel.getBody().getOps<AllocRingOp>())
    if (ring.hasSignals() && failed(verifySignals(ring)))
      return failure();
  return success();
}

LogicalResult pbsgpu::verifyLoadedRings(KeyLoopOp loop) {
  auto ahead = static_cast<int64_t>(loop.getAhead());
  std::optional<bool> haveSignals;
  for (auto acquire : loop.getLoad().getOps<AcquireOp>()) {
    auto ring = acquire.getRing().getDefiningOp<AllocRingOp>();
    if (!ring)
      return acquire.emitOpError("key_loop_c9: the ring is not allocated by "
                                 "pbsgpu.alloc_ring");
    if (haveSignals.value_or(ring.hasSignals()) != ring.hasSignals())
      return acquire.emitOpError("key_loop_c10: some rings of the loop have "
                                 "signals and others have none");
    haveSignals = ring.hasSignals();
    bool isAwaited = llvm::any_of(ring->getUsers(), [&](Operation *user) {
      return isa<AwaitOp>(user) && loop->isProperAncestor(user);
    });
    if (isAwaited && ring.getType().getStages() <= ahead)
      return acquire.emitOpError("key_loop_c11: the loop loads ")
             << ahead << " visits ahead, but " << ring.getType()
             << " has no tile left for that";
  }
  return success();
}

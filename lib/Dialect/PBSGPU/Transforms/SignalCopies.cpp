// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rings tell when their tiles are full and empty.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUSIGNALCOPIES
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

static remark::RemarkOpts describe(KeyLoopOp loop, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-signal-copies")
      .function(loop->getParentOfType<KernelOp>().getSymName());
}

/// Says why `loop` stays as it is.
static LogicalResult decline(KeyLoopOp loop, StringRef reason) {
  remark::missed(loop.getLoc(), describe(loop, "NotSignalled"))
      << remark::reason("{0}", reason);
  return failure();
}

namespace {
/// What signals instead of being waited for by the loop.
struct SignalledCopies {
  /// Those that the region `load` fills.
  SmallVector<AllocRingOp> rings;
  /// Those that are filled once, before the loop.
  SmallVector<CopyTileOp> once;
};
} // namespace

/// The rings that `loop` loads, each used by this loop alone.
static LogicalResult findRings(KeyLoopOp loop, SignalledCopies &found) {
  for (AcquireOp acquire : loop.getLoad().getOps<AcquireOp>()) {
    auto ring = acquire.getRing().getDefiningOp<AllocRingOp>();
    if (ring.hasSignals())
      return decline(loop, "its rings have signals already");
    if (!isa<KernelOp>(ring->getParentOp()) ||
        !ring->getBlock()->isEntryBlock())
      return decline(loop, "a ring is not allocated in the kernel's first "
                           "block");
    for (Operation *user : ring->getUsers()) {
      if (!loop->isProperAncestor(user))
        return decline(loop, "a ring is used outside of the loop");
      auto await = dyn_cast<AwaitOp>(user);
      if (await && llvm::none_of(await->getUsers(), llvm::IsaPred<ReleaseOp>))
        return decline(loop, "a tile is not released");
    }
    found.rings.push_back(ring);
  }
  return success();
}

/// The copies before `loop` whose tiles only the loop waits for.
static LogicalResult findCopiesBefore(KeyLoopOp loop, SignalledCopies &found) {
  Block *block = loop->getBlock();
  for (Operation &op : llvm::make_range(block->begin(), loop->getIterator())) {
    if (isa<CommitCopiesOp>(op))
      return decline(loop, "the kernel groups its copies itself");
    if (isa<AwaitCopiesOp>(op))
      found.once.clear();
    auto copy = dyn_cast<CopyTileOp>(op);
    if (copy && copy.getTile().getDefiningOp<AllocTileOp>())
      found.once.push_back(copy);
  }
  for (CopyTileOp copy : found.once) {
    Operation *alloc = copy.getTile().getDefiningOp();
    if (!isa<KernelOp>(alloc->getParentOp()) ||
        !alloc->getBlock()->isEntryBlock())
      return decline(loop, "a tile is not allocated in the kernel's first "
                           "block");
    for (Operation *user : copy.getTile().getUsers()) {
      Operation *ancestor = block->findAncestorOpInBlock(*user);
      if (user != copy && (!ancestor || ancestor->isBeforeInBlock(loop)))
        return decline(loop, "a tile is used before the loop that waits for "
                             "it");
    }
  }
  return success();
}

/// Moves `await` to the first use of its tile, and its release behind the last.
static void narrow(AwaitOp await) {
  Block *block = await->getBlock();
  Operation *first = nullptr, *last = nullptr;
  SmallVector<Operation *> releases;
  for (Operation *user : await->getUsers()) {
    if (isa<ReleaseOp>(user)) {
      releases.push_back(user);
      continue;
    }
    Operation *use = block->findAncestorOpInBlock(*user);
    if (!first || use->isBeforeInBlock(first))
      first = use;
    if (!last || last->isBeforeInBlock(use))
      last = use;
  }
  if (!first || releases.size() != 1 || releases.front()->getBlock() != block)
    return;
  await->moveBefore(first);
  releases.front()->moveAfter(last);
}

/// Makes the tile of `copy` a ring of one, which is awaited before `loop`.
static void signal(CopyTileOp copy, KeyLoopOp loop, int64_t warps) {
  auto alloc = copy.getTile().getDefiningOp<AllocTileOp>();
  ImplicitLocOpBuilder builder(alloc.getLoc(), alloc);
  auto ring = AllocRingOp::create(
      builder,
      RingType::get(builder.getContext(), alloc.getType(), /*stages=*/1),
      builder.getI64IntegerAttr(warps * warpSize),
      builder.getI64IntegerAttr(warps));
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  builder.setInsertionPoint(copy);
  Value empty = AcquireOp::create(builder, alloc.getType(), ring, zero);
  copy.getTileMutable().assign(empty);
  builder.setInsertionPoint(loop);
  Value full = AwaitOp::create(builder, alloc.getType(), ring, zero);
  alloc.getResult().replaceAllUsesWith(full);
  alloc.erase();
}

namespace {
struct SignalCopies : pbsgpu::impl::PBSGPUSignalCopiesBase<SignalCopies> {
  void runOnOperation() override {
    FailureOr<pbs::Chip> chip = pbs::getChip(getOperation());
    if (failed(chip))
      return signalPassFailure();
    SmallVector<KeyLoopOp> loops;
    getOperation().walk([&](KeyLoopOp loop) {
      if (loop.getAhead() > 0)
        loops.push_back(loop);
    });
    for (KeyLoopOp loop : loops)
      (void)signalLoop(loop, *chip);
  }

private:
  LogicalResult signalLoop(KeyLoopOp loop, const pbs::Chip &chip) {
    if (ScheduleAttr::isOff(loop->getParentOfType<KernelOp>(), "signal-copies"))
      return decline(loop, "the schedule turns the pass off");
    if (!chip.hasSignals())
      return decline(loop, "the chip does not wait for signals");
    SignalledCopies found;
    if (failed(findRings(loop, found)) || failed(findCopiesBefore(loop, found)))
      return failure();

    int64_t warps = RolesOp::countWarps(loop);
    for (AllocRingOp ring : found.rings) {
      ring.setFilledBy(warps * warpSize);
      ring.setEmptiedBy(warps);
      for (Operation *user : ring->getUsers())
        if (auto await = dyn_cast<AwaitOp>(user))
          narrow(await);
        else // nobody waits for a tile before the copies that come first
          user->moveBefore(*user->user_begin());
    }
    for (CopyTileOp copy : found.once)
      signal(copy, loop, warps);
    remark::passed(loop.getLoc(), describe(loop, "Signalled"))
        << remark::metric("Rings", found.rings.size())
        << remark::metric("FilledOnce", found.once.size());
    return success();
  }
};
} // namespace

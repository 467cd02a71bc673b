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

/// Requires that nothing of `loop` copies or waits but what its region `load`
/// copies into rings.
static LogicalResult checkCopies(KeyLoopOp loop) {
  WalkResult walk = loop.walk([&](Operation *op) -> WalkResult {
    if (isa<CommitCopiesOp, AwaitCopiesOp>(op))
      return decline(loop, "the loop waits for copies itself");
    auto copy = dyn_cast<CopyTileOp>(op);
    if (copy && (op->getParentRegion() != &loop.getLoad() ||
                 !copy.getTile().getDefiningOp<AcquireOp>()))
      return decline(loop, "the loop does not copy ahead into rings alone");
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

/// Requires that each visit of `loop`, and nothing else, fills a tile of `ring`
/// once and reads it once.
static LogicalResult checkVisits(AllocRingOp ring, KeyLoopOp loop) {
  llvm::SmallPtrSet<Block *, 4> blocks;
  for (Operation *user : ring->getUsers()) {
    if (!loop->isProperAncestor(user))
      return decline(loop, "a ring is used outside of the loop");
    Block *block = user->getBlock();
    bool isLoad = block->getParent() == &loop.getLoad();
    if (block->getParentOp() != loop || isa<AcquireOp>(user) != isLoad ||
        user->getOperand(1) != block->getArgument(1) ||
        !blocks.insert(block).second)
      return decline(loop, "a visit does not fill and read one tile of each "
                           "ring, its own");
    auto isRelease = [&](Operation *op) {
      return isa<ReleaseOp>(op) && op->getBlock() == block;
    };
    if (!isLoad && llvm::none_of(user->getUsers(), isRelease))
      return decline(loop, "a tile is not released");
  }
  if (blocks.size() != loop.getBodies().size() + 1)
    return decline(loop, "a body does not read the tile of each ring");
  return success();
}

/// The rings that `loop` loads.
static LogicalResult findRings(KeyLoopOp loop, SignalledCopies &found) {
  if (failed(checkCopies(loop)))
    return failure();
  for (AcquireOp acquire : loop.getLoad().getOps<AcquireOp>()) {
    auto ring = acquire.getRing().getDefiningOp<AllocRingOp>();
    if (ring.hasSignals())
      return decline(loop, "its rings have signals already");
    if (failed(checkVisits(ring, loop)))
      return failure();
    found.rings.push_back(ring);
  }
  if (found.rings.empty())
    return decline(loop, "the loop does not copy ahead into rings alone");
  return success();
}

/// The copies before `loop` whose tiles only the loop waits for.
static LogicalResult findCopiesBefore(KeyLoopOp loop, SignalledCopies &found) {
  Block *block = loop->getBlock();
  auto isAwait = [](Operation &op) {
    auto await = dyn_cast<AwaitCopiesOp>(op);
    return await && await.getPending() == 0;
  };
  auto fillsTile = [](Operation *op) {
    auto copy = dyn_cast<CopyTileOp>(op);
    return copy && copy.getTile().getDefiningOp<AllocTileOp>();
  };
  for (Operation &op : llvm::make_range(block->begin(), loop->getIterator())) {
    WalkResult walk = op.walk([&](Operation *nested) -> WalkResult {
      if (isa<CommitCopiesOp>(nested))
        return decline(loop, "the kernel groups its copies itself");
      if (nested != &op && fillsTile(nested) &&
          llvm::none_of(llvm::make_range(nested->getIterator(),
                                         nested->getBlock()->end()),
                        isAwait))
        return decline(loop, "a copy before the loop stands inside another "
                             "operation");
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return failure();
    if (isAwait(op))
      found.once.clear();
    if (fillsTile(&op))
      found.once.push_back(cast<CopyTileOp>(op));
  }
  for (CopyTileOp copy : found.once)
    for (Operation *user : copy.getTile().getUsers()) {
      Operation *ancestor = block->findAncestorOpInBlock(*user);
      if (user != copy && (!ancestor || ancestor->isBeforeInBlock(loop)))
        return decline(loop, "a tile is used before the loop that waits for "
                             "it");
    }
  return success();
}

/// Requires that no tile of before the end of `loop` is filled after it: no
/// barrier would stand between.
static LogicalResult checkCopiesAfter(KeyLoopOp loop) {
  auto isUntil = [&](Operation *op) {
    Operation *ancestor = loop->getBlock()->findAncestorOpInBlock(*op);
    return ancestor && !loop->isBeforeInBlock(ancestor);
  };
  WalkResult walk =
      loop->getParentOp()->walk([&](CopyTileOp copy) -> WalkResult {
        if (!isUntil(copy) && copy.getTile().getDefiningOp<AllocTileOp>() &&
            llvm::any_of(copy.getTile().getUsers(), isUntil))
          return decline(loop, "a tile is filled again after the loop");
        return WalkResult::advance();
      });
  return failure(walk.wasInterrupted());
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
    if (!isa<KernelOp>(loop->getParentOp()) ||
        !loop->getBlock()->isEntryBlock())
      return decline(loop, "the loop does not stand in the kernel's first "
                           "block");
    SignalledCopies found;
    if (failed(findRings(loop, found)) ||
        failed(findCopiesBefore(loop, found)) || failed(checkCopiesAfter(loop)))
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

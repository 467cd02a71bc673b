// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Key loops copy tiles ahead of the visit that needs them.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUDOUBLEBUFFER
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

namespace {
/// What a body does to have its tiles.
struct BodyCopies {
  SmallVector<CopyTileOp> copies;
  AwaitCopiesOp await;
  /// The barrier at the end, after which tiles may be overwritten.
  gpu::BarrierOp barrier;
  /// The copies and what they are computed from, in order.
  SmallVector<Operation *> slice;
};
} // namespace

static remark::RemarkOpts describe(KeyLoopOp loop, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-double-buffer")
      .function(loop->getParentOfType<KernelOp>().getSymName());
}

/// Says why `loop` stays as it is.
static LogicalResult decline(KeyLoopOp loop, StringRef reason) {
  remark::missed(loop.getLoc(), describe(loop, "NotBuffered"))
      << remark::reason("{0}", reason);
  return failure();
}

/// Adds `op` to the slice after the operations of `body` that it needs. Fails
/// where it needs more than the key's place and values from outside.
static LogicalResult addToSlice(KeyLoopOp loop, Block &body, Operation *op,
                                SetVector<Operation *> &slice) {
  if (slice.contains(op))
    return success();
  for (Value operand : op->getOperands()) {
    if (auto argument = dyn_cast<BlockArgument>(operand)) {
      if (argument.getOwner() == &body && argument.getArgNumber() > 1)
        return decline(loop, "a copy depends on carried values");
      continue;
    }
    Operation *source = operand.getDefiningOp();
    if (source->getBlock() != &body)
      continue;
    if (!isPure(source) || source->getNumRegions() != 0)
      return decline(loop, "what a copy depends on cannot run ahead");
    if (failed(addToSlice(loop, body, source, slice)))
      return failure();
  }
  slice.insert(op);
  return success();
}

/// Finds copies, wait and barrier of `body`, which must stand in this order.
static FailureOr<BodyCopies> findCopies(KeyLoopOp loop, Block &body) {
  BodyCopies found;
  WalkResult nested = body.walk([&](Operation *op) {
    if (op->getBlock() == &body ||
        !isa<CopyTileOp, CommitCopiesOp, AwaitCopiesOp, gpu::BarrierOp>(op))
      return WalkResult::advance();
    return WalkResult::interrupt();
  });
  if (nested.wasInterrupted())
    return decline(loop, "a body copies or waits inside another operation");
  SetVector<Operation *> slice;
  for (Operation &op : body) {
    if (isa<CommitCopiesOp>(op))
      return decline(loop, "a body groups its copies itself");
    if (auto copy = dyn_cast<CopyTileOp>(op)) {
      if (found.await)
        return decline(loop, "a body copies after its wait");
      if (failed(addToSlice(loop, body, copy, slice)))
        return failure();
      found.copies.push_back(copy);
    } else if (auto await = dyn_cast<AwaitCopiesOp>(op)) {
      if (found.await || await.getPending() != 0)
        return decline(loop, "a body waits otherwise than once for all");
      found.await = await;
    }
  }
  if (found.copies.empty() || !found.await)
    return decline(loop, "a body does not copy and then wait");
  Operation *last = body.getTerminator()->getPrevNode();
  found.barrier = dyn_cast<gpu::BarrierOp>(last);
  if (!found.barrier)
    return decline(loop, "a body does not end with a barrier");
  found.slice = slice.takeVector();
  return found;
}

/// Whether both bodies copy the same.
static bool areEquivalent(Block &a, ArrayRef<Operation *> aSlice, Block &b,
                          ArrayRef<Operation *> bSlice) {
  if (aSlice.size() != bSlice.size())
    return false;
  DenseMap<Value, Value> counterparts;
  for (unsigned i = 0; i < 2; ++i)
    counterparts[a.getArgument(i)] = b.getArgument(i);
  for (auto [aOp, bOp] : llvm::zip_equal(aSlice, bSlice)) {
    bool same = OperationEquivalence::isEquivalentTo(
        aOp, bOp,
        [&](Value x, Value y) {
          auto counterpart = counterparts.find(x);
          return success(
              (counterpart == counterparts.end() ? x : counterpart->second) ==
              y);
        },
        [&](Value x, Value y) { counterparts[x] = y; },
        OperationEquivalence::IgnoreLocations);
    if (!same)
      return false;
  }
  return true;
}

/// Requires that `user` of a tile stands in a body, after the wait unless it
/// is one of the copies.
static LogicalResult verifyTileUse(KeyLoopOp loop, ArrayRef<BodyCopies> bodies,
                                   Operation *user) {
  for (auto pair : llvm::zip_equal(loop.getBodies(), bodies)) {
    Region &region = std::get<0>(pair);
    BodyCopies body = std::get<1>(pair);
    Operation *ancestor = region.findAncestorOpInRegion(*user);
    if (!ancestor)
      continue;
    if (body.await->isBeforeInBlock(ancestor) ||
        llvm::is_contained(body.copies, user))
      return success();
    return decline(loop, "a tile is used before the wait");
  }
  return decline(loop, "a tile is used outside of the loop");
}

/// The tiles that the copies fill, each allocated outside and used only inside
/// of the loop, after the wait.
static FailureOr<SetVector<Value>> findTiles(KeyLoopOp loop,
                                             ArrayRef<BodyCopies> bodies) {
  SetVector<Value> tiles;
  for (CopyTileOp copy : bodies.front().copies) {
    Value tile = copy.getTile();
    auto alloc = tile.getDefiningOp<AllocTileOp>();
    if (!alloc || loop->isAncestor(alloc))
      return decline(loop, "a tile is not allocated outside of the loop");
    tiles.insert(tile);
  }
  for (Value tile : tiles)
    for (Operation *user : tile.getUsers())
      if (failed(verifyTileUse(loop, bodies, user)))
        return failure();
  return tiles;
}

namespace {
struct DoubleBuffer : pbsgpu::impl::PBSGPUDoubleBufferBase<DoubleBuffer> {
  using PBSGPUDoubleBufferBase::PBSGPUDoubleBufferBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (stages >= 0)
      return success();
    return emitError(UnknownLoc::get(context), "pbsgpu-double-buffer: stages (")
           << stages.getValue() << ") must be at least 1, or 0";
  }

  void runOnOperation() override {
    getOperation()->walk([&](KernelOp kernel) { runOnKernel(kernel); });
  }

private:
  void runOnKernel(KernelOp kernel) {
    ringStages = stages ? stages.getValue() : getStages(kernel);
    if (ringStages == 1)
      return;
    bool isOff = ScheduleAttr::isOff(kernel, "double-buffer");
    SmallVector<KeyLoopOp> loops;
    kernel.walk([&](KeyLoopOp loop) {
      if (loop.getAhead() == 0)
        loops.push_back(loop);
    });
    for (KeyLoopOp loop : loops)
      if (isOff)
        (void)decline(loop, "the schedule turns the pass off");
      else
        buffer(loop);
  }

  /// What the kernel's schedule says, if it has one.
  static int64_t getStages(KernelOp kernel) {
    auto schedule =
        kernel->getAttrOfType<ScheduleAttr>(ScheduleAttr::getAttrName());
    return schedule ? schedule.getStages() : 2;
  }

  void buffer(KeyLoopOp loop);
  Value makeRing(Value tile);

  /// Those of the kernel that is worked on.
  int64_t ringStages = 0;
};
} // namespace

/// Replaces the allocation of `tile` by that of a ring. The tile stays until
/// its uses are replaced.
Value DoubleBuffer::makeRing(Value tile) {
  auto type = cast<TileType>(tile.getType());
  OpBuilder builder(tile.getDefiningOp());
  return AllocRingOp::create(builder, tile.getLoc(),
                             RingType::get(type.getContext(), type, ringStages),
                             /*filledBy=*/IntegerAttr(),
                             /*emptiedBy=*/IntegerAttr());
}

void DoubleBuffer::buffer(KeyLoopOp loop) {
  if (!loop.walksList()) {
    (void)decline(loop,
                  "the loop tests every block, so the next one to copy is "
                  "not known");
    return;
  }
  SmallVector<BodyCopies> bodies;
  for (Region &region : loop.getBodies()) {
    FailureOr<BodyCopies> found = findCopies(loop, region.front());
    if (failed(found))
      return;
    bodies.push_back(*found);
  }
  Block &whole = loop.getBodies()[0].front();
  Block &last = loop.getBodies().back().front();
  if (!areEquivalent(whole, bodies.front().slice, last, bodies.back().slice)) {
    (void)decline(loop, "the bodies do not copy the same");
    return;
  }
  FailureOr<SetVector<Value>> found = findTiles(loop, bodies);
  if (failed(found))
    return;
  SmallVector<Value> tiles = found->takeVector();

  // The load region: tiles of the rings, then the copies into them.
  ImplicitLocOpBuilder builder(loop.getLoc(), loop);
  Block *load = builder.createBlock(
      &loop.getLoad(), {}, {builder.getIndexType(), builder.getIndexType()},
      {loop.getLoc(), loop.getLoc()});
  IRMapping mapping;
  mapping.map(whole.getArguments().take_front(2), load->getArguments());
  SmallVector<Value> rings;
  for (Value tile : tiles) {
    rings.push_back(makeRing(tile));
    mapping.map(tile, AcquireOp::create(builder, tile.getType(), rings.back(),
                                        load->getArgument(1)));
  }
  for (Operation *op : bodies.front().slice)
    builder.clone(*op, mapping);
  YieldOp::create(builder, ValueRange{});

  for (auto pair : llvm::zip_equal(loop.getBodies(), bodies)) {
    Region &region = std::get<0>(pair);
    BodyCopies &body = std::get<1>(pair);
    for (Operation *op : llvm::reverse(body.slice))
      if (isa<CopyTileOp>(op) || op->use_empty())
        op->erase();
    body.await.erase();
    body.barrier.erase();
    for (auto [tile, ring] : llvm::zip_equal(tiles, rings)) {
      builder.setInsertionPointToStart(&region.front());
      Value full = AwaitOp::create(builder, tile.getType(), ring,
                                   region.front().getArgument(1));
      tile.replaceUsesWithIf(full, [&](OpOperand &use) {
        return region.isAncestor(use.getOwner()->getParentRegion());
      });
      builder.setInsertionPoint(region.front().getTerminator());
      ReleaseOp::create(builder, full);
    }
  }
  for (Value tile : tiles)
    tile.getDefiningOp()->erase();
  loop.setAhead(ringStages - 1);
  remark::passed(loop.getLoc(), describe(loop, "Buffered"))
      << remark::metric("Stages", ringStages)
      << remark::metric("TilesRinged", tiles.size())
      << remark::metric("CopiesHoisted", bodies.front().copies.size());
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Key loops become scf loops.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPULOWERKEYLOOP
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

namespace {

class KeyLoopLowering {
public:
  explicit KeyLoopLowering(KeyLoopOp loop)
      : loop(loop), b(loop.getLoc(), loop),
        tilesPerBlock(loop.getKeyBlock() / loop.getKeyTile()),
        ahead(static_cast<int64_t>(loop.getAhead())),
        hasSignals(loadsIntoSignals(loop)) {
    zero = index(0);
    one = index(1);
  }

  void lower() {
    // Loaded beside the counts, so that nothing waits twice: the place is there
    // even if the list is empty.
    if (ahead > 0)
      firstKey = findKey(zero);
    capacity = b.createOrFold<memref::DimOp>(loop.getIndices(), 3);
    whole = loadCount(0, capacity);
    masked = loadCount(1, arith::SubIOp::create(b, capacity, whole));
    SmallVector<Value> results(loop.getWalk() == Walk::List ? lowerList()
                                                            : lowerTest());
    results.push_back(loop.getNext().use_empty() ? zero : number(tiles));
    loop->replaceAllUsesWith(results);
    loop.erase();
  }

private:
  ValueRange lowerList();
  ValueRange lowerTest();
  void load(Value tile, Value key);
  ValueRange walkTiles(Region &body, Value from, Value to, ValueRange initial);

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value scaleBy(Value x, int64_t factor) {
    return factor == 1 ? x : arith::MulIOp::create(b, x, index(factor));
  }
  Value isBelow(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  }

  /// How many blocks the whole (0) or the masked (1) list has. Nobody may have
  /// checked a count in device memory: places end with the list in any case.
  Value loadCount(int64_t part, Value most) {
    Value count =
        memref::LoadOp::create(b, loop.getCounts(),
                               ValueRange{loop.getBatch(), loop.getHead(),
                                          loop.getQueryBlock(), index(part)});
    count = arith::IndexCastOp::create(b, b.getIndexType(), count);
    return arith::MinSIOp::create(b, arith::MaxSIOp::create(b, count, zero),
                                  most);
  }

  /// The key block that stands at `place` of the list.
  Value loadBlock(Value place) {
    Value block =
        memref::LoadOp::create(b, loop.getIndices(),
                               ValueRange{loop.getBatch(), loop.getHead(),
                                          loop.getQueryBlock(), place});
    return arith::IndexCastUIOp::create(b, b.getIndexType(), block);
  }

  /// The first key of the list's tile number `tile`.
  Value findKey(Value tile) {
    if (tilesPerBlock == 1)
      return scaleBy(loadBlock(tile), loop.getKeyBlock());
    Value count = index(tilesPerBlock);
    Value block = loadBlock(arith::DivUIOp::create(b, tile, count));
    Value inBlock = arith::RemUIOp::create(b, tile, count);
    return add(scaleBy(block, loop.getKeyBlock()),
               scaleBy(inBlock, loop.getKeyTile()));
  }

  /// The number of the visit of the list's tile number `tile`.
  Value number(Value tile) {
    return b.createOrFold<arith::AddIOp>(tile, loop.getFrom());
  }

  /// Whether the copies that run ahead fill rings that say when they are full.
  static bool loadsIntoSignals(KeyLoopOp loop) {
    auto acquires = loop.getLoad().getOps<AcquireOp>();
    return !acquires.empty() && (*acquires.begin())
                                    .getRing()
                                    .getDefiningOp<AllocRingOp>()
                                    .hasSignals();
  }

  /// Clones `region` with these arguments; returns what it yields.
  SmallVector<Value> inlineRegion(Region &region, ValueRange arguments) {
    IRMapping mapping;
    Block &block = region.front();
    mapping.map(block.getArguments(), arguments);
    for (Operation &op : block.without_terminator())
      b.clone(op, mapping);
    SmallVector<Value> yielded;
    for (Value value : block.getTerminator()->getOperands())
      yielded.push_back(mapping.lookupOrDefault(value));
    return yielded;
  }

  KeyLoopOp loop;
  ImplicitLocOpBuilder b;
  int64_t tilesPerBlock, ahead;
  /// Whether rings tell when copies have arrived; the loop waits itself if not.
  bool hasSignals;
  Value zero, one;
  /// The key of the list's first tile, whether or not the list has one.
  Value firstKey;
  /// Places in a row of `indices`, lengths of the two lists, tiles of both.
  Value capacity, whole, masked, tiles;
};

} // namespace

//===----------------------------------------------------------------------===//
// walk = list
//===----------------------------------------------------------------------===//

ValueRange KeyLoopLowering::lowerList() {
  Value wholeTiles = scaleBy(whole, tilesPerBlock);
  tiles = scaleBy(add(whole, masked), tilesPerBlock);
  for (int64_t tile = 0; tile < ahead; ++tile)
    load(index(tile), tile == 0 ? firstKey : Value());
  ValueRange state =
      walkTiles(loop.getBodies()[0], zero, wholeTiles, loop.getInitial());
  return walkTiles(loop.getBodies()[1], wholeTiles, tiles, state);
}

/// Begins the copies of tile number `tile`, if there is one. Without signals
/// the group is made in any case: the wait counts groups.
void KeyLoopLowering::load(Value tile, Value key) {
  // An empty list holds 65535 there, a block beyond all keys, of which copies
  // by threads read nothing. A branch would cost more than it spares.
  if (key && !hasSignals) {
    inlineRegion(loop.getLoad(), {key, number(tile)});
    CommitCopiesOp::create(b);
    return;
  }
  auto guard = scf::IfOp::create(b, isBelow(tile, tiles),
                                 /*withElseRegion=*/false);
  {
    OpBuilder::InsertionGuard insertion(b);
    b.setInsertionPoint(guard.thenYield());
    inlineRegion(loop.getLoad(), {key ? key : findKey(tile), number(tile)});
  }
  if (!hasSignals)
    CommitCopiesOp::create(b);
}

ValueRange KeyLoopLowering::walkTiles(Region &body, Value from, Value to,
                                      ValueRange initial) {
  auto walk = scf::ForOp::create(b, from, to, one, initial);
  OpBuilder::InsertionGuard insertion(b);
  b.setInsertionPointToStart(walk.getBody());
  Value tile = walk.getInductionVar();
  // Before the copies: after them, ptxas spills a register of some kernels.
  SmallVector<Value> arguments = {findKey(tile), number(tile)};
  llvm::append_range(arguments, walk.getRegionIterArgs());
  if (ahead > 0) {
    load(add(tile, index(ahead)), {});
    if (!hasSignals)
      AwaitCopiesOp::create(b, ahead);
  }
  SmallVector<Value> yielded = inlineRegion(body, arguments);
  // The next visit overwrites these tiles.
  if (ahead > 0 && !hasSignals) {
    if (RolesOp::findRole(loop->getParentRegion()).first)
      RoleBarrierOp::create(b);
    else
      gpu::BarrierOp::create(b);
  }
  if (!initial.empty())
    scf::YieldOp::create(b, yielded);
  return walk.getResults();
}

//===----------------------------------------------------------------------===//
// walk = test
//===----------------------------------------------------------------------===//

/// Both lists ascend, so a block is listed if it stands at one of two cursors.
ValueRange KeyLoopLowering::lowerTest() {
  if (!loop.getNext().use_empty())
    tiles = scaleBy(add(whole, masked), tilesPerBlock);
  Value last = arith::SubIOp::create(b, capacity, one);
  SmallVector<Value> initial = {zero, zero};
  llvm::append_range(initial, loop.getInitial());
  auto walk = scf::ForOp::create(b, zero, loop.getKeyBlocks(), one, initial);
  OpBuilder::InsertionGuard insertion(b);
  b.setInsertionPointToStart(walk.getBody());
  Value block = walk.getInductionVar();
  Value wholeCursor = walk.getRegionIterArg(0);
  Value maskedCursor = walk.getRegionIterArg(1);
  ValueRange carried = walk.getRegionIterArgs().drop_front(2);

  // A cursor past its list still reads an element, and disregards it.
  auto standsAt = [&](Value cursor, Value count, Value first) -> Value {
    Value place =
        arith::MinUIOp::create(b, first ? add(first, cursor) : cursor, last);
    Value isSame = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                         loadBlock(place), block);
    return arith::AndIOp::create(b, isBelow(cursor, count), isSame);
  };
  Value isWhole = standsAt(wholeCursor, whole, {});
  Value isMasked = standsAt(maskedCursor, masked, whole);
  auto advance = [&](Value cursor, Value isHere) {
    return add(cursor,
               arith::IndexCastUIOp::create(b, b.getIndexType(), isHere));
  };
  SmallVector<Value> next = {advance(wholeCursor, isWhole),
                             advance(maskedCursor, isMasked)};

  Value isListed = arith::OrIOp::create(b, isWhole, isMasked);
  auto visit = scf::IfOp::create(b, carried.getTypes(), isListed,
                                 /*withElseRegion=*/!carried.empty());
  if (!carried.empty()) {
    b.setInsertionPointToStart(visit.elseBlock());
    scf::YieldOp::create(b, carried);
    b.setInsertionPointToStart(visit.thenBlock());
  } else {
    b.setInsertionPoint(visit.thenYield());
  }
  Value firstOfBlock = scaleBy(block, loop.getKeyBlock());
  auto visitTiles =
      scf::ForOp::create(b, zero, index(tilesPerBlock), one, carried);
  if (!carried.empty())
    scf::YieldOp::create(b, visitTiles.getResults());

  b.setInsertionPointToStart(visitTiles.getBody());
  Value inBlock = scaleBy(visitTiles.getInductionVar(), loop.getKeyTile());
  // Blocks before this one stand before the cursors.
  Value visitNumber = zero;
  if (!loop.getBodies().front().getArgument(1).use_empty())
    visitNumber =
        number(add(scaleBy(add(wholeCursor, maskedCursor), tilesPerBlock),
                   visitTiles.getInductionVar()));
  SmallVector<Value> arguments = {add(firstOfBlock, inBlock), visitNumber,
                                  isMasked};
  llvm::append_range(arguments, visitTiles.getRegionIterArgs());
  SmallVector<Value> yielded =
      inlineRegion(loop.getBodies().front(), arguments);
  if (!carried.empty())
    scf::YieldOp::create(b, yielded);

  b.setInsertionPointToEnd(walk.getBody());
  llvm::append_range(next, visit.getResults());
  scf::YieldOp::create(b, next);
  return walk.getResults().drop_front(2);
}

namespace {
struct LowerKeyLoop : pbsgpu::impl::PBSGPULowerKeyLoopBase<LowerKeyLoop> {
  void runOnOperation() override {
    getOperation()->walk([&](KernelOp kernel) { runOnKernel(kernel); });
  }

private:
  void runOnKernel(KernelOp kernel) {
    // Inner loops first.
    SmallVector<KeyLoopOp> loops;
    kernel.walk([&](KeyLoopOp loop) { loops.push_back(loop); });
    for (KeyLoopOp loop : loops) {
      remark::passed(loop.getLoc(), remark::RemarkOpts::name("KeyLoopLowered")
                                        .category(getArgument())
                                        .function(kernel.getSymName()))
          << remark::metric("Walk", stringifyWalk(loop.getWalk()))
          << remark::metric("Ahead", loop.getAhead())
          << remark::metric("TilesPerBlock",
                            loop.getKeyBlock() / loop.getKeyTile());
      KeyLoopLowering(loop).lower();
    }
  }
};
} // namespace

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

#include "ListLengths.h"
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
        hasSignals(loadsIntoSignals(loop)),
        fromEnd(loop.getWalk() == Walk::ListFromEnd) {
    zero = index(0);
    one = index(1);
  }

  void lower() {
    // Loaded beside the counts, so that nothing waits twice: the place is there
    // even if the list is empty.
    if (ahead > 0 && !fromEnd)
      firstKey = findKey(zero);
    if (loop.getLengths().empty()) {
      capacity = b.createOrFold<memref::DimOp>(loop.getIndices(), 3);
      std::tie(whole, masked) = loadListLengths(
          b, loop.getCounts(),
          {loop.getBatch(), loop.getHead(), loop.getQueryBlock()}, capacity);
    } else {
      whole = loop.getLengths()[0];
      masked = loop.getLengths()[1];
    }
    SmallVector<Value> results(loop.walksList() ? lowerList() : lowerTest());
    results.push_back(loop.getNext().use_empty() ? zero : number(tiles));
    loop->replaceAllUsesWith(results);
    loop.erase();
  }

private:
  ValueRange lowerList();
  ValueRange lowerTest();
  void load(Value tile, Value key);
  SmallVector<Value>
  visit(Value tile, llvm::function_ref<SmallVector<Value>(Value key)> body);
  ValueRange walkTiles(Region &body, Value from, Value to, ValueRange initial);
  ValueRange lowerOneBody();
  ValueRange lowerDeferred();
  SmallVector<Value> inlineDeferring(Region &region, Value key, Value tile,
                                     ValueRange state, bool isFirst);
  Value multiplyLast(LastProduct last, Value tile, Value a, Value accumulator);

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value scaleBy(Value x, int64_t factor) {
    return factor == 1 ? x : arith::MulIOp::create(b, x, index(factor));
  }
  Value isSame(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
  }
  Value isBelow(Value x, Value y) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  }

  /// The key block that stands at `place` of the list.
  Value loadBlock(Value place) {
    Value block =
        memref::LoadOp::create(b, loop.getIndices(),
                               ValueRange{loop.getBatch(), loop.getHead(),
                                          loop.getQueryBlock(), place});
    return arith::IndexCastUIOp::create(b, b.getIndexType(), block);
  }

  Value subtract(Value x, Value y) { return arith::SubIOp::create(b, x, y); }

  /// The first key of the tile that is number `tile` on the walk.
  Value findKey(Value tile) {
    if (tile == zero && loop.getLengths().size() > 2)
      return findKeyInBlock(loop.getLengths()[2],
                            index(fromEnd ? tilesPerBlock - 1 : 0));
    if (fromEnd)
      tile = subtract(subtract(tiles, one), tile);
    if (tilesPerBlock == 1)
      return scaleBy(loadBlock(tile), loop.getKeyBlock());
    Value count = index(tilesPerBlock);
    Value block = loadBlock(arith::DivUIOp::create(b, tile, count));
    return findKeyInBlock(block, arith::RemUIOp::create(b, tile, count));
  }

  Value findKeyInBlock(Value block, Value tile) {
    Value first = scaleBy(block, loop.getKeyBlock());
    return tilesPerBlock == 1 ? first
                              : add(first, scaleBy(tile, loop.getKeyTile()));
  }

  /// The number of the visit of the walk's tile number `tile`. Numbers are
  /// computed with 32 bits, as the loops count: ptxas keeps what follows from
  /// them in uniform registers, which have no more.
  Value number(Value tile) {
    Value sum =
        b.createOrFold<arith::AddIOp>(toI32(tile), toI32(loop.getFrom()));
    return arith::IndexCastOp::create(b, b.getIndexType(), sum);
  }
  Value toI32(Value x) {
    return b.createOrFold<arith::IndexCastOp>(b.getI32Type(), x);
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

  /// Runs the region where `condition` holds.
  void runIf(Value condition, Region &region) {
    auto guard = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard insertion(b);
    b.setInsertionPoint(guard.thenYield());
    inlineRegion(region, {});
  }

  KeyLoopOp loop;
  ImplicitLocOpBuilder b;
  int64_t tilesPerBlock, ahead;
  /// Whether rings tell when copies have arrived; the loop waits itself if not.
  bool hasSignals;
  bool fromEnd;
  Value zero, one;
  /// The key of the walk's first tile, whether or not the list has one.
  Value firstKey;
  /// Places in a row of `indices`, lengths of the two lists, tiles of both.
  Value capacity, whole, masked, tiles;
  /// The tile before which the region `near_end` runs, if there is one.
  Value trigger;
};

} // namespace

//===----------------------------------------------------------------------===//
// walk = list
//===----------------------------------------------------------------------===//

ValueRange KeyLoopLowering::lowerList() {
  tiles = scaleBy(add(whole, masked), tilesPerBlock);
  for (int64_t tile = 0; tile < ahead; ++tile)
    load(index(tile), tile == 0 ? firstKey : Value());
  MutableArrayRef<Region> bodies = loop.getBodies();
  if (loop.getDeferred())
    return lowerDeferred();
  if (bodies.size() == 1)
    return lowerOneBody();
  Value firstTiles = scaleBy(fromEnd ? masked : whole, tilesPerBlock);
  ValueRange state =
      walkTiles(bodies[fromEnd], zero, firstTiles, loop.getInitial());
  return walkTiles(bodies[!fromEnd], firstTiles, tiles, state);
}

/// One body for all blocks, and the region `near_end` before one of the last
/// visits: in a branch, since copies of the body would fill the instruction
/// cache.
ValueRange KeyLoopLowering::lowerOneBody() {
  Region &body = loop.getBodies().front();
  if (!loop.getNearEnd())
    return walkTiles(body, zero, tiles, loop.getInitial());
  Value left = index(static_cast<int64_t>(*loop.getNearEnd()));
  trigger = subtract(tiles, arith::MinUIOp::create(b, tiles, left));
  ValueRange state = walkTiles(body, zero, tiles, loop.getInitial());
  runIf(isSame(tiles, zero), loop.getAtNearEnd());
  return state;
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

/// What a visit does besides its body.
SmallVector<Value>
KeyLoopLowering::visit(Value tile,
                       llvm::function_ref<SmallVector<Value>(Value key)> body) {
  // Before the copies: after them, ptxas spills a register of some kernels.
  Value key = findKey(tile);
  if (trigger)
    runIf(isSame(tile, trigger), loop.getAtNearEnd());
  if (ahead > 0) {
    load(add(tile, index(ahead)), {});
    if (!hasSignals)
      AwaitCopiesOp::create(b, ahead);
  }
  SmallVector<Value> yielded = body(key);
  // The next visit overwrites these tiles.
  if (ahead > 0 && !hasSignals) {
    if (RolesOp::findRole(loop->getParentRegion()).first)
      RoleBarrierOp::create(b);
    else
      gpu::BarrierOp::create(b);
  }
  return yielded;
}

ValueRange KeyLoopLowering::walkTiles(Region &body, Value from, Value to,
                                      ValueRange initial) {
  Value step = arith::ConstantIntOp::create(b, 1, 32);
  auto walk = scf::ForOp::create(b, toI32(from), toI32(to), step, initial);
  OpBuilder::InsertionGuard insertion(b);
  b.setInsertionPointToStart(walk.getBody());
  Value tile =
      arith::IndexCastOp::create(b, b.getIndexType(), walk.getInductionVar());
  ValueRange state = walk.getRegionIterArgs();
  SmallVector<Value> yielded = visit(tile, [&](Value key) {
    if (loop.getDeferred())
      return inlineDeferring(body, key, tile, state, /*isFirst=*/false);
    SmallVector<Value> arguments = {key, number(tile)};
    llvm::append_range(arguments, state);
    return inlineRegion(body, arguments);
  });
  if (!initial.empty())
    scf::YieldOp::create(b, yielded);
  return walk.getResults();
}

//===----------------------------------------------------------------------===//
// Deferred products
//===----------------------------------------------------------------------===//

/// The first visit, loops over the others, and the last product behind them.
/// What they carry: the last product's A and accumulator, then the loop's
/// values but the one that the product makes.
ValueRange KeyLoopLowering::lowerDeferred() {
  MutableArrayRef<Region> bodies = loop.getBodies();
  auto visits =
      scf::IfOp::create(b, loop.getInitial().getTypes(), isBelow(zero, tiles),
                        /*withElseRegion=*/true);
  OpBuilder::InsertionGuard insertion(b);
  b.setInsertionPointToStart(visits.elseBlock());
  scf::YieldOp::create(b, loop.getInitial());

  b.setInsertionPointToStart(visits.thenBlock());
  // Its masks are right for every block.
  Region &masked = bodies.back();
  SmallVector<Value> state = visit(zero, [&](Value key) {
    return inlineDeferring(masked, key, zero, loop.getInitial(),
                           /*isFirst=*/true);
  });
  Value begin = one;
  if (bodies.size() == 2) {
    Value firstTiles = scaleBy(fromEnd ? this->masked : whole, tilesPerBlock);
    state = walkTiles(bodies[fromEnd], one, firstTiles, state);
    begin = arith::MaxUIOp::create(b, one, firstTiles);
  }
  state = walkTiles(fromEnd ? bodies.front() : masked, begin, tiles, state);

  StringRef reason;
  LastProduct last = *findLastProduct(loop, masked, reason);
  SmallVector<Value> results(ArrayRef(state).drop_front(2));
  results.insert(results.begin() + last.carried,
                 multiplyLast(last, subtract(tiles, one), state[0], state[1]));
  scf::YieldOp::create(b, results);
  return visits.getResults();
}

/// Clones a body without its last product. Behind its first one stands the last
/// one of the visit before, unless there is none. `state` is what the loop
/// carries, or its initial values.
SmallVector<Value> KeyLoopLowering::inlineDeferring(Region &region, Value key,
                                                    Value tile,
                                                    ValueRange state,
                                                    bool isFirst) {
  StringRef reason;
  LastProduct last = *findLastProduct(loop, region, reason);
  Block &block = region.front();
  Block::BlockArgListType carried = loop.getCarried(region);
  IRMapping mapping;
  mapping.map(block.getArgument(0), key);
  mapping.map(block.getArgument(1), number(tile));
  ValueRange values = isFirst ? state : state.drop_front(2);
  for (auto [i, argument] : llvm::enumerate(carried)) {
    if (!isFirst && i == last.carried)
      continue;
    mapping.map(argument, values.front());
    values = values.drop_front();
  }
  for (Operation &op : block.without_terminator()) {
    if (last.holds(&op))
      continue;
    b.clone(op, mapping);
    if (!isFirst && &op == last.first)
      mapping.map(carried[last.carried],
                  multiplyLast(last, subtract(tile, one), state[0], state[1]));
  }
  SmallVector<Value> next = {
      mapping.lookupOrDefault(last.product.getA()),
      isFirst ? loop.getInitial()[last.carried]
              : mapping.lookupOrDefault(last.product.getAccumulator())};
  for (auto [i, value] : llvm::enumerate(block.back().getOperands()))
    if (i != last.carried)
      next.push_back(mapping.lookupOrDefault(value));
  return next;
}

/// The last product of the visit of `tile`.
Value KeyLoopLowering::multiplyLast(LastProduct last, Value tile, Value a,
                                    Value accumulator) {
  IRMapping mapping;
  mapping.map(last.await.getVisit(), number(tile));
  mapping.map(last.product.getA(), a);
  mapping.map(last.product.getAccumulator(), accumulator);
  b.clone(*last.await, mapping);
  Value product = b.clone(*last.product, mapping)->getResult(0);
  if (last.release)
    b.clone(*last.release, mapping);
  return product;
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
    return arith::AndIOp::create(b, isBelow(cursor, count),
                                 isSame(loadBlock(place), block));
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CTAs stay on their multiprocessor and compute one block after the other.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

#include "ListLengths.h"
#include "PersistLaunch.h"
#include "PersistRoles.h"
#include "pbs/Dialect/PBSGPU/IR/Launches.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUPERSIST
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

/// Visits of a CTA's key loop that are left when the next item is asked for:
/// early enough that it is known when the last tile has been copied, late
/// enough that no CTA holds an item while others have none.
constexpr int64_t visitsAtRequest = 3;

/// Work items of which a description is under way: the one that is computed,
/// and the next.
constexpr int64_t itemStages = 2;

/// An item's numbers of whole and of masked blocks share an i32: the masked
/// ones stand from this bit on.
constexpr int64_t bitsOfLength = 16;

namespace {
/// The roles of the kernel that is made, in order.
enum NewRole : unsigned { producerRole, schedulerRole, consumerRole };

/// Rewrites a kernel, whose launches hand over `grid`.
class KernelPersistence {
public:
  KernelPersistence(KernelOp kernel, TwoRoles &found, const BlockGrid &grid)
      : kernel(kernel), found(found), grid(grid), roles(found.roles) {}

  void rewrite(int64_t stagesOfOnce);

private:
  /// Where a block stands in the grid.
  struct Place {
    Value x, y, z;
  };

  Place findPlace(ImplicitLocOpBuilder &b, Value x, Value row);
  IRMapping hideParameters(ImplicitLocOpBuilder &b);
  IRMapping clonePlaced(OpBuilder &builder, Place place,
                        IRMapping mapping = IRMapping());
  Value publish(ImplicitLocOpBuilder &b, Value item, Value items, Value number);
  Value buildLoop(Block &role, Value items, bool hides);
  void buildScheduler(Block &role, Value items);
  void addScheduler();

  KernelOp kernel;
  TwoRoles &found;
  const BlockGrid &grid;
  /// Those that the kernel has now.
  RolesOp roles;
};
} // namespace

static Value toIndex(ImplicitLocOpBuilder &b, Value value) {
  return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
}

static Value toI32(ImplicitLocOpBuilder &b, Value value) {
  return arith::IndexCastOp::create(b, b.getI32Type(), value);
}

static Value createI32(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

/// The place of the block in column `x` and row `row` of the grid, i32 both.
KernelPersistence::Place KernelPersistence::findPlace(ImplicitLocOpBuilder &b,
                                                      Value x, Value row) {
  return {toIndex(b, x), toIndex(b, arith::RemUIOp::create(b, row, grid.y)),
          toIndex(b, arith::DivUIOp::create(b, row, grid.y))};
}

/// The kernel's parameters, opaque: what is computed from them for each item
/// would otherwise be computed once and fill registers beside the products.
IRMapping KernelPersistence::hideParameters(ImplicitLocOpBuilder &b) {
  IRMapping mapping;
  for (BlockArgument parameter : kernel.getArguments())
    if (isa<IndexType, MemRefType>(parameter.getType()))
      mapping.map(parameter,
                  OpaqueOp::create(b, parameter.getType(), parameter));
  return mapping;
}

/// Clones what depends on the place of a block and on parameters, which
/// `mapping` may give others for.
IRMapping KernelPersistence::clonePlaced(OpBuilder &builder, Place place,
                                         IRMapping mapping) {
  for (Operation *op : found.placed) {
    auto id = dyn_cast<gpu::BlockIdOp>(op);
    if (!id) {
      builder.clone(*op, mapping);
      continue;
    }
    Value values[] = {place.x, place.y, place.z};
    mapping.map(id.getResult(),
                values[static_cast<unsigned>(id.getDimension())]);
  }
  return mapping;
}

/// Describes the block `item` of the grid as the CTA's item number `number`,
/// and returns whether there is such a block. The description: its column, or
/// -1 where there is none, and its row in the grid, the lengths of its lists,
/// and the key block that it visits first. Blocks are numbered row by row
/// first, and column by column in the last rows, which are taken in turn.
Value KernelPersistence::publish(ImplicitLocOpBuilder &b, Value item,
                                 Value items, Value number) {
  auto isBelow = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  };
  Value isItem = isBelow(item, arith::MulIOp::create(b, grid.x, grid.rows));
  // Behind the last one the first one's lists are read, and not used.
  Value known = arith::SelectOp::create(b, isItem, item, createI32(b, 0));
  Value rowsBefore = arith::SubIOp::create(b, grid.rows, grid.rowsInTurn);
  Value before = arith::MulIOp::create(b, rowsBefore, grid.x);
  Value isBefore = isBelow(known, before);
  Value behind = arith::SubIOp::create(b, known, before);
  // One division for both: those of 32 bits are long.
  Value divisor = arith::SelectOp::create(b, isBefore, grid.x, grid.rowsInTurn);
  Value dividend = arith::SelectOp::create(b, isBefore, known, behind);
  Value quotient = arith::DivUIOp::create(b, dividend, divisor);
  Value rest = arith::SubIOp::create(
      b, dividend, arith::MulIOp::create(b, quotient, divisor));
  Value x = arith::SelectOp::create(b, isBefore, rest, quotient);
  Value row = arith::SelectOp::create(
      b, isBefore, quotient, arith::AddIOp::create(b, rowsBefore, rest));

  IRMapping mapping = clonePlaced(b, findPlace(b, x, row));
  SmallVector<Value> list;
  for (Value value : found.list)
    list.push_back(mapping.lookupOrDefault(value));
  Value indices = mapping.lookupOrDefault(found.indices);
  Value capacity = b.createOrFold<memref::DimOp>(indices, 3);
  Value whole, masked;
  std::tie(whole, masked) =
      loadListLengths(b, mapping.lookupOrDefault(found.counts), list, capacity);
  // Known at once, since a CTA would wait for it at its first mask.
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value visited = zero;
  if (found.copying.getWalk() == Walk::ListFromEnd)
    visited = arith::SubIOp::create(
        b,
        arith::MaxUIOp::create(b, arith::AddIOp::create(b, whole, masked), one),
        one);
  list.push_back(visited);
  // It is there, even of an empty list: extents are at least 1.
  Value firstBlock = memref::LoadOp::create(b, indices, list);
  firstBlock = arith::ExtUIOp::create(b, b.getI32Type(), firstBlock);
  // Both fit: 16 bits name the blocks of a row.
  Value lengths = arith::OrIOp::create(
      b, toI32(b, whole),
      arith::ShLIOp::create(b, toI32(b, masked), createI32(b, bitsOfLength)));
  Value column = arith::SelectOp::create(b, isItem, x, createI32(b, -1));
  PublishOp::create(b, items, number,
                    ValueRange{column, row, lengths, firstBlock});
  return isItem;
}

/// Puts what stands in `role` into a loop over items; returns the number of the
/// item there, which the loop carries with the number of the next visit of the
/// rings. Both have 32 bits, as loops over keys count. With `hides` the
/// kernel's parameters are opaque there.
Value KernelPersistence::buildLoop(Block &role, Value items, bool hides) {
  SmallVector<Operation *> body;
  for (Operation &op : role.without_terminator())
    body.push_back(&op);
  Operation *end = role.getTerminator();
  ImplicitLocOpBuilder b(end->getLoc(), end);
  Value zero = createI32(b, 0);
  SmallVector<Type> types(6, b.getI32Type());
  SmallVector<Location> locations(types.size(), b.getLoc());
  auto loop = scf::WhileOp::create(b, types, ValueRange{zero, zero});

  Block *before =
      b.createBlock(&loop.getBefore(), {}, ArrayRef(types).take_front(2),
                    ArrayRef(locations).take_front(2));
  SmallVector<Value> handed(before->getArguments());
  auto received = ReceiveOp::create(b, types[0], types[0], types[0], types[0],
                                    items, toIndex(b, handed[0]));
  Value isItem = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                       received.getFirst(), createI32(b, 0));
  llvm::append_range(handed, received.getResults());
  scf::ConditionOp::create(b, isItem, handed);

  Block *after = b.createBlock(&loop.getAfter(), {}, types, locations);
  Value number = after->getArgument(0), visit = after->getArgument(1);
  Value column = after->getArgument(2), row = after->getArgument(3);
  Value packed = after->getArgument(4), firstBlock = after->getArgument(5);
  Value numberIndex = toIndex(b, number), visitIndex = toIndex(b, visit);
  Place place = findPlace(b, column, row);
  IRMapping mapping =
      clonePlaced(b, place, hides ? hideParameters(b) : IRMapping());
  Value whole = arith::AndIOp::create(
      b, packed, createI32(b, (int64_t(1) << bitsOfLength) - 1));
  Value masked = arith::ShRUIOp::create(b, packed, createI32(b, bitsOfLength));
  SmallVector<Value> lengths = {toIndex(b, whole), toIndex(b, masked),
                                toIndex(b, firstBlock)};
  Value nextNumber = arith::AddIOp::create(b, number, createI32(b, 1));
  Value nextVisit;
  for (Operation *op : body) {
    op->moveBefore(after, after->end());
    op->walk([&](Operation *nested) {
      for (OpOperand &operand : nested->getOpOperands())
        operand.set(mapping.lookupOrDefault(operand.get()));
    });
    // Those of rings that are filled once for each item.
    if (isa<AcquireOp, AwaitOp>(op))
      op->setOperand(1, numberIndex);
    auto keys = dyn_cast<KeyLoopOp>(op);
    if (!keys)
      continue;
    keys.getFromMutable().assign(visitIndex);
    keys.getLengthsMutable().assign(lengths);
    nextVisit = keys.getNext();
  }
  scf::YieldOp::create(b, ValueRange{nextNumber, toI32(b, nextVisit)});
  return number;
}

/// The first item is the CTA's own number, the others are claimed when they are
/// asked for. The item behind the last one ends all loops.
void KernelPersistence::buildScheduler(Block &role, Value items) {
  ImplicitLocOpBuilder b(kernel.getLoc(), role.getTerminator());
  Type i32 = b.getI32Type();
  Value own = toI32(b, gpu::BlockIdOp::create(b, gpu::Dimension::x));
  Value ctas = toI32(b, gpu::GridDimOp::create(b, gpu::Dimension::x));
  auto loop =
      scf::WhileOp::create(b, TypeRange{i32}, ValueRange{own, createI32(b, 0)});
  Block *before = b.createBlock(&loop.getBefore(), {}, {i32, i32},
                                {b.getLoc(), b.getLoc()});
  Value item = before->getArgument(0), number = before->getArgument(1);
  Value isItem = publish(b, item, items, toIndex(b, number));
  scf::ConditionOp::create(b, isItem, number);

  Block *after = b.createBlock(&loop.getAfter(), {}, {i32}, {b.getLoc()});
  Value next = arith::AddIOp::create(b, after->getArgument(0), createI32(b, 1));
  AwaitRequestOp::create(b, items, toIndex(b, next));
  Value claimed = ClaimOp::create(b, i32, grid.counter);
  scf::YieldOp::create(
      b, ValueRange{arith::AddIOp::create(b, claimed, ctas), next});
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// Adds a role that takes items.
void KernelPersistence::addScheduler() {
  kernel.setWarps(llvm::sum_of(found.warps));
  ImplicitLocOpBuilder b(roles.getLoc(), roles);
  auto split = RolesOp::create(
      b, b.getStrArrayAttr({"producer", "scheduler", "consumer"}),
      b.getDenseI64ArrayAttr(found.warps),
      b.getDenseI64ArrayAttr(found.registers),
      /*bodiesCount=*/3);
  split.getBodies()[producerRole].takeBody(roles.getBodies()[0]);
  split.getBodies()[consumerRole].takeBody(roles.getBodies()[1]);
  b.createBlock(&split.getBodies()[schedulerRole]);
  EndRoleOp::create(b);
  split->setDiscardableAttrs(roles->getDiscardableAttrDictionary());
  roles.erase();
  roles = split;
}

/// Releases a tile behind its last use, if it is not released.
static void release(AwaitOp await) {
  Operation *last = await;
  for (Operation *user : await->getUsers()) {
    if (isa<ReleaseOp>(user))
      return;
    Operation *use = await->getBlock()->findAncestorOpInBlock(*user);
    if (last->isBeforeInBlock(use))
      last = use;
  }
  OpBuilder builder(await.getContext());
  builder.setInsertionPointAfter(last);
  ReleaseOp::create(builder, await.getLoc(), await);
}

void KernelPersistence::rewrite(int64_t stagesOfOnce) {
  ImplicitLocOpBuilder b(kernel.getLoc(), roles);
  auto items = AllocItemsOp::create(
      b, ItemRingType::get(kernel.getContext(), itemStages));
  // Who waits for the tile of a block now waits for it to be read, too.
  auto consumers = RolesOp::countWarps(found.computing);
  for (AllocRingOp ring : found.once) {
    ring.getResult().setType(RingType::get(
        kernel.getContext(), ring.getType().getTile(), stagesOfOnce));
    ring.setEmptiedBy(consumers);
    for (AwaitOp await : found.computing->getBlock()->getOps<AwaitOp>())
      if (await.getRing() == ring)
        release(await);
  }

  addScheduler();
  MutableArrayRef<Region> bodies = roles.getBodies();
  Value copied =
      buildLoop(bodies[producerRole].front(), items, /*hides=*/false);
  buildLoop(bodies[consumerRole].front(), items, /*hides=*/true);

  // The producer asks for the next item near the end of one.
  found.copying.setNearEnd(visitsAtRequest);
  b.createBlock(&found.copying.getAtNearEnd());
  Value next = arith::AddIOp::create(b, copied, createI32(b, 1));
  RequestOp::create(b, items, toIndex(b, next));
  YieldOp::create(b, ValueRange());
  buildScheduler(bodies[schedulerRole].front(), items);

  for (Operation *op : llvm::reverse(found.placed))
    op->erase();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {
struct Persist : pbsgpu::impl::PBSGPUPersistBase<Persist> {
  void runOnOperation() override {
    FailureOr<pbs::Chip> chip = pbs::getChip(getOperation());
    if (failed(chip))
      return signalPassFailure();
    llvm::MapVector<Operation *, SmallVector<LaunchOp>> launches =
        findLaunches(getOperation());
    getOperation().walk([&](KernelOp kernel) {
      bool hasSignals =
          llvm::any_of(kernel.getBody().getOps<AllocRingOp>(),
                       [](AllocRingOp ring) { return ring.hasSignals(); });
      if (hasSignals)
        (void)persist(kernel, launches.lookup(kernel), *chip);
    });
  }

private:
  LogicalResult persist(KernelOp kernel, ArrayRef<LaunchOp> launches,
                        const pbs::Chip &chip) {
    FailureOr<TwoRoles> found = findRoles(kernel);
    if (failed(found))
      return failure();
    // With two, the next block's tile is there when it begins.
    int64_t stages = 2;
    if (countBytes(kernel, *found, stages) > chip.sharedBytes)
      stages = 1;
    BlockGrid grid = addGrid(kernel, launches);
    KernelPersistence(kernel, *found, grid).rewrite(stages);
    auto remark =
        remark::passed(kernel.getLoc(), remark::RemarkOpts::name("Persistent")
                                            .category(getArgument())
                                            .function(kernel.getSymName()));
    if (!found->once.empty())
      remark << remark::metric("BlockTiles", stages);
    return success();
  }
};
} // namespace

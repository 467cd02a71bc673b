// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CTAs stay on their multiprocessor and compute one block after the other.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

#include "ListLengths.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
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

/// Of the kernel that is made. The scheduler needs few registers.
enum Role : unsigned { producerRole, schedulerRole, consumerRole };
constexpr int64_t registersOfScheduler = 32;

/// The blocks of the last rows of the grid are taken in turn, longest first, so
/// that all CTAs end together: as many rows as give this many blocks for each
/// multiprocessor.
constexpr int64_t blocksTakenInTurn = 3;

/// Work items of which a description is under way: the one that is computed,
/// and the next.
constexpr int64_t itemStages = 2;

/// Where the number of masked blocks stands beside that of whole ones.
constexpr int64_t bitsOfLength = 16;

static remark::RemarkOpts describe(KernelOp kernel, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-persist")
      .function(kernel.getSymName());
}

/// Says why `kernel` stays as it is.
static LogicalResult decline(KernelOp kernel, StringRef reason) {
  remark::missed(kernel.getLoc(), describe(kernel, "NotPersistent"))
      << remark::reason("{0}", reason);
  return failure();
}

namespace {
/// A kernel whose first role copies what the second one computes with.
struct TwoRoles {
  RolesOp roles;
  KeyLoopOp copying, computing;
  /// The lists that both walk, and which of them is a block's: batch, head and
  /// query block.
  Value counts, indices;
  SmallVector<Value> list;
  /// Rings of which a CTA fills one tile for each of its blocks.
  SmallVector<AllocRingOp> once;
  /// What stands before the roles and depends on the CTA's place in the grid.
  SmallVector<Operation *> placed;
};

/// Rewrites one kernel and its launches.
class KernelPersistence {
public:
  KernelPersistence(KernelOp kernel, ArrayRef<LaunchOp> launches,
                    TwoRoles &found)
      : kernel(kernel), launches(launches), found(found) {}

  void rewrite(int64_t stagesOfOnce);

private:
  /// Where a block stands in the grid.
  struct Place {
    Value x, y, z;
  };

  void addParameters();
  void rewriteLaunch(LaunchOp launch);
  Value addExtent(StringRef name, ArrayRef<Value> extents);
  scf::WhileOp buildLoop(Block &role, Value items);
  IRMapping clonePlaced(OpBuilder &builder, Place place);
  Place findPlace(ImplicitLocOpBuilder &b, Value x, Value row);
  Value publish(ImplicitLocOpBuilder &b, Value item, Value items, Value place);
  void addScheduler();
  void buildScheduler(Block &role, Value items);
  Value toIndex(ImplicitLocOpBuilder &b, Value value) {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), value);
  }
  Value toI32(ImplicitLocOpBuilder &b, Value value) {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  }

  KernelOp kernel;
  ArrayRef<LaunchOp> launches;
  TwoRoles &found;
  /// The next item, the grid as i32 (z is not needed alone), and how many of
  /// its last rows are taken in turn.
  Value counter, gridX, gridY, rows, inTurn;
};
} // namespace

//===----------------------------------------------------------------------===//
// Which kernels
//===----------------------------------------------------------------------===//

/// The one key loop of a role, at its top.
static KeyLoopOp findLoop(Region &role) {
  if (!role.hasOneBlock())
    return {};
  SmallVector<KeyLoopOp> loops;
  role.walk([&](KeyLoopOp loop) { loops.push_back(loop); });
  return loops.size() == 1 && loops.front()->getParentRegion() == &role
             ? loops.front()
             : KeyLoopOp();
}

/// Whether the first role copies through tensor maps alone.
static bool isCopiedByOneThread(RolesOp roles) {
  bool isOneThread = true;
  roles.getBodies()[0].walk([&](CopyTileOp copy) {
    isOneThread &= isa<TensorMapType>(copy.getSource().getType());
  });
  return isOneThread;
}

/// Requires that all a CTA does for its block stands in the roles, which know
/// the block by what is computed before them.
static LogicalResult checkOutside(KernelOp kernel, RolesOp roles) {
  if (!kernel.getBody().hasOneBlock())
    return decline(kernel, "its control flow is not structured");
  for (Operation &op : kernel.getBody().front().without_terminator())
    if (&op != roles && !isa<AllocRingOp, AllocTileOp>(op) &&
        (op.getNumRegions() != 0 || !isMemoryEffectFree(&op)))
      return decline(kernel, "it does more outside of its roles than compute");
  WalkResult walk = kernel.getBody().walk([&](Operation *op) -> WalkResult {
    if (isa<gpu::ThreadIdOp>(op))
      return decline(kernel, "it tells its threads apart");
    if (isa<gpu::GridDimOp>(op))
      return decline(kernel, "it depends on the size of its grid");
    if (isa<gpu::BlockIdOp>(op) && op->getParentOp() != kernel)
      return decline(kernel, "a role asks for its place in the grid");
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

/// Requires that the first role copies what the second one reads, and that
/// there are warps for a third one.
static LogicalResult checkRoles(KernelOp kernel, RolesOp roles) {
  auto has = [](Region &role, auto isSuch) {
    return role
        .walk([&](Operation *op) {
          return isSuch(op) ? WalkResult::interrupt() : WalkResult::advance();
        })
        .wasInterrupted();
  };
  if (roles.getBodies().size() != 2 ||
      !has(roles.getBodies()[0], llvm::IsaPred<CopyTileOp>) ||
      has(roles.getBodies()[0], llvm::IsaPred<AwaitOp>) ||
      has(roles.getBodies()[1], llvm::IsaPred<AcquireOp>))
    return decline(kernel, "it has other roles than one that copies and one "
                           "that computes");
  if (roles.getWarps()[0] % warpsOfGroup != 0)
    return decline(kernel, "the warps that copy are not groups of four");
  if (!isCopiedByOneThread(roles) &&
      static_cast<int64_t>(kernel.getWarps()) + warpsOfGroup > maxWarps)
    return decline(kernel, "no warps are left for another role");
  return success();
}

/// Whether `ring` is filled and read once for each visit of the roles' loops,
/// or else (`once`) once for each block.
static bool isFilledInTurn(AllocRingOp ring, bool &once) {
  once = !llvm::any_of(ring->getUsers(), [](Operation *user) {
    return isa<KeyLoopOp>(user->getParentOp());
  });
  int64_t acquires = 0, awaits = 0;
  for (Operation *user : ring->getUsers()) {
    (isa<AcquireOp>(user) ? acquires : awaits) += 1;
    Value visit = user->getOperand(1);
    if (once ? !isa<RolesOp>(user->getParentOp()) ||
                   !matchPattern(visit, m_Zero())
             : !isa<KeyLoopOp>(user->getParentOp()) ||
                   visit != user->getBlock()->getArgument(1))
      return false;
  }
  return ring.hasSignals() && (!once || (acquires == 1 && awaits == 1));
}

static FailureOr<TwoRoles> findRoles(KernelOp kernel) {
  TwoRoles found;
  auto all = kernel.getBody().getOps<RolesOp>();
  if (all.empty())
    return decline(kernel, "all its warps do the same");
  found.roles = *all.begin();
  if (failed(checkOutside(kernel, found.roles)) ||
      failed(checkRoles(kernel, found.roles)))
    return failure();
  found.copying = findLoop(found.roles.getBodies()[0]);
  found.computing = findLoop(found.roles.getBodies()[1]);
  if (!found.copying || !found.computing)
    return decline(kernel, "a role does not have one key loop");
  auto place = [](KeyLoopOp loop) {
    return SmallVector<Value>{loop.getCounts(), loop.getIndices(),
                              loop.getBatch(), loop.getHead(),
                              loop.getQueryBlock()};
  };
  if (place(found.copying) != place(found.computing) ||
      found.copying.getWalk() != found.computing.getWalk())
    return decline(kernel, "the roles walk different lists");
  if (!found.copying.walksList())
    return decline(kernel, "its loops test every block");
  found.counts = found.copying.getCounts();
  found.indices = found.copying.getIndices();
  found.list = place(found.copying);
  found.list.erase(found.list.begin(), found.list.begin() + 2);
  if (found.copying.getBodies().size() != 1 || found.copying.getAhead() != 0)
    return decline(kernel, "the loop that copies is not one body");
  for (KeyLoopOp loop : {found.copying, found.computing})
    if (loop.getNearEnd() || !matchPattern(loop.getFrom(), m_Zero()))
      return decline(kernel, "its loops go on with rings already");
  for (AllocRingOp ring : kernel.getBody().getOps<AllocRingOp>()) {
    bool once = false;
    if (!isFilledInTurn(ring, once))
      return decline(kernel, "a ring is filled otherwise than once for each "
                             "visit or once for each block");
    if (once && !ring->use_empty())
      found.once.push_back(ring);
  }
  DenseSet<Operation *> placed;
  for (Operation &op : *found.roles->getBlock()) {
    bool dependsOnPlace = isa<gpu::BlockIdOp>(op) ||
                          llvm::any_of(op.getOperands(), [&](Value operand) {
                            return placed.contains(operand.getDefiningOp());
                          });
    if (!dependsOnPlace || &op == found.roles)
      continue;
    placed.insert(&op);
    found.placed.push_back(&op);
  }
  return found;
}

/// Bytes of the kernel's tiles, if rings filled once have `stages` of them.
static int64_t countBytes(KernelOp kernel, const TwoRoles &found,
                          int64_t stages) {
  // Signals, items and what reductions exchange.
  constexpr int64_t others = 1024;
  int64_t bytes = others;
  for (AllocRingOp ring : kernel.getBody().getOps<AllocRingOp>())
    bytes += llvm::is_contained(found.once, ring)
                 ? stages * ring.getType().getTile().getSizeInBytes()
                 : ring.getType().getSizeInBytes();
  for (AllocTileOp tile : kernel.getBody().getOps<AllocTileOp>())
    bytes += tile.getType().getSizeInBytes();
  return bytes;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// A parameter, or a constant where all launches hand over the same one.
Value KernelPersistence::addExtent(StringRef name, ArrayRef<Value> extents) {
  ImplicitLocOpBuilder b = ImplicitLocOpBuilder::atBlockBegin(
      kernel.getLoc(), &kernel.getBody().front());
  std::optional<int64_t> constant;
  bool isConstant = !extents.empty();
  for (Value extent : extents) {
    IntegerAttr value;
    if (!matchPattern(extent, m_Constant(&value)) ||
        constant.value_or(value.getInt()) != value.getInt())
      isConstant = false;
    else
      constant = value.getInt();
  }
  if (isConstant)
    return arith::ConstantIntOp::create(b, *constant, 32);
  unsigned index = kernel.getNumArguments();
  (void)kernel.insertArgument(
      index, b.getIndexType(),
      b.getDictionaryAttr(b.getNamedAttr("pbs.name", b.getStringAttr(name))),
      kernel.getLoc());
  for (auto [launch, extent] : llvm::zip_equal(launches, extents))
    LaunchOp(launch).getParametersMutable().append(extent);
  return toI32(b, kernel.getArgument(index));
}

/// A name that nothing in the plan has.
static std::string chooseName(PlanOp plan, StringRef name) {
  llvm::StringSet<> names;
  for (Operation &op : plan.getBody().front())
    if (auto named = op.getAttrOfType<StringAttr>("name"))
      names.insert(named.getValue());
  std::string result = name.str();
  for (unsigned number = 1; names.contains(result); ++number)
    result = name.str() + std::to_string(number);
  return result;
}

void KernelPersistence::addParameters() {
  SmallVector<Value> x, y, allRows, turns, counters;
  auto type = MemRefType::get({1}, IntegerType::get(kernel.getContext(), 32));
  for (LaunchOp launch : launches) {
    ImplicitLocOpBuilder b(launch.getLoc(), launch);
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, value);
    };
    Value rowsOfGrid =
        b.createOrFold<arith::MulIOp>(launch.getGridY(), launch.getGridZ());
    Value count = b.createOrFold<arith::MulIOp>(launch.getGridX(), rowsOfGrid);
    Value processors = MultiprocessorsOp::create(b, b.getIndexType());
    Value blocks =
        arith::MulIOp::create(b, processors, constant(blocksTakenInTurn));
    Value turn = arith::CeilDivSIOp::create(
        b, blocks, arith::MaxSIOp::create(b, launch.getGridX(), constant(1)));
    x.push_back(launch.getGridX());
    y.push_back(launch.getGridY());
    allRows.push_back(rowsOfGrid);
    turns.push_back(arith::MinSIOp::create(b, turn, rowsOfGrid));
    auto plan = launch->getParentOfType<PlanOp>();
    counters.push_back(BufferOp::create(
        b, type, chooseName(plan, (kernel.getSymName() + "_claimed").str()),
        ValueRange(), ArrayRef<int64_t>{1}, /*alignment=*/4));
    MemsetOp::create(b, counters.back(), /*value=*/0, launch.getGuard());
    Value ctas = arith::MinSIOp::create(b, processors, count);
    launch.getGridXMutable().assign(ctas);
    launch.getGridYMutable().assign(constant(1));
    launch.getGridZMutable().assign(constant(1));
  }
  Builder b(kernel.getContext());
  unsigned index = kernel.getNumArguments();
  (void)kernel.insertArgument(index, type,
                              b.getDictionaryAttr(b.getNamedAttr(
                                  "pbs.name", b.getStringAttr("claimed"))),
                              kernel.getLoc());
  counter = kernel.getArgument(index);
  for (auto [launch, buffer] : llvm::zip_equal(launches, counters))
    LaunchOp(launch).getParametersMutable().append(buffer);
  gridX = addExtent("grid_x", x);
  gridY = addExtent("grid_y", y);
  rows = addExtent("grid_rows", allRows);
  inTurn = addExtent("rows_in_turn", turns);
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

KernelPersistence::Place KernelPersistence::findPlace(ImplicitLocOpBuilder &b,
                                                      Value x, Value row) {
  return {toIndex(b, x), toIndex(b, arith::RemUIOp::create(b, row, gridY)),
          toIndex(b, arith::DivUIOp::create(b, row, gridY))};
}

/// Clones what depends on the place of a block.
IRMapping KernelPersistence::clonePlaced(OpBuilder &builder, Place place) {
  IRMapping mapping;
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

/// Describes item number `item`, and returns whether there is one: its place as
/// column and row of the grid, the lengths of its lists, and the block that it
/// visits first. The first rows are taken one after the other, the last ones in
/// turn.
Value KernelPersistence::publish(ImplicitLocOpBuilder &b, Value item,
                                 Value items, Value place) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, value, 32);
  };
  auto isBelow = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, y);
  };
  Value isItem = isBelow(item, arith::MulIOp::create(b, gridX, rows));
  Value known = arith::SelectOp::create(b, isItem, item, constant(0));
  Value rowsBefore = arith::SubIOp::create(b, rows, inTurn);
  Value before = arith::MulIOp::create(b, rowsBefore, gridX);
  Value isBefore = isBelow(known, before);
  Value behind = arith::SubIOp::create(b, known, before);
  // One division for both: those of 32 bits are long.
  Value divisor = arith::SelectOp::create(b, isBefore, gridX, inTurn);
  Value number = arith::SelectOp::create(b, isBefore, known, behind);
  Value quotient = arith::DivUIOp::create(b, number, divisor);
  Value rest = arith::SubIOp::create(
      b, number, arith::MulIOp::create(b, quotient, divisor));
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
  Value block = memref::LoadOp::create(b, indices, list);
  block = arith::ExtUIOp::create(b, b.getI32Type(), block);
  // A row has at most 2^14 blocks.
  Value lengths = arith::OrIOp::create(
      b, toI32(b, whole),
      arith::ShLIOp::create(b, toI32(b, masked), constant(bitsOfLength)));
  Value first = arith::SelectOp::create(b, isItem, x, constant(-1));
  PublishOp::create(b, items, place, ValueRange{first, row, lengths, block});
  return isItem;
}

/// Puts what stands in `role` into a loop over items, which carries the numbers
/// of the item and of the next visit of the rings.
scf::WhileOp KernelPersistence::buildLoop(Block &role, Value items) {
  Operation *end = role.getTerminator();
  ImplicitLocOpBuilder b(end->getLoc(), end);
  Type i32 = b.getI32Type();
  // With 32 bits, as loops over keys count.
  Value zero = arith::ConstantIntOp::create(b, 0, 32);
  SmallVector<Operation *> body;
  for (Operation &op : llvm::make_early_inc_range(role.without_terminator()))
    if (&op != zero.getDefiningOp())
      body.push_back(&op);

  SmallVector<Type> types(6, i32);
  auto loop = scf::WhileOp::create(b, types, ValueRange{zero, zero});
  SmallVector<Location> locations(types.size(), b.getLoc());
  Block *before = b.createBlock(&loop.getBefore(), {}, {i32, i32},
                                {b.getLoc(), b.getLoc()});
  auto received = ReceiveOp::create(b, i32, i32, i32, i32, items,
                                    toIndex(b, before->getArgument(0)));
  Value isItem =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sge, received.getFirst(),
                            arith::ConstantIntOp::create(b, 0, 32));
  SmallVector<Value> handed(before->getArguments());
  llvm::append_range(handed, received.getResults());
  scf::ConditionOp::create(b, isItem, handed);

  Block *after = b.createBlock(&loop.getAfter(), {}, types, locations);
  Value number = toIndex(b, after->getArgument(0));
  Value visit = toIndex(b, after->getArgument(1));
  IRMapping mapping = clonePlaced(
      b, findPlace(b, after->getArgument(2), after->getArgument(3)));
  Value packed = after->getArgument(4);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, value, 32);
  };
  Value whole = arith::AndIOp::create(
      b, packed, constant((int64_t(1) << bitsOfLength) - 1));
  Value masked = arith::ShRUIOp::create(b, packed, constant(bitsOfLength));
  SmallVector<Value> lengths = {toIndex(b, whole), toIndex(b, masked),
                                toIndex(b, after->getArgument(5))};
  Value nextNumber = arith::AddIOp::create(
      b, after->getArgument(0), arith::ConstantIntOp::create(b, 1, 32));
  Value nextVisit;
  for (Operation *op : body) {
    op->moveBefore(after, after->end());
    op->walk([&](Operation *nested) {
      for (OpOperand &operand : nested->getOpOperands())
        operand.set(mapping.lookupOrDefault(operand.get()));
    });
    if (isa<AcquireOp, AwaitOp>(op))
      op->setOperand(1, number);
    auto keys = dyn_cast<KeyLoopOp>(op);
    if (!keys)
      continue;
    keys.getFromMutable().assign(visit);
    keys.getLengthsMutable().assign(lengths);
    nextVisit = keys.getNext();
  }
  b.setInsertionPointToEnd(after);
  scf::YieldOp::create(b, ValueRange{nextNumber, toI32(b, nextVisit)});
  return loop;
}

/// Adds a role that takes items, beside the producer in its group of warps
/// where one warp copies all, and in a group of its own otherwise.
void KernelPersistence::addScheduler() {
  RolesOp roles = found.roles;
  bool isOneThread = isCopiedByOneThread(roles);
  int64_t producing = roles.getRegisters()[0];
  int64_t consumers = roles.getWarps()[1];
  int64_t producers = isOneThread ? 1 : roles.getWarps()[0];
  int64_t schedulers = isOneThread ? roles.getWarps()[0] - 1 : warpsOfGroup;
  int64_t scheduling = isOneThread ? producing : registersOfScheduler;
  int64_t consuming = RolesOp::getRegistersLeft(
      consumers, {{producers, producing}, {schedulers, scheduling}});
  if (!roles.takeRegisters())
    scheduling = consuming = 0;
  kernel.setWarps(producers + schedulers + consumers);

  ImplicitLocOpBuilder b(roles.getLoc(), roles);
  auto split = RolesOp::create(
      b, b.getStrArrayAttr({"producer", "scheduler", "consumer"}),
      b.getDenseI64ArrayAttr({producers, schedulers, consumers}),
      b.getDenseI64ArrayAttr({producing, scheduling, consuming}),
      /*bodiesCount=*/3);
  split.getBodies()[producerRole].takeBody(roles.getBodies()[0]);
  split.getBodies()[consumerRole].takeBody(roles.getBodies()[1]);
  b.createBlock(&split.getBodies()[schedulerRole]);
  EndRoleOp::create(b);
  roles.erase();
  found.roles = split;
}

/// The first item is the CTA's own number, the others are claimed when they are
/// asked for. The item behind the last one ends all loops.
void KernelPersistence::buildScheduler(Block &role, Value items) {
  ImplicitLocOpBuilder b(kernel.getLoc(), role.getTerminator());
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, value, 32);
  };
  Type i32 = b.getI32Type();
  Value own = toI32(b, gpu::BlockIdOp::create(b, gpu::Dimension::x));
  Value ctas = toI32(b, gpu::GridDimOp::create(b, gpu::Dimension::x));
  auto loop =
      scf::WhileOp::create(b, TypeRange{i32}, ValueRange{own, constant(0)});
  Block *before = b.createBlock(&loop.getBefore(), {}, {i32, i32},
                                {b.getLoc(), b.getLoc()});
  Value number = before->getArgument(1);
  Value isItem = publish(b, before->getArgument(0), items, toIndex(b, number));
  scf::ConditionOp::create(b, isItem, number);

  Block *after = b.createBlock(&loop.getAfter(), {}, {i32}, {b.getLoc()});
  Value next = arith::AddIOp::create(b, after->getArgument(0), constant(1));
  AwaitRequestOp::create(b, items, toIndex(b, next));
  Value claimed = ClaimOp::create(b, i32, counter);
  scf::YieldOp::create(
      b, ValueRange{arith::AddIOp::create(b, claimed, ctas), next});
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
  addParameters();
  ImplicitLocOpBuilder b(kernel.getLoc(), found.roles);
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
  scf::WhileOp copying =
      buildLoop(found.roles.getBodies()[producerRole].front(), items);
  buildLoop(found.roles.getBodies()[consumerRole].front(), items);

  // The producer asks for the next item near the end of one.
  found.copying.setNearEnd(visitsAtRequest);
  b.createBlock(&found.copying.getAtNearEnd());
  Value next =
      arith::AddIOp::create(b, copying.getAfter().front().getArgument(0),
                            arith::ConstantIntOp::create(b, 1, 32));
  RequestOp::create(b, items, toIndex(b, next));
  YieldOp::create(b, ValueRange());
  buildScheduler(found.roles.getBodies()[schedulerRole].front(), items);

  for (Operation *op : llvm::reverse(found.placed))
    op->erase();
}

namespace {
struct Persist : pbsgpu::impl::PBSGPUPersistBase<Persist> {
  void runOnOperation() override {
    FailureOr<pbs::Chip> chip = pbs::getChip(getOperation());
    if (failed(chip))
      return signalPassFailure();
    llvm::MapVector<Operation *, SmallVector<LaunchOp>> launches;
    getOperation().walk([&](LaunchOp launch) {
      launches[SymbolTable::lookupNearestSymbolFrom(launch,
                                                    launch.getKernelAttr())]
          .push_back(launch);
    });
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
    if (ScheduleAttr::isOff(kernel, "persist"))
      return decline(kernel, "the schedule turns the pass off");
    FailureOr<TwoRoles> found = findRoles(kernel);
    if (failed(found))
      return failure();
    // With two, the next block's tile is there when it begins.
    int64_t stages = 2;
    if (countBytes(kernel, *found, stages) > chip.sharedBytes)
      stages = 1;
    KernelPersistence(kernel, launches, *found).rewrite(stages);
    remark::passed(kernel.getLoc(), describe(kernel, "Persistent"))
        << remark::metric("BlockTiles", stages);
    return success();
  }
};
} // namespace

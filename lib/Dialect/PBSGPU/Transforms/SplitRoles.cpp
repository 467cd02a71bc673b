// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Some warps copy while others compute.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUSPLITROLES
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

static remark::RemarkOpts describe(KernelOp kernel, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-split-roles")
      .function(kernel.getSymName());
}

/// Says why `kernel` stays as it is.
static LogicalResult decline(KernelOp kernel, StringRef reason) {
  remark::missed(kernel.getLoc(), describe(kernel, "NotSplit"))
      << remark::reason("{0}", reason);
  return failure();
}

/// Whether all threads may compute `op` before they split, if they may compute
/// its operands.
static bool isSharable(Operation &op) {
  auto isOfTiles = [](Type type) {
    return isa<FragmentType, TileType, RingType>(type);
  };
  return isa<AllocRingOp>(op) ||
         (isMemoryEffectFree(&op) && op.getNumRegions() == 0 &&
          llvm::none_of(op.getOperandTypes(), isOfTiles) &&
          llvm::none_of(op.getResultTypes(), isOfTiles) &&
          !op.hasTrait<OpTrait::IsTerminator>());
}

/// Whether the producer runs `op`, which all warps run now.
static bool isProduced(Operation &op) { return isa<AcquireOp, CopyTileOp>(op); }

namespace {
/// What all threads compute before they split, of a kernel of one block.
class SharedOperations {
public:
  explicit SharedOperations(Block &body) {
    for (Operation &op : body)
      if (isSharable(op) && llvm::all_of(op.getOperands(), [&](Value operand) {
            Operation *source = operand.getDefiningOp();
            return !source || contains(*source);
          }))
        operations.insert(&op);
  }

  bool contains(Operation &op) const { return operations.contains(&op); }

  /// Whether what a producer needs of the operand is there before the roles, or
  /// is a tile that it acquires.
  bool areKnown(Value operand) const {
    Operation *source = operand.getDefiningOp();
    return !source || contains(*source) || isa<AcquireOp>(source);
  }

  /// Whether what the region takes from outside is there before the roles.
  bool areKnown(Region &region) const {
    WalkResult walk = region.walk([&](Operation *op) {
      for (Value operand : op->getOperands())
        if (!region.isAncestor(operand.getParentRegion()) && !areKnown(operand))
          return WalkResult::interrupt();
      return WalkResult::advance();
    });
    return !walk.wasInterrupted();
  }

private:
  llvm::DenseSet<Operation *> operations;
};
} // namespace

/// Requires that only signals tie the copies to what reads the tiles.
static LogicalResult checkKernel(KernelOp kernel) {
  if (!kernel.getBody().hasOneBlock())
    return decline(kernel, "its control flow is not structured");
  SharedOperations shared(kernel.getBody().front());
  auto isKnown = [&](Value operand) { return shared.areKnown(operand); };
  bool acquires = false;
  WalkResult walk = kernel.getBody().walk([&](Operation *op) -> WalkResult {
    if (isa<RolesOp>(op))
      return decline(kernel, "it has roles already");
    if (isa<AllocTileOp, AwaitCopiesOp, CommitCopiesOp>(op))
      return decline(kernel, "copies into some tiles do not signal");
    if (isa<gpu::BarrierOp, gpu::AllReduceOp>(op))
      return decline(kernel, "all warps wait for each other");
    if (isa<gpu::ThreadIdOp>(op))
      return decline(kernel, "it tells its threads apart");
    if (auto ring = dyn_cast<AllocRingOp>(op); ring && !ring.hasSignals())
      return decline(kernel, "copies into some tiles do not signal");
    Operation *parent = op->getParentOp();
    if (auto loop = dyn_cast<KeyLoopOp>(op);
        loop && loop.getAhead() > 0 && parent == kernel) {
      if (!llvm::all_of(loop.getOperands().drop_back(loop.getInitial().size()),
                        isKnown))
        return decline(kernel,
                       "the list that copies follow is not known before");
      if (!shared.areKnown(loop.getLoad()))
        return decline(kernel,
                       "a copy depends on what only some warps compute");
    }
    if (!isProduced(*op))
      return WalkResult::advance();
    acquires = true;
    auto loop = dyn_cast<KeyLoopOp>(parent);
    bool isLoad = loop && op->getParentRegion() == &loop.getLoad() &&
                  loop->getParentOp() == kernel;
    if (parent != kernel && !isLoad)
      return decline(kernel, "a copy stands inside another operation");
    if (parent == kernel && !llvm::all_of(op->getOperands(), isKnown))
      return decline(kernel, "a copy depends on what only some warps compute");
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  if (!acquires)
    return decline(kernel, "it does not copy into rings");
  return success();
}

static bool gathersRows(KernelOp kernel) {
  return kernel.getBody()
      .walk([](CopyTileOp copy) {
        return copy.getPermutation() ? WalkResult::interrupt()
                                     : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {
struct SplitRoles : pbsgpu::impl::PBSGPUSplitRolesBase<SplitRoles> {
  void runOnOperation() override {
    FailureOr<pbs::Chip> chip = pbs::getChip(getOperation());
    if (failed(chip))
      return signalPassFailure();
    getOperation().walk([&](KernelOp kernel) {
      bool loads = false;
      kernel.walk([&](KeyLoopOp loop) { loads |= loop.getAhead() > 0; });
      if (loads)
        (void)split(kernel, *chip);
    });
  }

private:
  LogicalResult split(KernelOp kernel, const pbs::Chip &chip);
};
} // namespace

/// A loop of the same visits that copies what `loop` would load.
static void buildCopyLoop(OpBuilder &builder, KeyLoopOp loop) {
  auto copies = KeyLoopOp::create(
      builder, loop.getLoc(), TypeRange(), builder.getIndexType(),
      loop.getCounts(), loop.getIndices(), loop.getBatch(), loop.getHead(),
      loop.getQueryBlock(), loop.getKeyBlocks(), loop.getFrom(),
      loop.getLengths(), ValueRange(), loop.getWalk(), loop.getKeyBlock(),
      loop.getKeyTile(), /*ahead=*/0,
      /*deferred=*/false, /*nearEnd=*/IntegerAttr(), /*bodiesCount=*/1);
  copies.getBodies().front().takeBody(loop.getLoad());
  loop.setAhead(0);
}

/// How many threads arrive at the rings that `warps` warps fill.
static void setArrivals(KernelOp kernel, int64_t warps) {
  for (AllocRingOp ring : kernel.getBody().getOps<AllocRingOp>())
    for (Operation *user : ring->getUsers())
      if (isa<AcquireOp>(user) &&
          isa<MemRefType>(
              cast<CopyTileOp>(*user->user_begin()).getSource().getType()))
        ring.setFilledBy(warps * warpSize);
}

LogicalResult SplitRoles::split(KernelOp kernel, const pbs::Chip &chip) {
  constexpr int64_t producers = warpsOfGroup;
  auto consumers = static_cast<int64_t>(kernel.getWarps());
  if (ScheduleAttr::isOff(kernel, "split-roles"))
    return decline(kernel, "the schedule turns the pass off");
  if (!chip.hasWarpGroups())
    return decline(kernel, "the chip's warps cannot hand over registers");
  if (consumers % warpsOfGroup != 0 || consumers + producers > maxWarps)
    return decline(kernel, "its warps are not groups of four");
  if (failed(checkKernel(kernel)))
    return failure();

  int64_t producing =
      RolesOp::getRegistersOfProducer(consumers, gathersRows(kernel));
  int64_t consuming =
      RolesOp::getRegistersLeft(consumers, {{producers, producing}});

  Block &body = kernel.getBody().front();
  SharedOperations shared(body);
  Operation *end = body.getTerminator();
  kernel.setWarps(consumers + producers);
  ImplicitLocOpBuilder builder(kernel.getLoc(), end);
  auto roles = RolesOp::create(
      builder, builder.getStrArrayAttr({"producer", "consumer"}),
      builder.getDenseI64ArrayAttr({producers, consumers}),
      builder.getDenseI64ArrayAttr({producing, consuming}),
      /*bodiesCount=*/2);
  Block *producer = builder.createBlock(&roles.getBodies()[0]);
  Operation *producerEnd = EndRoleOp::create(builder);
  builder.createBlock(&roles.getBodies()[1]);
  Operation *consumerEnd = EndRoleOp::create(builder);
  for (Operation &op : llvm::make_early_inc_range(body)) {
    if (&op == roles)
      break;
    if (shared.contains(op))
      continue;
    if (isProduced(op)) {
      op.moveBefore(producerEnd);
      continue;
    }
    if (auto loop = dyn_cast<KeyLoopOp>(op); loop && loop.getAhead() > 0) {
      OpBuilder inProducer = OpBuilder::atBlockTerminator(producer);
      buildCopyLoop(inProducer, loop);
    }
    op.moveBefore(consumerEnd);
  }
  setArrivals(kernel, producers);
  remark::passed(kernel.getLoc(), describe(kernel, "Split"))
      << remark::metric("Producers", producers)
      << remark::metric("Consumers", consumers)
      << remark::metric("ProducerRegisters", producing)
      << remark::metric("ConsumerRegisters", consuming);
  return success();
}

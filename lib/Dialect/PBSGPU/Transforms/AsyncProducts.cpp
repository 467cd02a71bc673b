// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products run on beside the warps that begin them.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUASYNCPRODUCTS
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

static remark::RemarkOpts describe(KernelOp kernel, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-async-products")
      .function(kernel.getSymName());
}

/// Says why the products of `kernel` stay as they are.
static LogicalResult decline(KernelOp kernel, StringRef reason) {
  remark::missed(kernel.getLoc(), describe(kernel, "NotAsync"))
      << remark::reason("{0}", reason);
  return failure();
}

/// Whether the instructions of warp groups can compute `product`; the tiles
/// must have been signalled, since they read past the threads' view of memory.
static LogicalResult check(KernelOp kernel, MmaOp product) {
  FragmentType type = product.getType();
  if (type.getRows() != mmaRows * type.getWarps() ||
      type.getWarps() % warpsOfGroup != 0)
    return decline(kernel, "a product has not 16 rows for each warp of groups "
                           "of four");
  auto [roles, role] = RolesOp::findRole(product->getParentRegion());
  if (roles && roles.getFirstWarp(role) % warpsOfGroup != 0)
    return decline(kernel, "a role that multiplies does not begin with a group "
                           "of four warps");
  if (type.getColumns() > 256)
    return decline(kernel, "a product has more than 256 columns");
  for (Value operand : product->getOperands().take_front(2)) {
    if (!isa<TileType>(operand.getType()))
      continue;
    auto await = operand.getDefiningOp<AwaitOp>();
    auto ring =
        await ? await.getRing().getDefiningOp<AllocRingOp>() : AllocRingOp();
    if (!ring || !ring.hasSignals())
      return decline(kernel, "a product's tile is not of a ring with signals");
  }
  return success();
}

namespace {
/// The products of a block, in the order in which they begin.
class BlockProducts {
public:
  explicit BlockProducts(Block &block) : block(block) {}

  void makeAsync() {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      awaitUsed(op);
      if (auto product = dyn_cast<MmaOp>(op))
        start(product);
    }
  }

private:
  void start(MmaOp product) {
    ImplicitLocOpBuilder builder(product.getLoc(), product);
    auto begun = StartMmaOp::create(
        builder, PendingType::get(builder.getContext(), product.getType()),
        product.getA(), product.getB(), product.getTransposed(),
        product.getAccumulator());
    running.push_back({product, begun});
  }

  /// Whether `op` needs what `product` gives, or overwrites what it reads.
  /// Where a tile is released in this block does not matter: that is moved.
  bool needs(Operation &op, MmaOp product) {
    auto isHere = [&](Operation *user) {
      return block.findAncestorOpInBlock(*user) == &op;
    };
    auto overwrites = [&](Operation *user) {
      return isHere(user) &&
             (isa<StoreFragmentOp, AcquireOp>(user) ||
              (isa<ReleaseOp>(user) && user->getBlock() != &block));
    };
    if (&op == &block.back() || llvm::any_of(product->getUsers(), isHere))
      return true;
    return llvm::any_of(
        product->getOperands().take_front(2), [&](Value operand) {
          auto await = operand.getDefiningOp<AwaitOp>();
          return await &&
                 (llvm::any_of(await->getUsers(), overwrites) ||
                  llvm::any_of(await.getRing().getUsers(), overwrites));
        });
  }

  /// Awaits the products that `op` needs, and those that began before them.
  void awaitUsed(Operation &op) {
    size_t needed = 0;
    for (auto [i, product] : llvm::enumerate(running))
      if (needs(op, product.first))
        needed = i + 1;
    for (size_t i = 0; i < needed; ++i)
      await(running[i].first, running[i].second, op, running.size() - needed);
    running.erase(running.begin(), running.begin() + needed);
  }

  void await(MmaOp product, StartMmaOp begun, Operation &before,
             size_t pending) {
    ImplicitLocOpBuilder builder(product.getLoc(), &before);
    auto awaited = AwaitMmaOp::create(builder, product.getType(), begun,
                                      static_cast<int64_t>(pending));
    product.getResult().replaceAllUsesWith(awaited.getResult());
    product.erase();
    // The tiles are read until here.
    for (Value operand : begun->getOperands().take_front(2)) {
      if (!isa<TileType>(operand.getType()))
        continue;
      for (Operation *user : operand.getUsers())
        if (isa<ReleaseOp>(user) && user->getBlock() == &block &&
            user->isBeforeInBlock(awaited))
          user->moveAfter(awaited);
    }
  }

  Block &block;
  SmallVector<std::pair<MmaOp, StartMmaOp>> running;
};

struct AsyncProducts : pbsgpu::impl::PBSGPUAsyncProductsBase<AsyncProducts> {
  void runOnOperation() override {
    FailureOr<pbs::Chip> chip = pbs::getChip(getOperation());
    if (failed(chip))
      return signalPassFailure();
    getOperation().walk([&](KernelOp kernel) {
      // Kernels without rings of signals are others than this is for.
      if (llvm::any_of(kernel.getBody().getOps<AllocRingOp>(),
                       [](AllocRingOp ring) { return ring.hasSignals(); }))
        (void)makeAsync(kernel, *chip);
    });
  }

private:
  LogicalResult makeAsync(KernelOp kernel, const pbs::Chip &chip) {
    if (ScheduleAttr::isOff(kernel, "async-products"))
      return decline(kernel, "the schedule turns the pass off");
    if (!chip.hasWarpGroups())
      return decline(kernel, "the chip has no products of warp groups");
    SmallVector<MmaOp> products;
    kernel.walk([&](MmaOp product) { products.push_back(product); });
    bool defers = false;
    kernel.walk([&](KeyLoopOp loop) { defers |= loop.getDeferred(); });
    if (defers)
      return decline(kernel, "a key loop defers products, and is not lowered");
    if (products.empty())
      return decline(kernel, "it has no products");
    for (MmaOp product : products)
      if (failed(check(kernel, product)))
        return failure();
    SetVector<Block *> blocks;
    for (MmaOp product : products)
      blocks.insert(product->getBlock());
    for (Block *block : blocks)
      BlockProducts(*block).makeAsync();
    remark::passed(kernel.getLoc(), describe(kernel, "Async"))
        << remark::metric("Products", products.size());
    return success();
  }
};
} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fragments are stored through a tile that has been read.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/IR/Remarks.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUSTAGEOUTPUT
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

static remark::RemarkOpts describe(Operation *op, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-stage-output")
      .function(op->getParentOfType<KernelOp>().getSymName());
}

/// Says why `store` stays as it is.
static LogicalResult decline(StoreFragmentOp store, StringRef reason) {
  remark::missed(store.getLoc(), describe(store, "NotStaged"))
      << remark::reason("{0}", reason);
  return failure();
}

/// Whether `store` may overwrite what `await` gives: it has the form of the
/// stored rows, nobody reads it behind the store or before it in other warps.
static bool isFree(AwaitOp await, StoreFragmentOp store) {
  FragmentType source = store.getSource().getType();
  TileType tile = await.getType();
  auto ring = await.getRing().getDefiningOp<AllocRingOp>();
  if (!ring || !ring.hasSignals() || tile.getRows() != source.getRows() ||
      tile.getColumns() != source.getColumns() ||
      tile.getElementType() !=
          store.getDestination().getType().getElementType() ||
      !await->isBeforeInBlock(store))
    return false;
  for (Operation *user : ring->getUsers())
    if (isa<AwaitOp>(user) && user != await)
      return false;
  return llvm::all_of(await->getUsers(), [&](Operation *user) {
    Operation *use = store->getBlock()->findAncestorOpInBlock(*user);
    if (isa<ReleaseOp>(user))
      return use == user;
    // A's rows are those that the warp's own product has read.
    auto product = dyn_cast<MmaOp>(user);
    return use && use->isBeforeInBlock(store) && product &&
           product.getA() == await.getResult() &&
           product.getB() != await.getResult();
  });
}

namespace {
struct StageOutput : pbsgpu::impl::PBSGPUStageOutputBase<StageOutput> {
  void runOnOperation() override {
    SmallVector<StoreFragmentOp> stores;
    getOperation()->walk([&](StoreFragmentOp store) {
      Type element = store.getDestination().getType().getElementType();
      bool isHalf = element.isBF16() || element.isF16();
      if (store.getSource().getType().getColumns() > 1 && isHalf &&
          !store.getTile())
        stores.push_back(store);
    });
    for (StoreFragmentOp store : stores)
      (void)stage(store);
  }

private:
  LogicalResult stage(StoreFragmentOp store) {
    if (ScheduleAttr::isOff(store->getParentOfType<KernelOp>(), "stage-output"))
      return decline(store, "the schedule turns the pass off");
    AwaitOp found;
    for (AwaitOp await : store->getBlock()->getOps<AwaitOp>())
      if (!found && isFree(await, store))
        found = await;
    if (!found)
      return decline(store, "no tile of its form with signals has been read");
    store.getTileMutable().assign(found.getResult());
    for (Operation *user : llvm::make_early_inc_range(found->getUsers()))
      if (isa<ReleaseOp>(user))
        user->moveAfter(store);
    remark::passed(store.getLoc(), describe(store, "Staged"));
    return success();
  }
};
} // namespace

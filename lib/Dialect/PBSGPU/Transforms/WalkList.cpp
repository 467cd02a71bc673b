// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Key loops walk the list of selected blocks.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUWALKLIST
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

/// Clones the body of a testing loop to `target`, without its argument
/// `masked`, for which `masked` stands.
static void cloneBody(Region &source, Region &target, Value masked) {
  constexpr unsigned maskedArgument = 2;
  IRMapping mapping;
  source.cloneInto(&target, mapping);
  Block &body = target.front();
  body.getArgument(maskedArgument).replaceAllUsesWith(masked);
  body.eraseArgument(maskedArgument);
}

/// Folds the conditions of maps in `body`; returns how many maps disappeared.
static unsigned foldMaps(Region &body) {
  SmallVector<MapOp> maps;
  body.walk([&](MapOp map) {
    if (map.getCondition())
      maps.push_back(map);
  });
  unsigned dropped = 0;
  OpBuilder builder(body.getContext());
  for (MapOp map : maps) {
    builder.setInsertionPoint(map);
    SmallVector<Value> results;
    if (failed(builder.tryFold(map, results)) || results.empty() ||
        results.front() == map.getResult())
      continue;
    map.getResult().replaceAllUsesWith(results.front());
    map.erase();
    ++dropped;
  }
  return dropped;
}

namespace {
struct WalkList : pbsgpu::impl::PBSGPUWalkListBase<WalkList> {
  void runOnOperation() override {
    getOperation()->walk([&](KernelOp kernel) { runOnKernel(kernel); });
  }

private:
  void runOnKernel(KernelOp kernel) {
    SmallVector<KeyLoopOp> loops;
    kernel.walk([&](KeyLoopOp loop) {
      if (loop.getWalk() == Walk::Test)
        loops.push_back(loop);
    });
    bool isOff = ScheduleAttr::isOff(kernel, "walk-list");
    for (KeyLoopOp loop : loops)
      if (isOff)
        remark::missed(loop.getLoc(), remark::RemarkOpts::name("NotWalked")
                                          .category(getArgument())
                                          .function(kernel.getSymName()))
            << remark::reason("the schedule turns the pass off");
      else
        split(loop);
  }

  void split(KeyLoopOp loop) {
    ImplicitLocOpBuilder builder(loop.getLoc(), loop);
    Value isWhole = arith::ConstantIntOp::create(builder, false, 1);
    Value isMasked = arith::ConstantIntOp::create(builder, true, 1);
    auto list = KeyLoopOp::create(
        builder, loop.getCarriedResults().getTypes(), builder.getIndexType(),
        loop.getCounts(), loop.getIndices(), loop.getBatch(), loop.getHead(),
        loop.getQueryBlock(), loop.getKeyBlocks(), loop.getFrom(),
        loop.getLengths(), loop.getInitial(), Walk::List, loop.getKeyBlock(),
        loop.getKeyTile(), loop.getAhead(), /*deferred=*/false,
        /*nearEnd=*/IntegerAttr(),
        /*bodiesCount=*/2);
    list->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
    Region &body = loop.getBodies().front();
    cloneBody(body, list.getBodies()[0], isWhole);
    cloneBody(body, list.getBodies()[1], isMasked);
    unsigned masks = foldMaps(list.getBodies()[0]);
    foldMaps(list.getBodies()[1]);
    remark::passed(
        list.getLoc(),
        remark::RemarkOpts::name("ListWalked")
            .category(getArgument())
            .function(loop->getParentOfType<KernelOp>().getSymName()))
        << remark::metric("MasksDropped", masks);
    loop->replaceAllUsesWith(list);
    loop.erase();
    for (Value condition : {isWhole, isMasked})
      if (condition.use_empty())
        condition.getDefiningOp()->erase();
  }
};
} // namespace

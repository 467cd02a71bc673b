// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every selection by top-p takes a fixed number of key blocks instead, so that
// the cost of attention is known before it runs.

#include "FixedBudget.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Pass/Pass.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

using namespace mlir;

namespace {
struct FixedBudget : PassWrapper<FixedBudget, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FixedBudget)

  FixedBudget() = default;
  FixedBudget(const FixedBudget &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "fixed-budget"; }
  StringRef getDescription() const override {
    return "Replaces selection by top-p by that of a number of blocks";
  }

  LogicalResult initialize(MLIRContext *context) override {
    if (blocks < 0)
      return emitError(UnknownLoc::get(context),
                       "fixed-budget: blocks must not be negative");
    return success();
  }

  void runOnOperation() override {
    auto budget = pbs::TopKAttr::get(&getContext(), blocks);
    getOperation().walk([&](Operation *op) {
      // pbs.prefill and pbs.select, the two that select by a rule.
      auto rule = op->getAttrOfType<pbs::TopPAttr>("rule");
      if (!rule)
        return;
      op->setAttr("rule", budget);
      remark::passed(
          op->getLoc(),
          remark::RemarkOpts::name("FixedBudget").category("fixed-budget"))
          << remark::metric("Blocks", blocks.getValue());
    });
  }

  Option<int64_t> blocks{
      *this, "blocks", llvm::cl::init(16),
      llvm::cl::desc("Key blocks that a query block selects by score")};
};
} // namespace

void registerFixedBudget() { PassRegistration<FixedBudget>(); }

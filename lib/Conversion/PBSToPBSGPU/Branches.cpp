// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Branches.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace pbs;

bool pbs::isPlanArithmetic(Operation *op) {
  auto has = [&](bool isCondition) {
    return llvm::all_of(op->getResultTypes(), [&](Type type) {
      return isCondition ? type.isSignlessInteger(1) : type.isIndex();
    });
  };
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return compare.getLhs().getType().isIndex() &&
           compare.getPredicate() <= arith::CmpIPredicate::sge;
  // A plan's `and` and `or` are of conditions, the rest is of sizes.
  if (isa<arith::AndIOp, arith::OrIOp>(op))
    return has(/*isCondition=*/true);
  return isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::FloorDivSIOp,
             arith::CeilDivSIOp, arith::MinSIOp, arith::MaxSIOp>(op) &&
         has(/*isCondition=*/false);
}

/// `value` as an expression of the plan.
static FailureOr<Value> emitExpression(scf::IfOp branch, Value value,
                                       Emitter &emitter) {
  Operation *op = value.getDefiningOp();
  if (op && op->hasTrait<OpTrait::ConstantLike>())
    return emitter.plan.clone(*op)->getResult(0);
  if (isa_and_nonnull<tensor::DimOp>(op)) {
    FailureOr<Extent> extent = emitter.entry.getExtent(branch, value);
    if (failed(extent))
      return failure();
    return emitter.size(branch.getLoc(), *extent);
  }
  if (!op || !isPlanArithmetic(op))
    return branch.emitOpError("depends on more than sizes and constants: a "
                              "plan cannot decide it");
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    FailureOr<Value> emitted = emitExpression(branch, operand, emitter);
    if (failed(emitted))
      return failure();
    mapping.map(operand, *emitted);
  }
  return emitter.plan.clone(*op, mapping)->getResult(0);
}

FailureOr<Value> pbs::emitCondition(scf::IfOp op, Emitter &emitter) {
  return emitExpression(op, op.getCondition(), emitter);
}

Value pbs::emitOpposite(Value condition, Emitter &emitter) {
  OpBuilder &plan = emitter.plan;
  Location loc = condition.getLoc();
  Operation *op = condition.getDefiningOp();
  auto opposite = [&](unsigned operand) {
    return emitOpposite(op->getOperand(operand), emitter);
  };
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return arith::CmpIOp::create(plan, loc,
                                 arith::invertPredicate(compare.getPredicate()),
                                 compare.getLhs(), compare.getRhs());
  if (isa<arith::AndIOp>(op))
    return arith::OrIOp::create(plan, loc, opposite(0), opposite(1));
  if (isa<arith::OrIOp>(op))
    return arith::AndIOp::create(plan, loc, opposite(0), opposite(1));
  // emitExpression makes no other i1.
  APInt known;
  [[maybe_unused]] bool isKnown =
      matchPattern(condition, m_ConstantInt(&known));
  assert(isKnown && "a condition of a plan");
  return arith::ConstantIntOp::create(plan, loc, known.isZero(), 1);
}

LogicalResult pbs::mergeResults(scf::IfOp op, Entry &entry) {
  if (op.getNumResults() == 0)
    return success();
  OperandRange then = op.thenYield()->getOperands();
  OperandRange otherwise = op.elseYield()->getOperands();
  for (OperandRange given : {then, otherwise})
    if (llvm::DenseSet<Value>(given.begin(), given.end()).size() !=
        given.size())
      return op.emitOpError("gives a value twice: this is not supported in a "
                            "launch plan");
  for (auto [result, first, second] :
       llvm::zip_equal(op.getResults(), then, otherwise))
    if (failed(entry.merge(op, result, first, second)))
      return failure();
  return success();
}

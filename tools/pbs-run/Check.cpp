// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Check.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Reference/Check.h"
#include "pbs/Runtime/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace pbs;
using namespace pbs::reference;
using runtime::Array;

/// A device's floating-point result for comparison.
static Tensor toTensor(const Array &array) {
  Array floats = array.toContiguous().convertTo(runtime::ElementType::F32);
  Tensor result;
  result.shape = floats.shape();
  const float *data = floats.data<float>();
  result.values.assign(data, data + floats.elementCount());
  return result;
}

static void printErrors(const std::vector<BlockError> &errors, double tolerance,
                        CheckKind kind) {
  if (kind == CheckKind::Blocks)
    for (const BlockError &block : errors)
      llvm::outs() << llvm::formatv(
          "batch {0} head {1} query block {2} error {3:E2}\n", block.batch,
          block.head, block.queryBlock, block.error);
  auto worst =
      llvm::max_element(errors, [](const BlockError &a, const BlockError &b) {
        return a.error < b.error;
      });
  llvm::outs() << llvm::formatv(
      "checked {0} query blocks: largest error {1:E2} (batch {2}, head {3}, "
      "query block {4}), allowed {5:E2}\n",
      errors.size(), worst->error, worst->batch, worst->head, worst->queryBlock,
      tolerance);
}

static auto getReturned(func::FuncOp function) {
  return function.getBody().front().getTerminator()->getOpOperands();
}

/// Whether \p value is computed from what an attention gives.
static bool comesFromAttention(Value value) {
  Operation *op = value.getDefiningOp();
  return op && (isa<AttentionOp>(op) ||
                llvm::any_of(op->getOperands(), comesFromAttention));
}

LogicalResult pbs::verifyCheckable(func::FuncOp function) {
  bool isChecked = false;
  for (OpOperand &result : getReturned(function)) {
    auto attention = result.get().getDefiningOp<AttentionOp>();
    if (!attention)
      continue;
    isChecked = true;
    if (llvm::any_of(attention->getOperands(), comesFromAttention))
      return attention.emitError("--check cannot judge attention over what "
                                 "another attention gives, which devices "
                                 "round and the reference does not");
  }
  if (!isChecked)
    throw runtime::Error("--check needs a result of pbs.attention, and '" +
                         function.getName().str() + "' returns none");
  return success();
}

void pbs::checkResults(func::FuncOp function, const ReferenceRun &expected,
                       const std::vector<Array> &results, CheckKind kind) {
  printWork(expected.work);
  // A fault found here is thrown when everything has been printed.
  std::string fault;
  auto note = [&](std::string found) {
    if (fault.empty())
      fault = std::move(found);
  };
  for (OpOperand &result : getReturned(function)) {
    auto attention = result.get().getDefiningOp<AttentionOp>();
    if (!attention)
      continue;
    unsigned number = result.getOperandNumber();
    Tensor actual = toTensor(results.at(number));
    const auto &reference = std::get<Tensor>(expected.results[number]);
    if (actual.shape != reference.shape)
      throw runtime::Error("result " + std::to_string(number) + " has shape " +
                           runtime::formatShape(actual.shape) + ", not " +
                           runtime::formatShape(reference.shape));
    if (result.get() == attention.getLogSumExp()) {
      note(checkLogSumExp(actual, reference));
      continue;
    }
    Type element = cast<RankedTensorType>(attention.getOutput().getType())
                       .getElementType();
    double tolerance = element.isBF16() ? bf16Tolerance : f16Tolerance;
    auto blocks = cast<SelectionType>(attention.getSelection().getType());
    std::vector<BlockError> errors =
        blockErrors(actual, reference, blocks.getQueryBlock());
    printErrors(errors, tolerance, kind);
    note(checkOutput(errors, tolerance));
  }
  if (!fault.empty())
    throw runtime::Error("check failed: " + fault);
}

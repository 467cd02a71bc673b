// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Check.h"
#include "ReferenceRun.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Reference/Check.h"
#include "pbs/Runtime/Error.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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
  bool isChecked = !getCheckedValues(function).empty();
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

SmallVector<Value> pbs::getCheckedValues(func::FuncOp function) {
  SmallVector<Value> values;
  for (Operation &op : function.getBody().front())
    if (isa<SegmentSortOp, SelectOp, FullSelectionOp, SelectionFromMaskOp>(op))
      llvm::append_range(values, op.getResults());
  return values;
}

//===----------------------------------------------------------------------===//
// Permutations and selections
//===----------------------------------------------------------------------===//

namespace {
/// Judges what a device exposes against what the reference makes of the
/// device's own values before it.
class StageChecker {
public:
  explicit StageChecker(const DeviceRun &run) {
    for (const auto &[name, arrays] : run.exposed)
      values.try_emplace(name, toValue(name.getType(), arrays));
  }

  /// The device's value of \p name, null if it exposes none.
  const InterpreterValue *find(Value name) const {
    auto value = values.find(name);
    return value == values.end() ? nullptr : &value->second;
  }

  /// Notes what is wrong with the device's results of \p op.
  void check(Operation *op, Lookup lookup);

  /// The first thing that is wrong, empty if nothing is.
  std::string fault;

private:
  std::string judge(SegmentSortOp op, Lookup lookup) const;
  std::string judge(SelectOp op, Lookup lookup) const;
  template <typename OpTy>
  std::string judgeExactly(OpTy op, Lookup lookup) const;

  llvm::DenseMap<Value, InterpreterValue> values;
};
} // namespace

/// The keys of a block of whoever uses the permutation, or the least there are.
static int64_t getKeyBlock(Value permutation) {
  for (Operation *user : permutation.getUsers())
    for (Type type : llvm::concat<const Type>(user->getOperandTypes(),
                                              user->getResultTypes()))
      if (auto selection = dyn_cast<SelectionType>(type))
        return selection.getKeyBlock();
  return smallestKeyBlock;
}

std::string StageChecker::judge(SegmentSortOp op, Lookup lookup) const {
  return checkPermutation(std::get<Permutation>(*find(op.getResult())),
                          std::get<Permutation>(lookup(op.getResult())),
                          std::get<Tensor>(lookup(op.getImportance())),
                          getKeyBlock(op.getResult()));
}

/// What a selection is made for.
template <typename OpTy> static Grid getGrid(OpTy op, Lookup lookup) {
  SelectionType type = op.getResult().getType();
  return {std::get<int64_t>(lookup(op.getQueryLength())),
          std::get<int64_t>(lookup(op.getKeyLength())),
          type.getQueryBlock(),
          type.getKeyBlock(),
          op.getCausal(),
          op.getWindow()};
}

/// How near scores are equal; docs/spec.md, near-ties. A sum of absolute
/// products is at most the product of the rows' norms.
static double findNearness(SelectOp op, Lookup lookup) {
  auto scores = op.getScores().getDefiningOp<BlockScoresOp>();
  if (!scores || !scores.getScore())
    return nearTie;
  auto findLongest = [&](Value value) {
    const Tensor &rows = std::get<Tensor>(lookup(value));
    int64_t headDim = rows.shape.back();
    double largest = 0;
    for (auto row = rows.values.begin(); row != rows.values.end();
         row += headDim) {
      double square = std::inner_product(row, row + headDim, row, 0.0);
      if (std::isfinite(square))
        largest = std::max(largest, square);
    }
    return std::sqrt(largest);
  };
  return nearTie + std::ldexp(scores.getScale().convertToDouble() *
                                  findLongest(scores.getQuery()) *
                                  findLongest(scores.getKey()),
                              -20);
}

std::string StageChecker::judge(SelectOp op, Lookup lookup) const {
  Grid grid = getGrid(op, lookup);
  const Permutation *permutation =
      op.getPermutation() ? &std::get<Permutation>(lookup(op.getPermutation()))
                          : nullptr;
  Rule rule = [&](ArrayRef<double> falling, double slack) {
    return op.getRule().countTaken(falling, grid.keyBlocks(), slack);
  };
  ExpectedSelection expected{std::get<Tensor>(lookup(op.getScores())),
                             grid,
                             permutation,
                             static_cast<int64_t>(op.getSegment()),
                             rule,
                             op.getCapacity(),
                             findNearness(op, lookup)};
  const Tensor *cut =
      op.getCut() ? &std::get<Tensor>(*find(op.getCut())) : nullptr;
  return checkSelection(std::get<Selection>(*find(op.getResult())), expected,
                        cut);
}

template <typename OpTy>
std::string StageChecker::judgeExactly(OpTy op, Lookup lookup) const {
  return checkLists(std::get<Selection>(*find(op.getResult())),
                    std::get<Selection>(lookup(op.getResult())));
}

void StageChecker::check(Operation *op, Lookup lookup) {
  std::string found =
      llvm::TypeSwitch<Operation *, std::string>(op)
          .Case<SegmentSortOp, SelectOp>(
              [&](auto stage) { return judge(stage, lookup); })
          .Case(
              [&](FullSelectionOp full) { return judgeExactly(full, lookup); })
          .Case([&](SelectionFromMaskOp masked) -> std::string {
            if (std::string lists = judgeExactly(masked, lookup);
                !lists.empty())
              return lists;
            if (masked.getCut() &&
                std::get<Tensor>(*find(masked.getCut())).values !=
                    std::get<Tensor>(lookup(masked.getCut())).values)
              return "the counts of cut query blocks differ";
            return {};
          })
          .Default([](Operation *) { return std::string(); });
  if (!found.empty() && fault.empty())
    fault = (op->getName().getStringRef() + ": " + found).str();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// Compares what attentions in \p expected return with a device's \p results.
/// Returns the first thing that is wrong.
static std::string checkAttention(func::FuncOp function,
                                  const ReferenceRun &expected,
                                  ArrayRef<Array> results, CheckKind kind) {
  std::string fault;
  auto note = [&](std::string found) {
    if (fault.empty())
      fault = std::move(found);
  };
  for (OpOperand &result : getReturned(function)) {
    const Array &array = results.front();
    results = results.drop_front(countArrays(result.get().getType()));
    auto attention = result.get().getDefiningOp<AttentionOp>();
    if (!attention)
      continue;
    unsigned number = result.getOperandNumber();
    Tensor actual = toTensor(array);
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
  return fault;
}

LogicalResult pbs::checkRun(func::FuncOp function,
                            const std::vector<Array> &arguments,
                            const DeviceRun &run, CheckKind kind) {
  StageChecker stages(run);
  FailureOr<ReferenceRun> expected = runOnReference(
      function, arguments, /*keepIntermediates=*/false,
      [&](Operation *op, Lookup lookup) { stages.check(op, lookup); },
      [&](Value name) { return stages.find(name); });
  if (failed(expected)) {
    // What the reference cannot go on with has been found before.
    if (!stages.fault.empty())
      throw runtime::Error("check failed: " + stages.fault);
    return failure();
  }
  // A fault found here is thrown when everything has been printed.
  printWork(expected->work);
  std::string attention =
      checkAttention(function, *expected, run.results, kind);
  for (const std::string &fault : {stages.fault, attention})
    if (!fault.empty())
      throw runtime::Error("check failed: " + fault);
  return success();
}

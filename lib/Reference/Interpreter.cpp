// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks a function and binds each operation to its function of Ops.h. What the
// verifiers have established from types is not checked again; what depends on
// dynamic extents or on data is.

#include "pbs/Reference/Interpreter.h"
#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Reference/Ops.h"

#include "ScoreRegion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace pbs;
using namespace pbs::reference;

namespace {
using Results = SmallVector<InterpreterValue, 2>;

class Interpreter {
public:
  Interpreter(Probe probe, Substitute substitute)
      : probe(probe), substitute(substitute) {}

  void bind(Value name, InterpreterValue value) {
    values[name] = std::move(value);
  }

  /// Runs the operations of a block, and returns what its terminator takes.
  FailureOr<std::vector<InterpreterValue>> run(Block &block);

private:
  FailureOr<Results> visit(Operation *op);
  template <typename T> const T &get(Value name) const {
    return std::get<T>(values.at(name));
  }
  int64_t index(Value name) const { return get<int64_t>(name); }
  const Tensor &tensor(Value name) const { return get<Tensor>(name); }
  /// The optional permutation of an operation, null if it has none.
  const Permutation *permutation(Value name) const {
    return name ? &get<Permutation>(name) : nullptr;
  }

  FailureOr<Grid> makeGrid(Operation *op, int64_t queryLength,
                           int64_t keyLength, SelectionType blocks, bool causal,
                           std::optional<int64_t> window = {}) const;
  LogicalResult checkBatch(Operation *op, ArrayRef<int64_t> batches) const;
  LogicalResult checkPermutation(Operation *op, Value permutation,
                                 int64_t batch, int64_t length) const;

  FailureOr<Results> interpret(IdentityPermutationOp op);
  FailureOr<Results> interpret(PermutationFromTensorOp op);
  FailureOr<Results> interpret(FullSelectionOp op);
  FailureOr<Results> interpret(SelectionFromListsOp op);
  FailureOr<Results> interpret(SelectionFromMaskOp op);
  FailureOr<Results> interpret(ImportanceOp op);
  FailureOr<Results> interpret(SegmentSortOp op);
  FailureOr<Results> interpret(PermuteOp op);
  FailureOr<Results> interpret(PoolOp op);
  FailureOr<Results> interpret(BlockScoresOp op);
  FailureOr<Results> interpret(SelectOp op);
  FailureOr<Results> interpret(AttentionOp op);
  FailureOr<Results> interpret(arith::ConstantOp op);
  FailureOr<Results> interpret(tensor::DimOp op);
  FailureOr<Results> interpret(arith::CmpIOp op);
  FailureOr<Results> interpret(scf::IfOp op);
  FailureOr<Results> interpretIndexArithmetic(Operation *op);

  Probe probe;
  Substitute substitute;
  llvm::DenseMap<Value, InterpreterValue> values;
};
} // namespace

/// The one result of an operation.
static FailureOr<Results> one(InterpreterValue value) {
  Results results;
  results.push_back(std::move(value));
  return results;
}

static FailureOr<Results> two(InterpreterValue first, InterpreterValue second) {
  Results results;
  results.push_back(std::move(first));
  results.push_back(std::move(second));
  return results;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

FailureOr<Grid> Interpreter::makeGrid(Operation *op, int64_t queryLength,
                                      int64_t keyLength, SelectionType blocks,
                                      bool causal,
                                      std::optional<int64_t> window) const {
  Grid grid{queryLength,          keyLength, blocks.getQueryBlock(),
            blocks.getKeyBlock(), causal,    window};
  if (queryLength < 1)
    return op->emitOpError("has no queries");
  if (queryLength > keyLength)
    return op->emitOpError("has ")
           << queryLength << " queries but only " << keyLength << " keys";
  if (grid.keyBlocks() > maxKeyBlocks)
    return op->emitOpError("has ")
           << grid.keyBlocks() << " key blocks, more than " << maxKeyBlocks;
  return grid;
}

LogicalResult Interpreter::checkBatch(Operation *op,
                                      ArrayRef<int64_t> batches) const {
  if (llvm::all_equal(batches))
    return success();
  InFlightDiagnostic diagnostic =
      op->emitOpError("has operands of different batch sizes: ");
  llvm::interleaveComma(batches, diagnostic);
  return diagnostic;
}

LogicalResult Interpreter::checkPermutation(Operation *op, Value name,
                                            int64_t batch,
                                            int64_t length) const {
  const Permutation *order = permutation(name);
  if (!order)
    return success();
  if (order->batch != batch || order->length != length)
    return op->emitOpError("has a permutation of batch ")
           << order->batch << " and length " << order->length
           << " for keys of batch " << batch << " and length " << length;
  return success();
}

//===----------------------------------------------------------------------===//
// Ops that make the typed values
//===----------------------------------------------------------------------===//

FailureOr<Results> Interpreter::interpret(IdentityPermutationOp op) {
  PermutationType type = op.getResult().getType();
  return one(identityPermutation(index(op.getBatch()), type.getHeads(),
                                 index(op.getKeyLength()), type.getSegment()));
}

FailureOr<Results> Interpreter::interpret(PermutationFromTensorOp op) {
  Permutation result = permutationFromTensor(
      tensor(op.getIndices()), op.getResult().getType().getSegment());
  if (std::string fault = findFault(result); !fault.empty())
    return op.emitOpError("has indices that are no permutation: ") << fault;
  return one(std::move(result));
}

FailureOr<Results> Interpreter::interpret(FullSelectionOp op) {
  int64_t batch = index(op.getBatch());
  FailureOr<Grid> grid =
      makeGrid(op, index(op.getQueryLength()), index(op.getKeyLength()),
               op.getResult().getType(), op.getCausal(), op.getWindow());
  if (failed(grid) ||
      failed(checkPermutation(op, op.getPermutation(), batch, grid->keyLength)))
    return failure();
  return one(fullSelection(batch, op.getHeads(), *grid,
                           permutation(op.getPermutation())));
}

FailureOr<Results> Interpreter::interpret(SelectionFromListsOp op) {
  const Tensor &counts = tensor(op.getCounts());
  const Tensor &indices = tensor(op.getIndices());
  if (failed(checkBatch(op, {counts.shape[0], indices.shape[0]})))
    return failure();
  if (counts.shape[2] != indices.shape[2])
    return op.emitOpError("has counts of ")
           << counts.shape[2] << " query blocks but indices of "
           << indices.shape[2];
  if (std::string fault = findFault(counts, indices); !fault.empty())
    return op.emitOpError("has malformed counts: ") << fault;
  return one(selectionFromLists(counts, indices));
}

FailureOr<Results> Interpreter::interpret(SelectionFromMaskOp op) {
  const Tensor &mask = tensor(op.getMask());
  FailureOr<Grid> grid =
      makeGrid(op, index(op.getQueryLength()), index(op.getKeyLength()),
               op.getResult().getType(), op.getCausal(), op.getWindow());
  if (failed(grid) || failed(checkPermutation(op, op.getPermutation(),
                                              mask.shape[0], grid->keyLength)))
    return failure();
  if (mask.shape[2] != grid->queryBlocks() ||
      mask.shape[3] != grid->keyBlocks())
    return op.emitOpError("has a mask of ")
           << mask.shape[2] << " x " << mask.shape[3] << " blocks for "
           << grid->queryBlocks() << " x " << grid->keyBlocks();
  const Permutation *order = permutation(op.getPermutation());
  Selection result = selectionFromMask(mask, *grid, order);
  if (!op.getCapacity())
    return one(std::move(result));
  // Nothing is forced, and nothing tells the blocks apart but their index.
  Tensor nothing(mask.shape);
  Tensor cut = limitBlocks(result, *op.getCapacity(),
                           selectionFromMask(nothing, *grid, order), nothing);
  return two(std::move(result), std::move(cut));
}

//===----------------------------------------------------------------------===//
// The algorithm
//===----------------------------------------------------------------------===//

FailureOr<Results> Interpreter::interpret(ImportanceOp op) {
  const Tensor &query = tensor(op.getQuery()), &key = tensor(op.getKey());
  if (failed(checkBatch(op, {query.shape[0], key.shape[0]})))
    return failure();
  int64_t heads =
      cast<RankedTensorType>(op.getResult().getType()).getDimSize(1);
  return one(importance(query, key, heads, op.getQueryBlock(), op.getSegment(),
                        op.getScale().convertToDouble()));
}

FailureOr<Results> Interpreter::interpret(SegmentSortOp op) {
  return one(segmentSort(tensor(op.getImportance()),
                         op.getResult().getType().getSegment()));
}

FailureOr<Results> Interpreter::interpret(PermuteOp op) {
  const Tensor &source = tensor(op.getSource());
  if (failed(checkPermutation(op, op.getPermutation(), source.shape[0],
                              source.shape[2])))
    return failure();
  return one(permute(source, *permutation(op.getPermutation())));
}

FailureOr<Results> Interpreter::interpret(PoolOp op) {
  Pooling kind =
      op.getKind() == PoolingKind::Mean ? Pooling::Mean : Pooling::Max;
  const Tensor &source = tensor(op.getSource());
  const Permutation *order = permutation(op.getPermutation());
  if (!order)
    return one(pool(source, kind, op.getBlock()));
  if (failed(checkPermutation(op, op.getPermutation(), source.shape[0],
                              source.shape[2])))
    return failure();
  return one(pool(permute(source, *order), kind, op.getBlock()));
}

FailureOr<Results> Interpreter::interpret(BlockScoresOp op) {
  const Tensor &query = tensor(op.getQuery());
  const Tensor &key = tensor(op.getKey());
  auto blocks =
      SelectionType::get(op.getContext(), op.getQueryBlock(), op.getKeyBlock());
  FailureOr<Grid> grid =
      makeGrid(op, index(op.getQueryLength()), index(op.getKeyLength()), blocks,
               op.getCausal());
  if (failed(grid) || failed(checkBatch(op, {query.shape[0], key.shape[0]})))
    return failure();
  if (std::optional<BlockScore> score = op.getScore()) {
    if (failed(checkPermutation(op, op.getPermutation(), key.shape[0],
                                key.shape[2])))
      return failure();
    if (query.shape[2] != grid->queryLength || key.shape[2] != grid->keyLength)
      return op.emitOpError("has ")
             << query.shape[2] << " queries and " << key.shape[2]
             << " keys for lengths of " << grid->queryLength << " and "
             << grid->keyLength;
    auto rows = dyn_cast<RowsAttr>(*score);
    if (!rows)
      return op.emitOpError("has score ")
             << *score << ", which the reference does not know";
    return one(rowScores(query, key, *grid, permutation(op.getPermutation()),
                         op.getSegment(), rows.getStride(),
                         op.getScale().convertToDouble()));
  }
  if (query.shape[2] != grid->queryBlocks() ||
      key.shape[2] != grid->keyBlocks())
    return op.emitOpError("has ")
           << query.shape[2] << " pooled queries and " << key.shape[2]
           << " pooled keys for " << grid->queryBlocks() << " query and "
           << grid->keyBlocks() << " key blocks";
  return one(blockScores(query, key, *grid, op.getSegment(),
                         op.getScale().convertToDouble()));
}

static Rule toRule(SelectionRule rule, int64_t keyBlocks) {
  return [rule, keyBlocks](ArrayRef<double> falling, double slack) {
    return rule.countTaken(falling, keyBlocks, slack);
  };
}

FailureOr<Results> Interpreter::interpret(SelectOp op) {
  const Tensor &scores = tensor(op.getScores());
  FailureOr<Grid> grid =
      makeGrid(op, index(op.getQueryLength()), index(op.getKeyLength()),
               op.getResult().getType(), op.getCausal(), op.getWindow());
  if (failed(grid) ||
      failed(checkPermutation(op, op.getPermutation(), scores.shape[0],
                              grid->keyLength)))
    return failure();
  if (scores.shape[2] != grid->queryBlocks() ||
      scores.shape[3] != grid->keyBlocks())
    return op.emitOpError("has scores of ")
           << scores.shape[2] << " x " << scores.shape[3] << " blocks for "
           << grid->queryBlocks() << " x " << grid->keyBlocks();
  const Permutation *order = permutation(op.getPermutation());
  Selection result = select(scores, *grid, order, op.getSegment(),
                            toRule(op.getRule(), grid->keyBlocks()));
  if (!op.getCapacity())
    return one(std::move(result));
  Selection forced = select(scores, *grid, order, op.getSegment(),
                            [](ArrayRef<double>, double) { return 0; });
  Tensor cut = limitBlocks(result, *op.getCapacity(), forced, scores);
  return two(std::move(result), std::move(cut));
}

FailureOr<Results> Interpreter::interpret(AttentionOp op) {
  const Tensor &query = tensor(op.getQuery()), &key = tensor(op.getKey()),
               &value = tensor(op.getValue());
  const auto &selection = get<Selection>(op.getSelection());
  FailureOr<Grid> grid =
      makeGrid(op, query.shape[2], key.shape[2],
               cast<SelectionType>(op.getSelection().getType()), op.getCausal(),
               op.getWindow());
  if (failed(grid) ||
      failed(checkBatch(op, {query.shape[0], key.shape[0], value.shape[0],
                             selection.batch})) ||
      failed(checkPermutation(op, op.getPermutation(), query.shape[0],
                              grid->keyLength)))
    return failure();
  if (key.shape[2] != value.shape[2])
    return op.emitOpError("has ")
           << key.shape[2] << " keys but " << value.shape[2] << " values";
  if (selection.heads != query.shape[1] ||
      selection.queryBlocks != grid->queryBlocks())
    return op.emitOpError("has a selection of ")
           << selection.heads << " heads and " << selection.queryBlocks
           << " query blocks for queries of " << query.shape[1] << " heads and "
           << grid->queryBlocks() << " query blocks";
  for (const BlockLists &lists : selection.lists)
    for (const std::vector<uint16_t> *list : {&lists.whole, &lists.masked})
      for (uint16_t block : *list)
        if (block >= grid->keyBlocks())
          return op.emitOpError("has a selection that lists key block ")
                 << block << " of " << grid->keyBlocks();
  auto scalars = llvm::map_to_vector(op.getScalars(), [&](Value scalar) {
    return tensor(scalar).values.front();
  });
  ScoreFunction modify = makeScoreFunction(op.getScore(), scalars);
  AttentionResult result = attention(query, key, value, selection, *grid,
                                     permutation(op.getPermutation()),
                                     isa<PermutedType>(op.getKey().getType()),
                                     op.getScale().convertToDouble(), modify);
  return two(std::move(result.output), std::move(result.logSumExp));
}

//===----------------------------------------------------------------------===//
// Upstream operations that occur beside them
//===----------------------------------------------------------------------===//

FailureOr<Results> Interpreter::interpret(arith::ConstantOp op) {
  auto integer = dyn_cast<IntegerAttr>(op.getValue());
  if (integer && op.getType().isInteger(1))
    return one(static_cast<int64_t>(!integer.getValue().isZero()));
  if (!integer || !op.getType().isIndex())
    return op.emitOpError("is known to the reference for types index and i1 "
                          "only");
  return one(integer.getInt());
}

FailureOr<Results> Interpreter::interpret(arith::CmpIOp op) {
  if (!op.getLhs().getType().isIndex())
    return op.emitOpError("is known to the reference for type index only");
  auto number = [&](Value value) {
    return APInt(64, static_cast<uint64_t>(index(value)));
  };
  return one(static_cast<int64_t>(arith::applyCmpPredicate(
      op.getPredicate(), number(op.getLhs()), number(op.getRhs()))));
}

FailureOr<Results> Interpreter::interpret(scf::IfOp op) {
  Region &region =
      index(op.getCondition()) ? op.getThenRegion() : op.getElseRegion();
  Results results;
  if (region.empty())
    return results;
  FailureOr<std::vector<InterpreterValue>> given = run(region.front());
  if (failed(given))
    return failure();
  llvm::move(*given, std::back_inserter(results));
  return results;
}

FailureOr<Results> Interpreter::interpret(tensor::DimOp op) {
  const Tensor &source = tensor(op.getSource());
  int64_t dim = index(op.getIndex());
  if (dim < 0 || dim >= static_cast<int64_t>(source.shape.size()))
    return op.emitOpError("asks for dimension ")
           << dim << " of a tensor of rank " << source.shape.size();
  return one(source.shape[dim]);
}

FailureOr<Results> Interpreter::interpretIndexArithmetic(Operation *op) {
  int64_t a = index(op->getOperand(0)), b = index(op->getOperand(1));
  if (isa<arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp,
          arith::DivSIOp, arith::DivUIOp>(op) &&
      (a < 0 || b <= 0))
    return op->emitOpError("divides ")
           << a << " by " << b
           << "; the reference divides lengths, from 0 up, by more than 0";
  return llvm::TypeSwitch<Operation *, FailureOr<Results>>(op)
      .Case([&](arith::AddIOp) { return one(a + b); })
      .Case([&](arith::SubIOp) { return one(a - b); })
      .Case([&](arith::MulIOp) { return one(a * b); })
      .Case([&](arith::AndIOp) { return one(a & b); })
      .Case([&](arith::OrIOp) { return one(a | b); })
      .Case<arith::MinSIOp, arith::MinUIOp>(
          [&](auto) { return one(std::min(a, b)); })
      .Case<arith::MaxSIOp, arith::MaxUIOp>(
          [&](auto) { return one(std::max(a, b)); })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>(
          [&](auto) { return one(a / b + (a % b != 0)); })
      .Case<arith::FloorDivSIOp, arith::DivSIOp, arith::DivUIOp>(
          [&](auto) { return one(a / b); })
      .Default([](Operation *op) {
        return op->emitOpError("is not known to the reference");
      });
}

FailureOr<Results> Interpreter::visit(Operation *op) {
  return llvm::TypeSwitch<Operation *, FailureOr<Results>>(op)
      .Case<IdentityPermutationOp, PermutationFromTensorOp, FullSelectionOp,
            SelectionFromListsOp, SelectionFromMaskOp, ImportanceOp,
            SegmentSortOp, PermuteOp, PoolOp, BlockScoresOp, SelectOp,
            AttentionOp, arith::ConstantOp, arith::CmpIOp, tensor::DimOp,
            scf::IfOp>([&](auto known) { return interpret(known); })
      .Default([&](Operation *op) -> FailureOr<Results> {
        if (op->getNumOperands() == 2 && op->getNumResults() == 1 &&
            llvm::all_of(op->getOperandTypes(), [](Type type) {
              return type.isIndex() || type.isInteger(1);
            }))
          return interpretIndexArithmetic(op);
        return op->emitOpError("is not known to the reference");
      });
}

FailureOr<std::vector<InterpreterValue>> Interpreter::run(Block &block) {
  for (Operation &op : block.without_terminator()) {
    FailureOr<Results> results = visit(&op);
    if (failed(results))
      return failure();
    for (auto [name, value] : llvm::zip_equal(op.getResults(), *results))
      bind(name, std::move(value));
    if (probe)
      probe(&op, [&](Value name) -> const InterpreterValue & {
        return values.at(name);
      });
    if (substitute)
      for (Value name : op.getResults())
        if (const InterpreterValue *value = substitute(name))
          bind(name, *value);
  }
  std::vector<InterpreterValue> results;
  for (Value name : block.getTerminator()->getOperands())
    results.push_back(values.at(name));
  return results;
}

FailureOr<std::vector<InterpreterValue>>
pbs::reference::interpret(func::FuncOp function,
                          std::vector<InterpreterValue> arguments, Probe probe,
                          Substitute substitute) {
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("must have one block to be interpreted");
  Interpreter interpreter(probe, substitute);
  Block &body = function.getBody().front();
  for (auto [name, value] : llvm::zip_equal(body.getArguments(), arguments))
    interpreter.bind(name, std::move(value));
  return interpreter.run(body);
}

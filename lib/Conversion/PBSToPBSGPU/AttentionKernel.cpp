// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attention kernel: one CTA computes one query block of one head, key tile
// after key tile, with the running maximum and sum of FlashAttention-2
// (arXiv 2307.08691, algorithm 1).

#include "Attention.h"
#include "OnlineSoftmax.h"

#include "mlir/IR/IRMapping.h"

#include <algorithm>
#include <optional>

using namespace mlir;
using namespace pbs;
using namespace pbsgpu;

using Predicate = KernelBuilder::Predicate;

namespace {

class AttentionKernel {
public:
  AttentionKernel(AttentionOp op, int64_t keyTileRows, KernelBuilder &k,
                  const AttentionParameters &parameters)
      : op(op), keyTileRows(keyTileRows), k(k), parameters(parameters),
        queryBlock(op.getSelection().getType().getQueryBlock()),
        softmax(k, queryBlock, keyTileRows, getScale2(op)) {
    queryHeads = op.getQuery().getType().getDimSize(1);
    headDim = op.getQuery().getType().getDimSize(3);
    keyBlock = op.getSelection().getType().getKeyBlock();
    elementType = op.getQuery().getType().getElementType();
    // No sequence has more keys, so that a larger window is none; and positions
    // have 32 bits.
    if (std::optional<int64_t> given = op.getWindow())
      window = std::min(*given, maxKeyBlocks * keyBlock);
    output = k.accumulator(queryBlock, headDim);
  }

  void build();

private:
  /// The values that the key loop carries, per row.
  struct State {
    /// Sum of the values, weighted.
    Value output;
    OnlineSoftmax::State softmax;
  };

  /// What makes scores exponents of 2: log2(e), and the scale unless a score
  /// region has taken it in.
  static double getScale2(AttentionOp op) {
    bool isScaled = !op.getScore().empty();
    return llvm::numbers::log2e *
           (isScaled ? 1 : op.getScale().convertToDouble());
  }
  bool hasScoreRegion() { return !op.getScore().empty(); }
  /// Whether positions decide which keys of a listed block a row attends.
  bool readsPositions() { return op.getCausal() || window; }

  void findPlace();
  State buildKeyLoop();
  State buildBody(Value key, Value masked, State state);
  Value buildScoreRegion(Value products, Value key);
  Value buildMask(Value scores, Value key, Value masked);
  Value loadKeyPosition(Value place);
  void copyKeys(Value source, Value key, Value tile);
  void buildEpilogue(State state);

  /// The head of `heads` that serves the CTA's query head.
  Value serveHead(int64_t heads) { return k.div(head, queryHeads / heads); }
  Value mulRows(Value rows, Value factors) {
    return k.map(
        output, {rows, softmax.broadcast(output, factors)},
        [&](ValueRange x, Value, Value) { return k.mulF(x[0], x[1]); });
  }

  AttentionOp op;
  int64_t keyTileRows;
  KernelBuilder &k;
  const AttentionParameters &parameters;
  int64_t queryBlock, queryHeads, headDim, keyBlock;
  OnlineSoftmax softmax;
  Type elementType;
  /// Keys that a row attends from its own position down, if there is a limit.
  std::optional<int64_t> window;
  FragmentType output;

  /// The elements of scalars.
  SmallVector<Value> scalars;
  // The CTA's place.
  Value block, head, batch, keyHead, permutationHead;
  Value firstRow, keyLength, keyBlocks, firstPosition;
  Value queryTile, keyTile, valueTile;
};

} // namespace

void AttentionKernel::build() {
  for (Value scalar : parameters.scalars)
    scalars.push_back(k.load(scalar, {}));
  findPlace();
  queryTile = k.tile(queryBlock, headDim, elementType);
  keyTile = k.tile(keyTileRows, headDim, elementType);
  valueTile = k.tile(keyTileRows, headDim, elementType);
  CopyTileOp::create(k.b, parameters.query, ValueRange{batch, head, firstRow},
                     Value(), ValueRange{}, queryTile);
  buildEpilogue(buildKeyLoop());
}

void AttentionKernel::findPlace() {
  block = k.blockId(gpu::Dimension::x);
  head = k.blockId(gpu::Dimension::y);
  batch = k.blockId(gpu::Dimension::z);
  keyHead = serveHead(getTensorType(op.getKey()).getDimSize(1));
  if (parameters.permutation)
    permutationHead = serveHead(op.getPermutation().getType().getHeads());

  Value queryLength = k.dim(parameters.query, 2);
  // The last query blocks have the longest lists: they start first.
  if (op.getCausal()) {
    Value lastRow = k.sub(queryLength, k.index(1));
    block = k.sub(k.div(lastRow, queryBlock), block);
  }
  firstRow = k.mul(block, k.index(queryBlock));
  keyLength = k.dim(parameters.key, 2);
  keyBlocks = k.ceilDiv(keyLength, keyBlock);
  // Query i stands at position i + Nkv - Nq.
  if (readsPositions() || hasScoreRegion()) {
    Value ahead = k.sub(keyLength, queryLength);
    firstPosition = k.toI32(k.add(firstRow, ahead));
  }
}

//===----------------------------------------------------------------------===//
// Key loop
//===----------------------------------------------------------------------===//

AttentionKernel::State AttentionKernel::buildKeyLoop() {
  Value zero = k.splat(output, k.real(0));
  OnlineSoftmax::State nothing = softmax.begin();
  SmallVector<Value> initial = {zero, nothing.maximum, nothing.sums};
  SmallVector<Type> carried(ValueRange(initial).getTypes());
  auto loop = KeyLoopOp::create(
      k.b, carried, k.b.getIndexType(), parameters.counts, parameters.indices,
      batch, head, block, keyBlocks, /*from=*/k.index(0),
      /*lengths=*/ValueRange(), initial, Walk::Test, keyBlock, keyTileRows,
      /*ahead=*/0, /*deferred=*/false,
      /*nearEnd=*/IntegerAttr(),
      /*bodiesCount=*/1);
  SmallVector<Type> types = {k.b.getIndexType(), k.b.getIndexType(),
                             k.b.getI1Type()};
  llvm::append_range(types, carried);
  OpBuilder::InsertionGuard guard(k.b);
  Block *body =
      k.b.createBlock(&loop.getBodies().front(), {}, types,
                      SmallVector<Location>(types.size(), k.b.getLoc()));
  State state = buildBody(
      body->getArgument(0), body->getArgument(2),
      {body->getArgument(3), {body->getArgument(4), body->getArgument(5)}});
  YieldOp::create(
      k.b, ValueRange{state.output, state.softmax.maximum, state.softmax.sums});
  return {loop.getResult(0), {loop.getResult(1), loop.getResult(2)}};
}

/// Plain keys under a permutation are gathered, permuted ones are in order.
void AttentionKernel::copyKeys(Value source, Value first, Value tile) {
  bool gathers = op.gathers();
  CopyTileOp::create(
      k.b, source, ValueRange{batch, keyHead, first},
      gathers ? parameters.permutation : Value(),
      gathers ? ValueRange{batch, permutationHead} : ValueRange{}, tile);
}

AttentionKernel::State AttentionKernel::buildBody(Value first, Value masked,
                                                  State state) {
  copyKeys(parameters.key, first, keyTile);
  copyKeys(parameters.value, first, valueTile);
  AwaitCopiesOp::create(k.b);

  Value products = MmaOp::create(k.b, softmax.scores, queryTile, keyTile,
                                 /*transposed=*/k.b.getUnitAttr(),
                                 k.splat(softmax.scores, k.real(0)));
  if (hasScoreRegion())
    products = buildScoreRegion(products, first);
  OnlineSoftmax::Step step =
      softmax.add(state.softmax, buildMask(products, first, masked));

  Value rescaled = mulRows(state.output, step.rescale);
  auto operandType =
      FragmentType::get(op.getContext(), queryBlock, keyTileRows, elementType,
                        FragmentLayout::OperandA, softmax.scores.getWarps());
  Value operand = ToOperandOp::create(k.b, operandType, step.weights);
  Value result = MmaOp::create(k.b, output, operand, valueTile,
                               /*transposed=*/UnitAttr(), rescaled);
  // Nobody overwrites the tiles before everybody has read them.
  k.barrier();
  return {result, step.state};
}

/// -inf where a row may not attend a key, by the key's original position.
Value AttentionKernel::buildMask(Value products, Value first, Value masked) {
  Value tilePlace = k.toI32(first);
  Value length = k.toI32(keyLength);
  return k.map(
      softmax.scores, products,
      [&](ValueRange x, Value row, Value col) {
        Value place = k.add(tilePlace, col);
        Value isKey = k.compare(Predicate::slt, place, length);
        if (!readsPositions())
          return k.select(isKey, x[0], k.negativeInfinity());
        // A place beyond the last key stands behind all rows, which makes one
        // comparison for each element of two. Without permutation a causal row
        // stands before such places anyway, unless it is none itself.
        Value position = loadKeyPosition(place);
        Value keep;
        if (op.getCausal()) {
          if (parameters.permutation)
            position = k.select(isKey, position, k.i32(INT32_MAX));
        } else {
          keep = isKey;
        }
        Value rowPosition = k.add(firstPosition, row);
        auto require = [&](Predicate predicate, Value limit) {
          Value holds = k.compare(predicate, position, limit);
          keep = keep ? k.land(keep, holds) : holds;
        };
        if (op.getCausal())
          require(Predicate::sle, rowPosition);
        if (window)
          require(Predicate::sgt, k.sub(rowPosition, k.i32(*window)));
        return k.select(keep, x[0], k.negativeInfinity());
      },
      masked);
}

/// The original position of the key at `place`, which may lie beyond the last.
Value AttentionKernel::loadKeyPosition(Value place) {
  if (!parameters.permutation)
    return place;
  Value last = k.sub(k.toI32(keyLength), k.i32(1));
  return k.load(parameters.permutation,
                {batch, permutationHead, k.toIndex(k.min(place, last))});
}

/// The scaled scores as the score region changes them. It runs for every
/// element, those of masked keys and of places beyond the last row or key too.
Value AttentionKernel::buildScoreRegion(Value products, Value first) {
  Block &body = op.getScore().front();
  Value tilePlace = k.toI32(first);
  IRMapping uniform;
  uniform.map(body.getArgument(1), k.toI32(batch));
  uniform.map(body.getArgument(2), k.toI32(head));
  uniform.map(body.getArguments().drop_front(5), scalars);
  double scale = op.getScale().convertToDouble();
  return k.map(
      softmax.scores, products, [&](ValueRange x, Value row, Value col) {
        IRMapping mapping = uniform;
        mapping.map(body.getArgument(0), k.mulF(x[0], k.real(scale)));
        mapping.map(body.getArgument(3), k.add(firstPosition, row));
        if (!body.getArgument(4).use_empty())
          mapping.map(body.getArgument(4),
                      loadKeyPosition(k.add(tilePlace, col)));
        for (Operation &nested : body.without_terminator())
          k.b.clone(nested, mapping);
        return mapping.lookupOrDefault(body.getTerminator()->getOperand(0));
      });
}

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

/// Divides by the sum of the weights; a row without keys gives 0 and -inf.
void AttentionKernel::buildEpilogue(State state) {
  Value inverse =
      k.map(softmax.column, softmax.total(state.softmax),
            [&](ValueRange x, Value, Value) {
              Value isEmpty = k.compare(Predicate::eq, x[0], k.real(0));
              Value quotient = arith::DivFOp::create(k.b, k.real(1), x[0]);
              return k.select(isEmpty, k.real(0), quotient);
            });
  SmallVector<Value> place = {batch, head, firstRow};
  StoreFragmentOp::create(k.b, mulRows(state.output, inverse), /*tile=*/Value(),
                          parameters.output, place);
  if (parameters.logSumExp)
    StoreFragmentOp::create(k.b,
                            softmax.logSum(state.softmax, llvm::numbers::ln2),
                            /*tile=*/Value(), parameters.logSumExp, place);
}

void pbs::buildAttentionKernel(AttentionOp op, int64_t keyTile,
                               KernelBuilder &k,
                               const AttentionParameters &parameters) {
  AttentionKernel(op, keyTile, k, parameters).build();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attention kernel: one CTA computes one query block of one head, key tile
// after key tile, with the running maximum and sum of FlashAttention-2
// (arXiv 2307.08691, algorithm 1).

#include "Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

using namespace mlir;
using namespace pbs;
using namespace pbsgpu;

static constexpr double log2e = 1.4426950408889634;
static constexpr double ln2 = 0.6931471805599453;

namespace {

class AttentionKernelBuilder {
public:
  AttentionKernelBuilder(AttentionOp op, AttentionTiling tiling,
                         OpBuilder &builder)
      : op(op), tiling(tiling), b(op.getLoc(), builder) {
    context = op.getContext();
    queryHeads = op.getQuery().getType().getDimSize(1);
    keyHeads = getTensorType(op.getKey()).getDimSize(1);
    headDim = op.getQuery().getType().getDimSize(3);
    queryBlock = op.getSelection().getType().getQueryBlock();
    keyBlock = op.getSelection().getType().getKeyBlock();
    scale2 = log2e;
    if (!hasScoreRegion())
      scale2 *= op.getScale().convertToDouble();
    elementType = op.getQuery().getType().getElementType();
    // No sequence has more keys, so that a larger window is none; and positions
    // have 32 bits.
    if (std::optional<int64_t> given = op.getWindow())
      window = std::min(*given, maxKeyBlocks * keyBlock);
    scores = getAccumulator(tiling.keyTile);
    column = getAccumulator(1);
    output = getAccumulator(headDim);
  }

  KernelOp build(StringRef name, ArrayRef<Type> parameters);

private:
  /// The values that the key loop carries, per row.
  struct State {
    /// Sum of the values, weighted.
    Value output;
    /// Largest score yet. Without a score region it is not scaled: scale is
    /// above 0.
    Value maximum;
    /// Sum of the weights.
    Value sum;
  };

  /// Whether positions decide which keys of a listed block a row attends.
  bool readsPositions() { return op.getCausal() || window; }

  void bindParameters(KernelOp kernel);
  void findPlace();
  State buildKeyLoop();
  State buildBody(Value key, Value masked, State state);
  Value buildScoreRegion(Value products, Value key);
  Value buildMask(Value scores, Value key, Value masked);
  Value loadKeyPosition(Value place);
  Value buildShift(Value maximum);
  void copyKeys(Value source, Value key, Value tile);
  void buildEpilogue(State state);

  FragmentType getAccumulator(int64_t columns) {
    return FragmentType::get(context, queryBlock, columns,
                             Float32Type::get(context),
                             FragmentLayout::Accumulator);
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value real(double value) {
    return arith::ConstantFloatOp::create(b, b.getF32Type(),
                                          APFloat(static_cast<float>(value)));
  }
  Value negativeInfinity() {
    return real(-std::numeric_limits<double>::infinity());
  }
  Value splat(FragmentType type, Value value) {
    return SplatOp::create(b, type, value);
  }
  Value allocTile(int64_t rows) {
    return AllocTileOp::create(
        b, TileType::get(context, rows, headDim, elementType, /*stages=*/1));
  }
  bool hasScoreRegion() { return !op.getScore().empty(); }
  Value dim(Value memory, int64_t dim) {
    return b.createOrFold<memref::DimOp>(memory, dim);
  }
  Value integer(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 32);
  }
  Value toI32(Value value) {
    return arith::IndexCastOp::create(b, b.getI32Type(), value);
  }
  /// The head of `heads` that serves the CTA's query head.
  Value serveHead(int64_t heads) {
    if (heads == queryHeads)
      return head;
    return arith::DivUIOp::create(b, head, index(queryHeads / heads));
  }
  /// exp2 by the hardware's approximation.
  Value exp2(Value value) {
    return math::Exp2Op::create(b, value, arith::FastMathFlags::afn);
  }

  using Element =
      function_ref<Value(ValueRange elements, Value row, Value col)>;
  /// A map whose region `element` builds.
  Value map(FragmentType type, ValueRange inputs, Element element,
            Value condition = {}) {
    auto map = MapOp::create(b, type, inputs, condition);
    SmallVector<Type> types(inputs.size(), b.getF32Type());
    types.append(2, b.getI32Type());
    OpBuilder::InsertionGuard guard(b);
    Block *body =
        b.createBlock(&map.getBody(), {}, types,
                      SmallVector<Location>(types.size(), b.getLoc()));
    unsigned count = inputs.size();
    Value result =
        element(body->getArguments().take_front(count),
                body->getArgument(count), body->getArgument(count + 1));
    YieldOp::create(b, result);
    return map;
  }
  Value broadcast(FragmentType type, Value source) {
    return RowBroadcastOp::create(b, type, source);
  }

  AttentionOp op;
  AttentionTiling tiling;
  ImplicitLocOpBuilder b;

  MLIRContext *context;
  int64_t queryHeads, keyHeads, headDim, queryBlock, keyBlock;
  /// What makes scores exponents of 2: log2(e), and the scale unless a score
  /// region has taken it in.
  double scale2;
  Type elementType;
  /// Keys that a row attends from its own position down, if there is a limit.
  std::optional<int64_t> window;
  FragmentType scores, column, output;

  // Parameters; of scalars their elements.
  Value query, key, value, permutation, counts, indices, out, logSumExp;
  SmallVector<Value> scalars;
  // The CTA's place.
  Value block, head, batch, keyHead, permutationHead;
  Value firstRow, keyLength, keyBlocks, firstPosition;
  Value queryTile, keyTile, valueTile;
};

} // namespace

KernelOp AttentionKernelBuilder::build(StringRef name,
                                       ArrayRef<Type> parameters) {
  auto kernel = KernelOp::create(
      b, b.getStringAttr(name),
      TypeAttr::get(b.getFunctionType(parameters, {})),
      b.getI64IntegerAttr(tiling.warps), /*arg_attrs=*/ArrayAttr(),
      /*res_attrs=*/ArrayAttr());
  OpBuilder::InsertionGuard guard(b);
  b.createBlock(&kernel.getBody(), {}, parameters,
                SmallVector<Location>(parameters.size(), b.getLoc()));
  bindParameters(kernel);
  findPlace();
  queryTile = allocTile(queryBlock);
  keyTile = allocTile(tiling.keyTile);
  valueTile = allocTile(tiling.keyTile);
  CopyTileOp::create(b, query, ValueRange{batch, head, firstRow}, Value(),
                     ValueRange{}, queryTile);
  buildEpilogue(buildKeyLoop());
  ReturnOp::create(b);
  return kernel;
}

void AttentionKernelBuilder::bindParameters(KernelOp kernel) {
  unsigned next = 0;
  auto bind = [&](StringRef name) {
    kernel.setArgAttr(next, PBSDialect::getNameAttrName(),
                      b.getStringAttr(name));
    return kernel.getArgument(next++);
  };
  query = bind("query");
  key = bind("key");
  value = bind("value");
  if (op.getPermutation())
    permutation = bind("permutation");
  counts = bind("counts");
  indices = bind("indices");
  for (unsigned i = 0; i < op.getScalars().size(); ++i)
    scalars.push_back(memref::LoadOp::create(
        b, bind("scalar" + std::to_string(i)), ValueRange()));
  out = bind("output");
  if (next < kernel.getNumArguments())
    logSumExp = bind("log_sum_exp");
}

void AttentionKernelBuilder::findPlace() {
  block = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  head = gpu::BlockIdOp::create(b, gpu::Dimension::y);
  batch = gpu::BlockIdOp::create(b, gpu::Dimension::z);
  keyHead = serveHead(keyHeads);
  if (permutation)
    permutationHead = serveHead(op.getPermutation().getType().getHeads());

  Value queryLength = dim(query, 2);
  // The last query blocks have the longest lists: they start first.
  if (op.getCausal()) {
    Value lastRow = arith::SubIOp::create(b, queryLength, index(1));
    Value lastBlock = arith::DivUIOp::create(b, lastRow, index(queryBlock));
    block = arith::SubIOp::create(b, lastBlock, block);
  }
  firstRow = arith::MulIOp::create(b, block, index(queryBlock));
  keyLength = dim(key, 2);
  Value roundedLength =
      arith::AddIOp::create(b, keyLength, index(keyBlock - 1));
  keyBlocks = arith::DivUIOp::create(b, roundedLength, index(keyBlock));
  // Query i stands at position i + Nkv - Nq.
  if (readsPositions() || hasScoreRegion()) {
    Value ahead = arith::SubIOp::create(b, keyLength, queryLength);
    firstPosition = toI32(arith::AddIOp::create(b, firstRow, ahead));
  }
}

//===----------------------------------------------------------------------===//
// Key loop
//===----------------------------------------------------------------------===//

AttentionKernelBuilder::State AttentionKernelBuilder::buildKeyLoop() {
  Value zero = real(0);
  SmallVector<Value> initial = {splat(output, zero),
                                splat(column, negativeInfinity()),
                                splat(column, zero)};
  SmallVector<Type> carried(ValueRange(initial).getTypes());
  auto loop = KeyLoopOp::create(b, carried, counts, indices, batch, head, block,
                                keyBlocks, initial, Walk::Test, keyBlock,
                                tiling.keyTile, /*stages=*/1,
                                /*bodiesCount=*/1);
  SmallVector<Type> types = {b.getIndexType(), b.getIndexType(), b.getI1Type()};
  llvm::append_range(types, carried);
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&loop.getBodies().front(), {}, types,
                              SmallVector<Location>(types.size(), b.getLoc()));
  State state = buildBody(
      body->getArgument(0), body->getArgument(2),
      {body->getArgument(3), body->getArgument(4), body->getArgument(5)});
  YieldOp::create(b, ValueRange{state.output, state.maximum, state.sum});
  return {loop.getResult(0), loop.getResult(1), loop.getResult(2)};
}

/// Plain keys under a permutation are gathered, permuted ones are in order.
void AttentionKernelBuilder::copyKeys(Value source, Value first, Value tile) {
  bool gathers = permutation && !isa<PermutedType>(op.getKey().getType());
  CopyTileOp::create(
      b, source, ValueRange{batch, keyHead, first},
      gathers ? permutation : Value(),
      gathers ? ValueRange{batch, permutationHead} : ValueRange{}, tile);
}

AttentionKernelBuilder::State
AttentionKernelBuilder::buildBody(Value first, Value masked, State state) {
  copyKeys(key, first, keyTile);
  copyKeys(value, first, valueTile);
  AwaitCopiesOp::create(b);

  Value products =
      MmaOp::create(b, scores, queryTile, keyTile,
                    /*transposed=*/b.getUnitAttr(), splat(scores, real(0)));
  if (hasScoreRegion())
    products = buildScoreRegion(products, first);
  Value kept = buildMask(products, first, masked);

  Value tileMaximum = RowReduceOp::create(b, column, Reduction::Max, kept);
  Value maximum = map(column, {state.maximum, tileMaximum},
                      [&](ValueRange x, Value, Value) -> Value {
                        return arith::MaxNumFOp::create(b, x[0], x[1]);
                      });
  Value shift = buildShift(maximum);
  // exp2(m_in scale2 - m scale2): 0 for the first tile of a row.
  Value rescale =
      map(column, {state.maximum, shift}, [&](ValueRange x, Value, Value) {
        return exp2(math::FmaOp::create(b, x[0], real(scale2), x[1]));
      });
  Value weights =
      map(scores, {kept, broadcast(scores, shift)},
          [&](ValueRange x, Value, Value) {
            return exp2(math::FmaOp::create(b, x[0], real(scale2), x[1]));
          });
  Value tileSum = RowReduceOp::create(b, column, Reduction::Sum, weights);
  Value sum = map(column, {state.sum, rescale, tileSum},
                  [&](ValueRange x, Value, Value) -> Value {
                    return math::FmaOp::create(b, x[0], x[1], x[2]);
                  });

  Value rescaled = map(output, {state.output, broadcast(output, rescale)},
                       [&](ValueRange x, Value, Value) -> Value {
                         return arith::MulFOp::create(b, x[0], x[1]);
                       });
  auto operandType = FragmentType::get(context, queryBlock, tiling.keyTile,
                                       elementType, FragmentLayout::OperandA);
  Value operand = ToOperandOp::create(b, operandType, weights);
  Value result = MmaOp::create(b, output, operand, valueTile,
                               /*transposed=*/UnitAttr(), rescaled);
  // Nobody overwrites the tiles before everybody has read them.
  gpu::BarrierOp::create(b);
  return {result, maximum, sum};
}

/// -inf where a row may not attend a key, by the key's original position.
Value AttentionKernelBuilder::buildMask(Value products, Value first,
                                        Value masked) {
  Value tilePlace = toI32(first);
  Value length = toI32(keyLength);
  return map(
      scores, products,
      [&](ValueRange x, Value row, Value col) -> Value {
        Value place = arith::AddIOp::create(b, tilePlace, col);
        Value keep =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, place, length);
        if (readsPositions()) {
          Value position = loadKeyPosition(place);
          Value rowPosition = arith::AddIOp::create(b, firstPosition, row);
          auto require = [&](arith::CmpIPredicate predicate, Value limit) {
            Value holds = arith::CmpIOp::create(b, predicate, position, limit);
            keep = arith::AndIOp::create(b, keep, holds);
          };
          if (op.getCausal())
            require(arith::CmpIPredicate::sle, rowPosition);
          if (window)
            require(arith::CmpIPredicate::sgt,
                    arith::SubIOp::create(b, rowPosition, integer(*window)));
        }
        return arith::SelectOp::create(b, keep, x[0], negativeInfinity());
      },
      masked);
}

/// The original position of the key at `place`, which may lie beyond the last.
Value AttentionKernelBuilder::loadKeyPosition(Value place) {
  if (!permutation)
    return place;
  Value last = arith::SubIOp::create(b, toI32(keyLength),
                                     arith::ConstantIntOp::create(b, 1, 32));
  Value inside = arith::MinSIOp::create(b, place, last);
  Value at = arith::IndexCastOp::create(b, b.getIndexType(), inside);
  return memref::LoadOp::create(b, permutation,
                                ValueRange{batch, permutationHead, at});
}

/// The scaled scores as the score region changes them. It runs for every
/// element, those of masked keys and of places beyond the last row or key too.
Value AttentionKernelBuilder::buildScoreRegion(Value products, Value first) {
  Block &body = op.getScore().front();
  Value tilePlace = toI32(first);
  IRMapping uniform;
  uniform.map(body.getArgument(1), toI32(batch));
  uniform.map(body.getArgument(2), toI32(head));
  uniform.map(body.getArguments().drop_front(5), scalars);
  double scale = op.getScale().convertToDouble();
  return map(scores, products, [&](ValueRange x, Value row, Value col) {
    IRMapping mapping = uniform;
    mapping.map(body.getArgument(0),
                arith::MulFOp::create(b, x[0], real(scale)));
    mapping.map(body.getArgument(3),
                arith::AddIOp::create(b, firstPosition, row));
    if (!body.getArgument(4).use_empty())
      mapping.map(body.getArgument(4),
                  loadKeyPosition(arith::AddIOp::create(b, tilePlace, col)));
    for (Operation &nested : body.without_terminator())
      b.clone(nested, mapping);
    return mapping.lookupOrDefault(body.getTerminator()->getOperand(0));
  });
}

/// What makes the largest exponent of a row 0: -maximum * scale2, or 0 for a
/// row without keys, whose exponents are all -inf.
Value AttentionKernelBuilder::buildShift(Value maximum) {
  return map(column, maximum, [&](ValueRange x, Value, Value) -> Value {
    Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x[0],
                                          negativeInfinity());
    Value shift = arith::MulFOp::create(b, x[0], real(-scale2));
    return arith::SelectOp::create(b, isEmpty, real(0), shift);
  });
}

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

/// Divides by the sum of the weights; a row without keys gives 0 and -inf.
void AttentionKernelBuilder::buildEpilogue(State state) {
  Value inverse = map(column, state.sum, [&](ValueRange x, Value, Value) {
    Value isEmpty =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x[0], real(0));
    Value quotient = arith::DivFOp::create(b, real(1), x[0]);
    return arith::SelectOp::create(b, isEmpty, real(0), quotient).getResult();
  });
  Value result = map(output, {state.output, broadcast(output, inverse)},
                     [&](ValueRange x, Value, Value) -> Value {
                       return arith::MulFOp::create(b, x[0], x[1]);
                     });
  SmallVector<Value> place = {batch, head, firstRow};
  StoreFragmentOp::create(b, result, out, place);
  if (!logSumExp)
    return;
  Value shift = buildShift(state.maximum);
  Value natural =
      map(column, {state.sum, shift}, [&](ValueRange x, Value, Value) -> Value {
        Value isEmpty =
            arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x[0], real(0));
        Value log2 = math::Log2Op::create(b, x[0], arith::FastMathFlags::afn);
        Value sum = arith::SubFOp::create(b, log2, x[1]);
        Value scaled = arith::MulFOp::create(b, sum, real(ln2));
        return arith::SelectOp::create(b, isEmpty, negativeInfinity(), scaled);
      });
  StoreFragmentOp::create(b, natural, logSumExp, place);
}

KernelOp pbs::buildAttentionKernel(AttentionOp op, AttentionTiling tiling,
                                   OpBuilder &builder, StringRef name,
                                   ArrayRef<Type> parameters) {
  return AttentionKernelBuilder(op, tiling, builder).build(name, parameters);
}

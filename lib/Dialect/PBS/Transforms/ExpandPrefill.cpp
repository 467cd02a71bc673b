// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs.prefill becomes the operations that it stands for.

#include "pbs/Dialect/PBS/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

namespace pbs {
#define GEN_PASS_DEF_PBSEXPANDPREFILL
#include "pbs/Dialect/PBS/Transforms/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbs;

namespace {
/// Writes the stages one by one in front of the operation. Values are located
/// by their names too, which a printer may use.
class PrefillExpander {
public:
  explicit PrefillExpander(PrefillOp op) : op(op), builder(op) {}

  void expand();

private:
  Location name(StringRef text) {
    return NameLoc::get(builder.getStringAttr(text), op.getLoc());
  }
  /// B x heads x N x D like `rows`.
  RankedTensorType getRowsType(Value rows, int64_t heads) {
    RankedTensorType type = getTensorType(rows);
    SmallVector<int64_t> shape(type.getShape());
    shape[1] = heads;
    return type.clone(shape);
  }

  Value buildPermutation(int64_t heads);
  Value buildPermute(StringRef text, Value rows, PermutationType permutation,
                     Value order);
  Value buildPool(StringRef text, Value rows, PoolingKind kind, int64_t block);
  Value buildScores(Value key, Value queryLength, Value keyLength,
                    Value permutation);
  SelectOp buildSelection(Value key, Value queryLength, Value keyLength,
                          Value permutation);

  PrefillOp op;
  OpBuilder builder;
};
} // namespace

static int64_t countBlocks(int64_t length, int64_t block) {
  return ShapedType::isDynamic(length)
             ? length
             : static_cast<int64_t>(
                   llvm::divideCeil(static_cast<uint64_t>(length), block));
}

Value PrefillExpander::buildPermutation(int64_t heads) {
  RankedTensorType key = op.getKey().getType();
  auto type = RankedTensorType::get(
      {key.getDimSize(0), heads, key.getDimSize(2)}, builder.getF32Type());
  Value importance = ImportanceOp::create(
      builder, name("importance"), type, op.getQuery(), op.getKey(),
      op.getQueryBlock(), op.getSegment(), op.getScale());
  return SegmentSortOp::create(
      builder, name("permutation"),
      PermutationType::get(op.getContext(), heads, op.getSegment()),
      importance);
}

Value PrefillExpander::buildPermute(StringRef text, Value rows,
                                    PermutationType permutation, Value order) {
  auto type = PermutedType::get(op.getContext(),
                                getRowsType(rows, permutation.getHeads()),
                                permutation.getSegment());
  return PermuteOp::create(builder, name(text), type, rows, order);
}

Value PrefillExpander::buildPool(StringRef text, Value rows, PoolingKind kind,
                                 int64_t block) {
  RankedTensorType type = getTensorType(rows);
  SmallVector<int64_t> shape(type.getShape());
  shape[2] = countBlocks(shape[2], block);
  return PoolOp::create(builder, name(text),
                        RankedTensorType::get(shape, builder.getF32Type()),
                        rows, /*permutation=*/Value(), kind, block);
}

/// Pools queries and keys where the score is one of pooled rows. `key` may be
/// permuted; other scores read keys through the permutation.
Value PrefillExpander::buildScores(Value key, Value queryLength,
                                   Value keyLength, Value permutation) {
  Value query = op.getQuery();
  BlockScore score = op.getBlockScore();
  if (std::optional<PoolingKind> pooling = score.getPooling()) {
    query = buildPool("pooled_query", query, *pooling, op.getQueryBlock());
    key = buildPool("pooled_key", key, *pooling, op.getKeyBlock());
    score = {};
    permutation = {};
  } else {
    key = op.getKey();
  }
  ArrayRef<int64_t> queries = op.getQuery().getType().getShape();
  auto type = RankedTensorType::get(
      {queries[0], queries[1], countBlocks(queries[2], op.getQueryBlock()),
       countBlocks(op.getKey().getType().getDimSize(2), op.getKeyBlock())},
      builder.getF32Type());
  return BlockScoresOp::create(builder, name("scores"), type, query, key,
                               queryLength, keyLength, permutation, score,
                               op.getQueryBlock(), op.getKeyBlock(),
                               op.getSegment(), op.getScale(), op.getCausal());
}

SelectOp PrefillExpander::buildSelection(Value key, Value queryLength,
                                         Value keyLength, Value permutation) {
  Value scores = buildScores(key, queryLength, keyLength, permutation);
  return SelectOp::create(
      builder, name("selection"),
      SelectionType::get(op.getContext(), op.getQueryBlock(), op.getKeyBlock()),
      op.getCut() ? op.getCut().getType() : Type(), scores, queryLength,
      keyLength, permutation, op.getRule(), op.getSegmentAttr(),
      op.getCapacityAttr(), op.getCausalAttr(), op.getWindowAttr());
}

void PrefillExpander::expand() {
  Value key = op.getKey(), value = op.getValue(), permutation;
  Value two = arith::ConstantIndexOp::create(builder, op.getLoc(), 2);
  Value queryLength =
      tensor::DimOp::create(builder, name("query_length"), op.getQuery(), two);
  Value keyLength =
      tensor::DimOp::create(builder, name("key_length"), key, two);
  if (op.getPermutation() != PermutationKind::None) {
    Value shared = op.getPermutation() == PermutationKind::PerQueryHead
                       ? op.getQuery()
                       : op.getKey();
    permutation = buildPermutation(getTensorType(shared).getDimSize(1));
    auto type = cast<PermutationType>(permutation.getType());
    key = buildPermute("permuted_key", key, type, permutation);
    value = buildPermute("permuted_value", value, type, permutation);
  }
  SelectOp selection = buildSelection(key, queryLength, keyLength, permutation);
  auto attention = AttentionOp::create(
      builder, op.getLoc(), op.getOutput().getType(),
      op.getLogSumExp().getType(), op.getQuery(), key, value,
      selection.getResult(), permutation, op.getScaleAttr(), op.getCausalAttr(),
      op.getWindowAttr(), op.getScalars());
  attention.getScore().takeBody(op.getScore());

  auto results = llvm::to_vector_of<Value>(attention.getResults());
  if (op.getCut())
    results.push_back(selection.getCut());
  op->replaceAllUsesWith(results);
}

namespace {
struct ExpandPrefill : pbs::impl::PBSExpandPrefillBase<ExpandPrefill> {
  void runOnOperation() override {
    SmallVector<PrefillOp> prefills;
    getOperation().walk([&](PrefillOp op) { prefills.push_back(op); });
    for (PrefillOp op : prefills) {
      PrefillExpander(op).expand();
      std::string score;
      llvm::raw_string_ostream(score) << op.getBlockScore();
      remark::passed(op.getLoc(), remark::RemarkOpts::name("Expanded")
                                      .category(getArgument())
                                      .function(getOperation().getSymName()))
          << remark::metric("Permutation",
                            stringifyPermutationKind(op.getPermutation()))
          << remark::metric("BlockScore", score);
      op.erase();
    }
  }
};
} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Canonical forms of the pbs operations: identity permutations and rules that
// leave nothing out disappear.

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace pbs;

static bool isIdentity(Value permutation) {
  return permutation && permutation.getDefiningOp<IdentityPermutationOp>();
}

/// The source of keys or values that were permuted by the identity, else null.
static Value getUnpermuted(Value keys) {
  auto permute = keys.getDefiningOp<PermuteOp>();
  if (!permute || !isIdentity(permute.getPermutation()))
    return {};
  return permute.getSource();
}

//===----------------------------------------------------------------------===//
// Identity permutations
//===----------------------------------------------------------------------===//

/// What makes a selection needs no identity permutation.
template <typename OpTy>
static LogicalResult dropIdentityOperand(OpTy op, PatternRewriter &rewriter) {
  if (!isIdentity(op.getPermutation()))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.getPermutationMutable().clear(); });
  return success();
}

/// Attention over plain keys needs no identity permutation; keys and values
/// that went through one are replaced by their source.
static LogicalResult dropIdentityFromAttention(AttentionOp op,
                                               PatternRewriter &rewriter) {
  bool hasIdentity = isIdentity(op.getPermutation());
  // Under another permutation, plain keys would mean a gather.
  if (op.getPermutation() && !hasIdentity)
    return failure();
  Value key = op.getKey(), value = op.getValue();
  if (isa<PermutedType>(key.getType())) {
    key = getUnpermuted(key);
    value = getUnpermuted(value);
    if (!key || !value)
      return failure();
  } else if (!hasIdentity) {
    return failure();
  }
  rewriter.modifyOpInPlace(op, [&] {
    op.getKeyMutable().assign(key);
    op.getValueMutable().assign(value);
    op.getPermutationMutable().clear();
  });
  return success();
}

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add(dropIdentityFromAttention);
}

/// Pooling keys permuted by the identity is pooling them, unless the
/// permutation also gave them more heads.
static LogicalResult poolUnpermuted(PoolOp op, PatternRewriter &rewriter) {
  if (isIdentity(op.getPermutation()) &&
      op.getPermutation().getType().getHeads() ==
          getTensorType(op.getSource()).getDimSize(1)) {
    rewriter.modifyOpInPlace(op, [&] { op.getPermutationMutable().clear(); });
    return success();
  }
  Value source = getUnpermuted(op.getSource());
  if (!source || getTensorType(source).getDimSize(1) !=
                     getTensorType(op.getSource()).getDimSize(1))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.getSourceMutable().assign(source); });
  return success();
}

void PoolOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                         MLIRContext *context) {
  patterns.add(poolUnpermuted);
}

/// At most one segment of keys stays in order.
static LogicalResult sortOneSegment(SegmentSortOp op,
                                    PatternRewriter &rewriter) {
  RankedTensorType importance = op.getImportance().getType();
  if (importance.isDynamicDim(2) ||
      importance.getDimSize(2) > op.getType().getSegment())
    return failure();
  Value batch =
      rewriter.createOrFold<tensor::DimOp>(op.getLoc(), op.getImportance(), 0);
  Value keyLength = arith::ConstantIndexOp::create(rewriter, op.getLoc(),
                                                   importance.getDimSize(2));
  rewriter.replaceOpWithNewOp<IdentityPermutationOp>(op, op.getType(), batch,
                                                     keyLength);
  return success();
}

void SegmentSortOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                MLIRContext *context) {
  patterns.add(sortOneSegment);
}

//===----------------------------------------------------------------------===//
// Selections that leave nothing out
//===----------------------------------------------------------------------===//

/// An operand of the same batch of the operation that computes `value`, or
/// null.
static Value getOperandOfBatch(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([](BlockScoresOp scores) { return scores.getQuery(); })
      .Case<PoolOp, PermuteOp>([](auto rows) { return rows.getSource(); })
      .Default([](Operation *) { return Value(); });
}

/// The batch of `tensor`, from as far back as it comes: what only tells the
/// batch need not be computed.
static Value createBatch(Location loc, TypedValue<RankedTensorType> tensor,
                         PatternRewriter &rewriter) {
  Value source = tensor;
  if (tensor.getType().isDynamicDim(0))
    for (Value value = tensor; value; value = getOperandOfBatch(value))
      if (isa<RankedTensorType>(value.getType()))
        source = value;
  return rewriter.createOrFold<tensor::DimOp>(loc, source, 0);
}

/// Replaces `op`, a selection over `blocks` (B x Hq x Qb x Kb), by the full
/// one, unless a capacity may cut it.
template <typename OpTy>
static LogicalResult selectAll(OpTy op, TypedValue<RankedTensorType> blocks,
                               PatternRewriter &rewriter) {
  if (op.getCapacity())
    return failure();
  Value batch = createBatch(op.getLoc(), blocks, rewriter);
  rewriter.replaceOpWithNewOp<FullSelectionOp>(
      op, op.getResult().getType(), batch, op.getQueryLength(),
      op.getKeyLength(), op.getPermutation(), blocks.getType().getDimSize(1),
      op.getCausal(), op.getWindowAttr());
  return success();
}

/// All candidates and the own segments, which are forced, are all blocks that
/// may be attended.
static LogicalResult selectAllCandidates(SelectOp op,
                                         PatternRewriter &rewriter) {
  int64_t keyBlocks = op.getScores().getType().getDimSize(3);
  if (!op.getRule().takesAll(ShapedType::isDynamic(keyBlocks) ? maxKeyBlocks
                                                              : keyBlocks))
    return failure();
  return selectAll(op, op.getScores(), rewriter);
}

void BlockScoresOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                MLIRContext *context) {
  patterns.add(dropIdentityOperand<BlockScoresOp>);
}

void SelectOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add(dropIdentityOperand<SelectOp>);
  patterns.add(selectAllCandidates);
}

static LogicalResult selectAllOfMask(SelectionFromMaskOp op,
                                     PatternRewriter &rewriter) {
  DenseElementsAttr mask;
  if (!matchPattern(op.getMask(), m_Constant(&mask)) || !mask.isSplat() ||
      !mask.getSplatValue<bool>())
    return failure();
  return selectAll(op, op.getMask(), rewriter);
}

void SelectionFromMaskOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add(dropIdentityOperand<SelectionFromMaskOp>);
  patterns.add(selectAllOfMask);
}

void FullSelectionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                  MLIRContext *context) {
  patterns.add(dropIdentityOperand<FullSelectionOp>);
}

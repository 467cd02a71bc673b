// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What pbs.block_scores scores key blocks by.

#include "Constraints.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace pbs;

std::optional<PoolingKind> PooledAttr::getPooling() const { return getKind(); }

LogicalResult RowsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t stride) {
  if (stride > 0 && stride <= smallestQueryBlock &&
      llvm::isPowerOf2_64(static_cast<uint64_t>(stride)))
    return success();
  return emitError() << "rows_c1: stride (" << stride
                     << ") must be a power of two and at most "
                     << smallestQueryBlock;
}

//===----------------------------------------------------------------------===//
// pbs.block_scores
//===----------------------------------------------------------------------===//

bool BlockScoresOp::isFused() {
  return llvm::all_of((*this)->getUsers(), llvm::IsaPred<SelectOp>);
}

/// Requires that `rows` were pooled in the blocks that `op` scores.
static LogicalResult verifyPooled(BlockScoresOp op, StringRef what, Value rows,
                                  int64_t block) {
  auto source = dyn_cast_or_null<PoolOp>(getVerifiedSource(op, rows));
  if (!source || static_cast<int64_t>(source.getBlock()) == block)
    return success();
  return refuse(op, "block_scores_c12")
         << what << " block (" << block << ") is not that of the pooling ("
         << source.getBlock() << ")";
}

/// Requires of the operands what the score reads: pooled rows, or queries and
/// keys.
static LogicalResult verifySource(BlockScoresOp op) {
  Type query = op.getQuery().getType().getElementType();
  Type key = op.getKey().getType().getElementType();
  std::optional<BlockScore> score = op.getScore();
  if (score && score->getPooling())
    return refuse(op, "block_scores_c14")
           << "score " << *score
           << " is that of pooled rows, for which none is stated";
  if (query != key || query.isF32() == score.has_value())
    return refuse(op, "block_scores_c15")
           << "query and key must be "
           << (score ? "both bf16 or both f16 for score "
                     : "f32 without a score")
           << (score ? *score : Attribute());
  if (!score) {
    if (op.getPermutation())
      return refuse(op, "block_scores_c16")
             << "pooled rows have an order, and no permutation";
    if (failed(verifyPooled(op, "query", op.getQuery(), op.getQueryBlock())))
      return failure();
    return verifyPooled(op, "key", op.getKey(), op.getKeyBlock());
  }
  if (!op.getPermutation())
    return success();
  PermutationType permutation = op.getPermutation().getType();
  if (permutation.getSegment() != static_cast<int64_t>(op.getSegment()))
    return refuse(op, "block_scores_c17")
           << "segment (" << op.getSegment()
           << ") is not that of the permutation (" << permutation.getSegment()
           << ")";
  int64_t heads = permutation.getHeads();
  int64_t queryHeads = op.getQuery().getType().getDimSize(1);
  int64_t keyHeads = op.getKey().getType().getDimSize(1);
  if (heads != queryHeads && heads != keyHeads)
    return refuse(op, "block_scores_c18")
           << "the permutation's heads (" << heads
           << ") are neither the query heads (" << queryHeads
           << ") nor the key heads (" << keyHeads << ")";
  return success();
}

LogicalResult BlockScoresOp::verify() {
  RankedTensorType query = getQuery().getType(), key = getKey().getType();
  auto queryBlock = static_cast<int64_t>(getQueryBlock());
  auto keyBlock = static_cast<int64_t>(getKeyBlock());
  if (failed(verifyForm(*this, "block_scores_c1", "query", query,
                        "B x H x N x D", {1, 3})) ||
      failed(verifyForm(*this, "block_scores_c1", "key", key, "B x H x N x D",
                        {1, 3})) ||
      failed(verifyHeadDim(*this, "block_scores_c2", query)) ||
      failed(verifyShape(*this, "block_scores_c3", "key", key,
                         {query.getDimSize(0), key.getDimSize(1),
                          key.getDimSize(2), query.getDimSize(3)})) ||
      failed(verifyGroups(*this, "block_scores_c4", query.getDimSize(1),
                          key.getDimSize(1))) ||
      failed(verifyBlock(*this, "block_scores_c6", "query block", queryBlock,
                         queryBlockSizes)) ||
      failed(verifyBlock(*this, "block_scores_c7", "key block", keyBlock,
                         keyBlockSizes)))
    return failure();
  // Pooled rows are blocks already.
  int64_t queryBlocks =
      countBlocks(query.getDimSize(2), getScore() ? queryBlock : 1);
  int64_t keyBlocks = countBlocks(key.getDimSize(2), getScore() ? keyBlock : 1);
  if (failed(verifyKeyBlocks(*this, "block_scores_c5", keyBlocks)) ||
      failed(verifySegment(*this, "block_scores_c8", getSegment())) ||
      failed(verifyScale(*this, "block_scores_c9", getScale())) ||
      failed(verifyForm(*this, "block_scores_c10", "result", getType(),
                        "B x Hq x Qb x Kb", {1})) ||
      failed(verifyBlocksOfSegment(*this, "block_scores_c11", getSegment(),
                                   keyBlock)) ||
      failed(verifySource(*this)) ||
      failed(verifyKnownLengths(
          *this, "block_scores_c13", getQueryLength(), getKeyLength(),
          SelectionType::get(getContext(), queryBlock, keyBlock), queryBlocks,
          keyBlocks)))
    return failure();
  return verifyShape(
      *this, "block_scores_c10", "result", getType(),
      {query.getDimSize(0), query.getDimSize(1), queryBlocks, keyBlocks});
}

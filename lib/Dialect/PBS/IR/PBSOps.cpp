// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the pbs operations but pbs.attention and pbs.prefill. Each
// diagnostic cites the constraint of docs/spec.md that does not hold.

#include "Constraints.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace pbs;

#define GET_OP_CLASSES
#include "pbs/Dialect/PBS/IR/PBSOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Ops that make the typed values
//===----------------------------------------------------------------------===//

LogicalResult PermutationFromTensorOp::verify() {
  RankedTensorType indices = getIndices().getType();
  if (failed(verifyForm(*this, "permutation_from_tensor_c1", "tensor", indices,
                        "B x H x N", {1})))
    return failure();
  if (indices.getDimSize(1) != getType().getHeads())
    return refuse(*this, "permutation_from_tensor_c2")
           << "the tensor's heads (" << indices.getDimSize(1)
           << ") are not those of the permutation (" << getType().getHeads()
           << ")";
  return verifyKeyBlocks(*this, "permutation_from_tensor_c3",
                         countBlocks(indices.getDimSize(2), largestKeyBlock));
}

LogicalResult FullSelectionOp::verify() {
  int64_t heads = static_cast<int64_t>(getHeads());
  if (heads < 1)
    return refuse(*this, "full_selection_c1")
           << "heads (" << heads << ") must be positive";
  if (failed(verifyPermutationHeads(*this, "full_selection_c2",
                                    getPermutation(), heads)))
    return failure();
  if (failed(verifyWindow(*this, "full_selection_c3", getWindow())))
    return failure();
  if (failed(verifyBlocksOfPermutation(
          *this, "full_selection_c4", getPermutation(), getResult().getType())))
    return failure();
  return verifyKnownLengths(*this, "full_selection_c5", getQueryLength(),
                            getKeyLength(), getResult().getType(),
                            ShapedType::kDynamic, ShapedType::kDynamic);
}

LogicalResult SelectionFromListsOp::verify() {
  RankedTensorType counts = getCounts().getType();
  RankedTensorType indices = getIndices().getType();
  if (failed(verifyForm(*this, "selection_from_lists_c1", "counts", counts,
                        "B x Hq x Qb x 2", {1})) ||
      failed(verifyForm(*this, "selection_from_lists_c1", "indices", indices,
                        "B x Hq x Qb x C", {1})))
    return failure();
  if (counts.getDimSize(3) != 2)
    return refuse(*this, "selection_from_lists_c2")
           << "counts " << counts
           << " must have a last dimension of 2: whole, masked";
  ArrayRef<int64_t> shape = counts.getShape();
  if (failed(
          verifyShape(*this, "selection_from_lists_c3", "indices", indices,
                      {shape[0], shape[1], shape[2], indices.getDimSize(3)})))
    return failure();
  return verifyKeyBlocks(*this, "selection_from_lists_c4",
                         indices.getDimSize(3));
}

LogicalResult SelectionFromMaskOp::verify() {
  RankedTensorType mask = getMask().getType();
  if (failed(verifyForm(*this, "selection_from_mask_c1", "mask", mask,
                        "B x Hq x Qb x Kb", {1})) ||
      failed(
          verifyKeyBlocks(*this, "selection_from_mask_c2", mask.getDimSize(3))))
    return failure();
  if (failed(verifyPermutationHeads(*this, "selection_from_mask_c3",
                                    getPermutation(), mask.getDimSize(1))) ||
      failed(verifyWindow(*this, "selection_from_mask_c7", getWindow())) ||
      failed(verifyBlocksOfPermutation(*this, "selection_from_mask_c8",
                                       getPermutation(),
                                       getResult().getType())) ||
      failed(verifyKnownLengths(
          *this, "selection_from_mask_c9", getQueryLength(), getKeyLength(),
          getResult().getType(), mask.getDimSize(2), mask.getDimSize(3))))
    return failure();
  return verifyCapacity(*this,
                        {"selection_from_mask_c4", "selection_from_mask_c5",
                         "selection_from_mask_c6"},
                        getCapacity(), getCut(), mask.getShape(),
                        /*fewest=*/1);
}

//===----------------------------------------------------------------------===//
// The algorithm before attention
//===----------------------------------------------------------------------===//

LogicalResult ImportanceOp::verify() {
  RankedTensorType query = getQuery().getType(), key = getKey().getType();
  if (failed(verifyForm(*this, "importance_c1", "query", query, "B x H x N x D",
                        {1, 3})) ||
      failed(verifyForm(*this, "importance_c1", "key", key, "B x H x N x D",
                        {1, 3})))
    return failure();
  if (query.getElementType() != key.getElementType())
    return refuse(*this, "importance_c2")
           << "query and key have different element types";
  if (failed(verifyHeadDim(*this, "importance_c3", query)))
    return failure();
  if (failed(verifyShape(*this, "importance_c4", "key", key,
                         {query.getDimSize(0), key.getDimSize(1),
                          key.getDimSize(2), query.getDimSize(3)})) ||
      failed(verifyGroups(*this, "importance_c5", query.getDimSize(1),
                          key.getDimSize(1))) ||
      failed(verifyLengths(*this, "importance_c6", query, key)) ||
      failed(
          verifyKeyBlocks(*this, "importance_c7",
                          countBlocks(key.getDimSize(2), largestKeyBlock))) ||
      failed(verifyBlock(*this, "importance_c8", "query block", getQueryBlock(),
                         queryBlockSizes)) ||
      failed(verifySegment(*this, "importance_c9", getSegment())) ||
      failed(verifyScale(*this, "importance_c10", getScale())))
    return failure();

  RankedTensorType result = getType();
  if (failed(verifyForm(*this, "importance_c11", "result", result, "B x H x N",
                        {1})))
    return failure();
  int64_t heads = result.getDimSize(1);
  if (heads != query.getDimSize(1) && heads != key.getDimSize(1))
    return refuse(*this, "importance_c12")
           << "result heads (" << heads << ") are neither the query heads ("
           << query.getDimSize(1) << ") nor the key heads ("
           << key.getDimSize(1) << ")";
  return verifyShape(*this, "importance_c11", "result", result,
                     {key.getDimSize(0), heads, key.getDimSize(2)});
}

LogicalResult SegmentSortOp::verify() {
  RankedTensorType importance = getImportance().getType();
  if (failed(verifyForm(*this, "segment_sort_c1", "importance", importance,
                        "B x H x N", {1})))
    return failure();
  if (importance.getDimSize(1) != getType().getHeads())
    return refuse(*this, "segment_sort_c2")
           << "the importance's heads (" << importance.getDimSize(1)
           << ") are not those of the permutation (" << getType().getHeads()
           << ")";
  return verifyKeyBlocks(
      *this, "segment_sort_c3",
      countBlocks(importance.getDimSize(2), largestKeyBlock));
}

LogicalResult PermuteOp::verify() {
  RankedTensorType source = getSource().getType();
  RankedTensorType result = getType().getTensor();
  PermutationType permutation = getPermutation().getType();
  if (failed(verifyForm(*this, "permute_c1", "source", source, "B x H x N x D",
                        {1, 3})))
    return failure();
  if (permutation.getHeads() % source.getDimSize(1) != 0)
    return refuse(*this, "permute_c2")
           << "the permutation's heads (" << permutation.getHeads()
           << ") are not a multiple of the source's (" << source.getDimSize(1)
           << ")";
  if (source.getElementType() != result.getElementType())
    return refuse(*this, "permute_c3")
           << "source and result have different element types";
  if (failed(verifyShape(*this, "permute_c4", "result", result,
                         {source.getDimSize(0), permutation.getHeads(),
                          source.getDimSize(2), source.getDimSize(3)})))
    return failure();
  if (getType().getSegment() != permutation.getSegment())
    return refuse(*this, "permute_c5")
           << "the result's segment (" << getType().getSegment()
           << ") is not that of the permutation (" << permutation.getSegment()
           << ")";
  return verifyKeyBlocks(*this, "permute_c6",
                         countBlocks(source.getDimSize(2), largestKeyBlock));
}

LogicalResult PoolOp::verify() {
  RankedTensorType source = getTensorType(getSource());
  RankedTensorType result = getType();
  if (failed(verifyForm(*this, "pool_c1", "source", source, "B x H x N x D",
                        {1, 3})) ||
      failed(verifyHeadDim(*this, "pool_c2", source)) ||
      failed(verifyBlock(*this, "pool_c3", "block", getBlock(),
                         queryBlockSizes)) ||
      failed(verifyForm(*this, "pool_c4", "result", result, "B x H x N x D",
                        {1, 3})))
    return failure();
  int64_t heads = source.getDimSize(1);
  if (getPermutation()) {
    heads = getPermutation().getType().getHeads();
    if (isa<PermutedType>(getSource().getType()))
      return refuse(*this, "pool_c5")
             << "rows that are permuted already have a permutation";
    if (heads % source.getDimSize(1) != 0)
      return refuse(*this, "pool_c6")
             << "the permutation's heads (" << heads
             << ") are not a multiple of the source's (" << source.getDimSize(1)
             << ")";
  }
  return verifyShape(*this, "pool_c4", "result", result,
                     {source.getDimSize(0), heads,
                      countBlocks(source.getDimSize(2), getBlock()),
                      source.getDimSize(3)});
}

LogicalResult SelectOp::verify() {
  RankedTensorType scores = getScores().getType();
  if (failed(verifyForm(*this, "select_c1", "scores", scores,
                        "B x Hq x Qb x Kb", {1})) ||
      failed(verifyKeyBlocks(*this, "select_c2", scores.getDimSize(3))) ||
      failed(verifySegment(*this, "select_c3", getSegment())) ||
      failed(verifyPermutationHeads(*this, "select_c4", getPermutation(),
                                    scores.getDimSize(1))))
    return failure();
  if (Value permutation = getPermutation()) {
    int64_t segment = cast<PermutationType>(permutation.getType()).getSegment();
    if (segment != static_cast<int64_t>(getSegment()))
      return refuse(*this, "select_c5")
             << "segment (" << getSegment()
             << ") is not that of the permutation (" << segment << ")";
  }
  SelectionType selection = getResult().getType();
  if (failed(verifyBlocksOfSegment(*this, "select_c12", getSegment(),
                                   selection.getKeyBlock())))
    return failure();
  int64_t forced = getMostForcedBlocks(selection.getQueryBlock(),
                                       selection.getKeyBlock(), getSegment());
  if (failed(verifyCapacity(*this, {"select_c8", "select_c9", "select_c10"},
                            getCapacity(), getCut(), scores.getShape(),
                            forced)) ||
      failed(verifyWindow(*this, "select_c11", getWindow())) ||
      failed(verifyKnownLengths(*this, "select_c14", getQueryLength(),
                                getKeyLength(), selection, scores.getDimSize(2),
                                scores.getDimSize(3))))
    return failure();
  auto source =
      dyn_cast_or_null<BlockScoresOp>(getVerifiedSource(*this, getScores()));
  if (!source)
    return success();
  if (source.getCausal() != getCausal())
    return refuse(*this, "select_c6") << "causality is not that of the scores";
  if (source.getSegment() != getSegment())
    return refuse(*this, "select_c7")
           << "segment (" << getSegment() << ") is not that of the scores ("
           << source.getSegment() << ")";
  auto scored = SelectionType::get(getContext(),
                                   static_cast<int64_t>(source.getQueryBlock()),
                                   static_cast<int64_t>(source.getKeyBlock()));
  if (selection != scored)
    return refuse(*this, "select_c13")
           << "the selection is " << selection
           << ", but the scores are those of " << scored;
  return success();
}

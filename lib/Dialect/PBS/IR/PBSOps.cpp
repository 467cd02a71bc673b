// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of the pbs operations. Each diagnostic cites the constraint of
// docs/spec.md that does not hold.

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace pbs;

#define GET_OP_CLASSES
#include "pbs/Dialect/PBS/IR/PBSOps.cpp.inc"

//===----------------------------------------------------------------------===//
// What several verifiers need
//===----------------------------------------------------------------------===//

/// The start of a diagnostic that cites `constraint`.
static InFlightDiagnostic refuse(Operation *op, StringRef constraint) {
  return op->emitOpError(constraint) << ": ";
}

/// Two sizes agree if they are the same or one of them is unknown.
static bool agree(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

/// How many blocks of `block` rows `length` rows make, unknown if that is.
static int64_t countBlocks(int64_t length, int64_t block) {
  if (ShapedType::isDynamic(length))
    return length;
  return llvm::divideCeil(static_cast<uint64_t>(length), block);
}

static bool isValidSegment(int64_t segment) {
  return segment > 0 && segment <= maxSegment && segment % supportedBlock == 0;
}

/// Requires of `tensor` the dimensions that `form` names, such as
/// "B x H x N x D", static ones where `staticDims` says so, none of them 0, and
/// no encoding.
static LogicalResult verifyForm(Operation *op, StringRef constraint,
                                StringRef what, RankedTensorType tensor,
                                StringRef form, ArrayRef<unsigned> staticDims) {
  SmallVector<StringRef> names;
  form.split(names, " x ");
  bool isForm =
      tensor.getRank() == static_cast<int64_t>(names.size()) &&
      !tensor.getEncoding() && !llvm::is_contained(tensor.getShape(), 0) &&
      llvm::none_of(staticDims,
                    [&](unsigned dim) { return tensor.isDynamicDim(dim); });
  if (isForm)
    return success();
  InFlightDiagnostic diagnostic = refuse(op, constraint);
  diagnostic << what << " " << tensor << " must be " << form;
  for (unsigned dim : staticDims)
    diagnostic << (dim == staticDims.front() ? " with static " : " and ")
               << names[dim];
  return diagnostic << ", no dimension of 0 and no encoding";
}

/// Requires that `tensor`, which has the right rank, agrees with `shape`.
static LogicalResult verifyShape(Operation *op, StringRef constraint,
                                 StringRef what, RankedTensorType tensor,
                                 ArrayRef<int64_t> shape) {
  if (llvm::all_of(llvm::zip_equal(tensor.getShape(), shape), [](auto pair) {
        return agree(std::get<0>(pair), std::get<1>(pair));
      }))
    return success();
  auto expected = RankedTensorType::get(shape, tensor.getElementType());
  return refuse(op, constraint)
         << what << " is " << tensor << " but must agree with " << expected;
}

static LogicalResult verifyHeadDim(Operation *op, StringRef constraint,
                                   RankedTensorType tensor) {
  int64_t dim = tensor.getDimSize(3);
  if (dim == 64 || dim == 128)
    return success();
  return refuse(op, constraint)
         << "head dimension (" << dim << ") must be 64 or 128";
}

/// Requires that each key head serves the same number of query heads.
static LogicalResult verifyGroups(Operation *op, StringRef constraint,
                                  int64_t queryHeads, int64_t keyHeads) {
  if (queryHeads % keyHeads == 0)
    return success();
  return refuse(op, constraint)
         << "query heads (" << queryHeads
         << ") are not a multiple of key heads (" << keyHeads << ")";
}

static LogicalResult verifyScale(Operation *op, StringRef constraint,
                                 const APFloat &scale) {
  if (scale.isFinite() && !scale.isNegative() && !scale.isZero())
    return success();
  return refuse(op, constraint) << "scale (" << scale.convertToDouble()
                                << ") must be finite and greater than 0";
}

static LogicalResult verifySegment(Operation *op, StringRef constraint,
                                   int64_t segment) {
  if (isValidSegment(segment))
    return success();
  return refuse(op, constraint)
         << "segment (" << segment << ") must be a positive multiple of "
         << supportedBlock << ", at most " << maxSegment;
}

static LogicalResult verifyBlock(Operation *op, StringRef constraint,
                                 StringRef what, int64_t block) {
  if (block == supportedBlock)
    return success();
  return refuse(op, constraint)
         << what << " (" << block << ") must be " << supportedBlock;
}

static LogicalResult verifyKeyBlocks(Operation *op, StringRef constraint,
                                     int64_t blocks) {
  if (ShapedType::isDynamic(blocks) || blocks <= maxKeyBlocks)
    return success();
  return refuse(op, constraint)
         << "key blocks (" << blocks << ") are more than " << maxKeyBlocks;
}

/// Requires Nq <= Nkv.
static LogicalResult verifyLengths(Operation *op, StringRef constraint,
                                   RankedTensorType query,
                                   RankedTensorType key) {
  int64_t queries = query.getDimSize(2), keys = key.getDimSize(2);
  if (agree(queries, keys) || queries < keys)
    return success();
  return refuse(op, constraint)
         << "queries (" << queries << ") are more than keys (" << keys << ")";
}

/// Requires of an optional permutation that each of its heads serves the same
/// number of the `heads` of a selection.
static LogicalResult verifyPermutationHeads(Operation *op, StringRef constraint,
                                            Value permutation, int64_t heads) {
  if (!permutation)
    return success();
  auto type = cast<PermutationType>(permutation.getType());
  if (heads % type.getHeads() == 0)
    return success();
  return refuse(op, constraint)
         << "query heads (" << heads
         << ") are not a multiple of the permutation's heads ("
         << type.getHeads() << ")";
}

/// The operation that defines `value`, a value that `op` uses, if it comes
/// before `op` and hence is known to be valid itself; else null.
static Operation *getVerifiedSource(Operation *op, Value value) {
  Operation *source = value.getDefiningOp();
  if (!source)
    return nullptr;
  Operation *user = source->getBlock()->findAncestorOpInBlock(*op);
  return user && source->isBeforeInBlock(user) ? source : nullptr;
}

int64_t pbs::getMostForcedBlocks(int64_t queryBlock, int64_t keyBlock,
                                 int64_t segment) {
  int64_t ownSegments = countBlocks(queryBlock - 1, segment) + 1;
  return ownSegments * (segment / keyBlock) + 1;
}

static LogicalResult verifyWindow(Operation *op, StringRef constraint,
                                  std::optional<int64_t> window) {
  if (!window || *window > 0)
    return success();
  return refuse(op, constraint)
         << "window (" << *window << ") must be positive";
}

namespace {
/// The constraints that a capacity may break.
struct CapacityConstraints {
  StringRef range, results, form;
};
} // namespace

/// Requires that `op` has a capacity of at least `fewest` and counts the query
/// blocks that it cuts, or neither. `blocks` is B x Hq x Qb x Kb.
template <typename OpTy>
static LogicalResult verifyCapacity(OpTy op, RankedTensorType blocks,
                                    int64_t fewest,
                                    const CapacityConstraints &constraints) {
  bool hasCount = static_cast<bool>(op.getCut());
  if (op.getCapacity().has_value() != hasCount)
    return refuse(op, constraints.results)
           << (hasCount ? "counts of cut query blocks need a capacity"
                        : "a capacity needs a second result, the counts of "
                          "cut query blocks");
  if (!hasCount)
    return success();
  auto capacity = static_cast<int64_t>(*op.getCapacity());
  if (!blocks.isDynamicDim(3))
    fewest = std::min(fewest, blocks.getDimSize(3));
  if (capacity < fewest || capacity > maxKeyBlocks)
    return refuse(op, constraints.range)
           << "capacity (" << capacity << ") must be from " << fewest
           << (fewest > 1 ? ", the blocks that may be forced, to " : " to ")
           << maxKeyBlocks;
  auto cut = cast<RankedTensorType>(op.getCut().getType());
  if (failed(verifyForm(op, constraints.form, "cut", cut, "B x Hq", {1})))
    return failure();
  return verifyShape(op, constraints.form, "cut", cut,
                     blocks.getShape().take_front(2));
}

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
                         countBlocks(indices.getDimSize(2), supportedBlock));
}

LogicalResult FullSelectionOp::verify() {
  int64_t heads = static_cast<int64_t>(getHeads());
  if (heads < 1)
    return refuse(*this, "full_selection_c1")
           << "heads (" << heads << ") must be positive";
  if (failed(verifyPermutationHeads(*this, "full_selection_c2",
                                    getPermutation(), heads)))
    return failure();
  return verifyWindow(*this, "full_selection_c3", getWindow());
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
      failed(verifyWindow(*this, "selection_from_mask_c7", getWindow())))
    return failure();
  return verifyCapacity(*this, mask, /*fewest=*/1,
                        {"selection_from_mask_c4", "selection_from_mask_c5",
                         "selection_from_mask_c6"});
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
      failed(verifyKeyBlocks(*this, "importance_c7",
                             countBlocks(key.getDimSize(2), supportedBlock))) ||
      failed(verifyBlock(*this, "importance_c8", "query block",
                         getQueryBlock())) ||
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
  return verifyKeyBlocks(*this, "segment_sort_c3",
                         countBlocks(importance.getDimSize(2), supportedBlock));
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
                         countBlocks(source.getDimSize(2), supportedBlock));
}

LogicalResult PoolOp::verify() {
  RankedTensorType source = getTensorType(getSource());
  RankedTensorType result = getType();
  if (failed(verifyForm(*this, "pool_c1", "source", source, "B x H x N x D",
                        {1, 3})) ||
      failed(verifyHeadDim(*this, "pool_c2", source)) ||
      failed(verifyBlock(*this, "pool_c3", "block", getBlock())) ||
      failed(verifyForm(*this, "pool_c4", "result", result, "B x H x N x D",
                        {1, 3})))
    return failure();
  return verifyShape(*this, "pool_c4", "result", result,
                     {source.getDimSize(0), source.getDimSize(1),
                      countBlocks(source.getDimSize(2), getBlock()),
                      source.getDimSize(3)});
}

LogicalResult BlockScoresOp::verify() {
  RankedTensorType query = getPooledQuery().getType();
  RankedTensorType key = getPooledKey().getType();
  if (failed(verifyForm(*this, "block_scores_c1", "pooled query", query,
                        "B x H x N x D", {1, 3})) ||
      failed(verifyForm(*this, "block_scores_c1", "pooled key", key,
                        "B x H x N x D", {1, 3})) ||
      failed(verifyHeadDim(*this, "block_scores_c2", query)) ||
      failed(verifyShape(*this, "block_scores_c3", "pooled key", key,
                         {query.getDimSize(0), key.getDimSize(1),
                          key.getDimSize(2), query.getDimSize(3)})) ||
      failed(verifyGroups(*this, "block_scores_c4", query.getDimSize(1),
                          key.getDimSize(1))) ||
      failed(verifyKeyBlocks(*this, "block_scores_c5", key.getDimSize(2))) ||
      failed(verifyBlock(*this, "block_scores_c6", "query block",
                         getQueryBlock())) ||
      failed(
          verifyBlock(*this, "block_scores_c7", "key block", getKeyBlock())) ||
      failed(verifySegment(*this, "block_scores_c8", getSegment())) ||
      failed(verifyScale(*this, "block_scores_c9", getScale())) ||
      failed(verifyForm(*this, "block_scores_c10", "result", getType(),
                        "B x Hq x Qb x Kb", {1})))
    return failure();
  return verifyShape(*this, "block_scores_c10", "result", getType(),
                     {query.getDimSize(0), query.getDimSize(1),
                      query.getDimSize(2), key.getDimSize(2)});
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
  int64_t forced =
      getMostForcedBlocks(getResult().getType().getQueryBlock(),
                          getResult().getType().getKeyBlock(), getSegment());
  if (failed(verifyCapacity(*this, scores, forced,
                            {"select_c8", "select_c9", "select_c10"})) ||
      failed(verifyWindow(*this, "select_c11", getWindow())))
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
  return success();
}

//===----------------------------------------------------------------------===//
// pbs.attention
//===----------------------------------------------------------------------===//

/// Query, key and value tensors, plain or permuted.
static LogicalResult verifyTensors(AttentionOp op) {
  RankedTensorType query = op.getQuery().getType();
  RankedTensorType key = getTensorType(op.getKey());
  RankedTensorType value = getTensorType(op.getValue());
  if (failed(verifyForm(op, "attention_c1", "query", query, "B x H x N x D",
                        {1, 3})) ||
      failed(verifyForm(op, "attention_c1", "key", key, "B x H x N x D",
                        {1, 3})) ||
      failed(verifyForm(op, "attention_c1", "value", value, "B x H x N x D",
                        {1, 3})))
    return failure();
  if (query.getElementType() != key.getElementType() ||
      query.getElementType() != value.getElementType())
    return refuse(op, "attention_c2")
           << "query, key and value have different element types";
  if (failed(verifyHeadDim(op, "attention_c3", query)) ||
      failed(verifyGroups(op, "attention_c4", query.getDimSize(1),
                          key.getDimSize(1))) ||
      failed(verifyShape(op, "attention_c5", "key", key,
                         {query.getDimSize(0), key.getDimSize(1),
                          key.getDimSize(2), query.getDimSize(3)})) ||
      failed(verifyShape(op, "attention_c6", "value", value, key.getShape())) ||
      failed(verifyShape(op, "attention_c6", "value", value,
                         {query.getDimSize(0), key.getDimSize(1),
                          key.getDimSize(2), query.getDimSize(3)})) ||
      failed(verifyLengths(op, "attention_c7", query, key)) ||
      failed(verifyLengths(op, "attention_c7", query, value)))
    return failure();
  for (RankedTensorType keys : {key, value})
    if (failed(
            verifyKeyBlocks(op, "attention_c8",
                            countBlocks(keys.getDimSize(2), supportedBlock))))
      return failure();
  return success();
}

/// Which keys are in permuted order, and how original positions are known.
static LogicalResult verifyPermutation(AttentionOp op) {
  auto key = dyn_cast<PermutedType>(op.getKey().getType());
  auto value = dyn_cast<PermutedType>(op.getValue().getType());
  if (!key != !value)
    return refuse(op, "attention_c9")
           << "key and value must both be plain or both be permuted";
  if (key && key.getSegment() != value.getSegment())
    return refuse(op, "attention_c10")
           << "key and value are permuted in segments of " << key.getSegment()
           << " and " << value.getSegment();
  if (!op.getPermutation()) {
    if (key && op.getCausal())
      return refuse(op, "attention_c11")
             << "causal attention over permuted keys needs their permutation";
    return success();
  }

  PermutationType permutation = op.getPermutation().getType();
  int64_t queryHeads = op.getQuery().getType().getDimSize(1);
  int64_t keyHeads = getTensorType(op.getKey()).getDimSize(1);
  if (key && permutation.getHeads() != keyHeads)
    return refuse(op, "attention_c12")
           << "the permutation's heads (" << permutation.getHeads()
           << ") are not those of the permuted keys (" << keyHeads << ")";
  if (!key && permutation.getHeads() != queryHeads &&
      permutation.getHeads() != keyHeads)
    return refuse(op, "attention_c13")
           << "the permutation's heads (" << permutation.getHeads()
           << ") are neither the query heads (" << queryHeads
           << ") nor the key heads (" << keyHeads << ")";
  if (key && permutation.getSegment() != key.getSegment())
    return refuse(op, "attention_c14")
           << "the permutation's segment (" << permutation.getSegment()
           << ") is not that of the permuted keys (" << key.getSegment() << ")";
  return success();
}

namespace {
/// What the op that makes a selection shows about it.
struct SelectionOrigin {
  int64_t heads;
  /// None for lists, which stand as they are.
  std::optional<bool> isCausal;
  std::optional<int64_t> window;
  /// Null where the op has none or the identity.
  Value permutation;
};
} // namespace

/// The permutation, or null where it is known to be the identity.
static Value dropIdentity(Value permutation) {
  if (permutation && permutation.getDefiningOp<IdentityPermutationOp>())
    return {};
  return permutation;
}

static std::optional<SelectionOrigin> getOrigin(AttentionOp attention) {
  Operation *source = getVerifiedSource(attention, attention.getSelection());
  if (auto op = dyn_cast_or_null<SelectionFromListsOp>(source))
    return SelectionOrigin{op.getCounts().getType().getDimSize(1), std::nullopt,
                           std::nullopt, Value()};
  if (auto op = dyn_cast_or_null<SelectOp>(source))
    return SelectionOrigin{op.getScores().getType().getDimSize(1),
                           op.getCausal(), op.getWindow(),
                           dropIdentity(op.getPermutation())};
  if (auto op = dyn_cast_or_null<SelectionFromMaskOp>(source))
    return SelectionOrigin{op.getMask().getType().getDimSize(1), op.getCausal(),
                           op.getWindow(), dropIdentity(op.getPermutation())};
  if (auto op = dyn_cast_or_null<FullSelectionOp>(source))
    return SelectionOrigin{static_cast<int64_t>(op.getHeads()), op.getCausal(),
                           op.getWindow(), dropIdentity(op.getPermutation())};
  return std::nullopt;
}

static LogicalResult verifySelection(AttentionOp op) {
  std::optional<SelectionOrigin> origin = getOrigin(op);
  if (!origin)
    return success();
  int64_t heads = op.getQuery().getType().getDimSize(1);
  if (origin->heads != heads)
    return refuse(op, "attention_c15")
           << "the selection's heads (" << origin->heads
           << ") are not the query heads (" << heads << ")";
  if (!origin->isCausal)
    return success();
  if (*origin->isCausal != op.getCausal())
    return refuse(op, "attention_c16")
           << "causality is not that of the selection";
  if (origin->window != std::optional<int64_t>(op.getWindow()))
    return refuse(op, "attention_c23")
           << "the window is not that of the selection";
  // Without causality every key is attended, in whatever order.
  Value permutation = dropIdentity(op.getPermutation());
  if (op.getCausal() && !permutation != !origin->permutation)
    return refuse(op, "attention_c17")
           << (permutation ? "attention has a permutation, but its selection "
                             "was made without one"
                           : "the selection was made with a permutation, but "
                             "attention has none");
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyTensors(*this)) || failed(verifyPermutation(*this)) ||
      failed(verifySelection(*this)) ||
      failed(verifyScale(*this, "attention_c18", getScale())) ||
      failed(verifyWindow(*this, "attention_c22", getWindow())))
    return failure();

  RankedTensorType query = getQuery().getType();
  RankedTensorType output = getOutput().getType();
  RankedTensorType logSumExp = getLogSumExp().getType();
  if (output.getElementType() != query.getElementType())
    return refuse(*this, "attention_c19")
           << "output has element type " << output.getElementType()
           << ", but the query " << query.getElementType();
  if (failed(verifyForm(*this, "attention_c20", "output", output,
                        "B x H x N x D", {1, 3})) ||
      failed(verifyShape(*this, "attention_c20", "output", output,
                         query.getShape())) ||
      failed(verifyForm(*this, "attention_c21", "log-sum-exp", logSumExp,
                        "B x H x N", {1})))
    return failure();
  return verifyShape(*this, "attention_c21", "log-sum-exp", logSumExp,
                     query.getShape().drop_back());
}

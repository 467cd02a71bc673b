// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Constraints.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace pbs;

InFlightDiagnostic pbs::refuse(Operation *op, StringRef constraint) {
  return op->emitOpError(constraint) << ": ";
}

bool pbs::agree(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

int64_t pbs::countBlocks(int64_t length, int64_t block) {
  if (ShapedType::isDynamic(length))
    return length;
  return llvm::divideCeil(static_cast<uint64_t>(length), block);
}

std::string pbs::listSizes(ArrayRef<int64_t> sizes) {
  std::string text;
  for (auto [i, size] : llvm::enumerate(sizes)) {
    if (i > 0)
      text += i + 1 == sizes.size() ? " or " : ", ";
    text += std::to_string(size);
  }
  return text;
}

bool pbs::isValidSegment(int64_t segment) {
  return segment > 0 && segment <= maxSegment &&
         segment % smallestKeyBlock == 0;
}

LogicalResult pbs::verifyForm(Operation *op, StringRef constraint,
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

LogicalResult pbs::verifyShape(Operation *op, StringRef constraint,
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

LogicalResult pbs::verifyHeadDim(Operation *op, StringRef constraint,
                                 RankedTensorType tensor) {
  int64_t dim = tensor.getDimSize(3);
  if (dim == 64 || dim == 128)
    return success();
  return refuse(op, constraint)
         << "head dimension (" << dim << ") must be 64 or 128";
}

LogicalResult pbs::verifyGroups(Operation *op, StringRef constraint,
                                int64_t queryHeads, int64_t keyHeads) {
  if (queryHeads % keyHeads == 0)
    return success();
  return refuse(op, constraint)
         << "query heads (" << queryHeads
         << ") are not a multiple of key heads (" << keyHeads << ")";
}

LogicalResult pbs::verifyScale(Operation *op, StringRef constraint,
                               const APFloat &scale) {
  if (scale.isFinite() && !scale.isNegative() && !scale.isZero())
    return success();
  return refuse(op, constraint) << "scale (" << scale.convertToDouble()
                                << ") must be finite and greater than 0";
}

LogicalResult pbs::verifySegment(Operation *op, StringRef constraint,
                                 int64_t segment) {
  if (isValidSegment(segment))
    return success();
  return refuse(op, constraint)
         << "segment (" << segment << ") must be a positive multiple of "
         << smallestKeyBlock << ", at most " << maxSegment;
}

LogicalResult pbs::verifyBlock(Operation *op, StringRef constraint,
                               StringRef what, int64_t block,
                               ArrayRef<int64_t> sizes) {
  if (llvm::is_contained(sizes, block))
    return success();
  return refuse(op, constraint)
         << what << " (" << block << ") must be " << listSizes(sizes);
}

LogicalResult pbs::verifyBlocksOfSegment(Operation *op, StringRef constraint,
                                         int64_t segment, int64_t keyBlock) {
  if (segment % keyBlock == 0)
    return success();
  return refuse(op, constraint)
         << "segment (" << segment << ") is not a multiple of the key block ("
         << keyBlock << ")";
}

LogicalResult pbs::verifyBlocksOfPermutation(Operation *op,
                                             StringRef constraint,
                                             Value permutation,
                                             SelectionType selection) {
  if (!permutation)
    return success();
  return verifyBlocksOfSegment(
      op, constraint, cast<PermutationType>(permutation.getType()).getSegment(),
      selection.getKeyBlock());
}

LogicalResult pbs::verifyKeyBlocks(Operation *op, StringRef constraint,
                                   int64_t blocks) {
  if (ShapedType::isDynamic(blocks) || blocks <= maxKeyBlocks)
    return success();
  return refuse(op, constraint)
         << "key blocks (" << blocks << ") are more than " << maxKeyBlocks;
}

LogicalResult pbs::verifyLengths(Operation *op, StringRef constraint,
                                 RankedTensorType query, RankedTensorType key) {
  int64_t queries = query.getDimSize(2), keys = key.getDimSize(2);
  if (agree(queries, keys) || queries < keys)
    return success();
  return refuse(op, constraint)
         << "queries (" << queries << ") are more than keys (" << keys << ")";
}

/// A length as the program states it; dynamic where it does not.
static int64_t getKnownLength(Operation *op, Value length) {
  Operation *source = pbs::getVerifiedSource(op, length);
  if (!source)
    return ShapedType::kDynamic;
  APInt constant;
  if (matchPattern(length, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  auto dim = dyn_cast<tensor::DimOp>(source);
  if (!dim)
    return ShapedType::kDynamic;
  auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
  std::optional<int64_t> index = dim.getConstantIndex();
  return type && index && *index >= 0 && *index < type.getRank()
             ? type.getDimSize(*index)
             : ShapedType::kDynamic;
}

LogicalResult pbs::verifyKnownLengths(Operation *op, StringRef constraint,
                                      Value queryLength, Value keyLength,
                                      SelectionType blocks, int64_t queryBlocks,
                                      int64_t keyBlocks) {
  int64_t queries = getKnownLength(op, queryLength);
  int64_t keys = getKnownLength(op, keyLength);
  if (!agree(queries, keys) && queries > keys)
    return refuse(op, constraint)
           << "query length (" << queries << ") is more than key length ("
           << keys << ")";
  for (auto [what, length, block, count] :
       {std::tuple("query", queries, blocks.getQueryBlock(), queryBlocks),
        {"key", keys, blocks.getKeyBlock(), keyBlocks}}) {
    // Operations on nothing are for others to refuse.
    if (length < 1 || agree(countBlocks(length, block), count))
      continue;
    return refuse(op, constraint) << what << " length (" << length << ") has "
                                  << countBlocks(length, block) << " blocks of "
                                  << block << ", not " << count;
  }
  return success();
}

LogicalResult pbs::verifyPermutationHeads(Operation *op, StringRef constraint,
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

Operation *pbs::getVerifiedSource(Operation *op, Value value) {
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

LogicalResult pbs::verifyWindow(Operation *op, StringRef constraint,
                                std::optional<int64_t> window) {
  if (!window || *window > 0)
    return success();
  return refuse(op, constraint)
         << "window (" << *window << ") must be positive";
}

LogicalResult pbs::verifyCapacity(Operation *op,
                                  const CapacityConstraints &constraints,
                                  std::optional<int64_t> capacity, Value cut,
                                  ArrayRef<int64_t> blocks, int64_t fewest) {
  bool hasCount = static_cast<bool>(cut);
  if (capacity.has_value() != hasCount)
    return refuse(op, constraints.results)
           << (hasCount ? "counts of cut query blocks need a capacity"
               : op->getNumResults() == 1
                   ? "a capacity needs a second result, the counts of cut "
                     "query blocks"
                   : "a capacity needs a third result, the counts of cut query "
                     "blocks");
  if (!hasCount)
    return success();
  if (!ShapedType::isDynamic(blocks[3]))
    fewest = std::min(fewest, blocks[3]);
  if (*capacity < fewest || *capacity > maxKeyBlocks)
    return refuse(op, constraints.range)
           << "capacity (" << *capacity << ") must be from " << fewest
           << (fewest > 1 ? ", the blocks that may be forced, to " : " to ")
           << maxKeyBlocks;
  auto type = cast<RankedTensorType>(cut.getType());
  if (failed(verifyForm(op, constraints.form, "cut", type, "B x Hq", {1})))
    return failure();
  return verifyShape(op, constraints.form, "cut", type, blocks.take_front(2));
}

LogicalResult pbs::verifyTensors(Operation *op,
                                 const TensorConstraints &constraints,
                                 RankedTensorType query, RankedTensorType key,
                                 RankedTensorType value, int64_t keyBlock) {
  for (auto [what, type] :
       {std::pair<StringRef, RankedTensorType>("query", query),
        {"key", key},
        {"value", value}})
    if (failed(verifyForm(op, constraints.form, what, type, "B x H x N x D",
                          {1, 3})))
      return failure();
  if (query.getElementType() != key.getElementType() ||
      query.getElementType() != value.getElementType())
    return refuse(op, constraints.elements)
           << "query, key and value have different element types";
  SmallVector<int64_t> keyShape = {query.getDimSize(0), key.getDimSize(1),
                                   key.getDimSize(2), query.getDimSize(3)};
  if (failed(verifyHeadDim(op, constraints.headDim, query)) ||
      failed(verifyGroups(op, constraints.groups, query.getDimSize(1),
                          key.getDimSize(1))) ||
      failed(verifyShape(op, constraints.key, "key", key, keyShape)) ||
      failed(
          verifyShape(op, constraints.value, "value", value, key.getShape())) ||
      failed(verifyShape(op, constraints.value, "value", value, keyShape)) ||
      failed(verifyLengths(op, constraints.lengths, query, key)) ||
      failed(verifyLengths(op, constraints.lengths, query, value)))
    return failure();
  for (RankedTensorType keys : {key, value})
    if (failed(verifyKeyBlocks(op, constraints.keyBlocks,
                               countBlocks(keys.getDimSize(2), keyBlock))))
      return failure();
  return success();
}

LogicalResult pbs::verifyResults(Operation *op,
                                 const ResultConstraints &constraints,
                                 RankedTensorType query,
                                 RankedTensorType output,
                                 RankedTensorType logSumExp) {
  if (output.getElementType() != query.getElementType())
    return refuse(op, constraints.elements)
           << "output has element type " << output.getElementType()
           << ", but the query " << query.getElementType();
  if (failed(verifyForm(op, constraints.output, "output", output,
                        "B x H x N x D", {1, 3})) ||
      failed(verifyShape(op, constraints.output, "output", output,
                         query.getShape())) ||
      failed(verifyForm(op, constraints.logSumExp, "log-sum-exp", logSumExp,
                        "B x H x N", {1})))
    return failure();
  return verifyShape(op, constraints.logSumExp, "log-sum-exp", logSumExp,
                     query.getShape().drop_back());
}

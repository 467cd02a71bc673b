// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "OperationModels.h"

using namespace mlir;
using namespace pbs;

int64_t pbs::orElse(int64_t known, int64_t otherwise) {
  return ShapedType::isDynamic(known) ? otherwise : known;
}

static int64_t bytesOf(Type element) {
  return std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8);
}

Rows pbs::getRows(Value value, int64_t batch, int64_t length) {
  RankedTensorType type = getTensorType(value);
  return {orElse(type.getDimSize(0), batch), type.getDimSize(1),
          orElse(type.getDimSize(2), length), type.getDimSize(3),
          bytesOf(type.getElementType())};
}

/// The segment that a share of listed blocks is of: the permutation's, or the
/// selection's, or a block.
static int64_t getSegment(AttentionOp op) {
  if (op.getPermutation())
    return op.getPermutation().getType().getSegment();
  if (auto select = op.getSelection().getDefiningOp<SelectOp>())
    return static_cast<int64_t>(select.getSegment());
  return op.getSelection().getType().getKeyBlock();
}

AttentionModel pbs::getAttentionModel(AttentionOp op,
                                      const Workload &workload) {
  SelectionType selection = op.getSelection().getType();
  AttentionModel model;
  model.query = getRows(op.getQuery(), workload.batch, workload.queryLength);
  model.key = getRows(op.getKey(), workload.batch, workload.keyLength);
  model.geometry = {
      model.query.length,       model.key.length, selection.getQueryBlock(),
      selection.getKeyBlock(),  getSegment(op),   op.getCausal(),
      toInteger(op.getWindow())};
  model.permutationHeads =
      op.getPermutation() ? op.getPermutation().getType().getHeads() : 0;
  model.gathers = op.gathers();
  model.hasLogSumExp = !op.getLogSumExp().use_empty();
  model.scoresReadPositions = !op.getScore().empty() &&
                              !op.getScore().front().getArgument(4).use_empty();
  model.scalars = static_cast<int64_t>(op.getScalars().size());
  return model;
}

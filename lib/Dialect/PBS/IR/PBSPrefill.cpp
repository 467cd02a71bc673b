// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifier of pbs.prefill. Each diagnostic cites the constraint of
// docs/spec.md that does not hold.

#include "Constraints.h"

using namespace mlir;
using namespace pbs;

static constexpr TensorConstraints tensorConstraints = {
    "prefill_c1", "prefill_c2", "prefill_c3", "prefill_c4",
    "prefill_c5", "prefill_c6", "prefill_c7", "prefill_c8"};
static constexpr CapacityConstraints capacityConstraints = {
    "prefill_c14", "prefill_c15", "prefill_c16"};
static constexpr ResultConstraints resultConstraints = {
    "prefill_c17", "prefill_c18", "prefill_c19"};
static constexpr ScoreConstraints scoreConstraints = {
    "prefill_c20", "prefill_c21", "prefill_c22",
    "prefill_c23", "prefill_c24", "prefill_c25"};

/// Blocks, segment and what is to be selected.
static LogicalResult verifySelection(PrefillOp op) {
  auto queryBlock = static_cast<int64_t>(op.getQueryBlock());
  auto keyBlock = static_cast<int64_t>(op.getKeyBlock());
  auto segment = static_cast<int64_t>(op.getSegment());
  if (failed(verifyBlock(op, "prefill_c9", "query block", queryBlock,
                         queryBlockSizes)) ||
      failed(verifyBlock(op, "prefill_c10", "key block", keyBlock,
                         keyBlockSizes)) ||
      failed(verifySegment(op, "prefill_c11", segment)) ||
      failed(verifyBlocksOfSegment(op, "prefill_c26", segment, keyBlock)))
    return failure();
  RankedTensorType query = op.getQuery().getType();
  int64_t blocks[] = {
      query.getDimSize(0), query.getDimSize(1),
      countBlocks(query.getDimSize(2), queryBlock),
      countBlocks(op.getKey().getType().getDimSize(2), keyBlock)};
  return verifyCapacity(op, capacityConstraints, op.getCapacity(), op.getCut(),
                        blocks,
                        getMostForcedBlocks(queryBlock, keyBlock, segment));
}

LogicalResult PrefillOp::verify() {
  RankedTensorType query = getQuery().getType();
  if (failed(verifyTensors(*this, tensorConstraints, query, getKey().getType(),
                           getValue().getType(), getKeyBlock())) ||
      failed(verifySelection(*this)) ||
      failed(verifyScale(*this, "prefill_c12", getScale())) ||
      failed(verifyWindow(*this, "prefill_c13", getWindow())) ||
      failed(verifyScalars(*this, scoreConstraints, getScalars(), getScore())))
    return failure();
  return verifyResults(*this, resultConstraints, query, getOutput().getType(),
                       getLogSumExp().getType());
}

LogicalResult PrefillOp::verifyRegions() {
  return verifyScoreRegion(*this, scoreConstraints, getScalars(), getScore());
}

void PrefillOp::getAsmBlockArgumentNames(Region &region,
                                         OpAsmSetValueNameFn setNameFn) {
  nameScoreArguments(region, setNameFn);
}

void PrefillOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getOutput(), "output");
  setNameFn(getLogSumExp(), "logSumExp");
  if (getCut())
    setNameFn(getCut(), "cut");
}

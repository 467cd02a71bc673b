// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifier of pbs.attention. Each diagnostic cites the constraint of
// docs/spec.md that does not hold.

#include "Constraints.h"

#include "mlir/IR/OpImplementation.h"

#include <optional>

using namespace mlir;
using namespace pbs;

/// Whether original positions decide which keys a row attends. Otherwise it
/// attends every key, in whatever order.
static bool readsPositions(AttentionOp op) {
  return op.getCausal() || op.getWindow();
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
    if (key && readsPositions(op))
      return refuse(op, "attention_c11")
             << (op.getCausal() ? "causal attention"
                                : "attention with a window")
             << " over permuted keys needs their permutation";
    if (key && !op.getScore().empty())
      return refuse(op, "attention_c31")
             << "a score region over permuted keys needs their permutation";
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

/// No key block of the selection crosses a segment of the keys.
static LogicalResult verifySegments(AttentionOp op) {
  SelectionType selection = op.getSelection().getType();
  if (auto key = dyn_cast<PermutedType>(op.getKey().getType()))
    return verifyBlocksOfSegment(op, "attention_c24", key.getSegment(),
                                 selection.getKeyBlock());
  return verifyBlocksOfPermutation(op, "attention_c24", op.getPermutation(),
                                   selection);
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
  Value permutation = dropIdentity(op.getPermutation());
  if (readsPositions(op) && !permutation != !origin->permutation)
    return refuse(op, "attention_c17")
           << (permutation ? "attention has a permutation, but its selection "
                             "was made without one"
                           : "the selection was made with a permutation, but "
                             "attention has none");
  return success();
}

static constexpr TensorConstraints tensorConstraints = {
    "attention_c1", "attention_c2", "attention_c3", "attention_c4",
    "attention_c5", "attention_c6", "attention_c7", "attention_c8"};
static constexpr ResultConstraints resultConstraints = {
    "attention_c19", "attention_c20", "attention_c21"};
static constexpr ScoreConstraints scoreConstraints = {
    "attention_c25", "attention_c26", "attention_c27",
    "attention_c28", "attention_c29", "attention_c30"};

LogicalResult AttentionOp::verifyRegions() {
  return verifyScoreRegion(*this, scoreConstraints, getScalars(), getScore());
}

void AttentionOp::getAsmBlockArgumentNames(Region &region,
                                           OpAsmSetValueNameFn setNameFn) {
  nameScoreArguments(region, setNameFn);
}

void AttentionOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getOutput(), "output");
  setNameFn(getLogSumExp(), "logSumExp");
}

LogicalResult AttentionOp::verify() {
  RankedTensorType query = getQuery().getType();
  if (failed(verifyTensors(*this, tensorConstraints, query,
                           getTensorType(getKey()), getTensorType(getValue()),
                           getSelection().getType().getKeyBlock())) ||
      failed(verifyPermutation(*this)) ||
      failed(
          verifyScalars(*this, scoreConstraints, getScalars(), getScore())) ||
      failed(verifySelection(*this)) ||
      failed(verifyScale(*this, "attention_c18", getScale())) ||
      failed(verifyWindow(*this, "attention_c22", getWindow())) ||
      failed(verifySegments(*this)))
    return failure();

  return verifyResults(*this, resultConstraints, query, getOutput().getType(),
                       getLogSumExp().getType());
}

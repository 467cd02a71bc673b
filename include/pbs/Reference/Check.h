// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What counts as agreement between a device's results and the reference's.
// Each function returns an empty text if they agree, else one line that says
// what differs and where. Shapes must be equal.

#ifndef PBS_REFERENCE_CHECK_H
#define PBS_REFERENCE_CHECK_H

#include "pbs/Reference/Ops.h"

#include <string>
#include <vector>

namespace pbs::reference {

/// Largest relative Frobenius error of the output of a query block.
constexpr double bf16Tolerance = 5e-3;
constexpr double f16Tolerance = 1e-3;
/// How far rounding may move a sum of importance (relative) or a score.
constexpr double nearTie = 1e-5;

/// The error of the output of one (batch, head, query block): the Frobenius
/// norm of the difference over that of the reference, without the elements
/// whose reference is NaN. 0 where both are zero, infinity where only the
/// reference is.
struct BlockError {
  int64_t batch, head, queryBlock;
  double error;
};

/// One entry for each (batch, head, query block) in that order. A device's NaN
/// or infinity where the reference is finite makes the error infinite, and so
/// does a finite value where the reference is NaN.
std::vector<BlockError>
blockErrors(const Tensor &output, const Tensor &reference, int64_t queryBlock);

/// Every block's error is at most \p tolerance.
std::string checkOutput(const std::vector<BlockError> &errors,
                        double tolerance);

/// Every log-sum-exp is within 2e-4 + 1e-6 |lse| of the reference's; -inf and
/// NaN only meet their equals.
std::string checkLogSumExp(const Tensor &logSumExp, const Tensor &reference);

/// \p permutation is one, and the importance of each of its blocks, summed, is
/// within 1e-5 relative of that of the reference's block. NaN counts apart.
/// \p importance (B x H x Nkv) is the reference's.
std::string checkPermutation(const Permutation &permutation,
                             const Permutation &reference,
                             const Tensor &importance, int64_t keyBlock);

/// What a selection is held against.
struct ExpectedSelection {
  /// B x Hq x Qb x Kb, of the reference.
  const Tensor &scores;
  const Grid &grid;
  /// May be null.
  const Permutation *permutation;
  int64_t segment;
  const Rule &rule;
  /// Blocks that a query block lists at most.
  std::optional<int64_t> capacity = std::nullopt;
  /// How near scores and sums of them are equal.
  double near = nearTie;
};

/// \p selection lists the blocks that `select` lists, up to what rounding may
/// decide: those of the rule if sums are compared within `near`, and where
/// others are listed or left, their scores are within `near` of the score at
/// which the prefix ends or the capacity cuts. Listed blocks stand in the right
/// part, ascending. \p cut (B x Hq), how many query blocks the capacity cut, is
/// null if and only if there is no capacity.
std::string checkSelection(const Selection &selection,
                           const ExpectedSelection &expected,
                           const Tensor *cut = nullptr);

/// Both list the same blocks in the same parts.
std::string checkLists(const Selection &selection, const Selection &reference);

} // namespace pbs::reference

#endif // PBS_REFERENCE_CHECK_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Reference/Check.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

using namespace pbs::reference;

/// How far rounding may move a sum of importance (relative) or a score.
static constexpr double nearTie = 1e-5;

static constexpr double infinity = std::numeric_limits<double>::infinity();

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

std::vector<BlockError> pbs::reference::blockErrors(const Tensor &output,
                                                    const Tensor &reference,
                                                    int64_t queryBlock) {
  int64_t batch = reference.shape[0], heads = reference.shape[1],
          queries = reference.shape[2], headDim = reference.shape[3];
  std::vector<BlockError> result;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t first = 0; first < queries; first += queryBlock) {
        int64_t rows = std::min(queryBlock, queries - first);
        const double *actual = output.at(b, h, first);
        const double *expected = reference.at(b, h, first);
        double difference = 0, norm = 0;
        bool kindsDiffer = false;
        for (int64_t i = 0; i < rows * headDim; ++i) {
          if (std::isfinite(actual[i]) != std::isfinite(expected[i]))
            kindsDiffer = true;
          if (!std::isfinite(expected[i]))
            continue;
          difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
          norm += expected[i] * expected[i];
        }
        double error = difference == 0 ? 0 : std::sqrt(difference / norm);
        result.push_back(
            {b, h, first / queryBlock, kindsDiffer ? infinity : error});
      }
  return result;
}

std::string pbs::reference::checkOutput(const std::vector<BlockError> &errors,
                                        double tolerance) {
  size_t failures = 0;
  const BlockError *worst = nullptr;
  for (const BlockError &block : errors) {
    // The negation catches NaN as well.
    if (!(block.error <= tolerance))
      ++failures;
    if (!worst || !(block.error <= worst->error))
      worst = &block;
  }
  if (failures == 0)
    return {};
  return llvm::formatv("the output of {0} of {1} query blocks differs by more "
                       "than {2:E1}, most at batch {3}, head {4}, query block "
                       "{5}: {6:E2}",
                       failures, errors.size(), tolerance, worst->batch,
                       worst->head, worst->queryBlock, worst->error);
}

std::string pbs::reference::checkLogSumExp(const Tensor &logSumExp,
                                           const Tensor &reference) {
  int64_t heads = reference.shape[1], queries = reference.shape[2];
  for (size_t i = 0; i < reference.values.size(); ++i) {
    double actual = logSumExp.values[i], expected = reference.values[i];
    bool agree =
        actual == expected || (std::isnan(actual) && std::isnan(expected)) ||
        (std::isfinite(expected) &&
         std::abs(actual - expected) <= 2e-4 + 1e-6 * std::abs(expected));
    if (!agree)
      return llvm::formatv("the log-sum-exp of batch {0}, head {1}, row {2} is "
                           "{3:E6}, not {4:E6}",
                           i / queries / heads, i / queries % heads,
                           i % queries, actual, expected);
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Permutation
//===----------------------------------------------------------------------===//

namespace {
/// What a block weighs: the sum of the importance that is a number, and how
/// many of its keys have none.
struct Weight {
  double sum = 0;
  int64_t withoutNumber = 0;
};
} // namespace

static Weight weigh(const int32_t *places, int64_t count,
                    const double *importance) {
  Weight result;
  for (int64_t i = 0; i < count; ++i) {
    double weight = importance[places[i]];
    if (std::isnan(weight))
      ++result.withoutNumber;
    else
      result.sum += weight;
  }
  return result;
}

std::string pbs::reference::checkPermutation(const Permutation &permutation,
                                             const Permutation &reference,
                                             const Tensor &importance,
                                             int64_t keyBlock) {
  if (std::string fault = findFault(permutation); !fault.empty())
    return "the permutation is none: " + fault;
  for (int64_t b = 0; b < permutation.batch; ++b)
    for (int64_t h = 0; h < permutation.heads; ++h)
      for (int64_t first = 0; first < permutation.length; first += keyBlock) {
        int64_t count = std::min(keyBlock, permutation.length - first);
        Weight actual =
            weigh(permutation.row(b, h) + first, count, importance.at(b, h));
        Weight expected =
            weigh(reference.row(b, h) + first, count, importance.at(b, h));
        bool agree = actual.withoutNumber == expected.withoutNumber &&
                     std::abs(actual.sum - expected.sum) <=
                         nearTie * std::abs(expected.sum);
        if (!agree)
          return llvm::formatv("the importance of batch {0}, head {1}, key "
                               "block {2} sums to {3:E6}, not {4:E6}",
                               b, h, first / keyBlock, actual.sum,
                               expected.sum);
      }
  return {};
}

//===----------------------------------------------------------------------===//
// Selection
//===----------------------------------------------------------------------===//

static bool isListed(const BlockLists &lists, int64_t block) {
  return llvm::is_contained(lists.whole, block) ||
         llvm::is_contained(lists.masked, block);
}

/// What is wrong with one list, all of whose blocks must stand in \p part.
static std::string findWrongPart(llvm::ArrayRef<uint16_t> list,
                                 const std::vector<uint16_t> &part,
                                 const char *name) {
  for (auto [index, block] : llvm::enumerate(list)) {
    if (index > 0 && list[index - 1] >= block)
      return llvm::formatv("the {0} blocks do not ascend", name);
    if (!llvm::is_contained(part, block))
      return llvm::formatv("block {0} is not {1}", block, name);
  }
  return {};
}

/// What is wrong with the choice of \p taken out of \p candidates: it holds as
/// many as \p rule takes if sums are compared within nearTie, and none that is
/// left beats one that is taken by more than nearTie.
static std::string findWrongChoice(const std::vector<int64_t> &candidates,
                                   const std::vector<bool> &taken,
                                   const double *scores, const Rule &rule) {
  auto falling = llvm::map_to_vector(
      candidates, [&](int64_t block) { return scores[block]; });
  llvm::sort(falling, std::greater<>());
  size_t fewest = rule(falling, -nearTie), most = rule(falling, nearTie);

  int64_t count = 0, worstTaken = -1, bestLeft = -1;
  for (int64_t block : candidates) {
    count += taken[block];
    int64_t &extreme = taken[block] ? worstTaken : bestLeft;
    if (extreme < 0 || (taken[block] ? scores[block] < scores[extreme]
                                     : scores[block] > scores[extreme]))
      extreme = block;
  }
  if (count < int64_t(fewest) || count > int64_t(most))
    return llvm::formatv("{0} candidates are listed, not {1}{2}", count, fewest,
                         most > fewest ? " to " + std::to_string(most) : "");
  if (worstTaken >= 0 && bestLeft >= 0 &&
      scores[bestLeft] - scores[worstTaken] > nearTie)
    return llvm::formatv("block {0} with score {1:E6} is listed, block {2} "
                         "with score {3:E6} is not",
                         worstTaken, scores[worstTaken], bestLeft,
                         scores[bestLeft]);
  return {};
}

namespace {
/// What the selection of one query block is held against.
struct Expectation {
  /// What is listed if no candidate is taken: the forced blocks.
  const BlockLists &forced;
  /// Every block that may be listed at all, in its part.
  const BlockLists &possible;
  const double *scores;
};
} // namespace

/// What is wrong with the lists of a query block.
static std::string findWrongLists(const BlockLists &actual,
                                  const Expectation &expected, const Grid &grid,
                                  int64_t segment, int64_t queryBlock,
                                  const Rule &rule) {
  if (std::string fault =
          findWrongPart(actual.whole, expected.possible.whole, "whole");
      !fault.empty())
    return fault;
  if (std::string fault =
          findWrongPart(actual.masked, expected.possible.masked, "masked");
      !fault.empty())
    return fault;

  std::vector<int64_t> candidates;
  std::vector<bool> taken(grid.keyBlocks());
  int64_t forcedCandidate = -1;
  for (int64_t block = 0; block < grid.keyBlocks(); ++block) {
    taken[block] = isListed(actual, block);
    bool isForced = isListed(expected.forced, block);
    bool mayBeChosen = isCandidate(grid, segment, queryBlock, block);
    if (isForced && !taken[block])
      return llvm::formatv("block {0} should be listed", block);
    if (!isForced && !mayBeChosen && taken[block])
      return llvm::formatv("block {0} is listed but should not be", block);
    if (mayBeChosen) {
      candidates.push_back(block);
      if (isForced)
        forcedCandidate = block;
    }
  }
  std::string fault = findWrongChoice(candidates, taken, expected.scores, rule);
  // The block of token 0 is listed whether it is chosen or not.
  if (!fault.empty() && forcedCandidate >= 0) {
    taken[forcedCandidate] = false;
    fault = findWrongChoice(candidates, taken, expected.scores, rule);
  }
  return fault;
}

std::string pbs::reference::checkSelection(const Selection &selection,
                                           const Tensor &scores,
                                           const Grid &grid,
                                           const Permutation *permutation,
                                           int64_t segment, const Rule &rule) {
  Selection forced = select(scores, grid, permutation, segment,
                            [](llvm::ArrayRef<double>, double) { return 0; });
  Selection possible =
      fullSelection(selection.batch, selection.heads, grid, permutation);
  for (int64_t b = 0; b < selection.batch; ++b)
    for (int64_t h = 0; h < selection.heads; ++h)
      for (int64_t row = 0; row < grid.queryBlocks(); ++row) {
        Expectation expected{forced.at(b, h, row), possible.at(b, h, row),
                             scores.at(b, h, row)};
        std::string fault = findWrongLists(selection.at(b, h, row), expected,
                                           grid, segment, row, rule);
        if (!fault.empty())
          return llvm::formatv("batch {0}, head {1}, query block {2}: {3}", b,
                               h, row, fault);
      }
  return {};
}

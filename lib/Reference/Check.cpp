// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Reference/Check.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <iterator>
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
                           "{3}, not {4}",
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
                               "block {2} sums to {3}, not {4}",
                               b, h, first / keyBlock, actual.sum,
                               expected.sum);
      }
  return {};
}

//===----------------------------------------------------------------------===//
// Selection
//===----------------------------------------------------------------------===//

static bool contains(const std::vector<uint16_t> &list, int64_t block) {
  return std::find(list.begin(), list.end(), block) != list.end();
}

static bool lists(const BlockLists &lists, int64_t block) {
  return contains(lists.whole, block) || contains(lists.masked, block);
}

/// Marks the candidates of a query block that rounding may take or leave.
static std::vector<bool> findNearTies(const double *scores, const Grid &grid,
                                      int64_t segment, int64_t queryBlock,
                                      double topP) {
  std::vector<bool> result(grid.keyBlocks());
  if (topP <= 0 || topP >= 1)
    return result;
  std::vector<int64_t> order;
  for (int64_t block = 0; block < grid.keyBlocks(); ++block)
    if (isCandidate(grid, segment, queryBlock, block))
      order.push_back(block);
  std::sort(order.begin(), order.end(), [&](int64_t one, int64_t other) {
    return scores[one] != scores[other] ? scores[one] > scores[other]
                                        : one < other;
  });
  double before = 0, cut = infinity;
  for (int64_t block : order) {
    if (before < topP)
      cut = scores[block];
    result[block] = std::abs(before - topP) <= nearTie;
    before += scores[block];
  }
  for (int64_t block : order)
    if (std::abs(scores[block] - cut) <= nearTie)
      result[block] = true;
  return result;
}

std::string pbs::reference::checkSelection(const Selection &selection,
                                           const Tensor &scores,
                                           const Grid &grid,
                                           const Permutation *permutation,
                                           int64_t segment, double topP) {
  Selection expected = select(scores, grid, permutation, segment, topP);
  // Every block that may be listed at all stands in its part here.
  Selection possible =
      fullSelection(selection.batch, selection.heads, grid, permutation);
  for (int64_t b = 0; b < selection.batch; ++b)
    for (int64_t h = 0; h < selection.heads; ++h)
      for (int64_t row = 0; row < grid.queryBlocks(); ++row) {
        std::string where =
            llvm::formatv("batch {0}, head {1}, query block {2}", b, h, row);
        const BlockLists &actual = selection.at(b, h, row);
        const BlockLists &parts = possible.at(b, h, row);
        for (auto [list, part, name] :
             {std::tuple(&actual.whole, &parts.whole, "whole"),
              std::tuple(&actual.masked, &parts.masked, "masked")}) {
          if (std::adjacent_find(list->begin(), list->end(),
                                 std::greater_equal<>()) != list->end())
            return where + ": the " + name + " blocks do not ascend";
          for (uint16_t block : *list)
            if (!contains(*part, block))
              return where + ": block " + std::to_string(block) + " is not " +
                     name;
        }
        std::vector<bool> ties =
            findNearTies(scores.at(b, h, row), grid, segment, row, topP);
        for (int64_t block = 0; block < grid.keyBlocks(); ++block) {
          bool isListed = lists(actual, block);
          if (!ties[block] && isListed != lists(expected.at(b, h, row), block))
            return where + ": block " + std::to_string(block) +
                   (isListed ? " is listed but should not be"
                             : " should be listed");
        }
      }
  return {};
}

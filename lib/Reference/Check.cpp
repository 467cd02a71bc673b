// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Reference/Check.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace pbs::reference;

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
        // Importance is f32: what is below its normal numbers may be 0.
        double underflow =
            static_cast<double>(count) * std::numeric_limits<float>::min();
        bool agree = actual.withoutNumber == expected.withoutNumber &&
                     std::abs(actual.sum - expected.sum) <=
                         nearTie * std::abs(expected.sum) + underflow;
        if (!agree)
          return llvm::formatv("the importance of batch {0}, head {1}, key "
                               "block {2} sums to {3:E6}, not {4:E6}",
                               b, h, first / keyBlock, actual.sum,
                               expected.sum);
      }
  return {};
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Reference/Ops.h"

#include "Matrix.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace pbs::reference;

static constexpr double infinity = std::numeric_limits<double>::infinity();

/// Turns logits into softmax weights; IEEE arithmetic decides about NaN.
static void softmax(double *values, int64_t count) {
  double top = *std::max_element(values, values + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += values[i] = std::exp(values[i] - top);
  for (int64_t i = 0; i < count; ++i)
    values[i] /= sum;
}

//===----------------------------------------------------------------------===//
// Permutation
//===----------------------------------------------------------------------===//

Tensor pbs::reference::importance(const Tensor &query, const Tensor &key,
                                  int64_t heads, int64_t queryBlock,
                                  int64_t segment, double scale) {
  int64_t batch = query.shape[0], queryHeads = query.shape[1],
          queries = query.shape[2], headDim = query.shape[3];
  int64_t keyHeads = key.shape[1], keys = key.shape[2];
  int64_t lastQueries = std::min(queryBlock, queries);
  int64_t complete = keys / segment * segment;
  Tensor result({batch, heads, keys});
  if (complete == 0)
    return result;

  // Query heads that share a row of the result, and rows averaged into it.
  int64_t shared = queryHeads / heads;
  llvm::parallelFor(0, batch * heads, [&](size_t task) {
    int64_t b = task / heads, head = task % heads;
    double *mean = result.at(b, head);
    std::vector<double> weights(lastQueries * complete);
    for (int64_t h = head * shared; h < (head + 1) * shared; ++h) {
      multiplyTransposed(query.at(b, h, queries - lastQueries),
                         key.at(b, h / (queryHeads / keyHeads)), weights.data(),
                         lastQueries, headDim, complete);
      for (int64_t row = 0; row < lastQueries; ++row) {
        double *rowWeights = &weights[row * complete];
        for (int64_t j = 0; j < complete; ++j)
          rowWeights[j] *= scale;
        softmax(rowWeights, complete);
        for (int64_t j = 0; j < complete; ++j)
          mean[j] += rowWeights[j] / (lastQueries * shared);
      }
    }
  });
  return result;
}

Permutation pbs::reference::identityPermutation(int64_t batch, int64_t heads,
                                                int64_t length,
                                                int64_t segment) {
  Permutation result{batch, heads, length, segment, {}};
  result.places.resize(batch * heads * length);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      std::iota(result.row(b, h), result.row(b, h) + length, 0);
  return result;
}

Permutation pbs::reference::segmentSort(const Tensor &importance,
                                        int64_t segment) {
  int64_t batch = importance.shape[0], heads = importance.shape[1],
          length = importance.shape[2];
  Permutation result = identityPermutation(batch, heads, length, segment);
  if (length <= segment)
    return result;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h) {
      const double *weights = importance.at(b, h);
      auto ranksBefore = [&](int32_t one, int32_t other) {
        bool oneIsNaN = std::isnan(weights[one]);
        bool otherIsNaN = std::isnan(weights[other]);
        if (oneIsNaN != otherIsNaN)
          return otherIsNaN;
        if (!oneIsNaN && weights[one] != weights[other])
          return weights[one] > weights[other];
        return one < other;
      };
      for (int64_t start = 0; start + segment <= length; start += segment)
        std::sort(result.row(b, h) + start, result.row(b, h) + start + segment,
                  ranksBefore);
    }
  return result;
}

Permutation pbs::reference::permutationFromTensor(const Tensor &indices,
                                                  int64_t segment) {
  Permutation result{
      indices.shape[0], indices.shape[1], indices.shape[2], segment, {}};
  result.places.assign(indices.values.begin(), indices.values.end());
  return result;
}

std::string pbs::reference::findFault(const Permutation &permutation) {
  int64_t segment = permutation.segment;
  int64_t complete = permutation.length / segment * segment;
  for (int64_t b = 0; b < permutation.batch; ++b)
    for (int64_t h = 0; h < permutation.heads; ++h) {
      std::vector<bool> seen(permutation.length);
      for (int64_t place = 0; place < permutation.length; ++place) {
        int64_t index = permutation.row(b, h)[place];
        bool fits = place < complete
                        ? index >= 0 && index / segment == place / segment
                        : index == place;
        if (!fits || seen[index])
          return llvm::formatv(
              "batch {0}, head {1}, place {2} holds {3}, which {4}", b, h,
              place, index,
              fits ? "an earlier place holds already"
                   : "lies outside the segment or tail of that place");
        seen[index] = true;
      }
    }
  return {};
}

Tensor pbs::reference::permute(const Tensor &source,
                               const Permutation &permutation) {
  int64_t headDim = source.shape[3];
  int64_t sharing = permutation.heads / source.shape[1];
  Tensor result({source.shape[0], permutation.heads, source.shape[2], headDim});
  for (int64_t b = 0; b < permutation.batch; ++b)
    for (int64_t h = 0; h < permutation.heads; ++h)
      for (int64_t place = 0; place < permutation.length; ++place)
        std::copy_n(source.at(b, h / sharing, permutation.row(b, h)[place]),
                    headDim, result.at(b, h, place));
  return result;
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

Tensor pbs::reference::pool(const Tensor &source, Pooling kind, int64_t block) {
  int64_t batch = source.shape[0], heads = source.shape[1],
          rows = source.shape[2], headDim = source.shape[3];
  int64_t blocks = (rows + block - 1) / block;
  Tensor result({batch, heads, blocks, headDim});
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t row = 0; row < rows; ++row) {
        const double *from = source.at(b, h, row);
        double *to = result.at(b, h, row / block);
        for (int64_t d = 0; d < headDim; ++d) {
          if (kind == Pooling::Mean)
            to[d] += from[d] / block;
          else if (row % block == 0 || std::isnan(from[d]) || from[d] > to[d])
            to[d] = from[d];
        }
      }
  return result;
}

bool pbs::reference::isOwn(const Grid &grid, int64_t segment,
                           int64_t queryBlock, int64_t keyBlock) {
  int64_t blockSegment = keyBlock * grid.keyBlock / segment;
  return grid.firstPosition(queryBlock) / segment <= blockSegment &&
         blockSegment <= grid.lastPosition(queryBlock) / segment;
}

bool pbs::reference::isCandidate(const Grid &grid, int64_t segment,
                                 int64_t queryBlock, int64_t keyBlock) {
  if (!grid.causal)
    return !isOwn(grid, segment, queryBlock, keyBlock);
  return keyBlock * grid.keyBlock / segment <
         grid.firstPosition(queryBlock) / segment;
}

/// The candidates of a query block in ascending order.
static std::vector<int64_t> candidates(const Grid &grid, int64_t segment,
                                       int64_t queryBlock) {
  std::vector<int64_t> result;
  for (int64_t block = 0; block < grid.keyBlocks(); ++block)
    if (isCandidate(grid, segment, queryBlock, block))
      result.push_back(block);
  return result;
}

Tensor pbs::reference::blockScores(const Tensor &pooledQuery,
                                   const Tensor &pooledKey, const Grid &grid,
                                   int64_t segment, double scale) {
  int64_t batch = pooledQuery.shape[0], heads = pooledQuery.shape[1],
          headDim = pooledQuery.shape[3];
  int64_t sharing = heads / pooledKey.shape[1];
  Tensor result({batch, heads, grid.queryBlocks(), grid.keyBlocks()});
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t row = 0; row < grid.queryBlocks(); ++row) {
        std::vector<int64_t> blocks = candidates(grid, segment, row);
        if (blocks.empty())
          continue;
        const double *query = pooledQuery.at(b, h, row);
        auto scores = llvm::map_to_vector(blocks, [&](int64_t block) {
          const double *key = pooledKey.at(b, h / sharing, block);
          return scale * std::inner_product(query, query + headDim, key, 0.0);
        });
        softmax(scores.data(), scores.size());
        if (llvm::any_of(scores,
                         [](double score) { return std::isnan(score); }))
          continue;
        for (size_t i = 0; i < blocks.size(); ++i)
          *result.at(b, h, row, blocks[i]) = scores[i];
      }
  return result;
}

/// Original positions of the keys that one query head reads, place by place.
static std::vector<int32_t> keyPositions(const Permutation *permutation,
                                         int64_t keys, int64_t b, int64_t head,
                                         int64_t heads) {
  std::vector<int32_t> result(keys);
  if (permutation)
    std::copy_n(permutation->row(b, head / (heads / permutation->heads)), keys,
                result.begin());
  else
    std::iota(result.begin(), result.end(), 0);
  return result;
}

Tensor pbs::reference::rowScores(const Tensor &query, const Tensor &key,
                                 const Grid &grid,
                                 const Permutation *permutation,
                                 int64_t segment, int64_t stride,
                                 double scale) {
  int64_t batch = query.shape[0], heads = query.shape[1],
          headDim = query.shape[3], keys = grid.keyLength;
  int64_t sharing = heads / key.shape[1];
  Tensor result({batch, heads, grid.queryBlocks(), grid.keyBlocks()});
  llvm::parallelFor(0, batch * heads, [&](size_t task) {
    int64_t b = task / heads, h = task % heads;
    std::vector<double> weights(keys);
    std::vector<int32_t> positions =
        keyPositions(permutation, keys, b, h, heads);
    for (int64_t block = 0; block < grid.queryBlocks(); ++block) {
      int64_t first = block * grid.queryBlock;
      int64_t end = std::min(first + grid.queryBlock, grid.queryLength);
      double *scores = result.at(b, h, block);
      for (int64_t group = first; group < end; group += stride) {
        int64_t row = std::min(group + stride / 2, grid.queryLength - 1);
        // In original order, then place by place.
        multiplyTransposed(query.at(b, h, row), key.at(b, h / sharing),
                           weights.data(), 1, headDim, keys);
        for (int64_t j = 0; j < keys; ++j)
          weights[j] = !grid.causal || j <= grid.position(row)
                           ? scale * weights[j]
                           : -infinity;
        softmax(weights.data(), keys);
        for (int64_t place = 0; place < keys; ++place)
          scores[place / grid.keyBlock] += weights[positions[place]];
      }
      auto rows = static_cast<double>(llvm::divideCeil(end - first, stride));
      bool hasNaN = std::any_of(scores, scores + grid.keyBlocks(),
                                [](double score) { return std::isnan(score); });
      for (int64_t other = 0; other < grid.keyBlocks(); ++other)
        scores[other] = hasNaN || !isCandidate(grid, segment, block, other)
                            ? 0
                            : scores[other] / rows;
    }
  });
  return result;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// Turns the logits of one row into weights, 0 for logits of -inf, and returns
/// the log-sum-exp. The weights do not sum to 1 but to the returned sum.
static double softmaxOrNothing(double *logits, int64_t count, double &sum) {
  double top = -infinity;
  for (int64_t i = 0; i < count; ++i)
    top = std::max(top, logits[i]);
  double shift = top == -infinity ? 0 : top;
  sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += logits[i] = std::exp(logits[i] - shift);
  return sum == 0 ? -infinity : shift + std::log(sum);
}

AttentionResult
pbs::reference::attention(const Tensor &query, const Tensor &key,
                          const Tensor &value, const Selection &selection,
                          const Grid &grid, const Permutation *permutation,
                          bool inOrder, double scale,
                          const ScoreFunction &modify) {
  int64_t batch = query.shape[0], heads = query.shape[1],
          queries = query.shape[2], headDim = query.shape[3];
  int64_t sharing = heads / key.shape[1];
  AttentionResult result{Tensor(query.shape), Tensor({batch, heads, queries})};

  llvm::parallelFor(0, batch * heads * grid.queryBlocks(), [&](size_t task) {
    int64_t block = task % grid.queryBlocks();
    int64_t h = task / grid.queryBlocks() % heads;
    int64_t b = task / grid.queryBlocks() / heads;
    int64_t firstRow = block * grid.queryBlock;
    int64_t rows = std::min(grid.queryBlock, queries - firstRow);

    // Gather the keys and values of the listed blocks.
    std::vector<int32_t> positions =
        keyPositions(permutation, grid.keyLength, b, h, heads);
    std::vector<int32_t> listedPositions;
    std::vector<double> keys, values;
    const BlockLists &lists = selection.at(b, h, block);
    for (const std::vector<uint16_t> *list : {&lists.whole, &lists.masked})
      for (int64_t listed : *list) {
        int64_t end = std::min((listed + 1) * grid.keyBlock, grid.keyLength);
        for (int64_t place = listed * grid.keyBlock; place < end; ++place) {
          int64_t source = inOrder ? place : positions[place];
          const double *keyRow = key.at(b, h / sharing, source);
          const double *valueRow = value.at(b, h / sharing, source);
          keys.insert(keys.end(), keyRow, keyRow + headDim);
          values.insert(values.end(), valueRow, valueRow + headDim);
          listedPositions.push_back(positions[place]);
        }
      }

    int64_t count = listedPositions.size();
    std::vector<double> weights(rows * count), sums(rows);
    multiplyTransposed(query.at(b, h, firstRow), keys.data(), weights.data(),
                       rows, headDim, count);
    for (int64_t row = 0; row < rows; ++row) {
      double *logits = weights.data() + row * count;
      int64_t position = grid.position(firstRow + row);
      for (int64_t i = 0; i < count; ++i) {
        bool attends = grid.attends(position, listedPositions[i]);
        logits[i] = attends ? scale * logits[i] : -infinity;
        if (attends && modify)
          logits[i] = modify(logits[i], b, h, position, listedPositions[i]);
      }
      *result.logSumExp.at(b, h, firstRow + row) =
          softmaxOrNothing(logits, count, sums[row]);
    }

    double *output = result.output.at(b, h, firstRow);
    multiply(weights.data(), values.data(), output, rows, count, headDim);
    for (int64_t i = 0; i < rows * headDim; ++i) {
      double sum = sums[i / headDim];
      output[i] = sum == 0 ? output[i] : output[i] / sum;
      if (!std::isfinite(output[i]))
        output[i] = std::numeric_limits<double>::quiet_NaN();
    }
  });
  return result;
}

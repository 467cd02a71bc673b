// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One function for each operation of the pbs dialect, in double precision and
// written for reading: the oracle that compiled code is checked against. The
// algorithm is PBS-Attn, arXiv 2510.21270; the dialect's documentation states
// each operation. Shapes must fit, which the interpreter has checked.

#ifndef PBS_REFERENCE_OPS_H
#define PBS_REFERENCE_OPS_H

#include "pbs/Reference/Values.h"

#include "llvm/ADT/ArrayRef.h"

#include <functional>
#include <string>

namespace pbs::reference {

// Permutation

/// Mean softmax weight that the last min(queryBlock, Nq) queries give each key
/// of the complete segments, 0 for later keys: B x heads x Nkv. \p heads is Hq,
/// or Hkv for the mean over each group of query heads.
Tensor importance(const Tensor &query, const Tensor &key, int64_t heads,
                  int64_t queryBlock, int64_t segment, double scale);

/// Keys of each complete segment by falling importance (B x H x Nkv), ties by
/// lower index, NaN last; the identity if there is only one segment.
Permutation segmentSort(const Tensor &importance, int64_t segment);

Permutation identityPermutation(int64_t batch, int64_t heads, int64_t length,
                                int64_t segment);

/// \p indices is B x H x Nkv.
Permutation permutationFromTensor(const Tensor &indices, int64_t segment);

/// What is wrong with \p permutation, with batch, head and place; empty if it
/// permutes each complete segment in itself and leaves the tail.
std::string findFault(const Permutation &permutation);

/// Rows of \p source (B x H x Nkv x D) in permuted order, once for each head of
/// the permutation: B x Hp x Nkv x D.
Tensor permute(const Tensor &source, const Permutation &permutation);

// Selection

enum class Pooling { Mean, Max };

/// One row for each block of rows, B x H x ceil(N / block) x D. The mean
/// divides by \p block even where the last block is short; NaN spreads.
Tensor pool(const Tensor &source, Pooling kind, int64_t block);

/// Softmax over the candidate blocks of the scaled dot products of pooled rows:
/// B x Hq x Qb x Kb, 0 elsewhere. A row with NaN becomes all 0.
Tensor blockScores(const Tensor &pooledQuery, const Tensor &pooledKey,
                   const Grid &grid, int64_t segment, double scale);

/// What the candidate blocks have of the attention of sampled rows, on the
/// average over those of a query block: B x Hq x Qb x Kb, 0 elsewhere. Of each
/// \p stride queries the one in the middle is sampled, or the last there is.
/// Keys are read through \p permutation, which may be null. A row with NaN
/// becomes all 0.
Tensor rowScores(const Tensor &query, const Tensor &key, const Grid &grid,
                 const Permutation *permutation, int64_t segment,
                 int64_t stride, double scale);

/// Whether \p keyBlock takes part in the choice of \p queryBlock: causal, it
/// lies in a segment before the first own one; else, outside the own ones.
bool isCandidate(const Grid &grid, int64_t segment, int64_t queryBlock,
                 int64_t keyBlock);

/// Whether \p keyBlock lies in a segment in which rows of \p queryBlock stand.
bool isOwn(const Grid &grid, int64_t segment, int64_t queryBlock,
           int64_t keyBlock);

/// How many candidates a rule takes if \p falling are their scores. \p slack is
/// added to what it compares a sum of scores with.
using Rule =
    std::function<size_t(llvm::ArrayRef<double> falling, double slack)>;

/// The candidates that \p rule takes, in falling score and ties by lower index,
/// beside the forced blocks: that of token 0 and the own segments'. A row of
/// scores with NaN counts as all 0. \p permutation may be null.
Selection select(const Tensor &scores, const Grid &grid,
                 const Permutation *permutation, int64_t segment,
                 const Rule &rule);

/// Leaves each query block at most \p capacity of the blocks that \p selection
/// lists: those of \p forced, and the others with the highest \p scores (B x Hq
/// x Qb x Kb), ties by lower index. A row of scores with NaN counts as all 0.
/// Returns how many query blocks lost some, B x Hq.
Tensor limitBlocks(Selection &selection, int64_t capacity,
                   const Selection &forced, const Tensor &scores);

/// Every block that some row may attend.
Selection fullSelection(int64_t batch, int64_t heads, const Grid &grid,
                        const Permutation *permutation);

/// Blocks that \p mask (B x Hq x Qb x Kb) holds and some row may attend.
Selection selectionFromMask(const Tensor &mask, const Grid &grid,
                            const Permutation *permutation);

/// \p counts is B x Hq x Qb x 2, \p indices B x Hq x Qb x C; findFault has
/// found nothing.
Selection selectionFromLists(const Tensor &counts, const Tensor &indices);

/// What is wrong with \p counts, with batch, head and query block; empty if all
/// lists lie inside \p indices.
std::string findFault(const Tensor &counts, const Tensor &indices);

/// The inverse of selectionFromLists, with \p capacity places: 65535 fills the
/// places beyond the last.
Tensor selectionCounts(const Selection &selection);
Tensor selectionIndices(const Selection &selection);

/// Listed blocks, and all blocks of the segments up to the last own one (not
/// causal: all blocks), summed over batches, heads and query blocks.
struct Work {
  int64_t listed = 0, all = 0;
  /// Those listed ones that are masked.
  int64_t masked = 0;
};
Work countWork(const Selection &selection, const Grid &grid, int64_t segment);

// Attention

struct AttentionResult {
  /// B x Hq x Nq x D.
  Tensor output;
  /// B x Hq x Nq, natural logarithm.
  Tensor logSumExp;
};

/// The new score for a scaled one, the batch, the query head, and the positions
/// of query and key.
using ScoreFunction =
    std::function<double(double score, int64_t batch, int64_t head,
                         int64_t queryPosition, int64_t keyPosition)>;

/// Attention of each row over the keys of its query block's listed blocks that
/// it may attend. Keys and values are gathered through \p permutation (may be
/// null) unless they are \p inOrder already. \p modify, unless empty, changes
/// the scaled scores, and may be called concurrently. A row without keys, or
/// with only scores of -inf, gives 0 and -inf.
///
/// A non-finite value in a listed block reaches every row of the query block,
/// attended or not, as in a kernel that multiplies it by a weight of 0; an
/// element that one reaches is NaN.
AttentionResult attention(const Tensor &query, const Tensor &key,
                          const Tensor &value, const Selection &selection,
                          const Grid &grid, const Permutation *permutation,
                          bool inOrder, double scale,
                          const ScoreFunction &modify = nullptr);

} // namespace pbs::reference

#endif // PBS_REFERENCE_OPS_H

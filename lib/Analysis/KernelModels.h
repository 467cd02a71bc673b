// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bytes of each kernel that the conversion to the pbsgpu dialect writes,
// from its sizes alone. Where a kernel changes, so does its model;
// test/Analysis compares them with the emulator's counts.

#ifndef PBS_LIB_ANALYSIS_KERNELMODELS_H
#define PBS_LIB_ANALYSIS_KERNELMODELS_H

#include "BlockGeometry.h"

#include "pbs/Analysis/Machine.h"
#include "pbs/Analysis/Traffic.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbs {

/// Rows of queries, keys or values.
struct Rows {
  int64_t batch, heads, length, headDim, elementBytes;

  int64_t count() const { return batch * heads * length; }
  int64_t rowBytes() const { return headDim * elementBytes; }
  int64_t bytes() const { return count() * rowBytes(); }
};

struct AttentionModel {
  Rows query, key;
  BlockGeometry geometry;
  /// Heads of the permutation; 0 without one.
  int64_t permutationHeads;
  bool gathers, hasLogSumExp;
  /// Whether a score region reads positions of keys.
  bool scoresReadPositions;
  int64_t scalars;

  /// Blocks that a density means, of all batches and heads.
  int64_t listedBlocks(double density) const;
  int64_t allBlocks() const;
  KernelTraffic compute(double density, std::optional<double> maskedShare,
                        pbsgpu::ScheduleAttr schedule,
                        const Machine &machine) const;

private:
  int64_t heads() const { return query.batch * query.heads; }
  bool readsPositions() const { return geometry.isCausal || geometry.window; }
  int64_t expectMasked(int64_t listed) const;
  int64_t expectShort(double density) const;
};

/// The kernel that writes `copies` permuted tensors like `source`.
KernelTraffic modelPermute(const Rows &source, int64_t heads, int64_t copies,
                           const Machine &machine);
/// With the permutation's heads if it gathers, else 0.
KernelTraffic modelPool(const Rows &source, int64_t permutationHeads,
                        int64_t block, const Machine &machine);
KernelTraffic modelIdentity(int64_t batch, int64_t heads, int64_t length);
KernelTraffic modelSegmentSort(int64_t batch, int64_t heads, int64_t length,
                               int64_t segment);
/// The two kernels of pbs.importance.
KernelTraffic modelLogSums(const Rows &query, const Rows &key,
                           int64_t queryBlock, int64_t segment);
KernelTraffic modelImportance(const Rows &query, const Rows &key,
                              int64_t queryBlock, int64_t resultHeads);
/// The kernels of pbs.block_scores by sampled rows.
struct RowSumsModel {
  Rows query, key;
  BlockGeometry geometry;
  int64_t stride;
  bool isPermuted;

  /// The one that puts sampled rows side by side.
  KernelTraffic computeSampling() const;
  /// The one that multiplies them with the keys.
  KernelTraffic computeSums() const;
  /// What computing all scores from the sums loads.
  int64_t bytesOfScoring() const;

private:
  int64_t heads() const { return query.batch * query.heads; }
  int64_t sampledRows() const {
    return BlockGeometry::ceilDiv(query.length, stride);
  }
  /// The position of a sampled row.
  int64_t position(int64_t sampled) const;
  /// Key blocks of which one at `position` may attend some key.
  int64_t reach(int64_t position) const;
};

// Parts of the kernels of selections, for `heads` heads of all batches.

/// What computing scores from pooled rows loads, in a CTA of `warps` warps for
/// each query block.
int64_t bytesOfScoring(int64_t heads, int64_t headDim, int64_t warps,
                       const BlockGeometry &geometry);
/// What finding out which blocks are masked loads of the permutation.
int64_t bytesOfClassifying(int64_t heads, const BlockGeometry &geometry);
/// The lists that a selection stores.
int64_t bytesOfLists(int64_t heads, const BlockGeometry &geometry,
                     int64_t capacity);

} // namespace pbs

#endif // PBS_LIB_ANALYSIS_KERNELMODELS_H

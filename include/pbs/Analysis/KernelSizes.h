// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the conversion to the pbsgpu dialect cuts the kernels that have no
// schedule, for their models too.

#ifndef PBS_ANALYSIS_KERNELSIZES_H
#define PBS_ANALYSIS_KERNELSIZES_H

#include <cstdint>

namespace pbs {

constexpr int64_t warpsOfScores = 8;
/// Few, so that bisection reduces over few threads; many CTAs share a
/// multiprocessor.
constexpr int64_t warpsOfSelection = 2;

/// Keys whose scores one CTA of the first kernel of pbs.importance sums.
constexpr int64_t keysOfImportanceChunk = 1024;
/// Keys that a CTA of either kernel multiplies at once.
constexpr int64_t keysOfImportanceTile = 128;

/// Sampled rows that a CTA copies, and that one multiplies at once; key blocks
/// of the latter.
constexpr int64_t rowsOfSampling = 128;
constexpr int64_t rowsOfScoreTile = 128;
constexpr int64_t keyBlocksOfScoreChunk = 16;
/// Sampled rows whose sums a thread of the selection adds up at once.
constexpr int64_t rowsOfTotals = 8;

/// Bytes of a row that a thread loads or copies at once, at most.
constexpr int64_t bytesOfLoad = 16;

} // namespace pbs

#endif // PBS_ANALYSIS_KERNELSIZES_H

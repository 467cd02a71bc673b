// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which blocks the query blocks of one head may list, counted without data.

#ifndef PBS_LIB_ANALYSIS_BLOCKGEOMETRY_H
#define PBS_LIB_ANALYSIS_BLOCKGEOMETRY_H

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace pbs {

/// Sums are over the query blocks of one head.
struct BlockGeometry {
  int64_t queryLength, keyLength, queryBlock, keyBlock, segment;
  bool isCausal;
  std::optional<int64_t> window;

  static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
  int64_t queryBlocks() const { return ceilDiv(queryLength, queryBlock); }
  int64_t keyBlocks() const { return ceilDiv(keyLength, keyBlock); }
  int64_t blocksOfSegment() const { return segment / keyBlock; }

  // Of a query block.
  int64_t firstPosition(int64_t row) const {
    return row * queryBlock + keyLength - queryLength;
  }
  int64_t lastPosition(int64_t row) const {
    return std::min((row + 1) * queryBlock, queryLength) - 1 + keyLength -
           queryLength;
  }
  /// Blocks up to this one are of the first own segment or before it.
  int64_t firstOwnBlock(int64_t row) const {
    return firstPosition(row) / segment * blocksOfSegment();
  }
  int64_t endOfOwnBlocks(int64_t row) const {
    return std::min(keyBlocks(),
                    (lastPosition(row) / segment + 1) * blocksOfSegment());
  }
  /// All blocks of the segments up to the last own one, or all.
  int64_t reach(int64_t row) const {
    return isCausal ? endOfOwnBlocks(row) : keyBlocks();
  }
  int64_t candidates(int64_t row) const {
    int64_t before = firstOwnBlock(row);
    return isCausal ? before : before + keyBlocks() - endOfOwnBlocks(row);
  }
  /// Blocks of which a window leaves some key, at most.
  int64_t withinWindow(int64_t row) const {
    if (!window)
      return reach(row);
    int64_t first = std::max<int64_t>(0, firstPosition(row) - *window + 1);
    return std::max<int64_t>(0,
                             reach(row) - first / segment * blocksOfSegment());
  }

  template <typename Count> int64_t sum(Count count) const {
    int64_t total = 0;
    for (int64_t row = 0; row < queryBlocks(); ++row)
      total += count(row);
    return total;
  }
};

} // namespace pbs

#endif // PBS_LIB_ANALYSIS_BLOCKGEOMETRY_H

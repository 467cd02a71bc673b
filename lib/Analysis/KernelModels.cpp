// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KernelModels.h"

#include "pbs/Analysis/KernelSizes.h"

#include <cmath>

using namespace pbs;
using pbsgpu::mmaRows;
using pbsgpu::warpSize;

/// Bytes of an index or a float.
static constexpr int64_t wordBytes = 4;

/// The time of a kernel that only moves data, of which `distinct` bytes are
/// each another.
static double secondsOfMoving(int64_t bytes, int64_t distinct,
                              const Machine &machine) {
  return machine.secondsPerLaunch +
         std::max(static_cast<double>(distinct) / machine.bytesPerSecond,
                  static_cast<double>(bytes) / machine.cachedBytesPerSecond);
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

int64_t AttentionModel::allBlocks() const {
  return heads() *
         geometry.sum([&](int64_t row) { return geometry.reach(row); });
}

int64_t AttentionModel::listedBlocks(double density) const {
  return std::llround(density * static_cast<double>(allBlocks()));
}

/// Masked blocks, if those of own segments are, and those in which a window or
/// the keys end.
int64_t AttentionModel::expectMasked(int64_t listed) const {
  bool hasShort = geometry.keyLength % geometry.keyBlock != 0;
  int64_t masked = geometry.sum([&](int64_t row) -> int64_t {
    int64_t edges = geometry.window ? geometry.blocksOfSegment() : 0;
    if (!geometry.isCausal)
      return edges + hasShort;
    if (permutationHeads)
      return edges + geometry.endOfOwnBlocks(row) - geometry.firstOwnBlock(row);
    int64_t first = (geometry.firstPosition(row) + 1) / geometry.keyBlock;
    return edges + geometry.lastPosition(row) / geometry.keyBlock + 1 - first;
  });
  return std::min(listed, heads() * masked);
}

/// Lists that hold the short last block, in which no key is permuted: those of
/// query blocks that may attend its first key and in whose own segments it
/// lies, and a share of others.
int64_t AttentionModel::expectShort(double density) const {
  int64_t first = (geometry.keyBlocks() - 1) * geometry.keyBlock;
  int64_t own = 0, other = 0;
  for (int64_t row = 0; row < geometry.queryBlocks(); ++row) {
    if (geometry.isCausal && geometry.lastPosition(row) < first)
      continue;
    if (geometry.endOfOwnBlocks(row) == geometry.keyBlocks())
      ++own;
    else
      ++other;
  }
  return heads() * own +
         std::llround(density * static_cast<double>(heads() * other));
}

KernelTraffic AttentionModel::compute(double density,
                                      std::optional<double> maskedShare,
                                      pbsgpu::ScheduleAttr schedule,
                                      const Machine &machine) const {
  int64_t keyTile = schedule.getKeyTile();
  int64_t threads = schedule.getWarps() * warpSize;
  int64_t ctas = heads() * geometry.queryBlocks();
  int64_t listed = listedBlocks(density);
  int64_t masked =
      maskedShare ? std::llround(*maskedShare * static_cast<double>(listed))
                  : expectMasked(listed);
  int64_t tilesOfBlock = geometry.keyBlock / keyTile;

  KernelTraffic traffic;
  traffic.kernel = "attention";
  traffic.tiles = listed * tilesOfBlock;
  traffic.maskedTiles = masked * tilesOfBlock;

  // All threads load the counts, and the index of each tile before its copy.
  // Masks, and regions that read positions, load it again.
  int64_t tilesWithKey =
      scoresReadPositions ? traffic.tiles : traffic.maskedTiles;
  constexpr int64_t indexBytes = 2;
  traffic.loaded = ctas * threads * wordBytes * (2 + scalars) +
                   (traffic.tiles + tilesWithKey) * threads * indexBytes;
  // A lane holds a quarter of a tile's columns and loads their positions.
  if (permutationHeads && (readsPositions() || scoresReadPositions))
    traffic.loaded +=
        (readsPositions() && !scoresReadPositions ? traffic.maskedTiles
                                                  : traffic.tiles) *
        threads * keyTile / 4 * wordBytes;
  int64_t places = listed * geometry.keyBlock;
  // Each lane looks up a row of its warp's, which keys and values share.
  if (gathers)
    traffic.loaded += traffic.tiles * threads * wordBytes *
                      static_cast<int64_t>(llvm::divideCeil(keyTile, threads));

  int64_t shortBy =
      geometry.keyBlocks() * geometry.keyBlock - geometry.keyLength;
  int64_t keyRows = places - (shortBy ? shortBy * expectShort(density) : 0);
  int64_t rowBytes = 2 * keyRows * key.rowBytes();
  traffic.copied = query.bytes() + rowBytes;
  traffic.gathered = gathers ? rowBytes : 0;
  traffic.stored =
      query.bytes() + (hasLogSumExp ? query.count() : 0) * wordBytes;

  double scores = static_cast<double>(places * geometry.queryBlock);
  double flops = scores * 4 * static_cast<double>(query.headDim);
  double gatheredRows = gathers ? 2 * static_cast<double>(places) : 0;
  traffic.seconds = machine.secondsPerLaunch + flops / machine.flopsPerSecond +
                    scores * machine.secondsPerScore +
                    gatheredRows * machine.secondsPerGatheredRow;
  return traffic;
}

//===----------------------------------------------------------------------===//
// Kernels that move rows
//===----------------------------------------------------------------------===//

KernelTraffic pbs::modelPermute(const Rows &source, int64_t heads,
                                int64_t copies, const Machine &machine) {
  Rows result = source;
  result.heads = heads;
  int64_t placeBytes = result.count() * wordBytes;
  KernelTraffic traffic;
  traffic.kernel = "permute";
  // Each thread of a row loads its place.
  traffic.gathered = copies * result.bytes();
  traffic.loaded = traffic.gathered +
                   copies * placeBytes * (result.rowBytes() / bytesOfLoad);
  traffic.stored = copies * result.bytes();
  traffic.seconds = secondsOfMoving(
      traffic.getBytes(),
      copies * (source.bytes() + result.bytes()) + placeBytes, machine);
  return traffic;
}

KernelTraffic pbs::modelPool(const Rows &source, int64_t permutationHeads,
                             int64_t block, const Machine &machine) {
  Rows read = source;
  if (permutationHeads)
    read.heads = permutationHeads;
  KernelTraffic traffic;
  traffic.kernel = "pool";
  traffic.loaded = read.bytes();
  int64_t distinct = source.bytes();
  if (permutationHeads) {
    traffic.gathered = read.bytes();
    traffic.loaded +=
        read.count() * wordBytes * (read.rowBytes() / bytesOfLoad);
    distinct += read.count() * wordBytes;
  }
  traffic.stored = read.batch * read.heads *
                   BlockGeometry::ceilDiv(read.length, block) * read.headDim *
                   wordBytes;
  traffic.seconds =
      secondsOfMoving(traffic.getBytes(), distinct + traffic.stored, machine);
  return traffic;
}

KernelTraffic pbs::modelIdentity(int64_t batch, int64_t heads, int64_t length) {
  KernelTraffic traffic;
  traffic.kernel = "identity_permutation";
  traffic.stored = batch * heads * length * wordBytes;
  return traffic;
}

KernelTraffic pbs::modelSegmentSort(int64_t batch, int64_t heads,
                                    int64_t length, int64_t segment) {
  KernelTraffic traffic;
  traffic.kernel = "segment_sort";
  // A thread loads its key's importance and those of the whole segment.
  if (length > segment)
    traffic.loaded = batch * heads * (length / segment * segment) *
                     (1 + segment) * wordBytes;
  traffic.stored = batch * heads * length * wordBytes;
  return traffic;
}

//===----------------------------------------------------------------------===//
// Importance
//===----------------------------------------------------------------------===//

KernelTraffic pbs::modelLogSums(const Rows &query, const Rows &key,
                                int64_t queryBlock, int64_t segment) {
  int64_t complete = key.length / segment * segment;
  int64_t chunks = BlockGeometry::ceilDiv(key.length, keysOfImportanceChunk);
  // A tile reaches beyond the complete segments, to the end of the keys.
  int64_t keyRows = std::min(
      key.length, BlockGeometry::ceilDiv(complete, keysOfImportanceTile) *
                      keysOfImportanceTile);
  int64_t heads = query.batch * query.heads;
  KernelTraffic traffic;
  traffic.kernel = "importance_log_sums";
  traffic.copied = heads *
                   (chunks * std::min(queryBlock, query.length) + keyRows) *
                   key.rowBytes();
  traffic.stored = heads * chunks * queryBlock * wordBytes;
  return traffic;
}

KernelTraffic pbs::modelImportance(const Rows &query, const Rows &key,
                                   int64_t queryBlock, int64_t resultHeads) {
  int64_t chunks = BlockGeometry::ceilDiv(key.length, keysOfImportanceChunk);
  int64_t tiles = BlockGeometry::ceilDiv(key.length, keysOfImportanceTile);
  int64_t queryRows = query.heads * tiles * std::min(queryBlock, query.length);
  KernelTraffic traffic;
  traffic.kernel = "importance";
  traffic.copied =
      key.batch * (resultHeads * key.length + queryRows) * key.rowBytes();
  // Once for the maximum of a query's sums, once for their sum.
  traffic.loaded =
      key.batch * query.heads * tiles * queryBlock * chunks * 2 * wordBytes;
  traffic.stored = key.batch * resultHeads * key.length * wordBytes;
  return traffic;
}

//===----------------------------------------------------------------------===//
// Scores of sampled rows
//===----------------------------------------------------------------------===//

int64_t RowSumsModel::position(int64_t sampled) const {
  return std::min(sampled * stride + stride / 2, query.length - 1) +
         key.length - query.length;
}

int64_t RowSumsModel::reach(int64_t position) const {
  if (!geometry.isCausal)
    return geometry.keyBlocks();
  int64_t mixed = isPermuted ? geometry.segment : geometry.keyBlock;
  return std::min(geometry.keyBlocks(),
                  (position / mixed + 1) * (mixed / geometry.keyBlock));
}

KernelTraffic RowSumsModel::computeSampling() const {
  KernelTraffic traffic;
  traffic.kernel = "sample_rows";
  traffic.loaded = traffic.stored = heads() * sampledRows() * query.rowBytes();
  return traffic;
}

KernelTraffic RowSumsModel::computeSums() const {
  constexpr int64_t threads = rowsOfScoreTile / mmaRows * warpSize;
  KernelTraffic traffic;
  traffic.kernel = "row_sums";
  int64_t chunks =
      BlockGeometry::ceilDiv(geometry.keyBlocks(), keyBlocksOfScoreChunk);
  int64_t mixed = isPermuted ? geometry.segment : geometry.keyBlock;
  int64_t rows = sampledRows(), queryRows = 0, keyRows = 0;
  int64_t places = 0, positions = 0;
  for (int64_t first = 0; first < rows; first += rowsOfScoreTile) {
    int64_t end = std::min(rows, first + rowsOfScoreTile);
    int64_t blocks = reach(position(end - 1));
    queryRows += chunks * (end - first);
    keyRows += std::min(key.length, blocks * geometry.keyBlock);
    traffic.stored += heads() * blocks * (end - first) * wordBytes;
    // Each lane looks up a row of its warp's, for copies of nothing too: one
    // before the first block of a chunk, and one beside each.
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      int64_t ofChunk = std::clamp<int64_t>(
          blocks - chunk * keyBlocksOfScoreChunk, 0, keyBlocksOfScoreChunk);
      places += (1 + 2 * BlockGeometry::ceilDiv(ofChunk, 2)) * threads;
    }
    for (int64_t block = 0; block < blocks; ++block) {
      int64_t endOfBlock = (block + 1) * geometry.keyBlock;
      int64_t lastKey = (block * geometry.keyBlock / mixed + 1) * mixed - 1;
      // A lane holds a quarter of a masked block's columns and loads their
      // positions.
      if (geometry.isCausal &&
          (endOfBlock > key.length || lastKey > position(first)))
        positions += threads * geometry.keyBlock / 4;
    }
  }
  traffic.copied = heads() * (queryRows + keyRows) * key.rowBytes();
  if (isPermuted) {
    traffic.gathered = heads() * keyRows * key.rowBytes();
    traffic.loaded = heads() * (places + positions) * wordBytes;
  }
  return traffic;
}

int64_t RowSumsModel::bytesOfScoring() const {
  int64_t words = 0, rowsOfBlock = geometry.queryBlock / stride;
  int64_t rowsAtOnce = std::min(rowsOfBlock, rowsOfTotals);
  for (int64_t block = 0; block < geometry.queryBlocks(); ++block) {
    int64_t first = block * rowsOfBlock;
    int64_t end = std::min(sampledRows(), first + rowsOfBlock);
    // Once for the maximum of a row's sums, once for their sum; the last row
    // stands for those that its group lacks.
    for (int64_t group = first; group < end; group += rowsAtOnce)
      words += 2 * rowsAtOnce *
               reach(position(std::min(end, group + rowsAtOnce) - 1));
    // And once for its share of the candidates.
    words += (end - first) * geometry.candidates(block);
  }
  return heads() * words * wordBytes;
}

//===----------------------------------------------------------------------===//
// Selections
//===----------------------------------------------------------------------===//

int64_t pbs::bytesOfScoring(int64_t heads, int64_t headDim, int64_t warps,
                            const BlockGeometry &geometry) {
  // Each warp that has a block loads the pooled query, and the pooled keys of
  // its candidates.
  warps = std::min(warps, geometry.keyBlocks());
  return heads * headDim * wordBytes * geometry.sum([&](int64_t row) {
    return warps + geometry.candidates(row);
  });
}

int64_t pbs::bytesOfClassifying(int64_t heads, const BlockGeometry &geometry) {
  int64_t segments = geometry.keyLength / geometry.segment;
  auto isScanned = [&](int64_t row, int64_t segment) {
    int64_t first = segment * geometry.segment;
    int64_t last = first + geometry.segment - 1;
    int64_t firstRow = geometry.firstPosition(row);
    int64_t lastRow = geometry.lastPosition(row);
    bool isAttended = !geometry.isCausal || first <= lastRow;
    bool isWhole = !geometry.isCausal || last <= firstRow;
    if (geometry.window) {
      isAttended &= last > firstRow - *geometry.window;
      isWhole &= first > lastRow - *geometry.window;
    }
    return segment == 0 || (isAttended && !isWhole);
  };
  int64_t scanned = geometry.sum([&](int64_t row) {
    int64_t count = 0;
    for (int64_t segment = 0; segment < segments; ++segment)
      count += isScanned(row, segment);
    return count;
  });
  return heads * scanned * geometry.segment * wordBytes;
}

int64_t pbs::bytesOfLists(int64_t heads, const BlockGeometry &geometry,
                          int64_t capacity) {
  constexpr int64_t indexBytes = 2;
  return heads * geometry.queryBlocks() *
         (2 * wordBytes + capacity * indexBytes);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Reference/Ops.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

using namespace pbs::reference;

/// Fills index lists beyond their last entry.
static constexpr double unusedIndex = 65535;

namespace {
/// The original positions of the keys of a block, ascending, and whether the
/// block has all its rows.
struct KeyBlock {
  std::vector<int64_t> positions;
  bool isFull;
};
} // namespace

/// The key blocks as query head \p head sees them.
static std::vector<KeyBlock> keyBlocks(const Grid &grid,
                                       const Permutation *permutation,
                                       int64_t b, int64_t head, int64_t heads) {
  std::vector<KeyBlock> result;
  for (int64_t block = 0; block < grid.keyBlocks(); ++block) {
    int64_t begin = block * grid.keyBlock;
    int64_t end = std::min(begin + grid.keyBlock, grid.keyLength);
    KeyBlock entry{std::vector<int64_t>(end - begin),
                   end - begin == grid.keyBlock};
    std::iota(entry.positions.begin(), entry.positions.end(), begin);
    if (permutation) {
      const int32_t *places =
          permutation->row(b, head / (heads / permutation->heads));
      entry.positions.assign(places + begin, places + end);
      llvm::sort(entry.positions);
    }
    result.push_back(std::move(entry));
  }
  return result;
}

/// Whether some row of a query block may attend some key. The positions that
/// its rows attend have no gap: the first row's window starts them, and the
/// last row's own position ends them.
static bool mayAttend(const Grid &grid, int64_t queryBlock,
                      const KeyBlock &keys) {
  auto key = keys.positions.begin();
  if (grid.window)
    key = llvm::upper_bound(keys.positions,
                            grid.firstPosition(queryBlock) - *grid.window);
  return key != keys.positions.end() &&
         (!grid.causal || *key <= grid.lastPosition(queryBlock));
}

/// Whether every row of a query block may attend every key.
static bool isWhole(const Grid &grid, int64_t queryBlock,
                    const KeyBlock &keys) {
  return keys.isFull &&
         grid.attends(grid.firstPosition(queryBlock), keys.positions.back()) &&
         grid.attends(grid.lastPosition(queryBlock), keys.positions.front());
}

/// Lists the blocks that \p chooses returns for (b, h, query block, key blocks)
/// as long as some row may attend one of their keys.
static Selection listBlocks(
    int64_t batch, int64_t heads, const Grid &grid,
    const Permutation *permutation,
    const std::function<std::vector<bool>(
        int64_t, int64_t, int64_t, const std::vector<KeyBlock> &)> &choose) {
  Selection result{batch, heads, grid.queryBlocks(), grid.keyBlocks(), {}};
  result.lists.resize(batch * heads * grid.queryBlocks());
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<KeyBlock> blocks = keyBlocks(grid, permutation, b, h, heads);
      for (int64_t row = 0; row < grid.queryBlocks(); ++row) {
        std::vector<bool> chosen = choose(b, h, row, blocks);
        BlockLists &lists = result.at(b, h, row);
        for (int64_t block = 0; block < grid.keyBlocks(); ++block) {
          const KeyBlock &keys = blocks[block];
          if (chosen[block] && mayAttend(grid, row, keys))
            (isWhole(grid, row, keys) ? lists.whole : lists.masked)
                .push_back(block);
        }
      }
    }
  return result;
}

/// Scores of a query block as they are compared: with a NaN, all are 0.
static std::vector<double> comparable(const double *scores, int64_t keyBlocks) {
  std::vector<double> row(scores, scores + keyBlocks);
  if (llvm::any_of(row, [](double score) { return std::isnan(score); }))
    llvm::fill(row, 0);
  return row;
}

/// Sorts \p blocks by falling score in \p row, ties by lower index.
static void rank(std::vector<int64_t> &blocks, const std::vector<double> &row) {
  llvm::sort(blocks, [&](int64_t one, int64_t other) {
    return row[one] != row[other] ? row[one] > row[other] : one < other;
  });
}

/// The candidates that \p rule takes of those in falling score, ties by lower
/// index. A row with NaN counts as 0.
static std::vector<int64_t> choose(const double *scores, const Grid &grid,
                                   int64_t segment, int64_t queryBlock,
                                   const Rule &rule) {
  std::vector<int64_t> order;
  std::vector<double> row = comparable(scores, grid.keyBlocks());
  for (int64_t block = 0; block < grid.keyBlocks(); ++block)
    if (isCandidate(grid, segment, queryBlock, block))
      order.push_back(block);
  rank(order, row);
  auto falling =
      llvm::map_to_vector(order, [&](int64_t block) { return row[block]; });
  order.resize(rule(falling, /*slack=*/0));
  return order;
}

Selection pbs::reference::select(const Tensor &scores, const Grid &grid,
                                 const Permutation *permutation,
                                 int64_t segment, const Rule &rule) {
  return listBlocks(scores.shape[0], scores.shape[1], grid, permutation,
                    [&](int64_t b, int64_t h, int64_t row,
                        const std::vector<KeyBlock> &blocks) {
                      std::vector<bool> chosen(blocks.size());
                      for (int64_t block : choose(scores.at(b, h, row), grid,
                                                  segment, row, rule))
                        chosen[block] = true;
                      for (size_t block = 0; block < blocks.size(); ++block)
                        if (blocks[block].positions.front() == 0 ||
                            isOwn(grid, segment, row, block))
                          chosen[block] = true;
                      return chosen;
                    });
}

Tensor pbs::reference::limitBlocks(Selection &selection, int64_t capacity,
                                   const Selection &forced,
                                   const Tensor &scores) {
  Tensor result({selection.batch, selection.heads});
  selection.capacity = std::min(capacity, selection.capacity);
  for (int64_t b = 0; b < selection.batch; ++b)
    for (int64_t h = 0; h < selection.heads; ++h)
      for (int64_t row = 0; row < selection.queryBlocks; ++row) {
        BlockLists &lists = selection.at(b, h, row);
        const BlockLists &stay = forced.at(b, h, row);
        std::vector<int64_t> others;
        for (auto list : {&BlockLists::whole, &BlockLists::masked})
          llvm::copy_if(lists.*list, std::back_inserter(others),
                        [&](int64_t block) {
                          return !llvm::is_contained(stay.*list, block);
                        });
        int64_t room = capacity - static_cast<int64_t>(stay.whole.size() +
                                                       stay.masked.size());
        if (static_cast<int64_t>(others.size()) <= room)
          continue;
        *result.at(b, h) += 1;
        rank(others, comparable(scores.at(b, h, row), scores.shape[3]));
        auto cut = llvm::ArrayRef(others).drop_front(room);
        auto isCut = [&](int64_t block) {
          return llvm::is_contained(cut, block);
        };
        llvm::erase_if(lists.whole, isCut);
        llvm::erase_if(lists.masked, isCut);
      }
  return result;
}

Selection pbs::reference::fullSelection(int64_t batch, int64_t heads,
                                        const Grid &grid,
                                        const Permutation *permutation) {
  return listBlocks(
      batch, heads, grid, permutation,
      [](int64_t, int64_t, int64_t, const std::vector<KeyBlock> &blocks) {
        return std::vector<bool>(blocks.size(), true);
      });
}

Selection pbs::reference::selectionFromMask(const Tensor &mask,
                                            const Grid &grid,
                                            const Permutation *permutation) {
  return listBlocks(mask.shape[0], mask.shape[1], grid, permutation,
                    [&](int64_t b, int64_t h, int64_t row,
                        const std::vector<KeyBlock> &blocks) {
                      const double *held = mask.at(b, h, row);
                      return std::vector<bool>(held, held + blocks.size());
                    });
}

Selection pbs::reference::selectionFromLists(const Tensor &counts,
                                             const Tensor &indices) {
  Selection result{
      counts.shape[0], counts.shape[1], counts.shape[2], indices.shape[3], {}};
  result.lists.resize(result.batch * result.heads * result.queryBlocks);
  for (size_t row = 0; row < result.lists.size(); ++row) {
    auto whole = indices.values.begin() + row * result.capacity;
    auto masked = whole + static_cast<int64_t>(counts.values[2 * row]);
    auto end = masked + static_cast<int64_t>(counts.values[2 * row + 1]);
    result.lists[row].whole.assign(whole, masked);
    result.lists[row].masked.assign(masked, end);
  }
  return result;
}

std::string pbs::reference::findFault(const Tensor &counts,
                                      const Tensor &indices) {
  int64_t heads = counts.shape[1], queryBlocks = counts.shape[2];
  for (int64_t row = 0; row < counts.shape[0] * heads * queryBlocks; ++row) {
    double whole = counts.values[2 * row], masked = counts.values[2 * row + 1];
    if (whole < 0 || masked < 0 || whole + masked > indices.shape[3])
      return llvm::formatv("batch {0}, head {1}, query block {2} counts {3} "
                           "whole and {4} masked blocks with room for {5}",
                           row / queryBlocks / heads, row / queryBlocks % heads,
                           row % queryBlocks, int64_t(whole), int64_t(masked),
                           indices.shape[3]);
  }
  return {};
}

Tensor pbs::reference::selectionCounts(const Selection &selection) {
  Tensor result({selection.batch, selection.heads, selection.queryBlocks, 2});
  for (size_t row = 0; row < selection.lists.size(); ++row) {
    result.values[2 * row] = selection.lists[row].whole.size();
    result.values[2 * row + 1] = selection.lists[row].masked.size();
  }
  return result;
}

Tensor pbs::reference::selectionIndices(const Selection &selection) {
  Tensor result({selection.batch, selection.heads, selection.queryBlocks,
                 selection.capacity},
                unusedIndex);
  for (size_t row = 0; row < selection.lists.size(); ++row) {
    const BlockLists &lists = selection.lists[row];
    auto place = result.values.begin() + row * selection.capacity;
    llvm::copy(lists.masked, llvm::copy(lists.whole, place));
  }
  return result;
}

Work pbs::reference::countWork(const Selection &selection, const Grid &grid,
                               int64_t segment) {
  Work result;
  for (const BlockLists &lists : selection.lists) {
    result.listed += lists.whole.size() + lists.masked.size();
    result.masked += lists.masked.size();
  }
  for (int64_t row = 0; row < grid.queryBlocks(); ++row) {
    int64_t end = grid.keyBlocks();
    if (grid.causal)
      end = std::min(end, (grid.lastPosition(row) / segment + 1) *
                              (segment / grid.keyBlock));
    result.all += selection.batch * selection.heads * end;
  }
  return result;
}

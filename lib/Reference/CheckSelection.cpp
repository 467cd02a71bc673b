// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether a device's selection is one that rounding of the scores explains.

#include "pbs/Reference/Check.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <functional>

using namespace pbs::reference;

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

namespace {
/// The choice of one query block.
class Choice {
public:
  Choice(const BlockLists &actual, const BlockLists &forced,
         const BlockLists &possible, const ExpectedSelection &expected,
         int64_t b, int64_t h, int64_t queryBlock);

  /// Empty if nothing is wrong.
  std::string findFault() const;

  /// Whether the capacity must have cut the list, or may have.
  bool isSurelyCut() const { return room && numSure > *room; }
  bool mayBeCut() const { return room && numPossible > *room; }

private:
  /// Whether the rule takes a candidate, however scores are rounded.
  bool isSure(int64_t block) const {
    return fewest == falling.size() || scores[block] > falling[fewest] + near;
  }
  /// Whether it may take it.
  bool isPossible(int64_t block) const {
    return most > 0 && scores[block] >= falling[most - 1] - near;
  }
  std::string findWrongForced() const;
  std::string findWrongCount() const;
  std::string findWrongBlock() const;
  std::string describe(int64_t listed, int64_t left) const {
    return llvm::formatv("block {0} with score {1:E6} is listed, block {2} "
                         "with score {3:E6} is not",
                         listed, scores[listed], left, scores[left]);
  }

  double near;
  std::vector<double> scores;
  /// Scores of all candidates.
  std::vector<double> falling;
  /// How many candidates the rule takes.
  size_t fewest, most;
  /// Candidates beside the forced blocks: listed ones, and others that some
  /// row may attend.
  std::vector<int64_t> listed, left;
  /// Candidates that are forced, or that no row may attend: nobody sees whether
  /// the rule takes them.
  std::vector<int64_t> unseen;
  /// Forced blocks that are missing, and blocks that nothing lists.
  std::vector<int64_t> missing, wrong;
  /// Blocks beside the forced ones for which the capacity has room.
  std::optional<int64_t> room;
  int64_t numSure = 0, numPossible = 0;
};
} // namespace

Choice::Choice(const BlockLists &actual, const BlockLists &forced,
               const BlockLists &possible, const ExpectedSelection &expected,
               int64_t b, int64_t h, int64_t queryBlock)
    : near(expected.near) {
  const Grid &grid = expected.grid;
  const double *row = expected.scores.at(b, h, queryBlock);
  scores.assign(row, row + grid.keyBlocks());
  if (llvm::any_of(scores, [](double score) { return std::isnan(score); }))
    llvm::fill(scores, 0);
  std::vector<int64_t> open;
  for (int64_t block = 0; block < grid.keyBlocks(); ++block) {
    bool isCandidate =
        pbs::reference::isCandidate(grid, expected.segment, queryBlock, block);
    if (isCandidate)
      falling.push_back(scores[block]);
    if (isListed(forced, block)) {
      if (isCandidate)
        unseen.push_back(block);
      if (!isListed(actual, block))
        missing.push_back(block);
    } else if (!isCandidate) {
      if (isListed(actual, block))
        wrong.push_back(block);
    } else if (isListed(possible, block)) {
      open.push_back(block);
      (isListed(actual, block) ? listed : left).push_back(block);
    } else {
      unseen.push_back(block);
    }
  }
  llvm::sort(falling, std::greater<>());
  fewest = expected.rule(falling, -near);
  most = expected.rule(falling, near);
  numSure = llvm::count_if(open, [&](int64_t block) { return isSure(block); });
  numPossible =
      llvm::count_if(open, [&](int64_t block) { return isPossible(block); });
  if (expected.capacity)
    room = *expected.capacity -
           static_cast<int64_t>(forced.whole.size() + forced.masked.size());
}

std::string Choice::findWrongForced() const {
  if (!missing.empty())
    return llvm::formatv("block {0} should be listed", missing.front());
  if (!wrong.empty())
    return llvm::formatv("block {0} is listed but should not be",
                         wrong.front());
  return {};
}

std::string Choice::findWrongCount() const {
  auto count = static_cast<int64_t>(listed.size());
  if (room && count > *room)
    return llvm::formatv("{0} blocks are listed beside the forced ones, with "
                         "room for {1}",
                         count, *room);
  // A capacity cuts what the rule takes.
  bool isFull = room && count == *room;
  int64_t unseenAtLeast =
      llvm::count_if(unseen, [&](int64_t block) { return isSure(block); });
  int64_t unseenAtMost =
      llvm::count_if(unseen, [&](int64_t block) { return isPossible(block); });
  int64_t highest = static_cast<int64_t>(most) - unseenAtLeast;
  int64_t lowest =
      std::max<int64_t>(0, static_cast<int64_t>(fewest) - unseenAtMost);
  bool isTooMany = count > highest;
  bool isTooFew = !isFull && count < lowest;
  if (!isTooMany && !isTooFew)
    return {};
  return llvm::formatv("{0} candidates are listed, not {1}{2}", count, lowest,
                       highest > lowest ? " to " + std::to_string(highest)
                                        : "");
}

std::string Choice::findWrongBlock() const {
  auto byScore = [&](int64_t a, int64_t b) { return scores[a] < scores[b]; };
  auto worst = llvm::min_element(listed, byScore);
  auto best = llvm::max_element(left, byScore);
  for (int64_t block : listed)
    if (!isPossible(block))
      return best == left.end()
                 ? llvm::formatv("block {0} with score {1:E6} is listed, which "
                                 "the rule does not take",
                                 block, scores[block])
                       .str()
                 : describe(block, *best);
  bool isFull = room && static_cast<int64_t>(listed.size()) == *room;
  for (int64_t block : left) {
    if (!isSure(block))
      continue;
    if (!isFull)
      return llvm::formatv("block {0} with score {1:E6} is not listed, which "
                           "the rule takes",
                           block, scores[block]);
    if (worst != listed.end() && scores[block] > scores[*worst] + near)
      return describe(*worst, block);
  }
  return {};
}

std::string Choice::findFault() const {
  for (std::string fault :
       {findWrongForced(), findWrongCount(), findWrongBlock()})
    if (!fault.empty())
      return fault;
  return {};
}

std::string pbs::reference::checkSelection(const Selection &selection,
                                           const ExpectedSelection &expected,
                                           const Tensor *cut) {
  const Grid &grid = expected.grid;
  Selection forced =
      select(expected.scores, grid, expected.permutation, expected.segment,
             [](llvm::ArrayRef<double>, double) { return 0; });
  Selection possible = fullSelection(selection.batch, selection.heads, grid,
                                     expected.permutation);
  for (int64_t b = 0; b < selection.batch; ++b)
    for (int64_t h = 0; h < selection.heads; ++h) {
      int64_t fewestCut = 0, mostCut = 0;
      for (int64_t row = 0; row < grid.queryBlocks(); ++row) {
        const BlockLists &actual = selection.at(b, h, row);
        const BlockLists &parts = possible.at(b, h, row);
        Choice choice(actual, forced.at(b, h, row), parts, expected, b, h, row);
        for (std::string fault :
             {findWrongPart(actual.whole, parts.whole, "whole"),
              findWrongPart(actual.masked, parts.masked, "masked"),
              choice.findFault()})
          if (!fault.empty())
            return llvm::formatv("batch {0}, head {1}, query block {2}: {3}", b,
                                 h, row, fault);
        fewestCut += choice.isSurelyCut();
        mostCut += choice.mayBeCut();
      }
      if (cut && (*cut->at(b, h) < fewestCut || *cut->at(b, h) > mostCut))
        return llvm::formatv("batch {0}, head {1}: {2} query blocks are "
                             "counted as cut, not {3} to {4}",
                             b, h, static_cast<int64_t>(*cut->at(b, h)),
                             fewestCut, mostCut);
    }
  return {};
}

std::string pbs::reference::checkLists(const Selection &selection,
                                       const Selection &reference) {
  for (int64_t b = 0; b < selection.batch; ++b)
    for (int64_t h = 0; h < selection.heads; ++h)
      for (int64_t row = 0; row < selection.queryBlocks; ++row) {
        const BlockLists &actual = selection.at(b, h, row);
        const BlockLists &expected = reference.at(b, h, row);
        for (std::string fault :
             {findWrongPart(actual.whole, expected.whole, "whole"),
              findWrongPart(actual.masked, expected.masked, "masked")})
          if (!fault.empty())
            return llvm::formatv("batch {0}, head {1}, query block {2}: {3}", b,
                                 h, row, fault);
        if (actual.whole.size() != expected.whole.size() ||
            actual.masked.size() != expected.masked.size())
          return llvm::formatv(
              "batch {0}, head {1}, query block {2}: {3} whole and {4} masked "
              "blocks are listed, not {5} and {6}",
              b, h, row, actual.whole.size(), actual.masked.size(),
              expected.whole.size(), expected.masked.size());
      }
  return {};
}

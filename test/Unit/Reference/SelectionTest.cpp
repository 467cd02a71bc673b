// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Random.h"
#include "Rules.h"

#include "pbs/Reference/Ops.h"

#include "gmock/gmock.h"

#include <cmath>

using namespace pbs::reference;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

/// Twelve positions in blocks of 2 and segments of 4; the last 8 are queries.
constexpr Grid causalGrid{8, 12, 2, 2, true};
constexpr Grid otherGrid{8, 12, 2, 2, false};

TEST(Grid, PlacesQueriesAtTheEnd) {
  EXPECT_EQ(causalGrid.position(0), 4);
  EXPECT_EQ(causalGrid.firstPosition(3), 10);
  EXPECT_EQ(causalGrid.lastPosition(3), 11);
  Grid odd{3, 5, 2, 2, true};
  EXPECT_EQ(odd.queryBlocks(), 2);
  EXPECT_EQ(odd.keyBlocks(), 3);
  EXPECT_EQ(odd.lastPosition(1), 4);
}

TEST(Candidates, LieBeforeOrOutsideTheOwnSegments) {
  // Query block 1 stands at 6 and 7, in the segment of blocks 2 and 3.
  for (int64_t block = 0; block < 6; ++block) {
    EXPECT_EQ(isOwn(causalGrid, 4, 1, block), block == 2 || block == 3);
    EXPECT_EQ(isCandidate(causalGrid, 4, 1, block), block < 2);
    EXPECT_EQ(isCandidate(otherGrid, 4, 1, block), block < 2 || block > 3);
  }
  // A query block at 3 and 4 stands in two segments.
  Grid straddling{9, 12, 2, 2, true};
  for (int64_t block = 0; block < 6; ++block) {
    EXPECT_EQ(isOwn(straddling, 4, 0, block), block < 4);
    EXPECT_FALSE(isCandidate(straddling, 4, 0, block));
  }
}

/// Scores of the last query block, at 10 and 11: candidates 0 to 3.
Selection selectLast(std::vector<double> scores, const Rule &rule) {
  Tensor tensor({1, 1, 4, 6});
  std::copy(scores.begin(), scores.end(), tensor.at(0, 0, 3));
  return select(tensor, causalGrid, nullptr, 4, rule);
}

TEST(Select, TakesTheShortestPrefixByFallingScore) {
  EXPECT_THAT(
      selectLast({0.125, 0.25, 0.125, 0.5}, topP(0.75)).at(0, 0, 3).whole,
      ElementsAre(0, 1, 3, 4))
      << "0 and 4 are forced";
  EXPECT_THAT(
      selectLast({0.125, 0.25, 0.125, 0.5}, topP(0.76)).at(0, 0, 3).whole,
      ElementsAre(0, 1, 3, 4))
      << "ties go to the lower index";
  EXPECT_THAT(
      selectLast({0.125, 0.125, 0.25, 0.5}, topP(0.876)).at(0, 0, 3).whole,
      ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(selectLast({0.125, 0.25, 0.125, 0.5}, topP(0)).at(0, 0, 3).whole,
              ElementsAre(0, 4));
  EXPECT_THAT(selectLast({1, 0, 0, 0}, topP(1)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(selectLast({0, 0, 0, 0}, topP(0.5)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 2, 3, 4))
      << "no prefix reaches p";
  EXPECT_THAT(selectLast({0, NAN, 1, 0}, topP(0.5)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 2, 3, 4))
      << "a row with NaN counts as 0";
}

TEST(Select, TakesTheBestCandidates) {
  EXPECT_THAT(selectLast({0.1, 0.2, 0.2, 0.5}, topK(2)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 3, 4))
      << "0 and 4 are forced beside them, ties go to the lower index";
  EXPECT_THAT(selectLast({0.4, 0.2, 0.3, 0.1}, topK(2)).at(0, 0, 3).whole,
              ElementsAre(0, 2, 4))
      << "0 is one of the two";
  EXPECT_THAT(selectLast({0.4, 0.2, 0.3, 0.1}, topK(0)).at(0, 0, 3).whole,
              ElementsAre(0, 4));
  EXPECT_THAT(selectLast({0.4, 0.2, 0.3, 0.1}, topK(9)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(selectLast({0, NAN, 1, 0}, topK(2)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 4))
      << "a row with NaN counts as 0";
}

TEST(Select, TakesWhatReachesAThreshold) {
  EXPECT_THAT(
      selectLast({0.1, 0.25, 0.2, 0.5}, threshold(0.25)).at(0, 0, 3).whole,
      ElementsAre(0, 1, 3, 4))
      << "0 and 4 are forced, a score of tau suffices";
  EXPECT_THAT(selectLast({0, 0, 0, 0}, threshold(0)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(selectLast({1, NAN, 1, 1}, threshold(0.5)).at(0, 0, 3).whole,
              ElementsAre(0, 4))
      << "a row with NaN counts as 0";
}

TEST(Select, TakesWhatReachesAThresholdByLength) {
  EXPECT_THAT(selectLast({0.1, 0.25, 0.2, 0.5}, thresholdByLength(1, 16))
                  .at(0, 0, 3)
                  .whole,
              ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(selectLast({0.1, 0.25, 0.2, 0.5}, thresholdByLength(1, 4))
                  .at(0, 0, 3)
                  .whole,
              ElementsAre(0, 3, 4));
}

TEST(Select, TakesWhatReachesAShareOfTheBest) {
  EXPECT_THAT(
      selectLast({0.1, 0.25, 0.2, 0.5}, maxThreshold(0.5)).at(0, 0, 3).whole,
      ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(selectLast({1, 2, 2, 2}, maxThreshold(1)).at(0, 0, 3).whole,
              ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(
      selectLast({0.1, 0.25, 0.2, 0.5}, maxThreshold(1.5)).at(0, 0, 3).whole,
      ElementsAre(0, 4))
      << "not even the best";
}

TEST(Select, TakesAllCandidates) {
  EXPECT_THAT(selectLast({1, 0, 0, NAN}, all()).at(0, 0, 3).whole,
              ElementsAre(0, 1, 2, 3, 4));
}

TEST(Select, MasksBlocksThatSomeRowMayNotAttend) {
  Selection result = selectLast({1, 0, 0, 0}, topP(0.5));
  EXPECT_THAT(result.at(0, 0, 3).whole, ElementsAre(0, 4));
  EXPECT_THAT(result.at(0, 0, 3).masked, ElementsAre(5));
  // Rows 4 and 5: block 3 lies in their segment but after them.
  EXPECT_THAT(result.at(0, 0, 0).whole, ElementsAre(0, 1));
  EXPECT_THAT(result.at(0, 0, 0).masked, ElementsAre(2));
}

TEST(Select, ForcesTheBlockThatHoldsTokenZero) {
  Permutation order{1, 1, 12, 4, {2, 3, 1, 0, 4, 5, 6, 7, 8, 9, 10, 11}};
  Tensor scores({1, 1, 4, 6});
  Selection result = select(scores, causalGrid, &order, 4, topP(0));
  EXPECT_THAT(result.at(0, 0, 3).whole, ElementsAre(1, 4));
}

TEST(LimitBlocks, KeepsTheForcedAndTheBest) {
  // Of the last query block 0, 4 and 5 are forced; elsewhere room is enough.
  Tensor scores({1, 1, 4, 6});
  std::vector<double> last = {0.1, 0.2, 0.5, 0.2};
  auto limit = [&](int64_t capacity) {
    std::copy(last.begin(), last.end(), scores.at(0, 0, 3));
    Selection result = select(scores, causalGrid, nullptr, 4, all());
    Selection forced = select(scores, causalGrid, nullptr, 4, topK(0));
    Tensor cut = limitBlocks(result, capacity, forced, scores);
    return std::pair(result, cut.values);
  };
  auto [five, cutAtFive] = limit(5);
  EXPECT_THAT(five.at(0, 0, 3).whole, ElementsAre(0, 1, 2, 4))
      << "ties go to the lower index";
  EXPECT_THAT(five.at(0, 0, 3).masked, ElementsAre(5));
  EXPECT_THAT(cutAtFive, ElementsAre(1));
  EXPECT_EQ(five.capacity, 5);
  auto [four, cutAtFour] = limit(4);
  EXPECT_THAT(four.at(0, 0, 3).whole, ElementsAre(0, 2, 4));
  EXPECT_THAT(cutAtFour, ElementsAre(2)) << "query block 2 lists 5 blocks";
  auto [seven, cutAtSeven] = limit(7);
  EXPECT_THAT(cutAtSeven, ElementsAre(0));
  EXPECT_EQ(seven.capacity, 6) << "there are no more blocks";
  last[3] = NAN;
  EXPECT_THAT(limit(4).first.at(0, 0, 3).whole, ElementsAre(0, 1, 4))
      << "a row with NaN counts as 0";
}

TEST(FullSelection, ListsWhatSomeRowMayAttend) {
  // Keys 6 and 7 change places with 4 and 5, so that block 2 waits for row 6.
  Permutation order{1, 1, 12, 4, {0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 11}};
  Selection result = fullSelection(1, 2, causalGrid, &order);
  EXPECT_THAT(result.at(0, 1, 0).whole, ElementsAre(0, 1));
  EXPECT_THAT(result.at(0, 1, 0).masked, ElementsAre(3));
  EXPECT_THAT(result.at(0, 1, 1).whole, ElementsAre(0, 1, 3));
  EXPECT_THAT(result.at(0, 1, 1).masked, ElementsAre(2));
  Selection all = fullSelection(1, 1, {3, 5, 2, 2, false}, nullptr);
  EXPECT_THAT(all.at(0, 0, 0).whole, ElementsAre(0, 1));
  EXPECT_THAT(all.at(0, 0, 0).masked, ElementsAre(2)) << "short tail";
}

TEST(FullSelection, LeavesOutWhatLiesBeforeTheWindow) {
  // Rows 10 and 11 attend 6 to 11.
  Grid grid = causalGrid;
  grid.window = 5;
  Selection inOrder = fullSelection(1, 1, grid, nullptr);
  EXPECT_THAT(inOrder.at(0, 0, 3).whole, ElementsAre(4));
  EXPECT_THAT(inOrder.at(0, 0, 3).masked, ElementsAre(3, 5));
  // Block 0 has keys on both sides of what rows 4 and 5 attend, none in it.
  grid.window = 2;
  Permutation order{1, 1, 12, 12, {0, 11, 3, 4, 5, 1, 2, 6, 7, 8, 9, 10}};
  Selection permuted = fullSelection(1, 1, grid, &order);
  EXPECT_THAT(permuted.at(0, 0, 0).whole, IsEmpty());
  EXPECT_THAT(permuted.at(0, 0, 0).masked, ElementsAre(1, 2));
  grid.causal = false;
  EXPECT_THAT(fullSelection(1, 1, grid, &order).at(0, 0, 0).masked,
              ElementsAre(0, 1, 2, 3))
      << "nothing bounds the right side";
}

TEST(SelectionFromMask, DropsWhatNoRowMayAttend) {
  Selection result =
      selectionFromMask(Tensor({1, 1, 4, 6}, 1), causalGrid, nullptr);
  EXPECT_THAT(result.at(0, 0, 0).masked, ElementsAre(2));
  EXPECT_THAT(selectionFromMask(Tensor({1, 1, 4, 6}), causalGrid, nullptr)
                  .at(0, 0, 3)
                  .masked,
              IsEmpty());
}

TEST(SelectionFromLists, IsTheInverseOfTheStoredForm) {
  Selection selection = selectLast({0.125, 0.25, 0.125, 0.5}, topP(0.6));
  Tensor counts = selectionCounts(selection);
  Tensor indices = selectionIndices(selection);
  EXPECT_EQ(findFault(counts, indices), "");
  Selection back = selectionFromLists(counts, indices);
  EXPECT_EQ(selectionCounts(back).values, counts.values);
  EXPECT_EQ(selectionIndices(back).values, indices.values);
  counts.values[2] = 7;
  EXPECT_NE(findFault(counts, indices), "");
  counts.values[2] = -1;
  EXPECT_NE(findFault(counts, indices), "");
}

TEST(CountWork, CountsSegmentsUpToTheLastOwnOne) {
  // Query blocks 0 and 1 may list 4 blocks, 2 and 3 may list 6.
  Work work =
      countWork(fullSelection(1, 1, causalGrid, nullptr), causalGrid, 4);
  EXPECT_EQ(work.listed, 3 + 4 + 5 + 6);
  EXPECT_EQ(work.all, 4 + 4 + 6 + 6);
}

} // namespace

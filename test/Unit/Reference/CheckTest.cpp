// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Random.h"
#include "Rules.h"

#include "pbs/Reference/Check.h"

#include "llvm/ADT/STLExtras.h"
#include "gmock/gmock.h"

#include <cmath>
#include <limits>

using namespace pbs::reference;
using testing::HasSubstr;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class CheckOutput : public RandomTest {
protected:
  std::string check(double tolerance) const {
    return checkOutput(blockErrors(actual, reference, 4), tolerance);
  }

  // Query blocks of 4, 4 and 2 rows.
  Tensor reference = normal({2, 2, 10, 3});
  Tensor actual = reference;
};

TEST_F(CheckOutput, MeasuresEachQueryBlockOnItsOwn) {
  for (int64_t i = 0; i < 6; ++i) {
    reference.at(1, 0, 8)[i] = 1;
    actual.at(1, 0, 8)[i] = 1.002;
  }
  std::vector<BlockError> errors = blockErrors(actual, reference, 4);
  ASSERT_EQ(errors.size(), 12u);
  for (const BlockError &block : errors) {
    bool isChanged =
        block.batch == 1 && block.head == 0 && block.queryBlock == 2;
    EXPECT_NEAR(block.error, isChanged ? 0.002 : 0, 1e-12);
  }
  EXPECT_EQ(check(bf16Tolerance), "");
  EXPECT_THAT(check(f16Tolerance),
              HasSubstr("batch 1, head 0, query block 2: 2.00E-03"));
}

TEST_F(CheckOutput, WantsZeroWhereTheReferenceIsZero) {
  std::fill_n(reference.at(0, 1, 4), 12, 0.0);
  std::fill_n(actual.at(0, 1, 4), 12, 0.0);
  EXPECT_EQ(check(bf16Tolerance), "");
  actual.at(0, 1, 5)[2] = 1e-30;
  EXPECT_THAT(check(bf16Tolerance),
              HasSubstr("batch 0, head 1, query block 1"));
}

TEST_F(CheckOutput, AcceptsNaNOnlyWhereTheReferenceHasIt) {
  actual.at(0, 0, 3)[1] = NAN;
  EXPECT_NE(check(1e30), "");
  reference.at(0, 0, 3)[1] = NAN;
  EXPECT_EQ(check(bf16Tolerance), "");
  actual.at(0, 0, 3)[1] = 1;
  EXPECT_NE(check(1e30), "");
  // The other elements of a block with NaN count as ever.
  actual.at(0, 0, 3)[1] = NAN;
  actual.at(0, 0, 3)[0] += 1;
  EXPECT_NE(check(bf16Tolerance), "");
}

TEST_F(CheckOutput, RejectsInfinity) {
  actual.at(1, 1, 0)[0] = infinity;
  EXPECT_NE(check(1e30), "");
}

TEST(CheckLogSumExp, AllowsTheStatedDistance) {
  Tensor reference({1, 1, 3});
  reference.values = {-infinity, 100, NAN};
  Tensor actual = reference;
  EXPECT_EQ(checkLogSumExp(actual, reference), "");
  actual.values[1] = 100 + 2.9e-4;
  EXPECT_EQ(checkLogSumExp(actual, reference), "");
  actual.values[1] = 100 + 3.1e-4;
  EXPECT_THAT(checkLogSumExp(actual, reference), HasSubstr("row 1"));
  actual = reference;
  for (double wrong : {-1e30, infinity, double(NAN)}) {
    actual.values[0] = wrong;
    EXPECT_THAT(checkLogSumExp(actual, reference), HasSubstr("row 0"));
  }
  actual = reference;
  actual.values[2] = 0;
  EXPECT_THAT(checkLogSumExp(actual, reference), HasSubstr("row 2"));
}

TEST(CheckPermutation, ComparesTheImportanceOfBlocks) {
  Tensor importance({1, 1, 8});
  importance.values = {0.5, 0.25, 0.1, 0.1, 0.3, 0.2, 0.1, NAN};
  Permutation reference{1, 1, 8, 4, {0, 1, 2, 3, 4, 5, 6, 7}};
  auto check = [&](std::vector<int32_t> places) {
    return checkPermutation({1, 1, 8, 4, std::move(places)}, reference,
                            importance, 2);
  };
  EXPECT_EQ(check({0, 1, 2, 3, 4, 5, 6, 7}), "");
  EXPECT_EQ(check({1, 0, 3, 2, 5, 4, 7, 6}), "") << "order inside blocks";
  EXPECT_THAT(check({0, 2, 1, 3, 4, 5, 6, 7}), HasSubstr("key block 0"));
  EXPECT_THAT(check({0, 1, 2, 3, 4, 7, 6, 5}), HasSubstr("key block 2"));
  EXPECT_THAT(check({0, 4, 2, 3, 1, 5, 6, 7}), HasSubstr("is none"));
  EXPECT_THAT(check({0, 0, 2, 3, 4, 5, 6, 7}), HasSubstr("is none"));
  importance.values[1] = 0.1 + 1e-7;
  EXPECT_EQ(check({0, 2, 1, 3, 4, 5, 6, 7}), "") << "a near-tie";
}

TEST(CheckPermutation, AllowsWhatIsTooSmallForF32) {
  // Blocks of two keys: twice the smallest normal number.
  const double smallest = std::numeric_limits<float>::min();
  Tensor importance({1, 1, 4});
  Permutation reference{1, 1, 4, 4, {0, 1, 2, 3}};
  auto check = [&](double first) {
    importance.values = {first, 0, 0, 0};
    return checkPermutation({1, 1, 4, 4, {2, 3, 0, 1}}, reference, importance,
                            2);
  };
  EXPECT_EQ(check(0.5 * smallest), "");
  EXPECT_EQ(check(1.9 * smallest), "");
  EXPECT_THAT(check(2.1 * smallest), HasSubstr("key block 0"));
}

class CheckSelection : public testing::Test {
protected:
  /// Query block 3 of twelve positions (blocks of 2, segments of 4) lists
  /// \p whole; the others, what they should.
  std::string check(std::vector<double> row, const Rule &rule,
                    std::vector<uint16_t> whole,
                    std::vector<uint16_t> masked = {5}) {
    llvm::copy(row, scores.at(0, 0, 3));
    Selection selection = select(scores, grid, nullptr, 4, rule);
    selection.at(0, 0, 3) = {std::move(whole), std::move(masked)};
    return checkSelection(selection, {scores, grid, nullptr, 4, rule});
  }

  /// The same with \p capacity, which cuts the other query blocks as it should
  /// too; \p numCut of all are counted as cut.
  std::string checkLimited(std::vector<double> row, const Rule &rule,
                           int64_t capacity, std::vector<uint16_t> whole,
                           double numCut) {
    llvm::copy(row, scores.at(0, 0, 3));
    Selection forced = select(scores, grid, nullptr, 4, topK(0));
    Selection selection = select(scores, grid, nullptr, 4, rule);
    limitBlocks(selection, capacity, forced, scores);
    selection.at(0, 0, 3) = {std::move(whole), {5}};
    Tensor cut({1, 1});
    cut.values = {numCut};
    return checkSelection(selection, {scores, grid, nullptr, 4, rule, capacity},
                          &cut);
  }

  Grid grid{8, 12, 2, 2, true};
  Tensor scores = Tensor({1, 1, 4, 6});
};

TEST_F(CheckSelection, WantsTheSameBlocks) {
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  EXPECT_EQ(check(row, topP(0.5), {0, 2, 3, 4}), "");
  EXPECT_THAT(check(row, topP(0.5), {0, 3, 4}),
              HasSubstr("query block 3: 1 candidates are listed, not 2"));
  EXPECT_THAT(check(row, topP(0.5), {0, 1, 2, 3, 4}),
              HasSubstr("query block 3: 3 candidates are listed, not 2"));
}

TEST_F(CheckSelection, WantsTheForcedBlocks) {
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  EXPECT_THAT(check(row, topP(0.5), {2, 3, 4}),
              HasSubstr("block 0 should be listed"));
  EXPECT_THAT(check(row, topP(0.5), {0, 2, 3}),
              HasSubstr("block 4 should be listed"));
}

TEST_F(CheckSelection, WantsTheRightPartsInOrder) {
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  EXPECT_THAT(check(row, topP(0.5), {0, 2, 3}, {4, 5}),
              HasSubstr("block 4 is not masked"));
  EXPECT_THAT(check(row, topP(0.5), {0, 2, 3, 4, 5}, {}),
              HasSubstr("block 5 is not whole"));
  EXPECT_THAT(check(row, topP(0.5), {0, 3, 2, 4}), HasSubstr("do not ascend"));
}

TEST_F(CheckSelection, AcceptsScoresNearTheCut) {
  // The cut is at 0.3; block 1 is as good as block 2.
  std::vector<double> row = {0.05, 0.3 - 5e-6, 0.3, 0.35};
  EXPECT_EQ(check(row, topP(0.5), {0, 2, 3, 4}), "");
  EXPECT_EQ(check(row, topP(0.5), {0, 1, 3, 4}), "");
  row[1] = 0.3 - 5e-5;
  EXPECT_THAT(check(row, topP(0.5), {0, 1, 3, 4}),
              HasSubstr("block 2 with score"));
  EXPECT_NE(check(row, topP(0.5), {0, 3, 4}), "")
      << "the last one taken is needed";
}

TEST_F(CheckSelection, AcceptsSumsNearP) {
  // 0.4 + 0.3 just reaches p, so block 1 may be taken or left; not far off.
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  EXPECT_EQ(check(row, topP(0.7 - 5e-6), {0, 1, 2, 3, 4}), "");
  EXPECT_EQ(check(row, topP(0.7 + 5e-6), {0, 2, 3, 4}), "");
  EXPECT_NE(check(row, topP(0.7 - 5e-5), {0, 1, 2, 3, 4}), "");
  EXPECT_NE(check(row, topP(0.7 + 5e-5), {0, 2, 3, 4}), "");
}

TEST_F(CheckSelection, WantsTheBestWithinTheCapacity) {
  // Blocks 0, 4 and 5 are forced, which leaves room for one. Query block 2
  // would list five, and is cut too.
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  EXPECT_EQ(checkLimited(row, all(), 4, {0, 3, 4}, 2), "");
  EXPECT_THAT(checkLimited(row, all(), 4, {0, 2, 4}, 2),
              HasSubstr("query block 3: block 2 with score 3.000000E-01 is "
                        "listed, block 3 with score"));
  EXPECT_THAT(checkLimited(row, all(), 4, {0, 2, 3, 4}, 2),
              HasSubstr("query block 3: 2 blocks are listed beside the forced "
                        "ones, with room for 1"));
  EXPECT_THAT(checkLimited(row, all(), 4, {3, 4}, 2),
              HasSubstr("block 0 should be listed"))
      << "what is forced stays";
  EXPECT_NE(checkLimited(row, all(), 4, {0, 4}, 2), "")
      << "there is room for one more";
  // A rule that takes fewer than there is room for.
  EXPECT_EQ(checkLimited(row, topK(1), 5, {0, 3, 4}, 0), "");
  EXPECT_NE(checkLimited(row, topK(1), 5, {0, 2, 3, 4}, 0), "");
  EXPECT_NE(checkLimited(row, topK(1), 5, {0, 4}, 0), "");
}

TEST_F(CheckSelection, AcceptsScoresNearTheCapacitysCut) {
  std::vector<double> row = {0.1, 0.2, 0.35 - 5e-6, 0.35};
  EXPECT_EQ(checkLimited(row, all(), 4, {0, 3, 4}, 2), "");
  EXPECT_EQ(checkLimited(row, all(), 4, {0, 2, 4}, 2), "");
  row[2] = 0.35 - 5e-5;
  EXPECT_NE(checkLimited(row, all(), 4, {0, 2, 4}, 2), "");
}

TEST_F(CheckSelection, CountsTiedBlocksWithinTheCapacity) {
  // All are as good as each other, but two are taken, one of which may be 0.
  std::vector<double> row = {0.25, 0.25, 0.25, 0.25};
  EXPECT_EQ(checkLimited(row, topK(2), 5, {0, 1, 4}, 0), "");
  EXPECT_EQ(checkLimited(row, topK(2), 5, {0, 1, 2, 4}, 0), "");
  EXPECT_THAT(checkLimited(row, topK(2), 5, {0, 4}, 0),
              HasSubstr("query block 3: 0 candidates are listed, not 1 to 2"));
  EXPECT_THAT(checkLimited(row, topK(1), 5, {0, 1, 2, 4}, 0),
              HasSubstr("query block 3: 2 candidates are listed, not 0 to 1"));
}

TEST_F(CheckSelection, WantsCutQueryBlocksCounted) {
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  for (double wrong : {0, 1, 3, 4})
    EXPECT_THAT(checkLimited(row, all(), 4, {0, 3, 4}, wrong),
                HasSubstr("batch 0, head 0: " +
                          std::to_string(static_cast<int>(wrong)) +
                          " query blocks are counted as cut, not 2 to 2"));
  EXPECT_EQ(checkLimited(row, all(), 6, {0, 1, 2, 3, 4}, 0), "");
  EXPECT_NE(checkLimited(row, all(), 6, {0, 1, 2, 3, 4}, 1), "");
  // p is just reached by two: with a third, which may be taken, the list is
  // over its capacity. Without it, it is not.
  std::vector<uint16_t> best = {0, 2, 3, 4};
  EXPECT_EQ(checkLimited(row, topP(0.7 - 5e-6), 5, best, 0), "");
  EXPECT_EQ(checkLimited(row, topP(0.7 - 5e-6), 5, best, 1), "");
  EXPECT_NE(checkLimited(row, topP(0.7 - 5e-6), 5, best, 2), "");
  EXPECT_NE(checkLimited(row, topP(0.7 - 5e-5), 5, best, 1), "");
}

TEST_F(CheckSelection, ComparesRowsWithNaNAsAllZero) {
  std::vector<double> row = {0.1, NAN, 0.3, 0.4};
  EXPECT_EQ(check(row, topP(0.5), {0, 1, 2, 3, 4}), "");
  EXPECT_THAT(check(row, topP(0.5), {0, 2, 3, 4}),
              HasSubstr("query block 3: 2 candidates are listed, not 3"));
  // Any two tie; 0, which is forced, may be one of them.
  EXPECT_EQ(check(row, topK(2), {0, 1, 4}), "");
  EXPECT_EQ(check(row, topK(2), {0, 2, 3, 4}), "");
  EXPECT_NE(check(row, topK(2), {0, 4}), "");
  EXPECT_NE(check(row, topK(2), {0, 1, 2, 3, 4}), "");
}

TEST_F(CheckSelection, ListsWhatAWindowLeaves) {
  // The rows at 10 and 11 attend keys from 6 on, or 7: blocks 0, 1 and 2 are
  // hidden, whatever the rule takes of them, and nobody forces block 0.
  grid.window = 5;
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  EXPECT_EQ(check(row, topK(1), {4}, {3, 5}), "");
  EXPECT_EQ(check(row, topK(2), {4}, {3, 5}), "");
  EXPECT_THAT(check(row, topK(1), {4}),
              HasSubstr("query block 3: 0 candidates are listed, not 1"));
  EXPECT_THAT(check(row, topK(2), {2, 4}, {3, 5}),
              HasSubstr("block 2 is not whole"));
  EXPECT_THAT(check(row, topK(2), {4}, {2, 3, 5}),
              HasSubstr("block 2 is not masked"));
  EXPECT_THAT(check(row, topK(2), {4}, {3}),
              HasSubstr("block 5 should be listed"));
  // Block 3 is the last one that the rule would take.
  row = {0.4, 0.3, 0.2, 0.1};
  EXPECT_EQ(check(row, topP(0.5), {4}), "");
  EXPECT_THAT(check(row, topP(0.5), {4}, {3, 5}),
              HasSubstr("query block 3: 1 candidates are listed, not 0"));
  // Tied with the hidden ones it may be taken or left, but not by a rule that
  // takes none, or all.
  row = {0.25, 0.25, 0.25, 0.25};
  EXPECT_EQ(check(row, topK(2), {4}, {3, 5}), "");
  EXPECT_EQ(check(row, topK(2), {4}), "");
  EXPECT_NE(check(row, topK(0), {4}, {3, 5}), "");
  EXPECT_NE(check(row, topK(4), {4}), "");
}

TEST_F(CheckSelection, ForcesTheBlockOfTokenZeroWhereItIs) {
  // In the first segment the keys of blocks 0 and 1 have changed places.
  Permutation permutation{1, 1, 12, 4, {2, 3, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11}};
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  llvm::copy(row, scores.at(0, 0, 3));
  Selection selection = select(scores, grid, &permutation, 4, topK(1));
  auto check = [&](std::vector<uint16_t> whole) {
    selection.at(0, 0, 3) = {std::move(whole), {5}};
    return checkSelection(selection, {scores, grid, &permutation, 4, topK(1)});
  };
  EXPECT_EQ(check({1, 3, 4}), "");
  EXPECT_THAT(check({0, 3, 4}), HasSubstr("block 1 should be listed"));
  EXPECT_NE(check({0, 1, 3, 4}), "");
}

TEST_F(CheckSelection, LeavesNoChoiceAtTheEnds) {
  std::vector<double> row = {0, 0.5, 0.5, 0};
  EXPECT_EQ(check(row, topP(0), {0, 4}), "");
  EXPECT_NE(check(row, topP(0), {0, 1, 4}), "");
  EXPECT_EQ(check(row, topP(1), {0, 1, 2, 3, 4}), "");
  EXPECT_NE(check(row, topP(1), {0, 1, 2, 4}), "");
}

TEST_F(CheckSelection, CountsTheBest) {
  std::vector<double> row = {0.1, 0.2, 0.3, 0.4};
  EXPECT_EQ(check(row, topK(2), {0, 2, 3, 4}), "");
  EXPECT_NE(check(row, topK(2), {0, 1, 2, 3, 4}), "");
  EXPECT_THAT(check(row, topK(2), {0, 1, 3, 4}),
              HasSubstr("block 2 with score"));
  EXPECT_EQ(check(row, all(), {0, 1, 2, 3, 4}), "");
  EXPECT_NE(check(row, all(), {0, 2, 3, 4}), "");
}

TEST(CheckLists, WantsTheSameListsInTheSameParts) {
  Selection reference{1, 2, 2, 6, std::vector<BlockLists>(4)};
  reference.at(0, 1, 1) = {{0, 2}, {4, 5}};
  auto check = [&](BlockLists lists) {
    Selection selection = reference;
    selection.at(0, 1, 1) = std::move(lists);
    return checkLists(selection, reference);
  };
  EXPECT_EQ(check({{0, 2}, {4, 5}}), "");
  EXPECT_EQ(check({{0}, {4, 5}}),
            "batch 0, head 1, query block 1: 1 whole and 2 masked blocks are "
            "listed, not 2 and 2");
  EXPECT_THAT(check({{0, 2}, {5}}), HasSubstr("2 whole and 1 masked"));
  EXPECT_THAT(check({{0, 2, 3}, {4, 5}}), HasSubstr("block 3 is not whole"));
  EXPECT_THAT(check({{0, 2}, {3, 4, 5}}), HasSubstr("block 3 is not masked"));
  EXPECT_THAT(check({{0, 2, 4}, {5}}), HasSubstr("block 4 is not whole"));
  EXPECT_THAT(check({{2, 0}, {4, 5}}),
              HasSubstr("the whole blocks do not ascend"));
  EXPECT_THAT(check({{0, 2}, {4, 4}}),
              HasSubstr("the masked blocks do not ascend"));
  EXPECT_THAT(check({{}, {}}), HasSubstr("0 whole and 0 masked"));
}

} // namespace

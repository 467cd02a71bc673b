// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Random.h"
#include "Rules.h"

#include "pbs/Reference/Check.h"

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

class CheckSelection : public testing::Test {
protected:
  /// Query block 3 of twelve positions (blocks of 2, segments of 4) lists
  /// \p whole; the others, what they should.
  std::string check(std::vector<double> row, const Rule &rule,
                    std::vector<uint16_t> whole,
                    std::vector<uint16_t> masked = {5}) {
    std::copy(row.begin(), row.end(), scores.at(0, 0, 3));
    Selection selection = select(scores, grid, nullptr, 4, rule);
    selection.at(0, 0, 3) = {std::move(whole), std::move(masked)};
    return checkSelection(selection, {scores, grid, nullptr, 4, rule});
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

} // namespace

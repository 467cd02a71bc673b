// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Random.h"

#include "pbs/Reference/Ops.h"

#include <cmath>
#include <limits>

using namespace pbs::reference;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class Attention : public RandomTest {
protected:
  AttentionResult attend(const Grid &grid) const {
    return attention(query, key, value, fullSelection(1, 2, grid, nullptr),
                     grid, nullptr, /*inOrder=*/false, 0.5);
  }

  // Sizes that are no multiple of anything in the implementation.
  Grid grid{7, 11, 3, 2, true};
  Tensor query = normal({1, 2, 7, 5});
  Tensor key = normal({1, 1, 11, 5});
  Tensor value = normal({1, 1, 11, 5});
};

TEST_F(Attention, IsSoftmaxOverTheKeysUpToTheRow) {
  AttentionResult result = attend(grid);
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t row = 0; row < 7; ++row) {
      double sum = 0;
      std::vector<double> expected(5);
      for (int64_t j = 0; j <= row + 4; ++j) {
        double score = 0;
        for (int64_t d = 0; d < 5; ++d)
          score += 0.5 * query.at(0, h, row)[d] * key.at(0, 0, j)[d];
        sum += std::exp(score);
        for (int64_t d = 0; d < 5; ++d)
          expected[d] += std::exp(score) * value.at(0, 0, j)[d];
      }
      EXPECT_NEAR(*result.logSumExp.at(0, h, row), std::log(sum), 1e-12);
      for (int64_t d = 0; d < 5; ++d)
        EXPECT_NEAR(result.output.at(0, h, row)[d], expected[d] / sum, 1e-12);
    }
}

TEST_F(Attention, DoesNotDependOnTheOrderOfTheKeys) {
  Permutation order = identityPermutation(1, 1, 11, 4);
  for (int64_t first : {0, 4})
    std::shuffle(order.row(0, 0) + first, order.row(0, 0) + first + 4,
                 generator);
  Selection selection = fullSelection(1, 2, grid, &order);
  AttentionResult plain = attend(grid);
  AttentionResult gathered =
      attention(query, key, value, selection, grid, &order, false, 0.5);
  AttentionResult inOrder =
      attention(query, permute(key, order), permute(value, order), selection,
                grid, &order, true, 0.5);
  EXPECT_EQ(gathered.output.values, inOrder.output.values);
  for (size_t i = 0; i < plain.output.values.size(); ++i)
    EXPECT_NEAR(gathered.output.values[i], plain.output.values[i], 1e-12);
}

TEST_F(Attention, SurvivesScoresThatOverflowExp) {
  for (double &element : query.values)
    element *= 1e4;
  for (double element : attend(grid).output.values)
    EXPECT_TRUE(std::isfinite(element));
}

TEST_F(Attention, OfNoKeyIsZero) {
  Selection nothing{1, 2, 3, 6, std::vector<BlockLists>(6)};
  AttentionResult result =
      attention(query, key, value, nothing, grid, nullptr, false, 0.5);
  for (double element : result.output.values)
    EXPECT_EQ(element, 0);
  for (double element : result.logSumExp.values)
    EXPECT_EQ(element, -infinity);
}

TEST_F(Attention, ReachesRowsOnlyThroughListedBlocks) {
  // Key 6 is listed from query block 0 (rows at 4 to 6) on, key 8 from 1 on.
  *key.at(0, 0, 8) = NAN;
  *value.at(0, 0, 10) = infinity;
  AttentionResult result = attend(grid);
  for (int64_t row = 0; row < 7; ++row) {
    bool attendsNaN = row + 4 >= 8, listsInfinity = row >= 6;
    EXPECT_EQ(std::isnan(result.output.at(0, 0, row)[1]), attendsNaN) << row;
    EXPECT_EQ(std::isnan(result.output.at(0, 0, row)[0]),
              attendsNaN || listsInfinity)
        << row;
    EXPECT_EQ(std::isnan(*result.logSumExp.at(0, 0, row)), attendsNaN) << row;
  }
}

} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Random.h"

#include "pbs/Reference/Ops.h"

#include "gmock/gmock.h"

#include <cmath>

using namespace pbs::reference;
using testing::ElementsAre;

namespace {

class Permutations : public RandomTest {};

TEST_F(Permutations, ImportanceOfEachQuerySumsToOne) {
  Tensor result = importance(normal({2, 4, 9, 8}), normal({2, 2, 11, 8}),
                             /*heads=*/2, /*queryBlock=*/4, /*segment=*/4, 0.5);
  EXPECT_THAT(result.shape, ElementsAre(2, 2, 11));
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t h = 0; h < 2; ++h) {
      double sum = 0;
      for (int64_t key = 0; key < 8; ++key)
        sum += *result.at(b, h, key);
      EXPECT_NEAR(sum, 1, 1e-12);
      for (int64_t key = 8; key < 11; ++key)
        EXPECT_EQ(*result.at(b, h, key), 0) << "beyond the complete segments";
    }
}

TEST_F(Permutations, SortsEachSegmentAndLeavesTheTail) {
  Tensor weights({1, 1, 10});
  weights.values = {0, 3, 3, NAN, 5, -1, 7, 6, 1, 2};
  Permutation result = segmentSort(weights, 4);
  EXPECT_THAT(result.places, ElementsAre(1, 2, 0, 3, 6, 7, 4, 5, 8, 9));
}

TEST_F(Permutations, LeavesASingleSegment) {
  Tensor weights({1, 1, 4});
  weights.values = {0, 1, 2, 3};
  EXPECT_THAT(segmentSort(weights, 4).places, ElementsAre(0, 1, 2, 3));
}

TEST_F(Permutations, PermuteRepeatsHeads) {
  Tensor source({1, 1, 3, 1});
  source.values = {10, 20, 30};
  Permutation order{1, 2, 3, 2, {1, 0, 2, 0, 1, 2}};
  EXPECT_THAT(permute(source, order).values,
              ElementsAre(20, 10, 30, 10, 20, 30));
}

TEST_F(Permutations, FindFaultNamesThePlace) {
  EXPECT_EQ(findFault(Permutation{1, 1, 5, 2, {1, 0, 2, 3, 4}}), "");
  EXPECT_THAT(findFault(Permutation{1, 1, 5, 2, {0, 2, 1, 3, 4}}),
              testing::HasSubstr("place 1 holds 2"));
  EXPECT_THAT(findFault(Permutation{1, 1, 5, 2, {0, 0, 2, 3, 4}}),
              testing::HasSubstr("place 1 holds 0"));
  EXPECT_THAT(findFault(Permutation{1, 1, 5, 2, {0, -1, 2, 3, 4}}),
              testing::HasSubstr("place 1 holds -1"));
  EXPECT_THAT(findFault(Permutation{1, 1, 5, 2, {0, 1, 2, 3, 5}}),
              testing::HasSubstr("place 4 holds 5"));
}

TEST_F(Permutations, PoolingDividesByTheFullBlock) {
  Tensor source({1, 1, 3, 1});
  source.values = {1, 3, -5};
  EXPECT_THAT(pool(source, Pooling::Mean, 2).values, ElementsAre(2, -2.5));
  EXPECT_THAT(pool(source, Pooling::Max, 2).values, ElementsAre(3, -5));
}

} // namespace

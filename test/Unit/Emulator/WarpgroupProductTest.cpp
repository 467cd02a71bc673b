// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A whole kernel with wgmma, Inputs/wgmma-product.ptx, as a compiler would
// write it for a GPU.

#include "WholeKernelTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

using WarpgroupProductTest = WholeKernelTest;

} // namespace

TEST_F(WarpgroupProductTest, multipliesTilesWithTwoWarpgroups) {
  forEachTiming(0, [&] {
    ASSERT_EQ(multiplyTiles(inputFile("wgmma-product.ptx")), "right");
    EXPECT_EQ(device->launchStatistics().matrixFlops, 2u * 2 * 128 * 128 * 64);
  });
}

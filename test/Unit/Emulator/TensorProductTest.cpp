// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A whole kernel with tensor copies, mbarriers and wgmma,
// Inputs/tma_wgmma_product.ptx, as one would write it for a GPU.

#include "WholeKernelTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class TensorProductTest : public WholeKernelTest {
protected:
  static std::string product() { return inputFile("tma_wgmma_product.ptx"); }
};

} // namespace

TEST_F(TensorProductTest, assembles) { expectAssemblesWell(product()); }

TEST_F(TensorProductTest, anyShapeAtAnyTiming) {
  std::string text = product();
  forEachTiming(12, [&] {
    // Whole tiles with less than a ring, ragged ones, and more than two rings;
    // then whatever comes.
    std::vector<std::array<uint32_t, 3>> shapes = {
        {128, 128, 64}, {200, 136, 200}, {256, 256, 448}};
    for (unsigned index = 0; index < 2; ++index)
      shapes.push_back({uint32_t(random() % 300) + 1,
                        uint32_t(random() % 300) + 1,
                        uint32_t(random() % 600) + 1});
    for (auto [m, n, k] : shapes) {
      ASSERT_EQ(multiply(text, m, n, k), "right")
          << m << " by " << n << " by " << k;
      // Every tile of A is read once per column of tiles, of B once per row;
      // what is outside is multiplied but neither read nor written.
      const auto &statistics = device->launchStatistics();
      uint64_t columns = (n + 127) / 128, rows = (m + 127) / 128;
      EXPECT_EQ(statistics.asyncCopyBytes, 2 * k * (m * columns + n * rows));
      EXPECT_EQ(statistics.globalStoreBytes, uint64_t(2) * m * n);
      EXPECT_EQ(statistics.matrixFlops,
                2 * columns * rows * 128 * 128 * ((k + 63) / 64 * 64));
    }
  });
}

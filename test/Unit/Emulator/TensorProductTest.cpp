// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A whole kernel with tensor copies, mbarriers and wgmma,
// Inputs/tma_wgmma_product.ptx, as one would write it for a GPU.

#include "AsyncWorkTest.h"
#include "WarpgroupTest.h"

#include <sstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class TensorProductTest : public AsyncWorkTest {
protected:
  static std::string product() {
    std::ifstream file(PBS_INPUTS "/tma_wgmma_product.ptx");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  /// Rows in bf16, with words between them that belong to nobody.
  struct Rows {
    uint32_t count = 0, length = 0, pitch = 0;
    std::vector<uint16_t> words;
    DeviceAddress address = 0;

    TensorMapDescription describe(uint32_t boxRows) const {
      TensorMapDescription map;
      map.elementBytes = 2;
      map.format = TensorMapDescription::Format::BFloat;
      map.base = address;
      map.shape = {length, count};
      map.strides = {uint64_t(pitch) * 2};
      map.box = {64, boxRows};
      map.swizzleBytes = 128;
      return map;
    }
  };

  /// Random bits in all words; \p values, if any, in the rows.
  Rows makeRows(uint32_t count, uint32_t length,
                const std::vector<float> &values = {}) {
    Rows rows;
    rows.count = count;
    rows.length = length;
    rows.pitch = (length + 7) / 8 * 8 + 8 * uint32_t(random() % 3);
    rows.words.resize(size_t(count) * rows.pitch);
    for (uint16_t &word : rows.words)
      word = uint16_t(random());
    for (size_t index = 0; index < values.size(); ++index)
      rows.words[index / length * rows.pitch + index % length] =
          toBFloatBits(values[index]);
    rows.address = upload(rows.words);
    return rows;
  }

  /// Small enough that every sum is exact in f32, in any order.
  std::vector<float> randomIntegers(size_t count) {
    std::vector<float> values(count);
    for (float &value : values)
      value = float(int(random() % 33) - 16);
    return values;
  }

  /// C is M by N: the message of a launch, or what is wrong with its result.
  std::string multiply(const std::string &text, uint32_t m, uint32_t n,
                       uint32_t k) {
    auto left = randomIntegers(size_t(m) * k);
    auto right = randomIntegers(size_t(n) * k);
    Rows a = makeRows(m, k, left);
    Rows b = makeRows(n, k, right);
    Rows c = makeRows(m, n);
    Parameters parameters;
    parameters.add(device->encodeTensorMap(a.describe(128)))
        .add(device->encodeTensorMap(b.describe(128)))
        .add(device->encodeTensorMap(c.describe(64)))
        .add(k);
    LaunchConfiguration configuration;
    configuration.block = {384, 1, 1};
    configuration.grid = {(n + 127) / 128, (m + 127) / 128, 1};
    configuration.dynamicSharedBytes = 131120;
    std::string message = errorOf([&] {
      auto module = device->loadModule(text, "product.ptx");
      device->launch(*module, "product", configuration, parameters.bytes);
    });
    if (message != "no error")
      return message;
    // What is between the rows stays.
    std::vector<uint16_t> expected = c.words;
    for (uint32_t row = 0; row < m; ++row)
      for (uint32_t column = 0; column < n; ++column) {
        float sum = 0;
        for (uint32_t index = 0; index < k; ++index)
          sum +=
              left[size_t(row) * k + index] * right[size_t(column) * k + index];
        expected[size_t(row) * c.pitch + column] = toBFloatBits(sum);
      }
    if (download<uint16_t>(c.address, expected.size()) != expected)
      return "wrong";
    // Every tile of A is read once per column of tiles, of B once per row; what
    // is outside is multiplied but neither read nor written.
    const auto &statistics = device->launchStatistics();
    auto [columns, rows, one] = configuration.grid;
    EXPECT_EQ(statistics.asyncCopyBytes,
              2 * k * (uint64_t(m) * columns + uint64_t(n) * rows));
    EXPECT_EQ(statistics.globalStoreBytes, uint64_t(2) * m * n);
    EXPECT_EQ(statistics.matrixFlops,
              uint64_t(2) * columns * rows * 128 * 128 * ((k + 63) / 64 * 64));
    return "right";
  }
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
    for (auto [m, n, k] : shapes)
      ASSERT_EQ(multiply(text, m, n, k), "right")
          << m << " by " << n << " by " << k;
  });
}

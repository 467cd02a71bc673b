// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs that every introduction to CUDA has.

#include "CudaTest.h"
#include "WarpgroupTest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class CudaProgramsTest : public CudaTest {
protected:
  /// A kernel that adds vectors, as nvcc names it. What is behind the last sum
  /// stays as it is.
  template <typename T> void addsVectors(const std::string &kernel) {
    for (size_t count : sizes()) {
      auto a = randomValues<T>(count);
      auto b = randomValues<T>(count);
      auto expected = randomValues<T>(count + 3);
      DeviceAddress sums = upload(expected);
      for (size_t index = 0; index < count; ++index)
        if constexpr (std::is_floating_point_v<T>)
          expected[index] = a[index] + b[index];
        else
          expected[index] = T(uint64_t(a[index]) + uint64_t(b[index]));
      uint32_t block = anyBlock();
      launch(
          "vector_sum", kernel, {blocks(count, 2 * block), 1, 1}, {block, 1, 1},
          Parameters().add(upload(a)).add(upload(b)).add(sums).add(int(count)));
      ASSERT_EQ(download<T>(sums, expected.size()), expected)
          << count << ", " << seedText;
    }
  }
};

} // namespace

INSTANTIATE_TEST_SUITE_P(, CudaProgramsTest, modes(), modeName);

TEST_P(CudaProgramsTest, vectorSumOfFloats) {
  addsVectors<float>("_Z9vectorSumIfEvPKT_S2_PS0_i");
}

TEST_P(CudaProgramsTest, vectorSumOfDoubles) {
  addsVectors<double>("_Z9vectorSumIdEvPKT_S2_PS0_i");
}

TEST_P(CudaProgramsTest, vectorSumOfLongIntegers) {
  addsVectors<int64_t>("_Z9vectorSumIxEvPKT_S2_PS0_i");
}

TEST_P(CudaProgramsTest, vectorSumOfBytes) {
  addsVectors<int8_t>("_Z9vectorSumIaEvPKT_S2_PS0_i");
}

TEST_P(CudaProgramsTest, vectorSumOfFourFloatsEach) {
  addsVectors<float>("vectorSum4");
}

TEST_P(CudaProgramsTest, reductionInTwoStages) {
  for (size_t count : sizes()) {
    auto values = randomValues<int64_t>(count);
    uint32_t block = anyBlock();
    uint32_t grid = uint32_t(random() % 40) + 1;
    DeviceAddress ofBlock = upload(randomValues<int64_t>(grid));
    DeviceAddress sum = upload(randomValues<int64_t>(1));
    launch("reduction", "sumPerBlock", {grid, 1, 1}, {block, 1, 1},
           Parameters().add(upload(values)).add(ofBlock).add(int(count)));
    launch("reduction", "sumPerBlock", {1, 1, 1}, {64, 1, 1},
           Parameters().add(ofBlock).add(sum).add(int(grid)));
    uint64_t expected = 0;
    for (int64_t value : values)
      expected += uint64_t(value);
    ASSERT_EQ(download<uint64_t>(sum, 1)[0], expected)
        << count << ", " << seedText;
  }
}

TEST_P(CudaProgramsTest, reductionInTheLastBlock) {
  DeviceAddress done = upload(std::vector<uint32_t>{0});
  for (size_t count : sizes()) {
    auto values = randomValues<float>(count);
    uint32_t grid = uint32_t(random() % 100) + 1;
    DeviceAddress maximum = upload(randomValues<float>(1));
    launch("reduction", "maximumInLastBlock", {grid, 1, 1}, {anyBlock(), 1, 1},
           Parameters()
               .add(upload(values))
               .add(upload(randomValues<float>(grid)))
               .add(maximum)
               .add(done)
               .add(int(count)));
    ASSERT_EQ(download<float>(maximum, 1)[0],
              *std::max_element(values.begin(), values.end()))
        << count << ", " << seedText;
    ASSERT_EQ(download<uint32_t>(done, 1)[0], 0u);
  }
}

TEST_P(CudaProgramsTest, tiledProduct) {
  std::vector<std::array<size_t, 3>> shapes = {
      {1, 1, 1}, {32, 48, 16}, {17, 33, 70}};
  shapes.push_back({uint32_t(random() % 60) + 1, uint32_t(random() % 60) + 1,
                    uint32_t(random() % 60) + 1});
  for (auto [m, n, k] : shapes) {
    auto a = randomFloats(m * k, -2, 2);
    auto b = randomFloats(k * n, -2, 2);
    DeviceAddress c = upload(randomValues<float>(m * n));
    launch("tiled_product", "tiledProduct", {blocks(n, 16), blocks(m, 16), 1},
           {16, 16, 1},
           Parameters()
               .add(upload(a))
               .add(upload(b))
               .add(c)
               .add(int(m))
               .add(int(n))
               .add(int(k)));
    auto results = download<float>(c, m * n);
    for (size_t row = 0; row < m; ++row)
      for (size_t column = 0; column < n; ++column) {
        double sum = 0, size = 0;
        for (size_t index = 0; index < k; ++index) {
          double product = double(a[row * k + index]) * b[index * n + column];
          sum += product;
          size += std::fabs(product);
        }
        ASSERT_LE(std::fabs(results[row * n + column] - sum),
                  std::ldexp(k * size, -23))
            << m << " by " << n << " by " << k << ", " << seedText;
      }
  }
}

TEST_P(CudaProgramsTest, mmaProduct) {
  std::vector<std::array<size_t, 3>> shapes = {
      {64, 64, 32}, {1, 1, 1}, {130, 70, 100}};
  shapes.push_back({uint32_t(random() % 150) + 1, uint32_t(random() % 150) + 1,
                    uint32_t(random() % 200) + 1});
  for (auto [m, n, k] : shapes) {
    // Multiples of 8 elements; what is behind k of them belongs to nobody.
    size_t pitchOfA = (k + 7) / 8 * 8 + 8 * uint32_t(random() % 2);
    size_t pitchOfB = (k + 7) / 8 * 8 + 8 * uint32_t(random() % 2);
    auto words = [&](size_t count) {
      std::vector<uint16_t> result(count);
      auto values = randomFloats(count, -2, 2);
      std::transform(values.begin(), values.end(), result.begin(),
                     toBFloatBits);
      return result;
    };
    auto a = words(m * pitchOfA);
    auto b = words(n * pitchOfB);
    DeviceAddress c = upload(randomValues<float>(m * n));
    launch("mma_product", "mmaProduct", {blocks(n, 64), blocks(m, 64), 1},
           {128, 1, 1},
           Parameters()
               .add(upload(a))
               .add(upload(b))
               .add(c)
               .add(int(m))
               .add(int(n))
               .add(int(k))
               .add(int(pitchOfA))
               .add(int(pitchOfB)));
    auto results = download<float>(c, m * n);
    for (size_t row = 0; row < m; ++row)
      for (size_t column = 0; column < n; ++column) {
        double sum = 0, size = 0;
        for (size_t index = 0; index < k; ++index) {
          double product = double(fromBFloatBits(a[row * pitchOfA + index])) *
                           fromBFloatBits(b[column * pitchOfB + index]);
          sum += product;
          size += std::fabs(product);
        }
        ASSERT_LE(std::fabs(results[row * n + column] - sum),
                  std::ldexp(k * size, -23))
            << m << " by " << n << " by " << k << ", " << seedText;
      }
  }
}

TEST_P(CudaProgramsTest, scanOfBlocks) {
  for (size_t count : sizes()) {
    auto values = randomValues<uint32_t>(count);
    uint32_t block = anyBlock();
    DeviceAddress sums = upload(randomValues<uint32_t>(count));
    launch("warp_scan", "scanBlocks", {blocks(count, block), 1, 1},
           {block, 1, 1},
           Parameters().add(upload(values)).add(sums).add(int(count)));
    std::vector<uint32_t> expected = values;
    for (size_t index = 0; index < count; ++index)
      if (index % block != 0)
        expected[index] += expected[index - 1];
    ASSERT_EQ(download<uint32_t>(sums, count), expected)
        << count << ", " << seedText;
  }
}

TEST_P(CudaProgramsTest, scanInOnePass) {
  for (size_t count : sizes()) {
    auto values = randomValues<uint32_t>(count);
    uint32_t block = anyBlock();
    uint32_t grid = blocks(count, block);
    DeviceAddress sums = upload(randomValues<uint32_t>(count));
    launch("warp_scan", "scanInOnePass", {grid, 1, 1}, {block, 1, 1},
           Parameters()
               .add(upload(values))
               .add(sums)
               .add(upload(std::vector<uint32_t>(1)))
               .add(upload(std::vector<uint64_t>(grid)))
               .add(int(count)));
    std::vector<uint32_t> expected(count);
    std::partial_sum(values.begin(), values.end(), expected.begin());
    ASSERT_EQ(download<uint32_t>(sums, count), expected)
        << count << ", " << seedText;
  }
}

TEST_P(CudaProgramsTest, histogram) {
  for (size_t count : sizes())
    for (const char *kernel : {"histogram", "histogramByMatches"}) {
      auto values = randomValues<uint8_t>(count);
      // Some values much more often than others.
      for (uint8_t &value : values)
        value &= uint8_t(random());
      auto expected = randomValues<uint32_t>(256);
      DeviceAddress counts = upload(expected);
      for (uint8_t value : values)
        ++expected[value];
      uint32_t block = anyBlock();
      launch("histogram", kernel, {blocks(count, block), 1, 1}, {block, 1, 1},
             Parameters().add(upload(values)).add(counts).add(int(count)));
      ASSERT_EQ(download<uint32_t>(counts, 256), expected)
          << count << ", " << seedText;
    }
}

TEST_P(CudaProgramsTest, extremes) {
  struct Extremes {
    int32_t minimum = INT32_MAX;
    uint32_t maximum = 0;
    uint32_t bits = 0;
    uint32_t parity = 0;
    uint64_t sum = 0;
    float floatSum = 0;
    float longest = 0;
    auto fields() const {
      return std::tie(minimum, maximum, bits, parity, sum, floatSum, longest);
    }
  };
  for (size_t count : sizes()) {
    auto values = randomValues<int32_t>(count);
    Extremes expected;
    DeviceAddress result = upload(std::vector<Extremes>{expected});
    for (int32_t value : values) {
      expected.minimum = std::min(expected.minimum, value);
      expected.maximum = std::max(expected.maximum, uint32_t(value));
      expected.bits |= uint32_t(value);
      expected.parity ^= uint32_t(value);
      expected.sum += uint64_t(int64_t(value));
      expected.floatSum += float(value & 1);
      expected.longest = std::max(expected.longest, std::fabs(float(value)));
    }
    uint32_t block = anyBlock();
    launch("histogram", "extremes", {blocks(count, block), 1, 1}, {block, 1, 1},
           Parameters().add(upload(values)).add(result).add(int(count)));
    ASSERT_EQ(download<Extremes>(result, 1)[0].fields(), expected.fields())
        << count << ", " << seedText;
  }
}

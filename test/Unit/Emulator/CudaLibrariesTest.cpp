// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs with what comes with CUDA C++: cooperative groups, types of 16 bits,
// mathematical functions, barriers and copies.

#include "CudaTest.h"
#include "WarpgroupTest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

/// \p value rounded to nearest even, of \p digits binary digits and from
/// 2^\p lowest on: the bits of an f16 (11, -14) or bf16.
uint16_t rounded(double value, bool isBFloat) {
  if (value == 0)
    return std::signbit(value) ? 0x8000 : 0;
  int exponent = std::max(std::ilogb(value), isBFloat ? -126 : -14);
  double unit = std::ldexp(1.0, exponent - (isBFloat ? 7 : 10));
  auto result = float(std::nearbyint(value / unit) * unit);
  return isBFloat ? toBFloatBits(result) : toHalfBits(result);
}

/// How many units in the last place of \p T \p value is from \p expected.
template <typename T> double ulps(T value, long double expected) {
  if (std::isnan(expected))
    return std::isnan(value) ? 0 : HUGE_VAL;
  int exponent =
      std::max(std::ilogb(expected), std::numeric_limits<T>::min_exponent - 1);
  auto unit = std::ldexp(1.0L, exponent - (std::numeric_limits<T>::digits - 1));
  return double(std::fabs((long double)(value)-expected) / unit);
}

class CudaLibrariesTest : public CudaTest {
protected:
  /// Values of 16 bits, whose products and sums are exact in a double.
  std::vector<uint16_t> randomHalves(size_t count, bool isBFloat) {
    std::vector<uint16_t> values(count);
    for (uint16_t &value : values) {
      double number =
          std::ldexp(double(128 + random() % 128), int(random() % 12) - 13);
      if (random() % 2)
        number = -number;
      value = isBFloat ? toBFloatBits(float(number))
                       : toHalfBits(float(number)) | uint16_t(random() % 8);
    }
    return values;
  }
};

} // namespace

INSTANTIATE_TEST_SUITE_P(, CudaLibrariesTest, modes(), modeName);

TEST_P(CudaLibrariesTest, clusterHistogram) {
  for (uint32_t cluster : {1u, 2u, 4u, 8u}) {
    size_t count = uint32_t(random() % 4000) + 1;
    uint32_t bins = cluster * (uint32_t(random() % 50) + 1);
    auto values = randomValues<uint32_t>(count);
    auto expected = randomValues<uint32_t>(bins);
    DeviceAddress counts = upload(expected);
    for (uint32_t value : values)
      ++expected[value % bins];
    launch("cluster_histogram", "clusterHistogram", {2 * cluster, 1, 1},
           {anyBlock(), 1, 1},
           Parameters()
               .add(upload(values))
               .add(counts)
               .add(int(count))
               .add(int(bins)),
           4 * bins / cluster, cluster);
    ASSERT_EQ(download<uint32_t>(counts, bins), expected)
        << cluster << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, tilesOfACooperativeGroup) {
  for (size_t count : sizes()) {
    auto values = randomValues<int32_t>(count);
    uint32_t block = anyBlock();
    std::vector<uint32_t> expected((count + 7) / 8);
    for (size_t index = 0; index < count; ++index)
      expected[index / 8] += uint32_t(values[index]);
    DeviceAddress sums = upload(randomValues<uint32_t>(expected.size()));
    launch("cooperative_groups", "sumOfEights", {blocks(count, block), 1, 1},
           {block, 1, 1},
           Parameters().add(upload(values)).add(sums).add(int(count)));
    ASSERT_EQ(download<uint32_t>(sums, expected.size()), expected)
        << count << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, coalescedGroups) {
  for (size_t count : sizes()) {
    auto values = randomValues<int32_t>(count);
    DeviceAddress kept = upload(randomValues<int32_t>(count));
    DeviceAddress numberKept = upload(std::vector<int32_t>{0});
    uint32_t block = anyBlock();
    launch("cooperative_groups", "keepPositive", {blocks(count, block), 1, 1},
           {block, 1, 1},
           Parameters()
               .add(upload(values))
               .add(kept)
               .add(numberKept)
               .add(int(count)));
    std::multiset<int32_t> expected;
    for (int32_t value : values)
      if (value > 0)
        expected.insert(value);
    ASSERT_EQ(size_t(download<int32_t>(numberKept, 1)[0]), expected.size());
    auto results = download<int32_t>(kept, expected.size());
    ASSERT_EQ(std::multiset<int32_t>(results.begin(), results.end()), expected)
        << count << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, scanByCooperativeGroups) {
  for (size_t count : sizes()) {
    // Integers, whose sums are exact in any order.
    std::vector<float> values(count), expected(count);
    for (float &value : values)
      value = float(int(random() % 2001) - 1000);
    uint32_t block = anyBlock();
    for (size_t index = 0; index < count; ++index)
      if (index % block != 0)
        expected[index] = expected[index - 1] + values[index - 1];
    DeviceAddress sums = upload(randomValues<float>(count));
    launch("cooperative_groups", "scanWithGroups", {blocks(count, block), 1, 1},
           {block, 1, 1},
           Parameters().add(upload(values)).add(sums).add(int(count)),
           4 * (block / 32));
    ASSERT_EQ(download<float>(sums, count), expected)
        << count << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, halfArithmetic) {
  for (size_t count : sizes()) {
    auto a = randomHalves(2 * count, false);
    auto b = randomHalves(2 * count, false);
    auto c = randomHalves(2 * count, false);
    DeviceAddress out = upload(randomValues<uint16_t>(16 * count));
    launch(
        "half_arithmetic", "halfArithmetic", {blocks(count, 64), 1, 1},
        {64, 1, 1},
        Parameters().add(upload(a)).add(upload(b)).add(upload(c)).add(out).add(
            int(count)));
    auto results = download<uint16_t>(out, 16 * count);
    auto value = [](uint16_t bits) { return double(fromHalfBits(bits)); };
    auto round = [](double number) { return rounded(number, false); };
    for (size_t index = 0; index < count; ++index) {
      std::vector<uint16_t> expected;
      size_t low = 2 * index;
      auto add = [&](auto function) {
        for (size_t half : {low, low + 1})
          expected.push_back(
              round(function(value(a[half]), value(b[half]), value(c[half]))));
      };
      add([](double x, double y, double) { return x + y; });
      add([](double x, double y, double) { return x - y; });
      add([](double x, double y, double) { return x * y; });
      add([](double x, double y, double z) { return x * y + z; });
      add([](double x, double y, double) {
        return std::max(-x, std::fabs(y));
      });
      add([](double x, double y, double) { return double(x < y); });
      expected.push_back(a[low + 1]);
      expected.push_back(a[low]);
      expected.push_back(round(value(a[low]) + value(b[low + 1])));
      double other = value(c[low + 1]);
      expected.push_back(value(c[low]) < other ? c[low]
                                               : round(double(int(other))));
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(),
                             results.begin() + 16 * index))
          << testing::PrintToString(expected) << ", " << seedText;
    }
  }
}

TEST_P(CudaLibrariesTest, reluOfProductOfBFloats) {
  for (size_t count : sizes()) {
    auto x = randomHalves(2 * count, true);
    auto expected = randomHalves(2 * count, true);
    uint16_t factor = randomHalves(1, true)[0];
    DeviceAddress y = upload(expected);
    launch("half_arithmetic", "reluOfProduct", {blocks(count, 64), 1, 1},
           {64, 1, 1},
           Parameters().add(upload(x)).add(y).add(factor).add(int(count)));
    for (size_t index = 0; index < 2 * count; ++index) {
      double value = double(fromBFloatBits(factor)) * fromBFloatBits(x[index]) +
                     fromBFloatBits(expected[index]);
      expected[index] = rounded(std::max(value, 0.0), true);
    }
    ASSERT_EQ(download<uint16_t>(y, 2 * count), expected)
        << count << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, functionsOfFloats) {
  // In units in the last place: the library's own bounds and one for the
  // approximations below it, which differ from a GPU's; 0 is exact.
  static constexpr double bounds[] = {3, 3, 3, 2, 5, 3, 3, 3, 0, 0, 0, 0};
  size_t count = 2000;
  auto x = randomFloats(count, -100, 100);
  // Far away, where the argument is reduced by a table.
  for (size_t index = 0; index < count; index += 5)
    x[index] = std::ldexp(x[index], int(random() % 100));
  auto y = randomFloats(count, -8, 8);
  DeviceAddress out = upload(randomValues<float>(12 * count));
  launch("math_functions", "singleFunctions", {blocks(count, 96), 1, 1},
         {96, 1, 1},
         Parameters().add(upload(x)).add(upload(y)).add(out).add(int(count)));
  auto results = download<float>(out, 12 * count);
  for (size_t index = 0; index < count; ++index) {
    double a = x[index], b = y[index];
    const double expected[] = {std::sin(a),
                               std::cos(a),
                               std::exp(b),
                               std::log(std::fabs(a)),
                               std::pow(std::fabs(a), b / 16),
                               std::tanh(b),
                               std::erf(b),
                               1 / std::sqrt(std::fabs(a)),
                               x[index] / y[index],
                               std::sqrt(std::fabs(x[index])),
                               std::fmod(a, b),
                               std::rint(x[index]) + std::floor(y[index]) +
                                   std::trunc(y[index])};
    for (size_t function = 0; function < 12; ++function)
      ASSERT_LE(ulps(results[12 * index + function], expected[function]),
                bounds[function])
          << "function " << function << " of " << a << ", " << b << " is "
          << results[12 * index + function] << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, functionsOfDoubles) {
  static constexpr double bounds[] = {3, 2, 2, 0, 0, 3};
  size_t count = 1000;
  std::uniform_real_distribution<double> distribution(-100, 100);
  std::vector<double> x(count), y(count);
  for (size_t index = 0; index < count; ++index) {
    x[index] = distribution(random);
    y[index] = distribution(random);
    if (index % 5 == 0)
      x[index] = std::ldexp(x[index], int(random() % 900));
  }
  DeviceAddress out = upload(randomValues<double>(6 * count));
  launch("math_functions", "doubleFunctions", {blocks(count, 96), 1, 1},
         {96, 1, 1},
         Parameters().add(upload(x)).add(upload(y)).add(out).add(int(count)));
  auto results = download<double>(out, 6 * count);
  for (size_t index = 0; index < count; ++index) {
    long double a = x[index], b = y[index];
    const long double expected[] = {std::sin(a),
                                    std::exp(b),
                                    std::log(std::fabs(a)),
                                    x[index] / y[index],
                                    std::sqrt(std::fabs(x[index])),
                                    std::atan2(a, b)};
    for (size_t function = 0; function < 6; ++function)
      ASSERT_LE(ulps(results[6 * index + function], expected[function]),
                bounds[function])
          << "function " << function << " of " << x[index] << ", " << y[index]
          << " is " << results[6 * index + function] << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, softmax) {
  for (size_t columns : {size_t(1), size_t(100), size_t(1000)}) {
    size_t rows = 3;
    auto values = randomFloats(rows * columns, -8, 8);
    DeviceAddress out = upload(randomValues<float>(rows * columns));
    launch("math_functions", "softmax", {uint32_t(rows), 1, 1},
           {anyBlock(), 1, 1},
           Parameters().add(upload(values)).add(out).add(int(columns)));
    auto results = download<float>(out, rows * columns);
    for (size_t row = 0; row < rows; ++row) {
      const float *first = values.data() + row * columns;
      float maximum = *std::max_element(first, first + columns);
      double sum = 0;
      for (size_t column = 0; column < columns; ++column)
        sum += std::exp(double(first[column]) - maximum);
      // An exponential is off by 2 + 1.173 * 16 units and by what rounding its
      // argument adds, 8; so is the sum, and there are few roundings besides.
      for (size_t column = 0; column < columns; ++column)
        ASSERT_NEAR(results[row * columns + column] * sum /
                        std::exp(double(first[column]) - maximum),
                    1, std::ldexp(1.0, -16))
            << columns << ", " << seedText;
    }
  }
}

TEST_P(CudaLibrariesTest, bulkCopies) {
  for (size_t tiles :
       {size_t(1), size_t(2), size_t(9), size_t(random() % 30) + 1}) {
    // One more tile, which is not to be touched.
    auto expected = randomValues<uint32_t>(512 * (tiles + 1));
    DeviceAddress values = upload(expected);
    for (size_t index = 0; index < 512 * tiles; ++index)
      ++expected[index];
    launch("bulk_copy", "addOne", {uint32_t(random() % 4) + 1, 1, 1},
           {anyBlock(), 1, 1}, Parameters().add(values).add(int(tiles)));
    ASSERT_EQ(download<uint32_t>(values, expected.size()), expected)
        << tiles << ", " << seedText;
  }
}

TEST_P(CudaLibrariesTest, tensorCopies) {
  for (unsigned round = 0; round < 3; ++round) {
    size_t rows = size_t(random() % 100) + 1;
    size_t columns = size_t(random() % 100) + 1;
    // Rows begin at multiples of 16 bytes.
    size_t pitch = (columns + 3) / 4 * 4;
    size_t pitchOfResult = (rows + 3) / 4 * 4;
    auto values = randomValues<uint32_t>(rows * pitch);
    auto expected = randomValues<uint32_t>(columns * pitchOfResult);
    TensorMapDescription from;
    from.elementBytes = 4;
    from.base = upload(values);
    from.shape = {columns, rows};
    from.strides = {4 * pitch};
    from.box = {32, 32};
    TensorMapDescription to = from;
    to.base = upload(expected);
    to.shape = {rows, columns};
    to.strides = {4 * pitchOfResult};
    launch("bulk_copy", "transpose", {blocks(columns, 32), blocks(rows, 32), 1},
           {anyBlock(), 1, 1},
           Parameters()
               .add(device->encodeTensorMap(from))
               .add(device->encodeTensorMap(to)));
    // Stores write whole pieces of 16 bytes, here with zeros from beyond the
    // matrix.
    for (size_t row = 0; row < pitchOfResult; ++row)
      for (size_t column = 0; column < columns; ++column)
        expected[column * pitchOfResult + row] =
            row < rows ? values[row * pitch + column] : 0;
    ASSERT_EQ(download<uint32_t>(to.base, expected.size()), expected)
        << rows << " by " << columns << ", " << seedText;
  }
}

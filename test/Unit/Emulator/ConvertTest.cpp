// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

#include <cmath>

using namespace pbs::runtime::test;

namespace {

using ConvertTest = EmulatorTest;

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

} // namespace

TEST_F(ConvertTest, integersExtendAndTruncate) {
  auto a = randomBits<uint32_t>(threads);
  auto w = randomBits<uint64_t>(threads);
  expectExact<uint64_t>(
      "cvt.u64.u32 %d, %a;", [](uint32_t x) { return uint64_t(x); }, a);
  expectExact<int64_t>(
      "cvt.s64.s32 %d, %a;", [](uint32_t x) { return int64_t(int32_t(x)); }, a);
  expectExact<int32_t>(
      "cvt.s32.s8 %d, %a;", [](uint32_t x) { return int32_t(int8_t(x)); }, a);
  expectExact<int64_t>(
      "cvt.s64.s8 %d, %a;", [](uint64_t x) { return int64_t(int8_t(x)); }, w);
  expectExact<uint32_t>(
      "cvt.u32.u64 %d, %a;", [](uint64_t x) { return uint32_t(x); }, w);
  expectExact<uint16_t>(
      "cvt.u8.u32 %d, %a;", [](uint32_t x) { return uint16_t(uint8_t(x)); }, a);
  expectExact<int32_t>(
      "cvt.s16.s32 %d, %a;", [](uint32_t x) { return int32_t(int16_t(x)); }, a);
  expectExact<uint32_t>(
      "cvt.sat.u8.s32 %d, %a;",
      [](uint32_t x) {
        int32_t y = int32_t(x);
        return uint32_t(y < 0 ? 0 : y > 255 ? 255 : y);
      },
      a);
}

TEST_F(ConvertTest, floatsToIntegersClamp) {
  auto a = randomFloats(threads, -3e9f, 3e9f);
  a[0] = NAN, a[1] = INFINITY, a[2] = -INFINITY, a[3] = 2.5f, a[4] = 3.5f;
  a[5] = -0.5f, a[6] = -2.5f;
  auto clamp = [](double x) {
    if (std::isnan(x))
      return int32_t(0);
    return int32_t(std::fmax(std::fmin(x, 2147483647.0), -2147483648.0));
  };
  expectExact<int32_t>(
      "cvt.rzi.s32.f32 %d, %a;", [&](float x) { return clamp(std::trunc(x)); },
      a);
  expectExact<int32_t>(
      "cvt.rni.s32.f32 %d, %a;",
      [&](float x) { return clamp(std::nearbyint(x)); }, a);
  expectExact<int32_t>(
      "cvt.rmi.s32.f32 %d, %a;", [&](float x) { return clamp(std::floor(x)); },
      a);
  expectExact<int32_t>(
      "cvt.rpi.s32.f32 %d, %a;", [&](float x) { return clamp(std::ceil(x)); },
      a);
  expectExact<uint32_t>(
      "cvt.rzi.u32.f32 %d, %a;",
      [](float x) {
        double y = std::isnan(x) ? 0 : std::trunc(double(x));
        return uint32_t(std::fmax(std::fmin(y, 4294967295.0), 0));
      },
      a);
  expectExact<float>(
      "cvt.rni.f32.f32 %d, %a;",
      [](float x) {
        return std::isnan(x) ? fromBits(0x7FFFFFFF) : std::nearbyint(x);
      },
      a);
}

TEST_F(ConvertTest, integersToFloats) {
  auto a = randomBits<int32_t>(threads);
  auto w = randomBits<uint64_t>(threads);
  expectExact<float>(
      "cvt.rn.f32.s32 %d, %a;", [](int32_t x) { return float(x); }, a);
  expectExact<float>(
      "cvt.rn.f32.u32 %d, %a;", [](int32_t x) { return float(uint32_t(x)); },
      a);
  expectExact<float>(
      "cvt.rn.f32.u64 %d, %a;", [](uint64_t x) { return float(x); }, w);
  expectExact<float>(
      "cvt.rn.f32.s64 %d, %a;", [](uint64_t x) { return float(int64_t(x)); },
      w);
  expectExact<double>(
      "cvt.rn.f64.u64 %d, %a;", [](uint64_t x) { return double(x); }, w);
  expectExact<float>(
      "cvt.rz.f32.s32 %d, %a;",
      [](int32_t x) {
        float nearest = float(x);
        return std::fabs(double(nearest)) > std::fabs(double(x))
                   ? std::nextafter(nearest, 0.0f)
                   : nearest;
      },
      a);
}

TEST_F(ConvertTest, halvesRoundToNearestEven) {
  // Every half survives the way to float and back.
  std::vector<uint32_t> all(threads);
  for (uint32_t &value : all)
    value = random() & 0xFFFF;
  auto isNan = [](uint32_t x) { return (x & 0x7FFF) > 0x7C00; };
  expectExact<uint32_t>(
      "cvt.u16.u32 %h0, %a;\ncvt.f32.f16 %t0, %h0;\ncvt.rn.f16.f32 %h1, %t0;\n"
      "cvt.u32.u16 %d, %h1;",
      [&](uint32_t x) { return isNan(x) ? 0x7FFFu : x; }, all);
  // Midpoints go to the even neighbour, and anything beyond to the nearer.
  std::vector<float> a(threads);
  std::vector<uint16_t> expected(threads);
  for (size_t index = 0; index < threads; ++index) {
    uint16_t bits = uint16_t(random() % 0x7BFF); // finite, with a neighbour
    auto value = [](uint16_t half) {
      int exponent = half >> 10;
      double mantissa = half & 1023;
      return exponent == 0 ? std::ldexp(mantissa, -24)
                           : std::ldexp(mantissa + 1024, exponent - 25);
    };
    double middle = (value(bits) + value(uint16_t(bits + 1))) / 2;
    a[index] = float(middle);
    expected[index] = uint16_t(bits + (bits & 1));
    if (index % 3 == 1) {
      a[index] = std::nextafter(float(middle), INFINITY);
      expected[index] = uint16_t(bits + 1);
    } else if (index % 3 == 2) {
      a[index] = std::nextafter(float(middle), 0.0f);
      expected[index] = bits;
    }
  }
  auto results = evaluate<uint16_t>("cvt.rn.f16.f32 %d, %a;", a);
  for (size_t index = 0; index < threads; ++index)
    if (takesPart(index)) {
      ASSERT_EQ(results[index], expected[index])
          << a[index] << ", " << seedText;
    }
  auto truncated = evaluate<uint16_t>("cvt.rz.f16.f32 %d, %a;", a);
  for (size_t index = 0; index < threads; ++index)
    if (takesPart(index) && index % 3 == 2) {
      ASSERT_EQ(truncated[index], expected[index]) << seedText;
    }
}

TEST_F(ConvertTest, packsBFloats) {
  auto a = randomBits<float>(threads), b = randomBits<float>(threads);
  auto round = [](float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    if (std::isnan(x))
      return 0x7FFFu;
    uint32_t rest = bits & 0xFFFF, upper = bits >> 16;
    return upper + (rest > 0x8000 || (rest == 0x8000 && (upper & 1)));
  };
  expectExact<uint32_t>(
      "cvt.rn.bf16x2.f32 %d, %a, %b;",
      [&](float x, float y) { return round(x) << 16 | round(y); }, a, b);
  expectExact<uint16_t>(
      "cvt.rn.relu.bf16.f32 %d, %a;",
      [&](float x) {
        return uint16_t(std::isnan(x) ? 0x7FFF : x > 0 ? round(x) : 0);
      },
      a);
  expectExact<float>(
      "cvt.rn.bf16.f32 %h0, %a;\ncvt.f32.bf16 %d, %h0;",
      [&](float x) {
        return std::isnan(x) ? fromBits(0x7FFFFFFF) : fromBits(round(x) << 16);
      },
      a);
}

TEST_F(ConvertTest, packsTowardsZero) {
  auto a = randomFloats(threads, -1000, 1000), b = randomFloats(threads, -1, 1);
  expectExact<uint32_t>(
      "cvt.rz.bf16x2.f32 %d, %a, %b;",
      [&](float x, float y) {
        uint32_t bits[2];
        std::memcpy(&bits[0], &x, 4);
        std::memcpy(&bits[1], &y, 4);
        return (bits[0] & 0xFFFF0000) | bits[1] >> 16;
      },
      a, b);
  auto pairs = evaluate<uint32_t>("cvt.rz.relu.f16x2.f32 %d, %a, %b;", a, b);
  auto halves = evaluate<uint32_t>(
      "cvt.rz.relu.f16.f32 %h0, %b;\ncvt.rz.relu.f16.f32 %h1, %a;\n"
      "mov.b32 %d, {%h0, %h1};",
      a, b);
  EXPECT_EQ(pairs, halves) << seedText;
}

TEST_F(ConvertTest, doublesAndSingles) {
  auto a = randomBits<float>(threads);
  std::vector<double> d(threads);
  for (double &value : d)
    value = std::ldexp(1.0 + double(random() % 1000003) / 1000003,
                       int(random() % 300) - 150) *
            (random() % 2 ? 1 : -1);
  expectExact<float>(
      "cvt.rn.f32.f64 %d, %a;", [](double x) { return float(x); }, d);
  expectExact<double>(
      "cvt.f64.f32 %d, %a;",
      [](float x) {
        double nan;
        uint64_t bits = 0x7FF8000000000000;
        std::memcpy(&nan, &bits, 8);
        return std::isnan(x) ? nan : double(x);
      },
      a);
  expectExact<float>(
      "cvt.rp.f32.f64 %d, %a;",
      [](double x) {
        float nearest = float(x);
        return double(nearest) < x ? std::nextafter(nearest, INFINITY)
                                   : nearest;
      },
      d);
}

TEST_F(ConvertTest, packsAndUnpacksRegisters) {
  auto a = randomBits<uint64_t>(threads);
  expectExact<uint64_t>(
      "mov.b64 {%t0, %t1}, %a;\nmov.b64 %d, {%t1, %t0};",
      [](uint64_t x) { return x >> 32 | x << 32; }, a);
  expectExact<uint64_t>(
      "mov.b64 {%h0, %h1, %h2, %h3}, %a;\nmov.b64 %d, {%h3, %h2, %h1, %h0};",
      [](uint64_t x) {
        return x >> 48 | (x >> 16 & 0xFFFF0000) | (x << 16 & 0xFFFF00000000) |
               x << 48;
      },
      a);
  expectExact<uint32_t>(
      "mov.b64 {_, %d}, %a;", [](uint64_t x) { return uint32_t(x >> 32); }, a);
  auto f = randomFloats(threads, -1, 1);
  expectExact<float>(
      "mov.b32 %t0, 0f40490FDB;\nadd.f32 %d, %a, %t0;",
      [](float x) { return x + 3.14159274f; }, f);
  expectExact<float>(
      "add.f32 %d, %a, 1.5;", [](float x) { return x + 1.5f; }, f);
}

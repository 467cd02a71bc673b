// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TestSupport.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// The value of a 16-bit float with that many exponent and fraction bits, by
/// the definition of IEEE 754.
double decode(uint16_t bits, int exponentBits, int fractionBits) {
  int bias = (1 << (exponentBits - 1)) - 1;
  int exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1);
  double fraction = bits & ((1 << fractionBits) - 1);
  double magnitude = exponent == 0
                         ? std::ldexp(fraction, 1 - bias - fractionBits)
                         : std::ldexp(fraction + (1 << fractionBits),
                                      exponent - bias - fractionBits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// Rounds by search among the non-negative finite values of the format: the
/// nearer neighbour, of two equally near ones the even one. Beyond the largest
/// value the next power of two stands for infinity.
uint16_t roundBySearch(double value, int exponentBits, int fractionBits) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::fabs(value);
  uint32_t infinity = ((1u << exponentBits) - 1) << fractionBits;
  uint32_t low = 0, high = infinity;
  while (high - low > 1) {
    uint32_t middle = (low + high) / 2;
    (decode(middle, exponentBits, fractionBits) <= magnitude ? low : high) =
        middle;
  }
  double below = decode(low, exponentBits, fractionBits);
  double above = decode(high, exponentBits, fractionBits);
  bool up = magnitude - below > above - magnitude ||
            (magnitude - below == above - magnitude && (low & 1));
  return sign | static_cast<uint16_t>(up ? high : low);
}

TEST(FloatConversion, WideningIsExactForEveryValue) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    uint16_t narrow = static_cast<uint16_t>(bits);
    float half = f16ToF32(narrow), brain = bf16ToF32(narrow);
    EXPECT_EQ(std::isnan(half), (bits & 0x7fff) > 0x7c00) << bits;
    EXPECT_EQ(std::isinf(half), (bits & 0x7fff) == 0x7c00) << bits;
    if (std::isfinite(half)) {
      EXPECT_EQ(half, decode(narrow, 5, 10)) << bits;
    }
    EXPECT_EQ(std::isnan(brain), (bits & 0x7fff) > 0x7f80) << bits;
    EXPECT_EQ(std::isinf(brain), (bits & 0x7fff) == 0x7f80) << bits;
    if (std::isfinite(brain)) {
      EXPECT_EQ(brain, decode(narrow, 8, 7)) << bits;
    }
    EXPECT_EQ(std::signbit(half), (bits & 0x8000) != 0);
    EXPECT_EQ(std::signbit(brain), (bits & 0x8000) != 0);
    if (!std::isnan(half)) {
      EXPECT_EQ(f32ToF16(half), narrow);
    }
    if (!std::isnan(brain)) {
      EXPECT_EQ(f32ToBF16(brain), narrow);
    }
  }
}

TEST(FloatConversion, NarrowingRoundsToNearestEven) {
  std::mt19937_64 generator = freshGenerator();
  auto check = [](float value) {
    if (std::isnan(value))
      return;
    ASSERT_EQ(f32ToF16(value), std::isinf(value) ? (value < 0 ? 0xfc00 : 0x7c00)
                                                 : roundBySearch(value, 5, 10))
        << std::hexfloat << value;
    ASSERT_EQ(f32ToBF16(value), std::isinf(value)
                                    ? (value < 0 ? 0xff80 : 0x7f80)
                                    : roundBySearch(value, 8, 7))
        << std::hexfloat << value;
  };
  for (int i = 0; i < 20000; ++i) {
    check(fromBits(static_cast<uint32_t>(generator())));
    // Within the range of halves, subnormal ones too, and their exact ties.
    uint16_t half = static_cast<uint16_t>(uniform(generator, 0, 0x7bfe));
    float low = f16ToF32(half), high = f16ToF32(half + 1);
    float tie = (low + high) / 2;
    for (float value :
         {low, tie, std::nextafter(tie, 0.0f), std::nextafter(tie, high)})
      for (float sign : {1.0f, -1.0f})
        check(sign * value);
    uint32_t brainTie = (static_cast<uint32_t>(generator()) << 16) | 0x8000;
    for (int offset : {-1, 0, 1})
      check(fromBits(brainTie + offset));
  }
  for (float value : {0.0f, -0.0f, 65504.0f, 65519.996f, 65520.0f,
                      std::numeric_limits<float>::max(),
                      std::numeric_limits<float>::infinity()})
    check(value);
}

TEST(FloatConversion, NaNStaysNaN) {
  std::mt19937_64 generator = freshGenerator();
  for (int i = 0; i < 1000; ++i) {
    uint32_t payload = static_cast<uint32_t>(uniform(generator, 1, 0x7fffff));
    if (i == 0)
      payload = 1;
    for (uint32_t sign : {0u, 0x80000000u}) {
      float nan = fromBits(sign | 0x7f800000 | payload);
      EXPECT_TRUE(std::isnan(f16ToF32(f32ToF16(nan))));
      EXPECT_TRUE(std::isnan(bf16ToF32(f32ToBF16(nan))));
      EXPECT_EQ(f32ToF16(nan) >> 15, sign >> 31);
      EXPECT_EQ(f32ToBF16(nan) >> 15, sign >> 31);
    }
  }
}

TEST(Array, ConvertsStridedElements) {
  std::mt19937_64 generator = freshGenerator();
  // A (3, 2) array inside rows of 5 elements.
  Array padded = randomArray(generator, ElementType::F32, {3, 5});
  Array array(ElementType::F32, {3, 2}, {5, 1}, padded.storage());
  Array converted = array.convertTo(ElementType::BF16);
  EXPECT_TRUE(converted.isContiguous());
  EXPECT_FALSE(array.isContiguous());
  ASSERT_EQ(converted.elementCount(), 6);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(converted.data<uint16_t>()[i],
              f32ToBF16(padded.data<float>()[i / 2 * 5 + i % 2]));
}

TEST(Array, RefusesWhatDoesNotFit) {
  EXPECT_THAT(messageOf([] {
                Array(ElementType::F16, {2, 3}, {4, 1},
                      std::vector<uint8_t>(13));
              }),
              HasSubstr("reaches over 7 elements, its storage holds 6"));
  EXPECT_THAT(messageOf([] {
                Array(ElementType::F16, {2}, {-1}, std::vector<uint8_t>(13));
              }),
              HasSubstr("stride -1 of dimension 0"));
  int64_t huge = int64_t(1) << 40;
  EXPECT_THAT(messageOf([&] { Array(ElementType::F32, {huge, huge}); }),
              HasSubstr("too large"));
  EXPECT_THAT(messageOf([&] { countElements({0, huge, huge}); }),
              HasSubstr("too large"));
  EXPECT_THAT(messageOf([&] { countElements({2, -1}); }),
              HasSubstr("(2, -1) has a negative extent"));
  EXPECT_THAT(messageOf([&] {
                Array(ElementType::I32, {2}).convertTo(ElementType::F32);
              }),
              HasSubstr("cannot convert i32 to f32"));
}

} // namespace

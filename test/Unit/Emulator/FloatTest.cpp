// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

#include <cfenv>
#include <cmath>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

/// NaNs are canonical.
float canonical(float value) {
  return std::isnan(value) ? fromBits(0x7FFFFFFF) : value;
}
double canonical(double value) {
  uint64_t nan = 0x7FF8000000000000;
  if (std::isnan(value))
    std::memcpy(&value, &nan, 8);
  return value;
}

float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

/// bf16 as float, and to nearest even through double, by search.
float fromBFloat(uint16_t bits) { return fromBits(uint32_t(bits) << 16); }

float fromHalf(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  float mantissa = float(bits & 1023);
  float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31)
    return mantissa != 0 ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24)
                               : std::ldexp(mantissa + 1024, exponent - 25));
}

class FloatTest : public EmulatorTest {
protected:
  /// Any bits: infinities, NaNs and denormals as well.
  std::vector<float> anyFloats() {
    std::vector<float> values = randomBits<float>(threads);
    for (size_t index = 0; index < threads; ++index)
      switch (random() % 12) {
      case 0:
        values[index] = INFINITY;
        break;
      case 1:
        values[index] = fromBits(uint32_t(random()) & 0x807FFFFF);
        break;
      case 2:
      case 3:
      case 4:
        values[index] = float(int(random() % 2000) - 1000) / 16;
        break;
      default:
        break;
      }
    return values;
  }

  /// |result - function(x)| within \p relative * |function(x)| + \p absolute.
  template <typename Function>
  void expectNear(const std::string &statements, Function function,
                  double relative, double absolute,
                  const std::vector<float> &inputs) {
    std::vector<float> results = evaluate<float>(statements, inputs);
    for (size_t index = 0; index < threads; ++index) {
      if (!takesPart(index))
        continue;
      double want = function(double(inputs[index]));
      ASSERT_LE(std::fabs(results[index] - want),
                std::fabs(want) * relative + absolute)
          << statements << " of " << inputs[index] << ": got " << results[index]
          << ", want " << want << ", " << seedText;
    }
  }
};

} // namespace

TEST_F(FloatTest, roundsToNearest) {
  auto a = anyFloats(), b = anyFloats(), c = anyFloats();
  expectExact<float>(
      "add.f32 %d, %a, %b;", [](float x, float y) { return canonical(x + y); },
      a, b);
  expectExact<float>(
      "sub.rn.f32 %d, %a, %b;",
      [](float x, float y) { return canonical(x - y); }, a, b);
  expectExact<float>(
      "mul.f32 %d, %a, %b;", [](float x, float y) { return canonical(x * y); },
      a, b);
  expectExact<float>(
      "fma.rn.f32 %d, %a, %b, %c;",
      [](float x, float y, float z) { return canonical(std::fma(x, y, z)); }, a,
      b, c);
  expectExact<float>(
      "div.rn.f32 %d, %a, %b;",
      [](float x, float y) { return canonical(x / y); }, a, b);
  expectExact<float>(
      "sqrt.rn.f32 %d, %a;", [](float x) { return canonical(std::sqrt(x)); },
      a);
  expectExact<float>(
      "rcp.rn.f32 %d, %a;", [](float x) { return canonical(1.0f / x); }, a);
  std::vector<double> d = randomBits<double>(threads);
  std::vector<double> e = randomBits<double>(threads);
  std::vector<double> f = randomBits<double>(threads);
  expectExact<double>(
      "fma.rn.f64 %d, %a, %b, %c;",
      [](double x, double y, double z) { return canonical(std::fma(x, y, z)); },
      d, e, f);
  expectExact<double>(
      "add.f64 %d, %a, %b;",
      [](double x, double y) { return canonical(x + y); }, d, e);
}

TEST_F(FloatTest, flushesDenormals) {
  auto a = anyFloats(), b = anyFloats();
  expectExact<float>(
      "add.ftz.f32 %d, %a, %b;",
      [](float x, float y) {
        return canonical(flushed(flushed(x) + flushed(y)));
      },
      a, b);
  expectExact<float>(
      "mul.rn.ftz.f32 %d, %a, %b;",
      [](float x, float y) {
        return canonical(flushed(flushed(x) * flushed(y)));
      },
      a, b);
  expectExact<uint32_t>(
      "setp.eq.ftz.f32 %p0, %a, 0f00000000;\nselp.u32 %d, 1, 0, %p0;",
      [](float x) { return uint32_t(flushed(x) == 0); }, a);
}

TEST_F(FloatTest, roundsInEveryDirection) {
  auto a = anyFloats(), b = anyFloats(), c = anyFloats();
  struct Mode {
    const char *name;
    int host;
  };
  for (Mode mode : {Mode{"rz", FE_TOWARDZERO}, Mode{"rm", FE_DOWNWARD},
                    Mode{"rp", FE_UPWARD}}) {
    // volatile keeps the compiler from computing at another rounding.
    auto with = [&](auto compute) {
      return [=](auto... values) {
        std::fesetround(mode.host);
        volatile float result = compute(values...);
        std::fesetround(FE_TONEAREST);
        return canonical(float(result));
      };
    };
    auto operation = [&](const char *name) {
      return std::string(name) + "." + mode.name + ".f32 %d, ";
    };
    expectExact<float>(operation("add") + "%a, %b;", with([](float x, float y) {
                         volatile float u = x, v = y;
                         return u + v;
                       }),
                       a, b);
    expectExact<float>(operation("mul") + "%a, %b;", with([](float x, float y) {
                         volatile float u = x, v = y;
                         return u * v;
                       }),
                       a, b);
    expectExact<float>(operation("div") + "%a, %b;", with([](float x, float y) {
                         volatile float u = x, v = y;
                         return u / v;
                       }),
                       a, b);
    expectExact<float>(operation("fma") + "%a, %b, %c;",
                       with([](float x, float y, float z) {
                         volatile float u = x, v = y, w = z;
                         return std::fma(u, v, w);
                       }),
                       a, b, c);
  }
}

TEST_F(FloatTest, minimumAndMaximum) {
  auto a = anyFloats(), b = anyFloats();
  a[0] = -0.0f, b[0] = 0.0f, a[1] = 0.0f, b[1] = -0.0f;
  auto minimum = [](float x, float y) {
    if (std::isnan(x))
      return canonical(y);
    if (std::isnan(y))
      return x;
    if (x == 0 && y == 0)
      return std::signbit(x) ? x : y;
    return x < y ? x : y;
  };
  expectExact<float>("min.f32 %d, %a, %b;", minimum, a, b);
  expectExact<float>(
      "max.f32 %d, %a, %b;",
      [&](float x, float y) {
        float result = minimum(-x, -y);
        return std::isnan(result) ? result : -result;
      },
      a, b);
  expectExact<float>(
      "max.NaN.f32 %d, %a, %b;",
      [&](float x, float y) {
        if (std::isnan(x) || std::isnan(y))
          return canonical(NAN);
        return -minimum(-x, -y);
      },
      a, b);
}

TEST_F(FloatTest, comparesWithNaN) {
  auto a = anyFloats(), b = anyFloats();
  for (size_t index = 0; index < threads; index += 4)
    b[index] = a[index];
  auto check = [&](const char *relation, auto expected) {
    expectExact<uint32_t>(
        std::string("setp.") + relation +
            ".f32 %p0, %a, %b;\nselp.u32 %d, 1, 0, %p0;",
        [&](float x, float y) {
          return uint32_t(expected(x, y, std::isnan(x) || std::isnan(y)));
        },
        a, b);
  };
  check("eq", [](float x, float y, bool) { return x == y; });
  check("ne", [](float x, float y, bool nan) { return x != y && !nan; });
  check("lt", [](float x, float y, bool) { return x < y; });
  check("geu", [](float x, float y, bool nan) { return x >= y || nan; });
  check("neu", [](float x, float y, bool) { return x != y; });
  check("num", [](float, float, bool nan) { return !nan; });
  check("nan", [](float, float, bool nan) { return nan; });
}

TEST_F(FloatTest, approximatesWithinTheStatedErrors) {
  // PTX ISA, "Floating Point Instructions".
  auto wide = randomFloats(threads, -120, 120);
  expectNear(
      "ex2.approx.ftz.f32 %d, %a;", [](double x) { return std::exp2(x); },
      0x1p-22, 0, wide);
  std::vector<float> positive(threads);
  for (float &value : positive)
    value = std::ldexp(1.0f + float(random() % 1000) / 1000,
                       int(random() % 200) - 100);
  expectNear(
      "lg2.approx.ftz.f32 %d, %a;", [](double x) { return std::log2(x); },
      0x1p-22, 0x1p-22, positive);
  expectNear(
      "rcp.approx.ftz.f32 %d, %a;", [](double x) { return 1 / x; }, 0x1p-23, 0,
      positive);
  expectNear(
      "rsqrt.approx.f32 %d, %a;", [](double x) { return 1 / std::sqrt(x); },
      0x1p-22, 0, positive);
  expectNear(
      "sqrt.approx.f32 %d, %a;", [](double x) { return std::sqrt(x); }, 0x1p-23,
      0, positive);
  auto angles = randomFloats(threads, -3.14f, 3.14f);
  expectNear(
      "sin.approx.f32 %d, %a;", [](double x) { return std::sin(x); }, 0,
      0x1p-20, angles);
  expectNear(
      "cos.approx.f32 %d, %a;", [](double x) { return std::cos(x); }, 0,
      0x1p-20, angles);
  auto any = randomFloats(threads, -6, 6);
  expectNear(
      "tanh.approx.f32 %d, %a;", [](double x) { return std::tanh(x); }, 0x1p-11,
      0, any);
}

TEST_F(FloatTest, approximatesEdges) {
  std::vector<float> a(threads, 0.0f);
  const float edges[] = {0.0f,    -0.0f, INFINITY, -INFINITY,
                         NAN,     1.0f,  -200.0f,  300.0f,
                         -130.0f, -1.0f, 2.0f,     fromBits(1)};
  std::copy(std::begin(edges), std::end(edges), a.begin());
  auto at = [](const std::vector<float> &results, size_t index) {
    return results[index];
  };
  auto power = evaluate<float>("ex2.approx.f32 %d, %a;", a);
  EXPECT_EQ(at(power, 0), 1.0f);
  EXPECT_EQ(at(power, 2), INFINITY);
  EXPECT_EQ(at(power, 3), 0.0f);
  EXPECT_TRUE(std::isnan(at(power, 4)));
  EXPECT_EQ(at(power, 5), 2.0f);
  EXPECT_EQ(at(power, 6), 0.0f);
  EXPECT_EQ(at(power, 7), INFINITY);
  EXPECT_EQ(at(power, 8), 0x1p-130f);
  EXPECT_EQ(at(evaluate<float>("ex2.approx.ftz.f32 %d, %a;", a), 8), 0.0f);
  auto logarithm = evaluate<float>("lg2.approx.f32 %d, %a;", a);
  EXPECT_EQ(at(logarithm, 0), -INFINITY);
  EXPECT_EQ(at(logarithm, 1), -INFINITY);
  EXPECT_EQ(at(logarithm, 2), INFINITY);
  EXPECT_TRUE(std::isnan(at(logarithm, 9)));
  EXPECT_EQ(at(logarithm, 10), 1.0f);
  EXPECT_EQ(at(logarithm, 11), -149.0f);
  EXPECT_EQ(at(evaluate<float>("lg2.approx.ftz.f32 %d, %a;", a), 11),
            -INFINITY);
  auto root = evaluate<float>("rsqrt.approx.f32 %d, %a;", a);
  EXPECT_EQ(at(root, 0), INFINITY);
  EXPECT_EQ(at(root, 2), 0.0f);
  EXPECT_TRUE(std::isnan(at(root, 9)));
  auto tangent = evaluate<float>("tanh.approx.f32 %d, %a;", a);
  EXPECT_EQ(at(tangent, 2), 1.0f);
  EXPECT_EQ(at(tangent, 3), -1.0f);
  EXPECT_EQ(at(tangent, 11), fromBits(1));
}

TEST_F(FloatTest, halfArithmeticRoundsOnce) {
  auto a = randomBits<uint16_t>(threads), b = randomBits<uint16_t>(threads);
  auto c = randomBits<uint16_t>(threads);
  // The nearest half to a double, ties to even, by looking at all of them.
  auto nearest = [](double exact) -> uint16_t {
    if (std::isnan(exact))
      return 0x7FFF;
    if (std::fabs(exact) >= 65520)
      return exact < 0 ? 0xFC00 : 0x7C00;
    uint16_t best = 0;
    double distance = INFINITY;
    for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
      double here = std::fabs(std::fabs(exact) - fromHalf(uint16_t(bits)));
      if (here < distance || (here == distance && (bits & 1) == 0)) {
        best = uint16_t(bits);
        distance = here;
      }
    }
    return uint16_t(best | (std::signbit(exact) ? 0x8000 : 0));
  };
  expectExact<uint16_t>(
      "add.f16 %d, %a, %b;",
      [&](uint16_t x, uint16_t y) {
        return nearest(double(fromHalf(x)) + fromHalf(y));
      },
      a, b);
  expectExact<uint16_t>(
      "mul.f16 %d, %a, %b;",
      [&](uint16_t x, uint16_t y) {
        return nearest(double(fromHalf(x)) * fromHalf(y));
      },
      a, b);
  expectExact<uint16_t>(
      "fma.rn.f16 %d, %a, %b, %c;",
      [&](uint16_t x, uint16_t y, uint16_t z) {
        return nearest(
            std::fma(double(fromHalf(x)), double(fromHalf(y)), fromHalf(z)));
      },
      a, b, c);
}

TEST_F(FloatTest, bfloatFmaRoundsOnce) {
  // (1 + 2^-7) * 1.5 lies between two neighbours: the least addend decides.
  std::vector<uint16_t> a(threads, 0x3F81), b(threads, 0x3FC0);
  std::vector<uint16_t> c(threads);
  for (size_t index = 0; index < threads; ++index)
    c[index] = uint16_t((random() & 0x807F) | (random() % 100 + 1) << 7);
  auto exact = [](uint16_t x, uint16_t y, uint16_t z) {
    long double sum = static_cast<long double>(fromBFloat(x)) * fromBFloat(y);
    float product = float(sum); // exact: 16 bits
    uint32_t bits;
    std::memcpy(&bits, &product, 4);
    float addend = fromBFloat(z);
    uint32_t rest = bits & 0xFFFF;
    uint32_t upper = bits >> 16;
    bool up = rest > 0x8000 ||
              (rest == 0x8000 && (addend > 0 || (addend == 0 && (upper & 1))));
    return uint16_t(upper + up);
  };
  expectExact<uint16_t>("fma.rn.bf16 %d, %a, %b, %c;", exact, a, b, c);
}

TEST_F(FloatTest, packedHalves) {
  auto a = randomBits<uint32_t>(threads), b = randomBits<uint32_t>(threads);
  // A pair computes what its halves compute alone.
  for (const char *form : {"add.f16", "mul.f16", "min.f16", "max.NaN.f16",
                           "add.bf16", "mul.bf16", "max.bf16"}) {
    std::string type = std::string(form) + "x2 %d, %a, %b;";
    auto packed = evaluate<uint32_t>(type, a, b);
    auto separate = evaluate<uint32_t>(
        "mov.b32 {%h0, %h1}, %a;\nmov.b32 {%h2, %h3}, %b;\n" +
            std::string(form) + " %h0, %h0, %h2;\n" + form +
            " %h1, %h1, %h3;\nmov.b32 %d, {%h0, %h1};",
        a, b);
    EXPECT_EQ(packed, separate) << form << ", " << seedText;
  }
}

TEST_F(FloatTest, signsOfFloats) {
  auto a = anyFloats(), b = anyFloats();
  expectExact<float>(
      "abs.f32 %d, %a;", [](float x) { return std::fabs(x); }, a);
  expectExact<float>("neg.f32 %d, %a;", [](float x) { return -x; }, a);
  expectExact<float>(
      "copysign.f32 %d, %a, %b;",
      [](float x, float y) { return std::copysign(y, x); }, a, b);
  expectExact<float>(
      "add.sat.f32 %d, %a, %b;",
      [](float x, float y) {
        float sum = x + y;
        return sum > 0 ? std::fmin(sum, 1.0f) : 0.0f;
      },
      a, b);
}

TEST_F(FloatTest, theHostsInstructionsChangeNothing) {
  EmulatorOptions options;
  options.hostThreads = 1;
  options.portable = true;
  std::unique_ptr<EmulatorDevice> portable = createEmulator(options);
  auto a = anyFloats(), b = anyFloats(), c = anyFloats();
  for (const char *statement : {"fma.rn.f32 %d, %a, %b, %c;",
                                "fma.rn.ftz.f32 %d, %a, %b, %c;",
                                "mul.f32 %d, %a, %b;\nadd.f32 %d, %d, %c;",
                                "div.rn.f32 %d, %a, %b;",
                                "sqrt.rn.f32 %d, %a;",
                                "max.f32 %d, %a, %b;",
                                "rcp.rz.f32 %d, %a;",
                                "ex2.approx.f32 %d, %a;",
                                "ex2.approx.ftz.f32 %d, %a;",
                                "lg2.approx.f32 %d, %a;",
                                "sin.approx.f32 %d, %a;",
                                "cos.approx.f32 %d, %a;",
                                "tanh.approx.f32 %d, %a;",
                                "rsqrt.approx.f32 %d, %a;",
                                "cvt.rn.bf16x2.f32 %d, %a, %b;",
                                "cvt.rn.f16x2.f32 %d, %a, %b;",
                                "fma.rn.f16x2 %d, %a, %b, %c;",
                                "fma.rn.bf16x2 %d, %a, %b, %c;",
                                "ex2.approx.f16x2 %d, %a;",
                                "cvt.rni.s32.f32 %d, %a;",
                                "cvt.rn.f32.s32 %d, %a;"}) {
    auto here = evaluate<uint32_t>(statement, a, b, c);
    device.swap(portable);
    auto everywhere = evaluate<uint32_t>(statement, a, b, c);
    device.swap(portable);
    EXPECT_EQ(here, everywhere) << statement << ", " << seedText;
  }
}

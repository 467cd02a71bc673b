// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Approximations, within the errors that the PTX ISA states in the section of
// each instruction ("Floating-Point Instructions: ex2" and so on).

#include "Elementwise.h"

namespace pbs::conformance {

/// A positive f64 far from the range's ends.
struct Ordinary {
  double value;
};
template <> struct Draw<Ordinary> {
  static Ordinary draw(Random &random) {
    return {std::ldexp(1 + double(random() >> 12) / 0x1p52,
                       int(random() % 200) - 100)};
  }
};

namespace {

auto relative(double error) {
  return [=](double want) { return std::fabs(want) * error; };
}
auto absolute(double error) {
  return [=](double) { return error; };
}
auto units(double count) {
  return [=](double want) { return count * unitInLastPlace(want); };
}

/// A result that .ftz makes zero.
double flushedResult(double value) {
  return std::fabs(value) < 0x1p-126 ? std::copysign(0.0, value) : value;
}

/// Pairs: both halves within the bound, which is what \p both compares.
template <typename T, typename Function, typename Bound>
void addPair(Suite &suite, const std::string &form, Function function,
             const std::string &comparison, Bound bound, const char *target) {
  auto check = [=](Pair<T> result, Pair<T> input) {
    auto isGood = [&](T got, T from) {
      double want = function(toDouble(from)), value = toDouble(got);
      return std::isnan(want)   ? std::isnan(value)
             : std::isinf(want) ? value == want
                                : std::fabs(value - want) <= bound(want);
    };
    bool both = isGood(result.low(), input.low()) &&
                isGood(result.high(), input.high());
    return both ? std::string() : std::string("something else");
  };
  suite.add(form, target, comparison, [=](Environment &environment) {
    runElementwise<Pair<T>, Pair<T>>(environment, form + " %d, %a;", check);
  });
}

} // namespace

void addApproximations(Suite &suite) {
  using F = float;
  // ex2: 2 ulp over the full range of inputs.
  auto power = [](double a) {
    double result = std::exp2(a);
    return result > 0x1.fffffefp127 ? INFINITY : result;
  };
  within<F>(
      suite, "ex2.approx.f32 %d, %a;",
      [=](Uniform<-160, 140> a) { return power(double(a)); }, "2 ulp",
      units(2));
  within<F>(
      suite, "ex2.approx.f32 %d, %a;", [=](F a) { return power(a); }, "2 ulp",
      units(2), " of any");
  within<F>(
      suite, "ex2.approx.ftz.f32 %d, %a;",
      [=](Uniform<-125, 127> a) { return power(double(a)); }, "2 ulp",
      units(2));
  within<F>(
      suite, "ex2.approx.ftz.f32 %d, %a;",
      [=](F a) { return flushedResult(power(flushed(a))); }, "2 ulp", units(2),
      " of any");
  // lg2: absolute error 2^-22 for inputs in (0.5, 2), relative error 2^-22
  // elsewhere.
  auto logarithm = [](double a) { return std::log2(a); };
  within<F>(
      suite, "lg2.approx.f32 %d, %a;",
      [=](Positive<-1, 0> a) { return logarithm(double(a)); }, "2^-22",
      absolute(0x1p-22), " from 0.5 to 2");
  within<F>(
      suite, "lg2.approx.f32 %d, %a;",
      [=](Positive<1, 126> a) { return logarithm(double(a)); },
      "2^-22 of the result", relative(0x1p-22), " above 2");
  within<F>(
      suite, "lg2.approx.f32 %d, %a;",
      [=](Positive<-149, -2> a) { return logarithm(double(a)); },
      "2^-22 of the result", relative(0x1p-22), " below 0.5");
  within<F>(
      suite, "lg2.approx.f32 %d, %a;", [=](F a) { return logarithm(a); },
      "2^-22 or so",
      [](double want) { return std::fmax(1, std::fabs(want)) * 0x1p-22; },
      " of any");
  within<F>(
      suite, "lg2.approx.ftz.f32 %d, %a;",
      [=](F a) { return logarithm(flushed(a)); }, "2^-22 or so",
      [](double want) { return std::fmax(1, std::fabs(want)) * 0x1p-22; });
  // rcp: 1 ulp over the full range of inputs.
  within<F>(
      suite, "rcp.approx.f32 %d, %a;",
      [](F a) {
        double result = 1 / double(a);
        return std::fabs(result) >= 0x1p128 ? std::copysign(INFINITY, a)
                                            : result;
      },
      "1 ulp", units(1));
  within<F>(
      suite, "rcp.approx.ftz.f32 %d, %a;",
      [](F a) { return flushedResult(1 / double(flushed(a))); }, "1 ulp",
      units(1));
  // sqrt: relative error 2^-23.
  within<F>(
      suite, "sqrt.approx.f32 %d, %a;",
      [](F a) { return std::sqrt(double(a)); }, "2^-23 of the result",
      relative(0x1p-23));
  within<F>(
      suite, "sqrt.approx.ftz.f32 %d, %a;",
      [](F a) { return std::sqrt(double(flushed(a))); }, "2^-23 of the result",
      relative(0x1p-23));
  // rsqrt: relative error 2^-22.9.
  within<F>(
      suite, "rsqrt.approx.f32 %d, %a;",
      [](F a) { return 1 / std::sqrt(double(a)); }, "2^-22.9 of the result",
      relative(std::exp2(-22.9)));
  within<F>(
      suite, "rsqrt.approx.ftz.f32 %d, %a;",
      [](F a) { return 1 / std::sqrt(double(flushed(a))); },
      "2^-22.9 of the result", relative(std::exp2(-22.9)));
  // sin, cos: absolute error 2^-20.5 from -2 pi to 2 pi.
  within<F>(
      suite, "sin.approx.f32 %d, %a;",
      [](Uniform<-6, 6> a) { return std::sin(double(a)); }, "2^-20.5",
      absolute(std::exp2(-20.5)));
  within<F>(
      suite, "cos.approx.f32 %d, %a;",
      [](Uniform<-6, 6> a) { return std::cos(double(a)); }, "2^-20.5",
      absolute(std::exp2(-20.5)));
  within<F>(
      suite, "sin.approx.ftz.f32 %d, %a;",
      [](Uniform<-6, 6> a) { return std::sin(double(a)); }, "2^-20.5",
      absolute(std::exp2(-20.5)));
  within<F>(
      suite, "cos.approx.ftz.f32 %d, %a;",
      [](Uniform<-6, 6> a) { return std::cos(double(a)); }, "2^-20.5",
      absolute(std::exp2(-20.5)));
  // tanh: relative error 2^-11.
  within<F>(
      suite, "tanh.approx.f32 %d, %a;",
      [](F a) { return std::tanh(double(a)); }, "2^-11 of the result",
      relative(0x1p-11));
  within<F>(
      suite, "tanh.approx.f32 %d, %a;",
      [](Uniform<-8, 8> a) { return std::tanh(double(a)); },
      "2^-11 of the result", relative(0x1p-11), " from -8 to 8");
  // div: 2 ulp for divisors from 2^-126 to 2^126; .full for all.
  within<F>(
      suite, "div.approx.f32 %d, %a, %b;",
      [](Uniform<-1000, 1000> a, Positive<-60, 60> b) {
        return double(a) / double(b);
      },
      "2 ulp", units(2));
  within<F>(
      suite, "div.approx.ftz.f32 %d, %a, %b;",
      [](Uniform<-1000, 1000> a, Positive<-60, 60> b) {
        return double(a) / double(b);
      },
      "2 ulp", units(2));
  within<F>(
      suite, "div.full.f32 %d, %a, %b;",
      [](Uniform<-1000, 1000> a, Positive<-60, 127> b) {
        return double(a) / double(b);
      },
      "2 ulp", units(2));
  // Half precision: ex2 relative errors 2^-9.9 and 2^-7, tanh absolute errors
  // 2^-10.987 and 2^-8.
  auto halfPower = [](double a) {
    double result = std::exp2(a);
    return result >= 65520 ? INFINITY : result;
  };
  auto halfBound = [](double want) {
    // Denormals have no more than 2^-24.
    return std::fmax(want * std::exp2(-9.9), 0x1p-24);
  };
  auto bfloatPower = [=](double a) {
    float in = flushed(float(a));
    double result = std::exp2(double(in));
    return result >= 0x1.ffp127 ? INFINITY : flushedResult(result);
  };
  auto bfloatBound = [](double want) {
    // What is close to the least normal number may become zero.
    return std::fmax(want * 0x1p-7, want < 0x1.02p-126 ? 0x1.02p-126 : 0);
  };
  auto tangent = [](double a) { return std::tanh(a); };
  // An H200 was seen 3e-7 beyond the stated 2^-8: 0.62890625 for tanh of
  // 0.74609375.
  const double tangentBound = 0x1p-8 + 0x1p-21;
  within<Half>(
      suite, "ex2.approx.f16 %d, %a;",
      [=](Half a) { return halfPower(toDouble(a)); }, "2^-9.9 of the result",
      halfBound);
  addPair<Half>(suite, "ex2.approx.f16x2", halfPower, "2^-9.9 of the result",
                halfBound, "sm_80");
  within<BFloat>(
      suite, "ex2.approx.ftz.bf16 %d, %a;",
      [=](BFloat a) { return bfloatPower(toDouble(a)); }, "2^-7 of the result",
      bfloatBound, "", "sm_90");
  addPair<BFloat>(suite, "ex2.approx.ftz.bf16x2", bfloatPower,
                  "2^-7 of the result", bfloatBound, "sm_90");
  within<Half>(
      suite, "tanh.approx.f16 %d, %a;",
      [=](Half a) { return tangent(toDouble(a)); }, "2^-10.987",
      absolute(std::exp2(-10.987)));
  addPair<Half>(suite, "tanh.approx.f16x2", tangent, "2^-10.987",
                absolute(std::exp2(-10.987)), "sm_80");
  within<BFloat>(
      suite, "tanh.approx.bf16 %d, %a;",
      [=](BFloat a) { return tangent(toDouble(a)); }, "2^-8 + 2^-21",
      absolute(tangentBound), "", "sm_90");
  addPair<BFloat>(suite, "tanh.approx.bf16x2", tangent, "2^-8 + 2^-21",
                  absolute(tangentBound), "sm_90");
  // .f64: no error is stated; the lower half of operand and result is zero.
  within<double>(
      suite, "rcp.approx.ftz.f64 %d, %a;",
      [](Ordinary a) { return 1 / a.value; }, "2^-18 of the result",
      relative(0x1p-18));
  within<double>(
      suite, "rsqrt.approx.ftz.f64 %d, %a;",
      [](Ordinary a) { return 1 / std::sqrt(a.value); }, "2^-18 of the result",
      relative(0x1p-18));
  within<double>(
      suite, "rsqrt.approx.f64 %d, %a;",
      [](Ordinary a) { return 1 / std::sqrt(a.value); },
      "2^-22.9 of the result", relative(std::exp2(-22.9)));
}

} // namespace pbs::conformance

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic of f32 and f64 that IEEE 754 rounds (PTX ISA, "Floating-Point
// Instructions").

#include "Elementwise.h"

#include <cfenv>

namespace pbs::conformance {
namespace {

struct Mode {
  const char *suffix;
  int host;
};
constexpr Mode modes[] = {{".rn", FE_TONEAREST},
                          {".rz", FE_TOWARDZERO},
                          {".rm", FE_DOWNWARD},
                          {".rp", FE_UPWARD}};

/// compute() in a rounding of the host. volatile on both sides keeps the
/// compiler from doing it elsewhere.
template <typename Compute> auto inMode(int mode, Compute compute) {
  std::fesetround(mode);
  volatile auto result = compute();
  std::fesetround(FE_TONEAREST);
  return decltype(compute())(result);
}

template <typename T> T sum(T a, T b) {
  volatile T x = a, y = b;
  return x + y;
}
template <typename T> T difference(T a, T b) {
  volatile T x = a, y = b;
  return x - y;
}
template <typename T> T product(T a, T b) {
  volatile T x = a, y = b;
  return x * y;
}
template <typename T> T quotient(T a, T b) {
  volatile T x = a, y = b;
  return x / y;
}
template <typename T> T root(T a) {
  volatile T x = a;
  return std::sqrt(x);
}
template <typename T> T fused(T a, T b, T c) {
  volatile T x = a, y = b, z = c;
  return std::fma(x, y, z);
}

template <typename T>
void addRounded(Suite &suite, const std::string &type, bool allModes) {
  for (Mode mode : modes) {
    if (!allModes && mode.host != FE_TONEAREST)
      continue;
    int host = mode.host;
    auto form = [&](const char *name, const char *operands) {
      return std::string(name) + mode.suffix + "." + type + operands;
    };
    exact(suite, form("add", " %d, %a, %b;"),
          [=](T a, T b) { return inMode(host, [=] { return sum(a, b); }); });
    exact(suite, form("sub", " %d, %a, %b;"), [=](T a, T b) {
      return inMode(host, [=] { return difference(a, b); });
    });
    exact(suite, form("mul", " %d, %a, %b;"), [=](T a, T b) {
      return inMode(host, [=] { return product(a, b); });
    });
    exact(suite, form("div", " %d, %a, %b;"), [=](T a, T b) {
      return inMode(host, [=] { return quotient(a, b); });
    });
    exact(suite, form("rcp", " %d, %a;"),
          [=](T a) { return inMode(host, [=] { return quotient(T(1), a); }); });
    exact(suite, form("sqrt", " %d, %a;"),
          [=](T a) { return inMode(host, [=] { return root(a); }); });
    exact(suite, form("fma", " %d, %a, %b, %c;"), [=](T a, T b, T c) {
      return inMode(host, [=] { return fused(a, b, c); });
    });
    exact(suite, form("mad", " %d, %a, %b, %c;"), [=](T a, T b, T c) {
      return inMode(host, [=] { return fused(a, b, c); });
    });
  }
}

template <typename T> T smaller(T a, T b) {
  if (std::isnan(a) || std::isnan(b))
    return std::isnan(a) ? b : a;
  if (a == b)
    return std::signbit(a) ? a : b; // -0 is less than +0
  return a < b ? a : b;
}
template <typename T> T larger(T a, T b) {
  T result = smaller(-a, -b);
  return -result;
}

template <typename T> T between0And1(T value) {
  return value > 0 ? std::fmin(value, T(1)) : T(0);
}

template <typename T> void addPlain(Suite &suite, const std::string &type) {
  exact(suite, "add." + type + " %d, %a, %b;",
        [](T a, T b) { return sum(a, b); });
  exact(suite, "sub." + type + " %d, %a, %b;",
        [](T a, T b) { return difference(a, b); });
  exact(suite, "mul." + type + " %d, %a, %b;",
        [](T a, T b) { return product(a, b); });
  exact(suite, "min." + type + " %d, %a, %b;",
        [](T a, T b) { return smaller(a, b); });
  exact(suite, "max." + type + " %d, %a, %b;",
        [](T a, T b) { return larger(a, b); });
  exact(suite, "abs." + type + " %d, %a;", [](T a) { return std::fabs(a); });
  exact(suite, "neg." + type + " %d, %a;", [](T a) { return -a; });
  exact(suite, "copysign." + type + " %d, %a, %b;",
        [](T a, T b) { return std::copysign(b, a); });
}

void addFlushing(Suite &suite) {
  using F = float;
  exact(suite, "add.ftz.f32 %d, %a, %b;",
        [](F a, F b) { return flushed(sum(flushed(a), flushed(b))); });
  exact(suite, "sub.ftz.f32 %d, %a, %b;",
        [](F a, F b) { return flushed(difference(flushed(a), flushed(b))); });
  exact(suite, "mul.ftz.f32 %d, %a, %b;",
        [](F a, F b) { return flushed(product(flushed(a), flushed(b))); });
  exact(suite, "div.rn.ftz.f32 %d, %a, %b;",
        [](F a, F b) { return flushed(quotient(flushed(a), flushed(b))); });
  exact(suite, "sqrt.rn.ftz.f32 %d, %a;", [](F a) { return root(flushed(a)); });
  exact(suite, "rcp.rn.ftz.f32 %d, %a;",
        [](F a) { return flushed(quotient(1.0f, flushed(a))); });
  exact(suite, "fma.rn.ftz.f32 %d, %a, %b, %c;", [](F a, F b, F c) {
    return flushed(fused(flushed(a), flushed(b), flushed(c)));
  });
  exact(suite, "mul.rz.ftz.f32 %d, %a, %b;", [](F a, F b) {
    return flushed(
        inMode(FE_TOWARDZERO, [=] { return product(flushed(a), flushed(b)); }));
  });
  exact(suite, "min.ftz.f32 %d, %a, %b;",
        [](F a, F b) { return smaller(flushed(a), flushed(b)); });
  exact(suite, "max.ftz.f32 %d, %a, %b;",
        [](F a, F b) { return larger(flushed(a), flushed(b)); });
  exact(suite, "abs.ftz.f32 %d, %a;",
        [](F a) { return std::fabs(flushed(a)); });
  exact(suite, "neg.ftz.f32 %d, %a;", [](F a) { return -flushed(a); });
  exact(suite, "add.sat.f32 %d, %a, %b;",
        [](F a, F b) { return between0And1(sum(a, b)); });
  exact(suite, "sub.sat.f32 %d, %a, %b;",
        [](F a, F b) { return between0And1(difference(a, b)); });
  exact(suite, "mul.sat.f32 %d, %a, %b;",
        [](F a, F b) { return between0And1(product(a, b)); });
  exact(suite, "fma.rn.sat.f32 %d, %a, %b, %c;",
        [](F a, F b, F c) { return between0And1(fused(a, b, c)); });
  exact(suite, "fma.rn.ftz.sat.f32 %d, %a, %b, %c;", [](F a, F b, F c) {
    return flushed(between0And1(fused(flushed(a), flushed(b), flushed(c))));
  });
}

void addExtrema(Suite &suite) {
  using F = float;
  auto withNaN = [](auto extremum) {
    return [=](F a, F b) {
      return std::isnan(a) || std::isnan(b) ? F(NAN) : extremum(a, b);
    };
  };
  auto withSigns = [](auto extremum) {
    return [=](F a, F b) {
      F magnitude = extremum(std::fabs(a), std::fabs(b));
      return std::signbit(a) != std::signbit(b) ? -magnitude : magnitude;
    };
  };
  auto least = [](F a, F b) { return smaller(a, b); };
  auto most = [](F a, F b) { return larger(a, b); };
  exact(suite, "min.NaN.f32 %d, %a, %b;", withNaN(least));
  exact(suite, "max.NaN.f32 %d, %a, %b;", withNaN(most));
  exact(suite, "min.xorsign.abs.f32 %d, %a, %b;", withSigns(least), "",
        "sm_86");
  exact(suite, "max.xorsign.abs.f32 %d, %a, %b;", withSigns(most), "", "sm_86");
  exact(suite, "min.NaN.xorsign.abs.f32 %d, %a, %b;", withNaN(withSigns(least)),
        "", "sm_86");
  exact(suite, "max.NaN.xorsign.abs.f32 %d, %a, %b;", withNaN(withSigns(most)),
        "", "sm_86");
}

} // namespace

void addFloats(Suite &suite) {
  addPlain<float>(suite, "f32");
  addPlain<double>(suite, "f64");
  addRounded<float>(suite, "f32", true);
  addRounded<double>(suite, "f64", false);
  addFlushing(suite);
  addExtrema(suite);
}

} // namespace pbs::conformance

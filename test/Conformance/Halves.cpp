// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic of f16 and bf16, alone and in pairs (PTX ISA, "Half Precision
// Floating Point Instructions").

#include "Elementwise.h"

namespace pbs::conformance {
namespace {

template <typename T> T flushIf(bool flushes, T value) {
  if constexpr (std::is_same_v<T, Half>)
    return flushes ? flushed(value) : value;
  return value;
}

/// What .ftz, .sat and .relu do.
struct Modifiers {
  std::string text;
  bool flushes = false;
  bool saturates = false;
  bool rectifies = false;

  template <typename T> T finish(T result) const {
    result = flushIf(flushes, result);
    double value = toDouble(result);
    if (saturates)
      return value > 1 ? roundTo<T>(1) : value > 0 ? result : T{0};
    // NaN stays NaN.
    if (rectifies)
      return value <= 0 ? T{0} : result;
    return result;
  }
};

/// function(values in double) rounded once, for T and for pairs of it.
template <typename T, typename Function>
void addTwo(Suite &suite, const std::string &name, const std::string &type,
            Modifiers modifiers, Function function, const char *target) {
  std::string form = name + modifiers.text + "." + type;
  auto one = [=](T a, T b) {
    double exactResult = function(toDouble(flushIf(modifiers.flushes, a)),
                                  toDouble(flushIf(modifiers.flushes, b)));
    return modifiers.finish(roundTo<T>(exactResult));
  };
  exact(suite, form + " %d, %a, %b;", one, "", target);
  exact(
      suite, form + "x2 %d, %a, %b;",
      [=](Pair<T> a, Pair<T> b) {
        return makePair(one(a.low(), b.low()), one(a.high(), b.high()));
      },
      "", target);
}

template <typename T>
void addFma(Suite &suite, const std::string &type, Modifiers modifiers,
            const char *target) {
  std::string form = "fma.rn" + modifiers.text + "." + type;
  auto one = [=](T a, T b, T c) {
    auto read = [=](T value) {
      return toDouble(flushIf(modifiers.flushes, value));
    };
    // The product is exact.
    return modifiers.finish(roundTo<T>(oddSum(read(a) * read(b), read(c))));
  };
  exact(suite, form + " %d, %a, %b, %c;", one, "", target);
  exact(
      suite, form + "x2 %d, %a, %b, %c;",
      [=](Pair<T> a, Pair<T> b, Pair<T> c) {
        return makePair(one(a.low(), b.low(), c.low()),
                        one(a.high(), b.high(), c.high()));
      },
      "", target);
}

template <typename T>
void addArithmetic(Suite &suite, const std::string &type,
                   const Modifiers &modifiers, const char *target) {
  addTwo<T>(
      suite, "add", type, modifiers,
      [](double a, double b) { return oddSum(a, b); }, target);
  addTwo<T>(
      suite, "sub", type, modifiers,
      [](double a, double b) { return oddSum(a, -b); }, target);
  addTwo<T>(
      suite, "mul", type, modifiers, [](double a, double b) { return a * b; },
      target);
}

double smaller(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::isnan(a) ? b : a;
  if (a == b)
    return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
double larger(double a, double b) { return -smaller(-a, -b); }
double smallerOrNaN(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : smaller(a, b);
}
double largerOrNaN(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : larger(a, b);
}

template <typename T>
void addExtrema(Suite &suite, const std::string &type,
                const Modifiers &modifiers) {
  addTwo<T>(suite, "min", type, modifiers, smaller, "sm_80");
  addTwo<T>(suite, "max", type, modifiers, larger, "sm_80");
  Modifiers propagating = modifiers;
  propagating.text += ".NaN";
  addTwo<T>(suite, "min", type, propagating, smallerOrNaN, "sm_80");
  addTwo<T>(suite, "max", type, propagating, largerOrNaN, "sm_80");
}

template <typename T> void addSigns(Suite &suite, const std::string &type) {
  // NaNs may keep what they are or not.
  auto absolute = [](T a) { return T{uint16_t(a.bits & 0x7FFF)}; };
  auto negative = [](T a) { return T{uint16_t(a.bits ^ 0x8000)}; };
  exact(suite, "abs." + type + " %d, %a;", absolute);
  exact(suite, "neg." + type + " %d, %a;", negative);
  exact(suite, "abs." + type + "x2 %d, %a;", [=](Pair<T> a) {
    return makePair(absolute(a.low()), absolute(a.high()));
  });
  exact(suite, "neg." + type + "x2 %d, %a;", [=](Pair<T> a) {
    return makePair(negative(a.low()), negative(a.high()));
  });
}

} // namespace

void addHalves(Suite &suite) {
  const Modifiers none = {""};
  const Modifiers flushing = {".ftz", true};
  const Modifiers saturating = {".sat", false, true};
  const Modifiers both = {".ftz.sat", true, true};
  const Modifiers rectifying = {".relu", false, false, true};
  for (const Modifiers &modifiers : {none, flushing, saturating, both}) {
    addArithmetic<Half>(suite, "f16", modifiers, "sm_80");
    addFma<Half>(suite, "f16", modifiers, "sm_80");
  }
  addFma<Half>(suite, "f16", rectifying, "sm_80");
  addArithmetic<BFloat>(suite, "bf16", none, "sm_90");
  addFma<BFloat>(suite, "bf16", none, "sm_80");
  addFma<BFloat>(suite, "bf16", rectifying, "sm_80");
  addExtrema<Half>(suite, "f16", none);
  addExtrema<Half>(suite, "f16", flushing);
  addExtrema<BFloat>(suite, "bf16", none);
  addSigns<Half>(suite, "f16");
  addSigns<BFloat>(suite, "bf16");
}

} // namespace pbs::conformance

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Numbers.h"

#include <algorithm>
#include <cfenv>
#include <cmath>

namespace pbs::conformance {
namespace {

/// An IEEE format: bits behind the leading one, and the range of exponents.
struct Format {
  int mantissaBits;
  int leastExponent;
  int largestExponent;

  double largest() const {
    return std::ldexp(2 - std::ldexp(1.0, -mantissaBits), largestExponent);
  }
};

constexpr Format halfFormat = {10, -14, 15};
constexpr Format bfloatFormat = {7, -126, 127};
constexpr Format singleFormat = {23, -126, 127};

double roundToInteger(double value, Rounding rounding) {
  double below = std::floor(value);
  double rest = value - below;
  switch (rounding) {
  case Rounding::Nearest:
    if (rest == 0.5)
      return std::fmod(below, 2) == 0 ? below : below + 1;
    return rest < 0.5 ? below : below + 1;
  case Rounding::Away:
    if (rest == 0.5)
      return value < 0 ? below : below + 1;
    return rest < 0.5 ? below : below + 1;
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return below;
  case Rounding::Up:
    return std::ceil(value);
  }
  return value;
}

/// The number that the format has for \p value.
double roundToFormat(double value, const Format &format, Rounding rounding) {
  if (value == 0 || !std::isfinite(value))
    return value;
  int exponent = std::max(std::ilogb(value), format.leastExponent);
  int scale = exponent - format.mantissaBits;
  double rounded =
      std::ldexp(roundToInteger(std::ldexp(value, -scale), rounding), scale);
  rounded = std::copysign(rounded, value);
  if (std::fabs(rounded) <= format.largest())
    return rounded;
  bool staysFinite = rounding == Rounding::Zero ||
                     (rounding == Rounding::Down && value > 0) ||
                     (rounding == Rounding::Up && value < 0);
  return std::copysign(staysFinite ? format.largest() : INFINITY, value);
}

/// The bits of a number that the format has.
uint16_t encode(double value, const Format &format) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  unsigned special = unsigned(2 * format.largestExponent + 1)
                     << format.mantissaBits;
  if (std::isnan(value))
    return 0x7FFF;
  if (std::isinf(value))
    return uint16_t(sign | special);
  if (value == 0)
    return sign;
  int exponent = std::ilogb(value);
  bool isDenormal = exponent < format.leastExponent;
  int scale =
      (isDenormal ? format.leastExponent : exponent) - format.mantissaBits;
  auto mantissa = unsigned(std::ldexp(std::fabs(value), -scale));
  if (isDenormal)
    return uint16_t(sign | mantissa);
  unsigned biased = unsigned(exponent + format.largestExponent);
  return uint16_t(sign | (biased << format.mantissaBits) |
                  (mantissa - (1u << format.mantissaBits)));
}

} // namespace

double toDouble(float value) { return value; }
double toDouble(double value) { return value; }

double toDouble(BFloat value) {
  return bitCast<float>(uint32_t(value.bits) << 16);
}

double toDouble(Half value) {
  int exponent = value.bits >> 10 & 31;
  double mantissa = value.bits & 1023;
  double sign = value.bits >> 15 ? -1 : 1;
  if (exponent == 31)
    return mantissa != 0 ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24)
                               : std::ldexp(mantissa + 1024, exponent - 25));
}

template <> float roundTo<float>(double value, Rounding rounding) {
  return float(roundToFormat(value, singleFormat, rounding));
}
template <> Half roundTo<Half>(double value, Rounding rounding) {
  return {encode(roundToFormat(value, halfFormat, rounding), halfFormat)};
}
template <> BFloat roundTo<BFloat>(double value, Rounding rounding) {
  return {encode(roundToFormat(value, bfloatFormat, rounding), bfloatFormat)};
}

double oddSum(double a, double b) {
  // volatile keeps the compiler from computing at another rounding.
  volatile double x = a, y = b;
  std::feclearexcept(FE_INEXACT);
  std::fesetround(FE_TOWARDZERO);
  volatile double sum = x + y;
  bool isInexact = std::fetestexcept(FE_INEXACT);
  std::fesetround(FE_TONEAREST);
  double result = sum;
  // Exactly zero is +0 when rounding to nearest as well.
  if (isInexact && std::isfinite(result))
    result = bitCast<double>(bitCast<uint64_t>(result) | 1);
  return result;
}

bool isNan(float value) { return std::isnan(value); }
bool isNan(double value) { return std::isnan(value); }
bool isNan(Half value) { return (value.bits & 0x7FFF) > 0x7C00; }
bool isNan(BFloat value) { return (value.bits & 0x7FFF) > 0x7F80; }

float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

Half flushed(Half value) {
  return {uint16_t(value.bits & 0x7C00 ? value.bits : value.bits & 0x8000)};
}

double unitInLastPlace(double value) {
  if (value == 0)
    return 0x1p-149;
  return std::ldexp(1.0, std::max(std::ilogb(value), -126) - 23);
}

} // namespace pbs::conformance

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Small floating-point formats, and rounding as IEEE 754 defines it.

#ifndef PBS_TEST_CONFORMANCE_NUMBERS_H
#define PBS_TEST_CONFORMANCE_NUMBERS_H

#include <cstdint>
#include <cstring>

namespace pbs::conformance {

template <typename To, typename From> To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

/// f16 and bf16, alone and in pairs, the first value in the low bits.
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};
template <typename T> struct Pair {
  uint32_t bits;
  T low() const { return {uint16_t(bits)}; }
  T high() const { return {uint16_t(bits >> 16)}; }
};
using Half2 = Pair<Half>;
using BFloat2 = Pair<BFloat>;

template <typename T> Pair<T> makePair(T low, T high) {
  return {low.bits | uint32_t(high.bits) << 16};
}

enum class Rounding : uint8_t { Nearest, Zero, Down, Up, Away };

double toDouble(float value);
double toDouble(double value);
double toDouble(Half value);
double toDouble(BFloat value);

/// \p value in the format. Where it is a sum, it has to come from oddSum.
template <typename T> T roundTo(double value, Rounding = Rounding::Nearest);

/// a + b with its last bit set if it is inexact, so that rounding it once more
/// rounds the exact sum.
double oddSum(double a, double b);

bool isNan(float value);
bool isNan(double value);
bool isNan(Half value);
bool isNan(BFloat value);

/// Denormals become zeros of their sign.
float flushed(float value);
Half flushed(Half value);

/// The distance between \p value's neighbours in f32, for |value| in a binade.
double unitInLastPlace(double value);

} // namespace pbs::conformance

#endif // PBS_TEST_CONFORMANCE_NUMBERS_H

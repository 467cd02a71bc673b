// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions and packing (PTX ISA, "Data Movement and Conversion
// Instructions": cvt, cvt.pack, mov).

#include "Elementwise.h"

#include <algorithm>
#include <limits>

namespace pbs::conformance {
namespace {

double toIntegral(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  case Rounding::Zero:
    return std::trunc(value);
  default:
    return std::nearbyint(value);
  }
}

/// Out of range there is the nearest integer. NaN becomes zero, or the highest
/// bit where one of the types has 64 bits (PTX ISA, cvt).
template <typename T> T clamped(double value, bool isDouble = false) {
  if (std::isnan(value))
    return isDouble || sizeof(T) == 8 ? T(uint64_t(1) << (sizeof(T) * 8 - 1))
                                      : T(0);
  if (value <= double(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  if (value >= double(std::numeric_limits<T>::max()))
    return std::numeric_limits<T>::max();
  return T(value);
}

struct Mode {
  const char *suffix;
  Rounding rounding;
};
constexpr Mode integerModes[] = {{"rni", Rounding::Nearest},
                                 {"rzi", Rounding::Zero},
                                 {"rmi", Rounding::Down},
                                 {"rpi", Rounding::Up}};
constexpr Mode floatModes[] = {{"rn", Rounding::Nearest},
                               {"rz", Rounding::Zero},
                               {"rm", Rounding::Down},
                               {"rp", Rounding::Up}};

/// f32 values, most of them in the range of a 32-bit integer.
using Wide = Uniform<-2147483647, 2147483647>;
using Narrow = Uniform<-300, 300>;

template <typename T>
void addFloatToInteger(Suite &suite, const std::string &type) {
  for (Mode mode : integerModes) {
    std::string form = std::string("cvt.") + mode.suffix + "." + type;
    Rounding rounding = mode.rounding;
    exact(suite, form + ".f32 %d, %a;",
          [=](float a) { return clamped<T>(toIntegral(a, rounding)); });
    exact(
        suite, form + ".f32 %d, %a;",
        [=](Narrow a) { return clamped<T>(toIntegral(a, rounding)); },
        " from -300 to 300");
    exact(suite, form + ".f64 %d, %a;",
          [=](double a) { return clamped<T>(toIntegral(a, rounding), true); });
    exact(
        suite, "cvt.f64.f32 %u0, %a;\n" + form + ".f64 %d, %u0;",
        [=](Wide a) { return clamped<T>(toIntegral(double(a), rounding)); },
        " and " + form + ".f64");
  }
}

template <typename T>
void addIntegerToFloat(Suite &suite, const std::string &type) {
  for (Mode mode : floatModes) {
    Rounding rounding = mode.rounding;
    exact(suite,
          std::string("cvt.") + mode.suffix + ".f32." + type + " %d, %a;",
          [=](T a) {
            // Two parts that are exact, and one rounding of the sum.
            double high = std::ldexp(double(int64_t(a >> (sizeof(T) * 4))),
                                     int(sizeof(T) * 4));
            uint64_t mask = (uint64_t(1) << sizeof(T) * 4) - 1;
            return roundTo<float>(oddSum(high, double(uint64_t(a) & mask)),
                                  rounding);
          });
  }
  exact(suite, "cvt.rn.f64." + type + " %d, %a;",
        [](T a) { return double(a); });
  exact(suite, "cvt.rn.f16." + type + " %d, %a;",
        [](T a) { return roundTo<Half>(double(a)); });
}

/// The result of a conversion to a smaller float.
template <typename T>
void addNarrowing(Suite &suite, const std::string &type, const char *target) {
  for (Mode mode : {floatModes[0], floatModes[1]}) {
    std::string form = std::string("cvt.") + mode.suffix;
    Rounding rounding = mode.rounding;
    auto one = [=](float a) { return roundTo<T>(a, rounding); };
    auto rectified = [=](float a) {
      return a <= 0 ? T{0} : roundTo<T>(a, rounding);
    };
    exact(suite, form + "." + type + ".f32 %d, %a;", one, "", target);
    exact(suite, form + "." + type + "x2.f32 %d, %a, %b;",
          [=](float a, float b) { return makePair(one(b), one(a)); });
    exact(suite, form + ".relu." + type + ".f32 %d, %a;", rectified);
    exact(
        suite, form + ".relu." + type + "x2.f32 %d, %a, %b;",
        [=](float a, float b) { return makePair(rectified(b), rectified(a)); });
  }
}

template <typename To, typename From>
void addInteger(Suite &suite, const std::string &to, const std::string &from) {
  exact(suite, "cvt." + to + "." + from + " %d, %a;",
        [](From a) { return To(a); });
}

template <typename To, typename From>
void addSaturating(Suite &suite, const std::string &to,
                   const std::string &from) {
  exact(suite, "cvt.sat." + to + "." + from + " %d, %a;", [](From a) {
    using W = __int128;
    return To(std::clamp<W>(a, std::numeric_limits<To>::min(),
                            std::numeric_limits<To>::max()));
  });
}

void addIntegerPairs(Suite &suite) {
  addInteger<uint64_t, uint32_t>(suite, "u64", "u32");
  addInteger<int64_t, int32_t>(suite, "s64", "s32");
  addInteger<uint64_t, int32_t>(suite, "u64", "s32");
  addInteger<uint32_t, uint64_t>(suite, "u32", "u64");
  addInteger<int32_t, int64_t>(suite, "s32", "s64");
  addInteger<uint32_t, uint16_t>(suite, "u32", "u16");
  addInteger<int32_t, int16_t>(suite, "s32", "s16");
  addInteger<uint16_t, uint32_t>(suite, "u16", "u32");
  addInteger<int16_t, int64_t>(suite, "s16", "s64");
  addInteger<uint64_t, uint16_t>(suite, "u64", "u16");
  addSaturating<uint16_t, int32_t>(suite, "u16", "s32");
  addSaturating<int16_t, int32_t>(suite, "s16", "s32");
  addSaturating<int32_t, int64_t>(suite, "s32", "s64");
  addSaturating<uint32_t, int64_t>(suite, "u32", "s64");
  addSaturating<int32_t, uint32_t>(suite, "s32", "u32");
  exact(suite, "cvt.s32.s8 %d, %a;",
        [](uint32_t a) { return int32_t(int8_t(a)); });
  exact(suite, "cvt.u32.u8 %d, %a;",
        [](uint32_t a) { return uint32_t(uint8_t(a)); });
  exact(suite, "cvt.s64.s8 %d, %a;",
        [](uint32_t a) { return int64_t(int8_t(a)); });
  exact(suite, "cvt.u8.u32 %d, %a;",
        [](uint32_t a) { return uint32_t(uint8_t(a)); });
  exact(suite, "cvt.s8.s32 %d, %a;",
        [](uint32_t a) { return int32_t(int8_t(a)); });
  exact(suite, "cvt.sat.u8.s32 %d, %a;",
        [](int32_t a) { return uint32_t(std::clamp(a, 0, 255)); });
  exact(suite, "cvt.sat.s8.s32 %d, %a;",
        [](int32_t a) { return std::clamp(a, -128, 127); });
}

void addFloatPairs(Suite &suite) {
  addNarrowing<Half>(suite, "f16", "sm_80");
  addNarrowing<BFloat>(suite, "bf16", "sm_80");
  exact(suite, "cvt.f32.f16 %d, %a;",
        [](Half a) { return float(toDouble(a)); });
  exact(
      suite, "cvt.f32.bf16 %d, %a;",
      [](BFloat a) { return float(toDouble(a)); }, "", "sm_90");
  exact(suite, "cvt.f64.f32 %d, %a;", [](float a) { return double(a); });
  exact(suite, "cvt.f64.f16 %d, %a;", [](Half a) { return toDouble(a); });
  for (Mode mode : floatModes) {
    Rounding rounding = mode.rounding;
    exact(suite, std::string("cvt.") + mode.suffix + ".f32.f64 %d, %a;",
          [=](double a) { return roundTo<float>(a, rounding); });
  }
  for (Mode mode : integerModes) {
    Rounding rounding = mode.rounding;
    exact(suite, std::string("cvt.") + mode.suffix + ".f32.f32 %d, %a;",
          [=](float a) { return float(toIntegral(a, rounding)); });
    exact(suite, std::string("cvt.") + mode.suffix + ".f16.f16 %d, %a;",
          [=](Half a) {
            return roundTo<Half>(toIntegral(toDouble(a), rounding));
          });
  }
  exact(suite, "cvt.sat.f32.f32 %d, %a;",
        [](float a) { return a > 0 ? std::fmin(a, 1.0f) : 0.0f; });
  exact(suite, "cvt.ftz.f32.f32 %d, %a;", [](float a) { return flushed(a); });
  exact(suite, "cvt.rn.ftz.f16.f32 %d, %a;",
        [](float a) { return roundTo<Half>(flushed(a)); });
  exact(suite, "cvt.rzi.ftz.s32.f32 %d, %a;",
        [](float a) { return clamped<int32_t>(std::trunc(flushed(a))); });
  exact(suite, "cvt.rna.tf32.f32 %d, %a;", [](float a) {
    // 10 bits of mantissa, ties away from zero.
    if (std::isinf(a) || isNan(a))
      return a;
    return bitCast<float>((bitCast<uint32_t>(a) + 0x1000) & 0xFFFFE000);
  });
}

void addPackings(Suite &suite) {
  using U = uint32_t;
  using L = uint64_t;
  exact(suite, "mov.b16 %d, %a;", [](uint16_t a) { return a; });
  exact(suite, "mov.u32 %d, %a;", [](U a) { return a; });
  exact(suite, "mov.b64 %d, %a;", [](L a) { return a; });
  exact(
      suite, "mov.b64 {%t0, %t1}, %a;\nmov.b64 %d, {%t1, %t0};",
      [](L a) { return a >> 32 | a << 32; }, " of two words");
  exact(
      suite,
      "mov.b64 {%h0, %h1, %h2, %h3}, %a;\nmov.b64 %d, {%h3, %h2, %h1, %h0};",
      [](L a) {
        return a >> 48 | (a >> 16 & 0xFFFF0000) | (a << 16 & 0xFFFF00000000) |
               a << 48;
      },
      " of four halves");
  exact(
      suite, "mov.b32 {%h0, %h1}, %a;\nmov.b32 %d, {%h1, %h0};",
      [](U a) { return a >> 16 | a << 16; }, " of two halves");
  exact(
      suite, "mov.b64 {_, %d}, %a;", [](L a) { return U(a >> 32); },
      " with a sink");
}

} // namespace

void addConversions(Suite &suite) {
  addIntegerPairs(suite);
  addFloatToInteger<int32_t>(suite, "s32");
  addFloatToInteger<uint32_t>(suite, "u32");
  addFloatToInteger<int64_t>(suite, "s64");
  addFloatToInteger<uint64_t>(suite, "u64");
  addIntegerToFloat<int32_t>(suite, "s32");
  addIntegerToFloat<uint32_t>(suite, "u32");
  addIntegerToFloat<int64_t>(suite, "s64");
  addIntegerToFloat<uint64_t>(suite, "u64");
  addFloatPairs(suite);
  addPackings(suite);
}

} // namespace pbs::conformance

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floating-point formats and roundings. Included behind Lanes.h, once per
// target: no include guard. Nothing depends on the host's rounding of NaNs,
// denormals or contracted operations.

constexpr uint32_t canonicalNan = 0x7FFFFFFF;
constexpr uint64_t canonicalNan64 = 0x7FF8000000000000;
constexpr uint16_t canonicalHalfNan = 0x7FFF;

enum class Rounding : uint8_t { Nearest, Zero, Down, Up };

/// A denormal becomes a zero of its sign.
inline float flush(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  return bitCast<float>((bits & 0x7F800000) == 0 ? bits & 0x80000000 : bits);
}

template <bool ftz> inline float input(float value) {
  return ftz ? flush(value) : value;
}

/// A result as PTX has it: NaNs are canonical.
template <bool ftz> inline float output(float value) {
  // On the bits, as a compiler may give any NaN where it sees a NaN wanted.
  uint32_t bits = bitCast<uint32_t>(ftz ? flush(value) : value);
  return bitCast<float>((bits & 0x7FFFFFFF) > 0x7F800000 ? canonicalNan : bits);
}

inline float saturate(float value) {
  // NaN becomes 0 as well.
  return value > 0.0f ? (value < 1.0f ? value : 1.0f) : 0.0f;
}

inline double output(double value) {
  uint64_t bits = bitCast<uint64_t>(value);
  bool isNan = (bits & INT64_MAX) > 0x7FF0000000000000;
  return bitCast<double>(isNan ? canonicalNan64 : bits);
}

inline float toFloat(BFloat value) {
  return bitCast<float>(uint32_t(value.bits) << 16);
}

inline float toFloat(Half value) {
  uint32_t magnitude = uint32_t(value.bits & 0x7FFF) << 13;
  uint32_t sign = uint32_t(value.bits & 0x8000) << 16;
  // Moves the exponent's bias, and normalises denormals.
  uint32_t finite = bitCast<uint32_t>(bitCast<float>(magnitude) * 0x1p112f);
  uint32_t special = magnitude | 0x7F800000;
  return bitCast<float>((magnitude >= 0x0F800000 ? special : finite) | sign);
}

inline float toFloat(float value) { return value; }

/// To nearest, ties to even.
template <typename T> inline T fromFloat(float value);

template <> inline float fromFloat<float>(float value) { return value; }

template <> inline BFloat fromFloat<BFloat>(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  bool isNan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return {uint16_t(isNan ? uint32_t(canonicalHalfNan) : rounded)};
}

template <> inline Half fromFloat<Half>(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7FFFFFFF;
  // Below the smallest normal number: adding 0.5 leaves the rounded mantissa
  // of the denormal in the lowest bits.
  uint32_t denormal =
      bitCast<uint32_t>(bitCast<float>(magnitude) + 0.5f) - 0x3F000000;
  uint32_t normal =
      (magnitude + 0xC8000FFF + (magnitude >> 13 & 1)) >> 13 & 0xFFFF;
  uint32_t result = magnitude < 0x38800000 ? denormal : normal;
  result = magnitude >= 0x47800000 ? 0x7C00 : result;
  uint32_t finiteOrInfinite = result | sign;
  return {uint16_t(magnitude > 0x7F800000 ? uint32_t(canonicalHalfNan)
                                          : finiteOrInfinite)};
}

/// \p rounded is \p exact rounded to nearest; the neighbour that \p rounding
/// asks for instead. Magnitudes are ordered as their bits.
template <typename T, typename Wide>
inline T redirect(T rounded, Wide back, Wide exact, Rounding rounding) {
  if (back == exact || exact != exact)
    return rounded;
  bool isNegative = exact < 0 || (exact == 0 && std::signbit(exact));
  bool isFarther = isNegative ? back < exact : back > exact;
  bool wantsFarther = rounding == (isNegative ? Rounding::Down : Rounding::Up);
  bool wantsNearer = rounding == Rounding::Zero ||
                     rounding == (isNegative ? Rounding::Up : Rounding::Down);
  if (wantsNearer && isFarther)
    --rounded;
  else if (wantsFarther && !isFarther)
    ++rounded;
  return rounded;
}

/// Rounds to 16 bits in any mode.
template <typename T> inline T fromFloat(float value, Rounding rounding) {
  T rounded = fromFloat<T>(value);
  if (rounding == Rounding::Nearest || value != value)
    return rounded;
  // The magnitude first, so that zero keeps its sign.
  uint16_t sign = rounded.bits & 0x8000;
  uint16_t magnitude = rounded.bits & 0x7FFF;
  float back = toFloat(rounded);
  uint16_t moved = redirect<uint16_t, float>(magnitude, back, value, rounding);
  return {uint16_t(sign | moved)};
}

/// \p nearest + \p error is the exact value, \p nearest it rounded to nearest:
/// the value rounded to odd, which may be rounded again in any mode.
inline double roundToOdd(double nearest, double error) {
  uint64_t bits = bitCast<uint64_t>(nearest);
  if (error == 0 || error != error || (bits & 1) != 0 ||
      !std::isfinite(nearest))
    return nearest;
  if (nearest == 0)
    return error > 0 ? 0x1p-1074 : -0x1p-1074;
  bool isMagnitudeLarger = (error > 0) == (nearest > 0);
  return bitCast<double>(isMagnitudeLarger ? bits + 1 : bits - 1);
}

/// a + b rounded to odd. Zeros that cancel are negative when rounding down.
inline double addToOdd(double a, double b, Rounding rounding) {
  double sum = a + b;
  if (sum == 0 && rounding == Rounding::Down)
    return std::signbit(a) || std::signbit(b) ? -0.0 : 0.0;
  double shareOfB = sum - a;
  double error = (a - (sum - shareOfB)) + (b - shareOfB);
  return roundToOdd(sum, error);
}

/// A double that was rounded to odd, or is exact, to float in any mode.
inline float toFloat(double value, Rounding rounding) {
  float nearest = static_cast<float>(value);
  if (rounding == Rounding::Nearest || !std::isfinite(value))
    return nearest;
  uint32_t bits = bitCast<uint32_t>(nearest);
  uint32_t sign = bits & 0x80000000;
  uint32_t moved = redirect<uint32_t, double>(bits & 0x7FFFFFFF,
                                              double(nearest), value, rounding);
  return bitCast<float>(sign | moved);
}

/// The rounding that a modifier names, Nearest without one.
inline Rounding roundingOf(const Opcode &opcode) {
  return opcode.has("rz")   ? Rounding::Zero
         : opcode.has("rm") ? Rounding::Down
         : opcode.has("rp") ? Rounding::Up
                            : Rounding::Nearest;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mov and cvt (PTX ISA, "Data Movement and Conversion Instructions").

#include "../InstructionTable.h"
#include "../Warp.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Convert.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"
#include "Numbers.h"

template <typename Lane>
void move(Warp &warp, const Instruction &instruction, uint32_t active) {
  const Lane *a = warp.lanes<Lane>(instruction.operands[1]);
  forLanes(active, warp.lanes<Lane>(instruction.operands[0]),
           [=](unsigned lane) { return a[lane]; });
}

void movePredicate(Warp &warp, const Instruction &instruction,
                   uint32_t active) {
  uint32_t value = warp.predicate(instruction.operands[1]);
  warp.setPredicate(instruction.operands[0], value, active);
}

/// mov d, {a, b}: immediate elements share the bits of a lane of d.
template <typename D, typename S>
void pack(Warp &warp, const Instruction &instruction, uint32_t active) {
  unsigned count = unsigned(instruction.immediate);
  unsigned bits = instruction.target / count;
  D packed[warpSize] = {};
  for (unsigned element = 0; element < count; ++element) {
    const S *a = warp.lanes<S>(instruction.operands[element + 1]);
    for (unsigned lane = 0; lane < warpSize; ++lane)
      packed[lane] |= D(a[lane]) << (bits * element);
  }
  forLanes(active, warp.lanes<D>(instruction.operands[0]),
           [&](unsigned lane) { return packed[lane]; });
}

/// mov {d, e}, a.
template <typename D, typename S>
void unpack(Warp &warp, const Instruction &instruction, uint32_t active) {
  unsigned count = instruction.vectorLength;
  unsigned bits = instruction.target / count;
  S mask = S((uint64_t(1) << bits) - 1);
  // A destination may be the source as well.
  S source[warpSize];
  std::memcpy(source, warp.lanes<S>(instruction.operands[count]),
              sizeof(source));
  for (unsigned element = 0; element < count; ++element)
    forLanes(active, warp.lanes<D>(instruction.operands[element]),
             [=, &source](unsigned lane) {
               return D(source[lane] >> (bits * element) & mask);
             });
}

void readClock(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint64_t value = warp.clock;
  auto special = SpecialRegister(instruction.operands[1]);
  if (special == SpecialRegister::Globaltimer ||
      special == SpecialRegister::GlobaltimerHigh)
    value = uint64_t(std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count());
  if (special == SpecialRegister::ClockHigh ||
      special == SpecialRegister::GlobaltimerHigh)
    value >>= 32;
  if (instruction.target == 64)
    forLanes(active, warp.lanes<uint64_t>(instruction.operands[0]),
             [=](unsigned) { return value; });
  else
    forLanes(active, warp.lanes<uint32_t>(instruction.operands[0]),
             [=](unsigned) { return uint32_t(value); });
}

/// Integer to integer: the source's bits are extended by its sign, cut to the
/// destination's, and these extended to the register's. immediate: bits of the
/// source, destination, register, and whether either is signed.
template <typename D, typename S>
void convertInteger(Warp &warp, const Instruction &instruction,
                    uint32_t active) {
  using Wide =
      std::conditional_t<sizeof(D) == 8 || sizeof(S) == 8, uint64_t, uint32_t>;
  auto maskOfBits = [](unsigned bits) {
    return bits >= sizeof(Wide) * 8 ? Wide(-1) : Wide((Wide(1) << bits) - 1);
  };
  unsigned sourceBits = instruction.immediate & 0xFF;
  unsigned resultBits = instruction.immediate >> 8 & 0xFF;
  unsigned registerBits = instruction.immediate >> 16 & 0xFF;
  bool sourceSigned = instruction.immediate >> 24 & 1;
  bool resultSigned = instruction.immediate >> 25 & 1;
  Wide sourceMask = maskOfBits(sourceBits);
  Wide resultMask = maskOfBits(resultBits);
  Wide registerMask = maskOfBits(registerBits);
  Wide sourceSign = sourceSigned ? Wide(Wide(1) << (sourceBits - 1)) : 0;
  Wide resultSign = resultSigned ? Wide(Wide(1) << (resultBits - 1)) : 0;
  const S *a = warp.lanes<S>(instruction.operands[1]);
  forLanes(active, warp.lanes<D>(instruction.operands[0]), [=](unsigned lane) {
    Wide value = Wide(a[lane]) & sourceMask;
    value = ((value ^ sourceSign) - sourceSign) & resultMask;
    value = ((value ^ resultSign) - resultSign) & registerMask;
    return D(value);
  });
}

template <bool ftz> struct Widen {
  template <typename T> static float apply(T a) {
    return output<ftz>(input<ftz>(toFloat(a)));
  }
};
template <typename T, bool ftz, bool relu,
          Rounding rounding = Rounding::Nearest>
struct Narrow {
  static uint32_t one(float a) {
    a = input<ftz>(a);
    if (relu)
      a = a < 0 || bitCast<uint32_t>(a) == 0x80000000 ? 0.0f : a;
    return fromFloat<T>(a, rounding).bits;
  }
  static uint32_t apply(float a) { return one(a); }
  /// The first source becomes the upper half.
  static uint32_t apply(float a, float b) { return one(a) << 16 | one(b); }
};
struct FromInteger {
  template <typename T> static float apply(T a) {
    return static_cast<float>(a);
  }
};

/// A value of any type on its way through a conversion.
struct Number {
  bool isFloat = false;
  __int128 integer = 0;
  double real = 0;
};

Number readNumber(Type type, uint64_t bits, bool ftz) {
  Number number;
  number.isFloat = emulator::isFloat(type);
  switch (type) {
  case Type::F16:
    number.real = toFloat(Half{uint16_t(bits)});
    break;
  case Type::BF16:
    number.real = toFloat(BFloat{uint16_t(bits)});
    break;
  case Type::F32: {
    float value = bitCast<float>(uint32_t(bits));
    number.real = ftz ? flush(value) : value;
    break;
  }
  case Type::F64:
    number.real = bitCast<double>(bits);
    break;
  default: {
    unsigned width = bitWidth(type);
    uint64_t value = width == 64 ? bits : bits & ((uint64_t(1) << width) - 1);
    uint64_t sign = isSigned(type) ? uint64_t(1) << (width - 1) : 0;
    number.integer =
        sign ? __int128(int64_t((value ^ sign) - sign)) : __int128(value);
    break;
  }
  }
  return number;
}

/// Rounded to odd, as float.
float toOddFloat(double value) {
  float nearest = static_cast<float>(value);
  if (double(nearest) == value || !std::isfinite(nearest) || value != value)
    return nearest;
  uint32_t bits = bitCast<uint32_t>(nearest);
  if (bits & 1)
    return nearest;
  if (nearest == 0)
    return value > 0 ? 0x1p-149f : -0x1p-149f;
  bool isMagnitudeLarger = std::fabs(value) > std::fabs(double(nearest));
  return bitCast<float>(isMagnitudeLarger ? bits + 1 : bits - 1);
}

uint64_t toInteger(const Number &number, Type from, Type to, bool saturates) {
  unsigned width = bitWidth(to);
  __int128 low = isSigned(to) ? -(__int128(1) << (width - 1)) : 0;
  __int128 high = isSigned(to) ? (__int128(1) << (width - 1)) - 1
                               : (__int128(1) << width) - 1;
  if (!number.isFloat) {
    __int128 value = number.integer;
    if (saturates)
      value = value < low ? low : value > high ? high : value;
    return uint64_t(value);
  }
  // PTX ISA, cvt: NaN is 0, or with 64 bits on a side only the highest bit.
  if (number.real != number.real)
    return from == Type::F64 || width == 64 ? uint64_t(1) << (width - 1) : 0;
  if (number.real <= double(low))
    return uint64_t(low);
  if (number.real >= double(high))
    return uint64_t(high);
  return uint64_t(__int128(number.real));
}

double roundToInteger(double value, const std::string_view &mode) {
  if (mode == "rzi")
    return std::trunc(value);
  if (mode == "rmi")
    return std::floor(value);
  if (mode == "rpi")
    return std::ceil(value);
  // Ties to even, whatever the host's rounding mode.
  double down = std::floor(value);
  double rest = value - down;
  if (rest > 0.5 || (rest == 0.5 && std::fmod(down, 2.0) != 0))
    down += 1;
  return std::copysign(down, value);
}

uint64_t toReal(const Number &number, Type to, Rounding rounding, bool ftz,
                bool saturates, bool relu) {
  double value = number.real;
  double error = 0;
  if (!number.isFloat) {
    value = static_cast<double>(number.integer);
    error = static_cast<double>(number.integer - __int128(value));
  }
  if (saturates)
    value = value > 0 ? (value < 1 ? value : 1) : 0;
  if (relu && !(value > 0) && value == value)
    value = 0;
  if (to == Type::F64) {
    if (error != 0 && rounding != Rounding::Nearest) {
      bool up = rounding == Rounding::Up ||
                (rounding == Rounding::Zero && number.integer < 0);
      if (up && error > 0)
        value = std::nextafter(value, HUGE_VAL);
      if (!up && error < 0)
        value = std::nextafter(value, -HUGE_VAL);
    }
    return bitCast<uint64_t>(output(value));
  }
  double odd = roundToOdd(value, error);
  if (to == Type::F32) {
    float result = toFloat(odd, rounding);
    return bitCast<uint32_t>(ftz ? output<true>(result)
                                 : output<false>(result));
  }
  float narrow = toOddFloat(odd);
  return to == Type::F16 ? fromFloat<Half>(narrow, rounding).bits
                         : fromFloat<BFloat>(narrow, rounding).bits;
}

/// What the general conversion needs to know, in immediate.
struct Conversion {
  Type to, from;
  Rounding rounding;
  /// Of the rounding to an integer: none, rni, rzi, rmi, rpi.
  uint8_t integerRounding;
  bool ftz, saturates, relu;
  /// The source register has 64 bits.
  bool wide;
};

constexpr std::string_view integerRoundings[] = {"", "rni", "rzi", "rmi",
                                                 "rpi"};

/// Any conversion, one lane after the other.
void convertAny(Warp &warp, const Instruction &instruction, uint32_t active) {
  auto conversion = bitCast<Conversion>(instruction.immediate);
  unsigned registerBits = instruction.target;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    uint64_t bits = conversion.wide
                        ? warp.lanes<uint64_t>(instruction.operands[1])[lane]
                        : warp.lanes<uint32_t>(instruction.operands[1])[lane];
    Number number = readNumber(conversion.from, bits, conversion.ftz);
    if (number.isFloat && conversion.integerRounding)
      number.real = roundToInteger(
          number.real, integerRoundings[conversion.integerRounding]);
    uint64_t result;
    if (isFloat(conversion.to)) {
      result = toReal(number, conversion.to, conversion.rounding,
                      conversion.ftz, conversion.saturates, conversion.relu);
    } else {
      result = toInteger(number, conversion.from, conversion.to,
                         conversion.saturates);
      unsigned width = bitWidth(conversion.to);
      uint64_t sign = isSigned(conversion.to) ? uint64_t(1) << (width - 1) : 0;
      if (width < 64)
        result &= (uint64_t(1) << width) - 1;
      result = (result ^ sign) - sign;
      if (registerBits < 64)
        result &= (uint64_t(1) << registerBits) - 1;
    }
    if (registerBits == 64)
      warp.lanes<uint64_t>(instruction.operands[0])[lane] = result;
    else
      warp.lanes<uint32_t>(instruction.operands[0])[lane] = uint32_t(result);
  }
}

/// To tf32: f32 with the lowest 13 bits rounded away.
template <bool nearestEven, bool relu> struct ToTensorFloat {
  static uint32_t apply(uint32_t bits) {
    bool isNan = (bits & 0x7FFFFFFF) > 0x7F800000;
    bool isInfinite = (bits & 0x7FFFFFFF) == 0x7F800000;
    uint32_t half = nearestEven ? 0xFFF + (bits >> 13 & 1) : 0x1000;
    uint32_t rounded = isInfinite ? bits : (bits + half) & 0xFFFFE000;
    if (relu && (rounded >> 31))
      rounded = 0;
    return isNan ? canonicalNan : rounded;
  }
};

template <typename T, bool ftz> Handler selectNarrow(bool two, bool relu) {
  if (two)
    return relu ? elementwise<Narrow<T, ftz, true>, uint32_t, float, float>
                : elementwise<Narrow<T, ftz, false>, uint32_t, float, float>;
  return relu ? elementwise<Narrow<T, ftz, true>, uint32_t, float>
              : elementwise<Narrow<T, ftz, false>, uint32_t, float>;
}

/// Two values to a pair of T.
template <typename T, bool ftz>
Handler selectPair(Rounding rounding, bool relu) {
  if (rounding == Rounding::Nearest)
    return selectNarrow<T, ftz>(true, relu);
  if (rounding != Rounding::Zero)
    return nullptr;
  constexpr Rounding zero = Rounding::Zero;
  return relu
             ? elementwise<Narrow<T, ftz, true, zero>, uint32_t, float, float>
             : elementwise<Narrow<T, ftz, false, zero>, uint32_t, float, float>;
}

/// The conversions that kernels spend time in.
Handler selectCommon(const Opcode &opcode, Type to, Type from, bool plainLanes,
                     bool plainRounding) {
  bool ftz = opcode.has("ftz");
  bool relu = opcode.has("relu");
  if (!plainLanes || !plainRounding || opcode.has("sat"))
    return nullptr;
  if (to == Type::F32 && from == Type::BF16)
    return ftz ? elementwise<Widen<true>, float, BFloat>
               : elementwise<Widen<false>, float, BFloat>;
  if (to == Type::F32 && from == Type::F16)
    return elementwise<Widen<false>, float, Half>;
  if (to == Type::BF16 && from == Type::F32)
    return ftz ? selectNarrow<BFloat, true>(false, relu)
               : selectNarrow<BFloat, false>(false, relu);
  if (to == Type::F16 && from == Type::F32)
    return ftz ? selectNarrow<Half, true>(false, relu)
               : selectNarrow<Half, false>(false, relu);
  if (to == Type::F32 && from == Type::S32)
    return elementwise<FromInteger, float, int32_t>;
  if (to == Type::F32 && from == Type::U32)
    return elementwise<FromInteger, float, uint32_t>;
  return nullptr;
}

bool isPlainInteger(Type type) { return type >= Type::U8 && type <= Type::S64; }

bool isConvertible(Type type) {
  return isPlainInteger(type) || type == Type::F16 || type == Type::BF16 ||
         type == Type::F32 || type == Type::F64;
}

} // namespace

Handler selectMove(const Opcode &opcode, Instruction &instruction) {
  unsigned bits = bitWidth(opcode.types[0]);
  if (opcode.types[0] == Type::Pred)
    return opcode.vectorLengths[0] == 1 && opcode.vectorLengths[1] == 1
               ? movePredicate
               : nullptr;
  unsigned destinations = instruction.vectorLength;
  unsigned sources = opcode.vectorLengths[1];
  instruction.target = bits;
  instruction.immediate = sources;
  if (destinations == 1 && sources == 1)
    return bits == 64 ? move<uint64_t> : bits <= 32 ? move<uint32_t> : nullptr;
  if (bits > 64 || destinations > 4 || sources > 4)
    return nullptr;
  if (destinations == 1)
    return bits == 64 ? pack<uint64_t, uint32_t> : pack<uint32_t, uint32_t>;
  if (sources == 1)
    return bits == 64 ? unpack<uint32_t, uint64_t> : unpack<uint32_t, uint32_t>;
  return nullptr;
}

Handler selectReadClock(const Opcode &opcode, Instruction &instruction) {
  instruction.target = bitWidth(opcode.types[0]);
  return instruction.target >= 32 ? readClock : nullptr;
}

Handler selectConvert(const Opcode &opcode, Instruction &instruction) {
  Type to = opcode.types[0];
  Type from = opcode.types[1];
  bool ftz = opcode.has("ftz");
  bool relu = opcode.has("relu");
  bool hasSecond = instruction.operands[2] != noOperand;
  if (from == Type::F32 && (to == Type::F16x2 || to == Type::BF16x2)) {
    if (!hasSecond || opcode.registerBits[0] != 32 ||
        opcode.registerBits[1] == 64 || opcode.registerBits[2] == 64 ||
        opcode.has("sat") || !(opcode.has("rn") || opcode.has("rz")))
      return nullptr;
    Rounding rounding = roundingOf(opcode);
    if (to == Type::F16x2)
      return ftz ? selectPair<Half, true>(rounding, relu)
                 : selectPair<Half, false>(rounding, relu);
    return ftz ? selectPair<BFloat, true>(rounding, relu)
               : selectPair<BFloat, false>(rounding, relu);
  }
  if (hasSecond)
    return nullptr;
  unsigned toBits =
      opcode.registerBits[0] ? opcode.registerBits[0] : bitWidth(to);
  unsigned fromBits =
      opcode.registerBits[1] ? opcode.registerBits[1] : bitWidth(from);
  if (to == Type::TF32) {
    if (from != Type::F32 || toBits == 64 || fromBits == 64)
      return nullptr;
    if (opcode.has("rna"))
      return elementwise<ToTensorFloat<false, false>, uint32_t, uint32_t>;
    return relu ? elementwise<ToTensorFloat<true, true>, uint32_t, uint32_t>
                : elementwise<ToTensorFloat<true, false>, uint32_t, uint32_t>;
  }
  if (!isConvertible(to) || !isConvertible(from))
    return nullptr;
  // A float does not become a wider register's float.
  if (isFloat(to) && toBits != bitWidth(to))
    return nullptr;
  if (isFloat(from) && fromBits != bitWidth(from))
    return nullptr;

  uint8_t integerRounding = 0;
  for (uint8_t index = 1; index < std::size(integerRoundings); ++index)
    if (opcode.has(integerRoundings[index]))
      integerRounding = index;
  if (isFloat(from) && !isFloat(to) && integerRounding == 0)
    return nullptr;
  if (isPlainInteger(to) && isPlainInteger(from) && !opcode.has("sat")) {
    instruction.immediate = bitWidth(from) | bitWidth(to) << 8 | toBits << 16 |
                            uint64_t(isSigned(from)) << 24 |
                            uint64_t(isSigned(to)) << 25;
    if (toBits == 64)
      return fromBits == 64 ? convertInteger<uint64_t, uint64_t>
                            : convertInteger<uint64_t, uint32_t>;
    return fromBits == 64 ? convertInteger<uint32_t, uint64_t>
                          : convertInteger<uint32_t, uint32_t>;
  }
  Rounding rounding = roundingOf(opcode);
  if (Handler handler =
          selectCommon(opcode, to, from, toBits != 64 && fromBits != 64,
                       rounding == Rounding::Nearest && integerRounding == 0))
    return handler;
  Conversion conversion = {};
  conversion.to = to;
  conversion.from = from;
  conversion.rounding = rounding;
  conversion.integerRounding = integerRounding;
  conversion.ftz = ftz;
  conversion.saturates = opcode.has("sat");
  conversion.relu = relu;
  conversion.wide = fromBits == 64;
  instruction.immediate = bitCast<uint64_t>(conversion);
  instruction.target = toBits;
  return convertAny;
}

PBS_END_TARGET

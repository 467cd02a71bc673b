// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The approximations of the special function unit. All are computed in double
// with polynomials of our own, so that they are within the PTX ISA's errors and
// the same on every host.

#include "../InstructionTable.h"
#include "../Warp.h"

#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/SpecialFunctions.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"
#include "Numbers.h"

/// Adding and subtracting it rounds a double below 2^51 to an integer.
constexpr double roundingConstant = 0x1.8p52;

/// 2^x for |x| <= 1022, relative error below 2^-31: 2^f = e^(f ln 2) with
/// |f| <= 1/2, as a Taylor polynomial.
inline double exp2(double x) {
  double shifted = x + roundingConstant;
  double y = (x - (shifted - roundingConstant)) * 0.6931471805599453;
  double series =
      1 +
      y * (1 +
           y * (1.0 / 2 +
                y * (1.0 / 6 +
                     y * (1.0 / 24 +
                          y * (1.0 / 120 +
                               y * (1.0 / 720 +
                                    y * (1.0 / 5040 + y * (1.0 / 40320))))))));
  // The lowest bits of the shifted number are the integer.
  uint64_t bits = bitCast<uint64_t>(series);
  return bitCast<double>(bits + (bitCast<uint64_t>(shifted) << 52));
}

struct Exp2 {
  static float apply(float x) {
    // Beyond these the float is infinite or zero; NaN is kept.
    double clamped = x > 200.0f ? 200.0 : x < -200.0f ? -200.0 : double(x);
    double finite = x != x ? 0.0 : clamped;
    float result = static_cast<float>(exp2(finite));
    return x != x ? x : result;
  }
};

/// log2 of the mantissa in [sqrt(1/2), sqrt(2)) by the series of atanh.
struct Log2 {
  static float apply(float x) {
    double number = x;
    uint64_t bits = bitCast<uint64_t>(number);
    int64_t exponent =
        int64_t((bits + (uint64_t(0x3FF00000 - 0x3FE6A09E) << 32)) >> 52) -
        1023;
    double mantissa = bitCast<double>(bits - (uint64_t(exponent) << 52));
    double s = (mantissa - 1) / (mantissa + 1);
    double z = s * s;
    double series =
        1 +
        z * (1.0 / 3 +
             z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11)))));
    // 2 / ln 2.
    double result = double(exponent) + s * series * 2.8853900817779268;
    float finite = static_cast<float>(result);
    float infinity = bitCast<float>(0x7F800000u);
    float nan = bitCast<float>(canonicalNan);
    float edge = x == 0 ? -infinity : x < 0 || x != x ? nan : infinity;
    return x > 0 && x < infinity ? finite : edge;
  }
};

struct ReciprocalRoot {
  static float apply(float x) {
    return static_cast<float>(1.0 / std::sqrt(double(x)));
  }
};

/// sin(x + quarter * pi/2) after reduction to |r| <= pi/4.
inline double sine(double x, uint64_t quarter) {
  double turns = x * 0.6366197723675814;
  double shifted = turns + roundingConstant;
  double count = shifted - roundingConstant;
  // pi/2 in two parts.
  double r = (x - count * 1.5707963267948966) - count * 6.123233995736766e-17;
  uint64_t quadrant = bitCast<uint64_t>(shifted) + quarter;
  double z = r * r;
  double s =
      r * (1 + z * (-1.0 / 6 +
                    z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880)))));
  double c =
      1 + z * (-1.0 / 2 +
               z * (1.0 / 24 + z * (-1.0 / 720 +
                                    z * (1.0 / 40320 + z * (-1.0 / 3628800)))));
  double value = quadrant & 1 ? c : s;
  return quadrant & 2 ? -value : value;
}

template <uint64_t quarter> struct Sine {
  static float apply(float x) {
    bool isFinite = std::fabs(x) < bitCast<float>(0x7F800000u);
    // Beyond 2^31 the float has no phase left worth the name.
    bool hasPhase = std::fabs(x) < 0x1p31f;
    float result =
        static_cast<float>(sine(hasPhase ? double(x) : 0.0, quarter));
    return isFinite ? result : bitCast<float>(canonicalNan);
  }
};

/// tanh x = 1 - 2 / (e^2x + 1), with e^2x = 2^(2x / ln 2).
struct Tanh {
  static float apply(float x) {
    double clamped = x > 20.0f ? 20.0 : x < -20.0f ? -20.0 : double(x);
    double finite = x != x ? 0.0 : clamped;
    double power = exp2(finite * 2.8853900817779268);
    float result = static_cast<float>((power - 1) / (power + 1));
    // Cancellation: below this x is its own tanh within the error.
    return x != x || std::fabs(x) < 0x1p-12f ? x : result;
  }
};

template <typename Operation, bool ftz> struct Single {
  static float apply(float a) {
    return output<ftz>(Operation::apply(input<ftz>(a)));
  }
};

template <typename Operation, typename T, bool isPacked> struct Small {
  static uint32_t apply(uint32_t a) {
    uint32_t low = fromFloat<T>(Operation::apply(toFloat(T{uint16_t(a)}))).bits;
    if (!isPacked)
      return low;
    uint32_t high =
        fromFloat<T>(Operation::apply(toFloat(T{uint16_t(a >> 16)}))).bits;
    return low | high << 16;
  }
};

/// bf16 forms take and give denormals as zeros.
template <typename Operation> Handler selectFunction(const Opcode &opcode) {
  switch (opcode.types[0]) {
  case Type::F32:
    return opcode.has("ftz")
               ? elementwise<Single<Operation, true>, float, float>
               : elementwise<Single<Operation, false>, float, float>;
  case Type::F16:
    return elementwise<Small<Operation, Half, false>, uint32_t, uint32_t>;
  case Type::F16x2:
    return elementwise<Small<Operation, Half, true>, uint32_t, uint32_t>;
  case Type::BF16:
    return elementwise<Small<Single<Operation, true>, BFloat, false>, uint32_t,
                       uint32_t>;
  case Type::BF16x2:
    return elementwise<Small<Single<Operation, true>, BFloat, true>, uint32_t,
                       uint32_t>;
  default:
    return nullptr;
  }
}

struct ReciprocalRootOfDouble {
  static double apply(double x) { return output(1.0 / std::sqrt(x)); }
};

template <typename Operation> Handler selectSingle(const Opcode &opcode) {
  return opcode.types[0] == Type::F32 ? selectFunction<Operation>(opcode)
                                      : nullptr;
}

} // namespace

Handler selectExp2(const Opcode &opcode, Instruction &) {
  return selectFunction<Exp2>(opcode);
}

Handler selectTanh(const Opcode &opcode, Instruction &) {
  return selectFunction<Tanh>(opcode);
}

Handler selectLog2(const Opcode &opcode, Instruction &) {
  return selectSingle<Log2>(opcode);
}

Handler selectSine(const Opcode &opcode, Instruction &) {
  return selectSingle<Sine<0>>(opcode);
}

Handler selectCosine(const Opcode &opcode, Instruction &) {
  return selectSingle<Sine<1>>(opcode);
}

Handler selectReciprocalRoot(const Opcode &opcode, Instruction &) {
  if (opcode.types[0] == Type::F64)
    return elementwise<ReciprocalRootOfDouble, double, double>;
  return selectSingle<ReciprocalRoot>(opcode);
}

PBS_END_TARGET

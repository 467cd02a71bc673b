// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic of f32 and f64 (PTX ISA, "Floating Point Instructions"), except
// the approximations in SpecialFunctions.cpp.

#include "../InstructionTable.h"
#include "../Warp.h"

#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Float.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

// The 16-bit forms; HalfFloat.cpp.
Handler selectHalfAdd(const Opcode &opcode, Instruction &instruction);
Handler selectHalfSubtract(const Opcode &opcode, Instruction &instruction);
Handler selectHalfMultiply(const Opcode &opcode, Instruction &instruction);
Handler selectHalfFma(const Opcode &opcode, Instruction &instruction);
Handler selectHalfMinMax(const Opcode &opcode, Instruction &instruction,
                         bool isMaximum);
Handler selectHalfSign(const Opcode &opcode, Instruction &instruction,
                       bool isAbsolute);

namespace {
#include "Lanes.h"
#include "Numbers.h"

struct Add {
  template <typename T> static T apply(T a, T b) { return a + b; }
  static double toOdd(Rounding rounding, float a, float b) {
    return addToOdd(a, b, rounding);
  }
};
struct Subtract {
  template <typename T> static T apply(T a, T b) { return a - b; }
  static double toOdd(Rounding rounding, float a, float b) {
    return addToOdd(a, -double(b), rounding);
  }
};
struct Multiply {
  template <typename T> static T apply(T a, T b) { return a * b; }
  static double toOdd(Rounding, float a, float b) {
    return double(a) * double(b);
  }
};
struct Divide {
  template <typename T> static T apply(T a, T b) { return a / b; }
  static double toOdd(Rounding, float a, float b) {
    double quotient = double(a) / double(b);
    double rest = std::fma(-quotient, double(b), double(a));
    return roundToOdd(quotient, b < 0 ? -rest : rest);
  }
};
struct FusedMultiplyAdd {
  static float apply(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
  }
  static double apply(double a, double b, double c) {
    return __builtin_fma(a, b, c);
  }
  static double toOdd(Rounding rounding, float a, float b, float c) {
    return addToOdd(double(a) * double(b), c, rounding);
  }
};
struct SquareRoot {
  template <typename T> static T apply(T a) { return std::sqrt(a); }
  static double toOdd(Rounding, float a) {
    double root = std::sqrt(double(a));
    return roundToOdd(root, std::fma(-root, root, double(a)));
  }
};
struct Reciprocal {
  template <typename T> static T apply(T a) { return T(1) / a; }
  static double toOdd(Rounding rounding, float a) {
    return Divide::toOdd(rounding, 1.0f, a);
  }
};

template <typename Operation, bool ftz, bool sat> struct Single {
  template <typename... T> static float apply(T... values) {
    float result = Operation::apply(input<ftz>(values)...);
    return output<ftz>(sat ? saturate(result) : result);
  }
};
template <typename Operation> struct Double {
  template <typename... T> static double apply(T... values) {
    return output(Operation::apply(values...));
  }
};

/// f32 in any rounding, one lane after the other; immediate holds the rounding
/// and, above it, ftz and sat.
template <typename Operation, size_t... index>
void directedImplementation(Warp &warp, const Instruction &instruction,
                            uint32_t active, std::index_sequence<index...>) {
  auto rounding = Rounding(instruction.immediate & 3);
  bool ftz = instruction.immediate & 4;
  bool sat = instruction.immediate & 8;
  uint32_t *result = warp.lanes<uint32_t>(instruction.operands[0]);
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    auto value = [&](unsigned operand) {
      float number = bitCast<float>(
          warp.lanes<uint32_t>(instruction.operands[operand])[lane]);
      return ftz ? flush(number) : number;
    };
    float rounded =
        toFloat(Operation::toOdd(rounding, value(index + 1)...), rounding);
    if (sat)
      rounded = saturate(rounded);
    rounded = ftz ? output<true>(rounded) : output<false>(rounded);
    result[lane] = bitCast<uint32_t>(rounded);
  }
}

template <typename Operation, unsigned sources>
void directed(Warp &warp, const Instruction &instruction, uint32_t active) {
  directedImplementation<Operation>(warp, instruction, active,
                                    std::make_index_sequence<sources>());
}

template <typename T, size_t> using Same = T;

template <typename Operation, typename T, size_t... index>
constexpr Handler repeated(std::index_sequence<index...>) {
  return elementwise<Operation, T, Same<T, index>...>;
}

/// Any arithmetic of f32 and f64 with the given number of sources; operations
/// that do not round have no directed forms.
template <typename Operation, unsigned sources, bool isRounded = true>
Handler selectArithmetic(const Opcode &opcode, Instruction &instruction) {
  constexpr auto indices = std::make_index_sequence<sources>();
  bool ftz = opcode.has("ftz");
  bool sat = opcode.has("sat");
  Rounding rounding = roundingOf(opcode);
  if (opcode.types[0] == Type::F64)
    return ftz || sat || rounding != Rounding::Nearest
               ? nullptr
               : repeated<Double<Operation>, double>(indices);
  if (opcode.types[0] != Type::F32)
    return nullptr;
  if (rounding != Rounding::Nearest) {
    instruction.immediate =
        uint64_t(rounding) | uint64_t(ftz) << 2 | uint64_t(sat) << 3;
    if constexpr (isRounded)
      return directed<Operation, sources>;
    else
      return nullptr;
  }
  if (ftz)
    return sat ? repeated<Single<Operation, true, true>, float>(indices)
               : repeated<Single<Operation, true, false>, float>(indices);
  return sat ? repeated<Single<Operation, false, true>, float>(indices)
             : repeated<Single<Operation, false, false>, float>(indices);
}

/// min and max: a NaN loses against a number, unless .NaN; -0 is below +0.
template <bool isMaximum, bool nanWins, bool isAbsolute> struct MinMax {
  template <typename T> static T apply(T a, T b) {
    using Bits = LaneOf<T>;
    bool resultSign = std::signbit(a) != std::signbit(b);
    if (isAbsolute) {
      a = std::fabs(a);
      b = std::fabs(b);
    }
    bool takeA = isMaximum ? a > b : a < b;
    T zero = isMaximum ? bitCast<T>(Bits(bitCast<Bits>(a) & bitCast<Bits>(b)))
                       : bitCast<T>(Bits(bitCast<Bits>(a) | bitCast<Bits>(b)));
    T value = a == b ? zero : takeA ? a : b;
    T other = a != a ? b : a;
    T nan = a != a ? a : b;
    value = a != a || b != b ? (nanWins ? nan : other) : value;
    if (isAbsolute)
      value = std::copysign(value, resultSign ? T(-1) : T(1));
    return value;
  }
};

template <bool isMaximum>
Handler selectMinMax(const Opcode &opcode, Instruction &instruction) {
  if (bitWidth(opcode.types[0]) == 16 || opcode.types[0] == Type::F16x2 ||
      opcode.types[0] == Type::BF16x2)
    return selectHalfMinMax(opcode, instruction, isMaximum);
  bool nan = opcode.has("NaN");
  if (opcode.has("xorsign"))
    return nan ? selectArithmetic<MinMax<isMaximum, true, true>, 2, false>(
                     opcode, instruction)
               : selectArithmetic<MinMax<isMaximum, false, true>, 2, false>(
                     opcode, instruction);
  return nan ? selectArithmetic<MinMax<isMaximum, true, false>, 2, false>(
                   opcode, instruction)
             : selectArithmetic<MinMax<isMaximum, false, false>, 2, false>(
                   opcode, instruction);
}

/// Signs are changed on the bits, NaNs included.
template <bool ftz> struct Absolute {
  template <typename T> static T apply(T a) {
    if constexpr (std::is_same_v<T, float>)
      a = input<ftz>(a);
    return std::fabs(a);
  }
};
template <bool ftz> struct Negate {
  template <typename T> static T apply(T a) {
    if constexpr (std::is_same_v<T, float>)
      a = input<ftz>(a);
    return -a;
  }
};
struct CopySign {
  template <typename T> static T apply(T a, T b) { return std::copysign(b, a); }
};

template <template <bool> class Operation>
Handler selectSign(const Opcode &opcode) {
  if (opcode.types[0] == Type::F64)
    return elementwise<Operation<false>, double, double>;
  if (opcode.types[0] != Type::F32)
    return nullptr;
  return opcode.has("ftz") ? elementwise<Operation<true>, float, float>
                           : elementwise<Operation<false>, float, float>;
}

bool isSmall(Type type) { return type >= Type::F16 && type <= Type::BF16x2; }

} // namespace

Handler selectFloatAdd(const Opcode &opcode, Instruction &instruction) {
  return isSmall(opcode.types[0])
             ? selectHalfAdd(opcode, instruction)
             : selectArithmetic<Add, 2>(opcode, instruction);
}

Handler selectFloatSubtract(const Opcode &opcode, Instruction &instruction) {
  return isSmall(opcode.types[0])
             ? selectHalfSubtract(opcode, instruction)
             : selectArithmetic<Subtract, 2>(opcode, instruction);
}

Handler selectFloatMultiply(const Opcode &opcode, Instruction &instruction) {
  return isSmall(opcode.types[0])
             ? selectHalfMultiply(opcode, instruction)
             : selectArithmetic<Multiply, 2>(opcode, instruction);
}

Handler selectFma(const Opcode &opcode, Instruction &instruction) {
  return isSmall(opcode.types[0])
             ? selectHalfFma(opcode, instruction)
             : selectArithmetic<FusedMultiplyAdd, 3>(opcode, instruction);
}

Handler selectFloatDivide(const Opcode &opcode, Instruction &instruction) {
  return selectArithmetic<Divide, 2>(opcode, instruction);
}

Handler selectFloatMinimum(const Opcode &opcode, Instruction &instruction) {
  return selectMinMax<false>(opcode, instruction);
}

Handler selectFloatMaximum(const Opcode &opcode, Instruction &instruction) {
  return selectMinMax<true>(opcode, instruction);
}

Handler selectFloatAbsolute(const Opcode &opcode, Instruction &instruction) {
  return isSmall(opcode.types[0]) ? selectHalfSign(opcode, instruction, true)
                                  : selectSign<Absolute>(opcode);
}

Handler selectFloatNegate(const Opcode &opcode, Instruction &instruction) {
  return isSmall(opcode.types[0]) ? selectHalfSign(opcode, instruction, false)
                                  : selectSign<Negate>(opcode);
}

Handler selectCopySign(const Opcode &opcode, Instruction &) {
  if (opcode.types[0] == Type::F32)
    return elementwise<CopySign, float, float, float>;
  if (opcode.types[0] == Type::F64)
    return elementwise<CopySign, double, double, double>;
  return nullptr;
}

// The approximate forms are exact here, which is within their error.
Handler selectSquareRoot(const Opcode &opcode, Instruction &instruction) {
  return selectArithmetic<SquareRoot, 1>(opcode, instruction);
}

Handler selectReciprocal(const Opcode &opcode, Instruction &instruction) {
  if (opcode.types[0] == Type::F64 && opcode.has("approx"))
    return elementwise<Double<Reciprocal>, double, double>;
  return selectArithmetic<Reciprocal, 1>(opcode, instruction);
}

PBS_END_TARGET

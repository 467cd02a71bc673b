// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic of f16 and bf16, single and in pairs (PTX ISA, "Half Precision
// Floating Point Instructions").

#include "../InstructionTable.h"
#include "../Warp.h"

#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/HalfFloat.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"
#include "Numbers.h"

enum Modifier : unsigned { Ftz = 1, Sat = 2, Relu = 4 };

/// What the modifiers do to operands: .ftz flushes f16 denormals.
template <typename T, unsigned modifiers> float read(uint32_t bits) {
  uint16_t half = uint16_t(bits);
  if (modifiers & Ftz)
    half = (half & 0x7C00) == 0 ? half & 0x8000 : half;
  return toFloat(T{half});
}

/// ... and to results.
template <typename T, unsigned modifiers> uint32_t finish(T value) {
  uint32_t bits = value.bits;
  if (modifiers & Ftz)
    bits = (bits & 0x7C00) == 0 ? bits & 0x8000 : bits;
  if (modifiers & (Sat | Relu)) {
    float number = toFloat(value);
    bool isNan = number != number;
    if (modifiers & Sat) {
      bits = isNan || !(number > 0) ? 0 : bits;
      bits = number > 1 ? fromFloat<T>(1.0f).bits : bits;
    } else {
      bits = isNan ? canonicalHalfNan : number > 0 ? bits : 0;
    }
  }
  return bits;
}

// f32 has more than twice the bits, so that rounding its results once more is
// rounding the exact ones.
struct Add {
  template <typename T> static T apply(float a, float b) {
    return fromFloat<T>(a + b);
  }
};
struct Subtract {
  template <typename T> static T apply(float a, float b) {
    return fromFloat<T>(a - b);
  }
};
struct Multiply {
  template <typename T> static T apply(float a, float b) {
    return fromFloat<T>(a * b);
  }
};
struct FusedMultiplyAdd {
  template <typename T> static T apply(float a, float b, float c) {
    // The product is exact in double; the sum is rounded to odd on its way to
    // float, so that only the last rounding counts.
    double sum = addToOdd(double(a) * double(b), double(c), Rounding::Nearest);
    float nearest = static_cast<float>(sum);
    double error = sum - double(nearest);
    uint32_t bits = bitCast<uint32_t>(nearest);
    if (error != 0 && std::isfinite(nearest) && (bits & 1) == 0) {
      if (nearest == 0)
        bits = sum > 0 ? 1 : 0x80000001;
      else
        bits = (error > 0) == (nearest > 0) ? bits + 1 : bits - 1;
    }
    return fromFloat<T>(bitCast<float>(bits));
  }
};

template <bool isMaximum, bool nanWins> struct MinMax {
  template <typename T> static T apply(float a, float b) {
    uint32_t x = bitCast<uint32_t>(a), y = bitCast<uint32_t>(b);
    bool takeA = isMaximum ? a > b : a < b;
    float zero = bitCast<float>(isMaximum ? x & y : x | y);
    float value = a == b ? zero : takeA ? a : b;
    bool anyNan = a != a || b != b;
    float other = a != a ? b : a;
    float nan = bitCast<float>(canonicalNan);
    return fromFloat<T>(anyNan ? (nanWins ? nan : other) : value);
  }
};

/// One or two values of type T in each lane.
template <typename Operation, typename T, bool isPacked, unsigned modifiers>
struct Apply {
  template <typename... Lane> static uint32_t apply(Lane... lanes) {
    uint32_t low = finish<T, modifiers>(
        Operation::template apply<T>(read<T, modifiers>(lanes)...));
    if (!isPacked)
      return low;
    uint32_t high = finish<T, modifiers>(
        Operation::template apply<T>(read<T, modifiers>(lanes >> 16)...));
    return low | high << 16;
  }
};

template <typename Operation, typename T, bool isPacked, unsigned modifiers>
Handler withSources() {
  using Lanes = Apply<Operation, T, isPacked, modifiers>;
  // Three sources have one operation; all others have two.
  if constexpr (std::is_same_v<Operation, FusedMultiplyAdd>)
    return elementwise<Lanes, uint32_t, uint32_t, uint32_t, uint32_t>;
  else
    return elementwise<Lanes, uint32_t, uint32_t, uint32_t>;
}

template <typename Operation, unsigned modifiers> Handler withType(Type type) {
  switch (type) {
  case Type::F16:
    return withSources<Operation, Half, false, modifiers>();
  case Type::F16x2:
    return withSources<Operation, Half, true, modifiers>();
  case Type::BF16:
    return modifiers & (Ftz | Sat)
               ? nullptr
               : withSources<Operation, BFloat, false, modifiers>();
  case Type::BF16x2:
    return modifiers & (Ftz | Sat)
               ? nullptr
               : withSources<Operation, BFloat, true, modifiers>();
  default:
    return nullptr;
  }
}

template <typename Operation> Handler selectHalf(const Opcode &opcode) {
  if (roundingOf(opcode) != Rounding::Nearest)
    return nullptr;
  unsigned modifiers = (opcode.has("ftz") ? Ftz : 0u) |
                       (opcode.has("sat") ? Sat : 0u) |
                       (opcode.has("relu") ? Relu : 0u);
  switch (modifiers) {
  case 0:
    return withType<Operation, 0>(opcode.types[0]);
  case Ftz:
    return withType<Operation, Ftz>(opcode.types[0]);
  case Sat:
    return withType<Operation, Sat>(opcode.types[0]);
  case Ftz | Sat:
    return withType<Operation, Ftz | Sat>(opcode.types[0]);
  case Relu:
    return withType<Operation, Relu>(opcode.types[0]);
  case Ftz | Relu:
    return withType<Operation, Ftz | Relu>(opcode.types[0]);
  default:
    return nullptr;
  }
}

/// immediate: bits to keep and, above 32, bits to flip.
void changeSign(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t keep = uint32_t(instruction.immediate);
  uint32_t flip = uint32_t(instruction.immediate >> 32);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.operands[1]);
  forLanes(active, warp.lanes<uint32_t>(instruction.operands[0]),
           [=](unsigned lane) { return (a[lane] & keep) ^ flip; });
}

} // namespace

Handler selectHalfAdd(const Opcode &opcode, Instruction &) {
  return selectHalf<Add>(opcode);
}

Handler selectHalfSubtract(const Opcode &opcode, Instruction &) {
  return selectHalf<Subtract>(opcode);
}

Handler selectHalfMultiply(const Opcode &opcode, Instruction &) {
  return selectHalf<Multiply>(opcode);
}

Handler selectHalfFma(const Opcode &opcode, Instruction &) {
  return selectHalf<FusedMultiplyAdd>(opcode);
}

Handler selectHalfMinMax(const Opcode &opcode, Instruction &, bool isMaximum) {
  if (opcode.has("xorsign"))
    return nullptr;
  if (opcode.has("NaN"))
    return isMaximum ? selectHalf<MinMax<true, true>>(opcode)
                     : selectHalf<MinMax<false, true>>(opcode);
  return isMaximum ? selectHalf<MinMax<true, false>>(opcode)
                   : selectHalf<MinMax<false, false>>(opcode);
}

Handler selectHalfSign(const Opcode &opcode, Instruction &instruction,
                       bool isAbsolute) {
  if (opcode.has("ftz"))
    return nullptr;
  bool isPacked = bitWidth(opcode.types[0]) == 32;
  uint32_t signs = isPacked ? 0x80008000 : 0x8000;
  uint32_t all = isPacked ? UINT32_MAX : 0xFFFF;
  instruction.immediate =
      isAbsolute ? all & ~signs : all | uint64_t(signs) << 32;
  return changeSign;
}

PBS_END_TARGET

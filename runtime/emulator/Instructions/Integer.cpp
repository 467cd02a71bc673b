// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer arithmetic (PTX ISA, "Integer Arithmetic Instructions" and
// "Extended-Precision Integer Arithmetic Instructions").

#include "../InstructionTable.h"
#include "../Warp.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Integer.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"

/// Arithmetic modulo 2^bits, never narrower than unsigned int.
template <typename T>
using Modular = std::common_type_t<std::make_unsigned_t<T>, unsigned>;

struct Add {
  template <typename T> static T apply(T a, T b) {
    return T(Modular<T>(a) + Modular<T>(b));
  }
};
struct Subtract {
  template <typename T> static T apply(T a, T b) {
    return T(Modular<T>(a) - Modular<T>(b));
  }
};
struct MultiplyLow {
  template <typename T> static T apply(T a, T b) {
    return T(Modular<T>(a) * Modular<T>(b));
  }
};
struct AddSaturated {
  static int32_t apply(int32_t a, int32_t b) {
    int64_t sum = int64_t(a) + b;
    return int32_t(std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX));
  }
};
struct SubtractSaturated {
  static int32_t apply(int32_t a, int32_t b) {
    int64_t sum = int64_t(a) - b;
    return int32_t(std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX));
  }
};

/// The type of twice the width and the same sign.
template <typename T> struct Doubled;
template <> struct Doubled<uint16_t> {
  using Type = uint32_t;
};
template <> struct Doubled<int16_t> {
  using Type = int32_t;
};
template <> struct Doubled<uint32_t> {
  using Type = uint64_t;
};
template <> struct Doubled<int32_t> {
  using Type = int64_t;
};
template <> struct Doubled<uint64_t> {
  using Type = unsigned __int128;
};
template <> struct Doubled<int64_t> {
  using Type = __int128;
};

struct MultiplyHigh {
  template <typename T> static T apply(T a, T b) {
    using Wide = typename Doubled<T>::Type;
    return T(Wide(a) * Wide(b) >> (sizeof(T) * 8));
  }
};
struct MultiplyWide {
  template <typename T> static auto apply(T a, T b) {
    using Wide = typename Doubled<T>::Type;
    return Wide(Wide(a) * Wide(b));
  }
};
template <typename Product> struct MultiplyAdd {
  template <typename T, typename C> static C apply(T a, T b, C c) {
    return Add::apply<C>(Product::apply(a, b), c);
  }
};

struct Multiply24 {
  template <typename T> static T apply(T a, T b) {
    // The lower 24 bits, extended by their sign.
    return T(Modular<T>(T(Modular<T>(a) << 8) >> 8) *
             Modular<T>(T(Modular<T>(b) << 8) >> 8));
  }
};

// Division by zero gives all ones, as on the hardware; PTX leaves it open.
struct Divide {
  template <typename T> static T apply(T a, T b) {
    if (b == 0)
      return T(-1);
    if (std::is_signed_v<T> && b == T(-1))
      return T(-Modular<T>(a));
    return T(a / b);
  }
};
struct Remainder {
  template <typename T> static T apply(T a, T b) {
    if (b == 0)
      return a;
    if (std::is_signed_v<T> && b == T(-1))
      return 0;
    return T(a % b);
  }
};

struct Absolute {
  template <typename T> static T apply(T a) {
    return a < 0 ? T(-Modular<T>(a)) : a;
  }
};
struct Negate {
  template <typename T> static T apply(T a) { return T(-Modular<T>(a)); }
};
struct Minimum {
  template <typename T> static T apply(T a, T b) { return a < b ? a : b; }
};
struct Maximum {
  template <typename T> static T apply(T a, T b) { return a < b ? b : a; }
};
template <typename Operation> struct Rectified {
  template <typename T> static T apply(T a, T b) {
    T value = Operation::apply(a, b);
    return value < 0 ? 0 : value;
  }
};
struct SumOfDifferences {
  template <typename T>
  static std::make_unsigned_t<T> apply(T a, T b, std::make_unsigned_t<T> c) {
    using U = std::make_unsigned_t<T>;
    return U((a < b ? U(U(b) - U(a)) : U(U(a) - U(b))) + c);
  }
};

/// Minimum and maximum of both halves.
template <typename Operation, typename T> struct Packed {
  static uint32_t apply(uint32_t a, uint32_t b) {
    uint32_t low = uint16_t(Operation::template apply<T>(T(a), T(b)));
    uint32_t high =
        uint16_t(Operation::template apply<T>(T(a >> 16), T(b >> 16)));
    return low | high << 16;
  }
};

template <typename Operation> Handler selectBinary(Type type) {
  return withInteger(type, [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<Operation, T, T, T>;
  });
}

/// d = a + b + carry in, with carry out; subtraction adds the complement, and
/// its borrow is the missing carry.
template <typename T, bool subtracts>
void extendedAdd(Warp &warp, const Instruction &instruction, uint32_t active) {
  bool usesCarry = instruction.immediate & 1;
  bool setsCarry = instruction.immediate & 2;
  T *result = warp.lanes<T>(instruction.operands[0]);
  const T *a = warp.lanes<T>(instruction.operands[1]);
  const T *b = warp.lanes<T>(instruction.operands[2]);
  uint32_t carry = 0;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    bool in = usesCarry && (warp.carry >> lane & 1);
    T right = subtracts ? ~b[lane] : b[lane];
    // Without a borrow, subtraction adds the complement and one.
    T extra = subtracts ? T(!in) : T(in);
    unsigned __int128 sum =
        static_cast<unsigned __int128>(a[lane]) + right + extra;
    bool out = (sum >> (sizeof(T) * 8)) & 1;
    carry |= uint32_t(subtracts ? !out : out) << lane;
    result[lane] = T(sum);
  }
  if (setsCarry)
    warp.carry = (warp.carry & ~active) | (carry & active);
}

template <bool subtracts>
Handler selectExtended(const Opcode &opcode, Instruction &instruction,
                       bool usesCarry) {
  instruction.immediate = uint64_t(usesCarry) | uint64_t(opcode.has("cc")) << 1;
  if (opcode.typeCount != 1 || isFloat(opcode.types[0]))
    return nullptr;
  if (bitWidth(opcode.types[0]) == 32)
    return extendedAdd<uint32_t, subtracts>;
  if (bitWidth(opcode.types[0]) == 64)
    return extendedAdd<uint64_t, subtracts>;
  return nullptr;
}

/// mad.lo/hi with carry: the product's half first, then like add.
template <typename T, bool isHigh>
void extendedMultiplyAdd(Warp &warp, const Instruction &instruction,
                         uint32_t active) {
  bool usesCarry = instruction.immediate & 1;
  bool setsCarry = instruction.immediate & 2;
  using Lane = LaneOf<T>;
  Lane *result = warp.lanes<Lane>(instruction.operands[0]);
  const Lane *a = warp.lanes<Lane>(instruction.operands[1]);
  const Lane *b = warp.lanes<Lane>(instruction.operands[2]);
  const Lane *c = warp.lanes<Lane>(instruction.operands[3]);
  uint32_t carry = 0;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    T product = isHigh ? MultiplyHigh::apply(T(a[lane]), T(b[lane]))
                       : MultiplyLow::apply(T(a[lane]), T(b[lane]));
    unsigned __int128 sum = static_cast<unsigned __int128>(Lane(product)) +
                            c[lane] + (usesCarry && (warp.carry >> lane & 1));
    carry |= uint32_t(sum >> (sizeof(T) * 8) & 1) << lane;
    result[lane] = Lane(sum);
  }
  if (setsCarry)
    warp.carry = (warp.carry & ~active) | (carry & active);
}

template <typename Product, bool isHigh>
Handler selectMultiplyAdd(const Opcode &opcode, Instruction &instruction,
                          bool usesCarry) {
  if (usesCarry || opcode.has("cc")) {
    instruction.immediate = uint64_t(usesCarry) | uint64_t(opcode.has("cc"))
                                                      << 1;
    switch (opcode.types[0]) {
    case Type::U32:
      return extendedMultiplyAdd<uint32_t, isHigh>;
    case Type::S32:
      return extendedMultiplyAdd<int32_t, isHigh>;
    case Type::U64:
      return extendedMultiplyAdd<uint64_t, isHigh>;
    case Type::S64:
      return extendedMultiplyAdd<int64_t, isHigh>;
    default:
      return nullptr;
    }
  }
  return withInteger(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<MultiplyAdd<Product>, T, T, T, T>;
  });
}

template <typename Operation> Handler selectMinMax(const Opcode &opcode) {
  Type type = opcode.types[0];
  if (opcode.has("relu"))
    return type == Type::S32
               ? elementwise<Rectified<Operation>, int32_t, int32_t, int32_t>
               : nullptr;
  return selectBinary<Operation>(type);
}

template <typename Operation>
Handler selectPackedMinMax(const Opcode &opcode, bool isSigned) {
  if (opcode.has("relu"))
    return isSigned ? elementwise<Packed<Rectified<Operation>, int16_t>,
                                  uint32_t, uint32_t, uint32_t>
                    : nullptr;
  return isSigned ? elementwise<Packed<Operation, int16_t>, uint32_t, uint32_t,
                                uint32_t>
                  : elementwise<Packed<Operation, uint16_t>, uint32_t, uint32_t,
                                uint32_t>;
}

} // namespace

// Floating-point forms of the same mnemonics; Float.cpp.
Handler selectFloatAdd(const Opcode &opcode, Instruction &instruction);
Handler selectFloatSubtract(const Opcode &opcode, Instruction &instruction);
Handler selectFloatMultiply(const Opcode &opcode, Instruction &instruction);
Handler selectFma(const Opcode &opcode, Instruction &instruction);
Handler selectFloatDivide(const Opcode &opcode, Instruction &instruction);
Handler selectFloatMinimum(const Opcode &opcode, Instruction &instruction);
Handler selectFloatMaximum(const Opcode &opcode, Instruction &instruction);
Handler selectFloatAbsolute(const Opcode &opcode, Instruction &instruction);
Handler selectFloatNegate(const Opcode &opcode, Instruction &instruction);

Handler selectAdd(const Opcode &opcode, Instruction &instruction) {
  if (isFloat(opcode.types[0]))
    return selectFloatAdd(opcode, instruction);
  if (opcode.has("cc"))
    return selectExtended<false>(opcode, instruction, false);
  if (opcode.has("sat"))
    return opcode.types[0] == Type::S32
               ? elementwise<AddSaturated, int32_t, int32_t, int32_t>
               : nullptr;
  return selectBinary<Add>(opcode.types[0]);
}

Handler selectSubtract(const Opcode &opcode, Instruction &instruction) {
  if (isFloat(opcode.types[0]))
    return selectFloatSubtract(opcode, instruction);
  if (opcode.has("cc"))
    return selectExtended<true>(opcode, instruction, false);
  if (opcode.has("sat"))
    return opcode.types[0] == Type::S32
               ? elementwise<SubtractSaturated, int32_t, int32_t, int32_t>
               : nullptr;
  return selectBinary<Subtract>(opcode.types[0]);
}

Handler selectAddCarry(const Opcode &opcode, Instruction &instruction) {
  return selectExtended<false>(opcode, instruction, true);
}

Handler selectSubtractCarry(const Opcode &opcode, Instruction &instruction) {
  return selectExtended<true>(opcode, instruction, true);
}

Handler selectMultiply(const Opcode &opcode, Instruction &instruction) {
  // Integers say lo, hi or wide.
  return isFloat(opcode.types[0]) ? selectFloatMultiply(opcode, instruction)
                                  : nullptr;
}

Handler selectMultiplyLow(const Opcode &opcode, Instruction &) {
  return selectBinary<MultiplyLow>(opcode.types[0]);
}

Handler selectMultiplyHigh(const Opcode &opcode, Instruction &) {
  return selectBinary<MultiplyHigh>(opcode.types[0]);
}

Handler selectMultiplyWide(const Opcode &opcode, Instruction &) {
  switch (opcode.types[0]) {
  case Type::U16:
    return elementwise<MultiplyWide, uint32_t, uint16_t, uint16_t>;
  case Type::S16:
    return elementwise<MultiplyWide, int32_t, int16_t, int16_t>;
  case Type::U32:
    return elementwise<MultiplyWide, uint64_t, uint32_t, uint32_t>;
  case Type::S32:
    return elementwise<MultiplyWide, int64_t, int32_t, int32_t>;
  default:
    return nullptr;
  }
}

Handler selectMad(const Opcode &opcode, Instruction &instruction) {
  return isFloat(opcode.types[0]) ? selectFma(opcode, instruction) : nullptr;
}

Handler selectMadLow(const Opcode &opcode, Instruction &instruction) {
  return selectMultiplyAdd<MultiplyLow, false>(opcode, instruction, false);
}

Handler selectMadHigh(const Opcode &opcode, Instruction &instruction) {
  return selectMultiplyAdd<MultiplyHigh, true>(opcode, instruction, false);
}

Handler selectMadcLow(const Opcode &opcode, Instruction &instruction) {
  return selectMultiplyAdd<MultiplyLow, false>(opcode, instruction, true);
}

Handler selectMadcHigh(const Opcode &opcode, Instruction &instruction) {
  return selectMultiplyAdd<MultiplyHigh, true>(opcode, instruction, true);
}

Handler selectMadWide(const Opcode &opcode, Instruction &) {
  using Operation = MultiplyAdd<MultiplyWide>;
  switch (opcode.types[0]) {
  case Type::U16:
    return elementwise<Operation, uint32_t, uint16_t, uint16_t, uint32_t>;
  case Type::S16:
    return elementwise<Operation, int32_t, int16_t, int16_t, int32_t>;
  case Type::U32:
    return elementwise<Operation, uint64_t, uint32_t, uint32_t, uint64_t>;
  case Type::S32:
    return elementwise<Operation, int64_t, int32_t, int32_t, int64_t>;
  default:
    return nullptr;
  }
}

Handler selectMultiply24(const Opcode &opcode, Instruction &) {
  if (opcode.types[0] == Type::U32)
    return elementwise<Multiply24, uint32_t, uint32_t, uint32_t>;
  if (opcode.types[0] == Type::S32)
    return elementwise<Multiply24, int32_t, int32_t, int32_t>;
  return nullptr;
}

Handler selectMad24(const Opcode &opcode, Instruction &) {
  using Operation = MultiplyAdd<Multiply24>;
  if (opcode.types[0] == Type::U32)
    return elementwise<Operation, uint32_t, uint32_t, uint32_t, uint32_t>;
  if (opcode.types[0] == Type::S32)
    return elementwise<Operation, int32_t, int32_t, int32_t, int32_t>;
  return nullptr;
}

Handler selectDivide(const Opcode &opcode, Instruction &instruction) {
  if (isFloat(opcode.types[0]))
    return selectFloatDivide(opcode, instruction);
  return selectBinary<Divide>(opcode.types[0]);
}

Handler selectRemainder(const Opcode &opcode, Instruction &) {
  return selectBinary<Remainder>(opcode.types[0]);
}

Handler selectMinimum(const Opcode &opcode, Instruction &instruction) {
  return isFloat(opcode.types[0]) ? selectFloatMinimum(opcode, instruction)
                                  : selectMinMax<Minimum>(opcode);
}

Handler selectMaximum(const Opcode &opcode, Instruction &instruction) {
  return isFloat(opcode.types[0]) ? selectFloatMaximum(opcode, instruction)
                                  : selectMinMax<Maximum>(opcode);
}

Handler selectPackedMinimum(const Opcode &opcode, Instruction &) {
  return selectPackedMinMax<Minimum>(opcode, opcode.has("s16x2"));
}

Handler selectPackedMaximum(const Opcode &opcode, Instruction &) {
  return selectPackedMinMax<Maximum>(opcode, opcode.has("s16x2"));
}

Handler selectAbsolute(const Opcode &opcode, Instruction &instruction) {
  if (isFloat(opcode.types[0]))
    return selectFloatAbsolute(opcode, instruction);
  switch (opcode.types[0]) {
  case Type::S16:
    return elementwise<Absolute, int16_t, int16_t>;
  case Type::S32:
    return elementwise<Absolute, int32_t, int32_t>;
  case Type::S64:
    return elementwise<Absolute, int64_t, int64_t>;
  default:
    return nullptr;
  }
}

Handler selectNegate(const Opcode &opcode, Instruction &instruction) {
  if (isFloat(opcode.types[0]))
    return selectFloatNegate(opcode, instruction);
  if (!isSigned(opcode.types[0]))
    return nullptr;
  return withBits(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<Negate, T, T>;
  });
}

Handler selectSumOfDifferences(const Opcode &opcode, Instruction &) {
  return withInteger(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    using U = std::make_unsigned_t<T>;
    return elementwise<SumOfDifferences, U, T, T, U>;
  });
}

PBS_END_TARGET

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits and predicates (PTX ISA, "Logic and Shift Instructions" and the bit
// field instructions of "Integer Arithmetic Instructions").

#include "../InstructionTable.h"
#include "../Warp.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Logic.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"

struct And {
  template <typename T> static T apply(T a, T b) { return a & b; }
};
struct Or {
  template <typename T> static T apply(T a, T b) { return a | b; }
};
struct Xor {
  template <typename T> static T apply(T a, T b) { return a ^ b; }
};
struct Not {
  template <typename T> static T apply(T a) { return T(~a); }
};
struct LogicalNot {
  template <typename T> static T apply(T a) { return a == 0; }
};

template <typename Operation>
void predicateBinary(Warp &warp, const Instruction &instruction,
                     uint32_t active) {
  uint32_t value = Operation::apply(warp.predicate(instruction.operands[1]),
                                    warp.predicate(instruction.operands[2]));
  warp.setPredicate(instruction.operands[0], value, active);
}

void predicateNot(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t value = ~warp.predicate(instruction.operands[1]);
  warp.setPredicate(instruction.operands[0], value, active);
}

template <typename Operation> Handler selectLogic(const Opcode &opcode) {
  Type type = opcode.types[0];
  if (type == Type::Pred)
    return predicateBinary<Operation>;
  return withBits(type, [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<Operation, T, T, T>;
  });
}

// Shift amounts are 32 bits and clamp at the width.
struct ShiftLeft {
  template <typename T> static T apply(T a, uint32_t b) {
    return b >= sizeof(T) * 8 ? T(0) : T(a << (b & (sizeof(T) * 8 - 1)));
  }
};
struct ShiftRight {
  template <typename T> static T apply(T a, uint32_t b) {
    if constexpr (std::is_signed_v<T>)
      return T(a >> std::min<uint32_t>(b, sizeof(T) * 8 - 1));
    else
      return b >= sizeof(T) * 8 ? T(0) : T(a >> (b & (sizeof(T) * 8 - 1)));
  }
};

struct PopulationCount {
  template <typename T> static uint32_t apply(T a) {
    return uint32_t(__builtin_popcountll(a));
  }
};
struct LeadingZeros {
  template <typename T> static uint32_t apply(T a) {
    unsigned excess = 64 - sizeof(T) * 8;
    return a == 0 ? sizeof(T) * 8 : uint32_t(__builtin_clzll(a)) - excess;
  }
};
struct Reverse {
  template <typename T> static T apply(T a) {
    uint64_t bits = a;
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0F0F0F0F0F0F0F0F) | (bits & 0x0F0F0F0F0F0F0F0F) << 4;
    return T(__builtin_bswap64(bits) >> (64 - sizeof(T) * 8));
  }
};
/// The highest bit that differs from the sign; all ones if there is none.
template <bool shiftAmount> struct FindBit {
  template <typename T> static uint32_t apply(T a) {
    using U = std::make_unsigned_t<T>;
    U bits = a < 0 ? U(~a) : U(a);
    if (bits == 0)
      return UINT32_MAX;
    uint32_t leading = LeadingZeros::apply(bits);
    return shiftAmount ? leading : uint32_t(sizeof(T) * 8) - 1 - leading;
  }
};

struct ExtractField {
  template <typename T> static T apply(T a, uint32_t b, uint32_t c) {
    using U = std::make_unsigned_t<T>;
    constexpr uint32_t width = sizeof(T) * 8;
    uint32_t position = b & 0xFF;
    uint32_t length = c & 0xFF;
    if (length == 0)
      return 0;
    bool sign = std::is_signed_v<T> &&
                (U(a) >> std::min(position + length - 1, width - 1) & 1);
    U value = position >= width ? U(0) : U(U(a) >> position);
    if (length >= width)
      length = width;
    U mask = length == width ? U(-1) : U((U(1) << length) - 1);
    value &= mask;
    // Bits above the source's are copies of the sign as well.
    if (sign) {
      uint32_t valid =
          position >= width ? 0 : std::min(length, width - position);
      U kept = valid == width ? U(-1) : U((U(1) << valid) - 1);
      value = (value & kept) | U(~kept);
    }
    return T(value);
  }
};
struct InsertField {
  template <typename T> static T apply(T a, T b, uint32_t c, uint32_t d) {
    constexpr uint32_t width = sizeof(T) * 8;
    uint32_t position = c & 0xFF;
    uint32_t length = d & 0xFF;
    if (length == 0 || position >= width)
      return b;
    T mask = length >= width ? T(-1) : T((T(1) << length) - 1);
    mask = T(mask << position);
    return (b & ~mask) | (T(a << position) & mask);
  }
};

template <bool clamps> struct FunnelLeft {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t amount = clamps ? std::min(c, 32u) : c & 31;
    return uint32_t((uint64_t(b) << 32 | a) << amount >> 32);
  }
};
template <bool clamps> struct FunnelRight {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t amount = clamps ? std::min(c, 32u) : c & 31;
    return uint32_t((uint64_t(b) << 32 | a) >> amount);
  }
};

/// lop3: bit i of the table is the result for the inputs of which i is made.
template <bool withPredicate>
void lop3(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t *result = warp.lanes<uint32_t>(instruction.operands[0]);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.operands[2]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.operands[3]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.operands[4]);
  uint32_t table = instruction.operands[5];
  uint32_t term[8];
  for (unsigned index = 0; index < 8; ++index)
    term[index] = table >> index & 1 ? UINT32_MAX : 0;
  forLanes(active, result, [=](unsigned lane) {
    uint32_t x = a[lane], y = b[lane], z = c[lane];
    uint32_t low = (~z & ((~y & term[0]) | (y & term[2]))) |
                   (z & ((~y & term[1]) | (y & term[3])));
    uint32_t high = (~z & ((~y & term[4]) | (y & term[6]))) |
                    (z & ((~y & term[5]) | (y & term[7])));
    return (~x & low) | (x & high);
  });
  if (withPredicate) {
    uint32_t nonzero = maskOf([=](unsigned lane) { return result[lane] != 0; });
    uint32_t other = warp.predicate(instruction.operands[6]);
    if (instruction.flags & Instruction::SourceNegated)
      other = ~other;
    uint32_t value = instruction.immediate ? nonzero & other : nonzero | other;
    warp.setPredicate(instruction.operands[1], value, active);
  }
}

/// prmt's selector in the modes that compute it from the lowest two bits.
uint32_t permuteSelector(uint32_t mode, uint32_t selector) {
  static constexpr uint16_t selectors[6][4] = {
      {0x3210, 0x4321, 0x5432, 0x6543}, // f4e
      {0x5670, 0x6701, 0x7012, 0x0123}, // b4e
      {0x0000, 0x1111, 0x2222, 0x3333}, // rc8
      {0x3210, 0x3211, 0x3222, 0x3333}, // ecl
      {0x0000, 0x1110, 0x2210, 0x3210}, // ecr
      {0x1010, 0x3232, 0x1010, 0x3232}, // rc16
  };
  return mode == 0 ? selector : selectors[mode - 1][selector & 3];
}

void permuteBytes(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t *result = warp.lanes<uint32_t>(instruction.operands[0]);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.operands[1]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.operands[2]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.operands[3]);
  uint32_t mode = uint32_t(instruction.immediate);
  forLanes(active, result, [=](unsigned lane) {
    uint64_t bytes = uint64_t(b[lane]) << 32 | a[lane];
    uint32_t selector = permuteSelector(mode, c[lane]);
    uint32_t value = 0;
    for (unsigned index = 0; index < 4; ++index) {
      uint32_t choice = selector >> (4 * index) & 15;
      uint32_t byte = uint32_t(bytes >> (8 * (choice & 7))) & 0xFF;
      // The highest bit asks for the byte's sign in all of its bits.
      if (choice & 8)
        byte = byte & 0x80 ? 0xFF : 0;
      value |= byte << (8 * index);
    }
    return value;
  });
}

template <bool wraps> struct BitMask {
  static uint32_t apply(uint32_t a, uint32_t b) {
    if (wraps)
      return ((1u << (b & 31)) - 1) << (a & 31);
    uint32_t length = std::min(b, 32u);
    uint64_t mask = (uint64_t(1) << length) - 1;
    return a > 31 ? 0 : uint32_t(mask << a);
  }
};

/// Products of packed bytes and words, summed.
template <typename A, typename B> struct DotOfBytes {
  static uint32_t apply(uint32_t a, uint32_t b, uint32_t c) {
    for (unsigned index = 0; index < 4; ++index)
      c += uint32_t(int32_t(A(a >> 8 * index)) * int32_t(B(b >> 8 * index)));
    return c;
  }
};

} // namespace

Handler selectAnd(const Opcode &opcode, Instruction &) {
  return selectLogic<And>(opcode);
}

Handler selectOr(const Opcode &opcode, Instruction &) {
  return selectLogic<Or>(opcode);
}

Handler selectXor(const Opcode &opcode, Instruction &) {
  return selectLogic<Xor>(opcode);
}

Handler selectNot(const Opcode &opcode, Instruction &) {
  if (opcode.types[0] == Type::Pred)
    return predicateNot;
  return withBits(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<Not, T, T>;
  });
}

Handler selectLogicalNot(const Opcode &opcode, Instruction &) {
  return withBits(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<LogicalNot, T, T>;
  });
}

Handler selectShiftLeft(const Opcode &opcode, Instruction &) {
  return withBits(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<ShiftLeft, T, T, uint32_t>;
  });
}

Handler selectShiftRight(const Opcode &opcode, Instruction &) {
  return withInteger(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<ShiftRight, T, T, uint32_t>;
  });
}

Handler selectPopulationCount(const Opcode &opcode, Instruction &) {
  return byWidth(opcode, elementwise<PopulationCount, uint32_t, uint32_t>,
                 elementwise<PopulationCount, uint32_t, uint64_t>);
}

Handler selectLeadingZeros(const Opcode &opcode, Instruction &) {
  return byWidth(opcode, elementwise<LeadingZeros, uint32_t, uint32_t>,
                 elementwise<LeadingZeros, uint32_t, uint64_t>);
}

Handler selectReverse(const Opcode &opcode, Instruction &) {
  return byWidth(opcode, elementwise<Reverse, uint32_t, uint32_t>,
                 elementwise<Reverse, uint64_t, uint64_t>);
}

Handler selectFindBit(const Opcode &opcode, Instruction &) {
  bool shiftAmount = opcode.has("shiftamt");
  if (bitWidth(opcode.types[0]) == 16)
    return nullptr;
  return withInteger(opcode.types[0], [=](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return shiftAmount ? elementwise<FindBit<true>, uint32_t, T>
                       : elementwise<FindBit<false>, uint32_t, T>;
  });
}

Handler selectExtractField(const Opcode &opcode, Instruction &) {
  if (bitWidth(opcode.types[0]) == 16)
    return nullptr;
  return withInteger(opcode.types[0], [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    return elementwise<ExtractField, T, T, uint32_t, uint32_t>;
  });
}

Handler selectInsertField(const Opcode &opcode, Instruction &) {
  return byWidth(opcode,
                 elementwise<InsertField, uint32_t, uint32_t, uint32_t,
                             uint32_t, uint32_t>,
                 elementwise<InsertField, uint64_t, uint64_t, uint64_t,
                             uint32_t, uint32_t>);
}

Handler selectFunnelLeft(const Opcode &opcode, Instruction &) {
  if (bitWidth(opcode.types[0]) != 32)
    return nullptr;
  return opcode.has("wrap") ? elementwise<FunnelLeft<false>, uint32_t, uint32_t,
                                          uint32_t, uint32_t>
                            : elementwise<FunnelLeft<true>, uint32_t, uint32_t,
                                          uint32_t, uint32_t>;
}

Handler selectFunnelRight(const Opcode &opcode, Instruction &) {
  if (bitWidth(opcode.types[0]) != 32)
    return nullptr;
  return opcode.has("wrap") ? elementwise<FunnelRight<false>, uint32_t,
                                          uint32_t, uint32_t, uint32_t>
                            : elementwise<FunnelRight<true>, uint32_t, uint32_t,
                                          uint32_t, uint32_t>;
}

Handler selectLop3(const Opcode &opcode, Instruction &instruction) {
  if (bitWidth(opcode.types[0]) != 32)
    return nullptr;
  bool isAnd = opcode.has("and");
  instruction.immediate = isAnd;
  if (!isAnd && !opcode.has("or"))
    return lop3<false>;
  return instruction.operands[1] != noOperand &&
                 instruction.operands[6] != noOperand
             ? lop3<true>
             : nullptr;
}

Handler selectPermuteBytes(const Opcode &opcode, Instruction &instruction) {
  static constexpr std::string_view modes[] = {"f4e", "b4e", "rc8",
                                               "ecl", "ecr", "rc16"};
  for (unsigned index = 0; index < std::size(modes); ++index)
    if (opcode.has(modes[index]))
      instruction.immediate = index + 1;
  return bitWidth(opcode.types[0]) == 32 ? permuteBytes : nullptr;
}

Handler selectBitMask(const Opcode &opcode, Instruction &) {
  return byWidth(
      opcode,
      opcode.has("wrap")
          ? elementwise<BitMask<true>, uint32_t, uint32_t, uint32_t>
          : elementwise<BitMask<false>, uint32_t, uint32_t, uint32_t>,
      nullptr);
}

Handler selectDot4(const Opcode &opcode, Instruction &) {
  // Of the result, and of both factors.
  if (bitWidth(opcode.types[0]) != 32 || bitWidth(opcode.types[1]) != 32)
    return nullptr;
  bool a = opcode.types[0] == Type::S32;
  bool b = opcode.types[1] == Type::S32;
  if (a && b)
    return elementwise<DotOfBytes<int8_t, int8_t>, uint32_t, uint32_t, uint32_t,
                       uint32_t>;
  if (a)
    return elementwise<DotOfBytes<int8_t, uint8_t>, uint32_t, uint32_t,
                       uint32_t, uint32_t>;
  if (b)
    return elementwise<DotOfBytes<uint8_t, int8_t>, uint32_t, uint32_t,
                       uint32_t, uint32_t>;
  return elementwise<DotOfBytes<uint8_t, uint8_t>, uint32_t, uint32_t, uint32_t,
                     uint32_t>;
}

PBS_END_TARGET

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Comparisons and selections (PTX ISA, "Comparison and Selection
// Instructions" and "Half Precision Comparison Instructions").

#include "../InstructionTable.h"
#include "../Warp.h"

#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Compare.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"
#include "Numbers.h"

enum class Relation : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, Num, Nan };

struct Comparison {
  Relation relation = Relation::Eq;
  /// True as well when an operand is NaN.
  bool unordered = false;
  /// lo, ls, hi, hs compare as unsigned.
  bool isUnsigned = false;
};

bool parseComparison(const Opcode &opcode, Comparison &comparison) {
  struct Name {
    std::string_view name;
    Comparison comparison;
  };
  static constexpr Name names[] = {
      {"eq", {Relation::Eq, false, false}},
      {"ne", {Relation::Ne, false, false}},
      {"lt", {Relation::Lt, false, false}},
      {"le", {Relation::Le, false, false}},
      {"gt", {Relation::Gt, false, false}},
      {"ge", {Relation::Ge, false, false}},
      {"lo", {Relation::Lt, false, true}},
      {"ls", {Relation::Le, false, true}},
      {"hi", {Relation::Gt, false, true}},
      {"hs", {Relation::Ge, false, true}},
      {"equ", {Relation::Eq, true, false}},
      {"neu", {Relation::Ne, true, false}},
      {"ltu", {Relation::Lt, true, false}},
      {"leu", {Relation::Le, true, false}},
      {"gtu", {Relation::Gt, true, false}},
      {"geu", {Relation::Ge, true, false}},
      {"num", {Relation::Num, false, false}},
      {"nan", {Relation::Nan, true, false}},
  };
  for (const Name &name : names)
    if (opcode.has(name.name)) {
      comparison = name.comparison;
      bool isFloatOnly = name.name.size() == 3;
      return isFloat(opcode.types[opcode.typeCount > 1])
                 ? !comparison.isUnsigned
                 : !isFloatOnly;
    }
  return false;
}

template <Relation relation, bool unordered> struct Compare {
  template <typename T> static bool apply(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) {
      bool isNan = a != a || b != b;
      if constexpr (relation == Relation::Num)
        return !isNan;
      if constexpr (relation == Relation::Nan)
        return isNan;
      if (isNan)
        return unordered;
    }
    switch (relation) {
    case Relation::Eq:
      return a == b;
    case Relation::Ne:
      return a != b;
    case Relation::Lt:
      return a < b;
    case Relation::Le:
      return a <= b;
    case Relation::Gt:
      return a > b;
    case Relation::Ge:
      return a >= b;
    default:
      return false;
    }
  }
};

/// How setp and set combine the comparison with a third operand.
enum Combination : uint64_t { NoCombination, WithAnd, WithOr, WithXor };

Combination parseCombination(const Opcode &opcode) {
  return opcode.has("and")   ? WithAnd
         : opcode.has("or")  ? WithOr
         : opcode.has("xor") ? WithXor
                             : NoCombination;
}

uint32_t combine(Combination combination, uint32_t value, uint32_t other) {
  switch (combination) {
  case WithAnd:
    return value & other;
  case WithOr:
    return value | other;
  case WithXor:
    return value ^ other;
  default:
    return value;
  }
}

uint32_t thirdOperand(Warp &warp, const Instruction &instruction,
                      unsigned index) {
  if (instruction.operands[index] == noOperand)
    return 0;
  uint32_t value = warp.predicate(instruction.operands[index]);
  return instruction.flags & Instruction::SourceNegated ? ~value : value;
}

/// How a lane's bits are read for comparison.
template <typename T, bool ftz> struct Read {
  static auto value(LaneOf<T> lane) {
    if constexpr (std::is_same_v<T, float>)
      return input<ftz>(fromLane<float>(lane));
    else if constexpr (std::is_class_v<T>)
      return toFloat(fromLane<T>(lane));
    else
      return fromLane<T>(lane);
  }
};

template <typename Operation, typename T, bool ftz>
uint32_t compareLanes(Warp &warp, uint32_t first, uint32_t second) {
  const auto *a = warp.lanes<LaneOf<T>>(first);
  const auto *b = warp.lanes<LaneOf<T>>(second);
  return maskOf([=](unsigned lane) {
    return Operation::apply(Read<T, ftz>::value(a[lane]),
                            Read<T, ftz>::value(b[lane]));
  });
}

/// setp p|q, a, b, c: operands p, q, a, b, c.
template <typename Operation, typename T, bool ftz>
void setPredicate(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t value = compareLanes<Operation, T, ftz>(
      warp, instruction.operands[2], instruction.operands[3]);
  auto combination = Combination(instruction.immediate);
  uint32_t other = thirdOperand(warp, instruction, 4);
  warp.setPredicate(instruction.operands[0], combine(combination, value, other),
                    active);
  if (instruction.operands[1] != noOperand)
    warp.setPredicate(instruction.operands[1],
                      combine(combination, ~value, other), active);
}

/// set d, a, b, c: all ones, or 1.0, where true.
template <typename Operation, typename T, bool ftz>
void set(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t value = compareLanes<Operation, T, ftz>(
      warp, instruction.operands[1], instruction.operands[2]);
  value = combine(Combination(instruction.immediate), value,
                  thirdOperand(warp, instruction, 3));
  uint32_t truth = instruction.target;
  uint32_t *result = warp.lanes<uint32_t>(instruction.operands[0]);
  forLanes(active, result,
           [=](unsigned lane) { return value >> lane & 1 ? truth : 0u; });
}

/// Both halves: setp's p and q, or set's halves of d.
template <typename Operation, typename T, bool isSet>
void comparePacked(Warp &warp, const Instruction &instruction,
                   uint32_t active) {
  unsigned first = isSet ? 1 : 2;
  const uint32_t *a = warp.lanes<uint32_t>(instruction.operands[first]);
  const uint32_t *b = warp.lanes<uint32_t>(instruction.operands[first + 1]);
  uint32_t other = thirdOperand(warp, instruction, first + 2);
  uint32_t value[2];
  for (unsigned half = 0; half < 2; ++half) {
    value[half] = maskOf([=](unsigned lane) {
      return Operation::apply(toFloat(T{uint16_t(a[lane] >> 16 * half)}),
                              toFloat(T{uint16_t(b[lane] >> 16 * half)}));
    });
    value[half] =
        combine(Combination(instruction.immediate), value[half], other);
  }
  if (!isSet) {
    warp.setPredicate(instruction.operands[0], value[0], active);
    if (instruction.operands[1] != noOperand)
      warp.setPredicate(instruction.operands[1], value[1], active);
    return;
  }
  uint32_t truth = instruction.target;
  uint32_t low = value[0], high = value[1];
  forLanes(active, warp.lanes<uint32_t>(instruction.operands[0]),
           [=](unsigned lane) {
             return (low >> lane & 1 ? truth & 0xFFFF : 0u) |
                    (high >> lane & 1 ? truth & 0xFFFF0000 : 0u);
           });
}

/// function(Compare<...>()) for the comparison.
template <typename Function>
Handler withComparison(Comparison comparison, Function function) {
  switch (comparison.relation) {
#define PBS_RELATION(name)                                                     \
  case Relation::name:                                                         \
    return comparison.unordered ? function(Compare<Relation::name, true>())    \
                                : function(Compare<Relation::name, false>());
    PBS_RELATION(Eq)
    PBS_RELATION(Ne)
    PBS_RELATION(Lt)
    PBS_RELATION(Le)
    PBS_RELATION(Gt)
    PBS_RELATION(Ge)
    PBS_RELATION(Num)
    PBS_RELATION(Nan)
#undef PBS_RELATION
  }
  return nullptr;
}

template <bool isSet>
Handler selectComparison(const Opcode &opcode, Instruction &instruction) {
  Comparison comparison;
  if (!parseComparison(opcode, comparison))
    return nullptr;
  Combination combination = parseCombination(opcode);
  bool hasThird = instruction.operands[isSet ? 3 : 4] != noOperand;
  if (hasThird != (combination != NoCombination))
    return nullptr;
  instruction.immediate = combination;
  bool ftz = opcode.has("ftz");
  Type type = opcode.types[isSet];
  return withComparison(comparison, [&](auto operation) -> Handler {
    using Operation = decltype(operation);
    auto choose = [](auto tag, auto isFtz) -> Handler {
      using T = typename decltype(tag)::Type;
      constexpr bool flushes = decltype(isFtz)::value;
      if constexpr (isSet)
        return set<Operation, T, flushes>;
      else
        return setPredicate<Operation, T, flushes>;
    };
    std::false_type no;
    switch (type) {
    case Type::F16x2:
      return comparePacked<Operation, Half, isSet>;
    case Type::BF16x2:
      return comparePacked<Operation, BFloat, isSet>;
    case Type::F16:
      return choose(Tag<Half>(), no);
    case Type::BF16:
      return choose(Tag<BFloat>(), no);
    case Type::F32:
      return ftz ? choose(Tag<float>(), std::true_type())
                 : choose(Tag<float>(), no);
    case Type::F64:
      return choose(Tag<double>(), no);
    default:
      break;
    }
    return withInteger(type, [&](auto tag) -> Handler {
      using T = typename decltype(tag)::Type;
      if (comparison.isUnsigned)
        return choose(Tag<std::make_unsigned_t<T>>(), no);
      return choose(tag, no);
    });
  });
}

/// selp d, a, b, p.
template <typename Lane>
void selectByPredicate(Warp &warp, const Instruction &instruction,
                       uint32_t active) {
  const Lane *a = warp.lanes<Lane>(instruction.operands[1]);
  const Lane *b = warp.lanes<Lane>(instruction.operands[2]);
  uint32_t chosen = thirdOperand(warp, instruction, 3);
  forLanes(
      active, warp.lanes<Lane>(instruction.operands[0]),
      [=](unsigned lane) { return chosen >> lane & 1 ? a[lane] : b[lane]; });
}

template <bool ftz> struct NotNegative {
  template <typename T, typename C> static T apply(T a, T b, C c) {
    if constexpr (std::is_same_v<C, float>)
      return input<ftz>(c) >= 0 ? a : b;
    else
      return c >= 0 ? a : b;
  }
};

enum class Test : uint8_t {
  Finite,
  Infinite,
  Number,
  NotANumber,
  Normal,
  Subnormal
};

template <typename T>
void testProperty(Warp &warp, const Instruction &instruction, uint32_t active) {
  const auto *a = warp.lanes<LaneOf<T>>(instruction.operands[1]);
  uint32_t value = 0;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    T number = fromLane<T>(a[lane]);
    int kind = std::fpclassify(number);
    bool result = false;
    switch (Test(instruction.immediate)) {
    case Test::Finite:
      result = std::isfinite(number);
      break;
    case Test::Infinite:
      result = kind == FP_INFINITE;
      break;
    case Test::Number:
      result = kind != FP_NAN;
      break;
    case Test::NotANumber:
      result = kind == FP_NAN;
      break;
    case Test::Normal:
      result = kind == FP_NORMAL || kind == FP_ZERO;
      break;
    case Test::Subnormal:
      result = kind == FP_SUBNORMAL;
      break;
    }
    value |= uint32_t(result) << lane;
  }
  warp.setPredicate(instruction.operands[0], value, active);
}

} // namespace

Handler selectSetPredicate(const Opcode &opcode, Instruction &instruction) {
  return selectComparison<false>(opcode, instruction);
}

Handler selectSet(const Opcode &opcode, Instruction &instruction) {
  switch (opcode.types[0]) {
  case Type::F32:
    instruction.target = 0x3F800000;
    break;
  case Type::F16x2:
    instruction.target = 0x3C003C00;
    break;
  case Type::BF16x2:
    instruction.target = 0x3F803F80;
    break;
  case Type::F16:
    instruction.target = 0x3C00;
    break;
  case Type::BF16:
    instruction.target = 0x3F80;
    break;
  case Type::U16:
  case Type::S16:
    instruction.target = 0xFFFF;
    break;
  case Type::U32:
  case Type::S32:
  case Type::B32:
    instruction.target = UINT32_MAX;
    break;
  default:
    return nullptr;
  }
  return selectComparison<true>(opcode, instruction);
}

Handler selectSelect(const Opcode &opcode, Instruction &) {
  unsigned bits = bitWidth(opcode.types[0]);
  return bits == 64                 ? selectByPredicate<uint64_t>
         : bits == 16 || bits == 32 ? selectByPredicate<uint32_t>
                                    : nullptr;
}

Handler selectSelectBySign(const Opcode &opcode, Instruction &) {
  bool wide = bitWidth(opcode.types[0]) == 64;
  if (bitWidth(opcode.types[0]) > 64 || bitWidth(opcode.types[0]) < 16)
    return nullptr;
  bool ftz = opcode.has("ftz");
  if (opcode.types[1] == Type::S32)
    return wide ? elementwise<NotNegative<false>, uint64_t, uint64_t, uint64_t,
                              int32_t>
                : elementwise<NotNegative<false>, uint32_t, uint32_t, uint32_t,
                              int32_t>;
  if (opcode.types[1] != Type::F32)
    return nullptr;
  if (ftz)
    return wide ? elementwise<NotNegative<true>, uint64_t, uint64_t, uint64_t,
                              float>
                : elementwise<NotNegative<true>, uint32_t, uint32_t, uint32_t,
                              float>;
  return wide ? elementwise<NotNegative<false>, uint64_t, uint64_t, uint64_t,
                            float>
              : elementwise<NotNegative<false>, uint32_t, uint32_t, uint32_t,
                            float>;
}

Handler selectTestProperty(const Opcode &opcode, Instruction &instruction) {
  static constexpr std::string_view names[] = {
      "finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  bool found = false;
  for (unsigned index = 0; index < std::size(names); ++index)
    if (opcode.has(names[index])) {
      instruction.immediate = index;
      found = true;
    }
  if (!found)
    return nullptr;
  if (opcode.types[0] == Type::F32)
    return testProperty<float>;
  return opcode.types[0] == Type::F64 ? testProperty<double> : nullptr;
}

PBS_END_TARGET

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Reduction.h"

#include "Warp.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

namespace pbs::runtime::emulator {

namespace {

#include "Instructions/Lanes.h"
#include "Instructions/Numbers.h"

template <typename T> T combined(Reduction reduction, T old, T value) {
  if constexpr (std::is_integral_v<T>) {
    using Word = std::make_unsigned_t<T>;
    switch (reduction) {
    case Reduction::None:
      return value;
    case Reduction::Add:
      return T(Word(old) + Word(value));
    case Reduction::Minimum:
      return std::min(old, value);
    case Reduction::Maximum:
      return std::max(old, value);
    case Reduction::Increment:
      return old >= value ? T(0) : T(old + 1);
    case Reduction::Decrement:
      return old == 0 || old > value ? value : T(old - 1);
    case Reduction::And:
      return old & value;
    case Reduction::Or:
      return old | value;
    case Reduction::Xor:
      return old ^ value;
    }
    return value;
  } else if constexpr (std::is_floating_point_v<T>) {
    return reduction == Reduction::Add ? output<false>(old + value) : value;
  } else {
    float a = toFloat(old);
    float b = toFloat(value);
    if (reduction == Reduction::Add)
      return fromFloat<T>(a + b);
    // A number wins over a NaN, and the zeros are ordered by their sign.
    if (a != a || b != b)
      return a != a ? (b != b ? T{canonicalHalfNan} : value) : old;
    bool isLess = a < b || (a == b && std::signbit(a));
    return isLess == (reduction == Reduction::Minimum) ? old : value;
  }
}

template <> double combined(Reduction reduction, double old, double value) {
  return reduction == Reduction::Add ? output(old + value) : value;
}

template <typename T>
void reduceElements(Reduction reduction, uint8_t *destination,
                    const uint8_t *source, uint64_t bytes) {
  using Word = std::conditional_t<
      sizeof(T) == 8, uint64_t,
      std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>>;
  for (uint64_t offset = 0; offset < bytes; offset += sizeof(T)) {
    T value;
    std::memcpy(&value, source + offset, sizeof(T));
    auto *word = reinterpret_cast<Word *>(destination + offset);
    Word old = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(
        word, &old,
        bitCast<Word>(combined<T>(reduction, bitCast<T>(old), value)), true,
        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
  }
}

} // namespace

Reduction reductionOf(const Opcode &opcode) {
  static constexpr std::string_view names[] = {
      "", "add", "min", "max", "inc", "dec", "and", "or", "xor"};
  for (unsigned index = 1; index < std::size(names); ++index)
    if (opcode.has(names[index]))
      return Reduction(index);
  return Reduction::None;
}

bool isReduction(Reduction reduction, Type type, bool toGlobal) {
  switch (reduction) {
  case Reduction::None:
    return false;
  case Reduction::Add:
    if (type == Type::U32 || type == Type::S32 || type == Type::U64)
      return true;
    return toGlobal && isFloat(type) && type != Type::F16x2 &&
           type != Type::BF16x2 && type != Type::F32x2 && type != Type::TF32;
  case Reduction::Minimum:
  case Reduction::Maximum:
    if (type == Type::U32 || type == Type::S32)
      return true;
    return toGlobal && (type == Type::U64 || type == Type::S64 ||
                        type == Type::F16 || type == Type::BF16);
  case Reduction::Increment:
  case Reduction::Decrement:
    return type == Type::U32;
  case Reduction::And:
  case Reduction::Or:
  case Reduction::Xor:
    return type == Type::B32 || (toGlobal && type == Type::B64);
  }
  return false;
}

void reduce(Reduction reduction, Type type, uint8_t *destination,
            const uint8_t *source, uint64_t bytes) {
  switch (type) {
  case Type::S32:
    return reduceElements<int32_t>(reduction, destination, source, bytes);
  case Type::U32:
  case Type::B32:
    return reduceElements<uint32_t>(reduction, destination, source, bytes);
  case Type::S64:
    return reduceElements<int64_t>(reduction, destination, source, bytes);
  case Type::U64:
  case Type::B64:
    return reduceElements<uint64_t>(reduction, destination, source, bytes);
  case Type::F16:
    return reduceElements<Half>(reduction, destination, source, bytes);
  case Type::BF16:
    return reduceElements<BFloat>(reduction, destination, source, bytes);
  case Type::F32:
    return reduceElements<float>(reduction, destination, source, bytes);
  case Type::F64:
    return reduceElements<double>(reduction, destination, source, bytes);
  default:
    return;
  }
}

} // namespace pbs::runtime::emulator

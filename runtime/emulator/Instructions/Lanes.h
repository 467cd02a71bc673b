// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops over the 32 lanes of a warp. Included inside the namespace of a target
// (ForEachTarget.h), once per target: no include guard.

/// A floating-point value of 16 bits.
struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};

template <typename T>
using LaneOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename To, typename From> inline To bitCast(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}

template <typename T> inline T fromLane(LaneOf<T> lane) {
  if constexpr (std::is_integral_v<T>)
    return T(lane);
  else if constexpr (sizeof(T) == 2)
    return T{uint16_t(lane)};
  else
    return bitCast<T>(lane);
}

template <typename T> inline LaneOf<T> toLane(T value) {
  if constexpr (std::is_integral_v<T>)
    return LaneOf<T>(std::make_unsigned_t<T>(value));
  else if constexpr (sizeof(T) == 2)
    return value.bits;
  else
    return bitCast<LaneOf<T>>(value);
}

/// lane[i] = function(i) for the active lanes. The function is evaluated for
/// all lanes, so it must be harmless for any values.
template <typename Lane, typename Function>
inline void forLanes(uint32_t active, Lane *result, Function function) {
  if (active == fullMask) {
#pragma clang loop vectorize(assume_safety)
    for (unsigned lane = 0; lane < warpSize; ++lane)
      result[lane] = function(lane);
    return;
  }
#pragma clang loop vectorize(assume_safety)
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    Lane value = function(lane);
    result[lane] = active >> lane & 1 ? value : result[lane];
  }
}

/// operands[0] = Operation::apply(operands[1], ...), lane by lane.
template <typename Operation, typename D, typename... S, size_t... index>
inline void
elementwiseImplementation(Warp &warp, const Instruction &instruction,
                          uint32_t active, std::index_sequence<index...>) {
  auto *result = warp.lanes<LaneOf<D>>(instruction.operands[0]);
  std::tuple<const LaneOf<S> *...> sources(
      warp.lanes<LaneOf<S>>(instruction.operands[index + 1])...);
  forLanes(active, result, [=](unsigned lane) {
    return toLane<D>(
        Operation::apply(fromLane<S>(std::get<index>(sources)[lane])...));
  });
}

template <typename Operation, typename D, typename... S>
void elementwise(Warp &warp, const Instruction &instruction, uint32_t active) {
  elementwiseImplementation<Operation, D, S...>(
      warp, instruction, active, std::index_sequence_for<S...>());
}

/// Bit i of the result is function(i).
template <typename Function> inline uint32_t maskOf(Function function) {
  alignas(32) uint8_t flags[warpSize];
#pragma clang loop vectorize(assume_safety)
  for (unsigned lane = 0; lane < warpSize; ++lane)
    flags[lane] = function(lane);
  uint32_t mask = 0;
  for (unsigned part = 0; part < 4; ++part) {
    // Byte i, 0 or 1, becomes bit i of the product's highest byte.
    uint64_t bytes;
    std::memcpy(&bytes, flags + 8 * part, 8);
    mask |= uint32_t(bytes * 0x0102040810204080 >> 56) << 8 * part;
  }
  return mask;
}

template <typename T> struct Tag {
  using Type = T;
};

/// function(Tag<T>()) with the C++ type of an integer or bit type.
template <typename Function>
inline Handler withInteger(Type type, Function function) {
  switch (type) {
  case Type::B16:
  case Type::U16:
    return function(Tag<uint16_t>());
  case Type::B32:
  case Type::U32:
    return function(Tag<uint32_t>());
  case Type::B64:
  case Type::U64:
    return function(Tag<uint64_t>());
  case Type::S16:
    return function(Tag<int16_t>());
  case Type::S32:
    return function(Tag<int32_t>());
  case Type::S64:
    return function(Tag<int64_t>());
  default:
    return nullptr;
  }
}

/// The same without regard to the sign.
template <typename Function>
inline Handler withBits(Type type, Function function) {
  switch (bitWidth(type)) {
  case 16:
    return function(Tag<uint16_t>());
  case 32:
    return function(Tag<uint32_t>());
  case 64:
    return function(Tag<uint64_t>());
  default:
    return nullptr;
  }
}

/// narrow or wide, by the width of the instruction's type; null if it has
/// neither 32 nor 64 bits.
inline Handler byWidth(const Opcode &opcode, Handler narrow, Handler wide) {
  unsigned bits = bitWidth(opcode.types[0]);
  return bits == 64 ? wide : bits == 32 ? narrow : nullptr;
}

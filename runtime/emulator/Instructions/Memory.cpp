// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads, stores, atomics and address conversions (PTX ISA, "Data Movement and
// Conversion Instructions" and "Parallel Synchronization").

#include "../Checks/Checker.h"
#include "../InstructionTable.h"
#include "../MemoryAccess.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define PBS_THIS_FILE "Instructions/Memory.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {
#include "Lanes.h"

/// ld: elements of type T into registers of type R, extended by T's sign.
template <typename T, typename R>
void load(Warp &warp, const Instruction &instruction, uint32_t active) {
  LanePointers pointers;
  unsigned count = instruction.vectorLength;
  resolve(warp, instruction, count, active, count * sizeof(T), Access::Read,
          pointers);
  for (unsigned element = 0; element < count; ++element)
    forLanes(active, warp.lanes<LaneOf<R>>(instruction.operands[element]),
             [=, &pointers](unsigned lane) {
               T value;
               std::memcpy(&value, pointers.lane[lane] + element * sizeof(T),
                           sizeof(T));
               return toLane<R>(R(value));
             });
}

/// st: operand 0 is the address.
template <typename T, typename R>
void store(Warp &warp, const Instruction &instruction, uint32_t active) {
  LanePointers pointers;
  unsigned count = instruction.vectorLength;
  resolve(warp, instruction, 0, active, count * sizeof(T), Access::Write,
          pointers);
  for (unsigned element = 0; element < count; ++element) {
    const auto *source =
        warp.lanes<LaneOf<R>>(instruction.operands[element + 1]);
    // Lanes that are not active write to the warp's scratch memory.
    for (unsigned lane = 0; lane < warpSize; ++lane) {
      T value = T(source[lane]);
      std::memcpy(pointers.lane[lane] + element * sizeof(T), &value, sizeof(T));
    }
    if (Checker *checker = warp.cta->checker)
      checker->stored(warp, active, pointers, sizeof(T), element,
                      reinterpret_cast<const uint8_t *>(source),
                      sizeof(*source));
  }
}

/// The register type of the first element, unsigned; all elements agree in
/// practice, and lanes of 16 and 32 bits are stored alike.
template <typename T, bool isStore> Handler selectRegister(unsigned bits) {
  if constexpr (isStore)
    return bits == 64 ? store<T, uint64_t> : store<T, uint32_t>;
  constexpr bool isSigned = std::is_signed_v<T>;
  if (bits == 64)
    return load<T, std::conditional_t<isSigned, int64_t, uint64_t>>;
  if (bits == 16 && sizeof(T) <= 2)
    return load<T, std::conditional_t<isSigned, int16_t, uint16_t>>;
  if (sizeof(T) <= 4)
    return load<T, std::conditional_t<isSigned, int32_t, uint32_t>>;
  return nullptr;
}

template <bool isStore> Handler selectAccess(Type type, unsigned bits) {
  switch (type) {
  case Type::B8:
  case Type::U8:
    return selectRegister<uint8_t, isStore>(bits);
  case Type::S8:
    return selectRegister<int8_t, isStore>(bits);
  case Type::S16:
    return selectRegister<int16_t, isStore>(bits);
  case Type::S32:
    return selectRegister<int32_t, isStore>(bits);
  default:
    break;
  }
  switch (bitWidth(type)) {
  case 16:
    return selectRegister<uint16_t, isStore>(bits);
  case 32:
    return selectRegister<uint32_t, isStore>(bits);
  case 64:
    return selectRegister<uint64_t, isStore>(bits);
  default:
    return nullptr;
  }
}

bool isVectorLength(const Opcode &opcode, const Instruction &instruction) {
  unsigned expected = opcode.has("v2") ? 2 : opcode.has("v4") ? 4 : 1;
  return instruction.vectorLength == expected &&
         expected * bitWidth(opcode.types[0]) <= 128;
}

/// Bits of the registers of the vector that begins at operand \p first: 64, or
/// the narrower ones' width; 0 where lanes of 4 and 8 bytes are mixed.
unsigned registerWidth(const Opcode &opcode, unsigned first, unsigned count) {
  unsigned width = 0;
  for (unsigned index = first; index < first + count; ++index) {
    unsigned bits = opcode.registerBits[index];
    if (bits == 0)
      bits = bitWidth(opcode.types[0]);
    if (width != 0 && (width == 64) != (bits == 64))
      return 0;
    width = std::max(width, bits);
  }
  return width;
}

/// What an atomic stores, given what was there.
enum class Update : uint8_t {
  Add,
  Minimum,
  Maximum,
  And,
  Or,
  Xor,
  Exchange,
  CompareAndSwap,
  Increment,
  Decrement
};

template <typename T> T updated(Update update, T old, T b, T c) {
  if constexpr (std::is_floating_point_v<T>) {
    return old + b;
  } else {
    switch (update) {
    case Update::Add:
      return T(std::make_unsigned_t<T>(old) + std::make_unsigned_t<T>(b));
    case Update::Minimum:
      return std::min(old, b);
    case Update::Maximum:
      return std::max(old, b);
    case Update::And:
      return old & b;
    case Update::Or:
      return old | b;
    case Update::Xor:
      return old ^ b;
    case Update::Exchange:
      return b;
    case Update::CompareAndSwap:
      return old == b ? c : old;
    case Update::Increment:
      return old >= b ? 0 : old + 1;
    case Update::Decrement:
      return old == 0 || old > b ? b : old - 1;
    }
    return old;
  }
}

#include "Numbers.h"

/// Two values of 16 bits in a word.
template <typename T> uint32_t addPacked(uint32_t a, uint32_t b) {
  uint32_t low =
      fromFloat<T>(toFloat(T{uint16_t(a)}) + toFloat(T{uint16_t(b)})).bits;
  uint32_t high = fromFloat<T>(toFloat(T{uint16_t(a >> 16)}) +
                               toFloat(T{uint16_t(b >> 16)}))
                      .bits;
  return low | high << 16;
}

/// Applies \p change to the word at \p pointer as one step, also against other
/// host threads; returns what was there.
template <typename Word, typename Change>
Word updateWord(uint8_t *pointer, Change change) {
  auto *word = reinterpret_cast<Word *>(pointer);
  Word old = __atomic_load_n(word, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(word, &old, change(old), true,
                                      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
  }
  return old;
}

/// atom and red. Operands: d (atom only), address, b, c. Lanes take their turn
/// in their order.
template <typename Word, typename Change>
void atomicLanes(Warp &warp, const Instruction &instruction, uint32_t active,
                 Change change) {
  bool isReduction = instruction.target == 1;
  unsigned address = isReduction ? 0 : 1;
  LanePointers pointers;
  resolve(warp, instruction, address, active, sizeof(Word), Access::Update,
          pointers);
  using Lane = LaneOf<Word>;
  const Lane *b = warp.lanes<Lane>(instruction.operands[address + 1]);
  uint32_t third = instruction.operands[address + 2];
  const Lane *c = third == noOperand ? b : warp.lanes<Lane>(third);
  Lane results[warpSize];
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    results[lane] = updateWord<Word>(pointers.lane[lane], [&](Word old) {
      return change(old, Word(b[lane]), Word(c[lane]));
    });
  }
  if (isReduction)
    return;
  Lane *result = warp.lanes<Lane>(instruction.operands[0]);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    if (active >> lane & 1)
      result[lane] = results[lane];
}

template <typename T, Update update>
void atomic(Warp &warp, const Instruction &instruction, uint32_t active) {
  using Word = std::conditional_t<
      sizeof(T) == 8, uint64_t,
      std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>>;
  atomicLanes<Word>(warp, instruction, active, [](Word old, Word b, Word c) {
    return bitCast<Word>(
        updated<T>(update, bitCast<T>(old), bitCast<T>(b), bitCast<T>(c)));
  });
}

template <typename T>
void atomicAddPacked(Warp &warp, const Instruction &instruction,
                     uint32_t active) {
  atomicLanes<uint32_t>(
      warp, instruction, active,
      [](uint32_t old, uint32_t b, uint32_t) { return addPacked<T>(old, b); });
}

template <typename T>
void atomicAddSmall(Warp &warp, const Instruction &instruction,
                    uint32_t active) {
  atomicLanes<uint16_t>(warp, instruction, active,
                        [](uint16_t old, uint16_t b, uint16_t) {
                          return uint16_t(addPacked<T>(old, b));
                        });
}

template <Update update> Handler selectUpdate(Type type) {
  return withInteger(type, [](auto tag) -> Handler {
    using T = typename decltype(tag)::Type;
    constexpr bool counts =
        update == Update::Increment || update == Update::Decrement;
    if constexpr (sizeof(T) == 2 && update != Update::CompareAndSwap)
      return nullptr;
    else if constexpr (counts && !std::is_same_v<T, uint32_t>)
      return nullptr;
    else
      return atomic<T, update>;
  });
}

Handler selectAtomic(const Opcode &opcode, bool hasThird) {
  Type type = opcode.types[0];
  if (opcode.has("cas"))
    return hasThird ? selectUpdate<Update::CompareAndSwap>(type) : nullptr;
  if (hasThird)
    return nullptr;
  if (opcode.has("add")) {
    switch (type) {
    case Type::F32:
      return atomic<float, Update::Add>;
    case Type::F64:
      return atomic<double, Update::Add>;
    case Type::F16x2:
      return atomicAddPacked<Half>;
    case Type::BF16x2:
      return atomicAddPacked<BFloat>;
    case Type::F16:
      return atomicAddSmall<Half>;
    case Type::BF16:
      return atomicAddSmall<BFloat>;
    default:
      return selectUpdate<Update::Add>(type);
    }
  }
  if (isFloat(type))
    return nullptr;
  if (opcode.has("min"))
    return selectUpdate<Update::Minimum>(type);
  if (opcode.has("max"))
    return selectUpdate<Update::Maximum>(type);
  if (opcode.has("and"))
    return selectUpdate<Update::And>(type);
  if (opcode.has("or"))
    return selectUpdate<Update::Or>(type);
  if (opcode.has("xor"))
    return selectUpdate<Update::Xor>(type);
  if (opcode.has("exch"))
    return selectUpdate<Update::Exchange>(type);
  if (opcode.has("inc"))
    return selectUpdate<Update::Increment>(type);
  if (opcode.has("dec"))
    return selectUpdate<Update::Decrement>(type);
  return nullptr;
}

/// cvta and cvta.to: the window is added or taken away.
template <typename Lane>
void convertAddress(Warp &warp, const Instruction &instruction,
                    uint32_t active) {
  const Lane *a = warp.lanes<Lane>(instruction.operands[1]);
  Lane offset = Lane(instruction.immediate);
  forLanes(active, warp.lanes<Lane>(instruction.operands[0]),
           [=](unsigned lane) { return Lane(a[lane] + offset); });
}

uint64_t windowOf(Space space) {
  return space == Space::Shared          ? sharedWindow
         : space == Space::SharedCluster ? sharedWindow
         : space == Space::Local         ? localWindow
         : space == Space::Param         ? paramWindow
                                         : 0;
}

void isInSpace(Warp &warp, const Instruction &instruction, uint32_t active) {
  const uint64_t *a = warp.lanes<uint64_t>(instruction.operands[1]);
  Space space = instruction.space;
  uint64_t ownRank = warp.cta->rank + 1;
  uint32_t value = maskOf([=](unsigned lane) {
    uint64_t window = a[lane] & ~(windowBytes - 1);
    uint64_t rank = (a[lane] - window) >> clusterRankShift;
    if (space == Space::Shared)
      return window == sharedWindow && (rank == 0 || rank == ownRank);
    bool special = window == sharedWindow || window == localWindow ||
                   window == paramWindow;
    return space == Space::Global || space == Space::Const
               ? !special
               : window == windowOf(space);
  });
  warp.setPredicate(instruction.operands[0], value, active);
}

void doNothing(Warp &, const Instruction &, uint32_t) {}

} // namespace

Handler selectLoad(const Opcode &opcode, Instruction &instruction) {
  if (!isVectorLength(opcode, instruction))
    return nullptr;
  unsigned bits = registerWidth(opcode, 0, instruction.vectorLength);
  return bits ? selectAccess<false>(opcode.types[0], bits) : nullptr;
}

Handler selectStore(const Opcode &opcode, Instruction &instruction) {
  if (!isVectorLength(opcode, instruction) || instruction.space == Space::Const)
    return nullptr;
  unsigned bits = registerWidth(opcode, 1, instruction.vectorLength);
  return bits ? selectAccess<true>(opcode.types[0], bits) : nullptr;
}

Handler selectAtom(const Opcode &opcode, Instruction &instruction) {
  instruction.target = 0;
  return selectAtomic(opcode, instruction.operands[3] != noOperand);
}

Handler selectReduction(const Opcode &opcode, Instruction &instruction) {
  instruction.target = 1;
  instruction.operands[2] = noOperand;
  return selectAtomic(opcode, false);
}

Handler selectConvertAddress(const Opcode &opcode, Instruction &instruction) {
  uint64_t window = windowOf(opcode.space);
  instruction.immediate = opcode.has("to") ? -window : window;
  if (opcode.space == Space::Generic)
    return nullptr;
  // 32-bit generic addresses do not exist in this address space.
  return opcode.types[0] == Type::U64 ? convertAddress<uint64_t> : nullptr;
}

Handler selectIsInSpace(const Opcode &opcode, Instruction &) {
  return opcode.space == Space::Generic ? nullptr : isInSpace;
}

Handler selectNothing(const Opcode &, Instruction &) { return doNothing; }

PBS_END_TARGET

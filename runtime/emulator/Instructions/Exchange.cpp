// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exchange between the lanes of a warp (PTX ISA, shfl.sync, vote.sync,
// match.sync, redux.sync, elect.sync, activemask).

#include "../InstructionTable.h"
#include "../Warp.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#define PBS_THIS_FILE "Instructions/Exchange.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {

/// The lanes that take part, from the operand that names them. Lanes that have
/// exited need not come; others that are not here would be waited for forever.
uint32_t members(Warp &warp, uint32_t operand, uint32_t active) {
  const uint32_t *values = warp.lanes<uint32_t>(operand);
  uint32_t all = 0;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    if (!(values[lane] >> lane & 1))
      throw Fault{lane, "does not name its own lane", HazardKind::Divergence};
    all |= values[lane];
  }
  uint32_t missing = all & warp.live & ~active;
  if (missing) {
    char text[80];
    std::snprintf(text, sizeof(text),
                  "names lanes 0x%08x that do not execute it together",
                  missing);
    throw Fault{unsigned(__builtin_ctz(active)), text, HazardKind::Divergence};
  }
  return all;
}

enum class Shuffle : uint8_t { Up, Down, Butterfly, Index };

/// Operands d, p, a, b, c, membermask.
template <Shuffle mode>
void shuffle(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[5], active);
  uint32_t a[warpSize];
  std::memcpy(a, warp.lanes<uint32_t>(instruction.operands[2]), sizeof(a));
  const uint32_t *b = warp.lanes<uint32_t>(instruction.operands[3]);
  const uint32_t *c = warp.lanes<uint32_t>(instruction.operands[4]);
  uint32_t results[warpSize];
  uint32_t inRange = 0;
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    uint32_t offset = b[lane] & 31;
    uint32_t clamp = c[lane] & 31;
    uint32_t segment = c[lane] >> 8 & 31;
    uint32_t last = (lane & segment) | (clamp & ~segment);
    uint32_t source;
    bool isInRange;
    switch (mode) {
    case Shuffle::Up:
      source = lane - offset;
      isInRange = int32_t(source) >= int32_t(last);
      break;
    case Shuffle::Down:
      source = lane + offset;
      isInRange = source <= last;
      break;
    case Shuffle::Butterfly:
      source = lane ^ offset;
      isInRange = source <= last;
      break;
    case Shuffle::Index:
      source = (lane & segment) | (offset & ~segment);
      isInRange = source <= last;
      break;
    }
    inRange |= uint32_t(isInRange) << lane;
    results[lane] = a[isInRange ? source & 31 : lane];
  }
  uint32_t *result = warp.lanes<uint32_t>(instruction.operands[0]);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    result[lane] = active >> lane & 1 ? results[lane] : result[lane];
  if (instruction.operands[1] != noOperand)
    warp.setPredicate(instruction.operands[1], inRange, active);
}

uint32_t votes(Warp &warp, const Instruction &instruction) {
  uint32_t value = warp.predicate(instruction.operands[1]);
  return instruction.flags & Instruction::SourceNegated ? ~value : value;
}

void voteAll(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[2], active);
  bool all = (votes(warp, instruction) & active) == active;
  warp.setPredicate(instruction.operands[0], all ? fullMask : 0, active);
}

void voteAny(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[2], active);
  bool any = (votes(warp, instruction) & active) != 0;
  warp.setPredicate(instruction.operands[0], any ? fullMask : 0, active);
}

void voteUniform(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[2], active);
  uint32_t value = votes(warp, instruction) & active;
  bool uniform = value == 0 || value == active;
  warp.setPredicate(instruction.operands[0], uniform ? fullMask : 0, active);
}

void writeUniform(Warp &warp, uint32_t operand, uint32_t value,
                  uint32_t active) {
  uint32_t *result = warp.lanes<uint32_t>(operand);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    result[lane] = active >> lane & 1 ? value : result[lane];
}

void voteBallot(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[2], active);
  writeUniform(warp, instruction.operands[0], votes(warp, instruction) & active,
               active);
}

void activeMask(Warp &warp, const Instruction &instruction, uint32_t active) {
  writeUniform(warp, instruction.operands[0], active, active);
}

/// match.any: the lanes with the same value.
template <typename Lane>
void matchAny(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[2], active);
  const Lane *a = warp.lanes<Lane>(instruction.operands[1]);
  uint32_t results[warpSize] = {};
  for (unsigned lane = 0; lane < warpSize; ++lane)
    for (unsigned other = 0; other < warpSize; ++other)
      results[lane] |= uint32_t((active >> other & 1) && a[lane] == a[other])
                       << other;
  uint32_t *result = warp.lanes<uint32_t>(instruction.operands[0]);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    result[lane] = active >> lane & 1 ? results[lane] : result[lane];
}

/// match.all d|p: all members if they agree, else 0.
template <typename Lane>
void matchAll(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[3], active);
  const Lane *a = warp.lanes<Lane>(instruction.operands[2]);
  Lane first = a[__builtin_ctz(active)];
  bool agree = true;
  for (unsigned lane = 0; lane < warpSize; ++lane)
    agree &= !(active >> lane & 1) || a[lane] == first;
  writeUniform(warp, instruction.operands[0], agree ? active : 0, active);
  if (instruction.operands[1] != noOperand)
    warp.setPredicate(instruction.operands[1], agree ? fullMask : 0, active);
}

enum class Reduction : uint8_t { Add, Minimum, Maximum, And, Or, Xor };

template <typename T, Reduction reduction>
void reduce(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[2], active);
  const uint32_t *a = warp.lanes<uint32_t>(instruction.operands[1]);
  T value = T(a[__builtin_ctz(active)]);
  for (uint32_t rest = active & (active - 1); rest; rest &= rest - 1) {
    T next = T(a[__builtin_ctz(rest)]);
    switch (reduction) {
    case Reduction::Add:
      value = T(uint32_t(value) + uint32_t(next));
      break;
    case Reduction::Minimum:
      value = std::min(value, next);
      break;
    case Reduction::Maximum:
      value = std::max(value, next);
      break;
    case Reduction::And:
      value &= next;
      break;
    case Reduction::Or:
      value |= next;
      break;
    case Reduction::Xor:
      value ^= next;
      break;
    }
  }
  writeUniform(warp, instruction.operands[0], uint32_t(value), active);
}

void elect(Warp &warp, const Instruction &instruction, uint32_t active) {
  members(warp, instruction.operands[2], active);
  unsigned leader = unsigned(__builtin_ctz(active));
  writeUniform(warp, instruction.operands[0], leader, active);
  if (instruction.operands[1] != noOperand)
    warp.setPredicate(instruction.operands[1], 1u << leader, active);
}

template <typename T> Handler selectReduce(const Opcode &opcode) {
  if (opcode.has("add"))
    return reduce<T, Reduction::Add>;
  if (opcode.has("min"))
    return reduce<T, Reduction::Minimum>;
  if (opcode.has("max"))
    return reduce<T, Reduction::Maximum>;
  if (opcode.has("and"))
    return reduce<T, Reduction::And>;
  if (opcode.has("or"))
    return reduce<T, Reduction::Or>;
  if (opcode.has("xor"))
    return reduce<T, Reduction::Xor>;
  return nullptr;
}

} // namespace

Handler selectShuffle(const Opcode &opcode, Instruction &) {
  if (bitWidth(opcode.types[0]) != 32)
    return nullptr;
  if (opcode.has("up"))
    return shuffle<Shuffle::Up>;
  if (opcode.has("down"))
    return shuffle<Shuffle::Down>;
  if (opcode.has("bfly"))
    return shuffle<Shuffle::Butterfly>;
  return opcode.has("idx") ? shuffle<Shuffle::Index> : nullptr;
}

Handler selectVoteAll(const Opcode &, Instruction &) { return voteAll; }
Handler selectVoteAny(const Opcode &, Instruction &) { return voteAny; }
Handler selectVoteUniform(const Opcode &, Instruction &) { return voteUniform; }

Handler selectVoteBallot(const Opcode &opcode, Instruction &) {
  return bitWidth(opcode.types[0]) == 32 ? voteBallot : nullptr;
}

Handler selectActiveMask(const Opcode &opcode, Instruction &) {
  return bitWidth(opcode.types[0]) == 32 ? activeMask : nullptr;
}

Handler selectMatchAny(const Opcode &opcode, Instruction &) {
  unsigned bits = bitWidth(opcode.types[0]);
  return bits == 64   ? matchAny<uint64_t>
         : bits == 32 ? matchAny<uint32_t>
                      : nullptr;
}

Handler selectMatchAll(const Opcode &opcode, Instruction &) {
  unsigned bits = bitWidth(opcode.types[0]);
  return bits == 64   ? matchAll<uint64_t>
         : bits == 32 ? matchAll<uint32_t>
                      : nullptr;
}

Handler selectWarpReduction(const Opcode &opcode, Instruction &) {
  if (isFloat(opcode.types[0]) || bitWidth(opcode.types[0]) != 32)
    return nullptr;
  return opcode.types[0] == Type::S32 ? selectReduce<int32_t>(opcode)
                                      : selectReduce<uint32_t>(opcode);
}

Handler selectElect(const Opcode &, Instruction &) { return elect; }

PBS_END_TARGET

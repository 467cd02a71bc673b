// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The forms of wgmma.mma_async, as its decoded instructions say them.

#ifndef PBS_EMULATOR_PRODUCTFORM_H
#define PBS_EMULATOR_PRODUCTFORM_H

#include "Program.h"

namespace pbs::runtime::emulator {

/// Warps of a warpgroup.
inline constexpr unsigned groupWarps = 4;

/// In Instruction::immediate, above the number of columns.
enum ProductForm : uint64_t {
  BFloatInputs = 1 << 16,
  HalfAccumulator = 1 << 17,
  RegisterA = 1 << 18,
  TransposedA = 1 << 19,
  TransposedB = 1 << 20,
  /// Exactly one of A and B is.
  Negated = 1 << 21,
};

inline unsigned columnsOf(const Instruction &instruction) {
  return unsigned(instruction.immediate & 0xFFFF);
}

/// What two products must agree in to add to the same accumulator one after the
/// other without a wait.
inline uint64_t shapeOf(const Instruction &instruction) {
  return instruction.immediate & (0xFFFF | BFloatInputs | HalfAccumulator);
}

/// Registers of the accumulator, which are the first operands.
inline unsigned accumulatorsOf(const Instruction &instruction) {
  return columnsOf(instruction) /
         (instruction.immediate & HalfAccumulator ? 4 : 2);
}

/// Registers of A, which follow; 0 where it is in shared memory.
inline unsigned inputsOf(const Instruction &instruction) {
  return instruction.immediate & RegisterA ? 4 : 0;
}

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_PRODUCTFORM_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reductions of asynchronous work (PTX ISA, cp.reduce.async.bulk and
// red.async).

#ifndef PBS_EMULATOR_REDUCTION_H
#define PBS_EMULATOR_REDUCTION_H

#include "InstructionTable.h"

namespace pbs::runtime::emulator {

/// What is stored, given what was there; None is a copy.
enum class Reduction : uint8_t {
  None,
  Add,
  Minimum,
  Maximum,
  Increment,
  Decrement,
  And,
  Or,
  Xor
};

/// The reduction that a modifier of \p opcode names.
Reduction reductionOf(const Opcode &opcode);

/// Whether \p reduction exists for \p type, in global or in shared memory.
bool isReduction(Reduction reduction, Type type, bool toGlobal);

/// Reduces the elements of \p source into those of \p destination, each as one
/// step, also against other host threads.
void reduce(Reduction reduction, Type type, uint8_t *destination,
            const uint8_t *source, uint64_t bytes);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_REDUCTION_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers that products of a warpgroup read and write after they have been
// issued (PTX ISA, "wgmma.fence" and "wgmma.mma_async").

#ifndef PBS_EMULATOR_CHECKS_REGISTERCHECKS_H
#define PBS_EMULATOR_CHECKS_REGISTERCHECKS_H

#include <cstdint>
#include <vector>

namespace pbs::runtime::emulator {

/// What a warp's products do with its registers, by
/// Program::RegisterUse::index.
struct RegisterState {
  struct Register {
    /// The last product that has it as accumulator, as part of A; 0 for none.
    uint64_t accumulator = 0;
    uint64_t input = 0;
    /// The instructions of these.
    uint32_t accumulating = 0;
    uint32_t reading = 0;
    /// Whether something else wrote it since the last wgmma.fence, and what.
    bool isModified = false;
    uint32_t modifying = 0;
  };
  std::vector<Register> registers;
  std::vector<uint32_t> modified;
  /// There has been a wgmma.fence.
  bool isFenced = false;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_REGISTERCHECKS_H

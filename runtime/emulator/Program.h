// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoded code: what the machine executes.

#ifndef PBS_EMULATOR_PROGRAM_H
#define PBS_EMULATOR_PROGRAM_H

#include "Syntax.h"
#include "pbs/Runtime/Emulator.h"

#include <string>
#include <vector>

namespace pbs::runtime::emulator {

/// Generic addresses of shared, thread-local and parameter space. Global
/// addresses are their own generic addresses.
inline constexpr uint64_t sharedWindow = uint64_t(1) << 48;
inline constexpr uint64_t localWindow = uint64_t(2) << 48;
inline constexpr uint64_t paramWindow = uint64_t(3) << 48;
inline constexpr uint64_t windowBytes = uint64_t(1) << 40;
/// Addresses of shared memory hold the CTA's rank in its cluster plus one from
/// this bit on, or 0 for the executing CTA.
inline constexpr unsigned clusterRankShift = 24;

struct Instruction;
struct Warp;

/// Executes one instruction for the lanes in \p active, which is never 0. The
/// warp's program counter already points behind the instruction.
using Handler = void (*)(Warp &warp, const Instruction &instruction,
                         uint32_t active);

/// In the slot of an address that has its offset as the next operand: it has
/// 64-bit lanes.
inline constexpr uint32_t wideAddress = 2;

/// An operand that is not there.
inline constexpr uint32_t noOperand = UINT32_MAX;
/// No instruction: control flow that meets again only at the end.
inline constexpr uint32_t noInstruction = UINT32_MAX;

/// A decoded instruction. Register and constant operands are byte offsets of
/// slots: an even offset counts from the warp's registers, an odd one (less
/// one) from the program's constants. A slot holds 32 lanes of 4 bytes for
/// values up to 32 bits (upper bits zero), 32 lanes of 8 bytes for 64 bits, or
/// one 4-byte lane mask for a predicate.
struct Instruction {
  static constexpr unsigned inlineOperands = 7;

  Handler handler = nullptr;
  /// Byte offset of the first address operand; handler's own use otherwise.
  uint64_t immediate = 0;
  /// The operands in the order of the text, vectors flattened; or, where more
  /// than inlineOperands, only operands[0]: the index into operandPool.
  uint32_t operands[inlineOperands] = {};
  /// Branch target, or the handler's own use.
  uint32_t target = noInstruction;
  /// Slot of the guard predicate, noOperand where there is none.
  uint32_t guard = noOperand;
  uint32_t line = 0;
  InstructionClass instructionClass = InstructionClass::Integer;
  Space space = Space::Generic;
  /// Elements of the first vector operand.
  uint8_t vectorLength = 1;
  /// See the enumeration below.
  uint8_t flags = 0;

  enum Flag : uint8_t {
    GuardNegated = 1,
    /// The predicate source operand is negated.
    SourceNegated = 2,
    /// The first, second address operand has 64-bit lanes.
    FirstAddress64 = 4,
    SecondAddress64 = 8,
    /// Names registers that a product of a warpgroup uses; see RegisterUse.
    UsesProductRegisters = 16,
  };
};
static_assert(sizeof(Instruction) == 64);

/// What an instruction says of the order of accesses, for checks.
struct AccessOrder {
  enum Flag : uint8_t {
    /// An atomic, or volatile, relaxed, acquire or release.
    Strong = 1,
    Acquire = 2,
    Release = 4,
    /// Among threads of a CTA only.
    CtaScope = 8,
    /// fence.proxy.async, for shared and for global memory.
    ProxyShared = 16,
    ProxyGlobal = 32,
    MbarrierInit = 64,
    ThreadFence = 128,
  };
};

/// How an instruction uses a register that some product of a warpgroup has as
/// accumulator or as part of A, for checks.
struct RegisterUse {
  enum class Role : uint8_t { Read, Write, Accumulator, Input };
  /// Counts these registers.
  uint32_t index = 0;
  Role role = Role::Read;
};

struct KernelParameter {
  std::string name;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t alignment = 0;
  /// As declared: "u64", "b8[128]".
  std::string type;
};

/// A special register that has a slot, filled when a warp starts.
struct SpecialSlot {
  SpecialRegister special;
  uint32_t slot;
};

struct Kernel {
  std::string name;
  uint32_t entry = 0;
  std::vector<KernelParameter> parameters;
  uint64_t parameterBytes = 0;
  /// Bytes of a warp's registers, including those of device functions.
  uint32_t registerBytes = 0;
  uint64_t staticSharedBytes = 0;
  /// Where `.extern .shared` symbols begin.
  uint64_t dynamicSharedOffset = 0;
  /// Bytes of thread-local memory per thread.
  uint64_t localBytes = 0;
  std::vector<SpecialSlot> specials;
  std::array<uint32_t, 3> requiredThreads = {0, 0, 0};
  std::array<uint32_t, 3> maximumThreads = {0, 0, 0};
  std::array<uint32_t, 3> requiredCluster = {0, 0, 0};
  /// `.maxnreg`; 0 where absent.
  uint32_t maximumRegisters = 0;
};

/// One move of bytes around a call: between `.param` variables, both in
/// thread-local memory, or between slots.
struct CallTransfer {
  bool isSlot = false;
  uint32_t source = 0;
  uint32_t destination = 0;
  /// Bytes per lane.
  uint32_t bytes = 0;
};

struct CallSite {
  uint32_t entry = 0;
  std::vector<CallTransfer> arguments;
  std::vector<CallTransfer> results;
};

struct Program {
  std::string name;
  std::vector<Instruction> code;
  /// The opcode of every instruction; points into the PTX text.
  std::vector<std::string_view> opcodes;
  std::vector<uint32_t> operandPool;
  /// AccessOrder of every instruction.
  std::vector<uint8_t> orders;
  /// Where the module has products of warpgroups: from firstRegisterUse[i] to
  /// firstRegisterUse[i + 1], the uses of instruction i.
  std::vector<RegisterUse> registerUses;
  std::vector<uint32_t> firstRegisterUse;
  std::vector<std::string> productRegisterNames;
  std::vector<CallSite> callSites;
  /// Instruction numbers per brx.idx.
  std::vector<std::vector<uint32_t>> branchTables;
  /// Slots of constants, aligned to 64 bytes by alignas(64) elements.
  struct alignas(64) ConstantLine {
    uint8_t bytes[64];
  };
  std::vector<ConstantLine> constants;
  std::vector<Kernel> kernels;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_PROGRAM_H

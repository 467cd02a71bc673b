// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns a parsed module into code: registers become slots, variables offsets,
// opcodes handlers, labels instruction numbers.

#ifndef PBS_EMULATOR_DECODER_H
#define PBS_EMULATOR_DECODER_H

#include "ControlFlow.h"
#include "InstructionTable.h"
#include "Program.h"
#include "Syntax.h"

#include <map>

namespace pbs::runtime::emulator {

inline uint64_t alignTo(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// Decodes one module. Throws Error("module:line: ...").
class Decoder {
public:
  /// The global and constant variables of \p module have addresses already.
  /// \p name begins every message.
  Decoder(ModuleSyntax &module, const std::string &name,
          const InstructionTable &table);

  Program decode();

private:
  // Functions and statements; Decoder.cpp.
  void decodeFunction(Function &function);
  Kernel layOutKernel(Function &function, int32_t index);
  void layOut(Variable &variable);
  void decodeStatement(const Function &function, const Statement &statement);
  const InstructionDescription &find(const Statement &statement) const;
  void linkBranches(Function &function, uint32_t entry);
  [[noreturn]] void fail(const std::string &message) const;

  // What checks want to know; DecoderChecks.cpp.
  void noteUse(const Function &function, uint32_t index, bool isWritten);
  void finishStatement(const Statement &statement);
  void collectRegisterUses();

  // Calls; DecoderCalls.cpp.
  void decodeCall(const Function &function, const Statement &statement);
  void decodeTransfers(const Function &function, uint32_t calleeIndex,
                       const std::vector<Operand> *actuals, bool areArguments,
                       std::vector<CallTransfer> &transfers);
  void checkRecursion() const;

  // Operands; DecoderOperands.cpp.
  void decodeOperands(const Function &function, const Statement &statement,
                      const InstructionDescription &description, Opcode &opcode,
                      Instruction &instruction);
  void decodeOperand(const Function &function, const Operand &operand,
                     const InstructionDescription &description,
                     const OperandPattern &pattern, Opcode &opcode,
                     Instruction &instruction);
  void decodeAddress(const Function &function, const Operand &operand,
                     Instruction &instruction);
  void decodePlainAddress(const Function &function, const Operand &operand,
                          bool isGeneric);
  uint32_t scalar(const Function &function, const Operand &operand,
                  unsigned bits, bool relaxed, bool isDestination, Type type);
  uint64_t literal(const Operand &operand, Type type) const;
  uint32_t registerSlot(const Function &function, uint32_t index);
  uint32_t specialSlot(SpecialRegister special);
  uint32_t allocateSlot(unsigned bits);
  uint32_t constantSlot(uint64_t value, unsigned bits);

  /// The first slot of a warp's registers takes results that nobody wants.
  static constexpr uint32_t sinkSlot = 0;
  static constexpr uint32_t firstFreeSlot = 256;

  ModuleSyntax &module;
  const InstructionTable &table;
  Program program;
  /// The line being decoded.
  uint32_t line = 0;

  // Of the function being decoded.
  std::vector<uint32_t> registerSlots;
  std::vector<SpecialSlot> specials;
  std::vector<FlowEdge> flow;
  std::vector<uint32_t> operandSlots;
  unsigned addresses = 0;
  int32_t functionIndex = -1;

  // Layout: device functions first, then every kernel behind them.
  uint32_t nextSlot = firstFreeSlot;
  uint64_t nextShared = 0;
  uint64_t nextLocal = 0;
  uint64_t dynamicAlignment = 16;

  /// The registers that an instruction names, and of which function.
  struct NamedRegister {
    uint32_t instruction;
    uint32_t slot;
    std::string_view name;
    bool isWritten;
  };
  std::vector<NamedRegister> namedRegisters;
  bool hasProducts = false;
  /// The instructions wgmma.mma_async.
  std::vector<uint32_t> products;

  /// Targets of all brx.idx so far.
  size_t branchTargets = 0;

  std::map<std::pair<uint64_t, unsigned>, uint32_t> constants;
  uint32_t constantBytes = 0;
  /// Slots of device functions' registers, for calls.
  std::vector<std::vector<uint32_t>> functionSlots;
  std::vector<uint32_t> functionEntries;
  std::vector<std::pair<uint32_t, uint32_t>> callees; // call site, function
  std::vector<std::vector<uint32_t>> callGraph;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_DECODER_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Decoder.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>

namespace pbs::runtime::emulator {

void Decoder::decodeTransfers(const Function &function, uint32_t calleeIndex,
                              const std::vector<Operand> *actuals,
                              bool areArguments,
                              std::vector<CallTransfer> &transfers) {
  using Kind = Operand::Kind;
  const Function &callee = module.functions[calleeIndex];
  const auto &formals = areArguments ? callee.parameters : callee.results;
  if ((actuals ? actuals->size() : 0) != formals.size())
    fail("'" + callee.name + "' has " + std::to_string(formals.size()) +
         (areArguments ? " parameters" : " results"));
  for (size_t index = 0; index < formals.size(); ++index) {
    const Operand &actual = (*actuals)[index];
    CallTransfer transfer;
    uint32_t formal = 0;
    uint32_t own = 0;
    transfer.isSlot = formals[index].isRegister;
    if (transfer.isSlot) {
      // Decoded functions keep their slots; a later one gets them here.
      Type type = callee.registers[formals[index].index];
      auto &slots = functionSlots[calleeIndex];
      if (slots.empty())
        fail("'" + callee.name +
             "' has parameters in registers and must come first");
      formal = slots[formals[index].index];
      own = scalar(function, actual, bitWidth(type), /*relaxed=*/false,
                   !areArguments, type);
      transfer.bytes = type == Type::Pred ? 0 : bitWidth(type) == 64 ? 8 : 4;
    } else {
      const Variable &variable = module.variables[formals[index].index];
      if (actual.kind != Kind::Variable ||
          module.variables[actual.index].space != Space::Local ||
          module.variables[actual.index].bytes < variable.bytes)
        fail("an argument of '" + callee.name + "' is no matching .param");
      formal = uint32_t(variable.address);
      own = uint32_t(module.variables[actual.index].address);
      transfer.bytes = uint32_t(variable.bytes);
    }
    transfer.source = areArguments ? own : formal;
    transfer.destination = areArguments ? formal : own;
    transfers.push_back(transfer);
  }
}

void Decoder::decodeCall(const Function &function, const Statement &statement) {
  // call (results), f, (arguments); both lists may be missing.
  using Kind = Operand::Kind;
  for (std::string_view modifier : statement.modifiers)
    if (modifier != "uni")
      fail("unknown modifier '." + std::string(modifier) + "' of 'call'");
  size_t next = 0;
  auto list = [&]() -> const std::vector<Operand> * {
    if (next < statement.operands.size() &&
        statement.operands[next].kind == Kind::List)
      return &statement.operands[next++].elements;
    return nullptr;
  };
  const std::vector<Operand> *results = list();
  if (next == statement.operands.size() ||
      statement.operands[next].kind != Kind::Function)
    fail("only direct calls of functions in this module are supported");
  uint32_t calleeIndex = statement.operands[next++].index;
  if (int32_t original = module.functions[calleeIndex].alias; original >= 0)
    calleeIndex = uint32_t(original);
  const std::vector<Operand> *arguments = list();
  if (next != statement.operands.size())
    fail("'call' has too many operands");
  const Function &callee = module.functions[calleeIndex];
  if (callee.isKernel)
    fail("'" + callee.name + "' is a kernel and cannot be called");
  if (!callee.hasBody)
    fail("function '" + callee.name + "' has no body");

  CallSite site;
  decodeTransfers(function, calleeIndex, arguments, true, site.arguments);
  decodeTransfers(function, calleeIndex, results, false, site.results);

  // The arguments are moved, the callee runs, the results are moved.
  uint32_t number = uint32_t(program.callSites.size());
  callees.emplace_back(number, calleeIndex);
  if (functionIndex >= 0)
    callGraph[functionIndex].push_back(calleeIndex);
  program.callSites.push_back(std::move(site));
  for (const char *half : {"call", "call.results"}) {
    Instruction instruction;
    instruction.line = line;
    instruction.instructionClass = InstructionClass::Control;
    instruction.target = number;
    if (statement.guard >= 0) {
      instruction.guard = registerSlot(function, uint32_t(statement.guard));
      if (statement.guardNegated)
        instruction.flags |= Instruction::GuardNegated;
    }
    Opcode opcode = {statement.modifiers};
    instruction.handler = table.at(half).select(opcode, instruction);
    program.code.push_back(instruction);
    program.opcodes.push_back(statement.text);
  }
  flow.emplace_back();
}

void Decoder::checkRecursion() const {
  // Registers and .param variables of a function exist once per thread.
  enum : uint8_t { Unseen, Open, Done };
  std::vector<uint8_t> state(module.functions.size(), Unseen);
  std::vector<std::pair<uint32_t, size_t>> stack;
  for (uint32_t root = 0; root < module.functions.size(); ++root) {
    if (state[root] != Unseen)
      continue;
    state[root] = Open;
    stack.emplace_back(root, 0);
    while (!stack.empty()) {
      auto &[function, next] = stack.back();
      if (next == callGraph[function].size()) {
        state[function] = Done;
        stack.pop_back();
        continue;
      }
      uint32_t callee = callGraph[function][next++];
      if (state[callee] == Open)
        throw Error(program.name + ":" +
                    std::to_string(module.functions[callee].line) +
                    ": recursive function '" + module.functions[callee].name +
                    "' is not supported");
      if (state[callee] == Unseen) {
        state[callee] = Open;
        stack.emplace_back(callee, 0);
      }
    }
  }
}

} // namespace pbs::runtime::emulator

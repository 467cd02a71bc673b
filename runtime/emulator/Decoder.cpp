// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Decoder.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

constexpr uint64_t maximumLocalBytes = 512 * 1024;
constexpr uint64_t maximumVariableBytes = uint64_t(1) << 32;

} // namespace

Decoder::Decoder(ModuleSyntax &module, const std::string &name,
                 const InstructionTable &table)
    : module(module), table(table) {
  program.name = name;
}

void Decoder::fail(const std::string &message) const {
  throw Error(program.name + ":" + std::to_string(line) + ": " + message);
}

void Decoder::layOut(Variable &variable) {
  line = variable.line;
  if (variable.bytes > maximumVariableBytes)
    fail("variable '" + std::string(variable.name) + "' is too large");
  uint64_t *next = nullptr;
  if (variable.space == Space::Local)
    next = &nextLocal;
  else if (variable.space == Space::Shared)
    next = &nextShared;
  if (!next)
    return;
  if (variable.dynamic) {
    dynamicAlignment = std::max(dynamicAlignment, variable.alignment);
    return;
  }
  variable.address = alignTo(*next, variable.alignment);
  *next = variable.address + variable.bytes;
  if (variable.space == Space::Local && *next > maximumLocalBytes)
    fail("more than " + std::to_string(maximumLocalBytes) +
         " bytes of thread-local memory");
}

Program Decoder::decode() {
  functionSlots.resize(module.functions.size());
  functionEntries.resize(module.functions.size(), noInstruction);
  callGraph.resize(module.functions.size());
  // A kernel reserves what it mentions of the module's shared variables;
  // device functions' and what they may mention is reserved by every kernel.
  std::vector<bool> mentioned(module.variables.size(), false);
  bool hasDeviceFunctions = false;
  for (const Function &function : module.functions) {
    hasDeviceFunctions |= !function.isKernel && function.hasBody;
    for (const Statement &statement : function.body)
      hasProducts |= statement.name == "wgmma";
  }
  for (Variable &variable : module.variables) {
    bool ofDeviceFunction =
        variable.owner >= 0 && !module.functions[variable.owner].isKernel;
    if (ofDeviceFunction || (variable.owner < 0 && hasDeviceFunctions))
      layOut(variable);
  }
  for (size_t index = 0; index < module.functions.size(); ++index) {
    Function &function = module.functions[index];
    if (function.isKernel || !function.hasBody)
      continue;
    functionIndex = int32_t(index);
    functionEntries[index] = uint32_t(program.code.size());
    decodeFunction(function);
    functionSlots[index] = registerSlots;
  }
  uint32_t firstKernelSlot = nextSlot;
  uint64_t firstKernelShared = nextShared;
  uint64_t firstKernelLocal = nextLocal;
  std::vector<SpecialSlot> sharedSpecials = specials;

  for (size_t index = 0; index < module.functions.size(); ++index) {
    Function &function = module.functions[index];
    if (!function.isKernel || !function.hasBody)
      continue;
    nextSlot = firstKernelSlot;
    nextShared = firstKernelShared;
    nextLocal = firstKernelLocal;
    specials = sharedSpecials;
    dynamicAlignment = 16;
    functionIndex = int32_t(index);
    Kernel kernel = layOutKernel(function, int32_t(index));
    if (!hasDeviceFunctions) {
      std::fill(mentioned.begin(), mentioned.end(), false);
      auto mention = [&](const Operand &operand, auto &&self) -> void {
        if (operand.kind == Operand::Kind::Variable)
          mentioned[operand.index] = true;
        for (const Operand &element : operand.elements)
          self(element, self);
      };
      for (const Statement &statement : function.body)
        for (const Operand &operand : statement.operands)
          mention(operand, mention);
      for (size_t number = 0; number < module.variables.size(); ++number)
        if (module.variables[number].owner < 0 && mentioned[number])
          layOut(module.variables[number]);
    }
    kernel.staticSharedBytes = nextShared;
    kernel.dynamicSharedOffset = alignTo(nextShared, dynamicAlignment);
    for (Variable &variable : module.variables)
      if (variable.dynamic)
        variable.address = kernel.dynamicSharedOffset;
    kernel.localBytes = alignTo(nextLocal, 16);
    kernel.entry = uint32_t(program.code.size());
    decodeFunction(function);
    kernel.registerBytes = uint32_t(alignTo(nextSlot, 64));
    kernel.specials = specials;
    program.kernels.push_back(std::move(kernel));
  }
  for (auto [site, callee] : callees)
    program.callSites[site].entry = functionEntries[callee];
  checkRecursion();
  collectRegisterUses();
  return std::move(program);
}

Kernel Decoder::layOutKernel(Function &function, int32_t index) {
  Kernel kernel;
  kernel.name = function.name;
  kernel.requiredThreads = function.requiredThreads;
  kernel.maximumThreads = function.maximumThreads;
  kernel.requiredCluster = function.requiredCluster;
  kernel.maximumRegisters = function.maximumRegisters;
  for (Function::Formal formal : function.parameters) {
    line = function.line;
    if (formal.isRegister)
      fail("kernel '" + function.name + "' has a register as parameter");
    Variable &variable = module.variables[formal.index];
    variable.address = alignTo(kernel.parameterBytes, variable.alignment);
    kernel.parameterBytes = variable.address + variable.bytes;
    if (kernel.parameterBytes > 32764)
      fail("kernel '" + function.name +
           "' has more than 32764 bytes of parameters");
    std::string type(typeName(variable.type));
    if (variable.bytes != byteWidth(variable.type))
      type +=
          "[" + std::to_string(variable.bytes / byteWidth(variable.type)) + "]";
    kernel.parameters.push_back({std::string(variable.name), variable.address,
                                 variable.bytes, variable.alignment,
                                 std::move(type)});
  }
  for (Variable &variable : module.variables)
    if (variable.owner == index)
      layOut(variable);
  return kernel;
}

void Decoder::decodeFunction(Function &function) {
  registerSlots.assign(function.registers.size(), noOperand);
  flow.clear();
  uint32_t entry = uint32_t(program.code.size());
  // Formals in registers have slots before any call needs them.
  for (const auto *formals : {&function.parameters, &function.results})
    for (Function::Formal formal : *formals)
      if (formal.isRegister)
        registerSlot(function, formal.index);
  for (const Statement &statement : function.body)
    decodeStatement(function, statement);
  // Control that runs off the end returns.
  Statement end;
  end.line = function.body.empty() ? function.line : function.body.back().line;
  end.name = "ret";
  decodeStatement(function, end);
  linkBranches(function, entry);
}

const InstructionDescription &Decoder::find(const Statement &statement) const {
  std::string key(statement.name);
  const InstructionDescription *found = nullptr;
  // Special registers that change have no slot, but their own instruction.
  if (key == "mov" && statement.operands.size() == 2 &&
      statement.operands[1].kind == Operand::Kind::Special &&
      statement.operands[1].index >= uint32_t(SpecialRegister::Clock))
    key = "mov_clock";
  auto known = table.find(key);
  if (known != table.end())
    found = &known->second;
  for (size_t count = 0;
       count < std::min<size_t>(statement.modifiers.size(), 4); ++count) {
    key += ".";
    key += statement.modifiers[count];
    known = table.find(key);
    if (known != table.end())
      found = &known->second;
  }
  if (!found)
    fail("unknown instruction '" + std::string(statement.text.substr(0, 80)) +
         "'");
  return *found;
}

void Decoder::decodeStatement(const Function &function,
                              const Statement &statement) {
  line = statement.line;
  // Special registers have 32 bits here: others are as if converted.
  Type type = statement.modifiers.size() == 1
                  ? parseType(statement.modifiers.front())
                  : Type::None;
  if (statement.name == "mov" && statement.operands.size() == 2 &&
      statement.operands[1].kind == Operand::Kind::Special &&
      statement.operands[1].index < uint32_t(SpecialRegister::Clock) &&
      (bitWidth(type) == 16 || bitWidth(type) == 64)) {
    Statement conversion = statement;
    conversion.name = "cvt";
    conversion.modifiers = {bitWidth(type) == 16 ? "u16" : "u64", "u32"};
    decodeStatement(function, conversion);
    program.code.back().instructionClass = InstructionClass::Move;
    return;
  }
  flow.emplace_back();
  if (statement.name == "call") {
    decodeCall(function, statement);
    return;
  }
  const InstructionDescription &description = find(statement);
  Instruction instruction;
  instruction.line = line;
  instruction.instructionClass = description.instructionClass;

  Opcode opcode = {statement.modifiers};
  std::string_view key = description.name;
  size_t ownWords =
      size_t(std::count(key.begin(), key.end(), '.')); // in the name already
  for (size_t index = ownWords; index < statement.modifiers.size(); ++index) {
    std::string_view modifier = statement.modifiers[index];
    if (Type type = parseType(modifier);
        type != Type::None &&
        (type != Type::Pred || containsWord(description.modifiers, "pred"))) {
      if (opcode.typeCount == opcode.types.size())
        fail("too many types in '" + std::string(key) + "'");
      opcode.types[opcode.typeCount++] = type;
    } else if (modifier == "global") {
      opcode.space = Space::Global;
    } else if (modifier == "shared" || modifier == "shared::cta") {
      opcode.space = Space::Shared;
    } else if (modifier == "shared::cluster") {
      opcode.space = Space::SharedCluster;
    } else if (modifier == "local") {
      opcode.space = Space::Local;
    } else if (modifier == "param" || modifier == "param::entry" ||
               modifier == "param::func") {
      opcode.space = Space::Param;
    } else if (modifier == "const") {
      opcode.space = Space::Const;
    } else if (modifier.substr(0, 6) == "im2col") {
      fail("'." + std::string(modifier) +
           "' is not supported: tensor maps are tiled");
    } else if (!containsWord(description.modifiers, modifier)) {
      fail("unknown modifier '." + std::string(modifier) + "' of '" +
           std::string(key) + "'");
    }
  }
  instruction.space = opcode.space;
  if (instruction.instructionClass == InstructionClass::Integer &&
      isFloat(opcode.types[opcode.typeCount > 1 && statement.name == "set"]))
    instruction.instructionClass = InstructionClass::Float;
  if (statement.guard >= 0) {
    instruction.guard = registerSlot(function, uint32_t(statement.guard));
    if (statement.guardNegated)
      instruction.flags |= Instruction::GuardNegated;
  }
  decodeOperands(function, statement, description, opcode, instruction);
  instruction.handler = description.select(opcode, instruction);
  if (!instruction.handler) {
    fail("unsupported form '" + std::string(statement.text.substr(0, 80)) +
         "'");
  }
  program.code.push_back(instruction);
  program.opcodes.push_back(statement.text);
  finishStatement(statement);
}

void Decoder::linkBranches(Function &function, uint32_t entry) {
  // Statements are numbered as they were written; a call is two instructions.
  std::vector<uint32_t> start;
  uint32_t number = 0;
  for (const Statement &statement : function.body) {
    start.push_back(number);
    number += statement.name == "call" ? 2 : 1;
  }
  start.push_back(number);
  for (FlowEdge &edge : flow)
    for (uint32_t &target : edge.targets)
      target = start[function.labels[target]];
  number = 0;
  for (const Statement &statement : function.body) {
    FlowEdge &edge = flow[number];
    // Nobody goes on from a trap, so it is no end either.
    bool ends = statement.name == "ret" || statement.name == "exit";
    if (ends || statement.name == "trap") {
      edge.ends = ends;
      edge.fallsThrough = statement.guard >= 0;
    }
    number += statement.name == "call" ? 2 : 1;
  }
  flow.back().ends = true;
  flow.back().fallsThrough = false;

  std::vector<uint32_t> meeting = findMeetingPoints(flow);
  for (size_t index = 0; index < flow.size(); ++index) {
    const FlowEdge &edge = flow[index];
    if (edge.targets.empty())
      continue;
    Instruction &instruction = program.code[entry + index];
    instruction.immediate = meeting[index] == noInstruction
                                ? noInstruction
                                : entry + meeting[index];
    instruction.target = entry + edge.targets.front();
    if (instruction.vectorLength == 0) { // brx.idx, set by its selector
      instruction.target = uint32_t(program.branchTables.size());
      std::vector<uint32_t> targets;
      for (uint32_t target : edge.targets)
        targets.push_back(entry + target);
      program.branchTables.push_back(std::move(targets));
    }
  }
}

} // namespace pbs::runtime::emulator

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Decoder.h"

#include "ControlFlow.h"
#include "InstructionTable.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace pbs::runtime::emulator {

namespace {

/// The first slot of a warp's registers takes results that nobody wants.
constexpr uint32_t sinkSlot = 0;
constexpr uint32_t firstFreeSlot = 256;
constexpr uint32_t maximumRegisterBytes = 1 << 28;
constexpr uint64_t maximumLocalBytes = 512 * 1024;
constexpr uint64_t maximumVariableBytes = uint64_t(1) << 32;

uint64_t alignTo(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

float toFloat(double value) { return static_cast<float>(value); }

class Decoder {
public:
  Decoder(ModuleSyntax &module, const std::string &name)
      : module(module), table(instructionTable()) {
    program.name = name;
  }

  Program decode();

private:
  void decodeFunction(Function &function);
  Kernel layOutKernel(Function &function, int32_t index);
  void layOut(Variable &variable);
  void decodeStatement(const Function &function, const Statement &statement);
  void decodeCall(const Function &function, const Statement &statement);
  void decodeOperands(const Function &function, const Statement &statement,
                      const InstructionDescription &description, Opcode &opcode,
                      Instruction &instruction);
  void decodeOperand(const Function &function, const Operand &operand,
                     const OperandPattern &pattern, Opcode &opcode,
                     Instruction &instruction);
  void decodeAddress(const Function &function, const Operand &operand,
                     Instruction &instruction);
  uint32_t scalar(const Function &function, const Operand &operand,
                  unsigned bits, bool relaxed, bool isDestination, Type type);
  const InstructionDescription &find(const Statement &statement) const;
  uint64_t literal(const Operand &operand, Type type) const;
  uint32_t registerSlot(const Function &function, uint32_t index);
  uint32_t specialSlot(SpecialRegister special);
  uint32_t allocateSlot(unsigned bits);
  uint32_t constantSlot(uint64_t value, unsigned bits);
  void linkBranches(Function &function, uint32_t entry);
  void checkRecursion() const;
  [[noreturn]] void fail(const std::string &message) const;

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

  std::map<std::pair<uint64_t, unsigned>, uint32_t> constants;
  uint32_t constantBytes = 0;
  /// Slots of device functions' registers, for calls.
  std::vector<std::vector<uint32_t>> functionSlots;
  std::vector<uint32_t> functionEntries;
  std::vector<std::pair<uint32_t, uint32_t>> callees; // call site, function
  std::vector<std::vector<uint32_t>> callGraph;
};

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
  for (const Function &function : module.functions)
    hasDeviceFunctions |= !function.isKernel && function.hasBody;
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
  return std::move(program);
}

Kernel Decoder::layOutKernel(Function &function, int32_t index) {
  Kernel kernel;
  kernel.name = function.name;
  kernel.requiredThreads = function.requiredThreads;
  kernel.maximumThreads = function.maximumThreads;
  kernel.requiredCluster = function.requiredCluster;
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
    kernel.parameters.push_back(
        {std::string(variable.name), variable.address, variable.bytes});
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
    if (Type type = parseType(modifier); type != Type::None) {
      if (opcode.typeCount == opcode.types.size())
        fail("too many types in '" + std::string(key) + "'");
      opcode.types[opcode.typeCount++] = type;
    } else if (modifier == "global") {
      opcode.space = Space::Global;
    } else if (modifier == "shared" || modifier == "shared::cta") {
      opcode.space = Space::Shared;
    } else if (modifier == "local") {
      opcode.space = Space::Local;
    } else if (modifier == "param" || modifier == "param::entry" ||
               modifier == "param::func") {
      opcode.space = Space::Param;
    } else if (modifier == "const") {
      opcode.space = Space::Const;
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
}

void Decoder::decodeOperands(const Function &function,
                             const Statement &statement,
                             const InstructionDescription &description,
                             Opcode &opcode, Instruction &instruction) {
  operandSlots.clear();
  addresses = 0;
  size_t next = 0;
  for (const OperandPattern &pattern : description.operands) {
    if (next < statement.operands.size()) {
      decodeOperand(function, statement.operands[next++], pattern, opcode,
                    instruction);
      continue;
    }
    if (!pattern.optional)
      fail("'" + std::string(description.name) + "' needs more operands");
    operandSlots.push_back(noOperand);
  }
  if (next != statement.operands.size())
    fail("'" + std::string(description.name) + "' has too many operands");
  if (operandSlots.size() <= Instruction::inlineOperands) {
    std::copy(operandSlots.begin(), operandSlots.end(), instruction.operands);
    return;
  }
  instruction.operands[0] = uint32_t(program.operandPool.size());
  program.operandPool.insert(program.operandPool.end(), operandSlots.begin(),
                             operandSlots.end());
}

void Decoder::decodeOperand(const Function &function, const Operand &operand,
                            const OperandPattern &pattern, Opcode &opcode,
                            Instruction &instruction) {
  using Role = OperandPattern::Role;
  Type type = pattern.fixedType != Type::None ? pattern.fixedType
                                              : opcode.types[pattern.typeIndex];
  unsigned bits = bitWidth(type) * (pattern.wide ? 2 : 1);
  auto add = [&](const Operand &element, bool isDestination, Type elementType,
                 unsigned elementBits) {
    size_t position = operandSlots.size();
    if (position < opcode.registerBits.size() &&
        element.kind == Operand::Kind::Register)
      opcode.registerBits[position] =
          uint8_t(bitWidth(function.registers[element.index]));
    operandSlots.push_back(scalar(function, element, elementBits,
                                  pattern.relaxed, isDestination, elementType));
  };
  auto addPredicate = [&](const Operand &element, bool isDestination) {
    if (element.negated && isDestination)
      fail("a result cannot be negated");
    if (element.negated)
      instruction.flags |= Instruction::SourceNegated;
    if (element.kind == Operand::Kind::Register &&
        function.registers[element.index] != Type::Pred)
      fail("expected a predicate register");
    add(element, isDestination, Type::Pred, 1);
  };
  switch (pattern.role) {
  case Role::Destination:
  case Role::Source: {
    bool isDestination = pattern.role == Role::Destination;
    if (type == Type::None)
      fail("instruction without a type");
    if (pattern.paired && operand.kind == Operand::Kind::Pair) {
      add(operand.elements[0], isDestination, type, bits);
      addPredicate(operand.elements[1], /*isDestination=*/true);
      return;
    }
    add(operand, isDestination, type, bits);
    if (pattern.paired)
      operandSlots.push_back(noOperand);
    return;
  }
  case Role::DestinationPredicate:
    if (operand.kind == Operand::Kind::Pair) {
      addPredicate(operand.elements[0], /*isDestination=*/true);
      addPredicate(operand.elements[1], /*isDestination=*/true);
      return;
    }
    addPredicate(operand, /*isDestination=*/true);
    if (pattern.paired)
      operandSlots.push_back(noOperand);
    return;
  case Role::SourceOrPredicate:
    if (operand.kind != Operand::Kind::Register ||
        function.registers[operand.index] != Type::Pred)
      return add(operand, /*isDestination=*/false, type, bits);
    return addPredicate(operand, /*isDestination=*/false);
  case Role::SourcePredicate:
    return addPredicate(operand, /*isDestination=*/false);
  case Role::DestinationVector:
  case Role::SourceVector: {
    bool isDestination = pattern.role == Role::DestinationVector;
    if (type == Type::None)
      fail("instruction without a type");
    unsigned length = 1;
    if (operand.kind == Operand::Kind::Vector) {
      length = unsigned(operand.elements.size());
      if (operand.elements.size() > 255 || operand.elements.empty())
        fail("vector of " + std::to_string(operand.elements.size()) +
             " elements");
      if (pattern.packed && bits % operand.elements.size() != 0)
        fail("vector of " + std::to_string(operand.elements.size()) +
             " elements");
      if (pattern.packed)
        bits /= unsigned(operand.elements.size());
      for (const Operand &element : operand.elements)
        add(element, isDestination,
            !pattern.packed ? type
            : bits == 32    ? Type::B32
                            : Type::B64,
            bits);
    } else {
      add(operand, isDestination, type, bits);
    }
    if (opcode.vectorCount == 0)
      instruction.vectorLength = uint8_t(length);
    opcode.vectorLengths[opcode.vectorCount++] = uint8_t(length);
    return;
  }
  case Role::Address:
    return decodeAddress(function, operand, instruction);
  case Role::Immediate:
    if (operand.kind == Operand::Kind::Special) {
      operandSlots.push_back(operand.index);
      return;
    }
    if (operand.kind != Operand::Kind::Integer)
      fail("expected a constant");
    operandSlots.push_back(uint32_t(operand.bits));
    return;
  case Role::Label: {
    if (operand.kind != Operand::Kind::Label)
      fail("expected a label");
    // Both are turned into instruction numbers by linkBranches.
    const Function::LabelReference &reference =
        function.labelReferences[operand.index];
    FlowEdge &edge = flow.back();
    edge.fallsThrough = instruction.guard != noOperand;
    if (reference.isTargetList) {
      for (uint32_t target : function.branchTargets[reference.label])
        edge.targets.push_back(function.labelReferences[target].label);
    } else {
      edge.targets.push_back(reference.label);
    }
    operandSlots.push_back(noOperand);
    return;
  }
  }
}

void Decoder::decodeAddress(const Function &function, const Operand &operand,
                            Instruction &instruction) {
  if (operand.kind != Operand::Kind::Address)
    fail("expected an address in brackets");
  if (operand.elements.size() != 1)
    fail("tensor addresses are not supported");
  const Operand &base = operand.elements.front();
  bool isSecond = addresses++ > 0;
  uint8_t flag =
      isSecond ? Instruction::SecondAddress64 : Instruction::FirstAddress64;
  uint64_t offset = operand.bits;
  if (base.kind == Operand::Kind::Register) {
    unsigned bits = bitWidth(function.registers[base.index]);
    if (bits != 32 && bits != 64)
      fail("an address register has 32 or 64 bits");
    if (bits == 64)
      instruction.flags |= flag;
    operandSlots.push_back(registerSlot(function, base.index));
  } else if (base.kind == Operand::Kind::Variable) {
    const Variable &variable = module.variables[base.index];
    // `.param` variables of device functions and around calls.
    if (instruction.space == Space::Param && variable.space == Space::Local)
      instruction.space = Space::Local;
    bool isGeneric = instruction.space == Space::Generic;
    uint64_t window = 0;
    if (isGeneric && variable.space == Space::Shared)
      window = sharedWindow;
    else if (isGeneric && variable.space == Space::Local)
      window = localWindow;
    instruction.flags |= flag;
    operandSlots.push_back(constantSlot(variable.address + window, 64));
    if (variable.external && !variable.dynamic)
      fail("variable '" + std::string(variable.name) +
           "' is external and has no memory");
  } else if (base.kind == Operand::Kind::Integer) {
    instruction.flags |= flag;
    operandSlots.push_back(constantSlot(base.bits, 64));
  } else {
    fail("an address is a register, a variable or a constant");
  }
  if (!isSecond) {
    instruction.immediate = offset;
    return;
  }
  // Copies have small offsets; there is room for 32 bits.
  if (int64_t(offset) != int32_t(offset))
    fail("address offset above 32 bits");
  instruction.target = uint32_t(offset);
}

uint64_t Decoder::literal(const Operand &operand, Type type) const {
  double number = 0;
  float single = 0;
  if (operand.kind == Operand::Kind::Double) {
    std::memcpy(&number, &operand.bits, sizeof(number));
    if (type == Type::F64 || type == Type::B64)
      return operand.bits;
    single = toFloat(number);
  } else if (operand.kind == Operand::Kind::Single) {
    uint32_t bits = uint32_t(operand.bits);
    std::memcpy(&single, &bits, sizeof(single));
    number = single;
    if (type == Type::F64) {
      uint64_t wide;
      std::memcpy(&wide, &number, sizeof(wide));
      return wide;
    }
  } else if (type == Type::F32 || type == Type::F64) {
    fail("an integer constant for a floating-point operand");
  } else {
    return operand.bits;
  }
  if (type != Type::F32 && type != Type::B32)
    fail("a floating-point constant for an operand that is none");
  uint32_t bits;
  std::memcpy(&bits, &single, sizeof(bits));
  return bits;
}

uint32_t Decoder::scalar(const Function &function, const Operand &operand,
                         unsigned bits, bool relaxed, bool isDestination,
                         Type type) {
  switch (operand.kind) {
  case Operand::Kind::Sink:
    if (isDestination)
      return sinkSlot;
    fail("'_' is no source");
  case Operand::Kind::Register: {
    unsigned registerBits = bitWidth(function.registers[operand.index]);
    bool fits = relaxed
                    ? registerBits >= bits && (registerBits > 1 || bits == 1)
                    : registerBits == bits;
    if (!fits)
      fail("a register of " + std::to_string(registerBits) +
           " bits for an operand of " + std::to_string(bits));
    return registerSlot(function, operand.index);
  }
  case Operand::Kind::Special:
    if (isDestination)
      fail("a special register is no destination");
    if (operand.index >= uint32_t(SpecialRegister::Clock))
      fail("this special register is read by mov only");
    if (bits != 32)
      fail("a special register of 32 bits for an operand of " +
           std::to_string(bits));
    return specialSlot(SpecialRegister(operand.index));
  case Operand::Kind::Integer:
  case Operand::Kind::Double:
  case Operand::Kind::Single:
    if (isDestination)
      fail("a constant is no destination");
    return constantSlot(literal(operand, type), bits);
  case Operand::Kind::Variable: {
    const Variable &variable = module.variables[operand.index];
    if (isDestination || (bits != 64 && bits != 32))
      fail("an address for an operand that is none");
    if (variable.external && !variable.dynamic)
      fail("variable '" + std::string(variable.name) +
           "' is external and has no memory");
    return constantSlot(variable.address + operand.bits, bits);
  }
  default:
    fail("an operand of the wrong kind");
  }
}

uint32_t Decoder::allocateSlot(unsigned bits) {
  // Predicates are lane masks; everything else is aligned for vectors.
  uint32_t bytes = bits == 64 ? 256 : bits == 1 ? 4 : 128;
  uint32_t slot = bits == 1 ? nextSlot : uint32_t(alignTo(nextSlot, 64));
  if (slot > maximumRegisterBytes)
    fail("too many registers");
  nextSlot = slot + bytes;
  return slot;
}

uint32_t Decoder::registerSlot(const Function &function, uint32_t index) {
  if (registerSlots[index] == noOperand)
    registerSlots[index] = allocateSlot(bitWidth(function.registers[index]));
  return registerSlots[index];
}

uint32_t Decoder::specialSlot(SpecialRegister special) {
  for (const SpecialSlot &known : specials)
    if (known.special == special)
      return known.slot;
  specials.push_back({special, allocateSlot(32)});
  return specials.back().slot;
}

uint32_t Decoder::constantSlot(uint64_t value, unsigned bits) {
  if (bits < 64)
    value &= (uint64_t(1) << bits) - 1;
  unsigned width = bits == 64 ? 64 : bits == 1 ? 1 : 32;
  if (width == 1)
    value = value ? UINT32_MAX : 0;
  auto [known, isNew] = constants.try_emplace({value, width}, 0);
  if (!isNew)
    return known->second;
  uint32_t slot = constantBytes;
  constantBytes += width == 64 ? 256 : width == 1 ? 64 : 128;
  program.constants.resize(constantBytes / sizeof(Program::ConstantLine));
  uint8_t *bytes = reinterpret_cast<uint8_t *>(program.constants.data()) + slot;
  unsigned laneBytes = width == 64 ? 8 : 4;
  for (unsigned lane = 0; lane < (width == 1 ? 1u : 32u); ++lane)
    std::memcpy(bytes + lane * laneBytes, &value, laneBytes);
  known->second = slot | 1;
  return slot | 1;
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
  const std::vector<Operand> *arguments = list();
  if (next != statement.operands.size())
    fail("'call' has too many operands");
  const Function &callee = module.functions[calleeIndex];
  if (callee.isKernel)
    fail("'" + callee.name + "' is a kernel and cannot be called");
  if (!callee.hasBody)
    fail("function '" + callee.name + "' has no body");

  CallSite site;
  auto transfers = [&](const std::vector<Operand> *actuals,
                       const std::vector<Function::Formal> &formals,
                       bool areArguments, std::vector<CallTransfer> &list) {
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
      list.push_back(transfer);
    }
  };
  transfers(arguments, callee.parameters, true, site.arguments);
  transfers(results, callee.results, false, site.results);

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
    if (statement.name == "ret" || statement.name == "exit" ||
        statement.name == "trap") {
      edge.ends = true;
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

} // namespace

Program decode(ModuleSyntax &module, const std::string &name) {
  return Decoder(module, name).decode();
}

} // namespace pbs::runtime::emulator

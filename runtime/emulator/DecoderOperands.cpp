// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Decoder.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <cstring>

namespace pbs::runtime::emulator {

namespace {

constexpr size_t maximumCoordinates = 5;
constexpr uint32_t maximumRegisterBytes = 1 << 28;
/// Of all lists together: each brx.idx has its own copy of a list that may
/// be as long as the text.
constexpr size_t maximumBranchTargets = 1 << 20;

} // namespace

void Decoder::decodeOperands(const Function &function,
                             const Statement &statement,
                             const InstructionDescription &description,
                             Opcode &opcode, Instruction &instruction) {
  operandSlots.clear();
  addresses = 0;
  size_t next = 0;
  // What modifiers ask for comes last; before it, operands may be missing.
  size_t asked = 0;
  for (const OperandPattern &pattern : description.operands)
    asked += !pattern.condition.empty() && opcode.has(pattern.condition);
  for (const OperandPattern &pattern : description.operands) {
    bool isAsked = !pattern.condition.empty();
    if (isAsked && !opcode.has(pattern.condition)) {
      bool isAddress = pattern.role == OperandPattern::Role::PlainAddress;
      operandSlots.insert(operandSlots.end(), isAddress ? 2 : 1, noOperand);
      continue;
    }
    bool isMissing = pattern.optional && !isAsked &&
                     next + asked >= statement.operands.size();
    if (next < statement.operands.size() && !isMissing) {
      asked -= isAsked;
      decodeOperand(function, statement.operands[next++], description, pattern,
                    opcode, instruction);
      continue;
    }
    if (!pattern.optional || isAsked)
      fail("'" + std::string(description.name) + "' needs more operands");
    operandSlots.push_back(noOperand);
  }
  if (next != statement.operands.size())
    fail("'" + std::string(description.name) + "' has too many operands");
  opcode.operands = operandSlots.data();
  if (operandSlots.size() <= Instruction::inlineOperands) {
    std::copy(operandSlots.begin(), operandSlots.end(), instruction.operands);
    return;
  }
  instruction.operands[0] = uint32_t(program.operandPool.size());
  program.operandPool.insert(program.operandPool.end(), operandSlots.begin(),
                             operandSlots.end());
}

void Decoder::decodeOperand(const Function &function, const Operand &operand,
                            const InstructionDescription &description,
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
  case Role::SourceMatrix:
    if (operand.kind == Operand::Kind::Vector) {
      for (const Operand &element : operand.elements)
        add(element, /*isDestination=*/false, Type::B32, 32);
      opcode.vectorLengths[opcode.vectorCount++] =
          uint8_t(std::min<size_t>(operand.elements.size(), 255));
    } else {
      add(operand, /*isDestination=*/false, Type::B64, 64);
      opcode.vectorLengths[opcode.vectorCount++] = 0;
    }
    return;
  case Role::Address:
    return decodeAddress(function, operand, instruction);
  case Role::PlainAddress:
    if (operand.kind == Operand::Kind::Address && operand.elements.size() != 1)
      fail("an address of a tensor where there is none");
    return decodePlainAddress(function, operand,
                              opcode.space == Space::Generic);
  case Role::TensorAddress: {
    bool isTensor = operand.kind == Operand::Kind::Address &&
                    operand.elements.size() == 2 &&
                    operand.elements[1].kind == Operand::Kind::Vector;
    if (!isTensor && operand.kind == Operand::Kind::Address &&
        operand.elements.size() != 1)
      fail("a tensor's address is [map, {coordinates}]");
    // The address of a tensor map is generic.
    decodePlainAddress(function, operand, isTensor);
    size_t count = isTensor ? operand.elements[1].elements.size() : 0;
    if (count > maximumCoordinates)
      fail("more than 5 coordinates");
    opcode.coordinates[opcode.tensorCount++] = uint8_t(count);
    for (size_t index = 0; index < maximumCoordinates; ++index)
      operandSlots.push_back(
          index < count ? scalar(function, operand.elements[1].elements[index],
                                 32, /*relaxed=*/false,
                                 /*isDestination=*/false, Type::S32)
                        : noOperand);
    return;
  }
  case Role::Immediate:
    // Only the decoder's own mov_clock has one.
    if (operand.kind == Operand::Kind::Special &&
        description.name == "mov_clock") {
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
      if (description.name != "brx.idx")
        fail("expected a label, not a list of them");
      for (uint32_t target : function.branchTargets[reference.label]) {
        if (function.labelReferences[target].isTargetList)
          fail("expected labels in '.branchtargets'");
        edge.targets.push_back(function.labelReferences[target].label);
      }
      branchTargets += edge.targets.size();
      if (branchTargets > maximumBranchTargets)
        fail("too many branch targets");
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
  if (operand.isElement) {
    Operand address;
    address.kind = Operand::Kind::Address;
    address.bits = operand.bits;
    address.elements.push_back(operand);
    address.elements[0].bits = 0;
    address.elements[0].isElement = false;
    return decodeAddress(function, address, instruction);
  }
  if (operand.kind != Operand::Kind::Address)
    fail("expected an address in brackets");
  if (operand.elements.size() != 1)
    fail("an address of a tensor where there is none");
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
    noteUse(function, base.index, /*isWritten=*/false);
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

void Decoder::decodePlainAddress(const Function &function,
                                 const Operand &operand, bool isGeneric) {
  if (operand.kind != Operand::Kind::Address)
    fail("expected an address in brackets");
  const Operand &base = operand.elements.front();
  if (int64_t(operand.bits) != int32_t(operand.bits))
    fail("address offset above 32 bits");
  uint32_t slot = noOperand;
  if (base.kind == Operand::Kind::Register) {
    unsigned bits = bitWidth(function.registers[base.index]);
    if (bits != 32 && bits != 64)
      fail("an address register has 32 or 64 bits");
    noteUse(function, base.index, /*isWritten=*/false);
    slot = registerSlot(function, base.index) | (bits == 64 ? wideAddress : 0);
  } else if (base.kind == Operand::Kind::Variable) {
    const Variable &variable = module.variables[base.index];
    if (variable.external && !variable.dynamic)
      fail("variable '" + std::string(variable.name) +
           "' is external and has no memory");
    uint64_t window = !isGeneric                        ? 0
                      : variable.space == Space::Shared ? sharedWindow
                      : variable.space == Space::Local  ? localWindow
                      : variable.space == Space::Param  ? paramWindow
                                                        : 0;
    slot = constantSlot(variable.address + window, 64) | wideAddress;
  } else if (base.kind == Operand::Kind::Integer) {
    slot = constantSlot(base.bits, 64) | wideAddress;
  } else {
    fail("an address is a register, a variable or a constant");
  }
  operandSlots.push_back(slot);
  operandSlots.push_back(uint32_t(operand.bits));
}

uint64_t Decoder::literal(const Operand &operand, Type type) const {
  double number = 0;
  float single = 0;
  if (operand.kind == Operand::Kind::Double) {
    std::memcpy(&number, &operand.bits, sizeof(number));
    if (type == Type::F64 || type == Type::B64)
      return operand.bits;
    single = static_cast<float>(number);
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
    noteUse(function, operand.index, isDestination);
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
  size_t laneBytes = width == 64 ? 8 : 4;
  for (size_t lane = 0; lane < (width == 1 ? 1u : 32u); ++lane)
    std::memcpy(bytes + lane * laneBytes, &value, laneBytes);
  known->second = slot | 1;
  return slot | 1;
}

} // namespace pbs::runtime::emulator

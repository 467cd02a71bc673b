// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the decoder knows instructions. Instructions.def lists them.

#ifndef PBS_EMULATOR_INSTRUCTIONTABLE_H
#define PBS_EMULATOR_INSTRUCTIONTABLE_H

#include "Program.h"

#include <array>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pbs::runtime::emulator {

/// An opcode with its modifiers sorted out, as selectors see it.
struct Opcode {
  const std::vector<std::string_view> &modifiers;
  std::array<Type, 4> types = {};
  unsigned typeCount = 0;
  /// The space that a modifier names, Generic without one.
  Space space = Space::Generic;
  /// Bits of the register in each operand, flattened; 1 for predicates, 0 where
  /// the operand is a constant or not there.
  std::array<uint8_t, Instruction::inlineOperands> registerBits = {};
  /// Elements of the operands that may be vectors, in their order; 1 for a
  /// scalar, 0 for a matrix descriptor.
  std::array<uint8_t, 4> vectorLengths = {};
  unsigned vectorCount = 0;
  /// Coordinates of the operands that may be tensor addresses; 0 for others.
  std::array<uint8_t, 2> coordinates = {};
  unsigned tensorCount = 0;
  /// All operands as Instruction has them, also where there are too many for
  /// it.
  const uint32_t *operands = nullptr;

  bool has(std::string_view modifier) const {
    for (std::string_view own : modifiers)
      if (own == modifier)
        return true;
    return false;
  }
};

/// Chooses the handler, and may fill in the handler's own fields. Null: this
/// combination of modifiers and types does not exist or is not supported.
using Selector = Handler (*)(const Opcode &opcode, Instruction &instruction);

/// One operand of an instruction's pattern; Instructions.def explains them.
struct OperandPattern {
  enum class Role : uint8_t {
    Destination,
    Source,
    DestinationPredicate,
    SourcePredicate,
    DestinationVector,
    SourceVector,
    SourceMatrix,
    SourceOrPredicate,
    Address,
    /// An address with the offset beside it, and one that may be a tensor's.
    PlainAddress,
    TensorAddress,
    Immediate,
    Label,
  };
  Role role = Role::Source;
  /// The operand's type, or None to take the instruction's typeIndex-th.
  Type fixedType = Type::None;
  uint8_t typeIndex = 0;
  /// Twice the width of the type.
  bool wide = false;
  /// The elements of a vector share the type's bits.
  bool packed = false;
  /// Registers may be wider than the type.
  bool relaxed = false;
  bool optional = false;
  /// Of an optional operand: it is there just where the opcode has this.
  std::string_view condition;
  /// May be followed by "|p".
  bool paired = false;
};

struct InstructionDescription {
  std::string_view name;
  InstructionClass instructionClass;
  /// Modifiers beside types and state spaces, separated by blanks.
  std::string_view modifiers;
  Selector select;
  std::vector<OperandPattern> operands;
};

/// By opcode with as many modifiers as tell instructions apart ("add",
/// "mul.wide", "cp.async.wait_group").
using InstructionTable =
    std::unordered_map<std::string_view, InstructionDescription>;

/// The table whose handlers use what this host's processor can do, or the one
/// that runs everywhere.
const InstructionTable &instructionTable(bool portable);

/// The word list \p words contains \p word.
bool containsWord(std::string_view words, std::string_view word);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_INSTRUCTIONTABLE_H

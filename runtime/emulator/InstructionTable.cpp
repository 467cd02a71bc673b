// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "InstructionTable.h"

#include <algorithm>

#define PBS_THIS_FILE "InstructionTable.cpp"
#include "ForEachTarget.h"

PBS_BEGIN_TARGET

#define PBS_INSTRUCTION(name, class, modifiers, operands, selector)            \
  Handler selector(const Opcode &opcode, Instruction &instruction);
#include "Instructions.def"
#undef PBS_INSTRUCTION

Selector selectorOf(unsigned row) {
  static constexpr Selector selectors[] = {
#define PBS_INSTRUCTION(name, class, modifiers, operands, selector) selector,
#include "Instructions.def"
#undef PBS_INSTRUCTION
  };
  return selectors[row];
}

PBS_END_TARGET

#ifndef PBS_INSTRUCTION_TABLE_ONCE
#define PBS_INSTRUCTION_TABLE_ONCE

namespace pbs::runtime::emulator {

#ifdef PBS_HAS_AVX2_TARGET
namespace avx2 {
Selector selectorOf(unsigned row);
}
#endif

bool containsWord(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    size_t blank = words.find(' ');
    if (words.substr(0, blank) == word)
      return true;
    if (blank == std::string_view::npos)
      return false;
    words.remove_prefix(blank + 1);
  }
  return false;
}

namespace {

/// See Instructions.def.
OperandPattern parsePattern(std::string_view text) {
  OperandPattern pattern;
  using Role = OperandPattern::Role;
  bool isDestination = text[0] == 'd' || text[0] == 'P';
  switch (text[0]) {
  case 'd':
  case 'a':
    pattern.role = isDestination ? Role::Destination : Role::Source;
    break;
  case 'P':
  case 'p':
    pattern.role =
        isDestination ? Role::DestinationPredicate : Role::SourcePredicate;
    break;
  case '[':
    pattern.role = Role::Address;
    break;
  case '#':
    pattern.role = Role::Immediate;
    break;
  case 'x':
    pattern.role = Role::SourceOrPredicate;
    pattern.fixedType = Type::U32;
    break;
  case 'L':
    pattern.role = Role::Label;
    break;
  case 'M':
    pattern.role = Role::SourceMatrix;
    break;
  }
  for (size_t index = 1; index < text.size(); ++index) {
    char c = text[index];
    if (c >= '0' && c <= '9') {
      pattern.typeIndex = uint8_t(c - '0');
    } else if (c == 'w') {
      pattern.wide = true;
    } else if (c == '~') {
      pattern.relaxed = true;
    } else if (c == '?') {
      pattern.optional = true;
      pattern.condition = text.substr(index + 1);
      break;
    } else if (c == '+') {
      pattern.role = Role::PlainAddress;
    } else if (c == '*') {
      pattern.role = Role::TensorAddress;
    } else if (c == 'v' || c == 'm') {
      pattern.role =
          isDestination ? Role::DestinationVector : Role::SourceVector;
      pattern.packed = c == 'm';
    } else if (c == '|') {
      pattern.paired = true;
      break;
    } else if (c == ':') {
      size_t end = std::min(text.find_first_of("?~|", index), text.size());
      std::string_view name = text.substr(index + 1, end - index - 1);
      pattern.fixedType = parseType(name);
      index += name.size();
    }
  }
  return pattern;
}

InstructionTable buildTable(Selector (*selectorOf)(unsigned row)) {
  struct Row {
    std::string_view name;
    InstructionClass instructionClass;
    std::string_view modifiers;
    std::string_view operands;
  };
  static constexpr Row rows[] = {
#define PBS_INSTRUCTION(name, class, modifiers, operands, selector)            \
  {name, InstructionClass::class, modifiers, operands},
#include "Instructions.def"
#undef PBS_INSTRUCTION
  };
  InstructionTable table;
  for (unsigned index = 0; index < std::size(rows); ++index) {
    const Row &row = rows[index];
    InstructionDescription description = {
        row.name, row.instructionClass, row.modifiers, selectorOf(index), {}};
    std::string_view operands = row.operands;
    while (!operands.empty()) {
      size_t blank = operands.find(' ');
      description.operands.push_back(parsePattern(operands.substr(0, blank)));
      operands.remove_prefix(blank == std::string_view::npos ? operands.size()
                                                             : blank + 1);
    }
    table.emplace(row.name, std::move(description));
  }
  return table;
}

} // namespace

const InstructionTable &instructionTable(bool portable) {
  static const InstructionTable everywhere = buildTable(baseline::selectorOf);
#ifdef PBS_HAS_AVX2_TARGET
  static const InstructionTable here =
      buildTable(__builtin_cpu_supports("x86-64-v3") ? avx2::selectorOf
                                                     : baseline::selectorOf);
  return portable ? everywhere : here;
#else
  return everywhere;
#endif
}

} // namespace pbs::runtime::emulator

#endif // PBS_INSTRUCTION_TABLE_ONCE

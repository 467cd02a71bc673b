// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Types.h"

namespace pbs::runtime::emulator {

namespace {

struct TypeEntry {
  std::string_view name;
  unsigned bits;
};

// In the order of the enumeration.
constexpr TypeEntry typeEntries[] = {
    {"", 0},       {"pred", 1},   {"b8", 8},    {"b16", 16},    {"b32", 32},
    {"b64", 64},   {"b128", 128}, {"u8", 8},    {"u16", 16},    {"u32", 32},
    {"u64", 64},   {"s8", 8},     {"s16", 16},  {"s32", 32},    {"s64", 64},
    {"f16", 16},   {"f16x2", 32}, {"bf16", 16}, {"bf16x2", 32}, {"f32", 32},
    {"f32x2", 64}, {"f64", 64},   {"tf32", 32},
};

} // namespace

Type parseType(std::string_view name) {
  for (unsigned index = 1; index < std::size(typeEntries); ++index)
    if (typeEntries[index].name == name)
      return Type(index);
  return Type::None;
}

std::string_view typeName(Type type) {
  return typeEntries[unsigned(type)].name;
}

unsigned bitWidth(Type type) { return typeEntries[unsigned(type)].bits; }

} // namespace pbs::runtime::emulator

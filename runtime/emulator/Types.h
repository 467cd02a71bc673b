// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX's fundamental and packed types (PTX ISA, "Types") and state spaces.

#ifndef PBS_EMULATOR_TYPES_H
#define PBS_EMULATOR_TYPES_H

#include <cstdint>
#include <string_view>

namespace pbs::runtime::emulator {

enum class Type : uint8_t {
  None,
  Pred,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  F16x2,
  BF16,
  BF16x2,
  F32,
  F32x2,
  F64,
  TF32,
};

/// State spaces; Generic is an address without one. Shared is the executing
/// CTA's part of SharedCluster.
enum class Space : uint8_t {
  Generic,
  Global,
  Shared,
  SharedCluster,
  Local,
  Param,
  Const
};

/// The type named \p name without its dot ("s32"), or None.
Type parseType(std::string_view name);

/// The PTX spelling without the dot.
std::string_view typeName(Type type);

/// Bits of a value; 1 for predicates and 0 for None.
unsigned bitWidth(Type type);

inline unsigned byteWidth(Type type) { return bitWidth(type) / 8; }

inline bool isFloat(Type type) { return type >= Type::F16; }

inline bool isSigned(Type type) {
  return type >= Type::S8 && type <= Type::S64;
}

inline bool isUnsigned(Type type) {
  return type >= Type::U8 && type <= Type::U64;
}

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_TYPES_H

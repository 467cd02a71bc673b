// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a file once per supported processor generation, each time in a
// namespace of its own. A file FILE.cpp uses it so:
//
//   #define PBS_THIS_FILE "FILE.cpp"
//   #include "ForEachTarget.h"
//   PBS_BEGIN_TARGET
//   ... code in namespace pbs::runtime::emulator::PBS_TARGET ...
//   PBS_END_TARGET
//
// All other headers are included before ForEachTarget.h: what they define is
// compiled for the oldest processor, so that the linker may keep any copy.
// Results are the same for all targets; see docs/emulator.md.

#ifndef PBS_TARGET
#define PBS_TARGET baseline
#define PBS_BEGIN_TARGET namespace pbs::runtime::emulator::PBS_TARGET {
#define PBS_END_TARGET }
#if defined(__clang__) && defined(__x86_64__)
#define PBS_HAS_AVX2_TARGET
#include PBS_THIS_FILE
#undef PBS_TARGET
#undef PBS_BEGIN_TARGET
#undef PBS_END_TARGET
#define PBS_TARGET avx2
// clang-format off
#define PBS_BEGIN_TARGET                                                       \
  _Pragma("clang attribute push(__attribute__((target(\"arch=x86-64-v3\"))), apply_to = function)") \
  namespace pbs::runtime::emulator::PBS_TARGET {
// clang-format on
#define PBS_END_TARGET                                                         \
  }                                                                            \
  _Pragma("clang attribute pop")
#endif
#endif

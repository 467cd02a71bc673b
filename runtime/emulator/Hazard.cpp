// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Emulator.h"

namespace pbs::runtime {

std::string_view hazardKindName(HazardKind kind) {
  static constexpr std::string_view names[hazardKindCount] = {
      "race-shared",
      "race-global",
      "race-proxy",
      "uninitialised",
      "overwrite-in-flight",
      "read-before-wait",
      "wgmma-register",
      "mbarrier",
      "divergence",
      "deadlock",
      "out-of-bounds",
      "misaligned",
      "resources"};
  return names[size_t(kind)];
}

} // namespace pbs::runtime

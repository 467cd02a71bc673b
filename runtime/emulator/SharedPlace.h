// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places in the shared memory of a cluster's CTAs.

#ifndef PBS_EMULATOR_SHAREDPLACE_H
#define PBS_EMULATOR_SHAREDPLACE_H

#include "Warp.h"

namespace pbs::runtime::emulator {

struct SharedPlace {
  Cta *cta = nullptr;
  uint32_t offset = 0;

  uint8_t *host() const { return cta->shared + offset; }
  bool operator==(const SharedPlace &other) const {
    return cta == other.cta && offset == other.offset;
  }
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_SHAREDPLACE_H

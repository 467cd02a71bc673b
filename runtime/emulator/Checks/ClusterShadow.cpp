// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ClusterShadow.h"

namespace pbs::runtime::emulator {

void ClusterShadow::start() {
  for (size_t rank = 0; rank < ctas.size(); ++rank) {
    uint64_t bytes = cluster.ctas[rank]->sharedBytes;
    ctas[rank].words.assign((bytes + wordBytes - 1) / wordBytes, Word());
    ctas[rank].more.clear();
  }
}

} // namespace pbs::runtime::emulator

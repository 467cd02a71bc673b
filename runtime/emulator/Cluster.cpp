// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Cluster.h"

#include "Checks/Checker.h"

namespace pbs::runtime::emulator {

void Cluster::checkBarrier() {
  bool hasArrivals = false;
  for (const Cta *cta : ctas)
    for (const Warp &warp : cta->warps) {
      if (warp.live & ~warp.clusterArrived)
        return;
      hasArrivals |= warp.clusterArrived != 0;
    }
  if (!hasArrivals)
    return;
  Checker *checker = ctas.front()->checker;
  if (checker)
    checker->completeClusterBarrier();
  for (Cta *cta : ctas)
    for (Warp &warp : cta->warps) {
      warp.clusterArrived = 0;
      for (Path &path : warp.paths) {
        if (path.state != Path::State::AtClusterBarrier)
          continue;
        path.state = Path::State::Runnable;
        if (checker)
          checker->leaveClusterBarrier(warp, path.mask);
        warp.clusterWaits &= ~path.mask;
      }
      warp.resume();
    }
}

} // namespace pbs::runtime::emulator

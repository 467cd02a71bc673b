// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the warps of a cluster are, for messages about kernels without an end.

#ifndef PBS_EMULATOR_WARPPLACES_H
#define PBS_EMULATOR_WARPPLACES_H

#include "Cluster.h"

namespace pbs::runtime::emulator {

struct WarpPlaces {
  /// "warp 0 waits at barrier 1 in line 11, warp 1 runs in line 14"; empty
  /// where there is nothing to say.
  std::string text;
  /// The first of them: null, or the warp with a line and a lane.
  const Warp *warp = nullptr;
  uint32_t line = 0;
  unsigned lane = 0;
};

/// Of the warps of \p cluster that wait.
WarpPlaces placesOfWaiting(const Cluster &cluster);
/// Of all warps that have not ended.
WarpPlaces placesOfAll(const Cluster &cluster);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_WARPPLACES_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Machine.h"

namespace pbs::runtime::emulator {

uint32_t specialValue(SpecialRegister special, const Warp &warp,
                      unsigned lane) {
  const Cta &cta = *warp.cta;
  const LaunchState &launch = *cta.launch;
  const LaunchConfiguration &configuration = launch.configuration;
  const auto &block = configuration.block;
  const auto &cluster = configuration.cluster;
  uint32_t thread = warp.index * warpSize + lane;
  auto component = [&](SpecialRegister first) {
    return unsigned(special) - unsigned(first);
  };
  switch (special) {
  case SpecialRegister::TidX:
    return thread % block[0];
  case SpecialRegister::TidY:
    return thread / block[0] % block[1];
  case SpecialRegister::TidZ:
    return thread / block[0] / block[1];
  case SpecialRegister::NtidX:
  case SpecialRegister::NtidY:
  case SpecialRegister::NtidZ:
    return block[component(SpecialRegister::NtidX)];
  case SpecialRegister::CtaidX:
  case SpecialRegister::CtaidY:
  case SpecialRegister::CtaidZ:
    return cta.id[component(SpecialRegister::CtaidX)];
  case SpecialRegister::NctaidX:
  case SpecialRegister::NctaidY:
  case SpecialRegister::NctaidZ:
    return configuration.grid[component(SpecialRegister::NctaidX)];
  case SpecialRegister::ClusterCtaidX:
  case SpecialRegister::ClusterCtaidY:
  case SpecialRegister::ClusterCtaidZ: {
    unsigned dimension = component(SpecialRegister::ClusterCtaidX);
    return cta.id[dimension] % cluster[dimension];
  }
  case SpecialRegister::ClusterNctaidX:
  case SpecialRegister::ClusterNctaidY:
  case SpecialRegister::ClusterNctaidZ:
    return cluster[component(SpecialRegister::ClusterNctaidX)];
  case SpecialRegister::ClusteridX:
  case SpecialRegister::ClusteridY:
  case SpecialRegister::ClusteridZ: {
    unsigned dimension = component(SpecialRegister::ClusteridX);
    return cta.id[dimension] / cluster[dimension];
  }
  case SpecialRegister::NclusteridX:
  case SpecialRegister::NclusteridY:
  case SpecialRegister::NclusteridZ: {
    unsigned dimension = component(SpecialRegister::NclusteridX);
    return configuration.grid[dimension] / cluster[dimension];
  }
  case SpecialRegister::ClusterCtarank:
    return cta.id[0] % cluster[0] +
           cluster[0] *
               (cta.id[1] % cluster[1] + cluster[1] * (cta.id[2] % cluster[2]));
  case SpecialRegister::ClusterNctarank:
    return cluster[0] * cluster[1] * cluster[2];
  case SpecialRegister::Laneid:
    return lane;
  case SpecialRegister::Warpid:
    return warp.index;
  case SpecialRegister::Nwarpid:
    return maximumThreadsPerCta / warpSize;
  case SpecialRegister::Smid:
    return (cta.id[0] + configuration.grid[0] *
                            (cta.id[1] + configuration.grid[1] * cta.id[2])) %
           launch.multiprocessors;
  case SpecialRegister::Nsmid:
    return launch.multiprocessors;
  case SpecialRegister::Gridid:
    return uint32_t(launch.gridId);
  case SpecialRegister::LanemaskEq:
    return 1u << lane;
  case SpecialRegister::LanemaskLe:
    return (2u << lane) - 1;
  case SpecialRegister::LanemaskLt:
    return (1u << lane) - 1;
  case SpecialRegister::LanemaskGe:
    return ~((1u << lane) - 1);
  case SpecialRegister::LanemaskGt:
    return ~((2u << lane) - 1);
  case SpecialRegister::DynamicSmemSize:
    return uint32_t(configuration.dynamicSharedBytes);
  case SpecialRegister::TotalSmemSize:
    return uint32_t(cta.sharedBytes);
  case SpecialRegister::Clock:
  case SpecialRegister::ClockHigh:
  case SpecialRegister::Clock64:
  case SpecialRegister::Globaltimer:
  case SpecialRegister::GlobaltimerHigh:
    break; // Read by their own instruction.
  }
  return 0;
}

} // namespace pbs::runtime::emulator

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Machine.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>

namespace pbs::runtime::emulator {

std::string triple(const std::array<uint32_t, 3> &value) {
  return "(" + std::to_string(value[0]) + "," + std::to_string(value[1]) + "," +
         std::to_string(value[2]) + ")";
}

std::array<uint32_t, 3> ctaId(const LaunchConfiguration &configuration,
                              uint64_t cluster, uint64_t rank) {
  std::array<uint32_t, 3> id;
  for (unsigned dimension = 0; dimension < 3; ++dimension) {
    uint64_t extent = configuration.cluster[dimension];
    uint64_t clusters = configuration.grid[dimension] / extent;
    id[dimension] = uint32_t(cluster % clusters * extent + rank % extent);
    cluster /= clusters;
    rank /= extent;
  }
  return id;
}

void checkLaunch(const LaunchState &launch) {
  const Kernel &kernel = *launch.kernel;
  const LaunchConfiguration &configuration = launch.configuration;
  auto fail = [&](const std::string &message, const char *prefix = "") {
    throw Error(prefix + launch.program->name + ": kernel '" + kernel.name +
                "': " + message);
  };
  static constexpr uint64_t maximumGrid[] = {INT32_MAX, 65535, 65535};
  static constexpr uint32_t maximumBlock[] = {1024, 1024, 64};
  uint64_t threads = 1;
  uint64_t ctas = 1;
  for (unsigned dimension = 0; dimension < 3; ++dimension) {
    uint32_t grid = configuration.grid[dimension];
    uint32_t block = configuration.block[dimension];
    uint32_t cluster = configuration.cluster[dimension];
    if (grid == 0 || grid > maximumGrid[dimension])
      fail("grid " + triple(configuration.grid) +
           " is outside (1,1,1) to "
           "(2147483647,65535,65535)");
    if (block == 0 || block > maximumBlock[dimension])
      fail("block " + triple(configuration.block) +
           " is outside (1,1,1) to (1024,1024,64)");
    if (cluster == 0 || grid % cluster != 0)
      fail("cluster " + triple(configuration.cluster) +
           " does not divide grid " + triple(configuration.grid));
    threads *= block;
    ctas *= std::min<uint64_t>(cluster, maximumClusterCtas + 1);
  }
  if (ctas > maximumClusterCtas)
    fail("cluster " + triple(configuration.cluster) + " has more than " +
         std::to_string(maximumClusterCtas) + " CTAs");
  if (threads > maximumThreadsPerCta)
    fail("block " + triple(configuration.block) + " has " +
         std::to_string(threads) + " threads, more than 1024");
  if (kernel.requiredThreads[0] != 0 &&
      kernel.requiredThreads != configuration.block)
    fail("block " + triple(configuration.block) + " is not the .reqntid " +
         triple(kernel.requiredThreads));
  if (kernel.maximumThreads[0] != 0) {
    uint64_t maximum = 1;
    for (uint32_t extent : kernel.maximumThreads)
      maximum *= extent;
    if (threads > maximum)
      fail("block " + triple(configuration.block) +
           " has more threads than "
           ".maxntid " +
           triple(kernel.maximumThreads));
  }
  if (kernel.requiredCluster[0] != 0 &&
      kernel.requiredCluster != configuration.cluster)
    fail("cluster " + triple(configuration.cluster) +
         " is not the .reqnctapercluster " + triple(kernel.requiredCluster));
  uint64_t shared = kernel.staticSharedBytes;
  if (configuration.dynamicSharedBytes != 0)
    shared = kernel.dynamicSharedOffset +
             std::min(configuration.dynamicSharedBytes, maximumSharedBytes + 1);
  if (shared > maximumSharedBytes)
    fail(std::to_string(kernel.staticSharedBytes) + " bytes of static and " +
             std::to_string(configuration.dynamicSharedBytes) +
             " bytes of dynamic shared memory are more than " +
             std::to_string(maximumSharedBytes),
         "hazard: resources: ");
  if (threads * kernel.maximumRegisters > maximumRegisters)
    fail(std::to_string(threads) + " threads with .maxnreg " +
             std::to_string(kernel.maximumRegisters) + " need more than the " +
             std::to_string(maximumRegisters) +
             " registers of a multiprocessor",
         "hazard: resources: ");
  if (launch.parameters.size() != kernel.parameterBytes)
    fail("the parameter buffer has " +
         std::to_string(launch.parameters.size()) +
         " bytes, the kernel's parameters " +
         std::to_string(kernel.parameterBytes));
}

} // namespace pbs::runtime::emulator

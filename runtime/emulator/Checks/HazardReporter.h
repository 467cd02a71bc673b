// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The lines that tell of hazards.

#ifndef PBS_EMULATOR_CHECKS_HAZARDREPORTER_H
#define PBS_EMULATOR_CHECKS_HAZARDREPORTER_H

#include "../Cluster.h"
#include "HazardLog.h"

namespace pbs::runtime::emulator {

/// Of one cluster.
class HazardReporter {
public:
  HazardReporter(const LaunchState &launch, const Cluster &cluster)
      : launch(launch), cluster(cluster) {}

  void start(uint64_t number) { clusterNumber = number; }
  const HazardLog &hazards() const { return log; }

  /// In place of another instruction.
  static constexpr uint32_t none = UINT32_MAX;
  bool isKnown(HazardKind kind, uint32_t instruction, uint32_t other) const {
    return log.isKnown(kind, instruction, other);
  }
  /// \p what follows the name of \p instruction, which \p lane executes;
  /// \p other is the other instruction, or none.
  void report(HazardKind kind, const Warp &warp, unsigned lane,
              uint32_t instruction, uint32_t other, const std::string &what);

  /// Thread number \p thread of a cluster.
  std::string threadName(uint64_t number, uint32_t thread) const;
  /// An address of shared memory of \p shared, or of global memory.
  std::string placeName(const uint8_t *host, const Cta *shared) const;
  std::string lineOf(uint32_t instruction) const;

private:
  const LaunchState &launch;
  const Cluster &cluster;
  uint64_t clusterNumber = 0;
  HazardLog log;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_HAZARDREPORTER_H

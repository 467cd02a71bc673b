// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a launch: clusters on host threads, the warps of a cluster in turn.

#ifndef PBS_EMULATOR_MACHINE_H
#define PBS_EMULATOR_MACHINE_H

#include "Warp.h"

namespace pbs::runtime::emulator {

/// Limits of sm_80 and later (CUDA C++ Programming Guide, "Compute
/// Capabilities").
inline constexpr uint32_t maximumThreadsPerCta = 1024;
inline constexpr uint64_t maximumSharedBytes = uint64_t(227) * 1024;
inline constexpr uint64_t maximumClusterCtas = 8;
/// Of a multiprocessor, and so of a CTA.
inline constexpr uint64_t maximumRegisters = uint64_t(64) * 1024;

/// "(x,y,z)".
std::string triple(const std::array<uint32_t, 3> &value);

/// %ctaid of the CTA with rank \p rank of cluster number \p cluster.
std::array<uint32_t, 3> ctaId(const LaunchConfiguration &configuration,
                              uint64_t cluster, uint64_t rank);

/// What a special register that does not change holds in \p lane (PTX ISA,
/// "Special Registers").
uint32_t specialValue(SpecialRegister special, const Warp &warp, unsigned lane);

/// Checks the configuration and parameters of a launch against its kernel and
/// the limits; throws Error.
void checkLaunch(const LaunchState &launch);

/// Runs every CTA and adds what they did to \p statistics, which is valid also
/// when this throws the Error of the first faulty cluster.
void runLaunch(const LaunchState &launch, unsigned hostThreads,
               const std::function<void(uint64_t, uint64_t)> &progress,
               LaunchStatistics &statistics);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_MACHINE_H

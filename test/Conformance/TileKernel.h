// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel around statements that work on a tile of shared memory and on
// mbarriers, for what does not go lane by lane.

#ifndef PBS_TEST_CONFORMANCE_TILEKERNEL_H
#define PBS_TEST_CONFORMANCE_TILEKERNEL_H

#include "Conformance.h"

namespace pbs::conformance {

constexpr uint32_t tileWords = 1024;

/// Waits until phase \p parity of an mbarrier of the CTA has completed, and
/// traps if that never happens, instead of hanging.
std::string waitFor(const std::string &barrier = "bar",
                    const std::string &parity = "0");

/// A kernel with parameters "in" and "out", in %rd0 and %rd1. %r0 is the
/// thread, %p7 whether it is the first, "tile" 4096 bytes in which each word is
/// its number plus 1024 times the CTA's rank in its cluster, "bar" an mbarrier
/// of \p arrivals and "other" one of one arrival. %r0 to %r27, %rd0 to %rd13,
/// %h0 to %h7, %f0 to %f3 and %p0 to %p6 are free to use.
std::string tileKernel(const std::string &statements,
                       const std::string &arrivals = "1");

/// All threads copy the tile to the 4096 bytes at %rd1.
std::string copyTileOut();

/// The tile before the statements.
std::vector<uint32_t> filledTile(uint32_t rank = 0);

struct TileRun {
  std::string statements;
  uint32_t threads = 64;
  std::string arrivals = "1";
  uint32_t ctas = 1;
  uint32_t clusterCtas = 1;
};

void launchTile(Environment &environment, const TileRun &run, DeviceAddress in,
                DeviceAddress out);

/// What thread 0 leaves in %r8 to %r15.
std::vector<uint32_t> resultsOfThread0(Environment &environment,
                                       const std::string &statements,
                                       const std::string &arrivals = "1",
                                       uint32_t threads = 64);

/// The tile after the statements, of one CTA.
std::vector<uint32_t> tileAfter(Environment &environment, const TileRun &run,
                                const std::vector<uint32_t> &values);

/// What 4096 zeroed bytes at %rd1 hold after the statements.
std::vector<uint32_t> globalAfter(Environment &environment, const TileRun &run,
                                  const std::vector<uint32_t> &values = {0});

} // namespace pbs::conformance

#endif // PBS_TEST_CONFORMANCE_TILEKERNEL_H

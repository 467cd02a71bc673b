// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs cases in processes of their own, so that one that crashes, hangs or
// leaves the device in an error does not keep the others from running.

#ifndef PBS_TEST_CONFORMANCE_RUNNER_H
#define PBS_TEST_CONFORMANCE_RUNNER_H

#include "Conformance.h"

namespace pbs::conformance {

struct RunOptions {
  std::string device;
  std::string filter;
  std::string json;
  std::string ptxas;
  uint64_t seed = 0;
  /// That a case may take.
  unsigned seconds = 60;
};

/// Whether no case failed. Throws std::exception if there is no such device.
bool runCases(const Suite &suite, const RunOptions &options);

} // namespace pbs::conformance

#endif // PBS_TEST_CONFORMANCE_RUNNER_H

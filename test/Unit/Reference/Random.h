// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TEST_UNIT_REFERENCE_RANDOM_H
#define PBS_TEST_UNIT_REFERENCE_RANDOM_H

#include "pbs/Reference/Values.h"

#include "gtest/gtest.h"

#include <random>

namespace pbs::reference {

/// A generator with a fresh seed, which a failing test prints.
class RandomTest : public testing::Test {
protected:
  Tensor normal(std::vector<int64_t> shape) {
    Tensor result(std::move(shape));
    std::normal_distribution<double> distribution;
    for (double &value : result.values)
      value = distribution(generator);
    return result;
  }

  unsigned seed = std::random_device()();
  std::mt19937 generator{seed};
  testing::ScopedTrace trace{__FILE__, __LINE__,
                             "seed " + std::to_string(seed)};
};

} // namespace pbs::reference

#endif // PBS_TEST_UNIT_REFERENCE_RANDOM_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the programs in Inputs/cuda: CUDA C++ and the PTX that nvcc makes of it
// (compile.sh), each with and without the checks, which find nothing in it, and
// in orders that chance chooses.

#ifndef PBS_TEST_CUDATEST_H
#define PBS_TEST_CUDATEST_H

#include "EmulatorTest.h"

#include <fstream>
#include <map>
#include <sstream>

namespace pbs::runtime::test {

struct Mode {
  const char *name;
  EmulatorOptions::Checks checks;
  bool isByChance;
};

class CudaTest : public EmulatorTest, public testing::WithParamInterface<Mode> {
protected:
  CudaTest() {
    EmulatorOptions options;
    options.hostThreads = 2;
    options.checks = GetParam().checks;
    if (GetParam().isByChance)
      options.seed = random();
    device = createEmulator(options);
  }

  void launch(const std::string &program, const std::string &kernel,
              std::array<uint32_t, 3> grid, std::array<uint32_t, 3> block,
              const Parameters &parameters, uint64_t dynamicSharedBytes = 0,
              uint32_t cluster = 1) {
    auto &module = modules[program];
    if (!module) {
      std::ifstream file(PBS_INPUTS "/cuda/" + program + ".ptx");
      std::stringstream text;
      text << file.rdbuf();
      module = device->loadModule(text.str(), program + ".ptx");
    }
    LaunchConfiguration configuration;
    configuration.grid = grid;
    configuration.block = block;
    configuration.cluster = {cluster, 1, 1};
    configuration.dynamicSharedBytes = dynamicSharedBytes;
    device->launch(*module, kernel, configuration, parameters.bytes);
  }

  /// Some around the sizes of warps and blocks, and one that is anything.
  std::vector<size_t> sizes() {
    return {1, 31, 33, 255, 256, 1000, size_t(random() % 3000) + 1};
  }

  /// A multiple of 32 threads.
  uint32_t anyBlock() { return 32 * (uint32_t(random() % 8) + 1); }

  static uint32_t blocks(size_t count, uint32_t block) {
    return uint32_t((count + block - 1) / block);
  }

  /// Of all bits, where \p T is no float; where it is, moderate and finite.
  template <typename T> std::vector<T> randomValues(size_t count) {
    std::vector<T> values(count);
    for (T &value : values)
      if constexpr (std::is_floating_point_v<T>)
        value = T(int64_t(random() % 2000001) - 1000000) / T(1024);
      else
        value = T(random());
    return values;
  }

  std::map<std::string, std::unique_ptr<Module>> modules;
};

inline auto modes() {
  return testing::Values(
      Mode{"unchecked", EmulatorOptions::Checks::None, false},
      Mode{"checked", EmulatorOptions::Checks::All, false},
      Mode{"checkedByChance", EmulatorOptions::Checks::All, true});
}

inline std::string modeName(const testing::TestParamInfo<Mode> &info) {
  return info.param.name;
}

} // namespace pbs::runtime::test

#endif // PBS_TEST_CUDATEST_H

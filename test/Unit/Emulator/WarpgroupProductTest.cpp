// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A whole kernel with wgmma, Inputs/wgmma-product.ptx, as a compiler would
// write it for a GPU.

#include "WarpgroupTest.h"

#include <fstream>
#include <sstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

TEST_F(WarpgroupTest, multipliesTilesWithTwoWarpgroups) {
  std::ifstream file(PBS_INPUTS "/wgmma-product.ptx");
  std::stringstream text;
  text << file.rdbuf();
  constexpr unsigned size = 128, depth = 64;
  std::vector<uint16_t> a(size * depth), columns(size * depth),
      rows(size * depth);
  std::vector<float> left(size * depth), right(depth * size);
  for (unsigned index = 0; index < size * depth; ++index) {
    left[index] = float(int(random() % 33) - 16);
    right[index] = float(int(random() % 33) - 16);
    a[index] = toBFloatBits(left[index]);
    rows[index] = toBFloatBits(right[index]);
    columns[index % size * depth + index / size] = rows[index];
  }
  std::vector<float> want(size * size);
  for (unsigned row = 0; row < size; ++row)
    for (unsigned column = 0; column < size; ++column)
      for (unsigned k = 0; k < depth; ++k)
        want[row * size + column] +=
            left[row * depth + k] * right[k * size + column];
  for (auto when : {EmulatorOptions::AsyncCopies::Late,
                    EmulatorOptions::AsyncCopies::Early}) {
    EmulatorOptions options;
    options.hostThreads = 1;
    options.asyncCopies = when;
    device = createEmulator(options);
    auto module = device->loadModule(text.str(), "wgmma-product.ptx");
    DeviceAddress fromMemory = device->allocate(want.size() * 4);
    DeviceAddress fromRegisters = device->allocate(want.size() * 4);
    LaunchConfiguration configuration;
    configuration.block = {256, 1, 1};
    device->launch(*module, "product", configuration,
                   Parameters()
                       .add(upload(a))
                       .add(upload(columns))
                       .add(upload(rows))
                       .add(fromMemory)
                       .add(fromRegisters)
                       .bytes);
    EXPECT_EQ(download<float>(fromMemory, want.size()), want) << seedText;
    EXPECT_EQ(download<float>(fromRegisters, want.size()), want) << seedText;
    EXPECT_EQ(device->launchStatistics().matrixFlops,
              2u * 2 * size * size * depth);
  }
}

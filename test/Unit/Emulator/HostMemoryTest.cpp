// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Device memory that the host has no room for.

#include "pbs/Runtime/HostMemory.h"
#include "EmulatorTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::MatchesRegex;

namespace {

using EmulatorHostMemoryTest = EmulatorTest;

std::string needs(uint64_t bytes) {
  return ": needs " + std::to_string(bytes) + " bytes, the host has [0-9]+";
}

} // namespace

TEST_F(EmulatorHostMemoryTest, isRefused) {
  for (bool checks : {false, true}) {
    EmulatorOptions options;
    if (checks)
      options.checks = EmulatorOptions::Checks::All;
    device = createEmulator(options);
    auto withChecks = [=](uint64_t bytes) {
      return checks ? bytes + bytes / 8 : bytes;
    };
    uint64_t bytes = (availableHostMemory() + (1 << 30)) & ~uint64_t(0xFFF);
    EXPECT_THAT(
        errorOf([&] { device->allocate(bytes); }),
        MatchesRegex("emulator: device memory" + needs(withChecks(bytes))));
    EXPECT_THAT(errorOf([&] { device->allocate(SIZE_MAX); }),
                MatchesRegex("emulator: device memory" + needs(UINT64_MAX)));
    // Variables of a module are zero, and take no memory until they are used.
    std::string half = std::to_string(bytes / 2);
    EXPECT_THAT(errorOf([&] {
                  device->loadModule(header + ".global .b8 a[" + half +
                                         "];\n.global .b8 b[" + half + "];\n",
                                     "test.ptx");
                }),
                MatchesRegex("test.ptx: the module's variables" +
                             needs(2 * withChecks(bytes / 2))));
    // The device has lost nothing.
    device->deallocate(device->allocate(1 << 20));
  }
}

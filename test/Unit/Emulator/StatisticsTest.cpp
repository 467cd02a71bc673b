// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

using StatisticsTest = EmulatorTest;

uint64_t count(const LaunchStatistics &statistics, InstructionClass kind) {
  return statistics.laneInstructions[size_t(kind)];
}

/// One mma, one copy, and half of the lanes in a branch; ordered by CTA.
const std::string kernel = R"(.visible .entry kernel(.param .u64 in,
                                                     .param .u64 out) {
  .shared .align 16 .b8 tile[512];
  .reg .b32 %r<12>; .reg .b64 %rd<4>; .reg .pred %p; .reg .f32 %f<4>;
  ld.param.u64 %rd0, [in];
  ld.param.u64 %rd1, [out];
  mov.u32 %r0, %tid.x;
  mov.u32 %r1, %ctaid.x;
  mad.wide.u32 %rd2, %r0, 16, %rd0;
  mov.u32 %r2, tile;
  mad.lo.u32 %r2, %r0, 16, %r2;
  cp.async.cg.shared.global [%r2], [%rd2], 16;
  cp.async.wait_all;
  bar.sync 0;
  ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r3, %r4}, [%r2];
  mov.f32 %f0, 0f00000000;
  mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3},
    {%r3, %r4}, {%r3}, {%f0, %f0, %f0, %f0};
  setp.lt.u32 %p, %r0, 8;
  @!%p bra END;
  ex2.approx.f32 %f0, %f0;
  add.f32 %f0, %f0, %f1;
END:
  mad.lo.u32 %r5, %r1, 32, %r0;
  mad.wide.u32 %rd3, %r5, 8, %rd1;
  st.global.v2.f32 [%rd3], {%f0, %f1};
  ret;
})";

} // namespace

TEST_F(StatisticsTest, countsExactly) {
  auto in = upload(randomFloats(128, -1, 1));
  DeviceAddress out = device->allocate(3 * 32 * 8);
  LaunchConfiguration configuration;
  configuration.block = {32, 1, 1};
  configuration.grid = {3, 1, 1};
  run(kernel, configuration, Parameters().add(in).add(out));
  const LaunchStatistics &statistics = device->launchStatistics();
  EXPECT_EQ(statistics.ctas, 3u);
  // Three CTAs of one warp: 32 lanes an instruction.
  using Class = InstructionClass;
  EXPECT_EQ(count(statistics, Class::Load), 3u * 2 * 32);
  EXPECT_EQ(count(statistics, Class::Move), 3u * 4 * 32);
  EXPECT_EQ(count(statistics, Class::Integer), 3u * 5 * 32);
  EXPECT_EQ(count(statistics, Class::Copy), 3u * 32);
  EXPECT_EQ(count(statistics, Class::Barrier), 3u * 2 * 32);
  EXPECT_EQ(count(statistics, Class::Matrix), 3u * 2 * 32);
  EXPECT_EQ(count(statistics, Class::SpecialFunction), 3u * 8);
  EXPECT_EQ(count(statistics, Class::Float), 3u * 8);
  // 24 lanes take the branch, 32 return.
  EXPECT_EQ(count(statistics, Class::Control), 3u * (24 + 32));
  EXPECT_EQ(count(statistics, Class::Store), 3u * 32);
  EXPECT_EQ(statistics.warpInstructions, 3u * 21);
  EXPECT_EQ(statistics.matrixFlops, 3u * 2 * 16 * 8 * 8);
  EXPECT_EQ(statistics.asyncCopyBytes, 3u * 512);
  EXPECT_EQ(statistics.sharedLoadBytes, 3u * 256);
  EXPECT_EQ(statistics.sharedStoreBytes, 0u);
  EXPECT_EQ(statistics.globalLoadBytes, 0u);
  EXPECT_EQ(statistics.globalStoreBytes, 3u * 32 * 8);
  EXPECT_GT(statistics.seconds, 0);
}

TEST_F(StatisticsTest, hostThreadsChangeNothing) {
  auto values = randomFloats(128, -1, 1);
  std::vector<std::vector<uint32_t>> results;
  std::vector<LaunchStatistics> statistics;
  for (unsigned hostThreads : {1u, 2u}) {
    EmulatorOptions options;
    options.hostThreads = hostThreads;
    uint64_t reported = 0;
    options.progress = [&](uint64_t done, uint64_t total) {
      EXPECT_EQ(total, 50u);
      EXPECT_EQ(done, ++reported);
    };
    device = createEmulator(options);
    DeviceAddress out = device->allocate(50 * 32 * 8);
    LaunchConfiguration configuration;
    configuration.block = {32, 1, 1};
    configuration.grid = {50, 1, 1};
    run(kernel, configuration, Parameters().add(upload(values)).add(out));
    EXPECT_EQ(reported, 50u);
    results.push_back(download<uint32_t>(out, 50 * 64));
    statistics.push_back(device->launchStatistics());
  }
  EXPECT_EQ(results[0], results[1]) << seedText;
  EXPECT_EQ(statistics[0].laneInstructions, statistics[1].laneInstructions);
  EXPECT_EQ(statistics[0].asyncCopyBytes, statistics[1].asyncCopyBytes);
}

TEST_F(StatisticsTest, describesItself) {
  EmulatorOptions options;
  options.hostThreads = 2;
  options.multiprocessors = 7;
  auto other = createEmulator(options);
  EXPECT_EQ(other->multiprocessorCount(), 7u);
  EXPECT_EQ(other->description(), "PTX emulator on 2 host threads");
  EXPECT_EQ(instructionClassName(InstructionClass::SpecialFunction),
            "special function");
}

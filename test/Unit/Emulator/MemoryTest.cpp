// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class MemoryTest : public EmulatorTest {
protected:
  LaunchConfiguration grid(uint32_t ctas, uint32_t threads) {
    LaunchConfiguration configuration;
    configuration.grid = {ctas, 1, 1};
    configuration.block = {threads, 1, 1};
    return configuration;
  }
};

} // namespace

TEST_F(MemoryTest, loadsExtendToTheRegister) {
  std::vector<uint8_t> bytes(64);
  for (uint8_t &byte : bytes)
    byte = uint8_t(random());
  DeviceAddress out = device->allocate(64 * 32);
  run(R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
    .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .b16 %h<4>;
    ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
    mov.u32 %r0, %tid.x;
    cvt.u64.u32 %rd2, %r0; add.u64 %rd3, %rd0, %rd2;
    mad.wide.u32 %rd4, %r0, 32, %rd1;
    ld.global.u8 %r1, [%rd3]; st.global.u32 [%rd4], %r1;
    ld.global.s8 %r2, [%rd3]; st.global.u32 [%rd4+4], %r2;
    ld.global.s8 %h0, [%rd3]; cvt.u32.u16 %r3, %h0; st.global.u32 [%rd4+8], %r3;
    ld.global.nc.L1::no_allocate.u8 %h1, [%rd3];
    cvt.u32.u16 %r4, %h1; st.global.u32 [%rd4+12], %r4;
    ld.global.s8 %rd5, [%rd3]; st.global.u64 [%rd4+16], %rd5;
    ld.global.u8 %rd6, [%rd3]; st.global.u8 [%rd4+24], %rd6;
    ret;
  })",
      grid(1, 64), Parameters().add(upload(bytes)).add(out));
  auto results = download<uint32_t>(out, 64 * 8);
  for (size_t thread = 0; thread < 64; ++thread) {
    const uint32_t *words = &results[thread * 8];
    int8_t value = int8_t(bytes[thread]);
    EXPECT_EQ(words[0], bytes[thread]);
    EXPECT_EQ(words[1], uint32_t(int32_t(value)));
    EXPECT_EQ(words[2], uint32_t(uint16_t(int16_t(value))));
    EXPECT_EQ(words[3], bytes[thread]);
    EXPECT_EQ(words[4], uint32_t(int32_t(value)));
    EXPECT_EQ(words[5], value < 0 ? UINT32_MAX : 0);
    // Only one byte is written; the rest is still poison.
    EXPECT_EQ(words[6], 0xFFFFFF00 | bytes[thread]);
  }
}

TEST_F(MemoryTest, vectorsAndGenericAddresses) {
  auto values = randomBits<uint32_t>(4 * 32);
  DeviceAddress out = device->allocate(4 * 32 * 4);
  run(R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
    .shared .align 16 .b8 tile[512];
    .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .pred %p<2>;
    ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
    cvta.to.global.u64 %rd0, %rd0;
    mov.u32 %r0, %tid.x;
    mad.wide.u32 %rd2, %r0, 16, %rd0;
    ld.global.nc.v4.b32 {%r1, %r2, %r3, %r4}, [%rd2];
    mov.u64 %rd3, tile;
    cvta.shared.u64 %rd4, %rd3;
    isspacep.shared %p0, %rd4;
    @!%p0 trap;
    isspacep.global %p1, %rd1;
    @!%p1 trap;
    mad.wide.u32 %rd5, %r0, 16, %rd4;
    st.v2.u32 [%rd5], {%r4, %r3};
    st.v2.u32 [%rd5+8], {%r2, %r1};
    bar.sync 0;
    cvta.to.shared.u64 %rd6, %rd5;
    ld.shared.v2.b64 {%rd2, %rd7}, [%rd6];
    mad.wide.u32 %rd1, %r0, 16, %rd1;
    st.v2.b64 [%rd1], {%rd2, %rd7};
    ret;
  })",
      grid(1, 32), Parameters().add(upload(values)).add(out));
  auto results = download<uint32_t>(out, 4 * 32);
  for (size_t index = 0; index < results.size(); ++index)
    EXPECT_EQ(results[index], values[index / 4 * 4 + 3 - index % 4])
        << seedText;
}

TEST_F(MemoryTest, parametersOfAllKinds) {
  DeviceAddress out = device->allocate(32);
  struct alignas(8) Pair {
    uint32_t first, second;
  };
  run(R"(.visible .entry kernel(.param .u8 a, .param .u32 b, .param .f64 c,
        .param .align 8 .b8 d[8], .param .u64 .ptr .global .align 16 out) {
    .reg .b32 %r<8>; .reg .b64 %rd<8>;
    ld.param.u64 %rd0, [out];
    ld.param.u8 %r0, [a]; ld.param.u32 %r1, [b]; ld.param.b64 %rd1, [c];
    ld.param.v2.u32 {%r2, %r3}, [d];
    ld.param.u32 %r4, [d+4];
    st.global.u32 [%rd0], %r0; st.global.u32 [%rd0+4], %r1;
    st.global.b64 [%rd0+8], %rd1; st.global.u32 [%rd0+16], %r2;
    st.global.u32 [%rd0+20], %r3; st.global.u32 [%rd0+24], %r4;
    ret;
  })",
      grid(1, 1),
      Parameters()
          .add(uint8_t(200))
          .add(uint32_t(7))
          .add(1.25)
          .add(Pair{8, 9})
          .add(out));
  auto words = download<uint32_t>(out, 7);
  EXPECT_EQ(words, (std::vector<uint32_t>{200, 7, 0, 0x3FF40000, 8, 9, 9}));
}

TEST_F(MemoryTest, initialisedVariablesAndLocalMemory) {
  DeviceAddress out = device->allocate(64 * 4);
  run(R"(
  .global .align 4 .u32 numbers[4] = {10, 0x14, -2};
  .const .align 8 .b64 link = numbers+4;
  .global .f32 half = 0.5;
  .visible .entry kernel(.param .u64 out) {
    .local .align 4 .b8 stack[16];
    .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .f32 %f;
    ld.param.u64 %rd0, [out];
    mov.u32 %r0, %tid.x;
    mad.wide.u32 %rd0, %r0, 4, %rd0;
    mov.u64 %rd1, stack;
    cvta.local.u64 %rd2, %rd1;
    st.u32 [%rd2+4], %r0;             // generic
    ld.const.u64 %rd3, [link];
    ld.global.u32 %r1, [%rd3];        // 20
    ld.global.s32 %r2, [numbers+8];   // -2
    ld.global.u32 %r3, [numbers+12];  // 0
    ld.global.f32 %f, [half];
    add.f32 %f, %f, %f;
    cvt.rzi.u32.f32 %r4, %f;          // 1
    ld.local.u32 %r5, [stack+4];
    add.u32 %r1, %r1, %r2; add.u32 %r1, %r1, %r3; add.u32 %r1, %r1, %r4;
    add.u32 %r1, %r1, %r5;
    st.global.u32 [%rd0], %r1;
    ret;
  })",
      grid(1, 64), Parameters().add(out));
  auto results = download<uint32_t>(out, 64);
  for (uint32_t thread = 0; thread < 64; ++thread)
    EXPECT_EQ(results[thread], 19 + thread);
}

TEST_F(MemoryTest, dynamicSharedMemoryFollowsStatic) {
  DeviceAddress out = device->allocate(8);
  LaunchConfiguration configuration = grid(1, 32);
  configuration.dynamicSharedBytes = 256;
  run(R"(
  .extern .shared .align 1024 .b8 dynamic[];
  .visible .entry kernel(.param .u64 out) {
    .shared .align 4 .b8 fixed[20];
    .reg .b32 %r<8>; .reg .b64 %rd<4>;
    ld.param.u64 %rd0, [out];
    mov.u32 %r0, dynamic; mov.u32 %r1, fixed;
    st.shared.u32 [dynamic+252], %r0;
    ld.shared.u32 %r2, [%r0+252];
    st.global.v2.u32 [%rd0], {%r2, %r1};
    ret;
  })",
      configuration, Parameters().add(out));
  EXPECT_EQ(download<uint32_t>(out, 2), (std::vector<uint32_t>{1024, 0}));
}

TEST_F(MemoryTest, atomicsCountEveryLane) {
  std::vector<uint32_t> cells(8, 0);
  cells[1] = UINT32_MAX;
  DeviceAddress memory = upload(cells);
  DeviceAddress out = device->allocate(4 * 256);
  run(R"(.visible .entry kernel(.param .u64 cells, .param .u64 out) {
    .reg .b32 %r<10>; .reg .b64 %rd<4>; .reg .f32 %f;
    ld.param.u64 %rd0, [cells]; ld.param.u64 %rd1, [out];
    mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x; mad.lo.u32 %r1, %r1, 64, %r0;
    atom.global.add.u32 %r2, [%rd0], 1;
    red.global.min.u32 [%rd0+4], %r1;
    red.global.max.u32 [%rd0+8], %r1;
    shl.b32 %r3, 1, %r0;
    red.global.or.b32 [%rd0+12], %r3;
    mov.f32 %f, 0f3F000000;
    red.global.add.f32 [%rd0+16], %f;
    atom.global.inc.u32 %r4, [%rd0+20], 9;
    atom.global.cas.b32 %r5, [%rd0+24], 0, %r1;
    red.relaxed.gpu.global.add.noftz.f16x2 [%rd0+28], 0x3C003C00;
    mad.wide.u32 %rd1, %r1, 4, %rd1;
    st.global.u32 [%rd1], %r2;
    ret;
  })",
      grid(4, 64), Parameters().add(memory).add(out));
  auto results = download<uint32_t>(memory, 8);
  EXPECT_EQ(results[0], 256u);
  EXPECT_EQ(results[1], 0u);
  EXPECT_EQ(results[2], 255u);
  EXPECT_EQ(results[3], UINT32_MAX);
  EXPECT_EQ(results[4], 0x43000000u); // 128.0f
  EXPECT_EQ(results[5], 256u % 10);
  EXPECT_LT(results[6], 256u);
  EXPECT_EQ(results[7], 0x5C005C00u); // 256, in halves
  // Every thread got another number.
  auto tickets = download<uint32_t>(out, 256);
  std::sort(tickets.begin(), tickets.end());
  for (uint32_t index = 0; index < 256; ++index)
    EXPECT_EQ(tickets[index], index);
}

TEST_F(MemoryTest, deviceMemoryIsPoisonedAndBounded) {
  DeviceAddress a = device->allocate(100), b = device->allocate(1);
  EXPECT_EQ(a % 256, 0u);
  EXPECT_EQ(b % 256, 0u);
  EXPECT_EQ(download<uint8_t>(a, 100), std::vector<uint8_t>(100, 0xFF));
  uint8_t byte = 0;
  EXPECT_THAT(errorOf([&] { device->copyToHost(&byte, a + 100, 1); }),
              testing::HasSubstr("copy to the host of 1 bytes"));
  EXPECT_THAT(errorOf([&] { device->copyToDevice(b, &byte, 2); }),
              testing::HasSubstr("outside every allocation"));
  device->deallocate(a);
  EXPECT_THAT(errorOf([&] { device->copyToHost(&byte, a, 1); }),
              testing::HasSubstr("outside every allocation"));
  EXPECT_THAT(errorOf([&] { device->deallocate(a); }),
              testing::HasSubstr("is no allocation's address"));
  EXPECT_THAT(
      errorOf([&] { device->allocate(uint64_t(1) << 60); }),
      testing::HasSubstr("emulator: device memory: needs 1152921504606846976 "
                         "bytes, the host has "));
}

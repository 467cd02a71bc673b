// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

#include <cmath>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

uint16_t toBFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float fromBFloat(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

/// Halves of small integers, which are exact.
uint16_t toHalf(int value) {
  if (value == 0)
    return 0;
  int exponent = int(std::log2(std::abs(value)));
  int mantissa = (std::abs(value) << (10 - exponent)) & 1023;
  return uint16_t((value < 0 ? 0x8000 : 0) | (exponent + 15) << 10 | mantissa);
}

class MatrixTest : public EmulatorTest {
protected:
  LaunchConfiguration oneWarp() {
    LaunchConfiguration configuration;
    configuration.block = {32, 1, 1};
    return configuration;
  }
};

} // namespace

TEST_F(MatrixTest, ldmatrixLoadsFragments) {
  // Four 8x8 matrices of 16 bits, one behind the other.
  std::vector<uint16_t> values(256);
  for (uint16_t &value : values)
    value = uint16_t(random());
  for (bool isTransposed : {false, true}) {
    DeviceAddress out = device->allocate(32 * 16);
    run(R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
      .shared .align 16 .b8 tile[512];
      .reg .b32 %r<10>; .reg .b64 %rd<3>;
      mov.u32 %r0, %tid.x;
      ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
      mad.wide.u32 %rd0, %r0, 16, %rd0; mad.wide.u32 %rd1, %r0, 16, %rd1;
      ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd0];
      mov.u32 %r5, tile; mad.lo.u32 %r5, %r0, 16, %r5;
      st.shared.v4.u32 [%r5], {%r1, %r2, %r3, %r4};
      bar.sync 0;
      ldmatrix.sync.aligned.m8n8.x4)" +
            std::string(isTransposed ? ".trans" : "") +
            R"(.shared.b16 {%r1, %r2, %r3, %r4}, [%r5];
      st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4};
      ret;
    })",
        oneWarp(), Parameters().add(upload(values)).add(out));
    auto results = download<uint32_t>(out, 128);
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned matrix = 0; matrix < 4; ++matrix) {
        auto at = [&](unsigned row, unsigned column) {
          return uint32_t(isTransposed
                              ? values[matrix * 64 + column * 8 + row]
                              : values[matrix * 64 + row * 8 + column]);
        };
        unsigned row = lane / 4, column = lane % 4 * 2;
        EXPECT_EQ(results[lane * 4 + matrix],
                  at(row, column) | at(row, column + 1) << 16)
            << seedText;
      }
  }
}

TEST_F(MatrixTest, stmatrixUndoesLdmatrix) {
  std::vector<uint16_t> values(256);
  for (uint16_t &value : values)
    value = uint16_t(random());
  DeviceAddress out = device->allocate(512);
  run(R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
    .shared .align 16 .b8 tile[1024];
    .reg .b32 %r<10>; .reg .b64 %rd<3>;
    mov.u32 %r0, %tid.x;
    ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
    mad.wide.u32 %rd0, %r0, 16, %rd0; mad.wide.u32 %rd1, %r0, 16, %rd1;
    ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd0];
    mov.u32 %r5, tile; mad.lo.u32 %r5, %r0, 16, %r5;
    st.shared.v4.u32 [%r5], {%r1, %r2, %r3, %r4};
    bar.sync 0;
    ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r1, %r2, %r3, %r4}, [%r5];
    stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%r5+512],
      {%r1, %r2, %r3, %r4};
    bar.sync 0;
    ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r5+512];
    st.global.v4.u32 [%rd1], {%r1, %r2, %r3, %r4};
    ret;
  })",
      oneWarp(), Parameters().add(upload(values)).add(out));
  EXPECT_EQ(download<uint16_t>(out, 256), values) << seedText;
}

// The fragments are loaded element by element from the layouts in the PTX ISA.
TEST_F(MatrixTest, multipliesBFloats) {
  std::vector<uint16_t> a(16 * 16), b(16 * 8);
  for (auto *matrix : {&a, &b})
    for (uint16_t &value : *matrix)
      value = toBFloat(randomFloats(1, -2, 2)[0]);
  auto c = randomFloats(16 * 8, -4, 4);
  DeviceAddress out = device->allocate(16 * 8 * 4);
  run(R"(.visible .entry kernel(.param .u64 a, .param .u64 b, .param .u64 c,
                                .param .u64 out) {
    .reg .b32 %r<20>; .reg .f32 %f<12>; .reg .b64 %rd<10>; .reg .b16 %h<2>;
    ld.param.u64 %rd0, [a]; ld.param.u64 %rd1, [b]; ld.param.u64 %rd2, [c];
    ld.param.u64 %rd3, [out];
    mov.u32 %r0, %laneid;
    shr.u32 %r1, %r0, 2;            // group
    and.b32 %r2, %r0, 3;            // thread in group
    // a is row-major 16x16: (group, 2t).
    mul.lo.u32 %r3, %r1, 32;
    mad.lo.u32 %r3, %r2, 4, %r3;
    cvt.u64.u32 %rd4, %r3; add.u64 %rd4, %rd4, %rd0;
    ld.global.u32 %r4, [%rd4];
    ld.global.u32 %r5, [%rd4+256];  // row + 8
    ld.global.u32 %r6, [%rd4+16];   // column + 8
    ld.global.u32 %r7, [%rd4+272];
    // b is row-major 16x8: (2t, group).
    mul.lo.u32 %r8, %r2, 32;
    mad.lo.u32 %r8, %r1, 2, %r8;
    cvt.u64.u32 %rd5, %r8; add.u64 %rd5, %rd5, %rd1;
    ld.global.u16 %h0, [%rd5]; ld.global.u16 %h1, [%rd5+16];
    mov.b32 %r9, {%h0, %h1};
    ld.global.u16 %h0, [%rd5+128]; ld.global.u16 %h1, [%rd5+144];
    mov.b32 %r10, {%h0, %h1};
    // c is row-major 16x8: (group, 2t).
    mul.lo.u32 %r11, %r1, 32;
    mad.lo.u32 %r11, %r2, 8, %r11;
    cvt.u64.u32 %rd6, %r11; add.u64 %rd7, %rd6, %rd2; add.u64 %rd8, %rd6, %rd3;
    ld.global.v2.f32 {%f0, %f1}, [%rd7];
    ld.global.v2.f32 {%f2, %f3}, [%rd7+256];
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
      {%f0, %f1, %f2, %f3}, {%r4, %r5, %r6, %r7}, {%r9, %r10},
      {%f0, %f1, %f2, %f3};
    st.global.v2.f32 [%rd8], {%f0, %f1};
    st.global.v2.f32 [%rd8+256], {%f2, %f3};
    ret;
  })",
      oneWarp(),
      Parameters().add(upload(a)).add(upload(b)).add(upload(c)).add(out));
  auto results = download<float>(out, 16 * 8);
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned column = 0; column < 8; ++column) {
      double exact = c[row * 8 + column], size = std::fabs(exact);
      for (unsigned k = 0; k < 16; ++k) {
        double product =
            double(fromBFloat(a[row * 16 + k])) * fromBFloat(b[k * 8 + column]);
        exact += product;
        size += std::fabs(product);
      }
      EXPECT_LE(std::fabs(results[row * 8 + column] - exact),
                16 * 0x1p-24 * size)
          << row << "," << column << ", " << seedText;
    }
}

TEST_F(MatrixTest, multipliesHalvesExactly) {
  // Small integers: every sum is exact, in f32 and in f16.
  std::vector<int> a(16 * 8), b(8 * 8), c(16 * 8);
  for (auto *matrix : {&a, &b, &c})
    for (int &value : *matrix)
      value = int(random() % 15) - 7;
  auto halves = [](const std::vector<int> &values) {
    std::vector<uint16_t> result;
    for (int value : values)
      result.push_back(toHalf(value));
    return result;
  };
  DeviceAddress single = device->allocate(16 * 8 * 4);
  DeviceAddress half = device->allocate(16 * 8 * 2);
  run(R"(.visible .entry kernel(.param .u64 a, .param .u64 b, .param .u64 c,
                                .param .u64 single, .param .u64 half) {
    .reg .b32 %r<20>; .reg .f32 %f<12>; .reg .b64 %rd<12>; .reg .b16 %h<4>;
    ld.param.u64 %rd0, [a]; ld.param.u64 %rd1, [b]; ld.param.u64 %rd2, [c];
    ld.param.u64 %rd3, [single]; ld.param.u64 %rd9, [half];
    mov.u32 %r0, %laneid;
    shr.u32 %r1, %r0, 2;
    and.b32 %r2, %r0, 3;
    mul.lo.u32 %r3, %r1, 16;        // row-major, 8 halves a row
    mad.lo.u32 %r3, %r2, 4, %r3;
    cvt.u64.u32 %rd4, %r3; add.u64 %rd5, %rd4, %rd0;
    ld.global.u32 %r4, [%rd5]; ld.global.u32 %r5, [%rd5+128];
    mul.lo.u32 %r6, %r2, 32;
    mad.lo.u32 %r6, %r1, 2, %r6;
    cvt.u64.u32 %rd6, %r6; add.u64 %rd6, %rd6, %rd1;
    ld.global.u16 %h0, [%rd6]; ld.global.u16 %h1, [%rd6+16];
    mov.b32 %r7, {%h0, %h1};
    add.u64 %rd7, %rd4, %rd2;
    ld.global.u32 %r8, [%rd7]; ld.global.u32 %r9, [%rd7+128];
    mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16
      {%r10, %r11}, {%r4, %r5}, {%r7}, {%r8, %r9};
    add.u64 %rd10, %rd4, %rd9;
    st.global.u32 [%rd10], %r10; st.global.u32 [%rd10+128], %r11;
    mov.b32 {%h0, %h1}, %r8; mov.b32 {%h2, %h3}, %r9;
    cvt.f32.f16 %f0, %h0; cvt.f32.f16 %f1, %h1;
    cvt.f32.f16 %f2, %h2; cvt.f32.f16 %f3, %h3;
    mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32
      {%f4, %f5, %f6, %f7}, {%r4, %r5}, {%r7}, {%f0, %f1, %f2, %f3};
    shl.b32 %r12, %r3, 1; cvt.u64.u32 %rd8, %r12; add.u64 %rd8, %rd8, %rd3;
    st.global.v2.f32 [%rd8], {%f4, %f5};
    st.global.v2.f32 [%rd8+256], {%f6, %f7};
    ret;
  })",
      oneWarp(),
      Parameters()
          .add(upload(halves(a)))
          .add(upload(halves(b)))
          .add(upload(halves(c)))
          .add(single)
          .add(half));
  auto singles = download<float>(single, 128);
  auto small = download<uint16_t>(half, 128);
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned column = 0; column < 8; ++column) {
      int expected = c[row * 8 + column];
      for (unsigned k = 0; k < 8; ++k)
        expected += a[row * 8 + k] * b[k * 8 + column];
      EXPECT_EQ(singles[row * 8 + column], float(expected)) << seedText;
      EXPECT_EQ(small[row * 8 + column], toHalf(expected)) << seedText;
    }
}

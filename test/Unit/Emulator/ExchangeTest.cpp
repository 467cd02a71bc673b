// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

#include <algorithm>

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class ExchangeTest : public EmulatorTest {
protected:
  /// Runs \p statements in one whole warp with %a loaded and %l the lane, and
  /// returns %d of each lane.
  std::vector<uint32_t> warp(const std::string &statements,
                             const std::vector<uint32_t> &a) {
    DeviceAddress out = device->allocate(128);
    LaunchConfiguration configuration;
    configuration.block = {32, 1, 1};
    run(".visible .entry kernel(.param .u64 out, .param .u64 in) {\n"
        ".reg .b32 %a, %d, %l, %t<8>;\n.reg .b64 %y<2>, %w;\n"
        ".reg .pred %p<4>;\nmov.u32 %l, %laneid;\n"
        "ld.param.u64 %y0, [in];\nmad.wide.u32 %y0, %l, 4, %y0;\n"
        "ld.global.u32 %a, [%y0];\n" +
            statements +
            "\nld.param.u64 %y1, [out];\nmad.wide.u32 %y1, %l, 4, %y1;\n"
            "st.global.u32 [%y1], %d;\nret;\n}\n",
        configuration, Parameters().add(out).add(upload(a)));
    return download<uint32_t>(out, 32);
  }
};

} // namespace

TEST_F(ExchangeTest, shuffles) {
  auto a = randomBits<uint32_t>(32);
  auto check = [&](const std::string &operands, auto source) {
    auto results = warp("shfl.sync." + operands + ", 0xFFFFFFFF;", a);
    for (int lane = 0; lane < 32; ++lane)
      EXPECT_EQ(results[size_t(lane)], a[size_t(source(lane))])
          << operands << " lane " << lane << ", " << seedText;
  };
  check("bfly.b32 %d, %a, 5, 31", [](int lane) { return lane ^ 5; });
  check("up.b32 %d, %a, 3, 0",
        [](int lane) { return std::max(lane - 3, 0) + (lane < 3 ? lane : 0); });
  check("down.b32 %d, %a, 4, 31",
        [](int lane) { return lane + 4 < 32 ? lane + 4 : lane; });
  check("idx.b32 %d, %a, 9, 31", [](int) { return 9; });
  // Segments of eight lanes: c = (32 - 8) << 8 | 7.
  check("idx.b32 %d, %a, 2, 6175", [](int lane) { return lane / 8 * 8 + 2; });
  check("down.b32 %d, %a, 3, 6175",
        [](int lane) { return lane % 8 < 5 ? lane + 3 : lane; });
}

TEST_F(ExchangeTest, shufflesTellWhetherInRange) {
  auto a = randomBits<uint32_t>(32);
  auto results = warp("shfl.sync.down.b32 %t0|%p0, %a, 4, 31, -1;\n"
                      "selp.u32 %d, 1, 0, %p0;",
                      a);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(results[lane], lane < 28 ? 1u : 0u) << lane;
}

TEST_F(ExchangeTest, votes) {
  std::vector<uint32_t> a(32);
  uint32_t ballot = 0;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    a[lane] = random() % 2;
    ballot |= a[lane] << lane;
  }
  auto results = warp("setp.ne.u32 %p0, %a, 0;\n"
                      "vote.sync.ballot.b32 %d, %p0, 0xFFFFFFFF;",
                      a);
  EXPECT_EQ(results, std::vector<uint32_t>(32, ballot)) << seedText;
  auto any = warp("setp.eq.u32 %p0, %l, 7;\n"
                  "vote.sync.any.pred %p1, %p0, -1;\n"
                  "vote.sync.all.pred %p2, !%p0, -1;\n"
                  "vote.sync.uni.pred %p3, %p1, -1;\n"
                  "selp.u32 %t0, 1, 0, %p1;\nselp.u32 %t1, 10, 0, %p2;\n"
                  "selp.u32 %t2, 100, 0, %p3;\nadd.u32 %d, %t0, %t1;\n"
                  "add.u32 %d, %d, %t2;",
                  a);
  EXPECT_EQ(any, std::vector<uint32_t>(32, 101));
}

TEST_F(ExchangeTest, matches) {
  std::vector<uint32_t> a(32);
  for (uint32_t &value : a)
    value = random() % 4;
  auto results = warp("match.any.sync.b32 %d, %a, 0xFFFFFFFF;", a);
  for (size_t lane = 0; lane < 32; ++lane) {
    uint32_t expected = 0;
    for (size_t other = 0; other < 32; ++other)
      expected |= uint32_t(a[other] == a[lane]) << other;
    EXPECT_EQ(results[lane], expected) << seedText;
  }
  auto all = warp("match.all.sync.b32 %d|%p0, %t0, 0xFFFFFFFF;", a);
  EXPECT_EQ(all, std::vector<uint32_t>(32, UINT32_MAX));
}

TEST_F(ExchangeTest, reduces) {
  auto a = randomBits<uint32_t>(32);
  uint32_t sum = 0, bits = 0;
  int32_t minimum = INT32_MAX;
  for (uint32_t value : a) {
    sum += value;
    bits ^= value;
    minimum = std::min(minimum, int32_t(value));
  }
  EXPECT_EQ(warp("redux.sync.add.u32 %d, %a, -1;", a),
            std::vector<uint32_t>(32, sum))
      << seedText;
  EXPECT_EQ(warp("redux.sync.min.s32 %d, %a, -1;", a),
            std::vector<uint32_t>(32, uint32_t(minimum)))
      << seedText;
  EXPECT_EQ(warp("redux.sync.xor.b32 %d, %a, -1;", a),
            std::vector<uint32_t>(32, bits))
      << seedText;
}

TEST_F(ExchangeTest, electsOneLane) {
  std::vector<uint32_t> a(32, 0);
  auto results = warp("elect.sync _|%p0, -1;\nselp.u32 %d, 1, 0, %p0;", a);
  EXPECT_EQ(std::count(results.begin(), results.end(), 1u), 1);
  EXPECT_EQ(std::count(results.begin(), results.end(), 0u), 31);
}

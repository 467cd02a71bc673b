// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk copies and reductions of plain bytes.

#include "AsyncWorkTest.h"

#include <cmath>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class BulkCopyTest : public AsyncWorkTest {
protected:
  /// The tile after \p statements.
  std::vector<uint32_t> tileAfter(const std::string &statements,
                                  const std::vector<uint32_t> &values,
                                  uint32_t clusterCtas = 1) {
    DeviceAddress out = device->allocate(4096);
    EXPECT_EQ(runSimple(statements + copyTileOut(), upload(values), out, 64,
                        /*assembles=*/true, clusterCtas),
              "no error");
    return download<uint32_t>(out, 1024);
  }

  /// What 4096 zeroed bytes at %rd1 hold after \p statements.
  std::vector<uint32_t> globalAfter(const std::string &statements) {
    DeviceAddress out = device->allocate(4096);
    device->fill(out, 0, 4096);
    EXPECT_EQ(runSimple(statements, out, out), "no error");
    return download<uint32_t>(out, 1024);
  }
};

const std::string load =
    "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
    "[tile+32], [%rd0+16], 64, [bar];\n"
    "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 64;\n";

std::vector<uint32_t> loaded(const std::vector<uint32_t> &values) {
  std::vector<uint32_t> expected(1024);
  for (uint32_t index = 0; index < 1024; ++index)
    expected[index] = index >= 8 && index < 24 ? values[index - 8 + 4] : index;
  return expected;
}

} // namespace

TEST_F(BulkCopyTest, loads) {
  forEachTiming(5, [&] {
    auto values = randomWords(64);
    ASSERT_EQ(tileAfter(load + "WAIT: mbarrier.try_wait.parity.shared.b64 %p6, "
                               "[bar], 0;\n@!%p6 bra WAIT;\n",
                        values),
              loaded(values));
  });
}

// Without the wait, the tile is as it was: late work is done as late as may be.
TEST_F(BulkCopyTest, lateLoadsShowMissingWaits) {
  auto values = randomWords(64);
  EXPECT_EQ(tileAfter(load + "bar.sync 0;\n", values), filledTile());
  device = createEmulator(early());
  EXPECT_EQ(tileAfter(load + "bar.sync 0;\n", values), loaded(values));
}

TEST_F(BulkCopyTest, stores) {
  const std::string store =
      "@%p7 cp.async.bulk.global.shared::cta.bulk_group [%rd1+16], [tile+32], "
      "64;\n@%p7 cp.async.bulk.commit_group;\n";
  std::vector<uint32_t> expected(1024);
  for (uint32_t index = 0; index < 16; ++index)
    expected[4 + index] = 8 + index;
  forEachTiming(5, [&] {
    ASSERT_EQ(globalAfter(store + "cp.async.bulk.wait_group 0;\n"), expected);
    // All of it is done in the end.
    ASSERT_EQ(globalAfter(store), expected);
  });
}

// Late work reads its source at the wait, and not before.
TEST_F(BulkCopyTest, groups) {
  auto firstWord = [&](const std::string &wait, const std::string &end = "") {
    return globalAfter(
        "@!%p7 bra END;\n"
        "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [tile], 16;\n"
        "cp.async.bulk.commit_group;\n"
        "cp.async.bulk.global.shared::cta.bulk_group [%rd1+64], [tile], 16;\n"
        "cp.async.bulk.commit_group;\n" +
        wait + "st.shared.u32 [tile], 77;\n" + end +
        "ld.global.u32 %r8, [%rd1];\nst.global.u32 [%rd1+128], %r8;\nEND:\n");
  };
  device = createEmulator(late());
  auto all = firstWord("cp.async.bulk.wait_group 0;\n");
  EXPECT_EQ(all[0], 0u);
  EXPECT_EQ(all[16], 0u);
  auto one = firstWord("cp.async.bulk.wait_group.read 1;\n");
  EXPECT_EQ(one[0], 0u);
  EXPECT_EQ(one[1], 1u);
  EXPECT_EQ(one[16], 77u);
  auto none = firstWord("cp.async.bulk.wait_group 2;\n");
  EXPECT_EQ(none[0], 77u);
  // Only reading was waited for: the thread itself does not see the data yet.
  auto readOnly = globalAfter(
      "@!%p7 bra END;\nst.global.u32 [%rd1+4], 1234;\n"
      "cp.async.bulk.global.shared::cta.bulk_group [%rd1], [tile], 16;\n"
      "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;\n"
      "ld.global.u32 %r8, [%rd1+4];\ncp.async.bulk.wait_group 0;\n"
      "ld.global.u32 %r9, [%rd1+4];\n"
      "st.global.v2.u32 [%rd1+128], {%r8, %r9};\nEND:\n");
  EXPECT_EQ(readOnly[32], 1234u);
  EXPECT_EQ(readOnly[33], 1u);
}

TEST_F(BulkCopyTest, everyLaneIssuesItsOwn) {
  forEachTiming(3, [&] {
    auto values = randomWords(512);
    // Whole warps, and lanes that a branch separates.
    for (const char *guard :
         {"setp.ge.u32 %p1, %r0, 0;\n", "and.b32 %r1, %r0, 5;\n"
                                        "setp.eq.u32 %p1, %r1, 1;\n"}) {
      auto results = tileAfter(
          "@%p7 mbarrier.inval.shared.b64 [bar];\n"
          "@%p7 mbarrier.init.shared.b64 [bar], 64;\nbar.sync 0;\n" +
              std::string(guard) +
              "mov.u32 %r2, tile;\nmad.lo.u32 %r2, %r0, 32, %r2;\n"
              "mad.wide.u32 %rd2, %r0, 32, %rd0;\n@!%p1 bra SKIP;\n"
              "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 32;\n"
              "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
              "bytes [%r2], [%rd2], 32, [bar];\n"
              "SKIP: mbarrier.arrive.shared.b64 _, [bar];\n" +
              waitForBar() + "bar.sync 0;\n",
          values);
      for (uint32_t index = 0; index < 512; ++index) {
        bool all = guard[0] == 's';
        bool copied = all || (index / 8 & 5) == 1;
        ASSERT_EQ(results[index], copied ? values[index] : index) << index;
      }
    }
  });
}

namespace {

float halfValue(uint16_t bits) {
  int exponent = bits >> 10 & 31;
  float mantissa = float(bits & 0x3FF);
  float magnitude = exponent == 0 ? std::ldexp(mantissa, -24)
                                  : std::ldexp(mantissa + 1024, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

} // namespace

TEST_F(BulkCopyTest, reductions) {
  auto check = [&](const std::string &operation, auto combine) {
    using T = decltype(combine({}, {}));
    auto old = randomBits<T>(64);
    auto values = randomBits<T>(64);
    if constexpr (std::is_floating_point_v<T>)
      for (size_t index = 0; index < 64; ++index) {
        old[index] = T(int64_t(random() % 2000) - 1000) / 8;
        values[index] = T(int64_t(random() % 2000) - 1000) / 8;
      }
    if constexpr (sizeof(T) == 2)
      for (size_t index = 0; index < 64; ++index) {
        // Exact sums in f16: small integers of either sign.
        old[index] = T(0x6000 + 2 * (random() % 256) | (random() % 2 << 15));
        values[index] = T(0x6000 + 2 * (random() % 256) | (random() % 2 << 15));
      }
    DeviceAddress in = upload(values);
    DeviceAddress out = upload(old);
    std::string bytes = std::to_string(64 * sizeof(T));
    ASSERT_EQ(
        runSimple(
            "@!%p7 bra END;\ncp.async.bulk.shared::cluster.global.mbarrier::"
            "complete_tx::bytes [tile], [%rd0], " +
                bytes +
                ", [bar];\nmbarrier.arrive.expect_tx.shared.b64 _, "
                "[bar], " +
                bytes + ";\n" + waitForBar() +
                "cp.reduce.async.bulk.global.shared::cta.bulk_group." +
                operation + " [%rd1], [tile], " + bytes +
                ";\ncp.async.bulk.commit_group;\n"
                "cp.async.bulk.wait_group 0;\nEND:",
            in, out),
        "no error")
        << operation;
    auto results = download<T>(out, 64);
    for (size_t index = 0; index < 64; ++index)
      ASSERT_EQ(results[index], combine(old[index], values[index]))
          << operation << " of " << old[index] << " and " << values[index]
          << ", " << seedText;
  };
  auto add = [](auto a, auto b) { return a + b; };
  auto least = [](auto a, auto b) { return b < a ? b : a; };
  auto most = [](auto a, auto b) { return a < b ? b : a; };
  using U = uint32_t;
  using L = uint64_t;
  check("add.u32", [](U a, U b) { return a + b; });
  check("add.s32", [](U a, U b) { return a + b; });
  check("add.u64", [](L a, L b) { return a + b; });
  check("add.f32", [&](float a, float b) { return add(a, b); });
  check("add.f64", [&](double a, double b) { return add(a, b); });
  check("min.u32", [&](U a, U b) { return least(a, b); });
  check("max.u32", [&](U a, U b) { return most(a, b); });
  check("min.s32", [&](int32_t a, int32_t b) { return least(a, b); });
  check("max.s32", [&](int32_t a, int32_t b) { return most(a, b); });
  check("min.u64", [&](L a, L b) { return least(a, b); });
  check("max.s64", [&](int64_t a, int64_t b) { return most(a, b); });
  check("inc.u32", [](U a, U b) { return a >= b ? 0 : a + 1; });
  check("dec.u32", [](U a, U b) { return a == 0 || a > b ? b : a - 1; });
  check("and.b32", [](U a, U b) { return a & b; });
  check("or.b64", [](L a, L b) { return a | b; });
  check("xor.b32", [](U a, U b) { return a ^ b; });
  using H = uint16_t;
  check("min.f16",
        [](H a, H b) { return halfValue(b) < halfValue(a) ? b : a; });
  check("max.bf16", [](H a, H b) {
    // The order of the bits, for either sign.
    auto key = [](H x) { return x & 0x8000 ? -(x & 0x7FFF) : x & 0x7FFF; };
    return key(a) < key(b) ? b : a;
  });
  check("add.noftz.f16", [](H a, H b) {
    // Multiples of 1 or 2 below 2048 in magnitude: found by trying all.
    float sum = halfValue(a) + halfValue(b);
    H best = 0;
    for (uint32_t bits = 0; bits < 0x10000; ++bits)
      if ((bits & 0x7C00) != 0x7C00 && halfValue(H(bits)) == sum &&
          bits != 0x8000)
        best = H(bits);
    return best;
  });
}

TEST_F(BulkCopyTest, insideSharedMemory) {
  forEachTiming(3, [&] {
    auto results = tileAfter(
        "@!%p7 bra END;\ncp.async.bulk.shared::cluster.shared::cta.mbarrier::"
        "complete_tx::bytes [tile+64], [tile], 64, [bar];\n"
        "mbarrier.expect_tx.shared::cta.b64 [bar], 64;\n"
        "cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_"
        "tx::bytes.add.u32 [tile+128], [tile+256], 32, [bar];\n"
        "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 32;\n" +
            waitForBar() + "END: bar.sync 0;\n",
        randomWords(4), /*clusterCtas=*/2);
    auto expected = filledTile();
    for (uint32_t index = 0; index < 16; ++index)
      expected[16 + index] = index;
    for (uint32_t index = 0; index < 8; ++index)
      expected[32 + index] += 64 + index;
    ASSERT_EQ(results, expected);
  });
}

TEST_F(BulkCopyTest, misuse) {
  DeviceAddress buffer = device->allocate(4096);
  auto fault = [&](const std::string &statements) {
    return runSimple("setp.ne.u32 %p0, %r0, 0;\n@%p0 bra END;\n" + statements +
                         "\nEND:",
                     buffer, buffer, 64, false);
  };
  const std::string copy =
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes ";
  EXPECT_THAT(fault(copy + "[tile], [%rd0], 24, [bar];"),
              HasSubstr("moves 24 bytes, which is no multiple of 16"));
  EXPECT_THAT(fault(copy + "[tile+8], [%rd0], 16, [bar];"),
              HasSubstr("writes 16 bytes at 0x8, not aligned to 16 bytes"));
  EXPECT_THAT(fault(copy + "[tile], [%rd0+8], 16, [bar];"),
              HasSubstr("not aligned to 16 bytes"));
  EXPECT_THAT(fault(copy + "[tile], [%rd0+4080], 32, [bar];"),
              HasSubstr("beyond the end of an allocation of 4096 bytes"));
  EXPECT_THAT(fault(copy + "[tile+4096], [%rd0], 4096, [bar];"),
              HasSubstr("outside the 4104 bytes of shared memory"));
  EXPECT_THAT(fault(copy + "[tile], [%rd0], 16, [bar+4];"),
              HasSubstr("not aligned to 8 bytes"));
  // The mbarrier's own mistakes show when the copy is done, in its line.
  EXPECT_THAT(fault(copy + "[tile], [%rd0], 16, [tile+256];"),
              HasSubstr("test.ptx:19: kernel 'kernel': CTA (0,0,0) thread "
                        "(0,0,0): cp.async.bulk.shared::cluster.global."
                        "mbarrier::complete_tx::bytes finds no initialized "
                        "mbarrier at 0x100"));
  EXPECT_THAT(fault("cp.async.bulk.global.shared::cta.bulk_group [%rd1+4088], "
                    "[tile], 16;"),
              HasSubstr("not aligned to 16 bytes"));
  EXPECT_THAT(fault("mov.u16 %h0, 2;\n"
                    "cp.async.bulk.shared::cluster.global.mbarrier::complete_"
                    "tx::bytes.multicast::cluster [tile], [%rd0], 16, [bar], "
                    "%h0;"),
              HasSubstr("has CTA mask 2 in a cluster of 1"));
  for (const std::string opcode :
       {"cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::"
        "bytes",
        "cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_"
        "tx::bytes.add.u32"})
    EXPECT_THAT(fault(opcode + " [tile+64], [tile], 64, [bar];"),
                HasSubstr(opcode + " needs a launch with a cluster"));
  EXPECT_THAT(fault("cp.async.bulk.prefetch.L2.global [%rd0], 40;"),
              HasSubstr("no multiple of 16"));
  EXPECT_THAT(fault("cp.async.bulk.global.shared::cta.bulk_group.add.u32 "
                    "[%rd1], [tile], 16;"),
              HasSubstr("unknown modifier '.add' of 'cp.async.bulk'"));
  EXPECT_THAT(fault("cp.async.bulk.global.global.bulk_group [%rd1], [%rd0], "
                    "16;"),
              HasSubstr("unsupported form"));
}

TEST_F(BulkCopyTest, statistics) {
  DeviceAddress buffer = device->allocate(4096);
  ASSERT_EQ(runSimple("@!%p7 bra END;\n"
                      "cp.async.bulk.shared::cluster.global.mbarrier::complete_"
                      "tx::bytes [tile], [%rd0], 128, [bar];\n"
                      "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 128;\n" +
                          waitForBar() +
                          "cp.async.bulk.global.shared::cta.bulk_group [%rd1], "
                          "[tile], 64;\ncp.async.bulk.commit_group;\n"
                          "cp.async.bulk.wait_group 0;\n"
                          "cp.reduce.async.bulk.global.shared::cta.bulk_group."
                          "add.u32 [%rd1], [tile], 32;\nEND:",
                      buffer, buffer),
            "no error");
  const LaunchStatistics &statistics = device->launchStatistics();
  EXPECT_EQ(statistics.asyncCopyBytes, 128u);
  EXPECT_EQ(statistics.globalStoreBytes, 96u);
  EXPECT_EQ(statistics.globalLoadBytes, 32u);
}

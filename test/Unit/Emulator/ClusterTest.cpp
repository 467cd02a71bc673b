// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CTAs of a cluster among themselves.

#include "AsyncWorkTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class ClusterTest : public AsyncWorkTest {
protected:
  /// Runs \p statements in a grid of clusters. %r0 is the thread, %r1 the rank,
  /// %r2 the ranks of the cluster, %r3 the CTA's number in the grid, %rd0 and
  /// %rd1 the parameters, of the tile's 4096 bytes each word its number plus
  /// 1024 times the rank, and "bar" an mbarrier of one arrival that all CTAs
  /// see. The message of the launch.
  std::string runCluster(const std::string &statements,
                         std::array<uint32_t, 3> cluster,
                         std::array<uint32_t, 3> grid, DeviceAddress in,
                         DeviceAddress out, bool assembles = true) {
    std::string ptx =
        R"(.visible .entry kernel(.param .u64 in, .param .u64 out) {
      .shared .align 1024 .b8 tile[4096]; .shared .align 8 .b64 bar;
      .reg .b16 %h<8>; .reg .b32 %r<32>; .reg .b64 %rd<16>; .reg .pred %p<8>;
      ld.param.u64 %rd0, [in]; ld.param.u64 %rd1, [out];
      mov.u32 %r0, %tid.x; mov.u32 %r1, %cluster_ctarank;
      mov.u32 %r2, %cluster_nctarank;
      mov.u32 %r3, %ctaid.z; mov.u32 %r4, %nctaid.y; mov.u32 %r5, %ctaid.y;
      mad.lo.u32 %r3, %r3, %r4, %r5; mov.u32 %r4, %nctaid.x;
      mov.u32 %r5, %ctaid.x; mad.lo.u32 %r3, %r3, %r4, %r5;
      mov.u32 %r31, %r0; mov.u32 %r29, %ntid.x;
      FILL: setp.ge.u32 %p7, %r31, 1024; @%p7 bra FILLED;
      mov.u32 %r30, tile; mad.lo.u32 %r30, %r31, 4, %r30;
      mad.lo.u32 %r28, %r1, 1024, %r31; st.shared.u32 [%r30], %r28;
      add.u32 %r31, %r31, %r29; bra FILL;
      FILLED: setp.eq.u32 %p7, %r0, 0;
      @%p7 mbarrier.init.shared.b64 [bar], 1;
      fence.mbarrier_init.release.cluster;
      barrier.cluster.arrive.release.aligned;
      barrier.cluster.wait.acquire.aligned;
)" + statements +
        "\nret;\n}\n";
    if (assembles)
      expectAssembles(ptx);
    LaunchConfiguration configuration;
    configuration.block = {64, 1, 1};
    configuration.cluster = cluster;
    configuration.grid = grid;
    return errorOf(
        [&] { run(ptx, configuration, Parameters().add(in).add(out)); });
  }

  static std::string leave() {
    return "barrier.cluster.arrive;\nbarrier.cluster.wait;\n";
  }
};

/// The rank of CTA \p number of a grid.
uint32_t rankOf(uint32_t number, std::array<uint32_t, 3> cluster,
                std::array<uint32_t, 3> grid) {
  uint32_t x = number % grid[0], y = number / grid[0] % grid[1],
           z = number / grid[0] / grid[1];
  return x % cluster[0] +
         cluster[0] * (y % cluster[1] + cluster[1] * (z % cluster[2]));
}

} // namespace

TEST_F(ClusterTest, addressesOfOtherCtas) {
  const std::array<uint32_t, 3> cluster = {2, 2, 2}, grid = {4, 2, 4};
  forEachTiming(3, [&] {
    DeviceAddress out = device->allocate(32 * 64 * 16);
    ASSERT_EQ(
        runCluster(
            // The CTA with the next rank; half of the threads by way of generic
            // addresses.
            "add.u32 %r6, %r1, 1;\nrem.u32 %r6, %r6, %r2;\n"
            "mov.u32 %r7, tile;\nmad.lo.u32 %r7, %r0, 4, %r7;\n"
            "setp.lt.u32 %p0, %r0, 40;\n@%p0 bra GENERIC;\n"
            "mapa.shared::cluster.u32 %r8, %r7, %r6;\n"
            "getctarank.shared::cluster.u32 %r9, %r8;\n"
            "ld.shared::cluster.u32 %r10, [%r8];\n"
            "ld.shared::cluster.u32 %r11, [%r7];\nbra STORE;\n"
            "GENERIC: cvt.u64.u32 %rd2, %r7;\ncvta.shared.u64 %rd3, %rd2;\n"
            "mapa.u64 %rd4, %rd3, %r6;\ngetctarank.u64 %r9, %rd4;\n"
            "ld.u32 %r10, [%rd4];\ngetctarank.u64 %r12, %rd3;\n"
            "isspacep.shared::cluster %p1, %rd4;\n"
            "isspacep.shared::cta %p2, %rd4;\n"
            "setp.ne.u32 %p3, %r12, %r1;\nld.u32 %r11, [%rd3];\n"
            "@%p3 mov.u32 %r11, 0;\n@!%p1 mov.u32 %r11, 0;\n"
            "@%p2 mov.u32 %r11, 0;\n"
            "STORE: mad.lo.u32 %r13, %r3, 64, %r0;\n"
            "mad.wide.u32 %rd5, %r13, 16, %rd1;\n"
            "st.global.v4.u32 [%rd5], {%r1, %r9, %r10, %r11};\n" +
                leave(),
            cluster, grid, out, out),
        "no error");
    auto results = download<uint32_t>(out, 32 * 64 * 4);
    for (uint32_t number = 0; number < 32; ++number)
      for (uint32_t thread = 0; thread < 64; ++thread) {
        const uint32_t *result = &results[(number * 64 + thread) * 4];
        uint32_t rank = rankOf(number, cluster, grid);
        uint32_t other = (rank + 1) % 8;
        ASSERT_EQ(result[0], rank);
        ASSERT_EQ(result[1], other);
        ASSERT_EQ(result[2], other * 1024 + thread);
        ASSERT_EQ(result[3], rank * 1024 + thread);
      }
  });
}

TEST_F(ClusterTest, remoteStoresAndAtomics) {
  forEachTiming(4, [&] {
    DeviceAddress out = device->allocate(4 * 256);
    ASSERT_EQ(
        runCluster(
            // All threads of all CTAs count in rank 1, and each writes a
            // word to the CTA before.
            "mapa.shared::cluster.u32 %r6, tile, 1;\n"
            "red.shared::cluster.add.u32 [%r6+512], %r0;\n"
            "atom.acq_rel.cluster.shared::cluster.add.u32 %r7, [%r6+516], "
            "1;\n"
            "add.u32 %r8, %r1, 3;\nand.b32 %r8, %r8, 3;\n"
            "mov.u32 %r9, tile;\nmad.lo.u32 %r9, %r0, 4, %r9;\n"
            "mapa.shared::cluster.u32 %r10, %r9, %r8;\n"
            "mad.lo.u32 %r11, %r1, 1000, %r0;\n"
            "st.shared::cluster.u32 [%r10], %r11;\n"
            "barrier.cluster.arrive;\nbarrier.cluster.wait;\n"
            "mad.lo.u32 %r13, %r1, 64, %r0;\n"
            "mad.wide.u32 %rd5, %r13, 4, %rd1;\n"
            "ld.shared.u32 %r12, [%r9];\n"
            "setp.gt.u32 %p0, %r0, 1;\n"
            "@!%p0 ld.shared.u32 %r12, [%r9+512];\n"
            "st.global.u32 [%rd5], %r12;",
            {4, 1, 1}, {4, 1, 1}, out, out),
        "no error");
    auto results = download<uint32_t>(out, 256);
    for (uint32_t rank = 0; rank < 4; ++rank) {
      bool counted = rank == 1;
      ASSERT_EQ(results[rank * 64],
                rank * 1024 + 128 + (counted ? 4 * 64 * 63 / 2 : 0));
      ASSERT_EQ(results[rank * 64 + 1],
                rank * 1024 + 129 + (counted ? 4 * 64 : 0));
      for (uint32_t thread = 2; thread < 64; ++thread)
        ASSERT_EQ(results[rank * 64 + thread], (rank + 1) % 4 * 1000 + thread);
    }
  });
}

TEST_F(ClusterTest, asynchronousStores) {
  forEachTiming(6, [&] {
    auto values = randomWords(128);
    DeviceAddress in = upload(values);
    DeviceAddress out = device->allocate(128 * 32);
    ASSERT_EQ(
        runCluster(
            // Each thread stores 16 bytes to the other CTA and adds to 4 more
            // there, of which that CTA expects 64 times.
            "xor.b32 %r6, %r1, 1;\nmov.u32 %r7, tile;\n"
            "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1536;\n"
            "mad.lo.u32 %r8, %r0, 16, %r7;\n"
            "mapa.shared::cluster.u32 %r8, %r8, %r6;\n"
            "mapa.shared::cluster.u32 %r9, bar, %r6;\n"
            "mad.lo.u32 %r10, %r1, 64, %r0;\n"
            "mad.wide.u32 %rd2, %r10, 4, %rd0;\nld.global.u32 %r11, [%rd2];\n"
            "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 "
            "[%r8], {%r11, %r0, %r11, %r1}, [%r9];\n"
            "mad.lo.u32 %r12, %r0, 4, %r7;\n"
            "mapa.shared::cluster.u32 %r12, %r12, %r6;\n"
            "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::"
            "bytes.add.u32 [%r12+2048], %r11, [%r9];\n"
            "cvt.u64.u32 %rd6, %r12;\ncvta.shared::cluster.u64 %rd6, %rd6;\n"
            "cvt.u64.u32 %rd7, %r9;\ncvta.shared::cluster.u64 %rd7, %rd7;\n"
            "st.async.mbarrier::complete_tx::bytes.u32 [%rd6+3072], %r0, "
            "[%rd7];\n" +
                waitForBar() +
                "mad.lo.u32 %r13, %r0, 16, %r7;\n"
                "ld.shared.v4.u32 {%r14, %r15, %r16, %r17}, [%r13];\n"
                "mad.lo.u32 %r13, %r0, 4, %r7;\n"
                "ld.shared.u32 %r18, [%r13+2048];\n"
                "ld.shared.u32 %r19, [%r13+3072];\n"
                "mad.wide.u32 %rd3, %r10, 32, %rd1;\n"
                "st.global.v4.u32 [%rd3], {%r14, %r15, %r16, %r17};\n"
                "st.global.v2.u32 [%rd3+16], {%r18, %r19};\n" +
                leave(),
            {1, 2, 1}, {1, 2, 1}, in, out),
        "no error");
    auto results = download<uint32_t>(out, 128 * 8);
    for (uint32_t index = 0; index < 128; ++index) {
      uint32_t rank = index / 64, thread = index % 64;
      uint32_t value = values[(1 - rank) * 64 + thread];
      const uint32_t *result = &results[index * 8];
      ASSERT_EQ(result[0], value);
      ASSERT_EQ(result[1], thread);
      ASSERT_EQ(result[2], value);
      ASSERT_EQ(result[3], 1 - rank);
      ASSERT_EQ(result[4], value + rank * 1024 + 512 + thread);
      ASSERT_EQ(result[5], thread);
    }
  });
}

TEST_F(ClusterTest, multicast) {
  forEachTiming(6, [&] {
    auto values = randomWords(64);
    DeviceAddress in = upload(values);
    DeviceAddress out = device->allocate(4 * 4096);
    // Rank 2 loads for ranks 1 and 3, which wait, and rank 0 arrives from afar.
    ASSERT_EQ(runCluster(
                  "and.b32 %r6, %r1, 1;\nsetp.eq.u32 %p0, %r6, 1;\n"
                  "setp.eq.u32 %p1, %r1, 2;\nand.pred %p1, %p1, %p7;\n"
                  "setp.eq.u32 %p2, %r1, 0;\nand.pred %p2, %p2, %p7;\n"
                  "mov.u16 %h0, 10;\n"
                  "@%p1 cp.async.bulk.shared::cluster.global.mbarrier::"
                  "complete_tx::bytes.multicast::cluster.L2::cache_hint "
                  "[tile+16], [%rd0], 256, [bar], %h0, %rd9;\n"
                  "mapa.shared::cluster.u32 %r7, bar, 1;\n"
                  "mapa.shared::cluster.u32 %r8, bar, 3;\n"
                  "@%p2 mbarrier.arrive.expect_tx.relaxed.cluster.shared::"
                  "cluster.b64 _, [%r7], 256;\n"
                  "@%p2 mbarrier.expect_tx.relaxed.cluster.shared::cluster.b64 "
                  "[%r8], 256;\n"
                  "@%p2 mbarrier.arrive.release.cluster.shared::cluster.b64 _, "
                  "[%r8];\n@!%p0 bra GO;\n" +
                      waitForBar() +
                      "GO: mad.wide.u32 %rd1, %r1, 4096, %rd1;\n" +
                      copyTileOut() + leave(),
                  {4, 1, 1}, {4, 1, 1}, in, out),
              "no error");
    auto results = download<uint32_t>(out, 4096);
    for (uint32_t index = 0; index < 4096; ++index) {
      uint32_t word = index % 1024;
      bool copied = index / 1024 % 2 && word >= 4 && word < 68;
      ASSERT_EQ(results[index], copied ? values[word - 4] : index);
    }
    EXPECT_EQ(device->launchStatistics().asyncCopyBytes, 256u);
  });
}

TEST_F(ClusterTest, barrier) {
  forEachTiming(4, [&] {
    DeviceAddress out = device->allocate(8 * 64 * 4);
    // A pipeline around the cluster: each step adds what the CTA before had.
    // Half of a warp leaves early, and lanes reach the barrier in two paths.
    ASSERT_EQ(runCluster("setp.ge.u32 %p0, %r0, 48;\n@%p0 exit;\n"
                         "mov.u32 %r7, tile;\nmad.lo.u32 %r7, %r0, 4, %r7;\n"
                         "add.u32 %r8, %r1, 1;\nrem.u32 %r8, %r8, %r2;\n"
                         "mapa.shared::cluster.u32 %r9, %r7, %r8;\n"
                         "mov.u32 %r10, 0;\nst.shared.u32 [%r7], %r1;\n"
                         "STEP: barrier.cluster.arrive;\n"
                         "barrier.cluster.wait.acquire;\n"
                         "ld.shared::cluster.u32 %r11, [%r9];\n"
                         "and.b32 %r12, %r0, 1;\nsetp.eq.u32 %p1, %r12, 0;\n"
                         "@%p1 bra EVEN;\nbarrier.cluster.arrive.relaxed;\n"
                         "barrier.cluster.wait;\nbra MEET;\n"
                         "EVEN: barrier.cluster.arrive.release;\n"
                         "barrier.cluster.wait;\nMEET:\n"
                         "st.shared.u32 [%r7], %r11;\nadd.u32 %r10, %r10, 1;\n"
                         "setp.lt.u32 %p2, %r10, 3;\n@%p2 bra STEP;\n"
                         "mad.lo.u32 %r13, %r3, 64, %r0;\n"
                         "mad.wide.u32 %rd2, %r13, 4, %rd1;\n"
                         "st.global.u32 [%rd2], %r11;\n",
                         {4, 1, 1}, {8, 1, 1}, out, out),
              "no error");
    auto results = download<uint32_t>(out, 8 * 64);
    for (uint32_t index = 0; index < 8 * 64; ++index)
      ASSERT_EQ(results[index],
                index % 64 < 48 ? (index / 64 % 4 + 3) % 4 : UINT32_MAX);
  });
}

TEST_F(ClusterTest, misuse) {
  DeviceAddress buffer = device->allocate(4096);
  auto fault = [&](const std::string &statements) {
    return runCluster(statements, {2, 1, 1}, {2, 1, 1}, buffer, buffer, false);
  };
  EXPECT_THAT(fault("mapa.shared::cluster.u32 %r6, tile, 2;"),
              HasSubstr("names CTA 2 in a cluster of 2"));
  EXPECT_THAT(fault("mapa.u64 %rd2, %rd0, 1;"),
              HasSubstr("has an address outside shared memory"));
  EXPECT_THAT(fault("mapa.shared::cluster.u32 %r6, tile, 1;\n"
                    "ld.shared.u32 %r7, [%r6];"),
              HasSubstr("in shared memory of CTA 1 of the cluster, which is "
                        "not its own"));
  EXPECT_THAT(fault("mapa.shared::cluster.u32 %r6, tile, 1;\n"
                    "ld.shared::cluster.u32 %r7, [%r6+8192];"),
              HasSubstr("outside the 4104 bytes of shared memory"));
  EXPECT_THAT(fault("setp.eq.u32 %p0, %r1, 0;\n@%p0 exit;\n"
                    "mapa.shared::cluster.u32 %r6, tile, 0;\n"
                    "ld.shared::cluster.u32 %r7, [%r6];"),
              HasSubstr("CTA 0 of the cluster, which has ended"));
  EXPECT_THAT(fault("barrier.cluster.wait;"),
              HasSubstr("comes without barrier.cluster.arrive"));
  EXPECT_THAT(fault("barrier.cluster.arrive;\nbarrier.cluster.arrive;"),
              HasSubstr("comes again before barrier.cluster.wait"));
  EXPECT_THAT(fault("@%p7 barrier.cluster.arrive.aligned;"),
              HasSubstr("is reached by only some threads of the warp"));
  EXPECT_THAT(fault("setp.eq.u32 %p0, %r1, 0;\n@%p0 bra WAIT;\nbra END;\n" +
                    waitForBar() + "END: bar.sync 0;"),
              HasSubstr("CTA (0,0,0) thread (0,0,0): CTA (0,0,0) "
                        "warp 0 waits at mbarrier 0x1000 phase 0 in line 26, "
                        "CTA (0,0,0) warp 1 waits at mbarrier 0x1000 phase 0"));
  EXPECT_THAT(fault("mapa.shared::cluster.u32 %r6, bar, 1;\n"
                    "@%p7 st.async.shared::cluster.mbarrier::complete_tx::bytes"
                    ".u32 [tile], %r0, [%r6];"),
              HasSubstr("writes to one CTA and reports to an mbarrier of "
                        "another"));
  EXPECT_THAT(runCluster("", {3, 3, 1}, {3, 3, 1}, buffer, buffer),
              HasSubstr("cluster (3,3,1) has more than 8 CTAs"));
}

// A seed decides alone: neither the host threads nor the run before matter.
TEST_F(ClusterTest, seedsReplay) {
  const std::string statements =
      // The order in which all threads of the cluster come.
      "mapa.shared::cluster.u32 %r6, tile, 0;\n"
      "atom.shared::cluster.add.u32 %r7, [%r6], 1;\n"
      "mad.lo.u32 %r13, %r3, 64, %r0;\nmad.wide.u32 %rd2, %r13, 4, %rd1;\n"
      "st.global.u32 [%rd2], %r7;\n" +
      leave();
  auto order = [&](uint64_t seed, unsigned hostThreads) {
    EmulatorOptions options;
    options.hostThreads = hostThreads;
    options.seed = seed;
    device = createEmulator(options);
    DeviceAddress out = device->allocate(16 * 256);
    EXPECT_EQ(runCluster(statements, {4, 1, 1}, {16, 1, 1}, out, out),
              "no error");
    return download<uint32_t>(out, 1024);
  };
  uint64_t seed = random();
  auto first = order(seed, 1);
  EXPECT_EQ(order(seed, 1), first) << seedText;
  EXPECT_EQ(order(seed, 4), first) << seedText;
  EXPECT_NE(order(seed + 1, 1), first) << seedText;
}

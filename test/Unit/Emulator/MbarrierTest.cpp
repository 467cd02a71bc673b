// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarriers.

#include "AsyncWorkTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class MbarrierTest : public AsyncWorkTest {
protected:
  /// The message of a kernel whose statements, of thread 0 only, begin in
  /// line 17.
  std::string fault(const std::string &statements, bool assembles = true) {
    DeviceAddress buffer = device->allocate(4096);
    return runSimple("setp.ne.u32 %p0, %r0, 0;\n@%p0 bra END;\n" + statements +
                         "\nEND:",
                     buffer, buffer, 64, assembles);
  }

  /// What thread 0 leaves in %r8 to %r15.
  std::vector<uint32_t> results(const std::string &statements) {
    DeviceAddress out = device->allocate(32);
    std::string stores;
    for (unsigned index = 0; index < 8; ++index)
      stores += "st.global.u32 [%rd1+" + std::to_string(4 * index) + "], %r" +
                std::to_string(8 + index) + ";\n";
    std::string zeros;
    for (unsigned index = 8; index < 16; ++index)
      zeros += "mov.u32 %r" + std::to_string(index) + ", 0;\n";
    EXPECT_EQ(runSimple("setp.ne.u32 %p0, %r0, 0;\n@%p0 bra END;\n" + zeros +
                            statements + stores + "END:",
                        out, out),
              "no error");
    return download<uint32_t>(out, 8);
  }
};

/// %rN = the predicate.
std::string take(unsigned result, const std::string &test) {
  return test + "selp.u32 %r" + std::to_string(result) + ", 1, 0, %p1;\n";
}

} // namespace

TEST_F(MbarrierTest, countsArrivals) {
  std::string parity0 = "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 0;\n";
  std::string parity1 = "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 "
                        "%p1, [bar], 1, 20;\n";
  auto values = results(
      "mbarrier.inval.shared.b64 [bar];\nmbarrier.init.shared.b64 [bar], 3;\n" +
      take(8, parity0) + take(9, parity1) +
      "mbarrier.arrive.shared.b64 %rd2, [bar];\n"
      "mbarrier.arrive.release.cta.shared::cta.b64 %rd3, [bar], 2;\n" +
      take(10, parity0) + take(11, parity1) +
      take(12, "mbarrier.test_wait.shared.b64 %p1, [bar], %rd2;\n") +
      "mbarrier.arrive.noComplete.shared.b64 %rd4, [bar], 2;\n"
      "mbarrier.pending_count.b64 %r13, %rd3;\n"
      "mbarrier.pending_count.b64 %r14, %rd4;\n" +
      take(15, "mbarrier.try_wait.relaxed.cta.shared::cta.b64 %p1, [bar], "
               "%rd4;\n"));
  EXPECT_THAT(values, testing::ElementsAre(0, 1, 1, 0, 1, 2, 3, 0));
}

TEST_F(MbarrierTest, dropsArrivals) {
  auto values =
      results("mov.u64 %rd5, bar;\n"
              "cvta.shared.u64 %rd5, %rd5;\nmbarrier.inval.b64 [%rd5];\n"
              "mbarrier.init.b64 [%rd5], 3;\n"
              "mbarrier.arrive_drop.b64 %rd2, [%rd5];\n"
              "mbarrier.arrive.b64 _, [%rd5], 2;\n"
              "mbarrier.arrive_drop.noComplete.b64 %rd3, [%rd5], 1;\n"
              "mbarrier.pending_count.b64 %r8, %rd2;\n"
              "mbarrier.pending_count.b64 %r9, %rd3;\n" +
              take(10, "mbarrier.test_wait.b64 %p1, [%rd5], %rd3;\n") +
              "mbarrier.arrive.b64 %rd6, [%rd5];\n"
              "mbarrier.pending_count.b64 %r11, %rd6;\n"
              "mbarrier.arrive.b64 %rd7, [%rd5];\n"
              "mbarrier.pending_count.b64 %r12, %rd7;\n");
  // Of 3 arrivals each phase, the first one drops one and the next another.
  EXPECT_THAT(values, testing::ElementsAre(3, 2, 0, 1, 1, 0, 0, 0));
}

TEST_F(MbarrierTest, countsTransactions) {
  std::string test = "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 0;\n";
  auto values = results(
      // Bytes may be reported before they are announced.
      "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [bar], 24;\n"
      "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 8;\n" +
      take(8, test) +
      "mbarrier.arrive.expect_tx.shared.b64 %rd2, [bar], 32;\n" +
      take(9, test) + "mbarrier.complete_tx.shared::cta.b64 [bar], 8;\n" +
      take(10, test) + "mbarrier.complete_tx.shared::cta.b64 [bar], 8;\n" +
      take(11, test) +
      "mbarrier.arrive_drop.expect_tx.shared.b64 _, [bar], 16;\n"
      "mov.u64 %rd5, bar;\ncvta.shared.u64 %rd5, %rd5;\n"
      "mbarrier.complete_tx.b64 [%rd5], 16;\n" +
      take(12, "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 1;\n"));
  EXPECT_THAT(values, testing::ElementsAre(0, 0, 0, 1, 1, 0, 0, 0));
}

// Divergent lanes and whole warps arrive; every thread sees what came before.
TEST_F(MbarrierTest, manyThreads) {
  uint32_t seen = uint32_t(random() % 63) + 1;
  forEachTiming(5, [&] {
    auto values = randomWords(64);
    DeviceAddress in = upload(values);
    DeviceAddress out = device->allocate(256);
    ASSERT_EQ(
        runSimple(
            "@%p7 mbarrier.inval.shared.b64 [bar];\n"
            "@%p7 mbarrier.init.shared.b64 [bar], 64;\nbar.sync 0;\n"
            "mad.wide.u32 %rd0, %r0, 4, %rd0;\nld.global.u32 %r1, [%rd0];\n"
            "mov.u32 %r2, tile;\nmad.lo.u32 %r3, %r0, 4, %r2;\n"
            "st.shared.u32 [%r3], %r1;\n"
            "and.b32 %r4, %r0, 3;\nsetp.eq.u32 %p0, %r4, 0;\n"
            "@%p0 bra OTHER;\n"
            "mbarrier.arrive.shared.b64 %rd2, [bar];\nbra MEET;\n"
            "OTHER: mbarrier.arrive.shared.b64 %rd2, [bar];\nMEET:\n"
            "WAIT: mbarrier.try_wait.shared.b64 %p1, [bar], %rd2;\n"
            "@!%p1 bra WAIT;\n"
            "add.u32 %r5, %r0, " +
                std::to_string(seen) +
                ";\nand.b32 %r5, %r5, 63;\nmad.lo.u32 %r5, %r5, 4, %r2;\n"
                "ld.shared.u32 %r6, [%r5];\nmad.wide.u32 %rd1, %r0, 4, %rd1;\n"
                "st.global.u32 [%rd1], %r6;\n",
            in, out),
        "no error");
    auto results = download<uint32_t>(out, 64);
    for (uint32_t thread = 0; thread < 64; ++thread)
      ASSERT_EQ(results[thread], values[(thread + seen) % 64]);
  });
}

TEST_F(MbarrierTest, copiesArriveWhenTheyAreDone) {
  forEachTiming(5, [&] {
    for (bool keepsCount : {false, true}) {
      auto values = randomWords(256);
      DeviceAddress in = upload(values);
      DeviceAddress out = device->allocate(4096);
      // The arrival of "noinc" is among those that were announced.
      std::string count = keepsCount ? "128" : "64";
      ASSERT_EQ(
          runSimple("@%p7 mbarrier.inval.shared.b64 [bar];\n"
                    "@%p7 mbarrier.init.shared.b64 [bar], " +
                        count +
                        ";\nbar.sync 0;\nmov.u32 %r2, tile;\n"
                        "mad.lo.u32 %r3, %r0, 16, %r2;\n"
                        "mad.wide.u32 %rd0, %r0, 16, %rd0;\n"
                        "cp.async.ca.shared.global [%r3], [%rd0], 8;\n"
                        "cp.async.ca.shared.global [%r3+8], [%rd0+8], 8;\n"
                        "cp.async.mbarrier.arrive" +
                        std::string(keepsCount ? ".noinc" : "") +
                        ".shared.b64 [bar];\n"
                        "mbarrier.arrive.shared.b64 _, [bar];\n" +
                        waitForBar() + copyTileOut(),
                    in, out),
          "no error");
      auto expected = filledTile();
      std::copy(values.begin(), values.end(), expected.begin());
      ASSERT_EQ(download<uint32_t>(out, 1024), expected);
    }
  });
}

TEST_F(MbarrierTest, misuse) {
  EXPECT_EQ(fault("mbarrier.arrive.shared.b64 _, [bar];\n"
                  "mbarrier.arrive.shared.b64 _, [bar], 2;"),
            "hazard: mbarrier: test.ptx:20: kernel 'kernel': CTA (0,0,0) "
            "thread (0,0,0): mbarrier.arrive.shared.b64 makes 2 arrivals at "
            "the mbarrier at "
            "0x1000, of whose phase 1 only 1 are pending");
  EXPECT_THAT(fault("mbarrier.arrive.shared.b64 _, [tile];"),
              HasSubstr("finds no initialized mbarrier at 0x0"));
  EXPECT_THAT(fault("mbarrier.arrive.shared.b64 _, [tile+4];"),
              HasSubstr("updates 8 bytes at 0x4, not aligned to 8 bytes"));
  EXPECT_THAT(fault("mbarrier.init.shared.b64 [bar], 1;"),
              HasSubstr("initializes the mbarrier at 0x1000 again"));
  EXPECT_THAT(fault("mbarrier.init.shared.b64 [tile], 0;", false),
              HasSubstr("has count 0, which is outside 1 to 1048575"));
  EXPECT_THAT(fault("mbarrier.inval.shared.b64 [bar];\n"
                    "mbarrier.inval.shared.b64 [bar];"),
              HasSubstr("finds no initialized mbarrier"));
  EXPECT_THAT(fault("st.shared.u32 [bar], 0;\n"
                    "mbarrier.arrive.shared.b64 _, [bar];"),
              HasSubstr("finds the mbarrier at 0x1000 overwritten"));
  EXPECT_THAT(
      fault("mbarrier.expect_tx.shared::cta.b64 [bar], 1048576;", false),
      HasSubstr("makes the tx-count of the mbarrier at 0x1000 1048576, "
                "which is outside -1048575 to 1048575"));
  EXPECT_THAT(fault("mbarrier.complete_tx.shared::cta.b64 [bar], 1048575;\n"
                    "mbarrier.complete_tx.shared::cta.b64 [bar], 1;"),
              HasSubstr("-1048576, which is outside"));
  EXPECT_THAT(fault("mbarrier.arrive.noComplete.shared.b64 %rd2, [bar], 1;"),
              HasSubstr("completes the phase of the mbarrier at 0x1000, which "
                        ".noComplete excludes"));
  EXPECT_THAT(fault("mbarrier.arrive_drop.shared.b64 %rd2, [bar];\n"
                    "mbarrier.arrive.shared.b64 %rd2, [bar];"),
              HasSubstr("phase 1 only 0 are pending"));
  EXPECT_THAT(fault("mov.u64 %rd2, 5;\n"
                    "mbarrier.test_wait.shared.b64 %p1, [bar], %rd2;"),
              HasSubstr("has a state that no arrival returned"));
  EXPECT_THAT(
      fault("mbarrier.test_wait.parity.shared.b64 %p1, [bar], 2;", false),
      HasSubstr("has parity 2"));
  EXPECT_THAT(fault("mbarrier.arrive.b64 _, [%rd0];"),
              HasSubstr("outside shared memory"));
}

TEST_F(MbarrierTest, deadlocks) {
  forEachTiming(2, [&] {
    EXPECT_THAT(
        fault("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 16;\n"
              "mbarrier.arrive.shared.b64 _, [bar];\n" +
              waitForBar()),
        HasSubstr(
            "hazard: deadlock: test.ptx:21: kernel 'kernel': CTA (0,0,0) "
            "thread (0,0,0): warp 0 waits at mbarrier 0x1000 phase 0 in line "
            "21"));
  });
  DeviceAddress buffer = device->allocate(4096);
  EXPECT_THAT(
      runSimple("setp.ge.u32 %p0, %r0, 32;\n@%p0 bra OTHER;\n" + waitForBar() +
                    "OTHER: bar.sync 1;",
                buffer, buffer),
      HasSubstr("thread (0,0,0): warp 0 waits at mbarrier 0x1000 phase 0 in "
                "line 19, warp 1 waits at barrier 1 in line 21"));
}

// Somebody who polls for a while and then helps is no deadlock, and a thread
// that spins on memory does not keep the work from being done.
TEST_F(MbarrierTest, impatientAndBusyThreads) {
  DeviceAddress buffer = device->allocate(4096);
  EXPECT_EQ(runSimple("@!%p7 bra END;\nmov.u32 %r1, 0;\n"
                      "POLL: mbarrier.test_wait.parity.shared.b64 %p1, [bar], "
                      "0;\n@%p1 bra END;\nadd.u32 %r1, %r1, 1;\n"
                      "setp.lt.u32 %p2, %r1, 2000;\n@%p2 bra POLL;\n"
                      "mbarrier.arrive.shared.b64 _, [bar];\nbra POLL;\nEND:",
                      buffer, buffer),
            "no error");
  EXPECT_EQ(
      runSimple("setp.ge.u32 %p0, %r0, 32;\n@%p0 bra SPIN;\n@!%p7 bra END;\n"
                "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
                "bytes [tile], [%rd0], 16, [bar];\n"
                "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 16;\n" +
                    waitForBar() +
                    "st.volatile.shared.u32 [tile+1024], 1;\nbra END;\n"
                    "SPIN: ld.volatile.shared.u32 %r1, [tile+1024];\n"
                    "setp.ne.u32 %p2, %r1, 1;\n@%p2 bra SPIN;\nEND:",
                buffer, buffer),
      "no error");
}

// One thread polls for all of them, which meet between its polls; the loop is
// written as compilers expand it.
TEST_F(MbarrierTest, oneThreadPollsForAll) {
  forEachTiming(5, [&] {
    auto values = randomWords(4);
    DeviceAddress out = device->allocate(4096);
    ASSERT_EQ(
        runSimple(
            "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_"
            "tx::bytes [tile], [%rd0], 16, [bar];\n"
            "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 16;\n"
            "POLL: @!%p7 bra MEET;\n"
            "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 0;\n"
            "selp.u32 %r1, 1, 0, %p1;\nst.shared.u32 [tile+64], %r1;\n"
            "MEET: bar.sync 0;\nld.shared.u32 %r2, [tile+64];\n"
            "bar.sync 0;\nsetp.ne.u32 %p2, %r2, 1;\n@%p2 bra POLL;\n"
            "{\n.reg .pred P1;\nLAB_WAIT:\n"
            "mbarrier.try_wait.parity.shared.b64 P1, [bar], 0, 10000000;"
            "\n@P1 bra.uni DONE;\nbra.uni LAB_WAIT;\nDONE:\n}\n" +
                copyTileOut(),
            upload(values), out),
        "no error");
    auto expected = filledTile();
    std::copy(values.begin(), values.end(), expected.begin());
    expected[16] = 1;
    ASSERT_EQ(download<uint32_t>(out, 1024), expected);
  });
}

// Where nobody arrives, meeting between the polls does not help.
TEST_F(MbarrierTest, pollingForNothing) {
  DeviceAddress buffer = device->allocate(4096);
  EXPECT_THAT(
      runSimple("POLL: @!%p7 bra MEET;\n"
                "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 0;\n"
                "selp.u32 %r1, 1, 0, %p1;\nst.shared.u32 [tile+64], %r1;\n"
                "MEET: bar.sync 0;\nld.shared.u32 %r2, [tile+64];\n"
                "bar.sync 0;\nsetp.ne.u32 %p2, %r2, 1;\n@%p2 bra POLL;\n",
                buffer, buffer),
      HasSubstr("hazard: deadlock: "));
}

// Late work is done where it is waited for, and other work is not.
TEST_F(MbarrierTest, onlyWhatIsWaitedForIsDone) {
  auto values = randomWords(8);
  DeviceAddress out = device->allocate(4096);
  const std::string copy =
      "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes ";
  ASSERT_EQ(runSimple("@%p7 mbarrier.init.shared.b64 [tile+2048], 1;\n"
                      "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, "
                      "[tile+2048], 16;\n" +
                          copy + "[tile], [%rd0], 16, [tile+2048];\n" + copy +
                          "[tile+16], [%rd0+16], 16, [bar];\n"
                          "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], "
                          "16;\n" +
                          waitForBar() +
                          "mov.u32 %r20, %r0;\nSPIN: add.u32 %r20, %r20, 64;\n"
                          "bar.sync 0;\nsetp.lt.u32 %p5, %r20, 6400;\n"
                          "@%p5 bra SPIN;\n" +
                          copyTileOut(),
                      upload(values), out),
            "no error");
  auto results = download<uint32_t>(out, 1024);
  for (uint32_t index = 0; index < 8; ++index)
    EXPECT_EQ(results[index], index < 4 ? index : values[index]);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs that are right though it takes a second look.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

using HazardSilentTest = HazardTest;

} // namespace

TEST_F(HazardSilentTest, neighboursInOneWord) {
  // Halves and bytes of words, by lanes and by warps.
  expectSilent("mad.lo.u32 %r10, %r0, 2, %r7; cvt.u16.u32 %h0, %r0;\n"
               "st.shared.b16 [%r10], %h0;\n"
               "add.u32 %r11, %r7, %r0;\n"
               "st.shared.u8 [%r11+1024], %r0;\n"
               "bar.sync 0;\n"
               "xor.b32 %r12, %r0, 1;\n"
               "mad.lo.u32 %r13, %r12, 2, %r7; ld.shared.u16 %r9, [%r13];\n"
               "add.u32 %r14, %r7, %r12; ld.shared.u8 %r15, [%r14+1024];\n"
               "add.u32 %r9, %r9, %r15;\n",
               [](uint32_t thread) { return 2 * (thread ^ 1); });
  // Warps that interleave: even bytes and odd ones, in global memory.
  expectSilent("mad.lo.u32 %r10, %r3, 2, %r4;\n"
               "cvt.u64.u32 %rd8, %r10; add.u64 %rd8, %rd8, %rd4;\n"
               "st.global.u8 [%rd8], %r0;\n"
               "ld.global.u8 %r9, [%rd8];\n",
               [](uint32_t thread) { return thread; });
}

TEST_F(HazardSilentTest, manyReadersThenOneWriter) {
  expectSilent("mov.u32 %r10, 0;\n"
               "NEXT: ld.shared.u32 %r11, [tile+512];\n"
               "ld.shared.u32 %r12, [%r5];\n"
               "add.u32 %r9, %r9, %r11;\n"
               "bar.sync 0;\n"
               "@%p7 st.shared.u32 [tile+512], %r10;\n"
               "bar.sync 0;\n"
               "add.u32 %r10, %r10, 1;\n"
               "setp.lt.u32 %p0, %r10, 4;\n"
               "@%p0 bra NEXT;\n",
               [](uint32_t) { return 128 + 0 + 1 + 2; }, {256, 1, 1});
}

TEST_F(HazardSilentTest, orderThroughTwoBarriers) {
  // Warp 0 meets warp 1, which then meets warp 2.
  expectSilent("setp.eq.u32 %p0, %r4, 1;\n"
               "setp.eq.u32 %p1, %r4, 2;\n"
               "@%p6 st.shared.u32 [%r2], 31;\n"
               "@%p1 bra LAST;\n"
               "bar.sync 1, 64;\n"
               "@!%p0 bra END;\n"
               "LAST: bar.sync 2, 64;\n"
               "@%p1 ld.shared.u32 %r9, [%r5];\n"
               "END:\n",
               [](uint32_t thread) { return thread < 64 ? 0 : 31; },
               {96, 1, 1});
  // A lane of the middle, one of its neighbours, and then a barrier.
  expectSilent("@%p7 st.shared.u32 [tile], 500;\n"
               "bar.warp.sync 0xFFFFFFFF;\n"
               "setp.eq.u32 %p0, %r0, 9;\n"
               "@%p0 mbarrier.arrive.shared.b64 _, [bar];\n"
               "setp.eq.u32 %p0, %r0, 40;\n"
               "@!%p0 bra MEET;\n"
               "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], 0;\n"
               "@!%p1 bra WAIT;\n"
               "MEET: bar.warp.sync 0xFFFFFFFF;\n"
               "@!%p6 ld.shared.u32 %r9, [tile];\n",
               [](uint32_t thread) { return thread < 32 ? 0 : 500; });
}

TEST_F(HazardSilentTest, barriersOfEveryKind) {
  for (const char *barrier :
       {"bar.sync 0;", "bar.sync 7;", "barrier.sync 1, 64;",
        "barrier.cta.sync.aligned 2;", "bar.red.popc.u32 %r11, 0, %p6;",
        "barrier.cta.red.popc.aligned.u32 %r11, 3, %p6;",
        "barrier.cluster.arrive; barrier.cluster.wait;",
        "barrier.cluster.arrive.release; barrier.cluster.wait.acquire;"})
    expectSilent("add.u32 %r10, %r0, 5; st.shared.u32 [%r2], %r10;\n" +
                     std::string(barrier) + "\nld.shared.u32 %r9, [%r5];\n",
                 [](uint32_t thread) { return (thread ^ 32) + 5; });
}

// Lanes that reach their barrier on different ways.
TEST_F(HazardSilentTest, divergentLanesMeet) {
  expectSilent("and.b32 %r10, %r0, 1; setp.eq.u32 %p0, %r10, 0;\n"
               "@%p0 bra EVEN;\n"
               "st.shared.u32 [%r2], 1;\n"
               "barrier.sync 1;\n"
               "bra MEET;\n"
               "EVEN: st.shared.u32 [%r2], 2;\n"
               "barrier.sync 1;\n"
               "MEET: ld.shared.u32 %r9, [%r5];\n"
               "ld.shared.u32 %r11, [%r6];\n"
               "mad.lo.u32 %r9, %r11, 16, %r9;\n",
               [](uint32_t thread) { return thread % 2 ? 0x21u : 0x12u; });
}

TEST_F(HazardSilentTest, sameValueOfAllLanes) {
  expectSilent("mad.lo.u32 %r10, %r4, 4, %r7;\n"
               "st.shared.u32 [%r10], %r4;\n"
               "bar.warp.sync 0xFFFFFFFF;\n"
               "ld.shared.u32 %r9, [%r10];\n",
               [](uint32_t thread) { return thread / 32; });
}

TEST_F(HazardSilentTest, reductionInPowersOfTwo) {
  expectSilent("mov.u32 %r10, 128;\n"
               "NEXT: shr.u32 %r10, %r10, 1;\n"
               "bar.sync 0;\n"
               "setp.ge.u32 %p0, %r0, %r10;\n"
               "@%p0 bra SKIP;\n"
               "mad.lo.u32 %r11, %r10, 4, %r2;\n"
               "ld.shared.u32 %r12, [%r11];\n"
               "ld.shared.u32 %r13, [%r2];\n"
               "add.u32 %r12, %r12, %r13;\n"
               "st.shared.u32 [%r2], %r12;\n"
               "SKIP: setp.gt.u32 %p0, %r10, 1;\n"
               "@%p0 bra NEXT;\n"
               "bar.sync 0;\n"
               "ld.shared.u32 %r9, [tile];\n",
               [](uint32_t) { return 127 * 64; }, {128, 1, 1});
}

TEST_F(HazardSilentTest, lockOfAtomics) {
  // Threads add under a lock, one of each warp at a time.
  expectSilent("@!%p5 bra END;\n"
               "LOCK: atom.acquire.cta.shared.cas.b32 %r10, [tile], 0, 1;\n"
               "setp.ne.u32 %p0, %r10, 0;\n"
               "@%p0 bra LOCK;\n"
               "ld.shared.u32 %r11, [tile+512];\n"
               "add.u32 %r11, %r11, 1;\n"
               "st.shared.u32 [tile+512], %r11;\n"
               "atom.release.cta.shared.exch.b32 %r12, [tile], 0;\n"
               "END: bar.sync 0;\n"
               "ld.shared.u32 %r9, [tile+512];\n",
               [](uint32_t) { return 128 + 8; }, {256, 1, 1});
}

// One copy in flight for each of eight words, in a warp that waits for itself.
TEST_F(HazardSilentTest, copiesOfAWarp) {
  expectSilent("mad.wide.u32 %rd8, %r0, 4, %rd0;\n"
               "cp.async.ca.shared.global [%r2], [%rd8], 4;\n"
               "cp.async.commit_group;\n"
               "cp.async.wait_group 0;\n"
               "bar.warp.sync 0xFFFFFFFF;\n"
               "ld.shared.u32 %r9, [%r6];\n",
               [this](uint32_t thread) {
                 return words[(thread & 32) | (thread + 1) % 32];
               });
}

// Four stages of bulk loads, many phases of each; two warps consume, and what
// they make of a tile goes out by a bulk store of a buffer that alternates.
TEST_F(HazardSilentTest, ringWithManyPhases) {
  expectSilent(
      "mov.u32 %r10, 0;\n"
      "INIT: mad.lo.u32 %r11, %r10, 8, %r7;\n"
      "@%p7 mbarrier.init.shared.b64 [%r11+3072], 1;\n"
      "@%p7 mbarrier.init.shared.b64 [%r11+3104], 2;\n"
      "add.u32 %r10, %r10, 1; setp.lt.u32 %p0, %r10, 4; @%p0 bra INIT;\n"
      "@%p7 fence.mbarrier_init.release.cluster;\n"
      "bar.sync 0;\n"
      "mov.u32 %r10, 0;\n"
      "setp.eq.u32 %p1, %r0, 32;\n"
      // %r11: stage, %r12: parity, %r13 and %r14: "full" and "empty".
      "NEXT: and.b32 %r11, %r10, 3;\n"
      "shr.u32 %r12, %r10, 2; and.b32 %r12, %r12, 1;\n"
      "mad.lo.u32 %r13, %r11, 8, %r7; add.u32 %r14, %r13, 3104;\n"
      "add.u32 %r13, %r13, 3072;\n"
      "mad.lo.u32 %r15, %r11, 256, %r7;\n"
      "and.b32 %r22, %r10, 15; mul.wide.u32 %rd8, %r22, 256;\n"
      "add.u64 %rd9, %rd8, %rd4; add.u64 %rd8, %rd8, %rd0;\n"
      "@%p6 bra PRODUCE;\n"
      "FULL: mbarrier.try_wait.parity.shared::cta.b64 %p0, [%r13], %r12;\n"
      "@!%p0 bra FULL;\n"
      "sub.u32 %r16, %r0, 32;\n"
      "mad.lo.u32 %r17, %r16, 4, %r15;\n"
      "ld.shared.u32 %r18, [%r17];\n"
      "add.u32 %r9, %r9, %r18;\n"
      "bar.warp.sync 0xFFFFFFFF;\n"
      "@%p5 mbarrier.arrive.shared.b64 _, [%r14];\n"
      // The buffer was stored two tiles ago.
      "@%p1 cp.async.bulk.wait_group.read 1;\n"
      "bar.sync 1, 64;\n"
      "and.b32 %r19, %r10, 1; mad.lo.u32 %r19, %r19, 256, %r7;\n"
      "mad.lo.u32 %r20, %r16, 4, %r19;\n"
      "add.u32 %r21, %r18, 1; st.shared.u32 [%r20+2048], %r21;\n"
      "fence.proxy.async.shared::cta;\n"
      "bar.sync 1, 64;\n"
      "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd9], [%r19+2048], "
      "256;\n"
      "@%p1 cp.async.bulk.commit_group;\n"
      "bra STEP;\n"
      "PRODUCE: @!%p7 bra STEP;\n"
      "xor.b32 %r23, %r12, 1;\n"
      "EMPTY: mbarrier.try_wait.parity.shared::cta.b64 %p0, [%r14], %r23;\n"
      "@!%p0 bra EMPTY;\n"
      "mbarrier.arrive.expect_tx.shared.b64 _, [%r13], 256;\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%r15], [%rd8], 256, [%r13];\n"
      "STEP: add.u32 %r10, %r10, 1;\n"
      "setp.lt.u32 %p0, %r10, 16;\n"
      "@%p0 bra NEXT;\n"
      "@%p1 cp.async.bulk.wait_group 0;\n"
      "bar.sync 0;\n"
      // What came out is one more than what went in.
      "mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
      "ld.global.u32 %r18, [%rd8+128]; add.u32 %r9, %r9, %r18;\n",
      [this](uint32_t thread) {
        uint32_t sum = words[thread + 32] + 1;
        for (uint32_t tile = 0; thread >= 32 && tile < 16; ++tile)
          sum += words[64 * tile + thread - 32];
        return sum;
      },
      {96, 1, 1});
}

TEST_F(HazardSilentTest, multicast) {
  // CTA 0 loads for both; each waits for its own bytes.
  expectSilent(
      "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 512;\n"
      "setp.eq.u32 %p0, %r1, 0;\n"
      "and.pred %p0, %p0, %p7;\n"
      "mov.u16 %h0, 3;\n"
      "@%p0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes."
      "multicast::cluster [tile], [%rd0], 512, [bar], %h0;\n"
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p1, [bar], 0;\n"
      "@!%p1 bra WAIT;\n"
      "ld.shared.u32 %r9, [%r2];\n",
      [this](uint32_t index) { return words[index % 64]; }, {64, 2, 2});
}

TEST_F(HazardSilentTest, remoteArrivals) {
  // CTA 1 writes to CTA 0, and arrives there.
  expectSilent(
      "mapa.shared::cluster.u32 %r10, %r2, 0;\n"
      "mapa.shared::cluster.u32 %r11, bar, 0;\n"
      "setp.eq.u32 %p0, %r1, 0;\n"
      "@%p0 bra WAIT;\n"
      "add.u32 %r12, %r0, 900;\n"
      "st.shared::cluster.u32 [%r10], %r12;\n"
      "bar.warp.sync 0xFFFFFFFF;\n"
      "@%p7 mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r11];\n"
      "bra END;\n"
      "WAIT: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p1, "
      "[bar], 0;\n"
      "@!%p1 bra WAIT;\n"
      "ld.shared.u32 %r9, [%r2];\n"
      "END:\n",
      [](uint32_t index) { return index < 32 ? index + 900 : 0; }, {32, 2, 2});
}

// Threads that have left hold nobody back, and what they wrote is seen by who
// meets later threads.
TEST_F(HazardSilentTest, threadsThatExit) {
  expectSilent("st.shared.u32 [%r2], 6;\n"
               "bar.sync 0;\n"
               "@%p6 exit;\n"
               "ld.shared.u32 %r9, [%r5];\n"
               "bar.sync 1, 32;\n"
               "st.shared.u32 [%r5], 7;\n",
               [](uint32_t thread) { return thread < 32 ? 0 : 6; });
}

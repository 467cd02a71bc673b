// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Data races in shared memory, and what orders accesses to it.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class HazardRaceTest : public HazardTest {
protected:
  void expectRace(const std::string &statements, const Expected &expected,
                  const Shape &shape = {}) {
    expectHazard({Kind::RaceShared}, statements, expected, shape);
  }
};

/// The thread 32 on, of 64.
uint32_t opposite(uint32_t thread) { return thread ^ 32; }

} // namespace

TEST_F(HazardRaceTest, readAfterWrite) {
  expectRace("add.u32 %r10, %r0, 1000;\n"
             "st.shared.u32 [%r2], %r10; // HERE\n"
             "// FIX: bar.sync 0;\n"
             "ld.shared.u32 %r9, [%r5]; // HERE\n",
             [](uint32_t thread) { return opposite(thread) + 1000; });
}

TEST_F(HazardRaceTest, writeAfterRead) {
  expectRace("ld.shared.u32 %r9, [%r5]; // HERE\n"
             "add.u32 %r10, %r0, 1000;\n"
             "// FIX: bar.sync 0;\n"
             "st.shared.u32 [%r2], %r10; // HERE\n",
             opposite);
}

TEST_F(HazardRaceTest, writeAfterWrite) {
  expectRace("mad.lo.u32 %r10, %r3, 4, %r7;\n"
             "@%p6 st.shared.u32 [%r10], 5; // HERE 0-31\n"
             "// FIX: bar.sync 0;\n"
             "@!%p6 st.shared.u32 [%r10], 7; // HERE 32-63\n"
             "bar.sync 0;\n"
             "ld.shared.u32 %r9, [%r10];\n",
             [](uint32_t) { return 7; });
}

// What the schedule orders by chance is no order: the reader comes long after.
TEST_F(HazardRaceTest, lateReader) {
  expectRace("@!%p6 bra WAIT;\n"
             "st.shared.u32 [%r2+512], 3; // HERE 0-31\n"
             "WAIT: mov.u32 %r10, 0;\n"
             "SPIN: add.u32 %r10, %r10, 1;\n"
             "setp.lt.u32 %p0, %r10, 90000;\n"
             "@%p0 bra SPIN;\n"
             "// FIX: bar.sync 0;\n"
             "@!%p6 ld.shared.u32 %r9, [%r5+512]; // HERE 32-63\n",
             [](uint32_t thread) { return thread < 32 ? 0 : 3; });
}

TEST_F(HazardRaceTest, lanesOfAWarp) {
  const Shape warp = {32, 1, 1};
  auto next = [](uint32_t thread) { return (thread + 1) % 32 + 50; };
  const std::string store = "add.u32 %r10, %r0, 50;\n"
                            "st.shared.u32 [%r2], %r10; // HERE\n";
  const std::string load = "ld.shared.u32 %r9, [%r6]; // HERE\n";
  expectRace(store + "// FIX: bar.warp.sync 0xFFFFFFFF;\n" + load, next, warp);
  // Exchange between the lanes does not order what they do to memory.
  expectRace(store +
                 "shfl.sync.bfly.b32 %r11, %r0, 1, 31, 0xFFFFFFFF;\n"
                 "vote.sync.ballot.b32 %r11, %p7, 0xFFFFFFFF;\n"
                 "// FIX: bar.warp.sync 0xFFFFFFFF;\n" +
                 load,
             next, warp);
  // Half a warp waits for itself only.
  expectRace(store +
                 "setp.lt.u32 %p0, %r3, 16;\n"
                 "@%p0 bra LOW; // BUG\n"
                 "bar.warp.sync 0xFFFF0000; bra MEET; // BUG\n"
                 "LOW: bar.warp.sync 0x0000FFFF; // BUG\n"
                 "MEET: // BUG\n"
                 "// FIX: bar.warp.sync 0xFFFFFFFF;\n" +
                 load,
             next, warp);
  // Another warp's lanes are not among those that it names.
  expectRace(store + "bar.warp.sync 0xFFFFFFFF;\n"
                     "// FIX: bar.sync 0;\n"
                     "ld.shared.u32 %r9, [%r5]; // HERE\n",
             [](uint32_t thread) { return opposite(thread) + 50; });
}

// Lanes of one instruction race only where they store different values.
TEST_F(HazardRaceTest, lanesOfAnInstruction) {
  const Shape warp = {32, 1, 1};
  expectRace(
      "shr.u32 %r10, %r3, 1;\n"
      "mad.lo.u32 %r10, %r10, 4, %r7;\n"
      "st.shared.u32 [%r10], %r3; // BUG // HERE\n"
      "// FIX: st.shared.u32 [%r10], 9;\n"
      "bar.warp.sync 0xFFFFFFFF;\n"
      "ld.shared.u32 %r9, [%r10];\n",
      [](uint32_t) { return 9; }, warp);
}

TEST_F(HazardRaceTest, divergentPaths) {
  const Shape warp = {32, 1, 1};
  expectRace(
      "setp.lt.u32 %p0, %r3, 16;\n"
      "xor.b32 %r10, %r3, 16;\n"
      "mad.lo.u32 %r10, %r10, 4, %r7;\n"
      "@!%p0 bra HIGH;\n"
      "st.shared.u32 [%r2], 70; // HERE 0-15\n"
      "// FIX: bar.warp.sync 0xFFFFFFFF;\n"
      "mov.u32 %r9, 1;\n"
      "bra MEET;\n"
      "HIGH:\n"
      "// FIX: bar.warp.sync 0xFFFFFFFF;\n"
      "ld.shared.u32 %r9, [%r10]; // HERE 16-31\n"
      "MEET:\n",
      [](uint32_t thread) { return thread < 16 ? 1 : 70; }, warp);
}

TEST_F(HazardRaceTest, namedBarriers) {
  const Shape three = {96, 1, 1};
  // The third warp reads what only the first two have met for.
  expectRace(
      "@%p6 st.shared.u32 [%r2], 11; // HERE 0-31\n"
      "setp.eq.u32 %p0, %r4, 2; // BUG\n"
      "@%p0 bra READ; // BUG\n"
      "bar.sync 1, 64; // BUG\n"
      "// FIX: bar.sync 1, 96;\n"
      "READ: mad.lo.u32 %r10, %r3, 4, %r7;\n"
      "ld.shared.u32 %r9, [%r10]; // HERE 64-95\n",
      [](uint32_t) { return 11; }, three);
  // Who only arrives is not behind the others.
  expectRace("st.shared.u32 [%r2], %r4; // HERE 32-63\n"
             "@%p6 bar.arrive 1, 64; // BUG\n"
             "@!%p6 bar.sync 1, 64; // BUG\n"
             "// FIX: bar.sync 1, 64;\n"
             "ld.shared.u32 %r9, [%r5]; // HERE 0-31\n",
             [](uint32_t thread) { return thread < 32 ? 1 : 0; });
}

TEST_F(HazardRaceTest, producerThatDoesNotWaitForItsReader) {
  // Warp 0 writes three values one after the other, warp 1 adds them up.
  expectRace(
      "mov.u32 %r10, 0;\n"
      "NEXT: @!%p6 bra READ;\n"
      "add.u32 %r11, %r10, %r3;\n"
      "st.shared.u32 [%r2], %r11; // HERE 0-31\n"
      "bar.sync 1, 64;\n"
      "// FIX: bar.sync 2, 64;\n"
      "bra STEP;\n"
      "READ: bar.sync 1, 64;\n"
      "ld.shared.u32 %r12, [%r5]; // HERE 32-63\n"
      "add.u32 %r9, %r9, %r12;\n"
      "// FIX: bar.arrive 2, 64;\n"
      "STEP: add.u32 %r10, %r10, 1;\n"
      "setp.lt.u32 %p0, %r10, 3;\n"
      "@%p0 bra NEXT;\n",
      [](uint32_t thread) { return thread < 32 ? 0 : 3 * (thread - 32) + 3; });
}

// One barrier for each round is enough for two buffers, not for one.
TEST_F(HazardRaceTest, bufferReusedTooEarly) {
  expectRace("mov.u32 %r10, 0;\n"
             "NEXT: mov.u32 %r11, 0; // BUG\n"
             "// FIX: NEXT: and.b32 %r11, %r10, 1;\n"
             "shl.b32 %r11, %r11, 10;\n"
             "add.u32 %r12, %r2, %r11;\n"
             "add.u32 %r13, %r5, %r11;\n"
             "add.u32 %r14, %r10, %r0;\n"
             "st.shared.u32 [%r12], %r14; // HERE\n"
             "bar.sync 0;\n"
             "ld.shared.u32 %r15, [%r13]; // HERE\n"
             "add.u32 %r9, %r9, %r15;\n"
             "add.u32 %r10, %r10, 1;\n"
             "setp.lt.u32 %p0, %r10, 5;\n"
             "@%p0 bra NEXT;\n",
             [](uint32_t thread) { return 5 * opposite(thread) + 10; });
}

TEST_F(HazardRaceTest, sizesThatOverlap) {
  expectRace("@%p6 st.shared.v2.u32 [%r7+16], {4, 0x01020304}; // HERE 0-31\n"
             "// FIX: bar.sync 0;\n"
             "@!%p6 ld.shared.u8 %r9, [tile+22]; // HERE 32-63\n",
             [](uint32_t thread) { return thread < 32 ? 0 : 2; });
  // By a generic address.
  expectRace("cvt.u64.u32 %rd8, %r2; cvta.shared.u64 %rd8, %rd8;\n"
             "st.u16 [%rd8+2], 7; // HERE\n"
             "// FIX: bar.sync 0;\n"
             "ld.shared.u32 %r9, [%r5]; // HERE\n",
             [](uint32_t thread) { return opposite(thread) | 7 << 16; });
}

TEST_F(HazardRaceTest, matrices) {
  // The rows of a matrix are those of other lanes, and here of another warp.
  const std::string address = "and.b32 %r10, %r0, 7; xor.b32 %r11, %r4, 1;\n"
                              "mad.lo.u32 %r12, %r11, 8, %r10;\n"
                              "mad.lo.u32 %r13, %r4, 8, %r10;\n"
                              "mad.lo.u32 %r12, %r12, 16, %r7;\n"
                              "mad.lo.u32 %r13, %r13, 16, %r7;\n"
                              "add.u32 %r14, %r0, 500;\n";
  expectRace(address +
                 "st.shared.u32 [%r2], %r14; // HERE\n"
                 "// FIX: bar.sync 0;\n"
                 "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r9}, [%r12]; "
                 "// HERE\n",
             [](uint32_t thread) { return opposite(thread) + 500; });
  expectRace(address +
                 "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r13], {%r14}; "
                 "// HERE\n"
                 "// FIX: bar.sync 0;\n"
                 "ld.shared.u32 %r9, [%r5]; // HERE\n",
             [](uint32_t thread) { return opposite(thread) + 500; });
}

TEST_F(HazardRaceTest, otherCtasOfACluster) {
  const Shape cluster = {64, 2, 2};
  auto other = [](uint32_t index) { return 7000 + (1 - index / 64); };
  const std::string store = "xor.b32 %r10, %r1, 1;\n"
                            "mapa.shared::cluster.u32 %r11, %r2, %r10;\n"
                            "add.u32 %r12, %r1, 7000;\n"
                            "st.shared.u32 [%r2], %r12; // HERE\n";
  const std::string load = "ld.shared::cluster.u32 %r9, [%r11]; // HERE\n";
  expectRace(store +
                 "bar.sync 0;\n"
                 "// FIX: barrier.cluster.arrive;\n"
                 "// FIX: barrier.cluster.wait;\n" +
                 load,
             other, cluster);
  // A relaxed arrival releases nothing by itself.
  expectRace(store +
                 "// FIX: fence.acq_rel.cluster;\n"
                 "barrier.cluster.arrive.relaxed;\n"
                 "barrier.cluster.wait.acquire;\n" +
                 load,
             other, cluster);
  // What is stored after the arrival is not behind the barrier.
  expectRace("xor.b32 %r10, %r1, 1;\n"
             "mapa.shared::cluster.u32 %r11, %r2, %r10;\n"
             "add.u32 %r12, %r1, 7000;\n"
             "barrier.cluster.arrive; // BUG\n"
             "st.shared::cluster.u32 [%r11], %r12; // HERE\n"
             "// FIX: barrier.cluster.arrive;\n"
             "barrier.cluster.wait;\n"
             "ld.shared.u32 %r9, [%r2]; // HERE\n",
             other, cluster);
}

// A flag of the CTA: both sides need a fence, or release and acquire.
TEST_F(HazardRaceTest, flags) {
  auto program = [](const std::string &first, const std::string &store,
                    const std::string &load, const std::string &second) {
    return "@%p6 bra WRITE;\n"
           "SPIN: " +
           load +
           " %r10, [tile+1024];\n"
           "setp.ne.u32 %p0, %r10, 1;\n"
           "@%p0 bra SPIN;\n" +
           second +
           "\n"
           "ld.shared.u32 %r9, [tile+4]; // HERE 32-63\n"
           "bra END;\n"
           "WRITE: @!%p7 bra END;\n"
           "st.shared.u32 [tile+4], 42; // HERE 0-0\n" +
           first + "\n" + store +
           " [tile+1024], 1;\n"
           "END:\n";
  };
  const std::string st = "st.relaxed.cta.shared.u32";
  const std::string ld = "ld.relaxed.cta.shared.u32";
  const std::string fence = "fence.acq_rel.cta;";
  auto result = [](uint32_t thread) { return thread < 32 ? 0u : 42u; };
  for (auto [first, second] :
       {std::pair("", ""), {"", fence.c_str()}, {fence.c_str(), ""}})
    expectReported({Kind::RaceShared}, program(first, st, ld, second));
  expectReported({Kind::RaceShared}, program("", "st.volatile.shared.u32",
                                             "ld.volatile.shared.u32", ""));
  expectReported({Kind::RaceShared},
                 program("", "st.release.cta.shared.u32", ld, ""));
  expectReported({Kind::RaceShared},
                 program("", st, "ld.acquire.cta.shared.u32", ""));
  expectSilent(program(fence, st, ld, fence), result);
  expectSilent(program("membar.cta;", "st.volatile.shared.u32",
                       "ld.volatile.shared.u32", "membar.cta;"),
               result);
  expectSilent(
      program("", "st.release.cta.shared.u32", "ld.acquire.cta.shared.u32", ""),
      result);
  expectSilent(program(fence, st, "ld.acquire.cta.shared.u32", ""), result);
  // The flag's word is 256 at first.
  expectSilent(
      program("fence.sc.cta;", "red.relaxed.cta.shared.min.u32", ld, fence),
      result);
}

TEST_F(HazardRaceTest, atomics) {
  // The counters: each thread counts once in one of eight.
  const std::string place = "and.b32 %r10, %r0, 7;\n"
                            "mad.lo.u32 %r10, %r10, 4, %r7;\n"
                            "@%p6 st.shared.u32 [%r2], 0;\n"
                            "bar.sync 0;\n";
  auto eight = [](uint32_t) { return 8; };
  // Not atomic.
  expectRace(place + "ld.shared.u32 %r11, [%r10]; // BUG // HERE\n"
                     "add.u32 %r11, %r11, 1; // BUG\n"
                     "st.shared.u32 [%r10], %r11; // BUG // HERE\n"
                     "// FIX: red.shared.add.u32 [%r10], 1;\n"
                     "bar.sync 0;\n"
                     "ld.shared.u32 %r9, [%r10];\n",
             eight);
  // Read too early.
  expectRace(place + "red.shared.add.u32 [%r10], 1; // HERE\n"
                     "// FIX: bar.sync 0;\n"
                     "ld.shared.u32 %r9, [%r10]; // HERE\n",
             eight);
  // Cleared too late.
  expectRace("and.b32 %r10, %r0, 7;\n"
             "mad.lo.u32 %r10, %r10, 4, %r7;\n"
             "@%p6 st.shared.u32 [%r2], 0; // HERE 0-31\n"
             "// FIX: bar.sync 0;\n"
             "atom.shared.add.u32 %r11, [%r10], 1; // HERE\n"
             "bar.sync 0;\n"
             "ld.shared.u32 %r9, [%r10];\n",
             eight);
}

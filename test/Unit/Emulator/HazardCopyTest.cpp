// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hazards of cp.async, which is of the generic proxy.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class HazardCopyTest : public HazardTest {
protected:
  /// Each thread copies its word of the input to the tile's.
  const std::string copy =
      "mad.wide.u32 %rd8, %r0, 4, %rd0;\n"
      "cp.async.ca.shared.global [%r2], [%rd8], 4; // HERE\n";
  const std::string commit = "cp.async.commit_group;\n";
  const std::string waitForAll = "cp.async.wait_all;\n";

  Expected own() {
    return [this](uint32_t thread) { return words[thread]; };
  }
  Expected opposite() {
    return [this](uint32_t thread) { return words[thread ^ 32]; };
  }
};

} // namespace

TEST_F(HazardCopyTest, readBeforeTheWait) {
  // No copy is left when the CTA ends.
  const std::string read = "ld.shared.u32 %r9, [%r2]; // HERE\n" + waitForAll;
  auto early = [&](const std::string &statements) {
    expectHazard({Kind::ReadBeforeWait}, statements, own());
  };
  early(copy + "// FIX: cp.async.wait_all;\n" + read);
  early(copy + commit + "// FIX: cp.async.wait_group 0;\n" + read);
  // A group is still on its way, or there is none.
  early(copy + commit +
        "cp.async.wait_group 1; // BUG\n"
        "// FIX: cp.async.wait_group 0;\n" +
        read);
  early(copy + "// FIX: cp.async.commit_group;\n" + "cp.async.wait_group 0;\n" +
        read);
  // A barrier is no wait.
  early(copy + commit + "bar.sync 0;\n// FIX: cp.async.wait_all;\n" + read);
}

TEST_F(HazardCopyTest, readByAnotherThread) {
  const std::string read = "ld.shared.u32 %r9, [%r5]; // HERE\n" + waitForAll;
  // Waited for by who issued it, but nobody else knows.
  expectHazard({Kind::ReadBeforeWait, Kind::RaceShared},
               copy + waitForAll + "// FIX: bar.sync 0;\n" + read, opposite());
  // The barrier comes before the wait.
  expectHazard({Kind::ReadBeforeWait, Kind::RaceShared},
               copy +
                   "bar.sync 0; // BUG\n"
                   "cp.async.wait_all;\n"
                   "// FIX: bar.sync 0;\n" +
                   read,
               opposite());
  // Each waits for its own copies only.
  expectHazard(
      {Kind::ReadBeforeWait, Kind::RaceShared},
      "@%p6 bra COPY;\n"
      "cp.async.wait_all;\n"
      "bar.sync 0;\n"
      "bra READ;\n"
      "COPY:\n" +
          copy +
          "// FIX: cp.async.wait_all;\n"
          "bar.sync 0;\n"
          "READ: @!%p6 ld.shared.u32 %r9, [%r5]; // HERE 32-63\n" +
          waitForAll,
      [this](uint32_t thread) { return thread < 32 ? 0 : words[thread - 32]; });
}

// Where another thread's copy has been waited for, but only after the barrier,
// what is left is a race with that thread.
TEST_F(HazardCopyTest, readByAMatrixLoad) {
  expectHazard({Kind::ReadBeforeWait, Kind::RaceShared},
               "mad.wide.u32 %rd8, %r0, 16, %rd0;\n"
               "mad.lo.u32 %r10, %r0, 16, %r7;\n"
               "cp.async.cg.shared.global [%r10], [%rd8], 16; // HERE\n"
               "cp.async.commit_group;\n"
               "// FIX: cp.async.wait_group 0;\n"
               "bar.sync 0;\n"
               "and.b32 %r11, %r0, 7; mad.lo.u32 %r11, %r11, 16, %r7;\n"
               "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r9}, [%r11]; "
               "// HERE\n"
               "cp.async.wait_all;\n",
               [this](uint32_t thread) { return words[thread % 32]; });
}

TEST_F(HazardCopyTest, overwrittenInFlight) {
  // By the thread that issued it, and by another one.
  expectHazard({Kind::OverwriteInFlight},
               copy + "// FIX: cp.async.wait_all;\n"
                      "st.shared.u32 [%r2], 12; // HERE\n"
                      "cp.async.wait_all;\n"
                      "ld.shared.u32 %r9, [%r2];\n",
               [](uint32_t) { return 12; });
  expectHazard({Kind::OverwriteInFlight, Kind::RaceShared},
               copy + "// FIX: cp.async.wait_all;\n"
                      "bar.sync 0;\n"
                      "st.shared.u32 [%r5], 12; // HERE\n"
                      "cp.async.wait_all;\n"
                      "bar.sync 0;\n"
                      "ld.shared.u32 %r9, [%r2];\n",
               [](uint32_t) { return 12; });
  // By another copy: nothing says which comes last.
  expectHazard({Kind::OverwriteInFlight},
               copy +
                   "cp.async.commit_group;\n"
                   "// FIX: cp.async.wait_group 0;\n"
                   "cp.async.ca.shared.global [%r2], [%rd8+256], 4; // HERE\n"
                   "cp.async.wait_all;\n"
                   "ld.shared.u32 %r9, [%r2];\n",
               [this](uint32_t thread) { return words[thread + 64]; });
}

TEST_F(HazardCopyTest, sourceOverwrittenInFlight) {
  expectHazard({Kind::OverwriteInFlight},
               "mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
               "cp.async.ca.shared.global [%r2], [%rd8], 4; // HERE\n"
               "// FIX: cp.async.wait_all;\n"
               "st.global.u32 [%rd8], 12; // HERE\n"
               "cp.async.wait_all;\n"
               "ld.shared.u32 %r9, [%r2];\n",
               [](uint32_t) { return 0; });
}

// The tile is still read by others when the next copy may write it.
TEST_F(HazardCopyTest, bufferReusedTooEarly) {
  expectHazard(
      {Kind::RaceShared, Kind::OverwriteInFlight, Kind::ReadBeforeWait},
      "mov.u32 %r10, 0;\n"
      "mad.wide.u32 %rd8, %r0, 4, %rd0;\n"
      "NEXT: cp.async.ca.shared.global [%r2], [%rd8], 4; // HERE\n"
      "cp.async.wait_all;\n"
      "bar.sync 0;\n"
      "ld.shared.u32 %r11, [%r5]; // HERE\n"
      "add.u32 %r9, %r9, %r11;\n"
      "// FIX: bar.sync 0;\n"
      "add.u64 %rd8, %rd8, 256;\n"
      "add.u32 %r10, %r10, 1;\n"
      "setp.lt.u32 %p0, %r10, 4;\n"
      "@%p0 bra NEXT;\n",
      [this](uint32_t thread) {
        uint32_t sum = 0;
        for (uint32_t round = 0; round < 4; ++round)
          sum += words[64 * round + (thread ^ 32)];
        return sum;
      });
}

TEST_F(HazardCopyTest, mbarriersOfCopies) {
  // Every thread's arrival comes when its copies are done.
  const std::string begin = "@%p7 mbarrier.inval.shared.b64 [bar];\n"
                            "@%p7 mbarrier.init.shared.b64 [bar], 64;\n"
                            "bar.sync 0;\n";
  const std::string wait =
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
      "@!%p0 bra WAIT;\n";
  const std::string read = "ld.shared.u32 %r9, [%r5]; // HERE\n" + waitForAll;
  expectHazard({Kind::ReadBeforeWait, Kind::RaceShared},
               begin + copy +
                   "cp.async.mbarrier.arrive.noinc.shared.b64 [bar];\n"
                   "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 "
                   "%p0, [bar], 0;\n"
                   "// FIX: @!%p0 bra WAIT;\n" +
                   read,
               opposite());
  // An ordinary arrival says nothing about copies.
  expectHazard(
      {Kind::ReadBeforeWait, Kind::RaceShared},
      begin + copy +
          "mbarrier.arrive.shared.b64 _, [bar]; // BUG\n"
          "// FIX: cp.async.mbarrier.arrive.noinc.shared.b64 [bar];\n" +
          wait + read,
      opposite());
}

TEST_F(HazardCopyTest, severalStages) {
  // Two copies ahead of the one that is read, in a ring of four.
  auto program = [](const std::string &pending) {
    return "mad.wide.u32 %rd8, %r0, 4, %rd0;\n"
           "cp.async.ca.shared.global [%r2], [%rd8], 4; // HERE\n"
           "cp.async.commit_group;\n"
           "cp.async.ca.shared.global [%r2+1024], [%rd8+256], 4; // HERE\n"
           "cp.async.commit_group;\n"
           "mov.u32 %r10, 0;\n"
           "NEXT: add.u32 %r11, %r10, 2;\n"
           "mad.wide.u32 %rd9, %r11, 256, %rd8;\n"
           "and.b32 %r11, %r11, 3;\n"
           "mad.lo.u32 %r11, %r11, 1024, %r2;\n"
           "setp.lt.u32 %p0, %r10, 8;\n"
           "@%p0 cp.async.ca.shared.global [%r11], [%rd9], 4; // HERE\n"
           "cp.async.commit_group;\n"
           "cp.async.wait_group " +
           pending +
           ";\n"
           "bar.sync 0;\n"
           "and.b32 %r12, %r10, 3;\n"
           "mad.lo.u32 %r12, %r12, 1024, %r5;\n"
           "ld.shared.u32 %r13, [%r12]; // HERE\n"
           "mad.lo.u32 %r9, %r9, 3, %r13;\n"
           "add.u32 %r10, %r10, 1;\n"
           "setp.lt.u32 %p0, %r10, 10;\n"
           "@%p0 bra NEXT;\n";
  };
  expectReported({Kind::ReadBeforeWait, Kind::RaceShared}, program("3"));
  expectSilent(program("2"), [this](uint32_t thread) {
    uint32_t sum = 0;
    for (uint32_t round = 0; round < 10; ++round)
      sum = 3 * sum + words[64 * round + (thread ^ 32)];
    return sum;
  });
}

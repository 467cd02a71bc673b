// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hazards of bulk and tensor copies, which are of the async proxy.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class HazardBulkTest : public HazardTest {
protected:
  /// Thread 0 loads the first 1024 bytes, at a mark.
  const std::string load =
      "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
      "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[tile], [%rd0], 1024, [bar]; // HERE 0-0\n";
  const std::string wait =
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
      "@!%p0 bra WAIT;\n";
  /// Thread 0 stores the tile's first 256 bytes, at a mark.
  const std::string store =
      "@%p7 cp.async.bulk.global.shared::cta.bulk_group [%rd4], [tile], 256; "
      "// HERE 0-0\n"
      "@%p7 cp.async.bulk.commit_group;\n";
  const std::string tensorStore =
      "mov.u32 %r20, 0;\n"
      "@%p7 cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd6, "
      "{%r20, %r20}], [tile]; // HERE 0-0\n"
      "@%p7 cp.async.bulk.commit_group;\n";
  const std::string waitForStore = "@%p7 cp.async.bulk.wait_group 0;\n";
  /// Each thread reads back a word of those that were stored.
  const std::string readBack = "bar.sync 0;\n"
                               "mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
                               "ld.global.u32 %r9, [%rd8];\n";

  Expected own() {
    return [this](uint32_t thread) { return words[thread]; };
  }
  Expected opposite() {
    return [this](uint32_t thread) { return words[thread ^ 32]; };
  }
};

uint32_t plus100(uint32_t thread) { return thread + 100; }

const std::string write100 = "add.u32 %r10, %r0, 100;\n"
                             "st.shared.u32 [%r2], %r10; // HERE\n";

} // namespace

// What threads write the async proxy sees behind a fence of that thread, or of
// the one that issues the copy once it knows of the writes.
TEST_F(HazardBulkTest, storeWithoutProxyFence) {
  for (const std::string &copy : {store, tensorStore}) {
    expectHazard({Kind::RaceProxy},
                 write100 + "// FIX: fence.proxy.async;\nbar.sync 0;\n" + copy +
                     waitForStore + readBack,
                 plus100);
    expectHazard({Kind::RaceProxy},
                 write100 +
                     "bar.sync 0;\n// FIX: fence.proxy.async.shared::cta;\n" +
                     copy + waitForStore + readBack,
                 plus100);
    // A fence of one thread in front of the barrier is for its own writes.
    expectHazard({Kind::RaceProxy},
                 write100 +
                     "@%p7 fence.proxy.async; // BUG\n"
                     "// FIX: fence.proxy.async;\n"
                     "bar.sync 0;\n" +
                     copy + waitForStore + readBack,
                 plus100);
    // Another fence is none.
    expectHazard({Kind::RaceProxy},
                 write100 +
                     "fence.acq_rel.gpu; membar.gl;\n"
                     "// FIX: fence.proxy.async;\n"
                     "bar.sync 0;\n" +
                     copy + waitForStore + readBack,
                 plus100);
    // Nor does one help that comes before the write.
    expectHazard({Kind::RaceProxy},
                 "fence.proxy.async; // BUG\n" + write100 +
                     "// FIX: fence.proxy.async;\nbar.sync 0;\n" + copy +
                     waitForStore + readBack,
                 plus100);
  }
}

TEST_F(HazardBulkTest, storeWithoutOrder) {
  expectHazard({Kind::RaceProxy, Kind::OverwriteInFlight},
               write100 + "fence.proxy.async;\n// FIX: bar.sync 0;\n" + store +
                   waitForStore + readBack,
               plus100);
}

TEST_F(HazardBulkTest, reductionWithoutProxyFence) {
  expectHazard({Kind::RaceProxy},
               write100 +
                   "// FIX: fence.proxy.async.shared::cta;\n"
                   "bar.sync 0;\n"
                   "@%p7 cp.reduce.async.bulk.global.shared::cta.bulk_group."
                   "add.u32 [%rd4], [tile], 256; // HERE 0-0\n"
                   "@%p7 cp.async.bulk.commit_group;\n" +
                   waitForStore + readBack,
               plus100);
}

// A fence of one state space does not help another one.
TEST_F(HazardBulkTest, loadOfWhatThreadsWroteToGlobalMemory) {
  expectHazard({Kind::RaceProxy},
               "mad.wide.u32 %rd8, %r0, 16, %rd4;\n"
               "add.u32 %r10, %r0, 100;\n"
               "st.global.u32 [%rd8], %r10; // HERE\n"
               "fence.proxy.async.shared::cta; // BUG\n"
               "// FIX: fence.proxy.async.global;\n"
               "bar.sync 0;\n"
               "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
               "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::"
               "complete_tx::bytes [tile], [%rd4], 1024, [bar]; // HERE 0-0\n" +
                   wait +
                   "mad.lo.u32 %r11, %r0, 16, %r7;\n"
                   "ld.shared.u32 %r9, [%r11];\n",
               plus100);
}

TEST_F(HazardBulkTest, loadOverWhatThreadsWrote) {
  expectHazard({Kind::RaceProxy},
               write100 + "// FIX: fence.proxy.async;\nbar.sync 0;\n" + load +
                   wait + "ld.shared.u32 %r9, [%r2];\n",
               own());
}

// Reads in front of a load need an order, but no fence.
TEST_F(HazardBulkTest, loadOverWhatThreadsRead) {
  // Whoever is first: the load overwrites what is read, or is read too early.
  expectHazard({Kind::RaceProxy, Kind::ReadBeforeWait},
               "ld.shared.u32 %r10, [%r2]; // HERE\n"
               "// FIX: bar.sync 0;\n" +
                   load + wait +
                   "ld.shared.u32 %r9, [%r2];\n"
                   "add.u32 %r9, %r9, %r10;\n",
               [this](uint32_t thread) { return words[thread] + thread; });
}

TEST_F(HazardBulkTest, readBeforeTheWait) {
  // All know that the load has begun.
  const std::string begun = load + "bar.sync 0;\n";
  const std::string read = "ld.shared.u32 %r9, [%r5]; // HERE\n";
  // One warp does not wait.
  expectHazard({Kind::ReadBeforeWait},
               begun +
                   "@!%p6 bra READ; // BUG\n"
                   "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
                   "0;\n"
                   "@!%p0 bra WAIT;\n"
                   "READ: ld.shared.u32 %r9, [%r5]; // HERE 32-63\n"
                   // Nobody leaves before the copy is there.
                   "bar.sync 0;\n",
               opposite());
  // One thread waits for all, which meet it or not.
  expectHazard({Kind::ReadBeforeWait},
               begun + "@!%p7 bra READ;\n" + wait +
                   "READ: \n"
                   "// FIX: bar.sync 0;\n" +
                   read + "bar.sync 0;\n",
               opposite());
  // The other parity is that of the phase before, which counts as complete,
  // or once the load has ended of the next one, which never is.
  expectHazard({Kind::ReadBeforeWait, Kind::Deadlock},
               begun +
                   "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
                   "1; // BUG // MAY\n"
                   "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 "
                   "%p0, [bar], 0;\n"
                   "@!%p0 bra WAIT;\n" +
                   read +
                   "bar.sync 0;\n"
                   "END: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
                   "0;\n"
                   "@!%p0 bra END;\n",
               opposite());
  // A poll whose answer nobody looks at is an order where it is yes, which late
  // loads leave at no.
  std::vector<uint32_t> results;
  EXPECT_THAT(
      launch(kernel(begun +
                        "mbarrier.test_wait.parity.shared::cta.b64 %p0, [bar], "
                        "0;\n" +
                        read +
                        "END: mbarrier.try_wait.parity.shared::cta.b64 %p0, "
                        "[bar], 0;\n"
                        "@!%p0 bra END;\n",
                    {}, Prelude::Filled),
             {}, late(), results),
      testing::HasSubstr("hazard: read-before-wait: "));
}

TEST_F(HazardBulkTest, relaxedWait) {
  expectHazard({Kind::ReadBeforeWait, Kind::RaceProxy},
               load +
                   "WAIT: mbarrier.try_wait.parity.relaxed.cta.shared::cta.b64 "
                   "%p0, [bar], 0; // BUG\n"
                   "// FIX: WAIT: mbarrier.try_wait.parity.acquire.cta.shared"
                   "::cta.b64 %p0, [bar], 0;\n"
                   "@!%p0 bra WAIT;\n"
                   "ld.shared.u32 %r9, [%r5]; // HERE\n"
                   "END: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
                   "0;\n"
                   "@!%p0 bra END;\n",
               opposite());
}

TEST_F(HazardBulkTest, tensorLoad) {
  const std::string tensor =
      "mov.u32 %r20, 0; mov.u32 %r21, 8;\n"
      "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
      "@%p7 cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::"
      "complete_tx::bytes [tile], [%rd5, {%r20, %r21}], [bar]; // HERE 0-0\n";
  expectHazard({Kind::ReadBeforeWait},
               tensor +
                   "bar.sync 0;\n"
                   "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 "
                   "%p0, [bar], 0;\n"
                   "// FIX: @!%p0 bra WAIT;\n"
                   "ld.shared.u32 %r9, [%r2]; // HERE\n"
                   "END: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
                   "0;\n"
                   "@!%p0 bra END;\n",
               [this](uint32_t thread) { return words[256 + thread]; });
  // And the fence of tensor loads over what threads wrote.
  expectHazard({Kind::RaceProxy},
               write100 + "// FIX: fence.proxy.async;\nbar.sync 0;\n" + tensor +
                   wait + "ld.shared.u32 %r9, [%r2];\n",
               [this](uint32_t thread) { return words[256 + thread]; });
}

// Rows of 16 bytes lie 128 bytes apart, the one of row r in chunk r. What is
// between them is not the copy's.
TEST_F(HazardBulkTest, paddedTensorLoad) {
  boxWords = 4;
  swizzleBytes = 128;
  expectHazard(
      {Kind::OverwriteInFlight},
      "mov.u32 %r20, 0; mov.u32 %r21, 8;\n"
      "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 128;\n"
      "@%p7 cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::"
      "complete_tx::bytes [tile], [%rd5, {%r20, %r21}], [bar]; // HERE 0-0\n"
      "bar.sync 0;\n"
      "mad.lo.u32 %r10, %r0, 16, %r7;\n"
      "shr.u32 %r11, %r0, 3; and.b32 %r12, %r0, 7;\n"
      "setp.eq.u32 %p1, %r11, %r12; // BUG\n"
      "// FIX: setp.ne.u32 %p1, %r11, %r12;\n"
      "@%p1 st.shared.u32 [%r10], %r0; // HERE\n" +
          wait + "ld.shared.u32 %r9, [%r10];\n",
      [this](uint32_t thread) {
        uint32_t row = thread / 8;
        return row == thread % 8 ? words[32 * (8 + row)] : thread;
      });
}

// A copy reads what another copy has not been waited for.
TEST_F(HazardBulkTest, storeOfWhatIsStillLoaded) {
  expectHazard({Kind::ReadBeforeWait, Kind::OverwriteInFlight},
               load +
                   "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 "
                   "%p0, [bar], 0;\n"
                   "// FIX: @!%p0 bra WAIT;\n" +
                   store + waitForStore +
                   "END: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], "
                   "0;\n"
                   "@!%p0 bra END;\n" +
                   readBack,
               own());
}

TEST_F(HazardBulkTest, twoLoadsOfOnePlace) {
  expectHazard(
      {Kind::OverwriteInFlight},
      "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 2048;\n"
      "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[tile], [%rd0], 1024, [bar]; // HERE 0-0\n"
      "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[tile+512], [%rd0+1024], 1024, [bar]; // BUG // HERE 0-0\n"
      "// FIX: @%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx"
      "::bytes [tile+1024], [%rd0+1024], 1024, [bar];\n" +
          wait + "ld.shared.u32 %r9, [%r2];\n",
      own());
}

// A store's source has to stay until it has been read.
TEST_F(HazardBulkTest, sourceOverwrittenInFlight) {
  const std::string overwrite = "bar.sync 0;\n"
                                "st.shared.u32 [%r2], 1; // HERE\n" +
                                waitForStore + readBack;
  for (const std::string &copy : {store, tensorStore}) {
    auto overwrites = [&](const std::string &statements) {
      expectHazard({Kind::OverwriteInFlight}, statements,
                   [](uint32_t thread) { return thread; });
    };
    overwrites(copy + "// FIX: @%p7 cp.async.bulk.wait_group.read 0;\n" +
               overwrite);
    // A group may still be in flight: it is the one.
    overwrites(copy +
               "@%p7 cp.async.bulk.wait_group.read 1; // BUG\n"
               "// FIX: @%p7 cp.async.bulk.wait_group.read 0;\n" +
               overwrite);
    // Groups belong to threads: another one waits for its own.
    overwrites(copy +
               "setp.eq.u32 %p1, %r0, 32;\n"
               "@%p1 cp.async.bulk.wait_group.read 0; // BUG\n"
               "// FIX: @%p7 cp.async.bulk.wait_group.read 0;\n" +
               overwrite);
    // The wait comes too late for the others.
    overwrites(copy +
               "bar.sync 0;\n"
               "@%p7 cp.async.bulk.wait_group.read 0;\n"
               "// FIX: bar.sync 0;\n"
               "st.shared.u32 [%r2], 1; // HERE\n" +
               waitForStore + readBack);
  }
  // A load overwrites it.
  expectHazard({Kind::OverwriteInFlight},
               store + "// FIX: @%p7 cp.async.bulk.wait_group.read 0;\n" +
                   load + wait + waitForStore + "ld.shared.u32 %r9, [%r2];\n",
               own());
}

TEST_F(HazardBulkTest, storeWithoutCommit) {
  expectHazard({Kind::OverwriteInFlight},
               "@%p7 cp.async.bulk.global.shared::cta.bulk_group [%rd4], "
               "[tile], 256; // HERE 0-0\n"
               "// FIX: @%p7 cp.async.bulk.commit_group;\n"
               "@%p7 cp.async.bulk.wait_group.read 0;\n"
               "bar.sync 0;\n"
               "st.shared.u32 [%r2], 1; // HERE\n"
               "@%p7 cp.async.bulk.commit_group;\n" +
                   waitForStore + readBack,
               [](uint32_t thread) { return thread; });
}

// What a store has written is seen behind a wait for all of it.
TEST_F(HazardBulkTest, resultReadBeforeTheWait) {
  expectHazard({Kind::ReadBeforeWait},
               store +
                   "@%p7 cp.async.bulk.wait_group.read 0; // BUG\n"
                   "// FIX: @%p7 cp.async.bulk.wait_group 0;\n"
                   "bar.sync 0;\n"
                   "mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
                   "ld.global.u32 %r9, [%rd8]; // HERE\n" +
                   waitForStore,
               [](uint32_t thread) { return thread; });
}

TEST_F(HazardBulkTest, resultOverwrittenInFlight) {
  expectHazard({Kind::OverwriteInFlight},
               store +
                   "// FIX: @%p7 cp.async.bulk.wait_group 0;\n"
                   "bar.sync 0;\n"
                   "mad.wide.u32 %rd8, %r0, 4, %rd4;\n"
                   "st.global.u32 [%rd8], 8; // HERE\n" +
                   waitForStore + readBack,
               [](uint32_t) { return 8; });
}

// The CTA's shared memory is gone when it ends.
TEST_F(HazardBulkTest, endOfTheCta) {
  for (const std::string &copy : {store, tensorStore}) {
    expectHazard({Kind::OverwriteInFlight},
                 copy + "// FIX: @%p7 cp.async.bulk.wait_group.read 0;\n"
                        "exit; // MAY\n",
                 [](uint32_t) { return 0; });
  }
  // A load that nobody waits for may write what is another CTA's by then.
  expectHazard({Kind::OverwriteInFlight},
               load + "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 "
                      "%p0, [bar], 0;\n"
                      "// FIX: @!%p0 bra WAIT;\n"
                      "exit; // MAY\n",
               [](uint32_t) { return 0; });
}

// Of a ring of two stages the producer reuses one without asking.
TEST_F(HazardBulkTest, stageReusedTooEarly) {
  auto expected = [this](uint32_t thread) {
    uint32_t sum = 0;
    for (uint32_t tile = 0; thread >= 32 && tile < 6; ++tile)
      sum = 5 * sum + words[tile * 128 + thread - 32];
    return sum;
  };
  // Two "full" and two "empty" are in the tile. Warp 1 consumes.
  const std::string program =
      "@%p7 mbarrier.init.shared.b64 [tile+2048], 1;\n"
      "@%p7 mbarrier.init.shared.b64 [tile+2056], 1;\n"
      "@%p7 mbarrier.init.shared.b64 [tile+2064], 1;\n"
      "@%p7 mbarrier.init.shared.b64 [tile+2072], 1;\n"
      "fence.mbarrier_init.release.cluster;\n"
      "bar.sync 0;\n"
      "mov.u32 %r10, 0;\n"
      "NEXT: and.b32 %r11, %r10, 1;\n"
      "shr.u32 %r12, %r10, 1; and.b32 %r12, %r12, 1;\n"
      "mad.lo.u32 %r13, %r11, 8, %r7; add.u32 %r14, %r13, 2064;\n"
      "add.u32 %r13, %r13, 2048;\n"
      "mad.lo.u32 %r15, %r11, 512, %r7;\n"
      "@%p6 bra PRODUCE;\n"
      "FULL: mbarrier.try_wait.parity.shared::cta.b64 %p0, [%r13], %r12; // "
      "MAY\n"
      "@!%p0 bra FULL;\n"
      "mad.lo.u32 %r16, %r3, 4, %r15;\n"
      "ld.shared.u32 %r17, [%r16]; // MAY\n"
      "mad.lo.u32 %r9, %r9, 5, %r17;\n"
      "bar.warp.sync 0xFFFFFFFF;\n"
      "@%p5 mbarrier.arrive.shared.b64 _, [%r14];\n"
      "bra STEP;\n"
      "PRODUCE: @!%p7 bra STEP;\n"
      "xor.b32 %r18, %r12, 1;\n"
      "EMPTY: mbarrier.try_wait.parity.shared::cta.b64 %p0, [%r14], %r18;\n"
      "// FIX: @!%p0 bra EMPTY;\n"
      "mbarrier.arrive.expect_tx.shared.b64 _, [%r13], 512; // MAY\n"
      "mad.wide.u32 %rd8, %r10, 512, %rd0;\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%r15], [%rd8], 512, [%r13]; // MAY\n"
      "STEP: add.u32 %r10, %r10, 1;\n"
      "setp.lt.u32 %p0, %r10, 6;\n"
      "@%p0 bra NEXT;\n";
  expectSilent(corrected(program), expected);
  // Depending on who is first, phases get mixed up as well.
  expectReported({Kind::RaceProxy, Kind::OverwriteInFlight, Kind::Mbarrier,
                  Kind::ReadBeforeWait, Kind::Deadlock},
                 program);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Misuse of mbarriers: counts, bytes, initialisation; and what they order.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class HazardMbarrierTest : public HazardTest {
protected:
  const std::string wait =
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0; // MAY\n"
      "@!%p0 bra WAIT;\n";
  const std::string read = "ld.shared.u32 %r9, [%r5]; // MAY\n";

  Expected opposite() {
    return [this](uint32_t thread) { return words[thread ^ 32]; };
  }

  /// Thread 0 loads 1024 bytes and announces \p bytes.
  static std::string load(const std::string &bytes) {
    return "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], " + bytes +
           "; // MAY\n"
           "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
           "bytes [tile], [%rd0], 512, [bar]; // MAY\n"
           "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
           "bytes [tile+512], [%rd0+512], 512, [bar]; // MAY\n";
  }
};

} // namespace

TEST_F(HazardMbarrierTest, transactionBytes) {
  expectSilent(load("1024") + wait + read, opposite());
  // The phase ends before all is there, or is never over.
  std::vector<Kind> kinds = {Kind::Mbarrier, Kind::ReadBeforeWait,
                             Kind::Deadlock, Kind::OverwriteInFlight};
  for (const char *bytes : {"512", "1008", "16"})
    expectReported(kinds, load(bytes) + wait + read);
  for (const char *bytes : {"1040", "2048"})
    expectReported({Kind::Mbarrier, Kind::Deadlock}, load(bytes) + wait + read);
  // Nothing is announced: the arrival alone ends the phase.
  expectHazard(kinds,
               "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx"
               "::bytes [tile], [%rd0], 1024, [bar]; // MAY\n"
               "@%p7 mbarrier.arrive.shared.b64 _, [bar]; // BUG\n"
               "// FIX: @%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], "
               "1024;\n" +
                   wait + read,
               opposite());
}

TEST_F(HazardMbarrierTest, arrivals) {
  const std::string init = "@%p7 mbarrier.inval.shared.b64 [bar];\n"
                           "@%p7 mbarrier.init.shared.b64 [bar], ";
  // Both warps write, one lane of each arrives.
  const std::string use = "bar.sync 0;\n"
                          "add.u32 %r10, %r0, 9;\n"
                          "st.shared.u32 [%r2], %r10; // MAY\n"
                          "bar.warp.sync 0xFFFFFFFF;\n"
                          "@%p5 mbarrier.arrive.shared.b64 _, [bar]; // MAY\n" +
                          wait + read;
  auto plus9 = [](uint32_t thread) { return (thread ^ 32) + 9; };
  expectSilent(init + "2;\n" + use, plus9);
  expectReported({Kind::Mbarrier, Kind::Deadlock}, init + "3;\n" + use);
  expectReported({Kind::Mbarrier, Kind::RaceShared, Kind::Deadlock},
                 init + "1;\n" + use);
  // More arrivals than are left in the phase.
  expectHazard({Kind::Mbarrier},
               init +
                   "2;\nbar.sync 0;\n"
                   "@%p7 mbarrier.arrive.shared.b64 _, [bar], 3; // BUG // "
                   "HERE 0-0\n"
                   "// FIX: @%p7 mbarrier.arrive.shared.b64 _, [bar], 2;\n" +
                   wait,
               [](uint32_t) { return 0; });
}

TEST_F(HazardMbarrierTest, lanesMeetBeforeOneArrives) {
  expectHazard({Kind::RaceShared},
               "@%p6 bra WRITE;\n"
               "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
               "@!%p0 bra WAIT;\n"
               "ld.shared.u32 %r9, [%r5]; // HERE 32-63\n"
               "bra END;\n"
               "WRITE: add.u32 %r10, %r0, 9;\n"
               "st.shared.u32 [%r2], %r10; // HERE 1-31\n"
               "// FIX: bar.warp.sync 0xFFFFFFFF;\n"
               "@%p7 mbarrier.arrive.shared.b64 _, [bar];\n"
               "END:\n",
               [](uint32_t thread) { return thread < 32 ? 0 : thread - 23; });
}

TEST_F(HazardMbarrierTest, semantics) {
  auto program = [](const std::string &arrive, const std::string &wait) {
    return "@%p6 bra WRITE;\n"
           "WAIT: mbarrier.try_wait.parity" +
           wait +
           ".shared::cta.b64 %p0, [bar], 0;\n"
           "@!%p0 bra WAIT;\n"
           "ld.shared.u32 %r9, [tile+8]; // HERE 32-63\n"
           "bra END;\n"
           "WRITE: @%p7 st.shared.u32 [tile+8], 66; // HERE 0-0\n"
           "@%p7 mbarrier.arrive" +
           arrive +
           ".shared::cta.b64 _, [bar];\n"
           "END:\n";
  };
  auto result = [](uint32_t thread) { return thread < 32 ? 0 : 66; };
  expectSilent(program("", ""), result);
  expectSilent(program(".release.cta", ".acquire.cta"), result);
  expectSilent(program(".release.cluster", ".acquire.cluster"), result);
  expectReported({Kind::RaceShared}, program(".relaxed.cta", ".acquire.cta"));
  expectReported({Kind::RaceShared}, program(".release.cta", ".relaxed.cta"));
}

// A wait for the phase before says nothing about this one, or is for the next
// one.
TEST_F(HazardMbarrierTest, wrongPhase) {
  expectHazard({Kind::RaceShared, Kind::Deadlock},
               "@%p6 bra WRITE;\n"
               "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 1; "
               "// BUG // MAY\n"
               "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, "
               "[bar], 0;\n"
               "@!%p0 bra WAIT;\n"
               "ld.shared.u32 %r9, [tile+8]; // HERE 32-63\n"
               "bra END;\n"
               "WRITE: @%p7 st.shared.u32 [tile+8], 66; // HERE 0-0\n"
               "bar.warp.sync 0xFFFFFFFF;\n"
               "@%p7 mbarrier.arrive.shared.b64 _, [bar];\n"
               "END:\n",
               [](uint32_t thread) { return thread < 32 ? 0 : 66; });
}

TEST_F(HazardMbarrierTest, initialisation) {
  // Used by who does not know of it.
  expectHazard(
      {Kind::Mbarrier, Kind::RaceShared, Kind::Uninitialised},
      "@%p7 mbarrier.init.shared.b64 [bar], 2; // HERE 0-0\n"
      "// FIX: bar.sync 0;\n"
      "@%p5 mbarrier.arrive.shared.b64 _, [bar]; // MAY\n"
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0; "
      "// MAY\n"
      "@!%p0 bra WAIT;\n",
      [](uint32_t) { return 0; }, {}, Prelude::Bare);
  // Again, without an end of the first.
  expectHazard({Kind::Mbarrier},
               "// FIX: @%p7 mbarrier.inval.shared.b64 [bar];\n"
               "@%p7 mbarrier.init.shared.b64 [bar], 2; // HERE 0-0\n",
               [](uint32_t) { return 0; });
  // Again, while others may still wait.
  expectHazard({Kind::Mbarrier, Kind::RaceShared, Kind::Deadlock},
               "@%p7 mbarrier.arrive.shared.b64 _, [bar];\n"
               "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0; "
               "// MAY\n"
               "@!%p0 bra WAIT;\n"
               "// FIX: bar.sync 0;\n"
               "@%p7 mbarrier.inval.shared.b64 [bar]; // HERE 0-0\n"
               "@%p7 mbarrier.init.shared.b64 [bar], 64; // MAY\n",
               [](uint32_t) { return 0; });
  // Its bytes are overwritten.
  expectHazard({Kind::Mbarrier},
               "// FIX: @%p7 mbarrier.inval.shared.b64 [bar];\n"
               "@%p7 st.shared.u32 [bar], 5; // MAY\n"
               "@%p7 mbarrier.arrive.shared.b64 _, [bar]; // BUG // MAY\n",
               [](uint32_t) { return 0; });
}

// Copies are of another proxy than the initialisation.
TEST_F(HazardMbarrierTest, copyToAnUnfencedMbarrier) {
  auto program = [&](const std::string &fence) {
    return "@%p7 mbarrier.init.shared.b64 [bar], 1; // HERE 0-0\n" + fence +
           "bar.sync 0;\n"
           "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
           "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
           "bytes [tile], [%rd0], 1024, [bar]; // HERE 0-0\n"
           "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
           "@!%p0 bra WAIT;\n"
           "ld.shared.u32 %r9, [%r5];\n";
  };
  expectHazard({Kind::RaceProxy, Kind::Mbarrier},
               program("// FIX: fence.mbarrier_init.release.cluster;\n"),
               opposite(), {}, Prelude::Bare);
  expectSilent(program("fence.proxy.async;\n"), opposite(), {}, Prelude::Bare);
}

// The mbarrier of another CTA of the cluster.
TEST_F(HazardMbarrierTest, initialisationInACluster) {
  const Shape cluster = {32, 2, 2};
  expectHazard(
      {Kind::Mbarrier, Kind::RaceShared, Kind::Uninitialised},
      "@%p7 mbarrier.init.shared.b64 [bar], 1; // HERE\n"
      "fence.mbarrier_init.release.cluster;\n"
      "// FIX: barrier.cluster.arrive;\n"
      "// FIX: barrier.cluster.wait;\n"
      "xor.b32 %r10, %r1, 1;\n"
      "mapa.shared::cluster.u32 %r11, bar, %r10;\n"
      "@%p7 mbarrier.arrive.release.cluster.shared::cluster.b64 _, "
      "[%r11]; // MAY\n"
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0; "
      "// MAY\n"
      "@!%p0 bra WAIT;\n",
      [](uint32_t) { return 0; }, cluster, Prelude::Bare);
}

TEST_F(HazardMbarrierTest, asynchronousStores) {
  // Each CTA stores to the other's tile and waits for what comes.
  auto program = [](const std::string &operation) {
    return "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256;\n"
           "xor.b32 %r10, %r1, 1;\n"
           "mapa.shared::cluster.u32 %r11, %r2, %r10;\n"
           "mapa.shared::cluster.u32 %r12, bar, %r10;\n"
           "add.u32 %r13, %r0, 300;\n" +
           operation +
           " [%r11], %r13, [%r12]; // HERE\n"
           "barrier.cluster.arrive;\n"
           "barrier.cluster.wait;\n"
           "// FIX: WAIT: mbarrier.try_wait.parity.acquire.cluster.shared::"
           "cta.b64 %p0, [bar], 0;\n"
           "// FIX: @!%p0 bra WAIT;\n"
           "ld.shared.u32 %r9, [%r2]; // HERE\n"
           "END: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
           "@!%p0 bra END;\n";
  };
  expectHazard({Kind::ReadBeforeWait},
               program("st.async.weak.shared::cluster.mbarrier::complete_tx::"
                       "bytes.u32"),
               [](uint32_t index) { return index % 64 + 300; }, {64, 2, 2});
  expectHazard({Kind::ReadBeforeWait},
               program("red.async.relaxed.cluster.shared::cluster.mbarrier::"
                       "complete_tx::bytes.add.u32"),
               [](uint32_t index) { return 2 * (index % 64) + 300; },
               {64, 2, 2});
}

// What the faults that stop a kernel in any case say.
TEST_F(HazardMbarrierTest, deadlockNamesWhatEachWarpWaitsFor) {
  std::string statements =
      "setp.eq.u32 %p1, %r4, 1;\n"
      "@%p1 bra SECOND;\n"
      "setp.eq.u32 %p1, %r4, 2;\n"
      "@%p1 bra THIRD;\n"
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0; // MAY\n"
      "@!%p0 bra WAIT;\n"
      "SECOND: bar.sync 3, 64; // MAY\n"
      "THIRD: bar.sync 5, 64; // MAY\n";
  const Shape three = {96, 1, 1};
  expectReported({Kind::Deadlock}, statements, three);
  std::vector<uint32_t> results;
  std::string message = launch(kernel(statements, three, Prelude::Filled),
                               three, late(), results);
  EXPECT_THAT(message, HasSubstr("warp 0 waits at mbarrier 0x"));
  EXPECT_THAT(message, HasSubstr("warp 1 waits at barrier 3 in line "));
  EXPECT_THAT(message, HasSubstr("warp 2 waits at barrier 5 in line "));
}

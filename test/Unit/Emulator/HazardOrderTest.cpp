// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the checker's books are easily kept wrong: what is known through
// several hands, accesses that are recorded together, and ends that more than
// one thread learns of.

#include "HazardTest.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;

namespace {

class HazardOrderTest : public HazardTest {
protected:
  static constexpr Shape warp = {32, 1, 1};
  static constexpr Shape twoCtas = {32, 2, 1};
  const std::string wait =
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, [bar], 0;\n"
      "@!%p0 bra WAIT;\n";

  /// Lets the others go on for long, all but those that \p guard selects.
  static std::string spin(const std::string &guard = "") {
    return (guard.empty() ? "" : guard + " bra SPUN;\n") +
           "mov.u32 %r20, 0;\n"
           "SPIN: add.u32 %r20, %r20, 1;\n"
           "setp.lt.u32 %p4, %r20, 90000;\n"
           "@%p4 bra SPIN;\nSPUN:\n";
  }

  /// Warp 0 does \p first, then tells warp 1 by way of the flag, which then
  /// does \p second. Flags are in global memory or at tile+1024.
  static std::string handOver(const std::string &first, const std::string &set,
                              const std::string &test,
                              const std::string &second) {
    return "@%p6 bra FIRST;\n"
           "SPIN: " +
           test + "\nsetp.ne.u32 %p0, %r10, 1;\n@%p0 bra SPIN;\n" + second +
           "bra END;\n"
           "FIRST: @!%p7 bra END;\n" +
           first + set + "\nEND:\n";
  }
};

uint32_t zero(uint32_t) { return 0; }

} // namespace

// Who has left has arrived at all barriers that are for all threads.
TEST_F(HazardOrderTest, threadsThatHaveLeft) {
  auto result = [](uint32_t thread) { return thread < 32 ? 0 : 6; };
  expectSilent("@%p6 st.shared.u32 [%r2], 6;\n"
               "@%p6 exit;\n"
               "bar.sync 0;\n"
               "ld.shared.u32 %r9, [%r5];\n",
               result);
  // Whole warps arrive at a barrier with a count.
  expectSilent("st.shared.u32 [%r2], 6;\n"
               "setp.lt.u32 %p0, %r3, 16;\n"
               "@%p0 exit;\n"
               "bar.sync 1, 64;\n"
               "sub.u32 %r10, %r5, 64;\n"
               "ld.shared.u32 %r9, [%r10];\n",
               [](uint32_t thread) { return thread % 32 < 16 ? 0 : 6; });
  expectSilent("st.shared.u32 [%r2], 6;\n"
               "setp.lt.u32 %p0, %r3, 16;\n"
               "@%p0 exit;\n"
               "bar.warp.sync 0xFFFFFFFF;\n"
               "sub.u32 %r10, %r2, 64;\n"
               "ld.shared.u32 %r9, [%r10];\n",
               [](uint32_t thread) { return thread % 32 < 16 ? 0 : 6; });
  // Not at one that others have met for.
  expectHazard({Kind::RaceShared},
               "@%p6 st.shared.u32 [%r2], 6; // HERE 0-31\n"
               "// FIX: @%p6 bar.arrive 1, 64;\n"
               "@%p6 exit;\n"
               "bar.sync 1, 32; // BUG\n"
               "// FIX: bar.sync 1, 64;\n"
               "ld.shared.u32 %r9, [%r5]; // HERE 32-63\n",
               result);
}

// Threads of a CTA are in the scope of either side's order.
TEST_F(HazardOrderTest, scopesThatDiffer) {
  for (auto [set, test] : {std::pair("st.release.cta", "ld.acquire.gpu"),
                           {"st.release.gpu", "ld.acquire.cta"}})
    expectSilent(handOver("st.global.u32 [%rd4], 42;\n",
                          std::string(set) + ".global.u32 [%rd4+512], 1;",
                          std::string(test) + ".global.u32 %r10, [%rd4+512];",
                          "ld.global.u32 %r9, [%rd4];\n"),
                 [](uint32_t thread) { return thread < 32 ? 0 : 42; });
}

// A fence of the CTA is enough for an mbarrier of the CTA.
TEST_F(HazardOrderTest, relaxedArrivalBehindANarrowFence) {
  expectHazard({Kind::RaceShared},
               "@%p7 st.shared.u32 [tile], 42; // HERE\n"
               "// FIX: fence.acq_rel.cta;\n"
               "@%p7 mbarrier.arrive.relaxed.cta.shared::cta.b64 _, [bar];\n" +
                   wait + "ld.shared.u32 %r9, [tile]; // HERE\n",
               [](uint32_t) { return 42; });
}

// A flag also tells that a proxy fence has been passed.
TEST_F(HazardOrderTest, proxyFenceBeforeAFlag) {
  const std::string store =
      "setp.eq.u32 %p1, %r0, 32;\n"
      "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd3], [tile], 16; "
      "// HERE\n"
      "@%p1 cp.async.bulk.commit_group;\n"
      "@%p1 cp.async.bulk.wait_group 0;\n";
  for (const char *space : {".shared.u32", ".global.u32"})
    for (auto [set, test] :
         {std::pair("st.release.cta", "ld.acquire.cta"),
          {"fence.acq_rel.cta; st.relaxed.cta", "ld.acquire.cta"}}) {
      std::string place =
          std::string(space) == ".shared.u32" ? "[tile+1024]" : "[%rd4]";
      expectHazard({Kind::RaceProxy},
                   "@%p7 st.shared.u32 [tile+1024], 0;\nbar.sync 0;\n" +
                       handOver("st.shared.u32 [tile], 42; // HERE\n"
                                "// FIX: fence.proxy.async;\n",
                                set + (space + (" " + place)) + ", 1;",
                                test + (space + (" %r10, " + place)) + ";",
                                store),
                   zero);
    }
}

// The same from one CTA to another one.
TEST_F(HazardOrderTest, proxyFenceInAnotherCta) {
  expectHazard(
      {Kind::RaceProxy},
      "setp.eq.u32 %p1, %r1, 0;\n"
      "@!%p7 bra END;\n"
      "@%p1 bra WRITE;\n"
      "SPIN: ld.acquire.gpu.global.u32 %r10, [%rd4+512];\n"
      "setp.eq.u32 %p0, %r10, 0;\n"
      "@%p0 bra SPIN;\n"
      "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 16;\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[tile], [%rd4], 16, [bar]; // HERE 0-0 of 1\n" +
          wait +
          "ld.shared.u32 %r9, [tile];\n"
          "bra END;\n"
          "WRITE: st.global.u32 [%rd4], 42; // HERE 0-0 of 0\n"
          "// FIX: fence.proxy.async;\n"
          "st.release.gpu.global.u32 [%rd4+512], 1;\n"
          "END:\n",
      [](uint32_t index) { return index == 32 ? 42 : 0; }, twoCtas);
}

// Both the thread's own wait and an mbarrier tell of the end of its cp.async.
TEST_F(HazardOrderTest, copyWithTwoWaits) {
  const std::string copy = "mul.wide.u32 %rd8, %r0, 4; add.u64 %rd8, %rd8, "
                           "%rd0;\n"
                           "@%p7 mbarrier.inval.shared.b64 [bar];\n"
                           "@%p7 mbarrier.init.shared.b64 [bar], 32;\n"
                           "bar.sync 0;\n"
                           "@!%p6 bra OTHER;\n"
                           "cp.async.ca.shared.global [%r2], [%rd8], 4;\n"
                           "cp.async.commit_group;\n";
  const std::string arrive =
      "cp.async.mbarrier.arrive.noinc.shared.b64 [bar];\n";
  const std::string waitOwn = "cp.async.wait_group 0;\n";
  const std::string rest = "ld.shared.u32 %r9, [%r2];\nbra END;\nOTHER:\n" +
                           wait + "ld.shared.u32 %r9, [%r5];\nEND:\n";
  auto result = [this](uint32_t thread) { return words[thread % 32]; };
  expectSilent(copy + arrive + waitOwn + rest, result);
  expectSilent(copy + waitOwn + arrive + rest, result);
}

// What a cp.async has read may be overwritten by another CTA that knows of its
// end.
TEST_F(HazardOrderTest, sourceOfACopyInAnotherCta) {
  expectHazard({Kind::OverwriteInFlight},
               "setp.eq.u32 %p1, %r1, 0;\n"
               "setp.eq.u32 %p2, %r0, 13;\n"
               "@!%p2 bra END;\n"
               "@%p1 bra COPY;\n"
               "SPIN: ld.acquire.gpu.global.u32 %r10, [%rd4+512];\n"
               "setp.eq.u32 %p0, %r10, 0;\n"
               "@%p0 bra SPIN;\n"
               "st.global.u32 [%rd4], 7; // HERE\n"
               "bra END;\n"
               "COPY: cp.async.ca.shared.global [tile], [%rd4], 4; // HERE\n"
               "cp.async.mbarrier.arrive.noinc.shared.b64 [bar];\n"
               "// FIX: WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p0, "
               "[bar], 0;\n"
               "// FIX: @!%p0 bra WAIT;\n"
               "st.release.gpu.global.u32 [%rd4+512], 1;\n"
               "END:\n",
               zero, twoCtas);
}

// Lanes may store what they like with strong stores.
TEST_F(HazardOrderTest, strongStoresOfLanes) {
  for (const char *store : {"st.volatile", "st.relaxed.cta"})
    expectSilent(std::string(store) + ".shared.u32 [tile], %r3;\n", zero, warp);
}

// Atomics do not hide each other from who comes after one of them only.
TEST_F(HazardOrderTest, oneOfTwoAtomics) {
  expectHazard({Kind::RaceShared},
               "@%p7 st.shared.u32 [tile], 0;\n"
               "bar.sync 0;\n"
               "setp.eq.u32 %p0, %r4, 2;\n"
               "@%p0 bra LAST;\n" +
                   spin("@%p6") +
                   "red.shared.add.u32 [tile], 1; // HERE 0-31\n"
                   "@%p6 bra END; // BUG\n"
                   "bar.arrive 1, 64; // BUG\n"
                   "// FIX: bar.arrive 1, 96;\n"
                   "bra END;\n"
                   "LAST: bar.sync 1, 64; // BUG\n"
                   "// FIX: LAST: bar.sync 1, 96;\n"
                   "ld.shared.u32 %r9, [tile]; // HERE 64-95\n"
                   "END:\n",
               [](uint32_t thread) { return thread < 64 ? 0 : 64; },
               {96, 1, 1});
}

// Nor do they hide that the word was still being initialised.
TEST_F(HazardOrderTest, weakWriteBeforeAnAtomic) {
  expectHazard({Kind::RaceShared},
               "@%p7 st.shared.u32 [tile], 0; // HERE 0-0\n"
               "@%p7 red.shared.add.u32 [tile], 1;\n"
               "// FIX: bar.sync 0;\n" +
                   spin("@%p6") +
                   "@!%p6 red.shared.add.u32 [tile], 1; // HERE 32-63\n",
               zero);
}

// Nor does a strong read hide a weak one, with which strong writes conflict.
TEST_F(HazardOrderTest, weakReadBeforeAStrongOne) {
  expectHazard(
      {Kind::RaceShared},
      spin("@%p6") +
          "@!%p6 bra WRITE;\n"
          "@%p7 ld.shared.u32 %r9, [tile+4]; // BUG // HERE 0-0\n"
          "// FIX: @%p7 ld.relaxed.cta.shared.u32 %r9, [tile+4];\n"
          "@%p7 ld.relaxed.cta.shared.u32 %r10, [tile+4];\n"
          "WRITE: @!%p6 st.relaxed.cta.shared.u32 [tile+4], 1; // HERE "
          "32-63\n",
      [](uint32_t thread) { return thread == 0 ? 1 : 0; });
}

// All lanes have written that store the same value, and not only the last one.
TEST_F(HazardOrderTest, sameValueOfOtherLanes) {
  expectHazard(
      {Kind::RaceShared},
      "st.shared.u32 [tile], 5; // HERE\n"
      "// FIX: bar.warp.sync 0xFFFFFFFF;\n"
      "setp.eq.u32 %p0, %r3, 31;\n"
      "@%p0 ld.shared.u32 %r9, [tile]; // HERE 31-31\n",
      [](uint32_t thread) { return thread == 31 ? 5 : 0; }, warp);
}

// Reads of one word by several instructions: the one that has no order.
TEST_F(HazardOrderTest, oneOfTwoReads) {
  expectHazard({Kind::RaceShared},
               "setp.eq.u32 %p0, %r3, 1;\n"
               "setp.eq.u32 %p1, %r3, 0;\n"
               "@%p0 ld.shared.u32 %r9, [tile];\n"
               "@%p1 ld.shared.u32 %r9, [tile]; // HERE 0-0\n"
               "// FIX: bar.warp.sync 0xFFFFFFFF;\n"
               "@%p0 st.shared.u32 [tile], 3; // HERE 1-1\n",
               zero, warp);
}

// The memory of an mbarrier before and after it.
TEST_F(HazardOrderTest, memoryOfAnMbarrier) {
  // Still written when it becomes one.
  expectHazard({Kind::RaceShared},
               "setp.eq.u32 %p0, %r0, 32;\n"
               "@%p0 st.shared.u32 [tile], 3; // HERE 32-32\n"
               "// FIX: bar.sync 0;\n"
               "@%p7 mbarrier.init.shared.b64 [tile], 1; // HERE 0-0\n",
               zero);
  // Written by another thread as soon as it is none.
  expectHazard({Kind::RaceShared, Kind::Mbarrier},
               "@%p7 mbarrier.inval.shared.b64 [bar]; // HERE 0-0\n"
               "// FIX: bar.sync 0;\n"
               "setp.eq.u32 %p0, %r0, 32;\n"
               "@%p0 st.shared.u32 [bar], 3; // HERE 32-32\n"
               "@%p0 ld.shared.u32 %r9, [bar];\n",
               [](uint32_t thread) { return thread == 32 ? 3 : 0; });
  // What it leaves is no value.
  expectHazard({Kind::Uninitialised},
               "@%p7 mbarrier.init.shared.b64 [tile], 1;\n"
               "@%p7 mbarrier.inval.shared.b64 [tile];\n"
               "// FIX: @%p7 st.shared.u32 [tile], 3;\n"
               "@%p7 ld.shared.u32 %r9, [tile]; // HERE 0-0\n",
               [](uint32_t thread) { return thread == 0 ? 3 : 0; });
  // Others may not have finished their waits, late as it is.
  expectHazard({Kind::Mbarrier},
               "@%p7 mbarrier.arrive.shared.b64 _, [bar];\n" + wait + spin() +
                   "// FIX: bar.sync 0;\n"
                   "@%p7 mbarrier.inval.shared.b64 [bar]; // HERE 0-0\n",
               zero);
}

// A fence behind the barrier does not help who issues the copy.
TEST_F(HazardOrderTest, lateFenceOfAnMbarrier) {
  expectHazard(
      {Kind::RaceProxy},
      "@%p7 mbarrier.init.shared.b64 [bar], 1; // HERE 0-0\n"
      "// FIX: fence.mbarrier_init.release.cluster;\n"
      "bar.sync 0;\n"
      "@%p6 fence.mbarrier_init.release.cluster;\n"
      "setp.eq.u32 %p1, %r0, 32;\n" +
          spin() +
          "@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 16;\n"
          "@%p1 "
          "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
          "[tile], [%rd0], 16, [bar]; // HERE 32-32\n" +
          wait,
      zero, {}, Prelude::Bare);
}

// A wait is one, whatever its semantics.
TEST_F(HazardOrderTest, relaxedWaitForACopy) {
  expectSilent(
      "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 16;\n"
      "@%p7 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[tile], [%rd0], 16, [bar];\n"
      "WAIT: mbarrier.try_wait.parity.relaxed.cta.shared::cta.b64 %p0, [bar], "
      "0;\n"
      "@!%p0 bra WAIT;\n",
      zero);
}

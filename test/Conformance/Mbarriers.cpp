// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarriers, one form after the other in one thread, and many threads that meet
// (PTX ISA, "mbarrier").

#include "TileKernel.h"

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

/// %rN = whether \p test sets %p1.
std::string take(unsigned result, const std::string &test) {
  return test + "\nselp.u32 %r" + std::to_string(result) + ", 1, 0, %p1;\n";
}

/// What thread 0 leaves in %r8 on is \p want.
void add(Suite &suite, const std::string &form, const std::string &statements,
         Words want, const std::string &arrivals = "1") {
  want.resize(8);
  suite.add(form, "sm_90", "exact", [=](Environment &environment) {
    expectSame("result", resultsOfThread0(environment, statements, arrivals),
               want);
  });
}

const std::string parity0 =
    "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 0;";
const std::string parity1 =
    "mbarrier.test_wait.parity.shared.b64 %p1, [bar], 1;";
const std::string arrive = "mbarrier.arrive.shared.b64 _, [bar];\n";

void addArrivals(Suite &suite) {
  add(suite, "mbarrier.init.shared.b64",
      "mbarrier.inval.shared.b64 [bar];\nmbarrier.init.shared.b64 [bar], 2;\n" +
          arrive + take(8, parity0) + arrive + take(9, parity0) + arrive +
          take(10, parity1) + arrive + take(11, parity1),
      {0, 1, 0, 1});
  // The word may be used as memory again.
  add(suite, "mbarrier.inval.shared.b64",
      "mbarrier.inval.shared.b64 [bar];\nst.shared.u64 [bar], 5;\n"
      "ld.shared.u32 %r8, [bar];\nmbarrier.init.shared.b64 [bar], 1;\n" +
          arrive + take(9, parity0),
      {5, 1});
  add(suite, "mbarrier.arrive.shared.b64",
      take(8, parity0) + take(9, parity1) +
          "mbarrier.arrive.shared.b64 %rd2, [bar];\n" + take(10, parity0) +
          "mbarrier.arrive.shared.b64 %rd3, [bar], 2;\n" + take(11, parity0) +
          take(12, parity1) +
          "mbarrier.pending_count.b64 %r13, %rd2;\n"
          "mbarrier.pending_count.b64 %r14, %rd3;\n",
      {0, 1, 0, 1, 0, 3, 2}, "3");
  add(suite, "mbarrier.arrive.release.cta.shared::cta.b64",
      "mbarrier.arrive.release.cta.shared::cta.b64 %rd2, [bar], 4;\n" +
          take(8, parity0) +
          "mbarrier.arrive.release.cta.shared::cta.b64 _, [bar];\n" +
          take(9, parity0),
      {0, 1}, "5");
  add(suite, "mbarrier.arrive.noComplete.shared.b64",
      "mbarrier.arrive.noComplete.shared.b64 %rd2, [bar], 2;\n"
      "mbarrier.pending_count.b64 %r8, %rd2;\n" +
          take(9, parity0) + arrive + take(10, parity0),
      {3, 0, 1}, "3");
  add(suite, "mbarrier.arrive.expect_tx.shared.b64",
      "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 32;\n" +
          take(8, parity0) +
          "mbarrier.complete_tx.shared::cta.b64 [bar], 20;\n" +
          take(9, parity0) +
          "mbarrier.complete_tx.shared::cta.b64 [bar], 12;\n" +
          take(10, parity0),
      {0, 0, 1});
  add(suite, "mbarrier.arrive_drop.shared.b64",
      "mbarrier.arrive_drop.shared.b64 %rd2, [bar];\n"
      "mbarrier.pending_count.b64 %r8, %rd2;\n" +
          arrive + arrive + take(9, parity0) +
          // From now on two are enough.
          arrive + take(10, parity1) + arrive + take(11, parity1),
      {3, 1, 0, 1}, "3");
  add(suite, "mbarrier.arrive_drop.noComplete.shared.b64",
      "mbarrier.arrive_drop.noComplete.shared.b64 %rd2, [bar], 1;\n"
      "mbarrier.pending_count.b64 %r8, %rd2;\n" +
          arrive + arrive + take(9, parity0) + arrive + take(10, parity1) +
          arrive + take(11, parity1),
      {3, 1, 0, 1}, "3");
  add(suite, "mbarrier.arrive_drop.expect_tx.shared.b64",
      "mbarrier.arrive_drop.expect_tx.shared.b64 _, [bar], 16;\n" + arrive +
          take(8, parity0) +
          "mbarrier.complete_tx.shared::cta.b64 [bar], 16;\n" +
          take(9, parity0) + arrive + take(10, parity1),
      {0, 1, 1}, "2");
  // By generic addresses.
  add(suite, "mbarrier.arrive.b64 generic",
      "mov.u64 %rd5, bar;\ncvta.shared.u64 %rd5, %rd5;\n"
      "mbarrier.inval.b64 [%rd5];\nmbarrier.init.b64 [%rd5], 2;\n"
      "mbarrier.arrive.b64 %rd6, [%rd5];\nmbarrier.arrive_drop.b64 %rd7, "
      "[%rd5];\n" +
          take(8, "mbarrier.test_wait.b64 %p1, [%rd5], %rd7;") +
          "mbarrier.arrive.b64 %rd6, [%rd5];\n" +
          take(9, "mbarrier.test_wait.parity.b64 %p1, [%rd5], 1;"),
      {1, 1});
}

void addTransactions(Suite &suite) {
  // Bytes may be reported before they are announced.
  const std::string completeFirst =
      "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [bar], 24;\n"
      "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 24;\n";
  add(suite, "mbarrier.complete_tx.relaxed.cta.shared::cta.b64",
      completeFirst + take(8, parity0) + arrive + take(9, parity0), {0, 1});
  add(suite, "mbarrier.expect_tx.relaxed.cta.shared::cta.b64",
      "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 1048575;\n" +
          arrive + take(8, parity0) +
          "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [bar], 1048574;\n" +
          take(9, parity0) +
          "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [bar], 1;\n" +
          take(10, parity0),
      {0, 0, 1});
}

void addTests(Suite &suite) {
  struct Wait {
    const char *form;
    bool hasParity;
    const char *more;
  };
  for (Wait wait :
       {Wait{"mbarrier.test_wait.shared.b64", false, ""},
        Wait{"mbarrier.test_wait.acquire.cta.shared::cta.b64", false, ""},
        Wait{"mbarrier.test_wait.parity.shared.b64", true, ""},
        Wait{"mbarrier.test_wait.parity.acquire.cta.shared::cta.b64", true, ""},
        Wait{"mbarrier.try_wait.shared.b64", false, ""},
        Wait{"mbarrier.try_wait.acquire.cluster.shared::cta.b64", false, ""},
        Wait{"mbarrier.try_wait.shared::cta.b64", false, ", 1000"},
        Wait{"mbarrier.try_wait.parity.shared.b64", true, ""},
        Wait{"mbarrier.try_wait.parity.acquire.cta.shared::cta.b64", true,
             ", 20"}}) {
    auto test = [&](const char *phase, const char *state) {
      return std::string(wait.form) + " %p1, [bar], " +
             (wait.hasParity ? phase : state) + wait.more + ";";
    };
    // A thread goes on while its try_wait is suspended, until it needs the
    // result: an arrival that came next would complete the phase that the
    // try_wait is about. So what arrives depends on the result.
    auto arriveAfter = [](const char *result) {
      return std::string("setp.eq.u32 %p2, ") + result +
             ", 0;\n@%p2 mbarrier.arrive.shared.b64 _, [bar];\n";
    };
    add(suite, std::string(wait.form) + (*wait.more ? " with a limit" : ""),
        "mbarrier.arrive.shared.b64 %rd2, [bar];\n" +
            take(8, test("0", "%rd2")) + arriveAfter("%r8") +
            take(9, test("0", "%rd2")) +
            "mbarrier.arrive.shared.b64 %rd3, [bar];\n" +
            take(10, test("1", "%rd3")) + take(11, test("0", "%rd2")) +
            arriveAfter("%r10") + take(12, test("1", "%rd3")),
        {0, 1, 0, 1, 1}, "2");
  }
  add(suite, "mbarrier.pending_count.b64",
      "mbarrier.arrive.shared.b64 %rd2, [bar], 5;\n"
      "mbarrier.arrive.shared.b64 %rd3, [bar], 6;\n"
      "mbarrier.pending_count.b64 %r8, %rd2;\n"
      "mbarrier.pending_count.b64 %r9, %rd3;\n",
      {1000, 995}, "1000");
}

/// Threads, some of them by themselves, see what the others stored before they
/// arrived, in phase after phase.
void addMeetings(Suite &suite) {
  suite.add("mbarrier.arrive.shared.b64 of all threads", "sm_90", "exact",
            [](Environment &environment) {
              Words values = environment.randomBits<uint32_t>(128);
              uint32_t distance = 1 + environment.below(127);
              TileRun run;
              run.threads = 128;
              run.arrivals = "128";
              run.statements =
                  "mad.wide.u32 %rd2, %r0, 4, %rd0;\n"
                  "ld.global.u32 %r1, [%rd2];\nmov.u32 %r2, tile;\n"
                  "mad.lo.u32 %r3, %r0, 4, %r2;\nmov.u32 %r8, 0;\n"
                  "PHASE: st.shared.u32 [%r3], %r1;\n"
                  "and.b32 %r4, %r0, 3;\nsetp.eq.u32 %p0, %r4, 0;\n"
                  "@%p0 bra OTHER;\nmbarrier.arrive.shared.b64 _, [bar];\n"
                  "bra MEET;\n"
                  "OTHER: mbarrier.arrive.shared.b64 _, [bar];\nMEET:\n" +
                  waitFor("bar", "%r9") + "add.u32 %r5, %r0, " +
                  std::to_string(distance) +
                  ";\nand.b32 %r5, %r5, 127;\nmad.lo.u32 %r5, %r5, 4, %r2;\n"
                  "ld.shared.u32 %r1, [%r5];\nbar.sync 0;\n"
                  "xor.b32 %r9, %r9, 1;\nadd.u32 %r8, %r8, 1;\n"
                  "setp.lt.u32 %p1, %r8, 4; @%p1 bra PHASE;\n"
                  "mad.wide.u32 %rd3, %r0, 4, %rd1;\n"
                  "st.global.u32 [%rd3], %r1;\n";
              run.statements = "mov.u32 %r9, 0;\n" + run.statements;
              Words got = globalAfter(environment, run, values);
              got.resize(128);
              Words want(128);
              for (uint32_t thread = 0; thread < 128; ++thread)
                want[thread] = values[(thread + 4 * distance) % 128];
              expectSame("thread", got, want);
            });
}

} // namespace

void addMbarriers(Suite &suite) {
  addArrivals(suite);
  addTransactions(suite);
  addTests(suite);
  addMeetings(suite);
}

} // namespace pbs::conformance

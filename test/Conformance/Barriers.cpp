// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Barriers of the CTA and of warps, and fences (PTX ISA, bar, barrier,
// bar.warp.sync, membar, fence).

#include "TileKernel.h"

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

/// The tile of one CTA of \p threads after the statements is what \p change
/// makes of it.
void add(Suite &suite, const std::string &form, const std::string &statements,
         const std::function<void(Words &)> &change, uint32_t threads = 128,
         const char *target = "sm_90") {
  suite.add(form, target, "exact", [=](Environment &environment) {
    TileRun run;
    run.threads = threads;
    run.statements = statements;
    Words want = filledTile();
    change(want);
    expectSame("word", tileAfter(environment, run, {0}), want);
  });
}

/// %r3 = the address of the thread's word, %r4 that of the thread whose number
/// differs in bit 6, which is in another warp.
const std::string addresses =
    "mov.u32 %r2, tile;\nmad.lo.u32 %r3, %r0, 4, %r2;\n"
    "xor.b32 %r4, %r0, 64; mad.lo.u32 %r4, %r4, 4, %r2;\n"
    "add.u32 %r5, %r0, 7000;\n";

/// Threads store, meet, and read what another warp has stored; three times.
void addMeeting(Suite &suite, const std::string &form,
                const std::string &operands) {
  std::string meet = form + operands + ";\n";
  add(suite, form + operands,
      addresses + "mov.u32 %r8, 0;\nSTEP: st.shared.u32 [%r3], %r5;\n" + meet +
          "ld.shared.u32 %r5, [%r4];\n" + meet +
          "add.u32 %r8, %r8, 1; setp.lt.u32 %p0, %r8, 3; @%p0 bra STEP;\n"
          "st.shared.u32 [%r3], %r5;\n",
      [](Words &tile) {
        for (uint32_t thread = 0; thread < 128; ++thread)
          tile[thread] = 7000 + (thread ^ 64);
      });
}

/// The upper half of the CTA stores and arrives; the lower half waits for it.
void addProducers(Suite &suite, const std::string &arrive,
                  const std::string &wait) {
  const std::string statements =
      addresses +
      "setp.lt.u32 %p0, %r0, 64; @%p0 bra CONSUME;\n"
      "st.shared.u32 [%r3], %r5;\n" +
      arrive + " 3, 128;\nbra BOTH;\nCONSUME: " + wait +
      " 3, 128;\nld.shared.u32 %r6, [%r4];\nst.shared.u32 [%r3], %r6;\n"
      "BOTH: bar.sync 0;\n";
  add(suite, arrive, statements, [](Words &tile) {
    for (uint32_t thread = 0; thread < 64; ++thread)
      tile[thread] = tile[64 + thread] = 7064 + thread;
  });
}

/// Two pairs of warps meet at numbers of their own.
void addNamed(Suite &suite, const std::string &form) {
  add(suite, form + " of some warps",
      "mov.u32 %r2, tile;\nmad.lo.u32 %r3, %r0, 4, %r2;\n"
      "xor.b32 %r4, %r0, 32; mad.lo.u32 %r4, %r4, 4, %r2;\n"
      "add.u32 %r5, %r0, 7000;\nshr.u32 %r6, %r0, 6;\nadd.u32 %r6, %r6, 14;\n"
      "st.shared.u32 [%r3], %r5;\n" +
          form + " %r6, 64;\nld.shared.u32 %r7, [%r4];\n" + form +
          " %r6, 64;\nst.shared.u32 [%r3], %r7;\n",
      [](Words &tile) {
        for (uint32_t thread = 0; thread < 128; ++thread)
          tile[thread] = 7000 + (thread ^ 32);
      });
}

/// 20 of 128 threads have the predicate, then all, then none.
void addReductions(Suite &suite) {
  for (const char *begin : {"bar.red", "barrier.cta.red"})
    for (const char *aligned : {"", ".aligned"}) {
      bool isOld = std::string(begin) == "bar.red";
      if (isOld && *aligned)
        continue;
      auto form = [&](const char *operation, const char *type) {
        return std::string(begin) + "." + operation + aligned + type;
      };
      struct Operation {
        const char *name;
        uint32_t some, all, none;
      };
      for (Operation operation :
           {Operation{"popc", 20, 128, 0}, Operation{"and", 0, 1, 0},
            Operation{"or", 1, 1, 0}}) {
        bool counts = operation.some == 20;
        std::string opcode = form(operation.name, counts ? ".u32" : ".pred");
        auto reduce = [&](const char *to, const char *from) {
          if (counts)
            return opcode + " " + to + ", 0, " + from + ";\n";
          return opcode + " %p3, 0, " + from + ";\nselp.u32 " + to +
                 ", 1, 0, %p3;\n";
        };
        add(suite, opcode,
            addresses +
                "setp.lt.u32 %p0, %r0, 20;\n"
                "setp.lt.u32 %p1, %r0, 128;\n" +
                reduce("%r8", "%p0") + reduce("%r9", "%p1") +
                reduce("%r10", "!%p1") +
                "mad.lo.u32 %r8, %r8, 1000, %r9;\n"
                "mad.lo.u32 %r8, %r8, 1000, %r10;\n"
                "st.shared.u32 [%r3], %r8;\n",
            [=](Words &tile) {
              for (uint32_t thread = 0; thread < 128; ++thread)
                tile[thread] = (operation.some * 1000 + operation.all) * 1000 +
                               operation.none;
            });
      }
    }
}

/// A flag behind a value, through global memory, from one warp to another.
void addFences(Suite &suite) {
  for (const char *form :
       {"membar.cta", "membar.gl", "membar.sys", "fence.acq_rel.cta",
        "fence.acq_rel.cluster", "fence.acq_rel.gpu", "fence.acq_rel.sys",
        "fence.sc.cta", "fence.sc.cluster", "fence.sc.gpu", "fence.sc.sys"})
    suite.add(form, "sm_90", "exact", [=](Environment &environment) {
      std::string fence = std::string(form) + ";\n";
      TileRun run;
      run.statements =
          "setp.eq.u32 %p0, %r0, 32; @%p0 bra SEND;\n@%p7 bra RECEIVE;\n"
          "bra END;\nSEND: mov.u32 %r8, 77;\n"
          "st.relaxed.gpu.global.u32 [%rd1], %r8;\n" +
          fence +
          "st.relaxed.gpu.global.u32 [%rd1+128], 1;\nbra END;\n"
          "RECEIVE: mov.u32 %r9, 0;\n"
          "SPIN: ld.relaxed.gpu.global.u32 %r10, [%rd1+128];\n"
          "add.u32 %r9, %r9, 1; setp.gt.u32 %p1, %r9, 10000000; @%p1 trap;\n"
          "setp.eq.u32 %p2, %r10, 0; @%p2 bra SPIN;\n" +
          fence +
          "ld.relaxed.gpu.global.u32 %r11, [%rd1];\n"
          "st.global.u32 [%rd1+256], %r11;\nEND:";
      Words got = globalAfter(environment, run);
      expectSame("word", Words{got[0], got[32], got[64]}, Words{77, 1, 77});
    });
  // These order what goes through different proxies; the statements around
  // them are what a kernel writes.
  for (const char *form :
       {"fence.proxy.alias", "fence.proxy.async", "fence.proxy.async.global",
        "fence.proxy.async.shared::cta", "fence.mbarrier_init.release.cluster",
        "griddepcontrol.launch_dependents", "griddepcontrol.wait"})
    add(suite, form,
        addresses + "st.shared.u32 [%r3], %r5;\n" + form + ";\nbar.sync 0;\n",
        [](Words &tile) {
          for (uint32_t thread = 0; thread < 128; ++thread)
            tile[thread] = 7000 + thread;
        });
}

/// Lanes of a warp in two branches meet, and see what the others stored.
void addWarps(Suite &suite) {
  add(suite, "bar.warp.sync",
      "mov.u32 %r2, tile;\nmad.lo.u32 %r3, %r0, 4, %r2;\n"
      "xor.b32 %r4, %r0, 1; mad.lo.u32 %r4, %r4, 4, %r2;\n"
      "and.b32 %r5, %r0, 1; setp.eq.u32 %p0, %r5, 0; @%p0 bra EVEN;\n"
      "add.u32 %r6, %r0, 100; st.shared.u32 [%r3], %r6;\n"
      "bar.warp.sync 0xFFFFFFFF;\nld.shared.u32 %r7, [%r4];\nbra MEET;\n"
      "EVEN: add.u32 %r6, %r0, 200; st.shared.u32 [%r3], %r6;\n"
      "bar.warp.sync 0xFFFFFFFF;\nld.shared.u32 %r7, [%r4];\nMEET:\n"
      "bar.warp.sync -1;\nst.shared.u32 [%r3], %r7;\n",
      [](Words &tile) {
        for (uint32_t thread = 0; thread < 128; ++thread)
          tile[thread] = (thread ^ 1) + (thread % 2 ? 200 : 100);
      });
}

} // namespace

void addBarriers(Suite &suite) {
  for (const char *form :
       {"bar.sync", "bar.cta.sync", "barrier.sync", "barrier.sync.aligned",
        "barrier.cta.sync", "barrier.cta.sync.aligned"}) {
    addMeeting(suite, form, " 0");
    addMeeting(suite, form, " 7, 128");
    addNamed(suite, form);
  }
  addProducers(suite, "bar.arrive", "bar.sync");
  addProducers(suite, "bar.cta.arrive", "bar.cta.sync");
  addProducers(suite, "barrier.arrive", "barrier.sync");
  addProducers(suite, "barrier.cta.arrive", "barrier.cta.sync");
  addProducers(suite, "barrier.cta.arrive.aligned", "barrier.cta.sync.aligned");
  addReductions(suite);
  addWarps(suite);
  addFences(suite);
}

} // namespace pbs::conformance

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CTAs of a cluster among themselves (PTX ISA, mapa, getctarank,
// barrier.cluster, st.async, red.async, multicast, cp.async.bulk
// from shared::cta, ld, st and atom of shared::cluster).

#include "Elementwise.h"
#include "TileKernel.h"

#include <algorithm>

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

const std::string leave = "barrier.cluster.arrive;\nbarrier.cluster.wait;\n";

/// Runs a cluster of \p ctas, each with 4096 bytes of output, which it copies
/// its tile to. %r27 is the rank; %r26 the next rank, %r25 the number of CTAs.
std::vector<Words> runCluster(Environment &environment,
                              const std::string &statements,
                              const Words &values = {0}, uint32_t ctas = 2) {
  TileRun run;
  run.clusterCtas = ctas;
  run.ctas = 2 * ctas;
  run.statements = "mov.u32 %r25, %cluster_nctarank;\nadd.u32 %r26, %r27, 1;\n"
                   "rem.u32 %r26, %r26, %r25;\n" +
                   statements + leave +
                   "bar.sync 0;\nmov.u32 %r24, %ctaid.x;\n"
                   "mad.wide.u32 %rd1, %r24, 4096, %rd1;\n" +
                   copyTileOut();
  DeviceAddress out = environment.allocate(4096 * run.ctas);
  launchTile(environment, run, environment.upload(values), out);
  Words all = environment.download<uint32_t>(out, tileWords * run.ctas);
  std::vector<Words> tiles;
  for (uint32_t cta = 0; cta < run.ctas; ++cta)
    tiles.emplace_back(all.begin() + cta * tileWords,
                       all.begin() + (cta + 1) * tileWords);
  return tiles;
}

/// Each CTA's tile is what \p change makes of it, by rank.
void add(
    Suite &suite, const std::string &form, const std::string &statements,
    const std::function<void(Words &, uint32_t rank, const Words &)> &change,
    uint32_t ctas = 2) {
  suite.add(form, "sm_90", "exact", [=](Environment &environment) {
    Words values = environment.randomBits<uint32_t>(256);
    auto tiles = runCluster(environment, statements, values, ctas);
    for (uint32_t cta = 0; cta < tiles.size(); ++cta) {
      Words want = filledTile(cta % ctas);
      change(want, cta % ctas, values);
      expectSame("CTA " + std::to_string(cta) + " word", tiles[cta], want);
    }
  });
}

/// %r3 = the address of the thread's word of the tile, %r4 the same in the
/// next CTA.
const std::string addresses = "mov.u32 %r2, tile;\n"
                              "mad.lo.u32 %r3, %r0, 4, %r2;\n"
                              "mapa.shared::cluster.u32 %r4, %r3, %r26;\n";
/// Stores %r5 behind the words that others read.
const std::string keep = "st.shared.u32 [%r3+2048], %r5;\n";

void addAddresses(Suite &suite) {
  for (uint32_t ctas : {2u, 4u}) {
    std::string suffix = ctas == 2 ? "" : " of 4";
    auto next = [=](Words &tile, uint32_t rank, const Words &) {
      for (uint32_t thread = 0; thread < 64; ++thread)
        tile[512 + thread] = (rank + 1) % ctas * 1024 + thread;
    };
    add(suite, "ld.shared::cluster.u32" + suffix,
        addresses + "ld.shared::cluster.u32 %r5, [%r4];\n" + keep, next, ctas);
    add(suite, "mapa.shared::cluster.u32" + suffix,
        "mapa.shared::cluster.u32 %r4, tile, %r26;\nmov.u32 %r2, tile;\n"
        "mad.lo.u32 %r3, %r0, 4, %r2;\nmad.lo.u32 %r4, %r0, 4, %r4;\n"
        "ld.shared::cluster.u32 %r5, [%r4];\n" +
            keep,
        next, ctas);
    add(suite, "mapa.u64" + suffix,
        addresses +
            "cvt.u64.u32 %rd2, %r3; cvta.shared.u64 %rd2, %rd2;\n"
            "mapa.u64 %rd3, %rd2, %r26;\nld.u32 %r5, [%rd3];\n" +
            keep,
        next, ctas);
    add(suite, "mapa.shared::cluster.u64" + suffix,
        addresses +
            "cvt.u64.u32 %rd2, %r3;\n"
            "mapa.shared::cluster.u64 %rd3, %rd2, %r26;\n"
            "ld.shared::cluster.u32 %r5, [%rd3];\n" +
            keep,
        next, ctas);
  }
  auto ranks = [](Words &tile, uint32_t rank, const Words &) {
    for (uint32_t thread = 0; thread < 64; ++thread)
      tile[512 + thread] = (rank ^ 1) * 16 + rank;
  };
  add(suite, "getctarank.shared::cluster.u32",
      addresses +
          "getctarank.shared::cluster.u32 %r5, %r4;\n"
          "getctarank.shared::cluster.u32 %r6, %r3;\n"
          "mad.lo.u32 %r5, %r5, 16, %r6;\n" +
          keep,
      ranks);
  add(suite, "getctarank.u64",
      addresses +
          "cvt.u64.u32 %rd2, %r3; cvta.shared.u64 %rd2, %rd2;\n"
          "mapa.u64 %rd3, %rd2, %r26;\ngetctarank.u64 %r5, %rd3;\n"
          "getctarank.u64 %r6, %rd2;\n"
          "mad.lo.u32 %r5, %r5, 16, %r6;\n" +
          keep,
      ranks);
  add(suite, "isspacep.shared::cluster",
      addresses +
          "cvt.u64.u32 %rd2, %r3; cvta.shared.u64 %rd2, %rd2;\n"
          "mapa.u64 %rd3, %rd2, %r26;\n"
          "isspacep.shared::cluster %p0, %rd3; selp.u32 %r5, 1, 0, %p0;\n"
          "isspacep.shared::cluster %p0, %rd2; selp.u32 %r6, 2, 0, %p0;\n"
          "isspacep.shared::cta %p0, %rd3; selp.u32 %r7, 4, 0, %p0;\n"
          "isspacep.shared::cta %p0, %rd2; selp.u32 %r8, 8, 0, %p0;\n"
          "isspacep.shared::cluster %p0, %rd1; selp.u32 %r9, 16, 0, %p0;\n"
          "or.b32 %r5, %r5, %r6; or.b32 %r5, %r5, %r7;\n"
          "or.b32 %r5, %r5, %r8; or.b32 %r5, %r5, %r9;\n" +
          keep,
      [](Words &tile, uint32_t, const Words &) {
        for (uint32_t thread = 0; thread < 64; ++thread)
          tile[512 + thread] = 11;
      });
  add(suite, "cvta.shared::cluster.u64",
      addresses +
          "cvt.u64.u32 %rd2, %r4; cvta.shared::cluster.u64 %rd2, %rd2;\n"
          "ld.u32 %r5, [%rd2];\n"
          "cvta.to.shared::cluster.u64 %rd3, %rd2;\n"
          "cvt.u32.u64 %r6, %rd3; sub.u32 %r6, %r6, %r4;\n"
          "add.u32 %r5, %r5, %r6;\n" +
          keep,
      [](Words &tile, uint32_t rank, const Words &) {
        for (uint32_t thread = 0; thread < 64; ++thread)
          tile[512 + thread] = (rank ^ 1) * 1024 + thread;
      });
}

void addStores(Suite &suite) {
  const std::string value = "mad.lo.u32 %r5, %r27, 1000, %r0;\n";
  auto stored = [](Words &tile, uint32_t rank, const Words &) {
    for (uint32_t thread = 0; thread < 64; ++thread)
      tile[thread] = (rank ^ 1) * 1000 + thread;
  };
  add(suite, "st.shared::cluster.u32",
      addresses + value + "st.shared::cluster.u32 [%r4], %r5;\n", stored);
  add(suite, "st.u32 to another CTA",
      addresses + value +
          "cvt.u64.u32 %rd2, %r4;\n"
          "cvta.shared::cluster.u64 %rd2, %rd2;\n"
          "st.u32 [%rd2], %r5;\n",
      stored);
  auto counted = [](Words &tile, uint32_t rank, const Words &) {
    if (rank == 1)
      tile[512] += 2 * 64 * 63 / 2;
  };
  add(suite, "red.relaxed.cluster.shared::cluster.add.u32",
      "mapa.shared::cluster.u32 %r4, tile, 1;\n"
      "red.relaxed.cluster.shared::cluster.add.u32 [%r4+2048], %r0;\n",
      counted);
  add(suite, "atom.acq_rel.cluster.shared::cluster.add.u32",
      "mapa.shared::cluster.u32 %r4, tile, 1;\n"
      "atom.acq_rel.cluster.shared::cluster.add.u32 %r5, [%r4+2048], %r0;\n",
      counted);
}

/// Threads store to the next CTA, which waits for the bytes at its mbarrier.
void addAsynchronousStores(Suite &suite) {
  struct Form {
    const char *name, *operand;
    uint32_t words;
  };
  for (Form form :
       {Form{"b32", "%r5", 1}, Form{"v2.b32", "{%r5, %r6}", 2},
        Form{"v4.b32", "{%r5, %r6, %r7, %r8}", 4}, Form{"b64", "%rd4", 2},
        Form{"v2.b64", "{%rd4, %rd5}", 4}}) {
    std::string opcode = std::string("st.async.weak.shared::cluster.mbarrier::"
                                     "complete_tx::bytes.") +
                         form.name;
    std::string bytes = std::to_string(4 * form.words);
    add(suite, opcode,
        "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], " +
            std::to_string(256 * form.words) +
            ";\nmad.lo.u32 %r5, %r27, 1000, %r0; add.u32 %r6, %r5, 1;\n"
            "add.u32 %r7, %r5, 2; add.u32 %r8, %r5, 3;\n"
            "mov.b64 %rd4, {%r5, %r6}; mov.b64 %rd5, {%r7, %r8};\n"
            "mov.u32 %r2, tile; mad.lo.u32 %r3, %r0, " +
            bytes +
            ", %r2;\nmapa.shared::cluster.u32 %r3, %r3, %r26;\n"
            "mapa.shared::cluster.u32 %r4, bar, %r26;\n" +
            opcode + " [%r3], " + form.operand + ", [%r4];\n" + waitFor(),
        [=](Words &tile, uint32_t rank, const Words &) {
          for (uint32_t index = 0; index < 64 * form.words; ++index)
            tile[index] =
                (rank ^ 1) * 1000 + index / form.words + index % form.words;
        });
  }
}

void addAsynchronousReductions(Suite &suite) {
  auto reduce = [&](const std::string &operation, auto combine) {
    std::string opcode = "red.async.relaxed.cluster.shared::cluster.mbarrier::"
                         "complete_tx::bytes." +
                         operation;
    add(suite, opcode,
        addresses +
            "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256;\n"
            "mapa.shared::cluster.u32 %r6, bar, %r26;\n"
            "mad.wide.u32 %rd2, %r0, 4, %rd0;\n"
            "ld.global.u32 %r5, [%rd2];\n" +
            opcode + " [%r4], %r5, [%r6];\n" + waitFor(),
        [=](Words &tile, uint32_t, const Words &values) {
          for (uint32_t thread = 0; thread < 64; ++thread)
            tile[thread] = combine(tile[thread], values[thread]);
        });
  };
  using U = uint32_t;
  using S = int32_t;
  reduce("add.u32", [](U a, U b) { return a + b; });
  reduce("add.s32", [](U a, U b) { return a + b; });
  reduce("min.u32", [](U a, U b) { return std::min(a, b); });
  reduce("max.u32", [](U a, U b) { return std::max(a, b); });
  reduce("min.s32", [](U a, U b) { return U(std::min(S(a), S(b))); });
  reduce("max.s32", [](U a, U b) { return U(std::max(S(a), S(b))); });
  reduce("inc.u32", [](U a, U b) { return a >= b ? 0 : a + 1; });
  reduce("dec.u32", [](U a, U b) { return a == 0 || a > b ? b : a - 1; });
  reduce("and.b32", [](U a, U b) { return a & b; });
  reduce("or.b32", [](U a, U b) { return a | b; });
  reduce("xor.b32", [](U a, U b) { return a ^ b; });
}

void addMulticast(Suite &suite) {
  const std::string opcode =
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes."
      "multicast::cluster";
  // Rank 0 loads for all CTAs, or for the other one alone.
  for (uint32_t mask : {3u, 2u})
    add(suite, opcode + (mask == 3 ? "" : " to the other CTA"),
        "setp.eq.u32 %p0, %r27, 0; and.pred %p0, %p0, %p7;\n"
        "mov.u16 %h0, " +
            std::to_string(mask) +
            ";\nshl.b32 %r4, 1, %r27; and.b32 %r4, %r4, " +
            std::to_string(mask) +
            ";\nsetp.ne.u32 %p1, %r4, 0;\nand.pred %p2, %p1, %p7;\n"
            "@%p2 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 256;\n"
            "@%p0 " +
            opcode + " [tile+16], [%rd0], 256, [bar], %h0;\n@!%p1 bra GO;\n" +
            waitFor() + "GO:\n",
        [=](Words &tile, uint32_t rank, const Words &values) {
          if (mask >> rank & 1)
            std::copy_n(values.begin(), 64, tile.begin() + 4);
        });
}

/// From one CTA's shared memory to another's, whose mbarrier is told. Without a
/// cluster, these are illegal instructions on a GPU.
void addCopiesInside(Suite &suite) {
  const std::string into = ".shared::cluster.shared::cta.mbarrier::"
                           "complete_tx::bytes";
  auto copy = [&](const std::string &opcode, bool isOwn, auto combine) {
    const std::string rank = isOwn ? "%r27" : "%r26";
    add(suite, opcode + (isOwn ? " in the own CTA" : " to another CTA"),
        "@%p7 mbarrier.arrive.expect_tx.shared.b64 _, [bar], 512;\n"
        "mapa.shared::cluster.u32 %r3, tile, " +
            rank + ";\nmapa.shared::cluster.u32 %r4, bar, " + rank +
            ";\n@%p7 " + opcode + " [%r3+2048], [tile+16], 512, [%r4];\n" +
            waitFor(),
        [=](Words &tile, uint32_t rank, const Words &) {
          for (uint32_t index = 0; index < 128; ++index)
            tile[512 + index] =
                combine(tile[512 + index],
                        (isOwn ? rank : rank ^ 1) * 1024 + 4 + index);
        });
  };
  using U = uint32_t;
  using S = int32_t;
  for (bool isOwn : {false, true}) {
    copy("cp.async.bulk" + into, isOwn, [](U, U b) { return b; });
    copy("cp.reduce.async.bulk" + into + ".add.u32", isOwn,
         [](U a, U b) { return a + b; });
  }
  auto reduce = [&](const std::string &operation, auto combine) {
    copy("cp.reduce.async.bulk" + into + "." + operation, false, combine);
  };
  reduce("add.s32", [](U a, U b) { return a + b; });
  reduce("min.u32", [](U a, U b) { return std::min(a, b); });
  reduce("max.s32", [](U a, U b) { return U(std::max(S(a), S(b))); });
  reduce("inc.u32", [](U a, U b) { return a >= b ? 0 : a + 1; });
  reduce("dec.u32", [](U a, U b) { return a == 0 || a > b ? b : a - 1; });
  reduce("and.b32", [](U a, U b) { return a & b; });
  reduce("or.b32", [](U a, U b) { return a | b; });
  reduce("xor.b32", [](U a, U b) { return a ^ b; });
}

void addClusterBarriers(Suite &suite) {
  struct Form {
    const char *arrive, *wait;
  };
  for (Form form :
       {Form{"barrier.cluster.arrive", "barrier.cluster.wait"},
        Form{"barrier.cluster.arrive.release", "barrier.cluster.wait.acquire"},
        Form{"barrier.cluster.arrive.aligned", "barrier.cluster.wait.aligned"},
        Form{"barrier.cluster.arrive.release.aligned",
             "barrier.cluster.wait.acquire.aligned"}}) {
    std::string meet = std::string(form.arrive) + ";\n" + form.wait + ";\n";
    for (const char *name : {form.arrive, form.wait})
      // What the other CTA stored before it can be seen, three times.
      add(suite, name,
          addresses +
              "mov.u32 %r5, %r27; mov.u32 %r8, 0;\n"
              "STEP: st.shared.u32 [%r3], %r5;\n" +
              meet + "ld.shared::cluster.u32 %r5, [%r4];\n" + meet +
              "add.u32 %r5, %r5, 10; add.u32 %r8, %r8, 1;\n"
              "setp.lt.u32 %p0, %r8, 3; @%p0 bra STEP;\n" +
              keep,
          [](Words &tile, uint32_t rank, const Words &) {
            for (uint32_t thread = 0; thread < 64; ++thread) {
              tile[512 + thread] = (rank ^ 1) + 30;
              tile[thread] = rank + 20;
            }
          });
  }
  add(suite, "barrier.cluster.arrive.relaxed",
      addresses +
          "st.shared.u32 [%r3], %r0;\nfence.acq_rel.cluster;\n"
          "barrier.cluster.arrive.relaxed;\n"
          "barrier.cluster.wait.acquire;\n"
          "ld.shared::cluster.u32 %r5, [%r4];\n" +
          keep,
      [](Words &tile, uint32_t, const Words &) {
        for (uint32_t thread = 0; thread < 64; ++thread)
          tile[thread] = tile[512 + thread] = thread;
      });
}

/// Arrivals from the other CTA.
void addRemoteArrivals(Suite &suite) {
  auto arrive = [&](const std::string &opcode, const std::string &operand,
                    const std::string &variant = "") {
    std::string expects =
        opcode.find("expect_tx") == std::string::npos
            ? ""
            : "mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r6], "
              "16;\n";
    // The other CTA's word is written before it arrives here.
    add(suite, opcode + variant + " at another CTA",
        addresses +
            "mapa.shared::cluster.u32 %r6, bar, %r26;\n"
            "mov.u32 %r5, 5;\n"
            "@!%p7 bra GO;\nst.shared::cluster.u32 [%r4+1024], %r5;\n" +
            opcode + " _, [%r6]" + operand + ";\n" + expects + "GO:\n" +
            "{\n.reg .pred %done; .reg .b32 %turns;\nmov.u32 %turns, 0;\n"
            "TURN: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 "
            "%done, [bar], 0;\n@%done bra ON;\nadd.u32 %turns, %turns, 1;\n"
            "setp.lt.u32 %done, %turns, 100000; @%done bra TURN;\ntrap;\n"
            "ON:\n}\n"
            "ld.shared.u32 %r5, [tile+1024];\n" +
            keep,
        [](Words &tile, uint32_t, const Words &) {
          tile[256] = 5;
          for (uint32_t thread = 0; thread < 64; ++thread)
            tile[512 + thread] = 5;
        });
  };
  arrive("mbarrier.arrive.release.cluster.shared::cluster.b64", "");
  arrive("mbarrier.arrive.release.cluster.shared::cluster.b64", ", 1",
         " with a count");
  arrive("mbarrier.arrive.expect_tx.release.cluster.shared::cluster.b64",
         ", 16");
  arrive("mbarrier.arrive_drop.release.cluster.shared::cluster.b64", "");
}

} // namespace

void addClusters(Suite &suite) {
  addClusterBarriers(suite);
  addAddresses(suite);
  addStores(suite);
  addRemoteArrivals(suite);
  addAsynchronousStores(suite);
  addAsynchronousReductions(suite);
  addMulticast(suite);
  addCopiesInside(suite);
}

} // namespace pbs::conformance

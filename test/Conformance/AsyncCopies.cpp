// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies by threads that go on meanwhile (PTX ISA, "cp.async").

#include "TileKernel.h"

#include <algorithm>

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

/// 64 threads execute the statements, with %r3 the address of 16 bytes in the
/// tile and %rd2 that of 16 bytes of the input. The tile's first 256 words are
/// what \p change makes of them.
void add(Suite &suite, const std::string &form, const std::string &statements,
         const std::function<void(Words &tile, const Words &values)> &change,
         const std::string &arrivals = "1") {
  suite.add(form, "sm_90", "exact", [=](Environment &environment) {
    Words values = environment.randomBits<uint32_t>(256);
    TileRun run;
    run.arrivals = arrivals;
    run.statements = "mov.u32 %r2, tile;\nmad.lo.u32 %r3, %r0, 16, %r2;\n"
                     "mad.wide.u32 %rd2, %r0, 16, %rd0;\n" +
                     statements;
    Words want = filledTile();
    change(want, values);
    expectSame("word", tileAfter(environment, run, values), want);
  });
}

const std::string finish = "cp.async.commit_group;\ncp.async.wait_group 0;\n";

void copyAll(Words &tile, const Words &values) {
  std::copy(values.begin(), values.end(), tile.begin());
}

void addCopies(Suite &suite) {
  struct Form {
    const char *name;
    unsigned bytes;
  };
  for (Form form : {Form{"ca", 4}, Form{"ca", 8}, Form{"ca", 16},
                    Form{"cg", 16}, Form{"cg.shared.global.L2::128B", 16},
                    Form{"ca.shared.global.L2::64B", 16},
                    Form{"ca.shared.global.L2::256B", 8}}) {
    std::string opcode = std::string("cp.async.") + form.name;
    if (opcode.find("shared") == std::string::npos)
      opcode += ".shared.global";
    std::string size = std::to_string(form.bytes);
    auto change = [=](Words &tile, const Words &values) {
      for (unsigned word = 0; word < 256; ++word)
        if (word % 4 < form.bytes / 4)
          tile[word] = values[word];
    };
    add(suite, opcode + " of " + size,
        opcode + " [%r3], [%rd2], " + size + ";\n" + finish, change);
    // The rest are zeros.
    for (unsigned kept = 0; kept < form.bytes; kept += form.bytes / 2)
      add(suite, opcode + " of " + std::to_string(kept) + " of " + size,
          opcode + " [%r3], [%rd2], " + size + ", " + std::to_string(kept) +
              ";\n" + finish,
          [=](Words &tile, const Words &values) {
            for (unsigned byte = 0; byte < 1024; ++byte)
              if (byte % 16 < form.bytes) {
                uint32_t mask = 0xFFu << byte % 4 * 8;
                uint32_t value = byte % 16 < kept ? values[byte / 4] : 0;
                tile[byte / 4] = (tile[byte / 4] & ~mask) | (value & mask);
              }
          });
  }
  // A size that differs from thread to thread.
  add(suite, "cp.async.cg.shared.global of a size in a register",
      "and.b32 %r4, %r0, 3; shl.b32 %r4, %r4, 2;\n"
      "cp.async.cg.shared.global [%r3], [%rd2], 16, %r4;\n" +
          finish,
      [](Words &tile, const Words &values) {
        for (unsigned word = 0; word < 256; ++word)
          tile[word] = word % 4 < word / 4 % 4 ? values[word] : 0;
      });
  add(suite, "cp.async.ca.shared.global unless ignored",
      "and.b32 %r4, %r0, 1; setp.eq.u32 %p0, %r4, 1;\n"
      "cp.async.ca.shared.global [%r3], [%rd2], 16, %p0;\n" +
          finish,
      [](Words &tile, const Words &values) {
        for (unsigned word = 0; word < 256; ++word)
          tile[word] = word / 4 % 2 == 0 ? values[word] : 0;
      });
  add(suite, "cp.async.cg.shared.global.L2::cache_hint",
      "mov.u64 %rd4, 0x12F0000000000000;\n"
      "cp.async.cg.shared.global.L2::cache_hint [%r3], [%rd2], 16, %rd4;\n" +
          finish,
      copyAll);
}

void addGroups(Suite &suite) {
  const std::string copy = "cp.async.cg.shared.global [%r3], [%rd2], 16;\n";
  const std::string again =
      "cp.async.ca.shared.global [%r3+2048], [%rd2], 16;\n";
  add(suite, "cp.async.wait_all", copy + "cp.async.wait_all;\n", copyAll);
  add(suite, "cp.async.commit_group", copy + finish, copyAll);
  auto copyTwice = [](Words &tile, const Words &values) {
    copyAll(tile, values);
    std::copy(values.begin(), values.end(), tile.begin() + 512);
  };
  // The first group is there when all but one have to be.
  add(suite, "cp.async.wait_group",
      copy + "cp.async.commit_group;\n" + again +
          "cp.async.commit_group;\ncp.async.wait_group 1;\n"
          "ld.shared.v4.u32 {%r8, %r9, %r10, %r11}, [%r3];\n"
          "cp.async.wait_group 0;\n"
          "st.shared.v4.u32 [%r3], {%r8, %r9, %r10, %r11};\n",
      copyTwice);
  for (bool keepsCount : {false, true}) {
    std::string form = std::string("cp.async.mbarrier.arrive") +
                       (keepsCount ? ".noinc" : "") + ".shared::cta.b64";
    // The arrival of .noinc is among those that were announced.
    add(suite, form,
        copy + again + form + " [bar];\n" +
            "mbarrier.arrive.shared::cta.b64 _, [bar];\n" + waitFor(),
        copyTwice, keepsCount ? "128" : "64");
  }
}

} // namespace

void addAsyncCopies(Suite &suite) {
  addCopies(suite);
  addGroups(suite);
}

} // namespace pbs::conformance

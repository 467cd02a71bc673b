// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bulk copies and reductions of plain bytes from and to global memory, and
// their groups (PTX ISA, "cp.async.bulk", "cp.reduce.async.bulk",
// "cp.async.bulk.prefetch").

#include "Elementwise.h"
#include "TileKernel.h"

#include <algorithm>

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

void add(Suite &suite, const std::string &form,
         std::function<void(Environment &)> run) {
  suite.add(form, "sm_90", "exact", std::move(run));
}

const std::string loadForm =
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes";
const std::string storeForm = "cp.async.bulk.global.shared::cta.bulk_group";

/// \p count bytes from %rd0+from to tile+to.
void checkLoad(Environment &environment, uint32_t from, uint32_t to,
               uint32_t count, const std::string &hint = "",
               const std::string &operands = "") {
  Words values = environment.randomBits<uint32_t>(tileWords);
  std::string bytes = std::to_string(count);
  TileRun run;
  run.statements = "@!%p7 bra GO;\n" + loadForm + hint + " [tile+" +
                   std::to_string(to) + "], [%rd0+" + std::to_string(from) +
                   "], " + bytes + ", [bar]" + operands +
                   ";\nmbarrier.arrive.expect_tx.shared.b64 _, [bar], " +
                   bytes + ";\nGO:\n" + waitFor();
  Words want = filledTile();
  std::copy_n(values.begin() + from / 4, count / 4, want.begin() + to / 4);
  expectSame("word", tileAfter(environment, run, values), want);
}

void addCopies(Suite &suite) {
  for (uint32_t count : {16u, 64u, 2048u, 4096u})
    add(suite, loadForm + " of " + std::to_string(count),
        [=](Environment &environment) {
          uint32_t places = (4096 - count) / 16 + 1;
          checkLoad(environment, environment.below(places) * 16,
                    environment.below(places) * 16, count);
        });
  add(suite, loadForm + ".L2::cache_hint", [](Environment &environment) {
    checkLoad(environment, 16, 32, 256, ".L2::cache_hint",
              ", 0x12F0000000000000");
  });
  // Each lane of two warps a copy of its own.
  add(suite, loadForm + " by all threads", [](Environment &environment) {
    Words values = environment.randomBits<uint32_t>(tileWords);
    TileRun run;
    run.arrivals = "64";
    run.statements = "mov.u32 %r2, tile;\nmad.lo.u32 %r2, %r0, 64, %r2;\n"
                     "mad.wide.u32 %rd2, %r0, 64, %rd0;\n"
                     "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 64;\n" +
                     loadForm + " [%r2], [%rd2], 64, [bar];\n" + waitFor();
    expectSame("word", tileAfter(environment, run, values), values);
  });
  add(suite, storeForm, [](Environment &environment) {
    uint32_t from = environment.below(100) * 4, to = environment.below(100) * 4;
    TileRun run;
    run.statements = "@!%p7 bra END;\n" + storeForm + " [%rd1+" +
                     std::to_string(4 * to) + "], [tile+" +
                     std::to_string(4 * from) +
                     "], 256;\ncp.async.bulk.commit_group;\n"
                     "cp.async.bulk.wait_group 0;\nEND:";
    Words want(tileWords);
    for (uint32_t index = 0; index < 64; ++index)
      want[to + index] = from + index;
    expectSame("word", globalAfter(environment, run), want);
  });
  add(suite, "cp.async.bulk.prefetch.L2.global", [](Environment &environment) {
    TileRun run;
    run.statements = "@%p7 cp.async.bulk.prefetch.L2.global [%rd0], 4096;\n";
    Words values = environment.randomBits<uint32_t>(tileWords);
    expectSame("word", tileAfter(environment, run, values), filledTile());
  });
}

void addGroups(Suite &suite) {
  const std::string groups =
      "@!%p7 bra END;\n" + storeForm +
      " [%rd1], [tile], 16;\ncp.async.bulk.commit_group;\n" + storeForm +
      " [%rd1+64], [tile+64], 16;\ncp.async.bulk.commit_group;\n";
  // What has been read may change, and what is done can be seen.
  add(suite, "cp.async.bulk.wait_group.read", [=](Environment &environment) {
    TileRun run;
    run.statements = groups + "cp.async.bulk.wait_group.read 0;\n"
                              "st.shared.u32 [tile], 77;\n"
                              "st.shared.u32 [tile+64], 78;\n"
                              "cp.async.bulk.wait_group 0;\nEND:";
    Words got = globalAfter(environment, run);
    expectSame("word", Words{got[0], got[1], got[16], got[17]},
               Words{0, 1, 16, 17});
  });
  add(suite, "cp.async.bulk.wait_group", [=](Environment &environment) {
    TileRun run;
    run.statements = groups + "cp.async.bulk.wait_group 1;\n"
                              "ld.volatile.global.u32 %r8, [%rd1+4];\n"
                              "cp.async.bulk.wait_group 0;\n"
                              "ld.volatile.global.u32 %r9, [%rd1+68];\n"
                              "st.global.v2.u32 [%rd1+128], {%r8, %r9};\nEND:";
    Words got = globalAfter(environment, run);
    expectSame("word", Words{got[32], got[33]}, Words{1, 17});
  });
  // A group without work, and no group at all.
  add(suite, "cp.async.bulk.commit_group", [=](Environment &environment) {
    TileRun run;
    run.statements = "cp.async.bulk.wait_group 0;\n"
                     "cp.async.bulk.commit_group;\n"
                     "cp.async.bulk.wait_group.read 0;\n"
                     "cp.async.bulk.commit_group;\n" +
                     groups + "cp.async.bulk.wait_group 0;\nEND:";
    Words got = globalAfter(environment, run);
    expectSame("word", Words{got[0], got[1], got[16], got[17]},
               Words{0, 1, 16, 17});
  });
}

/// Reductions into global memory. Values are loaded into the tile first.
template <typename T, typename Combine>
void addReduction(Suite &suite, const std::string &operation,
                  const std::string &type, Combine combine) {
  std::string form = "cp.reduce.async.bulk.global.shared::cta.bulk_group." +
                     operation + "." + type;
  add(suite, form, [=](Environment &environment) {
    constexpr uint32_t count = 64;
    std::vector<T> old(count), values(count);
    for (auto *list : {&old, &values})
      for (T &value : *list)
        if constexpr (std::is_integral_v<T>)
          value = environment.below(4) ? T(environment.random())
                                       : T(environment.below(16));
        else if constexpr (std::is_same_v<T, double>)
          value = int(environment.below(2001)) - 1000;
        else
          // Sums of these are exact in all formats.
          value = roundTo<T>(int(environment.below(201)) - 100);
    DeviceAddress in = environment.upload(values);
    DeviceAddress out = environment.upload(old);
    std::string bytes = std::to_string(count * sizeof(T));
    TileRun run;
    run.statements =
        "@!%p7 bra END;\n" + loadForm + " [tile], [%rd0], " + bytes +
        ", [bar];\nmbarrier.arrive.expect_tx.shared.b64 _, [bar], " + bytes +
        ";\n" + waitFor() + form + " [%rd1], [tile], " + bytes +
        ";\ncp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\nEND:";
    launchTile(environment, run, in, out);
    std::vector<T> got = environment.download<T>(out, count);
    for (uint32_t index = 0; index < count; ++index) {
      T want = combine(old[index], values[index]);
      if (!isSame(got[index], want))
        throw Mismatch("element " + std::to_string(index) + ": got " +
                       show(got[index]) + ", want " + show(want) + " of " +
                       show(old[index]) + " " + show(values[index]));
    }
  });
}

template <typename T>
void addIntegerReductions(Suite &suite, const std::string &type) {
  addReduction<T>(suite, "add", type,
                  [](T a, T b) { return T(uint64_t(a) + uint64_t(b)); });
  addReduction<T>(suite, "min", type, [](T a, T b) { return std::min(a, b); });
  addReduction<T>(suite, "max", type, [](T a, T b) { return std::max(a, b); });
}

template <typename T>
void addBitReductions(Suite &suite, const std::string &type) {
  addReduction<T>(suite, "and", type, [](T a, T b) { return T(a & b); });
  addReduction<T>(suite, "or", type, [](T a, T b) { return T(a | b); });
  addReduction<T>(suite, "xor", type, [](T a, T b) { return T(a ^ b); });
}

template <typename T>
void addFloatReductions(Suite &suite, const std::string &type) {
  bool isSmall = sizeof(T) == 2;
  addReduction<T>(suite, isSmall ? "add.noftz" : "add", type, [](T a, T b) {
    return roundTo<T>(toDouble(a) + toDouble(b));
  });
  if (!isSmall)
    return;
  addReduction<T>(suite, "min", type,
                  [](T a, T b) { return toDouble(b) < toDouble(a) ? b : a; });
  addReduction<T>(suite, "max", type,
                  [](T a, T b) { return toDouble(b) > toDouble(a) ? b : a; });
}

} // namespace

void addBulkCopies(Suite &suite) {
  addCopies(suite);
  addGroups(suite);
  addIntegerReductions<uint32_t>(suite, "u32");
  addIntegerReductions<int32_t>(suite, "s32");
  addIntegerReductions<uint64_t>(suite, "u64");
  addReduction<int64_t>(suite, "min", "s64",
                        [](int64_t a, int64_t b) { return std::min(a, b); });
  addReduction<int64_t>(suite, "max", "s64",
                        [](int64_t a, int64_t b) { return std::max(a, b); });
  addBitReductions<uint32_t>(suite, "b32");
  addBitReductions<uint64_t>(suite, "b64");
  addReduction<uint32_t>(suite, "inc", "u32", [](uint32_t a, uint32_t b) {
    return a >= b ? 0 : a + 1;
  });
  addReduction<uint32_t>(suite, "dec", "u32", [](uint32_t a, uint32_t b) {
    return a == 0 || a > b ? b : a - 1;
  });
  addFloatReductions<Half>(suite, "f16");
  addFloatReductions<BFloat>(suite, "bf16");
  addFloatReductions<float>(suite, "f32");
  addReduction<double>(suite, "add", "f64",
                       [](double a, double b) { return a + b; });
}

} // namespace pbs::conformance

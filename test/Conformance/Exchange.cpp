// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lanes of a warp among themselves (PTX ISA, shfl.sync, vote.sync, match.sync,
// redux.sync, elect.sync, activemask).

#include "Elementwise.h"

#include <algorithm>
#include <functional>

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

constexpr uint32_t everyLane = 0xFFFFFFFF;

/// What a warp's lanes leave in %d and %t0, from %a in each, with the lane in
/// %lane. Only lanes of \p members execute the statements; the others keep 7.
using Expected = std::function<std::pair<uint32_t, uint32_t>(
    uint32_t lane, const uint32_t *values)>;

struct Statement {
  std::string text;
  Expected expected;
  uint32_t members = everyLane;
  /// Values are drawn below it.
  uint32_t range = 0;
};

std::string hex(uint32_t value) { return show(value); }

void runWarps(Environment &environment, const Statement &statement) {
  constexpr uint32_t threads = 256;
  Words values = environment.randomBits<uint32_t>(threads);
  for (uint32_t thread = 0; thread < threads; ++thread)
    if (statement.range)
      // In some warps all agree.
      values[thread] = thread < 64 ? values[thread / 32] % statement.range
                                   : values[thread] % statement.range;
  DeviceAddress in = environment.upload(values);
  DeviceAddress out = environment.allocate(threads * 8);
  std::string ptx =
      ".visible .entry kernel(.param .u64 in, .param .u64 out) {\n"
      ".reg .b32 %t<8>, %d, %a, %lane, %x; .reg .b64 %y<4>, %b;\n"
      ".reg .pred %p<4>, %member;\n"
      "ld.param.u64 %y0, [in]; ld.param.u64 %y1, [out]; mov.u32 %x, %tid.x;\n"
      "mad.wide.u32 %y0, %x, 4, %y0; mad.wide.u32 %y1, %x, 8, %y1;\n"
      "ld.global.u32 %a, [%y0]; mov.u32 %lane, %laneid;\n"
      "mov.u32 %d, 7; mov.u32 %t0, 7; mul.wide.u32 %b, %a, 65537;\n"
      "shr.u32 %t7, " +
      hex(statement.members) +
      ", %lane; and.b32 %t7, %t7, 1;\nsetp.eq.u32 %member, %t7, 1;\n"
      "@!%member bra DONE;\n" +
      statement.text + "\nDONE: st.global.v2.u32 [%y1], {%d, %t0};\nret;\n}\n";
  LaunchConfiguration configuration;
  configuration.block = {threads, 1, 1};
  ParameterBuffer parameters;
  parameters.append(in);
  parameters.append(out);
  environment.launch(ptx, configuration, parameters);
  Words results = environment.download<uint32_t>(out, threads * 2);
  for (uint32_t thread = 0; thread < threads; ++thread) {
    std::pair<uint32_t, uint32_t> want = {7, 7};
    uint32_t lane = thread % 32;
    if (statement.members >> lane & 1)
      want = statement.expected(lane, &values[thread - lane]);
    std::pair<uint32_t, uint32_t> got = {results[thread * 2],
                                         results[thread * 2 + 1]};
    if (got != want)
      throw Mismatch("thread " + std::to_string(thread) + ": got " +
                     show(got.first) + " " + show(got.second) + ", want " +
                     show(want.first) + " " + show(want.second));
  }
}

void add(Suite &suite, const std::string &form, const Statement &statement,
         const char *target = "sm_80") {
  suite.add(form, target, "exact", [=](Environment &environment) {
    runWarps(environment, statement);
  });
}

/// The lane that \p lane reads (PTX ISA, shfl.sync), and whether it is one.
std::pair<uint32_t, bool> source(const std::string &mode, uint32_t lane,
                                 uint32_t b, uint32_t c) {
  uint32_t segment = c >> 8 & 31;
  uint32_t clamp = c & 31;
  uint32_t last = (lane & segment) | (clamp & ~segment);
  if (mode == "up")
    return {lane - b, int32_t(lane - b) >= int32_t(last)};
  uint32_t from = mode == "down"   ? lane + b
                  : mode == "bfly" ? lane ^ b
                                   : (lane & segment) | (b & ~segment);
  return {from, from <= last};
}

void addShuffles(Suite &suite) {
  struct Mode {
    const char *name;
    uint32_t clamp;
  };
  for (Mode mode :
       {Mode{"up", 0}, Mode{"down", 31}, Mode{"bfly", 31}, Mode{"idx", 31}})
    for (uint32_t width : {32u, 8u})
      for (uint32_t amount : {1u, 5u, 16u}) {
        uint32_t c = (32 - width) << 8 | mode.clamp;
        std::string name = mode.name;
        std::string opcode = "shfl.sync." + name + ".b32";
        add(suite,
            opcode + " by " + std::to_string(amount) + " in " +
                std::to_string(width),
            {opcode + " %d|%p0, %a, " + std::to_string(amount) + ", " +
                 std::to_string(c) + ", -1;\nselp.u32 %t0, 1, 0, %p0;",
             [=](uint32_t lane, const uint32_t *values) {
               auto [from, isInRange] = source(name, lane, amount, c);
               return std::make_pair(values[isInRange ? from : lane],
                                     uint32_t(isInRange));
             }});
      }
  // Amounts and lanes that differ.
  add(suite, "shfl.sync.idx.b32 by values",
      {"and.b32 %t1, %a, 31;\nshfl.sync.idx.b32 %d, %a, %t1, 31, -1;",
       [](uint32_t lane, const uint32_t *values) {
         return std::make_pair(values[values[lane] & 31], 7u);
       }});
  const uint32_t members = 0x0F0F3CFF;
  add(suite, "shfl.sync.bfly.b32 of some lanes",
      {"shfl.sync.bfly.b32 %d, %a, 1, 31, " + hex(members) + ";",
       [](uint32_t lane, const uint32_t *values) {
         return std::make_pair(values[lane ^ 1], 7u);
       },
       members});
}

void addVotes(Suite &suite) {
  const uint32_t some = 0x7FF0F00F;
  for (uint32_t members : {everyLane, some}) {
    std::string suffix = members == some ? " of some lanes" : "";
    // Set in all lanes of some warps, in none of others.
    auto set = [=](const uint32_t *values) {
      uint32_t lanes = 0;
      for (uint32_t lane = 0; lane < 32; ++lane)
        lanes |= uint32_t(values[lane] < 2) << lane;
      return lanes & members;
    };
    const std::string begin = "setp.lt.u32 %p0, %a, 2;\n";
    auto vote = [&](const std::string &name, const std::string &source,
                    auto function) {
      std::string opcode = "vote.sync." + name + ".pred";
      add(suite, opcode + (source == "%p0" ? "" : " negated") + suffix,
          {begin + opcode + " %p1, " + source + ", " + hex(members) +
               ";\nselp.u32 %d, 1, 0, %p1;",
           [=](uint32_t, const uint32_t *values) {
             return std::make_pair(uint32_t(function(set(values))), 7u);
           },
           members, 4});
    };
    vote("all", "%p0", [=](uint32_t lanes) { return lanes == members; });
    vote("any", "%p0", [=](uint32_t lanes) { return lanes != 0; });
    vote("any", "!%p0", [=](uint32_t lanes) { return lanes != members; });
    vote("uni", "%p0",
         [=](uint32_t lanes) { return lanes == members || lanes == 0; });
    add(suite, "vote.sync.ballot.b32" + suffix,
        {begin + "vote.sync.ballot.b32 %d, %p0, " + hex(members) + ";",
         [=](uint32_t, const uint32_t *values) {
           return std::make_pair(set(values), 7u);
         },
         members, 4});
  }
}

void addMatches(Suite &suite) {
  for (const char *type : {"b32", "b64"}) {
    std::string operand = type[1] == '3' ? "%a" : "%b";
    add(suite, std::string("match.any.sync.") + type,
        {std::string("match.any.sync.") + type + " %d, " + operand + ", -1;",
         [](uint32_t lane, const uint32_t *values) {
           uint32_t same = 0;
           for (uint32_t other = 0; other < 32; ++other)
             same |= uint32_t(values[other] == values[lane]) << other;
           return std::make_pair(same, 7u);
         },
         everyLane, 5});
    add(suite, std::string("match.all.sync.") + type,
        {std::string("match.all.sync.") + type + " %d|%p0, " + operand +
             ", -1;\nselp.u32 %t0, 1, 0, %p0;",
         [](uint32_t, const uint32_t *values) {
           bool same = std::all_of(values, values + 32, [&](uint32_t value) {
             return value == values[0];
           });
           return std::make_pair(same ? everyLane : 0, uint32_t(same));
         },
         everyLane, 5});
  }
}

void addReductions(Suite &suite) {
  auto reduction = [&](const std::string &name, auto combine,
                       uint32_t members = everyLane) {
    add(suite,
        "redux.sync." + name +
            (members == everyLane ? ""
                                  : " of some "
                                    "lanes"),
        {"redux.sync." + name + " %d, %a, " + hex(members) + ";",
         [=](uint32_t, const uint32_t *values) {
           uint32_t first = uint32_t(__builtin_ctz(members));
           uint32_t result = values[first];
           for (uint32_t lane = first + 1; lane < 32; ++lane)
             if (members >> lane & 1)
               result = combine(result, values[lane]);
           return std::make_pair(result, 7u);
         },
         members});
  };
  using U = uint32_t;
  using S = int32_t;
  reduction("add.u32", std::plus<U>());
  reduction("add.s32", std::plus<U>());
  reduction("add.s32", std::plus<U>(), 0x00FF0F10);
  reduction("min.u32", [](U a, U b) { return std::min(a, b); });
  reduction("max.u32", [](U a, U b) { return std::max(a, b); });
  reduction("min.s32", [](U a, U b) { return U(std::min(S(a), S(b))); });
  reduction("max.s32", [](U a, U b) { return U(std::max(S(a), S(b))); });
  reduction("and.b32", std::bit_and<U>());
  reduction("or.b32", std::bit_or<U>());
  reduction("xor.b32", std::bit_xor<U>());
  reduction("xor.b32", std::bit_xor<U>(), 0x80000001);
}

void addOthers(Suite &suite) {
  // Any lane may be the leader, but all have to name the same one.
  for (uint32_t members : {everyLane, 0xF0F0F0F0u}) {
    std::string suffix = members == everyLane ? "" : " of some lanes";
    add(suite, "elect.sync" + suffix,
        {"elect.sync %t1|%p0, " + hex(members) +
             ";\nselp.u32 %t2, 1, 0, %p0;\n"
             // One lane is chosen, it is a member, and all have its number.
             "vote.sync.ballot.b32 %t3, %p0, " +
             hex(members) +
             ";\npopc.b32 %d, %t3;\nshr.u32 %t4, %t3, %t1;\n"
             "and.b32 %t0, %t4, 1;",
         [](uint32_t, const uint32_t *) { return std::make_pair(1u, 1u); },
         members},
        "sm_90");
    add(suite, "activemask.b32" + suffix,
        {"bar.warp.sync " + hex(members) +
             ";\nactivemask.b32 %t1;\nand.b32 %d, %t1, " + hex(~members) +
             ";\nshr.u32 %t0, %t1, %lane;\n"
             "and.b32 %t0, %t0, 1;",
         // No other lanes than those that are here, and the own one.
         [](uint32_t, const uint32_t *) { return std::make_pair(0u, 1u); },
         members});
  }
}

} // namespace

void addExchange(Suite &suite) {
  addShuffles(suite);
  addVotes(suite);
  addMatches(suite);
  addReductions(suite);
  addOthers(suite);
}

} // namespace pbs::conformance

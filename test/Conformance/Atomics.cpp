// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Atomic operations on global and shared memory (PTX ISA, atom, red).

#include "Elementwise.h"
#include "TileKernel.h"

#include <algorithm>

namespace pbs::conformance {
namespace {

constexpr uint32_t threads = 256;
constexpr uint32_t cells = 8;

/// Threads combine 8 cells with their values, in whatever order. Without a
/// result for "red"; those of "atom" are one order's: each value that a cell
/// had was seen once, and combining it gives what the next one saw.
template <typename T, typename Combine>
void add(Suite &suite, const std::string &opcode, Combine combine,
         std::function<T(Environment &)> draw, bool isShared,
         const char *target = "sm_80") {
  suite.add(opcode, target, "exact", [=](Environment &environment) {
    std::vector<T> memory, values;
    for (uint32_t index = 0; index < cells; ++index)
      memory.push_back(draw(environment));
    for (uint32_t index = 0; index < threads; ++index)
      values.push_back(draw(environment));
    bool returns = opcode[0] == 'a';
    std::string bits = std::to_string(sizeof(T) * 8);
    std::string bytes = std::to_string(sizeof(T));
    std::string ptx =
        ".visible .entry kernel(.param .u64 cells, .param .u64 values,\n"
        "  .param .u64 olds) {\n"
        ".shared .align 8 .b8 tile[64]; .reg .b32 %r<4>; .reg .b64 %y<4>;\n"
        ".reg .b" +
        bits +
        " %value, %old; .reg .pred %p;\n"
        "ld.param.u64 %y0, [cells]; ld.param.u64 %y1, [values];\n"
        "ld.param.u64 %y2, [olds]; mov.u32 %r0, %tid.x;\n"
        "mad.wide.u32 %y1, %r0, " +
        bytes +
        ", %y1;\n"
        "mad.wide.u32 %y2, %r0, " +
        bytes +
        ", %y2;\n"
        "ld.global.b" +
        bits +
        " %value, [%y1];\n"
        "and.b32 %r1, %r0, 7; mad.wide.u32 %y0, %r1, " +
        bytes +
        ", %y0;\n"
        "mov.u32 %r2, tile; mad.lo.u32 %r2, %r1, " +
        bytes +
        ", %r2;\n"
        "setp.lt.u32 %p, %r0, 8;\n";
    std::string place = isShared ? "[%r2]" : "[%y0]";
    if (isShared)
      ptx += "@%p ld.global.b" + bits + " %old, [%y0];\n@%p st.shared.b" +
             bits + " [%r2], %old;\nbar.sync 0;\n";
    ptx += opcode + " " + (returns ? "%old, " : "") + place + ", %value;\n";
    if (returns)
      ptx += "st.global.b" + bits + " [%y2], %old;\n";
    if (isShared)
      ptx += "bar.sync 0;\n@%p ld.shared.b" + bits +
             " %old, [%r2];\n@%p st.global.b" + bits + " [%y0], %old;\n";
    ptx += "ret;\n}\n";
    DeviceAddress there = environment.upload(memory);
    DeviceAddress olds = environment.allocate(threads * sizeof(T));
    LaunchConfiguration configuration;
    configuration.block = {threads, 1, 1};
    ParameterBuffer parameters;
    parameters.append(there);
    parameters.append(environment.upload(values));
    parameters.append(olds);
    environment.launch(ptx, configuration, parameters);
    std::vector<T> got = environment.download<T>(there, cells);
    std::vector<T> seen = environment.download<T>(olds, threads);
    for (uint32_t cell = 0; cell < cells; ++cell) {
      T want = memory[cell];
      for (uint32_t thread = cell; thread < threads; thread += cells)
        want = combine(want, values[thread]);
      if (!isSame(got[cell], want))
        throw Mismatch("cell " + std::to_string(cell) + ": got " +
                       show(got[cell]) + ", want " + show(want));
      if (!returns)
        continue;
      // What each thread saw and what it made of it, less the ends, are the
      // same values.
      std::vector<std::string> before, after;
      for (uint32_t thread = cell; thread < threads; thread += cells) {
        before.push_back(show(seen[thread]));
        after.push_back(show(combine(seen[thread], values[thread])));
      }
      before.push_back(show(got[cell]));
      after.push_back(show(memory[cell]));
      std::sort(before.begin(), before.end());
      std::sort(after.begin(), after.end());
      if (before != after)
        throw Mismatch("cell " + std::to_string(cell) +
                       ": what threads saw makes no order");
    }
  });
}

template <typename T> T anyBits(Environment &environment) {
  return environment.below(4) ? T(environment.random())
                              : T(environment.below(16));
}

/// Numbers whose sums are exact in all formats, in any order.
template <typename T> T number(Environment &environment) {
  double value = int(environment.below(9)) - 4;
  if constexpr (std::is_same_v<T, double>)
    return value;
  else
    return roundTo<T>(value);
}

template <typename T> Pair<T> pair(Environment &environment) {
  return makePair(number<T>(environment), number<T>(environment));
}

template <typename T> T sum(T a, T b) {
  if constexpr (std::is_same_v<T, double>)
    return a + b;
  else
    return roundTo<T>(toDouble(a) + toDouble(b));
}

template <typename T, typename Combine>
void addEverywhere(Suite &suite, const std::string &operation, Combine combine,
                   std::function<T(Environment &)> draw,
                   const char *target = "sm_80") {
  for (const char *opcode : {"atom", "red"})
    for (bool isShared : {false, true})
      add<T>(suite,
             std::string(opcode) + (isShared ? ".shared." : ".global.") +
                 operation,
             combine, draw, isShared, target);
}

template <typename T>
void addIntegersOf(Suite &suite, const std::string &type, bool hasSum) {
  auto draw = anyBits<T>;
  if (hasSum)
    addEverywhere<T>(
        suite, "add." + type,
        [](T a, T b) { return T(uint64_t(a) + uint64_t(b)); }, draw);
  addEverywhere<T>(
      suite, "min." + type, [](T a, T b) { return std::min(a, b); }, draw);
  addEverywhere<T>(
      suite, "max." + type, [](T a, T b) { return std::max(a, b); }, draw);
}

template <typename T> void addBits(Suite &suite, const std::string &type) {
  auto draw = anyBits<T>;
  addEverywhere<T>(
      suite, "and." + type, [](T a, T b) { return T(a & b); },
      [](Environment &environment) {
        return T(anyBits<T>(environment) | anyBits<T>(environment) |
                 anyBits<T>(environment));
      });
  addEverywhere<T>(
      suite, "or." + type, [](T a, T b) { return T(a | b); },
      [](Environment &environment) {
        return T(T(1) << environment.below(sizeof(T) * 8));
      });
  addEverywhere<T>(
      suite, "xor." + type, [](T a, T b) { return T(a ^ b); }, draw);
}

/// One thread after the other: exchange and compare-and-swap depend on order.
void addExchanges(Suite &suite) {
  auto one = [&](const std::string &form, const std::string &statements,
                 std::vector<uint32_t> want) {
    want.resize(8);
    suite.add(form, "sm_90", "exact", [=](Environment &environment) {
      expectSame("result", resultsOfThread0(environment, statements), want);
    });
  };
  for (const char *space : {"shared", "global"}) {
    bool isShared = space[0] == 's';
    std::string place = isShared ? "[tile]" : "[%rd1+64]";
    std::string begin =
        std::string("st.") + space + ".v2.u32 " + place + ", {5, 6};\n";
    std::string look =
        std::string("\nld.") + space + ".v2.u32 {%r14, %r15}, " + place + ";\n";
    if (!isShared)
      begin = "mov.u32 %r1, 5; mov.u32 %r2, 6;\n"
              "st.global.v2.u32 [%rd1+64], {%r1, %r2};\n";
    else
      begin = "mov.u32 %r1, 5; mov.u32 %r2, 6;\n"
              "st.shared.v2.u32 [tile], {%r1, %r2};\n";
    std::string opcode = std::string("atom.") + space;
    one(opcode + ".exch.b32",
        begin + opcode + ".exch.b32 %r8, " + place + ", 9;" + look,
        {5, 0, 0, 0, 0, 0, 9, 6});
    one(opcode + ".exch.b64",
        begin + "mov.b64 %rd4, {%r2, %r1};\n" + opcode + ".exch.b64 %rd5, " +
            place + ", %rd4;\nmov.b64 {%r8, %r9}, %rd5;" + look,
        {5, 6, 0, 0, 0, 0, 6, 5});
    one(opcode + ".cas.b32",
        begin + opcode + ".cas.b32 %r8, " + place + ", 4, 8;\n" + opcode +
            ".cas.b32 %r9, " + place + ", 5, 7;" + look,
        {5, 5, 0, 0, 0, 0, 7, 6});
    one(opcode + ".cas.b64",
        begin + "mov.b64 %rd4, {%r1, %r2}; mov.b64 %rd5, {%r2, %r1};\n" +
            opcode + ".cas.b64 %rd6, " + place +
            ", %rd5, %rd4;\nmov.b64 {%r8, %r9}, %rd6;\n" + opcode +
            ".cas.b64 %rd6, " + place +
            ", %rd4, %rd5;\nmov.b64 {%r10, %r11}, %rd6;" + look,
        {5, 6, 5, 6, 0, 0, 6, 5});
    one(opcode + ".cas.b16",
        begin + "mov.u16 %h1, 5; mov.u16 %h2, 77;\n" + opcode +
            ".cas.b16 %h3, " + place + ", %h1, %h2;\ncvt.u32.u16 %r8, %h3;" +
            look,
        {5, 0, 0, 0, 0, 0, 77, 6});
  }
}

} // namespace

void addAtomics(Suite &suite) {
  addIntegersOf<uint32_t>(suite, "u32", true);
  addIntegersOf<int32_t>(suite, "s32", true);
  addIntegersOf<uint64_t>(suite, "u64", true);
  addIntegersOf<int64_t>(suite, "s64", false);
  addBits<uint32_t>(suite, "b32");
  addBits<uint64_t>(suite, "b64");
  using U = uint32_t;
  // With one limit for all, order does not matter.
  auto limit = [](Environment &) { return U(9); };
  addEverywhere<U>(
      suite, "inc.u32", [](U a, U b) { return a >= b ? 0 : a + 1; }, limit);
  addEverywhere<U>(
      suite, "dec.u32", [](U a, U b) { return a == 0 || a > b ? b : a - 1; },
      limit);
  addEverywhere<float>(suite, "add.f32", sum<float>, number<float>);
  addEverywhere<double>(suite, "add.f64", sum<double>, number<double>);
  auto pairSum = [](auto a, auto b) {
    return makePair(sum(a.low(), b.low()), sum(a.high(), b.high()));
  };
  addEverywhere<Half2>(suite, "add.noftz.f16x2", pairSum, pair<Half>);
  addEverywhere<BFloat2>(suite, "add.noftz.bf16x2", pairSum, pair<BFloat>,
                         "sm_90");
  addEverywhere<Half>(suite, "add.noftz.f16", sum<Half>, number<Half>);
  addEverywhere<BFloat>(suite, "add.noftz.bf16", sum<BFloat>, number<BFloat>,
                        "sm_90");
  auto add32 = [](U a, U b) { return a + b; };
  for (const char *order : {"relaxed.cta", "relaxed.cluster", "relaxed.gpu",
                            "relaxed.sys", "acquire.gpu", "release.gpu",
                            "acq_rel.cta", "acq_rel.gpu", "acq_rel.sys"})
    add<U>(suite, std::string("atom.") + order + ".global.add.u32", add32,
           anyBits<U>, false, "sm_90");
  for (const char *order : {"relaxed.cta", "relaxed.cluster", "relaxed.gpu",
                            "relaxed.sys", "release.gpu"})
    add<U>(suite, std::string("red.") + order + ".global.add.u32", add32,
           anyBits<U>, false, "sm_90");
  addExchanges(suite);
}

} // namespace pbs::conformance

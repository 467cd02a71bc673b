// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads and stores in all spaces and widths, and addresses (PTX ISA, ld, st,
// ldu, prefetch, cvta, isspacep).

#include "Elementwise.h"

namespace pbs::conformance {
namespace {

using Words = std::vector<uint32_t>;

/// 128 threads with 16 bytes of input at %y0 and 32 bytes of output, which are
/// zeros, at %y1. Thread %x. The output is what \p expected makes of the input.
void add(
    Suite &suite, const std::string &form, const std::string &statements,
    const std::function<Words(uint32_t thread, const uint32_t *in)> &expected,
    const std::string &before = "", const char *target = "sm_80") {
  suite.add(form, target, "exact", [=](Environment &environment) {
    constexpr uint32_t threads = 128;
    Words values = environment.randomBits<uint32_t>(threads * 4);
    DeviceAddress out = environment.upload(Words(threads * 8));
    std::string ptx =
        before +
        ".visible .entry kernel(.param .u64 in, .param .u64 out) {\n"
        ".shared .align 16 .b8 tile[4096];\n"
        ".local .align 16 .b8 stack[64];\n"
        ".reg .b32 %x, %r<12>; .reg .b64 %y<8>; .reg .b16 %h<4>;\n"
        ".reg .pred %p<4>; .reg .f32 %f<8>; .reg .f64 %e<4>;\n"
        "ld.param.u64 %y0, [in]; ld.param.u64 %y1, [out];\n"
        "mov.u32 %x, %tid.x; mad.wide.u32 %y0, %x, 16, %y0;\n"
        "mad.wide.u32 %y1, %x, 32, %y1;\n" +
        statements + "\nret;\n}\n";
    LaunchConfiguration configuration;
    configuration.block = {threads, 1, 1};
    ParameterBuffer parameters;
    parameters.append(environment.upload(values));
    parameters.append(out);
    environment.launch(ptx, configuration, parameters);
    Words got = environment.download<uint32_t>(out, threads * 8);
    for (uint32_t thread = 0; thread < threads; ++thread) {
      Words want = expected(thread, &values[thread * 4]);
      want.resize(8);
      expectSame("thread " + std::to_string(thread) + " word",
                 Words(got.begin() + thread * 8, got.begin() + thread * 8 + 8),
                 want);
    }
  });
}

auto first(unsigned count) {
  return [=](uint32_t, const uint32_t *in) { return Words(in, in + count); };
}

void addWidths(Suite &suite) {
  struct Width {
    const char *type;
    uint32_t (*low)(uint32_t);
    uint32_t (*high)(uint32_t);
  };
  auto zero = [](uint32_t) { return 0u; };
  // What a register of 64 bits holds after a load of fewer.
  for (Width width :
       {Width{"u8", [](uint32_t a) { return a & 0xFF; }, zero},
        Width{"s8", [](uint32_t a) { return uint32_t(int8_t(a)); },
              [](uint32_t a) { return uint32_t(int8_t(a) >> 7); }},
        Width{"b8", [](uint32_t a) { return a & 0xFF; }, zero},
        Width{"u16", [](uint32_t a) { return a & 0xFFFF; }, zero},
        Width{"s16", [](uint32_t a) { return uint32_t(int16_t(a)); },
              [](uint32_t a) { return uint32_t(int16_t(a) >> 15); }},
        Width{"u32", [](uint32_t a) { return a; }, zero},
        Width{"s32", [](uint32_t a) { return a; },
              [](uint32_t a) { return uint32_t(int32_t(a) >> 31); }}}) {
    std::string type = width.type;
    add(suite, "ld.global." + type + " to 64 bits",
        "ld.global." + type + " %y2, [%y0];\nst.global.u64 [%y1], %y2;",
        [=](uint32_t, const uint32_t *in) {
          return Words{width.low(in[0]), width.high(in[0])};
        });
  }
  for (const char *bits : {"8", "16", "32", "64"})
    add(suite, std::string("st.global.b") + bits,
        std::string("ld.global.u64 %y2, [%y0];\nst.global.b") + bits +
            " [%y1], %y2;",
        [=](uint32_t, const uint32_t *in) {
          unsigned count = unsigned(std::atoi(bits));
          uint32_t mask = count < 32 ? (1u << count) - 1 : UINT32_MAX;
          return Words{in[0] & mask, count == 64 ? in[1] : 0};
        });
  add(suite, "ld.global.v2.b8",
      "ld.global.v2.b8 {%h0, %h1}, [%y0];\nst.global.v2.b8 [%y1], {%h1, %h0};",
      [](uint32_t, const uint32_t *in) {
        return Words{(in[0] >> 8 & 0xFF) | (in[0] & 0xFF) << 8};
      });
  add(suite, "ld.global.v4.u16",
      "ld.global.v4.u16 {%h0, %h1, %h2, %h3}, [%y0];\n"
      "st.global.v4.u16 [%y1], {%h1, %h0, %h3, %h2};",
      [](uint32_t, const uint32_t *in) {
        return Words{in[0] >> 16 | in[0] << 16, in[1] >> 16 | in[1] << 16};
      });
  add(suite, "ld.global.v2.u32",
      "ld.global.v2.u32 {%r0, %r1}, [%y0];\nst.global.v2.u32 [%y1], {%r1, "
      "%r0};",
      [](uint32_t, const uint32_t *in) { return Words{in[1], in[0]}; });
  add(suite, "ld.global.v4.f32",
      "ld.global.v4.f32 {%f0, %f1, %f2, %f3}, [%y0];\n"
      "st.global.v4.f32 [%y1], {%f0, %f1, %f2, %f3};",
      first(4));
  add(suite, "ld.global.v2.u64",
      "ld.global.v2.u64 {%y2, %y3}, [%y0];\nst.global.v2.u64 [%y1], {%y2, "
      "%y3};",
      first(4));
  add(suite, "ld.global.v2.f64",
      "ld.global.v2.f64 {%e0, %e1}, [%y0];\nst.global.v2.f64 [%y1], {%e0, "
      "%e1};",
      first(4));
}

/// Modifiers that change no result in one thread.
void addModifiers(Suite &suite) {
  for (const char *modifier : {"ld.global.nc",
                               "ld.global.ca",
                               "ld.global.cg",
                               "ld.global.cs",
                               "ld.global.lu",
                               "ld.global.cv",
                               "ld.volatile.global",
                               "ld.weak.global",
                               "ld.relaxed.cta.global",
                               "ld.relaxed.gpu.global",
                               "ld.relaxed.sys.global",
                               "ld.acquire.cta.global",
                               "ld.acquire.gpu.global",
                               "ld.acquire.sys.global",
                               "ld.relaxed.cluster.global",
                               "ld.acquire.cluster.global",
                               "ld.global.L1::evict_normal",
                               "ld.global.L1::evict_unchanged",
                               "ld.global.L1::evict_first",
                               "ld.global.L1::evict_last",
                               "ld.global.L1::no_allocate",
                               "ld.global.nc.L1::no_allocate",
                               "ld.global.L2::64B",
                               "ld.global.L2::128B",
                               "ld.global.L2::256B",
                               "ldu.global"})
    add(suite, std::string(modifier) + ".u32",
        std::string(modifier) + ".u32 %r0, [%y0];\nst.global.u32 [%y1], %r0;",
        first(1), "",
        std::string(modifier).find("cluster") == std::string::npos ? "sm_80"
                                                                   : "sm_90");
  add(suite, "ld.mmio.relaxed.sys.global.u32",
      "ld.mmio.relaxed.sys.global.u32 %r0, [%y0];\nst.global.u32 [%y1], %r0;",
      first(1));
  add(suite, "st.mmio.relaxed.sys.global.u32",
      "ld.global.u32 %r0, [%y0];\nst.mmio.relaxed.sys.global.u32 [%y1], %r0;",
      first(1));
  for (const char *modifier :
       {"st.global.wb", "st.global.cg", "st.global.cs", "st.global.wt",
        "st.volatile.global", "st.weak.global", "st.relaxed.cta.global",
        "st.relaxed.gpu.global", "st.relaxed.sys.global",
        "st.release.cta.global", "st.release.gpu.global",
        "st.release.sys.global", "st.relaxed.cluster.global",
        "st.release.cluster.global", "st.global.L1::evict_normal",
        "st.global.L1::evict_unchanged", "st.global.L1::evict_first",
        "st.global.L1::evict_last", "st.global.L1::no_allocate"})
    add(suite, std::string(modifier) + ".u32",
        "ld.global.u32 %r0, [%y0];\n" + std::string(modifier) +
            ".u32 [%y1], %r0;",
        first(1), "",
        std::string(modifier).find("cluster") == std::string::npos ? "sm_80"
                                                                   : "sm_90");
  add(suite, "ld.global.L2::cache_hint.u32",
      "mov.u64 %y2, 0x12F0000000000000;\n"
      "ld.global.L2::cache_hint.u32 %r0, [%y0], %y2;\n"
      "st.global.u32 [%y1], %r0;",
      first(1));
  add(suite, "st.global.L2::cache_hint.u32",
      "mov.u64 %y2, 0x12F0000000000000;\nld.global.u32 %r0, [%y0];\n"
      "st.global.L2::cache_hint.u32 [%y1], %r0, %y2;",
      first(1));
  for (const char *hint :
       {"prefetch.global.L1", "prefetch.global.L2",
        "prefetch.global.L2::evict_last", "prefetch.global.L2::evict_normal",
        "prefetchu.L1", "applypriority.global.L2::evict_normal"}) {
    std::string statement = std::string(hint) + " [%y0]";
    if (hint[0] == 'a')
      statement =
          "and.b64 %y2, %y0, -128;\n" + std::string(hint) + " [%y2], 128";
    add(suite, hint,
        statement + ";\nld.global.u32 %r0, [%y0];\nst.global.u32 [%y1], %r0;",
        first(1));
  }
  // Its memory has no contents behind it, so all is written again.
  add(suite, "discard.global.L2",
      "ld.global.u32 %r0, [%y0];\nand.b64 %y2, %y1, -128;\n"
      "discard.global.L2 [%y2], 128;\nbar.sync 0;\n"
      "st.global.v4.u32 [%y1], {%r0, %r0, %r0, %r0};\n"
      "st.global.v4.u32 [%y1+16], {%r0, %r0, %r0, %r0};",
      [](uint32_t, const uint32_t *in) { return Words(8, in[0]); });
}

void addSpaces(Suite &suite) {
  const std::string load = "ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%y0];\n";
  const std::string place = "mov.u32 %r4, tile; mad.lo.u32 %r5, %x, 16, %r4;\n"
                            "xor.b32 %r6, %x, 1;\n"
                            "mad.lo.u32 %r6, %r6, 16, %r4;\n";
  const std::string end = "\nst.global.v4.u32 [%y1], {%r0, %r1, %r2, %r3};";
  add(suite, "ld.shared.v4.u32",
      load + place +
          "st.shared.v4.u32 [%r5], {%r3, %r2, %r1, %r0};\n"
          "bar.sync 0;\n"
          "ld.shared.v4.u32 {%r0, %r1, %r2, %r3}, [%r5];" +
          end,
      [](uint32_t, const uint32_t *in) {
        return Words{in[3], in[2], in[1], in[0]};
      });
  add(suite, "st.shared.v2.u64",
      place +
          "ld.global.v2.u64 {%y2, %y3}, [%y0];\n"
          "st.shared.v2.u64 [%r5], {%y3, %y2};\nbar.sync 0;\n"
          "ld.shared.v4.u32 {%r0, %r1, %r2, %r3}, [%r5];" +
          end,
      [](uint32_t, const uint32_t *in) {
        return Words{in[2], in[3], in[0], in[1]};
      });
  // The neighbour's.
  add(suite, "ld.volatile.shared.u32",
      load + place +
          "st.volatile.shared.u32 [%r5], %x;\nbar.sync 0;\n"
          "ld.volatile.shared.u32 %r0, [%r6];\n"
          "st.global.u32 [%y1], %r0;",
      [](uint32_t thread, const uint32_t *) { return Words{thread ^ 1}; });
  add(suite, "ld.u32 of shared memory",
      load + place +
          "cvt.u64.u32 %y2, %r5; cvta.shared.u64 %y2, %y2;\n"
          "st.u32 [%y2], %r1;\nbar.sync 0;\nld.u32 %r0, [%y2];\n"
          "st.u32 [%y1], %r0;",
      [](uint32_t, const uint32_t *in) { return Words{in[1]}; });
  add(suite, "ld.local.u32",
      load + "mov.u32 %r4, stack; and.b32 %r5, %x, 12; add.u32 %r5, %r5, %r4;\n"
             "st.local.v4.u32 [stack], {%r0, %r1, %r2, %r3};\n"
             "ld.local.u32 %r0, [%r5];\nst.global.u32 [%y1], %r0;",
      [](uint32_t thread, const uint32_t *in) {
        return Words{in[thread / 4 % 4]};
      });
  add(suite, "ld.u32 of local memory",
      load + "mov.u64 %y2, stack; cvta.local.u64 %y2, %y2;\n"
             "st.u32 [%y2+8], %r3;\nld.local.u32 %r0, [stack+8];\n"
             "st.global.u32 [%y1], %r0;",
      [](uint32_t, const uint32_t *in) { return Words{in[3]}; });
  add(
      suite, "ld.const.u32",
      "and.b32 %r4, %x, 7; mul.wide.u32 %y2, %r4, 4; mov.u64 %y3, numbers;\n"
      "add.u64 %y2, %y2, %y3;\nld.const.u32 %r0, [%y2];\n"
      "ld.const.u32 %r1, [numbers+8];\nst.global.v2.u32 [%y1], {%r0, %r1};",
      [](uint32_t thread, const uint32_t *) {
        static const uint32_t numbers[8] = {10, 20, uint32_t(-2), 7, 5};
        return Words{numbers[thread % 8], uint32_t(-2)};
      },
      ".const .align 16 .u32 numbers[8] = {10, 0x14, -2, 7, 5};\n");
  add(
      suite, "ld.global.u64 of a variable's address",
      "ld.global.u64 %y2, [link];\nld.global.u32 %r0, [%y2];\n"
      "mov.u64 %y3, words; add.u64 %y3, %y3, 4;\n"
      "sub.u64 %y3, %y3, %y2;\ncvt.u32.u64 %r1, %y3;\n"
      "st.global.v2.u32 [%y1], {%r0, %r1};",
      [](uint32_t, const uint32_t *) { return Words{22, 0}; },
      ".global .align 4 .u32 words[3] = {11, 22, 33};\n"
      ".global .align 8 .u64 link = words+4;\n");
  add(suite, "ld.param.u64 of half of it",
      "ld.param.u32 %r0, [in]; ld.param.u32 %r1, [in+4];\n"
      "mov.b64 %y2, {%r0, %r1}; mad.wide.u32 %y2, %x, 16, %y2;\n"
      "ld.global.u32 %r0, [%y2];\nst.global.u32 [%y1], %r0;",
      first(1));
}

void addAddresses(Suite &suite) {
  const std::string all = "mov.u64 %y2, tile; cvta.shared.u64 %y2, %y2;\n"
                          "mov.u64 %y3, stack; cvta.local.u64 %y3, %y3;\n";
  struct Space {
    const char *name;
    uint32_t bits;
  };
  for (Space space : {Space{"global", 1}, Space{"shared", 2},
                      Space{"shared::cta", 2}, Space{"local", 4}}) {
    std::string opcode = std::string("isspacep.") + space.name;
    add(suite, opcode,
        all + opcode + " %p0, %y1;\nselp.u32 %r0, 1, 0, %p0;\n" + opcode +
            " %p0, %y2;\nselp.u32 %r1, 2, 0, %p0;\n" + opcode +
            " %p0, %y3;\nselp.u32 %r2, 4, 0, %p0;\n"
            "or.b32 %r0, %r0, %r1; or.b32 %r0, %r0, %r2;\n"
            "st.global.u32 [%y1], %r0;",
        [=](uint32_t, const uint32_t *) { return Words{space.bits}; });
  }
  // There and back.
  for (const char *space : {"shared", "local", "global"}) {
    std::string name = space;
    std::string source = name == "shared"  ? "mov.u64 %y4, tile;\n"
                         : name == "local" ? "mov.u64 %y4, stack;\n"
                                           : "mov.u64 %y4, %y1;\n";
    std::string check = "cvta." + name + ".u64 %y5, %y4;\ncvta.to." + name +
                        ".u64 %y6, %y5;\nsub.u64 %y6, %y6, %y4;\n"
                        "st.global.u64 [%y1], %y6;";
    for (const char *form : {"cvta.", "cvta.to."})
      add(suite, form + name + ".u64", all + source + check,
          [](uint32_t, const uint32_t *) { return Words{0, 0}; });
  }
}

} // namespace

void addMemory(Suite &suite) {
  addWidths(suite);
  addModifiers(suite);
  addSpaces(suite);
  addAddresses(suite);
}

} // namespace pbs::conformance

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control flow and special registers (PTX ISA, "Control Flow Instructions" and
// "Special Registers").

#include "Elementwise.h"

#include "pbs/Runtime/Error.h"

#include <numeric>

namespace pbs::conformance {
namespace {

using U = uint32_t;

template <typename Function>
void add(Suite &suite, const std::string &form, const std::string &statements,
         Function function) {
  suite.add(
      form, "sm_80", "exact",
      Signature<decltype(&Function::operator())>::exact(statements, function));
}

void addBranches(Suite &suite) {
  add(suite, "bra",
      "setp.lt.u32 %p0, %a, %b; @%p0 bra LESS;\n"
      "sub.u32 %d, %a, %b; bra ON;\n"
      "LESS: sub.u32 %d, %b, %a;\nON:",
      [](U a, U b) { return a < b ? b - a : a - b; });
  add(suite, "bra.uni", "mov.u32 %d, %a; bra.uni ON;\nadd.u32 %d, %d, 1;\nON:",
      [](U a) { return a; });
  // The steps of Collatz's sequence, up to 50.
  add(suite, "bra with loops of different lengths",
      "mov.u32 %d, 0;\nSTEP: setp.le.u32 %p0, %a, 1; @%p0 bra OUT;\n"
      "add.u32 %d, %d, 1; setp.ge.u32 %p1, %d, 50; @%p1 bra OUT;\n"
      "and.b32 %t0, %a, 1; setp.eq.u32 %p2, %t0, 0; @%p2 bra EVEN;\n"
      "mad.lo.u32 %a, %a, 3, 1; bra STEP;\nEVEN: shr.u32 %a, %a, 1; bra STEP;\n"
      "OUT:",
      [](U a) {
        U steps = 0;
        while (a > 1 && ++steps < 50)
          a = a % 2 ? a * 3 + 1 : a / 2;
        return steps;
      });
  add(suite, "brx.idx",
      "and.b32 %t0, %a, 3;\nPLACES: .branchtargets ZERO, ONE, TWO, THREE;\n"
      "brx.idx %t0, PLACES;\nZERO: mov.u32 %d, 10; bra ON;\n"
      "ONE: mov.u32 %d, 21; bra ON;\nTWO: mov.u32 %d, 32; bra ON;\n"
      "THREE: mov.u32 %d, 43;\nON:",
      [](U a) { return 10 + 11 * (a & 3); });
  // Where they end, nothing is stored.
  for (const char *name : {"ret", "exit"})
    suite.add(name, "sm_80", "exact", [=](Environment &environment) {
      DeviceAddress out = environment.upload(std::vector<U>(64));
      LaunchConfiguration configuration;
      configuration.block = {64, 1, 1};
      ParameterBuffer parameters;
      parameters.append(out);
      environment.launch(
          ".visible .entry kernel(.param .u64 out) {\n"
          ".reg .b32 %r; .reg .b64 %y; .reg .pred %p;\n"
          "ld.param.u64 %y, [out]; mov.u32 %r, %tid.x;\n"
          "mad.wide.u32 %y, %r, 4, %y;\nsetp.lt.u32 %p, %r, 20; @%p " +
              std::string(name) + ";\nst.global.u32 [%y], %r;\nret;\n}\n",
          configuration, parameters);
      std::vector<U> want(64);
      for (U thread = 20; thread < 64; ++thread)
        want[thread] = thread;
      expectSame("thread", environment.download<U>(out, 64), want);
    });
  add(suite, "nanosleep.u32", "nanosleep.u32 40; mov.u32 %d, %a;",
      [](U a) { return a; });
}

void addCalls(Suite &suite) {
  suite.add("call", "sm_80", "exact", [](Environment &environment) {
    auto values = environment.randomBits<U>(64);
    DeviceAddress out = environment.allocate(256);
    LaunchConfiguration configuration;
    configuration.block = {64, 1, 1};
    ParameterBuffer parameters;
    parameters.append(environment.upload(values));
    parameters.append(out);
    environment.launch(
        ".func (.param .b32 result) twice(.param .b32 value) {\n"
        ".reg .b32 %r; ld.param.u32 %r, [value]; add.u32 %r, %r, %r;\n"
        "st.param.b32 [result], %r; ret;\n}\n"
        ".func (.reg .b32 %d) sum(.reg .b32 %a, .reg .b32 %b) {\n"
        "add.u32 %d, %a, %b; ret;\n}\n"
        ".visible .entry kernel(.param .u64 in, .param .u64 out) {\n"
        ".reg .b32 %r<4>; .reg .b64 %y<2>; .reg .pred %p;\n"
        "ld.param.u64 %y0, [in]; ld.param.u64 %y1, [out];\n"
        "mov.u32 %r0, %tid.x; mad.wide.u32 %y0, %r0, 4, %y0;\n"
        "mad.wide.u32 %y1, %r0, 4, %y1; ld.global.u32 %r1, [%y0];\n"
        "setp.lt.u32 %p, %r0, 10; @%p bra DONE;\n"
        "{\n.param .b32 argument; .param .b32 answer;\n"
        "st.param.b32 [argument], %r1;\n"
        "call (answer), twice, (argument);\nld.param.b32 %r1, [answer];\n}\n"
        "call (%r1), sum, (%r1, %r0);\nDONE: st.global.u32 [%y1], %r1;\n"
        "ret;\n}\n",
        configuration, parameters);
    std::vector<U> want(64);
    for (U thread = 0; thread < 64; ++thread)
      want[thread] = thread < 10 ? values[thread] : 2 * values[thread] + thread;
    expectSame("thread", environment.download<U>(out, 64), want);
  });
}

/// What each thread of a grid reads from special registers.
void addSpecialRegisters(Suite &suite) {
  struct Register {
    const char *name;
    std::function<U(std::array<U, 3> cta, std::array<U, 3> thread)> expected;
  };
  const std::array<U, 3> grid = {3, 2, 2}, block = {16, 3, 2};
  std::vector<Register> registers;
  static const char *const axes[] = {"x", "y", "z"};
  for (unsigned axis = 0; axis < 3; ++axis) {
    auto named = [&](const char *name, auto expected) {
      static std::vector<std::string> names;
      names.reserve(64);
      names.push_back(std::string(name) + "." + axes[axis]);
      registers.push_back({names.back().c_str(), expected});
    };
    named("%tid", [=](auto, auto thread) { return thread[axis]; });
    named("%ntid", [=](auto, auto) { return block[axis]; });
    named("%ctaid", [=](auto cta, auto) { return cta[axis]; });
    named("%nctaid", [=](auto, auto) { return grid[axis]; });
  }
  auto linear = [=](auto thread) {
    return thread[0] + block[0] * (thread[1] + block[1] * thread[2]);
  };
  registers.push_back(
      {"%laneid", [=](auto, auto thread) { return linear(thread) % 32; }});
  struct Mask {
    const char *name;
    U (*mask)(U lane);
  };
  static const Mask masks[] = {
      {"%lanemask_eq", [](U lane) { return 1u << lane; }},
      {"%lanemask_lt", [](U lane) { return (1u << lane) - 1; }},
      {"%lanemask_le", [](U lane) { return (2u << lane) - 1; }},
      {"%lanemask_gt", [](U lane) { return ~((2u << lane) - 1); }},
      {"%lanemask_ge", [](U lane) { return ~((1u << lane) - 1); }}};
  for (const Mask &mask : masks)
    registers.push_back({mask.name, [=](auto, auto thread) {
                           return mask.mask(linear(thread) % 32);
                         }});
  for (const Register &special : registers)
    suite.add(std::string("mov.u32 from ") + special.name, "sm_80", "exact",
              [=](Environment &environment) {
                const U threads = 96, ctas = 12;
                DeviceAddress out = environment.allocate(4 * threads * ctas);
                LaunchConfiguration configuration;
                configuration.grid = grid;
                configuration.block = block;
                ParameterBuffer parameters;
                parameters.append(out);
                environment.launch(
                    ".visible .entry kernel(.param .u64 out) {\n"
                    ".reg .b32 %r<4>; .reg .b64 %y;\n"
                    "ld.param.u64 %y, [out];\nmov.u32 %r0, %ctaid.z;\n"
                    "mov.u32 %r1, %ctaid.y; mad.lo.u32 %r0, %r0, 2, %r1;\n"
                    "mov.u32 %r1, %ctaid.x; mad.lo.u32 %r0, %r0, 3, %r1;\n"
                    "mov.u32 %r1, %tid.z; mad.lo.u32 %r0, %r0, 2, %r1;\n"
                    "mov.u32 %r1, %tid.y; mad.lo.u32 %r0, %r0, 3, %r1;\n"
                    "mov.u32 %r1, %tid.x; mad.lo.u32 %r0, %r0, 16, %r1;\n"
                    "mad.wide.u32 %y, %r0, 4, %y;\nmov.u32 %r2, " +
                        std::string(special.name) +
                        ";\nst.global.u32 [%y], %r2;\nret;\n}\n",
                    configuration, parameters);
                std::vector<U> want;
                for (U index = 0; index < threads * ctas; ++index) {
                  U thread = index % threads, cta = index / threads;
                  want.push_back(special.expected(
                      {cta % 3, cta / 3 % 2, cta / 6},
                      {thread % 16, thread / 16 % 3, thread / 48}));
                }
                expectSame("thread",
                           environment.download<U>(out, threads * ctas), want);
              });
  // Time goes on.
  for (const char *clock : {"%clock64", "%globaltimer"})
    add(suite, std::string("mov.u64 from ") + clock,
        std::string("mov.u64 %u0, ") + clock + ";\nnanosleep.u32 100;\n" +
            "mov.u64 %u1, " + clock +
            ";\nsetp.ge.u64 %p0, %u1, %u0;\nselp.u32 %d, 1, 0, %p0;",
        [](U) { return U(1); });
}

/// A trap ends the launch with an error, if one thread comes to it.
void addTrap(Suite &suite) {
  suite.add("trap", "sm_80", "exact", [](Environment &environment) {
    const std::string ptx =
        ".visible .entry kernel(.param .u64 out, .param .u32 which) {\n"
        ".reg .b32 %r<3>; .reg .b64 %y; .reg .pred %p;\n"
        "ld.param.u64 %y, [out]; ld.param.u32 %r1, [which];\n"
        "mov.u32 %r0, %tid.x; mad.wide.u32 %y, %r0, 4, %y;\n"
        "setp.eq.u32 %p, %r0, %r1; @%p trap;\n"
        "st.global.u32 [%y], %r0;\nret;\n}\n";
    DeviceAddress out = environment.allocate(256);
    LaunchConfiguration configuration;
    configuration.block = {64, 1, 1};
    auto launch = [&](U which) {
      ParameterBuffer parameters;
      parameters.append(out);
      parameters.append(which);
      environment.launch(ptx, configuration, parameters);
    };
    launch(64);
    std::vector<U> want(64);
    std::iota(want.begin(), want.end(), 0);
    expectSame("thread", environment.download<U>(out, 64), want);
    try {
      launch(37);
    } catch (const runtime::Error &) {
      throw RightFailure();
    }
    throw Mismatch("no error");
  });
}

} // namespace

void addControl(Suite &suite) {
  addTrap(suite);
  addBranches(suite);
  addCalls(suite);
  addSpecialRegisters(suite);
}

} // namespace pbs::conformance

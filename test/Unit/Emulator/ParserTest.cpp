// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EmulatorTest.h"

#include <sstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::HasSubstr;

namespace {

class ParserTest : public EmulatorTest {
protected:
  /// What loading \p text, with the header before it, says.
  std::string load(const std::string &text) {
    return errorOf([&] { device->loadModule(header + text, "test.ptx"); });
  }
  std::string body(const std::string &statements) {
    return load(
        ".entry k() {\n.reg .b32 %r<4>; .reg .pred %p; .reg .b64 %d;\n" +
        statements + "\n}\n");
  }
};

} // namespace

TEST_F(ParserTest, acceptsWhatTheGrammarAllows) {
  EXPECT_EQ(load(R"(
// a comment
/* another,
   of two lines */
.file 1 "some/file.cu" , 5, 6
.extern .func (.param .b32 r) elsewhere(.param .b64 a, .param .b64 b);
.global .align 4 .b8 text[5] = {104, 105, 0};
.visible .global .align 16 .v4 .f32 vector;
.weak .shared .align 8 .b8 shared_tile[2][16];
.section .debug_str {
  .b8 1, 2
  { .b8 3 }
}
.visible .entry k(
  .param .u64 .ptr .global .align 1 k_param_0,
  .param .align 64 .b8 k_param_1[128]
)
.maxntid 128, 1, 1
.minnctapersm 2
.maxnreg 168
.pragma "nounroll";
{
  .reg .pred 	%p<2>;
  .reg .b32 	%r<101>, single;
  .loc	1 3 5, function_name $L__info, inlined_at 1 7 9
  .pragma "used_bytes_mask 4095";
  mov.u32 single, 1;
  {
    .reg .b32 single;
    .reg .b64 %r<3>;
    mov.u32 single, 2;
    mov.u64 %r2, 3;
  $inner: bra.uni $inner_end;
  $inner_end:
  }
  mov.u32 %r100, 0b101 ; mov.u32 %r7, 017; mov.u32 %r8, 0xFFU & 0x0FU;
  @!%p1 bra $L__BB0_1;
$L__BB0_1: ret;
}
)"),
            "no error");
}

TEST_F(ParserTest, saysWhatIsWrongWhere) {
  EXPECT_EQ(errorOf([&] { device->loadModule("nonsense", "x.ptx"); }),
            "x.ptx:1: expected '.version' instead of 'nonsense'");
  EXPECT_EQ(errorOf([&] { device->loadModule("", "x.ptx"); }),
            "x.ptx:1: expected '.version' instead of the end of the text");
  EXPECT_EQ(body("mov.u32 %r1, %missing;"),
            "test.ptx:6: unknown name '%missing'");
  EXPECT_EQ(body("bra NOWHERE;"), "test.ptx:6: unknown name 'NOWHERE'");
  EXPECT_EQ(body("mov.u32 %r4, 1;"), "test.ptx:6: unknown name '%r4'");
  EXPECT_EQ(body("@%r1 ret;"), "test.ptx:6: '%r1' is no predicate register");
  EXPECT_EQ(body("mov.u32 %r1, 1"), "test.ptx:7: expected ';' before '}'");
  EXPECT_EQ(body("mov.u32 %r1, 09;"),
            "test.ptx:6: digit outside the number's base");
  EXPECT_EQ(body("mov.f32 %r1, 0f12;"),
            "test.ptx:6: 0f wants eight hexadecimal digits");
  EXPECT_EQ(body("mov.u32 %r1, 1/0;"),
            "test.ptx:6: division by zero in a constant");
  EXPECT_EQ(body("L: ret; L: ret;"), "test.ptx:6: 'L' is declared twice");
  EXPECT_EQ(load(".entry k() {\n"), "test.ptx:4: block without a '}'");
  EXPECT_EQ(load("/* no end"), "test.ptx:4: comment without an end");
  EXPECT_EQ(load(".strange"), "test.ptx:4: unknown directive '.strange'");
  EXPECT_EQ(load(".entry k() { ret; }\n.entry k() { ret; }"),
            "test.ptx:5: 'k' is declared twice");
  EXPECT_EQ(body("add.u32 %r1, %r2;"), "test.ptx:6: 'add' needs more operands");
  EXPECT_EQ(body("add.u32 %r1, %r2, 1, 2;"),
            "test.ptx:6: 'add' has too many operands");
  EXPECT_EQ(body("mov.u32 1, %r2;"),
            "test.ptx:6: a constant is no destination");
  EXPECT_EQ(body("ld.global.u32 %r1, %d;"),
            "test.ptx:6: expected an address in brackets");
  EXPECT_EQ(body("mov.u32 %r1, %tid.w;"),
            "test.ptx:6: '%tid' needs .x, .y or .z before '.w'");
}

TEST_F(ParserTest, refusesRecursionAndUnknownFunctions) {
  EXPECT_EQ(load(".func f();\n.func g() { call f; ret; }\n"
                 ".func f() { call g; ret; }\n.entry k() { call f; ret; }"),
            "test.ptx:6: recursive function 'f' is not supported");
  EXPECT_EQ(load(".extern .func vprintf();\n.entry k() { call vprintf; ret; }"),
            "test.ptx:5: function 'vprintf' has no body");
}

TEST_F(ParserTest, deepNestingIsRefused) {
  std::string open(5000, '{'), parentheses(5000, '(');
  EXPECT_THAT(body(open), HasSubstr("nested too deeply"));
  EXPECT_THAT(body("mov.u32 %r1, " + parentheses + "1;"),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(load(".global .u32 x = " + open), HasSubstr("nested too deeply"));
}

TEST_F(ParserTest, listsOfBranchTargetsAreLimitedTogether) {
  std::string labels = "L", branches;
  for (int i = 1; i < 3000; ++i)
    labels += ", L";
  for (int i = 0; i < 3000; ++i)
    branches += "brx.idx %r1, T;";
  EXPECT_EQ(body("T: .branchtargets " + labels + "; L: " + branches),
            "test.ptx:6: too many branch targets");
}

TEST_F(ParserTest, mutilatedTextNeverCrashes) {
  const std::string text = header + R"(
.global .align 4 .u32 numbers[4] = {1, 2, 3};
.func (.param .b32 r) f(.param .b32 x) { ret; }
.visible .entry k(.param .u64 p) .reqntid 32 {
  .reg .b32 %r<9>; .reg .b64 %d<3>; .reg .pred %p<2>;
  .shared .align 16 .b8 tile[64];
  ld.param.u64 %d1, [p]; mov.u32 %r1, %tid.x; mov.b64 {%r2, %r3}, %d1;
  setp.lt.and.u32 %p0|%p1, %r1, 4, !%p1;
  @%p0 bra L;
  mad.wide.u32 %d2, %r1, 4, %d1; ld.global.v2.u32 {%r4, %r5}, [%d2+-8];
  { .param .b32 a; .param .b32 b; st.param.b32 [a], %r1;
    call.uni (b), f, (a); ld.param.b32 %r6, [b]; }
  mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%r1, %r2, %r3, %r4},
    {%r1, %r2}, {%r1}, {0f00000000, 0f00000000, %r2, %r3};
  cp.async.cg.shared.global [tile+16], [%d1], 16, %r1;
L: shfl.sync.bfly.b32 %r7|%p0, %r1, 1, 31, -1; bar.sync 0; ret;
}
)";
  EXPECT_EQ(errorOf([&] { device->loadModule(text, "m.ptx"); }), "no error");
  for (unsigned round = 0; round < 3000; ++round) {
    std::string mutant = text;
    for (unsigned change = random() % 4 + 1; change != 0; --change) {
      size_t at = random() % mutant.size();
      size_t from = random() % mutant.size();
      size_t length = random() % 12;
      switch (random() % 4) {
      case 0:
        mutant[at] = char(random());
        break;
      case 1:
        mutant.erase(at, length);
        break;
      case 2:
        mutant.insert(at, mutant.substr(from, length));
        break;
      default:
        mutant[at] = "0123456789{}()[]<>%.,;:@!|+-"[random() % 28];
        break;
      }
    }
    // Loads, or says why not; either is fine.
    std::string message = errorOf([&] { device->loadModule(mutant, "m.ptx"); });
    ASSERT_EQ(message.find('\n'), std::string::npos) << seedText;
  }
}

// Any statement that loads also runs, to its end or to an Error, whatever its
// types and operands are: the sanitizers watch.
TEST_F(ParserTest, randomStatementsRunOrAreRefused) {
  struct Row {
    const char *name, *modifiers, *operands;
  };
  static constexpr Row rows[] = {
#define PBS_INSTRUCTION(name, class, modifiers, operands, selector)            \
  {name, modifiers, operands},
#include "Instructions.def"
#undef PBS_INSTRUCTION
  };
  const std::vector<std::string> types = {
      "pred", "b8",  "b16", "b32",   "b64",    "b128", "u16",
      "u32",  "u64", "s8",  "s16",   "s32",    "s64",  "f16",
      "bf16", "f32", "f64", "f16x2", "bf16x2", "tf32"};
  const std::vector<std::string> scalars = {
      "%p", "!%p", "%h", "%r",         "%s",     "%d", "%e",
      "_",  "1",   "16", "0f3F800000", "%tid.x", "-1", "tile"};
  const std::vector<std::string> addresses = {"[%d]",      "[%d+4]", "[tile]",
                                              "[tile+16]", "[%r]",   "[p]"};
  const std::vector<std::string> tensors = {"[%d, {%r}]",
                                            "[%d, {%r, %s}]",
                                            "[%d+128, {1, 2, 3}]",
                                            "[p, {%h, 2}]",
                                            "[tile, {1, 2, 3, 4, 5, 6}]",
                                            "[%d, %r]",
                                            "[%r, {}]"};
  const std::vector<std::string> spaces = {"",
                                           "",
                                           "",
                                           ".shared",
                                           ".global",
                                           ".local",
                                           ".shared::cluster",
                                           ".shared::cluster.global",
                                           ".global.shared::cta",
                                           ".shared::cluster.shared::cta"};
  auto any = [&](const std::vector<std::string> &list) {
    return list[random() % list.size()];
  };
  auto words = [](const std::string &text) {
    std::vector<std::string> result;
    std::istringstream stream(text);
    for (std::string word; stream >> word;)
      result.push_back(word);
    return result;
  };
  auto operand = [&](const std::string &pattern) {
    bool isOdd = random() % 8 == 0;
    if (pattern.substr(0, 2) == "[*" && random() % 2)
      return any(tensors);
    if (pattern[0] == '[' && !isOdd)
      return any(addresses);
    if (pattern.find('|') != std::string::npos && random() % 2)
      return any(scalars) + "|%p";
    if ((pattern[1] == 'v' || pattern[1] == 'm') && random() % 2) {
      std::string vector = "{" + any(scalars);
      for (uint64_t more = random() % 4; more != 0; --more)
        vector += ", " + any(scalars);
      return vector + "}";
    }
    return any(scalars);
  };
  DeviceAddress buffer = device->allocate(256);
  LaunchConfiguration configuration;
  configuration.block = {40, 1, 1};
  unsigned ran = 0;
  for (unsigned round = 0; round < 20000; ++round) {
    const Row &row = rows[random() % std::size(rows)];
    std::string statement = row.name;
    // Control flow has tests of its own; mov_clock is no PTX name.
    if (statement.find("call") == 0 || statement.find("br") == 0 ||
        statement == "mov_clock")
      continue;
    auto modifiers = words(row.modifiers);
    for (uint64_t count = random() % 3; count && !modifiers.empty(); --count)
      statement += "." + any(modifiers);
    statement += any(spaces);
    for (uint64_t count = random() % 3; count != 0; --count)
      statement += "." + any(types);
    std::string separator = " ";
    for (const std::string &pattern : words(row.operands)) {
      size_t optional = pattern.find('?');
      if (optional != std::string::npos && random() % 2)
        break;
      statement += separator + operand(pattern);
      separator = ", ";
    }
    std::string ptx = header +
                      ".visible .entry k(.param .u64 p) {\n.reg .b16 %h, %i;\n"
                      ".reg .b32 %r, %s;\n.reg .b64 %d, %e;\n.reg .pred %p;\n"
                      ".shared .align 16 .b8 tile[64];\nld.param.u64 %d, [p];\n"
                      "mov.u32 %r, 1;\nmov.u32 %s, 2;\n" +
                      statement + ";\nret;\n}\n";
    std::string message = errorOf([&] {
      auto module = device->loadModule(ptx, "m.ptx");
      device->launch(*module, "k", configuration,
                     Parameters().add(buffer).bytes);
      ++ran;
    });
    ASSERT_EQ(message.find('\n'), std::string::npos) << statement;
  }
  EXPECT_GT(ran, 100u) << seedText;
}

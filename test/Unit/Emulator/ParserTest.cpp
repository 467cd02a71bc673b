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
  /// What \p statements leave in %d, of type T, in every thread.
  template <typename T>
  void expectResult(const std::string &statements, T expected) {
    std::vector<T> results = evaluate<T>(statements);
    for (size_t thread = 0; thread < threads; ++thread)
      if (takesPart(thread))
        ASSERT_EQ(results[thread], expected) << statements << " in " << thread;
  }

  DeviceAddress results = upload(std::vector<uint32_t>(4));
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

// Types and results as ptxas has them.
TEST_F(ParserTest, constantExpressions) {
  const std::pair<const char *, int64_t> expressions[] = {
      {"1 + 2 << 3", 24},
      {"2*3 % 4", 2},
      {"3 | 4 ^ 5 & 6", 3},
      {"1 || 0 && 0", 1},
      {"0 ? 2 : 1 ? 4 : 5", 4},
      {"1 ? -1 : 0U", -1},
      {"- -5", 5},
      {"-7/2", -3},
      {"-7 % 3", 0},
      {"5 % -2", 5},
      {"-7 >> 1", -4},
      {"-7U >> 1", 9223372036854775804},
      {"1 << 70", 64},
      {"(1<<63) >> 60", -8},
      {"0xFFFFFFFFFFFFFFFF / 2", 9223372036854775807},
      {"18446744073709551615 / 3", 6148914691236517205},
      {"(5U - 6) / 2", 9223372036854775807},
      {"(0 ? 1 : -2)/2", -1},
      {"~1 / 2", 9223372036854775807},
      {"~0 > 0", 1},
      {"-1 > 0U", 1},
      {"-1 < 0", 1},
      {"!0 / -1", -1},
      {"(.u64)-1 >> 60", 15},
      {"(.s64)0xFFFFFFFFFFFFFFFF >> 60", -1},
      {"1.5 < 2.0", 1},
      {"WARP_SZ*2 - 1", 63},
      {"0b101U + 017 + 0xFU + 0XF", 50}};
  for (auto [text, value] : expressions)
    expectResult<int64_t>("mov.b64 %d, " + std::string(text) + ";", value);
}

TEST_F(ParserTest, floatingPointConstants) {
  const std::pair<const char *, double> constants[] = {
      {".5", 0.5},
      {"1.", 1},
      {"1.e2", 100},
      {"1E+2", 100},
      {"25e-2", 0.25},
      {"1.0+2.0*3.0", 7},
      {"-(1.5)", -1.5},
      {"+1.5", 1.5},
      {"1 ? 2.5 : 3.5", 2.5},
      {"1.0/4.0-.25", 0.0},
      {"0D4000000000000000", 2}};
  for (auto [text, value] : constants)
    expectResult<double>("mov.f64 %d, " + std::string(text) + ";", value);
  expectResult<float>("mov.b32 %t0, 0F3F800000; add.f32 %d, %t0, .5;", 1.5f);
}

TEST_F(ParserTest, constantsOfOneKindOnly) {
  EXPECT_EQ(body("mov.f64 %d, 1.5*2;"),
            "test.ptx:6: integers and floating-point values mixed in a "
            "constant");
  EXPECT_EQ(body("mov.f64 %d, 1.5%2.5;"), "test.ptx:6: '%' is for integers");
  EXPECT_EQ(body("mov.u32 %r1, 1.5 ? 1 : 2;"),
            "test.ptx:6: a condition is an integer");
  EXPECT_EQ(load(".global .u32 x[2.5];"),
            "test.ptx:4: expected an integer before ']'");
}

TEST_F(ParserTest, initialisersHoldAddresses) {
  run(R"(
.global .u32 numbers[4] = {10, 11, 12, 13};
.global .u64 addresses[3] = {numbers+4, generic(numbers)+8, WARP_SZ};
.global .align 8 .b8 bytes[8] = {0xFF(numbers), 0xFF00(numbers),
  0xFF0000(numbers), 0xFF000000(numbers), 0xFF00000000(generic(numbers)),
  0xFF0000000000(numbers), 0xFF000000000000(numbers),
  0xFF00000000000000(numbers)};
.visible .entry k(.param .u64 out) {
  .reg .b64 %out, %d; .reg .b32 %r;
  ld.param.u64 %out, [out];
  ld.global.u64 %d, [addresses]; ld.global.u32 %r, [%d];
  st.global.u32 [%out], %r;
  ld.global.u64 %d, [addresses+8]; ld.global.u32 %r, [%d];
  st.global.u32 [%out+4], %r;
  ld.global.u64 %d, [bytes]; ld.global.u32 %r, [%d+12];
  st.global.u32 [%out+8], %r;
  ret;
})",
      {}, Parameters().add(results));
  EXPECT_THAT(download<uint32_t>(results, 3), testing::ElementsAre(11, 12, 13));
  EXPECT_EQ(load(".global .u32 a; .global .u8 b = 0xF0(a);"),
            "test.ptx:4: expected a mask of one byte instead of '0xF0'");
}

TEST_F(ParserTest, vectorRegisters) {
  expectResult<uint32_t>(R"({
    .reg .v4 .b32 v, %w<3>; .reg .v2 .b32 pair; .reg .align 4 .b32 sum;
    mov.b32 v.x, 1; mov.b32 v.g, 2; mov.b32 v.b, 3; mov.b32 v.w, 4;
    mov.v4.b32 %w2, {v.w, v.z, v.y, v.x};
    // Each element comes from the vector as it was.
    mov.v4.b32 %w2, {%w2.y, %w2.x, %w2.z, %w2.z};
    mov.b32 pair.x, 0; mov.b32 pair.y, 5;
    mov.b64 %u0, pair; shr.u64 %u0, %u0, 32; cvt.u32.u64 sum, %u0;
    mad.lo.u32 sum, %w2.x, 10, sum; mad.lo.u32 sum, %w2.y, 100, sum;
    mad.lo.u32 sum, %w2.z, 1000, sum; mad.lo.u32 %d, %w2.w, 10000, sum; })",
                         22435);
  EXPECT_EQ(body(".reg .v2 .b32 v; mov.b32 %r1, v.z;"),
            "test.ptx:6: a vector of 2 has no '.z'");
  EXPECT_EQ(body(".reg .v2 .b32 v; mov.v4.b32 v, v;"),
            "test.ptx:6: 'mov.v4.b32' moves a vector to a vector");
}

TEST_F(ParserTest, vectorRegistersAreLoadedAndStored) {
  run(R"(
.global .v4 .u32 numbers = {1, 2, 3, 4};
.visible .entry k(.param .u64 out) {
  .reg .b64 %out; .reg .v4 .u32 v; .reg .v2 .u32 %w<2>;
  ld.param.u64 %out, [out];
  ld.global.v4.u32 v, [numbers]; ld.global.v2.u32 %w1, [numbers+8];
  add.u32 v.a, v.r, %w1.y;
  st.global.v4.u32 [%out], v;
  ret;
})",
      {}, Parameters().add(results));
  EXPECT_THAT(download<uint32_t>(results, 4), testing::ElementsAre(1, 2, 3, 5));
}

TEST_F(ParserTest, elementsOfVariables) {
  run(R"(
.global .u16 numbers[4] = {10, 11, 12, 13};
.visible .entry k(.param .u64 out) {
  .reg .b64 %out, %d; .reg .b16 %h<2>;
  ld.param.u64 %out, [out];
  mov.u64 %d, numbers[1+1]; ld.global.u16 %h0, [%d];
  st.global.u16 numbers[0], 9; ld.global.u16 %h1, numbers[0];
  st.global.v2.u16 [%out], {%h0, %h1};
  ret;
})",
      {}, Parameters().add(results));
  EXPECT_THAT(download<uint16_t>(results, 2), testing::ElementsAre(12, 9));
}

TEST_F(ParserTest, specialRegistersOfOtherWidths) {
  expectResult<uint64_t>("mov.u64 %u0, %nsmid; mov.u16 %h0, %ntid.x;\n"
                         "cvt.u64.u16 %u1, %h0; add.u64 %d, %u0, %u1;",
                         132 + threads);
  expectResult<uint32_t>("mov.b32 %t0, %envreg31; mov.u64 %u0, "
                         "%current_graph_exec;\n"
                         "cvt.u32.u64 %t1, %u0; or.b32 %d, %t0, %t1;",
                         0);
  expectResult<uint32_t>(
      "mov.u64 %u0, %globaltimer; shr.u64 %u0, %u0, 32;\n"
      "cvt.u32.u64 %t0, %u0; mov.u32 %t1, %globaltimer_hi;\n"
      "sub.u32 %t0, %t1, %t0; setp.le.u32 %p0, %t0, 1; selp.u32 %d, 7, 8, %p0;",
      7);
  EXPECT_EQ(body("mov.u32 %r1, %reserved_smem_offset_1;"),
            "test.ptx:6: special register '%reserved_smem_offset_1' is not "
            "supported");
}

TEST_F(ParserTest, aliasesOfFunctions) {
  run(R"(
.func (.param .b32 r) seven() {
  st.param.b32 [r], 7;
  ret;
}
.visible .func (.param .b32 r) other();
.alias other, seven;
.visible .entry k(.param .u64 out) {
  .reg .b64 %out; .reg .b32 %r; .param .b32 result;
  ld.param.u64 %out, [out];
  call (result), other;
  ld.param.b32 %r, [result];
  st.global.u32 [%out], %r;
  ret;
})",
      {}, Parameters().add(results));
  EXPECT_THAT(download<uint32_t>(results, 1), testing::ElementsAre(7));
  EXPECT_EQ(load(".func f();\n.alias f, g;"), "test.ptx:5: 'g' is no function");
}

TEST_F(ParserTest, attributesHaveValues) {
  EXPECT_EQ(load(".global .attribute(.managed) .s32 g;\n"
                 ".global .attribute(.unified(19, 95)) .f32 f;\n"
                 ".func .attribute(.unified(1, 2)) f2() { ret; }"),
            "no error");
}

TEST_F(ParserTest, refusesRecursionAndUnknownFunctions) {
  EXPECT_EQ(load(".func f();\n.func g() { call f; ret; }\n"
                 ".func f() { call g; ret; }\n.entry k() { call f; ret; }"),
            "test.ptx:6: recursive function 'f' is not supported");
  EXPECT_EQ(load(".extern .func vprintf();\n.entry k() { call vprintf; ret; }"),
            "test.ptx:5: function 'vprintf' has no body");
  EXPECT_EQ(body("T: .callprototype _ (); call %d, T;"),
            "test.ptx:6: indirect calls are not supported");
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

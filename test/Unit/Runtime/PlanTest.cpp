// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TestSupport.h"

#include "pbs/Runtime/Plan.h"

#include <cmath>
#include <ctime>
#include <fstream>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

/// A plan that uses every feature of the format.
const std::string fullPlan = R"({
  "format": "pbs-plan", "version": 1, "producer": "a test",
  "module": {"ptx": "k.ptx", "cubin": "k.cubin", "chip": "sm_90a",
             "ptx_version": "8.6"},
  "entries": [{
    "name": "main",
    "sizes": ["B", "N"],
    "arguments": [
      {"name": "q", "role": "input", "type": "bf16", "shape": ["B", "N", 64],
       "strides": "rows", "alignment": 16},
      {"name": "p", "role": "input", "type": "i32", "shape": ["B", 2, "N"],
       "strides": "contiguous", "alignment": 4,
       "contents": {"kind": "permutation", "segment": 256}},
      {"name": "counts", "role": "input", "type": "i32",
       "shape": ["B", 2, ["ceildiv", "N", 128], 2],
       "strides": "contiguous", "alignment": 4,
       "contents": {"kind": "selection_counts", "indices": "indices",
                    "query_block": 128, "key_block": 128, "query_length": "N",
                    "key_length": "N", "causal": true, "permutation": "p",
                    "window": 9223372036854775807}},
      {"name": "indices", "role": "input", "type": "u16",
       "shape": ["B", 2, ["ceildiv", "N", 128], 5],
       "strides": "contiguous", "alignment": 2,
       "contents": {"kind": "selection_indices", "counts": "counts"}},
      {"name": "out", "role": "output", "type": "f32", "shape": ["B", "N"],
       "strides": "rows", "alignment": 4}
    ],
    "requirements": [{"condition": ["le", "N", ["stride", "q", 0]],
                      "message": "rows fit"}],
    "buffers": [{"name": "work", "bytes": ["mul", "multiprocessors", 64],
                 "alignment": 128}],
    "tensor_maps": [{"name": "qmap", "tensor": "q", "offset": 32,
                     "type": "bf16", "shape": [64, "N"], "strides": [128],
                     "box": [64, 16], "swizzle": 128}],
    "steps": [
      {"memset": {"buffer": "work", "value": 255, "bytes": 64},
       "guard": ["gt", "N", 1]},
      {"launch": {"kernel": "k", "grid": ["B", 1, ["ceildiv", "N", 16]],
                  "block": [128, 1, 1], "cluster": [2, 1, 1],
                  "shared_bytes": 65536,
                  "attributes": {"programmatic_stream_serialization": true},
                  "parameters": [{"pointer": "q"},
                                 {"pointer": "work", "offset": ["mul", "B", 4]},
                                 {"i32": "N"}, {"i64": ["stride", "q", 1]},
                                 {"f32": 0.0883883461}, {"tensor_map": "qmap"}]}}
    ]
  }]
})";

std::string replaced(const std::string &from, const std::string &to) {
  std::string text = fullPlan;
  size_t position = text.find(from);
  EXPECT_NE(position, std::string::npos) << from;
  return text.replace(position, from.size(), to);
}

/// The message for the full plan with \p from replaced.
std::string messageWith(const std::string &from, const std::string &to) {
  std::string message =
      messageOf([&] { parsePlan(replaced(from, to), "p.plan.json"); });
  EXPECT_THAT(message, StartsWith("p.plan.json: "));
  return message;
}

/// The value of \p expression, which stands where the full plan has a buffer's
/// size, with B = 3, N = 1000 and q's strides (5, 7, 1).
int64_t valueOf(const std::string &expression) {
  Plan plan =
      parsePlan(replaced(R"(["mul", "multiprocessors", 64])", expression), "p");
  Bindings bindings;
  bindings.sizes = {{"B", 3}, {"N", 1000}, {"multiprocessors", 132}};
  bindings.strides = {{"q", {5, 7, 1}}};
  return plan.entries[0].buffers[0].bytes.evaluate(bindings);
}

TEST(Plan, ReadsEveryFeature) {
  Plan plan = parsePlan(fullPlan, "folder/p.plan.json");
  EXPECT_EQ(plan.ptxPath(), "folder/k.ptx");
  EXPECT_EQ(plan.cubin, "k.cubin");
  EXPECT_EQ(plan.chip, "sm_90a");
  EXPECT_EQ(plan.ptxVersion, "8.6");
  const Entry &entry = plan.findEntry("");
  EXPECT_EQ(&entry, &plan.findEntry("main"));
  EXPECT_EQ(entry.inputCount(), 4u);
  EXPECT_EQ(entry.findArgument("none"), nullptr);
  const Argument &q = *entry.findArgument("q");
  EXPECT_EQ(q.type, ElementType::BF16);
  EXPECT_EQ(q.strides, StrideRule::Rows);
  EXPECT_EQ(q.shape[2].toString(), "64");
  const auto &counts =
      std::get<SelectionCountsContents>(entry.arguments[2].contents);
  EXPECT_EQ(counts.permutation, "p");
  EXPECT_TRUE(counts.causal);
  EXPECT_EQ(counts.window, INT64_MAX);
  EXPECT_EQ(entry.tensorMaps[0].box, (std::vector<uint32_t>{64, 16}));
  EXPECT_EQ(std::get<Memset>(entry.steps[0].action).value, 255);
  EXPECT_TRUE(entry.steps[0].guard.has_value());
  const Launch &launch = std::get<Launch>(entry.steps[1].action);
  EXPECT_EQ(launch.cluster[0], 2u);
  EXPECT_TRUE(launch.programmaticStreamSerialization);
  EXPECT_EQ(launch.sharedBytes.toString(), "65536");
  ASSERT_EQ(launch.parameters.size(), 6u);
  EXPECT_EQ(std::get<F32Parameter>(launch.parameters[4]).value, 0.0883883461f);
  EXPECT_EQ(std::get<PointerParameter>(launch.parameters[1]).offset.toString(),
            R"(["mul","B",4])");
}

TEST(Plan, ReadsSharedBytesAsAnExpression) {
  Bindings bindings;
  bindings.sizes = {{"B", 3}, {"N", 1000}, {"multiprocessors", 132}};
  bindings.strides = {{"q", {5, 7, 1}}};
  auto bytesOf = [&](const std::string &expression) {
    Plan plan = parsePlan(replaced("65536", expression), "p");
    return std::get<Launch>(plan.entries[0].steps[1].action)
        .sharedBytes.evaluate(bindings);
  };
  EXPECT_EQ(bytesOf("0"), 0);
  EXPECT_EQ(bytesOf("2147483647"), INT32_MAX);
  EXPECT_EQ(bytesOf(R"("N")"), 1000);
  EXPECT_EQ(bytesOf(R"(["add", ["mul", ["ceildiv", "N", 128], 5], 528])"), 568);
  EXPECT_EQ(bytesOf(R"(["mul", "multiprocessors", ["stride", "q", 1]])"), 924);
}

TEST(Plan, EvaluatesEveryOperator) {
  EXPECT_EQ(valueOf(R"("multiprocessors")"), 132);
  EXPECT_EQ(valueOf(R"(["stride", "q", 1])"), 7);
  EXPECT_EQ(valueOf(R"(["add", "B", ["sub", 10, "N"]])"), -987);
  EXPECT_EQ(valueOf(R"(["select", ["lt", "B", "N"], 5, ["mod", 1, 0]])"), 5);
  EXPECT_EQ(valueOf(R"(["select", 0, ["mod", 1, 0], -5])"), -5);
  EXPECT_EQ(valueOf(R"(["and", 0, ["mod", 1, 0]])"), 0);
  EXPECT_EQ(valueOf(R"(["and", 2, 4])"), 1);
  EXPECT_EQ(valueOf(R"(["or", -1, ["mod", 1, 0]])"), 1);
  EXPECT_EQ(valueOf(R"(["or", 0, 0])"), 0);
  EXPECT_EQ(valueOf(R"(["floordiv", -9223372036854775808, 1])"), INT64_MIN);
  EXPECT_EQ(valueOf(R"(["mod", -9223372036854775808, -1])"), 0);
}

TEST(Plan, DividesAsMathematicsDoes) {
  std::mt19937_64 generator = freshGenerator();
  for (int i = 0; i < 300; ++i) {
    int64_t a = uniform(generator, -50, 50), b = uniform(generator, -9, 9);
    if (b == 0)
      continue;
    // The definitions, on exact quotients of small numbers.
    int64_t floor = std::floor(static_cast<double>(a) / b);
    int64_t ceil = std::ceil(static_cast<double>(a) / b);
    std::string operands = std::to_string(a) + "," + std::to_string(b) + "]";
    EXPECT_EQ(valueOf("[\"floordiv\"," + operands), floor) << operands;
    EXPECT_EQ(valueOf("[\"ceildiv\"," + operands), ceil) << operands;
    EXPECT_EQ(valueOf("[\"mod\"," + operands), a - b * floor) << operands;
    EXPECT_EQ(valueOf("[\"min\"," + operands), std::min(a, b));
    EXPECT_EQ(valueOf("[\"max\"," + operands), std::max(a, b));
    EXPECT_EQ(valueOf("[\"eq\"," + operands), a == b);
    EXPECT_EQ(valueOf("[\"ne\"," + operands), a != b);
    EXPECT_EQ(valueOf("[\"lt\"," + operands), a < b);
    EXPECT_EQ(valueOf("[\"le\"," + operands), a <= b);
    EXPECT_EQ(valueOf("[\"gt\"," + operands), a > b);
    EXPECT_EQ(valueOf("[\"ge\"," + operands), a >= b);
  }
}

TEST(Plan, RefusesOverflowAndDivisionByZero) {
  for (const char *expression :
       {R"(["add",9223372036854775807,1])", R"(["sub",-2,9223372036854775807])",
        R"(["mul",4294967296,4294967296])",
        R"(["floordiv",-9223372036854775808,-1])",
        R"(["ceildiv",-9223372036854775808,-1])"})
    EXPECT_EQ(messageOf([&] { valueOf(expression); }),
              "expression " + std::string(expression) + " overflows 64 bits");
  for (const char *name : {"floordiv", "ceildiv", "mod"})
    EXPECT_EQ(
        messageOf([&] { valueOf("[\"" + std::string(name) + "\",\"N\",0]"); }),
        "expression [\"" + std::string(name) + "\",\"N\",0] divides by zero");
}

TEST(Plan, NamesThePositionOfASyntaxError) {
  EXPECT_THAT(messageOf([] { parsePlan("{\n  \"format\": ,\n}", "p"); }),
              StartsWith("p: line 2, column 13: syntax error"));
  EXPECT_THAT(messageOf([] { parsePlan("", "p"); }),
              StartsWith("p: line 1, column 1: "));
  EXPECT_EQ(messageOf([] { parsePlan("\x93NUMPY", "p"); }),
            "p: line 1, column 1: syntax error while parsing value - invalid "
            "literal; last read: '?'");
  EXPECT_THAT(messageOf([] { parsePlan("{} {}", "p"); }),
              StartsWith("p: line 1, column 4: "));
  EXPECT_THAT(messageOf([] { parsePlan("{\"a\": 1e999}", "p"); }),
              EndsWith("p: number overflow parsing '1e999'"));
}

TEST(Plan, NamesWhatIsWrong) {
  // What stands in the plan, what to put there, the end of the message.
  const char *cases[][3] = {
      {R"("format": "pbs-plan")", R"("format": "other")",
       R"(format: expected "pbs-plan", found "other")"},
      {R"("version": 1)", R"("version": 2)",
       "version: expected 1, the version this reader knows, found 2"},
      {R"("version": 1)", R"("version": 1, "version": 1)",
       "key \"version\" stands twice in an object"},
      {R"("version": 1,)", "",
       "not a launch plan (no keys format and version)"},
      {R"("producer": "a test",)", "", "missing key 'producer'"},
      {R"("producer": "a test",)", R"("producer": "a", "later": 1,)",
       "unknown key \"later\""},
      {R"("ptx": "k.ptx")", R"("ptx": "../k.ptx")",
       "module.ptx: expected a file name without a folder, found "
       "\"../k.ptx\""},
      {R"("sizes": ["B", "N"])", R"("sizes": ["B", "N", "M"])",
       "entries[0].sizes: no argument's shape binds size 'M'"},
      {R"("sizes": ["B", "N"])", R"("sizes": ["B", "N", "B"])",
       "entries[0].sizes[2]: size 'B' stands twice"},
      {R"("sizes": ["B", "N"])", R"("sizes": ["B"])",
       "entries[0].arguments[0].shape[1]: 'N' is not a size known here"},
      {R"("type": "bf16")", R"("type": "f64")",
       "type: expected bf16, f16, f32, i32, u16 or bool, found \"f64\""},
      {R"("role": "input")", R"("role": "inout")",
       "expected \"input\" or \"output\", found \"inout\""},
      {R"("role": "input")", R"("role": "output")",
       "entries[0].arguments[1].role: an input stands after an output"},
      {R"("alignment": 16)", R"("alignment": 24)",
       "alignment: expected a power of two, found 24"},
      {R"("strides": "rows")", R"("strides": "any")",
       "expected \"contiguous\" or \"rows\", found \"any\""},
      {R"("shape": ["B", "N", 64])", R"("shape": ["B", "multiprocessors", 64])",
       "'multiprocessors' is not a size known here"},
      {R"("shape": ["B", "N", 64])",
       R"("shape": ["B", ["stride", "q", 0], 64])",
       "'stride' cannot be used here"},
      {R"("shape": ["B", "N", 64])", R"("shape": ["B", 1.5, 64])",
       "shape[1]: expected a signed 64-bit integer, found 1.5"},
      {R"("shape": ["B", "N", 64])", R"("shape": ["B", 9223372036854775808])",
       "expected a signed 64-bit integer, found 9223372036854775808"},
      {R"("name": "p")", R"("name": "q")",
       "'q' is already an argument or buffer"},
      {R"({"kind": "permutation", "segment": 256})",
       R"({"kind": "permutation", "segment": 0})",
       "segment: expected an integer between 1 and 2147483647, found 0"},
      {R"("window": 9223372036854775807)", R"("window": 0)",
       "window: expected an integer between 1 and 9223372036854775807, found "
       "0"},
      {R"("window": 9223372036854775807)", R"("window": "N")",
       "window: expected an integer between 1 and 9223372036854775807, found "
       "\"N\""},
      {R"({"kind": "permutation", "segment": 256})", R"({"kind": "sorted"})",
       "expected permutation, selection_counts or selection_indices, found "
       "\"sorted\""},
      {R"("shape": ["B", 2, "N"])", R"("shape": ["B", 2, "N", 1])",
       "contents 'permutation' need an argument of type i32 and rank 3"},
      {R"("indices": "indices")", R"("indices": "q")",
       "no argument 'q' has contents selection_indices that name 'counts'"},
      {R"("counts": "counts")", R"("counts": "p")",
       "no argument 'indices' has contents selection_indices that name "
       "'counts'"},
      {R"("permutation": "p")", R"("permutation": "q")",
       "no argument 'q' has contents permutation"},
      {R"(["le", "N", ["stride", "q", 0]])", R"(["le", "N"])",
       "condition: 'le' takes 2 operands, found 1"},
      {R"(["le", "N", ["stride", "q", 0]])", R"(["power", "N", 2])",
       "condition: unknown operator 'power'"},
      {R"(["le", "N", ["stride", "q", 0]])", R"([])",
       "expected an integer, a size's name or [operator, ...], found []"},
      {R"(["stride", "q", 0])", R"(["stride", "q", 3])",
       "expected an integer between 0 and 2, found 3"},
      {R"(["stride", "q", 0])", R"(["stride", "none", 0])",
       "no argument 'none'"},
      {R"("tensor": "q")", R"("tensor": "none")",
       "tensor: no argument or buffer 'none'"},
      {R"("strides": [128])", R"("strides": [])",
       "strides: expected 1 strides, found []"},
      {R"("box": [64, 16])", R"("box": [64, 257])",
       "box[1]: expected an integer between 1 and 256, found 257"},
      {R"("swizzle": 128)", R"("swizzle": 48)",
       "swizzle: expected 0, 32, 64 or 128, found 48"},
      {R"("buffer": "work")", R"("buffer": "q")", "buffer: 'q' is an input"},
      {R"("buffer": "work")", R"("buffer": "out")",
       "buffer: 'out' may have gaps, which no memset may touch"},
      {R"("value": 255)", R"("value": 256)",
       "value: expected an integer between 0 and 255, found 256"},
      {R"({"memset": {"buffer": "work", "value": 255, "bytes": 64},)", "{",
       "steps[0]: a step holds either 'memset' or 'launch'"},
      {R"("block": [128, 1, 1])", R"("block": [128, 16, 1])",
       "block: the product 2048 is above 1024"},
      {R"("block": [128, 1, 1])", R"("block": [128, 1])",
       "block: expected three integers, found [128,1]"},
      {R"("shared_bytes": 65536)", R"("shared_bytes": -1)",
       "shared_bytes: expected an integer between 0 and 2147483647, found -1"},
      {R"("shared_bytes": 65536)", R"("shared_bytes": 2147483648)",
       "shared_bytes: expected an integer between 0 and 2147483647, found "
       "2147483648"},
      {R"("shared_bytes": 65536)", R"("shared_bytes": 1.5)",
       "shared_bytes: expected an integer between 0 and 2147483647, found 1.5"},
      {R"("shared_bytes": 65536)", R"("shared_bytes": "M")",
       "shared_bytes: 'M' is not a size known here"},
      {R"("shared_bytes": 65536)", R"("shared_bytes": ["mul", "N"])",
       "shared_bytes: 'mul' takes 2 operands, found 1"},
      {R"("programmatic_stream_serialization": true)", R"("priority": 1)",
       "attributes: unknown key \"priority\""},
      {R"({"i32": "N"})", R"({"i8": "N"})",
       "expected pointer, i32, i64, f32 or tensor_map, found {\"i8\":\"N\"}"},
      {R"({"i32": "N"})", R"({"i32": "N", "offset": 1})",
       "unknown key \"offset\""},
      {R"({"f32": 0.0883883461})", R"({"f32": 1e39})",
       "f32: expected a number that fits f32, found 1e+39"},
      {R"({"tensor_map": "qmap"})", R"({"tensor_map": "kmap"})",
       "tensor_map: no tensor map 'kmap'"},
  };
  for (const auto &[from, to, end] : cases)
    EXPECT_THAT(messageWith(from, to), EndsWith(end));
}

TEST(Plan, NamesTheEntries) {
  Plan plan = parsePlan(fullPlan, "p");
  EXPECT_EQ(messageOf([&] { plan.findEntry("other"); }),
            "p: no entry 'other'; the plan holds main");
  plan.entries.push_back(plan.entries[0]);
  plan.entries[1].name = "second";
  EXPECT_EQ(messageOf([&] { plan.findEntry(""); }),
            "p: there are several entries, name one; the plan holds main, "
            "second");
  EXPECT_THAT(messageOf([] { readPlan("/nowhere/p.plan.json"); }),
              HasSubstr("cannot open"));
}

TEST(Plan, ReadsTheDocumentedExample) {
  std::ifstream stream(PBS_SOURCE_DIR "/docs/plan-format.md");
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  size_t begin = text.find("```json\n"), end = text.find("```", begin + 3);
  ASSERT_NE(begin, std::string::npos);
  text = text.substr(begin + 8, end - begin - 8);
  Plan plan = parsePlan(text, "example");
  EXPECT_EQ(plan.entries[0].name, "prefill");
}

TEST(Plan, RefusesDeepNesting) {
  std::string open(101, '['), close(101, ']');
  EXPECT_EQ(messageOf([&] { parsePlan(open + close, "p"); }),
            "p: nested deeper than 100 levels");
  EXPECT_THAT(
      messageOf([&] { parsePlan(open.substr(1) + close.substr(1), "p"); }),
      StartsWith("p: expected an object"));
}

/// Processor seconds to read \p text.
static double secondsToRead(const std::string &text) {
  std::clock_t start = std::clock();
  parsePlan(text, "p");
  return double(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST(Plan, TakesTimeInProportionToItsLength) {
  auto plan = [](const std::string &entries) {
    return R"({"format": "pbs-plan", "version": 1, "producer": "", "module":
               {"ptx": "k", "chip": "", "ptx_version": ""}, "entries": [)" +
           entries + "]}";
  };
  auto entry = [](const std::string &name, const std::string &sizes,
                  const std::string &arguments) {
    return R"({"name": ")" + name + R"(", "sizes": [)" + sizes +
           R"(], "arguments": [)" + arguments +
           R"(], "requirements": [], "buffers": [], "tensor_maps": [],
              "steps": []})";
  };
  auto entries = [&](int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += (i ? "," : "") + entry("e" + std::to_string(i), "", "");
    return plan(text);
  };
  auto sizes = [&](int count) {
    std::string names, arguments;
    for (int i = 0; i < count; ++i) {
      std::string number = std::to_string(i), comma = i ? "," : "";
      names += comma + "\"n" + number + "\"";
      arguments += comma + R"({"name": "a)" + number +
                   R"(", "role": "input", "type": "f32", "shape": ["n)" +
                   number + R"("], "strides": "contiguous", "alignment": 4})";
    }
    return plan(entry("main", names, arguments));
  };
  // Eight times the length; the square of that is 64.
  EXPECT_LT(secondsToRead(entries(32000)), 24 * secondsToRead(entries(4000)));
  EXPECT_LT(secondsToRead(sizes(16000)), 24 * secondsToRead(sizes(2000)));
}

TEST(Plan, SurvivesEveryTruncationAndFlippedBytes) {
  std::mt19937_64 generator = freshGenerator();
  auto parses = [](const std::string &text) {
    try {
      parsePlan(text, "p");
      return true;
    } catch (const Error &) {
      return false;
    }
  };
  for (size_t length = 0; length < fullPlan.size(); ++length)
    EXPECT_FALSE(parses(fullPlan.substr(0, length)));
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = fullPlan;
    damaged[uniform(generator, 0, damaged.size() - 1)] =
        static_cast<char>(generator());
    parses(damaged);
  }
}

} // namespace

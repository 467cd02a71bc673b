// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "TestSupport.h"

#include "pbs/Runtime/Arguments.h"
#include "pbs/Runtime/ArrayFile.h"

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::EndsWith;
using testing::HasSubstr;

namespace {

const std::string plan = R"({
  "format": "pbs-plan", "version": 1, "producer": "a test",
  "module": {"ptx": "k.ptx", "chip": "sm_80", "ptx_version": "7.0"},
  "entries": [{
    "name": "main", "sizes": ["B", "N"],
    "arguments": [
      {"name": "q", "role": "input", "type": "bf16", "shape": ["B", 4, "N", 64],
       "strides": "rows", "alignment": 16},
      {"name": "w", "role": "input", "type": "i32", "shape": [["add", "N", 1]],
       "strides": "contiguous", "alignment": 4},
      {"name": "out", "role": "output", "type": "f32",
       "shape": ["B", ["floordiv", "N", 2]], "strides": "rows", "alignment": 8}
    ],
    "requirements": [{"condition": ["le", "N", 100],
                      "message": "N is at most 100"}],
    "buffers": [], "tensor_maps": [], "steps": []
  }]
})";

struct Arguments : testing::Test {
  Entry entry = parsePlan(plan, "p").entries[0];
  /// B = 2, N = 10, with (B, N, H, D) storage of q.
  TensorDescriptor q = {ElementType::BF16,
                        {2, 4, 10, 64},
                        {2560, 64, 256, 1},
                        0x10000,
                        2 * 2560 * 2};
  TensorDescriptor w = {ElementType::I32, {11}, {1}, 0x20000, 44};
  TensorDescriptor out = {ElementType::F32, {2, 5}, {6, 1}, 0x30000, 44};

  std::vector<TensorDescriptor> all() { return {q, w, out}; }
  std::string bindMessage() {
    return messageOf([&] { bindArguments(entry, all()); });
  }
  std::string addressMessage() {
    bindArguments(entry, all());
    return messageOf([&] { checkAddresses(entry, all()); });
  }
};

TEST_F(Arguments, BindsSizesAndStrides) {
  Bindings bindings = bindArguments(entry, all());
  EXPECT_EQ(bindings.sizes,
            (std::map<std::string, int64_t>{{"B", 2}, {"N", 10}}));
  EXPECT_EQ(bindings.strides["q"], q.strides);
  EXPECT_EQ(bindings.strides["out"], out.strides);
  checkRequirements(entry, bindings);
  checkAddresses(entry, all());
  bindings = bindArguments(entry, {q, w});
  EXPECT_EQ(outputShapes(entry, bindings),
            (std::vector<std::vector<int64_t>>{{2, 5}}));
}

TEST_F(Arguments, IgnoresTheStrideOfExtentOne) {
  q.shape[0] = out.shape[0] = 1;
  q.strides[0] = -3;
  Bindings bindings = bindArguments(entry, all());
  EXPECT_EQ(bindings.strides["q"][0], 4 * 10 * 64);
  checkAddresses(entry, all());
}

TEST_F(Arguments, BroadcastsInputsButNotOutputs) {
  q.strides[1] = 0;
  bindArguments(entry, all());
  checkAddresses(entry, all());
  out.strides[0] = 4;
  EXPECT_EQ(addressMessage(), "entry 'main', argument 'out': strides (4, 1) "
                              "make elements of an output overlap");
}

TEST_F(Arguments, TakesASingleNumber) {
  std::string scalar = plan;
  std::string_view shape = R"([["add", "N", 1]])";
  scalar.replace(scalar.find(shape), shape.size(), "[]");
  entry = parsePlan(scalar, "p").entries[0];
  w = {ElementType::I32, {}, {}, 0x20000, 4};
  EXPECT_TRUE(bindArguments(entry, all()).strides["w"].empty());
  checkAddresses(entry, all());
  w.shape = w.strides = {1};
  EXPECT_THAT(bindMessage(), HasSubstr("argument 'w': has rank 1"));
}

TEST_F(Arguments, NamesAWrongType) {
  q.type = ElementType::F16;
  EXPECT_EQ(bindMessage(),
            "entry 'main', argument 'q': has type f16, expected bf16");
}

TEST_F(Arguments, NamesAWrongRank) {
  q.shape.pop_back();
  q.strides.pop_back();
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'q': has rank 3 and 3 "
                           "strides, expected rank 4");
}

TEST_F(Arguments, NamesAWrongExtent) {
  q.shape[3] = 128;
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'q': dimension 3 has extent "
                           "128, expected 64");
  q.shape[3] = 64;
  w.shape[0] = 12;
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'w': dimension 0 has extent "
                           "12, expected 11, which is [\"add\",\"N\",1]");
  w.shape[0] = 11;
  out.shape[0] = 3;
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'out': dimension 0 has "
                           "extent 3, expected 2, which is B of argument 'q', "
                           "dimension 0");
  out.shape[0] = 0;
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'out': dimension 0 has "
                           "extent 0, expected at least 1");
}

TEST_F(Arguments, NamesAWrongStride) {
  q.strides[3] = 2;
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'q': dimension 3 has stride "
                           "2, expected 1: the last dimension must be "
                           "contiguous");
  // Turned: the stride of dimension 2 is but what follows from it.
  q.strides = {2560, 64, 1, 255};
  EXPECT_THAT(bindMessage(), HasSubstr("dimension 3 has stride 255"));
  q.strides = {2560, 64, 255, 1};
  EXPECT_EQ(bindMessage(),
            "entry 'main', argument 'q': dimension 2 has stride 255, expected "
            "a multiple of 16 bytes (8 elements)");
  q.strides = {2560, -64, 256, 1};
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'q': dimension 1 has stride "
                           "-64, expected none below 0");
  q.strides = {INT64_MAX / 16 * 8, 64, 256, 1};
  EXPECT_THAT(bindMessage(), HasSubstr("too large"));
  q.strides = {2560, 64, 256, 1};
  w.strides[0] = 2;
  EXPECT_EQ(bindMessage(), "entry 'main', argument 'w': dimension 0 has stride "
                           "2, expected 1: the last dimension must be "
                           "contiguous");
}

TEST_F(Arguments, NamesAWrongCount) {
  EXPECT_EQ(messageOf([&] { bindArguments(entry, {q}); }),
            "entry 'main' takes 2 inputs and 1 outputs (q, w, out), found 1 "
            "arguments");
}

TEST_F(Arguments, NamesAnUnmetRequirement) {
  Bindings bindings = bindArguments(entry, all());
  bindings.sizes["N"] = 101;
  EXPECT_EQ(messageOf([&] { checkRequirements(entry, bindings); }),
            "entry 'main': requirement not met: N is at most 100 (B = 2, N = "
            "101)");
}

TEST_F(Arguments, NamesABadAddress) {
  out.address += 4;
  EXPECT_EQ(addressMessage(), "entry 'main', argument 'out': address 196612 is "
                              "not a multiple of 8 bytes");
  out.address = 0;
  EXPECT_EQ(addressMessage(),
            "entry 'main', argument 'out': the address is null");
  out.address = q.address + q.storageBytes - 8;
  EXPECT_EQ(addressMessage(),
            "entry 'main', argument 'out': overlaps argument 'q'");
  out.address = UINT64_MAX - 15;
  EXPECT_EQ(addressMessage(),
            "entry 'main', argument 'out': reaches beyond the end of memory");
}

TEST_F(Arguments, NamesAShortAllocation) {
  --q.storageBytes;
  EXPECT_EQ(addressMessage(),
            "entry 'main', argument 'q': shape (2, 4, 10, 64) with strides "
            "(2560, 64, 256, 1) needs 10240 bytes, the allocation has 10239");
}

TEST_F(Arguments, NamesAnEmptyOutput) {
  Bindings bindings = bindArguments(entry, {q, w});
  bindings.sizes["N"] = 1;
  EXPECT_EQ(messageOf([&] { outputShapes(entry, bindings); }),
            "entry 'main', argument 'out': dimension 1 would have extent 0, "
            "expected at least 1");
}

TEST_F(Arguments, LoadsFilesForArguments) {
  std::mt19937_64 generator = freshGenerator();
  TemporaryFolder folder;
  Array f32 = randomArray(generator, ElementType::F32, {2, 4, 10, 64});
  writeArray(folder / "q.npy", f32);
  writeArray(folder / "w.npy", randomArray(generator, ElementType::I32, {11}));
  std::vector<Array> arrays =
      loadArguments(entry, {folder / "q.npy", folder / "w.npy"});
  EXPECT_EQ(arrays[0].storage(), f32.convertTo(ElementType::BF16).storage());
  EXPECT_THAT(
      messageOf([&] { loadArgument(folder / "q.npy", entry.arguments[1]); }),
      EndsWith("q.npy: argument 'w' has type i32, the file holds f32"));
  EXPECT_EQ(messageOf([&] { loadArguments(entry, {folder / "q.npy"}); }),
            "entry 'main' takes 2 inputs (q, w), found 1 --arg");
}

} // namespace

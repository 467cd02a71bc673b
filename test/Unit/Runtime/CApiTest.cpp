// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs_runtime.h through the shared library alone, on the emulator or, where
// PBS_TEST_DEVICE says so, on another device.

#include "TestSupport.h"

#include "pbs_runtime.h"

#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

using namespace pbs::runtime::test;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

/// y[i] = 2 x[i] + i for the threads below n of each row.
const std::string ptx = R"(
.version 7.0
.target sm_80
.address_size 64
.visible .entry twice(.param .u64 x, .param .u64 y, .param .u32 n,
                      .param .u64 stride)
{
  .reg .pred %p;
  .reg .b32 %r<6>;
  .reg .b64 %rd<6>;
  mov.u32 %r1, %tid.x;
  ld.param.u32 %r2, [n];
  setp.ge.u32 %p, %r1, %r2;
  @%p ret;
  ld.param.u64 %rd1, [x];
  ld.param.u64 %rd2, [y];
  ld.param.u64 %rd5, [stride];
  mov.u32 %r5, %ctaid.x;
  cvt.u64.u32 %rd4, %r5;
  mul.lo.s64 %rd4, %rd4, %rd5;
  shl.b64 %rd4, %rd4, 2;
  add.s64 %rd1, %rd1, %rd4;
  mul.lo.u32 %r5, %r5, %r2;
  mul.wide.u32 %rd4, %r5, 4;
  add.s64 %rd2, %rd2, %rd4;
  mul.wide.u32 %rd3, %r1, 4;
  add.s64 %rd1, %rd1, %rd3;
  add.s64 %rd2, %rd2, %rd3;
  ld.global.u32 %r3, [%rd1];
  shl.b32 %r3, %r3, 1;
  add.u32 %r3, %r3, %r1;
  st.global.u32 [%rd2], %r3;
  ret;
}
)";

/// Doubles twice, with the first result in a workspace.
const std::string plan = R"({
  "format": "pbs-plan", "version": 1, "producer": "a test",
  "module": {"ptx": "twice.ptx", "chip": "sm_80", "ptx_version": "7.0"},
  "entries": [{
    "name": "main", "sizes": ["M", "N"],
    "arguments": [
      {"name": "x", "role": "input", "type": "i32", "shape": ["M", "N"],
       "strides": "rows", "alignment": 4},
      {"name": "y", "role": "output", "type": "i32", "shape": [3, "N"],
       "strides": "contiguous", "alignment": 4}
    ],
    "requirements": [{"condition": ["le", "N", 1024],
                      "message": "N is at most 1024"}],
    "buffers": [{"name": "once", "bytes": ["mul", 4, ["mul", "M", "N"]],
                 "alignment": 16}],
    "tensor_maps": [],
    "steps": [
      {"launch": {"kernel": "twice", "grid": ["M", 1, 1],
                  "block": [1024, 1, 1], "shared_bytes": 0,
                  "parameters": [{"pointer": "x"}, {"pointer": "once"},
                                 {"i32": "N"}, {"i64": ["stride", "x", 0]}]}},
      {"launch": {"kernel": "twice", "grid": ["M", 1, 1],
                  "block": [1024, 1, 1], "shared_bytes": 0,
                  "parameters": [{"pointer": "once"}, {"pointer": "y"},
                                 {"i32": "N"}, {"i64": "N"}]}}
    ]
  }]
})";

#define EXPECT_SUCCESS(call) EXPECT_EQ(call, PBS_SUCCESS) << pbs_error_message()
#define ASSERT_SUCCESS(call) ASSERT_EQ(call, PBS_SUCCESS) << pbs_error_message()

struct CApi : testing::Test {
  void SetUp() override {
    const char *name = std::getenv("PBS_TEST_DEVICE");
    ASSERT_SUCCESS(pbs_device_open(name ? name : "emulator", &device));
    ASSERT_SUCCESS(pbs_executable_parse(device, plan.c_str(), ptx.c_str(),
                                        nullptr, &executable));
    x.resize(rows * stride);
    for (int32_t &value : x)
      value = static_cast<int32_t>(generator());
    ASSERT_SUCCESS(pbs_allocate(device, x.size() * 4, &input));
    ASSERT_SUCCESS(pbs_allocate(device, rows * columns * 4, &output));
  }
  void TearDown() override {
    EXPECT_SUCCESS(pbs_free(device, input));
    EXPECT_SUCCESS(pbs_free(device, output));
    pbs_executable_free(executable);
    pbs_device_close(device);
  }

  pbs_tensor inputTensor(uint64_t address) const {
    return {address, x.size() * 4, PBS_I32, 2, shape, strides};
  }
  pbs_tensor outputTensor(uint64_t address) const {
    return {address, 0, PBS_I32, 2, shape, nullptr};
  }

  void upload() {
    ASSERT_SUCCESS(
        pbs_copy_to_device(device, input, x.data(), x.size() * 4, nullptr));
    ASSERT_SUCCESS(pbs_fill(device, output, 0xff, rows * columns * 4, nullptr));
    ASSERT_SUCCESS(pbs_synchronize(device, nullptr));
  }

  /// \p y is what the plan makes of x.
  void expectDoubled(const std::vector<int32_t> &y) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < columns; ++i) {
        auto value = static_cast<uint32_t>(x[row * stride + i]);
        ASSERT_EQ(static_cast<uint32_t>(y[row * columns + i]),
                  4 * value + 3 * i)
            << row << ", " << i;
      }
  }
  void expectOutput(pbs_stream stream) {
    std::vector<int32_t> y(rows * columns);
    ASSERT_SUCCESS(
        pbs_copy_to_host(device, y.data(), output, y.size() * 4, stream));
    expectDoubled(y);
  }

  std::mt19937_64 generator = freshGenerator();
  int64_t rows = 3, columns = uniform(generator, 1, 999);
  int64_t stride = columns + uniform(generator, 1, 9);
  int64_t shape[2] = {rows, columns}, strides[2] = {stride, 1};
  std::vector<int32_t> x;
  pbs_device *device = nullptr;
  pbs_executable *executable = nullptr;
  uint64_t input = 0, output = 0;
};

TEST_F(CApi, TellsItsVersion) {
  int major = 0, minor = -1;
  pbs_version(&major, &minor);
  EXPECT_EQ(major, PBS_RUNTIME_VERSION_MAJOR);
  EXPECT_EQ(minor, PBS_RUNTIME_VERSION_MINOR);
  EXPECT_THAT(pbs_device_chip(device), StartsWith("sm_"));
  EXPECT_STRNE(pbs_device_description(device), "");
}

TEST_F(CApi, DescribesTheArguments) {
  ASSERT_EQ(pbs_argument_count(executable), 2u);
  EXPECT_EQ(pbs_input_count(executable), 1u);
  pbs_argument argument;
  ASSERT_SUCCESS(pbs_describe_argument(executable, 0, &argument));
  EXPECT_STREQ(argument.name, "x");
  EXPECT_EQ(argument.is_output, 0);
  EXPECT_EQ(argument.type, PBS_I32);
  EXPECT_EQ(argument.rank, 2);
  EXPECT_EQ(argument.is_contiguous, 0);
  EXPECT_EQ(argument.alignment, 4);
  ASSERT_SUCCESS(pbs_describe_argument(executable, 1, &argument));
  EXPECT_EQ(argument.is_output, 1);
  EXPECT_EQ(argument.is_contiguous, 1);
  EXPECT_EQ(pbs_describe_argument(executable, 2, &argument), PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_error_message(), "argument 2: the entry takes 2");
  int64_t planned[2] = {};
  ASSERT_SUCCESS(pbs_argument_shape(executable, 1, planned));
  EXPECT_EQ(planned[0], 3);
  EXPECT_EQ(planned[1], -1);

  pbs_tensor tensor = inputTensor(0);
  int64_t extents[2] = {};
  ASSERT_SUCCESS(pbs_output_shape(executable, &tensor, 1, 0, extents));
  EXPECT_EQ(extents[0], rows);
  EXPECT_EQ(extents[1], columns);
  uint64_t bytes = 0;
  ASSERT_SUCCESS(pbs_workspace_bytes(executable, &tensor, 1, &bytes));
  EXPECT_EQ(bytes, uint64_t(rows * columns * 4));
}

TEST_F(CApi, RunsOnStreamsInItsOwnWorkspaceOrTheCallers) {
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  pbs_stream stream = nullptr;
  ASSERT_SUCCESS(pbs_stream_create(device, &stream));
  uint64_t workspace = 0, bytes = 0;
  ASSERT_SUCCESS(pbs_workspace_bytes(executable, arguments, 2, &bytes));
  ASSERT_SUCCESS(pbs_allocate(device, bytes, &workspace));
  for (pbs_stream on : {pbs_stream(nullptr), stream})
    for (uint64_t given : {uint64_t(0), workspace}) {
      upload();
      ASSERT_SUCCESS(pbs_run(executable, arguments, 2, given, bytes, on));
      expectOutput(on);
    }
  EXPECT_EQ(pbs_run(executable, arguments, 2, workspace, bytes - 1, stream),
            PBS_ERROR_INVALID);
  EXPECT_THAT(pbs_error_message(), HasSubstr("workspace: has"));
  EXPECT_SUCCESS(pbs_free(device, workspace));
  EXPECT_SUCCESS(pbs_stream_destroy(device, stream));
}

TEST_F(CApi, ReplaysAGraphOnNewData) {
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  pbs_graph *graph = nullptr;
  ASSERT_SUCCESS(pbs_graph_capture(executable, arguments, 2, &graph));
  // The graph keeps what it needs.
  pbs_executable_free(executable);
  executable = nullptr;
  pbs_stream stream = nullptr;
  ASSERT_SUCCESS(pbs_stream_create(device, &stream));
  for (int replay = 0; replay < 3; ++replay) {
    for (int32_t &value : x)
      value = static_cast<int32_t>(generator());
    upload();
    ASSERT_SUCCESS(pbs_graph_replay(graph, stream));
    expectOutput(stream);
  }
  pbs_graph_free(graph);
  EXPECT_SUCCESS(pbs_stream_destroy(device, stream));
}

TEST_F(CApi, RunsOnHostDataWithStrides) {
  // The output's rows lie apart too; the plan's rule for it is relaxed.
  std::string relaxed = plan;
  relaxed.replace(relaxed.find("\"contiguous\""), 12, "\"rows\"");
  pbs_executable *other = nullptr;
  ASSERT_SUCCESS(pbs_executable_parse(device, relaxed.c_str(), ptx.c_str(),
                                      "main", &other));
  int64_t outputStrides[] = {columns + 3, 1};
  std::vector<int32_t> y(rows * (columns + 3), 77);
  pbs_tensor arguments[] = {inputTensor(reinterpret_cast<uint64_t>(x.data())),
                            {reinterpret_cast<uint64_t>(y.data()), y.size() * 4,
                             PBS_I32, 2, shape, outputStrides}};
  ASSERT_SUCCESS(pbs_run_on_host_data(other, arguments, 2));
  std::vector<int32_t> packed;
  for (int64_t row = 0; row < rows; ++row) {
    auto begin = y.begin() + row * (columns + 3);
    packed.insert(packed.end(), begin, begin + columns);
    for (int64_t gap = columns; gap < columns + 3; ++gap)
      EXPECT_EQ(begin[gap], 77);
  }
  expectDoubled(packed);
  pbs_executable_free(other);
}

TEST_F(CApi, MeasuresBetweenEvents) {
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  upload();
  pbs_event *start = nullptr, *end = nullptr;
  ASSERT_SUCCESS(pbs_event_record(device, nullptr, &start));
  ASSERT_SUCCESS(pbs_run(executable, arguments, 2, 0, 0, nullptr));
  ASSERT_SUCCESS(pbs_event_record(device, nullptr, &end));
  double milliseconds = -1;
  ASSERT_SUCCESS(pbs_event_elapsed(start, end, &milliseconds));
  EXPECT_GT(milliseconds, 0);
  pbs_event_free(start);
  pbs_event_free(end);
}

TEST_F(CApi, LoadsFilesAndOutlivesItsDevice) {
  TemporaryFolder folder;
  std::ofstream(folder / "twice.plan.json") << plan;
  pbs_executable *loaded = nullptr;
  EXPECT_EQ(pbs_executable_load(device, (folder / "twice.plan.json").c_str(),
                                nullptr, &loaded),
            PBS_ERROR_INVALID);
  EXPECT_THAT(pbs_error_message(), HasSubstr("twice.ptx: cannot open"));
  std::ofstream(folder / "twice.ptx") << ptx;
  const char *name = std::getenv("PBS_TEST_DEVICE");
  pbs_device *another = nullptr;
  ASSERT_SUCCESS(pbs_device_open(name ? name : "emulator", &another));
  ASSERT_SUCCESS(pbs_executable_load(
      another, (folder / "twice.plan.json").c_str(), "main", &loaded));
  pbs_device_close(another);
  std::vector<int32_t> y(rows * columns);
  pbs_tensor arguments[] = {inputTensor(reinterpret_cast<uint64_t>(x.data())),
                            outputTensor(reinterpret_cast<uint64_t>(y.data()))};
  ASSERT_SUCCESS(pbs_run_on_host_data(loaded, arguments, 2));
  expectDoubled(y);
  pbs_executable_free(loaded);
}

TEST_F(CApi, ServesThreadsOneAfterTheOther) {
  std::vector<std::vector<int32_t>> results(4);
  std::vector<std::thread> threads;
  for (std::vector<int32_t> &y : results)
    threads.emplace_back([&] {
      y.resize(rows * columns);
      pbs_tensor arguments[] = {
          inputTensor(reinterpret_cast<uint64_t>(x.data())),
          outputTensor(reinterpret_cast<uint64_t>(y.data()))};
      for (int run = 0; run < 3; ++run)
        EXPECT_SUCCESS(pbs_run_on_host_data(executable, arguments, 2));
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::vector<int32_t> &y : results)
    expectDoubled(y);
}

TEST_F(CApi, SaysWhatIsWrong) {
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  auto expectInvalid = [&](const testing::Matcher<std::string> &message) {
    EXPECT_EQ(pbs_run(executable, arguments, 2, 0, 0, nullptr),
              PBS_ERROR_INVALID);
    EXPECT_THAT(std::string(pbs_error_message()), message);
    arguments[0] = inputTensor(input);
    arguments[1] = outputTensor(output);
  };
  arguments[0].type = PBS_F32;
  expectInvalid(HasSubstr("argument 'x': has type f32, expected i32"));
  arguments[0].type = static_cast<pbs_type>(17);
  expectInvalid(testing::StrEq("argument 0 ('x'): 17 is no pbs_type"));
  arguments[0].rank = -1;
  expectInvalid(testing::StrEq("argument 0 ('x'): has rank -1"));
  arguments[0].rank = 1;
  expectInvalid(HasSubstr("argument 'x': has rank 1"));
  arguments[0].shape = nullptr;
  expectInvalid(testing::StrEq("argument 0 ('x'): shape is NULL"));
  arguments[0].address = 0;
  expectInvalid(HasSubstr("argument 'x'"));
  arguments[1].bytes = 4 * rows * columns - 1;
  expectInvalid(HasSubstr("argument 'y'"));
  int64_t empty[] = {0, columns};
  arguments[0].shape = arguments[1].shape = empty;
  expectInvalid(HasSubstr("has extent 0, expected at least 1"));
  int64_t wide[] = {3, 1025};
  arguments[0] = {input, 0, PBS_I32, 2, wide, nullptr};
  arguments[1] = {output, 0, PBS_I32, 2, wide, nullptr};
  expectInvalid(HasSubstr("requirement not met: N is at most 1024"));

  EXPECT_EQ(pbs_run(executable, nullptr, 2, 0, 0, nullptr), PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_error_message(), "arguments is NULL");
  EXPECT_EQ(pbs_run(nullptr, arguments, 2, 0, 0, nullptr), PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_error_message(), "executable is NULL");
  EXPECT_EQ(pbs_run(executable, arguments, 1, 0, 0, nullptr),
            PBS_ERROR_INVALID);
  EXPECT_THAT(pbs_error_message(), EndsWith("found 1"));
  pbs_executable *none = nullptr;
  EXPECT_EQ(
      pbs_executable_parse(device, plan.c_str(), ptx.c_str(), "other", &none),
      PBS_ERROR_INVALID);
  EXPECT_EQ(pbs_executable_parse(device, "{", ptx.c_str(), nullptr, &none),
            PBS_ERROR_INVALID);
  EXPECT_THAT(pbs_error_message(), StartsWith("the plan"));
  EXPECT_EQ(none, nullptr);
  EXPECT_NE(pbs_free(device, input + 4), PBS_SUCCESS);
  pbs_device *missing = nullptr;
  for (const char *name : {"gpu", "cuda:", "cuda:4294967296"})
    EXPECT_EQ(pbs_device_open(name, &missing), PBS_ERROR_INVALID) << name;
  EXPECT_EQ(pbs_device_open("cuda:4096", &missing), PBS_ERROR_UNAVAILABLE);
  EXPECT_EQ(missing, nullptr);
}

TEST_F(CApi, TellsAFailingKernelFromABadArgument) {
  const char *name = std::getenv("PBS_TEST_DEVICE");
  if (name && std::string(name) != "emulator")
    GTEST_SKIP() << "a GPU that failed is of no use to the tests after this";
  pbs_executable *faulty = nullptr;
  std::string fault = ptx;
  fault.replace(fault.find("ld.global.u32 %r3, [%rd1]"), 25,
                "ld.global.u32 %r3, [0x10]");
  ASSERT_SUCCESS(pbs_executable_parse(device, plan.c_str(), fault.c_str(),
                                      nullptr, &faulty));
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  EXPECT_EQ(pbs_run(faulty, arguments, 2, 0, 0, nullptr), PBS_ERROR_DEVICE);
  EXPECT_THAT(pbs_error_message(), HasSubstr("kernel 'twice'"));
  pbs_executable_free(faulty);
}

TEST_F(CApi, StopsAnEndlessKernel) {
  if (pbs_device_stop(device) != PBS_SUCCESS) {
    // A GPU has no such thing.
    EXPECT_EQ(pbs_device_stop(device), PBS_ERROR_UNAVAILABLE);
    EXPECT_STREQ(pbs_error_message(),
                 "a kernel on this device cannot be stopped");
    return;
  }
  std::string endless = ptx;
  endless.replace(endless.find("@%p ret;"), 8, "LOOP: bra LOOP;");
  pbs_executable *loaded = nullptr;
  ASSERT_SUCCESS(pbs_executable_parse(device, plan.c_str(), endless.c_str(),
                                      nullptr, &loaded));
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  std::atomic<bool> isOver = false;
  std::thread running([&] {
    EXPECT_EQ(pbs_run(loaded, arguments, 2, 0, 0, nullptr), PBS_ERROR_STOPPED);
    EXPECT_THAT(pbs_error_message(),
                HasSubstr("kernel 'twice': stopped on request"));
    isOver = true;
  });
  // Before the run or after it, this is no matter of the stop.
  std::thread waiting([&] { upload(); });
  while (!isOver) {
    ASSERT_SUCCESS(pbs_device_stop(device));
    std::this_thread::yield();
  }
  running.join();
  waiting.join();
  pbs_executable_free(loaded);
  // A stop that came too late is forgotten.
  ASSERT_SUCCESS(pbs_device_stop(device));
  upload();
  ASSERT_SUCCESS(pbs_run(executable, arguments, 2, 0, 0, nullptr));
  expectOutput(nullptr);
}

TEST_F(CApi, FindsHandlesThatHaveBeenFreed) {
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  auto load = [&] {
    pbs_executable *loaded = nullptr;
    EXPECT_SUCCESS(pbs_executable_parse(device, plan.c_str(), ptx.c_str(),
                                        nullptr, &loaded));
    return loaded;
  };
  pbs_executable *freed = load();
  pbs_executable_free(freed);
  // What takes the memory of the first one is another.
  pbs_executable *next = load();
  EXPECT_NE(next, freed);
  pbs_executable_free(freed);
  EXPECT_STREQ(
      pbs_error_message(),
      "what is to be freed is no executable, or has been freed before");
  EXPECT_EQ(pbs_run(freed, arguments, 2, 0, 0, nullptr), PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_error_message(),
               "executable is no executable, or has been freed");
  EXPECT_EQ(pbs_argument_count(freed), 0u);
  EXPECT_EQ(pbs_input_count(freed), 0u);
  EXPECT_SUCCESS(pbs_run(next, arguments, 2, 0, 0, nullptr));

  pbs_graph *graph = nullptr;
  ASSERT_SUCCESS(pbs_graph_capture(next, arguments, 2, &graph));
  pbs_graph_free(graph);
  pbs_graph_free(graph);
  EXPECT_THAT(pbs_error_message(), HasSubstr("is no graph"));
  EXPECT_EQ(pbs_graph_replay(graph, nullptr), PBS_ERROR_INVALID);
  EXPECT_EQ(pbs_graph_capture(freed, arguments, 2, &graph), PBS_ERROR_INVALID);

  pbs_event *event = nullptr;
  ASSERT_SUCCESS(pbs_event_record(device, nullptr, &event));
  pbs_event_free(event);
  pbs_event_free(event);
  EXPECT_THAT(pbs_error_message(), HasSubstr("is no event"));
  double milliseconds = 0;
  EXPECT_EQ(pbs_event_elapsed(event, event, &milliseconds), PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_error_message(), "start is no event, or has been freed");

  pbs_stream stream = nullptr;
  ASSERT_SUCCESS(pbs_stream_create(device, &stream));
  ASSERT_SUCCESS(pbs_stream_destroy(device, stream));
  EXPECT_EQ(pbs_stream_destroy(device, stream), PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_error_message(),
               "stream is none of the device's, or has been destroyed");

  const char *name = std::getenv("PBS_TEST_DEVICE");
  pbs_device *closed = nullptr;
  ASSERT_SUCCESS(pbs_device_open(name ? name : "emulator", &closed));
  pbs_device_close(closed);
  pbs_device_close(closed);
  EXPECT_THAT(pbs_error_message(), HasSubstr("is no device"));
  uint64_t address = 0;
  EXPECT_EQ(pbs_allocate(closed, 16, &address), PBS_ERROR_INVALID);
  EXPECT_EQ(pbs_device_stop(closed), PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_device_chip(closed), "");
  // Nor is one kind of handle another, or a pointer to something.
  pbs_graph_free(reinterpret_cast<pbs_graph *>(next));
  EXPECT_THAT(pbs_error_message(), HasSubstr("is no graph"));
  pbs_executable_free(reinterpret_cast<pbs_executable *>(&address));
  EXPECT_THAT(pbs_error_message(), HasSubstr("is no executable"));
  pbs_executable_free(next);
}

TEST_F(CApi, RefusesMoreThanThereIs) {
  pbs_tensor arguments[] = {inputTensor(input), outputTensor(output)};
  EXPECT_EQ(pbs_run(executable, arguments, SIZE_MAX, 0, 0, nullptr),
            PBS_ERROR_INVALID);
  EXPECT_STREQ(pbs_error_message(),
               "entry 'main' takes 2 arguments, inputs and outputs, found "
               "18446744073709551615");
  std::string large = plan;
  const std::string bytes = R"(["mul", 4, ["mul", "M", "N"]])";
  large.replace(large.find(bytes), bytes.size(), "4611686018427387904");
  pbs_executable *loaded = nullptr;
  ASSERT_SUCCESS(pbs_executable_parse(device, large.c_str(), ptx.c_str(),
                                      nullptr, &loaded));
  EXPECT_EQ(pbs_run(loaded, arguments, 2, 0, 0, nullptr),
            PBS_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(pbs_error_message(), StartsWith("entry 'main', workspace: "));
  pbs_executable_free(loaded);
}

TEST(CApiNull, IsFreedWithoutHarm) {
  pbs_device_close(nullptr);
  pbs_executable_free(nullptr);
  pbs_graph_free(nullptr);
  pbs_event_free(nullptr);
}

} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The CUDA device on a machine that has a GPU; elsewhere, what it says. With
// the emulated driver every machine has one.

#include "pbs/Runtime/Cuda.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/ParameterBuffer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>

using namespace pbs::runtime;
using testing::HasSubstr;

namespace {

/// y[i] = 2 x[i] + i for the threads below n, through shared memory.
constexpr const char *ptx = R"(
.version 7.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 words[];
.visible .entry twice(.param .u64 x, .param .u64 y, .param .u32 n)
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
  mul.wide.u32 %rd3, %r1, 4;
  add.s64 %rd1, %rd1, %rd3;
  add.s64 %rd2, %rd2, %rd3;
  ld.global.u32 %r3, [%rd1];
  mov.u64 %rd4, words;
  add.s64 %rd4, %rd4, %rd3;
  st.shared.u32 [%rd4], %r3;
  ld.shared.u32 %r4, [%rd4];
  shl.b32 %r4, %r4, 1;
  add.u32 %r4, %r4, %r1;
  st.global.u32 [%rd2], %r4;
  ret;
}
)";

/// Opens the first GPU, or skips the test and says why; fails instead where
/// PBS_REQUIRE_CUDA is set. The emulated driver must refuse no other calls than
/// those that a test expects.
class Cuda : public testing::Test {
protected:
  void SetUp() override {
    std::remove(refusedFile.c_str());
    setenv("PBS_EMULATED_DRIVER_REFUSED", refusedFile.c_str(), 1);
    try {
      device = createCudaDevice();
    } catch (const Error &error) {
      if (std::getenv("PBS_REQUIRE_CUDA"))
        FAIL() << error.what();
      GTEST_SKIP() << error.what();
    }
  }

  void TearDown() override {
    bool isEmulated =
        device && device->description().find("emulator") != std::string::npos;
    device.reset();
    if (!isEmulated)
      return;
    std::vector<std::string> refused;
    std::ifstream file(refusedFile);
    for (std::string line; std::getline(file, line);)
      refused.push_back(line);
    EXPECT_EQ(refused, expectedRefusals);
    std::remove(refusedFile.c_str());
  }

  std::unique_ptr<Device> device;
  std::vector<std::string> expectedRefusals;

private:
  const std::string refusedFile =
      testing::TempDir() + "refused-" + std::to_string(getpid());
};

TEST(CudaDriver, IsNamedWhereItIsMissing) {
  try {
    createCudaDevice();
  } catch (const Error &error) {
    EXPECT_THAT(error.what(), testing::AnyOf(HasSubstr("no NVIDIA driver"),
                                             HasSubstr("GPU")));
    return;
  }
  try {
    createCudaDevice(1000000);
    FAIL() << "there is no such GPU";
  } catch (const Error &error) {
    EXPECT_THAT(error.what(), HasSubstr("cuda:1000000: there "));
  }
}

TEST_F(Cuda, LaunchesWithPackedParametersAndSharedMemory) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr uint32_t threads = 200, count = 150;
  std::vector<uint32_t> x(threads), y(threads, 7);
  std::generate(x.begin(), x.end(), std::ref(random));

  auto module = device->loadModule(ptx, "twice.ptx");
  EXPECT_EQ(module->kernelNames(), std::vector<std::string>{"twice"});
  DeviceAddress from = device->allocate(threads * 4);
  DeviceAddress to = device->allocate(threads * 4);
  device->copyToDevice(from, x.data(), threads * 4);
  device->fill(to, 0xab, threads * 4);
  std::vector<uint8_t> parameters(20);
  std::memcpy(parameters.data(), &from, 8);
  std::memcpy(parameters.data() + 8, &to, 8);
  std::memcpy(parameters.data() + 16, &count, 4);
  LaunchConfiguration configuration;
  configuration.block = {threads, 1, 1};
  configuration.dynamicSharedBytes = 60000;
  auto start = device->recordEvent();
  device->launch(*module, "twice", configuration, parameters);
  auto end = device->recordEvent();
  EXPECT_GE(device->elapsedMilliseconds(*start, *end), 0);
  device->copyToHost(y.data(), to, threads * 4);
  for (uint32_t i = 0; i < threads; ++i)
    EXPECT_EQ(y[i], i < count ? 2 * x[i] + i : 0xabababab) << i;
  device->deallocate(from);
  device->deallocate(to);
}

/// A tensor map between scalars, which the kernel copies word by word. ptxas
/// leaves gaps before it that a packed buffer of ours has not.
constexpr const char *mapPtx = R"(
.version 7.0
.target sm_80
.address_size 64
.visible .entry copy(.param .align 64 .b8 map[128], .param .u32 a,
                     .param .align 64 .b8 other[128], .param .u64 out)
{
  .reg .b32 %r<3>;
  .reg .b64 %rd<4>;
  mov.u32 %r1, %tid.x;
  ld.param.u64 %rd1, [out];
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd1, %rd1, %rd2;
  mov.u64 %rd3, map;
  add.s64 %rd3, %rd3, %rd2;
  ld.param.u32 %r2, [%rd3];
  st.global.u32 [%rd1], %r2;
  mov.u64 %rd3, other;
  add.s64 %rd3, %rd3, %rd2;
  ld.param.u32 %r2, [%rd3];
  st.global.u32 [%rd1+128], %r2;
  ld.param.u32 %r2, [a];
  st.global.u32 [%rd1+256], %r2;
  ret;
}
)";

TEST_F(Cuda, LaunchesWithTensorMaps) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  TensorMap maps[2];
  for (TensorMap &map : maps)
    for (uint8_t &byte : map.bytes)
      byte = static_cast<uint8_t>(random());
  auto a = static_cast<uint32_t>(random());
  auto module = device->loadModule(mapPtx, "copy.ptx");
  DeviceAddress out = device->allocate(384);
  ParameterBuffer parameters;
  parameters.append(maps[0]);
  parameters.append(a);
  parameters.append(maps[1]);
  parameters.append(out);
  LaunchConfiguration configuration;
  configuration.block = {32, 1, 1};
  auto expectCopies = [&] {
    std::vector<uint32_t> got(96), want(96, a);
    device->copyToHost(got.data(), out, 384);
    std::memcpy(want.data(), maps[0].bytes.data(), 128);
    std::memcpy(want.data() + 32, maps[1].bytes.data(), 128);
    EXPECT_EQ(got, want);
    device->fill(out, 0, 384);
  };
  device->launch(*module, "copy", configuration, parameters.bytes());
  expectCopies();
  configuration.programmaticStreamSerialization = true;
  device->launch(*module, "copy", configuration, parameters.bytes());
  expectCopies();
  device->beginCapture();
  device->launch(*module, "copy", configuration, parameters.bytes());
  auto graph = device->endCapture();
  std::vector<uint8_t> fewer(parameters.bytes().begin(),
                             parameters.bytes().end() - 8);
  device->replay(*graph);
  expectCopies();
  try {
    device->launch(*module, "copy", configuration, fewer);
    FAIL() << "a parameter is missing";
  } catch (const Error &error) {
    EXPECT_THAT(error.what(), HasSubstr("328 bytes of parameters, not 320"));
  }
  device->deallocate(out);
}

TEST_F(Cuda, EncodesTensorMapsOfEachRank) {
  if (device->chip().back() != 'a')
    GTEST_SKIP() << "a GPU from before Hopper has no tensor maps";
  DeviceAddress base = device->allocate(4096);
  TensorMapDescription map;
  map.elementBytes = 4;
  map.base = base;
  for (unsigned rank = 1; rank <= 5; ++rank) {
    map.shape.push_back(4);
    map.box.push_back(4);
    EXPECT_NO_THROW(device->encodeTensorMap(map)) << rank;
    map.strides.push_back(rank == 1 ? 16 : map.strides.back() * 4);
  }
  device->deallocate(base);
}

TEST_F(Cuda, SaysWhatIsWrongWithAModule) {
  auto message = [&](const std::string &text) -> std::string {
    try {
      device->loadModule(text, "bad.ptx");
    } catch (const Error &error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_THAT(message(".version 7.0\n.target sm_80\n.address_size 64\n"
                      ".visible .entry k() { add.u32 %r1, 1; }\n"),
              testing::AllOf(HasSubstr("bad.ptx: "), HasSubstr("line 4")));
  EXPECT_THAT(message(".version 99.0\n.target sm_80\n.address_size 64\n"),
              HasSubstr("99.0"));
  expectedRefusals = {"cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX",
                      "cuModuleLoadDataEx: CUDA_ERROR_UNSUPPORTED_PTX_VERSION"};
}

TEST_F(Cuda, NamesTheKernelThatFailed) {
  auto module = device->loadModule(ptx, "twice.ptx");
  LaunchConfiguration configuration;
  EXPECT_THROW(device->launch(*module, "none", configuration, {}), Error);
  configuration.block = {5000, 1, 1};
  try {
    device->launch(*module, "twice", configuration, std::vector<uint8_t>(20));
    FAIL() << "too many threads";
  } catch (const Error &error) {
    EXPECT_THAT(error.what(), HasSubstr("kernel 'twice'"));
  }
  expectedRefusals = {"cuLaunchKernelEx: CUDA_ERROR_INVALID_VALUE"};
}

TEST_F(Cuda, FindsKernelsBetweenCommentsAndStrings) {
  auto module = device->loadModule(R"(
.version 7.0
.target sm_80
.address_size 64
.file 1 "a .entry b.cu"
// .entry inComment(.param .u32 a)
/* .entry inBlock( */
.visible .entry /* name */ first // (
(.param .u64 .ptr .global .align 8 out, // .param .u64 x
 /* .param .u64 y, */ .param .u32 value)
{
  .reg .b32 %r1;
  .reg .b64 %rd1;
  ld.param.u64 %rd1, [out];
  ld.param.u32 %r1, [value];
  st.global.u32 [%rd1], %r1;
  ret;
}
.entry
 $second{
  ret;
}
.entry third(){ret;}
)",
                                   "several.ptx");
  EXPECT_EQ(module->kernelNames(),
            (std::vector<std::string>{"first", "$second", "third"}));
  DeviceAddress out = device->allocate(4);
  ParameterBuffer parameters;
  parameters.append(out);
  parameters.append(uint32_t(41));
  device->launch(*module, "first", {}, parameters.bytes());
  device->launch(*module, "third", {}, {});
  uint32_t got = 0;
  device->copyToHost(&got, out, 4);
  EXPECT_EQ(got, 41u);
  device->deallocate(out);
  try {
    device->launch(*module, "inComment", {}, {});
    FAIL() << "there is no such kernel";
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "several.ptx: no kernel 'inComment'");
  }
}

} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulated CUDA driver does what the CUDA driver API's reference says.

#include "EmulatedDriverTest.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <thread>

using namespace pbs::runtime::emulated;
using namespace pbs::runtime::emulated::test;
using namespace pbs::runtime::cuda;
using testing::HasSubstr;

namespace {

TEST_F(EmulatedDriver, DescribesTheDevice) {
  int count = 0, value = 0, version = 0;
  EXPECT_EQ(cuDeviceGetCount(&count), CUDA_SUCCESS);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(cuDeviceGetAttribute(&value, attributeMultiprocessorCount, 0),
            CUDA_SUCCESS);
  EXPECT_EQ(value, 132);
  EXPECT_EQ(cuDeviceGetAttribute(&value, 100000, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuDeviceGetAttribute(&value, attributeMultiprocessorCount, 1),
            CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(cuDriverGetVersion(&version), CUDA_SUCCESS);
  EXPECT_EQ(version, 13000);
  char name[8];
  EXPECT_EQ(cuDeviceGetName(name, sizeof(name), 0), CUDA_SUCCESS);
  EXPECT_STREQ(name, "PTX emu");
  size_t free = 0, total = 0;
  EXPECT_EQ(cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
  EXPECT_EQ(total - free, threads * 4);
  const char *text = nullptr;
  EXPECT_EQ(cuGetErrorName(719, &text), CUDA_SUCCESS);
  EXPECT_STREQ(text, "CUDA_ERROR_LAUNCH_FAILED");
  EXPECT_EQ(cuGetErrorString(12345, &text), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(text, nullptr);
}

TEST_F(EmulatedDriver, FindsFunctionsByTheirNames) {
  void *function = nullptr;
  int found = -1;
  EXPECT_EQ(cuGetProcAddress_v2("cuMemAlloc", &function, 13000, 0, &found),
            CUDA_SUCCESS);
  EXPECT_EQ(found, 0);
  EXPECT_EQ(function, reinterpret_cast<void *>(&cuMemAlloc_v2));
  EXPECT_EQ(
      cuGetProcAddress_v2("cuGraphInstantiate", &function, 12000, 0, nullptr),
      CUDA_SUCCESS);
  EXPECT_EQ(function, reinterpret_cast<void *>(&cuGraphInstantiateWithFlags));
  EXPECT_EQ(cuGetProcAddress_v2("cuNothing", &function, 13000, 0, &found),
            CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(found, 1);
  EXPECT_EQ(function, nullptr);
}

TEST_F(EmulatedDriver, NeedsACurrentContext) {
  ::Result elsewhere = CUDA_SUCCESS;
  std::thread([&] { elsewhere = cuCtxSynchronize(); }).join();
  EXPECT_EQ(elsewhere, CUDA_ERROR_INVALID_CONTEXT);

  Context primary = nullptr, current = nullptr;
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&primary, 0), CUDA_SUCCESS);
  EXPECT_NE(primary, context);
  EXPECT_EQ(cuCtxPushCurrent_v2(primary), CUDA_SUCCESS);
  // The stream is of another context.
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  EXPECT_EQ(cuCtxPopCurrent_v2(&current), CUDA_SUCCESS);
  EXPECT_EQ(current, primary);
  EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
}

TEST_F(EmulatedDriver, TakesParametersOneByOneAndPacked) {
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  auto a = static_cast<uint32_t>(random());
  auto b = static_cast<uint32_t>(random());
  uint64_t c = random();
  Function mixed = find("mixed");
  auto expectResult = [&] {
    struct {
      uint32_t a, b;
      uint64_t c;
    } result = {};
    EXPECT_EQ(cuMemcpyDtoH_v2(&result, memory, sizeof(result)), CUDA_SUCCESS);
    EXPECT_EQ(result.a, a);
    EXPECT_EQ(result.b, b);
    EXPECT_EQ(result.c, c);
  };
  size_t offset = 0, size = 0;
  EXPECT_EQ(cuFuncGetParamInfo(mixed, 3, &offset, &size), CUDA_SUCCESS);
  EXPECT_EQ(offset, 24u);
  EXPECT_EQ(size, 8u);
  EXPECT_EQ(cuFuncGetParamInfo(mixed, 2, &offset, &size), CUDA_SUCCESS);
  EXPECT_EQ(offset, 16u);
  EXPECT_EQ(size, 4u);
  EXPECT_EQ(cuFuncGetParamInfo(mixed, 4, &offset, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  void *parameters[] = {&a, &memory, &b, &c};
  EXPECT_EQ(
      cuLaunchKernel(mixed, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr),
      CUDA_SUCCESS);
  expectResult();

  ASSERT_EQ(cuMemsetD8_v2(memory, 0, threads * 4), CUDA_SUCCESS);
  std::array<uint8_t, 32> packed = {};
  std::memcpy(packed.data(), &a, 4);
  std::memcpy(packed.data() + 8, &memory, 8);
  std::memcpy(packed.data() + 16, &b, 4);
  std::memcpy(packed.data() + 24, &c, 8);
  size_t bytes = packed.size();
  void *extra[] = {launchParameterBuffer, packed.data(), launchParameterBytes,
                   &bytes, launchEnd};
  LaunchAttribute attributes[2] = {};
  attributes[0].id = launchClusterDimension;
  std::fill_n(attributes[0].clusterExtents, 3, 1);
  attributes[1].id = launchProgrammaticStreamSerialization;
  attributes[1].flag = 1;
  LaunchConfig config = {{1, 1, 1}, {1, 1, 1}, 0, threadStream, attributes, 2};
  EXPECT_EQ(cuLaunchKernelEx(&config, mixed, nullptr, extra), CUDA_SUCCESS);
  expectResult();

  EXPECT_EQ(cuLaunchKernelEx(&config, mixed, parameters, extra),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuLaunchKernelEx(&config, mixed, nullptr, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  bytes = 24;
  EXPECT_EQ(cuLaunchKernelEx(&config, mixed, nullptr, extra),
            CUDA_ERROR_INVALID_VALUE);
  attributes[0].clusterExtents[0] = 2;
  EXPECT_EQ(cuLaunchKernelEx(&config, mixed, parameters, nullptr),
            CUDA_ERROR_INVALID_VALUE);
  attributes[0].id = 2; // cooperative
  EXPECT_EQ(cuLaunchKernelEx(&config, mixed, parameters, nullptr),
            CUDA_ERROR_NOT_SUPPORTED);
}

TEST_F(EmulatedDriver, LimitsSharedMemoryUntilItIsRaised) {
  Function big = find("big");
  auto launch = [&](unsigned bytes, unsigned blockX = 1) {
    return cuLaunchKernel(big, 1, 1, 1, blockX, 1, 1, bytes, stream, nullptr,
                          nullptr);
  };
  int value = 0;
  EXPECT_EQ(cuFuncGetAttribute(&value, 1, big), CUDA_SUCCESS);
  EXPECT_EQ(value, 1024);
  EXPECT_EQ(launch(47 * 1024), CUDA_SUCCESS);
  EXPECT_EQ(launch(47 * 1024 + 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuFuncSetAttribute(big, functionMaxDynamicSharedBytes, 226 * 1024),
            CUDA_SUCCESS);
  EXPECT_EQ(launch(226 * 1024), CUDA_SUCCESS);
  EXPECT_EQ(
      cuFuncSetAttribute(big, functionMaxDynamicSharedBytes, 226 * 1024 + 1),
      CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuFuncGetAttribute(&value, functionMaxDynamicSharedBytes, big),
            CUDA_SUCCESS);
  EXPECT_EQ(value, 226 * 1024);
  EXPECT_EQ(cuFuncGetAttribute(&value, 0, big), CUDA_SUCCESS);
  EXPECT_EQ(value, 256);
  EXPECT_EQ(launch(0, 257), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
}

TEST_F(EmulatedDriver, RefusesVariablesThatTheHostCannotHold) {
  std::string image = ".version 7.0\n.target sm_80\n.address_size 64\n";
  for (int index = 0; index < 64; ++index)
    image += ".global .b8 g" + std::to_string(index) + "[68719476736];\n";
  ModuleHandle loaded = nullptr;
  EXPECT_EQ(cuModuleLoadDataEx(&loaded, image.c_str(), 0, nullptr, nullptr),
            CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(loaded, nullptr);
}

TEST_F(EmulatedDriver, SaysWhatIsWrongWithAnImage) {
  std::string log(64, 'x');
  int options[] = {jitErrorLogBuffer, jitErrorLogBufferBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  ModuleHandle loaded = nullptr;
  auto load = [&](const char *image) {
    values[1] = reinterpret_cast<void *>(log.size());
    return cuModuleLoadDataEx(&loaded, image, 2, options, values);
  };
  EXPECT_EQ(load(".version 7.0\n.target sm_80\n.address_size 64\n"
                 ".visible .entry k() { add.u32 %r1, 1; }\n"),
            CUDA_ERROR_INVALID_PTX);
  EXPECT_THAT(log.c_str(), HasSubstr("ptx input, line 4; error"));
  EXPECT_EQ(reinterpret_cast<size_t>(values[1]), std::strlen(log.c_str()));
  EXPECT_EQ(load(".version 9.1\n.target sm_80\n.address_size 64\n"),
            CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
  EXPECT_EQ(load(".version 9.0\n.target sm_100\n.address_size 64\n"),
            CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(load(".version 8.0\n.target sm_80a\n.address_size 64\n"),
            CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(load("\x7f"
                 "ELF"),
            CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(load("// only a comment"), CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(loaded, nullptr);
  EXPECT_EQ(load(".version 9.0\n.target sm_90a\n.address_size 64\n"),
            CUDA_SUCCESS);
  Function none = nullptr;
  EXPECT_EQ(cuModuleGetFunction(&none, loaded, "none"), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(cuModuleUnload(loaded), CUDA_SUCCESS);
  EXPECT_EQ(cuModuleUnload(loaded), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(EmulatedDriver, ChecksMemory) {
  Pointer pointer = 0;
  EXPECT_EQ(cuMemAlloc_v2(&pointer, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemAlloc_v2(&pointer, size_t(1) << 40), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(cuMemFree_v2(memory + 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemsetD8_v2(memory, 1, threads * 4 + 1),
            CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(cuMemAlloc_v2(&pointer, 8), CUDA_SUCCESS);
  uint64_t from = 0x0123456789abcdef, to = 0;
  EXPECT_EQ(cuMemcpyHtoDAsync_v2(memory, &from, 8, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemcpyDtoDAsync_v2(pointer, memory, 8, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuMemcpyDtoHAsync_v2(&to, pointer, 8, legacyStream), CUDA_SUCCESS);
  EXPECT_EQ(to, from);
  EXPECT_EQ(cuMemFree_v2(pointer), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(pointer), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(EmulatedDriver, AFaultStays) {
  ASSERT_EQ(launchAdd(5, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuLaunchKernel(find("wild"), 1, 1, 1, 1, 1, 1, 0, stream, nullptr,
                           nullptr),
            CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(launchAdd(5, stream), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(cuMemFree_v2(memory), CUDA_ERROR_LAUNCH_FAILED);
  uint32_t value = 0;
  EXPECT_EQ(cuMemcpyDtoH_v2(&value, memory, 4), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);

  // Another context is none the worse.
  Context other = nullptr;
  ASSERT_EQ(cuCtxCreate_v4(&other, nullptr, 0, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxDestroy_v2(other), CUDA_SUCCESS);
}

TEST_F(EmulatedDriver, TheFaultOfThePrimaryContextGoesWithItsReset) {
  Context primary = nullptr;
  ASSERT_EQ(cuDevicePrimaryCtxRetain(&primary, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuCtxPushCurrent_v2(primary), CUDA_SUCCESS);
  ModuleHandle own = nullptr;
  Function wild = nullptr;
  ASSERT_EQ(cuModuleLoadData(&own, ptx), CUDA_SUCCESS);
  ASSERT_EQ(cuModuleGetFunction(&wild, own, "wild"), CUDA_SUCCESS);
  ASSERT_EQ(
      cuLaunchKernel(wild, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr),
      CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(cuModuleUnload(own), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuCtxPopCurrent_v2(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
}

TEST_F(EmulatedDriver, MeasuresBetweenEvents) {
  EventHandle start = nullptr, end = nullptr, untimed = nullptr;
  ASSERT_EQ(cuEventCreate(&start, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuEventCreate(&end, 1), CUDA_SUCCESS);
  ASSERT_EQ(cuEventCreate(&untimed, 2), CUDA_SUCCESS);
  float milliseconds = -1;
  EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, end),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuEventRecord(start, stream), CUDA_SUCCESS);
  EXPECT_EQ(launchAdd(1, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuEventRecord(end, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuEventRecord(untimed, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamWaitEvent(legacyStream, end, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuEventSynchronize(end), CUDA_SUCCESS);
  EXPECT_EQ(cuEventElapsedTime_v2(&milliseconds, start, end), CUDA_SUCCESS);
  EXPECT_GT(milliseconds, 0);
  EXPECT_EQ(cuEventElapsedTime(&milliseconds, start, untimed),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuEventDestroy_v2(end), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(end), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(EmulatedDriver, EncodesTensorMapsThatKernelsUse) {
  constexpr const char *text = R"(.version 8.0
.target sm_90a
.address_size 64
.visible .entry copy(.param .align 64 .b8 from[128], .param .align 64 .b8 to[128])
{
  .shared .align 128 .b8 tile[64];
  .shared .align 8 .b64 bar;
  .reg .b64 %rd<3>;
  .reg .pred %p;
  mov.b64 %rd1, from;
  cvta.param.u64 %rd1, %rd1;
  mov.b64 %rd2, to;
  cvta.param.u64 %rd2, %rd2;
  mbarrier.init.shared.b64 [bar], 1;
  cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [tile], [%rd1, {8}], [bar];
  mbarrier.arrive.expect_tx.shared.b64 _, [bar], 64;
WAIT:
  mbarrier.try_wait.parity.shared.b64 %p, [bar], 0;
  @!%p bra WAIT;
  cp.async.bulk.tensor.1d.global.shared::cta.bulk_group [%rd2, {4}], [tile];
  ret;
}
)";
  alignas(64) std::array<uint8_t, 128> from, to;
  uint64_t shape = 16, stride = 0;
  uint32_t box = 16, step = 1;
  constexpr int int32Type = 3;
  auto encode = [&](void *map, Pointer address, uint32_t &boxExtent,
                    int interleave = 0) {
    return cuTensorMapEncodeTiled(
        map, int32Type, 1, reinterpret_cast<void *>(address), &shape, &stride,
        &boxExtent, &step, interleave, 0, 2, 0);
  };
  Pointer source = 0, destination = 0;
  ASSERT_EQ(cuMemAlloc_v2(&source, 64), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAlloc_v2(&destination, 64), CUDA_SUCCESS);
  ASSERT_EQ(cuMemsetD8_v2(destination, 1, 64), CUDA_SUCCESS);
  std::array<int32_t, 16> values, results;
  std::random_device device;
  for (int32_t &value : values)
    value = static_cast<int32_t>(device());
  ASSERT_EQ(cuMemcpyHtoD_v2(source, values.data(), 64), CUDA_SUCCESS);
  ASSERT_EQ(encode(from.data(), source, box), CUDA_SUCCESS);
  ASSERT_EQ(encode(to.data(), destination, box), CUDA_SUCCESS);

  ModuleHandle tensors = nullptr;
  Function copy = nullptr;
  ASSERT_EQ(cuModuleLoadData(&tensors, text), CUDA_SUCCESS);
  ASSERT_EQ(cuModuleGetFunction(&copy, tensors, "copy"), CUDA_SUCCESS);
  // In the constant bank, a map is not at the beginning.
  size_t offset = 0, last = 0;
  ASSERT_EQ(cuFuncGetParamInfo(copy, 0, &offset, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(offset, 0x30u);
  ASSERT_EQ(cuFuncGetParamInfo(copy, 1, &last, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(last, 0xb0u);
  std::array<uint8_t, 0x130> packed = {};
  std::copy(from.begin(), from.end(), packed.begin() + offset);
  std::copy(to.begin(), to.end(), packed.begin() + last);
  size_t bytes = 256;
  void *extra[] = {launchParameterBuffer, packed.data(), launchParameterBytes,
                   &bytes, launchEnd};
  auto launch = [&](void **singly, void **together) {
    return cuLaunchKernel(copy, 1, 1, 1, 1, 1, 1, 0, nullptr, singly, together);
  };
  EXPECT_EQ(launch(nullptr, extra), CUDA_ERROR_INVALID_VALUE);
  bytes = packed.size();
  ASSERT_EQ(launch(nullptr, extra), CUDA_SUCCESS);
  ASSERT_EQ(cuMemcpyDtoH_v2(results.data(), destination, 64), CUDA_SUCCESS);
  EXPECT_EQ(results[4], values[8]);
  ASSERT_EQ(cuMemsetD8_v2(destination, 1, 64), CUDA_SUCCESS);
  void *parameters[] = {from.data(), to.data()};
  ASSERT_EQ(launch(parameters, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(cuMemcpyDtoH_v2(results.data(), destination, 64), CUDA_SUCCESS);
  // Element i + 4 goes to i; zeros come from beyond the end.
  for (size_t i = 0; i < 16; ++i)
    EXPECT_EQ(results[i], i < 4 ? 0x01010101 : i < 12 ? values[i + 4] : 0);

  EXPECT_EQ(encode(from.data(), source + 8, box), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(encode(from.data() + 8, source, box), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(encode(from.data(), source, box = 3), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(encode(from.data(), source, box = 16, 1), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(cuTensorMapEncodeTiled(from.data(), int32Type, 1,
                                   reinterpret_cast<void *>(source), &shape,
                                   nullptr, &box, &step, 0, 0, 2, 0),
            CUDA_ERROR_INVALID_VALUE);
}

TEST_F(EmulatedDriver, LaunchesTheClustersThatAKernelAsksFor) {
  constexpr const char *text = R"(.version 8.0
.target sm_90a
.address_size 64
.visible .entry ranks(.param .u64 y)
.explicitcluster
.reqnctapercluster 2, 1, 1
{
  .reg .b32 %r<3>;
  .reg .b64 %rd<3>;
  ld.param.u64 %rd1, [y];
  mov.u32 %r1, %ctaid.x;
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd1, %rd1, %rd2;
  mov.u32 %r2, %cluster_ctarank;
  st.global.u32 [%rd1], %r2;
  ret;
}
)";
  ModuleHandle clusters = nullptr;
  Function ranks = nullptr;
  ASSERT_EQ(cuModuleLoadData(&clusters, text), CUDA_SUCCESS);
  ASSERT_EQ(cuModuleGetFunction(&ranks, clusters, "ranks"), CUDA_SUCCESS);
  void *parameters[] = {&memory};
  ASSERT_EQ(
      cuLaunchKernel(ranks, 4, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr),
      CUDA_SUCCESS);
  std::array<uint32_t, 4> values = {};
  ASSERT_EQ(cuMemcpyDtoH_v2(values.data(), memory, sizeof(values)),
            CUDA_SUCCESS);
  EXPECT_THAT(values, testing::ElementsAre(0, 1, 0, 1));
  EXPECT_NE(
      cuLaunchKernel(ranks, 3, 1, 1, 1, 1, 1, 0, nullptr, parameters, nullptr),
      CUDA_SUCCESS);
}

} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tests of the emulated CUDA driver share.

#ifndef PBS_TEST_UNIT_RUNTIME_EMULATEDDRIVERTEST_H
#define PBS_TEST_UNIT_RUNTIME_EMULATEDDRIVERTEST_H

#include "emulated-driver/Api.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <array>

namespace pbs::runtime::emulated::test {

using namespace pbs::runtime::cuda;

/// `add`: y[i] += step for all threads. `wild` stores to address 8. `mixed`
/// stores its four parameters, which have gaps between them when packed.
/// `big` has static shared memory.
inline constexpr const char *ptx = R"(// a comment
/* another */ .version 7.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 y, .param .u32 step)
{
  .reg .b32 %r<4>;
  .reg .b64 %rd<4>;
  mov.u32 %r1, %tid.x;
  ld.param.u64 %rd1, [y];
  ld.param.u32 %r2, [step];
  mul.wide.u32 %rd2, %r1, 4;
  add.s64 %rd1, %rd1, %rd2;
  ld.global.u32 %r3, [%rd1];
  add.u32 %r3, %r3, %r2;
  st.global.u32 [%rd1], %r3;
  ret;
}
.visible .entry wild()
{
  .reg .b64 %rd;
  mov.u64 %rd, 8;
  st.global.u32 [%rd], 1;
  ret;
}
.visible .entry mixed(.param .u32 a, .param .u64 y, .param .f32 b, .param .u64 c)
{
  .reg .b32 %r<3>;
  .reg .b64 %rd<3>;
  ld.param.u32 %r1, [a];
  ld.param.u64 %rd1, [y];
  ld.param.b32 %r2, [b];
  ld.param.u64 %rd2, [c];
  st.global.u32 [%rd1], %r1;
  st.global.u32 [%rd1+4], %r2;
  st.global.u64 [%rd1+8], %rd2;
  ret;
}
.visible .entry big()
.maxntid 256, 1, 1
{
  .shared .align 4 .b8 words[1024];
  .reg .b32 %r;
  mov.u32 %r, words;
  st.shared.u32 [%r], 1;
  ret;
}
)";

inline constexpr unsigned threads = 32;

class EmulatedDriver : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(cuInit(0), CUDA_SUCCESS);
    ASSERT_EQ(cuCtxCreate_v2(&context, 0, 0), CUDA_SUCCESS);
    ASSERT_EQ(cuModuleLoadData(&module, ptx), CUDA_SUCCESS);
    ASSERT_EQ(cuModuleGetFunction(&add, module, "add"), CUDA_SUCCESS);
    ASSERT_EQ(cuStreamCreate(&stream, streamNonBlocking), CUDA_SUCCESS);
    ASSERT_EQ(cuMemAlloc_v2(&memory, threads * 4), CUDA_SUCCESS);
    ASSERT_EQ(cuMemsetD8_v2(memory, 0, threads * 4), CUDA_SUCCESS);
  }

  void TearDown() override {
    EXPECT_EQ(cuCtxDestroy_v2(context), CUDA_SUCCESS);
  }

  cuda::Result launchAdd(uint32_t step, StreamHandle where) {
    void *parameters[] = {&memory, &step};
    return cuLaunchKernel(add, 1, 1, 1, threads, 1, 1, 0, where, parameters,
                          nullptr);
  }

  uint32_t lastValue() {
    std::array<uint32_t, threads> values = {};
    EXPECT_EQ(cuMemcpyDtoH_v2(values.data(), memory, sizeof(values)),
              CUDA_SUCCESS);
    for (uint32_t value : values)
      EXPECT_EQ(value, values.back());
    return values.back();
  }

  Function find(const char *name) {
    Function function = nullptr;
    EXPECT_EQ(cuModuleGetFunction(&function, module, name), CUDA_SUCCESS);
    return function;
  }

  int status(StreamHandle of) {
    int status = -1;
    EXPECT_EQ(cuStreamIsCapturing(of, &status), CUDA_SUCCESS);
    return status;
  }

  Context context = nullptr;
  ModuleHandle module = nullptr;
  Function add = nullptr;
  StreamHandle stream = nullptr;
  Pointer memory = 0;
};

// Beside captureThreadLocal.
inline constexpr int captureGlobal = 0, captureRelaxed = 2;
inline const StreamHandle legacyStream = reinterpret_cast<StreamHandle>(1);
inline const StreamHandle threadStream = reinterpret_cast<StreamHandle>(2);

} // namespace pbs::runtime::emulated::test

#endif // PBS_TEST_UNIT_RUNTIME_EMULATEDDRIVERTEST_H

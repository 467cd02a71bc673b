// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the emulated CUDA driver captures, and what a capture forbids.

#include "EmulatedDriverTest.h"

#include <functional>
#include <iterator>
#include <string>
#include <thread>

using namespace pbs::runtime::emulated;
using namespace pbs::runtime::emulated::test;
using namespace pbs::runtime::cuda;

namespace {

TEST_F(EmulatedDriver, ReplaysWhatItCaptured) {
  uint32_t fresh[threads];
  std::fill_n(fresh, threads, 10);
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, captureGlobal), CUDA_SUCCESS);
  EXPECT_EQ(status(stream), 1);
  EXPECT_EQ(cuMemcpyHtoDAsync_v2(memory, fresh, sizeof(fresh), stream),
            CUDA_SUCCESS);
  EXPECT_EQ(launchAdd(7, stream), CUDA_SUCCESS);
  GraphHandle graph = nullptr;
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  EXPECT_EQ(status(stream), 0);
  EXPECT_EQ(lastValue(), 0u);

  GraphExecutable executable = nullptr;
  ASSERT_EQ(cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
  // The graph keeps what it launches.
  EXPECT_EQ(cuModuleUnload(module), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(executable, stream), CUDA_SUCCESS);
  EXPECT_EQ(lastValue(), 17u);
  std::fill_n(fresh, threads, 20);
  EXPECT_EQ(cuGraphLaunch(executable, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(lastValue(), 27u);
  EXPECT_EQ(cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(executable, stream), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(EmulatedDriver, ReplaysTheFaultOfAKernel) {
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, captureRelaxed), CUDA_SUCCESS);
  ASSERT_EQ(launchAdd(1, stream), CUDA_SUCCESS);
  ASSERT_EQ(cuLaunchKernel(find("wild"), 1, 1, 1, 1, 1, 1, 0, stream, nullptr,
                           nullptr),
            CUDA_SUCCESS);
  GraphHandle graph = nullptr;
  GraphExecutable executable = nullptr;
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphInstantiate_v2(&executable, graph, nullptr, nullptr, 0),
            CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(executable, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(cuGraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
}

TEST_F(EmulatedDriver, CapturesWorkForkedThroughEvents) {
  StreamHandle other = nullptr;
  EventHandle fork = nullptr, join = nullptr;
  ASSERT_EQ(cuStreamCreate(&other, streamNonBlocking), CUDA_SUCCESS);
  ASSERT_EQ(cuEventCreate(&fork, 2), CUDA_SUCCESS);
  ASSERT_EQ(cuEventCreate(&join, 2), CUDA_SUCCESS);
  for (bool joins : {true, false}) {
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, captureThreadLocal),
              CUDA_SUCCESS);
    EXPECT_EQ(launchAdd(1, stream), CUDA_SUCCESS);
    EXPECT_EQ(cuEventRecord(fork, stream), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamWaitEvent(other, fork, 0), CUDA_SUCCESS);
    EXPECT_EQ(status(other), 1);
    EXPECT_EQ(launchAdd(2, other), CUDA_SUCCESS);
    EXPECT_EQ(cuEventRecord(join, other), CUDA_SUCCESS);
    if (joins)
      EXPECT_EQ(cuStreamWaitEvent(stream, join, 0), CUDA_SUCCESS);
    EXPECT_EQ(launchAdd(4, stream), CUDA_SUCCESS);
    GraphHandle graph = nullptr;
    EXPECT_EQ(cuStreamEndCapture(stream, &graph),
              joins ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    EXPECT_EQ(status(other), 0);
    if (!joins)
      continue;
    GraphExecutable executable = nullptr;
    ASSERT_EQ(cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
    EXPECT_EQ(cuGraphLaunch(executable, other), CUDA_SUCCESS);
    EXPECT_EQ(lastValue(), 7u);
    EXPECT_EQ(cuGraphExecDestroy(executable), CUDA_SUCCESS);
    EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
  }
}

TEST_F(EmulatedDriver, RefusesWhatACaptureForbids) {
  StreamHandle blocking = nullptr;
  EventHandle event = nullptr, before = nullptr;
  ASSERT_EQ(cuStreamCreate(&blocking, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuEventCreate(&event, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuEventCreate(&before, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuEventRecord(before, blocking), CUDA_SUCCESS);
  Pointer pointer = 0;
  uint32_t value = 0;
  // What is called while `blocking` is captured, in which mode, what it gives,
  // and whether the capture goes on.
  struct Case {
    int mode;
    std::function<::Result()> call;
    ::Result result;
    bool goesOn;
  };
  const Case cases[] = {
      {captureGlobal, [&] { return cuMemAlloc_v2(&pointer, 4); },
       CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, false},
      {captureGlobal, [&] { return cuMemFree_v2(memory); },
       CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, false},
      {captureThreadLocal, [&] { return cuMemcpyDtoH_v2(&value, memory, 4); },
       CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, false},
      {captureRelaxed, [&] { return cuMemcpyDtoH_v2(&value, memory, 4); },
       CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, false},
      {captureGlobal, [&] { return launchAdd(1, nullptr); },
       CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, false},
      {captureRelaxed, [&] { return cuStreamSynchronize(blocking); },
       CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, false},
      {captureRelaxed, [&] { return cuStreamQuery(blocking); },
       CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, false},
      {captureGlobal, [&] { return cuCtxSynchronize(); },
       CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, false},
      {captureGlobal, [&] { return cuStreamWaitEvent(blocking, before, 0); },
       CUDA_ERROR_STREAM_CAPTURE_ISOLATION, false},
      {captureRelaxed,
       [&] {
         EXPECT_EQ(cuEventRecord(event, blocking), CUDA_SUCCESS);
         return cuEventSynchronize(event);
       },
       CUDA_ERROR_CAPTURED_EVENT, false},
      {captureGlobal, [&] { return cuStreamBeginCapture_v2(blocking, 0); },
       CUDA_ERROR_ILLEGAL_STATE, true},
      {captureGlobal, [&] { return launchAdd(0, stream); }, CUDA_SUCCESS, true},
      {captureGlobal, [&] { return cuStreamSynchronize(stream); }, CUDA_SUCCESS,
       true},
      {captureRelaxed, [&] { return cuMemAlloc_v2(&pointer, 4); }, CUDA_SUCCESS,
       true},
      {captureThreadLocal,
       [&] {
         ::Result result = CUDA_SUCCESS;
         std::thread([&] {
           cuCtxSetCurrent(context);
           result = cuMemAlloc_v2(&pointer, 4);
         }).join();
         return result;
       },
       CUDA_SUCCESS, true},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    SCOPED_TRACE("case " + std::to_string(i));
    ASSERT_EQ(cuStreamBeginCapture_v2(blocking, cases[i].mode), CUDA_SUCCESS);
    EXPECT_EQ(cases[i].call(), cases[i].result);
    EXPECT_EQ(status(blocking), cases[i].goesOn ? 1 : 2);
    EXPECT_EQ(launchAdd(1, blocking),
              cases[i].goesOn ? CUDA_SUCCESS
                              : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    GraphHandle graph = nullptr;
    EXPECT_EQ(cuStreamEndCapture(blocking, &graph),
              cases[i].goesOn ? CUDA_SUCCESS
                              : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(graph != nullptr, cases[i].goesOn);
    EXPECT_EQ(status(blocking), 0);
    if (graph)
      EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
  }
  EXPECT_EQ(lastValue(), 0u);
  EXPECT_EQ(cuStreamBeginCapture_v2(nullptr, captureGlobal),
            CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  GraphHandle graph = nullptr;
  EXPECT_EQ(cuStreamEndCapture(stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
}

TEST_F(EmulatedDriver, ACaptureEndsWhereItBegan) {
  GraphHandle graph = nullptr;
  ASSERT_EQ(cuStreamBeginCapture_v2(stream, captureGlobal), CUDA_SUCCESS);
  ::Result elsewhere = CUDA_SUCCESS;
  std::thread([&] {
    cuCtxSetCurrent(context);
    elsewhere = cuStreamEndCapture(stream, &graph);
  }).join();
  EXPECT_EQ(elsewhere, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  // Nothing is captured any more once its stream is gone.
  EXPECT_EQ(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
}

} // namespace

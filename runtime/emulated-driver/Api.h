// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of the CUDA driver API that the library exports, with the names
// and types of the CUDA driver API's reference. cuda/DriverApi.h holds what the
// device through CUDA needs of them too.

#ifndef PBS_EMULATEDDRIVER_API_H
#define PBS_EMULATEDDRIVER_API_H

#include "cuda/DriverApi.h"

namespace pbs::runtime::cuda {
using Graph = struct GraphObject *;
using GraphExec = struct GraphExecObject *;
using GraphNode = struct GraphNodeObject *;
} // namespace pbs::runtime::cuda

namespace pbs::runtime::emulated {

using cuda::Context;
using cuda::DeviceHandle;
using cuda::EventHandle;
using cuda::Function;
using cuda::Graph;
using cuda::GraphExec;
using cuda::GraphNode;
using cuda::LaunchConfig;
using cuda::ModuleHandle;
using cuda::Pointer;
using cuda::Result;
using cuda::Stream;

/// X(number, name, text) of every result that the library gives (CUresult).
#define PBS_DRIVER_RESULTS(X)                                                  \
  X(0, CUDA_SUCCESS, "no error")                                               \
  X(1, CUDA_ERROR_INVALID_VALUE, "invalid argument")                           \
  X(2, CUDA_ERROR_OUT_OF_MEMORY, "out of memory")                              \
  X(3, CUDA_ERROR_NOT_INITIALIZED, "initialization error")                     \
  X(101, CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal")                  \
  X(201, CUDA_ERROR_INVALID_CONTEXT, "invalid device context")                 \
  X(209, CUDA_ERROR_NO_BINARY_FOR_GPU,                                         \
    "no kernel image is available for execution on the device")                \
  X(218, CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed")               \
  X(222, CUDA_ERROR_UNSUPPORTED_PTX_VERSION,                                   \
    "the provided PTX was compiled with an unsupported toolchain.")            \
  X(400, CUDA_ERROR_INVALID_HANDLE, "invalid resource handle")                 \
  X(401, CUDA_ERROR_ILLEGAL_STATE,                                             \
    "the operation cannot be performed in the present state")                  \
  X(500, CUDA_ERROR_NOT_FOUND, "named symbol not found")                       \
  X(600, CUDA_ERROR_NOT_READY, "device not ready")                             \
  X(709, CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed")              \
  X(719, CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure")               \
  X(801, CUDA_ERROR_NOT_SUPPORTED, "operation not supported")                  \
  X(900, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,                                \
    "operation not permitted when stream is capturing")                        \
  X(901, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,                                \
    "operation failed due to a previous error during capture")                 \
  X(902, CUDA_ERROR_STREAM_CAPTURE_MERGE,                                      \
    "operation would result in a merge of separate capture sequences")         \
  X(903, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED,                                  \
    "capture was not ended in the same stream as it began")                    \
  X(904, CUDA_ERROR_STREAM_CAPTURE_UNJOINED,                                   \
    "capturing stream has unjoined work")                                      \
  X(905, CUDA_ERROR_STREAM_CAPTURE_ISOLATION,                                  \
    "dependency created on uncaptured work in another stream")                 \
  X(906, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,                                   \
    "operation would make the legacy stream depend on a capturing blocking "   \
    "stream")                                                                  \
  X(907, CUDA_ERROR_CAPTURED_EVENT,                                            \
    "operation not permitted on an event last recorded in a capturing "        \
    "stream")                                                                  \
  X(908, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,                               \
    "attempt to terminate a thread-local capture sequence from another "       \
    "thread")                                                                  \
  X(999, CUDA_ERROR_UNKNOWN, "unknown error")

// These names are CUDA's.
// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses)
#define X(number, name, text) inline constexpr Result name = number;
PBS_DRIVER_RESULTS(X)
#undef X

/// X(name, parameters) of every function; all give a Result.
#define PBS_EMULATED_FUNCTIONS(X)                                              \
  X(cuInit, (unsigned flags))                                                  \
  X(cuDriverGetVersion, (int *version))                                        \
  X(cuGetErrorName, (Result error, const char **name))                         \
  X(cuGetErrorString, (Result error, const char **text))                       \
  X(cuGetProcAddress_v2, (const char *symbol, void **function, int version,    \
                          uint64_t flags, int *status))                        \
  X(cuDeviceGetCount, (int *count))                                            \
  X(cuDeviceGet, (DeviceHandle * device, int ordinal))                         \
  X(cuDeviceGetName, (char *name, int length, DeviceHandle device))            \
  X(cuDeviceGetAttribute, (int *value, int attribute, DeviceHandle device))    \
  X(cuDeviceTotalMem_v2, (size_t *bytes, DeviceHandle device))                 \
  X(cuDevicePrimaryCtxRetain, (Context * context, DeviceHandle device))        \
  X(cuDevicePrimaryCtxRelease_v2, (DeviceHandle device))                       \
  X(cuDevicePrimaryCtxReset_v2, (DeviceHandle device))                         \
  X(cuCtxCreate_v2, (Context * context, unsigned flags, DeviceHandle device))  \
  X(cuCtxCreate_v4, (Context * context, void *parameters, unsigned flags,      \
                     DeviceHandle device))                                     \
  X(cuCtxDestroy_v2, (Context context))                                        \
  X(cuCtxSetCurrent, (Context context))                                        \
  X(cuCtxGetCurrent, (Context * context))                                      \
  X(cuCtxPushCurrent_v2, (Context context))                                    \
  X(cuCtxPopCurrent_v2, (Context * context))                                   \
  X(cuCtxGetDevice, (DeviceHandle * device))                                   \
  X(cuCtxSynchronize, ())                                                      \
  X(cuMemAlloc_v2, (Pointer * pointer, size_t bytes))                          \
  X(cuMemFree_v2, (Pointer pointer))                                           \
  X(cuMemGetInfo_v2, (size_t *free, size_t *total))                            \
  X(cuMemcpyHtoD_v2, (Pointer destination, const void *source, size_t bytes))  \
  X(cuMemcpyHtoDAsync_v2,                                                      \
    (Pointer destination, const void *source, size_t bytes, Stream stream))    \
  X(cuMemcpyDtoH_v2, (void *destination, Pointer source, size_t bytes))        \
  X(cuMemcpyDtoHAsync_v2,                                                      \
    (void *destination, Pointer source, size_t bytes, Stream stream))          \
  X(cuMemcpyDtoD_v2, (Pointer destination, Pointer source, size_t bytes))      \
  X(cuMemcpyDtoDAsync_v2,                                                      \
    (Pointer destination, Pointer source, size_t bytes, Stream stream))        \
  X(cuMemsetD8_v2, (Pointer destination, unsigned char value, size_t bytes))   \
  X(cuMemsetD8Async,                                                           \
    (Pointer destination, unsigned char value, size_t bytes, Stream stream))   \
  X(cuTensorMapEncodeTiled,                                                    \
    (void *map, int type, uint32_t rank, void *address, const uint64_t *shape, \
     const uint64_t *strides, const uint32_t *box, const uint32_t *steps,      \
     int interleave, int swizzle, int promotion, int fill))                    \
  X(cuModuleLoadData, (ModuleHandle * module, const void *image))              \
  X(cuModuleLoadDataEx, (ModuleHandle * module, const void *image,             \
                         unsigned count, int *options, void **values))         \
  X(cuModuleUnload, (ModuleHandle module))                                     \
  X(cuModuleGetFunction,                                                       \
    (Function * function, ModuleHandle module, const char *name))              \
  X(cuFuncGetAttribute, (int *value, int attribute, Function function))        \
  X(cuFuncGetParamInfo,                                                        \
    (Function function, size_t index, size_t *offset, size_t *bytes))          \
  X(cuFuncSetAttribute, (Function function, int attribute, int value))         \
  X(cuLaunchKernel,                                                            \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ,        \
     unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,  \
     Stream stream, void **parameters, void **extra))                          \
  X(cuLaunchKernelEx, (const LaunchConfig *config, Function function,          \
                       void **parameters, void **extra))                       \
  X(cuStreamCreate, (Stream * stream, unsigned flags))                         \
  X(cuStreamCreateWithPriority,                                                \
    (Stream * stream, unsigned flags, int priority))                           \
  X(cuStreamDestroy_v2, (Stream stream))                                       \
  X(cuStreamSynchronize, (Stream stream))                                      \
  X(cuStreamQuery, (Stream stream))                                            \
  X(cuStreamWaitEvent, (Stream stream, EventHandle event, unsigned flags))     \
  X(cuEventCreate, (EventHandle * event, unsigned flags))                      \
  X(cuEventDestroy_v2, (EventHandle event))                                    \
  X(cuEventRecord, (EventHandle event, Stream stream))                         \
  X(cuEventQuery, (EventHandle event))                                         \
  X(cuEventSynchronize, (EventHandle event))                                   \
  X(cuEventElapsedTime,                                                        \
    (float *milliseconds, EventHandle start, EventHandle end))                 \
  X(cuEventElapsedTime_v2,                                                     \
    (float *milliseconds, EventHandle start, EventHandle end))                 \
  X(cuStreamBeginCapture_v2, (Stream stream, int mode))                        \
  X(cuStreamIsCapturing, (Stream stream, int *status))                         \
  X(cuStreamEndCapture, (Stream stream, Graph * graph))                        \
  X(cuGraphInstantiate_v2, (GraphExec * executable, Graph graph,               \
                            GraphNode * node, char *log, size_t logBytes))     \
  X(cuGraphInstantiateWithFlags,                                               \
    (GraphExec * executable, Graph graph, unsigned long long flags))           \
  X(cuGraphLaunch, (GraphExec executable, Stream stream))                      \
  X(cuGraphExecDestroy, (GraphExec executable))                                \
  X(cuGraphDestroy, (Graph graph))

extern "C" {
#define X(name, parameters)                                                    \
  __attribute__((visibility("default"))) Result name parameters;
PBS_EMULATED_FUNCTIONS(X)
#undef X
}
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)

} // namespace pbs::runtime::emulated

#endif // PBS_EMULATEDDRIVER_API_H

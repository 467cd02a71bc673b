// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the CUDA driver API that the device uses, declared here because
// its header is not there where CUDA is not (CUDA driver API, "Data types used
// by CUDA driver" and the modules named below).

#ifndef PBS_RUNTIME_CUDA_DRIVERAPI_H
#define PBS_RUNTIME_CUDA_DRIVERAPI_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace pbs::runtime::cuda {

using Result = int;
using DeviceHandle = int;
using Pointer = unsigned long long;
using Context = struct ContextObject *;
using ModuleHandle = struct ModuleObject *;
using Function = struct FunctionObject *;
using StreamHandle = struct StreamObject *;
using EventHandle = struct EventObject *;
using GraphHandle = struct GraphObject *;
using GraphExecutable = struct GraphExecutableObject *;

constexpr Result success = 0;
constexpr Result errorOutOfMemory = 2;
constexpr Result errorNoDevice = 100;
constexpr Result errorUnsupportedPTXVersion = 222;
constexpr Result errorNoBinaryForGPU = 209;

constexpr int attributeMultiprocessorCount = 16;
constexpr int attributeComputeCapabilityMajor = 75;
constexpr int attributeComputeCapabilityMinor = 76;
constexpr int functionMaxDynamicSharedBytes = 8;
constexpr int jitErrorLogBuffer = 5;
constexpr int jitErrorLogBufferBytes = 6;
constexpr unsigned streamNonBlocking = 1;
/// CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may do what a capture
/// forbids.
constexpr int captureThreadLocal = 1;

/// What ends the list of launch options, and those that hand over packed
/// parameters.
inline void *const launchEnd = nullptr;
inline void *const launchParameterBuffer = reinterpret_cast<void *>(1);
inline void *const launchParameterBytes = reinterpret_cast<void *>(2);

struct LaunchAttribute {
  int id;
  int padding;
  union {
    unsigned clusterExtents[3];
    int flag;
    char bytes[64];
  };
};
constexpr int launchClusterDimension = 4;
constexpr int launchProgrammaticStreamSerialization = 6;

struct LaunchConfig {
  unsigned grid[3];
  unsigned block[3];
  unsigned sharedBytes;
  StreamHandle stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};

/// PBS_DRIVER(member, symbol, parameters): functions that every driver has.
#define PBS_DRIVER_FUNCTIONS                                                   \
  PBS_DRIVER(init, "cuInit", (unsigned))                                       \
  PBS_DRIVER(getVersion, "cuDriverGetVersion", (int *))                        \
  PBS_DRIVER(getErrorName, "cuGetErrorName", (Result, const char **))          \
  PBS_DRIVER(getErrorString, "cuGetErrorString", (Result, const char **))      \
  PBS_DRIVER(getDeviceCount, "cuDeviceGetCount", (int *))                      \
  PBS_DRIVER(getDevice, "cuDeviceGet", (DeviceHandle *, int))                  \
  PBS_DRIVER(getDeviceName, "cuDeviceGetName", (char *, int, DeviceHandle))    \
  PBS_DRIVER(getAttribute, "cuDeviceGetAttribute", (int *, int, DeviceHandle)) \
  PBS_DRIVER(retainContext, "cuDevicePrimaryCtxRetain",                        \
             (Context *, DeviceHandle))                                        \
  PBS_DRIVER(releaseContext, "cuDevicePrimaryCtxRelease_v2", (DeviceHandle))   \
  PBS_DRIVER(pushContext, "cuCtxPushCurrent_v2", (Context))                    \
  PBS_DRIVER(popContext, "cuCtxPopCurrent_v2", (Context *))                    \
  PBS_DRIVER(synchronizeContext, "cuCtxSynchronize", ())                       \
  PBS_DRIVER(allocate, "cuMemAlloc_v2", (Pointer *, size_t))                   \
  PBS_DRIVER(deallocate, "cuMemFree_v2", (Pointer))                            \
  PBS_DRIVER(copyToDevice, "cuMemcpyHtoDAsync_v2",                             \
             (Pointer, const void *, size_t, StreamHandle))                    \
  PBS_DRIVER(copyToHost, "cuMemcpyDtoHAsync_v2",                               \
             (void *, Pointer, size_t, StreamHandle))                          \
  PBS_DRIVER(fill, "cuMemsetD8Async",                                          \
             (Pointer, unsigned char, size_t, StreamHandle))                   \
  PBS_DRIVER(loadModule, "cuModuleLoadDataEx",                                 \
             (ModuleHandle *, const void *, unsigned, int *, void **))         \
  PBS_DRIVER(unloadModule, "cuModuleUnload", (ModuleHandle))                   \
  PBS_DRIVER(getFunction, "cuModuleGetFunction",                               \
             (Function *, ModuleHandle, const char *))                         \
  PBS_DRIVER(setFunctionAttribute, "cuFuncSetAttribute", (Function, int, int)) \
  PBS_DRIVER(launchKernel, "cuLaunchKernel",                                   \
             (Function, unsigned, unsigned, unsigned, unsigned, unsigned,      \
              unsigned, unsigned, StreamHandle, void **, void **))             \
  PBS_DRIVER(createStream, "cuStreamCreate", (StreamHandle *, unsigned))       \
  PBS_DRIVER(destroyStream, "cuStreamDestroy_v2", (StreamHandle))              \
  PBS_DRIVER(synchronizeStream, "cuStreamSynchronize", (StreamHandle))         \
  PBS_DRIVER(waitForEvent, "cuStreamWaitEvent",                                \
             (StreamHandle, EventHandle, unsigned))                            \
  PBS_DRIVER(beginCapture, "cuStreamBeginCapture_v2", (StreamHandle, int))     \
  PBS_DRIVER(endCapture, "cuStreamEndCapture", (StreamHandle, GraphHandle *))  \
  PBS_DRIVER(instantiateGraph, "cuGraphInstantiateWithFlags",                  \
             (GraphExecutable *, GraphHandle, unsigned long long))             \
  PBS_DRIVER(launchGraph, "cuGraphLaunch", (GraphExecutable, StreamHandle))    \
  PBS_DRIVER(destroyGraph, "cuGraphDestroy", (GraphHandle))                    \
  PBS_DRIVER(destroyGraphExecutable, "cuGraphExecDestroy", (GraphExecutable))  \
  PBS_DRIVER(createEvent, "cuEventCreate", (EventHandle *, unsigned))          \
  PBS_DRIVER(destroyEvent, "cuEventDestroy_v2", (EventHandle))                 \
  PBS_DRIVER(recordEvent, "cuEventRecord", (EventHandle, StreamHandle))        \
  PBS_DRIVER(synchronizeEvent, "cuEventSynchronize", (EventHandle))            \
  PBS_DRIVER(elapsedTime, "cuEventElapsedTime",                                \
             (float *, EventHandle, EventHandle))

/// The same of functions that older drivers lack, which are null then: before
/// CUDA 11.8, 12.0 and 12.4.
#define PBS_OPTIONAL_DRIVER_FUNCTIONS                                          \
  PBS_DRIVER(launchKernelEx, "cuLaunchKernelEx",                               \
             (const LaunchConfig *, Function, void **, void **))               \
  PBS_DRIVER(encodeTensorMap, "cuTensorMapEncodeTiled",                        \
             (void *, int, uint32_t, void *, const uint64_t *,                 \
              const uint64_t *, const uint32_t *, const uint32_t *, int, int,  \
              int, int))                                                       \
  PBS_DRIVER(getParameterInfo, "cuFuncGetParamInfo",                           \
             (Function, size_t, size_t *, size_t *))

struct DriverApi {
#define PBS_DRIVER(member, symbol, parameters) Result(*member) parameters;
  PBS_DRIVER_FUNCTIONS
  PBS_OPTIONAL_DRIVER_FUNCTIONS
#undef PBS_DRIVER

  /// Throws Error with \p what and the error's name and text unless \p result
  /// is success.
  void check(Result result, const std::string &what) const;
};

/// The driver of this process, opened at the first call. Throws Error where
/// there is none.
const DriverApi &getDriver();

} // namespace pbs::runtime::cuda

#endif // PBS_RUNTIME_CUDA_DRIVERAPI_H

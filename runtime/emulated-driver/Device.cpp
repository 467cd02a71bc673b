// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Initialisation, errors, look-up of functions, and the one device.

#include "emulated-driver/Driver.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

namespace {

struct ResultText {
  Result result;
  const char *name;
  const char *text;
};

constexpr ResultText resultTexts[] = {
#define X(number, name, text) {number, #name, text},
    PBS_DRIVER_RESULTS(X)
#undef X
};

const ResultText *findResult(Result result) {
  const auto *found =
      std::find_if(std::begin(resultTexts), std::end(resultTexts),
                   [&](const ResultText &row) { return row.result == result; });
  return found == std::end(resultTexts) ? nullptr : found;
}

/// CUdevice_attribute to values of an H100 (CUDA C++ Programming Guide,
/// "Compute Capabilities"), less what the emulator lacks.
const std::map<int, int> &deviceAttributes() {
  static const std::map<int, int> attributes = {
      {1, 1024},       // MAX_THREADS_PER_BLOCK
      {2, 1024},       // MAX_BLOCK_DIM_X
      {3, 1024},       // MAX_BLOCK_DIM_Y
      {4, 64},         // MAX_BLOCK_DIM_Z
      {5, INT32_MAX},  // MAX_GRID_DIM_X
      {6, 65535},      // MAX_GRID_DIM_Y
      {7, 65535},      // MAX_GRID_DIM_Z
      {8, 49152},      // MAX_SHARED_MEMORY_PER_BLOCK
      {9, 65536},      // TOTAL_CONSTANT_MEMORY
      {10, 32},        // WARP_SIZE
      {11, INT32_MAX}, // MAX_PITCH
      {12, 65536},     // MAX_REGISTERS_PER_BLOCK
      {13, 1980000},   // CLOCK_RATE
      {14, 512},       // TEXTURE_ALIGNMENT
      {15, 1},         // GPU_OVERLAP
      {17, 0},         // KERNEL_EXEC_TIMEOUT
      {18, 0},         // INTEGRATED
      {19, 0},         // CAN_MAP_HOST_MEMORY
      {20, 0},         // COMPUTE_MODE
      {31, 1},         // CONCURRENT_KERNELS
      {32, 0},         // ECC_ENABLED
      {33, 0},         // PCI_BUS_ID
      {34, 0},         // PCI_DEVICE_ID
      {35, 0},         // TCC_DRIVER
      {36, 2619000},   // MEMORY_CLOCK_RATE
      {37, 5120},      // GLOBAL_MEMORY_BUS_WIDTH
      {38, 52428800},  // L2_CACHE_SIZE
      {39, 2048},      // MAX_THREADS_PER_MULTIPROCESSOR
      {40, 0},         // ASYNC_ENGINE_COUNT
      {41, 1},         // UNIFIED_ADDRESSING
      {50, 0},         // PCI_DOMAIN_ID
      {75, 9},         // COMPUTE_CAPABILITY_MAJOR
      {76, 0},         // COMPUTE_CAPABILITY_MINOR
      {78, 0},         // STREAM_PRIORITIES_SUPPORTED
      {81, 233472},    // MAX_SHARED_MEMORY_PER_MULTIPROCESSOR
      {82, 65536},     // MAX_REGISTERS_PER_MULTIPROCESSOR
      {83, 0},         // MANAGED_MEMORY
      {84, 0},         // MULTI_GPU_BOARD
      {95, 0},         // COOPERATIVE_LAUNCH
      {97, 232448},    // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
      {106, 32},       // MAX_BLOCKS_PER_MULTIPROCESSOR
      {111, 1024},     // RESERVED_SHARED_MEMORY_PER_BLOCK
      {115, 0},        // MEMORY_POOLS_SUPPORTED
      {120, 1},        // CLUSTER_LAUNCH
      {127, 1},        // TENSOR_MAP_ACCESS_SUPPORTED
  };
  return attributes;
}

/// Calls \p body if \p device is the one that there is.
template <typename Body>
Result callOnDevice(DeviceHandle device, Body body,
                    const char *function = __builtin_FUNCTION()) {
  auto onDevice = [&](Driver &driver) -> Result {
    return device == 0 ? body(driver) : CUDA_ERROR_INVALID_DEVICE;
  };
  return call(onDevice, function);
}

} // namespace

Result emulated::cuInit(unsigned flags) {
  if (flags != 0)
    return answer(CUDA_ERROR_INVALID_VALUE);
  std::lock_guard<std::mutex> lock(driverMutex());
  try {
    driverState().isInitialized = true;
    return CUDA_SUCCESS;
  } catch (const std::exception &error) {
    report(error.what());
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
}

Result emulated::cuDriverGetVersion(int *version) {
  if (!version)
    return CUDA_ERROR_INVALID_VALUE;
  *version = driverVersion;
  return CUDA_SUCCESS;
}

Result emulated::cuGetErrorName(Result error, const char **name) {
  const ResultText *found = findResult(error);
  if (!name)
    return CUDA_ERROR_INVALID_VALUE;
  *name = found ? found->name : nullptr;
  return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

Result emulated::cuGetErrorString(Result error, const char **text) {
  const ResultText *found = findResult(error);
  if (!text)
    return CUDA_ERROR_INVALID_VALUE;
  *text = found ? found->text : nullptr;
  return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

Result emulated::cuGetProcAddress_v2(const char *symbol, void **function,
                                     int version, uint64_t flags, int *status) {
  if (!symbol || !function)
    return CUDA_ERROR_INVALID_VALUE;
  struct Row {
    const char *name;
    void *function;
  };
  static const Row rows[] = {
#define X(name, parameters) {#name, reinterpret_cast<void *>(&(name))},
      PBS_EMULATED_FUNCTIONS(X)
#undef X
  };
  // The names have no version here; the caller's decides which one is meant.
  std::string wanted = symbol;
  if (wanted == "cuCtxCreate" && version >= 12050)
    wanted = "cuCtxCreate_v4";
  else if (wanted == "cuGraphInstantiate" && version >= 12000)
    wanted = "cuGraphInstantiateWithFlags";
  *function = nullptr;
  for (const Row &row : rows)
    if (row.name == wanted || row.name == wanted + "_v2")
      *function = row.function;
  // CU_GET_PROC_ADDRESS_SUCCESS and _SYMBOL_NOT_FOUND.
  if (status)
    *status = *function ? 0 : 1;
  return answer(*function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND);
}

Result emulated::cuDeviceGetCount(int *count) {
  return call([&](Driver &) -> Result {
    if (!count)
      return CUDA_ERROR_INVALID_VALUE;
    *count = 1;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuDeviceGet(DeviceHandle *device, int ordinal) {
  return callOnDevice(ordinal, [&](Driver &) -> Result {
    if (!device)
      return CUDA_ERROR_INVALID_VALUE;
    *device = 0;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuDeviceGetName(char *name, int length, DeviceHandle device) {
  return callOnDevice(device, [&](Driver &driver) -> Result {
    if (!name || length < 1)
      return CUDA_ERROR_INVALID_VALUE;
    std::snprintf(name, static_cast<size_t>(length), "%s",
                  driver.device->description().c_str());
    return CUDA_SUCCESS;
  });
}

Result emulated::cuDeviceGetAttribute(int *value, int attribute,
                                      DeviceHandle device) {
  return callOnDevice(device, [&](Driver &driver) -> Result {
    auto found = deviceAttributes().find(attribute);
    bool isCount = attribute == cuda::attributeMultiprocessorCount;
    if (!value || (!isCount && found == deviceAttributes().end()))
      return CUDA_ERROR_INVALID_VALUE;
    *value = isCount ? static_cast<int>(driver.device->multiprocessorCount())
                     : found->second;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuDeviceTotalMem_v2(size_t *bytes, DeviceHandle device) {
  return callOnDevice(device, [&](Driver &) -> Result {
    if (!bytes)
      return CUDA_ERROR_INVALID_VALUE;
    *bytes = totalMemoryBytes;
    return CUDA_SUCCESS;
  });
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulated-driver/Driver.h"

#include <tuple>
#include <utility>
#include <vector>

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

Result emulated::cuMemAlloc_v2(Pointer *pointer, size_t bytes) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    if (Result result = forbidWhileCapturing(driver); result != CUDA_SUCCESS)
      return result;
    if (!pointer || bytes == 0)
      return CUDA_ERROR_INVALID_VALUE;
    if (bytes > totalMemoryBytes - driver.allocatedBytes)
      return CUDA_ERROR_OUT_OF_MEMORY;
    try {
      *pointer = driver.device->allocate(bytes);
    } catch (const Error &error) {
      report(error.what());
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
    context.allocations[*pointer] = bytes;
    driver.allocatedBytes += bytes;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuMemFree_v2(Pointer pointer) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    if (Result result = forbidWhileCapturing(driver); result != CUDA_SUCCESS)
      return result;
    return pointer ? driver.deallocate(context, pointer) : CUDA_SUCCESS;
  });
}

Result emulated::cuMemGetInfo_v2(size_t *free, size_t *total) {
  return callInContext([&](Driver &driver, ContextObject &) -> Result {
    if (!free || !total)
      return CUDA_ERROR_INVALID_VALUE;
    *free = totalMemoryBytes - driver.allocatedBytes;
    *total = totalMemoryBytes;
    return CUDA_SUCCESS;
  });
}

/// What waits for its end happens in the legacy stream.
static Result doNow(const Operation &operation) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    if (Result result = forbidWhileCapturing(driver); result != CUDA_SUCCESS)
      return result;
    return enqueue(driver, context, nullptr, operation);
  });
}

static Result doInStream(const Operation &operation, StreamHandle stream) {
  return callInContext([&](Driver &driver, ContextObject &context) {
    return enqueue(driver, context, stream, operation);
  });
}

Result emulated::cuMemcpyHtoD_v2(Pointer destination, const void *source,
                                 size_t bytes) {
  return doNow(CopyToDevice{destination, source, bytes});
}

Result emulated::cuMemcpyHtoDAsync_v2(Pointer destination, const void *source,
                                      size_t bytes, StreamHandle stream) {
  return doInStream(CopyToDevice{destination, source, bytes}, stream);
}

Result emulated::cuMemcpyDtoH_v2(void *destination, Pointer source,
                                 size_t bytes) {
  return doNow(CopyToHost{destination, source, bytes});
}

Result emulated::cuMemcpyDtoHAsync_v2(void *destination, Pointer source,
                                      size_t bytes, StreamHandle stream) {
  return doInStream(CopyToHost{destination, source, bytes}, stream);
}

Result emulated::cuMemcpyDtoD_v2(Pointer destination, Pointer source,
                                 size_t bytes) {
  return doNow(CopyOnDevice{destination, source, bytes});
}

Result emulated::cuMemcpyDtoDAsync_v2(Pointer destination, Pointer source,
                                      size_t bytes, StreamHandle stream) {
  return doInStream(CopyOnDevice{destination, source, bytes}, stream);
}

Result emulated::cuMemsetD8_v2(Pointer destination, unsigned char value,
                               size_t bytes) {
  return doNow(Fill{destination, value, bytes});
}

Result emulated::cuMemsetD8Async(Pointer destination, unsigned char value,
                                 size_t bytes, StreamHandle stream) {
  return doInStream(Fill{destination, value, bytes}, stream);
}

Result emulated::cuTensorMapEncodeTiled(void *map, int type, uint32_t rank,
                                        void *address, const uint64_t *shape,
                                        const uint64_t *strides,
                                        const uint32_t *box,
                                        const uint32_t *steps, int interleave,
                                        int swizzle, int promotion, int fill) {
  return call([&](Driver &driver) -> Result {
    using Format = TensorMapDescription::Format;
    // CUtensorMapDataType: UINT8, UINT16, UINT32, INT32, UINT64, INT64,
    // FLOAT16, FLOAT32, FLOAT64, BFLOAT16. Others follow.
    static constexpr std::pair<uint32_t, Format> types[] = {
        {1, Format::Unsigned}, {2, Format::Unsigned}, {4, Format::Unsigned},
        {4, Format::Signed},   {8, Format::Unsigned}, {8, Format::Signed},
        {2, Format::Float},    {4, Format::Float},    {8, Format::Float},
        {2, Format::BFloat}};
    // CUtensorMapSwizzle: NONE, 32B, 64B, 128B. Others follow.
    static constexpr uint32_t swizzleBytes[] = {0, 32, 64, 128};
    constexpr int lastPromotion = 3, lastInterleave = 2;
    if (!map || reinterpret_cast<uintptr_t>(map) % 64 != 0 || !address ||
        !shape || !strides || !box || !steps || rank < 1 || rank > 5 ||
        type < 0 || swizzle < 0 || promotion < 0 || promotion > lastPromotion ||
        interleave < 0 || interleave > lastInterleave || fill < 0 || fill > 1)
      return CUDA_ERROR_INVALID_VALUE;
    bool isPlain = interleave == 0 && fill == 0 &&
                   static_cast<size_t>(type) < std::size(types) &&
                   static_cast<size_t>(swizzle) < std::size(swizzleBytes);
    for (uint32_t i = 0; i < rank; ++i) {
      if (steps[i] < 1 || steps[i] > 8)
        return CUDA_ERROR_INVALID_VALUE;
      isPlain &= steps[i] == 1;
    }
    if (!isPlain) {
      report("tensor maps with interleaving, NaN fill, element strides, or "
             "this type or swizzle are not supported");
      return CUDA_ERROR_NOT_SUPPORTED;
    }
    TensorMapDescription description;
    std::tie(description.elementBytes, description.format) = types[type];
    description.base = reinterpret_cast<Pointer>(address);
    description.shape.assign(shape, shape + rank);
    if (rank > 1)
      description.strides.assign(strides, strides + rank - 1);
    description.box.assign(box, box + rank);
    description.swizzleBytes = swizzleBytes[swizzle];
    try {
      TensorMap encoded = driver.device->encodeTensorMap(description);
      std::copy(encoded.bytes.begin(), encoded.bytes.end(),
                static_cast<uint8_t *>(map));
    } catch (const Error &error) {
      report(error.what());
      return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
  });
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulated-driver/Driver.h"

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

Result emulated::cuDevicePrimaryCtxRetain(Context *context,
                                          DeviceHandle device) {
  return call([&](Driver &driver) -> Result {
    if (device != 0)
      return CUDA_ERROR_INVALID_DEVICE;
    if (!context)
      return CUDA_ERROR_INVALID_VALUE;
    if (!driver.primary)
      driver.primary = driver.createContext();
    ++driver.primaryUses;
    *context = driver.primary;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuDevicePrimaryCtxRelease_v2(DeviceHandle device) {
  return call([&](Driver &driver) -> Result {
    if (device != 0)
      return CUDA_ERROR_INVALID_DEVICE;
    if (driver.primaryUses == 0)
      return CUDA_ERROR_INVALID_CONTEXT;
    if (--driver.primaryUses > 0)
      return CUDA_SUCCESS;
    driver.destroyContext(driver.primary);
    driver.primary = nullptr;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuDevicePrimaryCtxReset_v2(DeviceHandle device) {
  return call([&](Driver &driver) -> Result {
    if (device != 0)
      return CUDA_ERROR_INVALID_DEVICE;
    if (!driver.primary)
      return CUDA_SUCCESS;
    // The handle stays; everything made in the context goes.
    auto fresh = std::make_unique<ContextObject>();
    std::swap(*driver.contexts.at(driver.primary), *fresh);
    Context old = keep(driver.contexts, std::move(fresh));
    driver.destroyContext(old);
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxCreate_v2(Context *context, unsigned flags,
                                DeviceHandle device) {
  return call([&](Driver &driver) -> Result {
    if (device != 0)
      return CUDA_ERROR_INVALID_DEVICE;
    if (!context)
      return CUDA_ERROR_INVALID_VALUE;
    *context = driver.createContext();
    contextStack().push_back(*context);
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxCreate_v4(Context *context, void *parameters,
                                unsigned flags, DeviceHandle device) {
  // The parameters ask for a part of the GPU.
  return parameters ? answer(CUDA_ERROR_NOT_SUPPORTED)
                    : cuCtxCreate_v2(context, flags, device);
}

Result emulated::cuCtxDestroy_v2(Context context) {
  return call([&](Driver &driver) -> Result {
    if (context == driver.primary || !find(driver.contexts, context))
      return CUDA_ERROR_INVALID_CONTEXT;
    driver.destroyContext(context);
    if (!contextStack().empty() && contextStack().back() == context)
      contextStack().pop_back();
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxSetCurrent(Context context) {
  return call([&](Driver &driver) -> Result {
    if (context && !find(driver.contexts, context))
      return CUDA_ERROR_INVALID_CONTEXT;
    if (!contextStack().empty())
      contextStack().pop_back();
    if (context)
      contextStack().push_back(context);
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxGetCurrent(Context *context) {
  return call([&](Driver &) -> Result {
    if (!context)
      return CUDA_ERROR_INVALID_VALUE;
    *context = contextStack().empty() ? nullptr : contextStack().back();
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxPushCurrent_v2(Context context) {
  return call([&](Driver &driver) -> Result {
    if (!find(driver.contexts, context))
      return CUDA_ERROR_INVALID_CONTEXT;
    contextStack().push_back(context);
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxPopCurrent_v2(Context *context) {
  return call([&](Driver &) -> Result {
    if (contextStack().empty())
      return CUDA_ERROR_INVALID_CONTEXT;
    if (context)
      *context = contextStack().back();
    contextStack().pop_back();
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxGetDevice(DeviceHandle *device) {
  return callInContext([&](Driver &, ContextObject &) -> Result {
    if (!device)
      return CUDA_ERROR_INVALID_VALUE;
    *device = 0;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuCtxSynchronize() {
  return callInContext([&](Driver &driver, ContextObject &) {
    return forbidWhileCapturing(driver);
  });
}

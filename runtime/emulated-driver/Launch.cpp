// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulated-driver/Driver.h"

#include <algorithm>
#include <cstring>
#include <iterator>

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

namespace {

/// The parameters as Device::launch takes them, out of the two forms that hand
/// them over; false if neither or both are given, or the second is not sound.
bool packParameters(const FunctionObject &function, void **parameters,
                    void **extra, std::vector<uint8_t> &packed) {
  if (parameters && extra)
    return false;
  const KernelDescription &description = function.description;
  packed.resize(description.parameterBytes);
  if (!extra) {
    if (!parameters)
      return description.parameters.empty();
    for (size_t i = 0; i < description.parameters.size(); ++i) {
      const auto &parameter = description.parameters[i];
      if (!parameters[i])
        return false;
      std::memcpy(packed.data() + parameter.offset, parameters[i],
                  parameter.bytes);
    }
    return true;
  }
  const uint8_t *buffer = nullptr;
  size_t bytes = 0;
  for (; *extra != cuda::launchEnd; extra += 2) {
    if (*extra == cuda::launchParameterBuffer)
      buffer = static_cast<const uint8_t *>(extra[1]);
    else if (*extra == cuda::launchParameterBytes && extra[1])
      bytes = *static_cast<const size_t *>(extra[1]);
    else
      return false;
  }
  if (bytes != function.parameterBytes || (bytes != 0 && !buffer))
    return false;
  for (size_t i = 0; i < description.parameters.size(); ++i) {
    const auto &parameter = description.parameters[i];
    std::memcpy(packed.data() + parameter.offset,
                buffer + function.parameterOffsets[i], parameter.bytes);
  }
  return true;
}

/// Takes over the attributes of \p config.
Result readAttributes(const LaunchConfig &config,
                      LaunchConfiguration &configuration) {
  // Hints, which change no result: ignore, access policy window, cluster
  // scheduling policy, priority, memory synchronisation.
  static constexpr int hints[] = {0, 1, 5, 8, 9, 10};
  for (unsigned i = 0; i < config.attributeCount; ++i) {
    const cuda::LaunchAttribute &attribute = config.attributes[i];
    if (attribute.id == cuda::launchClusterDimension) {
      std::copy(std::begin(attribute.clusterExtents),
                std::end(attribute.clusterExtents),
                configuration.cluster.begin());
    } else if (attribute.id == cuda::launchProgrammaticStreamSerialization) {
      configuration.programmaticStreamSerialization = attribute.flag != 0;
    } else if (std::find(std::begin(hints), std::end(hints), attribute.id) ==
               std::end(hints)) {
      report("launch attribute " + std::to_string(attribute.id) +
             " is not supported");
      return CUDA_ERROR_NOT_SUPPORTED;
    }
  }
  return CUDA_SUCCESS;
}

} // namespace

Result emulated::cuLaunchKernel(Function function, unsigned gridX,
                                unsigned gridY, unsigned gridZ, unsigned blockX,
                                unsigned blockY, unsigned blockZ,
                                unsigned sharedBytes, StreamHandle stream,
                                void **parameters, void **extra) {
  LaunchConfig config = {};
  config.grid[0] = gridX;
  config.grid[1] = gridY;
  config.grid[2] = gridZ;
  config.block[0] = blockX;
  config.block[1] = blockY;
  config.block[2] = blockZ;
  config.sharedBytes = sharedBytes;
  config.stream = stream;
  return cuLaunchKernelEx(&config, function, parameters, extra);
}

Result emulated::cuLaunchKernelEx(const LaunchConfig *config, Function function,
                                  void **parameters, void **extra) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    if (!config || (config->attributeCount != 0 && !config->attributes))
      return CUDA_ERROR_INVALID_VALUE;
    FunctionObject *known = findFunction(context, function);
    if (!known)
      return CUDA_ERROR_INVALID_HANDLE;
    Launch launch;
    launch.module = known->module->module;
    launch.kernel = known->name;
    LaunchConfiguration &configuration = launch.configuration;
    std::copy(std::begin(config->grid), std::end(config->grid),
              configuration.grid.begin());
    std::copy(std::begin(config->block), std::end(config->block),
              configuration.block.begin());
    configuration.dynamicSharedBytes = config->sharedBytes;
    // The kernel's own clusters, unless an attribute says otherwise.
    if (known->description.requiredCluster[0] != 0)
      configuration.cluster = known->description.requiredCluster;
    if (Result result = readAttributes(*config, configuration);
        result != CUDA_SUCCESS)
      return result;
    if (!packParameters(*known, parameters, extra, launch.parameters)) {
      report("kernel '" + known->name + "': its " +
             std::to_string(known->parameterBytes) +
             " bytes of parameters are not given");
      return CUDA_ERROR_INVALID_VALUE;
    }
    if (config->sharedBytes > known->maximumDynamicSharedBytes) {
      report("kernel '" + known->name +
             "': " + std::to_string(config->sharedBytes) +
             " bytes of dynamic shared memory are more than its limit of " +
             std::to_string(known->maximumDynamicSharedBytes) +
             ", which cuFuncSetAttribute raises");
      return CUDA_ERROR_INVALID_VALUE;
    }
    driver.device->checkLaunch(*launch.module, launch.kernel, configuration,
                               launch.parameters);
    return enqueue(driver, context, config->stream, std::move(launch));
  });
}

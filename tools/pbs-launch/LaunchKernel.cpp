// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Launch.h"

#include "KernelArgument.h"
#include "common/OpenDevice.h"
#include "common/Profile.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/Launcher.h"
#include "pbs/Runtime/ParameterBuffer.h"

#include <iostream>

using namespace pbs::launch;
using namespace pbs::runtime;

namespace {

/// The kernel's parameters, and the memory they point to.
class Parameters {
public:
  explicit Parameters(Device &device) : device(device) {}

  void operator()(const FileArgument &file) {
    Array array = readArray(file.place);
    size_t bytes = array.storage().size();
    memory.emplace_back(device, bytes);
    device.copyToDevice(memory.back().address(), array.storage().data(), bytes);
    buffer.append(memory.back().address());
  }

  void operator()(const OutputArgument &output) {
    Array array(output.type, output.shape);
    size_t bytes = array.storage().size();
    memory.emplace_back(device, bytes);
    device.fill(memory.back().address(), 0xff, bytes);
    buffer.append(memory.back().address());
    outputs.emplace_back(std::move(array), memory.back().address());
  }

  template <typename T> void operator()(T number) { buffer.append(number); }

  const std::vector<uint8_t> &bytes() const { return buffer.bytes(); }

  std::vector<Array> download() {
    std::vector<Array> results;
    for (auto &[array, address] : outputs) {
      device.copyToHost(array.storage().data(), address,
                        array.storage().size());
      results.push_back(std::move(array));
    }
    return results;
  }

private:
  Device &device;
  ParameterBuffer buffer;
  std::vector<DeviceMemory> memory;
  std::vector<std::pair<Array, DeviceAddress>> outputs;
};

std::string chooseKernel(const Options &options, const Module &module) {
  std::vector<std::string> kernels = module.kernelNames();
  std::string names;
  for (const std::string &kernel : kernels) {
    if (kernel == options.kernel ||
        (options.kernel.empty() && kernels.size() == 1))
      return kernel;
    names += (names.empty() ? "" : ", ") + kernel;
  }
  throw Error(options.input + ": " +
              (options.kernel.empty() ? "name a kernel with --kernel"
                                      : "no kernel '" + options.kernel + "'") +
              "; the PTX holds " + (names.empty() ? "none" : names));
}

} // namespace

std::vector<Array> pbs::launch::launchKernel(const Options &options) {
  std::vector<KernelArgument> arguments;
  size_t outputCount = 0;
  for (const std::string &text : options.arguments) {
    KernelArgument argument = parseKernelArgument(text);
    outputCount += std::holds_alternative<OutputArgument>(argument);
    arguments.push_back(std::move(argument));
  }
  checkResultPlaces(options.results, outputCount);
  LaunchConfiguration configuration;
  checkGrid(options.grid, configuration.cluster);
  for (size_t i = 0; i < 3; ++i) {
    configuration.grid[i] = static_cast<uint32_t>(options.grid[i]);
    configuration.block[i] = static_cast<uint32_t>(options.block[i]);
  }
  configuration.dynamicSharedBytes = options.sharedBytes;

  std::unique_ptr<Device> device =
      tools::openDevice(options.device, options.emulator);
  std::unique_ptr<Module> module =
      device->loadModule(readPtx(options.input), options.input);
  std::string kernel = chooseKernel(options, *module);
  Parameters parameters(*device);
  for (const KernelArgument &argument : arguments)
    std::visit(parameters, argument);
  tools::LaunchProfile profile(std::cout, *device);
  if (options.profile)
    profile.begin();
  device->launch(*module, kernel, configuration, parameters.bytes());
  if (options.profile)
    profile.end(kernel, configuration);
  device->synchronize();
  return parameters.download();
}

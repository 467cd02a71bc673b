// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Launch.h"

#include "KernelArgument.h"
#include "common/Arguments.h"
#include "common/OpenDevice.h"
#include "common/Profile.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Emulator.h"
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

  void operator()(const FileArgument &file) { append(load(file)); }

  void operator()(const OutputArgument &output) { append(load(output)); }

  void operator()(const MapArgument &map) {
    TensorMapDescription description;
    description.base = std::visit(
        [&](const auto &tensor) { return load(tensor); }, map.tensor);
    std::vector<int64_t> shape = lastShape;
    if (map.box.size() != shape.size())
      throw Error("a tensor map's box has " + std::to_string(map.box.size()) +
                  " extents, its tensor " + std::to_string(shape.size()));
    description.elementBytes = uint32_t(byteWidth(lastType));
    using Format = TensorMapDescription::Format;
    description.format =
        lastType == ElementType::BF16  ? Format::BFloat
        : lastType == ElementType::I32 ? Format::Signed
        : lastType == ElementType::F16 || lastType == ElementType::F32
            ? Format::Float
            : Format::Unsigned;
    // Maps have the innermost dimension first.
    uint64_t stride = description.elementBytes;
    for (size_t index = shape.size(); index-- > 0;) {
      description.shape.push_back(uint64_t(shape[index]));
      description.box.push_back(uint32_t(map.box[index]));
      stride *= uint64_t(shape[index]);
      if (index > 0)
        description.strides.push_back(stride);
    }
    description.swizzleBytes = map.swizzleBytes;
    append(device.encodeTensorMap(description));
  }

  template <typename T> void operator()(T number) { append(number); }

  const std::vector<uint8_t> &bytes() const { return buffer.bytes(); }

  /// Whether a kernel may take what was appended. Only whole buffers are
  /// compared where it takes arrays of bytes, which several numbers can fill.
  bool fit(const KernelDescription &kernel) const {
    std::vector<std::pair<uint64_t, uint64_t>> declared;
    bool isOfNumbers = true;
    for (const KernelDescription::Parameter &parameter : kernel.parameters) {
      declared.emplace_back(parameter.offset, parameter.bytes);
      isOfNumbers &= parameter.bytes == 4 || parameter.bytes == 8 ||
                     parameter.bytes == sizeof(TensorMap);
    }
    return isOfNumbers ? declared == spans
                       : bytes().size() == kernel.parameterBytes;
  }

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
  template <typename T> void append(const T &value) {
    buffer.append(value);
    spans.emplace_back(bytes().size() - sizeof(T), sizeof(T));
  }

  DeviceAddress load(const FileArgument &file) {
    Array array = readArray(file.place);
    size_t bytes = array.storage().size();
    memory.emplace_back(device, bytes);
    device.copyToDevice(memory.back().address(), array.storage().data(), bytes);
    lastType = array.elementType();
    lastShape = array.shape();
    return memory.back().address();
  }

  DeviceAddress load(const OutputArgument &output) {
    Array array(output.type, output.shape);
    size_t bytes = array.storage().size();
    memory.emplace_back(device, bytes);
    device.fill(memory.back().address(), 0xff, bytes);
    lastType = output.type;
    lastShape = output.shape;
    outputs.emplace_back(std::move(array), memory.back().address());
    return memory.back().address();
  }

  Device &device;
  ParameterBuffer buffer;
  /// Offset and bytes of each parameter.
  std::vector<std::pair<uint64_t, uint64_t>> spans;
  // Of the tensor that was loaded last.
  ElementType lastType = ElementType::F32;
  std::vector<int64_t> lastShape;
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

/// What the PTX declares of a kernel; nothing where the emulator cannot read
/// it.
static std::optional<KernelDescription>
describeKernel(const Device &device, const Module &module,
               const std::string &kernel, const std::string &ptx,
               const std::string &name) {
  if (const auto *emulator = dynamic_cast<const EmulatorDevice *>(&device))
    return emulator->describeKernel(module, kernel);
  try {
    std::unique_ptr<EmulatorDevice> emulator = createEmulator();
    return emulator->describeKernel(*emulator->loadModule(ptx, name), kernel);
  } catch (const Error &) {
    return std::nullopt;
  }
}

/// "out u64", for each parameter.
static std::vector<std::string> declare(const KernelDescription &description) {
  std::vector<std::string> texts;
  texts.reserve(description.parameters.size());
  for (const KernelDescription::Parameter &parameter : description.parameters)
    texts.push_back(parameter.name + " " + parameter.type);
  return texts;
}

Outputs pbs::launch::launchKernel(const Options &options) {
  std::vector<KernelArgument> arguments;
  std::vector<std::string> outputNames;
  for (const std::string &text : options.arguments) {
    KernelArgument argument = parseKernelArgument(text);
    const auto *map = std::get_if<MapArgument>(&argument);
    if (map ? std::holds_alternative<OutputArgument>(map->tensor)
            : std::holds_alternative<OutputArgument>(argument))
      outputNames.push_back(text);
    arguments.push_back(std::move(argument));
  }
  checkResultPlaces(options.results, outputNames.size());
  LaunchConfiguration configuration;
  for (size_t i = 0; i < 3; ++i)
    configuration.cluster[i] = static_cast<uint32_t>(options.cluster[i]);
  checkGrid(options.grid, configuration.cluster);
  for (size_t i = 0; i < 3; ++i) {
    configuration.grid[i] = static_cast<uint32_t>(options.grid[i]);
    configuration.block[i] = static_cast<uint32_t>(options.block[i]);
  }
  configuration.dynamicSharedBytes = options.sharedBytes;

  std::unique_ptr<Device> device =
      tools::openDevice(options.device, options.emulator);
  std::string ptx = readPtx(options.input);
  std::unique_ptr<Module> module = device->loadModule(ptx, options.input);
  std::string kernel = chooseKernel(options, *module);
  Parameters parameters(*device);
  for (const KernelArgument &argument : arguments)
    std::visit(parameters, argument);
  std::optional<KernelDescription> description =
      describeKernel(*device, *module, kernel, ptx, options.input);
  if (description && !parameters.fit(*description))
    throw Error(options.input + ": kernel '" + kernel +
                "': --arg does not fit its parameters; " +
                tools::pairArguments(declare(*description), options.arguments));
  tools::LaunchProfile profile(std::cout, *device);
  if (options.profile)
    profile.begin();
  device->launch(*module, kernel, configuration, parameters.bytes());
  if (options.profile)
    profile.end(kernel, configuration);
  device->synchronize();
  return {parameters.download(), outputNames};
}

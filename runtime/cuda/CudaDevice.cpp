// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Cuda.h"

#include "DriverApi.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <map>

namespace pbs::runtime {
namespace cuda {
namespace {

class CudaModule : public Module {
public:
  CudaModule(const DriverApi &driver, Context context, ModuleHandle handle,
             std::string name, std::vector<std::string> kernels)
      : driver(driver), context(context), handle(handle), name(std::move(name)),
        kernels(std::move(kernels)) {}
  ~CudaModule() override {
    driver.setContext(context);
    driver.unloadModule(handle);
  }

  std::vector<std::string> kernelNames() const override { return kernels; }

  /// A kernel, which may be launched with \p sharedBytes of dynamic shared
  /// memory.
  Function find(const std::string &kernel, uint64_t sharedBytes) const {
    auto [entry, isNew] = functions.try_emplace(kernel);
    Known &known = entry->second;
    if (isNew) {
      Result result =
          driver.getFunction(&known.function, handle, kernel.c_str());
      if (result != success)
        functions.erase(entry);
      driver.check(result, name + ": kernel '" + kernel + "'");
    }
    // What lies beside static shared memory within 48 KiB need not be asked
    // for, but may be (CUDA programming guide, "Shared Memory").
    if (sharedBytes > known.sharedBytes) {
      driver.check(driver.setFunctionAttribute(known.function,
                                               functionMaxDynamicSharedBytes,
                                               static_cast<int>(sharedBytes)),
                   name + ": kernel '" + kernel + "' needs " +
                       std::to_string(sharedBytes) + " bytes of shared memory");
      known.sharedBytes = sharedBytes;
    }
    return known.function;
  }

private:
  struct Known {
    Function function = nullptr;
    uint64_t sharedBytes = 0;
  };
  const DriverApi &driver;
  Context context;
  ModuleHandle handle;
  std::string name;
  std::vector<std::string> kernels;
  mutable std::map<std::string, Known> functions;
};

class CudaEvent : public Event {
public:
  CudaEvent(const DriverApi &driver, Context context)
      : driver(driver), context(context) {
    driver.check(driver.createEvent(&handle, 0), "an event");
  }
  ~CudaEvent() override {
    driver.setContext(context);
    driver.destroyEvent(handle);
  }

  const DriverApi &driver;
  Context context;
  EventHandle handle = nullptr;
};

/// The names after `.entry` in \p ptx.
std::vector<std::string> findKernels(std::string_view ptx) {
  constexpr std::string_view directive = ".entry";
  constexpr std::string_view spaces = " \t\r\n";
  std::vector<std::string> names;
  for (size_t at = ptx.find(directive); at != std::string_view::npos;
       at = ptx.find(directive, at)) {
    at += directive.size();
    size_t begin = ptx.find_first_not_of(spaces, at);
    if (begin == at || begin == std::string_view::npos)
      continue;
    size_t end = ptx.find_first_of(" \t\r\n(", begin);
    names.emplace_back(ptx.substr(begin, end - begin));
  }
  return names;
}

/// The version that \p ptx is written in, for messages.
std::string findVersion(std::string_view ptx) {
  constexpr std::string_view directive = ".version";
  size_t at = ptx.find(directive);
  if (at == std::string_view::npos)
    return "?";
  size_t begin = ptx.find_first_not_of(" \t", at + directive.size());
  size_t end = ptx.find_first_of(" \t\r\n", begin);
  return std::string(ptx.substr(begin, end - begin));
}

class CudaDevice : public Device {
public:
  explicit CudaDevice(unsigned ordinal) : driver(getDriver()) {
    int count = 0;
    Result result = driver.getDeviceCount(&count);
    if (result != errorNoDevice)
      driver.check(result, "the number of GPUs");
    if (ordinal >= static_cast<unsigned>(count))
      throw Error(
          "cuda:" + std::to_string(ordinal) + ": there " +
          (count == 1 ? "is 1 GPU" : "are " + std::to_string(count) + " GPUs"));
    driver.check(driver.getDevice(&handle, static_cast<int>(ordinal)),
                 "GPU " + std::to_string(ordinal));
    driver.check(driver.retainContext(&context, handle), "a CUDA context");
    try {
      use();
      driver.check(driver.createStream(&stream, streamNonBlocking), "a stream");
    } catch (...) {
      driver.releaseContext(handle);
      throw;
    }
  }

  ~CudaDevice() override {
    driver.setContext(context);
    driver.destroyStream(stream);
    driver.releaseContext(handle);
  }

  std::string description() const override {
    char name[256] = {};
    driver.check(driver.getDeviceName(name, sizeof(name) - 1, handle),
                 "the GPU's name");
    int version = 0;
    driver.check(driver.getVersion(&version), "the driver's version");
    return std::string(name) + ", sm_" +
           std::to_string(attribute(attributeComputeCapabilityMajor)) +
           std::to_string(attribute(attributeComputeCapabilityMinor)) +
           ", driver for CUDA " + formatVersion(version);
  }

  uint32_t multiprocessorCount() const override {
    return static_cast<uint32_t>(attribute(attributeMultiprocessorCount));
  }

  DeviceAddress allocate(size_t bytes) override {
    use();
    Pointer pointer = 0;
    driver.check(driver.allocate(&pointer, std::max<size_t>(bytes, 1)),
                 "allocating " + std::to_string(bytes) + " bytes");
    return pointer;
  }

  void deallocate(DeviceAddress address) override {
    // Also called while an error is on its way, of which this is no part.
    driver.setContext(context);
    driver.deallocate(address);
  }

  void copyToDevice(DeviceAddress destination, const void *source,
                    size_t bytes) override {
    use();
    driver.check(driver.copyToDevice(destination, source, bytes, stream),
                 "copying to the GPU");
    synchronize();
  }

  void copyToHost(void *destination, DeviceAddress source,
                  size_t bytes) override {
    use();
    driver.check(driver.copyToHost(destination, source, bytes, stream),
                 "copying from the GPU" + afterLast());
    synchronize();
  }

  void fill(DeviceAddress destination, uint8_t value, size_t bytes) override {
    use();
    driver.check(driver.fill(destination, value, bytes, stream),
                 "filling memory" + afterLast());
  }

  std::unique_ptr<Module> loadModule(std::string_view ptx,
                                     std::string_view name) override;

  TensorMap encodeTensorMap(const TensorMapDescription &map) override;

  void launch(const Module &module, std::string_view kernel,
              const LaunchConfiguration &configuration,
              const std::vector<uint8_t> &parameters) override;

  std::unique_ptr<Event> recordEvent() override {
    use();
    auto event = std::make_unique<CudaEvent>(driver, context);
    driver.check(driver.recordEvent(event->handle, stream),
                 "recording an event" + afterLast());
    return event;
  }

  double elapsedMilliseconds(const Event &start, const Event &end) override {
    use();
    EventHandle last = static_cast<const CudaEvent &>(end).handle;
    driver.check(driver.synchronizeEvent(last), "an event" + afterLast());
    float milliseconds = 0;
    driver.check(
        driver.elapsedTime(&milliseconds,
                           static_cast<const CudaEvent &>(start).handle, last),
        "the time between events");
    return milliseconds;
  }

  void synchronize() override {
    use();
    driver.check(driver.synchronizeStream(stream), "the GPU" + afterLast());
  }

private:
  static std::string formatVersion(int version) {
    return std::to_string(version / 1000) + "." +
           std::to_string(version % 1000 / 10);
  }

  void use() const {
    driver.check(driver.setContext(context), "the CUDA context");
  }

  int attribute(int number) const {
    int value = 0;
    driver.check(driver.getAttribute(&value, number, handle),
                 "an attribute of the GPU");
    return value;
  }

  /// Errors of a kernel are seen by whatever waits for it.
  std::string afterLast() const {
    return lastKernel.empty() ? "" : " after kernel '" + lastKernel + "'";
  }

  void launchWithAttributes(Function function,
                            const LaunchConfiguration &configuration,
                            void **options);

  const DriverApi &driver;
  DeviceHandle handle = 0;
  Context context = nullptr;
  Stream stream = nullptr;
  std::string lastKernel;
};

std::unique_ptr<Module> CudaDevice::loadModule(std::string_view ptx,
                                               std::string_view name) {
  use();
  std::string text(ptx); // with a zero at its end
  std::string log(16384, '\0');
  int options[] = {jitErrorLogBuffer, jitErrorLogBufferBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  ModuleHandle module = nullptr;
  Result result = driver.loadModule(&module, text.c_str(), 2, options, values);
  if (result == success)
    return std::make_unique<CudaModule>(driver, context, module,
                                        std::string(name), findKernels(ptx));
  std::string what(name);
  if (result == errorUnsupportedPTXVersion) {
    int version = 0;
    driver.getVersion(&version);
    throw Error(what + ": PTX " + findVersion(ptx) +
                " is newer than the driver, which is one for CUDA " +
                formatVersion(version));
  }
  if (result == errorNoBinaryForGPU)
    what += ": PTX for another GPU than " + description();
  log.resize(std::min(log.find('\0'), log.size()));
  for (char &character : log)
    if (character == '\n')
      character = ';';
  if (!log.empty())
    what += ": " + log;
  driver.check(result, what);
  return nullptr;
}

TensorMap CudaDevice::encodeTensorMap(const TensorMapDescription &map) {
  use();
  if (!driver.encodeTensorMap)
    throw Error("tensor maps need a driver for CUDA 12.0 or later");
  // CU_TENSOR_MAP_DATA_TYPE_UINT8, _UINT16, _UINT32 and _UINT64 by bytes, and
  // CU_TENSOR_MAP_SWIZZLE_NONE, _32B, _64B and _128B by bytes.
  static const std::map<uint32_t, int> types = {{1, 0}, {2, 1}, {4, 2}, {8, 4}};
  static const std::map<uint32_t, int> swizzles = {
      {0, 0}, {32, 1}, {64, 2}, {128, 3}};
  auto type = types.find(map.elementBytes);
  auto swizzle = swizzles.find(map.swizzleBytes);
  if (type == types.end() || swizzle == swizzles.end())
    throw Error("a tensor map of elements of " +
                std::to_string(map.elementBytes) + " bytes and a swizzle of " +
                std::to_string(map.swizzleBytes) + " bytes does not exist");
  constexpr int interleaveNone = 0, promotion128Bytes = 2, fillZeros = 0;
  std::vector<uint32_t> steps(map.shape.size(), 1);
  TensorMap encoded;
  driver.check(driver.encodeTensorMap(
                   encoded.bytes.data(), type->second,
                   static_cast<uint32_t>(map.shape.size()),
                   // An address of the device, which the API calls a pointer.
                   reinterpret_cast<void *>(map.base), map.shape.data(),
                   map.strides.data(), map.box.data(), steps.data(),
                   interleaveNone, swizzle->second, promotion128Bytes,
                   fillZeros),
               "encoding a tensor map");
  return encoded;
}

void CudaDevice::launchWithAttributes(Function function,
                                      const LaunchConfiguration &configuration,
                                      void **options) {
  if (!driver.launchKernelEx)
    throw Error("clusters need a driver for CUDA 11.8 or later");
  LaunchAttribute attributes[2] = {};
  attributes[0].id = launchClusterDimension;
  std::copy(configuration.cluster.begin(), configuration.cluster.end(),
            attributes[0].clusterExtents);
  attributes[1].id = launchProgrammaticStreamSerialization;
  attributes[1].flag = configuration.programmaticStreamSerialization;
  LaunchConfig config = {};
  std::copy(configuration.grid.begin(), configuration.grid.end(), config.grid);
  std::copy(configuration.block.begin(), configuration.block.end(),
            config.block);
  config.sharedBytes = static_cast<unsigned>(configuration.dynamicSharedBytes);
  config.stream = stream;
  config.attributes = attributes;
  config.attributeCount = 2;
  driver.check(driver.launchKernelEx(&config, function, nullptr, options),
               "launching kernel '" + lastKernel + "'");
}

void CudaDevice::launch(const Module &module, std::string_view kernel,
                        const LaunchConfiguration &configuration,
                        const std::vector<uint8_t> &parameters) {
  use();
  lastKernel = kernel;
  Function function = static_cast<const CudaModule &>(module).find(
      lastKernel, configuration.dynamicSharedBytes);
  size_t bytes = parameters.size();
  void *options[] = {launchParameterBuffer,
                     const_cast<uint8_t *>(parameters.data()),
                     launchParameterBytes, &bytes, launchEnd};
  bool hasCluster =
      std::any_of(configuration.cluster.begin(), configuration.cluster.end(),
                  [](uint32_t extent) { return extent != 1; });
  if (hasCluster || configuration.programmaticStreamSerialization)
    return launchWithAttributes(function, configuration, options);
  const auto &[x, y, z] = configuration.grid;
  const auto &[threadsX, threadsY, threadsZ] = configuration.block;
  driver.check(driver.launchKernel(
                   function, x, y, z, threadsX, threadsY, threadsZ,
                   static_cast<unsigned>(configuration.dynamicSharedBytes),
                   stream, nullptr, options),
               "launching kernel '" + lastKernel + "'");
}

} // namespace
} // namespace cuda

std::unique_ptr<Device> createCudaDevice(unsigned ordinal) {
  return std::make_unique<cuda::CudaDevice>(ordinal);
}

} // namespace pbs::runtime

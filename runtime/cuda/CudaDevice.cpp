// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Cuda.h"

#include "CudaObjects.h"
#include "DriverApi.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <map>

namespace pbs::runtime {
namespace cuda {
namespace {

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
      throw Error("cuda:" + std::to_string(ordinal) + ": there " +
                      (count == 1 ? "is 1 GPU"
                                  : "are " + std::to_string(count) + " GPUs"),
                  ErrorKind::Unavailable);
    driver.check(driver.getDevice(&handle, static_cast<int>(ordinal)),
                 "GPU " + std::to_string(ordinal));
    driver.check(driver.retainContext(&context, handle), "a CUDA context");
    try {
      ContextScope scope(driver, context);
      driver.check(driver.createStream(&ownStream, streamNonBlocking),
                   "a stream");
    } catch (...) {
      driver.releaseContext(handle);
      throw;
    }
  }

  ~CudaDevice() override {
    inContext(driver, context, [&] { driver.destroyStream(ownStream); });
    driver.releaseContext(handle);
  }

  std::string description() const override {
    char name[256] = {};
    driver.check(driver.getDeviceName(name, sizeof(name) - 1, handle),
                 "the GPU's name");
    int version = 0;
    driver.check(driver.getVersion(&version), "the driver's version");
    return std::string(name) + ", sm_" + computeCapability() +
           ", driver for CUDA " + formatVersion(version);
  }

  std::string chip() const override {
    // From Hopper on, a GPU's own instructions are behind the suffix.
    bool hasOwn = attribute(attributeComputeCapabilityMajor) >= 9;
    return "sm_" + computeCapability() + (hasOwn ? "a" : "");
  }

  uint32_t multiprocessorCount() const override {
    return static_cast<uint32_t>(attribute(attributeMultiprocessorCount));
  }

  Stream createStream() override {
    ContextScope scope(driver, context);
    StreamHandle created = nullptr;
    driver.check(driver.createStream(&created, streamNonBlocking), "a stream");
    return created;
  }

  void destroyStream(Stream stream) override {
    ContextScope scope(driver, context);
    driver.check(driver.destroyStream(static_cast<StreamHandle>(stream)),
                 "ending a stream" + afterLast());
  }

  DeviceAddress allocate(size_t bytes) override {
    ContextScope scope(driver, context);
    Pointer pointer = 0;
    driver.check(driver.allocate(&pointer, std::max<size_t>(bytes, 1)),
                 "allocating " + std::to_string(bytes) + " bytes");
    return pointer;
  }

  void deallocate(DeviceAddress address) override {
    ContextScope scope(driver, context);
    driver.check(driver.deallocate(address), "freeing memory" + afterLast());
  }

  void copyToDevice(DeviceAddress destination, const void *source,
                    size_t bytes) override {
    ContextScope scope(driver, context);
    driver.check(driver.copyToDevice(destination, source, bytes, stream()),
                 "copying to the GPU");
    synchronize();
  }

  void copyToHost(void *destination, DeviceAddress source,
                  size_t bytes) override {
    ContextScope scope(driver, context);
    driver.check(driver.copyToHost(destination, source, bytes, stream()),
                 "copying from the GPU" + afterLast());
    synchronize();
  }

  void fill(DeviceAddress destination, uint8_t value, size_t bytes) override {
    ContextScope scope(driver, context);
    driver.check(driver.fill(destination, value, bytes, stream()),
                 "filling memory" + afterLast());
  }

  std::unique_ptr<Module> loadModule(std::string_view ptx,
                                     std::string_view name) override;

  std::unique_ptr<Module> loadCubin(std::string_view cubin,
                                    std::string_view ptx,
                                    std::string_view name) override;

  TensorMap encodeTensorMap(const TensorMapDescription &map) override;

  void launch(const Module &module, std::string_view kernel,
              const LaunchConfiguration &configuration,
              const std::vector<uint8_t> &parameters) override;

  std::unique_ptr<Event> recordEvent() override {
    ContextScope scope(driver, context);
    auto event = std::make_unique<CudaEvent>(driver, context, afterLast());
    driver.check(driver.recordEvent(event->handle, stream()),
                 "recording an event" + afterLast());
    return event;
  }

  double elapsedMilliseconds(const Event &start, const Event &end) override {
    ContextScope scope(driver, context);
    synchronize(end);
    float milliseconds = 0;
    driver.check(
        driver.elapsedTime(&milliseconds,
                           static_cast<const CudaEvent &>(start).handle,
                           static_cast<const CudaEvent &>(end).handle),
        "the time between events");
    return milliseconds;
  }

  void synchronize(const Event &event) override {
    ContextScope scope(driver, context);
    const auto &own = static_cast<const CudaEvent &>(event);
    driver.check(driver.synchronizeEvent(own.handle), "the GPU" + own.after);
  }

  void waitFor(const Event &event) override {
    ContextScope scope(driver, context);
    driver.check(driver.waitForEvent(
                     stream(), static_cast<const CudaEvent &>(event).handle, 0),
                 "waiting for an event" + afterLast());
  }

  void beginCapture() override {
    ContextScope scope(driver, context);
    driver.check(driver.beginCapture(stream(), captureThreadLocal),
                 "beginning a capture" + afterLast());
  }

  std::unique_ptr<Graph> endCapture() override;

  void replay(const Graph &graph) override {
    ContextScope scope(driver, context);
    driver.check(driver.launchGraph(
                     static_cast<const CudaGraph &>(graph).handle, stream()),
                 "replaying a graph" + afterLast());
  }

  void synchronize() override {
    ContextScope scope(driver, context);
    driver.check(driver.synchronizeStream(stream()), "the GPU" + afterLast());
  }

  void synchronizeAll() override {
    ContextScope scope(driver, context);
    driver.check(driver.synchronizeContext(), "the GPU" + afterLast());
  }

private:
  StreamHandle stream() const {
    return currentStream() ? static_cast<StreamHandle>(currentStream())
                           : ownStream;
  }

  std::string computeCapability() const {
    return std::to_string(attribute(attributeComputeCapabilityMajor)) +
           std::to_string(attribute(attributeComputeCapabilityMinor));
  }

  static std::string formatVersion(int version) {
    return std::to_string(version / 1000) + "." +
           std::to_string(version % 1000 / 10);
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
                            void **parameters, void **options);

  const DriverApi &driver;
  DeviceHandle handle = 0;
  Context context = nullptr;
  StreamHandle ownStream = nullptr;
  std::string lastKernel;
};

std::unique_ptr<Module> CudaDevice::loadModule(std::string_view ptx,
                                               std::string_view name) {
  ContextScope scope(driver, context);
  std::string text(ptx); // with a zero at its end
  std::string log(16384, '\0');
  int options[] = {jitErrorLogBuffer, jitErrorLogBufferBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  ModuleHandle module = nullptr;
  Result result = driver.loadModule(&module, text.c_str(), 2, options, values);
  if (result == success)
    return std::make_unique<CudaModule>(driver, context, module,
                                        std::string(name), findEntries(ptx));
  std::string what(name);
  if (result == errorUnsupportedPTXVersion) {
    int version = 0;
    driver.getVersion(&version);
    throw Error(what + ": PTX " + findVersion(ptx) +
                    " is newer than the driver, which is one for CUDA " +
                    formatVersion(version),
                ErrorKind::Unavailable);
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

std::unique_ptr<Module> CudaDevice::loadCubin(std::string_view cubin,
                                              std::string_view ptx,
                                              std::string_view name) {
  ContextScope scope(driver, context);
  ModuleHandle module = nullptr;
  Result result = driver.loadModule(&module, cubin.data(), 0, nullptr, nullptr);
  // PTX may do where the machine code of one chip does not.
  if (result == errorNoBinaryForGPU)
    return nullptr;
  driver.check(result, std::string(name));
  return std::make_unique<CudaModule>(driver, context, module,
                                      std::string(name), findEntries(ptx));
}

std::unique_ptr<Graph> CudaDevice::endCapture() {
  ContextScope scope(driver, context);
  GraphHandle captured = nullptr;
  driver.check(driver.endCapture(stream(), &captured),
               "capturing" + afterLast());
  auto destroy = [this](GraphHandle graph) { driver.destroyGraph(graph); };
  std::unique_ptr<GraphObject, decltype(destroy)> graph(captured, destroy);
  return std::make_unique<CudaGraph>(driver, context, captured);
}

TensorMap CudaDevice::encodeTensorMap(const TensorMapDescription &map) {
  ContextScope scope(driver, context);
  // Kernels cannot be given one unless the driver tells what they take.
  if (!driver.encodeTensorMap || !driver.getParameterInfo)
    throw Error("tensor maps need a driver for CUDA 12.4 or later",
                ErrorKind::Unavailable);
  using Format = TensorMapDescription::Format;
  // CUtensorMapDataType by format and bytes, and CU_TENSOR_MAP_SWIZZLE_NONE,
  // _32B, _64B and _128B by bytes.
  static const std::map<std::pair<Format, uint32_t>, int> types = {
      {{Format::Unsigned, 1}, 0}, {{Format::Unsigned, 2}, 1},
      {{Format::Unsigned, 4}, 2}, {{Format::Signed, 4}, 3},
      {{Format::Unsigned, 8}, 4}, {{Format::Signed, 8}, 5},
      {{Format::Float, 2}, 6},    {{Format::Float, 4}, 7},
      {{Format::Float, 8}, 8},    {{Format::BFloat, 2}, 9}};
  static const std::map<uint32_t, int> swizzles = {
      {0, 0}, {32, 1}, {64, 2}, {128, 3}};
  auto type = types.find({map.format, map.elementBytes});
  auto swizzle = swizzles.find(map.swizzleBytes);
  if (type == types.end() || swizzle == swizzles.end())
    throw Error("a tensor map of elements of " +
                std::to_string(map.elementBytes) + " bytes and a swizzle of " +
                std::to_string(map.swizzleBytes) + " bytes does not exist");
  constexpr int interleaveNone = 0, promotion256Bytes = 3, fillZeros = 0;
  std::vector<uint32_t> steps(map.shape.size(), 1);
  // The driver refuses a null pointer even for one dimension, which has none.
  std::vector<uint64_t> strides = map.strides;
  strides.resize(map.shape.size());
  TensorMap encoded;
  driver.check(driver.encodeTensorMap(
                   encoded.bytes.data(), type->second,
                   static_cast<uint32_t>(map.shape.size()),
                   // An address of the device, which the API calls a pointer.
                   reinterpret_cast<void *>(map.base), map.shape.data(),
                   strides.data(), map.box.data(), steps.data(), interleaveNone,
                   swizzle->second, promotion256Bytes, fillZeros),
               "encoding a tensor map");
  return encoded;
}

void CudaDevice::launchWithAttributes(Function function,
                                      const LaunchConfiguration &configuration,
                                      void **parameters, void **options) {
  if (!driver.launchKernelEx)
    throw Error("clusters need a driver for CUDA 11.8 or later",
                ErrorKind::Unavailable);
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
  config.stream = stream();
  config.attributes = attributes;
  config.attributeCount = 2;
  driver.check(driver.launchKernelEx(&config, function, parameters, options),
               "launching kernel '" + lastKernel + "'");
}

void CudaDevice::launch(const Module &module, std::string_view kernel,
                        const LaunchConfiguration &configuration,
                        const std::vector<uint8_t> &parameters) {
  ContextScope scope(driver, context);
  lastKernel = kernel;
  const CudaKernel &known = static_cast<const CudaModule &>(module).find(
      lastKernel, configuration.dynamicSharedBytes);
  // One by one, since ptxas aligns addresses in the constant bank, where the
  // first parameter is not as aligned as a tensor map: the driver's buffer may
  // have gaps that ours has not.
  auto *packed = const_cast<uint8_t *>(parameters.data());
  size_t bytes = parameters.size();
  void *buffer[] = {launchParameterBuffer, packed, launchParameterBytes, &bytes,
                    launchEnd};
  std::vector<void *> pointers;
  void **options = nullptr;
  const KernelParameters &taken = known.parameters;
  if (!taken.offsets.empty() && bytes == taken.bytes) {
    for (size_t offset : taken.offsets)
      pointers.push_back(packed + offset);
  } else {
    if (taken.isKnown && bytes != taken.driverBytes)
      throw Error("kernel '" + lastKernel + "' takes " +
                  std::to_string(taken.offsets.empty() ? taken.driverBytes
                                                       : taken.bytes) +
                  " bytes of parameters, not " + std::to_string(bytes));
    options = buffer;
  }
  bool hasCluster =
      std::any_of(configuration.cluster.begin(), configuration.cluster.end(),
                  [](uint32_t extent) { return extent != 1; });
  if (hasCluster || configuration.programmaticStreamSerialization)
    return launchWithAttributes(known.function, configuration, pointers.data(),
                                options);
  const auto &[x, y, z] = configuration.grid;
  const auto &[threadsX, threadsY, threadsZ] = configuration.block;
  driver.check(driver.launchKernel(
                   known.function, x, y, z, threadsX, threadsY, threadsZ,
                   static_cast<unsigned>(configuration.dynamicSharedBytes),
                   stream(), pointers.data(), options),
               "launching kernel '" + lastKernel + "'");
}

} // namespace
} // namespace cuda

std::unique_ptr<Device> createCudaDevice(unsigned ordinal) {
  return std::make_unique<cuda::CudaDevice>(ordinal);
}

} // namespace pbs::runtime

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Emulator.h"

#include "Checks/Shadow.h"
#include "Decoder.h"
#include "GlobalMemory.h"
#include "Machine.h"
#include "Parser.h"
#include "Profiler.h"
#include "TensorBox.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/HostMemory.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

namespace pbs::runtime {

std::string_view instructionClassName(InstructionClass instructionClass) {
  static constexpr std::string_view names[] = {
      "integer", "float",  "special function", "conversion", "move", "load",
      "store",   "atomic", "control",          "barrier",    "warp", "matrix",
      "copy"};
  static_assert(std::size(names) == instructionClassCount);
  return names[size_t(instructionClass)];
}

uint64_t LaunchStatistics::totalLaneInstructions() const {
  uint64_t total = 0;
  for (uint64_t count : laneInstructions)
    total += count;
  return total;
}

LaunchStatistics &LaunchStatistics::operator+=(const LaunchStatistics &other) {
  for (size_t index = 0; index < instructionClassCount; ++index)
    laneInstructions[index] += other.laneInstructions[index];
  warpInstructions += other.warpInstructions;
  matrixFlops += other.matrixFlops;
  globalLoadBytes += other.globalLoadBytes;
  globalStoreBytes += other.globalStoreBytes;
  sharedLoadBytes += other.sharedLoadBytes;
  sharedStoreBytes += other.sharedStoreBytes;
  asyncCopyBytes += other.asyncCopyBytes;
  ctas += other.ctas;
  seconds += other.seconds;
  return *this;
}

namespace emulator {
namespace {

class EmulatorModule : public Module {
public:
  std::vector<std::string> kernelNames() const override {
    std::vector<std::string> names;
    for (const Kernel &kernel : program.kernels)
      names.push_back(kernel.name);
    return names;
  }

  /// What the program's opcodes point into.
  std::string text;
  Program program;
};

/// The work itself, in order.
class EmulatorGraph : public Graph {
public:
  std::vector<std::function<void()>> work;
};

class EmulatorEvent : public Event {
public:
  std::chrono::steady_clock::time_point time;
};

class EmulatorDeviceImplementation : public EmulatorDevice {
public:
  explicit EmulatorDeviceImplementation(const EmulatorOptions &options)
      : options(options),
        memory(options.checks == EmulatorOptions::Checks::All) {
    if (this->options.hostThreads == 0)
      this->options.hostThreads =
          std::max(1u, std::thread::hardware_concurrency());
    // An endless loop reaches it in about a minute, and hardly a kernel that a
    // host can run in a day.
    bool isChecked = options.checks == EmulatorOptions::Checks::All;
    if (this->options.maxSteps == 0)
      this->options.maxSteps = uint64_t(1) << (isChecked ? 27 : 31);
  }

  std::string description() const override {
    return "PTX emulator on " + std::to_string(options.hostThreads) +
           (options.hostThreads == 1 ? " host thread" : " host threads");
  }

  std::string chip() const override { return "sm_80"; }

  uint32_t multiprocessorCount() const override {
    return options.multiprocessors;
  }

  // All work is done at once, so that streams need only have names.
  Stream createStream() override {
    return reinterpret_cast<Stream>( // NOLINT(performance-no-int-to-ptr)
        ++lastStream);
  }

  void destroyStream(Stream) override {}

  DeviceAddress allocate(size_t bytes) override {
    return memory.allocate(bytes);
  }

  void deallocate(DeviceAddress address) override {
    memory.deallocate(address);
  }

  void copyToDevice(DeviceAddress destination, const void *source,
                    size_t bytes) override {
    if (bytes == 0)
      return;
    uint8_t *host = memory.translate(destination, bytes, "copy to the device");
    std::memcpy(host, source, bytes);
    memory.setWritten(host, bytes, true);
  }

  void copyToHost(void *destination, DeviceAddress source,
                  size_t bytes) override {
    if (bytes != 0)
      std::memcpy(destination,
                  memory.translate(source, bytes, "copy to the host"), bytes);
  }

  void fill(DeviceAddress destination, uint8_t value, size_t bytes) override {
    doOrRecord([this, destination, value, bytes] {
      if (bytes == 0)
        return;
      uint8_t *host = memory.translate(destination, bytes, "fill");
      std::memset(host, value, bytes);
      memory.setWritten(host, bytes, true);
    });
  }

  std::unique_ptr<Module> loadModule(std::string_view ptx,
                                     std::string_view name) override;

  TensorMap encodeTensorMap(const TensorMapDescription &map) override {
    return emulator::encodeTensorMap(map);
  }

  void launch(const Module &module, std::string_view kernel,
              const LaunchConfiguration &configuration,
              const std::vector<uint8_t> &parameters) override;

  std::unique_ptr<Event> recordEvent() override {
    auto event = std::make_unique<EmulatorEvent>();
    event->time = std::chrono::steady_clock::now();
    return event;
  }

  double elapsedMilliseconds(const Event &start, const Event &end) override {
    return std::chrono::duration<double, std::milli>(
               dynamic_cast<const EmulatorEvent &>(end).time -
               dynamic_cast<const EmulatorEvent &>(start).time)
        .count();
  }

  void synchronize(const Event &) override {}

  void waitFor(const Event &) override {}

  void beginCapture() override {
    if (recording)
      throw Error("emulator: a capture inside a capture");
    recording = std::make_unique<EmulatorGraph>();
  }

  std::unique_ptr<Graph> endCapture() override {
    if (!recording)
      throw Error("emulator: no capture has begun");
    return std::move(recording);
  }

  void replay(const Graph &graph) override {
    for (const auto &work : dynamic_cast<const EmulatorGraph &>(graph).work)
      work();
  }

  void synchronize() override {}

  void synchronizeAll() override {}

  void stop() override { isStopped = true; }
  void resume() override { isStopped = false; }

  const LaunchStatistics &launchStatistics() const override {
    return statistics;
  }

  const EmulatorProfile *launchProfile() const override {
    return options.profile ? &profile : nullptr;
  }

  KernelDescription describeKernel(const Module &module,
                                   std::string_view kernel) const override;

  void checkLaunch(const Module &module, std::string_view kernel,
                   const LaunchConfiguration &configuration,
                   const std::vector<uint8_t> &parameters) const override {
    emulator::checkLaunch(
        prepareLaunch(module, kernel, configuration, parameters));
  }

private:
  void doOrRecord(std::function<void()> work) {
    if (recording)
      recording->work.push_back(std::move(work));
    else
      work();
  }

  void run(LaunchState &launch);

  LaunchState prepareLaunch(const Module &module, std::string_view kernel,
                            const LaunchConfiguration &configuration,
                            const std::vector<uint8_t> &parameters) const;

  EmulatorOptions options;
  GlobalMemory memory;
  LaunchStatistics statistics;
  EmulatorProfile profile;
  std::atomic<bool> isStopped = false;
  uint64_t launches = 0;
  // 1 and 2 mean something to a GPU.
  uintptr_t lastStream = 2;
  /// Not null between the ends of a capture.
  std::unique_ptr<EmulatorGraph> recording;
};

bool isInDeviceMemory(const Variable &variable) {
  return (variable.space == Space::Global || variable.space == Space::Const) &&
         !variable.external;
}

std::unique_ptr<Module>
EmulatorDeviceImplementation::loadModule(std::string_view ptx,
                                         std::string_view name) {
  auto module = std::make_unique<EmulatorModule>();
  module->text = std::string(ptx);
  ModuleSyntax syntax = Parser(module->text, name).parse();
  uint64_t bytes = 0;
  for (const Variable &variable : syntax.variables)
    if (isInDeviceMemory(variable) &&
        __builtin_add_overflow(bytes, memory.hostBytes(variable.bytes), &bytes))
      bytes = UINT64_MAX;
  checkHostMemory(std::string(name) + ": the module's variables", bytes);
  // Addresses first: an initialiser may hold the address of any variable. The
  // memory lives as long as the device.
  std::vector<DeviceAddress> allocated;
  try {
    for (Variable &variable : syntax.variables) {
      if (!isInDeviceMemory(variable))
        continue;
      // PTX zeroes what has no initialiser.
      variable.address =
          memory.allocate(variable.bytes, GlobalMemory::Contents::Zero);
      allocated.push_back(variable.address);
    }
    for (const Variable &variable : syntax.variables) {
      unsigned bytes = byteWidth(variable.type);
      for (size_t index = 0; index < variable.initializer.size(); ++index) {
        const Variable::Element &element = variable.initializer[index];
        uint64_t value = element.bits;
        if (element.variable >= 0)
          value += syntax.variables[size_t(element.variable)].address;
        value >>= element.shift;
        copyToDevice(variable.address + index * bytes, &value, bytes);
      }
    }
    module->program =
        Decoder(syntax, std::string(name), instructionTable(options.portable))
            .decode();
  } catch (...) {
    for (DeviceAddress address : allocated)
      memory.deallocate(address);
    throw;
  }
  return module;
}

const EmulatorModule &ownModule(const Module &module) {
  const auto *own = dynamic_cast<const EmulatorModule *>(&module);
  if (!own)
    throw Error("emulator: the module is of another device");
  return *own;
}

const Kernel &findKernel(const Program &program, std::string_view name) {
  for (const Kernel &kernel : program.kernels)
    if (kernel.name == name)
      return kernel;
  throw Error(program.name + ": no kernel '" + std::string(name) + "'");
}

KernelDescription
EmulatorDeviceImplementation::describeKernel(const Module &module,
                                             std::string_view name) const {
  const Kernel &kernel = findKernel(ownModule(module).program, name);
  KernelDescription description;
  for (const KernelParameter &parameter : kernel.parameters)
    description.parameters.push_back({parameter.offset, parameter.bytes,
                                      parameter.alignment, parameter.name,
                                      parameter.type});
  description.parameterBytes = kernel.parameterBytes;
  description.staticSharedBytes = kernel.staticSharedBytes;
  description.localBytes = kernel.localBytes;
  description.maximumThreads = maximumThreadsPerCta;
  description.requiredCluster = kernel.requiredCluster;
  for (const auto &extents : {kernel.requiredThreads, kernel.maximumThreads})
    if (extents[0] != 0)
      description.maximumThreads = std::min(
          description.maximumThreads, extents[0] * extents[1] * extents[2]);
  return description;
}

LaunchState EmulatorDeviceImplementation::prepareLaunch(
    const Module &module, std::string_view kernel,
    const LaunchConfiguration &configuration,
    const std::vector<uint8_t> &parameters) const {
  const Program &program = ownModule(module).program;
  LaunchState launch;
  launch.kernel = &findKernel(program, kernel);
  launch.program = &program;
  launch.configuration = configuration;
  launch.parameters = parameters;
  launch.multiprocessors = options.multiprocessors;
  launch.asyncCopies = options.asyncCopies;
  launch.seed = options.seed;
  launch.maxSteps = options.maxSteps;
  launch.isStopped = &isStopped;
  return launch;
}

void EmulatorDeviceImplementation::launch(
    const Module &module, std::string_view kernel,
    const LaunchConfiguration &configuration,
    const std::vector<uint8_t> &parameters) {
  LaunchState launch = prepareLaunch(module, kernel, configuration, parameters);
  launch.memory = &memory;
  emulator::checkLaunch(launch);
  doOrRecord([this, launch]() mutable { run(launch); });
}

void EmulatorDeviceImplementation::run(LaunchState &launch) {
  launch.gridId = ++launches;
  statistics = LaunchStatistics();
  std::optional<GlobalShadow> shadow;
  if (options.checks == EmulatorOptions::Checks::All)
    launch.shadow = &shadow.emplace();
  profile = EmulatorProfile();
  std::optional<Profiler> profiler;
  if (options.profile)
    launch.profiler = &profiler.emplace(launch);
  try {
    runLaunch(launch, options.hostThreads, options.progress, statistics);
    if (profiler)
      profile = profiler->summarize();
  } catch (const Error &error) {
    std::vector<std::string> lines = error.lines();
    if (launch.seed)
      for (std::string &line : lines)
        line += " (seed " + std::to_string(*launch.seed) + ")";
    throw Error(lines, error.kind() == ErrorKind::Invalid ? ErrorKind::Device
                                                          : error.kind());
  }
}

} // namespace
} // namespace emulator

std::unique_ptr<EmulatorDevice> createEmulator(const EmulatorOptions &options) {
  return std::make_unique<emulator::EmulatorDeviceImplementation>(options);
}

} // namespace pbs::runtime

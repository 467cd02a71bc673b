// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Launcher.h"

#include "TextFile.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/ParameterBuffer.h"

#include <algorithm>
#include <cstdlib>
#include <set>

using namespace pbs::runtime;

namespace {

constexpr uint64_t maximumPtxBytes = 256 << 20;
// CUDA C++ Programming Guide, "Technical Specifications per Compute
// Capability".
constexpr int64_t maximumGrid[3] = {INT32_MAX, 65535, 65535};

/// What the elements of \p type are to a tensor map.
TensorMapDescription::Format formatOf(ElementType type) {
  using Format = TensorMapDescription::Format;
  switch (type) {
  case ElementType::BF16:
    return Format::BFloat;
  case ElementType::F16:
  case ElementType::F32:
    return Format::Float;
  case ElementType::I32:
    return Format::Signed;
  case ElementType::U16:
  case ElementType::Bool:
    break;
  }
  return Format::Unsigned;
}

/// A tensor map whose expressions have values.
struct ResolvedTensorMap {
  int64_t offset = 0;
  TensorMapDescription description;
};

} // namespace

/// A step that will happen, with the values of its expressions.
struct Executable::ResolvedStep {
  const Memset *memset = nullptr;
  uint64_t memsetBytes = 0;
  const Launch *launch = nullptr;
  LaunchConfiguration configuration;
  /// A value for each parameter: a pointer's offset, or the integer.
  std::vector<int64_t> parameters;
};

struct Executable::Resolved {
  /// Where each buffer begins in the workspace.
  std::vector<uint64_t> buffers;
  uint64_t workspaceBytes = 0;
  /// Those that a launch uses, by name.
  std::map<std::string, ResolvedTensorMap> tensorMaps;
  std::vector<ResolvedStep> steps;
};

std::string pbs::runtime::readPtx(const std::string &path) {
  return readTextFile(path, maximumPtxBytes);
}

void pbs::runtime::checkGrid(const std::array<int64_t, 3> &grid,
                             const std::array<uint32_t, 3> &cluster) {
  for (size_t i = 0; i < 3; ++i) {
    if (grid[i] < 0 || grid[i] > maximumGrid[i])
      throw Error(std::string("the grid's ") + "xyz"[i] + " extent is " +
                  std::to_string(grid[i]) + ", expected at most " +
                  std::to_string(maximumGrid[i]));
    if (grid[i] % cluster[i] != 0)
      throw Error(std::string("the grid's ") + "xyz"[i] + " extent is " +
                  std::to_string(grid[i]) +
                  ", expected a multiple of the cluster's " +
                  std::to_string(cluster[i]));
  }
}

namespace {

/// Evaluates an entry's steps, with bounds checks against the memory that the
/// steps refer to.
class Resolver {
public:
  Resolver(const Entry &entry, const Bindings &bindings,
           const std::vector<TensorDescriptor> &arguments)
      : bindings(bindings) {
    for (size_t i = 0; i < arguments.size(); ++i)
      lengths[entry.arguments[i].name] = arguments[i].storageBytes;
  }

  uint64_t resolveBuffer(const Buffer &buffer) {
    int64_t bytes = buffer.bytes.evaluate(bindings);
    if (bytes < 0)
      throw Error("it would have " + std::to_string(bytes) + " bytes");
    return lengths[buffer.name] = static_cast<uint64_t>(bytes);
  }

  uint64_t resolveMemset(const Memset &memset) const {
    int64_t bytes = memset.bytes.evaluate(bindings);
    checkRange(memset.buffer, 0, bytes);
    return static_cast<uint64_t>(bytes);
  }

  /// False if the grid is empty.
  bool resolveGrid(const Launch &launch,
                   LaunchConfiguration &configuration) const {
    std::array<int64_t, 3> grid;
    for (size_t i = 0; i < 3; ++i)
      grid[i] = launch.grid[i].evaluate(bindings);
    checkGrid(grid, launch.cluster);
    std::copy(grid.begin(), grid.end(), configuration.grid.begin());
    configuration.block = launch.block;
    configuration.cluster = launch.cluster;
    int64_t sharedBytes = launch.sharedBytes.evaluate(bindings);
    if (sharedBytes < 0 || sharedBytes > INT32_MAX)
      throw Error("expression " + launch.sharedBytes.toString() + " asks for " +
                  std::to_string(sharedBytes) + " bytes of shared memory");
    configuration.dynamicSharedBytes = static_cast<uint64_t>(sharedBytes);
    configuration.programmaticStreamSerialization =
        launch.programmaticStreamSerialization;
    return std::count(grid.begin(), grid.end(), 0) == 0;
  }

  int64_t resolveParameter(const Parameter &parameter) const {
    if (const auto *pointer = std::get_if<PointerParameter>(&parameter)) {
      int64_t offset = pointer->offset.evaluate(bindings);
      checkRange(pointer->name, offset, 0);
      return offset;
    }
    if (const auto *value = std::get_if<I64Parameter>(&parameter))
      return value->value.evaluate(bindings);
    if (const auto *value = std::get_if<I32Parameter>(&parameter)) {
      int64_t integer = value->value.evaluate(bindings);
      if (integer != static_cast<int32_t>(integer))
        throw Error("expression " + value->value.toString() + " is " +
                    std::to_string(integer) +
                    ", which does not fit a signed 32-bit integer");
      return integer;
    }
    return 0;
  }

  ResolvedTensorMap resolveTensorMap(const TensorMapEntry &map) const {
    ResolvedTensorMap resolved;
    resolved.offset = map.offset.evaluate(bindings);
    TensorMapDescription &description = resolved.description;
    description.elementBytes = static_cast<uint32_t>(byteWidth(map.type));
    description.format = formatOf(map.type);
    description.box = map.box;
    description.swizzleBytes = map.swizzle;
    int64_t reach = description.elementBytes;
    bool overflow = false;
    for (size_t i = 0; i < map.shape.size(); ++i) {
      int64_t extent = map.shape[i].evaluate(bindings);
      int64_t stride = i == 0 ? description.elementBytes
                              : map.strides[i - 1].evaluate(bindings);
      int64_t distance = 0;
      if (extent < 1 || stride < 0)
        throw Error("dimension " + std::to_string(i) + " has extent " +
                    std::to_string(extent) + " and stride " +
                    std::to_string(stride));
      overflow |= __builtin_mul_overflow(extent - 1, stride, &distance) ||
                  __builtin_add_overflow(reach, distance, &reach);
      description.shape.push_back(static_cast<uint64_t>(extent));
      if (i > 0)
        description.strides.push_back(static_cast<uint64_t>(stride));
    }
    if (overflow)
      throw Error("it reaches beyond 64 bits");
    checkRange(map.tensor, resolved.offset, reach);
    return resolved;
  }

private:
  /// Throws Error unless bytes [offset, offset + length) lie in the memory.
  void checkRange(const std::string &name, int64_t offset,
                  int64_t length) const {
    uint64_t available = lengths.at(name);
    if (offset < 0 || length < 0 || static_cast<uint64_t>(offset) > available ||
        static_cast<uint64_t>(length) > available - offset)
      throw Error(
          "bytes " + std::to_string(offset) + " to " +
          std::to_string(static_cast<__int128>(offset) + length > INT64_MAX
                             ? INT64_MAX
                             : offset + length) +
          " do not lie in the " + std::to_string(available) + " bytes of '" +
          name + "'");
  }

  const Bindings &bindings;
  /// Bytes of each argument and buffer.
  std::map<std::string, uint64_t> lengths;
};

/// Runs \p action and puts \p where in front of the message of its Error,
/// unless it names a kernel's hazards, which say where by themselves.
template <typename Action>
auto located(const std::string &where, Action action) {
  try {
    return action();
  } catch (const Error &error) {
    if (std::string_view(error.what()).substr(0, 8) == "hazard: ")
      throw;
    throw Error(where + ": " + error.what(), error.kind());
  }
}

} // namespace

/// Whether machine code for \p chip may run on \p device: both of one major
/// compute capability, with no higher minor one, and the same where a suffix
/// asks for it (CUDA C++ Programming Guide, "Binary Compatibility"). A driver's
/// refusal would be an error to tools that watch it.
static bool mayRun(const std::string &chip, const std::string &device) {
  auto split = [](const std::string &name, char *&suffix) {
    return name.compare(0, 3, "sm_") == 0
               ? std::strtol(name.c_str() + 3, &suffix, 10)
               : 0;
  };
  char *suffix = nullptr, *deviceSuffix = nullptr;
  long wanted = split(chip, suffix), found = split(device, deviceSuffix);
  if (wanted == 0 || found == 0)
    return true; // The driver knows.
  return *suffix == 'a' ? wanted == found
                        : wanted / 10 == found / 10 && wanted <= found;
}

static std::unique_ptr<Module> loadFiles(Device &device, const Plan &plan) {
  std::string ptx = readPtx(plan.ptxPath());
  if (!plan.cubin.empty() && mayRun(plan.chip, device.chip())) {
    std::string path = plan.cubinPath();
    if (auto module = device.loadCubin(readPtx(path), ptx, path))
      return module;
  }
  return device.loadModule(ptx, plan.ptxPath());
}

Executable::Executable(Device &device, const Plan &plan,
                       std::string_view entryName)
    : Executable(device, plan, entryName, loadFiles(device, plan),
                 plan.ptxPath()) {}

Executable::Executable(Device &device, const Plan &plan,
                       std::string_view entryName, std::string_view ptx,
                       std::string_view ptxName)
    : Executable(device, plan, entryName, device.loadModule(ptx, ptxName),
                 ptxName) {}

Executable::Executable(Device &device, const Plan &plan,
                       std::string_view entryName,
                       std::unique_ptr<Module> loaded,
                       std::string_view moduleName)
    : device(device), plannedEntry(plan.findEntry(entryName)),
      module(std::move(loaded)) {
  std::vector<std::string> kernels = module->kernelNames();
  for (const Step &step : plannedEntry.steps)
    if (const auto *launch = std::get_if<Launch>(&step.action))
      if (std::find(kernels.begin(), kernels.end(), launch->kernel) ==
          kernels.end())
        throw Error(std::string(moduleName) + ": no kernel '" + launch->kernel +
                    "', which entry '" + plannedEntry.name + "' launches");
}

/// What runs on memory that is about to go must end first. Its errors are told
/// to whoever waits for it.
static void waitForAll(Device &device) {
  try {
    device.synchronizeAll();
  } catch (const Error &) {
  }
}

Executable::~Executable() {
  if (module)
    waitForAll(device);
}

CapturedRun::~CapturedRun() {
  if (graph)
    waitForAll(device);
}

Executable::Resolved
Executable::resolve(Bindings bindings,
                    const std::vector<TensorDescriptor> &arguments) const {
  bindings.sizes["multiprocessors"] = device.multiprocessorCount();
  Resolver resolver(plannedEntry, bindings, arguments);
  std::string prefix = "entry '" + plannedEntry.name + "', ";
  Resolved resolved;
  for (const Buffer &buffer : plannedEntry.buffers)
    located(prefix + "buffer '" + buffer.name + "'", [&] {
      uint64_t begin = 0, &end = resolved.workspaceBytes;
      uint64_t alignment = std::max<uint64_t>(buffer.alignment, 1);
      bool overflow = __builtin_add_overflow(end, alignment - 1, &begin);
      begin = begin / alignment * alignment;
      overflow |=
          __builtin_add_overflow(begin, resolver.resolveBuffer(buffer), &end);
      if (overflow)
        throw Error("the workspace reaches beyond 64 bits");
      resolved.buffers.push_back(begin);
    });

  std::set<std::string> usedMaps;
  for (size_t i = 0; i < plannedEntry.steps.size(); ++i) {
    const Step &planned = plannedEntry.steps[i];
    ResolvedStep step;
    step.memset = std::get_if<Memset>(&planned.action);
    step.launch = std::get_if<Launch>(&planned.action);
    std::string where =
        prefix + "step " + std::to_string(i) +
        (step.launch ? " (launch of '" + step.launch->kernel + "')"
                     : " (memset of '" + step.memset->buffer + "')");
    bool happens = located(where, [&] {
      if (planned.guard && planned.guard->evaluate(bindings) == 0)
        return false;
      if (step.launch)
        return resolver.resolveGrid(*step.launch, step.configuration);
      step.memsetBytes = resolver.resolveMemset(*step.memset);
      return true;
    });
    if (!happens)
      continue;
    for (size_t j = 0; step.launch && j < step.launch->parameters.size(); ++j) {
      const Parameter &parameter = step.launch->parameters[j];
      step.parameters.push_back(
          located(where + ", parameter " + std::to_string(j),
                  [&] { return resolver.resolveParameter(parameter); }));
      if (const auto *map = std::get_if<TensorMapParameter>(&parameter))
        usedMaps.insert(map->name);
    }
    resolved.steps.push_back(std::move(step));
  }
  for (const TensorMapEntry &map : plannedEntry.tensorMaps)
    if (usedMaps.count(map.name))
      resolved.tensorMaps[map.name] =
          located(prefix + "tensor map '" + map.name + "'",
                  [&] { return resolver.resolveTensorMap(map); });
  return resolved;
}

void Executable::enqueue(const Resolved &resolved,
                         const std::vector<TensorDescriptor> &arguments,
                         DeviceAddress workspace) {
  std::map<std::string, DeviceAddress> addresses;
  for (size_t i = 0; i < arguments.size(); ++i)
    addresses[plannedEntry.arguments[i].name] = arguments[i].address;
  for (size_t i = 0; i < resolved.buffers.size(); ++i)
    addresses[plannedEntry.buffers[i].name] = workspace + resolved.buffers[i];

  std::map<std::string, TensorMap> tensorMaps;
  for (const TensorMapEntry &map : plannedEntry.tensorMaps) {
    auto found = resolved.tensorMaps.find(map.name);
    if (found == resolved.tensorMaps.end())
      continue;
    TensorMapDescription description = found->second.description;
    description.base = addresses.at(map.tensor) + found->second.offset;
    tensorMaps[map.name] = device.encodeTensorMap(description);
  }

  for (const ResolvedStep &step : resolved.steps) {
    if (step.memset) {
      device.fill(addresses.at(step.memset->buffer), step.memset->value,
                  step.memsetBytes);
      continue;
    }
    ParameterBuffer parameters;
    for (size_t i = 0; i < step.parameters.size(); ++i) {
      const Parameter &parameter = step.launch->parameters[i];
      int64_t value = step.parameters[i];
      if (const auto *pointer = std::get_if<PointerParameter>(&parameter))
        parameters.append(addresses.at(pointer->name) + value);
      else if (std::holds_alternative<I32Parameter>(parameter))
        parameters.append(static_cast<int32_t>(value));
      else if (std::holds_alternative<I64Parameter>(parameter))
        parameters.append(value);
      else if (const auto *number = std::get_if<F32Parameter>(&parameter))
        parameters.append(number->value);
      else
        parameters.append(
            tensorMaps.at(std::get<TensorMapParameter>(parameter).name));
    }
    if (beforeLaunch)
      beforeLaunch(*step.launch);
    device.launch(*module, step.launch->kernel, step.configuration,
                  parameters.bytes());
    if (afterLaunch)
      afterLaunch(*step.launch, step.configuration);
  }
}

Executable::Resolved
Executable::prepare(const std::vector<TensorDescriptor> &arguments) const {
  if (arguments.size() != plannedEntry.arguments.size())
    throw Error("entry '" + plannedEntry.name + "' takes " +
                std::to_string(plannedEntry.arguments.size()) +
                " arguments, inputs and outputs, found " +
                std::to_string(arguments.size()));
  Bindings bindings = bindArguments(plannedEntry, arguments);
  checkRequirements(plannedEntry, bindings);
  checkAddresses(plannedEntry, arguments);
  return resolve(bindings, arguments);
}

/// Adds contiguous outputs without an address to an entry's inputs.
static void addOutputs(const Entry &entry,
                       std::vector<TensorDescriptor> &arguments) {
  std::vector<std::vector<int64_t>> shapes =
      outputShapes(entry, bindArguments(entry, arguments));
  for (const std::vector<int64_t> &shape : shapes) {
    TensorDescriptor output;
    output.type = entry.arguments[arguments.size()].type;
    output.shape = shape;
    output.strides = contiguousStrides(shape);
    output.storageBytes = countElements(shape) * byteWidth(output.type);
    arguments.push_back(std::move(output));
  }
}

/// The alignment of a workspace, which is a device's and any buffer's that asks
/// for more.
static uint64_t alignmentOf(const Entry &entry) {
  int64_t alignment = 256;
  for (const Buffer &buffer : entry.buffers)
    alignment = std::max(alignment, buffer.alignment);
  return static_cast<uint64_t>(alignment);
}

uint64_t Executable::workspaceBytes(
    const std::vector<TensorDescriptor> &arguments) const {
  std::vector<TensorDescriptor> all = arguments;
  if (all.size() == plannedEntry.inputCount())
    addOutputs(plannedEntry, all);
  Bindings bindings = bindArguments(plannedEntry, all);
  checkRequirements(plannedEntry, bindings);
  return resolve(bindings, all).workspaceBytes;
}

void Executable::run(const std::vector<TensorDescriptor> &arguments,
                     Workspace workspace) {
  Resolved resolved = prepare(arguments);
  if (!workspace.address)
    return runInOwnWorkspace(resolved, arguments);
  uint64_t alignment = alignmentOf(plannedEntry);
  std::string where = "entry '" + plannedEntry.name + "', workspace: ";
  if (workspace.bytes < resolved.workspaceBytes)
    throw Error(where + "has " + std::to_string(workspace.bytes) +
                " bytes, expected at least " +
                std::to_string(resolved.workspaceBytes));
  if (workspace.address % alignment != 0)
    throw Error(where + "its address is no multiple of " +
                std::to_string(alignment));
  enqueue(resolved, arguments, workspace.address);
}

static DeviceMemory allocateWorkspace(Device &device, const Entry &entry,
                                      uint64_t bytes) {
  return located("entry '" + entry.name + "', workspace", [&] {
    return DeviceMemory(device, bytes, alignmentOf(entry));
  });
}

void Executable::runInOwnWorkspace(
    const Resolved &resolved, const std::vector<TensorDescriptor> &arguments) {
  if (plannedEntry.buffers.empty())
    return enqueue(resolved, arguments, 0);
  if (!ownWorkspace.address() ||
      ownWorkspace.bytes() < resolved.workspaceBytes) {
    // Earlier work may still use what is freed here.
    if (lastRun)
      device.synchronizeAll();
    ownWorkspace = DeviceMemory();
    ownWorkspace =
        allocateWorkspace(device, plannedEntry, resolved.workspaceBytes);
  } else if (lastRun && (lastStream || device.currentStream())) {
    // Two streams may have the same name, one after the other or, with 2, in
    // two threads. Only null is always the same one.
    device.waitFor(*lastRun);
  }
  auto remember = [&] {
    lastStream = device.currentStream();
    lastRun = device.recordEvent();
  };
  try {
    enqueue(resolved, arguments, ownWorkspace.address());
  } catch (...) {
    // What has been enqueued before the error still uses the workspace.
    try {
      remember();
    } catch (const Error &) {
      // The first error says more.
    }
    throw;
  }
  remember();
}

CapturedRun
Executable::capture(const std::vector<TensorDescriptor> &arguments) {
  Resolved resolved = prepare(arguments);
  DeviceMemory memory =
      allocateWorkspace(device, plannedEntry, resolved.workspaceBytes);
  StreamScope scope(device, nullptr);
  device.beginCapture();
  try {
    enqueue(resolved, arguments, memory.address());
  } catch (...) {
    try {
      device.endCapture();
    } catch (const Error &) {
      // The first error says more.
    }
    throw;
  }
  return CapturedRun(device, device.endCapture(), std::move(memory));
}

std::vector<Array> Executable::run(const std::vector<Array> &inputs) {
  if (inputs.size() != plannedEntry.inputCount())
    throw Error("entry '" + plannedEntry.name + "' takes " +
                std::to_string(plannedEntry.inputCount()) + " inputs, found " +
                std::to_string(inputs.size()));
  std::vector<TensorDescriptor> arguments;
  std::vector<const Array *> arrays;
  for (const Array &input : inputs) {
    arguments.push_back(describe(input));
    arrays.push_back(&input);
  }
  addOutputs(plannedEntry, arguments);
  Bindings bindings = bindArguments(plannedEntry, arguments);
  checkRequirements(plannedEntry, bindings);
  checkContents(plannedEntry, bindings, arrays);
  Resolved resolved = resolve(bindings, arguments);

  std::vector<DeviceMemory> memory;
  // Before the run, which would be in vain if the host had no room for them.
  std::vector<Array> outputs;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument &planned = plannedEntry.arguments[i];
    located("entry '" + plannedEntry.name + "', argument '" + planned.name +
                "'",
            [&] {
              if (i >= inputs.size())
                outputs.emplace_back(arguments[i].type, arguments[i].shape);
              memory.emplace_back(device, arguments[i].storageBytes,
                                  static_cast<uint64_t>(planned.alignment));
            });
    arguments[i].address = memory.back().address();
    if (i < inputs.size())
      device.copyToDevice(arguments[i].address, inputs[i].storage().data(),
                          arguments[i].storageBytes);
    else
      device.fill(arguments[i].address, 0xff, arguments[i].storageBytes);
  }
  checkAddresses(plannedEntry, arguments);
  runInOwnWorkspace(resolved, arguments);
  device.synchronize();

  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorDescriptor &output = arguments[inputs.size() + i];
    device.copyToHost(outputs[i].storage().data(), output.address,
                      output.storageBytes);
  }
  return outputs;
}

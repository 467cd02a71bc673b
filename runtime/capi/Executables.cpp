// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Objects.h"

#include <algorithm>
#include <cstring>

using namespace pbs::runtime;
using namespace pbs::runtime::capi;

namespace {

constexpr int32_t maximumRank = 64;

/// Does \p action with the executable, while no other thread uses its device,
/// and with \p stream as the device's current one.
template <typename Action>
pbs_status withExecutable(const pbs_executable *executable, pbs_stream stream,
                          Action action) {
  return guarded([&] {
    // Ends without the device's lock, should it be the last to hold it.
    std::shared_ptr<LoadedExecutable> loaded = lookUp(executable, "executable");
    withDevice(*loaded->owner, stream,
               [&](Device &) { action(*loaded->object); });
  });
}

[[noreturn]] void failCount(const Entry &entry, size_t count) {
  throw Error("entry '" + entry.name + "' takes " +
              std::to_string(entry.arguments.size()) +
              " arguments, inputs and outputs, found " + std::to_string(count));
}

std::string argumentName(const Entry &entry, size_t index) {
  return "argument " + std::to_string(index) +
         (index < entry.arguments.size()
              ? " ('" + entry.arguments[index].name + "')"
              : "");
}

ElementType convertType(pbs_type type, const std::string &where) {
  static constexpr ElementType types[] = {ElementType::BF16, ElementType::F16,
                                          ElementType::F32,  ElementType::I32,
                                          ElementType::U16,  ElementType::Bool};
  if (type < PBS_BF16 || type > PBS_BOOL)
    throw Error(where + ": " + std::to_string(type) + " is no pbs_type");
  return types[type];
}

/// Bytes that shape and strides reach; bindArguments reports what is wrong with
/// them, if anything.
uint64_t reachOf(const TensorDescriptor &tensor) {
  int64_t elements = 1;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t distance;
    if (tensor.shape[i] < 1 || tensor.strides[i] < 0)
      return 0;
    if (__builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i],
                               &distance) ||
        __builtin_add_overflow(elements, distance, &elements))
      return 0;
  }
  int64_t bytes;
  if (__builtin_mul_overflow(elements, byteWidth(tensor.type), &bytes))
    return 0;
  return static_cast<uint64_t>(bytes);
}

TensorDescriptor convertTensor(const pbs_tensor &tensor,
                               const std::string &where) {
  TensorDescriptor descriptor;
  descriptor.type = convertType(tensor.type, where);
  if (tensor.rank < 0 || tensor.rank > maximumRank)
    throw Error(where + ": has rank " + std::to_string(tensor.rank));
  if (tensor.rank > 0 && !tensor.shape)
    throw Error(where + ": shape is NULL");
  descriptor.shape.assign(tensor.shape, tensor.shape + tensor.rank);
  if (tensor.strides)
    descriptor.strides.assign(tensor.strides, tensor.strides + tensor.rank);
  else if (std::all_of(descriptor.shape.begin(), descriptor.shape.end(),
                       [](int64_t extent) { return extent > 0; })) {
    countElements(descriptor.shape, byteWidth(descriptor.type));
    descriptor.strides = contiguousStrides(descriptor.shape);
  } else
    descriptor.strides.resize(descriptor.shape.size());
  descriptor.address = tensor.address;
  descriptor.storageBytes = tensor.bytes ? tensor.bytes : reachOf(descriptor);
  return descriptor;
}

std::vector<TensorDescriptor>
convertTensors(const Entry &entry, const pbs_tensor *tensors, size_t count) {
  if (count > entry.arguments.size())
    failCount(entry, count);
  if (count > 0)
    checkPointer(tensors, "arguments");
  std::vector<TensorDescriptor> descriptors;
  descriptors.reserve(count);
  for (size_t i = 0; i < count; ++i)
    descriptors.push_back(convertTensor(tensors[i], argumentName(entry, i)));
  return descriptors;
}

/// The bytes of a host tensor that shape and strides reach.
std::vector<uint8_t> copyFromHost(const TensorDescriptor &tensor) {
  const auto *bytes = reinterpret_cast<const uint8_t *>(tensor.address);
  return std::vector<uint8_t>(bytes, bytes + reachOf(tensor));
}

/// Writes contiguous bytes to the elements of a host tensor, from dimension
/// \p dimension on; gives the end of what it read.
const uint8_t *scatter(const TensorDescriptor &tensor, size_t dimension,
                       const uint8_t *source, uint8_t *destination) {
  size_t width = byteWidth(tensor.type), rank = tensor.shape.size();
  if (dimension == rank) {
    std::memcpy(destination, source, width);
    return source + width;
  }
  auto extent = static_cast<size_t>(tensor.shape[dimension]);
  auto stride = static_cast<size_t>(tensor.strides[dimension]) * width;
  if (dimension + 1 == rank && stride == width) {
    std::memcpy(destination, source, extent * width);
    return source + extent * width;
  }
  for (size_t i = 0; i < extent; ++i)
    source = scatter(tensor, dimension + 1, source, destination + i * stride);
  return source;
}

void load(std::shared_ptr<OpenDevice> device, pbs_executable **executable,
          const char *entry, const Plan &plan, const char *ptx) {
  // Before the lock, which it takes to end.
  auto loaded = std::make_shared<LoadedExecutable>(std::move(device));
  std::lock_guard lock(loaded->owner->mutex);
  Device &opened = *loaded->owner->device;
  std::string name = entry ? entry : "";
  if (ptx)
    loaded->object.emplace(opened, plan, name, ptx, "the PTX");
  else
    loaded->object.emplace(opened, plan, name);
  *executable = Handles<pbs_executable>::all().add(loaded);
}

} // namespace

pbs_status pbs_executable_load(pbs_device *device, const char *plan_path,
                               const char *entry, pbs_executable **executable) {
  return guarded([&] {
    std::shared_ptr<OpenDevice> opened = lookUp(device, "device");
    checkPointer(plan_path, "plan_path");
    checkPointer(executable, "executable");
    load(opened, executable, entry, readPlan(plan_path), nullptr);
  });
}

pbs_status pbs_executable_parse(pbs_device *device, const char *plan,
                                const char *ptx, const char *entry,
                                pbs_executable **executable) {
  return guarded([&] {
    std::shared_ptr<OpenDevice> opened = lookUp(device, "device");
    checkPointer(plan, "plan");
    checkPointer(ptx, "ptx");
    checkPointer(executable, "executable");
    load(opened, executable, entry, parsePlan(plan, "the plan"), ptx);
  });
}

void pbs_executable_free(pbs_executable *executable) { release(executable); }

size_t pbs_argument_count(const pbs_executable *executable) {
  auto loaded = Handles<pbs_executable>::all().find(executable);
  return loaded ? loaded->object->entry().arguments.size() : 0;
}

size_t pbs_input_count(const pbs_executable *executable) {
  auto loaded = Handles<pbs_executable>::all().find(executable);
  return loaded ? loaded->object->entry().inputCount() : 0;
}

static const Argument &findArgument(const LoadedExecutable &executable,
                                    size_t index) {
  const Entry &entry = executable.object->entry();
  if (index >= entry.arguments.size())
    throw Error("argument " + std::to_string(index) + ": the entry takes " +
                std::to_string(entry.arguments.size()));
  return entry.arguments[index];
}

pbs_status pbs_argument_shape(const pbs_executable *executable, size_t index,
                              int64_t *shape) {
  return guarded([&] {
    std::shared_ptr<LoadedExecutable> loaded = lookUp(executable, "executable");
    const Argument &planned = findArgument(*loaded, index);
    checkPointer(shape, "shape");
    for (const Expression &extent : planned.shape)
      *shape++ = extent.kind == Expression::Kind::Integer ? extent.integer : -1;
  });
}

pbs_status pbs_describe_argument(const pbs_executable *executable, size_t index,
                                 pbs_argument *argument) {
  return guarded([&] {
    std::shared_ptr<LoadedExecutable> loaded = lookUp(executable, "executable");
    const Argument &planned = findArgument(*loaded, index);
    checkPointer(argument, "argument");
    argument->name = planned.name.c_str();
    argument->is_output = planned.role == ArgumentRole::Output;
    argument->type = static_cast<pbs_type>(planned.type);
    argument->rank = static_cast<int32_t>(planned.shape.size());
    argument->is_contiguous = planned.strides == StrideRule::Contiguous;
    argument->alignment = planned.alignment;
  });
}

pbs_status pbs_output_shape(const pbs_executable *executable,
                            const pbs_tensor *inputs, size_t count,
                            size_t output, int64_t *shape) {
  return guarded([&] {
    std::shared_ptr<LoadedExecutable> loaded = lookUp(executable, "executable");
    checkPointer(shape, "shape");
    const Entry &entry = loaded->object->entry();
    size_t outputs = entry.arguments.size() - entry.inputCount();
    if (output >= outputs)
      throw Error("output " + std::to_string(output) + ": the entry has " +
                  std::to_string(outputs));
    Bindings bindings =
        bindArguments(entry, convertTensors(entry, inputs, count));
    std::vector<int64_t> extents = outputShapes(entry, bindings)[output];
    std::copy(extents.begin(), extents.end(), shape);
  });
}

pbs_status pbs_workspace_bytes(const pbs_executable *executable,
                               const pbs_tensor *arguments, size_t count,
                               uint64_t *bytes) {
  return withExecutable(executable, nullptr, [&](const Executable &loaded) {
    checkPointer(bytes, "bytes");
    *bytes =
        loaded.workspaceBytes(convertTensors(loaded.entry(), arguments, count));
  });
}

pbs_status pbs_run(pbs_executable *executable, const pbs_tensor *arguments,
                   size_t count, uint64_t workspace, uint64_t workspace_bytes,
                   pbs_stream stream) {
  return withExecutable(executable, stream, [&](Executable &loaded) {
    loaded.run(convertTensors(loaded.entry(), arguments, count),
               Workspace{workspace, workspace_bytes});
  });
}

pbs_status pbs_run_on_host_data(pbs_executable *executable,
                                const pbs_tensor *arguments, size_t count) {
  return withExecutable(executable, nullptr, [&](Executable &loaded) {
    const Entry &entry = loaded.entry();
    std::vector<TensorDescriptor> tensors =
        convertTensors(entry, arguments, count);
    if (count != entry.arguments.size())
      failCount(entry, count);
    bindArguments(entry, tensors);
    checkAddresses(entry, tensors);
    std::vector<Array> inputs;
    inputs.reserve(entry.inputCount());
    for (size_t i = 0; i < entry.inputCount(); ++i)
      inputs.emplace_back(tensors[i].type, tensors[i].shape, tensors[i].strides,
                          copyFromHost(tensors[i]));
    std::vector<Array> outputs = loaded.run(inputs);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const TensorDescriptor &tensor = tensors[inputs.size() + i];
      scatter(tensor, 0, outputs[i].storage().data(),
              reinterpret_cast<uint8_t *>(tensor.address));
    }
  });
}

pbs_status pbs_graph_capture(pbs_executable *executable,
                             const pbs_tensor *arguments, size_t count,
                             pbs_graph **graph) {
  return guarded([&] {
    auto captured =
        std::make_shared<CapturedGraph>(lookUp(executable, "executable"));
    checkPointer(graph, "graph");
    Executable &loaded = *captured->executable->object;
    withDevice(*captured->state.owner, nullptr, [&](Device &) {
      captured->state.object.emplace(
          loaded.capture(convertTensors(loaded.entry(), arguments, count)));
    });
    *graph = Handles<pbs_graph>::all().add(std::move(captured));
  });
}

pbs_status pbs_graph_replay(pbs_graph *graph, pbs_stream stream) {
  return guarded([&] {
    std::shared_ptr<CapturedGraph> captured = lookUp(graph, "graph");
    withDevice(*captured->state.owner, stream,
               [&](Device &) { captured->state.object->replay(); });
  });
}

void pbs_graph_free(pbs_graph *graph) { release(graph); }

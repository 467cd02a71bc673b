// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the CUDA device hands out, each the owner of one of the driver's
// objects.

#ifndef PBS_RUNTIME_CUDA_CUDAOBJECTS_H
#define PBS_RUNTIME_CUDA_CUDAOBJECTS_H

#include "DriverApi.h"
#include "PtxEntries.h"
#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <map>

namespace pbs::runtime::cuda {

/// Makes a context the current one of this thread until the end of a scope,
/// and leaves what the program around has chosen as it was.
class ContextScope {
public:
  ContextScope(const DriverApi &driver, Context context) : driver(driver) {
    driver.check(driver.pushContext(context), "the CUDA context");
  }
  ~ContextScope() {
    Context popped;
    driver.popContext(&popped);
  }
  ContextScope(const ContextScope &) = delete;
  ContextScope &operator=(const ContextScope &) = delete;

private:
  const DriverApi &driver;
};

/// Does \p action in \p context where nothing may throw: at the end of an
/// object, whose errors were told to whoever waited for its work.
template <typename Action>
void inContext(const DriverApi &driver, Context context, Action action) {
  driver.pushContext(context);
  action();
  driver.popContext(&context);
}

/// What a kernel takes.
struct KernelParameters {
  /// Whether the driver says what the parameters are.
  bool isKnown = false;
  /// Where a ParameterBuffer has each of them, and its length. Empty where one
  /// is nothing that such a buffer holds.
  std::vector<size_t> offsets;
  size_t bytes = 0;
  /// The length of a buffer laid out as the driver does it.
  size_t driverBytes = 0;
};

/// Asks for \p count parameters and no more: beyond the last one the driver
/// refuses, which compute-sanitizer counts as an error.
inline KernelParameters findParameters(const DriverApi &driver,
                                       Function function, size_t count) {
  KernelParameters parameters;
  if (!driver.getParameterInfo)
    return parameters;
  bool areOfBuffer = true;
  for (size_t index = 0; index < count; ++index) {
    size_t offset = 0, size = 0;
    // The launch will say what is wrong.
    if (driver.getParameterInfo(function, index, &offset, &size) != success)
      return {};
    parameters.driverBytes = offset + size;
    areOfBuffer &= size == 4 || size == 8 || size == sizeof(TensorMap);
    size_t alignment = size == sizeof(TensorMap) ? alignof(TensorMap)
                                                 : std::max<size_t>(size, 1);
    size_t begin = (parameters.bytes + alignment - 1) / alignment * alignment;
    parameters.offsets.push_back(begin);
    parameters.bytes = begin + size;
  }
  parameters.isKnown = true;
  if (!areOfBuffer)
    parameters.offsets.clear();
  return parameters;
}

/// A kernel that has been looked up.
struct CudaKernel {
  Function function = nullptr;
  KernelParameters parameters;
  /// Dynamic shared memory that it may be launched with.
  uint64_t sharedBytes = 0;
};

class CudaModule : public Module {
public:
  CudaModule(const DriverApi &driver, Context context, ModuleHandle handle,
             std::string name, std::vector<PtxEntry> entries)
      : driver(driver), context(context), handle(handle), name(std::move(name)),
        entries(std::move(entries)) {}
  ~CudaModule() override {
    inContext(driver, context, [&] { driver.unloadModule(handle); });
  }

  std::vector<std::string> kernelNames() const override {
    std::vector<std::string> names;
    names.reserve(entries.size());
    for (const PtxEntry &entry : entries)
      names.push_back(entry.name);
    return names;
  }

  /// A kernel, which may be launched with \p sharedBytes of dynamic shared
  /// memory.
  const CudaKernel &find(const std::string &kernel,
                         uint64_t sharedBytes) const {
    CudaKernel &known = functions[kernel];
    if (!known.function) {
      auto entry = std::find_if(
          entries.begin(), entries.end(),
          [&](const PtxEntry &entry) { return entry.name == kernel; });
      if (entry == entries.end())
        throw Error(name + ": no kernel '" + kernel + "'");
      driver.check(driver.getFunction(&known.function, handle, kernel.c_str()),
                   name + ": kernel '" + kernel + "'");
      known.parameters =
          findParameters(driver, known.function, entry->parameterCount);
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
    return known;
  }

private:
  const DriverApi &driver;
  Context context;
  ModuleHandle handle;
  std::string name;
  std::vector<PtxEntry> entries;
  mutable std::map<std::string, CudaKernel> functions;
};

class CudaEvent : public Event {
public:
  CudaEvent(const DriverApi &driver, Context context, std::string after)
      : driver(driver), context(context), after(std::move(after)) {
    driver.check(driver.createEvent(&handle, 0), "an event");
  }
  ~CudaEvent() override {
    inContext(driver, context, [&] { driver.destroyEvent(handle); });
  }

  const DriverApi &driver;
  Context context;
  EventHandle handle = nullptr;
  /// " after kernel 'k'", for messages: errors of a kernel are seen by whatever
  /// waits for it.
  std::string after;
};

class CudaGraph : public Graph {
public:
  CudaGraph(const DriverApi &driver, Context context, GraphHandle graph)
      : driver(driver), context(context) {
    driver.check(driver.instantiateGraph(&handle, graph, 0), "a CUDA graph");
  }
  ~CudaGraph() override {
    inContext(driver, context, [&] { driver.destroyGraphExecutable(handle); });
  }

  const DriverApi &driver;
  Context context;
  GraphExecutable handle = nullptr;
};

} // namespace pbs::runtime::cuda

#endif // PBS_RUNTIME_CUDA_CUDAOBJECTS_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the CUDA device hands out, each the owner of one of the driver's
// objects.

#ifndef PBS_RUNTIME_CUDA_CUDAOBJECTS_H
#define PBS_RUNTIME_CUDA_CUDAOBJECTS_H

#include "DriverApi.h"
#include "pbs/Runtime/Device.h"

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

class CudaModule : public Module {
public:
  CudaModule(const DriverApi &driver, Context context, ModuleHandle handle,
             std::string name, std::vector<std::string> kernels)
      : driver(driver), context(context), handle(handle), name(std::move(name)),
        kernels(std::move(kernels)) {}
  ~CudaModule() override {
    inContext(driver, context, [&] { driver.unloadModule(handle); });
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

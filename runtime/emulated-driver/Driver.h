// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state behind the API. Work is done when it is enqueued, one call at a
// time under one mutex, so a stream is always idle unless it is captured.

#ifndef PBS_EMULATEDDRIVER_DRIVER_H
#define PBS_EMULATEDDRIVER_DRIVER_H

#include "emulated-driver/Api.h"

#include "pbs/Runtime/Emulator.h"
#include "pbs/Runtime/Error.h"

#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <thread>
#include <variant>
#include <vector>

namespace pbs::runtime::emulated {

/// A module on the emulator, which a graph may keep after it was unloaded.
using SharedModule = std::shared_ptr<Module>;

// What a stream is asked to do.
struct Launch {
  SharedModule module;
  std::string kernel;
  LaunchConfiguration configuration;
  std::vector<uint8_t> parameters;
};
struct Fill {
  Pointer destination;
  uint8_t value;
  size_t bytes;
};
struct CopyToDevice {
  Pointer destination;
  const void *source;
  size_t bytes;
};
struct CopyToHost {
  void *destination;
  Pointer source;
  size_t bytes;
};
struct CopyOnDevice {
  Pointer destination;
  Pointer source;
  size_t bytes;
};
using Operation =
    std::variant<Launch, Fill, CopyToDevice, CopyToHost, CopyOnDevice>;

/// CUstreamCaptureMode.
enum class CaptureMode { Global, ThreadLocal, Relaxed };

/// A capture of one stream and of those that joined it through events.
struct Capture {
  cuda::StreamObject *origin = nullptr;
  CaptureMode mode = CaptureMode::Global;
  std::thread::id thread;
  bool isValid = true;
  std::vector<Operation> operations;
};

/// Which of a capture's operations something comes after.
using Reached = std::vector<bool>;
void merge(Reached &into, const Reached &from);

} // namespace pbs::runtime::emulated

namespace pbs::runtime::cuda {

struct FunctionObject {
  ModuleObject *module = nullptr;
  std::string name;
  KernelDescription description;
  /// Where the driver's buffer has each parameter, and what it takes. ptxas
  /// aligns addresses in the constant bank, where parameters begin at 0x210, so
  /// these are other offsets than those of Device::launch.
  std::vector<uint64_t> parameterOffsets;
  uint64_t parameterBytes = 0;
  /// Dynamic shared memory that a launch may ask for.
  uint64_t maximumDynamicSharedBytes = 0;
};

struct ModuleObject {
  emulated::SharedModule module;
  std::map<std::string, std::unique_ptr<FunctionObject>> functions;
};

struct StreamObject {
  bool isLegacy = false;
  /// Whether the legacy stream waits for it, and it for the legacy stream.
  bool isBlocking = true;
  std::shared_ptr<emulated::Capture> capture;
  emulated::Reached reached;
};

struct EventObject {
  bool hasTiming = true;
  std::unique_ptr<Event> recorded;
  /// Set where it was last recorded in a captured stream.
  std::shared_ptr<emulated::Capture> capture;
  emulated::Reached reached;
};

struct GraphObject {
  std::vector<emulated::Operation> operations;
};

struct GraphExecutableObject {
  std::vector<emulated::Operation> operations;
};

struct ContextObject {
  ContextObject() { legacyStream.isLegacy = true; }

  /// The error of a kernel, which every call gives from then on.
  Result fault = success;
  StreamObject legacyStream;
  std::map<std::thread::id, StreamObject> threadStreams;
  std::map<StreamHandle, std::unique_ptr<StreamObject>> streams;
  std::map<EventHandle, std::unique_ptr<EventObject>> events;
  std::map<ModuleHandle, std::unique_ptr<ModuleObject>> modules;
  /// Lengths by address.
  std::map<Pointer, size_t> allocations;
};

} // namespace pbs::runtime::cuda

namespace pbs::runtime::emulated {

using cuda::ContextObject;
using cuda::EventObject;
using cuda::FunctionObject;
using cuda::GraphExecutableObject;
using cuda::GraphObject;
using cuda::ModuleObject;
using cuda::StreamObject;

/// Memory of an H100 with 80 GB.
inline constexpr uint64_t totalMemoryBytes = uint64_t(80) << 30;
/// Shared memory that a CTA has without asking for more.
inline constexpr uint64_t defaultSharedBytes = 48 << 10;
/// What it may ask for.
inline constexpr uint64_t maximumSharedBytes = 227 << 10;
inline constexpr int driverVersion = 13000;

struct Driver {
  bool isInitialized = false;
  std::unique_ptr<EmulatorDevice> device = createEmulator();
  std::map<Context, std::unique_ptr<ContextObject>> contexts;
  Context primary = nullptr;
  unsigned primaryUses = 0;
  std::vector<std::shared_ptr<Capture>> captures;
  std::map<GraphHandle, std::unique_ptr<GraphObject>> graphs;
  std::map<GraphExecutable, std::unique_ptr<GraphExecutableObject>> executables;
  uint64_t allocatedBytes = 0;
  uint64_t loadedModules = 0;

  Context createContext();
  void destroyContext(Context context);
  Result deallocate(ContextObject &context, Pointer pointer);
};

/// The contexts that the calling thread pushed; the last one is current.
std::vector<Context> &contextStack();

/// Writes a line to the standard error stream: what a GPU's driver would say in
/// an error code only.
void report(const std::string &message);

/// The library's state, and the mutex that every call holds.
Driver &driverState();
std::mutex &driverMutex();

/// Gives \p result of the API's \p function. Unless it is success, a line about
/// it goes to the file that PBS_EMULATED_DRIVER_REFUSED names, if any:
/// compute-sanitizer counts every such call.
Result answer(Result result, const char *function = __builtin_FUNCTION());

/// Runs the body of the API's \p function, which gives a Result.
template <typename Body>
Result call(Body body, const char *function = __builtin_FUNCTION()) {
  std::lock_guard<std::mutex> lock(driverMutex());
  try {
    Driver &driver = driverState();
    return answer(driver.isInitialized ? body(driver)
                                       : CUDA_ERROR_NOT_INITIALIZED,
                  function);
  } catch (const Error &error) {
    report(error.what());
    return answer(CUDA_ERROR_INVALID_VALUE, function);
  } catch (const std::bad_alloc &) {
    return answer(CUDA_ERROR_OUT_OF_MEMORY, function);
  } catch (const std::exception &error) {
    report(error.what());
    return answer(CUDA_ERROR_UNKNOWN, function);
  }
}

/// The same of a function that needs a current context without a fault.
template <typename Body>
Result callInContext(Body body, const char *function = __builtin_FUNCTION()) {
  auto inContext = [&](Driver &driver) -> Result {
    if (contextStack().empty() || !contextStack().back())
      return CUDA_ERROR_INVALID_CONTEXT;
    auto context = driver.contexts.find(contextStack().back());
    if (context == driver.contexts.end())
      return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    if (context->second->fault != CUDA_SUCCESS)
      return context->second->fault;
    return body(driver, *context->second);
  };
  return call(inContext, function);
}

/// The object that \p owned holds for \p handle, or null.
template <typename Handle, typename Object>
Object *find(const std::map<Handle, std::unique_ptr<Object>> &owned,
             Handle handle) {
  auto found = owned.find(handle);
  return found == owned.end() ? nullptr : found->second.get();
}

/// Gives \p object to \p owned; its address is its handle.
template <typename Handle, typename Object>
Handle keep(std::map<Handle, std::unique_ptr<Object>> &owned,
            std::unique_ptr<Object> object) {
  Handle handle = object.get();
  owned[handle] = std::move(object);
  return handle;
}

/// The stream behind a handle, one of the default streams included, or null.
StreamObject *findStream(ContextObject &context, StreamHandle handle);

/// The function behind a handle, or null.
FunctionObject *findFunction(ContextObject &context, Function function);

/// Does \p operation now, or records it where the stream is captured.
Result enqueue(Driver &driver, ContextObject &context, StreamHandle stream,
               Operation operation);

/// Does \p operations in turn, until a kernel faults, or records them.
Result enqueueAll(Driver &driver, ContextObject &context, StreamHandle stream,
                  const std::vector<Operation> &operations);

/// Of a call that must not happen while something is captured: an error, which
/// ends the captures that forbid it, or success.
Result forbidWhileCapturing(Driver &driver);

/// Of a call that waits for the stream or asks how far it is.
Result forbidOnCaptured(StreamObject &stream);

/// Records that \p stream no longer is part of a capture.
void leaveCapture(StreamObject &stream);

} // namespace pbs::runtime::emulated

#endif // PBS_EMULATEDDRIVER_DRIVER_H

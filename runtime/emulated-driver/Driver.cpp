// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulated-driver/Driver.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

void emulated::merge(Reached &into, const Reached &from) {
  into.resize(std::max(into.size(), from.size()));
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i])
      into[i] = true;
}

// Neither is ever destroyed: a program's own destructors may call the API after
// the library's would have run.
Driver &emulated::driverState() {
  static auto *driver = new Driver;
  return *driver;
}

std::mutex &emulated::driverMutex() {
  static auto *mutex = new std::mutex;
  return *mutex;
}

std::vector<Context> &emulated::contextStack() {
  thread_local std::vector<Context> stack;
  return stack;
}

void emulated::report(const std::string &message) {
  std::fprintf(stderr, "emulated CUDA driver: %s\n", message.c_str());
}

Result emulated::answer(Result result, const char *function) {
  const char *file = std::getenv("PBS_EMULATED_DRIVER_REFUSED");
  if (result == CUDA_SUCCESS || !file)
    return result;
  const char *name = nullptr;
  cuGetErrorName(result, &name);
  std::ofstream(file, std::ios::app)
      << function << ": " << (name ? name : "unknown error") << '\n';
  return result;
}

Context Driver::createContext() {
  return keep(contexts, std::make_unique<ContextObject>());
}

void Driver::destroyContext(Context handle) {
  ContextObject &context = *contexts.at(handle);
  while (!context.allocations.empty())
    deallocate(context, context.allocations.begin()->first);
  for (auto &[stream, object] : context.streams)
    leaveCapture(*object);
  for (auto &[thread, object] : context.threadStreams)
    leaveCapture(object);
  contexts.erase(handle);
}

Result Driver::deallocate(ContextObject &context, Pointer pointer) {
  auto allocation = context.allocations.find(pointer);
  if (allocation == context.allocations.end())
    return CUDA_ERROR_INVALID_VALUE;
  device->deallocate(pointer);
  allocatedBytes -= allocation->second;
  context.allocations.erase(allocation);
  return CUDA_SUCCESS;
}

StreamObject *emulated::findStream(ContextObject &context,
                                   StreamHandle handle) {
  // CU_STREAM_LEGACY and CU_STREAM_PER_THREAD.
  auto number = reinterpret_cast<uintptr_t>(handle);
  if (number <= 1)
    return &context.legacyStream;
  if (number == 2)
    return &context.threadStreams[std::this_thread::get_id()];
  return find(context.streams, handle);
}

FunctionObject *emulated::findFunction(ContextObject &context,
                                       Function function) {
  for (auto &[handle, module] : context.modules)
    for (auto &[name, object] : module->functions)
      if (object.get() == function)
        return object.get();
  return nullptr;
}

namespace {

/// Does an operation on the emulator.
struct Executor {
  EmulatorDevice &device;

  void operator()(const Launch &launch) const {
    device.launch(*launch.module, launch.kernel, launch.configuration,
                  launch.parameters);
  }
  void operator()(const Fill &fill) const {
    device.fill(fill.destination, fill.value, fill.bytes);
  }
  void operator()(const CopyToDevice &copy) const {
    device.copyToDevice(copy.destination, copy.source, copy.bytes);
  }
  void operator()(const CopyToHost &copy) const {
    device.copyToHost(copy.destination, copy.source, copy.bytes);
  }
  void operator()(const CopyOnDevice &copy) const {
    std::vector<uint8_t> bytes(copy.bytes);
    device.copyToHost(bytes.data(), copy.source, copy.bytes);
    device.copyToDevice(copy.destination, bytes.data(), copy.bytes);
  }
};

/// A kernel's fault is told by the calls that follow, as on a GPU. Everything
/// else throws Error.
void execute(Driver &driver, ContextObject &context,
             const Operation &operation) {
  try {
    std::visit(Executor{*driver.device}, operation);
  } catch (const Error &error) {
    if (!std::holds_alternative<Launch>(operation))
      throw;
    report(error.what());
    context.fault = CUDA_ERROR_LAUNCH_FAILED;
  }
}

/// Ends the captures that work on the legacy stream would have to wait for.
Result forbidOnLegacyStream(ContextObject &context) {
  Result result = CUDA_SUCCESS;
  auto forbid = [&](StreamObject &stream) {
    if (!stream.isBlocking || !stream.capture)
      return;
    stream.capture->isValid = false;
    result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  };
  for (auto &[handle, stream] : context.streams)
    forbid(*stream);
  for (auto &[thread, stream] : context.threadStreams)
    forbid(stream);
  return result;
}

} // namespace

Result emulated::enqueueAll(Driver &driver, ContextObject &context,
                            StreamHandle handle,
                            const std::vector<Operation> &operations) {
  StreamObject *stream = findStream(context, handle);
  if (!stream)
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture) {
    Capture &capture = *stream->capture;
    if (!capture.isValid)
      return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    for (const Operation &operation : operations) {
      capture.operations.push_back(operation);
      stream->reached.resize(capture.operations.size());
      stream->reached.back() = true;
    }
    return CUDA_SUCCESS;
  }
  if (stream->isLegacy)
    if (Result result = forbidOnLegacyStream(context); result != CUDA_SUCCESS)
      return result;
  for (const Operation &operation : operations) {
    execute(driver, context, operation);
    if (context.fault != CUDA_SUCCESS)
      break;
  }
  return CUDA_SUCCESS;
}

Result emulated::enqueue(Driver &driver, ContextObject &context,
                         StreamHandle stream, Operation operation) {
  return enqueueAll(driver, context, stream, {std::move(operation)});
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Capture of streams into graphs (CUDA programming guide, "CUDA Graphs"). A
// graph is the list of its operations in the order of their calls, which every
// order that its dependencies allow is equivalent to.

#include "emulated-driver/Driver.h"

#include <algorithm>

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

namespace {

/// CUstreamCaptureStatus.
constexpr int captureNone = 0, captureActive = 1, captureInvalidated = 2;

/// Ends \p capture in every stream and event that took part in it.
void endCapture(Driver &driver, const std::shared_ptr<Capture> &capture) {
  auto release = [&](auto &object) {
    if (object.capture != capture)
      return;
    object.capture = nullptr;
    object.reached.clear();
  };
  for (auto &[handle, context] : driver.contexts) {
    for (auto &[stream, object] : context->streams)
      release(*object);
    for (auto &[thread, object] : context->threadStreams)
      release(object);
    for (auto &[event, object] : context->events)
      release(*object);
  }
  auto &captures = driver.captures;
  captures.erase(std::remove(captures.begin(), captures.end(), capture),
                 captures.end());
}

} // namespace

Result emulated::forbidWhileCapturing(Driver &driver) {
  Result result = CUDA_SUCCESS;
  for (const std::shared_ptr<Capture> &capture : driver.captures) {
    bool forbids = capture->mode == CaptureMode::Global ||
                   (capture->mode == CaptureMode::ThreadLocal &&
                    capture->thread == std::this_thread::get_id());
    if (!forbids)
      continue;
    capture->isValid = false;
    result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return result;
}

Result emulated::forbidOnCaptured(StreamObject &stream) {
  if (!stream.capture)
    return CUDA_SUCCESS;
  stream.capture->isValid = false;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

void emulated::leaveCapture(StreamObject &stream) {
  if (!stream.capture)
    return;
  stream.capture->isValid = false;
  if (stream.capture->origin == &stream)
    endCapture(driverState(), std::shared_ptr<Capture>(stream.capture));
  stream.capture = nullptr;
}

Result emulated::cuStreamBeginCapture_v2(Stream handle, int mode) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    StreamObject *stream = findStream(context, handle);
    if (!stream)
      return CUDA_ERROR_INVALID_HANDLE;
    if (mode < 0 || mode > static_cast<int>(CaptureMode::Relaxed))
      return CUDA_ERROR_INVALID_VALUE;
    if (stream->isLegacy)
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture)
      return CUDA_ERROR_ILLEGAL_STATE;
    auto capture = std::make_shared<Capture>();
    capture->origin = stream;
    capture->mode = static_cast<CaptureMode>(mode);
    capture->thread = std::this_thread::get_id();
    driver.captures.push_back(capture);
    stream->capture = capture;
    stream->reached.clear();
    return CUDA_SUCCESS;
  });
}

Result emulated::cuStreamIsCapturing(Stream handle, int *status) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    StreamObject *stream = findStream(context, handle);
    if (!stream)
      return CUDA_ERROR_INVALID_HANDLE;
    if (!status)
      return CUDA_ERROR_INVALID_VALUE;
    *status = !stream->capture           ? captureNone
              : stream->capture->isValid ? captureActive
                                         : captureInvalidated;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuStreamEndCapture(Stream handle, Graph *graph) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    StreamObject *stream = findStream(context, handle);
    if (!stream)
      return CUDA_ERROR_INVALID_HANDLE;
    if (!graph)
      return CUDA_ERROR_INVALID_VALUE;
    *graph = nullptr;
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture)
      return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream) {
      capture->isValid = false;
      return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    }
    if (capture->mode != CaptureMode::Relaxed &&
        capture->thread != std::this_thread::get_id())
      return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    // Operations of a forked stream that the origin does not wait for.
    Reached reached = stream->reached;
    reached.resize(capture->operations.size());
    bool isJoined = std::count(reached.begin(), reached.end(), false) == 0;
    endCapture(driver, capture);
    if (!capture->isValid)
      return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!isJoined)
      return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    auto object = std::make_unique<GraphObject>();
    object->operations = std::move(capture->operations);
    *graph = keep(driver.graphs, std::move(object));
    return CUDA_SUCCESS;
  });
}

Result emulated::cuGraphInstantiateWithFlags(GraphExec *executable,
                                             Graph handle,
                                             unsigned long long flags) {
  return callInContext([&](Driver &driver, ContextObject &) -> Result {
    GraphObject *graph = find(driver.graphs, handle);
    if (!graph || !executable)
      return CUDA_ERROR_INVALID_VALUE;
    auto object = std::make_unique<GraphExecObject>();
    object->operations = graph->operations;
    *executable = keep(driver.executables, std::move(object));
    return CUDA_SUCCESS;
  });
}

Result emulated::cuGraphInstantiate_v2(GraphExec *executable, Graph graph,
                                       GraphNode *node, char *log,
                                       size_t logBytes) {
  if (node)
    *node = nullptr;
  if (log && logBytes > 0)
    *log = '\0';
  return cuGraphInstantiateWithFlags(executable, graph, 0);
}

Result emulated::cuGraphLaunch(GraphExec handle, Stream stream) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    GraphExecObject *executable = find(driver.executables, handle);
    if (!executable)
      return CUDA_ERROR_INVALID_VALUE;
    return enqueueAll(driver, context, stream, executable->operations);
  });
}

Result emulated::cuGraphExecDestroy(GraphExec executable) {
  return call([&](Driver &driver) -> Result {
    return driver.executables.erase(executable) ? CUDA_SUCCESS
                                                : CUDA_ERROR_INVALID_VALUE;
  });
}

Result emulated::cuGraphDestroy(Graph graph) {
  return call([&](Driver &driver) -> Result {
    return driver.graphs.erase(graph) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}

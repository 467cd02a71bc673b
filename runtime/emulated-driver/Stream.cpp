// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Streams and events. All work has ended when a call returns, so there is never
// anything to wait for.

#include "emulated-driver/Driver.h"

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

namespace {

// CU_STREAM_NON_BLOCKING; CU_EVENT_BLOCKING_SYNC, _DISABLE_TIMING and
// _INTERPROCESS.
constexpr unsigned nonBlocking = cuda::streamNonBlocking;
constexpr unsigned blockingSync = 1, disableTiming = 2, interprocess = 4;

} // namespace

Result emulated::cuStreamCreate(Stream *stream, unsigned flags) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    if (!stream || flags > nonBlocking)
      return CUDA_ERROR_INVALID_VALUE;
    auto object = std::make_unique<StreamObject>();
    object->isBlocking = flags != nonBlocking;
    *stream = keep(context.streams, std::move(object));
    return CUDA_SUCCESS;
  });
}

Result emulated::cuStreamCreateWithPriority(Stream *stream, unsigned flags,
                                            int priority) {
  return cuStreamCreate(stream, flags);
}

Result emulated::cuStreamDestroy_v2(Stream handle) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    StreamObject *stream = find(context.streams, handle);
    if (!stream)
      return CUDA_ERROR_INVALID_HANDLE;
    leaveCapture(*stream);
    context.streams.erase(handle);
    return CUDA_SUCCESS;
  });
}

Result emulated::cuStreamSynchronize(Stream handle) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    StreamObject *stream = findStream(context, handle);
    return stream ? forbidOnCaptured(*stream) : CUDA_ERROR_INVALID_HANDLE;
  });
}

Result emulated::cuStreamQuery(Stream stream) {
  return cuStreamSynchronize(stream);
}

Result emulated::cuStreamWaitEvent(Stream handle, EventHandle eventHandle,
                                   unsigned flags) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    StreamObject *stream = findStream(context, handle);
    EventObject *event = find(context.events, eventHandle);
    if (!stream || !event)
      return CUDA_ERROR_INVALID_HANDLE;
    if (!event->capture) {
      if (!stream->capture)
        return CUDA_SUCCESS;
      stream->capture->isValid = false;
      return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    if (!event->capture->isValid)
      return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (stream->isLegacy)
      return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    if (stream->capture && stream->capture != event->capture) {
      stream->capture->isValid = event->capture->isValid = false;
      return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    stream->capture = event->capture;
    merge(stream->reached, event->reached);
    return CUDA_SUCCESS;
  });
}

Result emulated::cuEventCreate(EventHandle *event, unsigned flags) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    if (!event || (flags & ~(blockingSync | disableTiming)) != 0)
      return (flags & interprocess) ? CUDA_ERROR_NOT_SUPPORTED
                                    : CUDA_ERROR_INVALID_VALUE;
    auto object = std::make_unique<EventObject>();
    object->hasTiming = (flags & disableTiming) == 0;
    *event = keep(context.events, std::move(object));
    return CUDA_SUCCESS;
  });
}

Result emulated::cuEventDestroy_v2(EventHandle event) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    return context.events.erase(event) ? CUDA_SUCCESS
                                       : CUDA_ERROR_INVALID_HANDLE;
  });
}

Result emulated::cuEventRecord(EventHandle eventHandle, Stream handle) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    StreamObject *stream = findStream(context, handle);
    EventObject *event = find(context.events, eventHandle);
    if (!stream || !event)
      return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture && !stream->capture->isValid)
      return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    event->capture = stream->capture;
    event->reached = stream->reached;
    event->recorded = stream->capture ? nullptr : driver.device->recordEvent();
    return CUDA_SUCCESS;
  });
}

Result emulated::cuEventQuery(EventHandle handle) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    EventObject *event = find(context.events, handle);
    if (!event)
      return CUDA_ERROR_INVALID_HANDLE;
    if (event->capture) {
      event->capture->isValid = false;
      return CUDA_ERROR_CAPTURED_EVENT;
    }
    return forbidWhileCapturing(driver);
  });
}

Result emulated::cuEventSynchronize(EventHandle event) {
  return cuEventQuery(event);
}

Result emulated::cuEventElapsedTime(float *milliseconds,
                                    EventHandle startHandle,
                                    EventHandle endHandle) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    EventObject *start = find(context.events, startHandle);
    EventObject *end = find(context.events, endHandle);
    if (!milliseconds)
      return CUDA_ERROR_INVALID_VALUE;
    if (!start || !end || !start->recorded || !end->recorded ||
        !start->hasTiming || !end->hasTiming)
      return CUDA_ERROR_INVALID_HANDLE;
    *milliseconds = static_cast<float>(
        driver.device->elapsedMilliseconds(*start->recorded, *end->recorded));
    return CUDA_SUCCESS;
  });
}

Result emulated::cuEventElapsedTime_v2(float *milliseconds, EventHandle start,
                                       EventHandle end) {
  return cuEventElapsedTime(milliseconds, start, end);
}

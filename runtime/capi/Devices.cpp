// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Objects.h"

#include "pbs/Runtime/OpenDevice.h"

using namespace pbs::runtime;
using namespace pbs::runtime::capi;

static thread_local std::string lastError;

pbs_status pbs::runtime::capi::fail(pbs_status status,
                                    const char *message) noexcept {
  try {
    lastError = message;
  } catch (...) {
    lastError.clear();
  }
  return status;
}

template <typename Action>
static pbs_status onDevice(pbs_device *device, pbs_stream stream,
                           Action action) {
  return guarded([&] {
    checkPointer(device, "device");
    withDevice(*device->state, stream, action);
  });
}

void pbs_version(int *major, int *minor) {
  if (major)
    *major = PBS_RUNTIME_VERSION_MAJOR;
  if (minor)
    *minor = PBS_RUNTIME_VERSION_MINOR;
}

const char *pbs_error_message(void) { return lastError.c_str(); }

pbs_status pbs_device_open(const char *name, pbs_device **device) {
  return guarded([&] {
    checkPointer(name, "name");
    checkPointer(device, "device");
    auto state = std::make_shared<OpenDevice>();
    state->device = openDevice(name);
    state->description = state->device->description();
    state->chip = state->device->chip();
    *device = new pbs_device{std::move(state)};
  });
}

void pbs_device_close(pbs_device *device) { delete device; }

const char *pbs_device_description(const pbs_device *device) {
  return device ? device->state->description.c_str() : "";
}

const char *pbs_device_chip(const pbs_device *device) {
  return device ? device->state->chip.c_str() : "";
}

pbs_status pbs_allocate(pbs_device *device, uint64_t bytes, uint64_t *address) {
  return onDevice(device, nullptr, [&](Device &device) {
    checkPointer(address, "address");
    *address = device.allocate(bytes);
  });
}

pbs_status pbs_free(pbs_device *device, uint64_t address) {
  if (address == 0)
    return PBS_SUCCESS;
  return onDevice(device, nullptr,
                  [&](Device &device) { device.deallocate(address); });
}

pbs_status pbs_copy_to_device(pbs_device *device, uint64_t destination,
                              const void *source, uint64_t bytes,
                              pbs_stream stream) {
  return onDevice(device, stream, [&](Device &device) {
    checkPointer(source, "source");
    device.copyToDevice(destination, source, bytes);
  });
}

pbs_status pbs_copy_to_host(pbs_device *device, void *destination,
                            uint64_t source, uint64_t bytes,
                            pbs_stream stream) {
  return onDevice(device, stream, [&](Device &device) {
    checkPointer(destination, "destination");
    device.copyToHost(destination, source, bytes);
  });
}

pbs_status pbs_fill(pbs_device *device, uint64_t destination, uint8_t value,
                    uint64_t bytes, pbs_stream stream) {
  return onDevice(device, stream, [&](Device &device) {
    device.fill(destination, value, bytes);
  });
}

pbs_status pbs_stream_create(pbs_device *device, pbs_stream *stream) {
  return onDevice(device, nullptr, [&](Device &device) {
    checkPointer(stream, "stream");
    *stream = device.createStream();
  });
}

pbs_status pbs_stream_destroy(pbs_device *device, pbs_stream stream) {
  if (!stream)
    return PBS_SUCCESS;
  return onDevice(device, nullptr,
                  [&](Device &device) { device.destroyStream(stream); });
}

pbs_status pbs_synchronize(pbs_device *device, pbs_stream stream) {
  return guarded([&] {
    checkPointer(device, "device");
    std::unique_ptr<Event> end;
    // Waiting is left to the event, so that other threads may go on.
    withDevice(*device->state, stream,
               [&](Device &opened) { end = opened.recordEvent(); });
    device->state->device->synchronize(*end);
  });
}

pbs_status pbs_event_record(pbs_device *device, pbs_stream stream,
                            pbs_event **event) {
  return onDevice(device, stream, [&](Device &opened) {
    checkPointer(event, "event");
    std::unique_ptr<Event> recorded = opened.recordEvent();
    *event = new pbs_event(device->state);
    (*event)->state.object = std::move(recorded);
  });
}

pbs_status pbs_event_elapsed(const pbs_event *start, const pbs_event *end,
                             double *milliseconds) {
  return guarded([&] {
    checkPointer(start, "start");
    checkPointer(end, "end");
    checkPointer(milliseconds, "milliseconds");
    if (start->state.owner != end->state.owner)
      throw Error("the events are of two devices");
    OpenDevice &owner = *start->state.owner;
    // Waiting is left to the events, so that other threads may go on.
    owner.device->synchronize(**start->state.object);
    owner.device->synchronize(**end->state.object);
    std::lock_guard lock(owner.mutex);
    *milliseconds = owner.device->elapsedMilliseconds(**start->state.object,
                                                      **end->state.object);
  });
}

void pbs_event_free(pbs_event *event) { delete event; }

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
    std::shared_ptr<OpenDevice> opened = lookUp(device, "device");
    withDevice(*opened, stream, action);
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
    *device = Handles<pbs_device>::all().add(std::move(state));
  });
}

void pbs_device_close(pbs_device *device) { release(device); }

// The handle keeps what these give.

const char *pbs_device_description(const pbs_device *device) {
  auto opened = Handles<pbs_device>::all().find(device);
  return opened ? opened->description.c_str() : "";
}

const char *pbs_device_chip(const pbs_device *device) {
  auto opened = Handles<pbs_device>::all().find(device);
  return opened ? opened->chip.c_str() : "";
}

pbs_status pbs_device_stop(pbs_device *device) {
  // Without the lock, which the call that is to be stopped holds.
  return guarded([&] { lookUp(device, "device")->device->stop(); });
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
  return guarded([&] {
    std::shared_ptr<OpenDevice> opened = lookUp(device, "device");
    checkPointer(stream, "stream");
    withDevice(*opened, nullptr, [&](Device &device) {
      pbs_stream created = device.createStream();
      opened->streams.insert(created);
      *stream = created;
    });
  });
}

pbs_status pbs_stream_destroy(pbs_device *device, pbs_stream stream) {
  if (!stream)
    return PBS_SUCCESS;
  return guarded([&] {
    std::shared_ptr<OpenDevice> opened = lookUp(device, "device");
    withDevice(*opened, nullptr, [&](Device &device) {
      if (opened->streams.erase(stream) == 0)
        throw Error("stream is none of the device's, or has been destroyed");
      device.destroyStream(stream);
    });
  });
}

pbs_status pbs_synchronize(pbs_device *device, pbs_stream stream) {
  return guarded([&] {
    std::shared_ptr<OpenDevice> opened = lookUp(device, "device");
    std::unique_ptr<Event> end;
    // Waiting is left to the event, so that other threads may go on.
    withDevice(*opened, stream,
               [&](Device &device) { end = device.recordEvent(); });
    opened->device->synchronize(*end);
  });
}

pbs_status pbs_event_record(pbs_device *device, pbs_stream stream,
                            pbs_event **event) {
  return guarded([&] {
    auto recorded = std::make_shared<RecordedEvent>(lookUp(device, "device"));
    withDevice(*recorded->owner, stream, [&](Device &device) {
      checkPointer(event, "event");
      recorded->object = device.recordEvent();
    });
    *event = Handles<pbs_event>::all().add(std::move(recorded));
  });
}

pbs_status pbs_event_elapsed(const pbs_event *start, const pbs_event *end,
                             double *milliseconds) {
  return guarded([&] {
    std::shared_ptr<RecordedEvent> first = lookUp(start, "start");
    std::shared_ptr<RecordedEvent> last = lookUp(end, "end");
    checkPointer(milliseconds, "milliseconds");
    if (first->owner != last->owner)
      throw Error("the events are of two devices");
    OpenDevice &owner = *first->owner;
    // Waiting is left to the events, so that other threads may go on.
    owner.device->synchronize(**first->object);
    owner.device->synchronize(**last->object);
    std::lock_guard lock(owner.mutex);
    *milliseconds =
        owner.device->elapsedMilliseconds(**first->object, **last->object);
  });
}

void pbs_event_free(pbs_event *event) { release(event); }

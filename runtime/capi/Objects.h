// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands behind the handles of pbs_runtime.h. Each holds what it was made
// on, so that a caller may free them in any order.

#ifndef PBS_RUNTIME_CAPI_OBJECTS_H
#define PBS_RUNTIME_CAPI_OBJECTS_H

#include "Handles.h"
#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/Launcher.h"
#include "pbs_runtime.h"

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace pbs::runtime::capi {

struct OpenDevice {
  /// Devices take one call at a time.
  std::mutex mutex;
  std::string description;
  std::string chip;
  std::unique_ptr<Device> device;
  /// Made by pbs_stream_create() and not destroyed yet.
  std::set<pbs_stream> streams;
};

/// Something made on a device, which takes the device's lock to end.
template <typename Object> struct Owned {
  explicit Owned(std::shared_ptr<OpenDevice> owner) : owner(std::move(owner)) {}
  Owned(const Owned &) = delete;
  Owned &operator=(const Owned &) = delete;
  ~Owned() {
    // Where making the object has failed, the lock may be held.
    if (!object)
      return;
    std::lock_guard lock(owner->mutex);
    object.reset();
  }

  std::shared_ptr<OpenDevice> owner;
  std::optional<Object> object;
};

using RecordedEvent = Owned<std::unique_ptr<Event>>;
using LoadedExecutable = Owned<Executable>;

struct CapturedGraph {
  explicit CapturedGraph(std::shared_ptr<LoadedExecutable> executable)
      : executable(std::move(executable)), state(this->executable->owner) {}
  std::shared_ptr<LoadedExecutable> executable;
  /// After the executable, so that it ends before.
  Owned<CapturedRun> state;
};

template <> struct HandleKind<pbs_device> {
  using Object = OpenDevice;
  static constexpr const char *name = "device";
};
template <> struct HandleKind<pbs_event> {
  using Object = RecordedEvent;
  static constexpr const char *name = "event";
};
template <> struct HandleKind<pbs_executable> {
  using Object = LoadedExecutable;
  static constexpr const char *name = "executable";
};
template <> struct HandleKind<pbs_graph> {
  using Object = CapturedGraph;
  static constexpr const char *name = "graph";
};

/// Keeps what went wrong for pbs_error_message().
pbs_status fail(pbs_status status, const char *message) noexcept;

/// The status of what \p action does, which throws if it fails.
template <typename Action> pbs_status guarded(Action action) noexcept {
  try {
    action();
    return PBS_SUCCESS;
  } catch (const Error &error) {
    switch (error.kind()) {
    case ErrorKind::Invalid:
      return fail(PBS_ERROR_INVALID, error.what());
    case ErrorKind::Unavailable:
      return fail(PBS_ERROR_UNAVAILABLE, error.what());
    case ErrorKind::OutOfMemory:
      return fail(PBS_ERROR_OUT_OF_MEMORY, error.what());
    case ErrorKind::Device:
      return fail(PBS_ERROR_DEVICE, error.what());
    case ErrorKind::Stopped:
      return fail(PBS_ERROR_STOPPED, error.what());
    }
  } catch (const std::bad_alloc &) {
    return fail(PBS_ERROR_OUT_OF_MEMORY, "out of host memory");
  } catch (const std::exception &error) {
    return fail(PBS_ERROR_INTERNAL, error.what());
  } catch (...) {
  }
  return fail(PBS_ERROR_INTERNAL, "an unknown error");
}

/// Does \p action with \p device, which no other thread uses meanwhile, and
/// with \p stream as its current one. Throws what the action throws.
template <typename Action>
void withDevice(OpenDevice &device, pbs_stream stream, Action action) {
  std::lock_guard lock(device.mutex);
  // Who asked for a stop meant a call before.
  device.device->resume();
  StreamScope scope(*device.device, stream);
  action(*device.device);
}

/// Throws Error unless \p pointer, which is called \p name, points somewhere.
inline void checkPointer(const void *pointer, const char *name) {
  if (!pointer)
    throw Error(std::string(name) + " is NULL");
}

/// Frees a handle; pbs_error_message() tells of one that is none. Null is
/// ignored.
template <typename Handle> void release(Handle *handle) noexcept {
  if (!handle)
    return;
  guarded([&] {
    if (!Handles<Handle>::all().remove(handle))
      throw Error(std::string("what is to be freed is no ") +
                  HandleKind<Handle>::name + ", or has been freed before");
  });
}

} // namespace pbs::runtime::capi

#endif // PBS_RUNTIME_CAPI_OBJECTS_H

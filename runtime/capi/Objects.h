// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands behind the handles of pbs_runtime.h. Each holds what it was made
// on, so that a caller may free them in any order.

#ifndef PBS_RUNTIME_CAPI_OBJECTS_H
#define PBS_RUNTIME_CAPI_OBJECTS_H

#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/Launcher.h"
#include "pbs_runtime.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace pbs::runtime::capi {

struct OpenDevice {
  /// Devices take one call at a time.
  std::mutex mutex;
  std::string description;
  std::string chip;
  std::unique_ptr<Device> device;
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

using LoadedExecutable = Owned<Executable>;

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
/// with
/// \p stream as its current one. Throws what the action throws.
template <typename Action>
void withDevice(OpenDevice &device, pbs_stream stream, Action action) {
  std::lock_guard lock(device.mutex);
  StreamScope scope(*device.device, stream);
  action(*device.device);
}

/// Throws Error unless \p pointer, which is called \p name, points somewhere.
inline void checkPointer(const void *pointer, const char *name) {
  if (!pointer)
    throw Error(std::string(name) + " is NULL");
}

} // namespace pbs::runtime::capi

struct pbs_device {
  std::shared_ptr<pbs::runtime::capi::OpenDevice> state;
};

struct pbs_event {
  explicit pbs_event(std::shared_ptr<pbs::runtime::capi::OpenDevice> owner)
      : state(std::move(owner)) {}
  pbs::runtime::capi::Owned<std::unique_ptr<pbs::runtime::Event>> state;
};

struct pbs_executable {
  std::shared_ptr<pbs::runtime::capi::LoadedExecutable> state;
};

struct pbs_graph {
  explicit pbs_graph(
      std::shared_ptr<pbs::runtime::capi::LoadedExecutable> executable)
      : executable(std::move(executable)), state(this->executable->owner) {}
  std::shared_ptr<pbs::runtime::capi::LoadedExecutable> executable;
  /// After the executable, so that it ends before.
  pbs::runtime::capi::Owned<pbs::runtime::CapturedRun> state;
};

#endif // PBS_RUNTIME_CAPI_OBJECTS_H

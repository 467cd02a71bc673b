// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the runtime needs of a GPU. The emulator and CUDA implement it, so that
// whatever runs on one runs on the other.

#ifndef PBS_RUNTIME_DEVICE_H
#define PBS_RUNTIME_DEVICE_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::runtime {

/// An address in the device's global memory.
using DeviceAddress = uint64_t;

/// Grid, block and cluster extents, and the dynamic shared memory of a launch.
struct LaunchConfiguration {
  /// CTAs in x, y, z.
  std::array<uint32_t, 3> grid = {1, 1, 1};
  /// Threads in x, y, z.
  std::array<uint32_t, 3> block = {1, 1, 1};
  /// CTAs of a cluster in x, y, z.
  std::array<uint32_t, 3> cluster = {1, 1, 1};
  /// Bytes behind the kernel's `.extern .shared` symbols.
  uint64_t dynamicSharedBytes = 0;
  /// CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION: the kernel may
  /// start before the one ahead of it has ended, and waits in its own code. A
  /// device may ignore it.
  bool programmaticStreamSerialization = false;
};

/// What cuTensorMapEncodeTiled takes; see the CUDA driver API, "Tensor Map
/// Object Management".
struct TensorMapDescription {
  /// Bytes of an element: 1, 2, 4 or 8.
  uint32_t elementBytes = 0;
  /// What the elements are. Only reductions into the tensor depend on it.
  enum class Format : uint8_t { Unsigned, Signed, Float, BFloat };
  Format format = Format::Unsigned;
  /// Base address, 16-byte aligned.
  DeviceAddress base = 0;
  /// Extents in elements, innermost first.
  std::vector<uint64_t> shape;
  /// Strides in bytes of all dimensions but the innermost, innermost first.
  std::vector<uint64_t> strides;
  /// Extents of the box one copy moves, innermost first.
  std::vector<uint32_t> box;
  /// Swizzle of the box in shared memory in bytes: 0 (none), 32, 64 or 128.
  uint32_t swizzleBytes = 0;
};

/// An encoded tensor map, opaque to everybody but the device that made it.
struct alignas(64) TensorMap {
  std::array<uint8_t, 128> bytes;
};

/// A loaded module of PTX, owned by the caller, valid while its device lives.
class Module {
public:
  virtual ~Module();
  /// Names of the module's kernels, in the order of the text.
  virtual std::vector<std::string> kernelNames() const = 0;
};

/// A point in a stream, owned by the caller, valid while its device lives.
class Event {
public:
  virtual ~Event();
};

/// Captured work that can be done again and again, owned by the caller, valid
/// while its device lives.
class Graph {
public:
  virtual ~Graph();
};

/// A queue whose work is done in order. Null is the device's own stream; on a
/// GPU everything else is a CUstream, the values 1 (legacy) and 2 (per thread)
/// among them (CUDA driver API, "Stream synchronization behavior").
using Stream = void *;

/// A device. Work is enqueued on its current stream. One call at a time, unless
/// said otherwise. All calls throw Error.
class Device {
public:
  virtual ~Device();

  /// One line for people: what the device is.
  virtual std::string description() const = 0;

  /// What to compile for: "sm_90a".
  virtual std::string chip() const = 0;

  /// Multiprocessors of the device, for plans that size a grid by it.
  virtual uint32_t multiprocessorCount() const = 0;

  /// The stream that all work below is enqueued on.
  Stream currentStream() const { return current; }
  void useStream(Stream stream) { current = stream; }
  virtual Stream createStream() = 0;
  /// \p stream has been created here, and is not the current one.
  virtual void destroyStream(Stream stream) = 0;

  /// Allocates \p bytes of global memory, aligned to 256 bytes, uninitialised.
  virtual DeviceAddress allocate(size_t bytes) = 0;
  virtual void deallocate(DeviceAddress address) = 0;

  /// Copies have ended when they return. A fill is enqueued.
  virtual void copyToDevice(DeviceAddress destination, const void *source,
                            size_t bytes) = 0;
  virtual void copyToHost(void *destination, DeviceAddress source,
                          size_t bytes) = 0;
  /// Sets \p bytes bytes to \p value.
  virtual void fill(DeviceAddress destination, uint8_t value, size_t bytes) = 0;

  /// Loads PTX text. \p name stands for the module in messages, a file's path
  /// for instance.
  virtual std::unique_ptr<Module> loadModule(std::string_view ptx,
                                             std::string_view name) = 0;

  /// Loads what ptxas made of \p ptx; null where it is not for this device,
  /// which by itself runs none.
  virtual std::unique_ptr<Module> loadCubin(std::string_view cubin,
                                            std::string_view ptx,
                                            std::string_view name);

  virtual TensorMap encodeTensorMap(const TensorMapDescription &map) = 0;

  /// Launches \p kernel of \p module. \p parameters is the packed parameter
  /// buffer: each parameter at its natural alignment, in the order of the
  /// kernel's signature.
  virtual void launch(const Module &module, std::string_view kernel,
                      const LaunchConfiguration &configuration,
                      const std::vector<uint8_t> &parameters) = 0;

  virtual std::unique_ptr<Event> recordEvent() = 0;
  /// Milliseconds between two recorded events; waits for the later one.
  virtual double elapsedMilliseconds(const Event &start, const Event &end) = 0;
  /// Waits until \p event has happened. May be called while other calls are
  /// made.
  virtual void synchronize(const Event &event) = 0;
  /// Lets what is enqueued from now on wait for \p event, not the host.
  virtual void waitFor(const Event &event) = 0;

  /// Between the two calls fills and launches on the current stream, which must
  /// not be null or 1, are recorded and not done.
  virtual void beginCapture() = 0;
  /// Ends the capture, also after an error; throws Error if what was enqueued
  /// cannot be captured.
  virtual std::unique_ptr<Graph> endCapture() = 0;
  /// Enqueues what \p graph has recorded.
  virtual void replay(const Graph &graph) = 0;

  /// Waits until the work of the current stream has ended.
  virtual void synchronize() = 0;
  /// Waits until the work of all streams has ended.
  virtual void synchronizeAll() = 0;

  /// Ends the launches that run, and those that begin until resume(), with an
  /// Error of kind Stopped. May be called while other calls are made. Throws
  /// Error where launches cannot be stopped, as by default.
  virtual void stop();
  virtual void resume();

private:
  Stream current = nullptr;
};

/// Makes \p stream a device's current one until the end of a scope.
class StreamScope {
public:
  StreamScope(Device &device, Stream stream)
      : device(device), previous(device.currentStream()) {
    device.useStream(stream);
  }
  ~StreamScope() { device.useStream(previous); }
  StreamScope(const StreamScope &) = delete;
  StreamScope &operator=(const StreamScope &) = delete;

private:
  Device &device;
  Stream previous;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_DEVICE_H

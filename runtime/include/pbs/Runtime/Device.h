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

/// A point in a device's stream of work.
class Event {
public:
  virtual ~Event();
};

/// One device with one in-order stream of work. All calls throw Error.
class Device {
public:
  virtual ~Device();

  /// One line for people: what the device is.
  virtual std::string description() const = 0;

  /// Multiprocessors of the device, for plans that size a grid by it.
  virtual uint32_t multiprocessorCount() const = 0;

  /// Allocates \p bytes of global memory, aligned to 256 bytes, uninitialised.
  virtual DeviceAddress allocate(size_t bytes) = 0;
  virtual void deallocate(DeviceAddress address) = 0;

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

  /// Waits until all work has ended.
  virtual void synchronize() = 0;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_DEVICE_H

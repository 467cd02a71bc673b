// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_RUNTIME_DEVICEMEMORY_H
#define PBS_RUNTIME_DEVICEMEMORY_H

#include "pbs/Runtime/Device.h"

namespace pbs::runtime {

/// An allocation on a device that ends with its owner. The device must live
/// longer.
class DeviceMemory {
public:
  DeviceMemory() = default;
  /// Allocates at least \p bytes bytes at a multiple of \p alignment, a power
  /// of two. Zero bytes are allocated too, and have an address of their own.
  DeviceMemory(Device &device, uint64_t bytes, uint64_t alignment = 256);
  DeviceMemory(DeviceMemory &&other) noexcept;
  DeviceMemory &operator=(DeviceMemory &&other) noexcept;
  ~DeviceMemory();

  DeviceAddress address() const { return aligned; }
  uint64_t bytes() const { return size; }

private:
  Device *device = nullptr;
  DeviceAddress allocation = 0;
  DeviceAddress aligned = 0;
  uint64_t size = 0;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_DEVICEMEMORY_H

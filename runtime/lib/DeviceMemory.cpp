// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/DeviceMemory.h"

#include "pbs/Runtime/Error.h"

#include <utility>

using namespace pbs::runtime;

// What every device guarantees.
static constexpr uint64_t deviceAlignment = 256;

DeviceMemory::DeviceMemory(Device &device, uint64_t bytes, uint64_t alignment)
    : device(&device), size(bytes) {
  uint64_t slack = alignment > deviceAlignment ? alignment : 0;
  uint64_t total;
  if (__builtin_add_overflow(bytes ? bytes : 1, slack, &total))
    throw Error("cannot allocate " + std::to_string(bytes) + " bytes");
  allocation = device.allocate(total);
  aligned = (allocation + alignment - 1) / alignment * alignment;
}

DeviceMemory::DeviceMemory(DeviceMemory &&other) noexcept {
  *this = std::move(other);
}

DeviceMemory &DeviceMemory::operator=(DeviceMemory &&other) noexcept {
  std::swap(device, other.device);
  std::swap(allocation, other.allocation);
  std::swap(aligned, other.aligned);
  std::swap(size, other.size);
  return *this;
}

DeviceMemory::~DeviceMemory() {
  if (!device)
    return;
  try {
    device->deallocate(allocation);
  } catch (const Error &) {
    // A device that failed before has told so already.
  }
}

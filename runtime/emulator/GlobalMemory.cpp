// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "GlobalMemory.h"

#include "pbs/Runtime/Error.h"

#include <cstdio>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace pbs::runtime::emulator {

namespace {

/// Where device addresses begin; looks like what CUDA hands out.
constexpr DeviceAddress baseAddress = 0x7f0000000000;

} // namespace

std::string hexadecimal(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
  return text;
}

GlobalMemory::GlobalMemory() : pageBytes(uint64_t(sysconf(_SC_PAGESIZE))) {
  // Reserving costs nothing; hosts that limit it get a smaller range.
  for (rangeBytes = uint64_t(1) << 38; rangeBytes >= uint64_t(1) << 30;
       rangeBytes >>= 1) {
    void *mapped = mmap(nullptr, rangeBytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
      continue;
    range = static_cast<uint8_t *>(mapped);
    // The first page stays free: nothing lies before the first allocation.
    freeExtents[pageBytes] = rangeBytes - pageBytes;
    return;
  }
  throw Error("emulator: the host grants no address range for device memory");
}

GlobalMemory::~GlobalMemory() { munmap(range, rangeBytes); }

DeviceAddress GlobalMemory::allocate(uint64_t bytes, Contents contents) {
  // At least one page of gap follows the last byte.
  uint64_t extent =
      bytes > rangeBytes ? UINT64_MAX : (bytes / pageBytes + 2) * pageBytes;
  for (auto [offset, length] : freeExtents) {
    if (length < extent)
      continue;
    if (mprotect(range + offset, extent - pageBytes, PROT_READ | PROT_WRITE))
      break;
    freeExtents.erase(offset);
    if (length > extent)
      freeExtents[offset + extent] = length - extent;
    // Fresh pages are zero, and cost nothing until they are touched.
    if (contents == Contents::Poison)
      std::memset(range + offset, 0xFF, bytes);
    DeviceAddress address = baseAddress + offset;
    allocations[address] = {address, bytes, range + offset};
    return address;
  }
  throw Error("emulator: out of device memory allocating " +
                  std::to_string(bytes) + " bytes",
              ErrorKind::OutOfMemory);
}

void GlobalMemory::deallocate(DeviceAddress address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    throw Error("emulator: " + hexadecimal(address) +
                " is no allocation's address");
  uint64_t offset = address - baseAddress;
  uint64_t extent = (found->second.bytes / pageBytes + 2) * pageBytes;
  allocations.erase(found);
  madvise(range + offset, extent, MADV_DONTNEED);
  mprotect(range + offset, extent, PROT_NONE);
  auto next = freeExtents.lower_bound(offset);
  if (next != freeExtents.end() && next->first == offset + extent) {
    extent += next->second;
    next = freeExtents.erase(next);
  }
  if (next != freeExtents.begin()) {
    auto previous = std::prev(next);
    if (previous->first + previous->second == offset) {
      previous->second += extent;
      return;
    }
  }
  freeExtents[offset] = extent;
}

const Allocation *GlobalMemory::find(DeviceAddress address) const {
  auto after = allocations.upper_bound(address);
  if (after == allocations.begin())
    return nullptr;
  const Allocation &allocation = std::prev(after)->second;
  return allocation.contains(address, 1) ? &allocation : nullptr;
}

uint8_t *GlobalMemory::translate(DeviceAddress address, uint64_t bytes,
                                 const char *what) {
  auto after = allocations.upper_bound(address);
  if (after != allocations.begin()) {
    const Allocation &allocation = std::prev(after)->second;
    if (allocation.contains(address, bytes))
      return allocation.host + (address - allocation.begin);
  }
  throw Error(std::string("emulator: ") + what + " of " +
              std::to_string(bytes) + " bytes at " + hexadecimal(address) +
              " is outside every allocation");
}

} // namespace pbs::runtime::emulator

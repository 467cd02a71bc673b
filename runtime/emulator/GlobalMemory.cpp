// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "GlobalMemory.h"

#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/HostMemory.h"

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

GlobalMemory::GlobalMemory(bool tracksContents)
    : pageBytes(uint64_t(sysconf(_SC_PAGESIZE))) {
  // Reserving costs nothing; hosts that limit it get a smaller range.
  for (rangeBytes = uint64_t(1) << 38; rangeBytes >= uint64_t(1) << 30;
       rangeBytes >>= 1) {
    void *mapped = mmap(nullptr, rangeBytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
      continue;
    range = static_cast<uint8_t *>(mapped);
    if (tracksContents) {
      mapped = mmap(nullptr, rangeBytes / 8, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (mapped == MAP_FAILED) {
        munmap(range, rangeBytes);
        continue;
      }
      written = static_cast<uint8_t *>(mapped);
    }
    // The first page stays free: nothing lies before the first allocation.
    freeExtents[pageBytes] = rangeBytes - pageBytes;
    return;
  }
  throw Error("emulator: the host grants no address range for device memory");
}

GlobalMemory::~GlobalMemory() {
  munmap(range, rangeBytes);
  if (written)
    munmap(written, rangeBytes / 8);
}

uint64_t GlobalMemory::hostBytes(uint64_t bytes) const {
  uint64_t total;
  return __builtin_add_overflow(bytes, written ? bytes / 8 : 0, &total)
             ? UINT64_MAX
             : total;
}

DeviceAddress GlobalMemory::allocate(uint64_t bytes, Contents contents) {
  checkHostMemory("emulator: device memory", hostBytes(bytes));
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
    setWritten(range + offset, bytes, contents == Contents::Zero);
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

DeviceAddress GlobalMemory::addressOf(const uint8_t *host) const {
  return baseAddress + uint64_t(host - range);
}

uint8_t GlobalMemory::writtenBytes(const uint8_t *host) const {
  uint64_t offset = uint64_t(host - range);
  return __atomic_load_n(written + offset / 8, __ATOMIC_RELAXED) >>
             (offset & 4) &
         0xF;
}

void GlobalMemory::setWritten(const uint8_t *host, uint8_t bytes) {
  uint64_t offset = uint64_t(host - range);
  __atomic_fetch_or(written + offset / 8, uint8_t(bytes << (offset & 4)),
                    __ATOMIC_RELAXED);
}

void GlobalMemory::setWritten(const uint8_t *host, uint64_t bytes,
                              bool isWritten) {
  if (!written)
    return;
  uint64_t offset = uint64_t(host - range);
  uint64_t end = offset + bytes;
  auto set = [&](uint64_t bit) {
    uint8_t mask = uint8_t(1u << bit % 8);
    uint8_t &byte = written[bit / 8];
    byte = isWritten ? byte | mask : byte & ~mask;
  };
  for (; offset < end && offset % 8 != 0; ++offset)
    set(offset);
  for (; end > offset && end % 8 != 0; --end)
    set(end - 1);
  std::memset(written + offset / 8, isWritten ? 0xFF : 0, (end - offset) / 8);
}

} // namespace pbs::runtime::emulator

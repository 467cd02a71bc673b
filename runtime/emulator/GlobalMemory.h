// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The device's global memory: one reserved range of host addresses in which
// allocations lie with gaps between them, so that an address outside of every
// allocation is always found. Device addresses do not depend on where the host
// put the range.

#ifndef PBS_EMULATOR_GLOBALMEMORY_H
#define PBS_EMULATOR_GLOBALMEMORY_H

#include "pbs/Runtime/Device.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pbs::runtime::emulator {

/// 0x7f0000001008, as messages show addresses.
std::string hexadecimal(uint64_t value);

/// One allocation; `bytes` is what was asked for.
struct Allocation {
  DeviceAddress begin = 0;
  uint64_t bytes = 0;
  uint8_t *host = nullptr;

  bool contains(DeviceAddress address, uint64_t size) const {
    return address >= begin && size <= bytes && address - begin <= bytes - size;
  }
};

class GlobalMemory {
public:
  /// \p tracksContents: to know which bytes have been written.
  explicit GlobalMemory(bool tracksContents = false);
  ~GlobalMemory();
  GlobalMemory(const GlobalMemory &) = delete;
  GlobalMemory &operator=(const GlobalMemory &) = delete;

  /// Bytes of the host's memory that an allocation of \p bytes takes.
  uint64_t hostBytes(uint64_t bytes) const;

  enum class Contents { Poison, Zero };
  /// Poisoned memory reads as 0xFF bytes, which are NaNs and invalid indices.
  /// Throws Error where the range or the host's memory has not enough left.
  DeviceAddress allocate(uint64_t bytes, Contents contents = Contents::Poison);
  void deallocate(DeviceAddress address);

  /// The allocation that holds \p address, or null. Safe to call from several
  /// threads while nobody allocates.
  const Allocation *find(DeviceAddress address) const;

  /// The host bytes of [address, address + bytes); throws Error if they are
  /// not inside one allocation. \p what names the access.
  uint8_t *translate(DeviceAddress address, uint64_t bytes, const char *what);

  /// The device address of a host byte.
  DeviceAddress addressOf(const uint8_t *host) const;

  // Where contents are tracked. Safe to call from several threads.

  /// Of the aligned four bytes that \p host is in, a bit for each.
  uint8_t writtenBytes(const uint8_t *host) const;
  void setWritten(const uint8_t *host, uint8_t bytes);
  /// The same for a whole range; nothing where contents are not tracked.
  void setWritten(const uint8_t *host, uint64_t bytes, bool isWritten);

private:
  /// A bit for each byte of the range; null where contents are not tracked.
  uint8_t *written = nullptr;
  uint8_t *range = nullptr;
  uint64_t rangeBytes = 0;
  uint64_t pageBytes = 0;
  /// By first address.
  std::map<DeviceAddress, Allocation> allocations;
  /// Page-aligned free extents by offset, with their lengths.
  std::map<uint64_t, uint64_t> freeExtents;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_GLOBALMEMORY_H

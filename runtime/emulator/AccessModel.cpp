// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "AccessModel.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

constexpr unsigned bankCount = 32;
constexpr unsigned wordBytes = 4;
constexpr unsigned sectorBytes = 32;

/// The words that one wavefront or several have to serve, by bank.
class Banks {
public:
  Banks() { std::fill_n(last, bankCount, none); }

  void add(uint32_t word, bool takeTurns) {
    unsigned bank = word % bankCount;
    if (!takeTurns)
      for (uint8_t index = last[bank]; index != none; index = before[index])
        if (words[index] == word)
          return;
    words[count] = word;
    before[count] = last[bank];
    last[bank] = count++;
    passes = std::max(passes, ++depth[bank]);
  }

  unsigned wavefronts() const { return passes; }

private:
  static constexpr uint8_t none = UINT8_MAX;
  /// A group of lanes asks for 128 bytes at most.
  uint32_t words[bankCount];
  /// The word of the same bank that came before, and the last one of each bank.
  uint8_t before[bankCount];
  uint8_t last[bankCount];
  unsigned depth[bankCount] = {};
  uint8_t count = 0;
  unsigned passes = 0;
};

} // namespace

BankCounts countWavefronts(const uint32_t (&offsets)[warpSize], uint32_t lanes,
                           unsigned bytes, bool takeTurns) {
  BankCounts counts;
  counts.accesses = 1;
  unsigned words = std::max(bytes / wordBytes, 1u);
  unsigned groupLanes = warpSize / words;
  for (unsigned first = 0; first < warpSize; first += groupLanes) {
    Banks banks;
    for (unsigned lane = first; lane < first + groupLanes; ++lane)
      if (lanes >> lane & 1)
        for (unsigned word = 0; word < words; ++word)
          banks.add(offsets[lane] / wordBytes + word, takeTurns);
    unsigned wavefronts = banks.wavefronts();
    counts.wavefronts += wavefronts;
    counts.excess += wavefronts > 1 ? wavefronts - 1 : 0;
  }
  return counts;
}

SectorCounts countSectors(const uint64_t (&addresses)[warpSize], uint32_t lanes,
                          unsigned bytes) {
  SectorCounts counts;
  counts.accesses = 1;
  uint64_t sectors[warpSize];
  uint32_t used[warpSize];
  unsigned count = 0;
  for (; lanes != 0; lanes &= lanes - 1) {
    uint64_t address = addresses[__builtin_ctz(lanes)];
    uint64_t sector = address / sectorBytes;
    uint32_t mask = ((1u << bytes) - 1) << address % sectorBytes;
    // Neighbours mostly share a sector.
    unsigned index = count;
    while (index > 0 && sectors[index - 1] != sector)
      --index;
    if (index > 0) {
      used[index - 1] |= mask;
      continue;
    }
    sectors[count] = sector;
    used[count++] = mask;
  }
  counts.sectors = count;
  for (unsigned index = 0; index < count; ++index)
    counts.usedBytes += unsigned(__builtin_popcount(used[index]));
  return counts;
}

} // namespace pbs::runtime::emulator

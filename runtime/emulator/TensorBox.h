// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensor maps and the boxes that tensor copies move. The 128 bytes of a map
// have an encoding of our own, which nobody else reads.

#ifndef PBS_EMULATOR_TENSORBOX_H
#define PBS_EMULATOR_TENSORBOX_H

#include "SharedPlace.h"

#include <algorithm>

namespace pbs::runtime::emulator {

inline constexpr unsigned maximumRank = 5;

/// A decoded tensor map; dimensions innermost first. Strides are in bytes, with
/// the element's as the first.
struct TensorLayout {
  unsigned rank = 0;
  Type type = Type::None;
  DeviceAddress base = 0;
  std::array<uint64_t, maximumRank> shape = {};
  std::array<uint64_t, maximumRank> strides = {};
  std::array<uint32_t, maximumRank> box = {};
  uint32_t swizzleBytes = 0;
};

/// Checks \p description as cuTensorMapEncodeTiled does; throws Error.
TensorMap encodeTensorMap(const TensorMapDescription &description);

/// Null if the \p bytes are no map that encodeTensorMap made.
std::optional<TensorLayout> decodeTensorMap(const uint8_t *bytes);

/// Where the 16 bytes for \p address of shared memory lie in it.
inline uint32_t swizzled(uint32_t address, uint32_t swizzleBytes) {
  // 128: bits 4 to 6; 64: 4 and 5; 32: 4.
  uint32_t chunks = swizzleBytes / 16;
  return chunks == 0 ? address : address ^ (address >> 7 & (chunks - 1)) << 4;
}

/// The box of one copy.
struct TensorBox {
  TensorLayout layout;
  std::array<int32_t, maximumRank> start = {};
  /// Holds all that lies inside the tensor; null where nothing does.
  const Allocation *allocation = nullptr;

  /// What a copy of the box does.
  enum class Use : uint8_t { Load, Store, Prefetch };
  Use use = Use::Load;

  /// All of the box.
  uint64_t bytes() const;
  /// The part inside the tensor.
  uint64_t insideBytes() const;
  /// What it takes in shared memory, where rows that are narrower than the
  /// swizzle lie as far apart as that is wide.
  uint64_t sharedBytes() const {
    return bytes() / rowBytes() * sharedRowBytes();
  }
  /// Checks the coordinates and finds the allocation; throws Fault.
  void resolve(const GlobalMemory &memory, unsigned lane, const char *verb);

  /// function(offset in shared memory, offset in the box, bytes) for the runs
  /// of the box that begins at \p first, which the swizzle permutes.
  template <typename Function>
  void forEachSharedRun(uint32_t first, Function function) const {
    uint32_t swizzle = layout.swizzleBytes;
    if (swizzle == 0)
      return function(first, uint64_t(0), bytes());
    const uint64_t all = bytes(), row = rowBytes();
    const uint32_t apart = uint32_t(sharedRowBytes());
    for (uint64_t offset = 0; offset < all; first += apart)
      for (uint32_t column = 0; column < row; column += 16, offset += 16)
        function(swizzled(first + column, swizzle), offset, uint64_t(16));
  }

  /// Whether these runs together are all bytes from \p first on.
  bool isDense(uint32_t first) const {
    uint64_t block = uint64_t(layout.swizzleBytes) * 8;
    return block == 0 || (rowBytes() == sharedRowBytes() &&
                          first % block == 0 && bytes() % block == 0);
  }

  /// function(offset in the box, host address, bytes) for each piece of a row
  /// inside the tensor. Stores write whole pieces of 16 bytes.
  template <typename Function> void forEachPiece(Function function) const {
    if (!allocation)
      return;
    std::array<int64_t, maximumRank> low, high;
    uint64_t offset = 0;
    uint64_t rowBytes[maximumRank];
    uint64_t size = elementBytes();
    DeviceAddress first = layout.base;
    for (unsigned dimension = 0; dimension < layout.rank; ++dimension) {
      low[dimension] = lowest(dimension);
      high[dimension] = highest(dimension);
      rowBytes[dimension] = size;
      offset += uint64_t(low[dimension]) * size;
      first += uint64_t(low[dimension] + start[dimension]) *
               layout.strides[dimension];
      size *= layout.box[dimension];
    }
    std::array<int64_t, maximumRank> index = low;
    uint8_t *host = allocation->host + (first - allocation->begin);
    uint64_t bytes = uint64_t(high[0] - low[0] + 1) * elementBytes();
    if (use == Use::Store)
      bytes = (bytes + 15) / 16 * 16;
    for (;;) {
      function(offset, host, bytes);
      unsigned dimension = 1;
      for (; dimension < layout.rank; ++dimension) {
        if (index[dimension] < high[dimension]) {
          ++index[dimension];
          offset += rowBytes[dimension];
          host += layout.strides[dimension];
          break;
        }
        uint64_t back = uint64_t(index[dimension] - low[dimension]);
        offset -= back * rowBytes[dimension];
        host -= back * layout.strides[dimension];
        index[dimension] = low[dimension];
      }
      if (dimension == layout.rank || layout.rank == 1)
        return;
    }
  }

private:
  uint64_t elementBytes() const { return layout.strides[0]; }
  uint64_t rowBytes() const { return layout.box[0] * elementBytes(); }
  uint64_t sharedRowBytes() const {
    return std::max<uint64_t>(rowBytes(), layout.swizzleBytes);
  }
  /// First and last index inside the box that is inside the tensor as well.
  int64_t lowest(unsigned dimension) const {
    return start[dimension] < 0 ? -int64_t(start[dimension]) : 0;
  }
  int64_t highest(unsigned dimension) const;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_TENSORBOX_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A box of a tensor in global memory, and where its bytes are in shared memory
// (PTX ISA, "Tensors").

#ifndef PBS_TEST_ORACLES_TENSORBOX_H
#define PBS_TEST_ORACLES_TENSORBOX_H

#include "pbs/Runtime/Device.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace pbs::oracle {

struct TensorBox {
  runtime::TensorMapDescription map;
  /// The coordinates of its first element.
  std::vector<int32_t> start;

  uint32_t boxBytes() const {
    uint32_t bytes = map.elementBytes;
    for (uint32_t extent : map.box)
      bytes *= extent;
    return bytes;
  }

  /// The byte of the tensor that the box's byte \p offset is, or -1.
  int64_t tensorByte(uint32_t offset) const {
    int64_t address = offset % map.elementBytes;
    offset /= map.elementBytes;
    for (size_t dimension = 0; dimension < map.shape.size(); ++dimension) {
      int64_t index = int64_t(offset % map.box[dimension]) + start[dimension];
      offset /= map.box[dimension];
      if (index < 0 || index >= int64_t(map.shape[dimension]))
        return -1;
      address += index * int64_t(dimension == 0 ? map.elementBytes
                                                : map.strides[dimension - 1]);
    }
    return address;
  }

  /// The same for what a store writes: the last 16 bytes of a row that are
  /// partly inside the tensor are written as a whole.
  int64_t storedByte(uint32_t offset) const {
    TensorBox whole{map, start};
    uint64_t elements = 16 / map.elementBytes;
    whole.map.shape[0] = (map.shape[0] + elements - 1) / elements * elements;
    return whole.tensorByte(offset);
  }

  uint32_t rowBytes() const { return map.box[0] * map.elementBytes; }
  /// Rows that are narrower than the swizzle lie as far apart as it is wide.
  uint32_t sharedRowBytes() const {
    return std::max(rowBytes(), map.swizzleBytes);
  }
  uint32_t sharedBytes() const {
    return boxBytes() / rowBytes() * sharedRowBytes();
  }

  /// Where the box's byte \p offset lies when the box begins at \p begin.
  uint32_t sharedByte(uint32_t offset, uint32_t begin) const {
    uint32_t address =
        begin + offset / rowBytes() * sharedRowBytes() + offset % rowBytes();
    uint32_t line = address / 128, chunk = address / 16 % 8;
    if (map.swizzleBytes == 128)
      chunk = chunk ^ line % 8;
    else if (map.swizzleBytes == 64)
      chunk = (chunk & 4) | ((chunk & 3) ^ line % 4);
    else if (map.swizzleBytes == 32)
      chunk = (chunk & 6) | ((chunk & 1) ^ line % 2);
    return line * 128 + chunk * 16 + address % 16;
  }
};

} // namespace pbs::oracle

#endif // PBS_TEST_ORACLES_TENSORBOX_H

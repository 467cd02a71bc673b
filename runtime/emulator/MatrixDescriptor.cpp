// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "MatrixDescriptor.h"

#include <algorithm>
#include <cstdio>

namespace pbs::runtime::emulator {

namespace {

/// Bits 14-15, 30-31, 46-48 and 52-61.
constexpr uint64_t reservedBits = 0x3FF1C000C000C000;

} // namespace

MatrixDescriptor::MatrixDescriptor(uint64_t bits, bool isTransposed)
    : bits(bits), isTransposed(isTransposed) {
  auto field = [&](unsigned first) {
    return uint32_t(bits >> first & 0x3FFF) << 4;
  };
  start = field(0);
  uint32_t leading = field(16);
  uint32_t stride = field(32);
  baseOffset = uint32_t(bits >> 49 & 7);
  unsigned mode = unsigned(bits >> 62);
  static constexpr uint32_t atomBytes[] = {16, 128, 64, 32};
  static constexpr uint32_t masks[] = {0, 7, 3, 1};
  atomRowBytes = atomBytes[mode];
  atomChunks = atomRowBytes / 16;
  swizzleMask = masks[mode];
  // The offsets change their roles with the layout: the leading one leads from
  // chunk to chunk of a K-major matrix without swizzle, and is not used with
  // it, as its chunks are next to each other.
  bool isSwapped = isTransposed && mode == 0;
  rowGroupBytes = isSwapped ? leading : stride;
  chunkGroupBytes = isSwapped ? stride : leading;
}

void MatrixDescriptor::fail(const char *name, const std::string &message,
                            std::optional<HazardKind> kind) const {
  throw Fault{0,
              std::string("has the descriptor ") + hexadecimal(bits) +
                  " of matrix " + name + ", " + message,
              kind};
}

void MatrixDescriptor::check(const char *name, unsigned extent,
                             uint64_t sharedBytes) const {
  if ((bits & reservedBits) != 0)
    fail(name, "whose reserved bits are not zero");
  unsigned rows = isTransposed ? 16 : extent;
  unsigned chunks = isTransposed ? extent / 8 : 2;
  if (swizzleMask == 0 && baseOffset != 0)
    fail(name, "with a base offset but no swizzle");
  if (swizzleMask != 0) {
    uint32_t used = std::min(chunks, atomChunks) * 16;
    uint32_t first = start % atomRowBytes;
    if (first + used > atomRowBytes)
      fail(name,
           "misaligned: " + std::to_string(used) + " bytes from byte " +
               std::to_string(first) + " on leave a swizzled row of " +
               std::to_string(atomRowBytes),
           HazardKind::Misaligned);
    uint32_t atom = 8 * atomRowBytes;
    if ((rows > 8 && rowGroupBytes % atom != 0) ||
        (chunks > atomChunks && chunkGroupBytes % atom != 0))
      fail(name,
           "misaligned: an offset is no multiple of the " +
               std::to_string(atom) + " bytes of a swizzled block",
           HazardKind::Misaligned);
  }
  // Offsets only add, so the last chunk is the farthest but for the swizzle,
  // which stays within 128 bytes.
  uint32_t farthest = start + 7 * atomRowBytes + (atomChunks - 1) * 16 +
                      (rows - 1) / 8 * rowGroupBytes +
                      (chunks - 1) / atomChunks * chunkGroupBytes;
  if ((farthest | 127) < sharedBytes)
    return;
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned chunk = 0; chunk < chunks; ++chunk)
      if (uint64_t first = address(row, chunk); first + 16 > sharedBytes)
        fail(name,
             "which reads 16 bytes at " + hexadecimal(first) +
                 ", outside the " + std::to_string(sharedBytes) +
                 " bytes of shared memory",
             HazardKind::OutOfBounds);
}

} // namespace pbs::runtime::emulator

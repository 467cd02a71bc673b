// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where wgmma finds a matrix in shared memory (PTX ISA, "Asynchronous Warpgroup
// Level Matrix Shared Memory Layout").

#ifndef PBS_EMULATOR_MATRIXDESCRIPTOR_H
#define PBS_EMULATOR_MATRIXDESCRIPTOR_H

#include "Warp.h"

namespace pbs::runtime::emulator {

/// A matrix of 16-bit elements with 16 columns along k. It consists of chunks,
/// 16 bytes of eight neighbours: along k in a K-major matrix, along M or N in
/// an MN-major (transposed) one.
class MatrixDescriptor {
public:
  MatrixDescriptor(uint64_t bits, bool isTransposed);

  /// The shared memory address of a chunk. In a K-major matrix \p row counts M
  /// or N and \p chunk is 0 or 1; in an MN-major one \p row is k and \p chunk
  /// counts eights of M or N.
  uint32_t address(unsigned row, unsigned chunk) const {
    uint32_t inAtom = row % 8 * atomRowBytes + chunk % atomChunks * 16;
    uint32_t linear = start + inAtom + row / 8 * rowGroupBytes +
                      chunk / atomChunks * chunkGroupBytes;
    return linear ^ (((linear >> 7) - baseOffset) & swizzleMask) << 4;
  }

  /// Throws Fault for what is no descriptor of a matrix \p name with \p extent
  /// elements along M or N, and for a matrix outside of \p sharedBytes.
  void check(const char *name, unsigned extent, uint64_t sharedBytes) const;

private:
  [[noreturn]] void fail(const char *name, const std::string &message,
                         std::optional<HazardKind> kind = std::nullopt) const;

  uint64_t bits;
  bool isTransposed;
  uint32_t start;
  /// From the first eight rows to the next, and from the chunks of one swizzle
  /// atom to those of the next.
  uint32_t rowGroupBytes;
  uint32_t chunkGroupBytes;
  /// A swizzle atom is eight rows of chunks that are next to each other.
  uint32_t atomRowBytes;
  uint32_t atomChunks;
  /// Address bits from 7 on that are added to those from 4 on.
  uint32_t swizzleMask;
  /// The bits from 7 on of the address where the pattern starts.
  uint32_t baseOffset;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_MATRIXDESCRIPTOR_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the elements of a wgmma operand in shared memory are (PTX ISA,
// "Asynchronous Warpgroup Level Matrix Instructions").

#ifndef PBS_TEST_ORACLES_MATRIXLAYOUT_H
#define PBS_TEST_ORACLES_MATRIXLAYOUT_H

#include <cstdint>

namespace pbs::oracle {

/// How an operand lies in shared memory. Offsets are in bytes.
struct MatrixLayout {
  /// Bytes of the swizzle: 0, 32, 64 or 128.
  unsigned swizzle = 0;
  /// MN-major instead of K-major.
  bool isTransposed = false;
  uint32_t start = 0;
  uint32_t leading = 0;
  uint32_t stride = 0;
  uint32_t baseOffset = 0;

  /// The matrix descriptor, where shared memory is at address zero.
  uint64_t descriptor() const {
    uint64_t mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle ? 3 : 0;
    return uint64_t(start >> 4) | uint64_t(leading >> 4) << 16 |
           uint64_t(stride >> 4) << 32 | uint64_t(baseOffset) << 49 |
           mode << 62;
  }

  /// Where row or column \p mn and element \p k along K is, from the layouts
  /// that the PTX ISA writes as shapes and strides in elements, for elements of
  /// two bytes, W being the swizzle:
  ///   MN-major, no swizzle  ((8,1,m),(8,k)):((1,8,stride),(8,leading))
  ///   MN-major, W bytes     ((8,W/16,m),(8,k)):((1,8,leading),(W/2,stride))
  ///   K-major, no swizzle   ((8,m),(8,2)):((8,stride),(1,leading))
  ///   K-major, W bytes      ((8,m),(8,2)):((W/2,stride),(1,8))
  uint32_t address(unsigned mn, unsigned k) const {
    uint32_t width = swizzle / 2; // elements
    uint32_t bytes;
    if (isTransposed && swizzle == 0)
      bytes = 2 * (mn % 8 + k % 8 * 8) + mn / 8 * stride + k / 8 * leading;
    else if (isTransposed)
      bytes = 2 * (mn % width + k % 8 * width) + mn / width * leading +
              k / 8 * stride;
    else if (swizzle == 0)
      bytes = 2 * (mn % 8 * 8 + k % 8) + mn / 8 * stride + k / 8 * leading;
    else
      bytes = 2 * (mn % 8 * width + k) + mn / 8 * stride;
    // The pattern starts at a multiple of 8 rows of 128 bytes, or baseOffset
    // such rows behind one.
    uint32_t linear = start + bytes;
    uint32_t inPattern = linear - 128 * baseOffset;
    for (unsigned bit = 0; 32u << bit <= swizzle; ++bit)
      if (inPattern >> (7 + bit) & 1)
        linear ^= 1u << (4 + bit);
    return linear;
  }
};

} // namespace pbs::oracle

#endif // PBS_TEST_ORACLES_MATRIXLAYOUT_H

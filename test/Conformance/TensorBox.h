// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors in global memory, boxes of them, and a kernel that copies a box.

#ifndef PBS_TEST_CONFORMANCE_TENSORBOX_H
#define PBS_TEST_CONFORMANCE_TENSORBOX_H

#include "../Oracles/TensorBox.h"
#include "Conformance.h"

namespace pbs::conformance {

constexpr uint32_t tensorTileBytes = 8192;

/// What the box is like.
struct BoxOptions {
  unsigned rank = 2;
  uint32_t swizzle = 0;
  /// Bytes of the box's rows; 0 for the whole swizzle's.
  uint32_t rowBytes = 0;
  /// Whether part of the box may be outside the tensor, and before its begin,
  /// which only loads may be.
  bool exceeds = false;
  bool isLoad = true;
  /// Whether the box begins where the swizzle's pattern does.
  bool isAligned = true;
  /// 0 for any.
  uint32_t elementBytes = 0;
};

struct TensorBox : oracle::TensorBox {
  std::vector<uint8_t> contents;
  /// Where the box begins in the tile.
  uint32_t begin = 0;

  /// Where the box's byte \p offset is in the tile.
  uint32_t tileByte(uint32_t offset) const { return sharedByte(offset, begin); }
};

/// A random tensor, uploaded, and a box.
TensorBox makeTensorBox(Environment &environment, const BoxOptions &options);

/// Runs \p statements in thread 0 of a kernel with the map at %rd2, the
/// coordinates in %c0 on, the contents of \p tile in shared memory, the box's
/// place there in %r8 and its bytes in %r9, the CTA's rank in %r10 and an
/// mbarrier "bar". Returns the tiles of the \p ctas of the one cluster.
std::vector<uint8_t>
runTensorKernel(Environment &environment, const TensorBox &box,
                const std::string &statements, const std::vector<uint8_t> &tile,
                bool isMapInGlobalMemory = false, uint32_t ctas = 1);

/// {%c0, %c1 and so on.
std::string coordinates(unsigned rank);

} // namespace pbs::conformance

#endif // PBS_TEST_CONFORMANCE_TENSORBOX_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel that is being converted, and its shared memory.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_KERNELINFO_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_KERNELINFO_H

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbs::nvvm {

/// PTX state spaces as LLVM address spaces.
constexpr unsigned globalSpace = 1;
constexpr unsigned sharedSpace = 3;

/// Name of the dynamic shared memory of a gpu.module's kernels.
constexpr llvm::StringLiteral sharedMemoryName = "dynamic_shared_memory";

/// Every tile begins at a multiple of this many bytes: the period of the
/// swizzle, 8 rows of 128 bytes.
constexpr int64_t tileAlignment = 1024;

/// A tensor map as a kernel's parameter: CUtensorMap.
constexpr int64_t tensorMapBytes = 128;
constexpr int64_t tensorMapParameterAlignment = 64;

/// Layout of a tile: rows of a panel are 128 bytes, the swizzle moves chunks of
/// 16 bytes inside them.
constexpr int64_t rowBytes = 128;
constexpr int64_t chunkBytes = 16;
constexpr int64_t chunkElements = 8;
constexpr int64_t chunksPerPanel = rowBytes / chunkBytes;

/// Bytes of an mbarrier (PTX ISA, "mbarrier").
constexpr int64_t signalBytes = 8;

/// The warps that run an operation: those of its role, or all of the CTA.
struct Actors {
  /// The first one's number in the CTA.
  int64_t firstWarp = 0;
  int64_t warps = 0;
  /// The barrier at which they meet; 0 is the CTA's.
  int64_t barrier = 0;
};

/// Bytes of the description of a work item: four words.
constexpr int64_t itemBytes = 16;

/// A ring in shared memory.
struct RingPlace {
  int64_t stages = 1;
  /// Of the first tile, and of the first of `stages` signals that tell of full
  /// tiles; as many that tell of empty ones follow.
  int64_t tiles = 0, signals = 0;
  /// Whether a third signal of each stage tells that its item is asked for.
  bool areRequested = false;
  std::optional<int64_t> filledBy, emptiedBy;
};

/// Where a thread waits: for the phase of this parity of the barrier at
/// `signal` to end.
struct Signal {
  mlir::Value address, parity;
};

/// The kernel that is being converted.
struct KernelInfo {
  int64_t warps = 0;
  /// Byte offset of each tile and allocation in dynamic shared memory.
  llvm::DenseMap<mlir::Operation *, int64_t> sharedOffsets;
  /// The same of what reductions of the CTA exchange, a word for each warp.
  int64_t reductionOffset = 0;
  /// What the kernel allocates itself. `gpu.dynamic_shared_memory` begins after
  /// it.
  int64_t sharedBytes = 0;

  /// The ring of each operation that allocates or visits one.
  llvm::DenseMap<mlir::Operation *, RingPlace> rings;
  /// The allocations of rings with signals, in order. The first one makes the
  /// signals of all ready.
  llvm::SmallVector<mlir::Operation *> signalled;
  /// What the conversion of these tells that of the copies into, and releases
  /// of, their tiles, which come later: the signal that ends the wait for an
  /// empty tile, and the one to arrive at.
  mutable llvm::DenseMap<mlir::Operation *, Signal> empty;
  mutable llvm::DenseMap<mlir::Operation *, mlir::Value> arrival;
  /// The releases of tiles that products of warp groups have read.
  mutable llvm::SmallPtrSet<mlir::Operation *, 4> ofProducts;
  /// The same of products that have begun, for those that await them: the
  /// registers that they read.
  mutable llvm::DenseMap<mlir::Operation *, llvm::SmallVector<mlir::Value>>
      reading;
  /// The rows of a product's first tile that a group of warps multiplies, by
  /// the region of the role or function and by the tile.
  mutable llvm::DenseMap<std::pair<mlir::Region *, mlir::Value>, mlir::Value>
      rowsOfGroup;
  /// The regions of roles that copy through tensor maps only, so that one
  /// thread does all.
  llvm::SmallPtrSet<mlir::Region *, 2> ofOneThread;

  /// Who runs what stands in `region`.
  Actors getActors(mlir::Region *region) const;
};

/// Gives every tile and allocation of `kernel` its place in shared memory.
KernelInfo layOutSharedMemory(pbsgpu::KernelOp kernel);

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_KERNELINFO_H

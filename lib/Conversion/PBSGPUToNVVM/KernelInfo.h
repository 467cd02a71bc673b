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

/// Layout of a tile: rows of a panel are 128 bytes, the swizzle moves chunks of
/// 16 bytes inside them.
constexpr int64_t rowBytes = 128;
constexpr int64_t chunkBytes = 16;
constexpr int64_t chunkElements = 8;
constexpr int64_t chunksPerPanel = rowBytes / chunkBytes;

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
};

/// Gives every tile and allocation of `kernel` its place in shared memory.
KernelInfo layOutSharedMemory(pbsgpu::KernelOp kernel);

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_KERNELINFO_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels whose CTAs can compute one block after the other: one role copies,
// another one computes.

#ifndef PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_PERSISTROLES_H
#define PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_PERSISTROLES_H

#include "llvm/ADT/SetVector.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {

/// A kernel whose first role copies what the second one computes with.
struct TwoRoles {
  RolesOp roles;
  /// Of the roles of the kernel that is made: producer, scheduler, consumer. No
  /// registers where none take any now.
  mlir::SmallVector<int64_t> warps, registers;
  /// The key loop of each role.
  KeyLoopOp copying, computing;
  /// The lists that both loops walk, and which of them is a block's: batch,
  /// head and query block. As they are before the roles, whatever becomes of
  /// the loops' operands.
  mlir::Value counts, indices;
  mlir::SmallVector<mlir::Value> list;
  /// Rings of which a CTA fills one tile for each of its blocks.
  mlir::SmallVector<AllocRingOp> once;
  /// What stands before the roles and depends on the CTA's place in the grid or
  /// on the kernel's parameters, in order.
  llvm::SetVector<mlir::Operation *> placed;
};

/// Finds the roles of `kernel`, or says in a remark why it stays as it is.
mlir::FailureOr<TwoRoles> findRoles(KernelOp kernel);

/// Bytes of shared memory that `kernel` takes, if each of the rings that are
/// filled once for a block has `stages` tiles.
int64_t countBytes(KernelOp kernel, const TwoRoles &found, int64_t stages);

} // namespace pbsgpu

#endif // PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_PERSISTROLES_H

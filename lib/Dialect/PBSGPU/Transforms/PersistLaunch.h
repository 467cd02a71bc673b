// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the plan hands over to a kernel whose CTAs compute one block after the
// other: the grid of blocks, and a counter of those that are taken.

#ifndef PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_PERSISTLAUNCH_H
#define PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_PERSISTLAUNCH_H

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {

/// The blocks of a launch. In the plan its extents are index, in the kernel
/// i32, with which it computes.
struct BlockGrid {
  /// How many blocks have been claimed, in device memory.
  mlir::Value counter;
  /// Blocks of a row, and rows of one z.
  mlir::Value x, y;
  /// All rows, a row being one y and z, and how many of the last ones are taken
  /// in turn.
  mlir::Value rows, rowsInTurn;
};

/// Lets `launches`, all those of `kernel`, start a CTA for each multiprocessor
/// and hand over the grid that they had; returns it as the kernel knows it.
BlockGrid addGrid(KernelOp kernel, mlir::ArrayRef<LaunchOp> launches);

} // namespace pbsgpu

#endif // PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_PERSISTLAUNCH_H

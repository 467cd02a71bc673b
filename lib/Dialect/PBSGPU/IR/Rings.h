// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What kernels and key loops require of the rings that they use.

#ifndef PBS_LIB_DIALECT_PBSGPU_IR_RINGS_H
#define PBS_LIB_DIALECT_PBSGPU_IR_RINGS_H

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {

/// Requires that the rings used in `kernel` are allocated there, and that as
/// many arrive at their signals as they wait for.
mlir::LogicalResult verifyRingUses(KernelOp kernel);

/// Requires that tiles which are acquired in the region `load` can be while
/// later visits wait, and that the loop knows whether to synchronise.
mlir::LogicalResult verifyLoadedRings(KeyLoopOp loop);

/// Requires that what a deferred loop leaves to the next visit can run there.
mlir::LogicalResult verifyDeferral(KeyLoopOp loop);

} // namespace pbsgpu

#endif // PBS_LIB_DIALECT_PBSGPU_IR_RINGS_H

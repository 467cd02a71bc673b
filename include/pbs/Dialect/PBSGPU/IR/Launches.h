// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who launches a kernel.

#ifndef PBS_DIALECT_PBSGPU_IR_LAUNCHES_H
#define PBS_DIALECT_PBSGPU_IR_LAUNCHES_H

#include "llvm/ADT/MapVector.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {

/// The launches of each kernel in `module`, in order.
llvm::MapVector<mlir::Operation *, mlir::SmallVector<LaunchOp>>
findLaunches(mlir::ModuleOp module);

} // namespace pbsgpu

#endif // PBS_DIALECT_PBSGPU_IR_LAUNCHES_H

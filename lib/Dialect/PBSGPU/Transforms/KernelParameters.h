// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// New parameters of kernels, for which their launches hand over values.

#ifndef PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_KERNELPARAMETERS_H
#define PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_KERNELPARAMETERS_H

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {

/// `name`, with a number where it is taken.
std::string chooseName(llvm::ArrayRef<llvm::StringRef> taken,
                       llvm::StringRef name);

/// Adds a parameter of that name or a similar one, for which `launches`, in
/// order, hand over `values`.
mlir::BlockArgument addParameter(KernelOp kernel, llvm::StringRef name,
                                 mlir::Type type,
                                 llvm::ArrayRef<LaunchOp> launches,
                                 llvm::ArrayRef<mlir::Value> values);

/// Why no launch can hand over a tensor map of `memory`, a value of `kernel`;
/// empty if all can.
llvm::StringRef findObstacleToMap(KernelOp kernel, mlir::Value memory,
                                  llvm::ArrayRef<LaunchOp> launches);

/// Adds a tensor map of the parameter `memory`.
mlir::BlockArgument addTensorMap(KernelOp kernel, mlir::BlockArgument memory,
                                 TensorMapType type,
                                 llvm::ArrayRef<LaunchOp> launches);

} // namespace pbsgpu

#endif // PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_KERNELPARAMETERS_H

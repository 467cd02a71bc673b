// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPU that a module is compiled for, which it carries from stop to stop.

#ifndef PBS_TARGET_PTX_MODULETARGET_H
#define PBS_TARGET_PTX_MODULETARGET_H

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

#include "pbs/Target/PTX/Chip.h"

namespace pbs {

/// The chip that is compiled for where nothing says another.
constexpr llvm::StringLiteral defaultChip = "sm_80";

/// `chip` as an attribute of modules and gpu.modules.
mlir::NVVM::NVVMTargetAttr getTargetAttr(mlir::MLIRContext *context,
                                         const Chip &chip);

/// What `pbs.target` of the module and the targets of its gpu.modules say; null
/// where there are none. Fails with a located error where they differ.
mlir::FailureOr<mlir::NVVM::NVVMTargetAttr> findTarget(mlir::ModuleOp module);

/// The chip of `findTarget`, or the default one.
mlir::FailureOr<Chip> getChip(mlir::ModuleOp module);

/// Records on the module that it is compiled for `chip` with `ptxVersion`, as
/// for `resolveChip`; an empty one stands for what the module has already, or
/// the default. Fails with a located error that names both where the module has
/// another.
llvm::LogicalResult setTarget(mlir::ModuleOp module, llvm::StringRef chip,
                              llvm::StringRef ptxVersion);

} // namespace pbs

#endif // PBS_TARGET_PTX_MODULETARGET_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --check: a device's results against the reference's.

#ifndef PBS_TOOLS_PBSRUN_CHECK_H
#define PBS_TOOLS_PBSRUN_CHECK_H

#include "DeviceRun.h"
#include "RunOptions.h"

#include "pbs/Runtime/Array.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace pbs {

/// Fails with a diagnostic, or throws runtime::Error with one line, if
/// \p function computes nothing that can be compared: over the output of
/// another attention, the device's rounding of that output would count as an
/// error.
mlir::LogicalResult verifyCheckable(mlir::func::FuncOp function);

/// The permutations and selections that \p function computes, which a device
/// has to expose: they are judged by themselves, and what comes after them is
/// judged on the device's own.
llvm::SmallVector<mlir::Value> getCheckedValues(mlir::func::FuncOp function);

/// Holds \p run, of a device on \p arguments, against the reference on the same
/// arguments and prints errors as \p kind asks. Emits a diagnostic and fails as
/// reference::interpret; throws runtime::Error with one line if they disagree.
mlir::LogicalResult checkRun(mlir::func::FuncOp function,
                             const std::vector<runtime::Array> &arguments,
                             const DeviceRun &run, CheckKind kind);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_CHECK_H

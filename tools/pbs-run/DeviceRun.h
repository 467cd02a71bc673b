// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a module and launches an entry of it on a device.

#ifndef PBS_TOOLS_PBSRUN_DEVICERUN_H
#define PBS_TOOLS_PBSRUN_DEVICERUN_H

#include "RunOptions.h"

#include "pbs/Runtime/Array.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/MapVector.h"

#include <vector>

namespace pbs {

struct DeviceRun {
  /// What the function returns, in order.
  std::vector<runtime::Array> results;
  /// The values that were asked for beside it.
  llvm::MapVector<mlir::Value, std::vector<runtime::Array>> exposed;
};

/// Compiles the module of \p function for the device of \p options and launches
/// the function on \p arguments (the arrays of describeEntry, checked). The
/// entry returns \p exposed too, values of the function that kernels compute;
/// what is exposed stays a kernel of its own. Throws runtime::Error if the
/// launch fails; emits a diagnostic and fails if compiling does.
mlir::FailureOr<DeviceRun>
runOnDevice(mlir::func::FuncOp function,
            const std::vector<runtime::Array> &arguments,
            llvm::ArrayRef<mlir::Value> exposed, const RunOptions &options);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_DEVICERUN_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a module and launches an entry of it on a device.

#ifndef PBS_TOOLS_PBSRUN_DEVICERUN_H
#define PBS_TOOLS_PBSRUN_DEVICERUN_H

#include "RunOptions.h"

#include "pbs/Runtime/Array.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <vector>

namespace pbs {

/// Compiles the module of \p function for the device of \p options, launches
/// the function on \p arguments (the arrays of describeEntry, checked) and
/// returns its results in order. Throws runtime::Error if the launch fails;
/// emits a diagnostic and fails if compiling does.
mlir::FailureOr<std::vector<runtime::Array>>
runOnDevice(mlir::func::FuncOp function,
            const std::vector<runtime::Array> &arguments,
            const RunOptions &options);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_DEVICERUN_H

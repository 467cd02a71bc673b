// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --check: a device's results against the reference's.

#ifndef PBS_TOOLS_PBSRUN_CHECK_H
#define PBS_TOOLS_PBSRUN_CHECK_H

#include "RunOptions.h"

#include "pbs/Runtime/Array.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace pbs {

/// Runs \p function on the reference with the same \p arguments (the arrays of
/// describeEntry), compares its results of `pbs.attention` with a device's
/// \p results and prints errors as \p kind asks. Throws runtime::Error with one
/// line if they disagree, or if the function returns nothing that can be
/// checked.
mlir::LogicalResult checkResults(mlir::func::FuncOp function,
                                 const std::vector<runtime::Array> &arguments,
                                 const std::vector<runtime::Array> &results,
                                 CheckKind kind);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_CHECK_H

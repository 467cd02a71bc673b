// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --check: a device's results against the reference's.

#ifndef PBS_TOOLS_PBSRUN_CHECK_H
#define PBS_TOOLS_PBSRUN_CHECK_H

#include "ReferenceRun.h"
#include "RunOptions.h"

#include "pbs/Runtime/Array.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace pbs {

/// Fails with a diagnostic, or throws runtime::Error with one line, if
/// \p function returns nothing of `pbs.attention` that can be compared: over
/// the output of another attention, the device's rounding of that output would
/// count as an error.
mlir::LogicalResult verifyCheckable(mlir::func::FuncOp function);

/// Compares the results of `pbs.attention` in \p expected, a run of \p function
/// on the same arguments, with a device's \p results and prints errors as
/// \p kind asks. Throws runtime::Error with one line if they disagree.
void checkResults(mlir::func::FuncOp function, const ReferenceRun &expected,
                  const std::vector<runtime::Array> &results, CheckKind kind);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_CHECK_H

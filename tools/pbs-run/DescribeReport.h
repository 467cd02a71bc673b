// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a report has to say about a function of the pbs dialect.

#ifndef PBS_TOOLS_PBSRUN_DESCRIBEREPORT_H
#define PBS_TOOLS_PBSRUN_DESCRIBEREPORT_H

#include "ReferenceRun.h"
#include "Report.h"

namespace pbs {

/// A part for each selection of \p function that is among \p intermediates, and
/// for what else is among them. \p arguments are the arrays that the function
/// ran on, \p results those that it returned. The report refers to arrays of
/// \p results and \p intermediates.
Report describeReport(mlir::func::FuncOp function,
                      const std::vector<runtime::Array> &arguments,
                      const std::vector<runtime::Array> &results,
                      const NamedArrays &intermediates);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_DESCRIBEREPORT_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a function of the pbs dialect takes, in the words of a launch plan, so
// that files are read and checked alike for the reference and for devices.

#ifndef PBS_TOOLS_PBSRUN_ENTRYDESCRIPTION_H
#define PBS_TOOLS_PBSRUN_ENTRYDESCRIPTION_H

#include "pbs/Runtime/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace pbs {

/// The inputs of \p function as an entry without outputs and steps. A
/// permutation is one argument, a selection two: counts and indices. Extents
/// that attention relates share a size (B, Nq, Nkv). Names are those of the
/// plans that the compiler writes. Emits a located diagnostic for an argument
/// that has no form in files.
mlir::FailureOr<runtime::Entry> describeEntry(mlir::func::FuncOp function);

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_ENTRYDESCRIPTION_H

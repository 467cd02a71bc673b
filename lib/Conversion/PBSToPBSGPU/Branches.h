// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An scf.if on sizes in a launch plan: the launches of its branches are
// guarded.

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_BRANCHES_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_BRANCHES_H

#include "KernelBuilder.h"

namespace pbs {

/// Whether a plan has the operation as an expression, or might have.
bool isPlanArithmetic(mlir::Operation *op);

/// Writes the condition of `op` into the plan. Fails with a diagnostic where
/// the plan cannot know it.
mlir::FailureOr<mlir::Value> emitCondition(mlir::scf::IfOp op,
                                           Emitter &emitter);
/// Writes the opposite of what emitCondition has written.
mlir::Value emitOpposite(mlir::Value condition, Emitter &emitter);

/// Gives the results of `op` the memories of what its branches yield.
mlir::LogicalResult mergeResults(mlir::scf::IfOp op, Entry &entry);

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_BRANCHES_H

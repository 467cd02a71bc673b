// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes on the algorithm.

#ifndef PBS_DIALECT_PBS_TRANSFORMS_PASSES_H
#define PBS_DIALECT_PBS_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace pbs {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "pbs/Dialect/PBS/Transforms/Passes.h.inc"

} // namespace pbs

#endif // PBS_DIALECT_PBS_TRANSFORMS_PASSES_H

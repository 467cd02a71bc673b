// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes on kernels and launch plans.

#ifndef PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_H
#define PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace pbsgpu {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"

} // namespace pbsgpu

#endif // PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the algorithm to kernels and their launch plan.

#ifndef PBS_CONVERSION_PBSTOPBSGPU_PASSES_H
#define PBS_CONVERSION_PBSTOPBSGPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace pbs {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "pbs/Conversion/PBSToPBSGPU/Passes.h.inc"

} // namespace pbs

#endif // PBS_CONVERSION_PBSTOPBSGPU_PASSES_H

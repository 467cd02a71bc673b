// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that print what an analysis finds.

#ifndef PBS_ANALYSIS_PASSES_H
#define PBS_ANALYSIS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace pbs {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "pbs/Analysis/Passes.h.inc"

} // namespace pbs

#endif // PBS_ANALYSIS_PASSES_H

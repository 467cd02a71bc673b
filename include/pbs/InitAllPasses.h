// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The passes that pbs-opt offers: our own, and upstream's general ones.

#ifndef PBS_INITALLPASSES_H
#define PBS_INITALLPASSES_H

#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Transforms/Passes.h"

#include "pbs/Analysis/Passes.h"
#include "pbs/Conversion/PBSGPUToNVVM/Passes.h"
#include "pbs/Conversion/PBSToPBSGPU/Passes.h"
#include "pbs/Dialect/PBS/Transforms/Passes.h"
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"
#include "pbs/Pipelines/Pipelines.h"

namespace pbs {

inline void registerAllPasses() {
  // Canonicalisation, common subexpressions, symbol-dce and the like.
  mlir::registerTransformsPasses();
  registerPBSPasses();
  registerPBSAnalysisPasses();
  registerPBSToPBSGPUPasses();
  pbsgpu::registerPBSGPUPasses();
  mlir::registerPass([] { return mlir::createSCFToControlFlowPass(); });
  registerPBSGPUToNVVMPasses();
  mlir::registerPass([] { return mlir::createConvertNVVMToLLVMPass(); });
  registerPipelines();
}

} // namespace pbs

#endif // PBS_INITALLPASSES_H

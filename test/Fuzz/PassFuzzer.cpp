// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Canonicalisation and our passes down to the kernel's loops: each may refuse a
// module with an error, but leaves a valid one if it does not.

#include "MLIR.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include "pbs/Conversion/PBSGPUToNVVM/Passes.h"
#include "pbs/Conversion/PBSToPBSGPU/Passes.h"
#include "pbs/Dialect/PBS/Transforms/Passes.h"
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

using namespace mlir;

static void addKernelPass(OpPassManager &passes, std::unique_ptr<Pass> pass) {
  passes.nest<gpu::GPUModuleOp>().addNestedPass<pbsgpu::KernelOp>(
      std::move(pass));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  StringRef text(reinterpret_cast<const char *>(data), size);
  if (!pbs::fuzz::isWorthReading(text))
    return 0;
  pbs::fuzz::Context context;
  OwningOpRef<ModuleOp> module = context.parse(text);
  if (!module)
    return 0;
  PassManager passes(&context);
  passes.addPass(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(pbs::createPBSExpandPrefill());
  passes.addNestedPass<func::FuncOp>(pbs::createPBSFusePermutation());
  passes.addPass(pbs::createConvertPBSToPBSGPU());
  passes.addPass(createCanonicalizerPass());
  addKernelPass(passes, pbsgpu::createPBSGPUWalkList());
  addKernelPass(passes, pbsgpu::createPBSGPUDoubleBuffer());
  addKernelPass(passes, pbsgpu::createPBSGPULowerKeyLoop());
  passes.addPass(pbs::createMergeKernelParameters());
  unsigned before = context.errorCount();
  if (failed(passes.run(*module)) && context.errorCount() == before)
    pbs::fuzz::fail("a pass failed without a word");
  return 0;
}

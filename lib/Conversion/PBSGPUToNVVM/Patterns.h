// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of the conversion, and the sets of its patterns.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_PATTERNS_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_PATTERNS_H

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include "KernelInfo.h"

namespace pbs::nvvm {

/// A pattern that knows the kernel.
template <typename OpTy>
class KernelPattern : public mlir::ConvertOpToLLVMPattern<OpTy> {
public:
  KernelPattern(const mlir::LLVMTypeConverter &converter,
                const KernelInfo &kernel, mlir::PatternBenefit benefit = 1)
      : mlir::ConvertOpToLLVMPattern<OpTy>(converter, benefit), kernel(kernel) {
  }

protected:
  const KernelInfo &kernel;
};

/// Fails with an error that names the pass to run first where kernels hold key
/// loops or structured control flow.
mlir::LogicalResult checkLowered(llvm::ArrayRef<pbsgpu::KernelOp> kernels);
/// Fails with a located error where the kernel holds something that has no
/// instructions.
mlir::LogicalResult checkKernel(pbsgpu::KernelOp kernel);
/// Replaces `pbsgpu.kernel` by an `llvm.func` whose body still is pbsgpu, with
/// the parameters expanded; gives the function back.
mlir::FailureOr<mlir::LLVM::LLVMFuncOp>
lowerKernelSignature(pbsgpu::KernelOp kernel,
                     const mlir::LLVMTypeConverter &converter,
                     llvm::ArrayRef<int64_t> alignments);
/// Whether the kernel's memref parameter is passed with strides.
bool passesStrides(mlir::MemRefType type);
/// Expands the parameters of a launch of a lowered kernel in the same way.
void expandLaunch(pbsgpu::LaunchOp launch, int64_t sharedBytes);

void populateGPUPatterns(const mlir::LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         mlir::RewritePatternSet &patterns);
void populateTilePatterns(const mlir::LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          mlir::RewritePatternSet &patterns);
void populateRingPatterns(const mlir::LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          mlir::RewritePatternSet &patterns);
void populateWorkPatterns(const mlir::LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          mlir::RewritePatternSet &patterns);
void populateFragmentPatterns(const mlir::LLVMTypeConverter &converter,
                              const KernelInfo &kernel,
                              mlir::RewritePatternSet &patterns);
void populateMapPatterns(const mlir::LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         mlir::RewritePatternSet &patterns);
void populateStorePatterns(const mlir::LLVMTypeConverter &converter,
                           const KernelInfo &kernel,
                           mlir::RewritePatternSet &patterns);
void populateMemRefPatterns(const mlir::LLVMTypeConverter &converter,
                            const KernelInfo &kernel,
                            mlir::RewritePatternSet &patterns);
void populateReductionPatterns(const mlir::LLVMTypeConverter &converter,
                               const KernelInfo &kernel,
                               mlir::RewritePatternSet &patterns);
void populateMathPatterns(const mlir::LLVMTypeConverter &converter,
                          mlir::RewritePatternSet &patterns);

/// Replaces the roles of a function whose operations have been converted by
/// branches of the warps. `chip` has instructions for their registers.
void inlineRoles(mlir::LLVM::LLVMFuncOp function, const KernelInfo &kernel);

} // namespace pbs::nvvm

namespace pbs::nvvm::ampere {

void populateMmaPatterns(const mlir::LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         mlir::RewritePatternSet &patterns);
void populateCopyPatterns(const mlir::LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          mlir::RewritePatternSet &patterns);

} // namespace pbs::nvvm::ampere

namespace pbs::nvvm::hopper {

void populateMmaPatterns(const mlir::LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         mlir::RewritePatternSet &patterns);
void populateCopyPatterns(const mlir::LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          mlir::RewritePatternSet &patterns);

void populateStorePatterns(const mlir::LLVMTypeConverter &converter,
                           const KernelInfo &kernel,
                           mlir::RewritePatternSet &patterns);

} // namespace pbs::nvvm::hopper

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_PATTERNS_H

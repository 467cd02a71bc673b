// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where upstream's patterns for memref do not fit kernels.

#include "Patterns.h"
#include "ThreadBuilder.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

/// Upstream's pattern looks for an arith constant and, where that is converted
/// already, indexes the extents through a stack slot.
struct Dim : ConvertOpToLLVMPattern<memref::DimOp> {
  Dim(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, /*benefit=*/2) {}

  LogicalResult
  matchAndRewrite(memref::DimOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    APInt index;
    if (!matchPattern(adaptor.getIndex(), m_ConstantInt(&index)))
      return op.emitOpError("needs a constant dimension");
    MemRefDescriptor descriptor(adaptor.getSource());
    rewriter.replaceOp(
        op, descriptor.size(rewriter, op.getLoc(), index.getZExtValue()));
    return success();
  }
};

/// Workgroup memory is the CTA's, not on a thread's stack.
struct Alloca : KernelPattern<memref::AllocaOp> {
  Alloca(const LLVMTypeConverter &converter, const KernelInfo &kernel)
      : KernelPattern(converter, kernel, /*benefit=*/2) {}

  LogicalResult
  matchAndRewrite(memref::AllocaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    Value address = thread.sharedAddress(kernel.sharedOffsets.at(op));
    rewriter.replaceOp(op, Value(MemRefDescriptor::fromStaticShape(
                               rewriter, op.getLoc(), *getTypeConverter(),
                               op.getType(), address)));
    return success();
  }
};

struct DynamicSharedMemory : KernelPattern<gpu::DynamicSharedMemoryOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(gpu::DynamicSharedMemoryOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    Value address = thread.sharedAddress(kernel.sharedBytes);
    // Only the launch knows the extent; views of it have their own.
    Value zero = thread.constant64(0);
    Value fields[] = {address, address, zero, zero, thread.constant64(1)};
    rewriter.replaceOp(op, MemRefDescriptor::pack(rewriter, loc,
                                                  *getTypeConverter(),
                                                  op.getType(), fields));
    return success();
  }
};

/// Counters need no order with other memory, which upstream's pattern gives
/// them by fences.
struct AtomicAdd : ConvertOpToLLVMPattern<memref::AtomicRMWOp> {
  AtomicAdd(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, /*benefit=*/2) {}

  LogicalResult
  matchAndRewrite(memref::AtomicRMWOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getKind() != arith::AtomicRMWKind::addi)
      return rewriter.notifyMatchFailure(op, "no addition of integers");
    Value address = getStridedElementPtr(
        rewriter, op.getLoc(), cast<MemRefType>(op.getMemref().getType()),
        adaptor.getMemref(), adaptor.getIndices());
    rewriter.replaceOpWithNewOp<LLVM::AtomicRMWOp>(
        op, LLVM::AtomicBinOp::add, address, adaptor.getValue(),
        LLVM::AtomicOrdering::monotonic, "device");
    return success();
  }
};

} // namespace

void populateMemRefPatterns(const LLVMTypeConverter &converter,
                            const KernelInfo &kernel,
                            RewritePatternSet &patterns) {
  patterns.add<Dim, AtomicAdd>(converter);
  patterns.add<Alloca, DynamicSharedMemory>(converter, kernel);
}

} // namespace pbs::nvvm

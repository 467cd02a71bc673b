// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Identifiers, barriers and the end of a kernel. Upstream's set of patterns
// for the gpu dialect also turns math into calls of a device library.

#include "Patterns.h"
#include "ThreadBuilder.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

/// An identifier of one dimension, below `limit`, as an index.
template <typename RegisterOp>
Value readRegister(OpBuilder &builder, Location loc, uint32_t limit) {
  auto range = LLVM::ConstantRangeAttr::get(
      builder.getContext(), llvm::APInt(32, 0), llvm::APInt(32, limit));
  Value value = RegisterOp::create(builder, loc, builder.getI32Type(), range);
  return LLVM::ZExtOp::create(builder, loc, builder.getI64Type(), value);
}

struct BlockId : ConvertOpToLLVMPattern<gpu::BlockIdOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(gpu::BlockIdOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    // The largest grid (CUDA programming guide, "Compute capabilities").
    constexpr uint32_t maxX = 0x7fffffff, maxYZ = 0xffff;
    Location loc = op.getLoc();
    Value value;
    switch (op.getDimension()) {
    case gpu::Dimension::x:
      value = readRegister<NVVM::BlockIdXOp>(rewriter, loc, maxX);
      break;
    case gpu::Dimension::y:
      value = readRegister<NVVM::BlockIdYOp>(rewriter, loc, maxYZ);
      break;
    case gpu::Dimension::z:
      value = readRegister<NVVM::BlockIdZOp>(rewriter, loc, maxYZ);
      break;
    }
    rewriter.replaceOp(op, value);
    return success();
  }
};

struct ThreadId : KernelPattern<gpu::ThreadIdOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(gpu::ThreadIdOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    rewriter.replaceOp(op, op.getDimension() == gpu::Dimension::x
                               ? thread.widen(thread.threadOfCTA())
                               : thread.constant64(0));
    return success();
  }
};

struct Barrier : ConvertOpToLLVMPattern<gpu::BarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(gpu::BarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::Barrier0Op>(op);
    return success();
  }
};

struct RoleBarrier : KernelPattern<pbsgpu::RoleBarrierOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::RoleBarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder(rewriter, op.getLoc(), kernel).meet();
    rewriter.eraseOp(op);
    return success();
  }
};

struct Return : ConvertOpToLLVMPattern<pbsgpu::ReturnOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::ReturnOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::ReturnOp>(op, ValueRange());
    return success();
  }
};

} // namespace

void populateGPUPatterns(const LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         RewritePatternSet &patterns) {
  patterns.add<BlockId, Barrier, Return>(converter);
  patterns.add<RoleBarrier, ThreadId>(converter, kernel);
}

} // namespace pbs::nvvm

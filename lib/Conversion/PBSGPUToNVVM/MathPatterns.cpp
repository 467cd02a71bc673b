// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of the math dialect that kernels use, as single instructions:
// upstream's patterns call a device library or leave what NVPTX cannot select.

#include "mlir/Dialect/Math/IR/Math.h"

#include "Lowering.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

/// ex2.approx.f32, at most 2 units in the last place off (PTX ISA, "ex2").
struct Exp2 : ConvertOpToLLVMPattern<math::Exp2Op> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(math::Exp2Op op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    auto flags = LLVM::FastmathFlagsAttr::get(rewriter.getContext(),
                                              LLVM::FastmathFlags::afn);
    rewriter.replaceOpWithNewOp<LLVM::Exp2Op>(
        op, TypeRange(op.getType()), ValueRange(adaptor.getOperand()),
        ArrayRef<NamedAttribute>(
            rewriter.getNamedAttr("fastmathFlags", flags)));
    return success();
  }
};

/// lg2.approx.f32, off by at most 2^-22 near 1 (PTX ISA, "lg2").
struct Log2 : ConvertOpToLLVMPattern<math::Log2Op> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(math::Log2Op op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, op.getType(), rewriter.getStringAttr("llvm.nvvm.lg2.approx.ftz.f"),
        adaptor.getOperand());
    return success();
  }
};

struct Fma : ConvertOpToLLVMPattern<math::FmaOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(math::FmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::FMAOp>(op, adaptor.getA(), adaptor.getB(),
                                             adaptor.getC());
    return success();
  }
};

} // namespace

void populateMathPatterns(const LLVMTypeConverter &converter,
                          RewritePatternSet &patterns) {
  patterns.add<Exp2, Log2, Fma>(converter);
}

} // namespace pbs::nvvm

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Lowering.h"

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

} // namespace

void populateMemRefPatterns(const LLVMTypeConverter &converter,
                            RewritePatternSet &patterns) {
  patterns.add<Dim>(converter);
}

} // namespace pbs::nvvm

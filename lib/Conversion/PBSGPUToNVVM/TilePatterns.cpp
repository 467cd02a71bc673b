// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles are addresses in the dynamic shared memory of the CTA.

#include "Patterns.h"
#include "ThreadBuilder.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

struct AllocTile : KernelPattern<pbsgpu::AllocTileOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AllocTileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    rewriter.replaceOp(op, thread.sharedAddress(kernel.sharedOffsets.at(op)));
    return success();
  }
};

struct TileStage : KernelPattern<pbsgpu::TileStageOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::TileStageOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    int64_t bytes = op.getType().getSizeInBytes();
    // A stage is below 2^31 bytes, so 32-bit arithmetic does.
    Value stage = LLVM::TruncOp::create(
        rewriter, op.getLoc(), rewriter.getI32Type(), adaptor.getStage());
    Value offset = thread.mul(stage, thread.constant(bytes));
    rewriter.replaceOp(op, thread.offset(adaptor.getRing(), offset));
    return success();
  }
};

} // namespace

void populateTilePatterns(const LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          RewritePatternSet &patterns) {
  patterns.add<AllocTile, TileStage>(converter, kernel);
}

} // namespace pbs::nvvm

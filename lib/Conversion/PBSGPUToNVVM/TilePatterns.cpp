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

} // namespace

void populateTilePatterns(const LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          RewritePatternSet &patterns) {
  patterns.add<AllocTile>(converter, kernel);
}

} // namespace pbs::nvvm

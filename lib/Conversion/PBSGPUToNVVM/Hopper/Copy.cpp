// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies of whole tiles through tensor maps (PTX ISA, "cp.async.bulk.tensor").

#include "../Patterns.h"
#include "../ThreadBuilder.h"
#include "Signals.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace pbs::nvvm::hopper {
namespace {

/// One thread waits until the tile is empty, announces its bytes, and asks for
/// a box of each panel.
struct CopyTile : KernelPattern<pbsgpu::CopyTileOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::CopyTileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!copiesByTensorMap(op))
      return failure();
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    emitOnFirstThread(rewriter, op, kernel, [&] {
      waitFor(rewriter, loc, kernel.empty.lookup(op));
      copy(op, adaptor, rewriter, thread, kernel.arrival.lookup(op));
    });
    rewriter.eraseOp(op);
    return success();
  }

private:
  static void copy(pbsgpu::CopyTileOp op, OpAdaptor adaptor,
                   ConversionPatternRewriter &rewriter, ThreadBuilder &thread,
                   Value full) {
    Location loc = op.getLoc();
    pbsgpu::TileType tile = op.getTile().getType();
    NVVM::MBarrierArriveExpectTxOp::create(
        rewriter, loc, rewriter.getI64Type(), full,
        thread.constant(tile.getSizeInBytes()), NVVM::MemScopeKind::CTA,
        /*relaxed=*/false, /*predicate=*/Value());
    // The innermost coordinate comes first.
    SmallVector<Value> coordinates = {Value()};
    for (Value index : llvm::reverse(adaptor.getIndices()))
      coordinates.push_back(thread.narrow(index));
    int64_t panels = tile.getColumns() / pbsgpu::panelColumns;
    int64_t panelBytes = tile.getSizeInBytes() / panels;
    for (int64_t panel = 0; panel < panels; ++panel) {
      coordinates.front() = thread.constant(panel * pbsgpu::panelColumns);
      NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
          rewriter, loc, thread.offset(adaptor.getTile(), panel * panelBytes),
          adaptor.getSource(), coordinates, full,
          /*im2colOffsets=*/ValueRange(), /*multicastMask=*/Value(),
          /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/true,
          /*group=*/NVVM::CTAGroupKindAttr(), /*predicate=*/Value());
    }
  }
};

} // namespace

void populateCopyPatterns(const LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          RewritePatternSet &patterns) {
  patterns.add<CopyTile>(converter, kernel);
}

} // namespace pbs::nvvm::hopper

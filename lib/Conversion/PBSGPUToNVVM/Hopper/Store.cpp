// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fragments to global memory through a tile: stmatrix spreads a warp's rows
// over shared memory (PTX ISA, "stmatrix"), from where each lane takes 16
// neighbouring bytes of a row. In registers four lanes would have to exchange
// them.

#include "../Fragment.h"
#include "../GlobalMatrix.h"
#include "../Patterns.h"
#include "../TileParts.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace pbs::nvvm::hopper {
namespace {

struct StoreThroughTile : KernelPattern<pbsgpu::StoreFragmentOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::StoreFragmentOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getTile())
      return failure();
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    thread.hideThread();
    FragmentGeometry geometry(op.getSource().getType());
    Value firstRow =
        thread.mul(thread.warp(), thread.constant(geometry.rowsOfWarp));
    writeTile(op, adaptor, rewriter, thread, geometry, firstRow);
    // Each warp reads what it has written itself.
    NVVM::SyncWarpOp::create(rewriter, loc, thread.constant(-1));
    copyRows(op, adaptor, rewriter, thread, geometry, firstRow);
    // A copy by tensor map may overwrite the tile next (PTX ISA, "Proxies").
    NVVM::FenceProxyOp::create(
        rewriter, loc,
        NVVM::ProxyKindAttr::get(op.getContext(),
                                 NVVM::ProxyKind::async_shared),
        NVVM::SharedSpaceAttr::get(op.getContext(),
                                   NVVM::SharedSpace::shared_cta));
    rewriter.eraseOp(op);
    return success();
  }

private:
  static void writeTile(pbsgpu::StoreFragmentOp op, OpAdaptor adaptor,
                        ConversionPatternRewriter &rewriter,
                        ThreadBuilder &thread, const FragmentGeometry &geometry,
                        Value firstRow) {
    Location loc = op.getLoc();
    pbsgpu::TileType type = op.getTile().getType();
    TileParts parts(thread, type, adaptor.getTile(), MatrixOrder::RowsFirst,
                    firstRow);
    SmallVector<Value> elements =
        unpackVector(rewriter, loc, adaptor.getSource());
    for (int64_t row = 0; row < geometry.rowSteps; ++row)
      for (int64_t column = 0; column < geometry.columnSteps; column += 2) {
        SmallVector<Value> words;
        for (int64_t step = column; step < column + 2; ++step)
          for (int64_t reg = 0; reg < 4; reg += 2) {
            int64_t i = geometry.element(row, step, reg);
            words.push_back(packPair(rewriter, loc, type.getElementType(),
                                     elements[i], elements[i + 1]));
          }
        NVVM::StMatrixOp::create(
            rewriter, loc,
            parts.at(row * pbsgpu::mmaRows, column * pbsgpu::mmaColumns), words,
            NVVM::MMALayout::row,
            NVVM::LdStMatrixShapeAttr::get(op.getContext(), 8, 8),
            NVVM::LdStMatrixEltType::B16);
      }
  }

  /// Neighbouring lanes copy neighbouring chunks of a row.
  static void copyRows(pbsgpu::StoreFragmentOp op, OpAdaptor adaptor,
                       ConversionPatternRewriter &rewriter,
                       ThreadBuilder &thread, const FragmentGeometry &geometry,
                       Value firstRow) {
    Location loc = op.getLoc();
    pbsgpu::TileType type = op.getTile().getType();
    int64_t chunksPerRow = type.getColumns() / chunkElements;
    int64_t rowStep = pbsgpu::warpSize / chunksPerRow;
    Value chunk = thread.bitAnd(thread.lane(), chunksPerRow - 1);
    Value row = thread.shiftRight(thread.lane(), llvm::Log2_64(chunksPerRow));
    auto wordsType = VectorType::get(4, rewriter.getI32Type());
    Value tileRow = thread.add(firstRow, row);
    SmallVector<Value> loaded;
    for (int64_t step = 0; step < geometry.rowsOfWarp; step += rowStep) {
      Value place = thread.offset(
          adaptor.getTile(),
          swizzledOffset(thread, type,
                         thread.add(tileRow, thread.constant(step)), chunk));
      loaded.push_back(LLVM::LoadOp::create(rewriter, loc, wordsType, place,
                                            /*alignment=*/chunkBytes));
    }

    GlobalMatrix matrix(rewriter, loc,
                        cast<MemRefType>(op.getDestination().getType()),
                        adaptor.getDestination());
    int64_t rowDimension = op.getIndices().size() - 1;
    SmallVector<Value> indices(adaptor.getIndices());
    indices.back() = LLVM::AddOp::create(rewriter, loc, indices.back(),
                                         thread.widen(tileRow));
    Value remaining = LLVM::SubOp::create(
        rewriter, loc, matrix.extent(rowDimension), indices.back());
    Value base = thread.offset(matrix.address(indices),
                               thread.mul(chunk, thread.constant(chunkBytes)));
    Value stride = thread.hide(matrix.strideBytes(rowDimension));
    for (auto [i, words] : llvm::enumerate(loaded)) {
      Value step = thread.constant64(static_cast<int64_t>(i) * rowStep);
      Value inside = LLVM::ICmpOp::create(
          rewriter, loc, LLVM::ICmpPredicate::sgt, remaining, step);
      emitIf(rewriter, loc, inside, [&, words = words] {
        Value place = thread.offset(
            base, LLVM::MulOp::create(rewriter, loc, stride, step));
        LLVM::StoreOp::create(rewriter, loc, words, place,
                              /*alignment=*/chunkBytes);
      });
    }
  }
};

} // namespace

void populateStorePatterns(const LLVMTypeConverter &converter,
                           const KernelInfo &kernel,
                           RewritePatternSet &patterns) {
  patterns.add<StoreThroughTile>(converter, kernel);
}

} // namespace pbs::nvvm::hopper

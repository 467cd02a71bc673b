// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies into tiles with cp.async, 16 bytes a thread (PTX ISA, "cp.async").

#include "../GlobalMatrix.h"
#include "../KernelInfo.h"
#include "../Patterns.h"
#include "../ThreadBuilder.h"
#include "../TileParts.h"

using namespace mlir;

namespace pbs::nvvm::ampere {
namespace {

/// Neighbouring threads copy neighbouring chunks of a row; a thread keeps its
/// chunk and goes down the rows in steps of `rowStep`. Where that is a multiple
/// of 8, as with four warps and more, its place in the swizzle stays.
struct CopyTile : KernelPattern<pbsgpu::CopyTileOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::CopyTileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isa<MemRefType>(op.getSource().getType()))
      return failure(); // by tensor map
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    pbsgpu::TileType tileType = op.getTile().getType();
    int64_t chunksPerRow = tileType.getColumns() / chunkElements;
    int64_t threads = thread.getActors().warps * pbsgpu::warpSize;
    int64_t rowStep = threads / chunksPerRow;
    Value chunk = thread.bitAnd(thread.thread(), chunksPerRow - 1);
    Value firstRow =
        thread.shiftRight(thread.thread(), llvm::Log2_64(chunksPerRow));
    Value destination = thread.offset(
        adaptor.getTile(), swizzledOffset(thread, tileType, firstRow, chunk));
    auto destinationOf = [&](int64_t row) {
      if (rowStep % pbsgpu::swizzleRows == 0)
        return thread.offset(destination, row * rowBytes);
      Value tileRow = thread.add(firstRow, thread.constant(row));
      return thread.offset(adaptor.getTile(),
                           swizzledOffset(thread, tileType, tileRow, chunk));
    };

    GlobalMatrix source(rewriter, loc,
                        cast<MemRefType>(op.getSource().getType()),
                        adaptor.getSource());
    int64_t rowDimension = op.getIndices().size() - 1;
    Value base = thread.offset(source.address(adaptor.getIndices().drop_back()),
                               thread.mul(chunk, thread.constant(chunkBytes)));
    Value stride = source.strideBytes(rowDimension);
    // Rows are counted with 32 bits, offsets with 64.
    Value extent = thread.narrow(source.extent(rowDimension));
    // The place of the thread's first row.
    Value place =
        thread.add(thread.narrow(adaptor.getIndices().back()), firstRow);

    for (int64_t row = 0; row < tileType.getRows(); row += rowStep) {
      Value sourceRow = thread.add(place, thread.constant(row));
      Value inside;
      if (op.getPermutation())
        std::tie(sourceRow, inside) =
            permute(op, adaptor, rewriter, sourceRow, extent);
      else
        inside = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::slt,
                                      sourceRow, extent);
      Value address = thread.offset(
          base,
          LLVM::MulOp::create(rewriter, loc, thread.widen(sourceRow), stride));
      // The rest of the 16 bytes is filled with zeros; nothing is read then.
      Value bytes = LLVM::SelectOp::create(rewriter, loc, inside,
                                           thread.constant(chunkBytes),
                                           thread.constant(0));
      auto copy = [&] {
        NVVM::CpAsyncOp::create(rewriter, loc, destinationOf(row), address,
                                chunkBytes, NVVM::LoadCacheModifierKind::CG,
                                bytes);
      };
      // More threads than chunks: the last rows' threads have nothing to do.
      if (row + rowStep > tileType.getRows()) {
        Value hasRow = LLVM::ICmpOp::create(
            rewriter, loc, LLVM::ICmpPredicate::ult, firstRow,
            thread.constant(tileType.getRows() - row));
        emitIf(rewriter, loc, hasRow, copy);
      } else {
        copy();
      }
    }
    // The thread arrives at the ring when what it copied is there.
    if (Value arrival = kernel.arrival.lookup(op))
      NVVM::CpAsyncMBarrierArriveOp::create(rewriter, loc, arrival,
                                            /*noinc=*/true);
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// The source row that stands at `place`, and whether it is to be read.
  std::pair<Value, Value> permute(pbsgpu::CopyTileOp op, OpAdaptor adaptor,
                                  ConversionPatternRewriter &rewriter,
                                  Value place, Value extent) const {
    Location loc = op.getLoc();
    GlobalMatrix permutation(rewriter, loc,
                             cast<MemRefType>(op.getPermutation().getType()),
                             adaptor.getPermutation());
    int64_t dimension = op.getPermutationIndices().size();
    ThreadBuilder thread(rewriter, loc, kernel);
    Value length = thread.narrow(permutation.extent(dimension));
    Value last = thread.add(length, thread.constant(-1));
    Value clamped = LLVM::SMinOp::create(rewriter, loc, place, last);
    SmallVector<Value> indices(adaptor.getPermutationIndices());
    indices.push_back(thread.widen(clamped));
    // The entry never changes, so that copies of keys and of values share it.
    Value row = LLVM::LoadOp::create(
        rewriter, loc, rewriter.getI32Type(), permutation.address(indices),
        /*alignment=*/4, /*isVolatile=*/false, /*isNonTemporal=*/false,
        /*isInvariant=*/true);
    Value isPlace = LLVM::ICmpOp::create(
        rewriter, loc, LLVM::ICmpPredicate::slt, place, length);
    Value isRow = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ult,
                                       row, extent);
    return {row, LLVM::AndOp::create(rewriter, loc, isPlace, isRow)};
  }
};

struct CommitCopies : KernelPattern<pbsgpu::CommitCopiesOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::CommitCopiesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<NVVM::CpAsyncCommitGroupOp>(op);
    return success();
  }
};

struct AwaitCopies : KernelPattern<pbsgpu::AwaitCopiesOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AwaitCopiesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getPending() == 0) // also copies that no group holds
      LLVM::CallIntrinsicOp::create(
          rewriter, op.getLoc(),
          rewriter.getStringAttr("llvm.nvvm.cp.async.wait.all"), ValueRange());
    else
      NVVM::CpAsyncWaitGroupOp::create(rewriter, op.getLoc(), op.getPending());
    ThreadBuilder(rewriter, op.getLoc(), kernel).meet();
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void populateCopyPatterns(const LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          RewritePatternSet &patterns) {
  patterns.add<CopyTile, CommitCopies, AwaitCopies>(converter, kernel);
}

} // namespace pbs::nvvm::ampere

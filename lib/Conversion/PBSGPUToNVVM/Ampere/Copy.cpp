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

/// The rows that a warp gathers. Each lane looks up one of them, and takes from
/// the others those whose chunks it copies: chunks of a row need no loads of
/// their own, which a warp would wait for.
class GatheredRows {
public:
  /// Row `step` times `rowStep` of those that a thread copies is found at
  /// `firstPlace` of the permutation, or as far behind as it is in the tile.
  GatheredRows(pbsgpu::CopyTileOp op, pbsgpu::CopyTileOp::Adaptor adaptor,
               OpBuilder &builder, const KernelInfo &kernel, Value firstPlace,
               Value extent, int64_t rowStep)
      : builder(builder), loc(op.getLoc()), thread(builder, loc, kernel),
        lanesOfRow(op.getTile().getType().getColumns() / chunkElements),
        rowsOfStep(pbsgpu::warpSize / lanesOfRow) {
    GlobalMatrix permutation(builder, loc,
                             cast<MemRefType>(op.getPermutation().getType()),
                             adaptor.getPermutation());
    int64_t dimension = op.getPermutationIndices().size();
    Value length = thread.narrow(permutation.extent(dimension));
    Value last = thread.add(length, thread.constant(-1));
    // Of the warp's rows in the order of steps, the lane's first one.
    Value warpRow = thread.mul(thread.warp(), thread.constant(rowsOfStep));
    Value place = thread.add(firstPlace, warpRow);
    place = thread.add(place, thread.bitAnd(thread.lane(), rowsOfStep - 1));
    Value step = thread.shiftRight(thread.lane(), llvm::Log2_64(rowsOfStep));
    place = thread.add(place, thread.mul(step, thread.constant(rowStep)));
    int64_t steps = llvm::divideCeil(op.getTile().getType().getRows(), rowStep);
    for (int64_t first = 0; first < steps; first += lanesOfRow) {
      Value isPlace = LLVM::ICmpOp::create(
          builder, loc, LLVM::ICmpPredicate::slt, place, length);
      SmallVector<Value> indices(adaptor.getPermutationIndices());
      indices.push_back(
          thread.widen(LLVM::SMinOp::create(builder, loc, place, last)));
      // The entry never changes, so that copies of keys and of values share it.
      Value row = LLVM::LoadOp::create(
          builder, loc, builder.getI32Type(), permutation.address(indices),
          /*alignment=*/4, /*isVolatile=*/false, /*isNonTemporal=*/false,
          /*isInvariant=*/true);
      Value isRow = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ult,
                                         row, extent);
      Value isInside = LLVM::AndOp::create(builder, loc, isPlace, isRow);
      rows.push_back(LLVM::SelectOp::create(builder, loc, isInside, row,
                                            thread.constant(-1)));
      place = thread.add(place, thread.constant(lanesOfRow * rowStep));
    }
  }

  /// The source row of the thread's chunk in step `step`, or -1 if there is
  /// none. All lanes ask together.
  Value get(int64_t step) {
    Value lane =
        thread.add(thread.shiftRight(thread.lane(), llvm::Log2_64(lanesOfRow)),
                   thread.constant(step % lanesOfRow * rowsOfStep));
    return NVVM::ShflOp::create(
        builder, loc, builder.getI32Type(), thread.constant(-1),
        rows[step / lanesOfRow], lane, thread.constant(pbsgpu::warpSize - 1),
        NVVM::ShflKind::idx, /*return_value_and_is_valid=*/UnitAttr());
  }

private:
  OpBuilder &builder;
  Location loc;
  ThreadBuilder thread;
  int64_t lanesOfRow, rowsOfStep;
  /// The rows that the lane has looked up, one for each `lanesOfRow` steps.
  SmallVector<Value> rows;
};

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
    Value firstPlace = thread.narrow(adaptor.getIndices().back());
    // The place of the thread's first row.
    Value place = thread.add(firstPlace, firstRow);
    std::optional<GatheredRows> gathered;
    if (op.getPermutation())
      gathered.emplace(op, adaptor, rewriter, kernel, firstPlace, extent,
                       rowStep);

    for (int64_t row = 0; row < tileType.getRows(); row += rowStep) {
      Value sourceRow, inside;
      if (gathered) {
        sourceRow = gathered->get(row / rowStep);
        inside = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::sge,
                                      sourceRow, thread.constant(0));
      } else {
        sourceRow = thread.add(place, thread.constant(row));
        inside = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::slt,
                                      sourceRow, extent);
      }
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
      // Where the steps do not divide the rows, only the first threads have one
      // in the last step.
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

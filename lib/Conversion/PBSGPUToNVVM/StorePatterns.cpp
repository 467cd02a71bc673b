// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fragments to global memory: two neighbouring elements in one store, rows
// past the destination's last left out.

#include "Lowering.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

struct StoreFragment : KernelPattern<pbsgpu::StoreFragmentOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::StoreFragmentOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    FragmentGeometry geometry(op.getSource().getType(), kernel.warps);
    ThreadBuilder thread(rewriter, loc, kernel);
    auto type = cast<MemRefType>(op.getDestination().getType());
    GlobalMatrix matrix(rewriter, loc, type, adaptor.getDestination());
    SmallVector<Value> elements =
        unpackVector(rewriter, loc, adaptor.getSource());

    // From here on rows are relative to the lane's first one.
    int64_t rowDimension = op.getIndices().size() - 1;
    SmallVector<Value> indices(adaptor.getIndices());
    indices.back() = LLVM::AddOp::create(
        rewriter, loc, indices.back(), thread.widen(thread.firstRow(geometry)));
    Value remaining = LLVM::SubOp::create(
        rewriter, loc, matrix.extent(rowDimension), indices.back());
    Value base = matrix.address(indices);
    if (!geometry.oneColumn)
      base = thread.offset(base,
                           thread.mul(thread.firstColumn(),
                                      thread.constant(matrix.elementBytes())));
    Value stride = matrix.strideBytes(rowDimension);
    Value isWriter;
    if (geometry.oneColumn) // the four lanes of a row hold the same value
      isWriter = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::eq,
                                      thread.bitAnd(thread.lane(), 3),
                                      thread.constant(0));

    for (int64_t row = 0; row < geometry.numRows(); ++row) {
      Value rowOffset = thread.constant64(FragmentGeometry::rowOffset(row));
      Value inside = LLVM::ICmpOp::create(
          rewriter, loc, LLVM::ICmpPredicate::sgt, remaining, rowOffset);
      if (isWriter)
        inside = LLVM::AndOp::create(rewriter, loc, inside, isWriter);

      emitIf(rewriter, loc, inside, [&] {
        Value address = thread.offset(
            base, LLVM::MulOp::create(rewriter, loc, stride, rowOffset));
        storeRow(rewriter, loc, thread, geometry, matrix, type.getElementType(),
                 row, elements, address);
      });
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  static void storeRow(OpBuilder &builder, Location loc, ThreadBuilder &thread,
                       const FragmentGeometry &geometry, GlobalMatrix &matrix,
                       Type type, int64_t row, ArrayRef<Value> elements,
                       Value address) {
    int64_t bytes = matrix.elementBytes();
    for (int64_t i = 0; i < geometry.numElements(); ++i) {
      if (geometry.rowOf(i) != row)
        continue;
      Value place = thread.offset(address, geometry.columnOffset(i) * bytes);
      if (type.isF32()) {
        LLVM::StoreOp::create(builder, loc, elements[i], place);
      } else if (geometry.oneColumn) {
        Value rounded =
            LLVM::FPTruncOp::create(builder, loc, type, elements[i]);
        LLVM::StoreOp::create(builder, loc, rounded, place);
      } else {
        Value pair = packPair(builder, loc, type, elements[i], elements[i + 1]);
        LLVM::StoreOp::create(builder, loc, pair, place, /*alignment=*/4);
        ++i;
      }
    }
  }
};

} // namespace

void populateStorePatterns(const LLVMTypeConverter &converter,
                           const KernelInfo &kernel,
                           RewritePatternSet &patterns) {
  patterns.add<StoreFragment>(converter, kernel);
}

} // namespace pbs::nvvm

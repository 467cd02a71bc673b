// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products with mma.sync.m16n8k16, operands from shared memory with
// ldmatrix (PTX ISA, "Warp-level matrix instructions").

#include "../Fragment.h"
#include "../KernelInfo.h"
#include "../Patterns.h"
#include "../ThreadBuilder.h"
#include "../TileParts.h"

using namespace mlir;

namespace pbs::nvvm::ampere {
namespace {

/// Reads 16 x 16 parts of a tile.
class TileReader {
public:
  TileReader(OpBuilder &builder, Location loc, ThreadBuilder &thread,
             pbsgpu::TileType type, Value tile, MatrixOrder order,
             bool transpose, Value firstRow = Value())
      : builder(builder), loc(loc), parts(thread, type, tile, order, firstRow),
        transpose(transpose) {}

  /// The four registers of the part at the given row and column.
  SmallVector<Value> read(int64_t row, int64_t column) {
    Type i32 = builder.getI32Type();
    auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(),
                                                   {i32, i32, i32, i32});
    Value loaded = NVVM::LdMatrixOp::create(
        builder, loc, result, parts.at(row, column), /*num=*/4,
        transpose ? NVVM::MMALayout::col : NVVM::MMALayout::row,
        NVVM::LdStMatrixShapeAttr::get(builder.getContext(), 8, 8),
        NVVM::LdStMatrixEltType::B16);
    SmallVector<Value> registers;
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(
          LLVM::ExtractValueOp::create(builder, loc, loaded, i));
    return registers;
  }

private:
  OpBuilder &builder;
  Location loc;
  TileParts parts;
  bool transpose;
};

struct Mma : KernelPattern<pbsgpu::MmaOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::MmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    FragmentGeometry geometry(op.getType());
    pbsgpu::TileType bType = op.getB().getType();
    int64_t depth = op.getTransposed() ? bType.getColumns() : bType.getRows();

    std::optional<TileReader> aReader;
    SmallVector<Value> aRegisters;
    if (auto tile = dyn_cast<pbsgpu::TileType>(op.getA().getType())) {
      Value firstRow =
          thread.mul(thread.warp(), thread.constant(geometry.rowsOfWarp));
      aReader.emplace(rewriter, loc, thread, tile, adaptor.getA(),
                      MatrixOrder::RowsFirst, /*transpose=*/false, firstRow);
    } else {
      aRegisters = unpackVector(rewriter, loc, adaptor.getA());
    }
    // A transposed B holds b0 and b1 of a column step side by side, a plain one
    // below each other.
    TileReader bReader(rewriter, loc, thread, bType, adaptor.getB(),
                       op.getTransposed() ? MatrixOrder::ColumnsFirst
                                          : MatrixOrder::RowsFirst,
                       /*transpose=*/!op.getTransposed());

    SmallVector<Value> accumulator =
        unpackVector(rewriter, loc, adaptor.getAccumulator());
    int64_t depthSteps = depth / pbsgpu::mmaDepth;
    for (int64_t step = 0; step < depthSteps; ++step) {
      SmallVector<SmallVector<Value>> a;
      for (int64_t i = 0; i < geometry.rowSteps; ++i) {
        if (aReader)
          a.push_back(
              aReader->read(i * pbsgpu::mmaRows, step * pbsgpu::mmaDepth));
        else
          a.push_back(SmallVector<Value>(
              ArrayRef(aRegisters).slice((i * depthSteps + step) * 4, 4)));
      }
      for (int64_t pair = 0; pair < geometry.columnSteps / 2; ++pair) {
        int64_t column = pair * 2 * pbsgpu::mmaColumns;
        int64_t k = step * pbsgpu::mmaDepth;
        SmallVector<Value> b = op.getTransposed() ? bReader.read(column, k)
                                                  : bReader.read(k, column);
        for (int64_t half = 0; half < 2; ++half)
          for (int64_t i = 0; i < geometry.rowSteps; ++i)
            multiply(rewriter, loc, bType.getElementType(), a[i],
                     ArrayRef(b).slice(half * 2, 2),
                     MutableArrayRef(accumulator)
                         .slice(geometry.element(i, pair * 2 + half, 0), 4));
      }
    }
    rewriter.replaceOp(op, packVector(rewriter, loc, accumulator));
    return success();
  }

private:
  /// One mma.sync; the accumulator's four elements are replaced.
  static void multiply(OpBuilder &builder, Location loc, Type elementType,
                       ArrayRef<Value> a, ArrayRef<Value> b,
                       MutableArrayRef<Value> accumulator) {
    auto type = NVVM::MMATypes::bf16;
    SmallVector<Value> aOperands(a), bOperands(b);
    if (elementType.isF16()) {
      type = NVVM::MMATypes::f16;
      auto pair = VectorType::get(2, elementType);
      auto toPair = [&](Value &value) {
        value = LLVM::BitcastOp::create(builder, loc, pair, value);
      };
      llvm::for_each(aOperands, toPair);
      llvm::for_each(bOperands, toPair);
    }
    Type f32 = builder.getF32Type();
    auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(),
                                                   {f32, f32, f32, f32});
    Value product = NVVM::MmaOp::create(
        builder, loc, result, aOperands, bOperands, accumulator,
        ArrayRef<int64_t>{pbsgpu::mmaRows, pbsgpu::mmaColumns,
                          pbsgpu::mmaDepth},
        /*b1Op=*/std::nullopt, /*intOverflow=*/std::nullopt,
        std::array{type, type},
        std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (auto [i, element] : llvm::enumerate(accumulator))
      element = LLVM::ExtractValueOp::create(builder, loc, product, i);
  }
};

} // namespace

void populateMmaPatterns(const LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         RewritePatternSet &patterns) {
  patterns.add<Mma>(converter, kernel);
}

} // namespace pbs::nvvm::ampere

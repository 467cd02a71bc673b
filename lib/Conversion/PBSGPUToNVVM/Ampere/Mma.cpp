// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products with mma.sync.m16n8k16, operands from shared memory with
// ldmatrix (PTX ISA, "Warp-level matrix instructions").

#include "../Fragment.h"
#include "../KernelInfo.h"
#include "../Patterns.h"
#include "../ThreadBuilder.h"

using namespace mlir;

namespace pbs::nvvm::ampere {
namespace {

/// Which of the four 8 x 8 matrices of an ldmatrix.x4 lies where in a
/// 16-row, 16-column part of a tile.
enum class MatrixOrder {
  RowsFirst,    ///< the second matrix is 8 rows below the first
  ColumnsFirst, ///< the second matrix is a chunk beside the first
};

/// Reads 16 x 16 parts of a tile; lane l points to row l % 8 of matrix l / 8.
class TileReader {
public:
  TileReader(OpBuilder &builder, Location loc, ThreadBuilder &thread,
             pbsgpu::TileType type, Value tile, MatrixOrder order,
             bool transpose, Value firstRow = Value())
      : builder(builder), loc(loc), thread(thread), type(type), tile(tile),
        transpose(transpose) {
    Value lane = thread.lane();
    Value low = thread.bitAnd(lane, 7);
    Value middle = thread.bitAnd(thread.shiftRight(lane, 3), 1);
    Value high = thread.shiftRight(lane, 4);
    bool rowsFirst = order == MatrixOrder::RowsFirst;
    Value row = thread.add(low, thread.shiftLeft(rowsFirst ? middle : high, 3));
    if (firstRow)
      row = thread.add(row, firstRow);
    rowOffset = thread.mul(row, thread.constant(rowBytes));
    // The chunk of the part's first column pair; the parts begin at rows that
    // are multiples of 16, so row mod 8 is the lane's.
    chunk = thread.bitXor(rowsFirst ? high : middle, low);
  }

  /// The four registers of the part at the given row and column.
  SmallVector<Value> read(int64_t row, int64_t column) {
    int64_t firstChunk = column / chunkElements;
    int64_t panel = firstChunk / chunksPerPanel;
    Value &address = addresses[firstChunk % chunksPerPanel];
    if (!address) {
      // An even chunk number is added by an exclusive or, which commutes with
      // the swizzle.
      Value swizzled =
          thread.bitXor(chunk, thread.constant(firstChunk % chunksPerPanel));
      address = thread.offset(
          tile, thread.add(rowOffset,
                           thread.mul(swizzled, thread.constant(chunkBytes))));
    }
    Value place = thread.offset(address, panel * type.getRows() * rowBytes +
                                             row * rowBytes);

    Type i32 = builder.getI32Type();
    auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(),
                                                   {i32, i32, i32, i32});
    Value loaded = NVVM::LdMatrixOp::create(
        builder, loc, result, place, /*num=*/4,
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
  ThreadBuilder &thread;
  pbsgpu::TileType type;
  Value tile;
  bool transpose;
  Value rowOffset;
  Value chunk;
  /// By chunk of the panel.
  std::array<Value, chunksPerPanel> addresses = {};
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fragments to global memory, rows past the destination's last left out. Four
// lanes hold a row's elements in pairs; where these are of 16 bits, the lanes
// exchange them first so that each stores 16 neighbouring bytes: a store of
// pairs takes the memory pipeline four times as long.

#include "Fragment.h"
#include "GlobalMatrix.h"
#include "Patterns.h"
#include "ThreadBuilder.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

/// Lanes that share a row, and column steps of which they exchange the pairs.
constexpr int64_t quad = 4;

/// Hands words around in each quad of lanes.
class QuadExchange {
public:
  QuadExchange(OpBuilder &builder, Location loc, ThreadBuilder &thread)
      : builder(builder), loc(loc), thread(thread), isOdd(hasBit(0)),
        isUpper(hasBit(1)) {}

  /// Word i of the result is word number (own place in the quad) of lane i of
  /// the quad.
  SmallVector<Value> transpose(ArrayRef<Value> words) {
    // First between neighbours, so that each lane has two words of both lanes
    // of its half, then between the halves.
    SmallVector<Value> pairs;
    for (int64_t i = 0; i < quad; i += 2) {
      Value received = exchange(select(isOdd, words[i], words[i + 1]), 1);
      pairs.push_back(select(isOdd, received, words[i]));
      pairs.push_back(select(isOdd, words[i + 1], received));
    }
    SmallVector<Value> transposed(quad);
    for (int64_t i = 0; i < 2; ++i) {
      Value received = exchange(select(isUpper, pairs[i], pairs[i + 2]), 2);
      transposed[i] = select(isUpper, received, pairs[i]);
      transposed[i + 2] = select(isUpper, pairs[i + 2], received);
    }
    return transposed;
  }

private:
  Value hasBit(int64_t bit) {
    return LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne,
                                thread.bitAnd(thread.lane(), int64_t(1) << bit),
                                thread.constant(0));
  }
  Value select(Value condition, Value a, Value b) {
    return LLVM::SelectOp::create(builder, loc, condition, a, b);
  }
  Value exchange(Value word, int64_t distance) {
    return NVVM::ShflOp::create(
        builder, loc, word.getType(), thread.constant(-1), word,
        thread.constant(distance), thread.constant(31), NVVM::ShflKind::bfly,
        /*return_value_and_is_valid=*/UnitAttr());
  }

  OpBuilder &builder;
  Location loc;
  ThreadBuilder &thread;
  Value isOdd, isUpper;
};

struct StoreFragment : KernelPattern<pbsgpu::StoreFragmentOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::StoreFragmentOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getTile())
      return failure(); // through it
    Location loc = op.getLoc();
    FragmentGeometry geometry(op.getSource().getType());
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

    Type elementType = type.getElementType();
    bool isWide = !geometry.oneColumn && matrix.elementBytes() == 2 &&
                  geometry.columnSteps % quad == 0;
    if (isWide) // from pairs to eight columns, each lane's of its own step
      base = thread.offset(
          base, thread.mul(thread.firstColumn(),
                           thread.constant((pbsgpu::mmaColumns - 2) / 2 *
                                           matrix.elementBytes())));
    for (int64_t row = 0; row < geometry.numRows(); ++row) {
      Value rowOffset = thread.constant64(FragmentGeometry::rowOffset(row));
      Value inside = LLVM::ICmpOp::create(
          rewriter, loc, LLVM::ICmpPredicate::sgt, remaining, rowOffset);
      if (isWriter)
        inside = LLVM::AndOp::create(rewriter, loc, inside, isWriter);
      // Every lane takes part in an exchange, also for a row left out.
      SmallVector<Value> words;
      if (isWide)
        words = exchangeRow(rewriter, loc, thread, geometry, elementType, row,
                            elements);

      emitIf(rewriter, loc, inside, [&] {
        Value address = thread.offset(
            base, LLVM::MulOp::create(rewriter, loc, stride, rowOffset));
        if (isWide)
          storeWords(rewriter, loc, thread, words, address);
        else
          storeRow(rewriter, loc, thread, geometry, matrix, elementType, row,
                   elements, address);
      });
    }
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// The words that the lane stores of the row: four in a row for each group of
  /// column steps.
  static SmallVector<Value> exchangeRow(OpBuilder &builder, Location loc,
                                        ThreadBuilder &thread,
                                        const FragmentGeometry &geometry,
                                        Type type, int64_t row,
                                        ArrayRef<Value> elements) {
    QuadExchange quads(builder, loc, thread);
    SmallVector<Value> words;
    for (int64_t step = 0; step < geometry.columnSteps; step += quad) {
      SmallVector<Value> pairs;
      for (int64_t i = step; i < step + quad; ++i) {
        int64_t first = geometry.element(row / 2, i, row % 2 * 2);
        pairs.push_back(
            packPair(builder, loc, type, elements[first], elements[first + 1]));
      }
      llvm::append_range(words, quads.transpose(pairs));
    }
    return words;
  }

  static void storeWords(OpBuilder &builder, Location loc,
                         ThreadBuilder &thread, ArrayRef<Value> words,
                         Value address) {
    constexpr int64_t groupBytes = quad * quad * 4;
    for (size_t i = 0; i < words.size(); i += quad) {
      Value vector = packVector(builder, loc, words.slice(i, quad));
      Value place =
          thread.offset(address, static_cast<int64_t>(i) / quad * groupBytes);
      LLVM::StoreOp::create(builder, loc, vector, place, /*alignment=*/16);
    }
  }

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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fragments whose elements stay in their lane, and sums and maxima of rows,
// which the four lanes of a row exchange.

#include "Fragment.h"
#include "Patterns.h"
#include "ThreadBuilder.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

struct Splat : KernelPattern<pbsgpu::SplatOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::SplatOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FragmentGeometry geometry(op.getType());
    SmallVector<Value> elements(geometry.numElements(), adaptor.getValue());
    rewriter.replaceOp(op, packVector(rewriter, op.getLoc(), elements));
    return success();
  }
};

struct RowReduce : KernelPattern<pbsgpu::RowReduceOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::RowReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto combine = [&](Value a, Value b) -> Value {
      if (op.getKind() == pbsgpu::Reduction::Max)
        return LLVM::MaxNumOp::create(rewriter, loc, a, b);
      return LLVM::FAddOp::create(rewriter, loc, a, b);
    };

    FragmentGeometry geometry(op.getSource().getType());
    SmallVector<SmallVector<Value>> rows(geometry.numRows());
    for (auto [i, element] :
         llvm::enumerate(unpackVector(rewriter, loc, adaptor.getSource())))
      rows[geometry.rowOf(i)].push_back(element);

    ThreadBuilder thread(rewriter, loc, kernel);
    Value everyLane = thread.constant(-1), clamp = thread.constant(31);
    SmallVector<Value> results;
    for (SmallVector<Value> &row : rows) {
      // Two chains: half the latency of one, and few values live at a time.
      for (size_t i = 2; i < row.size(); ++i)
        row[i % 2] = combine(row[i % 2], row[i]);
      if (row.size() > 1)
        row[0] = combine(row[0], row[1]);
      Value value = row.front();
      // The lanes of a row exchange what they have, unless each keeps its own.
      if (FragmentGeometry(op.getType()).perLane) {
        results.push_back(value);
        continue;
      }
      for (int64_t distance : {1, 2}) {
        Value other = NVVM::ShflOp::create(
            rewriter, loc, value.getType(), everyLane, value,
            thread.constant(distance), clamp, NVVM::ShflKind::bfly,
            /*return_value_and_is_valid=*/UnitAttr());
        value = combine(value, other);
      }
      results.push_back(value);
    }
    rewriter.replaceOp(op, packVector(rewriter, loc, results));
    return success();
  }
};

struct RowBroadcast : KernelPattern<pbsgpu::RowBroadcastOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::RowBroadcastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FragmentGeometry geometry(op.getType());
    SmallVector<Value> rows =
        unpackVector(rewriter, op.getLoc(), adaptor.getSource());
    SmallVector<Value> elements;
    for (int64_t i = 0; i < geometry.numElements(); ++i)
      elements.push_back(rows[geometry.rowOf(i)]);
    rewriter.replaceOp(op, packVector(rewriter, op.getLoc(), elements));
    return success();
  }
};

struct ToOperand : KernelPattern<pbsgpu::ToOperandOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::ToOperandOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FragmentGeometry geometry(op.getSource().getType());
    SmallVector<Value> source =
        unpackVector(rewriter, op.getLoc(), adaptor.getSource());
    Type elementType = op.getType().getElementType();
    SmallVector<Value> registers;
    // a0 and a1 are c0, c1 and c2, c3 of the first 8 columns, a2 and a3 those
    // of the second: in the accumulator's order already.
    for (int64_t i = 0; i < geometry.numElements(); i += 2)
      registers.push_back(packPair(rewriter, op.getLoc(), elementType,
                                   source[i], source[i + 1]));
    rewriter.replaceOp(op, packVector(rewriter, op.getLoc(), registers));
    return success();
  }
};

} // namespace

void populateFragmentPatterns(const LLVMTypeConverter &converter,
                              const KernelInfo &kernel,
                              RewritePatternSet &patterns) {
  patterns.add<Splat, RowReduce, RowBroadcast, ToOperand>(converter, kernel);
}

} // namespace pbs::nvvm

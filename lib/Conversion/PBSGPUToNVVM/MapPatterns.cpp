// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A map's region, once for each element of the lane.

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/IR/IRMapping.h"

#include "Fragment.h"
#include "Patterns.h"
#include "ThreadBuilder.h"

#include <map>

using namespace mlir;

namespace pbs::nvvm {
namespace {

/// Copies a region's operations for one element after the other. An operation
/// whose operands were the same for an earlier element is not copied again, so
/// that what depends on the row or the column alone is computed once for each.
class ElementCloner {
public:
  ElementCloner(OpBuilder &builder, Block &body)
      : builder(builder), body(body) {}

  /// The yielded value for the given values of the region's arguments.
  Value clone(ArrayRef<Value> arguments) {
    IRMapping mapping;
    mapping.map(body.getArguments(), arguments);
    for (Operation &op : body.without_terminator()) {
      std::vector<void *> key = {&op};
      for (Value operand : op.getOperands())
        key.push_back(mapping.lookupOrDefault(operand).getAsOpaquePointer());
      Operation *&copy = copies[key];
      if (!copy)
        copy = builder.clone(op, mapping);
      mapping.map(op.getResults(), copy->getResults());
    }
    return mapping.lookupOrDefault(body.getTerminator()->getOperand(0));
  }

private:
  OpBuilder &builder;
  Block &body;
  std::map<std::vector<void *>, Operation *> copies;
};

struct Map : KernelPattern<pbsgpu::MapOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::MapOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value condition = adaptor.getCondition();
    Block *after = nullptr;
    if (condition) {
      Block *before = rewriter.getInsertionBlock();
      after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
      Block *then = rewriter.createBlock(after);
      Value unchanged = adaptor.getInputs().front();
      after->addArgument(unchanged.getType(), loc);
      rewriter.setInsertionPointToEnd(before);
      LLVM::CondBrOp::create(rewriter, loc, condition, then, ValueRange(),
                             after, unchanged);
      rewriter.setInsertionPointToStart(then);
    }

    Value result = mapElements(op, adaptor, rewriter);
    if (!condition) {
      rewriter.replaceOp(op, result);
      return success();
    }
    LLVM::BrOp::create(rewriter, loc, result, after);
    rewriter.replaceOp(op, after->getArgument(0));
    return success();
  }

private:
  Value mapElements(pbsgpu::MapOp op, OpAdaptor adaptor,
                    ConversionPatternRewriter &rewriter) const {
    Location loc = op.getLoc();
    FragmentGeometry geometry(op.getType());
    SmallVector<SmallVector<Value>> inputs;
    for (Value input : adaptor.getInputs())
      inputs.push_back(unpackVector(rewriter, loc, input));

    Block &body = op.getBody().front();
    bool usesRow = !body.getArgument(inputs.size()).use_empty();
    bool usesColumn = !body.getArgument(inputs.size() + 1).use_empty();
    ThreadBuilder thread(rewriter, loc, kernel);
    Value zero = thread.constant(0);
    SmallVector<Value> rows(geometry.numRows(), zero);
    if (usesRow) {
      Value first = thread.firstRow(geometry);
      for (auto [i, row] : llvm::enumerate(rows))
        row =
            thread.add(first, thread.constant(FragmentGeometry::rowOffset(i)));
    }
    llvm::DenseMap<int64_t, Value> columns;
    if (usesColumn) {
      Value first = geometry.perLane     ? thread.bitAnd(thread.lane(), 3)
                    : geometry.oneColumn ? zero
                                         : thread.firstColumn();
      for (int64_t i = 0; i < geometry.numElements(); ++i) {
        int64_t offset = geometry.columnOffset(i);
        if (Value &column = columns[offset]; !column)
          column = thread.add(first, thread.constant(offset));
      }
    }

    ElementCloner cloner(rewriter, body);
    SmallVector<Value> results;
    for (int64_t i = 0; i < geometry.numElements(); ++i) {
      SmallVector<Value> arguments;
      for (SmallVector<Value> &input : inputs)
        arguments.push_back(input[i]);
      arguments.push_back(rows[geometry.rowOf(i)]);
      arguments.push_back(usesColumn ? columns[geometry.columnOffset(i)]
                                     : zero);
      results.push_back(cloner.clone(arguments));
    }
    return packVector(rewriter, loc, results);
  }
};

} // namespace

void populateMapPatterns(const LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         RewritePatternSet &patterns) {
  patterns.add<Map>(converter, kernel);
}

} // namespace pbs::nvvm

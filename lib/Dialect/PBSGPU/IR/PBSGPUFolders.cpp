// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Folders and canonical forms of the pbsgpu operations.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace pbsgpu;

/// A known condition disappears, with the map if it is false.
OpFoldResult MapOp::fold(FoldAdaptor adaptor) {
  auto condition = dyn_cast_or_null<BoolAttr>(adaptor.getCondition());
  if (!condition)
    return {};
  if (!condition.getValue())
    return getInputs().front();
  getConditionMutable().clear();
  return getResult();
}

/// Drops inputs that the region does not read. The first one stays where it is
/// the value under a false condition.
static LogicalResult dropUnusedInputs(MapOp op, PatternRewriter &rewriter) {
  Block &body = op.getBody().front();
  BitVector unused(body.getNumArguments());
  for (unsigned i = op.getCondition() ? 1 : 0, end = op.getInputs().size();
       i < end; ++i)
    unused[i] = body.getArgument(i).use_empty();
  if (unused.none())
    return failure();
  rewriter.modifyOpInPlace(op, [&] {
    for (unsigned i = op.getInputs().size(); i-- > 0;)
      if (unused[i])
        op.getInputsMutable().erase(i);
    body.eraseArguments(unused);
  });
  return success();
}

void MapOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add(dropUnusedInputs);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers of work items. The constraints that the diagnostics cite are those
// of docs/spec-pbsgpu.md.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

using namespace mlir;
using namespace pbsgpu;

LogicalResult ItemRingType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t stages) {
  if (stages < 1 || stages > maxStages)
    return emitError() << "item_ring_c1: stages (" << stages
                       << ") must be 1 to " << maxStages;
  return success();
}

LogicalResult ClaimOp::verify() {
  MemRefType type = getCounter().getType();
  if (type.getElementType().isSignlessInteger(32) && type.getRank() == 1)
    return success();
  return emitOpError("claim_c1: counter ") << type << " must be a row of i32";
}

LogicalResult AllocItemsOp::verify() {
  auto kernel = dyn_cast<KernelOp>((*this)->getParentOp());
  if (!kernel || !(*this)->getBlock()->isEntryBlock())
    return emitOpError("alloc_items_c1: stands in the first block of a kernel, "
                       "where its signals are made ready");
  return success();
}

/// Requires that `items` is what a pbsgpu.alloc_items gives.
static LogicalResult verifyItems(Operation *op, StringRef constraint,
                                 Value items) {
  if (items.getDefiningOp<AllocItemsOp>())
    return success();
  return op->emitOpError(constraint)
         << ": the items are not what a pbsgpu.alloc_items gives";
}

LogicalResult PublishOp::verify() {
  if (getValues().size() != 4)
    return emitOpError("publish_c1: has ")
           << getValues().size() << " values, but an item has four";
  return verifyItems(*this, "publish_c2", getItems());
}

LogicalResult RequestOp::verify() {
  return verifyItems(*this, "request_c1", getItems());
}

LogicalResult AwaitRequestOp::verify() {
  return verifyItems(*this, "await_request_c1", getItems());
}

LogicalResult ReceiveOp::verify() {
  return verifyItems(*this, "receive_c1", getItems());
}

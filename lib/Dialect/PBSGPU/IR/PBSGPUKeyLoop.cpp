// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The key loop as upstream's passes know loops.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "mlir/IR/PatternMatch.h"

#include <algorithm>

using namespace mlir;
using namespace pbsgpu;

Block::BlockArgListType KeyLoopOp::getCarried(Region &body) {
  Block::BlockArgListType arguments = body.getArguments();
  size_t carried = getInitial().size();
  // Less is an error that the verifier reports.
  return arguments.take_back(std::min(carried, arguments.size()));
}

OperandRange KeyLoopOp::getEntrySuccessorOperands(RegionSuccessor successor) {
  if (successor.getSuccessor() == &getLoad())
    return OperandRange(getOperation()->operand_end(),
                        getOperation()->operand_end());
  return getInitial();
}

/// The carried values go through the bodies, each any number of times. Nothing
/// goes to the region `load` or comes from it: it runs beside them.
void KeyLoopOp::getSuccessorRegions(
    RegionBranchPoint point, SmallVectorImpl<RegionSuccessor> &successors) {
  Operation *terminator = point.getTerminatorPredecessorOrNull();
  TypeRange carried = getInitial().getTypes();
  if (!getLoad().empty() &&
      (!terminator || terminator->getParentRegion() == &getLoad()))
    successors.push_back(RegionSuccessor(&getLoad()));
  if (terminator && terminator->getParentRegion() == &getLoad())
    return;
  // What does not fit is an error that the verifier reports.
  if (terminator && terminator->getOperandTypes() != carried)
    return;
  for (Region &body : getBodies())
    if ((!terminator || terminator->getParentRegion()->getRegionNumber() <=
                            body.getRegionNumber()) &&
        TypeRange(getCarried(body)) == carried)
      successors.push_back(RegionSuccessor(&body, getCarried(body)));
  successors.push_back(RegionSuccessor(getOperation(), getCarriedResults()));
}

SmallVector<Region *> KeyLoopOp::getLoopRegions() {
  SmallVector<Region *> regions;
  for (Region &region : getOperation()->getRegions())
    regions.push_back(&region);
  return regions;
}

/// What is carried and never used, or twice, is not carried.
void KeyLoopOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  populateRegionBranchOpInterfaceCanonicalizationPatterns(patterns,
                                                          getOperationName());
}

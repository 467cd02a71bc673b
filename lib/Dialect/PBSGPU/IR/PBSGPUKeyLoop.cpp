// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The key loop as upstream's passes know loops, and what it defers.

#include "Rings.h"

#include "mlir/IR/PatternMatch.h"

#include <algorithm>
#include <numeric>

using namespace mlir;
using namespace pbsgpu;

Block::BlockArgListType KeyLoopOp::getCarried(Region &body) {
  Block::BlockArgListType arguments = body.getArguments();
  size_t carried = getInitial().size();
  // Less is an error that the verifier reports.
  return arguments.take_back(std::min(carried, arguments.size()));
}

OperandRange KeyLoopOp::getEntrySuccessorOperands(RegionSuccessor successor) {
  if (successor.getSuccessor() == &getLoad() ||
      successor.getSuccessor() == &getAtNearEnd())
    return OperandRange(getOperation()->operand_end(),
                        getOperation()->operand_end());
  return getInitial();
}

/// The carried values go through the bodies, each any number of times. Nothing
/// goes to the regions `load` and `near_end` or comes from them: they run
/// beside.
void KeyLoopOp::getSuccessorRegions(
    RegionBranchPoint point, SmallVectorImpl<RegionSuccessor> &successors) {
  Operation *terminator = point.getTerminatorPredecessorOrNull();
  Region *from = terminator ? terminator->getParentRegion() : nullptr;
  TypeRange carried = getInitial().getTypes();
  bool isBeside = from && (from == &getLoad() || from == &getAtNearEnd());
  // What does not fit is an error that the verifier reports.
  if (terminator &&
      terminator->getOperandTypes() != (isBeside ? TypeRange() : carried))
    return;
  for (Region *beside : {&getLoad(), &getAtNearEnd()})
    if (!beside->empty() && (!from || from == beside))
      successors.push_back(RegionSuccessor(beside));
  if (isBeside)
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

namespace {
/// A pattern of upstream's that may drop carried values. LLVM 22 does not count
/// them in the sizes of the operands' segments (llvm/llvm-project#223154).
class CountingCarried : public RewritePattern {
public:
  CountingCarried(std::unique_ptr<RewritePattern> pattern, MLIRContext *context)
      : RewritePattern(KeyLoopOp::getOperationName(), pattern->getBenefit(),
                       context),
        pattern(std::move(pattern)) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    // Moves to the loop that takes the place of this one.
    Block *body = &cast<KeyLoopOp>(op).getBodies().front().front();
    if (failed(pattern->matchAndRewrite(op, rewriter)))
      return failure();
    auto loop = cast<KeyLoopOp>(body->getParentOp());
    rewriter.modifyOpInPlace(loop, [&] {
      // The carried values are the last operands.
      auto &sizes = loop.getProperties().operandSegmentSizes;
      auto others = ArrayRef<int32_t>(sizes).drop_back();
      sizes.back() = static_cast<int32_t>(
          loop->getNumOperands() -
          std::accumulate(others.begin(), others.end(), int32_t(0)));
    });
    return success();
  }

private:
  std::unique_ptr<RewritePattern> pattern;
};
} // namespace

/// What is carried and never used, or twice, is not carried.
void KeyLoopOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  RewritePatternSet upstream(context);
  populateRegionBranchOpInterfaceCanonicalizationPatterns(upstream,
                                                          getOperationName());
  for (std::unique_ptr<RewritePattern> &pattern : upstream.getNativePatterns())
    patterns.add<CountingCarried>(std::move(pattern), context);
}

FailureOr<LastProduct> pbsgpu::findLastProduct(KeyLoopOp loop, Region &body,
                                               StringRef &reason) {
  auto fail = [&](StringRef why) {
    reason = why;
    return failure();
  };
  Block &block = body.front();
  SmallVector<MmaOp> products(block.getOps<MmaOp>());
  if (products.size() < 2)
    return fail("a body has no second product");
  LastProduct last;
  last.first = products.front();
  last.product = products.back();
  Operation *yield = &block.back();
  if (!last.product->hasOneUse() || *last.product->user_begin() != yield)
    return fail("the last product is used otherwise than as a carried value");
  last.carried = last.product->use_begin()->getOperandNumber();
  if (!isa<FragmentType>(last.product.getA().getType()))
    return fail("the last product has a tile as A, which may be overwritten");
  last.await = last.product.getB().getDefiningOp<AwaitOp>();
  if (!last.await || last.await->getBlock() != &block ||
      last.await.getVisit() != block.getArgument(1))
    return fail("the last product's B is not the tile of the body's visit");
  for (Operation *user : last.await->getUsers()) {
    if (auto release = dyn_cast<ReleaseOp>(user);
        release && release->getBlock() == &block)
      last.release = release;
    else if (user != last.product)
      return fail("what the last product awaits is also used otherwise");
  }
  for (Operation *user : loop.getCarried(body)[last.carried].getUsers()) {
    Operation *ancestor = block.findAncestorOpInBlock(*user);
    if (ancestor == last.first || ancestor->isBeforeInBlock(last.first))
      return fail("the first product needs the last one of the visit before");
  }
  return last;
}

LogicalResult pbsgpu::verifyDeferral(KeyLoopOp loop) {
  if (!loop.getDeferred())
    return success();
  if (!loop.walksList())
    return loop.emitOpError("key_loop_c17: defers products, but tests blocks");
  std::optional<LastProduct> other;
  for (Region &body : loop.getBodies()) {
    StringRef reason;
    FailureOr<LastProduct> last = findLastProduct(loop, body, reason);
    if (failed(last))
      return loop.emitOpError("key_loop_c18: cannot defer the last product: ")
             << reason;
    // A visit runs the product of the one before, whichever body that had.
    if (other &&
        (other->carried != last->carried ||
         other->await.getRing() != last->await.getRing() ||
         other->product.getTransposed() != last->product.getTransposed()))
      return loop.emitOpError(
          "key_loop_c19: the bodies defer different products");
    other = *last;
    auto ring = last->await.getRing().getDefiningOp<AllocRingOp>();
    bool isLoaded = ring && llvm::any_of(ring->getUsers(), [&](Operation *op) {
                      return isa<AcquireOp>(op) &&
                             loop.getLoad().isAncestor(op->getParentRegion());
                    });
    if (isLoaded &&
        ring.getType().getStages() <= static_cast<int64_t>(loop.getAhead()) + 1)
      return loop.emitOpError("key_loop_c20: the loop loads ")
             << loop.getAhead() << " visits ahead and defers a read of "
             << ring.getType() << ", which has no tile left for that";
  }
  return success();
}

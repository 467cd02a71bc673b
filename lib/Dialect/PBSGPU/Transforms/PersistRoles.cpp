// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which kernels have CTAs that can compute one block after the other.

#include "PersistRoles.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace pbsgpu;

/// Says why `kernel` stays as it is.
static LogicalResult decline(KernelOp kernel, StringRef reason) {
  remark::missed(kernel.getLoc(), remark::RemarkOpts::name("NotPersistent")
                                      .category("pbsgpu-persist")
                                      .function(kernel.getSymName()))
      << remark::reason("{0}", reason);
  return failure();
}

/// Whether an operation that is such stands in `region`.
static bool hasOp(Region &region,
                  llvm::function_ref<bool(Operation *)> isSuch) {
  return region
      .walk([&](Operation *op) {
        return isSuch(op) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Requires that all a CTA does for its block stands in the roles, which know
/// the block by what is computed beside them.
static LogicalResult checkOutside(KernelOp kernel, RolesOp roles) {
  if (!kernel.getBody().hasOneBlock())
    return decline(kernel, "its control flow is not structured");
  for (Operation &op : kernel.getBody().front().without_terminator())
    if (&op != roles && !isa<AllocRingOp, AllocTileOp>(op) &&
        (op.getNumRegions() != 0 || !isMemoryEffectFree(&op)))
      return decline(kernel, "it does more outside of its roles than compute");
  WalkResult walk = kernel.getBody().walk([&](Operation *op) -> WalkResult {
    if (isa<gpu::ThreadIdOp>(op))
      return decline(kernel, "it tells its threads apart");
    if (isa<gpu::GridDimOp>(op))
      return decline(kernel, "it depends on the size of its grid");
    if (isa<gpu::BlockIdOp>(op) && op->getParentOp() != kernel)
      return decline(kernel, "a role asks for its place in the grid");
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

/// Requires that the first role copies what the second one reads, and that
/// there are warps for a third one.
static LogicalResult checkRoles(KernelOp kernel, TwoRoles &found) {
  RolesOp roles = found.roles;
  if (roles.getBodies().size() != 2 ||
      !hasOp(roles.getBodies()[0], llvm::IsaPred<CopyTileOp>) ||
      hasOp(roles.getBodies()[0], llvm::IsaPred<AwaitOp>) ||
      hasOp(roles.getBodies()[1], llvm::IsaPred<AcquireOp>))
    return decline(kernel, "it has other roles than one that copies and one "
                           "that computes");
  if (roles.getWarps()[0] % warpsOfGroup != 0)
    return decline(kernel, "the warps that copy are not groups of four");
  found.isCopiedByOneThread = !hasOp(roles.getBodies()[0], [](Operation *op) {
    auto copy = dyn_cast<CopyTileOp>(op);
    return copy && !isa<TensorMapType>(copy.getSource().getType());
  });
  if (!found.isCopiedByOneThread &&
      static_cast<int64_t>(kernel.getWarps()) + warpsOfGroup > maxWarps)
    return decline(kernel, "no warps are left for another role");
  return success();
}

/// The one key loop of a role, at its top.
static KeyLoopOp findLoop(Region &role) {
  if (!role.hasOneBlock())
    return {};
  SmallVector<KeyLoopOp> loops;
  role.walk([&](KeyLoopOp loop) { loops.push_back(loop); });
  return loops.size() == 1 && loops.front()->getParentRegion() == &role
             ? loops.front()
             : KeyLoopOp();
}

/// Whether both loops walk the same list, in the same order.
static bool walkSameList(KeyLoopOp a, KeyLoopOp b) {
  return a.getWalk() == b.getWalk() && a.getCounts() == b.getCounts() &&
         a.getIndices() == b.getIndices() && a.getBatch() == b.getBatch() &&
         a.getHead() == b.getHead() && a.getQueryBlock() == b.getQueryBlock();
}

/// Finds the loops of the roles, which walk a list from its first visit to its
/// last one.
static LogicalResult findLoops(KernelOp kernel, TwoRoles &found) {
  KeyLoopOp copying = findLoop(found.roles.getBodies()[0]);
  KeyLoopOp computing = findLoop(found.roles.getBodies()[1]);
  if (!copying || !computing)
    return decline(kernel, "a role does not have one key loop");
  if (!walkSameList(copying, computing))
    return decline(kernel, "the roles walk different lists");
  if (!copying.walksList())
    return decline(kernel, "its loops test every block");
  if (copying.getBodies().size() != 1 || copying.getAhead() != 0)
    return decline(kernel, "the loop that copies is not one body");
  for (KeyLoopOp loop : {copying, computing})
    if (loop.getNearEnd() || !matchPattern(loop.getFrom(), m_Zero()))
      return decline(kernel, "its loops go on with rings already");
  found.copying = copying;
  found.computing = computing;
  found.counts = copying.getCounts();
  found.indices = copying.getIndices();
  found.list = {copying.getBatch(), copying.getHead(), copying.getQueryBlock()};
  return success();
}

/// Whether each visit of the roles' loops fills and reads the tile of `ring`
/// that has its number.
static bool isFilledByVisits(AllocRingOp ring) {
  return !ring->use_empty() &&
         llvm::all_of(ring->getUsers(), [](Operation *user) {
           return isa<KeyLoopOp>(user->getParentOp()) &&
                  user->getOperand(1) == user->getBlock()->getArgument(1);
         });
}

/// Whether the roles fill a tile of `ring` once and read it once, outside of
/// their loops.
static bool isFilledOnce(AllocRingOp ring) {
  int64_t acquires = 0, awaits = 0;
  for (Operation *user : ring->getUsers()) {
    (isa<AcquireOp>(user) ? acquires : awaits) += 1;
    if (!isa<RolesOp>(user->getParentOp()) ||
        !matchPattern(user->getOperand(1), m_Zero()))
      return false;
  }
  return acquires == 1 && awaits == 1;
}

/// Finds the rings that are filled once for a block. All others are filled by
/// visits.
static LogicalResult findRings(KernelOp kernel, TwoRoles &found) {
  for (AllocRingOp ring : kernel.getBody().getOps<AllocRingOp>()) {
    bool isOnce = isFilledOnce(ring);
    if (!ring.hasSignals() || (!isOnce && !isFilledByVisits(ring)))
      return decline(kernel, "a ring is filled otherwise than once for each "
                             "visit or once for each block");
    if (isOnce)
      found.once.push_back(ring);
  }
  return success();
}

/// Finds what each item computes anew.
static void findPlaced(TwoRoles &found) {
  for (Operation &op : *found.roles->getBlock()) {
    bool dependsOnPlace =
        isa<gpu::BlockIdOp>(op) ||
        llvm::any_of(op.getOperands(), [&](Value operand) {
          return isa<BlockArgument>(operand) ||
                 found.placed.contains(operand.getDefiningOp());
        });
    if (dependsOnPlace)
      found.placed.insert(&op);
  }
}

FailureOr<TwoRoles> pbsgpu::findRoles(KernelOp kernel) {
  if (ScheduleAttr::isOff(kernel, "persist"))
    return decline(kernel, "the schedule turns the pass off");
  auto all = kernel.getBody().getOps<RolesOp>();
  if (all.empty())
    return decline(kernel, "all its warps do the same");
  TwoRoles found;
  found.roles = *all.begin();
  if (failed(checkOutside(kernel, found.roles)) ||
      failed(checkRoles(kernel, found)) || failed(findLoops(kernel, found)) ||
      failed(findRings(kernel, found)))
    return failure();
  findPlaced(found);
  return found;
}

int64_t pbsgpu::countBytes(KernelOp kernel, const TwoRoles &found,
                           int64_t stages) {
  // Signals, items and what reductions exchange.
  constexpr int64_t others = 1024;
  int64_t bytes = others;
  for (AllocRingOp ring : kernel.getBody().getOps<AllocRingOp>())
    bytes += llvm::is_contained(found.once, ring)
                 ? stages * ring.getType().getTile().getSizeInBytes()
                 : ring.getType().getSizeInBytes();
  for (AllocTileOp tile : kernel.getBody().getOps<AllocTileOp>())
    bytes += tile.getType().getSizeInBytes();
  return bytes;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which kernels have CTAs that can compute one block after the other.

#include "PersistRoles.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace pbsgpu;

/// The scheduler needs few.
constexpr int64_t registersOfScheduler = 32;

/// A role takes no fewer (roles_c4).
constexpr int64_t leastRegisters = 24;

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

/// Whether the warps that run `op` share out a fragment.
static bool hasFragment(Operation *op) {
  auto isFragment = llvm::IsaPred<FragmentType, PendingType>;
  return llvm::any_of(op->getOperandTypes(), isFragment) ||
         llvm::any_of(op->getResultTypes(), isFragment);
}

/// Why a CTA of another grid, with other warps and one block after the other,
/// does not compute what it did with `op`; empty if it does.
static StringRef findObstacle(Operation *op) {
  if (isa<gpu::GlobalIdOp, gpu::SubgroupIdOp, gpu::ThreadIdOp>(op))
    return "it tells its threads apart";
  if (isa<gpu::BlockDimOp, gpu::NumSubgroupsOp>(op))
    return "it depends on the size of its CTAs";
  if (isa<gpu::GridDimOp>(op))
    return "it depends on the size of its grid";
  if (isa<gpu::ClusterBlockIdOp, gpu::ClusterDimBlocksOp, gpu::ClusterDimOp,
          gpu::ClusterIdOp>(op))
    return "it depends on clusters";
  if (isa<gpu::BlockIdOp>(op) && !isa<KernelOp>(op->getParentOp()))
    return "a role asks for its place in the grid";
  // Nobody waits until it is not needed any more.
  if (isa<AllocTileOp, gpu::DynamicSharedMemoryOp, memref::AllocaOp>(op))
    return "it has other shared memory than rings";
  return "";
}

static LogicalResult checkOperations(KernelOp kernel) {
  WalkResult walk = kernel.getBody().walk([&](Operation *op) -> WalkResult {
    StringRef obstacle = findObstacle(op);
    return obstacle.empty() ? success() : decline(kernel, obstacle);
  });
  return failure(walk.wasInterrupted());
}

/// Requires that all a CTA does for its block stands in the roles, which know
/// the block by what is computed before them.
static LogicalResult checkOutside(KernelOp kernel, RolesOp roles) {
  if (!kernel.getBody().hasOneBlock())
    return decline(kernel, "its control flow is not structured");
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (hasFragment(&op))
      return decline(kernel, "it holds a fragment outside of its roles");
    if (&op != roles && !isa<AllocRingOp>(op) &&
        (op.getNumRegions() != 0 || !isMemoryEffectFree(&op)))
      return decline(kernel, "it does more outside of its roles than compute");
  }
  if (!isa<ReturnOp>(roles->getNextNode()))
    return decline(kernel, "it computes behind its roles");
  return success();
}

/// Requires that the first role copies what the second one reads.
static LogicalResult checkRoles(KernelOp kernel, RolesOp roles) {
  if (roles.getBodies().size() != 2 ||
      !hasOp(roles.getBodies()[0], llvm::IsaPred<CopyTileOp>) ||
      hasOp(roles.getBodies()[0], llvm::IsaPred<AwaitOp>) ||
      hasOp(roles.getBodies()[1], llvm::IsaPred<AcquireOp>))
    return decline(kernel, "it has other roles than one that copies and one "
                           "that computes");
  if (roles.getWarps()[0] % warpsOfGroup != 0)
    return decline(kernel, "the warps that copy are not groups of four");
  return success();
}

/// Finds warps and registers for a third role: beside the first one in its
/// groups of warps where one warp copies all, and a group of its own otherwise,
/// which leaves the second role fewer registers.
static LogicalResult findWarps(KernelOp kernel, TwoRoles &found) {
  RolesOp roles = found.roles;
  Region &producer = roles.getBodies()[0];
  int64_t producers = roles.getWarps()[0], consumers = roles.getWarps()[1];
  int64_t schedulers = warpsOfGroup;
  int64_t producing = roles.getRegisters()[0];
  int64_t scheduling = registersOfScheduler;
  bool isCopiedByOneThread = !hasOp(producer, [](Operation *op) {
    auto copy = dyn_cast<CopyTileOp>(op);
    return copy && !isa<TensorMapType>(copy.getSource().getType());
  });
  if (isCopiedByOneThread) {
    if (hasOp(producer, hasFragment))
      return decline(kernel, "the warps that copy hold a fragment");
    schedulers = producers - 1;
    producers = 1;
    scheduling = producing;
  }
  found.warps = {producers, schedulers, consumers};
  found.registers = {0, 0, 0};
  if (llvm::sum_of(found.warps) > maxWarps)
    return decline(kernel, "no warps are left for another role");
  if (!roles.takeRegisters())
    return success();
  int64_t consuming = RolesOp::getRegistersLeft(
      consumers, {{producers, producing}, {schedulers, scheduling}});
  // Three groups that compute have no more than they need as it is.
  bool takesFromThree = !isCopiedByOneThread && consumers > 2 * warpsOfGroup;
  if (consuming < leastRegisters || takesFromThree)
    return decline(kernel, "no registers are left for another role");
  found.registers = {producing, scheduling, consuming};
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
         a.getHead() == b.getHead() && a.getQueryBlock() == b.getQueryBlock() &&
         a.getKeyBlocks() == b.getKeyBlocks();
}

/// Whether both loops cut a list's blocks into the same tiles.
static bool walkSameTiles(KeyLoopOp a, KeyLoopOp b) {
  return a.getKeyBlock() == b.getKeyBlock() && a.getKeyTile() == b.getKeyTile();
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
  if (!walkSameTiles(copying, computing))
    return decline(kernel, "the roles cut blocks into different tiles");
  if (!copying.walksList())
    return decline(kernel, "its loops test every block");
  if (copying.getBodies().size() != 1 || copying.getAhead() != 0)
    return decline(kernel, "the loop that copies is not one body");
  for (KeyLoopOp loop : {copying, computing})
    if (loop.getNearEnd() || !loop.getLengths().empty() ||
        !matchPattern(loop.getFrom(), m_Zero()))
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
  return llvm::all_of(ring->getUsers(), [](Operation *user) {
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

/// Whether who reads tiles of `ring` releases them.
static bool isReleased(AllocRingOp ring) {
  return llvm::all_of(ring->getUsers(), [](Operation *user) {
    return !isa<AwaitOp>(user) ||
           llvm::any_of(user->getUsers(), llvm::IsaPred<ReleaseOp>);
  });
}

/// Finds the rings that are filled once for a block. All others are filled by
/// visits.
static LogicalResult findRings(KernelOp kernel, TwoRoles &found) {
  WalkResult walk = kernel.getBody().walk([&](AllocRingOp ring) -> WalkResult {
    if (!ring.hasSignals())
      return decline(kernel, "a ring has no signals");
    if (ring.use_empty())
      return decline(kernel, "a ring is not used");
    if (isFilledOnce(ring)) {
      found.once.push_back(ring);
      return WalkResult::advance();
    }
    if (!isFilledByVisits(ring))
      return decline(kernel, "a ring is filled otherwise than once for each "
                             "visit or once for each block");
    if (!isReleased(ring))
      return decline(kernel, "the tiles of visits are not released");
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
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
  if (failed(checkOperations(kernel)) ||
      failed(checkOutside(kernel, found.roles)) ||
      failed(checkRoles(kernel, found.roles)) ||
      failed(findWarps(kernel, found)) || failed(findLoops(kernel, found)) ||
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
  return bytes;
}

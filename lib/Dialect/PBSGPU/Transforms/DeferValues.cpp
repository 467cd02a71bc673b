// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Key loops leave the last product of a visit to the next one.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUDEFERVALUES
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

static remark::RemarkOpts describe(KeyLoopOp loop, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-defer-values")
      .function(loop->getParentOfType<KernelOp>().getSymName());
}

/// Says why `loop` stays as it is.
static LogicalResult decline(KeyLoopOp loop, StringRef reason) {
  remark::missed(loop.getLoc(), describe(loop, "NotDeferred"))
      << remark::reason("{0}", reason);
  return failure();
}

/// Whether a zero in `carried` is one in `accumulator`: the same, or each
/// element multiplied.
static bool keepsZero(Value accumulator, Value carried) {
  if (accumulator == carried)
    return true;
  auto map = accumulator.getDefiningOp<MapOp>();
  if (!map || map.getCondition())
    return false;
  Block &region = map.getBody().front();
  auto product = region.back().getOperand(0).getDefiningOp<arith::MulFOp>();
  auto isCarried = [&](Value factor) {
    auto element = dyn_cast<BlockArgument>(factor);
    return element && element.getOwner() == &region &&
           element.getArgNumber() < map.getInputs().size() &&
           map.getInputs()[element.getArgNumber()] == carried;
  };
  return product && llvm::any_of(product->getOperands(), isCarried);
}

static bool isZero(Value fragment) {
  auto splat = fragment.getDefiningOp<SplatOp>();
  return splat && matchPattern(splat.getValue(), m_PosZeroFloat());
}

/// Whether a thread can hold what lives at once in a deferred loop: the carried
/// value, the next visit's first product, and the last one's A.
static bool hasRegisters(KeyLoopOp loop, LastProduct &last) {
  auto [roles, role] = RolesOp::findRole(loop->getParentRegion());
  if (!roles || !roles.takeRegisters())
    return true;
  auto count = [](Value fragment) {
    auto type = cast<FragmentType>(fragment.getType());
    constexpr int64_t bitsOfRegister = 32;
    uint64_t bits = llvm::SaturatingMultiply<uint64_t>(
        llvm::SaturatingMultiply<uint64_t>(type.getRows(), type.getColumns()),
        type.getElementType().getIntOrFloatBitWidth());
    return static_cast<int64_t>(bits /
                                (type.getWarps() * warpSize * bitsOfRegister));
  };
  return count(last.product) + count(last.first) + count(last.product.getA()) +
             RolesOp::registersBesideFragments <=
         roles.getRegisters()[role];
}

/// The carried value whose product every body of `loop` can leave to the next
/// visit.
static LogicalResult checkBodies(KeyLoopOp loop) {
  std::optional<unsigned> carried;
  for (Region &body : loop.getBodies()) {
    StringRef reason;
    FailureOr<LastProduct> last = findLastProduct(loop, body, reason);
    if (failed(last))
      return decline(loop, reason);
    if (!hasRegisters(loop, *last))
      return decline(loop, "the role has not the registers for the product's "
                           "operand beside the next visit's first product");
    if (carried.value_or(last->carried) != last->carried)
      return decline(loop, "the bodies' last products are carried as different "
                           "values");
    carried = last->carried;
    if (!isZero(loop.getInitial()[*carried]) ||
        !keepsZero(last->product.getAccumulator(),
                   loop.getCarried(body)[*carried]))
      return decline(loop, "the first visit's last product does not add to "
                           "zero");
    auto ring = last->await.getRing().getDefiningOp<AllocRingOp>();
    if (!ring || !ring.hasSignals())
      return decline(loop, "the last product's tile is of a ring without "
                           "signals");
    bool isLoadedHere = llvm::any_of(ring->getUsers(), [&](Operation *user) {
      return isa<AcquireOp>(user) &&
             loop.getLoad().isAncestor(user->getParentRegion());
    });
    if (isLoadedHere &&
        ring.getType().getStages() <= static_cast<int64_t>(loop.getAhead()) + 1)
      return decline(loop, "the same warps copy, and their ring has no tile to "
                           "keep for another visit");
  }
  return success();
}

/// The loops of the kernel that visit the same rings as `loop`, and it.
static SetVector<KeyLoopOp> findPartners(KeyLoopOp loop) {
  SetVector<KeyLoopOp> partners;
  partners.insert(loop);
  loop.walk([&](AwaitOp await) {
    for (Operation *user : await.getRing().getUsers())
      if (auto partner = user->getParentOfType<KeyLoopOp>())
        partners.insert(partner);
  });
  return partners;
}

/// Whether `loop` cannot go through the list from its end.
static bool isOrderFixed(KeyLoopOp loop) {
  // A third length is the first block of the walk as it is.
  return !loop.walksList() ||
         (loop.getWalk() != Walk::ListFromEnd && loop.getLengths().size() > 2);
}

namespace {
struct DeferValues : pbsgpu::impl::PBSGPUDeferValuesBase<DeferValues> {
  void runOnOperation() override {
    getOperation()->walk([&](KernelOp kernel) { runOnKernel(kernel); });
  }

private:
  void runOnKernel(KernelOp kernel) {
    SmallVector<KeyLoopOp> loops;
    kernel.walk([&](KeyLoopOp loop) {
      if (!loop.getDeferred() && !loop.getInitial().empty())
        loops.push_back(loop);
    });
    bool isOff = ScheduleAttr::isOff(kernel, "defer-values");
    for (KeyLoopOp loop : loops) {
      if (isOff) {
        (void)decline(loop, "the schedule turns the pass off");
        continue;
      }
      if (!loop.walksList()) {
        (void)decline(loop, "the loop tests every block, so the next visit is "
                            "not known");
        continue;
      }
      if (loop.getNearEnd()) {
        (void)decline(loop, "its region near_end runs between two visits");
        continue;
      }
      if (failed(checkBodies(loop)))
        continue;
      SetVector<KeyLoopOp> partners = findPartners(loop);
      if (llvm::any_of(partners, isOrderFixed)) {
        (void)decline(loop, "the order of the visits is settled already");
        continue;
      }
      loop.setDeferred(true);
      // The masked body runs first in any case: let it be of a masked block.
      for (KeyLoopOp partner : partners)
        partner.setWalk(Walk::ListFromEnd);
      remark::passed(loop.getLoc(), describe(loop, "Deferred"));
    }
  }
};
} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Roles become branches of the CTA's warps.

#include "../Patterns.h"
#include "../ThreadBuilder.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace pbs::nvvm {

/// Lets the threads of a role that begins at `builder` take what it says.
static void setRegisters(ImplicitLocOpBuilder &builder, int64_t registers,
                         int64_t warpsOfKernel) {
  if (registers == 0)
    return;
  auto action = registers < pbsgpu::RolesOp::getRegistersAtStart(warpsOfKernel)
                    ? NVVM::SetMaxRegisterAction::decrease
                    : NVVM::SetMaxRegisterAction::increase;
  NVVM::SetMaxRegisterOp::create(builder, registers, action);
}

/// Moves what only roles use into each of them that does. Where roles hand
/// registers over, ptxas spills values that live from before.
static void sinkIntoRoles(pbsgpu::RolesOp roles, RewriterBase &rewriter) {
  SmallVector<Operation *> candidates;
  for (Block &block : *roles->getParentRegion())
    for (Operation &op : block.without_terminator())
      if (isPure(&op) && op.getNumRegions() == 0)
        candidates.push_back(&op);
  for (Operation *op : llvm::reverse(candidates)) {
    llvm::SetVector<Region *> users;
    bool isUsedBefore = false;
    for (Operation *user : op->getUsers()) {
      auto [parent, role] = pbsgpu::RolesOp::findRole(user->getParentRegion());
      isUsedBefore |= parent != roles;
      if (parent == roles)
        users.insert(&roles.getBodies()[role]);
    }
    if (isUsedBefore)
      continue;
    for (Region *role : users) {
      rewriter.setInsertionPointToStart(&role->front());
      Operation *copy = rewriter.clone(*op);
      op->replaceUsesWithIf(copy->getResults(), [&](OpOperand &use) {
        return role->isAncestor(use.getOwner()->getParentRegion());
      });
    }
    rewriter.eraseOp(op);
  }
}

/// Branches by whether the warp stands before `limit`.
static void branch(ImplicitLocOpBuilder &builder, ThreadBuilder &thread,
                   Value warp, int64_t limit, Block *below, Block *others) {
  Value isBelow = LLVM::ICmpOp::create(builder, LLVM::ICmpPredicate::ult, warp,
                                       thread.constant(limit));
  LLVM::CondBrOp::create(builder, isBelow, below, others);
}

void inlineRoles(LLVM::LLVMFuncOp function, const KernelInfo &kernel) {
  auto found = function.getOps<pbsgpu::RolesOp>();
  if (found.empty())
    return;
  pbsgpu::RolesOp roles = *found.begin();
  IRRewriter rewriter(function.getContext());
  sinkIntoRoles(roles, rewriter);
  Block *before = roles->getBlock();
  Block *pending = nullptr;
  Block *after = rewriter.splitBlock(before, std::next(roles->getIterator()));

  ImplicitLocOpBuilder builder(roles.getLoc(), roles);
  ThreadBuilder thread(builder, roles.getLoc(), kernel);
  Value warp =
      thread.shiftRight(thread.threadOfCTA(), llvm::Log2_64(pbsgpu::warpSize));
  warp = thread.uniform(warp);
  // Registers change hands only where the number at the start is known (PTX
  // ISA, "setmaxnreg").
  if (roles.takeRegisters())
    function->setAttr(NVVM::NVVMDialect::getMaxnregAttrName(),
                      builder.getI32IntegerAttr(
                          pbsgpu::RolesOp::getRegistersAtStart(kernel.warps)));
  unsigned count = roles.getBodies().size();
  for (unsigned role = 0; role < count; ++role) {
    Region &body = roles.getBodies()[role];
    int64_t firstWarp = roles.getFirstWarp(role);
    // A group of warps that several roles share branches once more behind the
    // instruction that all of its warps run.
    if (firstWarp % pbsgpu::warpsOfGroup == 0) {
      unsigned behind = role + 1;
      while (behind < count &&
             roles.getFirstWarp(behind) % pbsgpu::warpsOfGroup != 0)
        ++behind;
      if (behind < count) {
        Block *group = rewriter.createBlock(after);
        Block *others = rewriter.createBlock(after);
        branch(builder, thread, warp, roles.getFirstWarp(behind), group,
               others);
        builder.setInsertionPointToStart(group);
        pending = others;
      }
      setRegisters(builder, roles.getRegisters()[role], kernel.warps);
    }
    Block *entry = &body.front();
    if (kernel.ofOneThread.contains(&body)) {
      Block *first = entry;
      entry = rewriter.createBlock(&body, body.begin());
      Value number = thread.add(thread.threadOfCTA(),
                                thread.constant(-firstWarp * pbsgpu::warpSize));
      Value isFirst = LLVM::ICmpOp::create(builder, LLVM::ICmpPredicate::eq,
                                           number, thread.constant(0));
      rewriter.setInsertionPointToStart(entry);
      LLVM::CondBrOp::create(rewriter, roles.getLoc(), isFirst, first, after);
    }
    for (Block &block : body)
      if (auto end = dyn_cast<pbsgpu::EndRoleOp>(block.back())) {
        rewriter.setInsertionPoint(end);
        rewriter.replaceOpWithNewOp<LLVM::BrOp>(end, ValueRange(), after);
      }
    rewriter.inlineRegionBefore(body, after);
    bool endsGroup = role + 1 == count ||
                     roles.getFirstWarp(role + 1) % pbsgpu::warpsOfGroup == 0;
    if (endsGroup) {
      LLVM::BrOp::create(builder, ValueRange(), entry);
      if (role + 1 < count)
        builder.setInsertionPointToStart(pending);
      continue;
    }
    Block *next = rewriter.createBlock(after);
    branch(builder, thread, warp, roles.getFirstWarp(role + 1), entry, next);
    builder.setInsertionPointToStart(next);
  }
  rewriter.eraseOp(roles);
}

} // namespace pbs::nvvm

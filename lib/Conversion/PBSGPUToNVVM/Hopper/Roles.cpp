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

void inlineRoles(LLVM::LLVMFuncOp function, const KernelInfo &kernel) {
  auto found = function.getOps<pbsgpu::RolesOp>();
  if (found.empty())
    return;
  pbsgpu::RolesOp roles = *found.begin();
  IRRewriter rewriter(function.getContext());
  Block *before = roles->getBlock();
  Block *after = rewriter.splitBlock(before, std::next(roles->getIterator()));

  ImplicitLocOpBuilder builder(roles.getLoc(), roles);
  ThreadBuilder thread(builder, roles.getLoc(), kernel);
  Value warp =
      thread.shiftRight(thread.threadOfCTA(), llvm::Log2_64(pbsgpu::warpSize));
  // The same in every lane, as ptxas cannot know of an identifier.
  warp = NVVM::ShflOp::create(builder, builder.getI32Type(),
                              thread.constant(-1), warp, thread.constant(0),
                              thread.constant(pbsgpu::warpSize - 1),
                              NVVM::ShflKind::idx, UnitAttr());
  // Registers change hands only where the number at the start is known (PTX
  // ISA, "setmaxnreg").
  if (roles.takeRegisters())
    function->setAttr(NVVM::NVVMDialect::getMaxnregAttrName(),
                      builder.getI32IntegerAttr(
                          pbsgpu::RolesOp::getRegistersAtStart(kernel.warps)));
  unsigned count = roles.getBodies().size();
  for (unsigned role = 0; role < count; ++role) {
    Region &body = roles.getBodies()[role];
    Block *entry = &body.front();
    ImplicitLocOpBuilder atEntry =
        ImplicitLocOpBuilder::atBlockBegin(roles.getLoc(), entry);
    setRegisters(atEntry, roles.getRegisters()[role], kernel.warps);
    for (Block &block : body)
      if (auto end = dyn_cast<pbsgpu::EndRoleOp>(block.back())) {
        rewriter.setInsertionPoint(end);
        rewriter.replaceOpWithNewOp<LLVM::BrOp>(end, ValueRange(), after);
      }
    rewriter.inlineRegionBefore(body, after);
    if (role + 1 == count) {
      LLVM::BrOp::create(builder, ValueRange(), entry);
      break;
    }
    Value isRole =
        LLVM::ICmpOp::create(builder, LLVM::ICmpPredicate::ult, warp,
                             thread.constant(roles.getFirstWarp(role + 1)));
    Block *next = rewriter.createBlock(after);
    LLVM::CondBrOp::create(builder, isRole, entry, next);
    builder.setInsertionPointToStart(next);
  }
  rewriter.eraseOp(roles);
}

} // namespace pbs::nvvm

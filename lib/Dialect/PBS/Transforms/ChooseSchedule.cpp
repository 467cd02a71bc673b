// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attentions learn how they are cut.

#include "pbs/Dialect/PBS/Transforms/Passes.h"

#include "mlir/IR/Remarks.h"

#include "pbs/Analysis/Schedule.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbs {
#define GEN_PASS_DEF_PBSCHOOSESCHEDULE
#include "pbs/Dialect/PBS/Transforms/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbs;
using pbsgpu::ScheduleAttr;

namespace {
struct ChooseSchedule : pbs::impl::PBSChooseScheduleBase<ChooseSchedule> {
  using PBSChooseScheduleBase::PBSChooseScheduleBase;

  LogicalResult initialize(MLIRContext *context) override;
  void runOnOperation() override;

private:
  LogicalResult choose(AttentionOp op, const Chip &chip);
  LogicalResult keep(Operation *op, ScheduleAttr given);

  ScheduleOverrides overrides;
};
} // namespace

LogicalResult ChooseSchedule::initialize(MLIRContext *context) {
  FailureOr<ScheduleOverrides> parsed = parseSchedule(
      schedule, [&] { return emitError(UnknownLoc::get(context)); });
  if (failed(parsed))
    return failure();
  overrides = std::move(*parsed);
  return success();
}

LogicalResult ChooseSchedule::choose(AttentionOp op, const Chip &chip) {
  FailureOr<ScheduleAttr> chosen = overrides.apply(
      getSchedule(op, chip), [&] { return emitError(op.getLoc()); });
  if (failed(chosen) || failed(verifySchedule(op, *chosen)))
    return failure();
  if (!overrides.mentions("signal-copies"))
    chosen = preferPortable(op, *chosen, chip);
  StringRef reason = findReasonForPortable(op, *chosen, chip);
  if (chosen->isOff("signal-copies") && !reason.empty())
    remark::missed(
        op.getLoc(),
        remark::RemarkOpts::name("PortableKernel").category(getArgument()))
        << remark::reason("{0}", reason);
  op->setAttr(ScheduleAttr::getAttrName(), *chosen);
  ScheduleResources resources = getResources(
      op, chosen->getKeyTile(), chosen->getWarps(), chosen->getStages(), chip);
  remark::passed(
      op.getLoc(),
      remark::RemarkOpts::name("ScheduleChosen").category(getArgument()))
      << remark::metric("KeyTile", chosen->getKeyTile())
      << remark::metric("Warps", chosen->getWarps())
      << remark::metric("Stages", chosen->getStages())
      << remark::metric("SharedBytes", resources.sharedBytes)
      << remark::metric("Registers", resources.registers);
  return success();
}

/// What has a schedule keeps it; the option may only say the same.
LogicalResult ChooseSchedule::keep(Operation *op, ScheduleAttr given) {
  FailureOr<ScheduleAttr> asked =
      overrides.apply(given, [&] { return emitError(op->getLoc()); });
  if (failed(asked))
    return failure();
  if (*asked == given)
    return success();
  return emitError(op->getLoc(), "has the schedule ")
         << given << " already, not " << *asked;
}

void ChooseSchedule::runOnOperation() {
  FailureOr<Chip> chip = getChip(getOperation());
  if (failed(chip))
    return signalPassFailure();
  bool found = false;
  WalkResult walk = getOperation().walk([&](Operation *op) -> WalkResult {
    if (auto given =
            op->getAttrOfType<ScheduleAttr>(ScheduleAttr::getAttrName())) {
      found = true;
      return keep(op, given);
    }
    auto attention = dyn_cast<AttentionOp>(op);
    if (!attention)
      return WalkResult::advance();
    found = true;
    return choose(attention, *chip);
  });
  if (walk.wasInterrupted())
    return signalPassFailure();
  if (!found && !overrides.empty()) {
    emitError(getOperation().getLoc(), "schedule '")
        << schedule << "': the module has no attention that it is for";
    signalPassFailure();
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule, and the verification of attributes on operations of other
// dialects. The constraints that the diagnostics cite are those of
// docs/spec-pbsgpu.md.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace pbsgpu;

#define GET_ATTRDEF_CLASSES
#include "pbs/Dialect/PBSGPU/IR/PBSGPUAttributes.cpp.inc"

void PBSGPUDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "pbs/Dialect/PBSGPU/IR/PBSGPUAttributes.cpp.inc"
      >();
}

ArrayRef<StringLiteral> ScheduleAttr::getOptionalPasses() {
  static constexpr StringLiteral passes[] = {
      "walk-list",       "double-buffer", "signal-copies",
      "use-tensor-maps", "split-roles",   "defer-values",
      "persist",         "stage-output",  "async-products"};
  return passes;
}

ArrayRef<int64_t> ScheduleAttr::getPossibleWarps() {
  static constexpr int64_t warps[] = {1, 2, 4, 8, 12};
  return warps;
}

bool ScheduleAttr::isOff(StringRef pass) const {
  return getOff() && llvm::any_of(getOff(), [&](Attribute name) {
           return cast<StringAttr>(name).getValue() == pass;
         });
}

bool ScheduleAttr::isOff(Operation *op, StringRef pass) {
  auto schedule = op->getAttrOfType<ScheduleAttr>(getAttrName());
  return schedule && schedule.isOff(pass);
}

LogicalResult
ScheduleAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                     int64_t keyTile, int64_t warps, int64_t stages,
                     ArrayAttr off) {
  if (!llvm::is_contained({16, 32, 64, 128}, keyTile))
    return emitError() << "schedule_c1: key_tile (" << keyTile
                       << ") must be 16, 32, 64 or 128";
  if (!llvm::is_contained(getPossibleWarps(), warps))
    return emitError() << "schedule_c2: warps (" << warps
                       << ") must be 1, 2, 4, 8 or 12";
  if (stages < 1 || stages > maxStages)
    return emitError() << "schedule_c3: stages (" << stages << ") must be 1 to "
                       << maxStages;
  if (!off)
    return success();
  for (Attribute element : off) {
    auto name = dyn_cast<StringAttr>(element);
    if (name && llvm::is_contained(getOptionalPasses(), name.getValue()))
      continue;
    InFlightDiagnostic diagnostic =
        emitError() << "schedule_c4: off names " << element
                    << ", which is no pass that can be left out; those are ";
    llvm::interleaveComma(getOptionalPasses(), diagnostic);
    return diagnostic;
  }
  return success();
}

LogicalResult
PBSGPUDialect::verifyOperationAttribute(Operation *op,
                                        NamedAttribute attribute) {
  if (attribute.getName() != ScheduleAttr::getAttrName())
    return op->emitOpError("schedule_c6: the pbsgpu dialect has no attribute '")
           << attribute.getName().getValue() << "'";
  if (isa<ScheduleAttr>(attribute.getValue()))
    return success();
  return op->emitOpError(
             "schedule_c5: 'pbsgpu.schedule' must be a #pbsgpu.schedule, but "
             "is ")
         << attribute.getValue();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers the pbs dialect and verifies its attributes on operations of other
// dialects: `pbs.name` and `pbs.expected_density` of functions, `pbs.target` of
// modules.

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace pbs;

#include "pbs/Dialect/PBS/IR/PBSDialect.cpp.inc"

void PBSDialect::initialize() {
  registerTypes();
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "pbs/Dialect/PBS/IR/PBSOps.cpp.inc"
      >();
}

/// Counts the arguments and results of `function` that are called `name`.
static int countNamed(FunctionOpInterface function, Attribute name) {
  StringRef key = PBSDialect::getNameAttrName();
  int count = 0;
  for (unsigned i = 0, end = function.getNumArguments(); i < end; ++i)
    count += function.getArgAttr(i, key) == name;
  for (unsigned i = 0, end = function.getNumResults(); i < end; ++i)
    count += function.getResultAttr(i, key) == name;
  return count;
}

static LogicalResult verifyName(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() != PBSDialect::getNameAttrName())
    return op->emitOpError("name_c4: the pbs dialect has no attribute '")
           << attribute.getName().getValue() << "'";
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitOpError(
        "name_c1: 'pbs.name' stands only on arguments and results of "
        "functions");
  auto name = dyn_cast<StringAttr>(attribute.getValue());
  if (!name || name.empty())
    return op->emitOpError("name_c2: 'pbs.name' must be a string that is not "
                           "empty, but is ")
           << attribute.getValue();
  if (countNamed(function, name) > 1)
    return op->emitOpError("name_c3: more than one argument or result has "
                           "'pbs.name' ")
           << name;
  return success();
}

static LogicalResult verifyExpectedDensity(Operation *op, Attribute value) {
  if (!isa<FunctionOpInterface>(op))
    return op->emitOpError("density_c1: 'pbs.expected_density' stands only on "
                           "functions");
  auto density = dyn_cast<FloatAttr>(value);
  if (!density || !density.getType().isF64())
    return op->emitOpError("density_c2: 'pbs.expected_density' must be an "
                           "f64, but is ")
           << value;
  double number = density.getValueAsDouble();
  if (!(number > 0 && number <= 1))
    return op->emitOpError("density_c3: 'pbs.expected_density' must be above "
                           "0 and at most 1, but is ")
           << number;
  return success();
}

static LogicalResult verifyTarget(Operation *op, Attribute value) {
  if (!isa<ModuleOp>(op))
    return op->emitOpError("target_c1: 'pbs.target' stands only on modules");
  if (isa<NVVM::NVVMTargetAttr>(value))
    return success();
  return op->emitOpError("target_c2: 'pbs.target' must be an #nvvm.target, but "
                         "is ")
         << value;
}

LogicalResult PBSDialect::verifyOperationAttribute(Operation *op,
                                                   NamedAttribute attribute) {
  if (attribute.getName() == getExpectedDensityAttrName())
    return verifyExpectedDensity(op, attribute.getValue());
  if (attribute.getName() == getTargetAttrName())
    return verifyTarget(op, attribute.getValue());
  if (attribute.getName() != getNameAttrName())
    return verifyName(op, attribute);
  return op->emitOpError(
      "name_c1: 'pbs.name' stands only on arguments and results of functions");
}

LogicalResult PBSDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                   unsigned,
                                                   NamedAttribute attribute) {
  return verifyName(op, attribute);
}

LogicalResult
PBSDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned,
                                        NamedAttribute attribute) {
  return verifyName(op, attribute);
}

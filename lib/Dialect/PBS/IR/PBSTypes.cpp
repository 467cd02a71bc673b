// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types and attributes of the pbs dialect. The constraints that the
// diagnostics cite are those of docs/spec.md.

#include "Constraints.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace pbs;

#include "pbs/Dialect/PBS/IR/PBSEnums.cpp.inc"
#include "pbs/Dialect/PBS/IR/PBSInterfaces.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "pbs/Dialect/PBS/IR/PBSTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "pbs/Dialect/PBS/IR/PBSAttributes.cpp.inc"

void PBSDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "pbs/Dialect/PBS/IR/PBSTypes.cpp.inc"
      >();
}

void PBSDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "pbs/Dialect/PBS/IR/PBSAttributes.cpp.inc"
      >();
}

RankedTensorType pbs::getTensorType(Type keyType) {
  if (auto permuted = dyn_cast<PermutedType>(keyType))
    return permuted.getTensor();
  return cast<RankedTensorType>(keyType);
}

//===----------------------------------------------------------------------===//
// !pbs.permutation
//===----------------------------------------------------------------------===//

LogicalResult
PermutationType::verify(function_ref<InFlightDiagnostic()> emitError,
                        int64_t heads, int64_t segment) {
  if (heads < 1)
    return emitError() << "permutation_c1: heads (" << heads
                       << ") must be positive";
  if (!isValidSegment(segment))
    return emitError() << "permutation_c2: segment (" << segment
                       << ") must be a positive multiple of "
                       << smallestKeyBlock << ", at most " << maxSegment;
  return success();
}

//===----------------------------------------------------------------------===//
// !pbs.selection
//===----------------------------------------------------------------------===//

LogicalResult
SelectionType::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t queryBlock, int64_t keyBlock) {
  if (!llvm::is_contained(queryBlockSizes, queryBlock))
    return emitError() << "selection_c1: query block (" << queryBlock
                       << ") must be " << listSizes(queryBlockSizes);
  if (!llvm::is_contained(keyBlockSizes, keyBlock))
    return emitError() << "selection_c2: key block (" << keyBlock
                       << ") must be " << listSizes(keyBlockSizes);
  return success();
}

Type SelectionType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  SmallVector<int64_t> blocks;
  if (parser.parseLess())
    return {};
  SMLoc blocksLocation = parser.getCurrentLocation();
  if (parser.parseDimensionList(blocks, /*allowDynamic=*/false,
                                /*withTrailingX=*/false))
    return {};
  if (blocks.size() != 2) {
    parser.emitError(blocksLocation, "expected <query block>x<key block>");
    return {};
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<SelectionType>(location, parser.getContext(),
                                          blocks[0], blocks[1]);
}

void SelectionType::print(AsmPrinter &printer) const {
  printer << "<" << getQueryBlock() << "x" << getKeyBlock() << ">";
}

//===----------------------------------------------------------------------===//
// !pbs.permuted
//===----------------------------------------------------------------------===//

LogicalResult PermutedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   RankedTensorType tensor, int64_t segment) {
  Type element = tensor.getElementType();
  if (tensor.getRank() != 4 || tensor.getEncoding() ||
      !(element.isBF16() || element.isF16()) || tensor.isDynamicDim(1) ||
      tensor.isDynamicDim(3) || llvm::is_contained(tensor.getShape(), 0))
    return emitError() << "permuted_c1: " << tensor
                       << " must be a bf16 or f16 tensor B x H x N x D with "
                          "static H and D, no dimension of 0 and no encoding";
  if (int64_t dim = tensor.getDimSize(3); dim != 64 && dim != 128)
    return emitError() << "permuted_c2: head dimension (" << dim
                       << ") must be 64 or 128";
  if (!isValidSegment(segment))
    return emitError() << "permuted_c3: segment (" << segment
                       << ") must be a positive multiple of "
                       << smallestKeyBlock << ", at most " << maxSegment;
  return success();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types of the pbsgpu dialect.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace pbsgpu;

#include "pbs/Dialect/PBSGPU/IR/PBSGPUEnums.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "pbs/Dialect/PBSGPU/IR/PBSGPUTypes.cpp.inc"

void PBSGPUDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "pbs/Dialect/PBSGPU/IR/PBSGPUTypes.cpp.inc"
      >();
}

static bool isHalf(Type type) { return type.isBF16() || type.isF16(); }

/// Parses `<rows>x<columns>x<element type>`.
static ParseResult parseMatrix(AsmParser &parser, int64_t &rows,
                               int64_t &columns, Type &elementType) {
  SMLoc location = parser.getCurrentLocation();
  SmallVector<int64_t> shape;
  if (parser.parseDimensionList(shape, /*allowDynamic=*/false))
    return failure();
  if (shape.size() != 2)
    return parser.emitError(location, "expected <rows>x<columns>x<type>");
  rows = shape[0];
  columns = shape[1];
  return parser.parseType(elementType);
}

//===----------------------------------------------------------------------===//
// !pbsgpu.fragment
//===----------------------------------------------------------------------===//

LogicalResult FragmentType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t rows, int64_t columns,
                                   Type elementType, FragmentLayout layout) {
  if (rows < 1 || rows % mmaRows)
    return emitError() << "a fragment's rows (" << rows
                       << ") must be a positive multiple of " << mmaRows;
  if (layout == FragmentLayout::Accumulator) {
    if (!elementType.isF32())
      return emitError() << "an accumulator's elements must be f32, not "
                         << elementType;
    if (columns != 1 && (columns < 1 || columns % mmaColumns))
      return emitError() << "an accumulator's columns (" << columns
                         << ") must be 1 or a positive multiple of "
                         << mmaColumns;
    return success();
  }
  if (!isHalf(elementType))
    return emitError() << "an operand's elements must be bf16 or f16, not "
                       << elementType;
  if (columns < 1 || columns % mmaDepth)
    return emitError() << "an operand's columns (" << columns
                       << ") must be a positive multiple of " << mmaDepth;
  return success();
}

Type FragmentType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  int64_t rows, columns;
  Type elementType;
  if (parser.parseLess() || parseMatrix(parser, rows, columns, elementType) ||
      parser.parseComma())
    return {};
  FailureOr<FragmentLayout> layout = FieldParser<FragmentLayout>::parse(parser);
  if (failed(layout) || parser.parseGreater())
    return {};
  return parser.getChecked<FragmentType>(location, parser.getContext(), rows,
                                         columns, elementType, *layout);
}

void FragmentType::print(AsmPrinter &printer) const {
  printer << "<" << getRows() << "x" << getColumns() << "x" << getElementType()
          << ", " << stringifyFragmentLayout(getLayout()) << ">";
}

//===----------------------------------------------------------------------===//
// !pbsgpu.tile
//===----------------------------------------------------------------------===//

LogicalResult TileType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t rows, int64_t columns, Type elementType,
                               int64_t stages) {
  if (!isHalf(elementType))
    return emitError() << "a tile's elements must be bf16 or f16, not "
                       << elementType;
  if (rows < 1 || rows % swizzleRows)
    return emitError() << "a tile's rows (" << rows
                       << ") must be a positive multiple of " << swizzleRows;
  if (columns < 1 || columns % panelColumns)
    return emitError() << "a tile's columns (" << columns
                       << ") must be a positive multiple of " << panelColumns;
  if (stages < 1)
    return emitError() << "a tile's stages (" << stages
                       << ") must be at least 1";
  int64_t size;
  if (stages > std::numeric_limits<int32_t>::max() ||
      llvm::MulOverflow(rows, columns, size) ||
      llvm::MulOverflow(size, 2 * stages, size) ||
      size > std::numeric_limits<int32_t>::max())
    return emitError() << "a tile must be smaller than 2 GiB";
  return success();
}

Type TileType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  int64_t rows, columns, stages = 1;
  Type elementType;
  if (parser.parseLess() || parseMatrix(parser, rows, columns, elementType))
    return {};
  if (succeeded(parser.parseOptionalComma()) &&
      (parser.parseKeyword("stages") || parser.parseEqual() ||
       parser.parseInteger(stages)))
    return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<TileType>(location, parser.getContext(), rows,
                                     columns, elementType, stages);
}

void TileType::print(AsmPrinter &printer) const {
  printer << "<" << getRows() << "x" << getColumns() << "x" << getElementType();
  if (getStages() > 1)
    printer << ", stages = " << getStages();
  printer << ">";
}

int64_t TileType::getSizeInBytes() const {
  return getRows() * getColumns() * getStages() *
         (getElementType().getIntOrFloatBitWidth() / 8);
}

//===----------------------------------------------------------------------===//
// !pbsgpu.tensor_map
//===----------------------------------------------------------------------===//

LogicalResult
TensorMapType::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t rows, int64_t columns, Type elementType,
                      int64_t dimensions) {
  if (!isHalf(elementType))
    return emitError() << "a tensor map's elements must be bf16 or f16, not "
                       << elementType;
  if (rows < 1 || rows > maxBoxRows)
    return emitError() << "a tensor map's rows (" << rows << ") must be 1 to "
                       << maxBoxRows;
  if (columns < 1 || columns % panelColumns)
    return emitError() << "a tensor map's columns (" << columns
                       << ") must be a positive multiple of " << panelColumns;
  if (dimensions < 2 || dimensions > 5)
    return emitError() << "a tensor map's dimensions (" << dimensions
                       << ") must be 2 to 5";
  return success();
}

Type TensorMapType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  int64_t rows, columns, dimensions;
  Type elementType;
  if (parser.parseLess() || parseMatrix(parser, rows, columns, elementType) ||
      parser.parseComma() || parser.parseKeyword("dimensions") ||
      parser.parseEqual() || parser.parseInteger(dimensions) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<TensorMapType>(location, parser.getContext(), rows,
                                          columns, elementType, dimensions);
}

void TensorMapType::print(AsmPrinter &printer) const {
  printer << "<" << getRows() << "x" << getColumns() << "x" << getElementType()
          << ", dimensions = " << getDimensions() << ">";
}

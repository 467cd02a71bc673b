// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types of the pbsgpu dialect. The constraints that the diagnostics cite
// are those of docs/spec-pbsgpu.md.

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

/// Parses the last parameter of a type, `, <name> = <value>>`.
static ParseResult parseLastParameter(AsmParser &parser, StringRef name,
                                      int64_t &value) {
  return failure(parser.parseComma() || parser.parseKeyword(name) ||
                 parser.parseEqual() || parser.parseInteger(value) ||
                 parser.parseGreater());
}

//===----------------------------------------------------------------------===//
// !pbsgpu.fragment
//===----------------------------------------------------------------------===//

LogicalResult FragmentType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t rows, int64_t columns,
                                   Type elementType, FragmentLayout layout,
                                   int64_t warps) {
  if (warps < 1 || warps > maxWarps)
    return emitError() << "fragment_c1: warps (" << warps << ") must be 1 to "
                       << maxWarps;
  if (rows < 1 || rows % (mmaRows * warps))
    return emitError() << "fragment_c2: rows (" << rows
                       << ") must be a positive multiple of " << mmaRows * warps
                       << ", 16 for each of its " << warps << " warps";
  if (layout == FragmentLayout::Accumulator) {
    if (!elementType.isF32())
      return emitError()
             << "fragment_c3: an accumulator's elements must be f32, not "
             << elementType;
    if (columns != 1 && columns != lanesOfRow &&
        (columns < 1 || columns % mmaColumns))
      return emitError() << "fragment_c4: an accumulator's columns (" << columns
                         << ") must be 1, 4 or a positive multiple of "
                         << mmaColumns;
    return success();
  }
  if (!isHalf(elementType))
    return emitError()
           << "fragment_c5: an operand's elements must be bf16 or f16, not "
           << elementType;
  if (columns < 1 || columns % mmaDepth)
    return emitError() << "fragment_c6: an operand's columns (" << columns
                       << ") must be a positive multiple of " << mmaDepth;
  return success();
}

Type FragmentType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  int64_t rows, columns, warps;
  Type elementType;
  if (parser.parseLess() || parseMatrix(parser, rows, columns, elementType) ||
      parser.parseComma())
    return {};
  FailureOr<FragmentLayout> layout = FieldParser<FragmentLayout>::parse(parser);
  if (failed(layout) || parseLastParameter(parser, "warps", warps))
    return {};
  return parser.getChecked<FragmentType>(location, parser.getContext(), rows,
                                         columns, elementType, *layout, warps);
}

void FragmentType::print(AsmPrinter &printer) const {
  printer << "<" << getRows() << "x" << getColumns() << "x" << getElementType()
          << ", " << stringifyFragmentLayout(getLayout())
          << ", warps = " << getWarps() << ">";
}

//===----------------------------------------------------------------------===//
// !pbsgpu.tile, !pbsgpu.ring
//===----------------------------------------------------------------------===//

/// Whether that many tiles of 16-bit elements can be addressed with 31 bits.
static bool isBelow2GiB(int64_t rows, int64_t columns, int64_t stages) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  int64_t size;
  return stages <= most && !llvm::MulOverflow(rows, columns, size) &&
         !llvm::MulOverflow(size, 2 * stages, size) && size <= most;
}

LogicalResult TileType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t rows, int64_t columns,
                               Type elementType) {
  if (!isHalf(elementType))
    return emitError() << "tile_c1: elements must be bf16 or f16, not "
                       << elementType;
  if (rows < 1 || rows % swizzleRows)
    return emitError() << "tile_c2: rows (" << rows
                       << ") must be a positive multiple of " << swizzleRows;
  if (columns < 1 || columns % panelColumns)
    return emitError() << "tile_c3: columns (" << columns
                       << ") must be a positive multiple of " << panelColumns;
  if (!isBelow2GiB(rows, columns, 1))
    return emitError() << "tile_c4: a tile must be smaller than 2 GiB";
  return success();
}

Type TileType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  int64_t rows, columns;
  Type elementType;
  if (parser.parseLess() || parseMatrix(parser, rows, columns, elementType) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<TileType>(location, parser.getContext(), rows,
                                     columns, elementType);
}

void TileType::print(AsmPrinter &printer) const {
  printer << "<" << getRows() << "x" << getColumns() << "x" << getElementType()
          << ">";
}

int64_t TileType::getSizeInBytes() const {
  return getRows() * getColumns() *
         (getElementType().getIntOrFloatBitWidth() / 8);
}

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               TileType tile, int64_t stages) {
  if (stages < 1)
    return emitError() << "ring_c1: stages (" << stages
                       << ") must be at least 1";
  if (!isBelow2GiB(tile.getRows(), tile.getColumns(), stages))
    return emitError() << "ring_c2: a ring must be smaller than 2 GiB";
  return success();
}

Type RingType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  int64_t rows, columns, stages;
  Type elementType;
  if (parser.parseLess() || parseMatrix(parser, rows, columns, elementType) ||
      parseLastParameter(parser, "stages", stages))
    return {};
  auto tile = parser.getChecked<TileType>(location, parser.getContext(), rows,
                                          columns, elementType);
  if (!tile)
    return {};
  return parser.getChecked<RingType>(location, parser.getContext(), tile,
                                     stages);
}

void RingType::print(AsmPrinter &printer) const {
  TileType tile = getTile();
  printer << "<" << tile.getRows() << "x" << tile.getColumns() << "x"
          << tile.getElementType() << ", stages = " << getStages() << ">";
}

int64_t RingType::getSizeInBytes() const {
  return getStages() * getTile().getSizeInBytes();
}

//===----------------------------------------------------------------------===//
// !pbsgpu.tensor_map
//===----------------------------------------------------------------------===//

LogicalResult
TensorMapType::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t rows, int64_t columns, Type elementType,
                      int64_t dimensions) {
  if (!isHalf(elementType))
    return emitError()
           << "tensor_map_type_c1: elements must be bf16 or f16, not "
           << elementType;
  if (rows < 1 || rows > maxBoxRows)
    return emitError() << "tensor_map_type_c2: rows (" << rows
                       << ") must be 1 to " << maxBoxRows;
  if (columns < 1 || columns % panelColumns)
    return emitError() << "tensor_map_type_c3: columns (" << columns
                       << ") must be a positive multiple of " << panelColumns;
  if (dimensions < 2 || dimensions > 5)
    return emitError() << "tensor_map_type_c4: dimensions (" << dimensions
                       << ") must be 2 to 5";
  return success();
}

Type TensorMapType::parse(AsmParser &parser) {
  SMLoc location = parser.getCurrentLocation();
  int64_t rows, columns, dimensions;
  Type elementType;
  if (parser.parseLess() || parseMatrix(parser, rows, columns, elementType) ||
      parseLastParameter(parser, "dimensions", dimensions))
    return {};
  return parser.getChecked<TensorMapType>(location, parser.getContext(), rows,
                                          columns, elementType, dimensions);
}

void TensorMapType::print(AsmPrinter &printer) const {
  printer << "<" << getRows() << "x" << getColumns() << "x" << getElementType()
          << ", dimensions = " << getDimensions() << ">";
}

//===----------------------------------------------------------------------===//
// !pbsgpu.pending
//===----------------------------------------------------------------------===//

Type PendingType::parse(AsmParser &parser) {
  auto fragment = dyn_cast_or_null<FragmentType>(FragmentType::parse(parser));
  return fragment ? PendingType::get(parser.getContext(), fragment) : Type();
}

void PendingType::print(AsmPrinter &printer) const {
  getFragment().print(printer);
}

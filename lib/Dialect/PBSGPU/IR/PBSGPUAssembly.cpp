// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the dialect is printed: aliases of types, names of values, and the syntax
// of the kernel.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace pbsgpu;

//===----------------------------------------------------------------------===//
// Aliases
//===----------------------------------------------------------------------===//

/// Prints extents and element type like `nx32xnx128xbf16`.
static void printShape(raw_ostream &os, ArrayRef<int64_t> shape, Type element) {
  for (int64_t extent : shape) {
    if (ShapedType::isDynamic(extent))
      os << "nx";
    else
      os << extent << "x";
  }
  os << element;
}

/// Whether it is passed with the strides of all dimensions but the last.
static bool hasAnyStrides(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  return !type.getMemorySpace() && type.getElementType().isIntOrFloat() &&
         !type.getLayout().isIdentity() &&
         succeeded(type.getStridesAndOffset(strides, offset)) && offset == 0 &&
         strides.back() == 1 &&
         llvm::all_of(ArrayRef(strides).drop_back(), ShapedType::isDynamic);
}

namespace {
/// Gives the types short names that say the same.
struct AssemblyInterface : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Type type, raw_ostream &os) const override {
    auto fragment = dyn_cast<FragmentType>(type);
    if (auto pending = dyn_cast<PendingType>(type)) {
      fragment = pending.getFragment();
      os << "pending_";
    }
    if (fragment) {
      bool isOperand = fragment.getLayout() == FragmentLayout::OperandA;
      os << (isOperand ? "operand_" : "accumulator_");
      printShape(os, {fragment.getRows(), fragment.getColumns()},
                 fragment.getElementType());
      os << "_" << fragment.getWarps() << "w";
      return AliasResult::FinalAlias;
    }
    if (auto tile = dyn_cast<TileType>(type)) {
      os << "tile_";
      printShape(os, {tile.getRows(), tile.getColumns()},
                 tile.getElementType());
      return AliasResult::FinalAlias;
    }
    if (auto ring = dyn_cast<RingType>(type)) {
      os << "ring_" << ring.getStages() << "x";
      printShape(os, {ring.getTile().getRows(), ring.getTile().getColumns()},
                 ring.getTile().getElementType());
      return AliasResult::FinalAlias;
    }
    if (auto map = dyn_cast<TensorMapType>(type)) {
      os << "map_" << map.getDimensions() << "d_";
      printShape(os, {map.getRows(), map.getColumns()}, map.getElementType());
      return AliasResult::FinalAlias;
    }
    if (auto memref = dyn_cast<MemRefType>(type);
        memref && hasAnyStrides(memref)) {
      os << "strided_";
      printShape(os, memref.getShape(), memref.getElementType());
      return AliasResult::FinalAlias;
    }
    return AliasResult::NoAlias;
  }
};
} // namespace

void PBSGPUDialect::registerInterfaces() { addInterfaces<AssemblyInterface>(); }

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name),
                             result.attributes))
    return failure();

  SMLoc location = parser.getCurrentLocation();
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<Type> resultTypes;
  SmallVector<DictionaryAttr> resultAttributes;
  bool isVariadic = false;
  if (function_interface_impl::parseFunctionSignatureWithArguments(
          parser, /*allowVariadic=*/false, arguments, isVariadic, resultTypes,
          resultAttributes))
    return failure();
  if (!resultTypes.empty())
    return parser.emitError(location, "a kernel has no results");

  IntegerAttr warps;
  Builder &builder = parser.getBuilder();
  if (parser.parseKeyword("warps") || parser.parseEqual() ||
      parser.parseAttribute(warps, builder.getI64Type(),
                            getWarpsAttrName(result.name), result.attributes))
    return failure();

  SmallVector<Type> argumentTypes;
  for (OpAsmParser::Argument &argument : arguments)
    argumentTypes.push_back(argument.type);
  result.addAttribute(
      getFunctionTypeAttrName(result.name),
      TypeAttr::get(builder.getFunctionType(argumentTypes, {})));
  call_interface_impl::addArgAndResultAttrs(
      builder, result, arguments, resultAttributes,
      getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));

  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  return parser.parseRegion(*result.addRegion(), arguments);
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << " ";
  printer.printSymbolName(getSymName());
  // Two parameters and more get lines of their own.
  bool isLong = getNumArguments() > 1;
  printer << "(";
  for (BlockArgument argument : getArguments()) {
    unsigned index = argument.getArgNumber();
    if (index)
      printer << ",";
    if (isLong) {
      printer.printNewline();
      printer << "    ";
    }
    DictionaryAttr attributes = getArgAttrDict(index);
    printer.printRegionArgument(argument, attributes
                                              ? attributes.getValue()
                                              : ArrayRef<NamedAttribute>());
  }
  printer << ") warps = " << getWarps();
  function_interface_impl::printFunctionAttributes(
      printer, *this,
      {getFunctionTypeAttrName(), getWarpsAttrName(), getArgAttrsAttrName(),
       getResAttrsAttrName()});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void KernelOp::getAsmBlockArgumentNames(Region &region,
                                        OpAsmSetValueNameFn setNameFn) {
  ArrayAttr attributes = getArgAttrsAttr();
  if (!attributes || region.empty() ||
      region.getNumArguments() != attributes.size())
    return;
  for (auto [argument, attribute] :
       llvm::zip_equal(region.getArguments(), attributes))
    if (auto name =
            cast<DictionaryAttr>(attribute).getAs<StringAttr>("pbs.name"))
      setNameFn(argument, name);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

void AllocTileOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "tile");
}

void AllocRingOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "ring");
}

void AllocItemsOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "items");
}

void ReceiveOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getFirst(), "received");
}

void OpaqueOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  auto parameter = dyn_cast<BlockArgument>(getSource());
  auto kernel = getOperation()->getParentOfType<KernelOp>();
  if (!parameter || !kernel ||
      parameter.getOwner() != &kernel.getBody().front())
    return setNameFn(getResult(), "opaque");
  auto name =
      kernel.getArgAttrOfType<StringAttr>(parameter.getArgNumber(), "pbs.name");
  setNameFn(getResult(), name ? name.getValue() : StringRef("opaque"));
}

void AcquireOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "empty");
}

void AwaitOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "full");
}

void SplatOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "splat");
}

void MmaOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "product");
}

void StartMmaOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "begun");
}

void AwaitMmaOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "product");
}

void MapOp::getAsmBlockArgumentNames(Region &region,
                                     OpAsmSetValueNameFn setNameFn) {
  size_t count = getInputs().size();
  if (region.empty() || region.getNumArguments() != count + 2)
    return;
  for (Value element : region.getArguments().take_front(count))
    setNameFn(element, "element");
  setNameFn(region.getArgument(count), "row");
  setNameFn(region.getArgument(count + 1), "column");
}

void MapOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "mapped");
}

void RowReduceOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(),
            getKind() == Reduction::Max ? "row_maximum" : "row_sum");
}

void RowBroadcastOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "broadcast");
}

void ToOperandOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "operand");
}

void MultiprocessorsOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), "multiprocessors");
}

void KeyLoopOp::getAsmBlockArgumentNames(Region &region,
                                         OpAsmSetValueNameFn setNameFn) {
  static constexpr StringLiteral names[] = {"key", "visit", "masked"};
  if (&region == &getAtNearEnd())
    return;
  unsigned count = &region != &getLoad() && getWalk() == Walk::Test ? 3 : 2;
  if (region.empty() || region.getNumArguments() < count)
    return;
  for (auto [argument, name] :
       llvm::zip(region.getArguments().take_front(count), names))
    setNameFn(argument, name);
  for (BlockArgument argument : region.getArguments().drop_front(count))
    setNameFn(argument, "carried");
}

void KeyLoopOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  if (!getCarriedResults().empty())
    setNameFn(getCarriedResults().front(), "carried");
  setNameFn(getNext(), "next");
}

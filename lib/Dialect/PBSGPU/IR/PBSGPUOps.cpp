// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a CTA does: verifiers. All operations are defined here. The constraints
// that the diagnostics cite are those of docs/spec-pbsgpu.md.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "Rings.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace pbsgpu;

/// Parses `load {...} bodies {...}, {...}`. An operation before the loop may
/// have used a name that one of the regions then defined. MLIR's parser drops
/// such uses when an operation fails, but not from regions that its generated
/// code still holds, and destroying those would leave dangling uses behind.
static ParseResult
parseKeyLoopRegions(OpAsmParser &parser, Region &load, IntegerAttr &nearEnd,
                    Region &atNearEnd,
                    SmallVectorImpl<std::unique_ptr<Region>> &bodies) {
  auto parse = [&]() -> ParseResult {
    if (parser.parseKeyword("load") || parser.parseRegion(load))
      return failure();
    if (succeeded(parser.parseOptionalKeyword("near_end")) &&
        (parser.parseEqual() ||
         parser.parseAttribute(nearEnd, parser.getBuilder().getI64Type()) ||
         parser.parseRegion(atNearEnd)))
      return failure();
    if (parser.parseKeyword("bodies"))
      return failure();
    auto region = std::make_unique<Region>();
    OptionalParseResult first = parser.parseOptionalRegion(*region);
    if (!first.has_value())
      return success();
    if (failed(*first))
      return failure();
    bodies.push_back(std::move(region));
    while (succeeded(parser.parseOptionalComma())) {
      bodies.push_back(std::make_unique<Region>());
      if (parser.parseRegion(*bodies.back()))
        return failure();
    }
    return success();
  };
  if (succeeded(parse()))
    return success();
  auto dropUses = [](Region &region) {
    for (Block &block : region)
      block.dropAllDefinedValueUses();
  };
  dropUses(load);
  dropUses(atNearEnd);
  for (const std::unique_ptr<Region> &body : bodies)
    dropUses(*body);
  return failure();
}

static void printKeyLoopRegions(OpAsmPrinter &printer, Operation *,
                                Region &load, IntegerAttr nearEnd,
                                Region &atNearEnd, RegionRange bodies) {
  printer << "load ";
  printer.printRegion(load);
  if (nearEnd) {
    printer << " near_end = " << nearEnd.getInt() << " ";
    printer.printRegion(atNearEnd);
  }
  printer << " bodies ";
  llvm::interleaveComma(bodies, printer,
                        [&](Region *body) { printer.printRegion(*body); });
}

/// Parses `arguments(%a, %b : type, type)` or `arguments()`.
static ParseResult
parseLaunchArguments(OpAsmParser &parser,
                     SmallVectorImpl<OpAsmParser::UnresolvedOperand> &arguments,
                     SmallVectorImpl<Type> &types) {
  if (parser.parseKeyword("arguments") || parser.parseLParen() ||
      parser.parseOperandList(arguments))
    return failure();
  if (!arguments.empty() && parser.parseColonTypeList(types))
    return failure();
  return parser.parseRParen();
}

/// A kernel has many parameters: they get lines of their own.
static void printLaunchArguments(OpAsmPrinter &printer, Operation *,
                                 OperandRange arguments, TypeRange types) {
  constexpr size_t argumentsOfLine = 8, typesOfLine = 4;
  if (arguments.empty()) {
    printer << " arguments()";
    return;
  }
  auto print = [&](auto values, size_t valuesOfLine) {
    for (auto [index, value] : llvm::enumerate(values)) {
      if (index)
        printer << ",";
      if (index && index % valuesOfLine == 0) {
        printer.printNewline();
        printer << "     ";
      }
      if (index)
        printer << " ";
      printer << value;
    }
  };
  printer.printNewline();
  printer << "    arguments(";
  print(arguments, argumentsOfLine);
  printer << " :";
  if (types.size() < typesOfLine) {
    printer << " ";
  } else {
    printer.printNewline();
    printer << "      ";
  }
  print(types, typesOfLine);
  printer << ")";
}

using pbsgpu::parseRoles;
using pbsgpu::printRoles;

#define GET_OP_CLASSES
#include "pbs/Dialect/PBSGPU/IR/PBSGPUOps.cpp.inc"

//===----------------------------------------------------------------------===//
// What several verifiers need
//===----------------------------------------------------------------------===//

static bool isAccumulator(FragmentType type) {
  return type.getLayout() == FragmentLayout::Accumulator;
}

/// Requires that the rows of `type` lie next to each other in memory.
static LogicalResult verifyContiguousRows(Operation *op, StringRef constraint,
                                          StringRef what, MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.empty() ||
      strides.back() != 1)
    return op->emitOpError(constraint)
           << ": " << what << " " << type
           << " must have a last dimension of stride 1";
  return success();
}

static LogicalResult verifyIndexCount(Operation *op, StringRef constraint,
                                      StringRef what, MemRefType type,
                                      size_t indices, int64_t expected) {
  if (static_cast<int64_t>(indices) == expected)
    return success();
  return op->emitOpError(constraint)
         << ": has " << indices << " indices into " << what << " " << type
         << ", but needs " << expected;
}

namespace {
/// The constraints of a region: what it takes, how it ends, what it yields.
struct RegionConstraints {
  StringRef takes, ends, yields;
};
} // namespace

/// Requires that `block` takes `types` and ends with a pbsgpu.yield of
/// `yielded`.
static LogicalResult verifyRegion(Operation *op,
                                  const RegionConstraints &constraints,
                                  StringRef what, Block &block, TypeRange types,
                                  TypeRange yielded) {
  if (block.getArgumentTypes() != types)
    return op->emitOpError(constraints.takes)
           << ": " << what << " must take (" << types << "), but takes ("
           << block.getArgumentTypes() << ")";
  auto yield = dyn_cast<YieldOp>(block.back());
  if (!yield)
    return op->emitOpError(constraints.ends)
           << ": " << what << " must end with pbsgpu.yield";
  if (yield.getValues().getTypes() != yielded)
    return yield.emitOpError(constraints.yields)
           << ": must yield (" << yielded << "), but yields ("
           << yield.getValues().getTypes() << ")";
  return success();
}

//===----------------------------------------------------------------------===//
// Kernel
//===----------------------------------------------------------------------===//

LogicalResult KernelOp::verify() {
  int64_t warps = static_cast<int64_t>(getWarps());
  if (warps < 1 || warps > maxWarps)
    return emitOpError("kernel_c1: warps (")
           << warps << ") must be 1 to " << maxWarps;
  if (!getResultTypes().empty())
    return emitOpError("kernel_c2: must not have results");
  for (auto [index, type] : llvm::enumerate(getArgumentTypes())) {
    auto memref = dyn_cast<MemRefType>(type);
    bool isGlobal = memref && memref.isStrided() && !memref.getMemorySpace() &&
                    memref.getElementType().isIntOrFloat();
    if (!isGlobal && !isa<TensorMapType>(type) && !type.isIndex() &&
        !type.isSignlessInteger(32) && !type.isSignlessInteger(64) &&
        !type.isF32())
      return emitOpError("kernel_c3: parameter ")
             << index << " is " << type
             << ", but must be a strided memref in the default memory space, a "
                "tensor map, index, i32, i64 or f32";
  }
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  auto verifyFragment = [&](Value value, Operation *op,
                            int64_t warps) -> LogicalResult {
    auto type = dyn_cast<FragmentType>(value.getType());
    if (auto pending = dyn_cast<PendingType>(value.getType()))
      type = pending.getFragment();
    if (!type || type.getWarps() == warps)
      return success();
    return op->emitError("kernel_c5: ")
           << type << " belongs to " << type.getWarps()
           << " warps, but stands where " << warps << " run";
  };
  WalkResult walk = getBody().walk([&](Operation *op) {
    int64_t warps = RolesOp::countWarps(op);
    for (Value result : op->getResults())
      if (failed(verifyFragment(result, op, warps)))
        return WalkResult::interrupt();
    if (isa<RolesOp>(op))
      return WalkResult::advance();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Value argument : block.getArguments())
          if (failed(verifyFragment(argument, op, warps)))
            return WalkResult::interrupt();
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  return verifyRingUses(*this);
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Requires a whole tile of the tensor and a ring that is told of the copy.
static LogicalResult verifyTensorMapCopy(CopyTileOp op, TensorMapType map) {
  TileType tile = op.getTile().getType();
  if (map.getRows() != tile.getRows() ||
      map.getColumns() != tile.getColumns() ||
      map.getElementType() != tile.getElementType())
    return op.emitOpError("copy_tile_c8: copies tiles of ")
           << map << ", but " << tile << " is another";
  if (static_cast<int64_t>(op.getIndices().size()) != map.getDimensions() - 1)
    return op.emitOpError("copy_tile_c9: has ")
           << op.getIndices().size() << " indices into " << map
           << ", but needs " << map.getDimensions() - 1;
  if (op.getPermutation())
    return op.emitOpError("copy_tile_c10: a tensor map does not gather rows");
  auto acquire = op.getTile().getDefiningOp<AcquireOp>();
  auto ring =
      acquire ? acquire.getRing().getDefiningOp<AllocRingOp>() : AllocRingOp();
  if (!ring || !ring.hasSignals())
    return op.emitOpError("copy_tile_c11: a tensor map fills tiles acquired "
                          "from a ring with signals only");
  return success();
}

LogicalResult CopyTileOp::verify() {
  if (getTile().getDefiningOp<AwaitOp>())
    return emitOpError("copy_tile_c13: the tile is awaited for reading; "
                       "pbsgpu.acquire gives one to fill");
  if (auto map = dyn_cast<TensorMapType>(getSource().getType()))
    return verifyTensorMapCopy(*this, map);
  auto source = cast<MemRefType>(getSource().getType());
  TileType tile = getTile().getType();
  if (source.getRank() < 2)
    return emitOpError("copy_tile_c1: source ")
           << source << " must have at least 2 dimensions";
  if (source.getElementType() != tile.getElementType() ||
      source.getShape().back() != tile.getColumns())
    return emitOpError("copy_tile_c2: rows of source ")
           << source
           << " are not as wide as, or of another type than, those of " << tile;
  if (failed(verifyContiguousRows(*this, "copy_tile_c3", "source", source)) ||
      failed(verifyIndexCount(*this, "copy_tile_c4", "source", source,
                              getIndices().size(), source.getRank() - 1)))
    return failure();
  if (!getPermutation()) {
    if (!getPermutationIndices().empty())
      return emitOpError(
          "copy_tile_c5: has indices into a permutation, but no permutation");
    return success();
  }
  MemRefType permutation = getPermutation().getType();
  if (!permutation.getElementType().isSignlessInteger(32) ||
      permutation.getRank() < 1)
    return emitOpError("copy_tile_c6: permutation ")
           << permutation << " must hold rows of i32";
  if (failed(verifyContiguousRows(*this, "copy_tile_c7", "permutation",
                                  permutation)))
    return failure();
  return verifyIndexCount(*this, "copy_tile_c12", "permutation", permutation,
                          getPermutationIndices().size(),
                          permutation.getRank() - 1);
}

LogicalResult AwaitCopiesOp::verify() {
  if (static_cast<int64_t>(getPending()) < 0)
    return emitOpError("await_copies_c1: pending must not be negative");
  return success();
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

LogicalResult SplatOp::verify() {
  if (getValue().getType() != getType().getElementType())
    return emitOpError("splat_c1: value is ")
           << getValue().getType() << ", but the fragment's elements are "
           << getType().getElementType();
  return success();
}

/// Products read the operands that are tiles.
template <typename OpTy>
static void
addReads(OpTy op,
         SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
             &effects) {
  for (OpOperand *operand : {&op.getAMutable(), &op.getBMutable()})
    if (isa<TileType>(operand->get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), operand,
                           SharedMemory::get());
}

void MmaOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  addReads(*this, effects);
}

/// Each product fills registers of its own, so that no two are the same.
void StartMmaOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  addReads(*this, effects);
  effects.emplace_back(MemoryEffects::Allocate::get(),
                       cast<OpResult>(getResult()));
}

/// Requires that `result` + A B is a product of matrices.
template <typename OpTy>
static LogicalResult verifyProduct(OpTy op, FragmentType result) {
  TileType b = op.getB().getType();
  int64_t rows, depth;
  Type elementType;
  if (auto a = dyn_cast<TileType>(op.getA().getType())) {
    rows = a.getRows();
    depth = a.getColumns();
    elementType = a.getElementType();
  } else {
    auto fragment = cast<FragmentType>(op.getA().getType());
    if (isAccumulator(fragment))
      return op.emitOpError(
                 "mma_c1: A must be a tile or an operand_a fragment, not ")
             << fragment;
    rows = fragment.getRows();
    depth = fragment.getColumns();
    elementType = fragment.getElementType();
  }
  if (b.getElementType() != elementType)
    return op.emitOpError("mma_c2: A's elements are ")
           << elementType << ", but B's are " << b.getElementType();
  if (!isAccumulator(result) || result.getColumns() <= lanesOfRow)
    return op.emitOpError("mma_c3: the accumulator must be an accumulator "
                          "fragment of more than four columns, not ")
           << result;
  int64_t bDepth = op.getTransposed() ? b.getColumns() : b.getRows();
  int64_t columns = op.getTransposed() ? b.getRows() : b.getColumns();
  if (rows != result.getRows() || columns != result.getColumns() ||
      depth != bDepth)
    return op.emitOpError("mma_c4: A is ")
           << rows << "x" << depth << ", B is " << bDepth << "x" << columns
           << " and the accumulator " << result.getRows() << "x"
           << result.getColumns() << ": not a matrix product";
  return success();
}

LogicalResult MmaOp::verify() { return verifyProduct(*this, getType()); }

LogicalResult StartMmaOp::verify() {
  FragmentType fragment = getAccumulator().getType();
  if (failed(verifyProduct(*this, fragment)))
    return failure();
  if (getType().getFragment() != fragment)
    return emitOpError("start_mma_c1: gives ")
           << getType() << ", but the accumulator is " << fragment;
  if (fragment.getRows() != mmaRows * fragment.getWarps() ||
      fragment.getWarps() % warpsOfGroup != 0)
    return emitOpError("start_mma_c2: ")
           << fragment << " has not 16 rows for each warp of groups of four";
  auto [roles, role] = RolesOp::findRole((*this)->getParentRegion());
  if (roles && roles.getFirstWarp(role) % warpsOfGroup != 0)
    return emitOpError("start_mma_c3: stands in a role from warp ")
           << roles.getFirstWarp(role)
           << " on, whose warps are not groups of four";
  return success();
}

LogicalResult AwaitMmaOp::verify() {
  auto start = getProduct().getDefiningOp<StartMmaOp>();
  if (!start || start->getBlock() != (*this)->getBlock())
    return emitOpError("await_mma_c1: the product does not begin in the block, "
                       "with a pbsgpu.start_mma");
  if (!getProduct().hasOneUse())
    return emitOpError("await_mma_c2: the product is awaited twice");
  if (getProduct().getType().getFragment() != getType())
    return emitOpError("await_mma_c3: gives ")
           << getType() << ", but awaits " << getProduct().getType();
  if (static_cast<int64_t>(getPending()) < 0)
    return emitOpError("await_mma_c4: pending must not be negative");
  return success();
}

LogicalResult MapOp::verify() {
  FragmentType result = getType();
  for (Value input : getInputs()) {
    auto type = cast<FragmentType>(input.getType());
    if (type.getRows() != result.getRows() ||
        type.getColumns() != result.getColumns() ||
        type.getLayout() != result.getLayout())
      return emitOpError("map_c1: input ")
             << type << " does not have the result's form " << result;
  }
  if (getCondition() &&
      (getInputs().empty() || getInputs().front().getType() != result))
    return emitOpError(
               "map_c2: with a condition needs a first input of the result's "
               "type ")
           << result << " for where it is false";
  return success();
}

LogicalResult MapOp::verifyRegions() {
  SmallVector<Type> types;
  for (Value input : getInputs())
    types.push_back(cast<FragmentType>(input.getType()).getElementType());
  types.append(2, IntegerType::get(getContext(), 32));
  if (failed(verifyRegion(*this, {"map_c3", "map_c4", "map_c5"}, "region",
                          getBody().front(), types,
                          getType().getElementType())))
    return failure();
  for (Operation &op : getBody().front()) {
    auto effects = getEffectsRecursively(&op);
    if (!effects || llvm::any_of(*effects, [](const auto &effect) {
          return !isa<MemoryEffects::Read>(effect.getEffect());
        }))
      return op.emitOpError(
          "map_c6: cannot stand in a map: all it may do is compute and "
          "read memory");
  }
  return success();
}

LogicalResult RowReduceOp::verify() {
  FragmentType source = getSource().getType(), result = getType();
  bool isShorter = result.getColumns() <= lanesOfRow &&
                   result.getColumns() < source.getColumns();
  if (!isAccumulator(source) || !isAccumulator(result) || !isShorter ||
      source.getRows() != result.getRows())
    return emitOpError(
               "row_reduce_c1: reduces accumulator rows to one column, or to "
               "four where there are more, not ")
           << source << " to " << result;
  return success();
}

LogicalResult RowBroadcastOp::verify() {
  FragmentType source = getSource().getType(), result = getType();
  if (!isAccumulator(source) || !isAccumulator(result) ||
      source.getColumns() != 1 || source.getRows() != result.getRows())
    return emitOpError("row_broadcast_c1: spreads one accumulator column over "
                       "rows, not ")
           << source << " over " << result;
  return success();
}

LogicalResult ToOperandOp::verify() {
  FragmentType source = getSource().getType(), result = getType();
  if (!isAccumulator(source) || isAccumulator(result) ||
      source.getRows() != result.getRows() ||
      source.getColumns() != result.getColumns())
    return emitOpError("to_operand_c1: makes an operand_a fragment of an "
                       "accumulator of the "
                       "same shape, not ")
           << source << " of " << result;
  return success();
}

LogicalResult StoreFragmentOp::verify() {
  FragmentType source = getSource().getType();
  MemRefType destination = getDestination().getType();
  if (!isAccumulator(source) || source.getColumns() == lanesOfRow)
    return emitOpError("store_fragment_c1: stores accumulators of other than "
                       "four columns, not ")
           << source;
  Type elementType = destination.getElementType();
  if (!elementType.isF32() && !elementType.isBF16() && !elementType.isF16())
    return emitOpError("store_fragment_c2: destination ")
           << destination << " must hold f32, bf16 or f16";
  if (getTile()) {
    TileType tile = getTile().getType();
    if (tile.getRows() != source.getRows() ||
        tile.getColumns() != source.getColumns() ||
        tile.getElementType() != elementType)
      return emitOpError("store_fragment_c7: goes through ")
             << tile << ", which is not of the shape of " << source
             << " and the elements of " << destination;
  }
  if (source.getColumns() == 1) {
    if (destination.getRank() < 1)
      return emitOpError(
          "store_fragment_c3: destination must have a dimension for the rows");
    return verifyIndexCount(*this, "store_fragment_c4", "destination",
                            destination, getIndices().size(),
                            destination.getRank());
  }
  if (destination.getRank() < 2 ||
      destination.getShape().back() != source.getColumns())
    return emitOpError("store_fragment_c5: rows of destination ")
           << destination << " are not as wide as those of " << source;
  if (failed(verifyContiguousRows(*this, "store_fragment_c6", "destination",
                                  destination)))
    return failure();
  return verifyIndexCount(*this, "store_fragment_c4", "destination",
                          destination, getIndices().size(),
                          destination.getRank() - 1);
}

//===----------------------------------------------------------------------===//
// Key loop
//===----------------------------------------------------------------------===//

LogicalResult KeyLoopOp::verify() {
  MemRefType counts = getCounts().getType(), indices = getIndices().getType();
  if (!counts.getElementType().isSignlessInteger(32) || counts.getRank() != 4 ||
      counts.getDimSize(3) != 2)
    return emitOpError("key_loop_c1: counts ")
           << counts << " must be i32, batch x head x query block x 2";
  if (!indices.getElementType().isSignlessInteger(16) || indices.getRank() != 4)
    return emitOpError("key_loop_c2: indices ")
           << indices << " must be i16, batch x head x query block x capacity";
  int64_t keyBlock = static_cast<int64_t>(getKeyBlock());
  int64_t keyTile = static_cast<int64_t>(getKeyTile());
  int64_t ahead = static_cast<int64_t>(getAhead());
  if (keyBlock < 1 || keyTile < 1 || keyBlock % keyTile)
    return emitOpError("key_loop_c3: key_block (")
           << keyBlock << ") must be a positive multiple of key_tile ("
           << keyTile << ")";
  if (ahead < 0)
    return emitOpError("key_loop_c4: ahead (")
           << ahead << ") must not be negative";
  if (getWalk() == Walk::Test && ahead != 0)
    return emitOpError(
               "key_loop_c5: with walk = test must have ahead = 0, not ")
           << ahead;
  size_t bodies = getBodies().size();
  if (bodies != 1 && (bodies != 2 || !walksList()))
    return emitOpError("key_loop_c6: with walk = ")
           << stringifyWalk(getWalk()) << " has " << bodies
           << " bodies, but needs " << (walksList() ? "one or two" : "one");
  if (getLoad().empty() != (ahead == 0))
    return emitOpError(
        "key_loop_c7: must have a load region exactly if ahead is above 0");
  if (!getLoad().empty() && !getLoad().hasOneBlock())
    return emitOpError("key_loop_c8: load region must have one block");
  size_t lengths = getLengths().size();
  if (lengths != 0 && (lengths < 2 || lengths > 3 || !walksList()))
    return emitOpError("key_loop_c21: has ")
           << lengths << " lengths, but needs two or three, and to walk a list";
  if (getNearEnd().has_value() == getAtNearEnd().empty() ||
      (getNearEnd() && (static_cast<int64_t>(*getNearEnd()) < 1 ||
                        !getAtNearEnd().hasOneBlock())))
    return emitOpError("key_loop_c22: must have a region of one block for "
                       "near_end exactly if it has the number, which must be "
                       "at least 1");
  if (getNearEnd() && (getBodies().size() != 1 || ahead != 0 || getDeferred()))
    return emitOpError("key_loop_c23: with near_end must have one body, copy "
                       "nothing ahead and defer nothing");
  if (getInitial().getTypes() != getCarriedResults().getTypes())
    return emitOpError("key_loop_c12: carries (")
           << getInitial().getTypes() << "), but its results are ("
           << getCarriedResults().getTypes() << ")";
  return success();
}

LogicalResult KeyLoopOp::verifyRegions() {
  Type index = IndexType::get(getContext());
  if (!getLoad().empty() &&
      failed(
          verifyRegion(*this, {"key_loop_c13", "key_loop_c15", "key_loop_c16"},
                       "load region", getLoad().front(), {index, index}, {})))
    return failure();
  if (!getLoad().empty() && failed(verifyLoadedRings(*this)))
    return failure();
  if (getNearEnd() &&
      failed(verifyRegion(*this,
                          {"key_loop_c24", "key_loop_c15", "key_loop_c16"},
                          "near_end region", getAtNearEnd().front(), {}, {})))
    return failure();
  SmallVector<Type> types = {index, index};
  if (getWalk() == Walk::Test)
    types.push_back(IntegerType::get(getContext(), 1));
  llvm::append_range(types, getInitial().getTypes());
  for (Region &body : getBodies())
    if (failed(verifyRegion(
            *this, {"key_loop_c14", "key_loop_c15", "key_loop_c16"}, "body",
            body.front(), types, getInitial().getTypes())))
      return failure();
  return verifyDeferral(*this);
}

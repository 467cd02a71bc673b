// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Entry.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Matchers.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

using namespace mlir;
using namespace pbs;

/// Bytes that the address of a matrix of queries, keys or values is a multiple
/// of: those of one copy into shared memory.
static constexpr int64_t rowAlignment = 16;
/// The same of a buffer, which the launcher allocates.
static constexpr int64_t bufferAlignment = 256;

static bool isHalf(Type type) { return type.isBF16() || type.isF16(); }

static bool isPlanElement(Type type) {
  return isHalf(type) || type.isF32() || type.isSignlessInteger(32) ||
         type.isSignlessInteger(16) || type.isSignlessInteger(1);
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

DictionaryAttr pbs::getPermutationContents(PermutationType type) {
  Builder builder(type.getContext());
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("kind", builder.getStringAttr("permutation")),
       builder.getNamedAttr("segment",
                            builder.getI64IntegerAttr(type.getSegment()))});
}

std::string Entry::chooseName(StringAttr given, std::string name) {
  if (given)
    return given.getValue().str();
  while (!names.insert(name).second)
    name += "_";
  return name;
}

Memory &Entry::add(Memory::Kind kind, std::string name, Location loc,
                   ArrayRef<int64_t> shape, Type elementType) {
  all.push_back(std::make_unique<Memory>(
      Memory{kind, std::move(name), loc, {}, elementType, false, {}, {}}));
  for (int64_t size : shape)
    all.back()->extents.push_back(sizes.add(size));
  return *all.back();
}

LogicalResult Entry::addArgument(unsigned index, bool hasOneSelection) {
  BlockArgument argument = function.getArgument(index);
  auto given = function.getArgAttrOfType<StringAttr>(
      index, PBSDialect::getNameAttrName());
  auto addInput = [&](std::string name, ArrayRef<int64_t> shape, Type element) {
    Memory &memory = add(Memory::Kind::Input, std::move(name),
                         argument.getLoc(), shape, element);
    memories[argument].push_back(&memory);
    return &memory;
  };

  constexpr int64_t dynamic = ShapedType::kDynamic;
  Type type = argument.getType();
  if (isa<SelectionType>(type)) {
    std::string prefix;
    if (!hasOneSelection)
      prefix = given ? given.getValue().str() : "arg" + std::to_string(index);
    if (!prefix.empty())
      prefix += "_";
    MLIRContext *context = type.getContext();
    addInput(chooseName({}, prefix + "counts"), {dynamic, dynamic, dynamic, 2},
             IntegerType::get(context, 32));
    addInput(chooseName({}, prefix + "indices"),
             {dynamic, dynamic, dynamic, dynamic},
             IntegerType::get(context, 16));
    return success();
  }
  std::string name = chooseName(given, "arg" + std::to_string(index));
  if (auto permutation = dyn_cast<PermutationType>(type)) {
    Memory *memory = addInput(name, {dynamic, permutation.getHeads(), dynamic},
                              IntegerType::get(type.getContext(), 32));
    memory->contents = getPermutationContents(permutation);
    return success();
  }
  if (auto permuted = dyn_cast<PermutedType>(type))
    type = permuted.getTensor();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !isPlanElement(tensor.getElementType()) ||
      llvm::is_contained(tensor.getShape(), 0))
    return emitError(argument.getLoc())
           << "argument " << index << " of entry @" << function.getSymName()
           << " is " << argument.getType()
           << ", which no launch plan can take: a plan takes permutations, "
              "selections and tensors of bf16, f16, f32, i32, i16 or i1 "
              "without extents of 0";
  Memory *memory = addInput(name, tensor.getShape(), tensor.getElementType());
  memory->hasAnyStrides =
      isHalf(tensor.getElementType()) && tensor.getRank() > 0;
  return success();
}

LogicalResult Entry::addArguments() {
  // Names that the program gives go before those that are made up here.
  StringRef key = PBSDialect::getNameAttrName();
  for (unsigned index = 0; index < function.getNumArguments(); ++index)
    if (auto name = function.getArgAttrOfType<StringAttr>(index, key))
      names.insert(name.getValue());
  for (unsigned index = 0; index < function.getNumResults(); ++index)
    if (auto name = function.getResultAttrOfType<StringAttr>(index, key))
      names.insert(name.getValue());
  unsigned selections = 0;
  for (BlockArgument argument : function.getArguments())
    selections += isa<SelectionType>(argument.getType());
  for (unsigned index = 0; index < function.getNumArguments(); ++index)
    if (failed(addArgument(index, selections == 1)))
      return failure();
  return success();
}

Memory &Entry::addResult(Value result, StringRef name,
                         ArrayRef<Extent> extents) {
  auto tensor = cast<RankedTensorType>(result.getType());
  Memory &memory =
      addBuffer(result.getLoc(), name, tensor.getElementType(), extents);
  memories[result] = {&memory};
  return memory;
}

Memory &Entry::addRows(TypedValue<PermutedType> result, StringRef name,
                       ArrayRef<Extent> extents) {
  Memory &memory =
      addBuffer(result.getLoc(), name,
                result.getType().getTensor().getElementType(), extents);
  memories[result] = {&memory};
  return memory;
}

Memory &Entry::addBuffer(Location loc, StringRef name, Type elementType,
                         ArrayRef<Extent> extents) {
  Memory &memory = add(Memory::Kind::Buffer, chooseName({}, name.str()), loc,
                       {}, elementType);
  memory.extents.assign(extents.begin(), extents.end());
  return memory;
}

Memory &Entry::addScratch(Operation *op, StringRef name, Type elementType,
                          ArrayRef<Extent> extents) {
  scratch[op].push_back(&addBuffer(op->getLoc(), name, elementType, extents));
  return *scratch[op].back();
}

Memory &Entry::addPermutation(TypedValue<PermutationType> result, Extent batch,
                              Extent keyLength) {
  Extent heads = sizes.add(result.getType().getHeads());
  Memory &memory = addBuffer(result.getLoc(), "permutation",
                             IntegerType::get(function.getContext(), 32),
                             {batch, heads, keyLength});
  memory.contents = getPermutationContents(result.getType());
  memories[result] = {&memory};
  return memory;
}

void Entry::addSelection(TypedValue<SelectionType> result, Extent batch,
                         int64_t heads, Extent queryBlocks, Extent capacity) {
  MLIRContext *context = function.getContext();
  Extent headsExtent = sizes.add(heads);
  Memory &counts =
      addBuffer(result.getLoc(), "counts", IntegerType::get(context, 32),
                {batch, headsExtent, queryBlocks, sizes.add(2)});
  Memory &indices =
      addBuffer(result.getLoc(), "indices", IntegerType::get(context, 16),
                {batch, headsExtent, queryBlocks, capacity});
  memories[result] = {&counts, &indices};
}

FailureOr<Extent> Entry::getExtent(Operation *op, Value length) {
  if (auto dim = length.getDefiningOp<tensor::DimOp>()) {
    std::optional<int64_t> index = dim.getConstantIndex();
    auto parts = memories.find(dim.getSource());
    if (index && *index >= 0 && parts != memories.end() &&
        *index < static_cast<int64_t>(parts->second.front()->extents.size()))
      return parts->second.front()->extents[*index];
  }
  APInt known;
  if (matchPattern(length, m_ConstantInt(&known)) && known.sgt(0))
    return sizes.add(known.getSExtValue());
  return op->emitOpError("needs lengths that are dimensions of tensors, or "
                         "constants above 0, to be launched from a plan");
}

/// Turns a buffer into an output of the entry.
LogicalResult Entry::addResult(OpOperand &operand, Memory &memory,
                               StringAttr given, std::string name) {
  Operation *terminator = operand.getOwner();
  if (memory.kind == Memory::Kind::Output)
    return terminator->emitError("result ")
           << operand.getOperandNumber() << " of entry @"
           << function.getSymName()
           << " is returned already: returning a value twice is not supported";
  names.erase(memory.name);
  memory.name = chooseName(given, std::move(name));
  memory.kind = Memory::Kind::Output;
  memory.hasAnyStrides = isHalf(memory.elementType);
  // The caller gets them in the order of the function's results.
  auto *position =
      llvm::find_if(all, [&](auto &entry) { return entry.get() == &memory; });
  std::rotate(position, position + 1, all.end());
  return success();
}

LogicalResult Entry::addResults() {
  Operation *terminator = function.getBody().front().getTerminator();
  for (OpOperand &operand : terminator->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    auto parts = memories.find(operand.get());
    if (parts == memories.end() ||
        parts->second.front()->kind == Memory::Kind::Input)
      return terminator->emitError("result ")
             << index << " of entry @" << function.getSymName()
             << " is not computed by a kernel: returning an argument is not "
                "supported";
    auto given = function.getResultAttrOfType<StringAttr>(
        index, PBSDialect::getNameAttrName());
    std::string name =
        given ? given.getValue().str() : "result" + std::to_string(index);
    if (parts->second.size() == 1) {
      if (failed(addResult(operand, *parts->second.front(), given, name)))
        return failure();
      continue;
    }
    // A selection is two outputs, which no name of the program can be.
    constexpr const char *suffixes[] = {"_counts", "_indices"};
    for (auto [memory, part] : llvm::zip_equal(parts->second, suffixes))
      if (failed(addResult(operand, *memory, StringAttr(), name + part)))
        return failure();
  }
  return success();
}

void Entry::alias(Value result, ValueRange sources) {
  SmallVector<Memory *, 2> parts;
  for (Value source : sources)
    llvm::append_range(parts, memories[source]);
  memories[result] = parts;
}

LogicalResult Entry::merge(scf::IfOp op, Value result, Value first,
                           Value second) {
  for (Value value : {first, second})
    if (!value.getDefiningOp() || !op->isProperAncestor(value.getDefiningOp()))
      return op.emitOpError("gives what its branch does not compute: this is "
                            "not supported in a launch plan");
  SmallVector<Memory *, 2> kept = memories[first], dropped = memories[second];
  if (kept.size() != dropped.size() || llvm::is_contained(kept, nullptr))
    return op.emitOpError("gives what no kernel computes");
  for (auto [keep, drop] : llvm::zip_equal(kept, dropped)) {
    if (keep->kind != Memory::Kind::Buffer ||
        drop->kind != Memory::Kind::Buffer)
      return op.emitOpError("gives an argument of the entry: this is not "
                            "supported in a launch plan");
    for (auto [a, b] : llvm::zip_equal(keep->extents, drop->extents))
      if (failed(join(op, a, b, "the sizes that both branches give")))
        return failure();
    if (keep->contents != drop->contents)
      keep->contents = {};
    for (auto &parts : memories)
      llvm::replace(parts.second, drop, keep);
    names.erase(drop->name);
    llvm::erase_if(
        all, [&, unused = drop](auto &entry) { return entry.get() == unused; });
  }
  memories[result] = kept;
  return success();
}

//===----------------------------------------------------------------------===//
// What must agree
//===----------------------------------------------------------------------===//

LogicalResult Entry::join(Operation *op, Extent a, Extent b,
                          const Twine &what) {
  int64_t aSize = sizes.getStatic(a), bSize = sizes.getStatic(b);
  if (succeeded(sizes.join(a, b)))
    return success();
  return op->emitError() << what << " (" << aSize << " and " << bSize
                         << ") must agree";
}

LogicalResult Entry::join(Operation *op, Memory &a, unsigned aDim, Memory &b,
                          unsigned bDim) {
  int64_t aSize = sizes.getStatic(a.extents[aDim]);
  int64_t bSize = sizes.getStatic(b.extents[bDim]);
  if (succeeded(sizes.join(a.extents[aDim], b.extents[bDim])))
    return success();
  return op->emitError("dimension ")
         << aDim << " of '" << a.name << "' (" << aSize << ") and dimension "
         << bDim << " of '" << b.name << "' (" << bSize << ") must agree";
}

LogicalResult Entry::setContents(Operation *op, Memory &memory,
                                 DictionaryAttr contents) {
  if (memory.contents && memory.contents != contents)
    return op->emitError("'")
           << memory.name << "' is used as " << contents << " here, but as "
           << memory.contents << " elsewhere: this is not supported";
  memory.contents = contents;
  return success();
}

LogicalResult Entry::require(OpBuilder &builder, Operation *op,
                             arith::CmpIPredicate predicate, Value left,
                             Value right, const Twine &message) {
  Value condition =
      builder.createOrFold<arith::CmpIOp>(op->getLoc(), predicate, left, right);
  APInt known;
  if (!matchPattern(condition, m_ConstantInt(&known))) {
    if (requirements.insert(message.str()).second)
      pbsgpu::RequireOp::create(builder, op->getLoc(), condition,
                                message.str());
    return success();
  }
  if (known.isZero())
    return op->emitError("cannot run: it needs that ") << message;
  return success();
}

//===----------------------------------------------------------------------===//
// The plan
//===----------------------------------------------------------------------===//

void Entry::nameSizes() {
  for (auto &memory : all)
    for (auto [dim, extent] : llvm::enumerate(memory->extents))
      sizes.suggestName(extent, memory->name + "_" + std::to_string(dim));
}

void Entry::emitSizes(OpBuilder &builder) {
  for (auto &memory : all)
    for (Extent extent : memory->extents)
      if (memory->kind == Memory::Kind::Input &&
          ShapedType::isDynamic(sizes.getStatic(extent)))
        sizes.materialize(builder, memory->loc, extent);
}

void Entry::emitMemories(OpBuilder &builder) {
  for (auto &memory : all) {
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamicShape;
    for (Extent extent : memory->extents) {
      shape.push_back(sizes.getStatic(extent));
      if (ShapedType::isDynamic(shape.back()))
        dynamicShape.push_back(sizes.materialize(builder, memory->loc, extent));
    }
    MemRefLayoutAttrInterface layout;
    int64_t alignment = std::max<int64_t>(
        memory->alignment,
        llvm::divideCeil(memory->elementType.getIntOrFloatBitWidth(), 8));
    if (memory->hasAnyStrides) {
      SmallVector<int64_t> strides(shape.size(), ShapedType::kDynamic);
      strides.back() = 1;
      layout =
          StridedLayoutAttr::get(builder.getContext(), /*offset=*/0, strides);
      alignment = rowAlignment;
    }
    auto type = MemRefType::get(shape, memory->elementType, layout);
    if (memory->kind == Memory::Kind::Buffer) {
      memory->value =
          pbsgpu::BufferOp::create(builder, memory->loc, type, memory->name,
                                   dynamicShape, shape, bufferAlignment);
      continue;
    }
    auto role = memory->kind == Memory::Kind::Input ? pbsgpu::Role::Input
                                                    : pbsgpu::Role::Output;
    memory->value = pbsgpu::ArgumentOp::create(
        builder, memory->loc, type, memory->name, role, dynamicShape, shape,
        alignment, memory->contents);
  }
}

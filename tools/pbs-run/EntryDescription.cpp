// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EntryDescription.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace pbs;
using runtime::ElementType;
using runtime::Expression;

namespace {
/// Builds the description of one function.
class Describer {
public:
  explicit Describer(func::FuncOp function) : function(function) {}
  FailureOr<runtime::Entry> describe();

private:
  std::string nameOf(BlockArgument argument);
  bool hasOneSelection();
  void nameLengths();
  std::vector<Expression> extents(BlockArgument argument,
                                  RankedTensorType type);
  void add(const Twine &name, ElementType type, std::vector<Expression> shape,
           runtime::Contents contents = {});

  LogicalResult describe(BlockArgument argument);
  LogicalResult describeTensor(BlockArgument argument, RankedTensorType type);
  void describePermutation(BlockArgument argument, PermutationType type);
  void describeSelection(BlockArgument argument, SelectionType type);

  func::FuncOp function;
  /// The function's one attention, null if there is another number of them.
  AttentionOp attention;
  /// The size that stands for the rows of an argument, where it is known.
  llvm::DenseMap<Value, std::string> lengths;
  runtime::Entry entry;
};
} // namespace

std::string Describer::nameOf(BlockArgument argument) {
  unsigned number = argument.getArgNumber();
  if (auto name = function.getArgAttrOfType<StringAttr>(
          number, PBSDialect::getNameAttrName()))
    return name.str();
  return "arg" + std::to_string(number);
}

bool Describer::hasOneSelection() {
  return llvm::count_if(function.getArgumentTypes(),
                        llvm::IsaPred<SelectionType>) == 1;
}

/// Finds the arguments whose rows are the queries or the keys of the attention.
void Describer::nameLengths() {
  auto attentions = function.getOps<AttentionOp>();
  if (llvm::hasSingleElement(attentions))
    attention = *attentions.begin();
  if (!attention)
    return;
  auto name = [&](Value value, StringRef size) {
    if (!value)
      return;
    // Permuting keeps the number of rows.
    if (auto permute = value.getDefiningOp<PermuteOp>())
      value = permute.getSource();
    if (isa<BlockArgument>(value))
      lengths.try_emplace(value, size);
  };
  name(attention.getQuery(), "Nq");
  name(attention.getKey(), "Nkv");
  name(attention.getValue(), "Nkv");
  name(attention.getPermutation(), "Nkv");
}

std::vector<Expression> Describer::extents(BlockArgument argument,
                                           RankedTensorType type) {
  std::vector<Expression> result(type.getRank());
  auto length = lengths.find(argument);
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim))
      result[dim] = type.getDimSize(dim);
    else if (length != lengths.end() && dim == 0)
      result[dim] = Expression("B");
    else if (length != lengths.end() && dim == 2)
      result[dim] = Expression(length->second);
    else
      result[dim] = Expression(nameOf(argument) + "." + std::to_string(dim));
  }
  return result;
}

void Describer::add(const Twine &name, ElementType type,
                    std::vector<Expression> shape, runtime::Contents contents) {
  runtime::Argument argument;
  argument.name = name.str();
  argument.type = type;
  argument.shape = std::move(shape);
  argument.contents = std::move(contents);
  for (const Expression &extent : argument.shape)
    if (extent.kind == Expression::Kind::Name &&
        !llvm::is_contained(entry.sizes, extent.name))
      entry.sizes.push_back(extent.name);
  entry.arguments.push_back(std::move(argument));
}

LogicalResult Describer::describeTensor(BlockArgument argument,
                                        RankedTensorType type) {
  Type element = type.getElementType();
  std::optional<ElementType> elementType =
      element.isBF16()        ? std::optional(ElementType::BF16)
      : element.isF16()       ? std::optional(ElementType::F16)
      : element.isF32()       ? std::optional(ElementType::F32)
      : element.isInteger(32) ? std::optional(ElementType::I32)
      : element.isInteger(16) ? std::optional(ElementType::U16)
      : element.isInteger(1)  ? std::optional(ElementType::Bool)
                              : std::nullopt;
  if (!elementType)
    return emitError(argument.getLoc())
           << "argument '" << nameOf(argument) << "' has elements of type "
           << element << ", which no file can hold";
  add(nameOf(argument), *elementType, extents(argument, type));
  return success();
}

void Describer::describePermutation(BlockArgument argument,
                                    PermutationType type) {
  auto tensor = RankedTensorType::get(
      {ShapedType::kDynamic, type.getHeads(), ShapedType::kDynamic},
      IntegerType::get(type.getContext(), 32));
  add(nameOf(argument), ElementType::I32, extents(argument, tensor),
      runtime::PermutationContents{type.getSegment()});
}

void Describer::describeSelection(BlockArgument argument, SelectionType type) {
  std::string name = nameOf(argument);
  std::string prefix = hasOneSelection() ? "" : name + "_";
  std::string counts = prefix + "counts", indices = prefix + "indices";
  bool isAttended = attention && attention.getSelection() == argument;

  std::vector<Expression> shape;
  for (StringRef extent : {".batch", ".heads", ".query_blocks"})
    shape.push_back(Expression(name + extent.str()));
  runtime::Contents countsContents;
  if (isAttended && isa<BlockArgument>(attention.getQuery())) {
    Expression blocks;
    blocks.kind = Expression::Kind::CeilDiv;
    blocks.operands = {Expression("Nq"), type.getQueryBlock()};
    shape = {
        Expression("B"),
        cast<RankedTensorType>(attention.getQuery().getType()).getDimSize(1),
        blocks};
    Value permutation = attention.getPermutation();
    // Only a permutation that is an argument too can be checked against.
    if (llvm::is_contained(llvm::make_second_range(lengths), "Nkv") &&
        (!permutation || isa<BlockArgument>(permutation))) {
      runtime::SelectionCountsContents contents;
      contents.indices = indices;
      contents.queryBlock = type.getQueryBlock();
      contents.keyBlock = type.getKeyBlock();
      contents.queryLength = Expression("Nq");
      contents.keyLength = Expression("Nkv");
      contents.causal = attention.getCausal();
      if (permutation)
        contents.permutation = nameOf(cast<BlockArgument>(permutation));
      countsContents = contents;
    }
  }
  std::vector<Expression> countsShape = shape, indicesShape = shape;
  countsShape.push_back(2);
  indicesShape.push_back(Expression(name + ".capacity"));
  add(counts, ElementType::I32, std::move(countsShape), countsContents);
  add(indices, ElementType::U16, std::move(indicesShape),
      runtime::SelectionIndicesContents{counts});
}

LogicalResult Describer::describe(BlockArgument argument) {
  return llvm::TypeSwitch<Type, LogicalResult>(argument.getType())
      .Case(
          [&](RankedTensorType type) { return describeTensor(argument, type); })
      .Case([&](PermutedType type) {
        return describeTensor(argument, type.getTensor());
      })
      .Case([&](PermutationType type) {
        describePermutation(argument, type);
        return success();
      })
      .Case([&](SelectionType type) {
        describeSelection(argument, type);
        return success();
      })
      .Default([&](Type type) {
        return emitError(argument.getLoc())
               << "argument '" << nameOf(argument) << "' has type " << type
               << ", which no file can hold";
      });
}

FailureOr<runtime::Entry> Describer::describe() {
  entry.name = function.getName().str();
  nameLengths();
  for (BlockArgument argument : function.getArguments())
    if (failed(describe(argument)))
      return failure();
  if (llvm::is_contained(entry.sizes, "Nq") &&
      llvm::is_contained(entry.sizes, "Nkv")) {
    Expression condition;
    condition.kind = Expression::Kind::Le;
    condition.operands = {Expression("Nq"), Expression("Nkv")};
    entry.requirements.push_back({condition, "Nq is at most Nkv"});
  }
  return entry;
}

FailureOr<runtime::Entry> pbs::describeEntry(func::FuncOp function) {
  if (function.isExternal())
    return function.emitOpError("has no body to run");
  return Describer(function).describe();
}

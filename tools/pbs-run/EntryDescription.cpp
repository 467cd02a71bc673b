// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "EntryDescription.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"
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
  void nameArguments();
  void nameLengths();
  std::vector<Expression> extents(BlockArgument argument,
                                  RankedTensorType type);
  void add(const Twine &name, ElementType type, std::vector<Expression> shape,
           runtime::Contents contents = {});
  bool isKnown(const Expression &size) const;

  StringRef nameOf(BlockArgument argument) {
    return names[argument.getArgNumber()].front();
  }

  LogicalResult describe(BlockArgument argument);
  LogicalResult describeTensor(BlockArgument argument, RankedTensorType type);
  void describePermutation(BlockArgument argument, PermutationType type);
  void describeSelection(BlockArgument argument, SelectionType type);

  func::FuncOp function;
  /// For each argument its name; for a selection also those of its two files.
  std::vector<SmallVector<std::string, 3>> names;
  /// The function's one attention, null if there is another number of them.
  AttentionOp attention;
  /// The sizes of the attention: names, or numbers where a type has them.
  Expression batch{"B"}, queryLength{"Nq"}, keyLength{"Nkv"};
  /// The arguments whose rows are the attention's queries or keys.
  llvm::SmallDenseSet<Value> queries, keys;
  runtime::Entry entry;
};
} // namespace

/// Chooses the names that the compiler's plans have: those that the program
/// gives, and made up ones that are none of them.
void Describer::nameArguments() {
  StringRef key = PBSDialect::getNameAttrName();
  llvm::StringSet<> taken;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto given = function.getArgAttrOfType<StringAttr>(i, key))
      taken.insert(given.getValue());
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto given = function.getResultAttrOfType<StringAttr>(i, key))
      taken.insert(given.getValue());
  auto choose = [&](std::string name) {
    while (!taken.insert(name).second)
      name += "_";
    return name;
  };

  bool hasOneSelection = llvm::count_if(function.getArgumentTypes(),
                                        llvm::IsaPred<SelectionType>) == 1;
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto given = function.getArgAttrOfType<StringAttr>(number, key);
    std::string name = given ? given.str() : "arg" + std::to_string(number);
    if (isa<SelectionType>(argument.getType())) {
      std::string prefix = hasOneSelection ? "" : name + "_";
      names.push_back(
          {name, choose(prefix + "counts"), choose(prefix + "indices")});
    } else {
      names.push_back({given ? name : choose(name)});
    }
  }
}

/// Finds the sizes of the attention, and the arguments that have them.
void Describer::nameLengths() {
  auto attentions = function.getOps<AttentionOp>();
  if (llvm::hasSingleElement(attentions))
    attention = *attentions.begin();
  if (!attention)
    return;
  // Permuting keeps the number of rows.
  auto sourceOf = [](Value value) {
    auto permute = value.getDefiningOp<PermuteOp>();
    return permute ? permute.getSource() : value;
  };
  Value query = sourceOf(attention.getQuery());
  Value key = sourceOf(attention.getKey());
  Value value = sourceOf(attention.getValue());
  bool attendsItself = query == key || query == value;
  auto note = [&](Value tensor, llvm::SmallDenseSet<Value> &arguments,
                  Expression &length) {
    if (isa<BlockArgument>(tensor))
      arguments.insert(tensor);
    auto type = dyn_cast<RankedTensorType>(tensor.getType());
    if (auto permuted = dyn_cast<PermutedType>(tensor.getType()))
      type = permuted.getTensor();
    if (!type)
      return;
    if (!type.isDynamicDim(0))
      batch = type.getDimSize(0);
    if (!type.isDynamicDim(2))
      length = type.getDimSize(2);
  };
  note(query, queries, queryLength);
  note(key, keys, attendsItself ? queryLength : keyLength);
  note(value, keys, attendsItself ? queryLength : keyLength);
  if (Value permutation = attention.getPermutation())
    note(permutation, keys, keyLength);
  if (attendsItself)
    keyLength = queryLength;
}

std::vector<Expression> Describer::extents(BlockArgument argument,
                                           RankedTensorType type) {
  std::vector<Expression> result(type.getRank());
  bool isQuery = queries.contains(argument), isKey = keys.contains(argument);
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim))
      result[dim] = type.getDimSize(dim);
    else if (dim == 0 && (isQuery || isKey))
      result[dim] = batch;
    else if (dim == 2 && isQuery)
      result[dim] = queryLength;
    else if (dim == 2 && isKey)
      result[dim] = keyLength;
    else
      result[dim] = Expression((nameOf(argument) + "." + Twine(dim)).str());
  }
  return result;
}

/// Whether a number or an argument says what \p size is.
bool Describer::isKnown(const Expression &size) const {
  return size.kind == Expression::Kind::Integer ||
         llvm::is_contained(entry.sizes, size.name);
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
  const auto &ownNames = names[argument.getArgNumber()];
  const std::string &name = ownNames[0];
  const std::string &counts = ownNames[1];
  const std::string &indices = ownNames[2];
  bool isAttended = attention && attention.getSelection() == argument;

  std::vector<Expression> shape;
  for (StringRef extent : {".batch", ".heads", ".query_blocks"})
    shape.push_back(Expression(name + extent.str()));
  runtime::Contents countsContents;
  if (isAttended && !queries.empty()) {
    Expression blocks;
    blocks.kind = Expression::Kind::CeilDiv;
    blocks.operands = {queryLength, type.getQueryBlock()};
    shape = {
        batch,
        cast<RankedTensorType>(attention.getQuery().getType()).getDimSize(1),
        blocks};
    Value permutation = attention.getPermutation();
    // Only a permutation that is an argument too can be checked against.
    if (!keys.empty() && (!permutation || isa<BlockArgument>(permutation))) {
      runtime::SelectionCountsContents contents;
      contents.indices = indices;
      contents.queryBlock = type.getQueryBlock();
      contents.keyBlock = type.getKeyBlock();
      contents.queryLength = queryLength;
      contents.keyLength = keyLength;
      contents.causal = attention.getCausal();
      contents.window = attention.getWindow();
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
  nameArguments();
  nameLengths();
  for (BlockArgument argument : function.getArguments())
    if (failed(describe(argument)))
      return failure();
  if (attention && isKnown(queryLength) && isKnown(keyLength)) {
    Expression condition;
    condition.kind = Expression::Kind::Le;
    condition.operands = {queryLength, keyLength};
    entry.requirements.push_back({condition, "Nq is at most Nkv"});
  }
  return entry;
}

FailureOr<runtime::Entry> pbs::describeEntry(func::FuncOp function) {
  if (function.isExternal())
    return function.emitOpError("has no body to run");
  return Describer(function).describe();
}

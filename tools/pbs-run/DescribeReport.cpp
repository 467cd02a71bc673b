// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DescribeReport.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace pbs;
using runtime::Array;

namespace {
class Describer {
public:
  Describer(func::FuncOp function, const std::vector<Array> &arguments,
            const std::vector<Array> &results,
            const NamedArrays &intermediates);
  Report describe();

private:
  void nameArrays(const NamedArrays &intermediates);
  const Array *find(Value value, unsigned number = 0) const {
    auto found = arrays.find(value);
    return value && found != arrays.end() && number < found->second.size()
               ? found->second[number]
               : nullptr;
  }

  std::optional<int64_t> sizeOf(Value tensor, int64_t dimension) const;
  std::optional<int64_t> valueOf(Value index) const;

  void addSelection(Value selection);
  void addShapes(ReportPart &part, AttentionOp attention);
  void addRule(ReportPart &part, Value selection);
  void addPermutation(ReportPart &part, Value permutation);
  void addLeftovers();

  func::FuncOp function;
  /// The arrays of the function's arguments and of what it returns; of a
  /// selection, the counts.
  llvm::DenseMap<Value, const Array *> argumentArrays, resultArrays;
  /// The intermediates of a value: one array, or counts and indices.
  llvm::DenseMap<Value, SmallVector<const Array *, 2>> arrays;
  /// What some part shows.
  llvm::DenseSet<Value> shown;
  Report report;
};
} // namespace

Describer::Describer(func::FuncOp function, const std::vector<Array> &arguments,
                     const std::vector<Array> &results,
                     const NamedArrays &intermediates)
    : function(function) {
  auto match = [](ValueRange values, const std::vector<Array> &arrays,
                  llvm::DenseMap<Value, const Array *> &arrayOf) {
    auto next = arrays.begin();
    for (Value value : values) {
      arrayOf[value] = &*next;
      next += isa<SelectionType>(value.getType()) ? 2 : 1;
    }
  };
  match(function.getArguments(), arguments, argumentArrays);
  match(function.getBody().front().getTerminator()->getOperands(), results,
        resultArrays);
  nameArrays(intermediates);
}

/// Finds the arrays of each value under the names that ReferenceRun gives them.
void Describer::nameArrays(const NamedArrays &intermediates) {
  llvm::StringMap<const Array *> named;
  for (const auto &[name, array] : intermediates)
    named[name] = &array;
  llvm::StringMap<unsigned> seen;
  auto take = [&](Value value, StringRef kind) {
    unsigned earlier = seen[kind]++;
    std::string name = kind.str();
    if (earlier)
      name += "." + std::to_string(earlier);
    if (const Array *array = named.lookup(name))
      arrays[value].push_back(array);
  };
  auto takeAll = [&](Value value) {
    if (isa<PermutationType>(value.getType())) {
      take(value, "permutation");
    } else if (isa<SelectionType>(value.getType())) {
      take(value, "counts");
      take(value, "indices");
    } else if (value.getDefiningOp<ImportanceOp>()) {
      take(value, "importance");
    } else if (value.getDefiningOp<BlockScoresOp>()) {
      take(value, "scores");
    }
  };
  for (Value argument : function.getArguments())
    takeAll(argument);
  for (Operation &op : function.getBody().front())
    llvm::for_each(op.getResults(), takeAll);
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// The extent of \p tensor, as far as types and arguments tell.
std::optional<int64_t> Describer::sizeOf(Value tensor,
                                         int64_t dimension) const {
  RankedTensorType type;
  if (auto permuted = dyn_cast<PermutedType>(tensor.getType()))
    type = permuted.getTensor();
  else
    type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || dimension < 0 || dimension >= type.getRank())
    return std::nullopt;
  if (!type.isDynamicDim(dimension))
    return type.getDimSize(dimension);
  if (const Array *array = argumentArrays.lookup(tensor))
    return array->shape()[dimension];
  if (auto permute = tensor.getDefiningOp<PermuteOp>())
    return sizeOf(permute.getSource(), dimension);
  if (auto attention = tensor.getDefiningOp<AttentionOp>())
    return sizeOf(attention.getQuery(), dimension);
  return std::nullopt;
}

std::optional<int64_t> Describer::valueOf(Value index) const {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  Operation *op = index.getDefiningOp();
  if (auto dim = dyn_cast_or_null<tensor::DimOp>(op)) {
    std::optional<int64_t> dimension = dim.getConstantIndex();
    return dimension ? sizeOf(dim.getSource(), *dimension) : std::nullopt;
  }
  if (!isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op))
    return std::nullopt;
  std::optional<int64_t> left = valueOf(op->getOperand(0));
  std::optional<int64_t> right = valueOf(op->getOperand(1));
  if (!left || !right)
    return std::nullopt;
  return isa<arith::AddIOp>(op) ? *left + *right : *left - *right;
}

static std::string toText(const std::optional<int64_t> &size) {
  return size ? std::to_string(*size) : "not known";
}

template <typename T> static std::string print(const T &printable) {
  std::string text;
  llvm::raw_string_ostream(text) << printable;
  return text;
}

/// \p number without zeros at its end.
static std::string print(double number) {
  return print(llvm::format("%.9g", number));
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// \p attention may be null.
void Describer::addShapes(ReportPart &part, AttentionOp attention) {
  const std::vector<int64_t> &shape = part.counts->shape();
  part.facts.emplace_back("batch", std::to_string(shape[0]));
  part.facts.emplace_back("query heads", std::to_string(shape[1]));
  if (attention) {
    // Permuted keys have the heads of their permutation.
    Value key = attention.getKey();
    if (auto permute = key.getDefiningOp<PermuteOp>())
      key = permute.getSource();
    part.facts.emplace_back("key heads",
                            toText(getTensorType(key).getDimSize(1)));
    part.queryLength = sizeOf(attention.getQuery(), 2);
    part.keyLength = sizeOf(attention.getKey(), 2);
  }
  part.facts.emplace_back("queries", toText(part.queryLength));
  part.facts.emplace_back("keys", toText(part.keyLength));
  if (!attention)
    return;
  RankedTensorType query = attention.getQuery().getType();
  part.facts.emplace_back("head dimension", toText(query.getDimSize(3)));
  part.facts.emplace_back("element type", print(query.getElementType()));
  part.facts.emplace_back("scale",
                          print(attention.getScale().convertToDouble()));
}

/// How blocks were chosen.
void Describer::addRule(ReportPart &part, Value selection) {
  std::string text;
  std::optional<int64_t> capacity;
  Operation *op = selection.getDefiningOp();
  if (auto select = dyn_cast_or_null<SelectOp>(op)) {
    text =
        llvm::TypeSwitch<Attribute, std::string>(select.getRule())
            .Case([](AllAttr) { return "all candidates"; })
            .Case([](TopKAttr rule) {
              return "top-k, k = " + std::to_string(rule.getK());
            })
            .Case([](TopPAttr rule) {
              return "top-p, p = " + print(rule.getP().getValueAsDouble());
            })
            .Case([](ThresholdAttr rule) {
              return "scores from " + print(rule.getTau().getValueAsDouble());
            })
            .Case([](ThresholdByLengthAttr rule) {
              return "scores from " + print(rule.getC().getValueAsDouble()) +
                     " / sqrt(key blocks)";
            })
            .Case([](MaxThresholdAttr rule) {
              return "scores from " +
                     print(rule.getAlpha().getValueAsDouble()) + " of the best";
            })
            .Default([](Attribute rule) { return print(rule); });
    capacity = select.getCapacity();
    part.scores = find(select.getScores());
    if (part.scores)
      shown.insert(select.getScores());
  } else if (auto fromMask = dyn_cast_or_null<SelectionFromMaskOp>(op)) {
    text = "given mask";
    capacity = fromMask.getCapacity();
  } else if (isa_and_nonnull<FullSelectionOp>(op)) {
    text = "every block that a row may attend";
  } else {
    text = "given lists";
  }
  part.facts.emplace_back("selection", text);
  if (!capacity)
    return;
  part.facts.emplace_back("capacity", std::to_string(*capacity) + " blocks");
  part.cut = resultArrays.lookup(op->getResult(1));
  if (!part.cut)
    part.missing.push_back("How many query blocks the capacity has cut is not "
                           "known, since the function does not return it.");
}

void Describer::addPermutation(ReportPart &part, Value permutation) {
  if (!permutation) {
    part.facts.emplace_back("permutation", "none");
    part.missing.push_back("Keys stay in their own order, so there is no "
                           "importance to show.");
    return;
  }
  shown.insert(permutation);
  auto type = cast<PermutationType>(permutation.getType());
  part.permutation = find(permutation);
  auto sort = permutation.getDefiningOp<SegmentSortOp>();
  std::string text = sort ? "keys sorted by importance" : "given";
  if (permutation.getDefiningOp<IdentityPermutationOp>())
    text = "identity";
  part.facts.emplace_back(
      "permutation", llvm::formatv("{0}, {1} {2}", text, type.getHeads(),
                                   type.getHeads() == 1 ? "order" : "orders"));
  if (sort)
    part.importance = find(sort.getImportance());
  if (part.importance) {
    shown.insert(sort.getImportance());
    if (!part.permutation)
      part.missing.push_back("The permutation is not known, so importance is "
                             "shown in original order only.");
    return;
  }
  part.missing.push_back("The permutation was not made from importance that "
                         "this function computes, so none is shown.");
}

/// The attention that uses \p selection, or null.
static AttentionOp findAttention(Value selection) {
  for (Operation *user : selection.getUsers())
    if (auto attention = dyn_cast<AttentionOp>(user))
      return attention;
  return {};
}

void Describer::addSelection(Value selection) {
  ReportPart part;
  part.counts = find(selection, 0);
  part.indices = find(selection, 1);
  if (!part.counts || !part.indices)
    return;
  auto blocks = cast<SelectionType>(selection.getType());
  part.queryBlock = blocks.getQueryBlock();
  part.keyBlock = blocks.getKeyBlock();
  AttentionOp attention = findAttention(selection);
  Value permutation;
  std::optional<int64_t> window;
  if (Operation *definition = selection.getDefiningOp())
    llvm::TypeSwitch<Operation *>(definition)
        .Case<SelectOp, FullSelectionOp, SelectionFromMaskOp>([&](auto op) {
          permutation = op.getPermutation();
          part.causal = op.getCausal();
          window = op.getWindow();
          part.queryLength = valueOf(op.getQueryLength());
          part.keyLength = valueOf(op.getKeyLength());
        });
  addShapes(part, attention);
  if (attention) {
    part.causal = attention.getCausal();
    window = attention.getWindow();
    // An identity is no operand of the selection where it was folded away.
    if (attention.getPermutation())
      permutation = attention.getPermutation();
  }
  if (permutation)
    part.segment = cast<PermutationType>(permutation.getType()).getSegment();
  else if (auto select = selection.getDefiningOp<SelectOp>())
    part.segment = select.getSegment();
  part.facts.emplace_back(
      "blocks",
      llvm::formatv("{0} queries × {1} keys", part.queryBlock, part.keyBlock));
  part.facts.emplace_back(
      "segment", part.segment ? toText(part.segment) + " keys" : "none");
  part.facts.emplace_back("causal", part.causal ? "yes" : "no");
  part.facts.emplace_back("window", window ? toText(window) + " keys" : "none");
  addRule(part, selection);
  addPermutation(part, permutation);
  if (!attention)
    part.missing.push_back("No attention uses this selection.");
  if (!part.queryLength || !part.keyLength)
    part.missing.push_back("The lengths of queries and keys are not known, so "
                           "every block counts as reachable.");
  report.parts.push_back(std::move(part));
}

/// Parts for what no selection rests on.
void Describer::addLeftovers() {
  auto add = [&](Value importance, Value permutation) {
    ReportPart part;
    part.title = importance ? "Importance" : "Permutation";
    part.importance = find(importance);
    part.permutation = find(permutation);
    const Array *array = part.importance ? part.importance : part.permutation;
    part.keyLength = array->shape()[2];
    if (auto op = importance ? importance.getDefiningOp<ImportanceOp>()
                             : ImportanceOp())
      part.segment = op.getSegment();
    if (permutation)
      part.segment = cast<PermutationType>(permutation.getType()).getSegment();
    part.facts = {{"batch", std::to_string(array->shape()[0])},
                  {"heads", std::to_string(array->shape()[1])},
                  {"keys", toText(part.keyLength)},
                  {"segment", toText(part.segment) + " keys"}};
    part.missing.push_back("No selection rests on this, so there are no maps.");
    if (!part.importance)
      part.missing.push_back("The permutation was not made from importance "
                             "that this function computes, so none is shown.");
    else if (!part.permutation)
      part.missing.push_back("No permutation is made from it, so importance "
                             "is shown in original order only.");
    shown.insert(importance);
    shown.insert(permutation);
    report.parts.push_back(std::move(part));
  };
  SmallVector<Value> values(function.getArguments());
  for (Operation &op : function.getBody().front())
    llvm::append_range(values, op.getResults());
  for (Value value : values)
    if (isa<PermutationType>(value.getType()) && find(value) &&
        !shown.contains(value)) {
      auto sort = value.getDefiningOp<SegmentSortOp>();
      Value importance = sort ? sort.getImportance() : Value();
      add(find(importance) ? importance : Value(), value);
    }
  for (Value value : values)
    if (value.getDefiningOp<ImportanceOp>() && find(value) &&
        !shown.contains(value))
      add(value, Value());
  for (Value value : values)
    if (value.getDefiningOp<BlockScoresOp>() && find(value) &&
        !shown.contains(value)) {
      ReportPart part;
      part.title = "Block scores";
      part.missing = {"Nothing selects blocks by these scores, so there are "
                      "no maps."};
      report.parts.push_back(std::move(part));
    }
}

Report Describer::describe() {
  report.title = function.getName().str();
  SmallVector<Value> selections;
  auto note = [&](Value value) {
    if (isa<SelectionType>(value.getType()))
      selections.push_back(value);
  };
  llvm::for_each(function.getArguments(), note);
  for (Operation &op : function.getBody().front())
    llvm::for_each(op.getResults(), note);
  llvm::for_each(selections, [&](Value value) { addSelection(value); });
  for (auto [number, part] : llvm::enumerate(report.parts)) {
    part.title = "Selection";
    if (report.parts.size() == 1)
      break;
    std::string suffix = number ? "." + std::to_string(number) : "";
    part.title +=
        llvm::formatv(" {0} (counts{1}, indices{1})", number + 1, suffix).str();
  }
  addLeftovers();
  return std::move(report);
}

Report pbs::describeReport(func::FuncOp function,
                           const std::vector<Array> &arguments,
                           const std::vector<Array> &results,
                           const NamedArrays &intermediates) {
  return Describer(function, arguments, results, intermediates).describe();
}

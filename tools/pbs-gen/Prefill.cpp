// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Prefill.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

using namespace mlir;
using namespace pbs;
using namespace pbs::gen;

static constexpr int64_t dynamic = ShapedType::kDynamic;

namespace {
/// Builds the module. Values are located by their names, which the printer then
/// uses.
class PrefillBuilder {
public:
  PrefillBuilder(MLIRContext &context, const PrefillOptions &options)
      : builder(&context), options(options) {}

  OwningOpRef<ModuleOp> build();

private:
  Location name(StringRef text) {
    return NameLoc::get(builder.getStringAttr(text));
  }

  bool isPermuted() const {
    return options.permutationKind != PermutationKind::None;
  }
  int64_t getPermutationHeads() const {
    return options.permutationKind == PermutationKind::PerQueryHead
               ? options.queryHeads
               : options.keyHeads;
  }

  Type getElementType() {
    return options.elementKind == ElementKind::BF16
               ? Type(builder.getBF16Type())
               : builder.getF16Type();
  }
  /// B x heads x N x D.
  RankedTensorType getRowsType(int64_t heads, Type elementType) {
    return RankedTensorType::get({dynamic, heads, dynamic, options.headDim},
                                 elementType);
  }
  /// f32 B x heads x N.
  RankedTensorType getRowValuesType(int64_t heads) {
    return RankedTensorType::get({dynamic, heads, dynamic},
                                 builder.getF32Type());
  }
  PermutationType getPermutationType() {
    return PermutationType::get(builder.getContext(), getPermutationHeads(),
                                options.segment);
  }
  SelectionType getSelectionType() {
    return SelectionType::get(builder.getContext(), options.queryBlock,
                              options.keyBlock);
  }

  IntegerAttr getWindow() {
    return options.window ? builder.getI64IntegerAttr(*options.window)
                          : IntegerAttr();
  }
  /// i32 B x Hq.
  RankedTensorType getCutType() {
    return RankedTensorType::get({dynamic, options.queryHeads},
                                 builder.getI32Type());
  }
  BlockScore getBlockScore() {
    switch (options.scoreKind) {
    case ScoreKind::Pooled:
      return PooledAttr::get(builder.getContext(), options.poolingKind);
    case ScoreKind::Rows:
      return RowsAttr::get(builder.getContext(), options.scoreStride);
    }
    llvm_unreachable("all kinds are handled");
  }
  SelectionRule getRule() {
    MLIRContext *context = builder.getContext();
    FloatAttr number = builder.getF64FloatAttr(options.ruleNumber);
    switch (options.ruleKind) {
    case RuleKind::TopP:
      return TopPAttr::get(context, number);
    case RuleKind::TopK:
      return TopKAttr::get(context, options.topK);
    case RuleKind::All:
      return AllAttr::get(context);
    case RuleKind::Threshold:
      return ThresholdAttr::get(context, number);
    case RuleKind::ThresholdByLength:
      return ThresholdByLengthAttr::get(context, number);
    case RuleKind::MaxThreshold:
      return MaxThresholdAttr::get(context, number);
    }
    llvm_unreachable("all kinds are handled");
  }

  func::FuncOp buildEntry();
  PrefillOp buildPrefill(Value query, Value key, Value value);
  AttentionOp buildAttention(Value query, Value key, Value value,
                             Value selection, Value permutation);
  void buildScoreRegion(Region &region);
  Value buildSoftCap(Value score);
  Value buildAlibi(Value score, ValueRange arguments);
  Value real(double value) {
    return arith::ConstantFloatOp::create(builder, builder.getUnknownLoc(),
                                          builder.getF32Type(),
                                          APFloat(static_cast<float>(value)));
  }

  OpBuilder builder;
  const PrefillOptions &options;
};
} // namespace

/// The function without its operations; the builder is left in its body.
func::FuncOp PrefillBuilder::buildEntry() {
  RankedTensorType queryType =
      getRowsType(options.queryHeads, getElementType());
  RankedTensorType keyType = getRowsType(options.keyHeads, getElementType());
  SmallVector<std::pair<StringRef, Type>> arguments = {
      {"q", queryType}, {"k", keyType}, {"v", keyType}};
  if (options.stageKind == StageKind::Attention) {
    if (isPermuted())
      arguments.push_back({"permutation", getPermutationType()});
    arguments.push_back({"selection", getSelectionType()});
  }
  SmallVector<std::pair<StringRef, Type>> results = {
      {"out", queryType}, {"lse", getRowValuesType(options.queryHeads)}};
  if (options.capacity)
    results.push_back({"cut", getCutType()});

  auto type = builder.getFunctionType(
      llvm::to_vector(llvm::make_second_range(arguments)),
      llvm::to_vector(llvm::make_second_range(results)));
  auto entry = func::FuncOp::create(builder, builder.getUnknownLoc(),
                                    options.entry, type);
  if (options.expectedDensity)
    entry->setAttr(PBSDialect::getExpectedDensityAttrName(),
                   builder.getF64FloatAttr(*options.expectedDensity));
  StringRef key = PBSDialect::getNameAttrName();
  Block *body = builder.createBlock(&entry.getBody());
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    entry.setArgAttr(index, key, builder.getStringAttr(argument.first));
    body->addArgument(argument.second, name(argument.first));
  }
  for (auto [index, result] : llvm::enumerate(results))
    entry.setResultAttr(index, key, builder.getStringAttr(result.first));
  return entry;
}

PrefillOp PrefillBuilder::buildPrefill(Value query, Value key, Value value) {
  auto prefill = PrefillOp::create(
      builder, builder.getUnknownLoc(), query.getType(),
      getRowValuesType(options.queryHeads),
      options.capacity ? getCutType() : Type(), query, key, value,
      options.permutationKind, options.queryBlock, options.keyBlock,
      options.segment, getBlockScore(), getRule(),
      options.capacity ? builder.getI64IntegerAttr(*options.capacity)
                       : IntegerAttr(),
      APFloat(options.scale), options.isCausal, getWindow(),
      /*scalars=*/ValueRange());
  buildScoreRegion(prefill.getScore());
  return prefill;
}

AttentionOp PrefillBuilder::buildAttention(Value query, Value key, Value value,
                                           Value selection, Value permutation) {
  auto attention = AttentionOp::create(
      builder, builder.getUnknownLoc(), query.getType(),
      getRowValuesType(options.queryHeads), query, key, value, selection,
      permutation, APFloat(options.scale), options.isCausal, getWindow(),
      /*scalars=*/ValueRange());
  buildScoreRegion(attention.getScore());
  return attention;
}

/// Fills the score region if the options ask for one.
void PrefillBuilder::buildScoreRegion(Region &region) {
  if (!options.softCap && !options.hasAlibi)
    return;
  OpBuilder::InsertionGuard guard(builder);
  Location loc = builder.getUnknownLoc();
  SmallVector<Type> types(5, builder.getI32Type());
  types.front() = builder.getF32Type();
  Block *body = builder.createBlock(&region, {}, types,
                                    SmallVector<Location>(types.size(), loc));
  Value score = body->getArgument(0);
  if (options.softCap)
    score = buildSoftCap(score);
  if (options.hasAlibi)
    score = buildAlibi(score, body->getArguments());
  ScoreYieldOp::create(builder, loc, score);
}

/// softCap * tanh(score / softCap).
Value PrefillBuilder::buildSoftCap(Value score) {
  Location loc = builder.getUnknownLoc();
  Value share =
      arith::MulFOp::create(builder, loc, score, real(1 / *options.softCap));
  Value bounded = math::TanhOp::create(builder, loc, share);
  return arith::MulFOp::create(builder, name("capped"), bounded,
                               real(*options.softCap));
}

/// score - 2^(-8 (head + 1) / Hq) * distance (ALiBi, arXiv 2108.12409), where
/// the distance is that of the key before the query, or of either before the
/// other if attention is not causal.
Value PrefillBuilder::buildAlibi(Value score, ValueRange arguments) {
  Location loc = builder.getUnknownLoc();
  auto toReal = [&](Value integer) -> Value {
    return arith::SIToFPOp::create(builder, loc, builder.getF32Type(), integer);
  };
  Value number =
      arith::AddFOp::create(builder, loc, toReal(arguments[2]), real(1));
  Value exponent = arith::MulFOp::create(
      builder, loc, number, real(-8.0 / double(options.queryHeads)));
  Value slope = math::Exp2Op::create(builder, name("slope"), exponent);
  Value distance = arith::SubFOp::create(
      builder, name("distance"), toReal(arguments[3]), toReal(arguments[4]));
  if (!options.isCausal)
    distance = math::AbsFOp::create(builder, name("distance"), distance);
  Value bias = arith::MulFOp::create(builder, name("bias"), slope, distance);
  return arith::SubFOp::create(builder, name("biased"), score, bias);
}

OwningOpRef<ModuleOp> PrefillBuilder::build() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToStart(module->getBody());
  func::FuncOp entry = buildEntry();
  Value query = entry.getArgument(0);
  Value key = entry.getArgument(1);
  Value value = entry.getArgument(2);

  Operation *results;
  if (options.stageKind == StageKind::Attention) {
    Value selection = entry.getArguments().back();
    Value permutation = isPermuted() ? entry.getArgument(3) : Value();
    results = buildAttention(query, key, value, selection, permutation);
  } else {
    results = buildPrefill(query, key, value);
  }
  func::ReturnOp::create(builder, builder.getUnknownLoc(),
                         results->getResults());
  return module;
}

OwningOpRef<ModuleOp> gen::buildPrefill(MLIRContext &context,
                                        const PrefillOptions &options) {
  context.loadDialect<arith::ArithDialect, func::FuncDialect, math::MathDialect,
                      PBSDialect>();
  return PrefillBuilder(context, options).build();
}

void gen::returnSelection(ModuleOp module) {
  module.walk([](AttentionOp attention) {
    auto entry = attention->getParentOfType<func::FuncOp>();
    Value selection = attention.getSelection();
    Operation *end = entry.getBody().front().getTerminator();
    end->insertOperands(end->getNumOperands(), selection);
    FunctionType type = entry.getFunctionType();
    auto name =
        NamedAttribute(PBSDialect::getNameAttrName(),
                       StringAttr::get(entry.getContext(), "selection"));
    (void)entry.insertResult(type.getNumResults(), selection.getType(),
                             DictionaryAttr::get(entry.getContext(), name));
  });
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prints the prefill of a model's attention layer as a module of the pbs
// dialect.

#include "Prefill.h"

#include "command-line/CommandLine.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OutputFile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBS/Transforms/Passes.h"

#include <cmath>
#include <optional>

using namespace mlir;
using namespace pbs;
using namespace pbs::gen;
namespace cl = llvm::cl;

namespace {
/// What the options that are not given are.
enum class Method { PBSAttn, Rows };

struct CommandLine {
  cl::OptionCategory category{"Options"};

  cl::opt<Method> method{
      "method", cl::init(Method::PBSAttn),
      cl::desc("What options that are not given are:"),
      cl::values(
          clEnumValN(Method::PBSAttn, "pbs-attn",
                     "permuted block-sparse attention as published (default)"),
          clEnumValN(Method::Rows, "rows",
                     "as --permutation=none --block=64 --query-block=128 "
                     "--segment=64 --score=rows --threshold-by-length=0.02")),
      cl::cat(category)};

  cl::opt<int64_t> queryHeads{"q-heads", cl::init(32), cl::value_desc("heads"),
                              cl::desc("Query heads (default 32)"),
                              cl::cat(category)};
  cl::opt<int64_t> keyHeads{
      "kv-heads", cl::init(8), cl::value_desc("heads"),
      cl::desc("Key and value heads, a divisor of the query heads (default 8)"),
      cl::cat(category)};
  cl::opt<int64_t> headDim{
      "head-dim", cl::init(128), cl::value_desc("elements"),
      cl::desc("Head dimension, 64 or 128 (default 128)"), cl::cat(category)};
  cl::opt<ElementKind> elementKind{
      "dtype", cl::init(ElementKind::BF16),
      cl::desc("Element type of queries, keys, values and output:"),
      cl::values(clEnumValN(ElementKind::BF16, "bf16", "bfloat16 (default)"),
                 clEnumValN(ElementKind::F16, "f16", "IEEE half precision")),
      cl::cat(category)};
  cl::opt<int64_t> keyBlock{
      "block", cl::init(128), cl::value_desc("rows"),
      cl::desc("Keys of a block, 64 or 128 (default 128)"), cl::cat(category)};
  cl::opt<int64_t> queryBlock{
      "query-block", cl::init(0), cl::value_desc("rows"),
      cl::desc("Queries of a block, 64, 128 or 192 (default: as --block)"),
      cl::cat(category)};
  cl::opt<int64_t> segment{
      "segment", cl::init(256), cl::value_desc("keys"),
      cl::desc("Keys of a segment, inside which keys are reordered: a multiple "
               "of the block, at most 1024 (default 256)"),
      cl::cat(category)};
  cl::opt<double> topP{
      "top-p", cl::init(0.9), cl::value_desc("p"),
      cl::desc("Each query block takes the best key blocks until their scores "
               "sum to p; 1 or more takes all (default 0.9)"),
      cl::cat(category)};
  cl::opt<int64_t> topK{
      "top-k", cl::value_desc("k"),
      cl::desc("Each query block takes the k best key blocks instead"),
      cl::cat(category)};
  cl::opt<bool> all{"all",
                    cl::desc("Each query block takes all key blocks instead"),
                    cl::cat(category)};
  cl::opt<double> threshold{
      "threshold", cl::value_desc("tau"),
      cl::desc("Each query block takes the key blocks that score at least tau "
               "instead"),
      cl::cat(category)};
  cl::opt<double> thresholdByLength{
      "threshold-by-length", cl::value_desc("c"),
      cl::desc("Each query block takes the key blocks that score at least "
               "c / sqrt(number of key blocks) instead"),
      cl::cat(category)};
  cl::opt<double> maxThreshold{
      "max-threshold", cl::value_desc("alpha"),
      cl::desc("Each query block takes the key blocks that score at least "
               "alpha times what the best one scores instead"),
      cl::cat(category)};
  cl::opt<int64_t> capacity{
      "capacity", cl::value_desc("blocks"),
      cl::desc("List at most so many key blocks for a query block, forced ones "
               "and then the best; the function returns the number of query "
               "blocks cut, for each batch and head, as third result 'cut' "
               "(default: no limit)"),
      cl::cat(category)};
  cl::opt<PoolingKind> poolingKind{
      "pooling", cl::init(PoolingKind::Mean),
      cl::desc("How the rows of a block become the one that is scored:"),
      cl::values(
          clEnumValN(PoolingKind::Mean, "mean", "their mean (default)"),
          clEnumValN(PoolingKind::Max, "max", "their maximum by element")),
      cl::cat(category)};
  cl::opt<ScoreKind> scoreKind{
      "score", cl::init(ScoreKind::Pooled),
      cl::desc("What key blocks are scored by:"),
      cl::values(
          clEnumValN(ScoreKind::Pooled, "pooled",
                     "products of pooled rows (default)"),
          clEnumValN(ScoreKind::Rows, "rows", "what sampled queries attend")),
      cl::cat(category)};
  cl::opt<int64_t> scoreStride{
      "score-stride", cl::init(16), cl::value_desc("queries"),
      cl::desc("Of so many queries one is sampled, a power of two up to 64 "
               "(default 16)"),
      cl::cat(category)};
  cl::opt<double> scale{
      "scale", cl::init(0.0), cl::value_desc("factor"),
      cl::desc("Factor on the dot products (default 1/sqrt(head-dim))"),
      cl::cat(category)};
  cl::opt<PermutationKind> permutationKind{
      "permutation", cl::init(PermutationKind::PerQueryHead),
      cl::desc("Whether keys are reordered inside their segments:"),
      cl::values(clEnumValN(PermutationKind::None, "none", "no"),
                 clEnumValN(PermutationKind::PerQueryHead, "per-query-head",
                            "one order for each query head (default)"),
                 clEnumValN(PermutationKind::PerKeyHead, "per-kv-head",
                            "one order for each key head")),
      cl::cat(category)};
  cl::opt<bool> notCausal{"no-causal",
                          cl::desc("Let every query attend every key"),
                          cl::cat(category)};
  cl::opt<int64_t> window{
      "window", cl::value_desc("keys"),
      cl::desc("Of the keys up to its own, a query attends the last ones only "
               "(default: no window)"),
      cl::cat(category)};
  cl::opt<double> softCap{
      "soft-cap", cl::value_desc("C"),
      cl::desc("Bound scaled scores: C tanh(score / C) (default: no bound)"),
      cl::cat(category)};
  cl::opt<bool> alibi{
      "alibi",
      cl::desc("Subtract 2^(-8 (h + 1) / q-heads) times the distance between "
               "query and key from the scores of head h, after --soft-cap"),
      cl::cat(category)};
  cl::opt<double> expectedDensity{
      "expected-density", cl::value_desc("share"),
      cl::desc("Share of the key blocks that attention will list, above 0 and "
               "at most 1: lets the compiler choose between gathering keys and "
               "permuting them first (default: not said)"),
      cl::cat(category)};
  cl::opt<std::string> entry{
      "entry", cl::init("prefill"), cl::value_desc("name"),
      cl::desc("Name of the function (default prefill)"), cl::cat(category)};
  cl::opt<StageKind> stageKind{
      "stages", cl::init(StageKind::All),
      cl::desc("What the function computes:"),
      cl::values(clEnumValN(StageKind::All, "all",
                            "(q, k, v) -> (out, lse) (default)"),
                 clEnumValN(StageKind::Attention, "attention",
                            "(q, k, v, permutation, selection) -> (out, lse); "
                            "no permutation with --permutation=none")),
      cl::cat(category)};
  cl::opt<bool> returnsSelection{
      "return-selection",
      cl::desc("Also return which key blocks attention lists: a last result "
               "'selection', for launchers the arrays 'selection_counts' and "
               "'selection_indices'"),
      cl::cat(category)};
  cl::opt<std::string> output{"o", cl::init("-"), cl::value_desc("FILE.mlir"),
                              cl::desc("Output file (default: printed)"),
                              cl::cat(category)};
  cl::opt<bool> composite{
      "composite",
      cl::desc("Print pbs.prefill and not the stages that it stands for, as "
               "--pbs-expand-prefill writes them"),
      cl::cat(category)};
};
} // namespace

/// Sets what the method says and nobody gave.
static void applyMethod(CommandLine &options) {
  if (options.method == Method::PBSAttn)
    return;
  auto set = [](auto &option, auto value) {
    if (!option.getNumOccurrences())
      option = value;
  };
  set(options.permutationKind, PermutationKind::None);
  set(options.keyBlock, 64);
  set(options.queryBlock, 128);
  set(options.segment, 64);
  set(options.scoreKind, ScoreKind::Rows);
  set(options.thresholdByLength, 0.02);
}

static int64_t getQueryBlock(const CommandLine &options) {
  bool isSet = options.queryBlock.getNumOccurrences() || options.queryBlock;
  return isSet ? options.queryBlock : options.keyBlock;
}

/// A rule of pbs.select and the option that asks for it.
struct RuleOption {
  RuleKind kind;
  const cl::Option *option;
  /// Of rules with a number that is not whole.
  const cl::opt<double> *number;
};

static SmallVector<RuleOption> getRuleOptions(const CommandLine &options) {
  return {
      {RuleKind::TopP, &options.topP, &options.topP},
      {RuleKind::TopK, &options.topK, nullptr},
      {RuleKind::All, &options.all, nullptr},
      {RuleKind::Threshold, &options.threshold, &options.threshold},
      {RuleKind::ThresholdByLength, &options.thresholdByLength,
       &options.thresholdByLength},
      {RuleKind::MaxThreshold, &options.maxThreshold, &options.maxThreshold}};
}

/// The rule that the options ask for, or that of the method.
static RuleOption getRule(const CommandLine &options) {
  RuleKind otherwise = options.method == Method::PBSAttn
                           ? RuleKind::TopP
                           : RuleKind::ThresholdByLength;
  SmallVector<RuleOption> rules = getRuleOptions(options);
  for (const RuleOption &rule : rules)
    if (rule.option->getNumOccurrences())
      return rule;
  return *llvm::find_if(
      rules, [&](const RuleOption &rule) { return rule.kind == otherwise; });
}

/// What is wrong with the options that choose a rule, if anything is.
static std::optional<std::string>
findRuleError(const CommandLine &options,
              const pbs::tools::GivenOptions &given) {
  const cl::Option *first = nullptr;
  for (const RuleOption &rule : getRuleOptions(options)) {
    if (!rule.option->getNumOccurrences())
      continue;
    if (first || rule.option->getNumOccurrences() > 1)
      return llvm::formatv("--{0} and --{1} exclude each other",
                           (first ? first : rule.option)->ArgStr,
                           rule.option->ArgStr);
    first = rule.option;
    if (rule.number && (!std::isfinite(*rule.number) || *rule.number < 0))
      return given.describe(*rule.number) + ": must be finite and not negative";
  }
  if (options.topK.getNumOccurrences() && options.topK < 0)
    return given.describe(options.topK) + ": must not be negative";
  return std::nullopt;
}

/// What is wrong with the options, if anything is.
static std::optional<std::string>
findError(const CommandLine &options, const pbs::tools::GivenOptions &given) {
  if (options.window.getNumOccurrences() && options.window < 1)
    return given.describe(options.window) + ": must be at least 1";
  if (options.queryHeads < 1)
    return given.describe(options.queryHeads) + ": must be at least 1";
  if (options.keyHeads < 1)
    return given.describe(options.keyHeads) + ": must be at least 1";
  if (options.queryHeads % options.keyHeads != 0)
    return given.describe(options.queryHeads) + ": must be a multiple of " +
           given.describe(options.keyHeads);
  if (options.headDim != 64 && options.headDim != 128)
    return given.describe(options.headDim) + ": must be 64 or 128";
  if (!llvm::is_contained(keyBlockSizes, options.keyBlock))
    return given.describe(options.keyBlock) + ": must be " +
           listSizes(keyBlockSizes);
  if (!llvm::is_contained(queryBlockSizes, getQueryBlock(options)))
    return given.describe(options.queryBlock) + ": must be " +
           listSizes(queryBlockSizes);
  if (options.segment < 1 || options.segment > maxSegment ||
      options.segment % options.keyBlock != 0)
    return llvm::formatv("{0}: must be a multiple of {1}, from {2} to {3}",
                         given.describe(options.segment),
                         given.describe(options.keyBlock),
                         options.keyBlock.getValue(), maxSegment);
  if (std::optional<std::string> error = findRuleError(options, given))
    return error;
  if (options.scoreStride < 1 || options.scoreStride > smallestQueryBlock ||
      !llvm::isPowerOf2_64(static_cast<uint64_t>(options.scoreStride)))
    return llvm::formatv("{0}: must be a power of two, from 1 to {1}",
                         given.describe(options.scoreStride),
                         smallestQueryBlock);
  bool isPooled = options.scoreKind == ScoreKind::Pooled;
  if (isPooled && options.scoreStride.getNumOccurrences())
    return "--score-stride: has no meaning for --score=pooled";
  if (!isPooled && options.poolingKind.getNumOccurrences())
    return "--pooling: has no meaning for --score=rows";
  int64_t forced = getMostForcedBlocks(getQueryBlock(options), options.keyBlock,
                                       options.segment);
  if (options.capacity.getNumOccurrences() &&
      (options.capacity < forced || options.capacity > maxKeyBlocks))
    return llvm::formatv(
        "{0}: must be from {1}, the blocks that {2} may force a query block to "
        "list, to {3}",
        given.describe(options.capacity), forced,
        given.describe(options.segment), maxKeyBlocks);
  if (options.stageKind == StageKind::Attention)
    for (const cl::Option *option : std::initializer_list<const cl::Option *>{
             getRule(options).option, &options.scoreKind, &options.poolingKind,
             &options.scoreStride, &options.capacity})
      if (option->getNumOccurrences())
        return llvm::formatv("--{0}: has no meaning for --stages=attention, "
                             "whose selection is an argument",
                             option->ArgStr);
  if (options.returnsSelection &&
      (options.stageKind == StageKind::Attention || options.composite))
    return llvm::formatv("--return-selection: has no meaning for {0}",
                         options.composite ? "--composite"
                                           : "--stages=attention");
  if (options.stageKind == StageKind::Attention && options.composite)
    return "--composite: has no meaning for --stages=attention";
  if (options.scale.getNumOccurrences() &&
      (!std::isfinite(options.scale) || options.scale <= 0))
    return given.describe(options.scale) +
           ": must be finite and greater than 0";
  if (options.softCap.getNumOccurrences() &&
      !(std::isnormal(static_cast<float>(options.softCap)) &&
        std::isnormal(static_cast<float>(1 / options.softCap)) &&
        options.softCap > 0))
    return given.describe(options.softCap) +
           ": must be greater than 0, and it and its inverse normal numbers in "
           "f32";
  if (options.expectedDensity.getNumOccurrences() &&
      !(options.expectedDensity > 0 && options.expectedDensity <= 1))
    return given.describe(options.expectedDensity) +
           ": must be above 0 and at most 1";
  if (options.entry.empty())
    return "--entry: must not be empty";
  return std::nullopt;
}

static PrefillOptions getOptions(const CommandLine &options) {
  PrefillOptions result;
  result.entry = options.entry;
  result.queryHeads = options.queryHeads;
  result.keyHeads = options.keyHeads;
  result.headDim = options.headDim;
  result.elementKind = options.elementKind;
  result.keyBlock = options.keyBlock;
  result.queryBlock = getQueryBlock(options);
  result.segment = options.segment;
  RuleOption rule = getRule(options);
  result.ruleKind = rule.kind;
  result.ruleNumber = rule.number ? rule.number->getValue() : 0;
  result.topK = options.topK;
  result.poolingKind = options.poolingKind;
  result.scoreKind = options.scoreKind;
  result.scoreStride = options.scoreStride;
  if (options.capacity.getNumOccurrences())
    result.capacity = options.capacity;
  result.scale = options.scale.getNumOccurrences()
                     ? options.scale
                     : 1.0 / std::sqrt(static_cast<double>(options.headDim));
  result.permutationKind = options.permutationKind;
  result.stageKind = options.stageKind;
  result.isCausal = !options.notCausal;
  if (options.window.getNumOccurrences())
    result.window = options.window;
  if (options.softCap.getNumOccurrences())
    result.softCap = options.softCap;
  result.hasAlibi = options.alibi;
  if (options.expectedDensity.getNumOccurrences())
    result.expectedDensity = options.expectedDensity;
  return result;
}

int main(int argc, char **argv) {
  llvm::InitLLVM initLLVM(argc, argv);
  tools::beginTool("pbs-gen");
  CommandLine commandLine;
  cl::HideUnrelatedOptions(commandLine.category);
  tools::GivenOptions given = tools::checkOptions("pbs-gen", argc, argv);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Prints permuted block-sparse attention for the prefill of one attention "
      "layer\nas a module of the pbs dialect. Batch and lengths stay open.\n\n"
      "Example: pbs-gen --q-heads=32 --kv-heads=8 --head-dim=128 -o "
      "prefill.mlir\n");
  applyMethod(commandLine);
  if (std::optional<std::string> error = findError(commandLine, given)) {
    llvm::errs() << "pbs-gen: " << *error << "\n";
    return 1;
  }

  MLIRContext context(MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = buildPrefill(context, getOptions(commandLine));
  if (failed(verify(*module)))
    return 1;
  if (!commandLine.composite) {
    PassManager passes(&context);
    passes.addNestedPass<func::FuncOp>(createPBSExpandPrefill());
    if (failed(passes.run(*module)))
      return 1;
  }
  if (commandLine.returnsSelection)
    returnSelection(*module);
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().printNameLocAsPrefix());
  try {
    runtime::OutputFiles files;
    files.add(commandLine.output, text);
    files.commit();
  } catch (const runtime::Error &error) {
    llvm::errs() << "pbs-gen: " << error.what() << "\n";
    return 1;
  }
  return 0;
}

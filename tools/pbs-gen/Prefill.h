// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds modules of permuted block-sparse attention for a given model shape.

#ifndef PBS_TOOLS_PBSGEN_PREFILL_H
#define PBS_TOOLS_PBSGEN_PREFILL_H

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>

namespace pbs::gen {

enum class ElementKind { BF16, F16 };

/// Which candidates a query block takes.
enum class RuleKind {
  TopP,
  TopK,
  All,
  Threshold,
  ThresholdByLength,
  MaxThreshold
};

/// What key blocks are scored by.
enum class ScoreKind { Pooled, Rows };

/// What the entry computes.
enum class StageKind {
  /// Everything from q, k and v on.
  All,
  /// Attention alone; permutation and selection are arguments.
  Attention,
};

struct PrefillOptions {
  std::string entry;
  int64_t queryHeads;
  int64_t keyHeads;
  int64_t headDim;
  ElementKind elementKind;
  int64_t queryBlock;
  int64_t keyBlock;
  int64_t segment;
  RuleKind ruleKind;
  /// Of the rule: p, tau, c or alpha.
  double ruleNumber;
  /// Of top-k.
  int64_t topK;
  ScoreKind scoreKind;
  /// Used by the scores that they are of.
  PoolingKind poolingKind;
  int64_t scoreStride;
  /// Blocks that a query block lists at most, if there is a limit.
  std::optional<int64_t> capacity;
  double scale;
  PermutationKind permutationKind;
  StageKind stageKind;
  bool isCausal;
  /// Keys that a row attends at and before its position, if there is a limit.
  std::optional<int64_t> window;
  /// Bounds scores to (-softCap, softCap), if given.
  std::optional<double> softCap;
  /// Attention with linear biases.
  bool hasAlibi;
  /// Share of blocks that attention is expected to list, if it is known.
  std::optional<double> expectedDensity;
};

/// A module whose one function is pbs.prefill, or attention alone, and has
/// dynamic batch and lengths. The dialects arith, func, math and pbs are loaded
/// into `context`; the caller verifies.
mlir::OwningOpRef<mlir::ModuleOp> buildPrefill(mlir::MLIRContext &context,
                                               const PrefillOptions &options);

/// Makes the selection of the module's only attention the last result of its
/// function, under the name 'selection'.
void returnSelection(mlir::ModuleOp module);

} // namespace pbs::gen

#endif // PBS_TOOLS_PBSGEN_PREFILL_H

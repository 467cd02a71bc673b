// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one attention is expected to list, and what it costs with either
// strategy. docs/Rationale/Fusion.md has the model.

#ifndef PBS_ANALYSIS_ATTENTIONCOST_H
#define PBS_ANALYSIS_ATTENTIONCOST_H

#include "pbs/Analysis/Traffic.h"

namespace pbs {

/// The share of the blocks that `attention` is expected to list, on sizes of
/// `workload`: its density or else `otherwise`, less where rule, capacity or
/// window bound the lists, all where its selection is full.
double expectDensity(AttentionOp attention, const Workload &workload,
                     double otherwise);

/// Whether keys and values are read where they are or are permuted first.
enum class FusionStrategy { Gather, Write };

/// What `attention` costs with a strategy, the permutation of its keys and
/// values included. Which strategy it has is of no importance; one operation
/// permutes its keys and values.
struct StrategyCost {
  int64_t bytes = 0;
  /// Those of `bytes` that are rows read through the permutation.
  int64_t gathered = 0;
  double seconds = 0;
};
StrategyCost getStrategyCost(AttentionOp attention, FusionStrategy strategy,
                             const Workload &workload, const Chip &chip);

} // namespace pbs

#endif // PBS_ANALYSIS_ATTENTIONCOST_H

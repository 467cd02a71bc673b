// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs.attention in a launch plan.

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_ATTENTION_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_ATTENTION_H

#include "KernelBuilder.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Target/PTX/Chip.h"

namespace pbs {

/// Makes the memories of the results and joins the sizes that must agree.
mlir::LogicalResult addAttention(AttentionOp op, Entry &entry);

/// States what the attention takes for granted of its permutation and lists.
mlir::LogicalResult describeAttention(AttentionOp op, Entry &entry);

/// Writes the kernel, and the requirements and the launch into the plan.
mlir::LogicalResult emitAttention(AttentionOp op, Emitter &emitter,
                                  const Chip &chip);

/// What the kernel works on. Permutation and logSumExp may be null.
struct AttentionParameters {
  mlir::Value query, key, value, permutation, counts, indices;
  llvm::SmallVector<mlir::Value> scalars;
  mlir::Value output, logSumExp;
};

/// Writes the kernel's body.
void buildAttentionKernel(AttentionOp op, int64_t keyTile, KernelBuilder &k,
                          const AttentionParameters &parameters);

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_ATTENTION_H

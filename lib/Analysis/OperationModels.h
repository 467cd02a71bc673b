// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the types and attributes of an operation to the sizes that models take.

#ifndef PBS_LIB_ANALYSIS_OPERATIONMODELS_H
#define PBS_LIB_ANALYSIS_OPERATIONMODELS_H

#include "KernelModels.h"

namespace pbs {

/// `known`, or `otherwise` if it is dynamic.
int64_t orElse(int64_t known, int64_t otherwise);

/// Rows of `value`, whose batch and length are these where they are dynamic.
Rows getRows(mlir::Value value, int64_t batch, int64_t length);

AttentionModel getAttentionModel(AttentionOp op, const Workload &workload);

} // namespace pbs

#endif // PBS_LIB_ANALYSIS_OPERATIONMODELS_H

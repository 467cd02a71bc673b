// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations before attention in a launch plan. For each there is one
// function that makes the memories of its results and joins the sizes that must
// agree, and one that writes its kernels, requirements and launches.

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_STAGES_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_STAGES_H

#include "KernelBuilder.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

namespace pbs {

mlir::LogicalResult analyse(IdentityPermutationOp op, Entry &entry);
mlir::LogicalResult analyse(ImportanceOp op, Entry &entry);
mlir::LogicalResult analyse(SegmentSortOp op, Entry &entry);
mlir::LogicalResult analyse(PermuteOp op, Entry &entry);
mlir::LogicalResult analyse(PoolOp op, Entry &entry);
mlir::LogicalResult analyse(BlockScoresOp op, Entry &entry);
mlir::LogicalResult analyse(SelectOp op, Entry &entry);
mlir::LogicalResult analyse(FullSelectionOp op, Entry &entry);
mlir::LogicalResult analyse(SelectionFromMaskOp op, Entry &entry);

mlir::LogicalResult emit(IdentityPermutationOp op, Emitter &emitter);
mlir::LogicalResult emit(ImportanceOp op, Emitter &emitter);
mlir::LogicalResult emit(SegmentSortOp op, Emitter &emitter);
mlir::LogicalResult emit(PermuteOp op, Emitter &emitter);
mlir::LogicalResult emit(PoolOp op, Emitter &emitter);
mlir::LogicalResult emit(BlockScoresOp op, Emitter &emitter);
mlir::LogicalResult emit(SelectOp op, Emitter &emitter);
mlir::LogicalResult emit(FullSelectionOp op, Emitter &emitter);
mlir::LogicalResult emit(SelectionFromMaskOp op, Emitter &emitter);

/// Copies rows of 16-bit elements, 16 bytes a thread at once: those at the
/// places from `begin` up to `end` of `result`, in the CTA's head and batch,
/// are rows of `sourceHead` that `findRow` finds.
void copyRows(KernelBuilder &k, mlir::Value source, mlir::Value sourceHead,
              mlir::Value result, mlir::Value begin, mlir::Value end,
              llvm::function_ref<mlir::Value(mlir::Value place)> findRow);

/// Requires what a grid of CTAs for each batch and head can be launched with.
mlir::LogicalResult requireGrid(Emitter &emitter, mlir::Operation *op,
                                Extent batch, int64_t heads);
/// Requires Nq <= Nkv and that indices of key blocks fit 16 bits.
mlir::LogicalResult requireLengths(Emitter &emitter, mlir::Operation *op,
                                   Extent queryLength, Extent keyLength,
                                   int64_t keyBlock);
/// Requires that kernels, which compute in f32 and base 2, have the scale.
mlir::LogicalResult requireScale(mlir::Operation *op,
                                 const llvm::APFloat &scale);

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_STAGES_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constraints that several verifiers of the pbs dialect share. A function that
// takes the name of a constraint cites it in its diagnostic.

#ifndef PBS_LIB_DIALECT_PBS_IR_CONSTRAINTS_H
#define PBS_LIB_DIALECT_PBS_IR_CONSTRAINTS_H

#include "pbs/Dialect/PBS/IR/PBS.h"

#include <optional>

namespace pbs {

/// The start of a diagnostic that cites `constraint`.
mlir::InFlightDiagnostic refuse(mlir::Operation *op,
                                mlir::StringRef constraint);

/// Two sizes agree if they are the same or one of them is unknown.
bool agree(int64_t a, int64_t b);

/// How many blocks of `block` rows `length` rows make, unknown if that is.
int64_t countBlocks(int64_t length, int64_t block);

bool isValidSegment(int64_t segment);

/// Requires of `tensor` the dimensions that `form` names, such as
/// "B x H x N x D", static ones where `staticDims` says so, none of them 0, and
/// no encoding.
mlir::LogicalResult verifyForm(mlir::Operation *op, mlir::StringRef constraint,
                               mlir::StringRef what,
                               mlir::RankedTensorType tensor,
                               mlir::StringRef form,
                               mlir::ArrayRef<unsigned> staticDims);

/// Requires that `tensor`, which has the right rank, agrees with `shape`.
mlir::LogicalResult verifyShape(mlir::Operation *op, mlir::StringRef constraint,
                                mlir::StringRef what,
                                mlir::RankedTensorType tensor,
                                mlir::ArrayRef<int64_t> shape);

mlir::LogicalResult verifyHeadDim(mlir::Operation *op,
                                  mlir::StringRef constraint,
                                  mlir::RankedTensorType tensor);

/// Requires that each key head serves the same number of query heads.
mlir::LogicalResult verifyGroups(mlir::Operation *op,
                                 mlir::StringRef constraint, int64_t queryHeads,
                                 int64_t keyHeads);

mlir::LogicalResult verifyScale(mlir::Operation *op, mlir::StringRef constraint,
                                const llvm::APFloat &scale);

mlir::LogicalResult verifySegment(mlir::Operation *op,
                                  mlir::StringRef constraint, int64_t segment);

/// Requires that the block has one of the sizes.
mlir::LogicalResult verifyBlock(mlir::Operation *op, mlir::StringRef constraint,
                                mlir::StringRef what, int64_t block,
                                mlir::ArrayRef<int64_t> sizes);

/// Requires that no key block crosses a segment.
mlir::LogicalResult verifyBlocksOfSegment(mlir::Operation *op,
                                          mlir::StringRef constraint,
                                          int64_t segment, int64_t keyBlock);

/// The same for the segment of an optional permutation.
mlir::LogicalResult verifyBlocksOfPermutation(mlir::Operation *op,
                                              mlir::StringRef constraint,
                                              mlir::Value permutation,
                                              SelectionType selection);

mlir::LogicalResult verifyKeyBlocks(mlir::Operation *op,
                                    mlir::StringRef constraint, int64_t blocks);

/// Requires Nq <= Nkv.
mlir::LogicalResult verifyLengths(mlir::Operation *op,
                                  mlir::StringRef constraint,
                                  mlir::RankedTensorType query,
                                  mlir::RankedTensorType key);

/// Requires Nq <= Nkv of lengths that are known, being constants or dimensions
/// of static extent, and that they have the numbers of blocks \p queryBlocks
/// and \p keyBlocks of \p blocks, where these are static.
mlir::LogicalResult verifyKnownLengths(mlir::Operation *op,
                                       mlir::StringRef constraint,
                                       mlir::Value queryLength,
                                       mlir::Value keyLength,
                                       SelectionType blocks,
                                       int64_t queryBlocks, int64_t keyBlocks);

/// Requires of an optional permutation that each of its heads serves the same
/// number of the `heads` of a selection.
mlir::LogicalResult verifyPermutationHeads(mlir::Operation *op,
                                           mlir::StringRef constraint,
                                           mlir::Value permutation,
                                           int64_t heads);

/// The operation that defines `value`, a value that `op` uses, if it comes
/// before `op` and hence is known to be valid itself; else null.
mlir::Operation *getVerifiedSource(mlir::Operation *op, mlir::Value value);

mlir::LogicalResult verifyWindow(mlir::Operation *op,
                                 mlir::StringRef constraint,
                                 std::optional<int64_t> window);

/// The constraints that queries, keys and values may break.
struct TensorConstraints {
  llvm::StringRef form, elements, headDim, groups, key, value, lengths,
      keyBlocks;
};

/// Requires of queries, keys and values that they make an attention, with key
/// blocks of `keyBlock`.
mlir::LogicalResult
verifyTensors(mlir::Operation *op, const TensorConstraints &constraints,
              mlir::RankedTensorType query, mlir::RankedTensorType key,
              mlir::RankedTensorType value, int64_t keyBlock);

/// The constraints that the results of an attention may break.
struct ResultConstraints {
  llvm::StringRef elements, output, logSumExp;
};

mlir::LogicalResult verifyResults(mlir::Operation *op,
                                  const ResultConstraints &constraints,
                                  mlir::RankedTensorType query,
                                  mlir::RankedTensorType output,
                                  mlir::RankedTensorType logSumExp);

/// The constraints that a capacity may break.
struct CapacityConstraints {
  llvm::StringRef range, results, form;
};

/// Requires that `op` has a capacity of at least `fewest` and counts the query
/// blocks that it cuts, or neither. `blocks` is B x Hq x Qb x Kb.
mlir::LogicalResult
verifyCapacity(mlir::Operation *op, const CapacityConstraints &constraints,
               std::optional<int64_t> capacity, mlir::Value cut,
               mlir::ArrayRef<int64_t> blocks, int64_t fewest);

/// The constraints that a score region may break.
struct ScoreConstraints {
  llvm::StringRef scalars, arguments, end, operations, types, finite;
};

/// Requires that scalars come with a score region and have no encoding.
mlir::LogicalResult verifyScalars(mlir::Operation *op,
                                  const ScoreConstraints &constraints,
                                  mlir::ValueRange scalars,
                                  mlir::Region &score);

/// Verifies a score region, which may be empty. Its operations are valid.
mlir::LogicalResult verifyScoreRegion(mlir::Operation *op,
                                      const ScoreConstraints &constraints,
                                      mlir::ValueRange scalars,
                                      mlir::Region &score);

/// Names the arguments of a score region for the printer.
void nameScoreArguments(mlir::Region &score,
                        mlir::OpAsmSetValueNameFn setNameFn);

/// The syntax after the keyword `score`: (`(` scalars `:` types `)`)? region.
mlir::ParseResult parseScoreRegion(
    mlir::OpAsmParser &parser,
    llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &scalars,
    llvm::SmallVectorImpl<mlir::Type> &types, mlir::Region &score);
void printScoreRegion(mlir::OpAsmPrinter &printer, mlir::Operation *op,
                      mlir::ValueRange scalars, mlir::TypeRange types,
                      mlir::Region &score);

} // namespace pbs

#endif // PBS_LIB_DIALECT_PBS_IR_CONSTRAINTS_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CTA chooses the key blocks that one query block of one head lists.

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_SELECTIONKERNEL_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_SELECTIONKERNEL_H

#include "KernelBuilder.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

#include <optional>

namespace pbs {

/// Who may attend whom, as attributes of the operations say it.
struct Geometry {
  int64_t queryHeads, queryBlock, keyBlock;
  bool isCausal;
  std::optional<int64_t> window;
  /// Keys of a segment, if there are segments.
  std::optional<int64_t> segment;
  std::optional<int64_t> permutationHeads;
};

/// What a kernel of a CTA for each query block works on, in the plan or in the
/// kernel. What it does not need is null.
struct SelectionParameters {
  mlir::Value pooledQuery, pooledKey, rowSums, scores, mask;
  mlir::Value queryLength, keyLength, permutation;
  mlir::Value counts, indices, cut;

  /// Adds these arguments of the plan to the kernel; gives its parameters.
  SelectionParameters addTo(KernelBuilder &k) const;
};

/// The CTA's query block.
class QueryBlock {
public:
  QueryBlock(KernelBuilder &k, const Geometry &geometry,
             const SelectionParameters &parameters);

  /// Runs `body` for the warp's share of the key blocks; all lanes run the
  /// same.
  void loopOverWarpShare(llvm::function_ref<void(mlir::Value)> body);
  mlir::Value isOwn(mlir::Value keyBlock);
  mlir::Value isCandidate(mlir::Value keyBlock);

  KernelBuilder &k;
  const Geometry geometry;
  const SelectionParameters parameters;
  mlir::Value block, head, batch;
  mlir::Value keyBlocks;
  /// Positions of the first and the last row.
  mlir::Value firstPosition, lastPosition;
  /// Segments of these rows, where there are segments.
  mlir::Value firstSegment, lastSegment;
};

/// Bytes of shared memory that a query block needs for each key block: its
/// score, and what is known of it.
constexpr int64_t scoreBytes = 4, stateBytes = 1;
mlir::Value getSharedBytes(Emitter &emitter, mlir::Location loc,
                           mlir::Value keyBlocks);

/// The scores of all key blocks in shared memory.
mlir::Value getScoreRow(QueryBlock &at);

/// What computes the scores that `op` defines, in the plan; `op` has been
/// analysed.
SelectionParameters getScoreArguments(BlockScoresOp op, Emitter &emitter);
/// Fills the row with these scores, and waits for all threads.
void computeScores(QueryBlock &at, BlockScoresOp op, mlir::Value row);
/// Fills it with the parameter's scores.
void loadScores(QueryBlock &at, mlir::Value row);

/// Makes all scores of the row 0 if `own`, a thread's share of it, has a NaN,
/// and waits for all threads.
void dropNaN(QueryBlock &at, mlir::Value row, mlir::Value own);

// Scores of sampled rows.

mlir::LogicalResult analyseRowScores(BlockScoresOp op, Entry &entry);
/// Writes the kernels that come before the scores of a query block.
mlir::LogicalResult emitRowSums(BlockScoresOp op, Emitter &emitter);
void computeRowScores(QueryBlock &at, BlockScoresOp op, mlir::Value row);

/// What is known of a key block, in a byte.
namespace state {
constexpr int64_t isWhole = 1;    ///< every row may attend every key
constexpr int64_t isMasked = 2;   ///< some row may attend some key
constexpr int64_t isAttended = 3; ///< one of the two
constexpr int64_t holdsTokenZero = 4;
constexpr int64_t isForced = 8;
} // namespace state

/// The states of all key blocks, in shared memory; waits for all threads.
mlir::Value classifyBlocks(QueryBlock &at);

/// Writes the lists of the blocks whose state is whole or masked, from the
/// thread's share of the states.
void writeLists(QueryBlock &at, mlir::Value states);

/// Finds the least key such that the included blocks of this key and above
/// weigh at least `target` together; 0 if all of them weigh less. A block's key
/// grows with its score, and among equal scores falls with its index.
using Weigh = llvm::function_ref<mlir::Value(mlir::Value keyBlock)>;
mlir::Value findCut(QueryBlock &at, mlir::Value scores, Weigh weigh,
                    mlir::Value target);
/// The key of a block.
mlir::Value rankingKey(QueryBlock &at, mlir::Value scores,
                       mlir::Value keyBlock);

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_SELECTIONKERNEL_H

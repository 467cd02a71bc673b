// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pbs dialect: its types, attributes and operations.

#ifndef PBS_DIALECT_PBS_IR_PBS_H
#define PBS_DIALECT_PBS_IR_PBS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "pbs/Dialect/PBS/IR/PBSDialect.h.inc"

#include "pbs/Dialect/PBS/IR/PBSEnums.h.inc"

namespace pbs {

/// Where a rule cuts off the candidates, which stand in falling score.
struct SelectionCut {
  enum class Kind {
    /// Behind the first `target` ones.
    Count,
    /// Behind the first ones whose scores sum to `target`; all if none do.
    Sum,
    /// Behind the last one that scores at least `target`.
    Score,
    /// The same, of `target` divided by the square root of the key blocks.
    ScoreByLength,
    /// Behind the last one that scores at least `target` times the best one.
    ShareOfBest,
  };
  Kind kind;
  double target;
};

} // namespace pbs

#include "pbs/Dialect/PBS/IR/PBSInterfaces.h.inc"

#define GET_TYPEDEF_CLASSES
#include "pbs/Dialect/PBS/IR/PBSTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "pbs/Dialect/PBS/IR/PBSAttributes.h.inc"

#define GET_OP_CLASSES
#include "pbs/Dialect/PBS/IR/PBSOps.h.inc"

namespace pbs {

/// The rows that a query block may have, and a key block; in rising order.
constexpr int64_t queryBlockSizes[] = {64, 128, 192};
constexpr int64_t keyBlockSizes[] = {64, 128};
constexpr int64_t smallestQueryBlock = 64;
constexpr int64_t smallestKeyBlock = 64;
constexpr int64_t largestKeyBlock = 128;
/// What diagnostics say of such sizes: "64, 128 or 192".
std::string listSizes(llvm::ArrayRef<int64_t> sizes);
/// Keys of a segment, at most.
constexpr int64_t maxSegment = 1024;
/// Key blocks of a sequence, at most: an index fits into 16 bits, with room for
/// the filler 65535 of the lists.
constexpr int64_t maxKeyBlocks = 16384;

/// Key blocks that `pbs.select` forces into the list of one query block, at
/// most: its rows may stand in ceil((queryBlock - 1) / segment) + 1 segments,
/// and the block of token 0 comes beside them.
int64_t getMostForcedBlocks(int64_t queryBlock, int64_t keyBlock,
                            int64_t segment);

/// A window or a capacity, as sizes are computed with: none stays none.
inline std::optional<int64_t> toInteger(std::optional<uint64_t> value) {
  if (!value)
    return std::nullopt;
  return static_cast<int64_t>(*value);
}

/// The tensor of keys or values, be they plain or permuted.
mlir::RankedTensorType getTensorType(mlir::Type keyType);

/// The same for a value of either type.
inline mlir::RankedTensorType getTensorType(mlir::Value keys) {
  return getTensorType(keys.getType());
}

} // namespace pbs

#endif // PBS_DIALECT_PBS_IR_PBS_H

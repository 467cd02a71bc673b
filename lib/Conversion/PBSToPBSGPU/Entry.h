// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A function on its way to a launch plan: what stands in memory for each of its
// values.

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_ENTRY_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_ENTRY_H

#include "Sizes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/MapVector.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include <memory>

namespace pbs {

/// An array in global memory: an argument of the plan or a buffer.
struct Memory {
  enum class Kind { Input, Output, Buffer };

  Kind kind;
  /// Whether its values are the caller's, and not those of a kernel.
  bool isGiven() const { return kind == Kind::Input; }
  std::string name;
  mlir::Location loc;
  llvm::SmallVector<Extent> extents;
  mlir::Type elementType;
  /// Whether the caller chooses the strides of all dimensions but the last.
  bool hasAnyStrides = false;
  /// What the values satisfy, for the launcher. Null where nothing is known.
  mlir::DictionaryAttr contents;
  /// The memref in the plan.
  mlir::Value value;
  /// Bytes that its address must be a multiple of for what kernels load at
  /// once.
  int64_t alignment = 1;
};

/// What a plan says of the values of a permutation.
mlir::DictionaryAttr getPermutationContents(PermutationType type);

class Entry {
public:
  explicit Entry(mlir::func::FuncOp function) : function(function) {}

  /// Makes memories for the function's arguments. Fails with a diagnostic where
  /// one has no counterpart in a plan.
  mlir::LogicalResult addArguments();

  /// Gives the memories that the function returns to the caller. Fails with a
  /// diagnostic where they are not the kernels' own.
  mlir::LogicalResult addResults();

  /// Makes the memory of an operation's result; a buffer until it is returned.
  Memory &addResult(mlir::Value result, llvm::StringRef name,
                    llvm::ArrayRef<Extent> extents);
  /// The same of permuted rows.
  Memory &addRows(mlir::TypedValue<PermutedType> result, llvm::StringRef name,
                  llvm::ArrayRef<Extent> extents);
  /// The same of a permutation.
  Memory &addPermutation(mlir::TypedValue<PermutationType> result, Extent batch,
                         Extent keyLength);
  /// The same of a selection: counts, and indices with room for `capacity`.
  void addSelection(mlir::TypedValue<SelectionType> result, Extent batch,
                    int64_t heads, Extent queryBlocks, Extent capacity);
  /// Makes one more buffer that only the kernels of `op` know.
  Memory &addScratch(mlir::Operation *op, llvm::StringRef name,
                     mlir::Type elementType, llvm::ArrayRef<Extent> extents);
  Memory &getScratch(mlir::Operation *op, unsigned index = 0) {
    return *scratch[op][index];
  }

  /// The extent that an operand of type index stands for: a dimension of a
  /// tensor, or a constant. Fails with a diagnostic at `op` for anything else.
  mlir::FailureOr<Extent> getExtent(mlir::Operation *op, mlir::Value length);

  /// `result` is another name for what `sources` are.
  void alias(mlir::Value result, mlir::ValueRange sources);

  /// `result` is what one of two branches gives: both values get one memory.
  /// Fails with a diagnostic at `op` if one is not the branch's own.
  mlir::LogicalResult merge(mlir::scf::IfOp op, mlir::Value result,
                            mlir::Value first, mlir::Value second);

  /// The only memory of `value`, or that at `part`.
  Memory &get(mlir::Value value, unsigned part = 0) {
    return *memories[value][part];
  }

  /// Joins both extents, which `what` names, with a diagnostic at `op` if they
  /// differ.
  mlir::LogicalResult join(mlir::Operation *op, Extent a, Extent b,
                           const llvm::Twine &what);
  /// Joins extent `a` with `b`, with a diagnostic at `op` if they differ.
  mlir::LogicalResult join(mlir::Operation *op, Memory &a, unsigned aDim,
                           Memory &b, unsigned bDim);

  /// States what the values of `memory` satisfy, with a diagnostic at `op` if
  /// something else has been stated.
  mlir::LogicalResult setContents(mlir::Operation *op, Memory &memory,
                                  mlir::DictionaryAttr contents);

  /// Names every size. One may be computed from another, which a later memory
  /// names.
  void nameSizes();
  /// Creates every size that is not known where `builder` stands.
  void emitSizes(mlir::OpBuilder &builder);

  /// Creates the plan's arguments and buffers.
  void emitMemories(mlir::OpBuilder &builder);

  /// Requires `condition` of the launcher. Fails with a diagnostic at `op` if
  /// it is known not to hold. The same requirement is stated once.
  mlir::LogicalResult require(mlir::OpBuilder &builder, mlir::Operation *op,
                              mlir::arith::CmpIPredicate predicate,
                              mlir::Value left, mlir::Value right,
                              const llvm::Twine &message);

  mlir::func::FuncOp function;
  Sizes sizes;

private:
  Memory &add(Memory::Kind kind, std::string name, mlir::Location loc,
              llvm::ArrayRef<int64_t> shape, mlir::Type elementType);
  Memory &addBuffer(mlir::Location loc, llvm::StringRef name,
                    mlir::Type elementType, llvm::ArrayRef<Extent> extents);
  mlir::LogicalResult addArgument(unsigned index, bool hasOneSelection);
  mlir::LogicalResult addResult(mlir::OpOperand &operand, Memory &memory,
                                mlir::StringAttr given, std::string name);
  /// The name that the program gives, or else `name`, made unique.
  std::string chooseName(mlir::StringAttr given, std::string name);

  llvm::SmallVector<std::unique_ptr<Memory>> all;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Memory *, 2>> memories;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<Memory *, 2>> scratch;
  llvm::StringSet<> names;
  llvm::StringSet<> requirements;
};

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_ENTRY_H

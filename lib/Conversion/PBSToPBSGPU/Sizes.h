// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sizes of one entry: which extents must agree, and what they are called.

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_SIZES_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_SIZES_H

#include "mlir/IR/Builders.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringSet.h"

#include <optional>
#include <string>

namespace pbs {

/// One extent of a value. Extents that were joined are the same size.
using Extent = unsigned;

class Sizes {
public:
  /// A new extent of `size` elements, which may be dynamic.
  Extent add(int64_t size);

  /// Says that `a` and `b` agree; fails if both are known to differ.
  llvm::LogicalResult join(Extent a, Extent b);

  /// Says that `blocks` is ceil(length / block).
  void setBlocks(Extent blocks, Extent length, int64_t block);

  /// A new extent of the smaller of `other` and `limit`.
  Extent addLimited(Extent other, int64_t limit);

  /// Suggests a name for a dynamic size; the first suggestion stands.
  void suggestName(Extent extent, llvm::StringRef name);

  /// Computes what `setBlocks` says of static lengths, to be called once no
  /// extent is added or joined any more. Says which size contradicts it or
  /// depends on itself, if one does.
  std::string resolve();

  /// Elements, or dynamic.
  int64_t getStatic(Extent extent) const;

  /// What messages call the size: its name or its value.
  std::string describe(Extent extent);

  /// What a plan's `contents` call the size: its name or its value.
  mlir::Attribute getAttribute(mlir::Builder &builder, Extent extent);

  /// The size as an index in the plan. Creates what it needs where `builder`
  /// stands, at the first request.
  mlir::Value materialize(mlir::OpBuilder &builder, mlir::Location loc,
                          Extent extent);

  /// The conditions that `setBlocks` leaves to the launcher.
  void emitRequirements(mlir::OpBuilder &builder, mlir::Location loc);

private:
  struct Size {
    Extent parent;
    int64_t value;
    std::string name;
    mlir::Value materialized;
  };
  struct Blocks {
    Extent blocks, length;
    int64_t block;
    /// Whether `blocks` is computed from `length`, and not compared with it.
    bool defines = false;
  };
  struct Limited {
    Extent extent, other;
    int64_t limit;
  };

  /// How a size is computed from another one.
  struct Formula {
    enum Kind { CeilDiv, Min } kind;
    Extent source;
    int64_t constant;
  };

  /// The size's formula, if it is neither known nor bound by an argument.
  std::optional<Formula> getFormula(Extent extent) const;
  /// The formulas that lead from the size back to it, if they do.
  std::string describeCycle(Extent start);
  Extent find(Extent extent) const;
  llvm::StringRef getName(Extent extent);

  llvm::SmallVector<Size> sizes;
  llvm::SmallVector<Blocks> blocks;
  llvm::SmallVector<Limited> limited;
  llvm::StringSet<> names;
};

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_SIZES_H

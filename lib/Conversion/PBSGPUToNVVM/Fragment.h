// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fragments as the registers of one lane.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_FRAGMENT_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_FRAGMENT_H

#include "mlir/IR/Builders.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbs::nvvm {

/// The part of a fragment that one lane holds (PTX ISA, "Matrix Fragments for
/// mma.m16n8k16"). Elements are numbered by (16-row step, 8-column step,
/// register), a fragment of one column by (16-row step, upper or lower half).
struct FragmentGeometry {
  explicit FragmentGeometry(pbsgpu::FragmentType type)
      : rowsOfWarp(type.getRows() / type.getWarps()),
        rowSteps(rowsOfWarp / pbsgpu::mmaRows),
        columnSteps(type.getColumns() / pbsgpu::mmaColumns),
        oneColumn(type.getColumns() <= pbsgpu::lanesOfRow),
        perLane(type.getColumns() == pbsgpu::lanesOfRow) {}

  int64_t rowsOfWarp;
  int64_t rowSteps;
  int64_t columnSteps; ///< of 8 columns; 0 if a lane holds one only
  bool oneColumn;      ///< a lane holds one element of each row
  bool perLane; ///< which is its own, not the same as the row's other lanes'

  /// Rows of which a lane holds elements.
  int64_t numRows() const { return rowSteps * 2; }
  /// Elements of an accumulator that a lane holds.
  int64_t numElements() const {
    return oneColumn ? numRows() : rowSteps * columnSteps * 4;
  }
  /// Number of the element in the given step and register.
  int64_t element(int64_t rowStep, int64_t columnStep, int64_t reg) const {
    return (rowStep * columnSteps + columnStep) * 4 + reg;
  }
  /// Which of the lane's rows holds the element.
  int64_t rowOf(int64_t element) const {
    return oneColumn ? element
                     : element / (columnSteps * 4) * 2 + element % 4 / 2;
  }
  /// The row of the warp's share, relative to the lane's first row.
  static int64_t rowOffset(int64_t row) {
    return row / 2 * pbsgpu::mmaRows + row % 2 * 8;
  }
  /// The element's column, relative to the lane's first column.
  int64_t columnOffset(int64_t element) const {
    return oneColumn
               ? 0
               : element / 4 % columnSteps * pbsgpu::mmaColumns + element % 2;
  }
};

/// The elements of a fragment's vector. Finds the values that `packVector` was
/// given where the vector was made by it.
llvm::SmallVector<mlir::Value>
unpackVector(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value vector);
/// A vector of the given elements.
mlir::Value packVector(mlir::OpBuilder &builder, mlir::Location loc,
                       llvm::ArrayRef<mlir::Value> elements);
/// Two f32 rounded to nearest even in one i32, the first in the lower half.
mlir::Value packPair(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Type elementType, mlir::Value low, mlir::Value high);

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_FRAGMENT_H

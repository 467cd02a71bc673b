// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parts of a tile as ldmatrix and stmatrix take them: four matrices of 8 rows
// and 16 bytes.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_TILEPARTS_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_TILEPARTS_H

#include "ThreadBuilder.h"

#include <array>

namespace pbs::nvvm {

/// Where the 16-byte chunk of a row stands in a tile.
mlir::Value swizzledOffset(ThreadBuilder &thread, pbsgpu::TileType type,
                           mlir::Value row, mlir::Value chunk);

/// Which of the four matrices lies where in a part of 16 rows and 16 columns.
enum class MatrixOrder {
  RowsFirst,    ///< the second matrix is 8 rows below the first
  ColumnsFirst, ///< the second matrix is a chunk beside the first
};

/// Addresses in a tile; lane l points to row l % 8 of matrix l / 8.
class TileParts {
public:
  TileParts(ThreadBuilder &thread, pbsgpu::TileType type, mlir::Value tile,
            MatrixOrder order, mlir::Value firstRow = {});

  /// The address of the part at the given row and column, multiples of 16.
  mlir::Value at(int64_t row, int64_t column);

private:
  ThreadBuilder &thread;
  pbsgpu::TileType type;
  mlir::Value tile;
  mlir::Value rowOffset;
  mlir::Value chunk;
  /// By chunk of the panel.
  std::array<mlir::Value, chunksPerPanel> addresses = {};
};

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_TILEPARTS_H

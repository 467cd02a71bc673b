// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Matrix.h"

#include <algorithm>
#include <vector>

using namespace pbs::reference;

// A tile of C stays in registers while the loop runs through the depth.
static constexpr int64_t tileRows = 4, tileColumns = 4;

/// The product of \p rows rows of A (at most tileRows, constant where the
/// compiler is to use vector registers) and a panel of B, depth x tileColumns.
static inline void multiplyTile(const double *a, const double *panel, double *c,
                                int64_t rows, int64_t depth, int64_t columns,
                                int64_t width) {
  double sums[tileRows][tileColumns] = {};
  for (int64_t d = 0; d < depth; ++d)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < tileColumns; ++column)
        sums[row][column] +=
            a[row * depth + d] * panel[d * tileColumns + column];
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(sums[row], width, c + row * columns);
}

/// Copies B's columns to a panel at a time, so that the inner loop reads both
/// operands in the order of memory. Element (d, column) of B is
/// b[d * depthStride + column * columnStride].
static void multiplyPanels(const double *a, const double *b,
                           int64_t depthStride, int64_t columnStride, double *c,
                           int64_t rows, int64_t depth, int64_t columns) {
  std::vector<double> panel(depth * tileColumns);
  for (int64_t column = 0; column < columns; column += tileColumns) {
    int64_t width = std::min(tileColumns, columns - column);
    for (int64_t d = 0; d < depth; ++d)
      for (int64_t j = 0; j < width; ++j)
        panel[d * tileColumns + j] =
            b[d * depthStride + (column + j) * columnStride];
    int64_t row = 0;
    for (; row + tileRows <= rows; row += tileRows)
      multiplyTile(a + row * depth, panel.data(), c + row * columns + column,
                   tileRows, depth, columns, width);
    if (row < rows)
      multiplyTile(a + row * depth, panel.data(), c + row * columns + column,
                   rows - row, depth, columns, width);
  }
}

void pbs::reference::multiply(const double *a, const double *b, double *c,
                              int64_t rows, int64_t depth, int64_t columns) {
  multiplyPanels(a, b, columns, 1, c, rows, depth, columns);
}

void pbs::reference::multiplyTransposed(const double *a, const double *b,
                                        double *c, int64_t rows, int64_t depth,
                                        int64_t columns) {
  multiplyPanels(a, b, 1, depth, c, rows, depth, columns);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The running maximum and sum of a softmax over key tiles, as in FlashAttention
// (arXiv 2205.14135, algorithm 1).

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_ONLINESOFTMAX_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_ONLINESOFTMAX_H

#include "KernelBuilder.h"

namespace pbs {

class OnlineSoftmax {
public:
  /// Of `rows` rows and `columns` keys at once. `scale2` makes a score, of
  /// which the maximum is kept as it is, an exponent of 2; it is above 0.
  OnlineSoftmax(KernelBuilder &k, int64_t rows, int64_t columns, double scale2)
      : k(k), scores(k.accumulator(rows, columns)),
        column(k.accumulator(rows, 1)),
        lanes(k.accumulator(rows, pbsgpu::lanesOfRow)), scale2(scale2) {}

  /// Of each row, what has been seen yet.
  struct State {
    mlir::Value maximum;
    /// Sums of the exponentials, less the maximum's, that each of a row's lanes
    /// holds.
    mlir::Value sums;
  };
  /// Nothing.
  State begin();

  struct Step {
    State state;
    /// What sums over earlier tiles are multiplied with; 0 for the first one.
    mlir::Value rescale;
    /// The exponentials of this tile.
    mlir::Value weights;
  };
  /// Takes in a tile of scores, -inf where a row does not attend a key.
  Step add(State state, mlir::Value tile);

  /// The sum of the exponentials of each row.
  mlir::Value total(State state);

  /// `factor` times log2 of the exponentials' sum; -inf for a row without keys.
  mlir::Value logSum(State state, double factor);

  mlir::Value broadcast(pbsgpu::FragmentType type, mlir::Value rows);

  KernelBuilder &k;
  const pbsgpu::FragmentType scores, column, lanes;

private:
  mlir::Value shift(mlir::Value maximum);

  double scale2;
};

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_ONLINESOFTMAX_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "OnlineSoftmax.h"

#include <algorithm>
#include <limits>

using namespace mlir;
using namespace pbs;
using namespace pbsgpu;

using Predicate = KernelBuilder::Predicate;

OnlineSoftmax::State OnlineSoftmax::begin() {
  return {k.splat(column, k.negativeInfinity()), k.splat(lanes, k.real(0))};
}

Value OnlineSoftmax::broadcast(FragmentType type, Value rows) {
  return RowBroadcastOp::create(k.b, type, rows);
}

/// What makes the largest exponent of a row 0: -maximum * scale2, and something
/// finite for a row without keys, whose exponents are all -inf. A maximum and
/// no selection: behind one, ptxas leaves half as much of the softmax beside
/// the product that runs.
Value OnlineSoftmax::shift(Value maximum) {
  double least = -std::numeric_limits<float>::max() / std::max(scale2, 1.0);
  return k.map(column, maximum, [&](ValueRange x, Value, Value) {
    return k.mulF(k.max(x[0], k.real(least)), k.real(-scale2));
  });
}

OnlineSoftmax::Step OnlineSoftmax::add(State state, Value tile) {
  auto exponential = [&](ValueRange x, Value, Value) {
    return k.exp2(k.fma(x[0], k.real(scale2), x[1]));
  };
  Value tileMaximum = RowReduceOp::create(k.b, column, Reduction::Max, tile);
  Value maximum =
      k.map(column, {state.maximum, tileMaximum},
            [&](ValueRange x, Value, Value) { return k.max(x[0], x[1]); });
  Value shifted = shift(maximum);
  Value rescale = k.map(column, {state.maximum, shifted}, exponential);
  Value weights =
      k.map(scores, {tile, broadcast(scores, shifted)}, exponential);
  // The lanes of a row add up what they have once, at the end.
  Value tileSums = RowReduceOp::create(k.b, lanes, Reduction::Sum, weights);
  Value sums = k.map(
      lanes, {state.sums, broadcast(lanes, rescale), tileSums},
      [&](ValueRange x, Value, Value) { return k.fma(x[0], x[1], x[2]); });
  return {{maximum, sums}, rescale, weights};
}

Value OnlineSoftmax::total(State state) {
  return RowReduceOp::create(k.b, column, Reduction::Sum, state.sums);
}

Value OnlineSoftmax::logSum(State state, double factor) {
  Value shifted = shift(state.maximum);
  return k.map(column, {total(state), shifted},
               [&](ValueRange x, Value, Value) {
                 Value isEmpty = k.compare(Predicate::eq, x[0], k.real(0));
                 Value sum = k.subF(k.log2(x[0]), x[1]);
                 if (factor != 1)
                   sum = k.mulF(sum, k.real(factor));
                 return k.select(isEmpty, k.negativeInfinity(), sum);
               });
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "OnlineSoftmax.h"

using namespace mlir;
using namespace pbs;
using namespace pbsgpu;

using Predicate = KernelBuilder::Predicate;

OnlineSoftmax::State OnlineSoftmax::begin() {
  return {k.splat(column, k.negativeInfinity()), k.splat(column, k.real(0))};
}

Value OnlineSoftmax::broadcast(FragmentType type, Value rows) {
  return RowBroadcastOp::create(k.b, type, rows);
}

/// What makes the largest exponent of a row 0: -maximum * scale2, or 0 for a
/// row without keys, whose exponents are all -inf.
Value OnlineSoftmax::shift(Value maximum) {
  return k.map(column, maximum, [&](ValueRange x, Value, Value) {
    Value isEmpty = k.compare(Predicate::eq, x[0], k.negativeInfinity());
    return k.select(isEmpty, k.real(0), k.mulF(x[0], k.real(-scale2)));
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
  Value tileSum = RowReduceOp::create(k.b, column, Reduction::Sum, weights);
  Value sum = k.map(
      column, {state.sum, rescale, tileSum},
      [&](ValueRange x, Value, Value) { return k.fma(x[0], x[1], x[2]); });
  return {{maximum, sum}, rescale, weights};
}

Value OnlineSoftmax::logSum(State state, double factor) {
  Value shifted = shift(state.maximum);
  return k.map(column, {state.sum, shifted}, [&](ValueRange x, Value, Value) {
    Value isEmpty = k.compare(Predicate::eq, x[0], k.real(0));
    Value sum = k.subF(k.log2(x[0]), x[1]);
    if (factor != 1)
      sum = k.mulF(sum, k.real(factor));
    return k.select(isEmpty, k.negativeInfinity(), sum);
  });
}

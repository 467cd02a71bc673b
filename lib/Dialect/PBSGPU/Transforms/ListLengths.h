// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many blocks a row of a selection lists.

#ifndef PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_LISTLENGTHS_H
#define PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_LISTLENGTHS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace pbsgpu {

/// The numbers of whole and of masked blocks in the row `place` (batch, head,
/// query block) of `counts`, as index. Nobody may have checked a count in
/// device memory: together they are no more than `capacity`, the places of a
/// row.
inline std::pair<mlir::Value, mlir::Value>
loadListLengths(mlir::ImplicitLocOpBuilder &b, mlir::Value counts,
                mlir::ValueRange place, mlir::Value capacity) {
  using namespace mlir;
  Value zero = arith::ConstantIndexOp::create(b, 0);
  auto load = [&](int64_t part, Value most) -> Value {
    SmallVector<Value> indices(place);
    indices.push_back(arith::ConstantIndexOp::create(b, part));
    Value count = memref::LoadOp::create(b, counts, indices);
    count = arith::IndexCastOp::create(b, b.getIndexType(), count);
    return arith::MinSIOp::create(b, arith::MaxSIOp::create(b, count, zero),
                                  most);
  };
  Value whole = load(0, capacity);
  Value masked = load(1, arith::SubIOp::create(b, capacity, whole));
  return {whole, masked};
}

} // namespace pbsgpu

#endif // PBS_LIB_DIALECT_PBSGPU_TRANSFORMS_LISTLENGTHS_H

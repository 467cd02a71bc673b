// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs.pool: a CTA for each block, whose threads take 8 columns of some rows.

#include "Stages.h"
#include "pbs/Analysis/KernelSizes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace pbs;

using Predicate = KernelBuilder::Predicate;

LogicalResult pbs::analyse(PoolOp op, Entry &entry) {
  Memory &source = entry.get(op.getSource());
  Extent heads = source.extents[1];
  if (op.getPermutation()) {
    Memory &permutation = entry.get(op.getPermutation());
    if (failed(entry.join(op, source, 0, permutation, 0)) ||
        failed(entry.join(op, source, 2, permutation, 2)))
      return failure();
    heads = permutation.extents[1];
  }
  Extent blocks = entry.sizes.add(ShapedType::kDynamic);
  entry.sizes.setBlocks(blocks, source.extents[2], op.getBlock());
  entry.addResult(op.getResult(), "pooled",
                  {source.extents[0], heads, blocks, source.extents[3]});
  return success();
}

namespace {
/// The permutation may be null.
struct PoolParameters {
  Value source, permutation, pooled;
  bool isPermutationGiven = false;
};

/// The kernel of one pbs.pool.
class PoolKernel {
public:
  PoolKernel(PoolOp op, KernelBuilder &k, const PoolParameters &parameters)
      : op(op), k(k), parameters(parameters) {
    type = getTensorType(op.getSource());
    headDim = type.getDimSize(3);
    groups = k.getThreads() / (headDim / columnsOfThread);
    f32Columns = VectorType::get(columnsOfThread, k.b.getF32Type());
  }

  void build();

private:
  /// Columns that a thread takes, of 16 bits each.
  static constexpr int64_t columnsOfThread = bytesOfLoad / 2;

  Value poolRows(ValueRange head, Value begin, Value end, Value column);
  Value combine(Value a, Value b);

  bool isMean() { return op.getKind() == PoolingKind::Mean; }
  /// What combining begins with.
  double neutral() {
    return isMean() ? 0 : -std::numeric_limits<double>::infinity();
  }

  PoolOp op;
  KernelBuilder &k;
  PoolParameters parameters;
  RankedTensorType type;
  /// Threads that share the rows of a column.
  int64_t headDim, groups;
  VectorType f32Columns;
  Value batch, head;
};
} // namespace

/// Of scalars or vectors. A maximum keeps NaN.
Value PoolKernel::combine(Value a, Value b) {
  if (isMean())
    return arith::AddFOp::create(k.b, a, b);
  return arith::MaximumFOp::create(k.b, a, b);
}

/// What the rows from `begin` on, a thread group apart, come to in the thread's
/// columns.
Value PoolKernel::poolRows(ValueRange sourceHead, Value begin, Value end,
                           Value column) {
  Value initial = arith::ConstantOp::create(
      k.b, DenseElementsAttr::get(f32Columns, static_cast<float>(neutral())));
  Value last = parameters.isPermutationGiven
                   ? k.sub(k.dim(parameters.source, 2), k.index(1))
                   : Value();
  auto vector = VectorType::get(columnsOfThread, type.getElementType());
  return k
      .loop(begin, end, k.index(groups), initial,
            [&](Value row, ValueRange carried) -> SmallVector<Value> {
              if (parameters.permutation)
                row =
                    k.loadRow(parameters.permutation, {batch, head, row}, last);
              SmallVector<Value> place(sourceHead);
              place.append({row, column});
              Value part = vector::LoadOp::create(
                  k.b, vector, parameters.source, place,
                  /*nontemporal=*/false, llvm::Align(bytesOfLoad));
              Value wide = arith::ExtFOp::create(k.b, f32Columns, part);
              return {combine(carried[0], wide)};
            })
      .front();
}

void PoolKernel::build() {
  Value block = k.blockId(gpu::Dimension::x);
  head = k.blockId(gpu::Dimension::y);
  batch = k.blockId(gpu::Dimension::z);
  int64_t heads = op.getResult().getType().getDimSize(1);
  Value sourceHead = k.div(head, heads / type.getDimSize(1));
  Value first = k.mul(block, k.index(op.getBlock()));
  Value end =
      k.min(k.add(first, k.index(op.getBlock())), k.dim(parameters.source, 2));

  int64_t threadsOfRow = headDim / columnsOfThread;
  Value group = k.div(k.thread(), threadsOfRow);
  Value column =
      k.mul(k.rem(k.thread(), threadsOfRow), k.index(columnsOfThread));
  Value part = poolRows({batch, sourceHead}, k.add(first, group), end, column);

  Value parts = k.shared(groups * headDim, k.b.getF32Type());
  Value place = k.add(k.mul(group, k.index(headDim)), column);
  for (int64_t i = 0; i < columnsOfThread; ++i)
    k.store(vector::ExtractOp::create(k.b, part, i), parts,
            {k.add(place, k.index(i))});
  k.barrier();
  k.when(k.compare(Predicate::slt, k.thread(), k.index(headDim)), [&] {
    Value pooled =
        k.loop(k.index(0), k.index(groups), k.index(1), k.real(neutral()),
               [&](Value i, ValueRange carried) -> SmallVector<Value> {
                 Value at = k.add(k.mul(i, k.index(headDim)), k.thread());
                 return {combine(carried[0], k.load(parts, {at}))};
               })
            .front();
    // Of the full block, even where the block is short.
    if (isMean())
      pooled = k.mulF(pooled, k.real(1.0 / static_cast<double>(op.getBlock())));
    k.store(pooled, parameters.pooled, {batch, head, block, k.thread()});
  });
}

LogicalResult pbs::emit(PoolOp op, Emitter &emitter) {
  Location loc = op.getLoc();
  Entry &entry = emitter.entry;
  Memory &result = entry.get(op.getResult());
  int64_t heads = op.getResult().getType().getDimSize(1);
  if (failed(requireGrid(emitter, op, result.extents[0], heads)))
    return failure();
  KernelBuilder k(emitter, loc, "pool", /*warps=*/8);
  PoolParameters parameters;
  parameters.source = k.parameter("source", entry.get(op.getSource()).value);
  if (op.getPermutation()) {
    Memory &permutation = entry.get(op.getPermutation());
    parameters.permutation = k.parameter("permutation", permutation.value);
    parameters.isPermutationGiven = permutation.isGiven();
  }
  parameters.pooled = k.parameter("pooled", result.value);
  PoolKernel(op, k, parameters).build();
  k.launch(emitter.size(loc, result.extents[2]), emitter.constant(loc, heads),
           emitter.size(loc, result.extents[0]));
  return success();
}

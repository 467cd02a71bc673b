// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sizes, the requirements and the launch of pbs.attention.

#include "Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace pbs;

/// CTAs of a grid in y and in z, at most (CUDA programming guide, "Compute
/// Capabilities").
static constexpr int64_t maxGridYZ = 65535;

/// The lists of `op`'s selection.
static Memory &getCounts(AttentionOp op, Entry &entry) {
  return entry.get(op.getSelection(), 0);
}
static Memory &getIndices(AttentionOp op, Entry &entry) {
  return entry.get(op.getSelection(), 1);
}

LogicalResult pbs::addAttention(AttentionOp op, Entry &entry) {
  Memory &query = entry.get(op.getQuery());
  Memory &key = entry.get(op.getKey());
  Memory &value = entry.get(op.getValue());
  Memory &counts = getCounts(op, entry);
  Memory &indices = getIndices(op, entry);

  Sizes &sizes = entry.sizes;
  sizes.suggestName(query.extents[0], "B");
  sizes.suggestName(query.extents[2], "Nq");
  sizes.suggestName(key.extents[2], "Nkv");
  sizes.suggestName(indices.extents[3], "C");
  auto join = [&](Memory &a, unsigned aDim, Memory &b, unsigned bDim) {
    return entry.join(op, a, aDim, b, bDim);
  };
  if (failed(join(query, 0, key, 0)) || failed(join(query, 0, value, 0)) ||
      failed(join(key, 2, value, 2)) || failed(join(counts, 0, query, 0)) ||
      failed(join(counts, 1, query, 1)) || failed(join(indices, 0, query, 0)) ||
      failed(join(indices, 1, query, 1)) || failed(join(indices, 2, counts, 2)))
    return failure();
  if (op.getPermutation()) {
    Memory &permutation = entry.get(op.getPermutation());
    if (failed(join(permutation, 0, query, 0)) ||
        failed(join(permutation, 2, key, 2)))
      return failure();
  }
  sizes.setBlocks(counts.extents[2], query.extents[2],
                  op.getSelection().getType().getQueryBlock());

  entry.addResult(op.getOutput(), "output", query.extents);
  if (!op.getLogSumExp().use_empty())
    entry.addResult(op.getLogSumExp(), "log_sum_exp",
                    ArrayRef(query.extents).drop_back());
  return success();
}

LogicalResult pbs::describeAttention(AttentionOp op, Entry &entry) {
  Builder builder(op.getContext());
  Memory &counts = getCounts(op, entry);
  Memory &indices = getIndices(op, entry);
  SelectionType selection = op.getSelection().getType();
  auto named = [&](StringRef name, Attribute attribute) {
    return builder.getNamedAttr(name, attribute);
  };
  Extent queryLength = entry.get(op.getQuery()).extents[2];
  Extent keyLength = entry.get(op.getKey()).extents[2];
  SmallVector<NamedAttribute> contents = {
      named("kind", builder.getStringAttr("selection_counts")),
      named("indices", builder.getStringAttr(indices.name)),
      named("query_block",
            builder.getI64IntegerAttr(selection.getQueryBlock())),
      named("key_block", builder.getI64IntegerAttr(selection.getKeyBlock())),
      named("query_length", entry.sizes.getAttribute(builder, queryLength)),
      named("key_length", entry.sizes.getAttribute(builder, keyLength)),
      named("causal", builder.getBoolAttr(op.getCausal()))};
  if (op.getWindow())
    contents.push_back(named("window", op.getWindowAttr()));
  if (op.getPermutation())
    contents.push_back(
        named("permutation",
              builder.getStringAttr(entry.get(op.getPermutation()).name)));
  if (failed(
          entry.setContents(op, counts, builder.getDictionaryAttr(contents))))
    return failure();
  return entry.setContents(
      op, indices,
      builder.getDictionaryAttr(
          {named("kind", builder.getStringAttr("selection_indices")),
           named("counts", builder.getStringAttr(counts.name))}));
}

/// The launcher's share of what the kernel relies on.
static LogicalResult emitRequirements(AttentionOp op, Entry &entry,
                                      OpBuilder &plan) {
  Location loc = op.getLoc();
  auto size = [&](Extent extent) {
    return entry.sizes.materialize(plan, loc, extent);
  };
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(plan, loc, value);
  };
  Extent batch = entry.get(op.getQuery()).extents[0];
  Extent queryLength = entry.get(op.getQuery()).extents[2];
  Extent keyLength = entry.get(op.getKey()).extents[2];
  int64_t maxKeys = maxKeyBlocks * op.getSelection().getType().getKeyBlock();
  auto requireAtMost = [&](Extent extent, Value limit, const Twine &what) {
    return entry.require(plan, op, arith::CmpIPredicate::sle, size(extent),
                         limit,
                         entry.sizes.describe(extent) + " is at most " + what);
  };
  if (failed(requireAtMost(queryLength, size(keyLength),
                           entry.sizes.describe(keyLength))) ||
      failed(requireAtMost(keyLength, constant(maxKeys),
                           Twine(maxKeys) + ", " + Twine(maxKeyBlocks) +
                               " key blocks")) ||
      failed(requireAtMost(batch, constant(maxGridYZ), Twine(maxGridYZ))))
    return failure();
  int64_t heads = op.getQuery().getType().getDimSize(1);
  if (heads > maxGridYZ)
    return op.emitError("has ")
           << heads << " query heads, but a grid at most " << maxGridYZ;
  return success();
}

LogicalResult pbs::emitAttention(AttentionOp op, Entry &entry,
                                 AttentionTiling tiling, OpBuilder &plan,
                                 gpu::GPUModuleOp kernels, StringRef name) {
  // Kernels multiply by log2(e) too, which must not reach infinity.
  double scale = op.getScale().convertToDouble();
  if (!std::isnormal(static_cast<float>(scale)) ||
      !std::isnormal(static_cast<float>(scale * llvm::numbers::log2e)))
    return op.emitError("scale (")
           << scale
           << ") must be a normal number in f32, in which kernels compute, and "
              "so must its product with log2(e)";
  if (failed(emitRequirements(op, entry, plan)))
    return failure();
  // A tile lies in one key block, and a warp has at least one step of the
  // matrix instructions.
  SelectionType selection = op.getSelection().getType();
  tiling.keyTile = std::min(tiling.keyTile, selection.getKeyBlock());
  tiling.warps =
      std::min(tiling.warps, selection.getQueryBlock() / pbsgpu::mmaRows);

  SmallVector<Value> arguments = {entry.get(op.getQuery()).value,
                                  entry.get(op.getKey()).value,
                                  entry.get(op.getValue()).value};
  if (op.getPermutation())
    arguments.push_back(entry.get(op.getPermutation()).value);
  arguments.push_back(getCounts(op, entry).value);
  arguments.push_back(getIndices(op, entry).value);
  arguments.push_back(entry.get(op.getOutput()).value);
  if (!op.getLogSumExp().use_empty())
    arguments.push_back(entry.get(op.getLogSumExp()).value);

  OpBuilder builder = OpBuilder::atBlockEnd(kernels.getBody());
  pbsgpu::KernelOp kernel =
      buildAttentionKernel(op, tiling, builder, name,
                           llvm::to_vector(ValueRange(arguments).getTypes()));

  Location loc = op.getLoc();
  Memory &query = entry.get(op.getQuery());
  Memory &counts = getCounts(op, entry);
  Value queryBlocks = entry.sizes.materialize(plan, loc, counts.extents[2]);
  Value heads = entry.sizes.materialize(plan, loc, query.extents[1]);
  Value batch = entry.sizes.materialize(plan, loc, query.extents[0]);
  auto symbol = SymbolRefAttr::get(kernels.getSymNameAttr(),
                                   {FlatSymbolRefAttr::get(kernel)});
  pbsgpu::LaunchOp::create(plan, loc, symbol, queryBlocks, heads, batch,
                           tiling.warps * pbsgpu::warpSize,
                           /*sharedBytes=*/IntegerAttr(), /*guard=*/Value(),
                           arguments);
  return success();
}

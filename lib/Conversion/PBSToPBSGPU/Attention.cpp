// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sizes, the requirements and the launch of pbs.attention.

#include "Attention.h"
#include "Stages.h"
#include "pbs/Analysis/Schedule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <optional>

using namespace mlir;
using namespace pbs;

/// The lists of `op`'s selection.
static Memory &getCounts(AttentionOp op, Entry &entry) {
  return entry.get(op.getSelection(), 0);
}
static Memory &getIndices(AttentionOp op, Entry &entry) {
  return entry.get(op.getSelection(), 1);
}

/// Joins the lengths of `op` with those that its selection was made for, where
/// the operation that makes it shows them.
static LogicalResult joinLengths(AttentionOp op, Entry &entry) {
  Operation *maker = op.getSelection().getDefiningOp();
  if (!maker)
    return success();
  return llvm::TypeSwitch<Operation *, LogicalResult>(maker)
      .Case<SelectOp, FullSelectionOp, SelectionFromMaskOp>([&](auto select) {
        FailureOr<Extent> queries =
            entry.getExtent(select, select.getQueryLength());
        FailureOr<Extent> keys = entry.getExtent(select, select.getKeyLength());
        if (failed(queries) || failed(keys) ||
            failed(entry.join(op, entry.get(op.getQuery()).extents[2], *queries,
                              "the query lengths of attention and lists")))
          return failure();
        return entry.join(op, entry.get(op.getKey()).extents[2], *keys,
                          "the key lengths of attention and lists");
      })
      .Default([](Operation *) { return success(); });
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
      failed(join(indices, 1, query, 1)) ||
      failed(join(indices, 2, counts, 2)) || failed(joinLengths(op, entry)))
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
  // What kernels compute in between nobody can check.
  if (counts.kind == Memory::Kind::Buffer)
    return success();
  if (op.getPermutation()) {
    Memory &permutation = entry.get(op.getPermutation());
    if (permutation.kind == Memory::Kind::Buffer)
      return success();
    contents.push_back(
        named("permutation", builder.getStringAttr(permutation.name)));
  }
  if (failed(
          entry.setContents(op, counts, builder.getDictionaryAttr(contents))))
    return failure();
  return entry.setContents(
      op, indices,
      builder.getDictionaryAttr(
          {named("kind", builder.getStringAttr("selection_indices")),
           named("counts", builder.getStringAttr(counts.name))}));
}

/// How many blocks of a query block may need an element mask, if its data does
/// not matter: those of its own segments, and those in which the window or the
/// keys end.
static std::optional<int64_t> getMostMaskedBlocks(AttentionOp op) {
  SelectionType selection = op.getSelection().getType();
  int64_t queryBlock = selection.getQueryBlock();
  int64_t keyBlock = selection.getKeyBlock();
  if (op.getWindow())
    return std::nullopt;
  if (!op.getCausal())
    return 1;
  int64_t segment = op.getPermutation()
                        ? op.getPermutation().getType().getSegment()
                        : keyBlock;
  return (llvm::divideCeil(queryBlock - 1, segment) + 1) * (segment / keyBlock);
}

static AttentionParameters addParameters(AttentionOp op, Entry &entry,
                                         KernelBuilder &k) {
  auto add = [&](StringRef name, Value tensor) {
    return k.parameter(name, tensor ? entry.get(tensor).value : Value());
  };
  AttentionParameters result;
  result.query = add("query", op.getQuery());
  result.key = add("key", op.getKey());
  result.value = add("value", op.getValue());
  result.permutation = add("permutation", op.getPermutation());
  result.counts = k.parameter("counts", getCounts(op, entry).value);
  result.indices = k.parameter("indices", getIndices(op, entry).value);
  for (auto [index, scalar] : llvm::enumerate(op.getScalars()))
    result.scalars.push_back(add("scalar" + std::to_string(index), scalar));
  result.output = add("output", op.getOutput());
  if (!op.getLogSumExp().use_empty())
    result.logSumExp = add("log_sum_exp", op.getLogSumExp());
  return result;
}

LogicalResult pbs::emitAttention(AttentionOp op, Emitter &emitter,
                                 const Chip &chip) {
  Location loc = op.getLoc();
  Entry &entry = emitter.entry;
  Memory &query = entry.get(op.getQuery());
  Memory &key = entry.get(op.getKey());
  Memory &counts = getCounts(op, entry);
  SelectionType selection = op.getSelection().getType();
  int64_t heads = op.getQuery().getType().getDimSize(1);
  if (failed(requireScale(op, op.getScale())) ||
      failed(requireLengths(emitter, op, query.extents[2], key.extents[2],
                            selection.getKeyBlock())) ||
      failed(requireGrid(emitter, op, query.extents[0], heads)))
    return failure();

  pbsgpu::ScheduleAttr schedule = getSchedule(op, chip);
  if (failed(verifySchedule(op, schedule)))
    return failure();
  KernelBuilder k(emitter, loc, "attention", schedule.getWarps());
  k.setSchedule(schedule);
  buildAttentionKernel(op, schedule.getKeyTile(), k,
                       addParameters(op, entry, k));
  k.launch(emitter.size(loc, counts.extents[2]),
           emitter.size(loc, query.extents[1]),
           emitter.size(loc, query.extents[0]));
  {
    auto report =
        remark::passed(loc, remark::RemarkOpts::name("AttentionConverted")
                                .category("convert-pbs-to-pbsgpu")
                                .function(entry.function.getSymName()));
    report << remark::metric("Gathers", op.gathers() ? "true" : "false")
           << remark::metric("KeyTile", schedule.getKeyTile())
           << remark::metric("Warps", schedule.getWarps());
    if (std::optional<int64_t> most = getMostMaskedBlocks(op))
      report << remark::metric("MaskedBlocksAtMost", *most);
  }
  return success();
}

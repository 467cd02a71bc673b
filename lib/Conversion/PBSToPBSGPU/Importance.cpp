// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs.importance in two kernels. The first sums the exponentials of each query
// over chunks of keys; the second multiplies again, with keys as rows, so that
// the mean over the queries is the sum of a row. No score leaves its CTA.

#include "OnlineSoftmax.h"
#include "Stages.h"
#include "pbs/Analysis/KernelSizes.h"

using namespace mlir;
using namespace pbs;
using namespace pbsgpu;

using Kind = KernelBuilder::Kind;
using Predicate = KernelBuilder::Predicate;

LogicalResult pbs::analyse(ImportanceOp op, Entry &entry) {
  Memory &query = entry.get(op.getQuery());
  Memory &key = entry.get(op.getKey());
  entry.sizes.suggestName(query.extents[0], "B");
  entry.sizes.suggestName(query.extents[2], "Nq");
  entry.sizes.suggestName(key.extents[2], "Nkv");
  if (failed(entry.join(op, query, 0, key, 0)))
    return failure();
  auto result = cast<RankedTensorType>(op.getResult().getType());
  entry.addResult(op.getResult(), "importance",
                  {query.extents[0], entry.sizes.add(result.getDimSize(1)),
                   key.extents[2]});
  Extent chunks = entry.sizes.add(ShapedType::kDynamic);
  entry.sizes.setBlocks(chunks, key.extents[2], keysOfImportanceChunk);
  entry.addScratch(op, "log_sums", Float32Type::get(op.getContext()),
                   {query.extents[0], query.extents[1], chunks,
                    entry.sizes.add(op.getQueryBlock())});
  return success();
}

namespace {
/// Only the second kernel has the result.
struct ImportanceParameters {
  Value query, key, logSums, importance;
};

/// What both kernels of one pbs.importance have in common.
class ImportanceKernel {
public:
  ImportanceKernel(ImportanceOp op, KernelBuilder &k,
                   const ImportanceParameters &parameters)
      : op(op), k(k), query(parameters.query), key(parameters.key),
        logSums(parameters.logSums), importance(parameters.importance) {
    queryBlock = op.getQueryBlock();
    queryHeads = op.getQuery().getType().getDimSize(1);
    keyHeads = op.getKey().getType().getDimSize(1);
    headDim = op.getKey().getType().getDimSize(3);
    elementType = op.getKey().getType().getElementType();
    scale2 = op.getScale().convertToDouble() * llvm::numbers::log2e;
    batch = k.blockId(gpu::Dimension::z);
    Value queryLength = k.dim(query, 2), keyLength = k.dim(key, 2);
    rows = k.min(k.index(queryBlock), queryLength);
    firstRow = k.sub(queryLength, rows);
    complete =
        k.mul(k.div(keyLength, op.getSegment()), k.index(op.getSegment()));
    queryTile = k.tile(queryBlock, headDim, elementType);
    keyTile = k.tile(keysOfImportanceTile, headDim, elementType);
  }

  /// log2 of the summed exponentials of each query over a chunk of keys.
  void buildLogSums();
  void buildImportance();

private:
  void copy(Value source, Value head, Value row, Value tile) {
    CopyTileOp::create(k.b, source, ValueRange{batch, head, row}, Value(),
                       ValueRange{}, tile);
  }
  Value product(FragmentType type, Value a, Value bTransposed) {
    return MmaOp::create(k.b, type, a, bTransposed,
                         /*transposed=*/k.b.getUnitAttr(),
                         k.splat(type, k.real(0)));
  }
  void combineLogSums(Value head, Value combined);
  Value buildWeights(Value head, Value combined);

  ImportanceOp op;
  KernelBuilder &k;
  Value query, key, logSums, importance;
  int64_t queryBlock, queryHeads, keyHeads, headDim;
  Type elementType;
  double scale2;
  Value batch;
  /// The queries that count, and their first one.
  Value rows, firstRow;
  /// Keys of complete segments.
  Value complete;
  Value queryTile, keyTile;
};
} // namespace

void ImportanceKernel::buildLogSums() {
  Value chunk = k.blockId(gpu::Dimension::x);
  Value head = k.blockId(gpu::Dimension::y);
  Value keyHead = k.div(head, queryHeads / keyHeads);
  Value begin = k.mul(chunk, k.index(keysOfImportanceChunk));
  Value end = k.min(k.add(begin, k.index(keysOfImportanceChunk)), complete);
  copy(query, head, firstRow, queryTile);

  OnlineSoftmax softmax(k, queryBlock, keysOfImportanceTile, scale2);
  OnlineSoftmax::State state = softmax.begin();
  SmallVector<Value> sums = k.loop(
      begin, end, k.index(keysOfImportanceTile), {state.maximum, state.sums},
      [&](Value first, ValueRange carried) -> SmallVector<Value> {
        copy(key, keyHead, first, keyTile);
        AwaitCopiesOp::create(k.b);
        Value products = product(softmax.scores, queryTile, keyTile);
        Value present = k.toI32(k.sub(end, first));
        Value kept = k.map(
            softmax.scores, products, [&](ValueRange x, Value, Value col) {
              return k.select(k.compare(Predicate::slt, col, present), x[0],
                              k.negativeInfinity());
            });
        state = softmax.add({carried[0], carried[1]}, kept).state;
        // Nobody overwrites the tile before everybody has read it.
        k.barrier();
        return {state.maximum, state.sums};
      });
  StoreFragmentOp::create(k.b, softmax.logSum({sums[0], sums[1]}, 1),
                          /*tile=*/Value(), logSums,
                          ValueRange{batch, head, chunk, k.index(0)});
}

/// Combines the chunks' sums of each query of `head`.
void ImportanceKernel::combineLogSums(Value head, Value combined) {
  Value chunks = k.dim(logSums, 2);
  k.loopOverShare(k.index(queryBlock), [&](Value row) {
    auto at = [&](Value chunk) {
      return k.load(logSums, {batch, head, chunk, row});
    };
    Value maximum =
        k.loop(k.index(0), chunks, k.index(1), k.negativeInfinity(),
               [&](Value chunk, ValueRange carried) -> SmallVector<Value> {
                 return {k.max(carried[0], at(chunk))};
               })
            .front();
    Value sum =
        k.loop(k.index(0), chunks, k.index(1), k.real(0),
               [&](Value chunk, ValueRange carried) -> SmallVector<Value> {
                 Value part = k.exp2(k.subF(at(chunk), maximum));
                 return {k.addF(carried[0], part)};
               })
            .front();
    k.store(k.addF(maximum, k.log2(sum)), combined, {row});
  });
}

/// How much all queries of `head` attend each key of the tile.
Value ImportanceKernel::buildWeights(Value head, Value combined) {
  FragmentType products = k.accumulator(keysOfImportanceTile, queryBlock);
  copy(query, head, firstRow, queryTile);
  combineLogSums(head, combined);
  AwaitCopiesOp::create(k.b);
  k.barrier();
  Value scores = product(products, keyTile, queryTile);
  Value present = k.toI32(rows);
  Value weights = k.map(products, scores, [&](ValueRange x, Value, Value col) {
    Value logSum = k.load(combined, {k.toIndex(col)});
    Value weight =
        k.exp2(k.fma(x[0], k.real(scale2), k.subF(k.real(0), logSum)));
    return k.select(k.compare(Predicate::slt, col, present), weight, k.real(0));
  });
  Value sum = RowReduceOp::create(k.b, k.accumulator(keysOfImportanceTile, 1),
                                  Reduction::Sum, weights);
  // Nobody overwrites tile and sums before everybody has read them.
  k.barrier();
  return sum;
}

void ImportanceKernel::buildImportance() {
  Value first =
      k.mul(k.blockId(gpu::Dimension::x), k.index(keysOfImportanceTile));
  Value head = k.blockId(gpu::Dimension::y);
  auto result = cast<RankedTensorType>(op.getResult().getType());
  int64_t heads = result.getDimSize(1);
  int64_t group = queryHeads / heads;
  copy(key, k.div(head, heads / keyHeads), first, keyTile);
  Value combined = k.shared(queryBlock, k.b.getF32Type());

  FragmentType column = k.accumulator(keysOfImportanceTile, 1);
  Value sum =
      k.loop(k.index(0), k.index(group), k.index(1), k.splat(column, k.real(0)),
             [&](Value i, ValueRange carried) -> SmallVector<Value> {
               Value queryHead = k.add(k.mul(head, k.index(group)), i);
               Value weights = buildWeights(queryHead, combined);
               return {k.map(column, {carried[0], weights},
                             [&](ValueRange x, Value, Value) {
                               return k.addF(x[0], x[1]);
                             })};
             })
          .front();
  Value count = arith::UIToFPOp::create(k.b, k.b.getF32Type(),
                                        k.toI32(k.mul(rows, k.index(group))));
  Value present = k.toI32(k.sub(complete, first));
  Value mean = k.map(column, sum, [&](ValueRange x, Value row, Value) {
    Value quotient = arith::DivFOp::create(k.b, x[0], count);
    return k.select(k.compare(Predicate::slt, row, present), quotient,
                    k.real(0));
  });
  StoreFragmentOp::create(k.b, mean, /*tile=*/Value(), importance,
                          ValueRange{batch, head, first});
}

LogicalResult pbs::emit(ImportanceOp op, Emitter &emitter) {
  Location loc = op.getLoc();
  Entry &entry = emitter.entry;
  Memory &query = entry.get(op.getQuery()), &key = entry.get(op.getKey());
  Memory &logSums = entry.getScratch(op);
  int64_t queryHeads = op.getQuery().getType().getDimSize(1);
  if (failed(requireScale(op, op.getScale())) ||
      failed(requireGrid(emitter, op, query.extents[0], queryHeads)) ||
      failed(requireLengths(emitter, op, query.extents[2], key.extents[2],
                            largestKeyBlock)))
    return failure();

  // A warp multiplies 16 rows.
  int64_t warps = static_cast<int64_t>(op.getQueryBlock()) / mmaRows;
  Value batch = emitter.size(loc, query.extents[0]);
  Memory &result = entry.get(op.getResult());
  auto addParameters = [&](KernelBuilder &k) -> ImportanceParameters {
    return {k.parameter("query", query.value), k.parameter("key", key.value),
            k.parameter("log_sums", logSums.value), Value()};
  };
  KernelBuilder sums(emitter, loc, "importance_log_sums", warps);
  ImportanceKernel(op, sums, addParameters(sums)).buildLogSums();
  sums.launch(emitter.size(loc, logSums.extents[2]),
              emitter.constant(loc, queryHeads), batch);

  KernelBuilder weights(emitter, loc, "importance", /*warps=*/8);
  ImportanceParameters parameters = addParameters(weights);
  parameters.importance = weights.parameter("importance", result.value);
  ImportanceKernel(op, weights, parameters).buildImportance();
  weights.launch(emitter.ceilDiv(loc, emitter.size(loc, key.extents[2]),
                                 keysOfImportanceTile),
                 emitter.size(loc, result.extents[1]), batch);
  return success();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs.block_scores: the row of one query block, in its CTA's shared memory. A
// kernel of its own writes it to global memory where that is asked for. The
// products of pooled rows are computed here, other scores in files of their
// own.

#include "SelectionKernel.h"
#include "Stages.h"
#include "pbs/Analysis/KernelSizes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace pbs;

using Kind = KernelBuilder::Kind;
using Predicate = KernelBuilder::Predicate;

/// Columns of a pooled row that a lane loads at once.
static int64_t getColumnsOfLane(BlockScoresOp op) {
  return op.getQuery().getType().getDimSize(3) / pbsgpu::warpSize;
}

LogicalResult pbs::analyse(BlockScoresOp op, Entry &entry) {
  if (op.getScore())
    return analyseRowScores(op, entry);
  Memory &query = entry.get(op.getQuery());
  Memory &key = entry.get(op.getKey());
  FailureOr<Extent> queryLength = entry.getExtent(op, op.getQueryLength());
  FailureOr<Extent> keyLength = entry.getExtent(op, op.getKeyLength());
  if (failed(queryLength) || failed(keyLength) ||
      failed(entry.join(op, query, 0, key, 0)))
    return failure();
  for (Memory *pooled : {&query, &key})
    pooled->alignment =
        getColumnsOfLane(op) * static_cast<int64_t>(sizeof(float));
  entry.sizes.setBlocks(query.extents[2], *queryLength, op.getQueryBlock());
  entry.sizes.setBlocks(key.extents[2], *keyLength, op.getKeyBlock());
  if (!op.isFused())
    entry.addResult(
        op.getResult(), "scores",
        {query.extents[0], query.extents[1], query.extents[2], key.extents[2]});
  return success();
}

/// Writes scale * dot products of candidates to `row`, -inf for other blocks.
/// A warp computes one, each of its lanes some of the columns.
static void computeProducts(QueryBlock &at, BlockScoresOp op, Value row) {
  KernelBuilder &k = at.k;
  RankedTensorType queryType = op.getQuery().getType();
  int64_t keyHeads = op.getKey().getType().getDimSize(1);
  int64_t width = getColumnsOfLane(op);
  auto vector = VectorType::get(width, k.b.getF32Type());
  Value column = k.mul(k.lane(), k.index(width));
  Value keyHead = k.div(at.head, queryType.getDimSize(1) / keyHeads);
  auto loadColumns = [&](Value memory, Value head, Value block) -> Value {
    return vector::LoadOp::create(
        k.b, vector, memory, ValueRange{at.batch, head, block, column},
        /*nontemporal=*/false,
        llvm::Align(width * static_cast<int64_t>(sizeof(float))));
  };
  Value query = loadColumns(at.parameters.pooledQuery, at.head, at.block);
  at.loopOverWarpShare([&](Value keyBlock) {
    Value score = k.choose(
        at.isCandidate(keyBlock),
        [&] {
          Value key = loadColumns(at.parameters.pooledKey, keyHead, keyBlock);
          Value sum = k.real(0);
          for (int64_t i = 0; i < width; ++i)
            sum = k.fma(vector::ExtractOp::create(k.b, query, i),
                        vector::ExtractOp::create(k.b, key, i), sum);
          return k.mulF(k.reduceWarp(Kind::ADD, sum),
                        k.real(op.getScale().convertToDouble()));
        },
        [&] { return k.negativeInfinity(); });
    k.when(k.compare(Predicate::eq, k.lane(), k.index(0)),
           [&] { k.store(score, row, keyBlock); });
  });
  k.barrier();
}

void pbs::dropNaN(QueryBlock &at, Value row, Value own) {
  KernelBuilder &k = at.k;
  Value any = k.reduceCTA(Kind::OR, own);
  k.when(k.compare(Predicate::eq, any, k.i32(1)), [&] {
    k.loopOverShare(at.keyBlocks,
                    [&](Value keyBlock) { k.store(k.real(0), row, keyBlock); });
  });
}

SelectionParameters pbs::getScoreArguments(BlockScoresOp op, Emitter &emitter) {
  SelectionParameters arguments;
  if (op.getScore()) {
    arguments.rowSums = emitter.entry.getScratch(op, 1).value;
  } else {
    arguments.pooledQuery = emitter.entry.get(op.getQuery()).value;
    arguments.pooledKey = emitter.entry.get(op.getKey()).value;
  }
  return arguments;
}

void pbs::computeScores(QueryBlock &at, BlockScoresOp op, Value row) {
  if (op.getScore())
    return computeRowScores(at, op, row);
  KernelBuilder &k = at.k;
  computeProducts(at, op, row);
  Value largest = k.loopOverShare(at.keyBlocks, k.negativeInfinity(),
                                  [&](Value keyBlock, Value most) {
                                    return k.max(most, k.load(row, keyBlock));
                                  });
  Value maximum = k.reduceCTA(Kind::MAXNUMF, largest);
  auto weight = [&](Value keyBlock) {
    Value exponent = k.mulF(k.subF(k.load(row, keyBlock), maximum),
                            k.real(llvm::numbers::log2e));
    return k.select(at.isCandidate(keyBlock), k.exp2(exponent), k.real(0));
  };
  Value sum = k.reduceCTA(
      Kind::ADD,
      k.loopOverShare(at.keyBlocks, k.real(0), [&](Value keyBlock, Value sum) {
        return k.addF(sum, weight(keyBlock));
      }));
  Value hasNaN =
      k.loopOverShare(at.keyBlocks, k.i32(0), [&](Value keyBlock, Value found) {
        Value quotient = arith::DivFOp::create(k.b, weight(keyBlock), sum);
        Value score = k.select(at.isCandidate(keyBlock), quotient, k.real(0));
        k.store(score, row, keyBlock);
        return k.select(k.isNaN(score), k.i32(1), found);
      });
  dropNaN(at, row, hasNaN);
}

void pbs::loadScores(QueryBlock &at, Value row) {
  KernelBuilder &k = at.k;
  Value hasNaN =
      k.loopOverShare(at.keyBlocks, k.i32(0), [&](Value keyBlock, Value found) {
        Value score = k.load(at.parameters.scores,
                             {at.batch, at.head, at.block, keyBlock});
        k.store(score, row, keyBlock);
        return k.select(k.isNaN(score), k.i32(1), found);
      });
  dropNaN(at, row, hasNaN);
}

LogicalResult pbs::emit(BlockScoresOp op, Emitter &emitter) {
  if (op.getScore() && failed(emitRowSums(op, emitter)))
    return failure();
  if (op.isFused())
    return success();
  Location loc = op.getLoc();
  Entry &entry = emitter.entry;
  Memory &scores = entry.get(op.getResult());
  Extent queryLength = *entry.getExtent(op, op.getQueryLength());
  Extent keyLength = *entry.getExtent(op, op.getKeyLength());
  int64_t heads = op.getResult().getType().getDimSize(1);
  if (failed(requireScale(op, op.getScale())) ||
      failed(requireGrid(emitter, op, scores.extents[0], heads)) ||
      failed(requireLengths(emitter, op, queryLength, keyLength,
                            op.getKeyBlock())))
    return failure();
  SelectionParameters arguments = getScoreArguments(op, emitter);
  arguments.queryLength = emitter.size(loc, queryLength);
  arguments.keyLength = emitter.size(loc, keyLength);
  KernelBuilder k(emitter, loc, "block_scores", warpsOfScores);
  SelectionParameters parameters = arguments.addTo(k);
  Value stored = k.parameter("scores", scores.value);
  Geometry geometry{heads,
                    static_cast<int64_t>(op.getQueryBlock()),
                    static_cast<int64_t>(op.getKeyBlock()),
                    op.getCausal(),
                    std::nullopt,
                    static_cast<int64_t>(op.getSegment()),
                    std::nullopt};
  QueryBlock at(k, geometry, parameters);
  Value row = getScoreRow(at);
  computeScores(at, op, row);
  at.k.loopOverShare(at.keyBlocks, [&](Value keyBlock) {
    k.store(k.load(row, keyBlock), stored,
            {at.batch, at.head, at.block, keyBlock});
  });
  Value keyBlocks = emitter.size(loc, scores.extents[3]);
  k.launch(emitter.size(loc, scores.extents[2]), emitter.constant(loc, heads),
           emitter.size(loc, scores.extents[0]),
           getSharedBytes(emitter, loc, keyBlocks));
  return success();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs.block_scores by sampled rows, in two kernels and what the selection
// computes itself. The first puts the sampled queries side by side; the second
// multiplies them with all keys and keeps, of each query and key block, the
// logarithm of the exponentials' sum. No key block waits for another: the
// softmax of a row comes when all of its sums are known.

#include "OnlineSoftmax.h"
#include "SelectionKernel.h"
#include "Stages.h"
#include "pbs/Analysis/KernelSizes.h"

#include <algorithm>

using namespace mlir;
using namespace pbs;
using namespace pbsgpu;

using Kind = KernelBuilder::Kind;
using Predicate = KernelBuilder::Predicate;

static int64_t getStride(BlockScoresOp op) {
  return cast<RowsAttr>(*op.getScore()).getStride();
}

/// The keys of which any may stand at any place: those of a segment, or of a
/// block where keys are in their original order.
static int64_t getMixedKeys(BlockScoresOp op) {
  return static_cast<int64_t>(op.getPermutation() ? op.getSegment()
                                                  : op.getKeyBlock());
}

/// Key blocks that a causal row at `position` may attend some key of end here.
static Value findReach(KernelBuilder &k, BlockScoresOp op, Value keyBlocks,
                       Value position) {
  if (!op.getCausal())
    return keyBlocks;
  int64_t mixed = getMixedKeys(op);
  auto keyBlock = static_cast<int64_t>(op.getKeyBlock());
  Value groups = k.add(k.div(position, mixed), k.index(1));
  return k.min(keyBlocks, k.mul(groups, k.index(mixed / keyBlock)));
}

LogicalResult pbs::analyseRowScores(BlockScoresOp op, Entry &entry) {
  if (!isa<RowsAttr>(*op.getScore()))
    return op.emitOpError("has score ")
           << *op.getScore() << ", for which there is no kernel";
  Memory &query = entry.get(op.getQuery()), &key = entry.get(op.getKey());
  entry.sizes.suggestName(query.extents[0], "B");
  entry.sizes.suggestName(query.extents[2], "Nq");
  entry.sizes.suggestName(key.extents[2], "Nkv");
  FailureOr<Extent> queryLength = entry.getExtent(op, op.getQueryLength());
  FailureOr<Extent> keyLength = entry.getExtent(op, op.getKeyLength());
  if (failed(queryLength) || failed(keyLength) ||
      failed(entry.join(op, query, 0, key, 0)) ||
      failed(entry.join(op, *queryLength, query.extents[2],
                        "the query length and the queries")) ||
      failed(entry.join(op, *keyLength, key.extents[2],
                        "the key length and the keys")))
    return failure();
  if (op.getPermutation()) {
    Memory &permutation = entry.get(op.getPermutation());
    if (failed(entry.join(op, key, 0, permutation, 0)) ||
        failed(entry.join(op, key, 2, permutation, 2)))
      return failure();
  }
  Extent rows = entry.sizes.add(ShapedType::kDynamic);
  entry.sizes.setBlocks(rows, *queryLength, getStride(op));
  Extent keyBlocks = entry.sizes.add(ShapedType::kDynamic);
  entry.sizes.setBlocks(keyBlocks, *keyLength, op.getKeyBlock());
  entry.addScratch(
      op, "sampled_query", op.getQuery().getType().getElementType(),
      {query.extents[0], query.extents[1], rows, query.extents[3]});
  entry.addScratch(op, "row_sums", Float32Type::get(op.getContext()),
                   {query.extents[0], query.extents[1], keyBlocks, rows});
  if (op.isFused())
    return success();
  Extent queryBlocks = entry.sizes.add(ShapedType::kDynamic);
  entry.sizes.setBlocks(queryBlocks, *queryLength, op.getQueryBlock());
  entry.addResult(op.getResult(), "scores",
                  {query.extents[0], query.extents[1], queryBlocks, keyBlocks});
  return success();
}

//===----------------------------------------------------------------------===//
// Sampled queries
//===----------------------------------------------------------------------===//

/// Copies the query that stands for each `stride` ones: that in their middle,
/// or the last there is.
static void buildSampling(KernelBuilder &k, BlockScoresOp op, Value query,
                          Value sampled) {
  int64_t stride = getStride(op);
  Value first = k.mul(k.blockId(gpu::Dimension::x), k.index(rowsOfSampling));
  Value end = k.min(k.add(first, k.index(rowsOfSampling)), k.dim(sampled, 2));
  Value last = k.sub(k.dim(query, 2), k.index(1));
  copyRows(k, query, k.blockId(gpu::Dimension::y), sampled, first, end,
           [&](Value place) {
             Value middle =
                 k.add(k.mul(place, k.index(stride)), k.index(stride / 2));
             return k.min(middle, last);
           });
}

//===----------------------------------------------------------------------===//
// Sums of rows
//===----------------------------------------------------------------------===//

namespace {
/// A CTA takes a tile of sampled rows of one head and a chunk of key blocks.
class RowSumsKernel {
public:
  struct Parameters {
    Value query, sampled, key, permutation, sums;
  };

  RowSumsKernel(BlockScoresOp op, KernelBuilder &k,
                const Parameters &parameters)
      : op(op), k(k), parameters(parameters),
        keyBlock(static_cast<int64_t>(op.getKeyBlock())), stride(getStride(op)),
        softmax(k, rowsOfScoreTile, keyBlock,
                op.getScale().convertToDouble() * llvm::numbers::log2e) {}

  void build();

private:
  void findPlace();
  Value findPosition(Value row);
  void buildBlock(Value block, Value tile);
  Value buildMask(Value products, Value block);

  BlockScoresOp op;
  KernelBuilder &k;
  const Parameters parameters;
  int64_t keyBlock, stride;
  OnlineSoftmax softmax;

  Value head, batch, keyHead, permutationHead;
  /// The first sampled row of the tile.
  Value firstRow;
  Value queryLength, keyLength;
  /// Positions of the first row and the last one.
  Value firstPosition, lastPosition;
  Value queryTile;
};
} // namespace

/// The position of a sampled row, both i32.
Value RowSumsKernel::findPosition(Value row) {
  Value middle = k.add(k.mul(row, k.i32(stride)), k.i32(stride / 2));
  Value query = k.min(middle, k.toI32(k.sub(queryLength, k.index(1))));
  return k.add(query, k.toI32(k.sub(keyLength, queryLength)));
}

void RowSumsKernel::findPlace() {
  int64_t queryHeads = op.getQuery().getType().getDimSize(1);
  int64_t keyHeads = op.getKey().getType().getDimSize(1);
  // Tiles of all heads that read the same keys run side by side.
  Value x = k.blockId(gpu::Dimension::x);
  head = k.rem(x, queryHeads);
  batch = k.blockId(gpu::Dimension::z);
  keyHead = k.div(head, queryHeads / keyHeads);
  if (parameters.permutation)
    permutationHead =
        k.div(head, queryHeads / op.getPermutation().getType().getHeads());
  firstRow = k.mul(k.div(x, queryHeads), k.index(rowsOfScoreTile));
  queryLength = k.dim(parameters.query, 2);
  keyLength = k.dim(parameters.key, 2);
  Value end = k.min(k.add(firstRow, k.index(rowsOfScoreTile)),
                    k.dim(parameters.sampled, 2));
  firstPosition = k.toIndex(findPosition(k.toI32(firstRow)));
  lastPosition = k.toIndex(findPosition(k.toI32(k.sub(end, k.index(1)))));
}

void RowSumsKernel::build() {
  Type elementType = op.getKey().getType().getElementType();
  int64_t headDim = op.getKey().getType().getDimSize(3);
  findPlace();
  queryTile = k.tile(rowsOfScoreTile, headDim, elementType);
  Value tiles[] = {k.tile(keyBlock, headDim, elementType),
                   k.tile(keyBlock, headDim, elementType)};
  CopyTileOp::create(k.b, parameters.sampled, ValueRange{batch, head, firstRow},
                     Value(), ValueRange{}, queryTile);
  Value begin =
      k.mul(k.blockId(gpu::Dimension::y), k.index(keyBlocksOfScoreChunk));
  Value end =
      k.min(k.add(begin, k.index(keyBlocksOfScoreChunk)),
            findReach(k, op, k.ceilDiv(keyLength, keyBlock), lastPosition));
  // While a block is multiplied the next one is copied.
  auto copy = [&](Value block, Value tile) {
    Value place = k.mul(block, k.index(keyBlock));
    // Behind the last block nothing is read.
    place = k.select(k.compare(Predicate::slt, block, end), place, keyLength);
    CopyTileOp::create(k.b, parameters.key, ValueRange{batch, keyHead, place},
                       parameters.permutation,
                       parameters.permutation
                           ? ValueRange{batch, permutationHead}
                           : ValueRange{},
                       tile);
    CommitCopiesOp::create(k.b);
  };
  copy(begin, tiles[0]);
  k.loop(begin, end, k.index(2), [&](Value first) {
    for (int64_t i : {0, 1}) {
      Value block = k.add(first, k.index(i));
      copy(k.add(block, k.index(1)), tiles[1 - i]);
      AwaitCopiesOp::create(k.b, /*pending=*/1);
      k.when(k.compare(Predicate::slt, block, end),
             [&] { buildBlock(block, tiles[i]); });
      // Nobody overwrites the tile before everybody has read it.
      k.barrier();
    }
  });
}

void RowSumsKernel::buildBlock(Value block, Value tile) {
  Value products = MmaOp::create(k.b, softmax.scores, queryTile, tile,
                                 /*transposed=*/k.b.getUnitAttr(),
                                 k.splat(softmax.scores, k.real(0)));
  Value scores = buildMask(products, block);
  Value sums =
      softmax.logSum(softmax.add(softmax.begin(), scores).state, /*factor=*/1);
  StoreFragmentOp::create(k.b, sums, /*tile=*/Value(), parameters.sums,
                          ValueRange{batch, head, block, firstRow});
}

/// -inf where a row may not attend a key, or there is none.
Value RowSumsKernel::buildMask(Value products, Value block) {
  Value first = k.toI32(k.mul(block, k.index(keyBlock)));
  Value length = k.toI32(keyLength);
  int64_t blocksOfGroup = getMixedKeys(op) / keyBlock;
  Value isMasked =
      k.compare(Predicate::sgt,
                k.mul(k.add(block, k.index(1)), k.index(keyBlock)), keyLength);
  if (op.getCausal()) {
    Value group = k.add(k.div(block, blocksOfGroup), k.index(1));
    Value end = k.mul(group, k.index(getMixedKeys(op)));
    isMasked = k.lor(isMasked, k.compare(Predicate::sgt, k.sub(end, k.index(1)),
                                         firstPosition));
  }
  return k.map(
      softmax.scores, products,
      [&](ValueRange x, Value row, Value col) {
        Value place = k.add(first, col);
        Value keep = k.compare(Predicate::slt, place, length);
        if (op.getCausal()) {
          Value position = place;
          if (parameters.permutation)
            position =
                k.load(parameters.permutation,
                       {batch, permutationHead,
                        k.toIndex(k.min(place, k.sub(length, k.i32(1))))});
          Value own = findPosition(k.add(k.toI32(firstRow), row));
          keep = k.land(keep, k.compare(Predicate::sle, position, own));
        }
        return k.select(keep, x[0], k.negativeInfinity());
      },
      isMasked);
}

LogicalResult pbs::emitRowSums(BlockScoresOp op, Emitter &emitter) {
  Location loc = op.getLoc();
  Entry &entry = emitter.entry;
  Memory &query = entry.get(op.getQuery()), &key = entry.get(op.getKey());
  Memory &sampled = entry.getScratch(op, 0), &sums = entry.getScratch(op, 1);
  int64_t heads = op.getQuery().getType().getDimSize(1);
  if (failed(requireScale(op, op.getScale())) ||
      failed(requireGrid(emitter, op, query.extents[0], heads)) ||
      failed(requireLengths(emitter, op, query.extents[2], key.extents[2],
                            op.getKeyBlock())))
    return failure();
  Value batch = emitter.size(loc, query.extents[0]);
  Value rows = emitter.size(loc, sampled.extents[2]);

  KernelBuilder sampling(emitter, loc, "sample_rows", warpsOfScores);
  Value source = sampling.parameter("query", query.value);
  Value result = sampling.parameter("sampled_query", sampled.value);
  buildSampling(sampling, op, source, result);
  sampling.launch(emitter.ceilDiv(loc, rows, rowsOfSampling),
                  emitter.constant(loc, heads), batch);

  // A warp multiplies 16 rows.
  KernelBuilder k(emitter, loc, "row_sums", rowsOfScoreTile / mmaRows);
  RowSumsKernel::Parameters parameters;
  parameters.query = k.parameter("query", query.value);
  parameters.sampled = k.parameter("sampled_query", sampled.value);
  parameters.key = k.parameter("key", key.value);
  if (op.getPermutation())
    parameters.permutation =
        k.parameter("permutation", entry.get(op.getPermutation()).value);
  parameters.sums = k.parameter("row_sums", sums.value);
  RowSumsKernel(op, k, parameters).build();
  Value tiles = emitter.ceilDiv(loc, rows, rowsOfScoreTile);
  k.launch(emitter.plan.createOrFold<arith::MulIOp>(
               loc, tiles, emitter.constant(loc, heads)),
           emitter.ceilDiv(loc, emitter.size(loc, sums.extents[2]),
                           keyBlocksOfScoreChunk),
           batch);
  return success();
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

void pbs::computeRowScores(QueryBlock &at, BlockScoresOp op, Value row) {
  KernelBuilder &k = at.k;
  Value sums = at.parameters.rowSums;
  int64_t stride = getStride(op);
  int64_t mostRows = at.geometry.queryBlock / stride;
  Value first = k.mul(at.block, k.index(mostRows));
  Value count = k.min(k.index(mostRows), k.sub(k.dim(sums, 3), first));
  auto load = [&](Value keyBlock, Value sampled) {
    return k.load(sums, {at.batch, at.head, keyBlock, k.add(first, sampled)});
  };

  // log2 of each row's sum. The sums of neighbouring rows and one key block
  // share a sector of memory: a thread takes those of some rows at once.
  int64_t rowsAtOnce = std::min(mostRows, rowsOfTotals);
  Value totals = k.shared(mostRows, k.b.getF32Type());
  k.loop(k.index(0), count, k.index(rowsAtOnce), [&](Value group) {
    SmallVector<Value> rows, reaches;
    for (int64_t i = 0; i < rowsAtOnce; ++i) {
      // Behind the last row it once more.
      Value sampled = k.min(k.add(group, k.index(i)), k.sub(count, k.index(1)));
      Value offset =
          k.add(k.mul(sampled, k.index(stride)), k.index(stride / 2));
      rows.push_back(sampled);
      reaches.push_back(
          findReach(k, op, at.keyBlocks,
                    k.min(k.add(at.firstPosition, offset), at.lastPosition)));
    }
    // Nothing has been written behind a row's reach.
    auto loadOrNone = [&](Value keyBlock, int64_t i) {
      Value last = k.sub(reaches[i], k.index(1));
      return k.select(k.compare(Predicate::slt, keyBlock, reaches[i]),
                      load(k.min(keyBlock, last), rows[i]),
                      k.negativeInfinity());
    };
    auto loop = [&](Value initial,
                    function_ref<Value(Value, Value, int64_t)> add) {
      SmallVector<Value> start(rowsAtOnce, initial);
      return k.loop(k.thread(), reaches.back(), k.index(k.getThreads()), start,
                    [&](Value keyBlock, ValueRange carried) {
                      SmallVector<Value> next;
                      for (int64_t i = 0; i < rowsAtOnce; ++i)
                        next.push_back(
                            add(carried[i], loadOrNone(keyBlock, i), i));
                      return next;
                    });
    };
    SmallVector<Value> maxima =
        loop(k.negativeInfinity(),
             [&](Value most, Value sum, int64_t) { return k.max(most, sum); });
    for (Value &maximum : maxima)
      maximum = k.reduceCTA(Kind::MAXNUMF, maximum);
    SmallVector<Value> parts =
        loop(k.real(0), [&](Value total, Value sum, int64_t i) {
          return k.addF(total, k.exp2(k.subF(sum, maxima[i])));
        });
    for (int64_t i = 0; i < rowsAtOnce; ++i) {
      Value total = k.addF(maxima[i], k.log2(k.reduceCTA(Kind::ADD, parts[i])));
      k.when(k.compare(Predicate::eq, k.thread(), k.index(0)),
             [&] { k.store(total, totals, rows[i]); });
    }
  });
  k.barrier();
  Value number = arith::UIToFPOp::create(k.b, k.b.getF32Type(), k.toI32(count));
  Value hasNaN =
      k.loopOverShare(at.keyBlocks, k.i32(0), [&](Value keyBlock, Value found) {
        Value score = k.choose(
            at.isCandidate(keyBlock),
            [&]() -> Value {
              Value sum = k.loop(k.index(0), count, k.index(1), k.real(0),
                                 [&](Value sampled,
                                     ValueRange carried) -> SmallVector<Value> {
                                   Value part =
                                       k.exp2(k.subF(load(keyBlock, sampled),
                                                     k.load(totals, sampled)));
                                   return {k.addF(carried[0], part)};
                                 })
                              .front();
              return arith::DivFOp::create(k.b, sum, number);
            },
            [&] { return k.real(0); });
        k.store(score, row, keyBlock);
        return k.select(k.isNaN(score), k.i32(1), found);
      });
  dropNaN(at, row, hasNaN);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of which the kernels that make lists consist: which key blocks a
// query block may attend, where a ranking is cut, and the lists themselves.

#include "SelectionKernel.h"

#include <algorithm>
#include <limits>

using namespace mlir;
using namespace pbs;

using Kind = KernelBuilder::Kind;
using Predicate = KernelBuilder::Predicate;

SelectionParameters SelectionParameters::addTo(KernelBuilder &k) const {
  SelectionParameters result;
  result.pooledQuery = k.parameter("pooled_query", pooledQuery);
  result.pooledKey = k.parameter("pooled_key", pooledKey);
  result.rowSums = k.parameter("row_sums", rowSums);
  result.scores = k.parameter("scores", scores);
  result.mask = k.parameter("mask", mask);
  result.queryLength = k.parameter("query_length", queryLength);
  result.keyLength = k.parameter("key_length", keyLength);
  result.permutation = k.parameter("permutation", permutation);
  result.counts = k.parameter("counts", counts);
  result.indices = k.parameter("indices", indices);
  result.cut = k.parameter("cut", cut);
  return result;
}

QueryBlock::QueryBlock(KernelBuilder &k, const Geometry &geometry,
                       const SelectionParameters &parameters)
    : k(k), geometry(geometry), parameters(parameters) {
  block = k.blockId(gpu::Dimension::x);
  head = k.blockId(gpu::Dimension::y);
  batch = k.blockId(gpu::Dimension::z);
  Value queryLength = parameters.queryLength, keyLength = parameters.keyLength;
  keyBlocks = k.ceilDiv(keyLength, geometry.keyBlock);
  Value firstRow = k.mul(block, k.index(geometry.queryBlock));
  Value lastRow =
      k.sub(k.min(k.add(firstRow, k.index(geometry.queryBlock)), queryLength),
            k.index(1));
  // Query i stands at position i + Nkv - Nq.
  Value ahead = k.sub(keyLength, queryLength);
  firstPosition = k.add(firstRow, ahead);
  lastPosition = k.add(lastRow, ahead);
  if (geometry.segment) {
    firstSegment = k.div(firstPosition, *geometry.segment);
    lastSegment = k.div(lastPosition, *geometry.segment);
  }
}

void QueryBlock::loopOverWarpShare(function_ref<void(Value)> body) {
  k.loop(k.warp(), keyBlocks, k.index(k.getThreads() / pbsgpu::warpSize), body);
}

Value QueryBlock::isOwn(Value keyBlock) {
  Value segment = k.div(keyBlock, *geometry.segment / geometry.keyBlock);
  return k.land(k.compare(Predicate::sge, segment, firstSegment),
                k.compare(Predicate::sle, segment, lastSegment));
}

Value QueryBlock::isCandidate(Value keyBlock) {
  if (!geometry.isCausal)
    return k.lnot(isOwn(keyBlock));
  Value segment = k.div(keyBlock, *geometry.segment / geometry.keyBlock);
  return k.compare(Predicate::slt, segment, firstSegment);
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

Value pbs::getSharedBytes(Emitter &emitter, Location loc, Value keyBlocks) {
  return emitter.plan.createOrFold<arith::MulIOp>(
      loc, keyBlocks, emitter.constant(loc, scoreBytes + stateBytes));
}

Value pbs::getScoreRow(QueryBlock &at) {
  return at.k.dynamicShared(at.k.index(0), at.keyBlocks, at.k.b.getF32Type());
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

namespace {
/// Finds out the state of one key block after the other.
class Classifier {
public:
  Classifier(QueryBlock &at) : at(at), k(at.k) {
    if (at.parameters.permutation)
      permutationHead = k.div(at.head, at.geometry.queryHeads /
                                           *at.geometry.permutationHeads);
    if (at.geometry.window)
      // Beyond all positions a window bounds nothing.
      firstWindow = k.sub(at.firstPosition, window());
  }

  Value classify(Value keyBlock);

private:
  Value window() {
    constexpr int64_t most = int64_t(1) << 40;
    return k.index(std::min(*at.geometry.window, most));
  }
  Value isAttended(Value lowest, Value highest);
  Value isWhole(Value lowest, Value highest);
  Value mayAttend(Value position);
  Value scan(Value begin, Value end);
  Value makeState(Value isFull, Value attended, Value whole, Value zero);

  QueryBlock &at;
  KernelBuilder &k;
  Value permutationHead;
  /// The last position before the first row's window.
  Value firstWindow;
};
} // namespace

/// Whether some row may attend some key, if all positions from the lowest to
/// the highest are keys of the block.
Value Classifier::isAttended(Value lowest, Value highest) {
  Value result = k.truth(true);
  if (at.geometry.isCausal)
    result = k.compare(Predicate::sle, lowest, at.lastPosition);
  if (at.geometry.window)
    result = k.land(result, k.compare(Predicate::sgt, highest, firstWindow));
  return result;
}

/// Whether every row may attend the keys at these positions and between them.
Value Classifier::isWhole(Value lowest, Value highest) {
  Value result = k.truth(true);
  if (at.geometry.isCausal)
    result = k.compare(Predicate::sle, highest, at.firstPosition);
  if (at.geometry.window)
    result = k.land(result, k.compare(Predicate::sgt, lowest,
                                      k.sub(at.lastPosition, window())));
  return result;
}

/// Whether some row may attend the key. The positions that the rows of a block
/// attend have no gap.
Value Classifier::mayAttend(Value position) {
  return isAttended(position, position);
}

Value Classifier::makeState(Value isFull, Value attended, Value whole,
                            Value zero) {
  Value kind = k.select(k.land(isFull, whole), k.i32(state::isWhole),
                        k.i32(state::isMasked));
  Value result = k.select(attended, kind, k.i32(0));
  return k.add(result, k.select(zero, k.i32(state::holdsTokenZero), k.i32(0)));
}

/// The state of a permuted block, whose keys the lanes of the warp look at one
/// by one.
Value Classifier::scan(Value begin, Value end) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  Value initial[] = {k.i32(most), k.i32(-1), k.i32(0)};
  SmallVector<Value> own =
      k.loop(k.add(begin, k.lane()), end, k.index(pbsgpu::warpSize), initial,
             [&](Value place, ValueRange carried) -> SmallVector<Value> {
               Value position = k.load(at.parameters.permutation,
                                       {at.batch, permutationHead, place});
               Value attended = mayAttend(k.toIndex(position));
               return {k.min(carried[0], position), k.max(carried[1], position),
                       k.select(attended, k.i32(1), carried[2])};
             });
  Value lowest = k.toIndex(k.reduceWarp(Kind::MINSI, own[0]));
  Value highest = k.toIndex(k.reduceWarp(Kind::MAXSI, own[1]));
  Value attended = k.reduceWarp(Kind::OR, own[2]);
  return makeState(k.truth(true), k.compare(Predicate::eq, attended, k.i32(1)),
                   isWhole(lowest, highest),
                   k.compare(Predicate::eq, lowest, k.index(0)));
}

Value Classifier::classify(Value keyBlock) {
  Value begin = k.mul(keyBlock, k.index(at.geometry.keyBlock));
  Value fullEnd = k.add(begin, k.index(at.geometry.keyBlock));
  Value end = k.min(fullEnd, at.parameters.keyLength);
  auto ordered = [&] {
    Value highest = k.sub(end, k.index(1));
    return makeState(
        k.compare(Predicate::sle, fullEnd, at.parameters.keyLength),
        isAttended(begin, highest), isWhole(begin, highest),
        k.compare(Predicate::eq, begin, k.index(0)));
  };
  if (!at.parameters.permutation)
    return ordered();

  int64_t segmentKeys = *at.geometry.segment;
  Value segmentBegin = k.mul(k.div(begin, segmentKeys), k.index(segmentKeys));
  Value segmentEnd = k.add(segmentBegin, k.index(segmentKeys));
  Value segmentLast = k.sub(segmentEnd, k.index(1));
  // The tail is in order. Of a segment that every row attends as a whole, or
  // none in part, nobody needs to know where its keys stand; but token 0 stands
  // in the first.
  Value isComplete =
      k.compare(Predicate::sle, segmentEnd, at.parameters.keyLength);
  Value isDecided = k.lor(k.lnot(isAttended(segmentBegin, segmentLast)),
                          isWhole(segmentBegin, segmentLast));
  Value isFirst = k.compare(Predicate::eq, segmentBegin, k.index(0));
  return k.choose(
      k.land(isComplete, k.lor(isFirst, k.lnot(isDecided))),
      [&] { return scan(begin, end); },
      [&] {
        return k.choose(
            isComplete,
            [&] {
              return makeState(k.truth(true),
                               isAttended(segmentBegin, segmentLast),
                               k.truth(true), k.truth(false));
            },
            ordered);
      });
}

Value pbs::classifyBlocks(QueryBlock &at) {
  KernelBuilder &k = at.k;
  Type i8 = k.b.getI8Type();
  Value states = k.dynamicShared(k.mul(at.keyBlocks, k.index(scoreBytes)),
                                 at.keyBlocks, i8);
  Classifier classifier(at);
  at.loopOverWarpShare([&](Value keyBlock) {
    Value found =
        arith::TruncIOp::create(k.b, i8, classifier.classify(keyBlock));
    k.when(k.compare(Predicate::eq, k.lane(), k.index(0)),
           [&] { k.store(found, states, keyBlock); });
  });
  k.barrier();
  return states;
}

//===----------------------------------------------------------------------===//
// Ranking
//===----------------------------------------------------------------------===//

/// Bits of a block's index in its key, below those of the score.
static constexpr int64_t indexBits = 14;
static_assert(maxKeyBlocks <= int64_t(1) << indexBits);
static constexpr int64_t keyBits = 32 + indexBits;

Value pbs::rankingKey(QueryBlock &at, Value scores, Value keyBlock) {
  KernelBuilder &k = at.k;
  // The sum makes +0 of -0. Floats are ordered like integers once those below
  // 0 are inverted, and the others come after them.
  Value score = k.addF(k.load(scores, keyBlock), k.real(0));
  Value bits = arith::BitcastOp::create(k.b, k.b.getI32Type(), score);
  Value sign = arith::ShRSIOp::create(k.b, bits, k.i32(31));
  Value mask = arith::OrIOp::create(k.b, sign,
                                    k.i32(std::numeric_limits<int32_t>::min()));
  Value ordered = arith::XOrIOp::create(k.b, bits, mask);
  Value high = k.mul(arith::ExtUIOp::create(k.b, k.b.getI64Type(), ordered),
                     k.i64(int64_t(1) << indexBits));
  Value low = k.sub(k.i64((int64_t(1) << indexBits) - 1), k.toI64(keyBlock));
  return k.add(high, low);
}

Value pbs::findCut(QueryBlock &at, Value scores, Weigh weigh, Value target) {
  KernelBuilder &k = at.k;
  // Of the blocks from key `low` on the weight suffices (or low is 0), from
  // `high` on it does not: bisection needs a step for each bit of a key.
  Value initial[] = {k.i64(0), k.i64(int64_t(1) << keyBits)};
  return k
      .loop(k.index(0), k.index(keyBits), k.index(1), initial,
            [&](Value, ValueRange carried) -> SmallVector<Value> {
              Value low = carried[0], high = carried[1];
              Value middle = k.div(k.add(low, high), 2);
              Value own = k.loopOverShare(
                  at.keyBlocks, k.real(0), [&](Value keyBlock, Value sum) {
                    Value counts =
                        k.compare(Predicate::sge,
                                  rankingKey(at, scores, keyBlock), middle);
                    return k.addF(sum,
                                  k.select(counts, weigh(keyBlock), k.real(0)));
                  });
              Value suffices = k.compare(Predicate::sge,
                                         k.reduceCTA(Kind::ADD, own), target);
              return {k.select(suffices, middle, low),
                      k.select(suffices, high, middle)};
            })
      .front();
}

//===----------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------===//

void pbs::writeLists(QueryBlock &at, Value states) {
  KernelBuilder &k = at.k;
  constexpr int64_t unusedIndex = 65535;
  Type i16 = k.b.getIntegerType(16);
  Value counts = at.parameters.counts, indices = at.parameters.indices;
  auto stateOf = [&](Value keyBlock) {
    Value byte = k.load(states, keyBlock);
    Value word = arith::ExtUIOp::create(k.b, k.b.getI32Type(), byte);
    return arith::AndIOp::create(k.b, word, k.i32(state::isAttended))
        .getResult();
  };
  auto is = [&](Value found, int64_t kind) {
    return k.compare(Predicate::eq, found, k.i32(kind));
  };

  // Each thread lists a range of blocks, behind those of the threads before it.
  k.barrier();
  Value share = k.ceilDiv(at.keyBlocks, k.getThreads());
  Value begin = k.mul(k.thread(), share);
  Value end = k.min(k.add(begin, share), at.keyBlocks);
  Value none[] = {k.index(0), k.index(0)};
  SmallVector<Value> own =
      k.loop(begin, end, k.index(1), none,
             [&](Value keyBlock, ValueRange carried) -> SmallVector<Value> {
               Value found = stateOf(keyBlock);
               auto count = [&](Value sum, int64_t kind) {
                 return k.select(is(found, kind), k.add(sum, k.index(1)), sum);
               };
               return {count(carried[0], state::isWhole),
                       count(carried[1], state::isMasked)};
             });
  Value wholes = k.shared(k.getThreads(), k.b.getI32Type());
  Value maskeds = k.shared(k.getThreads(), k.b.getI32Type());
  k.store(k.toI32(own[0]), wholes, k.thread());
  k.store(k.toI32(own[1]), maskeds, k.thread());
  k.barrier();
  Value zeros[] = {k.i32(0), k.i32(0), k.i32(0), k.i32(0)};
  SmallVector<Value> sums =
      k.loop(k.index(0), k.index(k.getThreads()), k.index(1), zeros,
             [&](Value thread, ValueRange carried) -> SmallVector<Value> {
               Value whole = k.load(wholes, thread),
                     masked = k.load(maskeds, thread);
               Value isBefore = k.compare(Predicate::slt, thread, k.thread());
               return {k.add(carried[0], whole), k.add(carried[1], masked),
                       k.add(carried[2], k.select(isBefore, whole, k.i32(0))),
                       k.add(carried[3], k.select(isBefore, masked, k.i32(0)))};
             });

  auto storeIndex = [&](Value value, Value place) {
    k.store(arith::TruncIOp::create(k.b, i16, k.toI32(value)), indices,
            {at.batch, at.head, at.block, place});
  };
  Value places[] = {k.toIndex(sums[2]), k.toIndex(k.add(sums[0], sums[3]))};
  k.loop(begin, end, k.index(1), places,
         [&](Value keyBlock, ValueRange carried) -> SmallVector<Value> {
           Value found = stateOf(keyBlock);
           SmallVector<Value> next;
           int64_t kinds[] = {state::isWhole, state::isMasked};
           for (auto pair : llvm::zip_equal(carried, kinds)) {
             Value place = std::get<0>(pair);
             Value isListed = is(found, std::get<1>(pair));
             k.when(isListed, [&] { storeIndex(keyBlock, place); });
             next.push_back(
                 k.select(isListed, k.add(place, k.index(1)), place));
           }
           return next;
         });
  Value listed = k.toIndex(k.add(sums[0], sums[1]));
  k.loop(k.add(listed, k.thread()), k.dim(indices, 3), k.index(k.getThreads()),
         [&](Value place) { storeIndex(k.index(unusedIndex), place); });
  k.when(k.compare(Predicate::eq, k.thread(), k.index(0)), [&] {
    k.store(sums[0], counts, {at.batch, at.head, at.block, k.index(0)});
    k.store(sums[1], counts, {at.batch, at.head, at.block, k.index(1)});
  });
}

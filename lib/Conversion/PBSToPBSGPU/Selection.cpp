// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations that make a selection, each a CTA for every query block:
// pbs.select, pbs.full_selection and pbs.selection_from_mask.

#include "SelectionKernel.h"
#include "Stages.h"
#include "pbs/Analysis/KernelSizes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

using namespace mlir;
using namespace pbs;

using Kind = KernelBuilder::Kind;
using Predicate = KernelBuilder::Predicate;

//===----------------------------------------------------------------------===//
// What the three have in common
//===----------------------------------------------------------------------===//

/// The lengths of an operation and the extents of its result.
namespace {
struct Sizing {
  Extent batch, queryLength, keyLength, queryBlocks, keyBlocks;
};
} // namespace

template <typename OpTy>
static FailureOr<Sizing> getSizing(OpTy op, Extent batch, Entry &entry) {
  FailureOr<Extent> queryLength = entry.getExtent(op, op.getQueryLength());
  FailureOr<Extent> keyLength = entry.getExtent(op, op.getKeyLength());
  if (failed(queryLength) || failed(keyLength))
    return failure();
  if (op.getPermutation()) {
    Memory &permutation = entry.get(op.getPermutation());
    if (failed(entry.join(op, batch, permutation.extents[0],
                          "the batches of lists and permutation")) ||
        failed(entry.join(op, *keyLength, permutation.extents[2],
                          "the lengths of keys and permutation")))
      return failure();
  }
  SelectionType type = op.getResult().getType();
  Sizing sizing{batch, *queryLength, *keyLength,
                entry.sizes.add(ShapedType::kDynamic),
                entry.sizes.add(ShapedType::kDynamic)};
  entry.sizes.setBlocks(sizing.queryBlocks, *queryLength, type.getQueryBlock());
  entry.sizes.setBlocks(sizing.keyBlocks, *keyLength, type.getKeyBlock());
  return sizing;
}

static void addSelection(TypedValue<SelectionType> result, int64_t heads,
                         const Sizing &sizing, std::optional<int64_t> capacity,
                         Entry &entry) {
  Extent room = capacity ? entry.sizes.addLimited(sizing.keyBlocks, *capacity)
                         : sizing.keyBlocks;
  entry.addSelection(result, sizing.batch, heads, sizing.queryBlocks, room);
}

template <typename OpTy>
static Geometry getGeometry(OpTy op, int64_t heads,
                            std::optional<int64_t> segment) {
  SelectionType type = op.getResult().getType();
  Geometry geometry{
      heads,          type.getQueryBlock(),      type.getKeyBlock(),
      op.getCausal(), toInteger(op.getWindow()), segment,
      std::nullopt};
  if (op.getPermutation()) {
    PermutationType permutation = op.getPermutation().getType();
    geometry.segment = permutation.getSegment();
    geometry.permutationHeads = permutation.getHeads();
  }
  return geometry;
}

/// Parameters, requirements and launch that the three have in common.
/// `arguments` are what the operation chooses by, `build` writes the kernel.
template <typename OpTy>
static LogicalResult emitSelection(OpTy op, Emitter &emitter, StringRef name,
                                   const Geometry &geometry, Memory *cut,
                                   SelectionParameters arguments,
                                   function_ref<void(QueryBlock &at)> build) {
  Location loc = op.getLoc();
  Entry &entry = emitter.entry;
  Memory &counts = entry.get(op.getResult(), 0);
  Memory &indices = entry.get(op.getResult(), 1);
  FailureOr<Extent> queryLength = entry.getExtent(op, op.getQueryLength());
  FailureOr<Extent> keyLength = entry.getExtent(op, op.getKeyLength());
  if (failed(queryLength) || failed(keyLength) ||
      failed(
          requireGrid(emitter, op, counts.extents[0], geometry.queryHeads)) ||
      failed(requireLengths(emitter, op, *queryLength, *keyLength,
                            geometry.keyBlock)))
    return failure();

  if (op.getPermutation())
    arguments.permutation = entry.get(op.getPermutation()).value;
  arguments.keyLength = emitter.size(loc, *keyLength);
  arguments.queryLength = emitter.size(loc, *queryLength);
  arguments.counts = counts.value;
  arguments.indices = indices.value;
  if (cut) {
    arguments.cut = cut->value;
    pbsgpu::MemsetOp::create(emitter.plan, loc, cut->value,
                             emitter.plan.getI8IntegerAttr(0), emitter.guard);
  }
  KernelBuilder k(emitter, loc, name, warpsOfSelection);
  QueryBlock at(k, geometry, arguments.addTo(k));
  build(at);
  Value keyBlocks =
      emitter.ceilDiv(loc, arguments.keyLength, geometry.keyBlock);
  k.launch(emitter.size(loc, counts.extents[2]),
           emitter.constant(loc, geometry.queryHeads),
           emitter.size(loc, counts.extents[0]),
           getSharedBytes(emitter, loc, keyBlocks));
  return success();
}

/// Changes the state of each block of the thread's share.
static void mapStates(QueryBlock &at, Value states,
                      function_ref<Value(Value keyBlock, Value state)> change) {
  KernelBuilder &k = at.k;
  k.loopOverShare(at.keyBlocks, [&](Value keyBlock) {
    Value old =
        arith::ExtUIOp::create(k.b, k.b.getI32Type(), k.load(states, keyBlock));
    Value changed = change(keyBlock, old);
    k.store(arith::TruncIOp::create(k.b, k.b.getI8Type(), changed), states,
            keyBlock);
  });
}

static Value hasBits(KernelBuilder &k, Value state, int64_t bits) {
  Value found = arith::AndIOp::create(k.b, state, k.i32(bits));
  return arith::CmpIOp::create(k.b, Predicate::ne, found, k.i32(0));
}

/// Cuts the lists of a query block that would list more than `capacity` blocks:
/// those that are forced stay, and others with the highest scores. Counts the
/// query block then.
static void limitBlocks(QueryBlock &at, Value states, Value scores,
                        int64_t capacity) {
  KernelBuilder &k = at.k;
  auto stateOf = [&](Value keyBlock) -> Value {
    return arith::ExtUIOp::create(k.b, k.b.getI32Type(),
                                  k.load(states, keyBlock));
  };
  auto count = [&](int64_t bits) {
    return k.reduceCTA(
        Kind::ADD,
        k.loopOverShare(at.keyBlocks, k.i32(0), [&](Value block, Value sum) {
          return k.select(hasBits(k, stateOf(block), bits),
                          k.add(sum, k.i32(1)), sum);
        }));
  };
  // Unlisted blocks have lost both bits by now.
  Value listed = count(state::isAttended);
  Value forced = count(state::isForced);
  k.when(k.compare(Predicate::sgt, listed, k.i32(capacity)), [&] {
    Value room = arith::SIToFPOp::create(k.b, k.b.getF32Type(),
                                         k.sub(k.i32(capacity), forced));
    auto isOther = [&](Value state) {
      return k.land(hasBits(k, state, state::isAttended),
                    k.lnot(hasBits(k, state, state::isForced)));
    };
    Value cut = findCut(
        at, scores,
        [&](Value block) {
          return k.select(isOther(stateOf(block)), k.real(1), k.real(0));
        },
        room);
    Value hasRoom = k.compare(Predicate::sgt, room, k.real(0));
    mapStates(at, states, [&](Value block, Value state) {
      Value stays =
          k.land(hasRoom,
                 k.compare(Predicate::sge, rankingKey(at, scores, block), cut));
      return k.select(k.land(isOther(state), k.lnot(stays)), k.i32(0), state);
    });
    k.when(k.compare(Predicate::eq, k.thread(), k.index(0)), [&] {
      memref::AtomicRMWOp::create(k.b, arith::AtomicRMWKind::addi, k.i32(1),
                                  at.parameters.cut,
                                  ValueRange{at.batch, at.head});
    });
  });
}

//===----------------------------------------------------------------------===//
// pbs.select
//===----------------------------------------------------------------------===//

/// The operation whose scores the selection computes itself, if any.
static BlockScoresOp getFusedScores(SelectOp op) {
  auto scores = op.getScores().getDefiningOp<BlockScoresOp>();
  return scores && scores.isFused() ? scores : BlockScoresOp();
}

LogicalResult pbs::analyse(SelectOp op, Entry &entry) {
  BlockScoresOp fused = getFusedScores(op);
  Memory &rows = entry.get(fused ? fused.getQuery() : op.getScores());
  FailureOr<Sizing> sizing = getSizing(op, rows.extents[0], entry);
  if (failed(sizing))
    return failure();
  bool hasBlocks = !fused || !fused.getScore();
  if (hasBlocks && failed(entry.join(op, rows.extents[2], sizing->queryBlocks,
                                     "the query blocks of scores and lists")))
    return failure();
  if (fused) {
    FailureOr<Extent> queries = entry.getExtent(fused, fused.getQueryLength());
    FailureOr<Extent> keys = entry.getExtent(fused, fused.getKeyLength());
    if (failed(queries) || failed(keys) ||
        failed(entry.join(op, *queries, sizing->queryLength,
                          "the query lengths of scores and lists")) ||
        failed(entry.join(op, *keys, sizing->keyLength,
                          "the key lengths of scores and lists")))
      return failure();
  } else if (failed(entry.join(op, rows.extents[3], sizing->keyBlocks,
                               "the key blocks of scores and lists"))) {
    return failure();
  }
  int64_t heads = op.getScores().getType().getDimSize(1);
  addSelection(op.getResult(), heads, *sizing, toInteger(op.getCapacity()),
               entry);
  if (op.getCut())
    entry.addResult(op.getCut(), "cut", {rows.extents[0], rows.extents[1]});
  return success();
}

/// The smallest f32 that is not below `value`: of f32 scores, the same are at
/// least as much.
static double roundUp(double value) {
  auto rounded = static_cast<float>(value);
  if (static_cast<double>(rounded) < value)
    rounded = std::nextafter(rounded, std::numeric_limits<float>::infinity());
  return rounded;
}

/// The score from which on a rule takes candidates.
static Value findLeastScore(QueryBlock &at, const SelectionCut &cut,
                            Value scores) {
  KernelBuilder &k = at.k;
  switch (cut.kind) {
  case SelectionCut::Kind::Score:
    return k.real(roundUp(cut.target));
  case SelectionCut::Kind::ScoreByLength: {
    Value blocks =
        arith::UIToFPOp::create(k.b, k.b.getF32Type(), k.toI32(at.keyBlocks));
    return arith::DivFOp::create(k.b, k.real(cut.target),
                                 math::SqrtOp::create(k.b, blocks));
  }
  case SelectionCut::Kind::ShareOfBest: {
    Value best = k.loopOverShare(
        at.keyBlocks, k.negativeInfinity(), [&](Value block, Value most) {
          Value score = k.select(at.isCandidate(block), k.load(scores, block),
                                 k.negativeInfinity());
          return k.max(most, score);
        });
    return k.mulF(k.reduceCTA(Kind::MAXNUMF, best), k.real(cut.target));
  }
  case SelectionCut::Kind::Count:
  case SelectionCut::Kind::Sum:
    break;
  }
  llvm_unreachable("not a threshold");
}

/// Tells of a candidate whether `rule` takes it.
static std::function<Value(Value block)>
decideCandidates(QueryBlock &at, SelectionRule rule, Value scores) {
  KernelBuilder &k = at.k;
  SelectionCut cut = rule.getCut();
  bool isPrefix = cut.kind == SelectionCut::Kind::Count ||
                  cut.kind == SelectionCut::Kind::Sum;
  if (rule.takesAll(maxKeyBlocks))
    return [&k](Value) { return k.truth(true); };
  if (isPrefix && cut.target <= 0)
    return [&k](Value) { return k.truth(false); };
  if (!isPrefix) {
    Value least = findLeastScore(at, cut, scores);
    return [&k, scores, least](Value block) {
      return k.compare(Predicate::sge, k.load(scores, block), least);
    };
  }
  // No target above 0 may become 0, which an empty prefix reaches.
  double target =
      std::max<double>(cut.target, std::numeric_limits<float>::min());
  Value key = findCut(
      at, scores,
      [&](Value block) {
        // No sum grows by a score below 0: what stands before it suffices or
        // nothing does.
        Value weight = cut.kind == SelectionCut::Kind::Sum
                           ? k.max(k.load(scores, block), k.real(0))
                           : k.real(1);
        return k.select(at.isCandidate(block), weight, k.real(0));
      },
      k.real(target));
  return [&at, &k, scores, key](Value block) {
    return k.compare(Predicate::sge, rankingKey(at, scores, block), key);
  };
}

/// Leaves the states of those blocks that are chosen or forced.
static void chooseBlocks(QueryBlock &at, SelectionRule rule, Value states,
                         Value scores) {
  KernelBuilder &k = at.k;
  std::function<Value(Value)> isTaken = decideCandidates(at, rule, scores);
  mapStates(at, states, [&](Value block, Value state) {
    Value forced =
        k.lor(at.isOwn(block), hasBits(k, state, state::holdsTokenZero));
    Value taken = k.land(at.isCandidate(block), isTaken(block));
    Value isListed =
        k.land(k.lor(forced, taken), hasBits(k, state, state::isAttended));
    Value kept = arith::OrIOp::create(
        k.b, state, k.select(forced, k.i32(state::isForced), k.i32(0)));
    return k.select(isListed, kept, k.i32(0));
  });
}

LogicalResult pbs::emit(SelectOp op, Emitter &emitter) {
  Entry &entry = emitter.entry;
  BlockScoresOp fused = getFusedScores(op);
  if (fused && failed(requireScale(fused, fused.getScale())))
    return failure();
  SelectionParameters arguments;
  if (fused)
    arguments = getScoreArguments(fused, emitter);
  else
    arguments.scores = entry.get(op.getScores()).value;
  int64_t heads = op.getScores().getType().getDimSize(1);
  return emitSelection(
      op, emitter, "select",
      getGeometry(op, heads, static_cast<int64_t>(op.getSegment())),
      op.getCut() ? &entry.get(op.getCut()) : nullptr, arguments,
      [&](QueryBlock &at) {
        Value scores = getScoreRow(at);
        if (fused)
          computeScores(at, fused, scores);
        else
          loadScores(at, scores);
        Value states = classifyBlocks(at);
        chooseBlocks(at, op.getRule(), states, scores);
        if (op.getCapacity())
          limitBlocks(at, states, scores,
                      static_cast<int64_t>(*op.getCapacity()));
        writeLists(at, states);
      });
}

//===----------------------------------------------------------------------===//
// pbs.full_selection
//===----------------------------------------------------------------------===//

LogicalResult pbs::analyse(FullSelectionOp op, Entry &entry) {
  FailureOr<Extent> batch = entry.getExtent(op, op.getBatch());
  if (failed(batch))
    return failure();
  FailureOr<Sizing> sizing = getSizing(op, *batch, entry);
  if (failed(sizing))
    return failure();
  addSelection(op.getResult(), static_cast<int64_t>(op.getHeads()), *sizing,
               std::nullopt, entry);
  return success();
}

LogicalResult pbs::emit(FullSelectionOp op, Emitter &emitter) {
  return emitSelection(
      op, emitter, "full_selection",
      getGeometry(op, static_cast<int64_t>(op.getHeads()), std::nullopt),
      /*cut=*/nullptr, {},
      [&](QueryBlock &at) { writeLists(at, classifyBlocks(at)); });
}

//===----------------------------------------------------------------------===//
// pbs.selection_from_mask
//===----------------------------------------------------------------------===//

LogicalResult pbs::analyse(SelectionFromMaskOp op, Entry &entry) {
  Memory &mask = entry.get(op.getMask());
  FailureOr<Sizing> sizing = getSizing(op, mask.extents[0], entry);
  if (failed(sizing) ||
      failed(entry.join(op, mask.extents[2], sizing->queryBlocks,
                        "the query blocks of mask and lists")) ||
      failed(entry.join(op, mask.extents[3], sizing->keyBlocks,
                        "the key blocks of mask and lists")))
    return failure();
  addSelection(op.getResult(), op.getMask().getType().getDimSize(1), *sizing,
               toInteger(op.getCapacity()), entry);
  if (op.getCut())
    entry.addResult(op.getCut(), "cut", {mask.extents[0], mask.extents[1]});
  return success();
}

LogicalResult pbs::emit(SelectionFromMaskOp op, Emitter &emitter) {
  Entry &entry = emitter.entry;
  SelectionParameters arguments;
  arguments.mask = entry.get(op.getMask()).value;
  return emitSelection(
      op, emitter, "selection_from_mask",
      getGeometry(op, op.getMask().getType().getDimSize(1), std::nullopt),
      op.getCut() ? &entry.get(op.getCut()) : nullptr, arguments,
      [&](QueryBlock &at) {
        KernelBuilder &k = at.k;
        Value states = classifyBlocks(at);
        Value scores = getScoreRow(at);
        mapStates(at, states, [&](Value block, Value state) {
          // Nothing but the index tells the blocks apart.
          k.store(k.real(0), scores, block);
          Value isChosen =
              k.load(at.parameters.mask, {at.batch, at.head, at.block, block});
          return k.select(isChosen, state, k.i32(0));
        });
        if (op.getCapacity())
          limitBlocks(at, states, scores,
                      static_cast<int64_t>(*op.getCapacity()));
        writeLists(at, states);
      });
}

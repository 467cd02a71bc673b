// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Orders of keys: the identity, sorting segments by importance, and keys and
// values written in a permutation's order.

#include "Stages.h"
#include "pbs/Analysis/KernelSizes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace pbs;

using Predicate = KernelBuilder::Predicate;

static constexpr int64_t warpsOfCTA = 8;
static constexpr int64_t threadsOfCTA = warpsOfCTA * pbsgpu::warpSize;

//===----------------------------------------------------------------------===//
// pbs.identity_permutation
//===----------------------------------------------------------------------===//

LogicalResult pbs::analyse(IdentityPermutationOp op, Entry &entry) {
  FailureOr<Extent> batch = entry.getExtent(op, op.getBatch());
  FailureOr<Extent> length = entry.getExtent(op, op.getKeyLength());
  if (failed(batch) || failed(length))
    return failure();
  entry.addPermutation(op.getResult(), *batch, *length);
  return success();
}

/// The place in the permutation that a thread writes.
static Value getPlace(KernelBuilder &k) {
  return k.add(k.mul(k.blockId(gpu::Dimension::x), k.index(threadsOfCTA)),
               k.thread());
}

LogicalResult pbs::emit(IdentityPermutationOp op, Emitter &emitter) {
  Location loc = op.getLoc();
  Memory &result = emitter.entry.get(op.getResult());
  int64_t heads = op.getResult().getType().getHeads();
  if (failed(requireGrid(emitter, op, result.extents[0], heads)))
    return failure();
  KernelBuilder k(emitter, loc, "identity_permutation", warpsOfCTA);
  Value permutation = k.parameter("permutation", result.value);
  Value place = getPlace(k);
  k.when(k.compare(Predicate::slt, place, k.dim(permutation, 2)), [&] {
    k.store(
        k.toI32(place), permutation,
        {k.blockId(gpu::Dimension::z), k.blockId(gpu::Dimension::y), place});
  });
  Value length = emitter.size(loc, result.extents[2]);
  k.launch(emitter.ceilDiv(loc, length, threadsOfCTA),
           emitter.constant(loc, heads), emitter.size(loc, result.extents[0]));
  return success();
}

//===----------------------------------------------------------------------===//
// pbs.segment_sort
//===----------------------------------------------------------------------===//

LogicalResult pbs::analyse(SegmentSortOp op, Entry &entry) {
  Memory &importance = entry.get(op.getImportance());
  entry.addPermutation(op.getResult(), importance.extents[0],
                       importance.extents[2]);
  return success();
}

/// How many keys from `begin` to `end` go before the key at `place`, whose
/// importance is `own`: those that are more important, or as important and
/// before it. NaN is the least important.
static Value countBefore(KernelBuilder &k, Value importance, Value batch,
                         Value head, Value begin, Value end, Value place,
                         Value own) {
  Value ownIsNaN = k.isNaN(own);
  return k
      .loop(begin, end, k.index(1), k.index(0),
            [&](Value other, ValueRange carried) -> SmallVector<Value> {
              Value value = k.load(importance, {batch, head, other});
              Value isNaN = k.isNaN(value);
              Value isMore = k.lor(k.compare(Predicate::sgt, value, own),
                                   k.land(ownIsNaN, k.lnot(isNaN)));
              Value isEqual = k.lor(k.compare(Predicate::eq, value, own),
                                    k.land(ownIsNaN, isNaN));
              Value goesBefore = k.lor(
                  isMore,
                  k.land(isEqual, k.compare(Predicate::slt, other, place)));
              return {k.select(goesBefore, k.add(carried[0], k.index(1)),
                               carried[0])};
            })
      .front();
}

LogicalResult pbs::emit(SegmentSortOp op, Emitter &emitter) {
  Location loc = op.getLoc();
  Memory &importance = emitter.entry.get(op.getImportance());
  Memory &result = emitter.entry.get(op.getResult());
  int64_t heads = op.getResult().getType().getHeads();
  int64_t segment = op.getResult().getType().getSegment();
  if (failed(requireGrid(emitter, op, result.extents[0], heads)))
    return failure();

  // A thread for each key counts the keys of its segment that go before it:
  // segments are short, and all threads of a warp read the same key.
  KernelBuilder k(emitter, loc, "segment_sort", warpsOfCTA);
  Value weights = k.parameter("importance", importance.value);
  Value permutation = k.parameter("permutation", result.value);
  Value head = k.blockId(gpu::Dimension::y);
  Value batch = k.blockId(gpu::Dimension::z);
  Value place = getPlace(k);
  Value length = k.dim(weights, 2);
  k.when(k.compare(Predicate::slt, place, length), [&] {
    Value begin = k.mul(k.div(place, segment), k.index(segment));
    Value end = k.add(begin, k.index(segment));
    Value isSorted =
        k.land(k.compare(Predicate::sle, end, length),
               k.compare(Predicate::sgt, length, k.index(segment)));
    Value target = k.choose(
        isSorted,
        [&] {
          Value own = k.load(weights, {batch, head, place});
          return k.add(begin, countBefore(k, weights, batch, head, begin, end,
                                          place, own));
        },
        [&] { return place; });
    k.store(k.toI32(place), permutation, {batch, head, target});
  });
  k.launch(
      emitter.ceilDiv(loc, emitter.size(loc, result.extents[2]), threadsOfCTA),
      emitter.constant(loc, heads), emitter.size(loc, result.extents[0]));
  return success();
}

//===----------------------------------------------------------------------===//
// pbs.permute
//===----------------------------------------------------------------------===//

LogicalResult pbs::analyse(PermuteOp op, Entry &entry) {
  Memory &permutation = entry.get(op.getPermutation());
  Memory &source = entry.get(op.getSource());
  if (failed(entry.join(op, source, 0, permutation, 0)) ||
      failed(entry.join(op, source, 2, permutation, 2)))
    return failure();
  entry.addRows(op.getResult(), "permuted",
                {source.extents[0], permutation.extents[1], source.extents[2],
                 source.extents[3]});
  return success();
}

/// All operations beside `op` that put arguments of the entry into the order
/// that `op` puts its source into: keys and values are written by one kernel.
/// `op` alone if its source is no argument.
static SmallVector<PermuteOp> getGroup(PermuteOp op, Entry &entry) {
  auto isOfArgument = [&](PermuteOp other) {
    return entry.get(other.getSource()).kind == Memory::Kind::Input;
  };
  if (!isOfArgument(op))
    return {op};
  SmallVector<PermuteOp> group;
  for (Operation *user : op.getPermutation().getUsers())
    if (auto other = dyn_cast<PermuteOp>(user);
        other && other->getBlock() == op->getBlock() && isOfArgument(other) &&
        !isOpTriviallyDead(other))
      group.push_back(other);
  // In what order a value has its users says nothing.
  llvm::sort(group,
             [](PermuteOp a, PermuteOp b) { return a->isBeforeInBlock(b); });
  return group;
}

void pbs::copyRows(KernelBuilder &k, Value source, Value sourceHead,
                   Value result, Value begin, Value end,
                   function_ref<Value(Value place)> findRow) {
  constexpr int64_t elementsOfCopy = bytesOfLoad / 2;
  auto type = cast<MemRefType>(source.getType());
  int64_t copiesOfRow = type.getDimSize(3) / elementsOfCopy;
  Value head = k.blockId(gpu::Dimension::y);
  Value batch = k.blockId(gpu::Dimension::z);
  Value column = k.mul(k.rem(k.thread(), copiesOfRow), k.index(elementsOfCopy));
  auto vector = VectorType::get(elementsOfCopy, type.getElementType());
  k.loop(k.add(begin, k.div(k.thread(), copiesOfRow)), end,
         k.index(k.getThreads() / copiesOfRow), [&](Value place) {
           Value copy = vector::LoadOp::create(
               k.b, vector, source,
               ValueRange{batch, sourceHead, findRow(place), column},
               /*nontemporal=*/false, llvm::Align(bytesOfLoad));
           vector::StoreOp::create(
               k.b, copy, result, ValueRange{batch, head, place, column},
               /*nontemporal=*/false, llvm::Align(bytesOfLoad));
         });
}

/// Copies the rows from `first` up to `end` into permuted order.
static void permuteRows(KernelBuilder &k, PermuteOp op, Value permutation,
                        bool isGiven, Value source, Value result, Value first,
                        Value end) {
  Value head = k.blockId(gpu::Dimension::y);
  Value batch = k.blockId(gpu::Dimension::z);
  int64_t heads = op.getPermutation().getType().getHeads();
  Value sourceHead =
      k.div(head, heads / op.getSource().getType().getDimSize(1));
  Value last = isGiven ? k.sub(k.dim(source, 2), k.index(1)) : Value();
  copyRows(k, source, sourceHead, result, first, end, [&](Value place) {
    return k.loadRow(permutation, {batch, head, place}, last);
  });
}

LogicalResult pbs::emit(PermuteOp op, Emitter &emitter) {
  constexpr int64_t rowsOfCTA = 128;
  Location loc = op.getLoc();
  Entry &entry = emitter.entry;
  SmallVector<PermuteOp> group = getGroup(op, entry);
  if (group.front() != op)
    return success();
  Memory &order = entry.get(op.getPermutation());
  int64_t heads = op.getPermutation().getType().getHeads();
  if (failed(requireGrid(emitter, op, order.extents[0], heads)))
    return failure();

  KernelBuilder k(emitter, loc, "permute", warpsOfCTA);
  Value permutation = k.parameter("permutation", order.value);
  SmallVector<std::pair<Value, Value>> sourcesAndResults;
  for (auto [index, member] : llvm::enumerate(group)) {
    std::string number = std::to_string(index);
    Value source =
        k.parameter("source" + number, entry.get(member.getSource()).value);
    Value result =
        k.parameter("permuted" + number, entry.get(member.getResult()).value);
    sourcesAndResults.push_back({source, result});
  }
  Value first = k.mul(k.blockId(gpu::Dimension::x), k.index(rowsOfCTA));
  Value end = k.min(k.add(first, k.index(rowsOfCTA)), k.dim(permutation, 2));
  for (auto [member, rows] : llvm::zip_equal(group, sourcesAndResults))
    permuteRows(k, member, permutation, order.isGiven(), rows.first,
                rows.second, first, end);
  k.launch(emitter.ceilDiv(loc, emitter.size(loc, order.extents[2]), rowsOfCTA),
           emitter.constant(loc, heads), emitter.size(loc, order.extents[0]));
  return success();
}

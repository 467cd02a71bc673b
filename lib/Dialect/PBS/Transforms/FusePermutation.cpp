// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention gathers keys and values, or reads permuted copies: whatever is
// asked for, or costs less.

#include "pbs/Dialect/PBS/Transforms/Passes.h"

#include "pbs/Analysis/AttentionCost.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/ModuleTarget.h"

#include <optional>

namespace pbs {
#define GEN_PASS_DEF_PBSFUSEPERMUTATION
#include "pbs/Dialect/PBS/Transforms/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbs;

static remark::RemarkOpts describe(AttentionOp attention, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbs-fuse-permutation")
      .function(attention->getParentOfType<func::FuncOp>().getSymName());
}

/// Says why the permutation stays as it is.
static bool decline(AttentionOp attention, const Twine &reason) {
  remark::missed(attention.getLoc(), describe(attention, "NotFused"))
      << remark::reason("{0}", reason.str());
  return false;
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

/// Whether `attention` may gather what `key` and `value` wrote.
static bool canGather(AttentionOp attention, PermuteOp key, PermuteOp value) {
  if (key.getPermutation() != value.getPermutation() ||
      (attention.getPermutation() &&
       attention.getPermutation() != key.getPermutation()))
    return decline(attention, "keys, values and attention do not share one "
                              "permutation");
  int64_t heads = key.getPermutation().getType().getHeads();
  int64_t queryHeads = attention.getQuery().getType().getDimSize(1);
  int64_t keyHeads = key.getSource().getType().getDimSize(1);
  if (heads != queryHeads && heads != keyHeads)
    return decline(attention, "the permutation's heads (" + Twine(heads) +
                                  ") are neither the query heads (" +
                                  Twine(queryHeads) + ") nor the key heads (" +
                                  Twine(keyHeads) + ")");
  if (keyHeads != value.getSource().getType().getDimSize(1))
    return decline(attention,
                   "before it, keys and values have different heads");
  return true;
}

/// Makes `attention` gather what `key` and `value` read. Returns how many
/// tensors it does not read any more.
static int64_t gather(AttentionOp attention, PermuteOp key, PermuteOp value) {
  attention.getKeyMutable().assign(key.getSource());
  attention.getValueMutable().assign(value.getSource());
  attention.getPermutationMutable().assign(key.getPermutation());
  int64_t count = key == value ? 1 : 2;
  if (value.use_empty() && value != key)
    value.erase();
  if (key.use_empty())
    key.erase();
  return count;
}

/// Pools of permuted keys gather too where nothing else reads the copy.
static void gatherPools(func::FuncOp function) {
  SmallVector<PermuteOp> permutes;
  function.walk([&](PermuteOp op) { permutes.push_back(op); });
  for (PermuteOp permute : permutes) {
    if (permute.use_empty() ||
        !llvm::all_of(permute->getUsers(), llvm::IsaPred<PoolOp>))
      continue;
    for (Operation *user : llvm::make_early_inc_range(permute->getUsers())) {
      auto pool = cast<PoolOp>(user);
      pool.getSourceMutable().assign(permute.getSource());
      pool.getPermutationMutable().assign(permute.getPermutation());
    }
    permute.erase();
  }
}

//===----------------------------------------------------------------------===//
// Write
//===----------------------------------------------------------------------===//

/// `source` in permuted order, where `user` stands.
static Value findOrPermute(OpBuilder &builder, Operation *user, Value source,
                           TypedValue<PermutationType> permutation) {
  for (Operation *other : permutation.getUsers()) {
    auto permute = dyn_cast<PermuteOp>(other);
    if (permute && permute.getSource() == source &&
        permute->getBlock() == user->getBlock() &&
        permute->isBeforeInBlock(user))
      return permute;
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(user);
  auto plain = cast<RankedTensorType>(source.getType());
  SmallVector<int64_t> shape(plain.getShape());
  shape[1] = permutation.getType().getHeads();
  auto type = PermutedType::get(builder.getContext(), plain.clone(shape),
                                permutation.getType().getSegment());
  return PermuteOp::create(builder, user->getLoc(), type, source, permutation);
}

/// Makes `attention`, which gathers, read permuted copies.
static void write(AttentionOp attention) {
  OpBuilder builder(attention);
  auto permute = [&](Value source) {
    return findOrPermute(builder, attention, source,
                         attention.getPermutation());
  };
  Value key = permute(attention.getKey());
  Value value = permute(attention.getValue());
  attention.getKeyMutable().assign(key);
  attention.getValueMutable().assign(value);
}

/// Pools that gather keys which are to be written read them there.
static void writePools(func::FuncOp function) {
  SmallVector<PoolOp> pools;
  function.walk([&](PoolOp pool) {
    if (pool.getPermutation())
      pools.push_back(pool);
  });
  for (PoolOp pool : pools) {
    bool isWritten =
        llvm::any_of(pool.getPermutation().getUsers(), [&](Operation *user) {
          auto permute = dyn_cast<PermuteOp>(user);
          return permute && permute.getSource() == pool.getSource() &&
                 permute->getBlock() == pool->getBlock();
        });
    if (!isWritten)
      continue;
    // What attention would read comes before it then.
    OpBuilder builder(pool);
    Value permuted =
        findOrPermute(builder, pool, pool.getSource(), pool.getPermutation());
    SmallVector<PermuteOp> later;
    for (Operation *user : pool.getPermutation().getUsers())
      if (auto permute = dyn_cast<PermuteOp>(user);
          permute && permute != permuted.getDefiningOp() &&
          permute.getSource() == pool.getSource() &&
          permute->getBlock() == pool->getBlock() &&
          permute.getType() == permuted.getType())
        later.push_back(permute);
    for (PermuteOp permute : later) {
      permute->replaceAllUsesWith(ValueRange(permuted));
      permute.erase();
    }
    pool.getSourceMutable().assign(permuted);
    pool.getPermutationMutable().clear();
  }
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {
/// What is best for one attention.
struct Decision {
  FusionStrategy strategy;
  /// Keys from which on writing is better, where that depends on them.
  std::optional<int64_t> crossover;
  /// Keys and costs at an example: the crossover where there is one.
  int64_t keyLength;
  StrategyCost gather, write;
};

/// Decides by the cost analysis.
class CostModel {
public:
  CostModel(AttentionOp attention, double density, const Chip &chip)
      : attention(attention), density(density), chip(chip) {}

  Decision decide();

private:
  Workload getWorkload(int64_t keyLength);
  StrategyCost getCost(FusionStrategy strategy, int64_t keyLength) {
    return getStrategyCost(attention, strategy, getWorkload(keyLength), chip);
  }
  bool isWriteBetter(int64_t keyLength) {
    return getCost(FusionStrategy::Write, keyLength).seconds <=
           getCost(FusionStrategy::Gather, keyLength).seconds;
  }
  Decision at(FusionStrategy strategy, std::optional<int64_t> crossover,
              int64_t keyLength) {
    return {strategy, crossover, keyLength,
            getCost(FusionStrategy::Gather, keyLength),
            getCost(FusionStrategy::Write, keyLength)};
  }

  AttentionOp attention;
  double density;
  const Chip &chip;
};
} // namespace

/// Of one batch, and of as many queries as keys, where they are not known.
Workload CostModel::getWorkload(int64_t keyLength) {
  RankedTensorType query = attention.getQuery().getType();
  Workload workload;
  if (!query.isDynamicDim(0))
    workload.batch = query.getDimSize(0);
  workload.keyLength = keyLength;
  workload.queryLength = query.isDynamicDim(2)
                             ? keyLength
                             : std::min(keyLength, query.getDimSize(2));
  workload.density = expectDensity(attention, workload, density);
  return workload;
}

Decision CostModel::decide() {
  int64_t known = getTensorType(attention.getKey()).getDimSize(2);
  if (!ShapedType::isDynamic(known))
    return at(isWriteBetter(known) ? FusionStrategy::Write
                                   : FusionStrategy::Gather,
              std::nullopt, known);
  // Gathering costs by the blocks listed, writing by the keys: the longer the
  // keys, the better is writing, if it ever is.
  constexpr int64_t step = maxSegment;
  int64_t longest =
      maxKeyBlocks * attention.getSelection().getType().getKeyBlock();
  int64_t below = 0, from = step;
  while (from <= longest && !isWriteBetter(from)) {
    below = from;
    from *= 2;
  }
  constexpr int64_t example = 32768;
  if (from > longest)
    return at(FusionStrategy::Gather, std::nullopt, example);
  if (below == 0)
    return at(FusionStrategy::Write, std::nullopt, example);
  while (from - below > step) {
    int64_t middle = (below + from) / 2 / step * step;
    (isWriteBetter(middle) ? from : below) = middle;
  }
  return at(FusionStrategy::Write, from, from);
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

/// Puts the attention, which gathers, into both branches of an scf.if: from
/// `crossover` keys on it reads permuted copies.
static void guard(AttentionOp attention, int64_t crossover) {
  OpBuilder builder(attention);
  Location loc = attention.getLoc();
  Value length = tensor::DimOp::create(builder, loc, attention.getKey(), 2);
  Value limit = arith::ConstantIndexOp::create(builder, loc, crossover);
  Value isLong = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                       length, limit);
  auto clone = [&](OpBuilder &branch, bool writes) {
    auto copy = cast<AttentionOp>(branch.clone(*attention));
    scf::YieldOp::create(branch, loc, copy.getResults());
    if (writes)
      write(copy);
  };
  auto branch = scf::IfOp::create(
      builder, loc, isLong,
      [&](OpBuilder &then, Location) { clone(then, /*writes=*/true); },
      [&](OpBuilder &otherwise, Location) {
        clone(otherwise, /*writes=*/false);
      });
  attention->replaceAllUsesWith(branch);
  attention.erase();
}

namespace {
struct FusePermutation : pbs::impl::PBSFusePermutationBase<FusePermutation> {
  using PBSFusePermutationBase::PBSFusePermutationBase;

  LogicalResult initialize(MLIRContext *context) override;
  void runOnOperation() override;

private:
  void gatherOne(AttentionOp attention);
  void decideOne(AttentionOp attention, std::optional<double> density,
                 const Chip &chip);
};
} // namespace

LogicalResult FusePermutation::initialize(MLIRContext *context) {
  auto refuse = [&]() -> InFlightDiagnostic {
    return emitError(UnknownLoc::get(context), "pbs-fuse-permutation: ");
  };
  if (strategy != "gather" && strategy != "write" && strategy != "auto")
    return refuse() << "strategy '" << strategy
                    << "' must be 'gather', 'write' or 'auto'";
  if (!(expectedDensity >= 0 && expectedDensity <= 1))
    return refuse() << "expected-density must be from 0 to 1";
  return success();
}

/// The permutations of keys and values, if both were written.
static std::pair<PermuteOp, PermuteOp> getPermutes(AttentionOp attention) {
  return {attention.getKey().getDefiningOp<PermuteOp>(),
          attention.getValue().getDefiningOp<PermuteOp>()};
}

void FusePermutation::gatherOne(AttentionOp attention) {
  auto [key, value] = getPermutes(attention);
  if (!key || !value || !canGather(attention, key, value))
    return;
  int64_t count = gather(attention, key, value);
  remark::passed(attention.getLoc(), describe(attention, "Fused"))
      << remark::metric("Strategy", "gather")
      << remark::metric("TensorsNotRead", count);
}

void FusePermutation::decideOne(AttentionOp attention,
                                std::optional<double> density,
                                const Chip &chip) {
  auto [key, value] = getPermutes(attention);
  bool isWritten = key && value;
  if (isWritten ? !canGather(attention, key, value) : !attention.gathers())
    return;
  auto isKept = [&](PermuteOp permute) {
    return !llvm::all_of(permute->getUsers(), [&](Operation *user) {
      return user == attention || isa<PoolOp>(user);
    });
  };
  if (isWritten && isKept(key) && isKept(value)) {
    (void)decline(attention, "something else reads the permuted keys and "
                             "values, so that gathering saves nothing");
    return;
  }
  Operation *source = attention.getSelection().getDefiningOp();
  if (!density && !isa_and_nonnull<FullSelectionOp>(source)) {
    gatherOne(attention);
    return;
  }
  Decision decision = CostModel(attention, density.value_or(1), chip).decide();
  if (isWritten)
    gather(attention, key, value);
  StringRef chosen = "gather";
  if (decision.crossover)
    chosen = "both";
  else if (decision.strategy == FusionStrategy::Write)
    chosen = "write";
  auto micros = [](double seconds) {
    return llvm::formatv("{0:F1}", seconds * 1e6).str();
  };
  {
    auto report =
        remark::passed(attention.getLoc(), describe(attention, "Decided"));
    report << remark::metric("Strategy", chosen);
    if (decision.crossover)
      report << remark::metric("CrossoverKeys", *decision.crossover);
    report << remark::metric("AtKeys", decision.keyLength)
           << remark::metric("GatherBytes", decision.gather.bytes)
           << remark::metric("GatherMicroseconds",
                             micros(decision.gather.seconds))
           << remark::metric("WriteBytes", decision.write.bytes)
           << remark::metric("WriteMicroseconds",
                             micros(decision.write.seconds));
  }
  if (decision.crossover)
    guard(attention, *decision.crossover);
  else if (decision.strategy == FusionStrategy::Write)
    write(attention);
}

void FusePermutation::runOnOperation() {
  func::FuncOp function = getOperation();
  // In branches is what has been decided already.
  auto attentions = llvm::to_vector(function.getOps<AttentionOp>());
  if (strategy == "write") {
    for (AttentionOp attention : attentions) {
      if (!attention.gathers())
        continue;
      write(attention);
      remark::passed(attention.getLoc(), describe(attention, "Written"))
          << remark::metric("Strategy", "write");
    }
    writePools(function);
    return;
  }
  std::optional<double> density;
  if (expectedDensity > 0)
    density = expectedDensity;
  if (auto given = function->getAttrOfType<FloatAttr>(
          PBSDialect::getExpectedDensityAttrName()))
    density = given.getValueAsDouble();
  FailureOr<Chip> chip = getChip(function->getParentOfType<ModuleOp>());
  if (failed(chip))
    return signalPassFailure();
  for (AttentionOp attention : attentions)
    if (strategy == "gather")
      gatherOne(attention);
    else
      decideOne(attention, density, *chip);
  // Pools read rows of keys once: gathering them costs nothing more.
  gatherPools(function);
}

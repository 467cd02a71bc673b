// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the operations of a function to the models of its kernels.

#include "pbs/Analysis/Traffic.h"

#include "OperationModels.h"
#include "pbs/Analysis/AttentionCost.h"
#include "pbs/Analysis/KernelSizes.h"
#include "pbs/Analysis/Schedule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace pbs;

namespace {
class Analyzer {
public:
  Analyzer(func::FuncOp function, const Workload &workload, const Chip &chip)
      : function(function), workload(workload), chip(chip),
        machine(getMachine(chip)) {}

  FailureOr<Traffic> analyze();

private:
  void findQueries();
  LogicalResult visit(Block &block);
  LogicalResult visit(scf::IfOp op);
  void visit(Operation &op);
  LogicalResult checkSizes(Operation &op);
  void visitPermute(PermuteOp op);
  void visitAttention(AttentionOp op);
  void visitImportance(ImportanceOp op);
  RowSumsModel getRowSums(BlockScoresOp op);
  int64_t bytesOfScores(BlockScoresOp op, int64_t heads, int64_t warps,
                        const BlockGeometry &geometry);
  void visitScores(BlockScoresOp op);
  void visitSelect(SelectOp op);
  template <typename OpTy> void visitSelection(OpTy op, StringRef name);

  std::optional<int64_t> evaluate(Value value);
  int64_t getLength(Value rows) {
    return queries.contains(rows) ? workload.queryLength : workload.keyLength;
  }
  Rows rows(Value value) {
    return getRows(value, workload.batch, getLength(value));
  }
  /// The value of an operand of type index; for lengths that nothing tells,
  /// `otherwise`.
  int64_t index(Value value, int64_t otherwise) {
    return evaluate(value).value_or(otherwise);
  }
  template <typename OpTy>
  BlockGeometry getGeometry(OpTy op, int64_t queryBlock, int64_t keyBlock,
                            int64_t segment, std::optional<int64_t> window) {
    return {index(op.getQueryLength(), workload.queryLength),
            index(op.getKeyLength(), workload.keyLength),
            queryBlock,
            keyBlock,
            segment,
            op.getCausal(),
            window};
  }
  void add(KernelTraffic kernel, Operation *op) {
    kernel.op = op;
    std::string name = kernel.kernel;
    for (unsigned number = 1; !names.insert(kernel.kernel).second; ++number)
      kernel.kernel = name + std::to_string(number);
    result.kernels.push_back(std::move(kernel));
  }
  /// Counts `bytes` of workspace unless the caller owns the memory of `value`,
  /// or what an scf.if gives stands there.
  void addBuffer(Value value, int64_t bytes) {
    if (llvm::none_of(value.getUsers(),
                      llvm::IsaPred<func::ReturnOp, scf::YieldOp>))
      result.workspace += bytes;
  }

  func::FuncOp function;
  const Workload &workload;
  const Chip &chip;
  const Machine &machine;
  llvm::DenseSet<Value> queries;
  llvm::StringSet<> names;
  /// Whether launches do not count: of branches that are not taken.
  bool onlyBuffers = false;
  Traffic result;
};
} // namespace

/// Which rows are as many as queries, where only the workload says how many
/// there are.
void Analyzer::findQueries() {
  function.walk([&](Operation *op) {
    if (auto attention = dyn_cast<AttentionOp>(op)) {
      queries.insert(attention.getQuery());
      queries.insert(attention.getOutput());
    }
    if (auto branch = dyn_cast<scf::IfOp>(op);
        branch && branch->getNumResults())
      for (auto [result, given] : llvm::zip_equal(
               branch.getResults(), branch.thenYield()->getOperands()))
        if (queries.contains(given))
          queries.insert(result);
    if (auto importance = dyn_cast<ImportanceOp>(op))
      queries.insert(importance.getQuery());
    if (auto scores = dyn_cast<BlockScoresOp>(op)) {
      auto pool = scores.getQuery().getDefiningOp<PoolOp>();
      queries.insert(pool ? pool.getSource() : scores.getQuery());
    }
  });
}

std::optional<int64_t> Analyzer::evaluate(Value value) {
  APInt known;
  if (matchPattern(value, m_ConstantInt(&known)))
    return value.getType().isInteger(1) ? known.getZExtValue()
                                        : known.getSExtValue();
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> at = dim.getConstantIndex();
    auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
    if (!type || !at || *at < 0 || *at >= type.getRank())
      return std::nullopt;
    if (!type.isDynamicDim(*at))
      return type.getDimSize(*at);
    if (*at == 0)
      return workload.batch;
    if (*at == 2 && type.getRank() == 4)
      return getLength(dim.getSource());
    return std::nullopt;
  }
  if (op->getNumOperands() != 2)
    return std::nullopt;
  std::optional<int64_t> a = evaluate(op->getOperand(0));
  std::optional<int64_t> b = evaluate(op->getOperand(1));
  if (!a || !b)
    return std::nullopt;
  using Result = std::optional<int64_t>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddIOp) { return Result(*a + *b); })
      .Case([&](arith::SubIOp) { return Result(*a - *b); })
      .Case([&](arith::MulIOp) { return Result(*a * *b); })
      .Case([&](arith::FloorDivSIOp) {
        return *b > 0 ? Result(llvm::divideFloorSigned(*a, *b)) : Result();
      })
      .Case([&](arith::CeilDivSIOp) {
        return *b > 0 ? Result(llvm::divideCeilSigned(*a, *b)) : Result();
      })
      .Case([&](arith::MinSIOp) { return Result(std::min(*a, *b)); })
      .Case([&](arith::MaxSIOp) { return Result(std::max(*a, *b)); })
      .Case([&](arith::AndIOp) { return Result(*a & *b); })
      .Case([&](arith::OrIOp) { return Result(*a | *b); })
      .Case([&](arith::CmpIOp compare) {
        return Result(arith::applyCmpPredicate(
            compare.getPredicate(), APInt(64, *a, true), APInt(64, *b, true)));
      })
      .Default([](Operation *) { return Result(); });
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

void Analyzer::visitPermute(PermuteOp op) {
  addBuffer(op.getResult(), rows(op.getSource()).bytes() /
                                getTensorType(op.getSource()).getDimSize(1) *
                                op.getPermutation().getType().getHeads());
  // Those that permute arguments of the function share a kernel.
  auto sharesKernel = [&](PermuteOp other) {
    return other->getBlock() == op->getBlock() &&
           isa<BlockArgument>(other.getSource()) && !isOpTriviallyDead(other);
  };
  int64_t copies = 1;
  if (isa<BlockArgument>(op.getSource())) {
    SmallVector<PermuteOp> group;
    for (Operation *user : op.getPermutation().getUsers())
      if (auto other = dyn_cast<PermuteOp>(user); other && sharesKernel(other))
        group.push_back(other);
    copies = static_cast<int64_t>(group.size());
    if (llvm::any_of(
            group, [&](PermuteOp other) { return other->isBeforeInBlock(op); }))
      return;
  }
  add(modelPermute(rows(op.getSource()),
                   op.getPermutation().getType().getHeads(), copies, machine),
      op);
}

void Analyzer::visitAttention(AttentionOp op) {
  AttentionModel model = getAttentionModel(op, workload);
  addBuffer(op.getOutput(), model.query.bytes());
  if (model.hasLogSumExp)
    addBuffer(op.getLogSumExp(), model.query.count() * 4);
  double density = workload.density.value_or(expectDensity(op, workload, 1));
  if (!onlyBuffers) {
    result.allBlocks += model.allBlocks();
    result.skippedBlocks += model.allBlocks() - model.listedBlocks(density);
  }
  add(model.compute(density, workload.maskedShare, getSchedule(op, chip),
                    machine),
      op);
}

void Analyzer::visitImportance(ImportanceOp op) {
  Rows query = rows(op.getQuery()), key = rows(op.getKey());
  auto queryBlock = static_cast<int64_t>(op.getQueryBlock());
  int64_t heads =
      cast<RankedTensorType>(op.getResult().getType()).getDimSize(1);
  KernelTraffic sums = modelLogSums(query, key, queryBlock,
                                    static_cast<int64_t>(op.getSegment()));
  result.workspace += sums.stored;
  add(std::move(sums), op);
  KernelTraffic importance = modelImportance(query, key, queryBlock, heads);
  addBuffer(op.getResult(), importance.stored);
  add(std::move(importance), op);
}

RowSumsModel Analyzer::getRowSums(BlockScoresOp op) {
  RowSumsModel model;
  model.query = rows(op.getQuery());
  model.key = rows(op.getKey());
  model.geometry =
      getGeometry(op, op.getQueryBlock(), op.getKeyBlock(),
                  static_cast<int64_t>(op.getSegment()), std::nullopt);
  model.stride = cast<RowsAttr>(*op.getScore()).getStride();
  model.isPermuted = static_cast<bool>(op.getPermutation());
  return model;
}

/// What a CTA of `warps` warps for each query block loads to compute scores.
int64_t Analyzer::bytesOfScores(BlockScoresOp op, int64_t heads, int64_t warps,
                                const BlockGeometry &geometry) {
  if (op.getScore())
    return getRowSums(op).bytesOfScoring();
  return bytesOfScoring(heads, op.getQuery().getType().getDimSize(3), warps,
                        geometry);
}

void Analyzer::visitScores(BlockScoresOp op) {
  if (op.getScore()) {
    RowSumsModel model = getRowSums(op);
    for (KernelTraffic kernel :
         {model.computeSampling(), model.computeSums()}) {
      result.workspace += kernel.stored;
      add(std::move(kernel), op);
    }
  }
  if (op.isFused())
    return;
  BlockGeometry geometry =
      getGeometry(op, op.getQueryBlock(), op.getKeyBlock(),
                  static_cast<int64_t>(op.getSegment()), std::nullopt);
  RankedTensorType query = op.getQuery().getType();
  int64_t heads =
      orElse(query.getDimSize(0), workload.batch) * query.getDimSize(1);
  KernelTraffic kernel;
  kernel.kernel = "block_scores";
  kernel.loaded = bytesOfScores(op, heads, warpsOfScores, geometry);
  kernel.stored = heads * geometry.queryBlocks() * geometry.keyBlocks() * 4;
  addBuffer(op.getResult(), kernel.stored);
  add(std::move(kernel), op);
}

template <typename OpTy>
void Analyzer::visitSelection(OpTy op, StringRef name) {
  SelectionType type = op.getResult().getType();
  int64_t segment = type.getKeyBlock(), capacity = maxKeyBlocks;
  int64_t batch = workload.batch, heads = 0;
  KernelTraffic kernel;
  kernel.kernel = name.str();
  if constexpr (std::is_same_v<OpTy, FullSelectionOp>) {
    batch = index(op.getBatch(), batch);
    heads = static_cast<int64_t>(op.getHeads());
  } else {
    RankedTensorType blocks;
    if constexpr (std::is_same_v<OpTy, SelectOp>)
      blocks = op.getScores().getType();
    else
      blocks = op.getMask().getType();
    batch = orElse(blocks.getDimSize(0), batch);
    heads = blocks.getDimSize(1);
    capacity = toInteger(op.getCapacity()).value_or(capacity);
    if (op.getCut())
      addBuffer(op.getCut(), batch * heads * 4);
  }
  if constexpr (std::is_same_v<OpTy, SelectOp>)
    segment = static_cast<int64_t>(op.getSegment());
  if (op.getPermutation())
    segment = op.getPermutation().getType().getSegment();
  heads *= batch;
  BlockGeometry geometry =
      getGeometry(op, type.getQueryBlock(), type.getKeyBlock(), segment,
                  toInteger(op.getWindow()));
  int64_t blocks = heads * geometry.queryBlocks() * geometry.keyBlocks();
  if constexpr (std::is_same_v<OpTy, SelectionFromMaskOp>)
    kernel.loaded += blocks;
  if constexpr (std::is_same_v<OpTy, SelectOp>) {
    auto scores = op.getScores().template getDefiningOp<BlockScoresOp>();
    if (scores && scores.isFused())
      kernel.loaded += bytesOfScores(scores, heads, warpsOfSelection, geometry);
    else
      kernel.loaded += blocks * 4;
  }
  if (op.getPermutation())
    kernel.loaded += bytesOfClassifying(heads, geometry);
  kernel.stored =
      bytesOfLists(heads, geometry, std::min(capacity, geometry.keyBlocks()));
  addBuffer(op.getResult(), kernel.stored);
  add(std::move(kernel), op);
}

/// Requires sizes that a plan takes, of operations whose operands say them.
/// Beyond them sums would overflow, and models count row by row.
LogicalResult Analyzer::checkSizes(Operation &op) {
  auto refuse = [&](StringRef what, int64_t given, int64_t fewest,
                    int64_t most) -> LogicalResult {
    if (given >= fewest && given <= most)
      return success();
    return op.emitOpError() << what << " (" << given << ") must be " << fewest
                            << " to " << most << " for its traffic to be known";
  };
  constexpr int64_t mostBatches = 65535;
  auto check = [&](auto sized, int64_t keyBlock) -> LogicalResult {
    int64_t keys = index(sized.getKeyLength(), workload.keyLength);
    if (failed(refuse("keys", keys, 1, maxKeyBlocks * keyBlock)))
      return failure();
    return refuse("queries",
                  index(sized.getQueryLength(), workload.queryLength), 1, keys);
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](IdentityPermutationOp identity) {
        if (failed(refuse("batches", index(identity.getBatch(), workload.batch),
                          1, mostBatches)))
          return failure();
        return refuse("keys",
                      index(identity.getKeyLength(), workload.keyLength), 1,
                      maxKeyBlocks * largestKeyBlock);
      })
      .Case([&](BlockScoresOp scores) -> LogicalResult {
        if (scores.getScore() && !isa<RowsAttr>(*scores.getScore()))
          return scores.emitOpError("has score ")
                 << *scores.getScore() << ", whose traffic is not known";
        return check(scores, scores.getKeyBlock());
      })
      .Case([&](FullSelectionOp full) {
        if (failed(refuse("batches", index(full.getBatch(), workload.batch), 1,
                          mostBatches)))
          return failure();
        return check(full, full.getResult().getType().getKeyBlock());
      })
      .Case<SelectOp, SelectionFromMaskOp>([&](auto select) {
        return check(select, select.getResult().getType().getKeyBlock());
      })
      .Default([](Operation *) { return success(); });
}

void Analyzer::visit(Operation &op) {
  llvm::TypeSwitch<Operation *>(&op)
      .Case([&](IdentityPermutationOp identity) {
        KernelTraffic kernel =
            modelIdentity(index(identity.getBatch(), workload.batch),
                          identity.getResult().getType().getHeads(),
                          index(identity.getKeyLength(), workload.keyLength));
        addBuffer(identity.getResult(), kernel.stored);
        add(std::move(kernel), identity);
      })
      .Case([&](SegmentSortOp sort) {
        RankedTensorType type = sort.getImportance().getType();
        KernelTraffic kernel = modelSegmentSort(
            orElse(type.getDimSize(0), workload.batch), type.getDimSize(1),
            orElse(type.getDimSize(2), workload.keyLength),
            sort.getResult().getType().getSegment());
        addBuffer(sort.getResult(), kernel.stored);
        add(std::move(kernel), sort);
      })
      .Case([&](PoolOp pool) {
        KernelTraffic kernel = modelPool(
            rows(pool.getSource()),
            pool.getPermutation() ? pool.getPermutation().getType().getHeads()
                                  : 0,
            static_cast<int64_t>(pool.getBlock()), machine);
        addBuffer(pool.getResult(), kernel.stored);
        add(std::move(kernel), pool);
      })
      .Case([&](PermuteOp permute) { visitPermute(permute); })
      .Case([&](AttentionOp attention) { visitAttention(attention); })
      .Case([&](ImportanceOp importance) { visitImportance(importance); })
      .Case([&](BlockScoresOp scores) { visitScores(scores); })
      .Case([&](SelectOp select) { visitSelection(select, "select"); })
      .Case(
          [&](FullSelectionOp full) { visitSelection(full, "full_selection"); })
      .Case([&](SelectionFromMaskOp mask) {
        visitSelection(mask, "selection_from_mask");
      });
}

LogicalResult Analyzer::visit(scf::IfOp op) {
  std::optional<int64_t> condition = evaluate(op.getCondition());
  if (!condition)
    return op.emitOpError("depends on more than sizes: its traffic is not "
                          "known");
  for (Region *region : {&op.getThenRegion(), &op.getElseRegion()}) {
    if (region->empty())
      continue;
    bool isTaken = (*condition != 0) == (region == &op.getThenRegion());
    auto launches = result.kernels.size();
    bool before = std::exchange(onlyBuffers, onlyBuffers || !isTaken);
    if (failed(visit(region->front())))
      return failure();
    onlyBuffers = before;
    if (!isTaken)
      result.kernels.truncate(launches);
    // What it gives stands in one memory, the caller's or a buffer.
    if (isTaken)
      for (auto [value, given] : llvm::zip_equal(
               region->front().getTerminator()->getOperands(), op.getResults()))
        if (auto attention = value.getDefiningOp<AttentionOp>()) {
          Rows query = rows(attention.getQuery());
          addBuffer(given, value == attention.getOutput() ? query.bytes()
                                                          : query.count() * 4);
        }
  }
  return success();
}

LogicalResult Analyzer::visit(Block &block) {
  for (Operation &op : block.without_terminator()) {
    if (isOpTriviallyDead(&op))
      continue;
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      if (failed(visit(branch)))
        return failure();
    } else if (op.getNumRegions() && !isa<AttentionOp>(op)) {
      return op.emitOpError("has regions: its traffic is not known");
    } else {
      if (failed(checkSizes(op)))
        return failure();
      visit(op);
    }
  }
  return success();
}

FailureOr<Traffic> Analyzer::analyze() {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("must have one block for its traffic to be "
                                "known");
  findQueries();
  if (failed(visit(function.getBody().front())))
    return failure();
  return std::move(result);
}

FailureOr<Traffic> pbs::analyzeTraffic(func::FuncOp function,
                                       const Workload &workload,
                                       const Chip &chip) {
  return Analyzer(function, workload, chip).analyze();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each function with pbs operations becomes kernels and a launch plan.

#include "pbs/Conversion/PBSToPBSGPU/Passes.h"

#include "Attention.h"
#include "Branches.h"
#include "Stages.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbs {
#define GEN_PASS_DEF_CONVERTPBSTOPBSGPU
#include "pbs/Conversion/PBSToPBSGPU/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbs;

static bool hasAlgorithm(func::FuncOp function) {
  return function
      .walk([](Operation *op) {
        return isa_and_present<PBSDialect>(op->getDialect())
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Requires that all operations of a block have a place in a plan.
static LogicalResult verifyBlock(Block &block, bool isBranch) {
  auto isSupported = [](Operation &op) {
    return isa_and_present<PBSDialect>(op.getDialect()) ||
           isOpTriviallyDead(&op);
  };
  // Lengths and conditions are judged by those that need them, and so are
  // constants.
  auto isHarmless = [&](Operation &op) {
    bool isConstant = op.hasTrait<OpTrait::ConstantLike>();
    if (isConstant && !isa<TensorType>(op.getResult(0).getType()))
      return true;
    return isa<tensor::DimOp>(op) || isPlanArithmetic(&op) ||
           (isConstant && llvm::none_of(op.getUsers(), [&](Operation *user) {
              return isSupported(*user);
            }));
  };
  for (Operation &op : block.without_terminator()) {
    if (isSupported(op) || isHarmless(op))
      continue;
    auto branch = dyn_cast<scf::IfOp>(op);
    if (!branch || isBranch)
      return op.emitOpError("has no place in a launch plan");
    for (Region &region : branch->getRegions())
      if (!region.empty() &&
          failed(verifyBlock(region.front(), /*isBranch=*/true)))
        return failure();
  }
  return success();
}

/// Requires a function whose operations all have a place in a plan.
static LogicalResult verifyEntry(ModuleOp module, func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("entry @")
           << function.getSymName()
           << " must have one block: control flow has no place in a plan";
  if (!SymbolTable::symbolKnownUseEmpty(function, module))
    return function.emitError("entry @")
           << function.getSymName()
           << " is used by another operation: calls have no place in a plan";
  return verifyBlock(function.getBody().front(), /*isBranch=*/false);
}

static LogicalResult analyse(Block &block, Entry &entry);

static LogicalResult analyse(scf::IfOp op, Entry &entry) {
  for (Region &region : op->getRegions())
    if (!region.empty() && failed(analyse(region.front(), entry)))
      return failure();
  return mergeResults(op, entry);
}

/// Makes the memories of an operation's results.
static LogicalResult analyse(Operation &op, Entry &entry) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](PermutationFromTensorOp permutation) {
        entry.alias(permutation.getResult(), permutation.getIndices());
        return entry.setContents(&op, entry.get(permutation),
                                 getPermutationContents(permutation.getType()));
      })
      .Case([&](SelectionFromListsOp lists) {
        entry.alias(lists.getResult(), lists.getOperands());
        return success();
      })
      .Case(
          [&](AttentionOp attention) { return addAttention(attention, entry); })
      .Case([&](scf::IfOp branch) { return analyse(branch, entry); })
      .Case<IdentityPermutationOp, ImportanceOp, SegmentSortOp, PermuteOp,
            PoolOp, BlockScoresOp, SelectOp, FullSelectionOp,
            SelectionFromMaskOp>(
          [&](auto stage) { return analyse(stage, entry); })
      .Case([](PrefillOp prefill) {
        return prefill.emitOpError(
            "must be expanded before, with --pbs-expand-prefill");
      })
      .Default([](Operation *other) -> LogicalResult {
        if (isa_and_present<PBSDialect>(other->getDialect()))
          return other->emitOpError(
              "has no kernel; --device=reference runs it");
        return success();
      });
}

static LogicalResult analyse(Block &block, Entry &entry) {
  for (Operation &op : block)
    if (!isOpTriviallyDead(&op) && failed(analyse(op, entry)))
      return failure();
  return success();
}

/// Finds out what stands in memory, and which sizes agree.
static LogicalResult analyse(Entry &entry) {
  func::FuncOp function = entry.function;
  if (failed(entry.addArguments()) ||
      failed(analyse(function.getBody().front(), entry)) ||
      failed(entry.addResults()))
    return failure();
  entry.nameSizes();
  if (std::string fault = entry.sizes.resolve(); !fault.empty())
    return function.emitError("entry @")
           << function.getSymName() << " has " << fault;
  return success();
}

/// A size of a plan as people write it.
static std::string describeSize(Value size) {
  Operation *op = size.getDefiningOp();
  if (auto named = dyn_cast<pbsgpu::SizeOp>(op))
    return named.getName().str();
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return std::to_string(*known);
  std::string operands =
      describeSize(op->getOperand(0)) + ", " + describeSize(op->getOperand(1));
  return (isa<arith::CeilDivSIOp>(op) ? "ceildiv(" : "min(") + operands + ")";
}

/// The bytes of all buffers of a plan.
static std::string describeWorkspace(pbsgpu::PlanOp plan) {
  // Buffers of the same extents are one term.
  llvm::MapVector<StringRef, int64_t> terms;
  SmallVector<std::string> texts;
  texts.reserve(llvm::range_size(plan.getOps<pbsgpu::BufferOp>()));
  for (auto buffer : plan.getOps<pbsgpu::BufferOp>()) {
    auto type = cast<MemRefType>(buffer.getType());
    int64_t known = std::max(1u, type.getElementTypeBitWidth() / 8);
    for (int64_t extent : type.getShape())
      if (!ShapedType::isDynamic(extent))
        known *= extent;
    std::string factors;
    for (Value extent : buffer.getDynamicShape())
      factors += " * " + describeSize(extent);
    texts.push_back(std::move(factors));
    terms[texts.back()] += known;
  }
  std::string sum;
  for (const auto &[factors, known] : terms)
    sum += (sum.empty() ? "" : " + ") + std::to_string(known) + factors.str();
  return sum.empty() ? "0" : sum;
}

namespace {
struct ConvertPBSToPBSGPU
    : pbs::impl::ConvertPBSToPBSGPUBase<ConvertPBSToPBSGPU> {
  void runOnOperation() override;

private:
  LogicalResult convert(Entry &entry);
  /// Writes the kernels and launches of operations.
  LogicalResult emit(Block &block, Emitter &emitter);
  LogicalResult emit(Operation &op, Emitter &emitter);
  LogicalResult emit(scf::IfOp op, Emitter &emitter);

  /// Names of kernels: all of a module's share one PTX file.
  llvm::StringSet<> kernelNames;
  Chip chip;
};
} // namespace

LogicalResult ConvertPBSToPBSGPU::emit(Block &block, Emitter &emitter) {
  for (Operation &op : block)
    if (!isOpTriviallyDead(&op) && failed(emit(op, emitter)))
      return failure();
  return success();
}

LogicalResult ConvertPBSToPBSGPU::emit(scf::IfOp op, Emitter &emitter) {
  FailureOr<Value> condition = emitCondition(op, emitter);
  if (failed(condition))
    return failure();
  for (Region &region : op->getRegions()) {
    if (region.empty())
      continue;
    emitter.guard = &region == &op.getThenRegion()
                        ? *condition
                        : emitOpposite(*condition, emitter);
    LogicalResult emitted = emit(region.front(), emitter);
    emitter.guard = {};
    if (failed(emitted))
      return failure();
  }
  return success();
}

LogicalResult ConvertPBSToPBSGPU::emit(Operation &op, Emitter &emitter) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](AttentionOp attention) {
        return emitAttention(attention, emitter, chip);
      })
      .Case([&](scf::IfOp branch) { return emit(branch, emitter); })
      .Case<IdentityPermutationOp, ImportanceOp, SegmentSortOp, PermuteOp,
            PoolOp, BlockScoresOp, SelectOp, FullSelectionOp,
            SelectionFromMaskOp>(
          [&](auto stage) { return pbs::emit(stage, emitter); })
      .Default([](Operation *) { return success(); });
}

LogicalResult ConvertPBSToPBSGPU::convert(Entry &entry) {
  func::FuncOp function = entry.function;
  OpBuilder builder(function);
  std::string kernelsName = (function.getSymName() + "_kernels").str();
  while (getOperation().lookupSymbol(kernelsName))
    kernelsName += "_";
  auto kernels =
      gpu::GPUModuleOp::create(builder, function.getLoc(), kernelsName);
  if (Attribute target =
          getOperation()->getAttr(PBSDialect::getTargetAttrName()))
    kernels.setTargetsAttr(builder.getArrayAttr(target));
  auto plan = pbsgpu::PlanOp::create(builder, function.getLoc(),
                                     function.getSymNameAttr());
  builder.createBlock(&plan.getBody());

  entry.emitSizes(builder);
  WalkResult described = function.walk([&](AttentionOp attention) {
    // Nobody asks for the memories of what is not used.
    auto branch = dyn_cast<scf::IfOp>(attention->getParentOp());
    bool isDead =
        isOpTriviallyDead(attention) || (branch && isOpTriviallyDead(branch));
    return WalkResult(
        success(isDead || succeeded(describeAttention(attention, entry))));
  });
  if (described.wasInterrupted())
    return failure();
  entry.emitMemories(builder);
  entry.sizes.emitRequirements(builder, function.getLoc());
  Emitter emitter{entry, builder, kernels, kernelNames};
  if (failed(emit(function.getBody().front(), emitter)))
    return failure();
  remark::passed(function.getLoc(), remark::RemarkOpts::name("EntryConverted")
                                        .category(getArgument())
                                        .function(function.getSymName()))
      << remark::metric("Kernels", llvm::range_size(kernels.getOps()))
      << remark::metric("Launches",
                        llvm::range_size(plan.getOps<pbsgpu::LaunchOp>()))
      << remark::metric("WorkspaceBytes", describeWorkspace(plan));
  return success();
}

void ConvertPBSToPBSGPU::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<Chip> found = getChip(module);
  if (failed(found))
    return signalPassFailure();
  chip = std::move(*found);
  SmallVector<func::FuncOp> functions = llvm::to_vector(
      llvm::make_filter_range(module.getOps<func::FuncOp>(), hasAlgorithm));
  for (func::FuncOp function : functions)
    if (failed(verifyEntry(module, function)))
      return signalPassFailure();
  module.walk([&](pbsgpu::KernelOp kernel) {
    kernelNames.insert(kernel.getSymName());
  });
  for (func::FuncOp function : functions) {
    Entry entry(function);
    if (failed(analyse(entry)) || failed(convert(entry)))
      return signalPassFailure();
    function.erase();
  }
}

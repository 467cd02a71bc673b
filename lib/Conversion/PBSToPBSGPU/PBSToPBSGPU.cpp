// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each function with pbs operations becomes kernels and a launch plan.

#include "pbs/Conversion/PBSToPBSGPU/Passes.h"

#include "Attention.h"
#include "Entry.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

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
  auto isSupported = [](Operation &op) {
    return isa<AttentionOp, PermutationFromTensorOp, SelectionFromListsOp>(
               op) ||
           isOpTriviallyDead(&op);
  };
  // Of what is not supported, the algorithm's own operations say the most.
  auto operations = function.getBody().front().without_terminator();
  for (Operation &op : operations)
    if (isa_and_present<PBSDialect>(op.getDialect()) && !isSupported(op))
      return op.emitOpError("has no kernel yet; --device=reference runs it");
  // A constant is judged by its users.
  auto isHarmless = [&](Operation &op) {
    return op.hasTrait<OpTrait::ConstantLike>() &&
           llvm::none_of(op.getUsers(),
                         [&](Operation *user) { return isSupported(*user); });
  };
  for (Operation &op : operations)
    if (!isSupported(op) && !isHarmless(op))
      return op.emitOpError("has no place in a launch plan");
  return success();
}

/// Finds out what stands in memory, and which sizes agree.
static LogicalResult analyse(Entry &entry) {
  func::FuncOp function = entry.function;
  if (failed(entry.addArguments()))
    return failure();
  for (Operation &op : function.getBody().front()) {
    if (isOpTriviallyDead(&op))
      continue;
    if (isa<PermutationFromTensorOp, SelectionFromListsOp>(op))
      entry.alias(op.getResult(0), op.getOperands());
    if (auto permutation = dyn_cast<PermutationFromTensorOp>(op))
      if (failed(
              entry.setContents(&op, entry.get(permutation),
                                getPermutationContents(permutation.getType()))))
        return failure();
    if (auto attention = dyn_cast<AttentionOp>(op))
      if (failed(addAttention(attention, entry)))
        return failure();
  }
  if (failed(entry.addResults()))
    return failure();
  if (failed(entry.sizes.resolve()))
    return function.emitError("entry @")
           << function.getSymName()
           << " has lists whose rows are not one for each query block";
  return success();
}

namespace {
struct ConvertPBSToPBSGPU
    : pbs::impl::ConvertPBSToPBSGPUBase<ConvertPBSToPBSGPU> {
  using ConvertPBSToPBSGPUBase::ConvertPBSToPBSGPUBase;

  LogicalResult initialize(MLIRContext *context) override;
  void runOnOperation() override;

private:
  LogicalResult convert(Entry &entry);

  /// Names of kernels: all of a module's share one PTX file.
  llvm::StringSet<> kernelNames;
};
} // namespace

LogicalResult ConvertPBSToPBSGPU::initialize(MLIRContext *context) {
  auto refuse = [&](StringRef option, int64_t value) {
    return emitError(UnknownLoc::get(context), "convert-pbs-to-pbsgpu: ")
           << option << " (" << value << ") must be ";
  };
  if (!llvm::is_contained({16, 32, 64, 128}, keyTile))
    return refuse("key-tile", keyTile) << "16, 32, 64 or 128";
  if (!llvm::is_contained({1, 2, 4, 8}, warps))
    return refuse("warps", warps) << "1, 2, 4 or 8";
  return success();
}

LogicalResult ConvertPBSToPBSGPU::convert(Entry &entry) {
  func::FuncOp function = entry.function;
  OpBuilder builder(function);
  std::string kernelsName = (function.getSymName() + "_kernels").str();
  while (getOperation().lookupSymbol(kernelsName))
    kernelsName += "_";
  auto kernels =
      gpu::GPUModuleOp::create(builder, function.getLoc(), kernelsName);
  auto plan = pbsgpu::PlanOp::create(builder, function.getLoc(),
                                     function.getSymNameAttr());
  builder.createBlock(&plan.getBody());

  auto attentions = function.getOps<AttentionOp>();
  entry.emitSizes(builder);
  for (AttentionOp attention : attentions)
    if (!isOpTriviallyDead(attention) &&
        failed(describeAttention(attention, entry)))
      return failure();
  entry.emitMemories(builder);
  entry.sizes.emitRequirements(builder, function.getLoc());
  for (AttentionOp attention : attentions) {
    if (isOpTriviallyDead(attention))
      continue;
    std::string name = "attention";
    for (unsigned number = 1; !kernelNames.insert(name).second; ++number)
      name = "attention" + std::to_string(number);
    if (failed(emitAttention(attention, entry, {keyTile, warps}, builder,
                             kernels, name)))
      return failure();
  }
  remark::passed(function.getLoc(), remark::RemarkOpts::name("EntryConverted")
                                        .category(getArgument())
                                        .function(function.getSymName()))
      << remark::metric("Kernels", llvm::range_size(kernels.getOps()));
  return success();
}

void ConvertPBSToPBSGPU::runOnOperation() {
  ModuleOp module = getOperation();
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels lose parameters that they do not read or that equal another.

#include "pbs/Conversion/PBSGPUToNVVM/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/MapVector.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbs {
#define GEN_PASS_DEF_MERGEKERNELPARAMETERS
#include "pbs/Conversion/PBSGPUToNVVM/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbsgpu;

namespace {
struct MergeKernelParameters
    : pbs::impl::MergeKernelParametersBase<MergeKernelParameters> {
  void runOnOperation() override;

private:
  void merge(LLVM::LLVMFuncOp kernel, ArrayRef<LaunchOp> launches);
};
} // namespace

/// The parameter before `index` that every launch hands the same value, or
/// `index` itself.
static unsigned findEqual(LLVM::LLVMFuncOp kernel, ArrayRef<LaunchOp> launches,
                          unsigned index, const BitVector &dropped) {
  for (unsigned other = 0; other < index; ++other) {
    if (dropped[other] ||
        kernel.getArgument(other).getType() !=
            kernel.getArgument(index).getType() ||
        kernel.getArgAttrDict(other) != kernel.getArgAttrDict(index))
      continue;
    if (llvm::all_of(launches, [&](LaunchOp launch) {
          return launch.getParameters()[other] == launch.getParameters()[index];
        }))
      return other;
  }
  return index;
}

/// FunctionOpInterface::eraseArguments fails for functions that return void.
static void eraseParameters(LLVM::LLVMFuncOp kernel, const BitVector &dropped) {
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (unsigned index = 0; index < dropped.size(); ++index) {
    if (dropped[index])
      continue;
    types.push_back(kernel.getArgument(index).getType());
    attributes.push_back(kernel.getArgAttrDict(index));
  }
  kernel.getBody().front().eraseArguments(dropped);
  LLVM::LLVMFunctionType type = kernel.getFunctionType();
  kernel.setFunctionType(
      LLVM::LLVMFunctionType::get(type.getReturnType(), types));
  kernel.setAllArgAttrs(attributes);
}

void MergeKernelParameters::merge(LLVM::LLVMFuncOp kernel,
                                  ArrayRef<LaunchOp> launches) {
  BitVector dropped(kernel.getNumArguments());
  unsigned numUnused = 0, numMerged = 0;
  for (unsigned index = 0; index < kernel.getNumArguments(); ++index) {
    BlockArgument parameter = kernel.getArgument(index);
    if (parameter.use_empty()) {
      ++numUnused;
      dropped.set(index);
      continue;
    }
    unsigned equal = findEqual(kernel, launches, index, dropped);
    if (equal == index)
      continue;
    parameter.replaceAllUsesWith(kernel.getArgument(equal));
    ++numMerged;
    dropped.set(index);
  }
  if (dropped.none())
    return;
  eraseParameters(kernel, dropped);
  remark::passed(kernel.getLoc(), remark::RemarkOpts::name("ParametersMerged")
                                      .category(getArgument())
                                      .function(kernel.getSymName()))
      << remark::metric("Dropped", numUnused)
      << remark::metric("Merged", numMerged);
  for (LaunchOp launch : launches)
    for (unsigned index = dropped.size(); index-- > 0;)
      if (dropped[index])
        launch.getParametersMutable().erase(index);
}

void MergeKernelParameters::runOnOperation() {
  ModuleOp module = getOperation();
  SymbolTableCollection symbols;
  llvm::MapVector<LLVM::LLVMFuncOp, SmallVector<LaunchOp>> kernels;
  module.walk([&](LaunchOp launch) {
    auto kernel = symbols.lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(
        launch, launch.getKernelAttr());
    if (kernel && !kernel.isExternal() && !kernel.isVarArg())
      kernels[kernel].push_back(launch);
  });
  for (auto &[kernel, launches] : kernels) {
    // A caller that is no launch would keep the old parameters.
    auto uses = SymbolTable::getSymbolUses(kernel, module);
    if (!uses || std::distance(uses->begin(), uses->end()) !=
                     static_cast<ptrdiff_t>(launches.size()))
      continue;
    merge(kernel, launches);
  }
}

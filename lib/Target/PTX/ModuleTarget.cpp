// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Target/PTX/ModuleTarget.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

using namespace mlir;
using namespace pbs;

NVVM::NVVMTargetAttr pbs::getTargetAttr(MLIRContext *context,
                                        const Chip &chip) {
  return NVVM::NVVMTargetAttr::get(context, /*optLevel=*/3,
                                   "nvptx64-nvidia-cuda", chip.name,
                                   chip.getFeatures());
}

FailureOr<NVVM::NVVMTargetAttr> pbs::findTarget(ModuleOp module) {
  auto found = module->getAttrOfType<NVVM::NVVMTargetAttr>(
      PBSDialect::getTargetAttrName());
  for (auto kernels : module.getOps<gpu::GPUModuleOp>()) {
    ArrayAttr targets = kernels.getTargetsAttr();
    if (!targets)
      continue;
    for (Attribute attribute : targets) {
      auto target = dyn_cast<NVVM::NVVMTargetAttr>(attribute);
      if (!target)
        continue; // of another vendor
      if (found && found != target)
        return emitError(kernels.getLoc(), "gpu.module '")
               << kernels.getName() << "' has the target " << target
               << ", but the module or a gpu.module before has " << found;
      found = target;
    }
  }
  return found;
}

/// The chip of `target`; errors stand at the module.
static FailureOr<Chip> parse(ModuleOp module, NVVM::NVVMTargetAttr target) {
  return parseChip(target.getChip(), target.getFeatures(),
                   [&] { return emitError(module.getLoc()); });
}

FailureOr<Chip> pbs::getChip(ModuleOp module) {
  FailureOr<NVVM::NVVMTargetAttr> target = findTarget(module);
  if (failed(target))
    return failure();
  if (*target)
    return parse(module, *target);
  return resolveChip(defaultChip, "",
                     [&] { return emitError(module.getLoc()); });
}

LogicalResult pbs::setTarget(ModuleOp module, StringRef chip,
                             StringRef ptxVersion) {
  FailureOr<NVVM::NVVMTargetAttr> target = findTarget(module);
  if (failed(target))
    return failure();
  auto emitHere = [&] { return emitError(module.getLoc()); };
  FailureOr<Chip> resolved;
  if (!*target) {
    resolved = resolveChip(chip.empty() ? StringRef(defaultChip) : chip,
                           ptxVersion, emitHere);
  } else {
    resolved = parse(module, *target);
    if (failed(resolved))
      return failure();
    if (!chip.empty() && chip != resolved->name)
      return emitHere() << "the module is compiled for " << resolved->name
                        << " already, not for " << chip;
    if (!ptxVersion.empty() && ptxVersion != resolved->getPTXVersion())
      return emitHere() << "the module is compiled for PTX version "
                        << resolved->getPTXVersion() << " already, not for "
                        << ptxVersion;
  }
  if (failed(resolved))
    return failure();
  module->setAttr(PBSDialect::getTargetAttrName(),
                  *target ? *target
                          : getTargetAttr(module.getContext(), *resolved));
  return success();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Target/LLVM/NVVM/Target.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include <mutex>

using namespace mlir;

namespace pbs {
namespace {

/// The target that all kernels were made for.
FailureOr<Chip> getChip(ArrayRef<gpu::GPUModuleOp> modules) {
  NVVM::NVVMTargetAttr common;
  for (gpu::GPUModuleOp module : modules) {
    ArrayAttr targets = module.getTargetsAttr();
    auto target = targets && targets.size() == 1
                      ? dyn_cast<NVVM::NVVMTargetAttr>(targets[0])
                      : nullptr;
    if (!target)
      return module.emitOpError("must have exactly one #nvvm.target, which "
                                "--convert-pbsgpu-to-nvvm attaches");
    if (common && common != target)
      return module.emitOpError(
          "has another target than the gpu.module before");
    common = target;
  }
  auto emitError = [&] { return modules.front()->emitError(); };
  return parseChip(common.getChip(), common.getFeatures(), emitError);
}

LogicalResult checkKernelNames(ArrayRef<gpu::GPUModuleOp> modules) {
  llvm::StringMap<Operation *> names;
  for (gpu::GPUModuleOp module : modules)
    for (Operation &op : *module.getBody()) {
      auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
      if (!function && !isa<LLVM::GlobalOp>(op))
        return op.emitOpError("is not at the nvvm stop: a gpu.module may hold "
                              "llvm.func and llvm.mlir.global only");
      if (!function || function.isExternal())
        continue;
      auto [entry, inserted] = names.insert({function.getSymName(), &op});
      if (!inserted)
        return (op.emitOpError("kernel '")
                << function.getSymName()
                << "' exists twice; all kernels share one PTX module")
                   .attachNote(entry->second->getLoc())
               << "first one here";
    }
  return success();
}

/// Whether `op` copies into the CTA's own shared memory (shared::cta).
bool isBulkCopy(Operation *op) {
  if (auto copy = dyn_cast<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>(op))
    return copy.getIsCTAOnly();
  if (auto copy = dyn_cast<NVVM::CpAsyncBulkGlobalToSharedClusterOp>(op))
    return cast<LLVM::LLVMPointerType>(copy.getDstMem().getType())
               .getAddressSpace() ==
           static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared);
  return false;
}

/// The code generator would end the process at such a copy.
LogicalResult checkBulkCopies(ArrayRef<gpu::GPUModuleOp> modules,
                              const Chip &chip) {
  if (chip.hasTensorMaps())
    return success();
  for (gpu::GPUModuleOp module : modules) {
    WalkResult result = module.walk([&](Operation *op) -> WalkResult {
      if (!isBulkCopy(op))
        return success();
      return op->emitOpError("needs ") << chip.getTensorMapError();
    });
    if (result.wasInterrupted())
      return failure();
  }
  return success();
}

/// Whether the kernel takes 128 bytes by value there and reads them where they
/// are.
bool takesTensorMap(LLVM::LLVMFuncOp kernel, unsigned index) {
  auto type = kernel.getArgAttrOfType<TypeAttr>(
      index, LLVM::LLVMDialect::getByValAttrName());
  if (!type ||
      !kernel.getArgAttr(index, NVVM::NVVMDialect::getGridConstantAttrName()))
    return false;
  return DataLayout::closest(kernel).getTypeSize(type.getValue()) == 128;
}

LogicalResult checkTensorMaps(ModuleOp module, const Chip &chip) {
  WalkResult result = module.walk([&](pbsgpu::LaunchOp launch) -> WalkResult {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(
        launch, launch.getKernelAttr());
    if (!kernel)
      return success();
    for (auto [i, parameter] : llvm::enumerate(launch.getParameters())) {
      if (!isa<pbsgpu::TensorMapType>(parameter.getType()))
        continue;
      if (!chip.hasTensorMaps())
        return launch.emitOpError("argument ")
               << i << " is a tensor map, which needs "
               << chip.getTensorMapError();
      if (!takesTensorMap(kernel, i))
        return launch.emitOpError("argument ")
               << i << " is a tensor map, but kernel " << launch.getKernel()
               << " does not take 128 bytes with llvm.byval and "
                  "nvvm.grid_constant there";
    }
    return success();
  });
  return failure(result.wasInterrupted());
}

std::unique_ptr<llvm::TargetMachine> createTargetMachine(const Chip &chip,
                                                         Operation *op) {
  static std::once_flag initialized;
  std::call_once(initialized, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) {
    op->emitError(error);
    return nullptr;
  }
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, chip.name, chip.getFeatures(), llvm::TargetOptions(),
      llvm::Reloc::Model::Static, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
}

FailureOr<std::string> translate(ModuleOp module,
                                 ArrayRef<gpu::GPUModuleOp> modules,
                                 const Chip &chip) {
  std::unique_ptr<llvm::TargetMachine> machine =
      createTargetMachine(chip, module);
  if (!machine)
    return failure();

  llvm::LLVMContext context;
  auto linked = std::make_unique<llvm::Module>("kernels", context);
  linked->setTargetTriple(machine->getTargetTriple());
  linked->setDataLayout(machine->createDataLayout());
  for (gpu::GPUModuleOp kernels : modules) {
    std::unique_ptr<llvm::Module> translated =
        translateModuleToLLVMIR(kernels, context, kernels.getName());
    if (!translated)
      return failure();
    translated->setTargetTriple(machine->getTargetTriple());
    translated->setDataLayout(machine->createDataLayout());
    if (llvm::Linker::linkModules(*linked, std::move(translated)))
      return kernels.emitError("cannot be linked with the gpu.modules before");
  }

  // Never lower: ptxas serialises what comes out of -O0.
  auto optimize =
      makeOptimizingTransformer(/*optLevel=*/3, /*sizeLevel=*/0, machine.get());
  if (llvm::Error error = optimize(linked.get()))
    return module.emitError(llvm::toString(std::move(error)));

  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    return module.emitError("the NVPTX target cannot emit PTX");
  codegen.run(*linked);
  return text.str().str();
}

} // namespace

FailureOr<CompiledModule> emitPTX(ModuleOp module, const PlanFiles &files) {
  SmallVector<gpu::GPUModuleOp> modules(module.getOps<gpu::GPUModuleOp>());
  if (modules.empty())
    return module.emitError("has no kernels: its functions return nothing that "
                            "one would compute");
  FailureOr<Chip> chip = getChip(modules);
  if (failed(chip) || failed(checkKernelNames(modules)) ||
      failed(checkTensorMaps(module, *chip)) ||
      failed(checkBulkCopies(modules, *chip)))
    return failure();

  CompiledModule result;
  result.chip = *chip;
  llvm::raw_string_ostream plan(result.plan);
  if (failed(writePlan(module, *chip, files, plan)))
    return failure();
  FailureOr<std::string> ptx = translate(module, modules, *chip);
  if (failed(ptx))
    return failure();
  result.ptx = std::move(*ptx);
  return result;
}

void registerTargetPTX(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  NVVM::registerNVVMTargetInterfaceExternalModels(registry);
}

} // namespace pbs

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels become LLVM functions of NVVM instructions, one kernel at a time.

#include "pbs/Conversion/PBSGPUToNVVM/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/MathExtras.h"

#include "Fragment.h"
#include "KernelInfo.h"
#include "Patterns.h"
#include "pbs/Dialect/PBSGPU/IR/Launches.h"
#include "pbs/Target/PTX/ModuleTarget.h"

using namespace mlir;

namespace pbs {

#define GEN_PASS_DEF_CONVERTPBSGPUTONVVM
#include "pbs/Conversion/PBSGPUToNVVM/Passes.h.inc"

namespace {

struct ConvertPBSGPUToNVVMPass
    : impl::ConvertPBSGPUToNVVMBase<ConvertPBSGPUToNVVMPass> {
  using ConvertPBSGPUToNVVMBase::ConvertPBSGPUToNVVMBase;

  void runOnOperation() override {
    SmallVector<pbsgpu::KernelOp> kernels;
    getOperation().walk(
        [&](pbsgpu::KernelOp kernel) { kernels.push_back(kernel); });
    if (kernels.empty())
      return;

    FailureOr<Chip> target = getChip(getOperation());
    if (failed(target) || failed(nvvm::checkLowered(kernels)))
      return signalPassFailure();

    llvm::MapVector<Operation *, SmallVector<pbsgpu::LaunchOp>> launches =
        pbsgpu::findLaunches(getOperation());

    for (pbsgpu::KernelOp kernel : kernels) {
      if (failed(nvvm::checkKernel(kernel)))
        return signalPassFailure();
      attachTarget(kernel->getParentOfType<gpu::GPUModuleOp>(), *target);
      if (failed(convert(kernel, launches.lookup(kernel), *target)))
        return signalPassFailure();
    }
  }

private:
  static void attachTarget(gpu::GPUModuleOp module, const Chip &target) {
    MLIRContext *context = module.getContext();
    module.setTargetsAttr(
        ArrayAttr::get(context, getTargetAttr(context, target)));
    if (module.lookupSymbol(nvvm::sharedMemoryName))
      return;
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    LLVM::GlobalOp::create(builder, module.getLoc(),
                           LLVM::LLVMArrayType::get(builder.getI8Type(), 0),
                           /*isConstant=*/false, LLVM::Linkage::External,
                           nvvm::sharedMemoryName, Attribute(),
                           nvvm::tileAlignment, nvvm::sharedSpace);
  }

  /// The alignment that every launch guarantees for each parameter, 0 if none.
  static SmallVector<int64_t>
  getAlignments(pbsgpu::KernelOp kernel, ArrayRef<pbsgpu::LaunchOp> launches) {
    SmallVector<int64_t> alignments(kernel.getNumArguments(), 0);
    for (int64_t i = 0; i < kernel.getNumArguments(); ++i) {
      std::optional<int64_t> smallest;
      for (pbsgpu::LaunchOp launch : launches) {
        Operation *op = launch.getParameters()[i].getDefiningOp();
        int64_t alignment = 0;
        if (auto argument = dyn_cast_or_null<pbsgpu::ArgumentOp>(op))
          alignment = argument.getAlignment();
        else if (auto buffer = dyn_cast_or_null<pbsgpu::BufferOp>(op))
          alignment = buffer.getAlignment();
        smallest = std::min(smallest.value_or(alignment), alignment);
      }
      alignments[i] = smallest.value_or(0);
    }
    return alignments;
  }

  /// Allows all registers that a thread can have where shared memory leaves no
  /// room for CTAs that would need them: ptxas does not know of it, and spills
  /// to take fewer.
  static void allowRegisters(LLVM::LLVMFuncOp function,
                             const nvvm::KernelInfo &info, const Chip &target) {
    constexpr int64_t registersOfThread = 255, registersOfChip = 65536;
    if (info.sharedBytes == 0)
      return;
    int64_t threads =
        target.sharedBytes / info.sharedBytes * info.warps * pbsgpu::warpSize;
    if (threads * registersOfThread <= registersOfChip)
      function->setAttr(
          NVVM::NVVMDialect::getMaxnregAttrName(),
          Builder(function.getContext()).getI32IntegerAttr(registersOfThread));
  }

  LogicalResult convert(pbsgpu::KernelOp kernel,
                        ArrayRef<pbsgpu::LaunchOp> launches,
                        const Chip &target) {
    nvvm::KernelInfo info = nvvm::layOutSharedMemory(kernel);
    if (info.sharedBytes > target.sharedBytes)
      return kernel.emitOpError("needs ")
             << info.sharedBytes << " bytes of shared memory, but a CTA of "
             << target.name << " has " << target.sharedBytes;

    if (!target.hasTensorMaps())
      for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes()))
        if (isa<pbsgpu::TensorMapType>(type))
          return kernel.emitOpError("parameter ")
                 << i << " is a tensor map, which needs "
                 << target.getTensorMapError();

    MLIRContext *context = &getContext();
    LowerToLLVMOptions options(context);
    options.overrideIndexBitwidth(64);
    LLVMTypeConverter converter(context, options);
    auto inRegisters = [&](pbsgpu::FragmentType type) -> Type {
      nvvm::FragmentGeometry geometry(type);
      if (type.getLayout() == pbsgpu::FragmentLayout::Accumulator)
        return VectorType::get(geometry.numElements(),
                               Float32Type::get(context));
      return VectorType::get(geometry.numElements() / 2,
                             IntegerType::get(context, 32));
    };
    converter.addConversion(inRegisters);
    converter.addConversion([=](pbsgpu::PendingType type) {
      return inRegisters(type.getFragment());
    });
    converter.addTypeAttributeConversion(
        [&](BaseMemRefType, gpu::AddressSpaceAttr space) -> Attribute {
          bool isShared = space.getValue() == gpu::AddressSpace::Workgroup;
          return IntegerAttr::get(IntegerType::get(context, 64),
                                  isShared ? nvvm::sharedSpace : 0);
        });
    auto inSharedMemory = [&](auto) -> Type {
      return LLVM::LLVMPointerType::get(context, nvvm::sharedSpace);
    };
    converter.addConversion(
        [=](pbsgpu::TileType type) { return inSharedMemory(type); });
    converter.addConversion(
        [=](pbsgpu::RingType type) { return inSharedMemory(type); });

    converter.addConversion(
        [=](pbsgpu::ItemRingType type) { return inSharedMemory(type); });
    converter.addConversion([&](pbsgpu::TensorMapType) -> Type {
      return LLVM::LLVMPointerType::get(context);
    });

    SmallVector<int64_t> alignments = getAlignments(kernel, launches);
    FailureOr<LLVM::LLVMFuncOp> function =
        nvvm::lowerKernelSignature(kernel, converter, alignments);
    if (failed(function))
      return failure();
    allowRegisters(*function, info, target);
    remark::passed(function->getLoc(),
                   remark::RemarkOpts::name("KernelConverted")
                       .category(getArgument())
                       .function(function->getSymName()))
        << remark::metric("Warps", info.warps)
        << remark::metric("SharedBytes", info.sharedBytes);
    for (pbsgpu::LaunchOp launch : launches)
      nvvm::expandLaunch(launch, info.sharedBytes);

    RewritePatternSet patterns(context);
    nvvm::populateGPUPatterns(converter, info, patterns);
    nvvm::populateTilePatterns(converter, info, patterns);
    nvvm::populateRingPatterns(converter, info, patterns);
    nvvm::populateWorkPatterns(converter, info, patterns);
    nvvm::populateFragmentPatterns(converter, info, patterns);
    nvvm::populateMapPatterns(converter, info, patterns);
    nvvm::populateStorePatterns(converter, info, patterns);
    nvvm::populateMathPatterns(converter, patterns);
    nvvm::populateMemRefPatterns(converter, info, patterns);
    nvvm::populateReductionPatterns(converter, info, patterns);
    nvvm::ampere::populateMmaPatterns(converter, info, patterns);
    nvvm::ampere::populateCopyPatterns(converter, info, patterns);
    nvvm::hopper::populateMmaPatterns(converter, info, patterns);
    nvvm::hopper::populateStorePatterns(converter, info, patterns);
    nvvm::hopper::populateCopyPatterns(converter, info, patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);

    LLVMConversionTarget legality(*context);
    legality.addLegalDialect<NVVM::NVVMDialect>();
    legality.addIllegalDialect<pbsgpu::PBSGPUDialect, math::MathDialect,
                               gpu::GPUDialect>();
    legality.addLegalOp<UnrealizedConversionCastOp, pbsgpu::RolesOp,
                        pbsgpu::EndRoleOp>();
    ConversionConfig config;
    config.allowPatternRollback = false;
    if (failed(applyFullConversion(*function, legality, std::move(patterns),
                                   config)))
      return failure();
    nvvm::inlineRoles(*function, info);
    return success();
  }
};

} // namespace
} // namespace pbs

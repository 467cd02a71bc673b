// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Pipelines/Pipelines.h"

#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include "pbs/Conversion/PBSGPUToNVVM/Passes.h"
#include "pbs/Conversion/PBSToPBSGPU/Passes.h"
#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBS/Transforms/Passes.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include <array>
#include <optional>

using namespace mlir;

namespace pbs {

StringRef stringifyStop(Stop stop) {
  switch (stop) {
  case Stop::PBS:
    return "pbs";
  case Stop::PBSGPU:
    return "pbsgpu";
  case Stop::NVVM:
    return "nvvm";
  case Stop::PTX:
    return "ptx";
  }
  llvm_unreachable("all stops are named");
}

StringRef dumpFileName(Stop stop) {
  switch (stop) {
  case Stop::PBS:
    return "0-pbs.mlir";
  case Stop::PBSGPU:
    return "1-pbsgpu.mlir";
  case Stop::NVVM:
    return "2-nvvm.mlir";
  case Stop::PTX:
    return "3.ptx";
  }
  llvm_unreachable("all stops are named");
}

static void addKernelPass(OpPassManager &passes, std::unique_ptr<Pass> pass) {
  passes.nest<gpu::GPUModuleOp>().addNestedPass<pbsgpu::KernelOp>(
      std::move(pass));
}

/// What the module has already is compared with the options; what it lacks is
/// chosen.
static void addSettings(OpPassManager &passes, const CompileOptions &options) {
  passes.addPass(createPBSSetTarget({options.chip, options.ptxVersion}));
  passes.addPass(createPBSChooseSchedule({options.schedule}));
}

void buildPhase(OpPassManager &passes, Stop stop,
                const CompileOptions &options) {
  switch (stop) {
  case Stop::PBS: {
    passes.addPass(createPBSSetTarget({options.chip, options.ptxVersion}));
    passes.addNestedPass<func::FuncOp>(createPBSExpandPrefill());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    passes.addPass(createPBSChooseSchedule({options.schedule}));
    PBSFusePermutationOptions fusion;
    fusion.strategy = options.strategy;
    fusion.expectedDensity = options.expectedDensity;
    passes.addNestedPass<func::FuncOp>(createPBSFusePermutation(fusion));
    break;
  }
  case Stop::PBSGPU: {
    addSettings(passes, options);
    passes.addPass(createConvertPBSToPBSGPU());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    addKernelPass(passes, pbsgpu::createPBSGPUWalkList());
    passes.addPass(createCanonicalizerPass());
    addKernelPass(passes, pbsgpu::createPBSGPUDoubleBuffer());
    passes.addPass(pbsgpu::createPBSGPUSignalCopies());
    passes.addPass(pbsgpu::createPBSGPUUseTensorMaps());
    passes.addPass(pbsgpu::createPBSGPUSplitRoles());
    addKernelPass(passes, pbsgpu::createPBSGPUDeferValues());
    passes.addPass(pbsgpu::createPBSGPUPersist());
    addKernelPass(passes, pbsgpu::createPBSGPUStageOutput());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    break;
  }
  case Stop::NVVM: {
    addSettings(passes, options);
    addKernelPass(passes, pbsgpu::createPBSGPULowerKeyLoop());
    passes.addPass(pbsgpu::createPBSGPUAsyncProducts());
    addKernelPass(passes, createSCFToControlFlowPass());
    passes.addPass(createConvertPBSGPUToNVVM());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    passes.addPass(createMergeKernelParameters());
    break;
  }
  case Stop::PTX:
    addSettings(passes, options);
    // Instructions that LLVM has no intrinsics for become inline PTX. Not
    // before the stop nvvm: there they stand under their names, and a module
    // that is written at that stop may hold them.
    passes.addNestedPass<gpu::GPUModuleOp>(createConvertNVVMToLLVMPass());
    break;
  }
}

FailureOr<Stop> recognizeStop(ModuleOp module) {
  // The first operation that shows each stop.
  std::array<Operation *, 3> found = {};
  auto find = [&](Stop stop, Operation *op) {
    if (Operation *&first = found[static_cast<size_t>(stop)]; !first)
      first = op;
  };
  module.walk([&](Operation *op) {
    if (isa_and_present<PBSDialect>(op->getDialect()))
      find(Stop::PBS, op);
    else if (isa<pbsgpu::KernelOp>(op))
      find(Stop::PBSGPU, op);
    else if (isa<LLVM::LLVMFuncOp>(op) &&
             isa<gpu::GPUModuleOp>(op->getParentOp()))
      find(Stop::NVVM, op);
  });

  std::optional<Stop> stop;
  for (Stop candidate : {Stop::PBS, Stop::PBSGPU, Stop::NVVM}) {
    Operation *op = found[static_cast<size_t>(candidate)];
    if (!op)
      continue;
    if (stop)
      return op->emitError()
             << "module mixes the stops " << stringifyStop(*stop) << " and "
             << stringifyStop(candidate);
    stop = candidate;
  }
  if (!stop)
    return module.emitError("holds neither operations of the pbs dialect nor "
                            "kernels: nothing to compile");
  return *stop;
}

static TimingScope startTimer(const CompileOptions &options, Stop stop) {
  if (!options.timing)
    return TimingScope();
  return options.timing->nest(("Phase " + stringifyStop(stop)).str());
}

static LogicalResult dump(ModuleOp module, Stop stop,
                          const CompileOptions &options) {
  if (!options.dump)
    return success();
  return options.dump(stop, printReadably(module));
}

LogicalResult runPhases(ModuleOp module, const CompileOptions &options) {
  FailureOr<Stop> start = recognizeStop(module);
  if (failed(start))
    return failure();
  if (*start > options.compileTo)
    return module.emitError() << "is at the stop " << stringifyStop(*start)
                              << " already and cannot be compiled back to "
                              << stringifyStop(options.compileTo);

  for (Stop stop : {Stop::PBS, Stop::PBSGPU, Stop::NVVM, Stop::PTX}) {
    if (stop < *start || stop > options.compileTo)
      continue;
    PassManager passes(module.getContext());
    TimingScope phase = startTimer(options, stop);
    passes.enableTiming(phase);
    buildPhase(passes, stop, options);
    if (failed(passes.run(module)))
      return failure();
    if (stop != Stop::PTX && failed(dump(module, stop, options)))
      return failure();
  }
  return success();
}

FailureOr<CompiledModule> compileToPTX(ModuleOp module,
                                       const CompileOptions &options) {
  CompileOptions toPTX = options;
  toPTX.compileTo = Stop::PTX;
  if (failed(runPhases(module, toPTX)))
    return failure();
  TimingScope phase = startTimer(options, Stop::PTX);
  FailureOr<CompiledModule> compiled = emitPTX(module, options.files);
  if (succeeded(compiled) && options.dump &&
      failed(options.dump(Stop::PTX, compiled->ptx)))
    return failure();
  return compiled;
}

void registerPipelines() {
  struct PhaseOptions : PassPipelineOptions<PhaseOptions> {
    Option<std::string> chip{*this, "chip",
                             llvm::cl::desc("the GPU to compile for"),
                             llvm::cl::init(CompileOptions().chip)};
    Option<std::string> ptxVersion{
        *this, "ptx-version", llvm::cl::desc("PTX ISA version such as 8.6"),
        llvm::cl::init(CompileOptions().ptxVersion)};
    Option<std::string> schedule{
        *this, "schedule",
        llvm::cl::desc("parts of attention's schedule, as for "
                       "--pbs-choose-schedule"),
        llvm::cl::init(CompileOptions().schedule)};
  };
  struct AlgorithmOptions : PhaseOptions {
    Option<std::string> strategy{
        *this, "strategy",
        llvm::cl::desc("gather keys and values, write permuted copies, or "
                       "auto: what costs less"),
        llvm::cl::init(CompileOptions().strategy)};
    Option<double> expectedDensity{
        *this, "expected-density",
        llvm::cl::desc("share of blocks that attentions list, for auto"),
        llvm::cl::init(CompileOptions().expectedDensity)};
  };
  static constexpr auto withOptions = [](const PhaseOptions &given) {
    CompileOptions options;
    options.chip = given.chip;
    options.ptxVersion = given.ptxVersion;
    options.schedule = given.schedule;
    return options;
  };
  PassPipelineRegistration<AlgorithmOptions>(
      "pbs-pipeline", "the phase that ends at the stop pbs",
      [](OpPassManager &passes, const AlgorithmOptions &given) {
        CompileOptions options = withOptions(given);
        options.strategy = given.strategy;
        options.expectedDensity = given.expectedDensity;
        buildPhase(passes, Stop::PBS, options);
      });
  PassPipelineRegistration<PhaseOptions>(
      "pbsgpu-pipeline", "the phase from the stop pbs to pbsgpu",
      [](OpPassManager &passes, const PhaseOptions &given) {
        buildPhase(passes, Stop::PBSGPU, withOptions(given));
      });
  PassPipelineRegistration<PhaseOptions>(
      "nvvm-pipeline", "the phase from the stop pbsgpu to nvvm",
      [](OpPassManager &passes, const PhaseOptions &given) {
        buildPhase(passes, Stop::NVVM, withOptions(given));
      });
}

} // namespace pbs

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DeviceRun.h"
#include "ReferenceRun.h"

#include "common/OpenDevice.h"
#include "common/Profile.h"

#include "pbs/Pipelines/Pipelines.h"
#include "pbs/Runtime/Launcher.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SmallVectorExtras.h"

#include <iostream>

using namespace mlir;
using namespace pbs;
using runtime::Array;

/// Makes `function` return `values` as well.
static void appendResults(func::FuncOp function, ArrayRef<Value> values) {
  Operation *terminator = function.getBody().front().getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), values);
  SmallVector<Attribute> attributes;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    attributes.push_back(function.getResultAttrDict(i));
  attributes.resize(terminator->getNumOperands(),
                    DictionaryAttr::get(function.getContext()));
  function.setType(FunctionType::get(function.getContext(),
                                     function.getArgumentTypes(),
                                     terminator->getOperandTypes()));
  function.setAllResultAttrs(attributes);
}

/// Takes out results of `function` that are one value, of which those from
/// `first` on may be; the compiler's passes would make them one, and a plan
/// returns a value once. Gives the result that stands for each.
static FailureOr<SmallVector<unsigned>> mergeResults(func::FuncOp function,
                                                     unsigned first) {
  PassManager passes(function.getContext());
  for (unsigned round = 0; round < 2; ++round) {
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
  }
  if (failed(passes.run(function->getParentOfType<ModuleOp>())))
    return failure();
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<unsigned> places;
  llvm::BitVector repeated(terminator->getNumOperands());
  llvm::SmallDenseMap<Value, unsigned> known;
  unsigned count = 0;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto [place, isNew] = known.try_emplace(value, count);
    if (index >= first && !isNew) {
      repeated.set(index);
      places.push_back(place->second);
      continue;
    }
    places.push_back(count++);
  }
  terminator->eraseOperands(repeated);
  (void)function.eraseResults(repeated);
  return places;
}

/// Compiles a copy of the module that has no other function, and whose function
/// returns `exposed` as well. `places` are the results that stand for those of
/// the function, and for `exposed` behind them.
static FailureOr<CompiledModule> compile(func::FuncOp function,
                                         ArrayRef<Value> exposed,
                                         const RunOptions &options,
                                         SmallVector<unsigned> &places) {
  WalkResult calls = function.walk([](CallOpInterface call) {
    call->emitError("a call has no place in a launch plan");
    return WalkResult::interrupt();
  });
  if (calls.wasInterrupted())
    return failure();
  IRMapping mapping;
  OwningOpRef<ModuleOp> module =
      cast<ModuleOp>(function->getParentOp()->clone(mapping));
  for (auto other : llvm::make_early_inc_range(module->getOps<func::FuncOp>()))
    if (other.getName() != function.getName())
      other.erase();
  auto copies = llvm::map_to_vector(
      exposed, [&](Value value) { return mapping.lookup(value); });
  func::FuncOp copy = *module->getOps<func::FuncOp>().begin();
  appendResults(copy, copies);
  FailureOr<SmallVector<unsigned>> merged =
      mergeResults(copy, function.getNumResults());
  if (failed(merged))
    return failure();
  places = *merged;
  CompileOptions compileOptions;
  compileOptions.chip = options.chip;
  compileOptions.schedule = options.schedule;
  return compileToPTX(*module, compileOptions);
}

FailureOr<DeviceRun> pbs::runOnDevice(func::FuncOp function,
                                      const std::vector<Array> &arguments,
                                      ArrayRef<Value> exposed,
                                      const RunOptions &options) {
  tools::ProgressBar progress;
  // Before the work of compiling, which is in vain without one.
  std::unique_ptr<runtime::Device> device = tools::openDevice(
      options.device, options.emulator, options.progress ? &progress : nullptr);
  OperandRange returned =
      function.getBody().front().getTerminator()->getOperands();
  auto added = llvm::filter_to_vector(exposed, [&](Value value) {
    return !llvm::is_contained(returned, value);
  });
  SmallVector<unsigned> places;
  FailureOr<CompiledModule> compiled =
      compile(function, added, options, places);
  if (failed(compiled))
    return failure();
  runtime::Plan plan = runtime::parsePlan(compiled->plan, "the compiled plan");
  auto runOn = [&](runtime::Device &device) {
    runtime::Executable executable(device, plan, function.getName().str(),
                                   compiled->ptx, "the compiled PTX");
    // Neither is there with several seeds.
    tools::LaunchProfile profile(std::cout, device);
    if (options.progress || options.profile)
      executable.beforeLaunch = [&](const runtime::Launch &launch) {
        progress.begin(launch.kernel);
        if (options.profile)
          profile.begin();
      };
    if (options.profile)
      executable.afterLaunch =
          [&](const runtime::Launch &launch,
              const runtime::LaunchConfiguration &configuration) {
            profile.end(launch.kernel, configuration);
            // All else goes to llvm::outs(), which has another buffer.
            std::cout.flush();
          };
    return executable.run(arguments);
  };
  std::vector<Array> arrays =
      !options.seeds
          ? runOn(*device)
          : tools::runWithSeeds(*options.seeds, [&](uint64_t seed) {
              tools::EmulatorFlags flags = options.emulator;
              flags.seed = seed;
              flags.hostThreads = 1;
              return runOn(*tools::openDevice(options.device, flags));
            });

  DeviceRun run;
  SmallVector<Value> values(returned);
  llvm::append_range(values, added);
  // Where the arrays of each result begin.
  SmallVector<size_t> begins;
  size_t next = 0;
  for (auto [value, place] : llvm::zip_equal(values, places)) {
    if (place == begins.size()) {
      begins.push_back(next);
      next += countArrays(value.getType());
    }
  }
  for (auto [index, pair] : llvm::enumerate(llvm::zip_equal(values, places))) {
    auto [value, place] = pair;
    auto begin = arrays.begin() + static_cast<ptrdiff_t>(begins[place]);
    auto end = begin + static_cast<ptrdiff_t>(countArrays(value.getType()));
    if (llvm::is_contained(exposed, value))
      run.exposed.insert({value, std::vector<Array>(begin, end)});
    if (index < returned.size())
      run.results.insert(run.results.end(), begin, end);
  }
  return run;
}

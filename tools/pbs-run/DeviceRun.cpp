// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DeviceRun.h"

#include "common/OpenDevice.h"
#include "common/Profile.h"

#include "pbs/Pipelines/Pipelines.h"
#include "pbs/Runtime/Launcher.h"

#include "mlir/Interfaces/CallInterfaces.h"

#include <iostream>

using namespace mlir;
using namespace pbs;

/// Compiles a copy of the module that has no other function.
static FailureOr<CompiledModule> compile(func::FuncOp function,
                                         const RunOptions &options) {
  WalkResult calls = function.walk([](CallOpInterface call) {
    call->emitError("a call has no place in a launch plan");
    return WalkResult::interrupt();
  });
  if (calls.wasInterrupted())
    return failure();
  OwningOpRef<ModuleOp> module =
      cast<ModuleOp>(function->getParentOp()->clone());
  for (auto other : llvm::make_early_inc_range(module->getOps<func::FuncOp>()))
    if (other.getName() != function.getName())
      other.erase();
  CompileOptions compileOptions;
  if (!options.chip.empty())
    compileOptions.chip = options.chip;
  return compileToPTX(*module, compileOptions);
}

FailureOr<std::vector<runtime::Array>>
pbs::runOnDevice(func::FuncOp function,
                 const std::vector<runtime::Array> &arguments,
                 const RunOptions &options) {
  std::unique_ptr<runtime::Device> device = tools::openDevice(options.device);
  FailureOr<CompiledModule> compiled = compile(function, options);
  if (failed(compiled))
    return failure();
  runtime::Plan plan = runtime::parsePlan(compiled->plan, "the compiled plan");
  runtime::Executable executable(*device, plan, function.getName().str(),
                                 compiled->ptx, "the compiled PTX");
  if (options.profile)
    executable.afterLaunch =
        [&](const runtime::Launch &launch,
            const runtime::LaunchConfiguration &configuration) {
          tools::printLastLaunch(std::cout, launch.kernel, configuration,
                                 *device);
        };
  return executable.run(arguments);
}

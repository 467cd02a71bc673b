// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The passes in their order: this is the only place that knows it.

#ifndef PBS_PIPELINES_PIPELINES_H
#define PBS_PIPELINES_PIPELINES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"

#include <functional>

#include "pbs/Target/PTX/EmitPTX.h"

namespace pbs {

/// A stop of the pipeline: a form of the program at which it can be left and
/// continued.
enum class Stop {
  PBS,    ///< the algorithm, its permutation fused
  PBSGPU, ///< kernels and launch plan
  NVVM,   ///< instructions
  PTX,    ///< text and JSON
};

/// The name of a stop on the command line: pbs, pbsgpu, nvvm, ptx.
llvm::StringRef stringifyStop(Stop stop);
/// The file that a dump of the stop goes to: 0-pbs.mlir to 3.ptx.
llvm::StringRef dumpFileName(Stop stop);

struct CompileOptions {
  /// Whether attention gathers keys and values or reads permuted copies, as for
  /// --pbs-fuse-permutation, and the share of blocks that `auto` expects where
  /// functions do not say it (0: not known, so that it gathers).
  std::string strategy = "auto";
  double expectedDensity = 0;
  /// Parts of attention's schedule, as for --pbs-choose-schedule, such as
  /// "key-tile=64,walk-list=off".
  std::string schedule;
  /// As for --pbs-set-target: where empty, what the module is compiled for
  /// already, or else sm_80 and the lowest PTX version with all instructions of
  /// the chip.
  std::string chip;
  std::string ptxVersion;
  Stop compileTo = Stop::PTX;
  PlanFiles files;
  /// Called with the text of each stop that is reached.
  std::function<mlir::LogicalResult(Stop, llvm::StringRef)> dump;
  /// Times the phases where it is given.
  mlir::TimingScope *timing = nullptr;
};

/// Adds the passes that lead to a stop from the one before it. Before PTX, a
/// translation, only the target is compared.
void buildPhase(mlir::OpPassManager &passes, Stop stop,
                const CompileOptions &options);

/// Finds out at which stop a module is: by pbs operations, by kernels of the
/// pbsgpu dialect, or by llvm functions in a gpu.module. Fails with one error
/// for a mixture or for none of them.
mlir::FailureOr<Stop> recognizeStop(mlir::ModuleOp module);

/// Runs the phases from the module's stop to `options.compileTo`, which must
/// not be before it. The module is changed in place.
mlir::LogicalResult runPhases(mlir::ModuleOp module,
                              const CompileOptions &options);

/// Compiles a module at any stop to PTX and plan. The module is changed in
/// place.
mlir::FailureOr<CompiledModule> compileToPTX(mlir::ModuleOp module,
                                             const CompileOptions &options);

/// The module's text with long lines broken, and with one space where
/// upstream's operations print two. Parses to the same module.
std::string printReadably(mlir::ModuleOp module);

/// Registers `--pbs-pipeline`, `--pbsgpu-pipeline` and `--nvvm-pipeline`, the
/// phases as passes of pbs-opt.
void registerPipelines();

} // namespace pbs

#endif // PBS_PIPELINES_PIPELINES_H

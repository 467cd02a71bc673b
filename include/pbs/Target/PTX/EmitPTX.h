// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the nvvm stop to what other runtimes take: PTX text and launch plan.

#ifndef PBS_TARGET_PTX_EMITPTX_H
#define PBS_TARGET_PTX_EMITPTX_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/Support/JSON.h"

#include <string>

#include "pbs/Target/PTX/Chip.h"

namespace pbs {

/// What the plan says about the files it stands beside.
struct PlanFiles {
  std::string ptx = "module.ptx"; ///< relative to the plan
  std::string cubin;              ///< left out of the plan when empty
};

/// PTX text together with the JSON of docs/plan-format.md.
struct CompiledModule {
  std::string ptx;
  std::string plan;
  Chip chip;
};

/// Translates a module at the nvvm stop: gpu.modules of llvm.func kernels, all
/// with the same `nvvm.target`, and the plans. Fails with a located error.
mlir::FailureOr<CompiledModule> emitPTX(mlir::ModuleOp module,
                                        const PlanFiles &files = {});

/// Writes the module's plans, the entries of the file, in their order.
mlir::LogicalResult writePlan(mlir::ModuleOp module, const Chip &chip,
                              const PlanFiles &files, llvm::raw_ostream &os);

/// What `emitPTX` needs to know of the dialects.
void registerTargetPTX(mlir::DialectRegistry &registry);

} // namespace pbs

#endif // PBS_TARGET_PTX_EMITPTX_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the pbsgpu dialect to the instructions of a GPU.

#ifndef PBS_CONVERSION_PBSGPUTONVVM_PASSES_H
#define PBS_CONVERSION_PBSGPUTONVVM_PASSES_H

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace pbs {

#define GEN_PASS_DECL
#include "pbs/Conversion/PBSGPUToNVVM/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "pbs/Conversion/PBSGPUToNVVM/Passes.h.inc"

} // namespace pbs

#endif // PBS_CONVERSION_PBSGPUTONVVM_PASSES_H

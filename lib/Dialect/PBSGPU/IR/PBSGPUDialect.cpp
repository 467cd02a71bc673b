// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers the pbsgpu dialect.

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

using namespace mlir;
using namespace pbsgpu;

#include "pbs/Dialect/PBSGPU/IR/PBSGPUDialect.cpp.inc"

void PBSGPUDialect::initialize() {
  registerTypes();
  registerAttributes();
  registerInterfaces();
  addOperations<
#define GET_OP_LIST
#include "pbs/Dialect/PBSGPU/IR/PBSGPUOps.cpp.inc"
      >();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs passes of the compiler one at a time, as mlir-opt does for upstream's.

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

#include "pbs/InitAllDialects.h"
#include "pbs/InitAllPasses.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  pbs::registerAllDialects(registry);
  pbs::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "Permuted block-sparse attention: pass driver\n", registry));
}

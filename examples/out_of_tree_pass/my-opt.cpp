// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbs-opt with one pass more.

#include "FixedBudget.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

#include "pbs/InitAllDialects.h"
#include "pbs/InitAllPasses.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  pbs::registerAllDialects(registry);
  pbs::registerAllPasses();
  registerFixedBudget();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "pbs-opt with --fixed-budget\n", registry));
}

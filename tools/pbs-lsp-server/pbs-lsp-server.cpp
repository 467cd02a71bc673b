// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Serves editors that open modules with our dialects, as mlir-lsp-server does
// for upstream's.

#include "mlir/Support/LLVM.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

#include "pbs/InitAllDialects.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  pbs::registerAllDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Serves editors that open modules with our dialects, as mlir-lsp-server does
// for upstream's.

#include "command-line/CommandLine.h"

#include "mlir/Support/LLVM.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

#include "pbs/InitAllDialects.h"

namespace cl = llvm::cl;

/// The options that MlirLspServerMain registers and parses at once, checked
/// before.
static void checkOptions(int argc, char **argv) {
  enum class Value { Any };
  auto value = [](llvm::StringRef name) {
    return clEnumValN(Value::Any, name, "");
  };
  cl::opt<Value> style("input-style",
                       cl::values(value("standard"), value("delimited")));
  cl::opt<Value> log(
      "log", cl::values(value("error"), value("info"), value("verbose")));
  cl::opt<bool> test("lit-test");
  cl::opt<bool> pretty("pretty");
  pbs::tools::checkOptions("pbs-lsp-server", argc, argv);
  for (cl::Option *option :
       std::initializer_list<cl::Option *>{&style, &log, &test, &pretty})
    option->removeArgument();
}

int main(int argc, char **argv) {
  pbs::tools::beginTool("pbs-lsp-server");
  checkOptions(argc, argv);
  mlir::DialectRegistry registry;
  pbs::registerAllDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}

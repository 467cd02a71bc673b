// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs passes of the compiler one at a time, as mlir-opt does for upstream's.

#include "command-line/CommandLine.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OutputFile.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

#include "pbs/InitAllDialects.h"
#include "pbs/InitAllPasses.h"

using namespace mlir;
using namespace pbs;
namespace cl = llvm::cl;

/// Checks the options, among them those that parseCLIOptions registers and
/// parses at once.
static void checkOptions(int argc, char **argv) {
  cl::opt<std::string> input(cl::Positional);
  cl::opt<std::string> output("o");
  tools::checkOptions("pbs-opt", argc, argv);
  input.removeArgument();
  output.removeArgument();
}

static LogicalResult run(int argc, char **argv, DialectRegistry &registry,
                         StringRef input, const std::string &output) {
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  // What is printed without any module.
  if (config.shouldShowDialects() || config.shouldListPasses())
    return MlirOptMain(argc, argv, input, output, registry);
  std::unique_ptr<llvm::MemoryBuffer> buffer = tools::openModule(input);
  if (output == "-")
    return MlirOptMain(llvm::outs(), std::move(buffer), registry, config);
  runtime::OutputFiles files;
  std::ostream &file = files.add(output);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(MlirOptMain(stream, std::move(buffer), registry, config)))
    return failure();
  file << text;
  files.commit();
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialize(argc, argv);
  tools::beginTool("pbs-opt");
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllPasses();
  std::string overview = registerCLIOptions(
      "Permuted block-sparse attention: pass driver\n", registry);
  checkOptions(argc, argv);
  auto [input, output] = parseCLIOptions(argc, argv, overview);
  try {
    return asMainReturnCode(run(argc, argv, registry, input, output));
  } catch (const runtime::Error &error) {
    llvm::errs() << "pbs-opt: " << error.what() << "\n";
    return 1;
  }
}

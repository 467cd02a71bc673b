// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a module at any stop of the pipeline to a later one, usually to PTX
// and its launch plan.

#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

#include "Assemble.h"
#include "command-line/CommandLine.h"
#include "pbs/Analysis/Schedule.h"
#include "pbs/InitAllDialects.h"
#include "pbs/Pipelines/Pipelines.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OutputFile.h"
#include "pbs/Target/PTX/ModuleTarget.h"

#include <optional>

using namespace mlir;
using namespace pbs;
using namespace pbs::compile;
namespace cl = llvm::cl;

namespace {

/// What --compile-to names: a stop, or PTX assembled to a cubin.
enum class Form { PBS, PBSGPU, NVVM, PTX, Cubin };

struct CommandLine {
  cl::OptionCategory category{"Options"};

  cl::opt<std::string> input{cl::Positional, cl::init("-"),
                             cl::desc("[IN.mlir, else the standard input]"),
                             cl::cat(category)};
  cl::opt<std::string> output{
      "o", cl::Required, cl::value_desc("OUT.ptx"),
      cl::desc("Output file. PTX comes with its launch plan beside it: "
               "OUT.plan.json. With - the output is printed; then, and to a "
               "device or pipe, no plan is written"),
      cl::cat(category)};
  cl::opt<std::string> chip{
      "chip", cl::value_desc("sm_80|sm_90a|..."),
      cl::desc("GPU to compile for (default: what the module is compiled for "
               "already, else sm_80)"),
      cl::cat(category)};
  cl::opt<std::string> ptxVersion{
      "ptx-version", cl::value_desc("8.6"),
      cl::desc("PTX version, 7.0 to 9.0 (default: the lowest with all "
               "instructions of the chip)"),
      cl::cat(category)};
  cl::opt<std::string> schedule{"schedule", cl::value_desc("KEY=VALUE,..."),
                                cl::desc(getScheduleHelp()), cl::cat(category)};
  cl::opt<std::string> strategy{
      "strategy", cl::init(CompileOptions().strategy),
      cl::value_desc("gather|write|auto"),
      cl::desc("Let attention gather keys and values through the permutation, "
               "or read permuted copies, or what costs less for the expected "
               "density (default auto; it gathers where that is not known)"),
      cl::cat(category)};
  cl::opt<double> expectedDensity{
      "expected-density", cl::init(0.0), cl::value_desc("share"),
      cl::desc("Share of the blocks that attention lists, for functions that "
               "do not say it themselves"),
      cl::cat(category)};
  cl::opt<Form> compileTo{
      "compile-to", cl::init(Form::PTX), cl::desc("Where to stop:"),
      cl::values(
          clEnumValN(Form::PBS, "pbs", "the algorithm, permutation fused"),
          clEnumValN(Form::PBSGPU, "pbsgpu", "kernels and launch plan"),
          clEnumValN(Form::NVVM, "nvvm", "instructions and launch plan"),
          clEnumValN(Form::PTX, "ptx", "PTX and launch plan (default)"),
          clEnumValN(Form::Cubin, "cubin",
                     "the same and OUT.cubin, assembled by ptxas")),
      cl::cat(category)};
  cl::opt<std::string> dumpPhases{
      "dump-phases", cl::value_desc("DIR"),
      cl::desc("Write each stop that is reached to DIR: 0-pbs.mlir, "
               "1-pbsgpu.mlir, 2-nvvm.mlir, 3.ptx"),
      cl::cat(category)};
  cl::opt<bool> time{"time", cl::desc("Print where the time went"),
                     cl::cat(category)};
};

int fail(const llvm::Twine &message) {
  llvm::errs() << "pbs-compile: " << message << "\n";
  return 1;
}

/// What is wrong with the options, if anything is.
std::optional<std::string> findError(const CommandLine &commandLine,
                                     const tools::GivenOptions &given) {
  if (!llvm::is_contained({"gather", "write", "auto"}, commandLine.strategy))
    return "--strategy=" + commandLine.strategy +
           ": expected gather, write or auto";
  if (commandLine.expectedDensity.getNumOccurrences() &&
      !(commandLine.expectedDensity > 0 && commandLine.expectedDensity <= 1))
    return given.describe(commandLine.expectedDensity) +
           ": must be above 0 and at most 1";
  return std::nullopt;
}

int fail(llvm::Error error) { return fail(llvm::toString(std::move(error))); }

/// "DIR/prefill.ptx" with the extension "plan.json" is "DIR/prefill.plan.json".
std::string withExtension(StringRef path, StringRef extension) {
  llvm::SmallString<128> result = path;
  llvm::sys::path::replace_extension(result, extension);
  return result.str().str();
}

LogicalResult dumpTo(StringRef folder, Stop stop, StringRef text) {
  llvm::SmallString<128> path = folder;
  llvm::sys::path::append(path, dumpFileName(stop));
  try {
    runtime::OutputFiles files;
    files.add(path.str().str(), text);
    files.commit();
    return success();
  } catch (const runtime::Error &error) {
    fail(error.what());
    return failure();
  }
}

/// Compiles to a stop before PTX and writes that.
int compileToIR(ModuleOp module, const CommandLine &commandLine,
                const CompileOptions &options) {
  if (failed(runPhases(module, options)))
    return 1;
  runtime::OutputFiles files;
  files.add(commandLine.output, printReadably(module));
  files.commit();
  return 0;
}

/// Compiles to PTX, or to a cubin, and writes it with its plan.
int compileToText(ModuleOp module, const CommandLine &commandLine,
                  CompileOptions options) {
  bool toCubin = commandLine.compileTo == Form::Cubin;
  bool toStream =
      runtime::outputKind(commandLine.output) == runtime::OutputKind::Stream;
  std::string ptxPath = commandLine.output, cubinPath, ptxas;
  if (toCubin) {
    if (toStream)
      return fail("-o " + commandLine.output + ": a cubin cannot be printed");
    llvm::Expected<std::string> found = findPtxas();
    if (!found)
      return fail(found.takeError());
    ptxas = *found;
    ptxPath = withExtension(commandLine.output, "ptx");
    cubinPath = withExtension(commandLine.output, "cubin");
    options.files.cubin = llvm::sys::path::filename(cubinPath).str();
  }
  options.files.ptx = llvm::sys::path::filename(ptxPath).str();

  FailureOr<CompiledModule> compiled = compileToPTX(module, options);
  if (failed(compiled))
    return 1;

  runtime::OutputFiles files;
  files.add(ptxPath, compiled->ptx);
  if (!toStream)
    files.add(withExtension(ptxPath, "plan.json"), compiled->plan);
  if (toCubin) {
    llvm::Expected<std::string> cubin =
        assemble(ptxas, compiled->ptx, compiled->chip.name);
    if (!cubin)
      return fail(cubin.takeError());
    files.add(cubinPath, *cubin);
  }
  files.commit();
  return 0;
}

/// An unknown chip or PTX version is one line, whatever the stop.
LogicalResult checkTarget(MLIRContext &context,
                          const CommandLine &commandLine) {
  ScopedDiagnosticHandler handler(&context, [](Diagnostic &diagnostic) {
    fail(diagnostic.str());
    return success();
  });
  StringRef chip = commandLine.chip;
  return resolveChip(chip.empty() ? StringRef(defaultChip) : chip,
                     commandLine.ptxVersion,
                     [&] { return emitError(UnknownLoc::get(&context)); });
}

int compileInput(const CommandLine &commandLine) {
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  if (failed(checkTarget(context, commandLine)))
    return 1;

  std::unique_ptr<llvm::MemoryBuffer> buffer =
      tools::openModule(commandLine.input);
  if (commandLine.dumpPhases.getNumOccurrences())
    if (std::error_code error =
            llvm::sys::fs::create_directories(commandLine.dumpPhases))
      return fail(commandLine.dumpPhases + ": " + error.message());

  DefaultTimingManager timing;
  timing.setEnabled(commandLine.time);
  TimingScope root = timing.getRootScope();

  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), SMLoc());
  SourceMgrDiagnosticHandler diagnostics(*sources, &context);
  TimingScope parsing = root.nest("Parser");
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  parsing.stop();
  if (!module)
    return 1;

  CompileOptions options;
  options.chip = commandLine.chip;
  options.ptxVersion = commandLine.ptxVersion;
  options.schedule = commandLine.schedule;
  options.strategy = commandLine.strategy;
  options.expectedDensity = commandLine.expectedDensity;
  options.timing = &root;
  if (commandLine.dumpPhases.getNumOccurrences())
    options.dump = [&](Stop stop, StringRef text) {
      return dumpTo(commandLine.dumpPhases, stop, text);
    };
  if (commandLine.compileTo >= Form::PTX)
    return compileToText(*module, commandLine, options);
  options.compileTo = static_cast<Stop>(commandLine.compileTo.getValue());
  return compileToIR(*module, commandLine, options);
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM initLLVM(argc, argv);
  tools::beginTool("pbs-compile");
  CommandLine commandLine;
  cl::HideUnrelatedOptions(commandLine.category);
  tools::GivenOptions given = tools::checkOptions("pbs-compile", argc, argv);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Compiles permuted block-sparse attention to PTX and a launch plan.\n\n"
      "The input is a module at any stop of the pipeline: the pbs dialect, the "
      "pbsgpu\ndialect, or nvvm; it goes on from there.\n\n"
      "Example: pbs-gen --stages=attention | pbs-compile -o attention.ptx\n"
      "writes attention.ptx and attention.plan.json.\n");
  // The code generator ends the process where it cannot go on.
  llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
    exit(fail(StringRef(reason).split('\n').first));
  });

  if (std::optional<std::string> error = findError(commandLine, given))
    return fail(*error);
  try {
    return compileInput(commandLine);
  } catch (const runtime::Error &error) {
    return fail(error.what());
  }
}

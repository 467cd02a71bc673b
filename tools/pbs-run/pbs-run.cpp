// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a function of a pbs module on files, on the reference or on a device.

#include "DescribeReport.h"
#include "DeviceRun.h"
#include "EntryDescription.h"
#include "ReferenceRun.h"
#include "RunOptions.h"

#include "Check.h"
#include "command-line/CommandLine.h"
#include "common/Arguments.h"

#include "pbs/Analysis/Schedule.h"
#include "pbs/Dialect/PBS/Transforms/Passes.h"
#include "pbs/InitAllDialects.h"
#include "pbs/Runtime/Arguments.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace pbs;
namespace cl = llvm::cl;

namespace {
struct CommandLine {
  cl::OptionCategory category{"Options"};

  cl::opt<std::string> input{cl::Positional, cl::init("-"),
                             cl::desc("[IN.mlir, else the standard input]"),
                             cl::cat(category)};
  cl::opt<std::string> entry{
      "entry", cl::value_desc("name"),
      cl::desc("Function to run (default: the only one there is)"),
      cl::cat(category)};
  cl::opt<std::string> device{
      "device", cl::init("reference"), cl::value_desc("device"),
      cl::desc("Where to run: reference (double precision, no kernels; "
               "default), emulator (the compiled PTX, without a GPU), cuda or "
               "cuda:N"),
      cl::cat(category)};
  cl::opt<std::string> chip{
      "chip", cl::value_desc("sm_80|sm_90a|..."),
      cl::desc("GPU to compile for (default: the compiler's)"),
      cl::cat(category)};
  cl::opt<std::string> schedule{"schedule", cl::value_desc("KEY=VALUE,..."),
                                cl::desc(getScheduleHelp()), cl::cat(category)};
  cl::list<std::string> arguments{
      "arg", cl::value_desc("file"),
      cl::desc("File of the next argument: FILE.npy or FILE.safetensors:NAME; "
               "a selection takes two, counts and indices"),
      cl::cat(category)};
  cl::list<std::string> results{
      "result", cl::value_desc("file"),
      cl::desc("File for the next result; a selection fills two. Results "
               "without one are mentioned"),
      cl::cat(category)};
  cl::opt<CheckKind> check{
      "check",
      cl::ValueOptional,
      cl::init(CheckKind::None),
      cl::desc("Compare the device's results with the reference's:"),
      cl::values(clEnumValN(CheckKind::Summary, "",
                            "print the largest error of a query block"),
                 clEnumValN(CheckKind::Summary, "summary", "the same"),
                 clEnumValN(CheckKind::Blocks, "blocks",
                            "print the error of each query block")),
      cl::cat(category)};
  cl::opt<std::string> dumpIntermediates{
      "dump-intermediates", cl::value_desc("folder"),
      cl::desc("Folder for importance.npy, permutation.npy, scores.npy, "
               "counts.npy and indices.npy, as far as the function has them"),
      cl::cat(category)};
  cl::opt<std::string> report{
      "report", cl::value_desc("FILE.html"),
      cl::desc("Page to write: maps of the selected blocks, and importance"),
      cl::cat(category)};
  cl::opt<bool> profile{
      "profile",
      cl::desc("Print what the emulator counted for each launch, bank "
               "conflicts and waits among it, or its milliseconds on a GPU"),
      cl::cat(category)};
  cl::opt<bool> progress{
      "progress",
      cl::desc("Show on a terminal how much of each launch the emulator has "
               "done"),
      cl::cat(category)};
  cl::opt<std::string> seed{
      "seed", cl::value_desc("N|FIRST..LAST"),
      cl::desc(
          "Let chance decide when the emulator does asynchronous work; the "
          "same number repeats it. With several, run once with each, in "
          "parallel; fails as the first seed that does, or if results differ"),
      cl::cat(category)};
  cl::opt<std::string> checks{"checks", cl::value_desc("all|none"),
                              cl::desc("Report hazards that a GPU run lets "
                                       "pass (none)"),
                              cl::cat(category)};
  cl::opt<std::string> maxSteps{
      "max-steps", cl::value_desc("number"),
      cl::desc("The instructions that the warps of a CTA, or of a cluster, "
               "execute together on the emulator; a kernel that needs more "
               "fails (2147483648, with --checks=all 134217728)"),
      cl::cat(category)};
  cl::opt<std::string> multiprocessors{
      "multiprocessors", cl::value_desc("number"),
      cl::desc("How many the emulator has (132): kernels whose CTAs stay take "
               "more work each where there are few"),
      cl::cat(category)};
};
} // namespace

static constexpr llvm::StringLiteral overview = R"(
Runs a function of a module in the pbs dialect on arrays in files.

Example, from inputs of scripts/make_inputs.py:
  pbs-gen --q-heads=4 --kv-heads=1 |
    pbs-run - --arg=q.npy --arg=k.npy --arg=v.npy --result=out.npy --result=lse.npy
)";

static bool isDevice(StringRef name) {
  unsigned number;
  return name == "reference" || name == "emulator" || name == "cuda" ||
         (name.consume_front("cuda:") && !name.getAsInteger(10, number));
}

static RunOptions makeOptions(const CommandLine &commandLine) {
  RunOptions options;
  options.input =
      commandLine.input == "-" ? "<stdin>" : commandLine.input.getValue();
  options.entry = commandLine.entry;
  options.device = commandLine.device;
  options.chip = commandLine.chip;
  options.schedule = commandLine.schedule;
  options.arguments.assign(commandLine.arguments.begin(),
                           commandLine.arguments.end());
  options.results.assign(commandLine.results.begin(),
                         commandLine.results.end());
  options.check = commandLine.check;
  options.dumpIntermediates = commandLine.dumpIntermediates;
  options.report = commandLine.report;
  options.profile = options.emulator.profile = commandLine.profile;
  options.progress = commandLine.progress;

  if (commandLine.seed.getNumOccurrences() > 0) {
    tools::Seeds seeds = tools::parseSeeds(commandLine.seed);
    options.emulator.seed = seeds.first;
    if (seeds.isRange)
      options.seeds = seeds;
  }
  if (commandLine.checks.getNumOccurrences() > 0)
    options.emulator.checks = tools::parseChecks(commandLine.checks);
  if (commandLine.maxSteps.getNumOccurrences() > 0)
    options.emulator.maxSteps = tools::parseMaxSteps(commandLine.maxSteps);
  if (commandLine.multiprocessors.getNumOccurrences() > 0)
    options.emulator.multiprocessors =
        tools::parseMultiprocessors(commandLine.multiprocessors);
  if (!isDevice(options.device))
    throw runtime::Error("--device=" + options.device +
                         ": expected reference, emulator, cuda or cuda:N");
  if (options.onReference()) {
    if (options.check != CheckKind::None)
      throw runtime::Error("--check compares a device with the reference; "
                           "name one with --device");
    if (!options.chip.empty())
      throw runtime::Error("--chip has no meaning for --device=reference");
    if (!options.schedule.empty())
      throw runtime::Error("--schedule has no meaning for --device=reference");
  }
  if (commandLine.report.getNumOccurrences() > 0 &&
      llvm::sys::path::extension(options.report) != ".html")
    throw runtime::Error("--report=" + options.report + ": expected FILE.html");
  if (options.profile && options.device == "reference")
    throw runtime::Error("--profile needs --device=emulator or cuda");
  if (options.emulator.seed && options.device != "emulator")
    throw runtime::Error("--seed needs --device=emulator");
  if (options.emulator.checks && options.device != "emulator")
    throw runtime::Error("--checks=all needs --device=emulator");
  if (options.emulator.maxSteps && options.device != "emulator")
    throw runtime::Error("--max-steps needs --device=emulator");
  if (options.emulator.multiprocessors && options.device != "emulator")
    throw runtime::Error("--multiprocessors needs --device=emulator");
  for (bool flag : {options.profile, options.progress})
    if (options.seeds && flag)
      throw runtime::Error(
          std::string(options.profile ? "--profile" : "--progress") +
          " is for one seed");
  if (options.progress && options.device != "emulator")
    throw runtime::Error("--progress needs --device=emulator");
  for (const std::string &place : options.results)
    runtime::checkPlace(place);
  return options;
}

static func::FuncOp findEntry(ModuleOp module, const RunOptions &options) {
  SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
  std::string names;
  for (func::FuncOp function : functions) {
    if (options.entry.empty() ? functions.size() == 1
                              : function.getName() == options.entry)
      return function;
    names += (names.empty() ? "" : ", ") + function.getName().str();
  }
  if (functions.empty())
    throw runtime::Error(options.input + ": has no function to run");
  throw runtime::Error(options.input + ": " +
                       (options.entry.empty()
                            ? "has several functions; name one with --entry"
                            : "has no function '" + options.entry + "'") +
                       " (there are " + names + ")");
}

/// Writes all files, or none.
static void writeAll(const std::vector<runtime::Array> &results,
                     const std::vector<std::string> &names,
                     const NamedArrays &intermediates,
                     const std::string &report, const RunOptions &options) {
  std::vector<std::pair<std::string, const runtime::Array *>> files;
  for (auto [place, array] : llvm::zip_first(options.results, results))
    files.emplace_back(place, &array);
  if (!options.dumpIntermediates.empty()) {
    if (std::error_code error =
            llvm::sys::fs::create_directories(options.dumpIntermediates))
      throw runtime::Error(options.dumpIntermediates + ": " + error.message());
    for (const auto &[name, array] : intermediates) {
      SmallString<128> path(options.dumpIntermediates);
      llvm::sys::path::append(path, name + ".npy");
      files.emplace_back(path.str(), &array);
    }
  }
  std::vector<std::pair<std::string, std::string>> texts;
  if (!options.report.empty())
    texts.emplace_back(options.report, report);
  runtime::writeArrays(files, texts);
  // Where something else is asked for, results may be of no interest.
  bool wantsResults = !options.results.empty() ||
                      !(options.check != CheckKind::None || options.profile ||
                        options.keepsIntermediates());
  if (wantsResults)
    tools::mentionUnwritten("pbs-run", names, options.results.size());
}

/// The page about \p function; empty if none is asked for.
static std::string makeReport(func::FuncOp function,
                              const std::vector<runtime::Array> &arguments,
                              const std::vector<runtime::Array> &results,
                              const NamedArrays &intermediates,
                              const RunOptions &options) {
  if (options.report.empty())
    return "";
  Report report = describeReport(function, arguments, results, intermediates);
  report.facts = {{"module", options.input},
                  {"function", function.getName().str()},
                  {"device", options.device}};
  if (!options.chip.empty())
    report.facts.emplace_back("chip", options.chip);
  return renderReport(report);
}

/// Writes the stages of pbs.prefill, which neither the reference nor what is
/// asked about stages knows.
static LogicalResult expand(ModuleOp module) {
  PassManager passes(module.getContext());
  passes.addNestedPass<func::FuncOp>(createPBSExpandPrefill());
  return passes.run(module);
}

/// Names of the arrays that the results of \p function fill.
static std::vector<std::string> nameResults(func::FuncOp function) {
  std::vector<std::string> names;
  for (auto [index, type] : llvm::enumerate(function.getResultTypes())) {
    auto given = function.getResultAttrOfType<StringAttr>(
        index, PBSDialect::getNameAttrName());
    std::string name =
        given ? given.str() : "result " + std::to_string(index + 1);
    size_t count = countArrays(type);
    for (size_t i = 0; i < count; ++i)
      names.push_back(
          count == 1 ? name : name + (i == 0 ? " (counts)" : " (indices)"));
  }
  return names;
}

/// The values of \p function that a device has to return beside its results.
static SmallVector<Value> getExposed(func::FuncOp function,
                                     const RunOptions &options) {
  llvm::SetVector<Value> values;
  if (options.check != CheckKind::None)
    values.insert_range(getCheckedValues(function));
  if (options.keepsIntermediates())
    for (Operation &op : function.getBody().front())
      for (Value result : op.getResults())
        // These make another form of arguments.
        if (Intermediates::isKept(result) &&
            !isa<PermutationFromTensorOp, SelectionFromListsOp>(op))
          values.insert(result);
  return values.takeVector();
}

using KnownArrays = llvm::MapVector<Value, std::vector<runtime::Array>>;

/// The arrays of arguments and of what a device has exposed.
static KnownArrays getKnownArrays(func::FuncOp function,
                                  const std::vector<runtime::Array> &arguments,
                                  const DeviceRun &run) {
  KnownArrays known;
  auto next = arguments.begin();
  for (Value argument : function.getArguments()) {
    auto end = next + static_cast<ptrdiff_t>(countArrays(argument.getType()));
    known.insert({argument, std::vector<runtime::Array>(next, end)});
    next = end;
  }
  for (const auto &[name, arrays] : run.exposed)
    known.insert({name, arrays});
  return known;
}

/// The share of blocks that each attention of a device's run computed, as far
/// as the arrays tell it.
static std::vector<reference::Work> measure(func::FuncOp function,
                                            const KnownArrays &known) {
  auto countRows = [&](Value tensor) -> std::optional<int64_t> {
    if (auto permute = tensor.getDefiningOp<PermuteOp>())
      tensor = permute.getSource();
    const auto *arrays = known.find(tensor);
    if (arrays == known.end())
      return std::nullopt;
    return arrays->second.front().shape()[2];
  };
  std::vector<reference::Work> result;
  for (auto attention : function.getOps<AttentionOp>()) {
    const auto *lists = known.find(attention.getSelection());
    std::optional<int64_t> queries = countRows(attention.getQuery());
    std::optional<int64_t> keys = countRows(attention.getKey());
    if (lists == known.end() || !queries || !keys)
      continue;
    reference::InterpreterValue selection =
        toValue(attention.getSelection().getType(), lists->second);
    if (std::optional<reference::Work> work =
            countWork(attention, *std::get_if<reference::Selection>(&selection),
                      *queries, *keys))
      result.push_back(*work);
  }
  return result;
}

static LogicalResult run(func::FuncOp function, const RunOptions &options) {
  FailureOr<runtime::Entry> entry = describeEntry(function);
  if (failed(entry))
    return failure();
  std::vector<std::string> names = nameResults(function);
  if (options.results.size() > names.size())
    throw runtime::Error("'" + function.getName().str() + "' has results for " +
                         std::to_string(names.size()) +
                         " files, but --result "
                         "is given " +
                         std::to_string(options.results.size()) + " times");

  if (options.check != CheckKind::None && failed(verifyCheckable(function)))
    return failure();

  std::vector<runtime::Array> arguments =
      tools::loadArguments(*entry, options.arguments);
  std::vector<runtime::TensorDescriptor> descriptors;
  std::vector<const runtime::Array *> arrays;
  for (const runtime::Array &array : arguments) {
    descriptors.push_back(runtime::describe(array));
    arrays.push_back(&array);
  }
  runtime::Bindings bindings = runtime::bindArguments(*entry, descriptors);
  runtime::checkRequirements(*entry, bindings);
  runtime::checkContents(*entry, bindings, arrays);

  std::vector<runtime::Array> results;
  NamedArrays intermediates;
  DeviceRun ranOnDevice;
  if (options.onReference()) {
    FailureOr<ReferenceRun> ran =
        runOnReference(function, arguments, options.keepsIntermediates());
    if (failed(ran))
      return failure();
    for (auto [value, type] :
         llvm::zip_equal(ran->results, function.getResultTypes()))
      llvm::append_range(results, toArrays(value, type));
    if (options.keepsIntermediates())
      printWork(ran->work);
    intermediates = std::move(ran->intermediates);
  } else {
    FailureOr<DeviceRun> ran = runOnDevice(
        function, arguments, getExposed(function, options), options);
    if (failed(ran))
      return failure();
    ranOnDevice = std::move(*ran);
    results = ranOnDevice.results;
    if (options.keepsIntermediates()) {
      KnownArrays known = getKnownArrays(function, arguments, ranOnDevice);
      Intermediates kept;
      for (const auto &[name, arrays] : known)
        kept.add(name, arrays);
      intermediates = kept.take();
      // With a check, the reference counts it.
      if (options.check == CheckKind::None)
        printWork(measure(function, known));
    }
  }
  std::string report =
      makeReport(function, arguments, results, intermediates, options);
  if (options.check != CheckKind::None) {
    try {
      if (failed(checkRun(function, arguments, ranOnDevice, options.check)))
        return failure();
    } catch (const runtime::Error &) {
      // One will want to see results that fail the check.
      writeAll(results, names, intermediates, report, options);
      throw;
    }
  }
  writeAll(results, names, intermediates, report, options);
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialize(argc, argv);
  tools::beginTool("pbs-run");
  CommandLine commandLine;
  cl::HideUnrelatedOptions(commandLine.category);
  tools::checkOptions("pbs-run", argc, argv);
  cl::ParseCommandLineOptions(argc, argv, overview);
  // The code generator ends the process where it cannot go on.
  llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
    llvm::errs() << "pbs-run: " << StringRef(reason).split('\n').first << "\n";
    exit(1);
  });

  try {
    RunOptions options = makeOptions(commandLine);
    std::unique_ptr<llvm::MemoryBuffer> file =
        tools::openModule(commandLine.input);

    DialectRegistry registry;
    registerAllDialects(registry);
    MLIRContext context(registry);
    context.printOpOnDiagnostic(false);
    auto sources = std::make_shared<llvm::SourceMgr>();
    sources->AddNewSourceBuffer(std::move(file), SMLoc());
    SourceMgrDiagnosticHandler diagnostics(*sources, &context);
    OwningOpRef<ModuleOp> module =
        parseSourceFile<ModuleOp>(*sources, &context);
    if (!module || failed(expand(*module)) ||
        failed(run(findEntry(*module, options), options)))
      return 1;
  } catch (const std::bad_alloc &) {
    llvm::errs() << "pbs-run: not enough memory\n";
    return 1;
  } catch (const runtime::Error &error) {
    for (const std::string &line : error.lines())
      llvm::errs() << "pbs-run: " << line << "\n";
    return 1;
  }
  return 0;
}

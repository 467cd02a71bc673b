// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Judges the mutants of what pbs-compile wrote: runs a plan on the emulator
// with all checks, again for each mutant of its PTX. For the tests beside it.

#include "Mutation.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Emulator.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/Launcher.h"

#include <filesystem>
#include <getopt.h>
#include <iostream>

using namespace pbs;
using namespace pbs::runtime;

namespace {

const char *const helpText =
    R"(pbs-mutate: take the synchronisation out of compiled kernels, one at a time

Usage:
  pbs-mutate OUT.plan.json --arg=FILE... [--arguments=FILE] [--max-steps=N]
             [--multiprocessors=N]
  pbs-mutate K.ptx

The first form runs every mutant of the kernels that are launched and prints
what became of it. The second form prints what the mutants are.

Options:
  --arg=FILE        an input of the entry, as for pbs-launch
  --arguments=FILE  why mutants that nothing happens to are right
  --entry=NAME      the plan's entry; not needed if it has only one
  --max-steps=N     a CTA that executes more instructions has no end
                    (67108864)
  --multiprocessors=N
                    how many the emulator has (132): CTAs that stay take more
                    work each where there are few
  --help            this text

Exit status: 0 if the hazard of every mutant is reported or argued about.
)";

struct Options {
  std::string input, entry, arguments;
  std::vector<std::string> inputs;
  uint64_t maxSteps = 1 << 26;
  uint32_t multiprocessors = EmulatorOptions().multiprocessors;
};

Options parseOptions(int argc, char **argv) {
  enum Option : int {
    Arg = 256,
    ArgumentFile,
    EntryName,
    Help,
    MaxSteps,
    Multiprocessors
  };
  static const option longOptions[] = {
      {"arg", required_argument, nullptr, Arg},
      {"arguments", required_argument, nullptr, ArgumentFile},
      {"entry", required_argument, nullptr, EntryName},
      {"help", no_argument, nullptr, Help},
      {"max-steps", required_argument, nullptr, MaxSteps},
      {"multiprocessors", required_argument, nullptr, Multiprocessors},
      {nullptr, 0, nullptr, 0}};
  Options options;
  int found;
  while ((found = getopt_long(argc, argv, "", longOptions, nullptr)) != -1)
    switch (found) {
    case Arg:
      options.inputs.push_back(optarg);
      break;
    case ArgumentFile:
      options.arguments = optarg;
      break;
    case EntryName:
      options.entry = optarg;
      break;
    case Help:
      std::cout << helpText;
      std::exit(0);
    case MaxSteps:
      options.maxSteps = std::stoull(optarg);
      break;
    case Multiprocessors:
      options.multiprocessors = static_cast<uint32_t>(std::stoul(optarg));
      break;
    default:
      std::exit(2);
    }
  if (optind + 1 != argc)
    throw Error("expected one plan or PTX; see --help");
  options.input = argv[optind];
  return options;
}

int listMutants(const Options &options) {
  for (const mutation::Mutant &mutant :
       mutation::makeMutants(readPtx(options.input)))
    std::cout << "line " << mutant.line << ": " << mutant.key << "\n";
  return 0;
}

/// The bytes of the plan's results with other PTX. Adds to \p launched.
std::vector<std::vector<uint8_t>> runPlan(const Options &options,
                                          const std::string &ptx,
                                          std::set<std::string> &launched) {
  EmulatorOptions emulator;
  emulator.hostThreads = 1;
  emulator.checks = EmulatorOptions::Checks::All;
  emulator.maxSteps = options.maxSteps;
  emulator.multiprocessors = options.multiprocessors;
  std::unique_ptr<EmulatorDevice> device = createEmulator(emulator);
  Plan plan = readPlan(options.input);
  Executable executable(*device, plan, options.entry, ptx, "mutant.ptx");
  executable.beforeLaunch = [&](const Launch &launch) {
    launched.insert(launch.kernel);
  };
  std::vector<std::vector<uint8_t>> results;
  for (Array &array :
       executable.run(loadArguments(executable.entry(), options.inputs)))
    results.push_back(std::move(array.storage()));
  return results;
}

int judge(const Options &options) {
  mutation::Arguments arguments;
  if (!options.arguments.empty())
    arguments = mutation::readArguments(options.arguments);
  std::string ptx = readPtx(readPlan(options.input).ptxPath());
  std::set<std::string> launched;
  auto expected = runPlan(options, ptx, launched);
  auto run = [&](const std::string &text) -> std::string {
    return runPlan(options, text, launched) == expected
               ? ""
               : mutation::wrongResults;
  };
  mutation::Report report =
      mutation::judgeMutants(ptx, run, arguments, launched);
  std::cout << report.text << report.caught << " caught, " << report.hangs
            << " without an end, " << report.argued << " right\n";
  for (const std::string &fault : report.faults)
    std::cerr << "pbs-mutate: " << fault << "\n";
  return report.faults.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv) {
  try {
    Options options = parseOptions(argc, argv);
    bool isPtx = std::filesystem::path(options.input).extension() == ".ptx";
    return isPtx ? listMutants(options) : judge(options);
  } catch (const std::exception &error) {
    std::cerr << "pbs-mutate: " << error.what() << "\n";
    return 1;
  }
}

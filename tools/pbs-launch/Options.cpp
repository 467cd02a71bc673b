// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Options.h"

#include "common/Names.h"
#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <filesystem>
#include <getopt.h>

using namespace pbs;
using namespace pbs::launch;
using pbs::runtime::Error;
using pbs::tools::parseInteger;

const char *const pbs::launch::helpText =
    R"(pbs-launch: run compiled kernels on a GPU, or without one on the emulator

Usage:
  pbs-launch OUT.plan.json [--entry=NAME] --arg=FILE... --result=FILE...
  pbs-launch K.ptx --kernel=NAME --grid=X[xYxZ] --block=X[xYxZ]
             [--cluster=X[xYxZ]] [--shared=BYTES] --arg=ARGUMENT...
             --result=FILE...

The first form launches what pbs-compile wrote: OUT.plan.json and the PTX beside
it. The plan knows the kernels, their grids and the workspace; --arg names the
inputs and --result the outputs, both in the order of the entry's arguments.
Shapes, types and contents are checked before anything runs.

The second form launches one kernel of any PTX; --arg gives its parameters:
  FILE          a pointer to the file's array
  u32:5 i32:-3 u64:1 i64:-1 f32:1.5
                a number
  out:f32:2x64  a pointer to an output of that type and shape; it is filled with
                0xFF bytes (NaN) first, and goes to the next --result
  map:FILE:64x32:128, map:out:bf16:512x256:64x32:128
                a tensor map of a file's array or of an output, with boxes of
                64x32 elements and a swizzle of 128 bytes (0, 32, 64 or 128)

Files: FILE.npy (f32, f16, i32, u16, bool) or FILE.safetensors:NAME (bf16 too).
f32 files are rounded where a plan's argument is bf16 or f16. bf16 results are
f32 in .npy. Results are written only when everything has succeeded; those without
a --result are mentioned.

Options:
  --device=emulator|cuda[:N]  where to run (emulator)
  --entry=NAME                the plan's entry; not needed if it has only one
  --kernel=NAME               the kernel; not needed if the PTX has only one
  --grid=X[xYxZ]              CTAs; X[,Y,Z] is the same
  --block=X[xYxZ]             threads of a CTA
  --cluster=X[xYxZ]           CTAs of a cluster (1)
  --shared=BYTES              dynamic shared memory (0)
  --arg=..., --result=FILE    as above, once for each
  --profile                   print what the emulator counted for each launch,
                              bank conflicts and waits among it, or its
                              milliseconds on a GPU
  --seed=N                    let chance decide when the emulator does asynchronous
                              work and in which order warps run; the same number
                              repeats it
  --seed=FIRST..LAST          run once with each of these seeds, in parallel; fails
                              as the first seed that does, or if results differ
  --checks=all|none           report hazards that a GPU run lets pass (none)
  --max-steps=N               the instructions that the warps of a CTA, or of a
                              cluster, execute together on the emulator; a
                              kernel that needs more fails, and the message says
                              where its warps are (2147483648, with --checks=all
                              134217728)
  --multiprocessors=N         how many the emulator has (132): kernels whose CTAs
                              stay take more work each where there are few
  --version                   the version of PBS
  --help                      this text

Examples:
  pbs-launch prefill.plan.json --device=emulator --arg=q.npy --arg=k.npy \
    --arg=v.npy --result=out.npy --result=lse.npy
  pbs-launch add.ptx --kernel=add --grid=4 --block=256 --arg=a.npy \
    --arg=b.npy --arg=out:f32:1000 --arg=u32:1000 --result=sum.npy

Exit status: 0 on success; 1 with one line that says what is wrong and where.
)";

bool Options::isKernel() const {
  return input.size() > 4 && input.compare(input.size() - 4, 4, ".ptx") == 0;
}

/// "4" or "4x2" or "4x2x1", or the same with commas, all at least 1.
static std::array<int64_t, 3> parseExtents(const std::string &option,
                                           const std::string &text) {
  std::array<int64_t, 3> extents = {1, 1, 1};
  size_t position = 0;
  char separator = text.find(',') == std::string::npos ? 'x' : ',';
  for (size_t i = 0; i < 3; ++i) {
    size_t end = text.find(separator, position);
    std::string part = text.substr(position, end - position);
    if (!parseInteger(part, extents[i]) || extents[i] < 1)
      break;
    if (end == std::string::npos)
      return extents;
    position = end + 1;
  }
  throw Error(option + "=" + text +
              ": expected X, XxY or XxYxZ with extents of at least 1");
}

static void checkOptions(const Options &options) {
  if (options.input.empty())
    throw Error("no input; name a plan or PTX, or see --help");
  std::string extension = std::filesystem::path(options.input).extension();
  if (extension == ".mlir")
    throw Error(options.input + ": is a module, which pbs-run runs and "
                                "pbs-compile compiles");
  if (extension != ".json" && extension != ".ptx")
    throw Error(options.input +
                ": expected a plan (FILE.plan.json) or PTX (FILE.ptx)");
  if (options.seeds && options.profile)
    throw Error("--profile is for one seed");
  auto refuse = [&](bool given, const char *option, const char *form) {
    if (given)
      throw Error(options.input + ": " + option + " is for " + form);
  };
  if (!options.isKernel()) {
    const char *form = "PTX (FILE.ptx), not for a plan";
    refuse(!options.kernel.empty(), "--kernel", form);
    refuse(options.grid[0] != 0, "--grid", form);
    refuse(options.block[0] != 0, "--block", form);
    refuse(options.cluster != std::array<int64_t, 3>{1, 1, 1}, "--cluster",
           form);
    refuse(options.sharedBytes != 0, "--shared", form);
    return;
  }
  refuse(!options.entry.empty(), "--entry", "a plan, not for PTX");
  if (!options.grid[0] || !options.block[0])
    throw Error(options.input +
                ": PTX without a plan needs --grid and --block");
  int64_t threads = 1;
  for (int64_t extent : options.block) {
    threads *= std::min<int64_t>(extent, 1025);
    if (threads > 1024)
      throw Error("--block: a CTA has at most 1024 threads");
  }
}

/// After getopt_long has found no option: \p argument is the one before those
/// that are left, unless it is a letter among several.
[[noreturn]] static void refuseOption(const std::string &argument,
                                      const option *known) {
  // A letter, or the number of an option that takes no value.
  bool isLetter = optopt > 0 && optopt < 256;
  if (isLetter)
    throw Error(std::string("-") + static_cast<char>(optopt) +
                ": unknown option, see --help");
  if (optopt != 0)
    throw Error(argument + ": takes no value");
  std::vector<std::string> names;
  for (; known->name; ++known)
    names.emplace_back(known->name);
  throw Error(tools::describeUnknownOption(argument, names));
}

Options pbs::launch::parseOptions(int argc, char **argv) {
  enum Option : int {
    Arg = 256,
    Block,
    Checks,
    Cluster,
    DeviceName,
    Entry,
    Grid,
    Help,
    Kernel,
    MaxSteps,
    Multiprocessors,
    Profile,
    Result,
    Seed,
    Shared,
    Version
  };
  static const option longOptions[] = {
      {"arg", required_argument, nullptr, Arg},
      {"block", required_argument, nullptr, Block},
      {"checks", required_argument, nullptr, Checks},
      {"cluster", required_argument, nullptr, Cluster},
      {"device", required_argument, nullptr, DeviceName},
      {"entry", required_argument, nullptr, Entry},
      {"grid", required_argument, nullptr, Grid},
      {"help", no_argument, nullptr, Help},
      {"kernel", required_argument, nullptr, Kernel},
      {"max-steps", required_argument, nullptr, MaxSteps},
      {"multiprocessors", required_argument, nullptr, Multiprocessors},
      {"profile", no_argument, nullptr, Profile},
      {"result", required_argument, nullptr, Result},
      {"seed", required_argument, nullptr, Seed},
      {"shared", required_argument, nullptr, Shared},
      {"version", no_argument, nullptr, Version},
      {nullptr, 0, nullptr, 0}};
  Options options;
  opterr = 0;
  int found;
  // The colon makes a missing value distinct from an unknown option.
  while ((found = getopt_long(argc, argv, ":h", longOptions, nullptr)) != -1) {
    std::string value = optarg ? optarg : "";
    switch (found) {
    case Arg:
      options.arguments.push_back(value);
      break;
    case Block:
      options.block = parseExtents("--block", value);
      break;
    case Cluster:
      options.cluster = parseExtents("--cluster", value);
      for (int64_t extent : options.cluster)
        if (extent > 16)
          throw Error("--cluster=" + value + ": a cluster has at most 16 CTAs");
      break;
    case DeviceName:
      options.device = value;
      break;
    case Entry:
      options.entry = value;
      break;
    case Grid:
      options.grid = parseExtents("--grid", value);
      break;
    case 'h':
    case Help:
      options.help = true;
      return options;
    case Kernel:
      options.kernel = value;
      break;
    case MaxSteps:
      options.emulator.maxSteps = tools::parseMaxSteps(value);
      break;
    case Multiprocessors:
      options.emulator.multiprocessors = tools::parseMultiprocessors(value);
      break;
    case Profile:
      options.profile = options.emulator.profile = true;
      break;
    case Result:
      options.results.push_back(value);
      break;
    case Shared:
      if (!parseInteger(value, options.sharedBytes))
        throw Error("--shared=" + value + ": expected a number of bytes");
      break;
    case Checks:
      options.emulator.checks = tools::parseChecks(value);
      break;
    case Seed: {
      tools::Seeds seeds = tools::parseSeeds(value);
      options.emulator.seed = seeds.first;
      options.seeds.reset();
      if (seeds.isRange)
        options.seeds = seeds;
      break;
    }
    case Version:
      options.version = true;
      return options;
    case ':':
      throw Error(std::string(argv[optind - 1]) + ": a value is missing");
    default:
      refuseOption(argv[optind - 1], longOptions);
    }
  }
  for (int i = optind; i < argc; ++i) {
    if (!options.input.empty())
      throw Error(std::string(argv[i]) + ": only one plan or PTX at a time");
    options.input = argv[i];
  }
  checkOptions(options);
  return options;
}

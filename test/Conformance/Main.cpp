// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// conformance: runs the cases on a device and says which of them fail.

#include "Conformance.h"
#include "Runner.h"

#include "pbs/Runtime/Error.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

using namespace pbs::conformance;

// The C++ library's random_device, which nothing here uses, would need a newer
// C library than some GPU hosts have.
extern "C" uint32_t arc4random() noexcept { std::abort(); }

namespace {

const char *const usage =
    "usage: conformance --device=emulator|cuda|cuda:N [options]\n"
    "  --filter=TEXT   only cases with TEXT in instruction or form\n"
    "  --seed=N        for inputs; random if not given\n"
    "  --json=FILE     write results there, after every case\n"
    "  --ptxas=PROGRAM assemble all kernels as well\n"
    "  --timeout=N     seconds that a case may take (60)\n"
    "  --list          print the cases and run none\n";

/// All cases, in the order in which they run.
Suite makeSuite() {
  Suite suite;
  for (auto *add :
       {addIntegers, addLogic, addComparisons, addFloats, addHalves,
        addApproximations, addConversions, addMemory, addAtomics, addControl,
        addExchange, addMatrices, addBarriers, addAsyncCopies, addMbarriers,
        addBulkCopies, addTensorCopies, addWarpgroups, addClusters})
    add(suite);
  return suite;
}

/// The text behind \p name in \p argument, if it begins so.
bool consume(std::string_view argument, std::string_view name,
             std::string &value) {
  if (argument.substr(0, name.size()) != name)
    return false;
  value = argument.substr(name.size());
  return true;
}

} // namespace

int main(int count, char **arguments) {
  RunOptions options;
  options.seed = uint32_t(
      std::chrono::system_clock::now().time_since_epoch().count() / 1000);
  bool lists = false;
  for (int index = 1; index < count; ++index) {
    std::string_view argument = arguments[index];
    std::string number;
    if (consume(argument, "--seed=", number))
      options.seed = std::strtoull(number.c_str(), nullptr, 10);
    else if (consume(argument, "--timeout=", number))
      options.seconds = unsigned(std::atoi(number.c_str()));
    else if (argument == "--list")
      lists = true;
    else if (!consume(argument, "--device=", options.device) &&
             !consume(argument, "--filter=", options.filter) &&
             !consume(argument, "--json=", options.json) &&
             !consume(argument, "--ptxas=", options.ptxas)) {
      std::fputs(usage, stderr);
      return 2;
    }
  }
  Suite suite = makeSuite();
  if (lists) {
    for (const Case &test : suite.cases)
      std::printf("%s: %s (%s)\n", test.instruction.c_str(), test.form.c_str(),
                  test.comparison.c_str());
    return 0;
  }
  if (options.device.empty()) {
    std::fputs(usage, stderr);
    return 2;
  }
  try {
    return runCases(suite, options) ? 0 : 1;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "conformance: %s\n", error.what());
    return 2;
  }
}

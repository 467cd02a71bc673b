// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches plans and single kernels of PTX. Links no MLIR or LLVM.

#include "Launch.h"

#include "common/Arguments.h"
#include "common/Names.h"
#include "common/StandardOutput.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OutputFile.h"

#include <iostream>
#include <new>

using namespace pbs::launch;

int main(int argc, char **argv) {
  pbs::tools::checkStandardOutput("pbs-launch");
  pbs::runtime::removeOutputsOnSignals();
  try {
    Options options = parseOptions(argc, argv);
    if (options.help) {
      std::cout << helpText;
      return 0;
    }
    if (options.version) {
      std::cout << pbs::tools::versionOf("pbs-launch") << "\n";
      return 0;
    }
    Outputs outputs = launchAll(options);
    pbs::runtime::writeResults(options.results, outputs.arrays);
    pbs::tools::mentionUnwritten("pbs-launch", outputs.names,
                                 options.results.size());
    return 0;
  } catch (const std::bad_alloc &) {
    std::cerr << "pbs-launch: not enough memory\n";
  } catch (const pbs::runtime::Error &error) {
    for (const std::string &line : error.lines())
      std::cerr << "pbs-launch: " << line << "\n";
  } catch (const std::exception &error) {
    std::cerr << "pbs-launch: " << error.what() << "\n";
  }
  return 1;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches plans and single kernels of PTX. Links no MLIR or LLVM.

#include "Launch.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Error.h"

#include <iostream>
#include <new>

using namespace pbs::launch;

int main(int argc, char **argv) {
  try {
    Options options = parseOptions(argc, argv);
    if (options.help) {
      std::cout << helpText;
      return 0;
    }
    pbs::runtime::writeResults(options.results, options.lastSeed
                                                    ? launchWithSeeds(options)
                                                    : launch(options));
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

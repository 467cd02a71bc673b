// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/OpenDevice.h"

#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OpenDevice.h"

using namespace pbs::runtime;

std::unique_ptr<Device> pbs::tools::openDevice(const std::string &name,
                                               std::optional<uint64_t> seed,
                                               ProgressBar *progress) {
  if (seed && name != "emulator")
    throw Error("--seed needs --device=emulator");
  EmulatorOptions options;
  options.seed = seed;
  if (progress)
    options.progress = [progress](uint64_t done, uint64_t total) {
      progress->update(done, total);
    };
  return runtime::openDevice(name, options);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/OpenDevice.h"

#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OpenDevice.h"

using namespace pbs::runtime;

bool pbs::tools::parseChecks(const std::string &value) {
  if (value != "all" && value != "none")
    throw Error("--checks=" + value + ": expected all or none");
  return value == "all";
}

std::unique_ptr<Device> pbs::tools::openDevice(const std::string &name,
                                               const EmulatorFlags &flags,
                                               ProgressBar *progress) {
  if (flags.seed && name != "emulator")
    throw Error("--seed needs --device=emulator");
  if (flags.checks && name != "emulator")
    throw Error("--checks=all needs --device=emulator");
  EmulatorOptions options;
  options.seed = flags.seed;
  options.hostThreads = flags.hostThreads;
  options.profile = flags.profile;
  if (flags.checks)
    options.checks = EmulatorOptions::Checks::All;
  if (progress)
    options.progress = [progress](uint64_t done, uint64_t total) {
      progress->update(done, total);
    };
  return runtime::openDevice(name, options);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/OpenDevice.h"

#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OpenDevice.h"

#include <charconv>

using namespace pbs::runtime;

bool pbs::tools::parseChecks(const std::string &value) {
  if (value != "all" && value != "none")
    throw Error("--checks=" + value + ": expected all or none");
  return value == "all";
}

/// The value of \p option, a number of at least 1.
template <typename Number>
static Number parseNumber(const std::string &option, const std::string &value) {
  Number number = 0;
  const char *end = value.data() + value.size();
  auto [rest, error] = std::from_chars(value.data(), end, number);
  if (rest != end || error != std::errc() || number == 0)
    throw Error(option + "=" + value + ": expected a number of at least 1");
  return number;
}

uint64_t pbs::tools::parseMaxSteps(const std::string &value) {
  return parseNumber<uint64_t>("--max-steps", value);
}

uint32_t pbs::tools::parseMultiprocessors(const std::string &value) {
  return parseNumber<uint32_t>("--multiprocessors", value);
}

std::unique_ptr<Device> pbs::tools::openDevice(const std::string &name,
                                               const EmulatorFlags &flags,
                                               ProgressBar *progress) {
  if (flags.seed && name != "emulator")
    throw Error("--seed needs --device=emulator");
  if (flags.checks && name != "emulator")
    throw Error("--checks=all needs --device=emulator");
  if (flags.maxSteps && name != "emulator")
    throw Error("--max-steps needs --device=emulator");
  if (flags.multiprocessors && name != "emulator")
    throw Error("--multiprocessors needs --device=emulator");
  EmulatorOptions options;
  options.maxSteps = flags.maxSteps.value_or(0);
  options.multiprocessors =
      flags.multiprocessors.value_or(options.multiprocessors);
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Launch.h"

#include "common/OpenDevice.h"
#include "common/Profile.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Launcher.h"

#include <iostream>

using namespace pbs::runtime;

std::vector<Array> pbs::launch::launchPlan(const Options &options) {
  std::unique_ptr<Device> device =
      tools::openDevice(options.device, options.emulator);
  Plan plan = readPlan(options.input);
  const Entry &entry = plan.findEntry(options.entry);
  checkResultPlaces(options.results,
                    entry.arguments.size() - entry.inputCount());
  Executable executable(*device, plan, entry.name);
  std::vector<Array> inputs = loadArguments(entry, options.arguments);
  tools::LaunchProfile profile(std::cout, *device);
  if (options.profile) {
    executable.beforeLaunch = [&](const Launch &) { profile.begin(); };
    executable.afterLaunch = [&](const Launch &launch,
                                 const LaunchConfiguration &configuration) {
      profile.end(launch.kernel, configuration);
    };
  }
  return executable.run(inputs);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Launch.h"

#include "common/Arguments.h"
#include "common/OpenDevice.h"
#include "common/Profile.h"
#include "pbs/Runtime/ArrayFile.h"
#include "pbs/Runtime/Launcher.h"

#include <iostream>

using namespace pbs::runtime;

pbs::launch::Outputs pbs::launch::launchPlan(const Options &options) {
  std::unique_ptr<Device> device =
      tools::openDevice(options.device, options.emulator);
  Plan plan = readPlan(options.input);
  const Entry &entry = plan.findEntry(options.entry);
  checkResultPlaces(options.results,
                    entry.arguments.size() - entry.inputCount());
  Executable executable(*device, plan, entry.name);
  std::vector<Array> inputs = tools::loadArguments(entry, options.arguments);
  tools::LaunchProfile profile(std::cout, *device);
  if (options.profile) {
    executable.beforeLaunch = [&](const Launch &) { profile.begin(); };
    executable.afterLaunch = [&](const Launch &launch,
                                 const LaunchConfiguration &configuration) {
      profile.end(launch.kernel, configuration);
    };
  }
  Outputs outputs{executable.run(inputs), {}};
  for (size_t i = entry.inputCount(); i < entry.arguments.size(); ++i)
    outputs.names.push_back(entry.arguments[i].name);
  return outputs;
}

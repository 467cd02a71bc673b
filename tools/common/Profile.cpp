// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/Profile.h"

#include "common/EmulatorProfile.h"
#include "pbs/Runtime/Emulator.h"
#include "pbs/Runtime/Error.h"

#include <cstdio>

using namespace pbs::runtime;

using pbs::tools::grouped;

namespace {

std::string extents(const std::array<uint32_t, 3> &values) {
  return std::to_string(values[0]) + "x" + std::to_string(values[1]) + "x" +
         std::to_string(values[2]);
}

void printLine(std::ostream &stream, const std::string &what, uint64_t number) {
  char line[80];
  std::snprintf(line, sizeof(line), "  %-32s %24s\n", what.c_str(),
                grouped(number).c_str());
  stream << line;
}

void printStatistics(std::ostream &stream, const std::string &kernel,
                     const LaunchConfiguration &configuration,
                     const LaunchStatistics &statistics) {
  char seconds[32];
  std::snprintf(seconds, sizeof(seconds), "%.3f", statistics.seconds);
  stream << kernel << ": grid " << extents(configuration.grid) << ", block "
         << extents(configuration.block) << ", " << seconds
         << " s on the emulator\n";
  printLine(stream, "CTAs", statistics.ctas);
  printLine(stream, "warp instructions", statistics.warpInstructions);
  printLine(stream, "active lane-instructions",
            statistics.totalLaneInstructions());
  for (size_t i = 0; i < instructionClassCount; ++i)
    if (statistics.laneInstructions[i])
      printLine(stream,
                "  " + std::string(instructionClassName(
                           static_cast<InstructionClass>(i))),
                statistics.laneInstructions[i]);
  printLine(stream, "matrix flops", statistics.matrixFlops);
  printLine(stream, "global bytes loaded", statistics.globalLoadBytes);
  printLine(stream, "global bytes stored", statistics.globalStoreBytes);
  printLine(stream, "asynchronously copied bytes", statistics.asyncCopyBytes);
  printLine(stream, "shared bytes loaded", statistics.sharedLoadBytes);
  printLine(stream, "shared bytes stored", statistics.sharedStoreBytes);
}

} // namespace

void pbs::tools::LaunchProfile::begin() {
  if (!dynamic_cast<const EmulatorDevice *>(&device))
    start = device.recordEvent();
}

void pbs::tools::LaunchProfile::end(const std::string &kernel,
                                    const LaunchConfiguration &configuration) {
  if (const auto *emulator = dynamic_cast<const EmulatorDevice *>(&device)) {
    const LaunchStatistics &statistics = emulator->launchStatistics();
    printStatistics(stream, kernel, configuration, statistics);
    if (const EmulatorProfile *profile = emulator->launchProfile())
      printProfile(stream, *profile, statistics);
    return;
  }
  std::unique_ptr<Event> end = device.recordEvent();
  char milliseconds[32];
  std::snprintf(milliseconds, sizeof(milliseconds), "%.3f",
                device.elapsedMilliseconds(*start, *end));
  stream << kernel << ": grid " << extents(configuration.grid) << ", block "
         << extents(configuration.block) << ", " << milliseconds << " ms\n";
}

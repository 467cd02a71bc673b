// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "HazardReporter.h"

#include "../Machine.h"

namespace pbs::runtime::emulator {

std::string HazardReporter::lineOf(uint32_t instruction) const {
  return "line " + std::to_string(launch.program->code[instruction].line);
}

std::string HazardReporter::threadName(uint64_t number, uint32_t thread) const {
  const auto &block = launch.configuration.block;
  unsigned threads = unsigned(cluster.ctas.front()->warps.size()) * warpSize;
  uint32_t inCta = thread % threads;
  std::string name;
  if (number != clusterNumber || cluster.ctas.size() > 1)
    name = "CTA " +
           triple(ctaId(launch.configuration, number, thread / threads)) + " ";
  return name + "thread " +
         triple({inCta % block[0], inCta / block[0] % block[1],
                 inCta / block[0] / block[1]});
}

std::string HazardReporter::placeName(const uint8_t *host,
                                      const Cta *shared) const {
  if (!shared)
    return hexadecimal(launch.memory->addressOf(host)) + " of global memory";
  std::string name =
      hexadecimal(uint64_t(host - shared->shared)) + " of shared memory";
  return cluster.ctas.size() == 1 ? name
                                  : name + " of CTA " + triple(shared->id);
}

void HazardReporter::report(HazardKind kind, const Warp &warp, unsigned lane,
                            uint32_t instruction, uint32_t other,
                            const std::string &what) {
  if (log.isKnown(kind, instruction, other))
    return;
  const auto &block = launch.configuration.block;
  uint32_t thread = warp.index * warpSize + lane;
  std::string line =
      "hazard: " + std::string(hazardKindName(kind)) + ": " +
      launch.program->name + ":" +
      std::to_string(launch.program->code[instruction].line) + ": kernel '" +
      launch.kernel->name + "': CTA " + triple(warp.cta->id) + " thread " +
      triple({thread % block[0], thread / block[0] % block[1],
              thread / block[0] / block[1]}) +
      ": " + std::string(launch.program->opcodes[instruction]) + " " + what;
  log.add(kind, instruction, other, clusterNumber, std::move(line));
}

} // namespace pbs::runtime::emulator

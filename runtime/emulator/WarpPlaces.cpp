// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "WarpPlaces.h"

#include "Machine.h"

#include <cstdio>

namespace pbs::runtime::emulator {

namespace {

/// Places that a message names: those of all warps of a CTA.
constexpr unsigned mostNamed = 32;

/// What a path waits for, or nothing; \p instruction is where. A wait at an
/// mbarrier before round \p since is over.
std::string waitsFor(const Path &path, uint64_t since, uint32_t &instruction) {
  instruction = path.pc - 1;
  switch (path.state) {
  case Path::State::AtBarrier:
    return "barrier " + std::to_string(path.waitsFor);
  case Path::State::AtWarpBarrier:
    return "bar.warp.sync";
  case Path::State::AtClusterBarrier:
    return "barrier.cluster";
  case Path::State::AtWarpgroup:
    return "wgmma.wait_group for its warpgroup";
  case Path::State::Runnable: {
    if (path.poll.changes == 0 || path.poll.round < since)
      return "";
    instruction = path.poll.instruction;
    char text[64];
    std::snprintf(text, sizeof(text), "mbarrier 0x%x phase %u",
                  path.poll.offset, path.poll.phase);
    return text;
  }
  default:
    return "";
  }
}

WarpPlaces describe(const Cluster &cluster, bool withRunning) {
  WarpPlaces places;
  unsigned named = 0;
  // A thread that goes on after a wait in vain runs.
  uint64_t since = withRunning && cluster.round > 0 ? cluster.round - 1 : 0;
  for (const Cta *cta : cluster.ctas)
    for (const Warp &warp : cta->warps)
      for (const Path &path : warp.paths) {
        uint32_t instruction;
        std::string what = waitsFor(path, since, instruction);
        bool isWaiting = !what.empty();
        if (!isWaiting) {
          if (!withRunning || path.state != Path::State::Runnable)
            continue;
          instruction = path.pc;
        }
        uint32_t line = cta->launch->program->code[instruction].line;
        if (!places.warp) {
          places.warp = &warp;
          places.line = line;
          places.lane = unsigned(__builtin_ctz(path.mask));
        }
        if (++named > mostNamed)
          continue;
        std::string &text = places.text;
        text += named > 1 ? ", " : "";
        if (cluster.ctas.size() > 1)
          text += "CTA " + triple(cta->id) + " ";
        text += "warp " + std::to_string(warp.index) +
                (isWaiting ? " waits at " + what : " runs") + " in line " +
                std::to_string(line);
      }
  if (named > mostNamed)
    places.text += " and " + std::to_string(named - mostNamed) + " more";
  return places;
}

} // namespace

WarpPlaces placesOfWaiting(const Cluster &cluster) {
  return describe(cluster, false);
}

WarpPlaces placesOfAll(const Cluster &cluster) {
  return describe(cluster, true);
}

} // namespace pbs::runtime::emulator

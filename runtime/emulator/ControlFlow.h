// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the lanes that a branch separates meet again.

#ifndef PBS_EMULATOR_CONTROLFLOW_H
#define PBS_EMULATOR_CONTROLFLOW_H

#include <cstdint>
#include <vector>

namespace pbs::runtime::emulator {

/// How control leaves one instruction of a function.
struct FlowEdge {
  /// Instruction numbers it may jump to.
  std::vector<uint32_t> targets;
  /// It may go on with the next instruction.
  bool fallsThrough = true;
  /// It may end the function.
  bool ends = false;

  bool isPlain() const { return targets.empty() && fallsThrough && !ends; }
};

/// For every instruction of a function that branches, the first instruction of
/// its immediate post-dominator; noInstruction where only the end of the
/// function is, and for instructions that do not branch. Ways that leave the
/// function early or end in a trap do not count. Numbers count from the
/// function's first instruction. After "A Simple, Fast Dominance
/// Algorithm", Cooper, Harvey, Kennedy 2001, on the reversed graph.
std::vector<uint32_t> findMeetingPoints(const std::vector<FlowEdge> &flow);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CONTROLFLOW_H

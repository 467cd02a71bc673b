// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hazards that a launch has shown so far.

#ifndef PBS_EMULATOR_CHECKS_HAZARDLOG_H
#define PBS_EMULATOR_CHECKS_HAZARDLOG_H

#include "pbs/Runtime/Emulator.h"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace pbs::runtime::emulator {

/// Keeps one hazard of each kind for each pair of instructions: the first one
/// of the first cluster that has it.
class HazardLog {
public:
  static constexpr size_t maximumLines = 20;

  /// \p other is the number of the other instruction, or UINT32_MAX.
  bool isKnown(HazardKind kind, uint32_t instruction, uint32_t other) const {
    return hazards.count({kind, instruction, other}) != 0;
  }
  void add(HazardKind kind, uint32_t instruction, uint32_t other,
           uint64_t cluster, std::string line);
  void merge(const HazardLog &other);

  bool empty() const { return hazards.empty(); }
  /// One line for each hazard in the order of the program, of which at most
  /// maximumLines are shown.
  std::vector<std::string> lines() const;

private:
  struct Hazard {
    uint64_t cluster;
    std::string line;
  };
  using Key = std::tuple<HazardKind, uint32_t, uint32_t>;
  std::map<Key, Hazard> hazards;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_HAZARDLOG_H

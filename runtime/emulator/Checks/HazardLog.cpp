// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "HazardLog.h"

#include <algorithm>

namespace pbs::runtime::emulator {

void HazardLog::add(HazardKind kind, uint32_t instruction, uint32_t other,
                    uint64_t cluster, std::string line) {
  Hazard &hazard = hazards[{kind, instruction, other}];
  if (hazard.line.empty() || cluster < hazard.cluster)
    hazard = {cluster, std::move(line)};
}

void HazardLog::merge(const HazardLog &other) {
  for (const auto &[key, hazard] : other.hazards)
    add(std::get<0>(key), std::get<1>(key), std::get<2>(key), hazard.cluster,
        hazard.line);
}

std::vector<std::string> HazardLog::lines() const {
  std::vector<const std::pair<const Key, Hazard> *> order;
  for (const auto &entry : hazards)
    order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto *a, const auto *b) {
    auto [kindA, instructionA, otherA] = a->first;
    auto [kindB, instructionB, otherB] = b->first;
    return std::tie(a->second.cluster, instructionA, otherA, kindA) <
           std::tie(b->second.cluster, instructionB, otherB, kindB);
  });
  std::vector<std::string> lines;
  for (size_t index = 0; index < std::min(order.size(), maximumLines); ++index)
    lines.push_back(order[index]->second.line);
  if (order.size() > maximumLines)
    lines.push_back("hazard: " + std::to_string(order.size() - maximumLines) +
                    " more are not shown");
  return lines;
}

} // namespace pbs::runtime::emulator

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "HazardLog.h"

#include <algorithm>
#include <vector>

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

std::string HazardLog::message() const {
  std::vector<const std::pair<const Key, Hazard> *> order;
  for (const auto &entry : hazards)
    order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto *a, const auto *b) {
    auto [kindA, instructionA, otherA] = a->first;
    auto [kindB, instructionB, otherB] = b->first;
    return std::tie(a->second.cluster, instructionA, otherA, kindA) <
           std::tie(b->second.cluster, instructionB, otherB, kindB);
  });
  std::string message;
  for (size_t index = 0; index < std::min(order.size(), maximumLines); ++index)
    message += (index ? "\n" : "") + order[index]->second.line;
  if (order.size() > maximumLines)
    message += "\nand " + std::to_string(order.size() - maximumLines) +
               " hazards more";
  return message;
}

} // namespace pbs::runtime::emulator

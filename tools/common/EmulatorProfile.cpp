// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/EmulatorProfile.h"

#include <algorithm>
#include <cstdio>

using namespace pbs::runtime;
using pbs::tools::grouped;

std::string pbs::tools::grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t i = text.size(); i > 3; i -= 3)
    text.insert(i - 3, ",");
  return text;
}

namespace {

constexpr size_t labelWidth = 46;
constexpr size_t columnWidth = 13;

/// A row of a table: a label and numbers. What is too long moves the rest.
void printRow(std::ostream &stream, unsigned indent, std::string label,
              const std::vector<std::string> &columns) {
  label.insert(0, indent, ' ');
  label.resize(std::max(label.size(), labelWidth), ' ');
  stream << label;
  for (const std::string &column : columns)
    stream << std::string(
                  columnWidth - std::min(columnWidth - 1, column.size()), ' ')
           << column;
  stream << "\n";
}

std::string formatted(const char *format, double value) {
  char text[48];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string lineLabel(uint32_t line, const std::string &opcode) {
  return "line " + std::to_string(line) + ": " + opcode;
}

void printMatrix(std::ostream &stream, const EmulatorProfile &profile,
                 const LaunchStatistics &statistics) {
  uint64_t all = statistics.totalLaneInstructions();
  uint64_t matrix =
      statistics.laneInstructions[size_t(InstructionClass::Matrix)];
  if (matrix == 0)
    return;
  stream << "  matrix instructions: "
         << formatted("%.1f %%", 100 * double(matrix) / double(all))
         << " of all lane-instructions, "
         << formatted("%.1f", double(statistics.matrixFlops) /
                                  double(std::max<uint64_t>(all - matrix, 1)))
         << " flops for each of the others\n";
  if (profile.products.empty())
    return;
  printRow(stream, 2, "products by shape", {"of warps", "flops"});
  for (const EmulatorProfile::Product &product : profile.products)
    printRow(stream, 4, product.shape,
             {grouped(product.instructions), grouped(product.flops)});
}

void printBytes(std::ostream &stream, const EmulatorProfile &profile) {
  bool isFirst = true;
  for (size_t index = 0; index < bytePathCount; ++index) {
    if (profile.bytes[index] == 0)
      continue;
    if (isFirst)
      printRow(stream, 2, "bytes by path", {"bytes"});
    isFirst = false;
    printRow(stream, 4, std::string(bytePathName(BytePath(index))),
             {grouped(profile.bytes[index])});
  }
}

void printSectors(std::ostream &stream, const std::string &label,
                  const SectorCounts &counts) {
  if (counts.accesses != 0)
    printRow(stream, 4, label,
             {grouped(counts.accesses), grouped(counts.sectors),
              grouped(counts.usedBytes),
              formatted("%.1f %%", 100 * counts.efficiency())});
}

void printGlobal(std::ostream &stream, const EmulatorProfile &profile) {
  SectorCounts all;
  for (const SectorCounts &counts : profile.sectors)
    all += counts;
  if (all.accesses == 0)
    return;
  printRow(stream, 2, "global memory, by warps",
           {"accesses", "sectors", "bytes used", "efficiency"});
  static constexpr const char *names[] = {"loads", "stores", "cp.async"};
  for (size_t kind = 0; kind < EmulatorProfile::globalKinds; ++kind)
    printSectors(stream, names[kind], profile.sectors[kind]);
  for (const auto &line : profile.sectorLines)
    printSectors(stream, lineLabel(line.line, line.opcode), line.counts);
}

void printBank(std::ostream &stream, const std::string &label,
               const BankCounts &counts) {
  if (counts.accesses != 0)
    printRow(stream, 4, label,
             {grouped(counts.accesses), grouped(counts.wavefronts),
              grouped(counts.excess)});
}

void printShared(std::ostream &stream, const EmulatorProfile &profile) {
  BankCounts all;
  for (const BankCounts &counts : profile.banks)
    all += counts;
  if (all.accesses == 0)
    return;
  printRow(stream, 2, "shared memory, by warps",
           {"accesses", "wavefronts", "excess"});
  static constexpr const char *names[] = {"loads", "stores", "atomics",
                                          "ldmatrix and stmatrix"};
  for (size_t kind = 0; kind < EmulatorProfile::sharedKinds; ++kind)
    printBank(stream, names[kind], profile.banks[kind]);
  for (const auto &line : profile.bankLines)
    printBank(stream, lineLabel(line.line, line.opcode), line.counts);
}

/// "0, 4-7".
std::string ranges(const std::vector<uint32_t> &numbers) {
  std::string text;
  for (size_t begin = 0, end; begin < numbers.size(); begin = end) {
    for (end = begin + 1; end < numbers.size(); ++end)
      if (numbers[end] != numbers[end - 1] + 1)
        break;
    text += (begin == 0 ? "" : ", ") + std::to_string(numbers[begin]);
    if (end - begin > 1)
      text += "-" + std::to_string(numbers[end - 1]);
  }
  return text;
}

std::string warpsOf(const EmulatorProfile::Role &role) {
  const auto &first = role.warps.front();
  bool isSame = std::all_of(role.warps.begin(), role.warps.end(),
                            [&](const auto &warps) { return warps == first; });
  if (isSame)
    return (first.size() == 1 ? "warp " : "warps ") + ranges(first);
  std::string text;
  for (size_t rank = 0; rank < role.warps.size(); ++rank)
    if (!role.warps[rank].empty())
      text += (text.empty() ? "CTA " : "; CTA ") + std::to_string(rank) +
              ": warps " + ranges(role.warps[rank]);
  return text;
}

std::string nameOf(const EmulatorProfile::Wait &wait) {
  using Kind = EmulatorProfile::WaitKind;
  char text[64] = "";
  switch (wait.kind) {
  case Kind::Mbarrier:
    if (wait.first == wait.last)
      std::snprintf(text, sizeof(text), "mbarrier at 0x%x", wait.first);
    else
      std::snprintf(text, sizeof(text), "mbarriers at 0x%x to 0x%x", wait.first,
                    wait.last);
    return text;
  case Kind::Barrier:
    if (wait.first == wait.last)
      return "barrier " + std::to_string(wait.first);
    return "barriers " + std::to_string(wait.first) + " to " +
           std::to_string(wait.last);
  case Kind::ClusterBarrier:
    return "cluster barrier";
  case Kind::Products:
    return "wgmma.wait_group";
  case Kind::Copies:
  case Kind::BulkCopies:
    break;
  }
  return wait.opcode;
}

void printRoles(std::ostream &stream, const EmulatorProfile &profile) {
  stream << "  what warps did and waited for; a step is an instruction of a "
            "warp, none of a GPU's time\n";
  for (const EmulatorProfile::Role &role : profile.roles) {
    stream << "    " << warpsOf(role) << " (" << grouped(role.warpCount)
           << " in all): " << grouped(role.instructions) << " instructions";
    if (role.matrixFlops != 0)
      stream << ", " << grouped(role.matrixFlops) << " matrix flops";
    stream << "\n";
    if (role.waits.empty())
      continue;
    printRow(stream, 6, "", {"reached", "had to wait", "steps waited"});
    for (const EmulatorProfile::Wait &wait : role.waits)
      printRow(
          stream, 6, "line " + std::to_string(wait.line) + ": " + nameOf(wait),
          {grouped(wait.reached), grouped(wait.waited), grouped(wait.steps)});
  }
}

} // namespace

void pbs::tools::printProfile(std::ostream &stream,
                              const EmulatorProfile &profile,
                              const LaunchStatistics &statistics) {
  printMatrix(stream, profile, statistics);
  printBytes(stream, profile);
  printGlobal(stream, profile);
  printShared(stream, profile);
  printRoles(stream, profile);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From what was counted for each instruction and warp to a profile to read.

#include "Profiler.h"

#include <algorithm>
#include <cctype>

namespace pbs::runtime {

std::string_view bytePathName(BytePath path) {
  static constexpr std::string_view names[bytePathCount] = {
      "global -> registers",
      "registers -> global",
      "atomics on global memory",
      "global -> shared, cp.async",
      "global -> shared, bulk copies",
      "global -> shared, tensor copies",
      "shared -> global, bulk copies",
      "shared -> global, tensor copies",
      "shared -> global, reductions",
      "shared -> registers",
      "registers -> shared",
      "atomics on shared memory",
      "shared -> tensor core",
      "between CTAs of a cluster",
      "local -> registers",
      "registers -> local"};
  return names[size_t(path)];
}

BankCounts &BankCounts::operator+=(const BankCounts &other) {
  accesses += other.accesses;
  wavefronts += other.wavefronts;
  excess += other.excess;
  return *this;
}

SectorCounts &SectorCounts::operator+=(const SectorCounts &other) {
  accesses += other.accesses;
  sectors += other.sectors;
  usedBytes += other.usedBytes;
  return *this;
}

double SectorCounts::efficiency() const {
  return sectors == 0 ? 1 : double(usedBytes) / (32 * double(sectors));
}

namespace emulator {

namespace {

/// Lines that a profile names of each kind.
constexpr size_t namedLines = 5;

/// "mma m16n8k16" of "mma.sync.aligned.m16n8k16.row.col...".
std::string shapeOf(std::string_view opcode) {
  std::string shape(opcode.substr(0, opcode.find('.')));
  for (size_t dot = opcode.find('.'); dot != std::string_view::npos;
       dot = opcode.find('.', dot + 1)) {
    std::string_view part = opcode.substr(dot + 1);
    part = part.substr(0, part.find('.'));
    if (part.size() > 1 && part[0] == 'm' && std::isdigit(part[1]))
      return shape + " " + std::string(part);
  }
  return shape;
}

uint64_t badness(const BankCounts &counts) { return counts.excess; }
uint64_t badness(const SectorCounts &counts) {
  return 32 * counts.sectors - counts.usedBytes;
}

/// Keeps the worst lines; of equally bad ones the first.
template <typename Line> void keepWorst(std::vector<Line> &lines) {
  std::sort(lines.begin(), lines.end(), [](const Line &a, const Line &b) {
    uint64_t first = badness(a.counts);
    uint64_t second = badness(b.counts);
    return first != second ? first > second : a.line < b.line;
  });
  if (lines.size() > namedLines)
    lines.erase(lines.begin() + namedLines, lines.end());
}

EmulatorProfile::SharedKind sharedKind(InstructionClass instructionClass) {
  switch (instructionClass) {
  case InstructionClass::Store:
    return EmulatorProfile::SharedStores;
  case InstructionClass::Atomic:
    return EmulatorProfile::SharedAtomics;
  case InstructionClass::Matrix:
    return EmulatorProfile::MatrixRows;
  default:
    return EmulatorProfile::SharedLoads;
  }
}

EmulatorProfile::GlobalKind globalKind(InstructionClass instructionClass) {
  return instructionClass == InstructionClass::Copy
             ? EmulatorProfile::AsyncCopies
         : instructionClass == InstructionClass::Store
             ? EmulatorProfile::GlobalStores
             : EmulatorProfile::GlobalLoads;
}

} // namespace

EmulatorProfile::Wait Profiler::describe(uint32_t instruction,
                                         const WaitCounts &counts) const {
  EmulatorProfile::Wait wait;
  wait.line = program.code[instruction].line;
  wait.opcode = program.opcodes[instruction];
  wait.kind = counts.kind;
  wait.first = counts.first == UINT32_MAX ? 0 : counts.first;
  wait.last = counts.last;
  wait.reached = counts.reached;
  wait.waited = counts.waited;
  wait.steps = counts.steps;
  return wait;
}

std::vector<EmulatorProfile::Role> Profiler::findRoles() const {
  // The instructions at which the warps of each number do something that tells
  // roles apart. A number's are put together over all CTAs first, as some CTAs
  // may have less to do.
  std::vector<EmulatorProfile::Role> roles;
  std::vector<std::map<uint32_t, WaitCounts>> waits;
  std::map<std::vector<bool>, size_t> known;
  for (size_t index = 0; index < warps.size(); ++index) {
    const WarpCounts &counts = warps[index];
    std::vector<bool> signature = counts.marks;
    for (const auto &wait : counts.waits)
      signature[wait.first] = true;
    auto [found, isNew] = known.try_emplace(signature, roles.size());
    if (isNew) {
      roles.emplace_back().warps.resize(ctasPerCluster);
      waits.emplace_back();
    }
    EmulatorProfile::Role &role = roles[found->second];
    role.warps[index / warpsPerCta].push_back(uint32_t(index % warpsPerCta));
    role.warpCount += counts.warps;
    role.instructions += counts.instructions;
    role.matrixFlops += counts.flops;
    for (const auto &[number, wait] : counts.waits)
      waits[found->second][number] += wait;
  }
  for (size_t index = 0; index < roles.size(); ++index)
    for (const auto &[number, wait] : waits[index])
      roles[index].waits.push_back(describe(number, wait));
  return roles;
}

EmulatorProfile Profiler::summarize() const {
  EmulatorProfile profile;
  profile.bytes = bytes;
  for (size_t number = 0; number < instructions.size(); ++number) {
    const InstructionCounts &counts = instructions[number];
    InstructionClass instructionClass = program.code[number].instructionClass;
    uint32_t line = program.code[number].line;
    std::string opcode(program.opcodes[number]);
    profile.banks[sharedKind(instructionClass)] += counts.banks;
    profile.sectors[globalKind(instructionClass)] += counts.sectors;
    if (badness(counts.banks) != 0)
      profile.bankLines.push_back({line, opcode, counts.banks});
    if (badness(counts.sectors) != 0)
      profile.sectorLines.push_back({line, opcode, counts.sectors});
    if (counts.products == 0)
      continue;
    std::string shape = shapeOf(opcode);
    auto same =
        std::find_if(profile.products.begin(), profile.products.end(),
                     [&](const auto &known) { return known.shape == shape; });
    if (same == profile.products.end()) {
      profile.products.push_back({shape, 0, 0});
      same = profile.products.end() - 1;
    }
    same->instructions += counts.products;
    same->flops += counts.flops;
  }
  keepWorst(profile.bankLines);
  keepWorst(profile.sectorLines);
  profile.roles = findRoles();
  return profile;
}

} // namespace emulator
} // namespace pbs::runtime

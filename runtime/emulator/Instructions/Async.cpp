// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asynchronous copies from global to shared memory (PTX ISA, "Data Movement and
// Conversion Instructions: Non-bulk copy").

#include "../AsyncWork.h"
#include "../Checks/Checker.h"
#include "../InstructionTable.h"
#include "../MemoryAccess.h"

#include <cstring>

#define PBS_THIS_FILE "Instructions/Async.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {

/// Operands: destination, source, size, source size or predicate. target is
/// the source's offset; see the decoder.
void copyAsync(Warp &warp, const Instruction &instruction, uint32_t active) {
  unsigned size = instruction.operands[2];
  std::unique_ptr<PendingCopy> copy;
  if (warp.spareCopies.empty()) {
    copy = std::make_unique<PendingCopy>();
  } else {
    copy = std::move(warp.spareCopies.back());
    warp.spareCopies.pop_back();
  }
  copy->lanes = active;
  copy->order = warp.issuedCopies++;
  copy->bytes = uint8_t(size);
  std::memset(copy->sourceBytes, int(size), sizeof(copy->sourceBytes));
  uint32_t fourth = instruction.operands[3];
  if (fourth != noOperand && instruction.vectorLength == 0) {
    // The predicate says that nothing is read.
    uint32_t ignored = warp.predicate(fourth);
    if (instruction.flags & Instruction::SourceNegated)
      ignored = ~ignored;
    for (unsigned lane = 0; lane < warpSize; ++lane)
      if (ignored >> lane & 1)
        copy->sourceBytes[lane] = 0;
  } else if (fourth != noOperand) {
    const uint32_t *sizes = warp.lanes<uint32_t>(fourth);
    for (unsigned lane = 0; lane < warpSize; ++lane) {
      if (!(active >> lane & 1))
        continue;
      if (sizes[lane] > size)
        throw Fault{lane, "reads " + std::to_string(sizes[lane]) +
                              " bytes to write " + std::to_string(size)};
      copy->sourceBytes[lane] = uint8_t(sizes[lane]);
    }
  }

  uint64_t addresses[warpSize];
  LanePointers pointers;
  computeAddresses(warp, instruction.operands[0], instruction.immediate,
                   instruction.flags & Instruction::FirstAddress64, addresses);
  translate(warp, addresses, Space::Shared, active, size, size, Access::Write,
            pointers);
  std::memcpy(copy->destination, pointers.lane, sizeof(pointers.lane));
  computeAddresses(warp, instruction.operands[1],
                   uint64_t(int64_t(int32_t(instruction.target))),
                   instruction.flags & Instruction::SecondAddress64, addresses);
  uint64_t total = 0;
  for (uint32_t rest = active; rest != 0;) {
    // Lanes that read as many bytes are checked together.
    unsigned bytes = copy->sourceBytes[__builtin_ctz(rest)];
    uint32_t group = 0;
    for (unsigned lane = 0; lane < warpSize; ++lane)
      group |= uint32_t((rest >> lane & 1) && copy->sourceBytes[lane] == bytes)
               << lane;
    rest &= ~group;
    if (bytes == 0)
      continue;
    translate(warp, addresses, Space::Global, group, bytes, size, Access::Read,
              pointers);
    for (unsigned lane = 0; lane < warpSize; ++lane)
      if (group >> lane & 1)
        copy->source[lane] = pointers.lane[lane];
    total += uint64_t(bytes) * unsigned(__builtin_popcount(group));
  }
  for (unsigned lane = 0; lane < warpSize; ++lane)
    if (copy->sourceBytes[lane] == 0)
      copy->source[lane] = warp.scratch;
  warp.cta->statistics->asyncCopyBytes += total;
  std::memcpy(copy->group, warp.committedGroups, sizeof(copy->group));
  if (Checker *checker = warp.cta->checker)
    checker->issueCopy(warp, *copy);
  if (warp.cta->launch->asyncCopies == EmulatorOptions::AsyncCopies::Early) {
    moveCopy(*copy, active);
    warp.spareCopies.push_back(std::move(copy));
    return;
  }
  warp.pendingCopies.push_back(std::move(copy));
}

void commitGroup(Warp &warp, const Instruction &, uint32_t active) {
  for (unsigned lane = 0; lane < warpSize; ++lane)
    warp.committedGroups[lane] += active >> lane & 1;
}

/// Moves the data of the active lanes' groups but the last \p allowed ones.
void completeGroups(Warp &warp, uint32_t active, uint32_t allowed) {
  completeCopies(warp, active, [&](const PendingCopy &copy, unsigned lane) {
    return uint64_t(copy.group[lane]) + allowed < warp.committedGroups[lane];
  });
  if (Checker *checker = warp.cta->checker)
    checker->waitCopies(warp, active, allowed);
}

void waitGroup(Warp &warp, const Instruction &instruction, uint32_t active) {
  completeGroups(warp, active, instruction.operands[0]);
}

void waitAll(Warp &warp, const Instruction &instruction, uint32_t active) {
  commitGroup(warp, instruction, active);
  completeGroups(warp, active, 0);
}

} // namespace

Handler selectCopyAsync(const Opcode &opcode, Instruction &instruction) {
  uint32_t size = instruction.operands[2];
  // Both spaces are named, the destination's first.
  if (!(opcode.has("shared") || opcode.has("shared::cta")) ||
      !opcode.has("global"))
    return nullptr;
  if (size != 16 && (opcode.has("cg") || (size != 4 && size != 8)))
    return nullptr;
  // Tells the forms of the fourth operand apart.
  instruction.vectorLength = opcode.registerBits[3] == 1 ? 0 : 1;
  return copyAsync;
}

Handler selectCommitGroup(const Opcode &, Instruction &) { return commitGroup; }
Handler selectWaitGroup(const Opcode &, Instruction &) { return waitGroup; }
Handler selectWaitAll(const Opcode &, Instruction &) { return waitAll; }

PBS_END_TARGET

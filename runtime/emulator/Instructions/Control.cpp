// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control flow and barriers (PTX ISA, "Control Flow Instructions" and
// "Parallel Synchronization and Communication Instructions").

#include "../Checks/Checker.h"
#include "../InstructionTable.h"
#include "../Profiler.h"

#include <cstring>

#define PBS_THIS_FILE "Instructions/Control.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {

unsigned firstLane(uint32_t mask) { return unsigned(__builtin_ctz(mask)); }

void branch(Warp &warp, const Instruction &instruction, uint32_t active) {
  if (active == warp.mask) {
    warp.pc = instruction.target;
    return;
  }
  if (instruction.target == warp.pc)
    return;
  Warp::Branch branches[] = {{active, instruction.target},
                             {warp.mask & ~active, warp.pc}};
  warp.diverge(branches, 2, uint32_t(instruction.immediate));
}

/// brx.idx: operand 0 is the index, target the table's number.
void branchIndexed(Warp &warp, const Instruction &instruction,
                   uint32_t active) {
  const auto &table =
      warp.cta->launch->program->branchTables[instruction.target];
  const uint32_t *index = warp.lanes<uint32_t>(instruction.operands[0]);
  Warp::Branch branches[warpSize + 1];
  unsigned count = 0;
  auto add = [&](uint32_t lanes, uint32_t target) {
    for (unsigned known = 0; known < count; ++known)
      if (branches[known].target == target) {
        branches[known].lanes |= lanes;
        return;
      }
    branches[count++] = {lanes, target};
  };
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    if (index[lane] >= table.size())
      throw Fault{lane, "has index " + std::to_string(index[lane]) + " of " +
                            std::to_string(table.size()) + " targets"};
    add(1u << lane, table[index[lane]]);
  }
  if (warp.mask & ~active)
    add(warp.mask & ~active, warp.pc);
  if (count == 1)
    warp.pc = branches[0].target;
  else
    warp.diverge(branches, count, uint32_t(instruction.immediate));
}

void exitThread(Warp &warp, const Instruction &, uint32_t active) {
  warp.exitLanes(active);
}

void returnFromFunction(Warp &warp, const Instruction &instruction,
                        uint32_t active) {
  // A kernel's return is its exit.
  for (int32_t path = warp.current; path >= 0; path = warp.paths[path].parent)
    if (warp.paths[path].isCall)
      return warp.returnLanes(active);
  warp.exitLanes(active);
}

void trap(Warp &, const Instruction &, uint32_t active) {
  throw Fault{firstLane(active), "was executed"};
}

void transfer(Warp &warp, const CallTransfer &move, uint32_t active) {
  if (!move.isSlot) {
    uint64_t size = warp.cta->launch->kernel->localBytes;
    for (unsigned lane = 0; lane < warpSize; ++lane)
      if (active >> lane & 1)
        std::memmove(warp.local + lane * size + move.destination,
                     warp.local + lane * size + move.source, move.bytes);
    return;
  }
  if (move.bytes == 0) {
    uint32_t value = warp.predicate(move.source);
    warp.setPredicate(move.destination, value, active);
    return;
  }
  const uint8_t *source = warp.lanes<uint8_t>(move.source);
  uint8_t *destination = warp.lanes<uint8_t>(move.destination);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    if (active >> lane & 1)
      std::memcpy(destination + lane * move.bytes, source + lane * move.bytes,
                  move.bytes);
}

void call(Warp &warp, const Instruction &instruction, uint32_t active) {
  const CallSite &site =
      warp.cta->launch->program->callSites[instruction.target];
  for (const CallTransfer &argument : site.arguments)
    transfer(warp, argument, active);
  warp.call(active, site.entry);
}

/// Comes behind every call.
void takeResults(Warp &warp, const Instruction &instruction, uint32_t active) {
  const CallSite &site =
      warp.cta->launch->program->callSites[instruction.target];
  for (const CallTransfer &result : site.results)
    transfer(warp, result, active);
}

// Barriers. immediate holds:
enum BarrierFlag : uint64_t {
  IsAligned = 1,
  IsArrival = 2,
  HasCount = 4,
  IsPopulation = 8,
  IsAnd = 16,
  IsOr = 32,
  // and, from bit 8 on, the position of the barrier's number.
};

uint32_t uniformValue(Warp &warp, uint32_t operand, uint32_t active,
                      const char *what) {
  const uint32_t *values = warp.lanes<uint32_t>(operand);
  unsigned first = firstLane(active);
  for (unsigned lane = 0; lane < warpSize; ++lane)
    if ((active >> lane & 1) && values[lane] != values[first])
      throw Fault{lane,
                  std::string("has ") + what +
                      " that differs between the lanes of a warp",
                  HazardKind::Divergence};
  return values[first];
}

void barrier(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint64_t flags = instruction.immediate;
  unsigned position = unsigned(flags >> 8);
  unsigned lane = firstLane(active);
  uint32_t id = uniformValue(warp, instruction.operands[position], active,
                             "a barrier number");
  if (id >= Cta::barrierCount)
    throw Fault{lane, "names barrier " + std::to_string(id) + ", above 15"};
  if ((flags & IsAligned) && active != warp.live)
    throw Fault{firstLane(warp.live & ~active ? warp.live & ~active : active),
                "is reached by only some threads of the warp",
                HazardKind::Divergence};
  uint32_t count = 0;
  if (flags & HasCount) {
    count = uniformValue(warp, instruction.operands[position + 1], active,
                         "a thread count");
    if (count == 0 || count % warpSize != 0)
      throw Fault{lane, "has thread count " + std::to_string(count) +
                            ", which is no multiple of 32"};
  }
  NamedBarrier &barrier = warp.cta->barriers[id];
  if (barrier.inUse && barrier.expected != count)
    throw Fault{lane,
                "has thread count " + std::to_string(count) +
                    " where another thread waits with " +
                    std::to_string(barrier.expected),
                HazardKind::Divergence};
  barrier.inUse = true;
  barrier.expected = count;
  // With a count, warps arrive as a whole: lanes that have left, too. The last
  // one may be shorter.
  bool isWhole = count && (flags & IsAligned);
  barrier.arrived += isWhole ? warpSize : uint32_t(__builtin_popcount(active));
  if (Checker *checker = warp.cta->checker)
    checker->arriveAtBarrier(warp, id, isWhole ? warp.existing : active);
  uint64_t reductions = flags & (IsPopulation | IsAnd | IsOr);
  if (reductions) {
    uint32_t value = warp.predicate(instruction.operands[2]);
    if (instruction.flags & Instruction::SourceNegated)
      value = ~value;
    barrier.votes += uint32_t(__builtin_popcount(value & active));
  }
  if (!(flags & IsArrival)) {
    // Only the active lanes of a guarded barrier wait.
    if (active != warp.mask)
      throw Fault{lane,
                  "is guarded by a predicate that differs between the "
                  "threads of a warp",
                  HazardKind::Divergence};
    Path &path = warp.block(Path::State::AtBarrier);
    path.waitsFor = id;
    path.reduction = Path::Reduction::None;
    if (reductions) {
      path.reduction = flags & IsPopulation ? Path::Reduction::Population
                       : flags & IsAnd      ? Path::Reduction::And
                                            : Path::Reduction::Or;
      path.resultSlot = instruction.operands[0];
    }
  }
  if (Profiler *profiler = warp.cta->profiler)
    profiler->reachBarrier(warp, id, !(flags & IsArrival));
  warp.resume();
  warp.cta->checkBarriers();
}

void warpBarrier(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t lanes =
      uniformValue(warp, instruction.operands[0], active, "a lane mask");
  if (active & ~lanes)
    throw Fault{firstLane(active & ~lanes), "does not name its own lane",
                HazardKind::Divergence};
  if ((lanes & warp.live & ~active) == 0 || active != warp.mask) {
    if (Checker *checker = warp.cta->checker)
      checker->synchronizeLanes(warp,
                                active | (lanes & warp.existing & ~warp.live));
    return;
  }
  warp.block(Path::State::AtWarpBarrier).waitsFor = lanes;
  warp.checkWarpBarriers();
}

Handler selectBarrierWith(const Opcode &opcode, Instruction &instruction,
                          uint64_t flags, unsigned position,
                          bool alwaysAligned) {
  if (alwaysAligned || opcode.has("aligned"))
    flags |= IsAligned;
  if (instruction.operands[position + 1] != noOperand)
    flags |= HasCount;
  else if (flags & IsArrival)
    return nullptr;
  instruction.immediate = flags | uint64_t(position) << 8;
  return barrier;
}

/// The emulator's memory is always in order.
void fence(Warp &warp, const Instruction &, uint32_t active) {
  if (Checker *checker = warp.cta->checker)
    checker->fence(warp, active);
}

void doNothing(Warp &, const Instruction &, uint32_t) {}

} // namespace

Handler selectBranch(const Opcode &, Instruction &) { return branch; }

Handler selectBranchIndexed(const Opcode &, Instruction &instruction) {
  instruction.vectorLength = 0; // Tells the decoder to keep all targets.
  return branchIndexed;
}

Handler selectExit(const Opcode &, Instruction &) { return exitThread; }

Handler selectReturn(const Opcode &, Instruction &) {
  return returnFromFunction;
}

Handler selectTrap(const Opcode &, Instruction &) { return trap; }

Handler selectCall(const Opcode &, Instruction &) { return call; }

Handler selectCallResults(const Opcode &, Instruction &) { return takeResults; }

Handler selectBarrier(const Opcode &opcode, Instruction &instruction) {
  return selectBarrierWith(opcode, instruction, 0, 0, false);
}

Handler selectAlignedBarrier(const Opcode &opcode, Instruction &instruction) {
  return selectBarrierWith(opcode, instruction, 0, 0, true);
}

Handler selectArrival(const Opcode &opcode, Instruction &instruction) {
  return selectBarrierWith(opcode, instruction, IsArrival, 0, false);
}

Handler selectAlignedArrival(const Opcode &opcode, Instruction &instruction) {
  return selectBarrierWith(opcode, instruction, IsArrival, 0, true);
}

namespace {

/// bar.red d, a, p; a thread count is not supported.
Handler selectBarrierReduction(const Opcode &opcode, Instruction &instruction,
                               uint64_t flags, bool alwaysAligned) {
  if (alwaysAligned || opcode.has("aligned"))
    flags |= IsAligned;
  instruction.immediate = flags | uint64_t(1) << 8;
  return barrier;
}

} // namespace

Handler selectBarrierPopulation(const Opcode &opcode,
                                Instruction &instruction) {
  if (bitWidth(opcode.types[0]) != 32)
    return nullptr;
  return selectBarrierReduction(opcode, instruction, IsPopulation, true);
}

Handler selectBarrierAnd(const Opcode &opcode, Instruction &instruction) {
  return selectBarrierReduction(opcode, instruction, IsAnd, true);
}

Handler selectBarrierOr(const Opcode &opcode, Instruction &instruction) {
  return selectBarrierReduction(opcode, instruction, IsOr, true);
}

Handler selectWarpBarrier(const Opcode &, Instruction &) { return warpBarrier; }

Handler selectFence(const Opcode &, Instruction &) { return fence; }

Handler selectHint(const Opcode &, Instruction &) { return doNothing; }

PBS_END_TARGET

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarrier and cp.async.mbarrier (PTX ISA, "Parallel Synchronization and
// Communication Instructions: mbarrier").

#include "../Mbarrier.h"
#include "../Checks/Checker.h"
#include "../Cluster.h"
#include "../InstructionTable.h"
#include "../MemoryAccess.h"
#include "../Profiler.h"

#define PBS_THIS_FILE "Instructions/Mbarrier.cpp"
#include "../ForEachTarget.h"

PBS_BEGIN_TARGET

namespace {

/// target of arrivals: what they do besides.
enum ArrivalFlag : uint32_t {
  ExpectsBytes = 1,
  MayNotComplete = 2,
  Drops = 4,
  /// cp.async.mbarrier.arrive.noinc.
  KeepsCount = 8,
};

/// function(lane, place) for the mbarrier of each active lane.
template <typename Function>
void forPlaces(Warp &warp, const Instruction &instruction, unsigned operand,
               uint32_t active, Function function) {
  uint64_t addresses[warpSize];
  computeAddresses(warp, instruction.operands[operand], instruction.immediate,
                   instruction.flags & Instruction::FirstAddress64, addresses);
  for (uint32_t rest = active; rest != 0; rest &= rest - 1) {
    unsigned lane = unsigned(__builtin_ctz(rest));
    function(lane, findShared(warp, lane, addresses[lane], instruction.space, 8,
                              8, Access::Update));
  }
}

void initialize(Warp &warp, const Instruction &instruction, uint32_t active) {
  const uint32_t *counts = warp.lanes<uint32_t>(instruction.operands[1]);
  forPlaces(warp, instruction, 0, active,
            [&](unsigned lane, SharedPlace place) {
              initializeMbarrier(place, lane, counts[lane]);
              if (Checker *checker = warp.cta->checker)
                checker->initializeMbarrier(warp, lane, place);
            });
}

void invalidate(Warp &warp, const Instruction &instruction, uint32_t active) {
  forPlaces(warp, instruction, 0, active,
            [&](unsigned lane, SharedPlace place) {
              if (Checker *checker = warp.cta->checker) {
                checker->useMbarrier(warp, lane, place);
                checker->invalidateMbarrier(warp, lane, place);
              }
              invalidateMbarrier(place, lane);
            });
}

/// Operands: state, address, count or bytes.
void arrive(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint64_t *states = warp.lanes<uint64_t>(instruction.operands[0]);
  uint32_t third = instruction.operands[2];
  const uint32_t *values =
      third == noOperand ? nullptr : warp.lanes<uint32_t>(third);
  Arrival arrival;
  arrival.drops = instruction.target & Drops;
  arrival.mayNotComplete = instruction.target & MayNotComplete;
  bool expects = instruction.target & ExpectsBytes;
  // The state may go where the address comes from.
  uint64_t results[warpSize];
  forPlaces(
      warp, instruction, 1, active, [&](unsigned lane, SharedPlace place) {
        if (values)
          (expects ? arrival.expectedBytes : arrival.count) = values[lane];
        if (Checker *checker = warp.cta->checker)
          checker->arriveAtMbarrier(warp, lane, place);
        results[lane] = arriveAt(place, lane, arrival);
      });
  for (unsigned lane = 0; lane < warpSize; ++lane)
    if (active >> lane & 1)
      states[lane] = results[lane];
}

/// mbarrier.expect_tx and complete_tx.
template <bool completes>
void transact(Warp &warp, const Instruction &instruction, uint32_t active) {
  const uint32_t *bytes = warp.lanes<uint32_t>(instruction.operands[1]);
  forPlaces(warp, instruction, 0, active,
            [&](unsigned lane, SharedPlace place) {
              if (Checker *checker = warp.cta->checker)
                checker->useMbarrier(warp, lane, place);
              int64_t count = bytes[lane];
              countTransactions(place, lane, completes ? -count : count);
            });
}

/// Operands: predicate, address, state or parity. Time passes at most until
/// the other warps have had their turns, whatever the hint says.
template <bool hasParity>
void wait(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t passed = 0;
  Path::Poll poll;
  forPlaces(
      warp, instruction, 1, active, [&](unsigned lane, SharedPlace place) {
        bool phase;
        if (hasParity) {
          uint32_t parity = warp.lanes<uint32_t>(instruction.operands[2])[lane];
          if (parity > 1)
            throw Fault{lane,
                        "has parity " + std::to_string(parity) +
                            ", which is neither 0 nor 1",
                        HazardKind::Mbarrier};
          phase = parity;
        } else {
          std::optional<MbarrierState> state = MbarrierState::decode(
              warp.lanes<uint64_t>(instruction.operands[2])[lane]);
          if (!state)
            throw Fault{lane, "has a state that no arrival returned",
                        HazardKind::Mbarrier};
          phase = state->phase;
        }
        if (place.cta != warp.cta)
          throw Fault{lane, "waits at an mbarrier of another CTA",
                      HazardKind::Mbarrier};
        if (Checker *checker = warp.cta->checker)
          checker->useMbarrier(warp, lane, place);
        if (Profiler *profiler = warp.cta->profiler)
          profiler->poll(warp, place, lane, active, phase);
        if (hasCompleted(place, lane, phase)) {
          passed |= 1u << lane;
          if (Checker *checker = warp.cta->checker)
            checker->waited(warp, lane, place);
          return;
        }
        const Cluster &cluster = *warp.cta->cluster;
        poll = {cluster.changes, cluster.round, place.cta,
                place.offset,    phase,         warp.pc - 1};
      });
  warp.setPredicate(instruction.operands[0], passed, active);
  if (passed == active)
    return;
  warp.paths[size_t(warp.current)].poll = poll;
  warp.polled = true;
  warp.runnable = false;
}

void pendingCount(Warp &warp, const Instruction &instruction, uint32_t active) {
  uint32_t *counts = warp.lanes<uint32_t>(instruction.operands[0]);
  const uint64_t *words = warp.lanes<uint64_t>(instruction.operands[1]);
  for (unsigned lane = 0; lane < warpSize; ++lane) {
    if (!(active >> lane & 1))
      continue;
    std::optional<MbarrierState> state = MbarrierState::decode(words[lane]);
    if (!state)
      throw Fault{lane, "has a state that no arrival returned",
                  HazardKind::Mbarrier};
    counts[lane] = state->pending;
  }
}

/// cp.async.mbarrier.arrive: arrives when the thread's copies so far are done.
void arriveAfterCopies(Warp &warp, const Instruction &instruction,
                       uint32_t active) {
  AsyncQueue &queue = warp.cta->cluster->async;
  forPlaces(warp, instruction, 0, active,
            [&](unsigned lane, SharedPlace place) {
              if (Checker *checker = warp.cta->checker)
                checker->useMbarrier(warp, lane, place);
              if (!(instruction.target & KeepsCount))
                addPendingArrival(place, lane);
              std::unique_ptr<AsyncWork> work = queue.make(warp, lane);
              work->kind = AsyncWork::Kind::Arrival;
              work->copiesBefore = warp.issuedCopies;
              work->mbarriers.push_back(place);
              queue.issue(std::move(work));
            });
}

bool isMbarrierSpace(Space space) {
  return space == Space::Generic || space == Space::Shared ||
         space == Space::SharedCluster;
}

bool isMbarrier(const Opcode &opcode) {
  return opcode.types[0] == Type::B64 && isMbarrierSpace(opcode.space);
}

/// For what only the CTA's own mbarriers allow.
bool isOwnMbarrier(const Opcode &opcode) {
  return isMbarrier(opcode) && opcode.space != Space::SharedCluster;
}

Handler selectArrivalWith(const Opcode &opcode, Instruction &instruction,
                          uint32_t flags) {
  if (opcode.has("expect_tx"))
    flags |= ExpectsBytes;
  if (opcode.has("noComplete"))
    flags |= MayNotComplete;
  bool needsValue = flags & (ExpectsBytes | MayNotComplete);
  bool isRemote = opcode.space == Space::SharedCluster;
  // A state comes from the CTA's own mbarriers only.
  bool hasState = opcode.registerBits[0] != 0;
  if (!isMbarrier(opcode) ||
      (needsValue && instruction.operands[2] == noOperand) ||
      (isRemote && (hasState || flags & MayNotComplete)) ||
      (flags & ExpectsBytes && flags & MayNotComplete))
    return nullptr;
  instruction.target = flags;
  return arrive;
}

} // namespace

Handler selectMbarrierInit(const Opcode &opcode, Instruction &) {
  return isOwnMbarrier(opcode) ? initialize : nullptr;
}

Handler selectMbarrierInval(const Opcode &opcode, Instruction &) {
  return isOwnMbarrier(opcode) ? invalidate : nullptr;
}

Handler selectMbarrierArrive(const Opcode &opcode, Instruction &instruction) {
  return selectArrivalWith(opcode, instruction, 0);
}

Handler selectMbarrierArriveDrop(const Opcode &opcode,
                                 Instruction &instruction) {
  return selectArrivalWith(opcode, instruction, Drops);
}

Handler selectMbarrierExpect(const Opcode &opcode, Instruction &) {
  return isMbarrier(opcode) ? transact<false> : nullptr;
}

Handler selectMbarrierComplete(const Opcode &opcode, Instruction &) {
  return isMbarrier(opcode) ? transact<true> : nullptr;
}

Handler selectMbarrierWait(const Opcode &opcode, Instruction &) {
  return isOwnMbarrier(opcode) ? wait<false> : nullptr;
}

Handler selectMbarrierWaitParity(const Opcode &opcode, Instruction &) {
  return isOwnMbarrier(opcode) ? wait<true> : nullptr;
}

Handler selectMbarrierPendingCount(const Opcode &opcode, Instruction &) {
  return opcode.types[0] == Type::B64 ? pendingCount : nullptr;
}

Handler selectCopyArrive(const Opcode &opcode, Instruction &instruction) {
  instruction.target = opcode.has("noinc") ? KeepsCount : 0;
  return isOwnMbarrier(opcode) ? arriveAfterCopies : nullptr;
}

PBS_END_TARGET

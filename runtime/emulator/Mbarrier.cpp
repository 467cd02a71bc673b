// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Mbarrier.h"

#include "Checks/Checker.h"
#include "Cluster.h"
#include "Profiler.h"

#include <cstdio>
#include <cstring>

namespace pbs::runtime::emulator {

namespace {

constexpr int32_t maximumTransactions = (1 << 20) - 1;

// The word: two bits that neither zeros nor ones have, the phase, 20 bits each
// for the counts, 21 for the transactions.
constexpr unsigned phaseBit = 2;
constexpr unsigned pendingBit = 3;
constexpr unsigned expectedBit = 23;
constexpr unsigned transactionsBit = 43;

std::string name(SharedPlace place) {
  char text[48];
  std::snprintf(text, sizeof(text), "the mbarrier at 0x%x", place.offset);
  return text;
}

MbarrierState read(SharedPlace place, unsigned lane) {
  const std::vector<bool> &known = place.cta->mbarriers;
  if (known.empty() || !known[place.offset / 8]) {
    char text[64];
    std::snprintf(text, sizeof(text), "finds no initialized mbarrier at 0x%x",
                  place.offset);
    throw Fault{lane, text, HazardKind::Mbarrier};
  }
  uint64_t word;
  std::memcpy(&word, place.host(), sizeof(word));
  std::optional<MbarrierState> state = MbarrierState::decode(word);
  if (!state)
    throw Fault{lane, "finds " + name(place) + " overwritten",
                HazardKind::Mbarrier};
  return *state;
}

void write(SharedPlace place, const MbarrierState &state) {
  uint64_t word = state.encode();
  std::memcpy(place.host(), &word, sizeof(word));
}

/// Goes on to the next phase where nothing is missing.
void advance(SharedPlace place, MbarrierState &state) {
  bool completes = state.pending == 0 && state.transactions == 0;
  if (Profiler *profiler = place.cta->profiler)
    profiler->arrive(place, state.phase, completes);
  if (completes) {
    state.phase = !state.phase;
    state.pending = state.expected;
    ++place.cta->cluster->changes;
    ++place.cta->cluster->phases;
    if (Checker *checker = place.cta->checker)
      checker->completePhase(place);
  }
  write(place, state);
}

void checkCount(unsigned lane, uint32_t count) {
  if (count == 0 || count > MbarrierState::maximumCount)
    throw Fault{lane,
                "has count " + std::to_string(count) +
                    ", which is outside 1 to 1048575",
                HazardKind::Mbarrier};
}

void addTransactions(SharedPlace place, unsigned lane, MbarrierState &state,
                     int64_t bytes) {
  int64_t sum = state.transactions + bytes;
  if (sum > maximumTransactions || sum < -maximumTransactions)
    throw Fault{lane,
                "makes the tx-count of " + name(place) + " " +
                    std::to_string(sum) +
                    ", which is outside -1048575 to 1048575",
                HazardKind::Mbarrier};
  state.transactions = int32_t(sum);
}

} // namespace

uint64_t MbarrierState::encode() const {
  return 2 | uint64_t(phase) << phaseBit | uint64_t(pending) << pendingBit |
         uint64_t(expected) << expectedBit |
         uint64_t(int64_t(transactions)) << transactionsBit;
}

std::optional<MbarrierState> MbarrierState::decode(uint64_t word) {
  if ((word & 3) != 2)
    return std::nullopt;
  MbarrierState state;
  state.phase = word >> phaseBit & 1;
  state.pending = word >> pendingBit & maximumCount;
  state.expected = word >> expectedBit & maximumCount;
  state.transactions = int32_t(int64_t(word) >> transactionsBit);
  return state;
}

void initializeMbarrier(SharedPlace place, unsigned lane, uint32_t count) {
  checkCount(lane, count);
  std::vector<bool> &known = place.cta->mbarriers;
  if (known.empty())
    known.resize(place.cta->sharedBytes / 8 + 1);
  if (known[place.offset / 8])
    throw Fault{lane,
                "initializes " + name(place) + " again without mbarrier.inval",
                HazardKind::Mbarrier};
  known[place.offset / 8] = true;
  MbarrierState state;
  state.pending = state.expected = count;
  write(place, state);
  ++place.cta->cluster->changes;
}

void invalidateMbarrier(SharedPlace place, unsigned lane) {
  read(place, lane);
  place.cta->mbarriers[place.offset / 8] = false;
  std::memset(place.host(), 0xFF, sizeof(uint64_t));
  ++place.cta->cluster->changes;
}

uint64_t arriveAt(SharedPlace place, unsigned lane, const Arrival &arrival) {
  checkCount(lane, arrival.count);
  MbarrierState state = read(place, lane);
  uint64_t before = state.encode();
  addTransactions(place, lane, state, arrival.expectedBytes);
  if (arrival.count > state.pending)
    throw Fault{lane,
                "makes " + std::to_string(arrival.count) + " arrivals at " +
                    name(place) + ", of whose phase " +
                    std::to_string(state.phase) + " only " +
                    std::to_string(state.pending) + " are pending",
                HazardKind::Mbarrier};
  state.pending -= arrival.count;
  if (arrival.mayNotComplete && state.pending == 0)
    throw Fault{lane,
                "completes the phase of " + name(place) +
                    ", which .noComplete excludes",
                HazardKind::Mbarrier};
  if (arrival.drops) {
    if (arrival.count > state.expected)
      throw Fault{lane,
                  "drops " + std::to_string(arrival.count) + " of the " +
                      std::to_string(state.expected) + " arrivals that " +
                      name(place) + " expects",
                  HazardKind::Mbarrier};
    state.expected -= arrival.count;
  }
  advance(place, state);
  return before;
}

void countTransactions(SharedPlace place, unsigned lane, int64_t bytes) {
  MbarrierState state = read(place, lane);
  addTransactions(place, lane, state, bytes);
  if (bytes < 0)
    advance(place, state);
  else
    write(place, state);
}

void addPendingArrival(SharedPlace place, unsigned lane) {
  MbarrierState state = read(place, lane);
  if (state.pending == MbarrierState::maximumCount)
    throw Fault{lane,
                "makes more than 1048575 arrivals pending at " + name(place),
                HazardKind::Mbarrier};
  ++state.pending;
  write(place, state);
}

bool hasCompleted(SharedPlace place, unsigned lane, bool phase) {
  return read(place, lane).phase != phase;
}

} // namespace pbs::runtime::emulator

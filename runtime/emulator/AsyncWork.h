// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Work that a thread issues and that is done later: bulk and tensor copies,
// asynchronous stores and reductions, and arrivals that wait for cp.async. A
// cluster has one queue of it. docs/emulator.md says when what is done.

#ifndef PBS_EMULATOR_ASYNCWORK_H
#define PBS_EMULATOR_ASYNCWORK_H

#include "Reduction.h"
#include "SharedPlace.h"
#include "TensorBox.h"

namespace pbs::runtime::emulator {

/// splitmix64: the choices of one cluster.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t operator()() {
    state += 0x9E3779B97F4A7C15;
    uint64_t value = state;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return value ^ value >> 31;
  }
  /// Below \p bound.
  uint64_t below(uint64_t bound) { return (*this)() % bound; }

private:
  uint64_t state;
};

/// One piece of work: its bytes are read, written, and then its completion is
/// reported.
struct AsyncWork {
  enum class Kind : uint8_t {
    /// From global to shared memory.
    Load,
    /// From shared to global memory.
    Store,
    /// From shared memory, or from registers, to shared memory.
    Exchange,
    /// An arrival once the thread's earlier cp.async are done.
    Arrival,
  };
  Kind kind = Kind::Load;

  /// The lane that issued it, with which instruction.
  Warp *warp = nullptr;
  unsigned lane = 0;
  uint32_t instruction = 0;

  uint64_t bytes = 0;
  /// For the profiler.
  uint64_t doneAt = 0;
  /// Where a Load or Store of plain bytes reads or writes.
  uint8_t *global = nullptr;
  /// Of tensor copies instead.
  std::optional<TensorBox> box;
  /// What a Store or Exchange reads; an Exchange from registers has no CTA
  /// here and its data from the start.
  SharedPlace source;
  /// What a Load or Exchange writes: one place for each CTA of a multicast.
  std::vector<SharedPlace> destinations;
  Reduction reduction = Reduction::None;
  Type type = Type::None;

  /// Takes `bytes` from the tx-count of these, one for each destination; or,
  /// without any, belongs to a bulk group of its thread.
  std::vector<SharedPlace> mbarriers;
  uint32_t group = 0;
  /// Of an Arrival: which copies it waits for, by PendingCopy::order.
  uint32_t copiesBefore = 0;

  /// The bytes between reading and writing.
  std::vector<uint8_t> data;
  bool isRead = false;
};

class AsyncQueue {
public:
  /// A piece of work of \p lane, which executes an instruction of \p warp, to
  /// fill in.
  std::unique_ptr<AsyncWork> make(Warp &warp, unsigned lane);
  /// Takes \p work over; done at once where the launch wants it early.
  void issue(std::unique_ptr<AsyncWork> work);

  bool empty() const { return pending.empty(); }

  /// Finishes the bulk groups of the \p lanes of \p warp but the last
  /// \p allowed ones, or only reads what they read. Throws Fault, as all below.
  void completeGroups(const Warp &warp, uint32_t lanes, uint32_t allowed,
                      bool readOnly);
  /// There is work that reports to one of \p mbarriers.
  bool isNeeded(const std::vector<SharedPlace> &mbarriers) const {
    return findNeeded(mbarriers) != pending.size();
  }
  /// Finishes the oldest work that reports to one of \p mbarriers, or else the
  /// oldest of all. There must be some.
  void completeNeeded(const std::vector<SharedPlace> &mbarriers);
  /// Finishes some of the work in some order.
  void completeSome(Random &random);
  void completeAll();

private:
  void complete(size_t index);
  /// The oldest work that reports to one of \p mbarriers.
  size_t findNeeded(const std::vector<SharedPlace> &mbarriers) const;

  /// In the order of issue.
  std::vector<std::unique_ptr<AsyncWork>> pending;
  std::vector<std::unique_ptr<AsyncWork>> spare;
};

/// Moves the data of the \p lanes of a cp.async.
void moveCopy(const PendingCopy &copy, uint32_t lanes);

/// Moves the data of the cp.async of \p warp that isDue(copy, lane) of, and
/// forgets them.
template <typename Predicate>
void completeCopies(Warp &warp, uint32_t lanes, Predicate isDue) {
  size_t kept = 0;
  for (std::unique_ptr<PendingCopy> &copy : warp.pendingCopies) {
    uint32_t due = 0;
    for (unsigned lane = 0; lane < warpSize; ++lane)
      due |= uint32_t(isDue(*copy, lane)) << lane;
    due &= lanes & copy->lanes;
    moveCopy(*copy, due);
    copy->lanes &= ~due;
    if (copy->lanes == 0)
      warp.spareCopies.push_back(std::move(copy));
    else
      warp.pendingCopies[kept++].swap(copy);
  }
  warp.pendingCopies.resize(kept);
}

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_ASYNCWORK_H

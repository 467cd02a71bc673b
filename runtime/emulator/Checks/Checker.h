// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds hazards while a cluster runs (EmulatorOptions::checks): accesses
// without order between them, whatever order they happened to be made in.
// docs/emulator.md, "Hazards", says by which rules.
//
// The algorithm is FastTrack (C. Flanagan and S. Freund, "FastTrack: Efficient
// and Precise Dynamic Race Detection", PLDI 2009). Every thread has a vector
// clock, its Knowledge; every word of memory has the Records of the accesses
// that later ones have to come after, as epochs: the time of one actor. Each
// access is compared with the records of its words and leaves its own. What
// differs from threads on a CPU:
//
//   - The lanes of a warp are threads of their own, but mostly do and know the
//     same. Lanes share one Knowledge until it differs, have one time, and the
//     same access by several of them is one Record.
//   - Two proxies. A generic write is visible to the async proxy only beyond a
//     fence.proxy.async, so there is a second vector clock of what has passed
//     such a fence (PTX ISA, "Async proxy").
//   - Asynchronous work has an end that somebody has to wait for. Its accesses
//     belong to an actor of their own, which is whatever tells of that end: an
//     mbarrier, the thread's groups of copies, or the warpgroup. A wait raises
//     the time of that actor. When the emulator moves the bytes is irrelevant.
//   - Relaxed accesses and fences order as "Release and Acquire Patterns" of
//     the PTX ISA's "Memory Consistency Model" say, with scopes.
//
// The machine calls the Checker at every access to shared and global memory and
// at everything that orders accesses; null pointers to it mean no checks.

#ifndef PBS_EMULATOR_CHECKS_CHECKER_H
#define PBS_EMULATOR_CHECKS_CHECKER_H

#include "../AsyncWork.h"
#include "AccessChecks.h"
#include "RegisterChecks.h"

namespace pbs::runtime::emulator {

class Checker {
public:
  Checker(const LaunchState &launch, Cluster &cluster);

  /// Before the cluster runs, and after it has run to its end.
  void start(uint64_t clusterNumber);
  void finish();
  const HazardLog &hazards() const { return reporter.hazards(); }

  // Accesses; CheckFlags.cpp for what strong ones order.

  /// A load, store or atomic, before it happens.
  void access(Warp &warp, const Instruction &instruction, uint32_t active,
              const LanePointers &pointers, unsigned bytes, Access access);
  /// After an instruction that has read flags in global memory.
  bool hasObservation() const { return observation.warp; }
  void observe();
  /// After a store: lanes that stored different values at the same place.
  void stored(Warp &warp, uint32_t active, const LanePointers &pointers,
              unsigned bytes, unsigned element, const uint8_t *values,
              unsigned valueStride);

  // Order between threads; CheckOrder.cpp.

  void arriveAtBarrier(Warp &warp, unsigned barrier, uint32_t lanes);
  /// The barrier's waiting threads go on: first this, then one call of
  /// leaveBarrier for each path of them. Where it is for all threads of the
  /// CTA, those that have left count as arrived.
  void completeBarrier(const Cta &cta, unsigned barrier, bool isForAll);
  void leaveBarrier(Warp &warp, uint32_t lanes);
  void synchronizeLanes(Warp &warp, uint32_t lanes);
  void fence(Warp &warp, uint32_t lanes);
  void arriveAtCluster(Warp &warp, uint32_t lanes);
  void completeClusterBarrier();
  void leaveClusterBarrier(Warp &warp, uint32_t lanes);

  // mbarriers; CheckMbarrier.cpp.

  void initializeMbarrier(Warp &warp, unsigned lane, SharedPlace place);
  void invalidateMbarrier(Warp &warp, unsigned lane, SharedPlace place);
  /// Any other use by a thread.
  void useMbarrier(Warp &warp, unsigned lane, SharedPlace place);
  void arriveAtMbarrier(Warp &warp, unsigned lane, SharedPlace place);
  void completePhase(SharedPlace place);
  /// The lane's wait has passed.
  void waited(Warp &warp, unsigned lane, SharedPlace place);

  // Asynchronous work; CheckAsync.cpp.

  void issueCopy(Warp &warp, const PendingCopy &copy);
  /// cp.async.wait_group.
  void waitCopies(Warp &warp, uint32_t lanes, uint32_t allowed);
  void issue(const AsyncWork &work);
  /// Its bytes have moved; before its mbarriers are told.
  void finish(const AsyncWork &work);
  /// cp.async.bulk.wait_group.
  void waitGroups(Warp &warp, uint32_t lanes, uint32_t allowed, bool readOnly);

  // Products of warpgroups; CheckProducts.cpp.

  /// \p a and \p b are matrix descriptors; A may be in registers instead.
  void issueProduct(Warp &warp, const Instruction &instruction, uint64_t a,
                    uint64_t b);
  /// The warp's wait has passed.
  void waitProducts(Warp &warp);
  RegisterChecks &registerChecks() { return registers; }

private:
  /// An mbarrier, also when it is invalid again.
  struct Mbarrier {
    bool isValid = false;
    /// Of completed phases, and of the loads that report here.
    Actor phaseActor = 0;
    Actor loadActor = 0;
    Time phases = 0;
    /// What arrived in the present phase.
    Release arrivals;
    KnowledgeReference completed;

    // The thread that has initialised it, and when the fence was that tells the
    // async proxy; 0 for none.
    Actor initializer = 0;
    Time initialized = 0;
    Time fenced = 0;
    uint32_t instruction = 0;

    /// Of each thread that has used it since then.
    struct Use {
      Time time = 0;
      uint32_t instruction = 0;
    };
    std::vector<Use> uses;

    /// Loads that have been issued, and those of them that have no end yet.
    /// They have their ends phase by phase, so one that is issued after an
    /// unfinished one is not done for who sees a phase end.
    Time loads = 0;
    std::vector<std::pair<Time, const AsyncWork *>> unfinished;
    /// The phases in which the last load had its end, and that somebody has
    /// waited for.
    Time lastLoad = 0;
    Time waited = 0;
    // A thread that issued one.
    Warp *loader = nullptr;
    unsigned loaderLane = 0;
    uint32_t loadInstruction = 0;
  };

  /// The bulk copies from shared memory of a thread.
  struct Stores {
    const Warp *warp = nullptr;
    unsigned lane = 0;
    /// Of their reads and of their writes, whose time counts the stores.
    Actor readActor = 0;
    Actor writeActor = 0;
    struct Store {
      Time time = 0;
      uint32_t group = 0;
      uint32_t instruction = 0;
    };
    Time issued = 0;
    /// Up to which they have been waited for, at least for their reads.
    Time read = 0;
    /// Those that have not been waited for altogether.
    std::vector<Store> pending;
  };

  using Barriers = std::array<Release, Cta::barrierCount>;

  WarpChecks &of(const Warp &warp) {
    return warps[size_t(warp.cta->rank) * warpsPerCta + warp.index];
  }
  static uint32_t instructionOf(const Warp &warp) { return warp.pc - 1; }
  uint8_t orderOf(const Warp &warp) const {
    return launch.program->orders[instructionOf(warp)];
  }
  /// Lanes that have exited.
  static uint32_t leftLanes(const Warp &warp) {
    return warp.existing & ~warp.live;
  }
  /// Later accesses of the warp are told apart from earlier ones.
  void tick(WarpChecks &checks) { ++checks.time; }

  void passFlags(Warp &warp, uint32_t active, const LanePointers &pointers,
                 Access access, uint8_t order);
  void passSharedFlag(Warp &warp, unsigned lane, uint8_t *host, Access access,
                      uint8_t order);
  void publish(Warp &warp, unsigned lane, const uint8_t *host, uint8_t order);
  KnowledgeReference knownFrom(const ClusterTimes *times) const;
  /// What the lane's strong write gives to who reads it in any CTA, or in its
  /// own.
  KnowledgeReference givenBy(Warp &warp, unsigned lane, uint8_t order,
                             bool isWide = true);
  /// What the lane's strong read gets: \p narrow from its own CTA and \p wide
  /// from any.
  void take(Warp &warp, unsigned lane, const KnowledgeReference &narrow,
            const KnowledgeReference &wide, uint8_t order);
  void fenceProxies(WarpChecks &checks, uint32_t lanes, bool isShared,
                    bool isGlobal);

  Mbarrier *findMbarrier(SharedPlace place);
  void checkMbarrierOfCopy(const AsyncWork &work, const Mbarrier &mbarrier);
  Actor warpgroupOf(const Warp &warp) const;
  Stores &storesOf(const Warp &warp, unsigned lane);

  const LaunchState &launch;
  Cluster &cluster;
  uint64_t clusterNumber = 0;
  unsigned warpsPerCta = 0;
  /// After those of the threads and their cp.async.
  Actor firstWarpgroup = 0;
  Actor nextActor = 0;
  std::vector<WarpChecks> warps;
  HazardReporter reporter;
  AccessChecks accesses;
  RegisterChecks registers;

  std::vector<Barriers> barriers;
  KnowledgeReference barrierCompleted;
  Release clusterArrivals;
  KnowledgeReference clusterCompleted;
  std::map<std::pair<const Cta *, uint32_t>, Mbarrier> mbarriers;
  std::vector<Stores> stores;
  /// Of each warpgroup's last products, by their number.
  static constexpr size_t keptProducts = 32;
  std::vector<std::array<CollectedWrites, keptProducts>> collected;
  std::unordered_map<const uint8_t *, KnowledgeReference> sharedFlags;
  /// Flags in global memory that the present instruction reads.
  struct {
    Warp *warp = nullptr;
    uint32_t lanes = 0;
    uint8_t order = 0;
    std::array<const uint8_t *, warpSize> hosts = {};
  } observation;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_CHECKER_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds hazards while a cluster runs (EmulatorOptions::checks): accesses
// without order between them, whatever order they happened to be made in.
// docs/emulator.md, "Hazards", says by which rules.
//
// The machine calls it at every access to shared and global memory and at
// everything that orders accesses; null pointers to it mean no checks.

#ifndef PBS_EMULATOR_CHECKS_CHECKER_H
#define PBS_EMULATOR_CHECKS_CHECKER_H

#include "../AsyncWork.h"
#include "../MemoryAccess.h"
#include "HazardLog.h"
#include "RegisterChecks.h"
#include "Shadow.h"

namespace pbs::runtime::emulator {

class MatrixDescriptor;

/// What the checker knows of a warp.
struct WarpChecks {
  /// In the cluster; actor of lane 0.
  Actor first = 0;
  /// Of each lane.
  std::array<KnowledgeReference, warpSize> known;
  /// Of the next accesses; rises whenever a lane gives its knowledge away.
  Time time = 1;
  /// Own accesses up to this time have passed a proxy fence.
  std::array<Time, warpSize> fencedShared = {};
  std::array<Time, warpSize> fencedGlobal = {};

  /// What relaxed writes give away and relaxed reads got, which fences make
  /// count (PTX ISA, "Release and Acquire Patterns").
  struct Flags {
    std::array<KnowledgeReference, warpSize> atFence;
    std::array<Time, warpSize> fenceTime = {};
    std::array<KnowledgeReference, warpSize> observed;
  };
  /// By scope: among the threads of the CTA, and beyond.
  std::unique_ptr<Flags> ctaFlags, wideFlags;

  /// A cp.async that not all lanes have waited for.
  struct Copy {
    uint32_t lanes = 0;
    uint32_t number = 0;
    /// As in PendingCopy.
    uint32_t order = 0;
    uint32_t instruction = 0;
    uint8_t bytes = 0;
    std::array<uint32_t, warpSize> group = {};
    std::array<uint8_t *, warpSize> destination = {};
    std::array<uint8_t *, warpSize> source = {};
    std::array<uint8_t, warpSize> sourceBytes = {};
  };
  std::vector<Copy> copies;

  /// The last join at an mbarrier.
  struct {
    KnowledgeReference before, with, after;
  } joined;

  /// Products that a wait has passed.
  uint64_t waitedProducts = 0;
  RegisterState registers;
  /// By setmaxnreg, and which; 0 before.
  uint32_t registerCount = 0;
  uint32_t registerInstruction = 0;
};

/// Gathers what several threads give away.
class Release {
public:
  void add(const WarpChecks &warp, uint32_t lanes);
  void add(const KnowledgeReference &known);
  KnowledgeReference take();
  bool empty() const { return !gathered; }
  const KnowledgeReference &peek() const { return gathered; }

private:
  KnowledgeReference gathered;
  /// Which was added last, as it often comes again.
  KnowledgeReference last;
};

class Checker {
public:
  Checker(const LaunchState &launch, Cluster &cluster);

  /// Before the cluster runs, and after it has run to its end.
  void start(uint64_t clusterNumber);
  void finish();
  const HazardLog &hazards() const { return log; }

  // Accesses; CheckAccess.cpp.

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
  /// leaveBarrier for each path of them.
  void completeBarrier(const Cta &cta, unsigned barrier);
  void leaveBarrier(Warp &warp, uint32_t lanes);
  void synchronizeLanes(Warp &warp, uint32_t lanes);
  void fence(Warp &warp, uint32_t lanes);
  void arriveAtCluster(Warp &warp, uint32_t lanes);
  void completeClusterBarrier();
  void leaveClusterBarrier(Warp &warp, uint32_t lanes);

  // mbarriers; CheckMbarrier.cpp.

  void initializeMbarrier(Warp &warp, unsigned lane, SharedPlace place);
  void invalidateMbarrier(SharedPlace place);
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
  void issue(AsyncWork &work);
  /// Its bytes have moved; before its mbarriers are told.
  void finish(AsyncWork &work);
  /// cp.async.bulk.wait_group.
  void waitGroups(Warp &warp, uint32_t lanes, uint32_t allowed, bool readOnly);

  // Products of warpgroups; CheckProducts.cpp.

  /// \p a and \p b are matrix descriptors; A may be in registers instead.
  void issueProduct(Warp &warp, const Instruction &instruction, uint64_t a,
                    uint64_t b);
  /// The warp's wait has passed.
  void waitProducts(Warp &warp);
  void fenceProducts(Warp &warp);
  /// Of an instruction that names registers which a product uses, before it is
  /// executed.
  void useRegisters(Warp &warp, uint32_t instruction, uint32_t active);
  void setRegisterCount(Warp &warp, uint32_t count);

private:
  /// Who makes an access.
  struct Accessor {
    Warp *warp = nullptr;
    WarpChecks *checks = nullptr;
    /// Lanes that make it together; the first one is named in messages.
    uint32_t lanes = 0;
    const Knowledge *known = nullptr;
    uint32_t instruction = 0;
    bool isAsync = false;
    /// Record::Flag of strong accesses.
    uint8_t strength = 0;

    unsigned lane() const { return unsigned(__builtin_ctz(lanes)); }
  };

  /// Where bytes are: words of shared memory, or of a locked page of global
  /// memory.
  class Finder;

  /// The writes that a warpgroup's product finds in B, which each of its four
  /// warps has to come after; the first of them collects them.
  struct CollectedWrites {
    static constexpr size_t maximum = 64;
    struct Write {
      Record record;
      const uint8_t *host;
    };
    /// The product, counted from 1.
    uint64_t product = 0;
    std::vector<Write> writes;
    /// Too many, or words with several writes.
    bool isIncomplete = false;

    void add(const Record &record, const uint8_t *host);
  };

  /// The last write that an access has been compared with: neighbouring words
  /// mostly have the same.
  struct SeenWrite {
    Record write;
    CollectedWrites *collected = nullptr;
    bool is(const Record &other) const {
      return write.time == other.time && write.actor == other.actor &&
             write.lanes == other.lanes && write.flags == other.flags &&
             write.bytes == other.bytes && write.cluster == other.cluster;
    }
  };

  /// An mbarrier.
  struct Mbarrier {
    Actor actor = 0;
    /// Completed phases.
    Time phases = 0;
    Release arrivals;
    KnowledgeReference completed;
    // The thread that has initialised it.
    Actor initializer = 0;
    Time initialized = 0;
    uint32_t instruction = 0;
    /// The async proxy sees that it has been initialised.
    bool isFenced = false;
    /// Loads that report here: unfinished ones, and the phase of the last
    /// finished one.
    unsigned unfinishedLoads = 0;
    Time lastLoad = 0;
    // A thread that issued one.
    Warp *loader = nullptr;
    unsigned loaderLane = 0;
    uint32_t loadInstruction = 0;
  };

  /// A bulk copy from shared memory, until its thread has waited for it.
  struct Store {
    Warp *warp = nullptr;
    unsigned lane = 0;
    uint32_t instruction = 0;
    uint32_t number = 0;
    uint32_t group = 0;
    SharedPlace source;
    uint64_t bytes = 0;
    uint8_t *global = nullptr;
    std::optional<TensorBox> box;
    bool isRead = false;
  };

  struct CtaShadow {
    std::vector<Word> words;
    RecordPool more;
    std::array<Release, Cta::barrierCount> barriers;
  };

  WarpChecks &of(const Warp &warp) {
    return warps[size_t(warp.cta->rank) * warpsPerCta + warp.index];
  }
  uint32_t instructionOf(const Warp &warp) const { return warp.pc - 1; }
  Accessor accessor(Warp &warp, unsigned lane);
  /// Of what all lanes do together.
  Accessor collective(Warp &warp);
  /// Later accesses of the warp are told apart from earlier ones.
  void tick(WarpChecks &checks) { ++checks.time; }

  bool comesBefore(const Record &record, const Accessor &accessor,
                   bool isShared) const;
  bool isAllowed(const Record &record, const Accessor &accessor) const;
  /// Reports what of the word conflicts with an access to \p bytes of it.
  void check(const Word &word, RecordPool &more, uint8_t bytes,
             const Accessor &accessor, bool writes, const uint8_t *host,
             const Cta *shared);
  void checkRecord(const Record &record, const Accessor &accessor, bool writes,
                   uint8_t bytes, const uint8_t *host, const Cta *shared);
  void readWord(Finder &finder, uint8_t mask, const Accessor &accessor,
                const Record &record, const uint8_t *host, SeenWrite &seen);
  void addRead(Word &word, RecordPool &more, const Record &record,
               const Accessor &accessor, bool isShared);
  void addWrite(Word &word, RecordPool &more, const Record &record);
  Record recordOf(const Accessor &accessor, uint8_t bytes, uint8_t flags) const;
  void passFlags(Warp &warp, uint32_t active, const LanePointers &pointers,
                 Access access, uint8_t order);
  void passSharedFlag(Warp &warp, unsigned lane, uint8_t *host, Access access,
                      uint8_t order);
  void publish(Warp &warp, unsigned lane, const uint8_t *host, uint8_t order);
  KnowledgeReference givenBy(Warp &warp, unsigned lane, uint8_t order,
                             bool isWide = true);
  /// \p wide is what comes from any CTA, \p all what a read of CTA scope gets
  /// as well.
  void take(Warp &warp, unsigned lane, const KnowledgeReference &wide,
            const KnowledgeReference &all, uint8_t order);

  /// function(Word &, RecordPool &, byte mask, host address) for \p bytes
  /// bytes at \p host; \p shared is their CTA, null in global memory.
  template <typename Function>
  void forWords(uint8_t *host, uint64_t bytes, Cta *shared, Function function);
  /// An access of the async proxy, or of cp.async, to a run of bytes.
  void accessRun(const Accessor &accessor, uint8_t *host, uint64_t bytes,
                 Cta *shared, const Record &record);
  /// Ends the flight of work \p number: its records become \p ended.
  void endFlight(uint8_t *host, uint64_t bytes, Cta *shared, uint32_t number,
                 uint32_t lanes, const Record &ended);
  /// The same for what a lane's cp.async writes and reads.
  void endCopy(Warp &warp, WarpChecks::Copy &copy, unsigned lane,
               const Record &ended);
  template <typename Function>
  void forSharedRuns(SharedPlace place, uint64_t bytes,
                     const std::optional<TensorBox> &box, Function function);
  template <typename Function>
  void forGlobalRuns(const std::optional<TensorBox> &box, uint8_t *global,
                     uint64_t bytes, Function function);
  void checkMbarrierOfCopy(AsyncWork &work, Mbarrier &mbarrier);
  void readMatrix(const Accessor &accessor, const MatrixDescriptor &matrix,
                  unsigned firstRow, unsigned rows, unsigned firstChunk,
                  unsigned chunks, const Record &record,
                  CollectedWrites *collected = nullptr);
  Mbarrier *findMbarrier(SharedPlace place);

  // Messages; CheckReport.cpp.
  void report(HazardKind kind, const Warp &warp, unsigned lane,
              uint32_t instruction, uint32_t other, const std::string &what);
  void reportConflict(const Record &record, const Accessor &accessor,
                      bool writes, uint8_t bytes, const uint8_t *host,
                      const Cta *shared);
  void reportUnwritten(const Accessor &accessor, const uint8_t *host,
                       const Cta *shared);
  std::string threadName(uint64_t cluster, Actor thread) const;
  std::string placeName(const uint8_t *host, const Cta *shared) const;
  std::string lineOf(uint32_t instruction) const;

  const LaunchState &launch;
  Cluster &cluster;
  uint64_t clusterNumber = 0;
  unsigned warpsPerCta = 0;
  /// The first one that is no thread.
  Actor firstWarpgroup = 0;
  Actor nextMbarrier = 0;
  uint32_t nextWork = 1;
  std::vector<WarpChecks> warps;
  std::vector<CtaShadow> shadows;
  std::map<std::pair<const Cta *, uint32_t>, Mbarrier> mbarriers;
  std::vector<Store> stores;
  /// Of each warpgroup's last products, by their number.
  static constexpr size_t keptProducts = 32;
  std::vector<std::array<CollectedWrites, keptProducts>> collected;
  Release clusterArrivals;
  KnowledgeReference clusterCompleted;
  KnowledgeReference barrierCompleted;
  std::unordered_map<const uint8_t *, KnowledgeReference> sharedFlags;
  /// Flags in global memory that the present instruction reads.
  struct {
    Warp *warp = nullptr;
    uint32_t lanes = 0;
    uint8_t order = 0;
    std::array<const uint8_t *, warpSize> hosts = {};
  } observation;
  HazardLog log;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_CHECKER_H

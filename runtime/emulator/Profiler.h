// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collects an EmulatorProfile. Each host thread has a profiler of its own, so
// that nothing is shared while clusters run; what they collected is added up.
//
// For the waits every warp has a time, in steps: one for each instruction that
// it executes, and those that it waits. Warps run side by side and do not slow
// each other. Times follow from what waits for what only, not from the order in
// which the emulator executes the warps.

#ifndef PBS_EMULATOR_PROFILER_H
#define PBS_EMULATOR_PROFILER_H

#include "AccessModel.h"
#include "AsyncWork.h"
#include "MemoryAccess.h"

#include <map>
#include <unordered_map>

namespace pbs::runtime::emulator {

class Profiler {
public:
  explicit Profiler(const LaunchState &launch);

  /// Adds what another profiler of the same launch has collected.
  void merge(const Profiler &other);
  EmulatorProfile summarize() const;

  void beginCluster();
  void endCluster(const Cluster &cluster);
  /// \p warp executes instructions from now on.
  void beginTurn(const Warp &warp) { running = &warp; }

  // Counts, by the instruction that a warp executes.

  void countAccess(const Warp &warp, const uint64_t (&addresses)[warpSize],
                   const LanePointers &pointers, uint32_t lanes, unsigned bytes,
                   Access access);
  /// cp.async; \p sources are addresses in global memory.
  void countCopy(const Warp &warp, const PendingCopy &copy,
                 const uint64_t (&sources)[warpSize]);
  /// mma.
  void countProduct(const Warp &warp, uint64_t flops);
  /// wgmma: a warp's share, before it becomes the next of the issued ones.
  void countGroupProduct(const Warp &warp, uint64_t flops,
                         uint64_t operandBytes);
  /// Counts work that is issued, and says when it will be done.
  void issue(AsyncWork &work);

  // Waits.

  /// While one exists, what happens is done by \p work and not by a warp.
  class Completion {
  public:
    explicit Completion(const AsyncWork &work);
    ~Completion();
    Completion(const Completion &) = delete;
    Completion &operator=(const Completion &) = delete;

  private:
    Profiler *profiler;
  };

  void reachBarrier(const Warp &warp, uint32_t barrier, bool waits);
  void releaseBarrier(const Cta &cta, uint32_t barrier);
  void arriveAtCluster(const Warp &warp);
  void reachClusterBarrier(const Warp &warp, bool isBlocked);
  void releaseCluster(const Cluster &cluster);
  /// At an mbarrier, which \p completes its phase of parity \p phase.
  void arrive(SharedPlace mbarrier, bool phase, bool completes);
  /// A test of the phase of parity \p phase, by \p lane of \p lanes.
  void poll(const Warp &warp, SharedPlace mbarrier, unsigned lane,
            uint32_t lanes, bool phase);
  void waitForProducts(const Warp &warp, bool isBlocked);
  void releaseProducts(const Warp &warp);
  /// Groups of the thread but the last \p allowed ones.
  void waitForCopies(const Warp &warp, uint32_t lanes, uint32_t allowed);
  void waitForBulkCopies(const Warp &warp, uint32_t lanes, uint32_t allowed,
                         bool readOnly);

private:
  using WaitKind = EmulatorProfile::WaitKind;

  struct InstructionCounts {
    BankCounts banks;
    SectorCounts sectors;
    uint64_t products = 0;
    uint64_t flops = 0;
  };

  struct WaitCounts {
    WaitKind kind = WaitKind::Barrier;
    uint32_t first = UINT32_MAX;
    uint32_t last = 0;
    uint64_t reached = 0;
    uint64_t waited = 0;
    uint64_t steps = 0;

    WaitCounts &operator+=(const WaitCounts &other);
  };

  /// Of the warps with one number, over all clusters.
  struct WarpCounts {
    uint64_t warps = 0;
    uint64_t instructions = 0;
    uint64_t flops = 0;
    /// Instructions that copy or multiply.
    std::vector<bool> marks;
    /// By instruction.
    std::map<uint32_t, WaitCounts> waits;
  };

  /// A wait that has begun.
  struct PendingWait {
    WaitKind kind;
    uint32_t key;
    uint32_t instruction;
    uint64_t since;
  };

  /// Of a warp of the running cluster.
  struct WarpTime {
    /// To be added to the instructions that it has executed.
    int64_t offset = 0;
    /// When its copies have been read and its share of products is computed.
    uint64_t copiesRead = 0;
    uint64_t productsDone = 0;
    /// The same of copies by group, for cp.async and bulk copies.
    std::vector<uint64_t> copyGroups;
    std::vector<uint64_t> bulkGroups;
    uint64_t copiesArrived = 0;
    std::vector<PendingWait> pending;
  };

  struct MbarrierTimes {
    uint64_t lastArrival = 0;
    /// By parity of the phase.
    uint64_t completed[2] = {};
  };

  /// Of a CTA of the running cluster.
  struct CtaTimes {
    std::array<uint64_t, Cta::barrierCount> barriers = {};
    std::unordered_map<uint32_t, MbarrierTimes> mbarriers;
    /// For each warpgroup, when its products are done.
    std::vector<std::vector<uint64_t>> products;
  };

  size_t slot(const Warp &warp) const;
  InstructionCounts &countsOf(const Warp &warp);
  /// The warp copies or multiplies.
  void mark(const Warp &warp);
  uint64_t &pathBytes(BytePath path) { return bytes[size_t(path)]; }

  uint64_t timeOf(const Warp &warp) const;
  uint64_t now() const;
  /// When \p bytes that \p warp begins to copy have been read.
  uint64_t readAfter(const Warp &warp, uint64_t bytes);
  void begin(const Warp &warp, WaitKind kind, uint32_t key);
  /// Ends the waits of \p warp of a kind, which were for \p time.
  void end(const Warp &warp, WaitKind kind, uint32_t key, uint64_t time);

  std::vector<EmulatorProfile::Role> findRoles() const;
  EmulatorProfile::Wait describe(uint32_t instruction,
                                 const WaitCounts &counts) const;

  const Program &program;
  uint32_t warpsPerCta;
  uint32_t ctasPerCluster;

  std::vector<InstructionCounts> instructions;
  std::vector<WarpCounts> warps;
  std::array<uint64_t, bytePathCount> bytes = {};

  std::vector<WarpTime> times;
  std::vector<CtaTimes> ctas;
  uint64_t clusterArrived = 0;
  uint64_t clusterCompleted = 0;
  const Warp *running = nullptr;
  const AsyncWork *completing = nullptr;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_PROFILER_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The state of a running CTA: warps of 32 lanes and the paths into which
// divergence splits them.

#ifndef PBS_EMULATOR_WARP_H
#define PBS_EMULATOR_WARP_H

#include "GlobalMemory.h"
#include "Program.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace pbs::runtime::emulator {

inline constexpr unsigned warpSize = 32;
inline constexpr uint32_t fullMask = UINT32_MAX;

class Checker;
class GlobalShadow;
struct Cluster;
struct Cta;
class Profiler;

/// Thrown by handlers: \p lane did something illegal at the instruction that
/// is being executed. The machine makes an Error of it.
struct Fault {
  unsigned lane;
  std::string message;
  /// Of what --checks reports; others are plain errors.
  std::optional<HazardKind> kind = std::nullopt;
  /// Of asynchronous work: who issued it, and with which instruction.
  const Warp *issuer = nullptr;
  uint32_t instruction = 0;
};

/// Lanes of a warp that share a program counter. Divergence makes children of
/// a path, which waits at the reconvergence point until they have got there.
struct Path {
  enum class State : uint8_t {
    /// This entry is not in use.
    Free,
    Runnable,
    /// Waits for its children.
    Parent,
    /// Waits at a barrier of the CTA.
    AtBarrier,
    /// Waits at bar.warp.sync for other lanes of its warp.
    AtWarpBarrier,
    /// Waits at barrier.cluster.wait.
    AtClusterBarrier,
    /// Waits at wgmma.wait_group for the other warps of its warpgroup.
    AtWarpgroup,
  };

  State state = State::Free;
  uint32_t pc = 0;
  uint32_t mask = 0;
  /// Where this path ends and its parent goes on.
  uint32_t reconverge = noInstruction;
  int32_t parent = -1;
  uint32_t children = 0;
  /// Begun by a call: ends when all its lanes have returned.
  bool isCall = false;

  /// Of a waiting path: the barrier's number, or the lanes it waits for.
  uint32_t waitsFor = 0;
  /// Of bar.red: where the result goes, and which it is.
  uint32_t resultSlot = noOperand;
  enum class Reduction : uint8_t { None, Population, And, Or };
  Reduction reduction = Reduction::None;

  /// The last wait at an mbarrier that did not pass.
  struct Poll {
    /// Cluster::changes at that time; 0 where there was none.
    uint64_t changes = 0;
    /// Cluster::round.
    uint64_t round = 0;
    Cta *cta = nullptr;
    uint32_t offset = 0;
    uint32_t phase = 0;
    uint32_t instruction = 0;
  };
  Poll poll;
};

/// cp.async copies that were issued and not yet waited for; one instruction of
/// one warp.
struct PendingCopy {
  uint32_t lanes = 0;
  uint8_t bytes = 0;
  /// Counts the warp's copies.
  uint32_t order = 0;
  /// Per lane: the group it belongs to, counting the thread's commits.
  uint32_t group[warpSize];
  uint8_t *destination[warpSize];
  const uint8_t *source[warpSize];
  /// Bytes from the source; the rest is zero.
  uint8_t sourceBytes[warpSize];
};

/// A wgmma.mma_async that was issued and that nobody waited for yet: one warp's
/// share of it.
struct PendingProduct {
  const Instruction *instruction = nullptr;
  /// Matrix descriptors; 0 for a matrix in registers.
  uint64_t a = 0;
  uint64_t b = 0;
  /// scale-d.
  bool accumulates = false;
  /// The registers have the result already.
  bool isDone = false;
};

/// The products of a warp, numbered as they are issued. All warps of a
/// warpgroup issue the same ones.
struct ProductQueue {
  std::vector<PendingProduct> pending;
  uint64_t issued = 0;
  /// Per group that nobody waited for: how many products were issued before
  /// its commit.
  std::vector<uint64_t> groups;
  /// Products that a wait of this warp has asked for.
  uint64_t demanded = 0;
  bool isWaiting = false;
};

struct Warp {
  /// Registers of the warp and constants of the program; see Instruction.
  uint8_t *bases[2] = {};
  uint32_t pc = 0;
  uint32_t mask = 0;
  uint32_t reconverge = noInstruction;
  /// False when every path waits or has ended.
  bool runnable = false;
  /// Lanes that have not exited.
  uint32_t live = 0;
  /// Lanes that exist: fewer than 32 in the last warp of some CTAs.
  uint32_t existing = 0;
  uint32_t index = 0;
  int32_t current = -1;
  std::vector<Path> paths;
  Cta *cta = nullptr;
  uint64_t clock = 0;
  /// Lanes whose carry flag (CC.CF) is set.
  uint32_t carry = 0;

  /// Thread-local memory of lane 0; the others follow.
  uint8_t *local = nullptr;
  /// Allocations that instructions hit last, by low bits of their number.
  static constexpr unsigned cachedAllocations = 16;
  const Allocation *allocationCache[cachedAllocations] = {};
  /// Where lanes that do nothing may read and write.
  alignas(64) uint8_t scratch[64] = {};

  std::vector<std::unique_ptr<PendingCopy>> pendingCopies;
  std::vector<std::unique_ptr<PendingCopy>> spareCopies;
  uint32_t committedGroups[warpSize] = {};
  uint32_t issuedCopies = 0;
  /// Groups of bulk copies that each thread has committed.
  uint32_t committedBulkGroups[warpSize] = {};

  /// A wait at an mbarrier did not pass: the turn is over.
  bool polled = false;
  /// Lanes that have arrived at the cluster's barrier in its current phase,
  /// and those that have to wait there before they arrive again.
  uint32_t clusterArrived = 0;
  uint32_t clusterWaits = 0;
  ProductQueue products;

  /// The 32 lanes of an operand's slot.
  template <typename Lane> Lane *lanes(uint32_t operand) const {
    return reinterpret_cast<Lane *>(bases[operand & 1] + (operand & ~1u));
  }
  /// A predicate's lane mask.
  uint32_t &predicate(uint32_t operand) const {
    return *reinterpret_cast<uint32_t *>(bases[operand & 1] + (operand & ~1u));
  }

  /// Sets a predicate of the lanes in \p lanes to their bits of \p value.
  void setPredicate(uint32_t operand, uint32_t value, uint32_t lanes) const {
    uint32_t &mask = predicate(operand);
    mask = (mask & ~lanes) | (value & lanes);
  }

  /// Starts the warp at \p entry with the lanes in \p lanes.
  void start(uint32_t entry, uint32_t lanes);
  /// Lanes of the current path and where they go.
  struct Branch {
    uint32_t lanes;
    uint32_t target;
  };
  /// Splits the current path into \p branches, which have different targets
  /// and together all its lanes; they meet again at \p meeting.
  void diverge(const Branch *branches, unsigned count, uint32_t meeting);
  /// Ends the current path at its reconvergence point.
  void finishPath();
  /// The lanes in \p lanes end.
  void exitLanes(uint32_t lanes);
  /// The lanes in \p lanes go on at \p entry until they return.
  void call(uint32_t lanes, uint32_t entry);
  void returnLanes(uint32_t lanes);
  /// The current path waits; the caller says what for in the result and then
  /// has the barriers checked.
  Path &block(Path::State state);
  /// Releases the paths whose bar.warp.sync is complete, and resumes.
  void checkWarpBarriers();
  /// Goes on with the youngest runnable path, if there is one and none runs.
  void resume();
  /// Lets another runnable path of the warp go on.
  void rotate();

private:
  int32_t newPath(const Path &path);
  void savePath();
  void loadPath(int32_t path);
  void releasePath(int32_t path);
};

/// A hardware barrier of a CTA.
struct NamedBarrier {
  /// Threads that have arrived and how many complete it; 0 for all of the CTA.
  uint32_t arrived = 0;
  uint32_t expected = 0;
  bool inUse = false;
  /// Votes of bar.red: threads with a true predicate.
  uint32_t votes = 0;
};

/// What the CTAs of a launch share.
struct LaunchState {
  const Program *program = nullptr;
  const Kernel *kernel = nullptr;
  LaunchConfiguration configuration;
  std::vector<uint8_t> parameters;
  GlobalMemory *memory = nullptr;
  uint32_t multiprocessors = 1;
  EmulatorOptions::AsyncCopies asyncCopies = EmulatorOptions::AsyncCopies::Late;
  std::optional<uint64_t> seed;
  uint64_t gridId = 0;
  /// Instructions that the warps of a cluster may execute.
  uint64_t maxSteps = 0;
  /// Whether the launch shall end; null where nobody can ask for it.
  const std::atomic<bool> *isStopped = nullptr;
  /// Of the checks; null without.
  GlobalShadow *shadow = nullptr;
  /// What the host threads' profilers are added to; null without a profile.
  Profiler *profiler = nullptr;
};

struct Cta {
  static constexpr unsigned barrierCount = 16;

  const LaunchState *launch = nullptr;
  std::array<uint32_t, 3> id = {};
  uint32_t threads = 0;
  uint8_t *shared = nullptr;
  uint64_t sharedBytes = 0;
  std::vector<Warp> warps;
  std::array<NamedBarrier, barrierCount> barriers = {};
  LaunchStatistics *statistics = nullptr;
  /// Null without checks.
  Checker *checker = nullptr;
  /// Null unless the launch is profiled.
  Profiler *profiler = nullptr;
  Cluster *cluster = nullptr;
  /// In the cluster.
  uint32_t rank = 0;
  /// A bit per 8 bytes of shared memory: an mbarrier is there. Empty until the
  /// first one is initialised.
  std::vector<bool> mbarriers;

  uint32_t liveThreads() const;
  /// Releases the waiting paths of every barrier that is complete.
  void checkBarriers();
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_WARP_H

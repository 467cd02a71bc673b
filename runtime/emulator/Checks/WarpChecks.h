// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the checker knows of the threads of a warp.

#ifndef PBS_EMULATOR_CHECKS_WARPCHECKS_H
#define PBS_EMULATOR_CHECKS_WARPCHECKS_H

#include "../Warp.h"
#include "Knowledge.h"

namespace pbs::runtime::emulator {

/// The cp.async of a warp. They are accesses of 32 further actors, one for each
/// lane, whose time is PendingCopy::order plus one.
struct WarpCopies {
  /// The actor of lane 0.
  Actor first = 0;
  /// Of each lane: up to which time it has waited for its copies, and up to
  /// which that has passed a proxy fence of shared memory.
  std::array<Time, warpSize> done = {};
  std::array<Time, warpSize> fenced = {};

  struct Copy {
    Time time = 0;
    uint32_t lanes = 0;
    std::array<uint32_t, warpSize> group = {};
  };
  /// Those that not all lanes have waited for.
  std::vector<Copy> pending;
};

/// The warp's own side of what orders accesses.
struct WarpChecks {
  /// In the cluster; actor of lane 0.
  Actor first = 0;
  /// Of each lane. What a lane has done itself is not in there.
  std::array<KnowledgeReference, warpSize> known;
  /// Of the next accesses; rises whenever a lane gives its knowledge away.
  Time time = 1;
  /// Own accesses up to this time have passed a proxy fence.
  std::array<Time, warpSize> fencedShared = {};
  std::array<Time, warpSize> fencedGlobal = {};
  WarpCopies copies;

  /// What relaxed writes give away and relaxed reads got, which fences make
  /// count (PTX ISA, "Release and Acquire Patterns").
  struct Flags {
    /// All that the lane gives away, as of its last fence.
    std::array<KnowledgeReference, warpSize> atFence;
    std::array<KnowledgeReference, warpSize> observed;
  };
  /// By scope: among the threads of the CTA, and beyond.
  std::unique_ptr<Flags> ctaFlags, wideFlags;

  /// The last join at an mbarrier.
  struct {
    KnowledgeReference before, with, after;
  } joined;
};

/// Gathers what several threads give away.
class Release {
public:
  /// All that the \p lanes know, and what they have done themselves.
  void add(const WarpChecks &warp, uint32_t lanes);
  void add(const KnowledgeReference &known);
  /// Accesses of \p actor up to \p time.
  void add(Actor actor, Time time) {
    gathered.edit().generic.raise(actor, time);
  }
  KnowledgeReference take();

private:
  KnowledgeReference gathered;
  /// Which was added last, as it often comes again.
  KnowledgeReference last;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_WARPCHECKS_H

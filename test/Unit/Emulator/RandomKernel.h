// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of random accesses and random synchronisation, with what a
// HazardOracle has to know of them. They are made as one sequence of steps of
// all warps in which nothing waits for a later step, so that no schedule ends
// in a deadlock. Each step is one line of PTX.

#ifndef PBS_TEST_RANDOMKERNEL_H
#define PBS_TEST_RANDOMKERNEL_H

#include "HazardOracle.h"

#include <map>
#include <random>
#include <string>

namespace pbs::runtime::test {

class RandomKernel {
public:
  struct Shape {
    unsigned warps = 2;
    unsigned ctas = 1;
    /// CTAs of a cluster: 1 or all.
    unsigned cluster = 1;
  };
  /// Which kinds of steps there are.
  enum Feature : unsigned {
    /// Acquire, release and fences.
    Flags = 1,
    /// Atomics on data; never together with Flags, since what they carry then
    /// depends on their order.
    Atomics = 2,
    Copies = 4,
    BulkCopies = 8,
    Mbarriers = 16,
    Exits = 32,
  };

  RandomKernel(std::mt19937_64 &random, const Shape &shape, unsigned features,
               unsigned steps);

  /// A kernel "kernel" of two pointers: to `globalBytes` bytes of zeros, and to
  /// a word for each observation.
  std::string ptx() const;
  static constexpr unsigned globalBytes = 512;
  size_t observations() const { return observed.size(); }

  /// The pairs of lines of ptx() with a race, given what was observed.
  std::set<std::pair<unsigned, unsigned>>
  races(const std::vector<uint32_t> &values);

private:
  using Node = HazardOracle::Node;
  static constexpr Node none = UINT32_MAX;
  static constexpr unsigned lanes = 32;
  // Shared memory.
  static constexpr unsigned flagOffset = 256, mbarrierOffset = 384;
  static constexpr unsigned flagCount = 16, mbarrierCount = 24;

  struct Copy {
    Node end = none, readEnd = none;
    unsigned group = 0;
  };
  struct Thread {
    Node last = none;
    /// The last fence of threads.
    Node fence = none;
    /// What relaxed reads have got, for the next fence.
    std::vector<Node> got;
    /// Observations of relaxed reads, likewise.
    std::vector<size_t> read;
    std::vector<Copy> copies, stores;
    unsigned copyGroups = 0, storeGroups = 0;
    /// It waits for what it has issued before it ends.
    bool isBusy = false;
  };
  struct Warp {
    std::vector<unsigned> steps;
    uint32_t live = UINT32_MAX;
    bool hasArrived = false;
  };
  struct Mbarrier {
    unsigned cta = 0;
    unsigned arrivals = 0;
    Node phase = none;
    unsigned completed = 0;
    /// Who waits for the present phase, if there is one wait only.
    unsigned waits = 0, warp = 0;
    uint32_t waiting = 0;
    /// Copies report to it.
    bool needsWait = false;
    bool isOpen() const { return waits == 0 && completed == 0; }
  };
  /// A flag's value, and what it gives.
  struct Written {
    Node source = none;
    /// The atomic's observation: it continues what was there before.
    size_t before = 0;
  };
  /// What a read of a flag may have seen, and what comes after that.
  struct Observation {
    Node acquires = none;
  };
  /// A flag that is raised once.
  struct Signal {
    std::string place;
    std::string space;
    uint32_t value = 0;
    Node source = none;
    unsigned cta = 0;
    bool isShared = false;
  };

  unsigned below(unsigned bound) { return unsigned(random() % bound); }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <typename T> T oneOf(std::initializer_list<T> values) {
    return *(values.begin() + below(unsigned(values.size())));
  }
  Thread &thread(unsigned warp, unsigned lane) {
    return threads[warp * lanes + lane];
  }
  unsigned ctaOf(unsigned warp) const { return warp / shape.warps; }
  bool isCluster() const { return shape.cluster > 1; }
  template <typename Function>
  static void forLanes(uint32_t mask, Function function) {
    for (unsigned lane = 0; lane < lanes; ++lane)
      if (mask >> lane & 1)
        function(lane);
  }

  /// A step of \p warp; each "@" in \p text becomes a guard for \p mask.
  void emit(unsigned warp, uint32_t mask, const std::string &text);
  /// A step that repeats \p text until it sets %p1.
  void emitLoop(unsigned warp, uint32_t mask, const std::string &text);
  std::string prologue() const;
  Node step(unsigned warp, unsigned lane);
  unsigned anyWarp();
  uint32_t anyLanes(unsigned warp, bool one = false);
  void gives(unsigned warp, unsigned lane, bool isRelease, Node to);
  void gets(unsigned warp, unsigned lane, bool isAcquire, Node from, Node at);

  void addAccess();
  void addBarrier();
  void addNamedBarrier();
  void addWarpBarrier();
  void addClusterArrival();
  void addClusterWait(unsigned warp);
  void addArrival();
  void addWait();
  void waitFor(unsigned number, unsigned warp, uint32_t mask);
  void addNextPhase();
  void addFence();
  void addProxyFence();
  void addSignal();
  void addSpin();
  void addExchange();
  void addLoad();
  void addStore();
  void addStoreWait(bool isLast);
  void addCopy();
  void addCopyWait();
  void addCopyArrival();
  void addExit();
  Mbarrier *openMbarrier(unsigned cta, unsigned &number);
  std::string mbarrierAt(unsigned warp, unsigned number) const;
  std::string scope(bool isWide) const;

  std::mt19937_64 &random;
  Shape shape;
  unsigned features;
  // How dense accesses are.
  unsigned accessPercent = 0, writePercent = 0, dataBytes = 0;
  HazardOracle oracle;
  std::vector<std::string> texts;
  std::vector<Warp> warps;
  std::vector<Thread> threads;
  std::vector<Mbarrier> mbarriers;
  std::vector<Signal> signals;
  unsigned named = 0;
  unsigned flags = 0;
  Node clusterPhase = none;
  std::vector<Observation> observed;
  std::map<uint32_t, Written> written;
  uint32_t nextValue = 1;
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_RANDOMKERNEL_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Machine.h"

#include "Checks/Checker.h"
#include "Cluster.h"
#include "Profiler.h"
#include "WarpPlaces.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/HostMemory.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>

namespace pbs::runtime::emulator {

namespace {

/// Instructions a warp may run before the next one gets its turn, so that a
/// warp that polls memory does not keep out the one it waits for.
constexpr unsigned longestTurn = 1 << 16;

/// Rounds in which every thread waits at an mbarrier and nothing changes until
/// that is a deadlock: a thread may give up waiting after a while.
constexpr unsigned deadlockRounds = 1 << 14;

/// Rounds in which somebody waits at an mbarrier for a phase, none ends, and no
/// work is pending, until that is a deadlock although threads go on: they may
/// meet at barriers between their polls.
constexpr unsigned hopelessRounds = 1 << 20;

/// Rounds in which somebody waits at an mbarrier for work, while others go on,
/// until that work is done: they may go on for ever, for instance when one
/// thread polls for all and they meet at a barrier in between.
constexpr unsigned patience = 64;

/// One host thread's cluster, with memory that is reused from cluster to
/// cluster. Without clusters each CTA is one.
class ClusterRunner {
public:
  ClusterRunner(const LaunchState &launch, LaunchStatistics &statistics,
                Profiler *profiler);

  /// Runs cluster number \p index; throws Error.
  void run(uint64_t index);

  /// The run has failed since it came to no end.
  bool hasNoEnd() const { return isEndless; }

  /// Null without checks.
  const HazardLog *hazards() const {
    return checker ? &checker->hazards() : nullptr;
  }

private:
  /// The memory of a CTA.
  struct Memory {
    std::vector<Program::ConstantLine> registers;
    std::vector<uint8_t> local;
    std::vector<Program::ConstantLine> shared;
  };

  void layOut(Cta &cta, Memory &memory);
  void start(Cta &cta, Memory &memory);
  /// Every warp's turn; false if none can go on.
  bool runRound();
  void takeTurn(Warp &warp);
  /// For \p left instructions at most.
  template <bool isChecked> void runWarp(Warp &warp, unsigned left);
  void startWork();
  void settle();
  /// Every path that is not blocked waits at an mbarrier, and nothing has
  /// changed since.
  bool everybodyPolls() const;
  /// Where paths wait in vain since round \p since.
  std::vector<SharedPlace> polledMbarriers(uint64_t since) const;
  void fillSpecials(Warp &warp);
  [[noreturn]] void fail(const Warp &warp, const Fault &fault) const;
  [[noreturn]] void failDeadlock() const;
  [[noreturn]] void failEndless();
  std::string where(const Warp &warp, uint32_t line, unsigned lane) const;

  const LaunchState &launch;
  const Kernel &kernel;
  const Instruction *code;
  Cluster cluster;
  std::vector<Cta> ctas;
  std::vector<Memory> memories;
  /// All warps, in the order of their turns.
  std::vector<Warp *> order;
  std::optional<Random> random;
  std::unique_ptr<Checker> checker;
  /// Instructions of a turn.
  unsigned turn = longestTurn;
  /// Instructions that the cluster's warps have executed.
  uint64_t steps = 0;
  bool isEndless = false;

  // Of the last round: whether a turn ended at an mbarrier, and all did.
  bool somePolled = false;
  bool allPolled = false;
  unsigned idleRounds = 0;
  unsigned busyRounds = 0;
  unsigned roundsWithoutPhase = 0;
  uint64_t lastPhases = 0;
  uint64_t idleSince = 0;
};

ClusterRunner::ClusterRunner(const LaunchState &launch,
                             LaunchStatistics &statistics, Profiler *profiler)
    : launch(launch), kernel(*launch.kernel),
      code(launch.program->code.data()) {
  const auto &extents = launch.configuration.cluster;
  ctas.resize(size_t(extents[0]) * extents[1] * extents[2]);
  memories.resize(ctas.size());
  for (size_t rank = 0; rank < ctas.size(); ++rank) {
    Cta &cta = ctas[rank];
    cta.launch = &launch;
    cta.statistics = &statistics;
    cta.profiler = profiler;
    cta.cluster = &cluster;
    cta.rank = uint32_t(rank);
    cluster.ctas.push_back(&cta);
    layOut(cta, memories[rank]);
  }
  if (!launch.shadow)
    return;
  checker = std::make_unique<Checker>(launch, cluster);
  for (Cta &cta : ctas)
    cta.checker = checker.get();
}

uint32_t threadsOf(const LaunchConfiguration &configuration) {
  return configuration.block[0] * configuration.block[1] *
         configuration.block[2];
}

uint64_t sharedBytesOf(const LaunchState &launch) {
  uint64_t dynamic = launch.configuration.dynamicSharedBytes;
  return dynamic == 0 ? launch.kernel->staticSharedBytes
                      : launch.kernel->dynamicSharedOffset + dynamic;
}

/// What layOut() allocates.
uint64_t ctaBytes(const LaunchState &launch) {
  uint64_t warps = (threadsOf(launch.configuration) + warpSize - 1) / warpSize;
  return sharedBytesOf(launch) + warps * (launch.kernel->registerBytes +
                                          warpSize * launch.kernel->localBytes);
}

void ClusterRunner::layOut(Cta &cta, Memory &memory) {
  auto &[registers, local, shared] = memory;
  cta.threads = threadsOf(launch.configuration);
  unsigned warps = (cta.threads + warpSize - 1) / warpSize;
  cta.sharedBytes = sharedBytesOf(launch);
  shared.resize(cta.sharedBytes / sizeof(Program::ConstantLine) + 17);
  // As aligned as any declaration may ask for.
  auto address = reinterpret_cast<uintptr_t>(shared.data());
  cta.shared = reinterpret_cast<uint8_t *>((address + 1023) / 1024 * 1024);
  registers.resize(size_t(warps) * kernel.registerBytes /
                   sizeof(Program::ConstantLine));
  local.resize(size_t(warps) * warpSize * kernel.localBytes);
  cta.warps.resize(warps);
  for (unsigned index = 0; index < warps; ++index) {
    Warp &warp = cta.warps[index];
    warp.cta = &cta;
    warp.index = index;
    warp.bases[0] = reinterpret_cast<uint8_t *>(registers.data()) +
                    size_t(index) * kernel.registerBytes;
    warp.bases[1] = reinterpret_cast<uint8_t *>(
        const_cast<Program::ConstantLine *>(launch.program->constants.data()));
    warp.local = local.data() + size_t(index) * warpSize * kernel.localBytes;
    order.push_back(&warp);
  }
}

void ClusterRunner::fillSpecials(Warp &warp) {
  for (const SpecialSlot &slot : kernel.specials) {
    uint32_t *values = warp.lanes<uint32_t>(slot.slot);
    for (unsigned lane = 0; lane < warpSize; ++lane)
      values[lane] = specialValue(slot.special, warp, lane);
  }
}

std::string ClusterRunner::where(const Warp &warp, uint32_t line,
                                 unsigned lane) const {
  const auto &block = launch.configuration.block;
  uint32_t thread = warp.index * warpSize + lane;
  return launch.program->name + ":" + std::to_string(line) + ": kernel '" +
         kernel.name + "': CTA " + triple(warp.cta->id) + " thread " +
         triple({thread % block[0], thread / block[0] % block[1],
                 thread / block[0] / block[1]}) +
         ": ";
}

void ClusterRunner::fail(const Warp &warp, const Fault &fault) const {
  const Warp &issuer = fault.issuer ? *fault.issuer : warp;
  uint32_t number = fault.issuer ? fault.instruction : warp.pc - 1;
  std::string prefix;
  if (fault.kind)
    prefix = "hazard: " + std::string(hazardKindName(*fault.kind)) + ": ";
  throw Error(prefix + where(issuer, code[number].line, fault.lane) +
              std::string(launch.program->opcodes[number]) + " " +
              fault.message);
}

void ClusterRunner::failDeadlock() const {
  WarpPlaces places = placesOfWaiting(cluster);
  if (!places.warp)
    throw Error("hazard: deadlock: " +
                where(ctas.front().warps.front(), code[kernel.entry].line, 0) +
                "no thread can go on");
  throw Error("hazard: deadlock: " +
              where(*places.warp, places.line, places.lane) + places.text);
}

void ClusterRunner::failEndless() {
  isEndless = true;
  WarpPlaces places = placesOfAll(cluster);
  throw Error(where(*places.warp, places.line, places.lane) + "no end within " +
              std::to_string(launch.maxSteps) + " steps: " + places.text);
}

template <bool isChecked>
void ClusterRunner::runWarp(Warp &warp, unsigned left) {
  auto &counts = warp.cta->statistics->laneInstructions;
  for (; left != 0 && warp.runnable; --left) {
    if (warp.pc == warp.reconverge) {
      warp.finishPath();
      continue;
    }
    const Instruction &instruction = code[warp.pc++];
    uint32_t active = warp.mask;
    if (instruction.guard != noOperand) {
      uint32_t guard = warp.predicate(instruction.guard);
      active &= instruction.flags & Instruction::GuardNegated ? ~guard : guard;
      if (active == 0)
        continue;
    }
    counts[unsigned(instruction.instructionClass)] +=
        unsigned(__builtin_popcount(active));
    ++warp.clock;
    if (isChecked && instruction.flags & Instruction::UsesProductRegisters)
      checker->registerChecks().use(warp, warp.pc - 1, active);
    instruction.handler(warp, instruction, active);
    if (isChecked && checker->hasObservation())
      checker->observe();
  }
  if (left == 0)
    warp.rotate();
}

void ClusterRunner::start(Cta &cta, Memory &memory) {
  // What nobody wrote reads as NaN and as an invalid index.
  std::memset(cta.shared, 0xFF, cta.sharedBytes);
  std::fill(memory.local.begin(), memory.local.end(), uint8_t(0xFF));
  cta.barriers = {};
  cta.mbarriers.clear();
  for (Warp &warp : cta.warps) {
    unsigned lanes = std::min(warpSize, cta.threads - warp.index * warpSize);
    std::memset(warp.bases[0], 0xFF, kernel.registerBytes);
    fillSpecials(warp);
    warp.clock = 0;
    warp.pendingCopies.clear();
    std::fill_n(warp.committedGroups, warpSize, 0);
    std::fill_n(warp.committedBulkGroups, warpSize, 0);
    warp.issuedCopies = 0;
    warp.polled = false;
    warp.clusterArrived = warp.clusterWaits = 0;
    warp.products = ProductQueue();
    std::fill_n(warp.allocationCache, Warp::cachedAllocations, nullptr);
    warp.start(kernel.entry, lanes == 32 ? fullMask : (1u << lanes) - 1);
  }
}

void ClusterRunner::takeTurn(Warp &warp) {
  if (launch.isStopped && *launch.isStopped)
    throw Error(launch.program->name + ": kernel '" + kernel.name +
                    "': stopped on request",
                ErrorKind::Stopped);
  if (steps == launch.maxSteps)
    failEndless();
  Cta &cta = *warp.cta;
  uint64_t before = warp.clock;
  if (cta.profiler)
    cta.profiler->beginTurn(warp);
  auto left = unsigned(std::min<uint64_t>(turn, launch.maxSteps - steps));
  try {
    if (checker)
      runWarp<true>(warp, left);
    else
      runWarp<false>(warp, left);
  } catch (const Fault &fault) {
    cta.statistics->warpInstructions += warp.clock - before;
    fail(warp, fault);
  }
  uint64_t executed = warp.clock - before;
  cta.statistics->warpInstructions += executed;
  steps += executed;
  // Fewer threads may complete a barrier.
  if (warp.live != warp.existing) {
    cta.checkBarriers();
    cluster.checkBarrier();
  }
  if (!warp.polled) {
    ++cluster.changes;
    allPolled = false;
    return;
  }
  somePolled = true;
  warp.polled = false;
  warp.runnable = true;
  warp.rotate();
}

bool ClusterRunner::runRound() {
  somePolled = false;
  allPolled = true;
  ++cluster.round;
  bool progress = false;
  for (Warp *warp : order) {
    if (!warp->runnable)
      continue;
    progress = true;
    takeTurn(*warp);
  }
  return progress;
}

/// With a seed, before every round: chooses what is done and who runs when.
void ClusterRunner::startWork() {
  for (size_t count = order.size(); count > 1; --count)
    std::swap(order[count - 1], order[random->below(count)]);
  // Short turns hide that everybody waits, if that is so.
  turn = idleRounds > 2 ? longestTurn : 1u << (4 + random->below(13));
  for (Warp *warp : order)
    if (!warp->pendingCopies.empty() && random->below(4) == 0) {
      uint32_t lanes = uint32_t((*random)());
      uint32_t last =
          warp->pendingCopies.front()->order + uint32_t(random->below(4));
      completeCopies(*warp, lanes, [=](const PendingCopy &copy, unsigned) {
        return copy.order <= last;
      });
    }
  cluster.async.completeSome(*random);
}

bool ClusterRunner::everybodyPolls() const {
  for (const Warp *warp : order)
    for (const Path &path : warp->paths)
      if (path.state == Path::State::Runnable &&
          path.poll.changes != cluster.changes)
        return false;
  return true;
}

std::vector<SharedPlace> ClusterRunner::polledMbarriers(uint64_t since) const {
  std::vector<SharedPlace> mbarriers;
  for (const Warp *warp : order)
    for (const Path &path : warp->paths)
      if (path.state == Path::State::Runnable && path.poll.changes != 0 &&
          path.poll.round >= since)
        mbarriers.push_back({path.poll.cta, path.poll.offset});
  return mbarriers;
}

/// After a round in which somebody waited at an mbarrier in vain: does work
/// where nobody can go on without it.
void ClusterRunner::settle() {
  bool isQuiet = allPolled && everybodyPolls();
  AsyncQueue &async = cluster.async;
  if (!async.empty()) {
    idleRounds = 0;
    std::vector<SharedPlace> mbarriers =
        polledMbarriers(isQuiet ? 0 : cluster.round);
    if (!isQuiet && async.isNeeded(mbarriers))
      ++busyRounds;
    if (isQuiet || busyRounds > patience) {
      async.completeNeeded(mbarriers);
      busyRounds = 0;
    }
    return;
  }
  if (!isQuiet || idleSince != cluster.changes)
    idleRounds = 0;
  idleSince = cluster.changes;
  if (++idleRounds > deadlockRounds)
    failDeadlock();
  if (lastPhases != cluster.phases)
    roundsWithoutPhase = 0;
  lastPhases = cluster.phases;
  if (++roundsWithoutPhase > hopelessRounds)
    failDeadlock();
}

void ClusterRunner::run(uint64_t index) {
  for (size_t rank = 0; rank < ctas.size(); ++rank) {
    ctas[rank].id = ctaId(launch.configuration, index, rank);
    start(ctas[rank], memories[rank]);
  }
  if (checker)
    checker->start(index);
  Profiler *profiler = ctas.front().profiler;
  if (profiler)
    profiler->beginCluster();
  cluster.changes = 1;
  cluster.round = 0;
  steps = 0;
  idleRounds = busyRounds = roundsWithoutPhase = 0;
  if (launch.seed) {
    // Each cluster makes its own choices, whatever host thread runs it, from
    // the same order on.
    random.emplace(Random(*launch.seed ^ Random(index)())());
    std::sort(order.begin(), order.end(), [](const Warp *a, const Warp *b) {
      return std::tie(a->cta->rank, a->index) <
             std::tie(b->cta->rank, b->index);
    });
  }
  try {
    do {
      if (random)
        startWork();
      if (!runRound())
        break;
      if (somePolled)
        settle();
    } while (true);
    for (const Cta &cta : ctas)
      if (cta.liveThreads() != 0)
        failDeadlock();
    if (checker)
      checker->finish();
    cluster.async.completeAll();
  } catch (const Fault &fault) {
    // Of asynchronous work.
    fail(*order.front(), fault);
  }
  if (profiler)
    profiler->endCluster(cluster);
  ctas.front().statistics->ctas += ctas.size();
}

} // namespace

void runLaunch(const LaunchState &launch, unsigned hostThreads,
               const std::function<void(uint64_t, uint64_t)> &progress,
               LaunchStatistics &statistics) {
  auto begin = std::chrono::steady_clock::now();
  const auto &grid = launch.configuration.grid;
  uint64_t total = uint64_t(grid[0]) * grid[1] * grid[2];
  std::atomic<uint64_t> next = 0;
  std::mutex mutex;
  uint64_t done = 0;
  const auto &extents = launch.configuration.cluster;
  uint64_t ctas = uint64_t(extents[0]) * extents[1] * extents[2];
  uint64_t clusters = total / ctas;
  uint64_t failedRank = UINT64_MAX;
  std::exception_ptr failure;

  unsigned count = unsigned(std::min<uint64_t>(hostThreads, clusters));
  checkHostMemory(launch.program->name + ": kernel '" + launch.kernel->name +
                      "': registers and memory of the CTAs that run at a time",
                  count * ctas * ctaBytes(launch));

  HazardLog hazards;

  auto work = [&] {
    LaunchStatistics own;
    std::optional<Profiler> profiler;
    if (launch.profiler)
      profiler.emplace(launch);
    uint64_t index = 0;
    std::optional<ClusterRunner> runner;
    try {
      runner.emplace(launch, own, profiler ? &*profiler : nullptr);
      while ((index = next.fetch_add(1)) < clusters) {
        runner->run(index);
        if (progress) {
          std::lock_guard<std::mutex> lock(mutex);
          done += ctas;
          progress(done, total);
        }
      }
    } catch (...) {
      // Of several faulty clusters the first one is reported; one without an
      // end may have waited for what a faulty one did not do.
      std::lock_guard<std::mutex> lock(mutex);
      next = clusters;
      uint64_t rank = index + (runner && runner->hasNoEnd() ? clusters : 0);
      if (rank < failedRank) {
        failedRank = rank;
        failure = std::current_exception();
      }
    }
    std::lock_guard<std::mutex> lock(mutex);
    statistics += own;
    if (runner && runner->hazards())
      hazards.merge(*runner->hazards());
    if (profiler)
      launch.profiler->merge(*profiler);
  };

  std::vector<std::thread> threads;
  for (unsigned index = 1; index < count; ++index)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  statistics.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  if (hazards.empty()) {
    if (failure)
      std::rethrow_exception(failure);
    return;
  }
  // Hazards often are the cause of a fault.
  std::vector<std::string> lines = hazards.lines();
  ErrorKind kind = ErrorKind::Device;
  try {
    if (failure)
      std::rethrow_exception(failure);
  } catch (const Error &error) {
    lines.emplace_back(error.what());
    kind = error.kind();
  }
  throw Error(lines, kind);
}

} // namespace pbs::runtime::emulator

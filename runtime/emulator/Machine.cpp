// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Machine.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

namespace pbs::runtime::emulator {

namespace {

/// Instructions a warp may run before the next one gets its turn, so that a
/// warp that polls memory does not keep out the one it waits for.
constexpr unsigned turn = 1 << 16;

std::string triple(const std::array<uint32_t, 3> &value) {
  return "(" + std::to_string(value[0]) + "," + std::to_string(value[1]) + "," +
         std::to_string(value[2]) + ")";
}

/// One host thread's CTA, with memory that is reused from CTA to CTA.
class CtaRunner {
public:
  CtaRunner(const LaunchState &launch, LaunchStatistics &statistics);

  /// Runs CTA number \p index; throws Error.
  void run(uint64_t index);

private:
  void runWarp(Warp &warp);
  void fillSpecials(Warp &warp);
  uint32_t specialValue(SpecialRegister special, const Warp &warp,
                        unsigned lane) const;
  [[noreturn]] void fail(const Warp &warp, const Fault &fault) const;
  [[noreturn]] void failDeadlock() const;
  std::string where(const Warp &warp, uint32_t line, unsigned lane) const;

  const LaunchState &launch;
  const Kernel &kernel;
  const Instruction *code;
  Cta cta;
  std::vector<Program::ConstantLine> registers;
  std::vector<uint8_t> local;
  std::vector<Program::ConstantLine> shared;
};

CtaRunner::CtaRunner(const LaunchState &launch, LaunchStatistics &statistics)
    : launch(launch), kernel(*launch.kernel),
      code(launch.program->code.data()) {
  const LaunchConfiguration &configuration = launch.configuration;
  cta.launch = &launch;
  cta.statistics = &statistics;
  cta.threads =
      configuration.block[0] * configuration.block[1] * configuration.block[2];
  unsigned warps = (cta.threads + warpSize - 1) / warpSize;
  cta.sharedBytes =
      configuration.dynamicSharedBytes == 0
          ? kernel.staticSharedBytes
          : kernel.dynamicSharedOffset + configuration.dynamicSharedBytes;
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
  }
}

uint32_t CtaRunner::specialValue(SpecialRegister special, const Warp &warp,
                                 unsigned lane) const {
  const LaunchConfiguration &configuration = launch.configuration;
  const auto &block = configuration.block;
  const auto &cluster = configuration.cluster;
  uint32_t thread = warp.index * warpSize + lane;
  auto component = [&](SpecialRegister first) {
    return unsigned(special) - unsigned(first);
  };
  switch (special) {
  case SpecialRegister::TidX:
    return thread % block[0];
  case SpecialRegister::TidY:
    return thread / block[0] % block[1];
  case SpecialRegister::TidZ:
    return thread / block[0] / block[1];
  case SpecialRegister::NtidX:
  case SpecialRegister::NtidY:
  case SpecialRegister::NtidZ:
    return block[component(SpecialRegister::NtidX)];
  case SpecialRegister::CtaidX:
  case SpecialRegister::CtaidY:
  case SpecialRegister::CtaidZ:
    return cta.id[component(SpecialRegister::CtaidX)];
  case SpecialRegister::NctaidX:
  case SpecialRegister::NctaidY:
  case SpecialRegister::NctaidZ:
    return configuration.grid[component(SpecialRegister::NctaidX)];
  case SpecialRegister::ClusterCtaidX:
  case SpecialRegister::ClusterCtaidY:
  case SpecialRegister::ClusterCtaidZ: {
    unsigned dimension = component(SpecialRegister::ClusterCtaidX);
    return cta.id[dimension] % cluster[dimension];
  }
  case SpecialRegister::ClusterNctaidX:
  case SpecialRegister::ClusterNctaidY:
  case SpecialRegister::ClusterNctaidZ:
    return cluster[component(SpecialRegister::ClusterNctaidX)];
  case SpecialRegister::ClusteridX:
  case SpecialRegister::ClusteridY:
  case SpecialRegister::ClusteridZ: {
    unsigned dimension = component(SpecialRegister::ClusteridX);
    return cta.id[dimension] / cluster[dimension];
  }
  case SpecialRegister::NclusteridX:
  case SpecialRegister::NclusteridY:
  case SpecialRegister::NclusteridZ: {
    unsigned dimension = component(SpecialRegister::NclusteridX);
    return configuration.grid[dimension] / cluster[dimension];
  }
  case SpecialRegister::ClusterCtarank:
    return cta.id[0] % cluster[0] +
           cluster[0] *
               (cta.id[1] % cluster[1] + cluster[1] * (cta.id[2] % cluster[2]));
  case SpecialRegister::ClusterNctarank:
    return cluster[0] * cluster[1] * cluster[2];
  case SpecialRegister::Laneid:
    return lane;
  case SpecialRegister::Warpid:
    return warp.index;
  case SpecialRegister::Nwarpid:
    return maximumThreadsPerCta / warpSize;
  case SpecialRegister::Smid:
    return (cta.id[0] + configuration.grid[0] *
                            (cta.id[1] + configuration.grid[1] * cta.id[2])) %
           launch.multiprocessors;
  case SpecialRegister::Nsmid:
    return launch.multiprocessors;
  case SpecialRegister::Gridid:
    return uint32_t(launch.gridId);
  case SpecialRegister::LanemaskEq:
    return 1u << lane;
  case SpecialRegister::LanemaskLe:
    return (2u << lane) - 1;
  case SpecialRegister::LanemaskLt:
    return (1u << lane) - 1;
  case SpecialRegister::LanemaskGe:
    return ~((1u << lane) - 1);
  case SpecialRegister::LanemaskGt:
    return ~((2u << lane) - 1);
  case SpecialRegister::DynamicSmemSize:
    return uint32_t(configuration.dynamicSharedBytes);
  case SpecialRegister::TotalSmemSize:
    return uint32_t(cta.sharedBytes);
  case SpecialRegister::Clock:
  case SpecialRegister::ClockHigh:
  case SpecialRegister::Clock64:
  case SpecialRegister::Globaltimer:
    break; // Read by their own instruction.
  }
  return 0;
}

void CtaRunner::fillSpecials(Warp &warp) {
  for (const SpecialSlot &slot : kernel.specials) {
    uint32_t *values = warp.lanes<uint32_t>(slot.slot);
    for (unsigned lane = 0; lane < warpSize; ++lane)
      values[lane] = specialValue(slot.special, warp, lane);
  }
}

std::string CtaRunner::where(const Warp &warp, uint32_t line,
                             unsigned lane) const {
  const auto &block = launch.configuration.block;
  uint32_t thread = warp.index * warpSize + lane;
  return launch.program->name + ":" + std::to_string(line) + ": kernel '" +
         kernel.name + "': CTA " + triple(cta.id) + " thread " +
         triple({thread % block[0], thread / block[0] % block[1],
                 thread / block[0] / block[1]}) +
         ": ";
}

void CtaRunner::fail(const Warp &warp, const Fault &fault) const {
  uint32_t number = warp.pc - 1;
  throw Error(where(warp, code[number].line, fault.lane) +
              std::string(launch.program->opcodes[number]) + " " +
              fault.message);
}

void CtaRunner::failDeadlock() const {
  std::string waiting;
  unsigned named = 0;
  const Warp *first = nullptr;
  uint32_t firstLine = 0;
  unsigned firstLane = 0;
  for (const Warp &warp : cta.warps)
    for (const Path &path : warp.paths) {
      bool atBarrier = path.state == Path::State::AtBarrier;
      bool atWarpgroup = path.state == Path::State::AtWarpgroup;
      if (!atBarrier && !atWarpgroup &&
          path.state != Path::State::AtWarpBarrier)
        continue;
      uint32_t line = code[path.pc - 1].line;
      if (!first) {
        first = &warp;
        firstLine = line;
        firstLane = unsigned(__builtin_ctz(path.mask));
      }
      if (++named > 4)
        continue;
      waiting += (named > 1 ? ", warp " : "warp ") +
                 std::to_string(warp.index) + " waits at " +
                 (atBarrier     ? "barrier " + std::to_string(path.waitsFor)
                  : atWarpgroup ? "wgmma.wait_group for its warpgroup"
                                : std::string("bar.warp.sync")) +
                 " in line " + std::to_string(line);
    }
  if (!first)
    throw Error(where(cta.warps.front(), code[kernel.entry].line, 0) +
                "deadlock: no thread can go on");
  if (named > 4)
    waiting += " and " + std::to_string(named - 4) + " more";
  throw Error(where(*first, firstLine, firstLane) + "deadlock: " + waiting);
}

void CtaRunner::runWarp(Warp &warp) {
  auto &counts = cta.statistics->laneInstructions;
  unsigned executed = 0;
  for (; executed < turn && warp.runnable; ++executed) {
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
    instruction.handler(warp, instruction, active);
  }
  if (executed == turn)
    warp.rotate();
}

void CtaRunner::run(uint64_t index) {
  const auto &grid = launch.configuration.grid;
  cta.id = {uint32_t(index % grid[0]), uint32_t(index / grid[0] % grid[1]),
            uint32_t(index / grid[0] / grid[1])};
  // What nobody wrote reads as NaN and as an invalid index.
  std::memset(cta.shared, 0xFF, cta.sharedBytes);
  std::fill(local.begin(), local.end(), uint8_t(0xFF));
  cta.barriers = {};
  for (Warp &warp : cta.warps) {
    unsigned lanes = std::min(warpSize, cta.threads - warp.index * warpSize);
    std::memset(warp.bases[0], 0xFF, kernel.registerBytes);
    fillSpecials(warp);
    warp.clock = 0;
    warp.pendingCopies.clear();
    std::fill_n(warp.committedGroups, warpSize, 0);
    warp.products = ProductQueue();
    std::fill_n(warp.allocationCache, Warp::cachedAllocations, nullptr);
    warp.start(kernel.entry, lanes == 32 ? fullMask : (1u << lanes) - 1);
  }
  for (bool progress = true; progress;) {
    progress = false;
    for (Warp &warp : cta.warps) {
      if (!warp.runnable)
        continue;
      progress = true;
      uint64_t before = warp.clock;
      try {
        runWarp(warp);
      } catch (const Fault &fault) {
        cta.statistics->warpInstructions += warp.clock - before;
        fail(warp, fault);
      }
      cta.statistics->warpInstructions += warp.clock - before;
      // Fewer threads may complete a barrier.
      if (warp.live != warp.existing)
        cta.checkBarriers();
    }
  }
  if (cta.liveThreads() != 0)
    failDeadlock();
  ++cta.statistics->ctas;
}

} // namespace

void checkLaunch(const LaunchState &launch) {
  const Kernel &kernel = *launch.kernel;
  const LaunchConfiguration &configuration = launch.configuration;
  auto fail = [&](const std::string &message) {
    throw Error(launch.program->name + ": kernel '" + kernel.name +
                "': " + message);
  };
  static constexpr uint64_t maximumGrid[] = {INT32_MAX, 65535, 65535};
  static constexpr uint32_t maximumBlock[] = {1024, 1024, 64};
  uint64_t threads = 1;
  for (unsigned dimension = 0; dimension < 3; ++dimension) {
    uint32_t grid = configuration.grid[dimension];
    uint32_t block = configuration.block[dimension];
    uint32_t cluster = configuration.cluster[dimension];
    if (grid == 0 || grid > maximumGrid[dimension])
      fail("grid " + triple(configuration.grid) +
           " is outside (1,1,1) to "
           "(2147483647,65535,65535)");
    if (block == 0 || block > maximumBlock[dimension])
      fail("block " + triple(configuration.block) +
           " is outside (1,1,1) to (1024,1024,64)");
    if (cluster == 0 || grid % cluster != 0)
      fail("cluster " + triple(configuration.cluster) +
           " does not divide grid " + triple(configuration.grid));
    threads *= block;
  }
  if (threads > maximumThreadsPerCta)
    fail("block " + triple(configuration.block) + " has " +
         std::to_string(threads) + " threads, more than 1024");
  if (kernel.requiredThreads[0] != 0 &&
      kernel.requiredThreads != configuration.block)
    fail("block " + triple(configuration.block) + " is not the .reqntid " +
         triple(kernel.requiredThreads));
  if (kernel.maximumThreads[0] != 0) {
    uint64_t maximum = 1;
    for (uint32_t extent : kernel.maximumThreads)
      maximum *= extent;
    if (threads > maximum)
      fail("block " + triple(configuration.block) +
           " has more threads than "
           ".maxntid " +
           triple(kernel.maximumThreads));
  }
  if (kernel.requiredCluster[0] != 0 &&
      kernel.requiredCluster != configuration.cluster)
    fail("cluster " + triple(configuration.cluster) +
         " is not the .reqnctapercluster " + triple(kernel.requiredCluster));
  uint64_t shared = kernel.staticSharedBytes;
  if (configuration.dynamicSharedBytes != 0)
    shared = kernel.dynamicSharedOffset +
             std::min(configuration.dynamicSharedBytes, maximumSharedBytes + 1);
  if (shared > maximumSharedBytes)
    fail(std::to_string(kernel.staticSharedBytes) + " bytes of static and " +
         std::to_string(configuration.dynamicSharedBytes) +
         " bytes of dynamic shared memory are more than " +
         std::to_string(maximumSharedBytes));
  if (launch.parameters.size() != kernel.parameterBytes)
    fail("the parameter buffer has " +
         std::to_string(launch.parameters.size()) +
         " bytes, the kernel's parameters " +
         std::to_string(kernel.parameterBytes));
}

void runLaunch(const LaunchState &launch, unsigned hostThreads,
               const std::function<void(uint64_t, uint64_t)> &progress,
               LaunchStatistics &statistics) {
  auto begin = std::chrono::steady_clock::now();
  const auto &grid = launch.configuration.grid;
  uint64_t total = uint64_t(grid[0]) * grid[1] * grid[2];
  std::atomic<uint64_t> next = 0;
  std::mutex mutex;
  uint64_t done = 0;
  uint64_t failedCta = UINT64_MAX;
  std::exception_ptr failure;

  auto work = [&] {
    LaunchStatistics own;
    uint64_t index = 0;
    try {
      CtaRunner runner(launch, own);
      while ((index = next.fetch_add(1)) < total) {
        runner.run(index);
        if (progress) {
          std::lock_guard<std::mutex> lock(mutex);
          progress(++done, total);
        }
      }
    } catch (...) {
      // Of several faulty CTAs the first one is reported.
      std::lock_guard<std::mutex> lock(mutex);
      next = total;
      if (index < failedCta) {
        failedCta = index;
        failure = std::current_exception();
      }
    }
    std::lock_guard<std::mutex> lock(mutex);
    statistics += own;
  };

  unsigned count = unsigned(std::min<uint64_t>(hostThreads, total));
  std::vector<std::thread> threads;
  for (unsigned index = 1; index < count; ++index)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  statistics.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  if (failure)
    std::rethrow_exception(failure);
}

} // namespace pbs::runtime::emulator

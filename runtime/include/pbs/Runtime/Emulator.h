// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A device that executes PTX text on the host. It knows PTX only, not who
// wrote it. docs/emulator.md describes what it does and what it counts.

#ifndef PBS_RUNTIME_EMULATOR_H
#define PBS_RUNTIME_EMULATOR_H

#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/EmulatorProfile.h"

#include <functional>
#include <optional>

namespace pbs::runtime {

/// What an instruction does, for LaunchStatistics.
enum class InstructionClass : uint8_t {
  /// Integer, logic and predicate arithmetic, and comparisons of integers.
  Integer,
  /// Floating-point arithmetic and comparisons, packed ones once per lane.
  Float,
  /// Approximations of the special function unit: ex2, lg2, rcp, rsqrt, sqrt,
  /// sin, cos, tanh.
  SpecialFunction,
  /// cvt, cvta and packing.
  Conversion,
  /// mov, selp, prmt and other movements between registers.
  Move,
  Load,
  Store,
  /// atom and red.
  Atomic,
  /// Branches, calls, returns, exits, traps.
  Control,
  /// Barriers, fences and waits.
  Barrier,
  /// Exchange between lanes: shfl, vote, match, redux, elect, activemask.
  Warp,
  /// mma, wgmma.mma_async, ldmatrix, stmatrix.
  Matrix,
  /// Asynchronous copies.
  Copy,
};
inline constexpr size_t instructionClassCount = 13;

/// The word for \p instructionClass in reports ("special function").
std::string_view instructionClassName(InstructionClass instructionClass);

/// What one launch did. One active lane-instruction is one PTX instruction
/// executed by one lane that was enabled: neither masked off by divergence nor
/// by a guard predicate. Directives and labels are no instructions.
struct LaunchStatistics {
  /// Active lane-instructions per class.
  std::array<uint64_t, instructionClassCount> laneInstructions = {};
  /// PTX instructions issued by warps with at least one active lane.
  uint64_t warpInstructions = 0;
  /// Multiplications and additions of mma and wgmma, 2*M*N*K per instruction;
  /// of wgmma a quarter for each warp.
  uint64_t matrixFlops = 0;
  /// Bytes asked for by the lanes, without caches or coalescing. Generic
  /// accesses count where they went. Atomics count as a load and a store.
  uint64_t globalLoadBytes = 0;
  uint64_t globalStoreBytes = 0;
  /// ldmatrix, stmatrix and the operands of wgmma count here as well.
  uint64_t sharedLoadBytes = 0;
  uint64_t sharedStoreBytes = 0;
  /// Bytes that asynchronous copies brought from global to shared memory,
  /// without the zeros they filled in.
  uint64_t asyncCopyBytes = 0;
  uint64_t ctas = 0;
  /// Wall time of the launch on the host, in seconds.
  double seconds = 0;

  /// Sum over the classes.
  uint64_t totalLaneInstructions() const;
  LaunchStatistics &operator+=(const LaunchStatistics &other);
};

/// What is wrong with a program; docs/emulator.md explains each.
enum class HazardKind : uint8_t {
  /// Two threads access shared or global memory without order between them.
  RaceShared,
  RaceGlobal,
  /// A thread's access and one of the async proxy without a fence or order
  /// between them.
  RaceProxy,
  /// Memory is read that nobody wrote.
  Uninitialised,
  /// Memory is written that a copy or product may still read or write.
  OverwriteInFlight,
  /// Copied data is read before a wait for it.
  ReadBeforeWait,
  /// Registers of a wgmma are used before its wait, or without wgmma.fence.
  WgmmaRegister,
  /// Misuse of an mbarrier.
  Mbarrier,
  /// Threads of a warp disagree where they must not.
  Divergence,
  Deadlock,
  OutOfBounds,
  Misaligned,
  /// More shared memory or registers than a multiprocessor has.
  Resources,
};
inline constexpr size_t hazardKindCount = 13;

/// The word for \p kind in messages ("race-shared").
std::string_view hazardKindName(HazardKind kind);

struct EmulatorOptions {
  /// Host threads that execute CTAs; 0 for one per core.
  unsigned hostThreads = 0;
  /// What multiprocessorCount() says; an H100's by default.
  uint32_t multiprocessors = 132;
  /// When asynchronous work is done, copies and products of a warpgroup: at the
  /// wait that cannot pass without it (as late as PTX allows, which shows
  /// missing waits) or at once.
  enum class AsyncCopies { Late, Early };
  AsyncCopies asyncCopies = AsyncCopies::Late;
  /// With a seed, chance decides again and again which pending work is done in
  /// which order, and in which order and how long warps run. Launches of the
  /// same kernel with the same seed do the same, on any number of host threads
  /// unless CTAs depend on each other through global memory.
  std::optional<uint64_t> seed;
  /// A launch in which the warps of a CTA, or of a cluster, together would
  /// execute more instructions than this ends with an Error that says where
  /// they are. 0 for 2^31, or 2^27 with checks, which are slower.
  uint64_t maxSteps = 0;
  /// With All, a launch that has a hazard ends with an Error, whose message has
  /// a line "hazard: KIND: ..." for each one found. Faults that stop a kernel
  /// in any case, an access out of bounds for instance, begin so as well.
  enum class Checks { None, All };
  Checks checks = Checks::None;
  /// Collect an EmulatorProfile of each launch, which takes time.
  bool profile = false;
  /// Use no instructions of the host that not every host of its kind has.
  /// Slower, with the same results to the bit: for testing just that.
  bool portable = false;
  /// Called while a launch runs, from any of the host threads but one at a
  /// time, with the number of finished CTAs and of all CTAs.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

/// What a kernel takes and needs, as its PTX declares it.
struct KernelDescription {
  struct Parameter {
    /// In the packed parameter buffer.
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t alignment = 0;
    /// As declared: "out", and "u64" or "b8[128]".
    std::string name, type;
  };
  std::vector<Parameter> parameters;
  /// Of the whole parameter buffer.
  uint64_t parameterBytes = 0;
  uint64_t staticSharedBytes = 0;
  /// Thread-local memory of a thread.
  uint64_t localBytes = 0;
  /// Threads of a CTA that the kernel may be launched with.
  uint32_t maximumThreads = 0;
  /// CTAs of a cluster that the kernel must be launched with; 0 where it asks
  /// for none.
  std::array<uint32_t, 3> requiredCluster = {0, 0, 0};
};

/// The emulator. Launches run to their end before launch() returns. A faulty
/// kernel ends its launch with an Error that names module and PTX line,
/// kernel, CTA and thread; the device stays usable.
class EmulatorDevice : public Device {
public:
  /// Of the last launch that ended, successfully or not.
  virtual const LaunchStatistics &launchStatistics() const = 0;

  /// Of the last launch; empty after one that failed, null where nothing is
  /// collected.
  virtual const EmulatorProfile *launchProfile() const = 0;

  /// Throws Error if \p module has no such kernel.
  virtual KernelDescription describeKernel(const Module &module,
                                           std::string_view kernel) const = 0;

  /// Throws the Error with which launch() would refuse to begin.
  virtual void checkLaunch(const Module &module, std::string_view kernel,
                           const LaunchConfiguration &configuration,
                           const std::vector<uint8_t> &parameters) const = 0;
};

std::unique_ptr<EmulatorDevice>
createEmulator(const EmulatorOptions &options = {});

} // namespace pbs::runtime

#endif // PBS_RUNTIME_EMULATOR_H

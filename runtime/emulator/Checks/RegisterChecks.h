// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers that products of a warpgroup read and write after they have been
// issued (PTX ISA, "wgmma.fence" and "wgmma.mma_async"), and how many registers
// the warps of a CTA have.

#ifndef PBS_EMULATOR_CHECKS_REGISTERCHECKS_H
#define PBS_EMULATOR_CHECKS_REGISTERCHECKS_H

#include "HazardReporter.h"

namespace pbs::runtime::emulator {

class RegisterChecks {
public:
  RegisterChecks(const LaunchState &launch, const Cluster &cluster,
                 HazardReporter &reporter)
      : launch(launch), cluster(cluster), reporter(reporter) {}

  void start();
  /// After the cluster has run to its end.
  void finish();

  /// Of an instruction that names registers which a product uses, before it is
  /// executed.
  void use(Warp &warp, uint32_t instruction, uint32_t active);
  /// wgmma.fence.
  void fence(const Warp &warp);
  /// A wait has passed, for all products up to ProductQueue::demanded.
  void wait(const Warp &warp) {
    of(warp).waitedProducts = warp.products.demanded;
  }
  /// setmaxnreg.
  void setCount(const Warp &warp, uint32_t count);

private:
  /// Of those that some product uses; see RegisterUse::index.
  struct Register {
    /// The last product that has it as accumulator, as part of A; 0 for none.
    uint64_t accumulator = 0;
    uint64_t input = 0;
    /// The instructions of these.
    uint32_t accumulating = 0;
    uint32_t reading = 0;
    /// Whether something else used it since the last wgmma.fence, and what.
    bool isRead = false, isWritten = false;
    uint32_t accessing = 0;
  };
  struct WarpRegisters {
    std::vector<Register> registers;
    /// Those that are read or written.
    std::vector<uint32_t> accessed;
    /// There has been a wgmma.fence.
    bool isFenced = false;
    /// Products that a wait has passed.
    uint64_t waitedProducts = 0;
    /// By setmaxnreg, and which; 0 before.
    uint32_t count = 0;
    uint32_t countInstruction = 0;
  };
  /// An instruction that uses registers.
  struct Use {
    Warp &warp;
    WarpRegisters &state;
    uint32_t instruction;
    unsigned lane;
  };

  WarpRegisters &of(const Warp &warp) {
    return warps[size_t(warp.cta->rank) * warp.cta->warps.size() + warp.index];
  }
  void report(const Use &use, uint32_t other, const std::string &what);
  void access(const Use &use, uint32_t index, bool writes);
  void multiply(const Use &use, uint32_t index, bool isAccumulator);

  const LaunchState &launch;
  const Cluster &cluster;
  HazardReporter &reporter;
  std::vector<WarpRegisters> warps;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_CHECKS_REGISTERCHECKS_H

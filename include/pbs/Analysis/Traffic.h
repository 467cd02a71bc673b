// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels of the pbs dialect's operations move through global memory,
// in the bytes that the emulator counts, and how long some of them take.
// docs/Rationale/Fusion.md has the model and what it was compared with.

#ifndef PBS_ANALYSIS_TRAFFIC_H
#define PBS_ANALYSIS_TRAFFIC_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Target/PTX/Chip.h"

namespace pbs {

/// What an entry runs on: the sizes for its dynamic extents, and how much of
/// the work its data leaves.
struct Workload {
  int64_t batch = 1;
  int64_t queryLength;
  int64_t keyLength;
  /// Blocks that an attention lists, by all blocks of the segments up to a
  /// query block's last own one (of all segments if it is not causal). Where it
  /// is not given, expectDensity says it.
  std::optional<double> density;
  /// Those of the listed blocks that are masked. Where it is not given, it is
  /// taken that blocks of own segments are.
  std::optional<double> maskedShare;
};

/// One launch.
struct KernelTraffic {
  /// As the conversion calls the kernel.
  std::string kernel;
  mlir::Operation *op = nullptr;
  /// Bytes by ld.global, st.global and cp.async.
  int64_t loaded = 0, stored = 0, copied = 0;
  /// Of the bytes loaded and copied, those of rows that a permutation scatters.
  int64_t gathered = 0;
  /// Key tiles that an attention computes, and those of them with an element
  /// mask.
  int64_t tiles = 0, maskedTiles = 0;
  /// Not known for kernels whose time is neither that of their bytes nor that
  /// of their products.
  std::optional<double> seconds;

  int64_t getBytes() const { return loaded + stored + copied; }
};

/// A function's launches in order, and its buffers.
struct Traffic {
  llvm::SmallVector<KernelTraffic> kernels;
  int64_t workspace = 0;
  /// Blocks that attentions skip, of those that they might list.
  int64_t skippedBlocks = 0, allBlocks = 0;
};

/// The traffic of `function` if all its operations become kernels. Of an scf.if
/// that depends on sizes only the branch taken counts, for launches at least:
/// workspace is that of both. Attentions are cut as their schedules say, or as
/// they would be for the chip. Fails with a diagnostic for other control flow.
mlir::FailureOr<Traffic> analyzeTraffic(mlir::func::FuncOp function,
                                        const Workload &workload,
                                        const Chip &chip);

} // namespace pbs

#endif // PBS_ANALYSIS_TRAFFIC_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How attention is cut for a GPU, and how people overrule that.

#ifndef PBS_ANALYSIS_SCHEDULE_H
#define PBS_ANALYSIS_SCHEDULE_H

#include <optional>
#include <string>

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/Chip.h"

namespace pbs {

/// What --schedule=key-tile=64,walk-list=off says: parts of a schedule, and
/// passes with whether they run.
struct ScheduleOverrides {
  std::optional<int64_t> keyTile, warps, stages;
  llvm::SmallVector<std::pair<llvm::StringRef, bool>> passes;

  bool empty() const { return !keyTile && !warps && !stages && passes.empty(); }
  /// Whether something is said of the pass `name`.
  bool mentions(llvm::StringRef name) const {
    return llvm::is_contained(llvm::make_first_range(passes), name);
  }
  /// `schedule` with these parts. Fails with an error where they are no
  /// schedule.
  mlir::FailureOr<pbsgpu::ScheduleAttr>
  apply(pbsgpu::ScheduleAttr schedule,
        llvm::function_ref<mlir::InFlightDiagnostic()> emitError) const;
};

/// Reads "key-tile=64,warps=4,walk-list=off". Fails with an error that lists
/// the keys where one is unknown or stands twice, or a value is none.
mlir::FailureOr<ScheduleOverrides>
parseSchedule(llvm::StringRef text,
              llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// What --help says of the option, with a line for each key.
llvm::StringRef getScheduleHelp();

/// What a CTA of an attention kernel takes of its multiprocessor.
struct ScheduleResources {
  /// Query tile, and the stages of keys and of values.
  int64_t sharedBytes;
  /// Of a thread that computes: the output's and the scores' accumulators, the
  /// weights as operand, and an allowance for everything else.
  int64_t registers;
};
ScheduleResources getResources(AttentionOp op, int64_t keyTile, int64_t warps,
                               int64_t stages, const Chip &chip);

/// Why attention cut so has no kernel of the chip's own, made of copies that
/// signal and products of warp groups; empty if it has one.
llvm::StringRef findReasonForPortable(AttentionOp op,
                                      pbsgpu::ScheduleAttr schedule,
                                      const Chip &chip);

/// `schedule`, with the passes to a kernel of the chip's own off where the
/// attention has none: it takes the one that all chips run. Chips without
/// signals run no other, and their schedules stay as they are.
pbsgpu::ScheduleAttr
preferPortable(AttentionOp op, pbsgpu::ScheduleAttr schedule, const Chip &chip);

/// The schedule that the attention has, or else the one for the chip: the
/// largest key tile that fits registers and shared memory, the most warps that
/// have equal shares of the rows, and the portable kernel where there is no
/// other.
pbsgpu::ScheduleAttr getSchedule(AttentionOp op, const Chip &chip);

/// Fails with a located error where the schedule does not divide the
/// attention's blocks.
llvm::LogicalResult verifySchedule(AttentionOp op,
                                   pbsgpu::ScheduleAttr schedule);

} // namespace pbs

#endif // PBS_ANALYSIS_SCHEDULE_H

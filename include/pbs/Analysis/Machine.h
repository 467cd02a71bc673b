// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a GPU can do, as far as times depend on it.

#ifndef PBS_ANALYSIS_MACHINE_H
#define PBS_ANALYSIS_MACHINE_H

#include "pbs/Target/PTX/Chip.h"

namespace pbs {

/// docs/Rationale/Fusion.md says where the numbers come from.
struct Machine {
  /// The GPU that is described.
  llvm::StringLiteral name;
  /// Bytes a second from and to memory, each byte once.
  double bytesPerSecond;
  /// Bytes a second that threads ask for, whatever holds them.
  double cachedBytesPerSecond;
  /// Floating-point operations a second of attention's products, and the time
  /// of a score apart from them.
  double flopsPerSecond;
  double secondsPerScore;
  /// What gathering adds for a row, whatever its length: its place is loaded
  /// and its address computed.
  double secondsPerGatheredRow;
  /// What a launch takes beside its work.
  double secondsPerLaunch;
};

/// The description of the chip, or of the nearest that has one: sm_80 for those
/// of its generation, sm_90a for later ones.
const Machine &getMachine(const Chip &chip);

} // namespace pbs

#endif // PBS_ANALYSIS_MACHINE_H

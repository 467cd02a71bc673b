// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPUs that can be compiled for, and the PTX that each needs.

#ifndef PBS_TARGET_PTX_CHIP_H
#define PBS_TARGET_PTX_CHIP_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace pbs {

/// A GPU architecture together with a PTX ISA version.
struct Chip {
  std::string name;        ///< "sm_80"
  unsigned ptxVersion = 0; ///< 70 for PTX ISA 7.0
  /// Bytes of shared memory that a CTA may have.
  int64_t sharedBytes = 0;

  /// LLVM's subtarget feature, "+ptx70".
  std::string getFeatures() const;
  /// "7.0"
  std::string getPTXVersion() const;
  /// Whether threads can wait at an mbarrier without polling it ("mbarrier",
  /// try_wait).
  bool hasSignals() const;
  /// Whether groups of four warps multiply matrices and hand registers over
  /// ("wgmma", "setmaxnreg").
  bool hasWarpGroups() const;
  /// Whether kernels can copy through tensor maps.
  bool hasTensorMaps() const;
  /// What they need for it and do not have: "sm_90 or later and ..., not ...".
  std::string getTensorMapError() const;
};

/// Looks up a chip by its name. `ptxVersion` is "8.6" or the like; when it is
/// empty it is the lowest version with the chip's instructions: the one that
/// introduced the chip, from sm_90 on at least 8.6 for tensor maps. Fails with
/// one error where the chip is unknown or lacks the instructions the kernels
/// need (before sm_80), or the version is unknown or too low for the chip.
mlir::FailureOr<Chip>
resolveChip(llvm::StringRef name, llvm::StringRef ptxVersion,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// Bytes of shared memory that a CTA of the chip may have, 0 for a chip that is
/// not known.
int64_t getSharedBytes(llvm::StringRef name);

/// The chip and version of an `nvvm.target`'s chip and features.
mlir::FailureOr<Chip>
parseChip(llvm::StringRef name, llvm::StringRef features,
          llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

} // namespace pbs

#endif // PBS_TARGET_PTX_CHIP_H

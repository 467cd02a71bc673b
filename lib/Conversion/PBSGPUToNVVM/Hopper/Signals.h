// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What copies and rings share: waiting at an mbarrier.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_HOPPER_SIGNALS_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_HOPPER_SIGNALS_H

#include "mlir/Transforms/DialectConversion.h"

#include "../KernelInfo.h"

namespace pbs::nvvm {

/// Polls until the signal's phase is over. The rewriter stands behind it
/// afterwards.
void waitFor(mlir::ConversionPatternRewriter &rewriter, mlir::Location loc,
             const Signal &signal);

/// Whether one thread asks for the whole copy.
inline bool copiesByTensorMap(pbsgpu::CopyTileOp copy) {
  return !llvm::isa<mlir::MemRefType>(copy.getSource().getType());
}

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_HOPPER_SIGNALS_H

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

/// Arrives once at the signal at `address`.
void arriveAt(mlir::OpBuilder &builder, mlir::Location loc,
              mlir::Value address);

/// Arrives once for each warp, in the lane where `isLane` holds. Not in a
/// branch: one between two waits for products makes ptxas wait for both at
/// once.
void arriveInLane(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Value address, mlir::Value isLane);

/// Runs what `body` creates on the first thread of the role, or of the CTA,
/// where `op` stands; in a role of one thread that is who comes here.
void emitOnFirstThread(mlir::ConversionPatternRewriter &rewriter,
                       mlir::Operation *op, const KernelInfo &kernel,
                       llvm::function_ref<void()> body);

/// Makes the signals of all rings ready, if `op` is the first that allocates
/// one.
void initialiseSignals(mlir::ConversionPatternRewriter &rewriter,
                       mlir::Operation *op, const KernelInfo &kernel);

/// One visit of a ring: its stage, its two signals, and the parity of its
/// round, 0 for the first one.
struct Visit {
  Visit(mlir::OpBuilder &builder, mlir::Location loc, const KernelInfo &kernel,
        const RingPlace &place, mlir::Value number);

  /// Waits until what the visit reads is there, and until what it overwrites
  /// has been read. The phase before the first one counts as over.
  Signal isFull() const { return {full, parity}; }
  Signal isEmpty() const { return {empty, oppositeParity}; }

  const RingPlace &place;
  mlir::Value stage, full, empty;
  /// Arrived at by who asks for the visit's item.
  mlir::Value requested;
  Signal isRequested() const { return {requested, parity}; }

private:
  mlir::Value parity, oppositeParity;
};

/// Whether one thread asks for the whole copy.
inline bool copiesByTensorMap(pbsgpu::CopyTileOp copy) {
  return !llvm::isa<mlir::MemRefType>(copy.getSource().getType());
}

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_HOPPER_SIGNALS_H

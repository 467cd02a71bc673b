// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values that every thread computes from its place.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_THREADBUILDER_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_THREADBUILDER_H

#include "mlir/Transforms/DialectConversion.h"

#include "Fragment.h"
#include "KernelInfo.h"

namespace pbs::nvvm {

/// Builds the arithmetic of one thread, with i32 unless stated.
class ThreadBuilder {
public:
  ThreadBuilder(mlir::OpBuilder &builder, mlir::Location loc,
                const KernelInfo &kernel)
      : builder(builder), loc(loc), kernel(kernel) {}

  mlir::Value constant(int64_t value);
  mlir::Value constant64(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value bitAnd(mlir::Value a, int64_t mask);
  mlir::Value bitXor(mlir::Value a, mlir::Value b);
  mlir::Value shiftLeft(mlir::Value a, int64_t bits);
  mlir::Value shiftRight(mlir::Value a, int64_t bits);
  /// Widens to i64; the value is taken as unsigned.
  mlir::Value widen(mlir::Value a);
  /// Takes the lower half of an i64.
  mlir::Value narrow(mlir::Value a);

  /// `value`, of which LLVM does not know that it is: what is computed from it
  /// stays behind this place, and takes no registers in a loop before.
  mlir::Value hide(mlir::Value value);
  /// Numbers of threads, warps and lanes come from a hidden one from now on.
  void hideThread();

  /// Thread of the CTA, 0 to warps * 32 - 1.
  mlir::Value threadOfCTA();
  /// Thread of the role where the builder stands; outside of roles, of the CTA.
  mlir::Value thread();
  mlir::Value lane();
  mlir::Value isFirstLane();
  /// Warp of the role, or of the CTA.
  mlir::Value warp();
  /// `value`, which is the same in every lane, so that ptxas can see it.
  mlir::Value uniform(mlir::Value value);
  /// Those who run what the builder creates.
  Actors getActors();
  /// Waits until all of them have come here.
  void meet();
  /// First row of the warp's share that the lane holds: the warp's first row
  /// plus lane / 4.
  mlir::Value firstRow(const FragmentGeometry &geometry);
  /// First column that the lane holds: 2 (lane % 4).
  mlir::Value firstColumn();

  /// Address in dynamic shared memory, `bytes` after its begin.
  mlir::Value sharedAddress(int64_t bytes);
  /// Address `bytes` after `pointer`; the offset may be i32 or i64.
  mlir::Value offset(mlir::Value pointer, mlir::Value bytes);
  mlir::Value offset(mlir::Value pointer, int64_t bytes);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
  const KernelInfo &kernel;
  /// Thread of the CTA, where it is hidden.
  mlir::Value hidden;
};

/// Runs what `body` creates only where `condition` holds. The rewriter stands
/// behind it afterwards.
void emitIf(mlir::ConversionPatternRewriter &rewriter, mlir::Location loc,
            mlir::Value condition, llvm::function_ref<void()> body);

/// Runs what `body` creates only on the first one of those that `number`
/// counts, such as the lanes of a warp.
void emitOnFirst(mlir::ConversionPatternRewriter &rewriter, mlir::Location loc,
                 mlir::Value number, llvm::function_ref<void()> body);

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_THREADBUILDER_H

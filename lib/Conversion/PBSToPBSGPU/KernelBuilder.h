// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the writers of kernels share: a kernel with its launch, and short names
// for the operations of which kernels consist.

#ifndef PBS_LIB_CONVERSION_PBSTOPBSGPU_KERNELBUILDER_H
#define PBS_LIB_CONVERSION_PBSTOPBSGPU_KERNELBUILDER_H

#include "Entry.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbs {

/// Where the kernels and launches of one entry go.
struct Emitter {
  Entry &entry;
  /// Stands at the end of the plan.
  mlir::OpBuilder &plan;
  mlir::gpu::GPUModuleOp kernels;
  /// Names of all kernels of the module.
  llvm::StringSet<> &names;
  /// Under which condition the launches happen, if not always.
  mlir::Value guard = {};

  /// `name`, made unique among the kernels.
  std::string chooseName(llvm::StringRef name);
  /// The size as an index of the plan.
  mlir::Value size(mlir::Location loc, Extent extent) {
    return entry.sizes.materialize(plan, loc, extent);
  }
  mlir::Value constant(mlir::Location loc, int64_t value) {
    return mlir::arith::ConstantIndexOp::create(plan, loc, value);
  }
  mlir::Value ceilDiv(mlir::Location loc, mlir::Value length, int64_t block) {
    return plan.createOrFold<mlir::arith::CeilDivSIOp>(loc, length,
                                                       constant(loc, block));
  }
};

/// Writes one kernel and its launch.
class KernelBuilder {
public:
  using Kind = mlir::gpu::AllReduceOperation;
  using Predicate = mlir::arith::CmpIPredicate;

  /// Begins a kernel; everything is created in its body from here on.
  KernelBuilder(Emitter &emitter, mlir::Location loc, llvm::StringRef name,
                int64_t warps);
  /// Ends the kernel and appends its launch to the plan.
  void launch(mlir::Value gridX, mlir::Value gridY, mlir::Value gridZ,
              mlir::Value dynamicSharedBytes = {});

  /// Appends a parameter, for which the plan hands over `argument`. Null for
  /// none.
  mlir::Value parameter(llvm::StringRef name, mlir::Value argument);
  /// Records how the kernel is cut, and which passes leave it alone.
  void setSchedule(pbsgpu::ScheduleAttr schedule) {
    kernel->setAttr(pbsgpu::ScheduleAttr::getAttrName(), schedule);
  }
  int64_t getThreads() const { return warps * pbsgpu::warpSize; }

  // Scalars. Arithmetic is on index, i32 or i64; divisions are of what is not
  // negative.
  mlir::Value index(int64_t value);
  mlir::Value i32(int64_t value);
  mlir::Value i64(int64_t value);
  mlir::Value real(double value);
  mlir::Value negativeInfinity();
  mlir::Value truth(bool value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, int64_t b);
  mlir::Value rem(mlir::Value a, int64_t b);
  mlir::Value ceilDiv(mlir::Value a, int64_t b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  /// Signed; of f32 `Predicate` is one of eq, slt, sle, sgt, sge and false for
  /// NaN.
  mlir::Value compare(Predicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value land(mlir::Value a, mlir::Value b);
  mlir::Value lor(mlir::Value a, mlir::Value b);
  mlir::Value lnot(mlir::Value a);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value isNaN(mlir::Value a);
  mlir::Value toI32(mlir::Value index);
  mlir::Value toI64(mlir::Value index);
  mlir::Value toIndex(mlir::Value integer);
  mlir::Value addF(mlir::Value a, mlir::Value b);
  mlir::Value subF(mlir::Value a, mlir::Value b);
  mlir::Value mulF(mlir::Value a, mlir::Value b);
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  /// The hardware's approximations.
  mlir::Value exp2(mlir::Value a);
  mlir::Value log2(mlir::Value a);

  // Memory.
  mlir::Value dim(mlir::Value memory, int64_t dimension);
  mlir::Value load(mlir::Value memory, mlir::ValueRange indices);
  /// The entry of a permutation at these indices, as a row. Nobody may have
  /// checked a caller's in device memory: with `last`, what is no row becomes
  /// that one.
  mlir::Value loadRow(mlir::Value permutation, mlir::ValueRange indices,
                      mlir::Value last);
  void store(mlir::Value value, mlir::Value memory, mlir::ValueRange indices);
  /// The CTA's own array of this many elements.
  mlir::Value shared(int64_t elements, mlir::Type type);
  /// `elements` elements from byte `offset` of what the launch adds to the
  /// CTA's shared memory.
  mlir::Value dynamicShared(mlir::Value offset, mlir::Value elements,
                            mlir::Type type);

  // The CTA.
  mlir::Value blockId(mlir::gpu::Dimension dimension);
  mlir::Value thread();
  mlir::Value lane() { return rem(thread(), pbsgpu::warpSize); }
  mlir::Value warp() { return div(thread(), pbsgpu::warpSize); }
  void barrier();
  mlir::Value reduceCTA(Kind kind, mlir::Value value);
  mlir::Value reduceWarp(Kind kind, mlir::Value value);

  // Control flow.
  void when(mlir::Value condition, llvm::function_ref<void()> body);
  mlir::Value choose(mlir::Value condition,
                     llvm::function_ref<mlir::Value()> then,
                     llvm::function_ref<mlir::Value()> otherwise);
  using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value, mlir::ValueRange)>;
  /// A loop that carries values, from `begin` up to, not including, `end`.
  llvm::SmallVector<mlir::Value> loop(mlir::Value begin, mlir::Value end,
                                      mlir::Value step,
                                      mlir::ValueRange initial, LoopBody body);
  void loop(mlir::Value begin, mlir::Value end, mlir::Value step,
            llvm::function_ref<void(mlir::Value)> body);
  /// The thread's share of 0 to `end`: every getThreads()-th.
  void loopOverShare(mlir::Value end,
                     llvm::function_ref<void(mlir::Value)> body);
  mlir::Value
  loopOverShare(mlir::Value end, mlir::Value initial,
                llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> body);

  // Fragments.
  pbsgpu::FragmentType accumulator(int64_t rows, int64_t columns);
  mlir::Value splat(pbsgpu::FragmentType type, mlir::Value value);
  mlir::Value tile(int64_t rows, int64_t columns, mlir::Type type);
  using Element = llvm::function_ref<mlir::Value(
      mlir::ValueRange elements, mlir::Value row, mlir::Value column)>;
  /// With a condition, the first input stands where it is false.
  mlir::Value map(pbsgpu::FragmentType type, mlir::ValueRange inputs,
                  Element element, mlir::Value condition = {});

  mlir::ImplicitLocOpBuilder b;

private:
  Emitter &emitter;
  int64_t warps;
  /// What the plan hands over.
  llvm::SmallVector<mlir::Value> arguments;
  pbsgpu::KernelOp kernel;
};

} // namespace pbs

#endif // PBS_LIB_CONVERSION_PBSTOPBSGPU_KERNELBUILDER_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the patterns of the conversion share: the geometry of fragments and
// tiles, and the values that every thread computes from its place.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_LOWERING_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_LOWERING_H

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

namespace pbs::nvvm {

/// PTX state spaces as LLVM address spaces.
constexpr unsigned globalSpace = 1;
constexpr unsigned sharedSpace = 3;

/// Name of the dynamic shared memory of a gpu.module's kernels.
constexpr llvm::StringLiteral sharedMemoryName = "dynamic_shared_memory";

/// Every tile begins at a multiple of this many bytes: the period of the
/// swizzle, 8 rows of 128 bytes.
constexpr int64_t tileAlignment = 1024;

/// A tensor map as a kernel's parameter: CUtensorMap.
constexpr int64_t tensorMapBytes = 128;
constexpr int64_t tensorMapParameterAlignment = 64;

/// Layout of a tile: rows of a panel are 128 bytes, the swizzle moves chunks of
/// 16 bytes inside them.
constexpr int64_t rowBytes = 128;
constexpr int64_t chunkBytes = 16;
constexpr int64_t chunkElements = 8;
constexpr int64_t chunksPerPanel = rowBytes / chunkBytes;

/// The part of a fragment that one lane holds (PTX ISA, "Matrix Fragments for
/// mma.m16n8k16"). Elements are numbered by (16-row step, 8-column step,
/// register), a fragment of one column by (16-row step, upper or lower half).
struct FragmentGeometry {
  FragmentGeometry(pbsgpu::FragmentType type, int64_t warps)
      : rowsOfWarp(type.getRows() / warps),
        rowSteps(rowsOfWarp / pbsgpu::mmaRows),
        columnSteps(type.getColumns() / pbsgpu::mmaColumns),
        oneColumn(type.getColumns() == 1) {}

  int64_t rowsOfWarp;
  int64_t rowSteps;
  int64_t columnSteps; ///< of 8 columns; 0 if there is only one column
  bool oneColumn;

  /// Rows of which a lane holds elements.
  int64_t numRows() const { return rowSteps * 2; }
  /// Elements of an accumulator that a lane holds.
  int64_t numElements() const {
    return oneColumn ? numRows() : rowSteps * columnSteps * 4;
  }
  /// Number of the element in the given step and register.
  int64_t element(int64_t rowStep, int64_t columnStep, int64_t reg) const {
    return (rowStep * columnSteps + columnStep) * 4 + reg;
  }
  /// Which of the lane's rows holds the element.
  int64_t rowOf(int64_t element) const {
    return oneColumn ? element
                     : element / (columnSteps * 4) * 2 + element % 4 / 2;
  }
  /// The row of the warp's share, relative to the lane's first row.
  static int64_t rowOffset(int64_t row) {
    return row / 2 * pbsgpu::mmaRows + row % 2 * 8;
  }
  /// The element's column, relative to the lane's first column.
  int64_t columnOffset(int64_t element) const {
    return oneColumn
               ? 0
               : element / 4 % columnSteps * pbsgpu::mmaColumns + element % 2;
  }
};

/// The kernel that is being converted.
struct KernelInfo {
  int64_t warps = 0;
  /// Byte offset of each tile and allocation in dynamic shared memory.
  llvm::DenseMap<mlir::Operation *, int64_t> sharedOffsets;
  /// The same of what reductions of the CTA exchange, a word for each warp.
  int64_t reductionOffset = 0;
  /// What the kernel allocates itself. `gpu.dynamic_shared_memory` begins after
  /// it.
  int64_t sharedBytes = 0;
};

/// Gives every tile and allocation of `kernel` its place in shared memory.
KernelInfo layOutSharedMemory(pbsgpu::KernelOp kernel);

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

  /// Thread of the CTA, 0 to warps * 32 - 1.
  mlir::Value thread();
  mlir::Value lane();
  mlir::Value warp();
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
};

/// Runs what `body` creates only where `condition` holds. The rewriter stands
/// behind it afterwards.
void emitIf(mlir::ConversionPatternRewriter &rewriter, mlir::Location loc,
            mlir::Value condition, llvm::function_ref<void()> body);

/// The elements of a fragment's vector. Finds the values that `packVector` was
/// given where the vector was made by it.
llvm::SmallVector<mlir::Value>
unpackVector(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value vector);
/// A vector of the given elements.
mlir::Value packVector(mlir::OpBuilder &builder, mlir::Location loc,
                       llvm::ArrayRef<mlir::Value> elements);
/// Two f32 rounded to nearest even in one i32, the first in the lower half.
mlir::Value packPair(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Type elementType, mlir::Value low, mlir::Value high);

/// A memref in global memory, as its patterns need it.
class GlobalMatrix {
public:
  GlobalMatrix(mlir::OpBuilder &builder, mlir::Location loc,
               mlir::MemRefType type, mlir::Value descriptor);

  /// Address in global memory of the element at `indices` (i64), which may be
  /// fewer than the dimensions.
  mlir::Value address(mlir::ValueRange indices);
  mlir::Value extent(int64_t dimension);
  mlir::Value strideBytes(int64_t dimension);
  int64_t elementBytes() const;

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::MemRefType type;
  mlir::MemRefDescriptor descriptor;
};

/// A pattern that knows the kernel.
template <typename OpTy>
class KernelPattern : public mlir::ConvertOpToLLVMPattern<OpTy> {
public:
  KernelPattern(const mlir::LLVMTypeConverter &converter,
                const KernelInfo &kernel, mlir::PatternBenefit benefit = 1)
      : mlir::ConvertOpToLLVMPattern<OpTy>(converter, benefit), kernel(kernel) {
  }

protected:
  const KernelInfo &kernel;
};

/// Fails with an error that names the pass to run first where kernels hold key
/// loops or structured control flow.
mlir::LogicalResult checkLowered(llvm::ArrayRef<pbsgpu::KernelOp> kernels);
/// Fails with a located error where the kernel holds something that has no
/// instructions.
mlir::LogicalResult checkKernel(pbsgpu::KernelOp kernel);
/// Replaces `pbsgpu.kernel` by an `llvm.func` whose body still is pbsgpu, with
/// the parameters expanded; gives the function back.
mlir::FailureOr<mlir::LLVM::LLVMFuncOp>
lowerKernelSignature(pbsgpu::KernelOp kernel,
                     const mlir::LLVMTypeConverter &converter,
                     llvm::ArrayRef<int64_t> alignments);
/// Whether the kernel's memref parameter is passed with strides.
bool passesStrides(mlir::MemRefType type);
/// Expands the parameters of a launch of a lowered kernel in the same way.
void expandLaunch(pbsgpu::LaunchOp launch, int64_t sharedBytes);

void populateGPUPatterns(const mlir::LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         mlir::RewritePatternSet &patterns);
void populateTilePatterns(const mlir::LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          mlir::RewritePatternSet &patterns);
void populateFragmentPatterns(const mlir::LLVMTypeConverter &converter,
                              const KernelInfo &kernel,
                              mlir::RewritePatternSet &patterns);
void populateMapPatterns(const mlir::LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         mlir::RewritePatternSet &patterns);
void populateStorePatterns(const mlir::LLVMTypeConverter &converter,
                           const KernelInfo &kernel,
                           mlir::RewritePatternSet &patterns);
void populateMemRefPatterns(const mlir::LLVMTypeConverter &converter,
                            const KernelInfo &kernel,
                            mlir::RewritePatternSet &patterns);
void populateReductionPatterns(const mlir::LLVMTypeConverter &converter,
                               const KernelInfo &kernel,
                               mlir::RewritePatternSet &patterns);
void populateMathPatterns(const mlir::LLVMTypeConverter &converter,
                          mlir::RewritePatternSet &patterns);

} // namespace pbs::nvvm

namespace pbs::ampere {

void populateMmaPatterns(const mlir::LLVMTypeConverter &converter,
                         const nvvm::KernelInfo &kernel,
                         mlir::RewritePatternSet &patterns);
void populateCopyPatterns(const mlir::LLVMTypeConverter &converter,
                          const nvvm::KernelInfo &kernel,
                          mlir::RewritePatternSet &patterns);

} // namespace pbs::ampere

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_LOWERING_H

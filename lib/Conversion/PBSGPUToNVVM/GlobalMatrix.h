// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Addresses in global memory.

#ifndef PBS_LIB_CONVERSION_PBSGPUTONVVM_GLOBALMATRIX_H
#define PBS_LIB_CONVERSION_PBSGPUTONVVM_GLOBALMATRIX_H

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/IR/Builders.h"

namespace pbs::nvvm {

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

} // namespace pbs::nvvm

#endif // PBS_LIB_CONVERSION_PBSGPUTONVVM_GLOBALMATRIX_H

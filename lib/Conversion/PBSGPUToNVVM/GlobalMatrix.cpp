// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "GlobalMatrix.h"

#include "KernelInfo.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace pbs::nvvm {

GlobalMatrix::GlobalMatrix(OpBuilder &builder, Location loc, MemRefType type,
                           Value descriptor)
    : builder(builder), loc(loc), type(type), descriptor(descriptor) {}

Value GlobalMatrix::address(ValueRange indices) {
  Value base = descriptor.alignedPtr(builder, loc);
  base = LLVM::AddrSpaceCastOp::create(
      builder, loc,
      LLVM::LLVMPointerType::get(builder.getContext(), globalSpace), base);
  Value offset = descriptor.offset(builder, loc);
  for (auto [dimension, index] : llvm::enumerate(indices)) {
    Value step = LLVM::MulOp::create(
        builder, loc, index, descriptor.stride(builder, loc, dimension));
    offset = LLVM::AddOp::create(builder, loc, offset, step);
  }
  return LLVM::GEPOp::create(builder, loc, base.getType(),
                             type.getElementType(), base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

Value GlobalMatrix::extent(int64_t dimension) {
  return descriptor.size(builder, loc, dimension);
}

Value GlobalMatrix::strideBytes(int64_t dimension) {
  Value bytes = LLVM::ConstantOp::create(
      builder, loc, builder.getI64IntegerAttr(elementBytes()));
  return LLVM::MulOp::create(builder, loc,
                             descriptor.stride(builder, loc, dimension), bytes);
}

int64_t GlobalMatrix::elementBytes() const {
  return type.getElementTypeBitWidth() / 8;
}

} // namespace pbs::nvvm

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Fragment.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace pbs::nvvm {

/// Follows the insertions that `packVector` made.
static bool findElements(Value vector, MutableArrayRef<Value> elements) {
  size_t missing = elements.size();
  while (missing) {
    auto insert = vector.getDefiningOp<LLVM::InsertElementOp>();
    if (!insert)
      return false;
    APInt position;
    if (!matchPattern(insert.getPosition(), m_ConstantInt(&position)))
      return false;
    Value &element = elements[position.getZExtValue()];
    if (!element) {
      element = insert.getValue();
      --missing;
    }
    vector = insert.getVector();
  }
  return true;
}

SmallVector<Value> unpackVector(OpBuilder &builder, Location loc,
                                Value vector) {
  int64_t size = cast<VectorType>(vector.getType()).getNumElements();
  SmallVector<Value> elements(size);
  if (findElements(vector, elements))
    return elements;
  for (int64_t i = 0; i < size; ++i) {
    Value position =
        LLVM::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(i));
    elements[i] =
        LLVM::ExtractElementOp::create(builder, loc, vector, position);
  }
  return elements;
}

Value packVector(OpBuilder &builder, Location loc, ArrayRef<Value> elements) {
  auto type = VectorType::get(elements.size(), elements.front().getType());
  Value vector = LLVM::PoisonOp::create(builder, loc, type);
  for (auto [i, element] : llvm::enumerate(elements)) {
    Value position =
        LLVM::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(i));
    vector = LLVM::InsertElementOp::create(builder, loc, type, vector, element,
                                           position);
  }
  return vector;
}

Value packPair(OpBuilder &builder, Location loc, Type elementType, Value low,
               Value high) {
  auto type = VectorType::get(2, elementType);
  Value pair;
  if (elementType.isBF16())
    pair = NVVM::ConvertF32x2ToBF16x2Op::create(
        builder, loc, type, high, low, Value(), NVVM::FPRoundingMode::RN,
        NVVM::SaturationMode::NONE, false);
  else
    pair = NVVM::ConvertF32x2ToF16x2Op::create(
        builder, loc, type, high, low, Value(), NVVM::FPRoundingMode::RN,
        NVVM::SaturationMode::NONE, false);
  return LLVM::BitcastOp::create(builder, loc, builder.getI32Type(), pair);
}

} // namespace pbs::nvvm

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Lowering.h"

using namespace mlir;

namespace pbs::nvvm {

Value ThreadBuilder::constant(int64_t value) {
  return LLVM::ConstantOp::create(builder, loc,
                                  builder.getI32IntegerAttr(value));
}

Value ThreadBuilder::constant64(int64_t value) {
  return LLVM::ConstantOp::create(builder, loc,
                                  builder.getI64IntegerAttr(value));
}

Value ThreadBuilder::add(Value a, Value b) {
  return LLVM::AddOp::create(builder, loc, a, b);
}

Value ThreadBuilder::mul(Value a, Value b) {
  return LLVM::MulOp::create(builder, loc, a, b);
}

Value ThreadBuilder::bitAnd(Value a, int64_t mask) {
  return LLVM::AndOp::create(builder, loc, a, constant(mask));
}

Value ThreadBuilder::bitXor(Value a, Value b) {
  return LLVM::XOrOp::create(builder, loc, a, b);
}

Value ThreadBuilder::shiftLeft(Value a, int64_t bits) {
  return LLVM::ShlOp::create(builder, loc, a, constant(bits));
}

Value ThreadBuilder::shiftRight(Value a, int64_t bits) {
  return LLVM::LShrOp::create(builder, loc, a, constant(bits));
}

Value ThreadBuilder::widen(Value a) {
  return LLVM::ZExtOp::create(builder, loc, builder.getI64Type(), a);
}

Value ThreadBuilder::narrow(Value a) {
  return LLVM::TruncOp::create(builder, loc, builder.getI32Type(), a);
}

Value ThreadBuilder::thread() {
  auto range = LLVM::ConstantRangeAttr::get(
      builder.getContext(), llvm::APInt(32, 0),
      llvm::APInt(32, kernel.warps * pbsgpu::warpSize));
  return NVVM::ThreadIdXOp::create(builder, loc, builder.getI32Type(), range);
}

Value ThreadBuilder::lane() { return bitAnd(thread(), pbsgpu::warpSize - 1); }

Value ThreadBuilder::warp() {
  return shiftRight(thread(), llvm::Log2_64(pbsgpu::warpSize));
}

Value ThreadBuilder::firstRow(const FragmentGeometry &geometry) {
  return add(mul(warp(), constant(geometry.rowsOfWarp)), shiftRight(lane(), 2));
}

Value ThreadBuilder::firstColumn() { return shiftLeft(bitAnd(lane(), 3), 1); }

Value ThreadBuilder::sharedAddress(int64_t bytes) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext(), sharedSpace);
  Value base =
      LLVM::AddressOfOp::create(builder, loc, pointer, sharedMemoryName);
  return offset(base, bytes);
}

Value ThreadBuilder::offset(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(builder, loc, pointer.getType(),
                             builder.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

Value ThreadBuilder::offset(Value pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return LLVM::GEPOp::create(
      builder, loc, pointer.getType(), builder.getI8Type(), pointer,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}

void emitIf(ConversionPatternRewriter &rewriter, Location loc, Value condition,
            llvm::function_ref<void()> body) {
  Block *before = rewriter.getInsertionBlock();
  Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
  Block *then = rewriter.createBlock(after);
  rewriter.setInsertionPointToEnd(before);
  LLVM::CondBrOp::create(rewriter, loc, condition, then, after);
  rewriter.setInsertionPointToStart(then);
  body();
  LLVM::BrOp::create(rewriter, loc, ValueRange(), after);
  rewriter.setInsertionPointToStart(after);
}

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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ThreadBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

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

Actors ThreadBuilder::getActors() {
  return kernel.getActors(builder.getInsertionBlock()->getParent());
}

void ThreadBuilder::meet() {
  Actors actors = getActors();
  if (actors.barrier == 0) {
    NVVM::Barrier0Op::create(builder, loc);
    return;
  }
  NVVM::BarrierOp::create(builder, loc, Type(), constant(actors.barrier),
                          constant(actors.warps * pbsgpu::warpSize),
                          NVVM::BarrierReductionAttr(), Value());
}

Value ThreadBuilder::thread() {
  Actors actors = getActors();
  Value thread = threadOfCTA();
  if (actors.firstWarp == 0)
    return thread;
  return add(thread, constant(-actors.firstWarp * pbsgpu::warpSize));
}

Value ThreadBuilder::hide(Value value) {
  StringRef constraints = value.getType().isInteger(64) ? "=l,0" : "=r,0";
  auto result = LLVM::InlineAsmOp::create(
      builder, loc, value.getType(), value, /*asm_string=*/"", constraints,
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(builder.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
  return result.getRes();
}

void ThreadBuilder::hideThread() { hidden = hide(threadOfCTA()); }

Value ThreadBuilder::threadOfCTA() {
  if (hidden)
    return hidden;
  auto range = LLVM::ConstantRangeAttr::get(
      builder.getContext(), llvm::APInt(32, 0),
      llvm::APInt(32, kernel.warps * pbsgpu::warpSize));
  return NVVM::ThreadIdXOp::create(builder, loc, builder.getI32Type(), range);
}

Value ThreadBuilder::lane() {
  return bitAnd(threadOfCTA(), pbsgpu::warpSize - 1);
}

Value ThreadBuilder::isFirstLane() {
  return LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq, lane(),
                              constant(0));
}

Value ThreadBuilder::warp() {
  return shiftRight(thread(), llvm::Log2_64(pbsgpu::warpSize));
}

Value ThreadBuilder::uniform(Value value) {
  return NVVM::ShflOp::create(
      builder, loc, builder.getI32Type(), constant(-1), value, constant(0),
      constant(pbsgpu::warpSize - 1), NVVM::ShflKind::idx, UnitAttr());
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

void emitOnFirst(ConversionPatternRewriter &rewriter, Location loc,
                 Value number, llvm::function_ref<void()> body) {
  Value zero = LLVM::ConstantOp::create(
      rewriter, loc, rewriter.getIntegerAttr(number.getType(), 0));
  Value isFirst = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::eq,
                                       number, zero);
  emitIf(rewriter, loc, isFirst, body);
}

} // namespace pbs::nvvm

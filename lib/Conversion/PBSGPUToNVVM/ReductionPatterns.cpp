// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions over the lanes of a warp and the threads of a CTA. All threads
// get the same bits: whatever the order of the lanes, they combine the same
// pairs, and the warps' values in order.

#include "Patterns.h"
#include "ThreadBuilder.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

Value combine(OpBuilder &builder, Location loc, gpu::AllReduceOperation kind,
              Value a, Value b) {
  bool isFloat = isa<FloatType>(a.getType());
  using Kind = gpu::AllReduceOperation;
  switch (kind) {
  case Kind::ADD:
    if (isFloat)
      return LLVM::FAddOp::create(builder, loc, a, b);
    return LLVM::AddOp::create(builder, loc, a, b);
  case Kind::MINSI:
    return LLVM::SMinOp::create(builder, loc, a, b);
  case Kind::MAXSI:
    return LLVM::SMaxOp::create(builder, loc, a, b);
  case Kind::MINNUMF:
    return LLVM::MinNumOp::create(builder, loc, a, b);
  case Kind::MAXNUMF:
    return LLVM::MaxNumOp::create(builder, loc, a, b);
  case Kind::AND:
    return LLVM::AndOp::create(builder, loc, a, b);
  case Kind::OR:
    return LLVM::OrOp::create(builder, loc, a, b);
  default:
    llvm_unreachable("checkKernel has refused the rest");
  }
}

/// The reduction over the lanes of a warp, in every lane.
Value reduceWarp(OpBuilder &builder, Location loc, ThreadBuilder &thread,
                 gpu::AllReduceOperation kind, Value value) {
  Value everyLane = thread.constant(-1), clamp = thread.constant(31);
  for (int64_t distance = pbsgpu::warpSize / 2; distance > 0; distance /= 2) {
    Value other = NVVM::ShflOp::create(
        builder, loc, value.getType(), everyLane, value,
        thread.constant(distance), clamp, NVVM::ShflKind::bfly,
        /*return_value_and_is_valid=*/UnitAttr());
    value = combine(builder, loc, kind, value, other);
  }
  return value;
}

struct SubgroupReduce : KernelPattern<gpu::SubgroupReduceOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(gpu::SubgroupReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    rewriter.replaceOp(op, reduceWarp(rewriter, op.getLoc(), thread, op.getOp(),
                                      adaptor.getValue()));
    return success();
  }
};

struct AllReduce : KernelPattern<gpu::AllReduceOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(gpu::AllReduceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    gpu::AllReduceOperation kind = *op.getOp();
    Type type = op.getType();
    ThreadBuilder thread(rewriter, loc, kernel);
    Value value = reduceWarp(rewriter, loc, thread, kind, adaptor.getValue());
    if (kernel.warps == 1) {
      rewriter.replaceOp(op, value);
      return success();
    }
    Value words = thread.sharedAddress(kernel.reductionOffset);
    // Nobody still reads what the reduction before this one has exchanged.
    NVVM::Barrier0Op::create(rewriter, loc);
    emitOnFirst(rewriter, loc, thread.lane(), [&] {
      Value offset =
          thread.mul(thread.warp(), thread.constant(sizeof(int32_t)));
      LLVM::StoreOp::create(rewriter, loc, value, thread.offset(words, offset));
    });
    NVVM::Barrier0Op::create(rewriter, loc);
    Value result = LLVM::LoadOp::create(rewriter, loc, type, words);
    for (int64_t warp = 1; warp < kernel.warps; ++warp) {
      Value word = thread.offset(words, warp * int64_t(sizeof(int32_t)));
      result = combine(rewriter, loc, kind, result,
                       LLVM::LoadOp::create(rewriter, loc, type, word));
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void populateReductionPatterns(const LLVMTypeConverter &converter,
                               const KernelInfo &kernel,
                               RewritePatternSet &patterns) {
  patterns.add<SubgroupReduce, AllReduce>(converter, kernel);
}

} // namespace pbs::nvvm

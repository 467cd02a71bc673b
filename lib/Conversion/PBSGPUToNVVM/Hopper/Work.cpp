// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Work items: one thread takes and describes them, the others wait at
// mbarriers.

#include "../Fragment.h"
#include "../Patterns.h"
#include "../ThreadBuilder.h"
#include "Signals.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

constexpr int64_t valuesOfItem = 4;

struct AllocItems : KernelPattern<pbsgpu::AllocItemsOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AllocItemsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    initialiseSignals(rewriter, op, kernel);
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    rewriter.replaceOp(op, thread.sharedAddress(kernel.rings.at(op).tiles));
    return success();
  }
};

/// Where an item stands.
Value findItem(OpBuilder &builder, Location loc, const KernelInfo &kernel,
               Value items, const Visit &visit) {
  ThreadBuilder thread(builder, loc, kernel);
  return thread.offset(items,
                       thread.mul(visit.stage, thread.constant(itemBytes)));
}

struct Claim : KernelPattern<pbsgpu::ClaimOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::ClaimOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    Value address = MemRefDescriptor(adaptor.getCounter())
                        .bufferPtr(rewriter, loc, *getTypeConverter(),
                                   cast<MemRefType>(op.getCounter().getType()));
    auto add = [&]() -> Value {
      return LLVM::AtomicRMWOp::create(
          rewriter, loc, LLVM::AtomicBinOp::add, address, thread.constant(1),
          LLVM::AtomicOrdering::monotonic, "device");
    };
    if (kernel.ofOneThread.contains(op->getParentRegion())) {
      rewriter.replaceOp(op, add());
      return success();
    }
    Value zero = thread.constant(0);
    Value isFirst = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::eq,
                                         thread.thread(), zero);
    Block *before = rewriter.getInsertionBlock();
    Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
    Value claimed = after->addArgument(rewriter.getI32Type(), loc);
    Block *then = rewriter.createBlock(after);
    rewriter.setInsertionPointToEnd(before);
    LLVM::CondBrOp::create(rewriter, loc, isFirst, then, ValueRange(), after,
                           ValueRange{zero});
    rewriter.setInsertionPointToStart(then);
    LLVM::BrOp::create(rewriter, loc, ValueRange{add()}, after);
    rewriter.replaceOp(op, claimed);
    return success();
  }
};

struct Publish : KernelPattern<pbsgpu::PublishOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::PublishOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Visit visit(rewriter, loc, kernel, kernel.rings.at(op),
                adaptor.getNumber());
    emitOnFirstThread(rewriter, op, kernel, [&] {
      waitFor(rewriter, loc, visit.isEmpty());
      Value item = findItem(rewriter, loc, kernel, adaptor.getItems(), visit);
      LLVM::StoreOp::create(
          rewriter, loc,
          packVector(rewriter, loc, SmallVector<Value>(adaptor.getValues())),
          item, /*alignment=*/itemBytes);
      arriveAt(rewriter, loc, visit.full);
    });
    rewriter.eraseOp(op);
    return success();
  }
};

struct Receive : KernelPattern<pbsgpu::ReceiveOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::ReceiveOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    Visit visit(rewriter, loc, kernel, kernel.rings.at(op),
                adaptor.getNumber());
    waitFor(rewriter, loc, visit.isFull());
    auto type = VectorType::get(valuesOfItem, rewriter.getI32Type());
    Value item = LLVM::LoadOp::create(
        rewriter, loc, type,
        findItem(rewriter, loc, kernel, adaptor.getItems(), visit),
        /*alignment=*/itemBytes);
    SmallVector<Value> values = unpackVector(rewriter, loc, item);
    if (kernel.ofOneThread.contains(op->getParentRegion())) {
      arriveAt(rewriter, loc, visit.empty);
    } else {
      NVVM::SyncWarpOp::create(rewriter, loc, thread.constant(-1));
      arriveInLane(rewriter, loc, visit.empty, thread.isFirstLane());
    }
    rewriter.replaceOp(op, values);
    return success();
  }
};

/// The request for item `number`, as the visit of its signal: nobody asks for
/// the first item, so that the second one's request is the first.
Visit visitRequest(OpBuilder &builder, Location loc, const KernelInfo &kernel,
                   Operation *op, Value number) {
  Value one = LLVM::ConstantOp::create(
      builder, loc, builder.getIntegerAttr(number.getType(), 1));
  return Visit(builder, loc, kernel, kernel.rings.at(op),
               LLVM::SubOp::create(builder, loc, number, one));
}

struct Request : KernelPattern<pbsgpu::RequestOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::RequestOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Visit visit = visitRequest(rewriter, loc, kernel, op, adaptor.getNumber());
    emitOnFirstThread(rewriter, op, kernel,
                      [&] { arriveAt(rewriter, loc, visit.requested); });
    rewriter.eraseOp(op);
    return success();
  }
};

struct AwaitRequest : KernelPattern<pbsgpu::AwaitRequestOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AwaitRequestOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Visit visit =
        visitRequest(rewriter, op.getLoc(), kernel, op, adaptor.getNumber());
    waitFor(rewriter, op.getLoc(), visit.isRequested());
    rewriter.eraseOp(op);
    return success();
  }
};

struct Opaque : KernelPattern<pbsgpu::OpaqueOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::OpaqueOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    auto type = dyn_cast<MemRefType>(op.getType());
    if (!type) {
      rewriter.replaceOp(op, thread.hide(adaptor.getSource()));
      return success();
    }
    MemRefDescriptor descriptor(adaptor.getSource());
    bool isContiguous = type.getLayout().isIdentity();
    SmallVector<int64_t> strides = type.getStridesAndOffset().first;
    Value stride = thread.constant64(1);
    for (int64_t i = type.getRank() - 1; i >= 0; --i) {
      Value size = descriptor.size(rewriter, loc, i);
      if (type.isDynamicDim(i)) {
        size = thread.hide(size);
        descriptor.setSize(rewriter, loc, i, size);
      }
      if (!ShapedType::isDynamic(strides[i])) {
        stride = thread.constant64(strides[i]);
      } else {
        if (!isContiguous)
          stride = thread.hide(descriptor.stride(rewriter, loc, i));
        descriptor.setStride(rewriter, loc, i, stride);
      }
      if (i > 0)
        stride = LLVM::MulOp::create(rewriter, loc, stride, size);
    }
    rewriter.replaceOp(op, Value(descriptor));
    return success();
  }
};

struct GridDim : ConvertOpToLLVMPattern<gpu::GridDimOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(gpu::GridDimOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type i32 = rewriter.getI32Type();
    Value value;
    switch (op.getDimension()) {
    case gpu::Dimension::x:
      value = NVVM::GridDimXOp::create(rewriter, loc, i32);
      break;
    case gpu::Dimension::y:
      value = NVVM::GridDimYOp::create(rewriter, loc, i32);
      break;
    case gpu::Dimension::z:
      value = NVVM::GridDimZOp::create(rewriter, loc, i32);
      break;
    }
    rewriter.replaceOpWithNewOp<LLVM::ZExtOp>(op, rewriter.getI64Type(), value);
    return success();
  }
};

} // namespace

void populateWorkPatterns(const LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          RewritePatternSet &patterns) {
  patterns
      .add<AllocItems, AwaitRequest, Claim, Opaque, Publish, Receive, Request>(
          converter, kernel);
  patterns.add<GridDim>(converter);
}

} // namespace pbs::nvvm

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rings: tiles by the number of a visit, and the mbarriers that tell when a
// tile is full or empty (PTX ISA, "mbarrier").

#include "../Patterns.h"
#include "../ThreadBuilder.h"
#include "Signals.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace pbs::nvvm {

void waitFor(ConversionPatternRewriter &rewriter, Location loc,
             const Signal &signal) {
  Block *before = rewriter.getInsertionBlock();
  Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
  Block *poll = rewriter.createBlock(after);
  rewriter.setInsertionPointToEnd(before);
  LLVM::BrOp::create(rewriter, loc, ValueRange(), poll);
  rewriter.setInsertionPointToStart(poll);
  // How long the thread may sleep, in nanoseconds: polls take shared memory's
  // bandwidth from products and copies.
  constexpr int32_t longest = 10'000'000;
  Value ticks = LLVM::ConstantOp::create(rewriter, loc,
                                         rewriter.getI32IntegerAttr(longest));
  Value isOver = NVVM::MBarrierTryWaitOp::create(
      rewriter, loc, rewriter.getI1Type(), signal.address, signal.parity, ticks,
      NVVM::MemScopeKind::CTA, /*relaxed=*/false);
  LLVM::CondBrOp::create(rewriter, loc, isOver, after, poll);
  rewriter.setInsertionPointToStart(after);
}

void arriveAt(OpBuilder &builder, Location loc, Value address) {
  NVVM::MBarrierArriveOp::create(builder, loc, builder.getI64Type(), address,
                                 /*count=*/Value(), NVVM::MemScopeKind::CTA,
                                 /*relaxed=*/false);
}

void arriveInLane(OpBuilder &builder, Location loc, Value address,
                  Value isLane) {
  Value place =
      LLVM::PtrToIntOp::create(builder, loc, builder.getI32Type(), address);
  LLVM::InlineAsmOp::create(
      builder, loc, TypeRange(), ValueRange{place, isLane},
      "@$1 mbarrier.arrive.shared.b64 _, [$0];", "r,b,~{memory}",
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(builder.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}

void emitOnFirstThread(ConversionPatternRewriter &rewriter, Operation *op,
                       const KernelInfo &kernel,
                       llvm::function_ref<void()> body) {
  if (kernel.ofOneThread.contains(op->getParentRegion()))
    return body();
  ThreadBuilder thread(rewriter, op->getLoc(), kernel);
  emitOnFirst(rewriter, op->getLoc(), thread.thread(), body);
}

/// One thread begins the first phases of all signals before anybody uses one.
void initialiseSignals(ConversionPatternRewriter &rewriter, Operation *op,
                       const KernelInfo &kernel) {
  if (kernel.signalled.empty() || kernel.signalled.front() != op)
    return;
  Location loc = op->getLoc();
  ThreadBuilder thread(rewriter, loc, kernel);
  emitOnFirst(rewriter, loc, thread.threadOfCTA(), [&] {
    for (Operation *ring : kernel.signalled) {
      const RingPlace &place = kernel.rings.at(ring);
      for (int64_t i = 0; i < 2 * place.stages; ++i)
        NVVM::MBarrierInitOp::create(
            rewriter, loc,
            thread.sharedAddress(place.signals + i * signalBytes),
            thread.constant(i < place.stages ? *place.filledBy
                                             : *place.emptiedBy),
            /*predicate=*/Value());
      for (int64_t i = 0; place.areRequested && i < place.stages; ++i)
        NVVM::MBarrierInitOp::create(
            rewriter, loc,
            thread.sharedAddress(place.signals +
                                 (2 * place.stages + i) * signalBytes),
            thread.constant(1), /*predicate=*/Value());
    }
    NVVM::FenceMbarrierInitOp::create(rewriter, loc);
  });
  NVVM::Barrier0Op::create(rewriter, loc);
}

Visit::Visit(OpBuilder &builder, Location loc, const KernelInfo &kernel,
             const RingPlace &place, Value visit)
    : place(place) {
  ThreadBuilder thread(builder, loc, kernel);
  // Nobody makes 2^32 visits.
  Value number = thread.narrow(visit);
  Value stages = thread.constant(place.stages);
  stage = LLVM::URemOp::create(builder, loc, number, stages);
  if (!place.filledBy)
    return;
  full = thread.offset(thread.sharedAddress(place.signals),
                       thread.mul(stage, thread.constant(signalBytes)));
  empty = thread.offset(full, place.stages * signalBytes);
  requested = thread.offset(empty, place.stages * signalBytes);
  Value round = LLVM::UDivOp::create(builder, loc, number, stages);
  parity = thread.bitAnd(round, 1);
  oppositeParity = thread.bitXor(parity, thread.constant(1));
}

namespace {

/// The address of the ring's first tile.
struct AllocRing : KernelPattern<pbsgpu::AllocRingOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AllocRingOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    initialiseSignals(rewriter, op, kernel);
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    rewriter.replaceOp(op, thread.sharedAddress(kernel.rings.at(op).tiles));
    return success();
  }
};

/// The tile of a visit. A ring is below 2^31 bytes.
template <typename OpTy>
Value findTile(OpBuilder &builder, OpTy op, typename OpTy::Adaptor adaptor,
               const KernelInfo &kernel, const Visit &visit) {
  ThreadBuilder thread(builder, op.getLoc(), kernel);
  Value bytes = thread.constant(op.getType().getSizeInBytes());
  return thread.offset(adaptor.getRing(), thread.mul(visit.stage, bytes));
}

/// Who waits for the empty tile is who fills it: every thread that copies, or
/// the one that asks for a copy by tensor map.
struct Acquire : KernelPattern<pbsgpu::AcquireOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AcquireOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Visit visit(rewriter, op.getLoc(), kernel, kernel.rings.at(op),
                adaptor.getVisit());
    Value tile = findTile(rewriter, op, adaptor, kernel, visit);
    if (visit.place.filledBy) {
      auto copy = cast<pbsgpu::CopyTileOp>(*op->user_begin());
      kernel.arrival[copy] = visit.full;
      if (copiesByTensorMap(copy))
        kernel.empty[copy] = visit.isEmpty();
      else
        waitFor(rewriter, op.getLoc(), visit.isEmpty());
    }
    rewriter.replaceOp(op, tile);
    return success();
  }
};

/// Whether the tensor cores read the tile themselves. What threads have written
/// they see behind a fence only (PTX ISA, "Proxies").
bool isReadPastThreads(pbsgpu::AwaitOp await) {
  return llvm::any_of(await->getUsers(), llvm::IsaPred<pbsgpu::StartMmaOp>);
}

bool isReadByProductsOnly(pbsgpu::AwaitOp await) {
  return llvm::all_of(await->getUsers(),
                      llvm::IsaPred<pbsgpu::StartMmaOp, pbsgpu::ReleaseOp>);
}

struct Await : KernelPattern<pbsgpu::AwaitOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AwaitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Visit visit(rewriter, op.getLoc(), kernel, kernel.rings.at(op),
                adaptor.getVisit());
    Value tile = findTile(rewriter, op, adaptor, kernel, visit);
    if (visit.place.filledBy) {
      for (Operation *user : op->getUsers())
        if (isa<pbsgpu::ReleaseOp>(user)) {
          kernel.arrival[user] = visit.empty;
          if (isReadByProductsOnly(op))
            kernel.ofProducts.insert(user);
        }
      waitFor(rewriter, op.getLoc(), visit.isFull());
      if (isReadPastThreads(op) && *visit.place.filledBy > 1)
        NVVM::FenceProxyOp::create(
            rewriter, op.getLoc(),
            NVVM::ProxyKindAttr::get(op.getContext(),
                                     NVVM::ProxyKind::async_shared),
            NVVM::SharedSpaceAttr::get(op.getContext(),
                                       NVVM::SharedSpace::shared_cta));
    }
    rewriter.replaceOp(op, tile);
    return success();
  }
};

/// One lane arrives for its warp, when all lanes have read. Of products all
/// lanes have awaited the end together.
struct Release : KernelPattern<pbsgpu::ReleaseOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::ReleaseOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (Value empty = kernel.arrival.lookup(op)) {
      Location loc = op.getLoc();
      ThreadBuilder thread(rewriter, loc, kernel);
      if (!kernel.ofProducts.contains(op))
        NVVM::SyncWarpOp::create(rewriter, loc, thread.constant(-1));
      arriveInLane(rewriter, loc, empty, thread.isFirstLane());
    }
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void populateRingPatterns(const LLVMTypeConverter &converter,
                          const KernelInfo &kernel,
                          RewritePatternSet &patterns) {
  patterns.add<AllocRing, Acquire, Await, Release>(converter, kernel);
}

} // namespace pbs::nvvm

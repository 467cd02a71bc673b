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
  Value isOver = NVVM::MBarrierTryWaitOp::create(
      rewriter, loc, rewriter.getI1Type(), signal.address, signal.parity,
      /*ticks=*/Value(), NVVM::MemScopeKind::CTA, /*relaxed=*/false);
  LLVM::CondBrOp::create(rewriter, loc, isOver, after, poll);
  rewriter.setInsertionPointToStart(after);
}

namespace {

void arriveAt(OpBuilder &builder, Location loc, Value signal) {
  NVVM::MBarrierArriveOp::create(builder, loc, builder.getI64Type(), signal,
                                 /*count=*/Value(), NVVM::MemScopeKind::CTA,
                                 /*relaxed=*/false);
}

/// The address of the ring's first tile.
struct AllocRing : KernelPattern<pbsgpu::AllocRingOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AllocRingOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!kernel.signalled.empty() && kernel.signalled.front() == op)
      initialiseSignals(rewriter, op.getLoc());
    ThreadBuilder thread(rewriter, op.getLoc(), kernel);
    rewriter.replaceOp(op, thread.sharedAddress(kernel.rings.at(op).tiles));
    return success();
  }

private:
  /// One thread begins the first phases of all signals before anybody uses one.
  void initialiseSignals(ConversionPatternRewriter &rewriter,
                         Location loc) const {
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
      }
      NVVM::FenceMbarrierInitOp::create(rewriter, loc);
    });
    NVVM::Barrier0Op::create(rewriter, loc);
  }
};

/// The tile of a visit, its two signals, and the parity of its round, 0 for the
/// first one.
struct Visit {
  template <typename OpTy>
  Visit(OpTy op, typename OpTy::Adaptor adaptor, const KernelInfo &kernel,
        ConversionPatternRewriter &rewriter)
      : place(kernel.rings.at(op)) {
    Location loc = op.getLoc();
    ThreadBuilder thread(rewriter, loc, kernel);
    // Nobody makes 2^32 visits, and a ring is below 2^31 bytes.
    Value number = thread.narrow(adaptor.getVisit());
    Value stages = thread.constant(place.stages);
    Value stage = LLVM::URemOp::create(rewriter, loc, number, stages);
    int64_t bytes = op.getType().getSizeInBytes();
    tile = thread.offset(adaptor.getRing(),
                         thread.mul(stage, thread.constant(bytes)));
    if (!place.filledBy)
      return;
    full = thread.offset(thread.sharedAddress(place.signals),
                         thread.mul(stage, thread.constant(signalBytes)));
    empty = thread.offset(full, place.stages * signalBytes);
    Value round = LLVM::UDivOp::create(rewriter, loc, number, stages);
    parity = thread.bitAnd(round, 1);
    oppositeParity = thread.bitXor(parity, thread.constant(1));
  }

  const RingPlace &place;
  Value tile, full, empty, parity, oppositeParity;
};

/// Who waits for the empty tile is who fills it: every thread that copies, or
/// the one that asks for a copy by tensor map.
struct Acquire : KernelPattern<pbsgpu::AcquireOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AcquireOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Visit visit(op, adaptor, kernel, rewriter);
    if (visit.place.filledBy) {
      // The phase before the first one counts as over.
      Signal empty = {visit.empty, visit.oppositeParity};
      auto copy = cast<pbsgpu::CopyTileOp>(*op->user_begin());
      kernel.arrival[copy] = visit.full;
      if (copiesByTensorMap(copy))
        kernel.empty[copy] = empty;
      else
        waitFor(rewriter, op.getLoc(), empty);
    }
    rewriter.replaceOp(op, visit.tile);
    return success();
  }
};

struct Await : KernelPattern<pbsgpu::AwaitOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AwaitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Visit visit(op, adaptor, kernel, rewriter);
    if (visit.place.filledBy) {
      for (Operation *user : op->getUsers())
        if (isa<pbsgpu::ReleaseOp>(user))
          kernel.arrival[user] = visit.empty;
      waitFor(rewriter, op.getLoc(), {visit.full, visit.parity});
    }
    rewriter.replaceOp(op, visit.tile);
    return success();
  }
};

/// One lane arrives for its warp, when all lanes have read.
struct Release : KernelPattern<pbsgpu::ReleaseOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::ReleaseOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (Value empty = kernel.arrival.lookup(op)) {
      Location loc = op.getLoc();
      ThreadBuilder thread(rewriter, loc, kernel);
      NVVM::SyncWarpOp::create(rewriter, loc, thread.constant(-1));
      emitOnFirst(rewriter, loc, thread.lane(),
                  [&] { arriveAt(rewriter, loc, empty); });
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

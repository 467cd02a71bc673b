// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the dialect can say but the instructions of these patterns cannot do.

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include "KernelInfo.h"
#include "Patterns.h"

using namespace mlir;

namespace pbs::nvvm {

static LogicalResult checkCopy(pbsgpu::CopyTileOp op, int64_t warps) {
  if (!isa<MemRefType>(op.getSource().getType()))
    return success(); // one thread asks for all of it
  int64_t columns = op.getTile().getType().getColumns();
  int64_t chunks = columns / chunkElements;
  if (llvm::isPowerOf2_64(chunks) && warps * pbsgpu::warpSize % chunks == 0)
    return success();
  return op.emitOpError("cannot copy rows of ")
         << columns << " elements with " << warps
         << " warps: a row must be a power of two of 16-byte chunks that "
            "divides the threads";
}

static LogicalResult checkMma(pbsgpu::MmaOp op) {
  int64_t columns = op.getType().getColumns();
  if (columns % (2 * pbsgpu::mmaColumns) == 0)
    return success();
  return op.emitOpError("needs a multiple of 16 columns, not ") << columns;
}

static LogicalResult checkMap(pbsgpu::MapOp op) {
  for (Operation &nested : op.getBody().front())
    if (nested.getNumRegions())
      return nested.emitOpError("has no instructions inside a pbsgpu.map");
  return success();
}

static LogicalResult checkAccumulator(Operation *op,
                                      pbsgpu::FragmentType type) {
  if (type.getLayout() == pbsgpu::FragmentLayout::Accumulator)
    return success();
  return op->emitOpError("has no instructions for an operand_a fragment");
}

static LogicalResult checkReduction(Operation *op, Type type,
                                    std::optional<gpu::AllReduceOperation> kind,
                                    bool isUniform) {
  if (!isUniform)
    return op->emitOpError("must be uniform: its instructions wait for all "
                           "threads that take part");
  using Kind = gpu::AllReduceOperation;
  bool isKnown =
      kind &&
      (type.isF32() ? llvm::is_contained(
                          {Kind::ADD, Kind::MINNUMF, Kind::MAXNUMF}, *kind)
                    : type.isInteger(32) &&
                          llvm::is_contained({Kind::ADD, Kind::MINSI,
                                              Kind::MAXSI, Kind::AND, Kind::OR},
                                             *kind));
  if (isKnown)
    return success();
  return op->emitOpError("has instructions for add, minnumf and maxnumf of f32 "
                         "and for add, minsi, maxsi, and, or of i32 only");
}

static LogicalResult checkAllocation(memref::AllocaOp op) {
  uint64_t alignment = op.getAlignment().value_or(1);
  if (!llvm::isPowerOf2_64(alignment) || alignment > tileAlignment)
    return op.emitOpError("alignment (")
           << alignment << ") must be a power of two up to " << tileAlignment;
  auto space =
      dyn_cast_or_null<gpu::AddressSpaceAttr>(op.getType().getMemorySpace());
  if (space && space.getValue() == gpu::AddressSpace::Workgroup &&
      op.getType().hasStaticShape() && op.getType().getLayout().isIdentity() &&
      op.getType().getElementType().isIntOrFloat())
    return success();
  return op.emitOpError("must be a contiguous memref of static shape in the "
                        "workgroup memory space");
}

LogicalResult checkLowered(ArrayRef<pbsgpu::KernelOp> kernels) {
  Operation *loop = nullptr, *structured = nullptr;
  for (pbsgpu::KernelOp kernel : kernels)
    kernel.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!loop && isa<pbsgpu::KeyLoopOp>(op))
        loop = op;
      if (!structured && isa_and_present<scf::SCFDialect>(op->getDialect()))
        structured = op;
    });
  // The location alone: an operation with regions would be printed whole.
  if (loop)
    return emitError(loop->getLoc(), "'")
           << loop->getName()
           << "' must be lowered before, with --pbsgpu-lower-key-loop and then "
              "--convert-scf-to-cf";
  if (structured)
    return emitError(structured->getLoc(), "'")
           << structured->getName()
           << "' must be lowered before, with --convert-scf-to-cf";
  return success();
}

LogicalResult checkKernel(pbsgpu::KernelOp kernel) {
  WalkResult result = kernel.walk([&](Operation *op) -> WalkResult {
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case([&](pbsgpu::CopyTileOp copy) {
          return checkCopy(copy, pbsgpu::RolesOp::countWarps(copy));
        })
        .Case([&](pbsgpu::MmaOp mma) { return checkMma(mma); })
        .Case([&](pbsgpu::MapOp map) {
          if (failed(checkAccumulator(map, map.getType())))
            return failure();
          return checkMap(map);
        })
        .Case([&](pbsgpu::SplatOp splat) {
          return checkAccumulator(splat, splat.getType());
        })
        .Case([&](pbsgpu::StoreFragmentOp store) {
          return checkAccumulator(store, store.getSource().getType());
        })
        .Case([&](gpu::AllReduceOp reduce) {
          return checkReduction(reduce, reduce.getType(), reduce.getOp(),
                                reduce.getUniform());
        })
        .Case([&](gpu::SubgroupReduceOp reduce) -> LogicalResult {
          if (reduce.getClusterSize())
            return reduce.emitOpError("has no instructions for a cluster");
          return checkReduction(reduce, reduce.getType(), reduce.getOp(),
                                reduce.getUniform());
        })
        .Case([&](memref::AllocaOp alloca) { return checkAllocation(alloca); })
        .Default([](Operation *) { return success(); });
  });
  return failure(result.wasInterrupted());
}

} // namespace pbs::nvvm

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies of whole tiles go through tensor maps.

#include "pbs/Dialect/PBSGPU/Transforms/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

#include "KernelParameters.h"
#include "pbs/Dialect/PBSGPU/IR/Launches.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbsgpu {
#define GEN_PASS_DEF_PBSGPUUSETENSORMAPS
#include "pbs/Dialect/PBSGPU/Transforms/Passes.h.inc"
} // namespace pbsgpu

using namespace mlir;
using namespace pbsgpu;

static remark::RemarkOpts describe(Operation *op, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbsgpu-use-tensor-maps")
      .function(op->getParentOfType<KernelOp>().getSymName());
}

/// Says why the copies into `ring` stay as they are.
static LogicalResult decline(AllocRingOp ring, StringRef reason) {
  remark::missed(ring.getLoc(), describe(ring, "NotMapped"))
      << remark::reason("{0}", reason);
  return failure();
}

namespace {
struct UseTensorMaps : pbsgpu::impl::PBSGPUUseTensorMapsBase<UseTensorMaps> {
  void runOnOperation() override;

private:
  using Launches = ArrayRef<LaunchOp>;
  FailureOr<SmallVector<CopyTileOp>> findCopies(AllocRingOp ring,
                                                Launches launches);
  BlockArgument getMap(KernelOp kernel, BlockArgument source, TileType tile,
                       Launches launches);

  /// The map of each source and form of tiles of the kernel worked on.
  llvm::MapVector<std::pair<Value, Type>, BlockArgument> maps;
};
} // namespace

/// The copies into tiles of `ring`, if maps can do all of them.
FailureOr<SmallVector<CopyTileOp>>
UseTensorMaps::findCopies(AllocRingOp ring, Launches launches) {
  SmallVector<CopyTileOp> copies;
  for (Operation *user : ring->getUsers()) {
    if (!isa<AcquireOp>(user))
      continue;
    auto copy = cast<CopyTileOp>(*user->user_begin());
    auto type = dyn_cast<MemRefType>(copy.getSource().getType());
    if (!type)
      return decline(ring, "its tiles are copied through a tensor map already");
    if (copy.getPermutation())
      return decline(ring, "a copy gathers rows, which tensor maps cannot");
    if (copy.getTile().getType().getRows() > maxBoxRows)
      return decline(ring, "a tile is too large for a tensor map");
    StringRef obstacle = findObstacleToMap(ring->getParentOfType<KernelOp>(),
                                           copy.getSource(), launches);
    if (!obstacle.empty())
      return decline(ring, obstacle);
    copies.push_back(copy);
  }
  return copies;
}

/// The parameter that is a map of `source`, new if there is none.
BlockArgument UseTensorMaps::getMap(KernelOp kernel, BlockArgument source,
                                    TileType tile, Launches launches) {
  BlockArgument &map = maps[{source, tile}];
  if (!map) {
    auto type = TensorMapType::get(
        kernel.getContext(), tile.getRows(), tile.getColumns(),
        tile.getElementType(), cast<MemRefType>(source.getType()).getRank());
    map = addTensorMap(kernel, source, type, launches);
  }
  return map;
}

void UseTensorMaps::runOnOperation() {
  FailureOr<pbs::Chip> chip = pbs::getChip(getOperation());
  if (failed(chip))
    return signalPassFailure();
  llvm::MapVector<Operation *, SmallVector<LaunchOp>> launches =
      findLaunches(getOperation());
  getOperation().walk([&](KernelOp kernel) {
    maps.clear();
    SmallVector<LaunchOp> ofKernel = launches.lookup(kernel);
    for (AllocRingOp ring : kernel.getBody().getOps<AllocRingOp>()) {
      if (!ring.hasSignals())
        continue;
      if (ScheduleAttr::isOff(kernel, "use-tensor-maps")) {
        (void)decline(ring, "the schedule turns the pass off");
        continue;
      }
      if (!chip->hasTensorMaps()) {
        (void)decline(ring, "the chip or the PTX version has no tensor maps");
        continue;
      }
      FailureOr<SmallVector<CopyTileOp>> copies = findCopies(ring, ofKernel);
      if (failed(copies))
        continue;
      for (CopyTileOp copy : *copies)
        copy.getSourceMutable().assign(
            getMap(kernel, cast<BlockArgument>(copy.getSource()),
                   copy.getTile().getType(), ofKernel));
      ring.setFilledBy(1);
      remark::passed(ring.getLoc(), describe(ring, "Mapped"))
          << remark::metric("Copies", copies->size());
    }
  });
}

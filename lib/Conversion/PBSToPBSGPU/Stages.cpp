// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every stage requires of the launcher.

#include "Stages.h"

#include <cmath>

using namespace mlir;
using namespace pbs;

/// CTAs of a grid in y and in z, at most (CUDA programming guide, "Compute
/// Capabilities").
static constexpr int64_t maxGridYZ = 65535;

static LogicalResult requireAtMost(Emitter &emitter, Operation *op,
                                   Extent extent, Value limit,
                                   const Twine &what) {
  Entry &entry = emitter.entry;
  return entry.require(emitter.plan, op, arith::CmpIPredicate::sle,
                       emitter.size(op->getLoc(), extent), limit,
                       entry.sizes.describe(extent) + " is at most " + what);
}

LogicalResult pbs::requireGrid(Emitter &emitter, Operation *op, Extent batch,
                               int64_t heads) {
  if (heads > maxGridYZ)
    return op->emitError("has ")
           << heads << " heads, but a grid at most " << maxGridYZ;
  return requireAtMost(emitter, op, batch,
                       emitter.constant(op->getLoc(), maxGridYZ),
                       Twine(maxGridYZ));
}

LogicalResult pbs::requireLengths(Emitter &emitter, Operation *op,
                                  Extent queryLength, Extent keyLength,
                                  int64_t keyBlock) {
  Location loc = op->getLoc();
  int64_t maxKeys = maxKeyBlocks * keyBlock;
  if (failed(requireAtMost(emitter, op, queryLength,
                           emitter.size(loc, keyLength),
                           emitter.entry.sizes.describe(keyLength))))
    return failure();
  return requireAtMost(emitter, op, keyLength, emitter.constant(loc, maxKeys),
                       Twine(maxKeys) + ", " + Twine(maxKeyBlocks) +
                           " key blocks");
}

LogicalResult pbs::requireScale(Operation *op, const APFloat &given) {
  double scale = given.convertToDouble();
  if (std::isnormal(static_cast<float>(scale)) &&
      std::isnormal(static_cast<float>(scale * llvm::numbers::log2e)))
    return success();
  return op->emitError("scale (")
         << scale
         << ") must be a normal number in f32, in which kernels compute, and "
            "so must its product with log2(e)";
}

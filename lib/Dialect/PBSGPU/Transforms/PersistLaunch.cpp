// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches of CTAs that compute one block after the other.

#include "PersistLaunch.h"

#include "KernelParameters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace pbsgpu;

/// The blocks of the last rows of the grid are taken in turn, longest first, so
/// that all CTAs end together: as many rows as give this many blocks for each
/// multiprocessor.
constexpr int64_t blocksTakenInTurn = 3;

/// A name that nothing in the plan has.
static std::string chooseName(PlanOp plan, StringRef name) {
  SmallVector<StringRef> taken;
  for (Operation &op : plan.getBody().front())
    if (auto named = op.getAttrOfType<StringAttr>("name"))
      taken.push_back(named.getValue());
  return pbsgpu::chooseName(taken, name);
}

static MemRefType getCounterType(MLIRContext *context) {
  return MemRefType::get({1}, IntegerType::get(context, 32));
}

/// Lets `launch` start as many CTAs as stay; returns the grid that it had.
static BlockGrid shrinkGrid(KernelOp kernel, LaunchOp launch) {
  ImplicitLocOpBuilder b(launch.getLoc(), launch);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  BlockGrid grid;
  grid.x = launch.getGridX();
  grid.y = launch.getGridY();
  grid.rows = b.createOrFold<arith::MulIOp>(grid.y, launch.getGridZ());
  Value count = b.createOrFold<arith::MulIOp>(grid.x, grid.rows);
  Value processors = MultiprocessorsOp::create(b, b.getIndexType());
  Value blocks =
      arith::MulIOp::create(b, processors, constant(blocksTakenInTurn));
  // A grid without blocks has no rows to divide by.
  Value blocksOfRow = arith::MaxSIOp::create(b, grid.x, constant(1));
  Value lastRows = arith::CeilDivSIOp::create(b, blocks, blocksOfRow);
  grid.rowsInTurn = arith::MinSIOp::create(b, lastRows, grid.rows);

  std::string name = chooseName(launch->getParentOfType<PlanOp>(),
                                (kernel.getSymName() + "_claimed").str());
  grid.counter =
      BufferOp::create(b, getCounterType(b.getContext()), name, ValueRange(),
                       ArrayRef<int64_t>{1}, /*alignment=*/4);
  MemsetOp::create(b, grid.counter, /*value=*/0, launch.getGuard());

  Value ctas = arith::MinSIOp::create(b, processors, count);
  launch.getGridXMutable().assign(ctas);
  launch.getGridYMutable().assign(constant(1));
  launch.getGridZMutable().assign(constant(1));
  return grid;
}

/// The constant that all `values` are, if they are one.
static std::optional<int64_t> findConstant(ArrayRef<Value> values) {
  std::optional<int64_t> found;
  for (Value value : values) {
    IntegerAttr constant;
    if (!matchPattern(value, m_Constant(&constant)) ||
        found.value_or(constant.getInt()) != constant.getInt())
      return {};
    found = constant.getInt();
  }
  return found;
}

/// An i32 of the kernel: a parameter, or a constant where all launches hand
/// over the same one.
static Value addExtent(KernelOp kernel, StringRef name,
                       ArrayRef<LaunchOp> launches, ArrayRef<Value> extents) {
  ImplicitLocOpBuilder b = ImplicitLocOpBuilder::atBlockBegin(
      kernel.getLoc(), &kernel.getBody().front());
  if (std::optional<int64_t> constant = findConstant(extents))
    return arith::ConstantIntOp::create(b, *constant, 32);
  Value extent =
      addParameter(kernel, name, b.getIndexType(), launches, extents);
  return arith::IndexCastOp::create(b, b.getI32Type(), extent);
}

BlockGrid pbsgpu::addGrid(KernelOp kernel, ArrayRef<LaunchOp> launches) {
  SmallVector<BlockGrid> inPlan;
  for (LaunchOp launch : launches)
    inPlan.push_back(shrinkGrid(kernel, launch));
  auto collect = [&](Value BlockGrid::*member) {
    return llvm::map_to_vector(
        inPlan, [&](const BlockGrid &grid) { return grid.*member; });
  };
  BlockGrid grid;
  grid.counter =
      addParameter(kernel, "claimed", getCounterType(kernel.getContext()),
                   launches, collect(&BlockGrid::counter));
  grid.x = addExtent(kernel, "grid_x", launches, collect(&BlockGrid::x));
  grid.y = addExtent(kernel, "grid_y", launches, collect(&BlockGrid::y));
  grid.rows =
      addExtent(kernel, "grid_rows", launches, collect(&BlockGrid::rows));
  grid.rowsInTurn = addExtent(kernel, "rows_in_turn", launches,
                              collect(&BlockGrid::rowsInTurn));
  return grid;
}

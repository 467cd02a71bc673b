// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Analysis/AttentionCost.h"

#include "OperationModels.h"
#include "pbs/Analysis/Schedule.h"

#include <cmath>

using namespace mlir;
using namespace pbs;

double pbs::expectDensity(AttentionOp attention, const Workload &workload,
                          double otherwise) {
  AttentionModel model = getAttentionModel(attention, workload);
  const BlockGeometry &geometry = model.geometry;
  Operation *source = attention.getSelection().getDefiningOp();
  double density = workload.density.value_or(otherwise);
  int64_t atMost = maxKeyBlocks, taken = maxKeyBlocks;
  if (isa_and_nonnull<FullSelectionOp>(source))
    density = 1;
  if (auto op = dyn_cast_or_null<SelectionFromMaskOp>(source))
    atMost = toInteger(op.getCapacity()).value_or(maxKeyBlocks);
  if (auto op = dyn_cast_or_null<SelectOp>(source)) {
    atMost = toInteger(op.getCapacity()).value_or(maxKeyBlocks);
    SelectionCut cut = op.getRule().getCut();
    if (op.getRule().takesAll(maxKeyBlocks))
      density = 1;
    else if (cut.kind == SelectionCut::Kind::Count)
      taken = static_cast<int64_t>(std::ceil(std::max(0.0, cut.target)));
  }
  double listed = 0, all = 0;
  for (int64_t row = 0; row < geometry.queryBlocks(); ++row) {
    // Own segments and the block of token 0 come beside what a rule takes.
    int64_t forced =
        geometry.endOfOwnBlocks(row) - geometry.firstOwnBlock(row) + 1;
    auto bound = static_cast<double>(
        std::min({atMost, taken + forced, geometry.withinWindow(row)}));
    auto reach = static_cast<double>(geometry.reach(row));
    listed += std::min(density * reach, bound);
    all += reach;
  }
  return listed / all;
}

StrategyCost pbs::getStrategyCost(AttentionOp attention,
                                  FusionStrategy strategy,
                                  const Workload &workload, const Chip &chip) {
  AttentionModel model = getAttentionModel(attention, workload);
  const Machine &machine = getMachine(chip);
  Rows source = model.key;
  if (auto permute = attention.getKey().getDefiningOp<PermuteOp>()) {
    source = getRows(permute.getSource(), workload.batch, workload.keyLength);
    model.permutationHeads = permute.getPermutation().getType().getHeads();
  }
  model.gathers = strategy == FusionStrategy::Gather;
  model.key.heads = model.gathers ? source.heads : model.permutationHeads;
  KernelTraffic kernel = model.compute(*workload.density, workload.maskedShare,
                                       getSchedule(attention, chip), machine);
  StrategyCost cost{kernel.getBytes(), kernel.gathered, *kernel.seconds};
  if (!model.gathers) {
    int64_t copies = attention.getKey() == attention.getValue() ? 1 : 2;
    KernelTraffic permute =
        modelPermute(source, model.permutationHeads, copies, machine);
    cost.bytes += permute.getBytes();
    cost.gathered += permute.gathered;
    cost.seconds += *permute.seconds;
  }
  return cost;
}

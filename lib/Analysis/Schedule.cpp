// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Analysis/Schedule.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace pbs;
using pbsgpu::ScheduleAttr;

//===----------------------------------------------------------------------===//
// What people say
//===----------------------------------------------------------------------===//

namespace {
/// A number of the schedule that an override may set.
struct NumberKey {
  StringLiteral name;
  StringLiteral description;
  std::optional<int64_t> ScheduleOverrides::*value;
};
} // namespace

static constexpr NumberKey numberKeys[] = {
    {"key-tile", "keys that a CTA computes at once: 16, 32, 64 or 128",
     &ScheduleOverrides::keyTile},
    {"warps", "warps of a CTA: 1, 2, 4, 8 or 12", &ScheduleOverrides::warps},
    {"stages", "tiles of keys in shared memory, 1 to 8",
     &ScheduleOverrides::stages},
};

static std::string writeScheduleHelp() {
  std::string text = "Overrule how attention is cut, and turn optional passes "
                     "off (default: what suits the GPU):";
  for (const NumberKey &key : numberKeys)
    text += ("\n" + key.name + "=N: " + key.description).str();
  for (StringRef pass : ScheduleAttr::getOptionalPasses())
    text += ("\n" + pass + "=on|off: whether --pbsgpu-" + pass + " runs").str();
  return text;
}

StringRef pbs::getScheduleHelp() {
  static const std::string text = writeScheduleHelp();
  return text;
}

FailureOr<ScheduleOverrides>
pbs::parseSchedule(StringRef text,
                   llvm::function_ref<InFlightDiagnostic()> emitError) {
  ScheduleOverrides overrides;
  SmallVector<StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/false);
  llvm::SmallDenseSet<StringRef> seen;
  for (StringRef part : parts) {
    std::pair<StringRef, StringRef> split = part.split('=');
    StringRef key = split.first, value = split.second;
    if (!seen.insert(key).second)
      return emitError() << "schedule '" << text << "': " << key
                         << " stands twice";
    const auto *number = llvm::find_if(
        numberKeys, [&](const NumberKey &known) { return known.name == key; });
    if (number != std::end(numberKeys)) {
      int64_t parsed;
      if (value.getAsInteger(10, parsed))
        return emitError() << "schedule '" << text << "': " << key
                           << " needs a number, not '" << value << "'";
      overrides.*(number->value) = parsed;
      continue;
    }
    ArrayRef<StringLiteral> passes = ScheduleAttr::getOptionalPasses();
    const auto *pass = llvm::find(passes, key);
    if (pass == passes.end()) {
      InFlightDiagnostic diagnostic = emitError()
                                      << "schedule '" << text << "': '" << key
                                      << "' is none of ";
      for (const NumberKey &known : numberKeys)
        diagnostic << known.name << ", ";
      llvm::interleaveComma(passes, diagnostic);
      return diagnostic;
    }
    if (value != "on" && value != "off")
      return emitError() << "schedule '" << text << "': " << key
                         << " needs on or off, not '" << value << "'";
    overrides.passes.push_back({*pass, value == "on"});
  }
  return overrides;
}

FailureOr<ScheduleAttr> ScheduleOverrides::apply(
    ScheduleAttr schedule,
    llvm::function_ref<InFlightDiagnostic()> emitError) const {
  Builder builder(schedule.getContext());
  SmallVector<StringRef> off;
  for (StringRef pass : ScheduleAttr::getOptionalPasses()) {
    bool isOff = schedule.isOff(pass);
    for (auto [name, runs] : passes)
      if (name == pass)
        isOff = !runs;
    if (isOff)
      off.push_back(pass);
  }
  auto applied = ScheduleAttr::getChecked(
      emitError, schedule.getContext(), keyTile.value_or(schedule.getKeyTile()),
      warps.value_or(schedule.getWarps()),
      stages.value_or(schedule.getStages()),
      off.empty() ? ArrayAttr() : builder.getStrArrayAttr(off));
  if (!applied)
    return failure();
  return applied;
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// Why attention so cut has no kernel of the chip's own.
static StringRef findReason(AttentionOp op, int64_t warps, const Chip &chip) {
  if (!chip.hasSignals())
    return "the chip has no signals";
  if (!chip.hasWarpGroups())
    return "the chip has no products of warp groups";
  if (warps % pbsgpu::warpsOfGroup != 0)
    return "the warps are no groups of four";
  if (op.getSelection().getType().getQueryBlock() != pbsgpu::mmaRows * warps)
    return "a warp has more than 16 rows";
  return "";
}

ScheduleResources pbs::getResources(AttentionOp op, int64_t keyTile,
                                    int64_t warps, int64_t stages,
                                    const Chip &chip) {
  RankedTensorType query = op.getQuery().getType();
  int64_t queryBlock = op.getSelection().getType().getQueryBlock();
  int64_t headDim = query.getDimSize(3);
  int64_t elementBytes = query.getElementTypeBitWidth() / 8;
  int64_t threads = warps * pbsgpu::warpSize;
  int64_t scores = queryBlock * keyTile / threads;
  // Addresses, the row's maximum and sum, parts of tiles as operands, and what
  // the scheduler holds. Fewer where the tensor cores read queries, keys and
  // values in shared memory themselves, and only another role knows addresses.
  int64_t others = findReason(op, warps, chip).empty()
                       ? pbsgpu::RolesOp::registersBesideFragments
                       : 64;
  return {(queryBlock + 2 * stages * keyTile) * headDim * elementBytes,
          queryBlock * headDim / threads + scores + scores / 2 + others};
}

StringRef pbs::findReasonForPortable(AttentionOp op, ScheduleAttr schedule,
                                     const Chip &chip) {
  return findReason(op, schedule.getWarps(), chip);
}

ScheduleAttr pbs::preferPortable(AttentionOp op, ScheduleAttr schedule,
                                 const Chip &chip) {
  if (!chip.hasSignals() || findReasonForPortable(op, schedule, chip).empty())
    return schedule;
  // The passes behind this one leave alone what has no signals.
  SmallVector<StringRef> off;
  for (StringRef pass : ScheduleAttr::getOptionalPasses())
    if (schedule.isOff(pass) || pass == "signal-copies")
      off.push_back(pass);
  return ScheduleAttr::get(op.getContext(), schedule.getKeyTile(),
                           schedule.getWarps(), schedule.getStages(),
                           Builder(op.getContext()).getStrArrayAttr(off));
}

ScheduleAttr pbs::getSchedule(AttentionOp op, const Chip &chip) {
  if (auto given = op->getAttrOfType<ScheduleAttr>(ScheduleAttr::getAttrName()))
    return given;
  SelectionType selection = op.getSelection().getType();
  constexpr int64_t stages = 2;
  // Each warp has as many steps of the matrix instructions, at least one.
  int64_t warps = 1;
  for (int64_t count : ScheduleAttr::getPossibleWarps())
    if (selection.getQueryBlock() % (count * pbsgpu::mmaRows) == 0)
      warps = count;
  // Whether attention gathers may be decided later; it gets the same key tile.
  int64_t registersOfThread = pbsgpu::RolesOp::getRegistersAtStart(warps);
  if (findReason(op, warps, chip).empty())
    registersOfThread = pbsgpu::RolesOp::getRegistersLeft(
        warps, {{pbsgpu::warpsOfGroup, pbsgpu::RolesOp::getRegistersOfProducer(
                                           warps, /*gathers=*/false)}});
  // A tile lies in one key block.
  int64_t keyTile = std::min<int64_t>(128, selection.getKeyBlock());
  auto fits = [&] {
    ScheduleResources needed = getResources(op, keyTile, warps, stages, chip);
    return needed.sharedBytes <= chip.sharedBytes &&
           needed.registers <= registersOfThread;
  };
  while (keyTile > 16 && !fits())
    keyTile /= 2;
  return preferPortable(
      op,
      ScheduleAttr::get(op.getContext(), keyTile, warps, stages, ArrayAttr()),
      chip);
}

LogicalResult pbs::verifySchedule(AttentionOp op, ScheduleAttr schedule) {
  SelectionType selection = op.getSelection().getType();
  if (selection.getKeyBlock() % schedule.getKeyTile() != 0)
    return emitError(op.getLoc(), "schedule's key_tile (")
           << schedule.getKeyTile() << ") does not divide key blocks of "
           << selection.getKeyBlock();
  if (selection.getQueryBlock() % (pbsgpu::mmaRows * schedule.getWarps()) != 0)
    return emitError(op.getLoc(), "schedule's warps (")
           << schedule.getWarps() << ") have no 16 rows each of the "
           << selection.getQueryBlock() << " of a query block";
  return success();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Sizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

using namespace mlir;
using namespace pbs;

Extent Sizes::add(int64_t size) {
  Extent extent = sizes.size();
  sizes.push_back({extent, size, "", {}});
  return extent;
}

Extent Sizes::find(Extent extent) const {
  while (sizes[extent].parent != extent)
    extent = sizes[extent].parent;
  return extent;
}

LogicalResult Sizes::join(Extent a, Extent b) {
  a = find(a);
  b = find(b);
  if (a == b)
    return success();
  Size &first = sizes[std::min(a, b)], &second = sizes[std::max(a, b)];
  if (ShapedType::isDynamic(first.value))
    first.value = second.value;
  else if (!ShapedType::isDynamic(second.value) && first.value != second.value)
    return failure();
  if (first.name.empty())
    first.name = second.name;
  second.parent = first.parent;
  return success();
}

void Sizes::setBlocks(Extent count, Extent length, int64_t block) {
  blocks.push_back({count, length, block});
}

Extent Sizes::addLimited(Extent other, int64_t limit) {
  Extent extent = add(ShapedType::kDynamic);
  limited.push_back({extent, other, limit});
  return extent;
}

void Sizes::suggestName(Extent extent, StringRef name) {
  Size &size = sizes[find(extent)];
  if (size.name.empty())
    size.name = name;
}

int64_t Sizes::getStatic(Extent extent) const {
  return sizes[find(extent)].value;
}

std::string Sizes::resolve() {
  SmallVector<Extent> defined;
  for (Blocks &entry : blocks) {
    entry.blocks = find(entry.blocks);
    entry.length = find(entry.length);
    Size &count = sizes[entry.blocks];
    int64_t length = sizes[entry.length].value;
    if (!ShapedType::isDynamic(length)) {
      int64_t expected = llvm::divideCeil(static_cast<uint64_t>(length),
                                          static_cast<uint64_t>(entry.block));
      if (ShapedType::isDynamic(count.value))
        count.value = expected;
      else if (count.value != expected)
        return std::to_string(count.value) + " blocks of " +
               std::to_string(entry.block) + " rows where " +
               std::to_string(length) + " rows have " +
               std::to_string(expected);
    } else if (ShapedType::isDynamic(count.value) &&
               !llvm::is_contained(defined, entry.blocks)) {
      entry.defines = true;
      defined.push_back(entry.blocks);
    }
  }
  for (const Limited &entry : limited) {
    int64_t other = getStatic(entry.other);
    int64_t &value = sizes[find(entry.extent)].value;
    if (!ShapedType::isDynamic(other) && ShapedType::isDynamic(value))
      value = std::min(other, entry.limit);
  }
  for (Extent extent = 0; extent < sizes.size(); ++extent)
    if (std::string cycle = describeCycle(extent); !cycle.empty())
      return "a size that depends on itself: " + cycle;
  return {};
}

std::optional<Sizes::Formula> Sizes::getFormula(Extent extent) const {
  extent = find(extent);
  if (!ShapedType::isDynamic(sizes[extent].value))
    return std::nullopt;
  for (const Blocks &entry : blocks)
    if (entry.defines && entry.blocks == extent)
      return Formula{Formula::CeilDiv, entry.length, entry.block};
  for (const Limited &entry : limited)
    if (find(entry.extent) == extent)
      return Formula{Formula::Min, find(entry.other), entry.limit};
  return std::nullopt;
}

std::string Sizes::describeCycle(Extent start) {
  start = find(start);
  std::string text;
  Extent extent = start;
  for (size_t steps = 0; steps < sizes.size(); ++steps) {
    std::optional<Formula> formula = getFormula(extent);
    if (!formula)
      return {};
    std::string constant = std::to_string(formula->constant);
    text +=
        (steps == 0 ? "" : ", ") + describe(extent) +
        (formula->kind == Formula::CeilDiv
             ? " is " + describe(formula->source) + " / " + constant +
                   " rounded up"
             : " is at most " + describe(formula->source) + " and " + constant);
    extent = formula->source;
    if (extent == start)
      return text;
  }
  return {}; // it leads to a cycle that another size is part of
}

StringRef Sizes::getName(Extent extent) {
  Size &size = sizes[find(extent)];
  // Several sizes may have been suggested the same name.
  if (!size.materialized && !names.insert(size.name).second) {
    unsigned number = 1;
    while (!names.insert(size.name + std::to_string(number)).second)
      ++number;
    size.name += std::to_string(number);
  }
  return size.name;
}

Value Sizes::materialize(OpBuilder &builder, Location loc, Extent extent) {
  extent = find(extent);
  if (Value value = sizes[extent].materialized)
    return value;
  Value value;
  if (int64_t known = sizes[extent].value; !ShapedType::isDynamic(known)) {
    value = arith::ConstantIndexOp::create(builder, loc, known);
  } else if (std::optional<Formula> formula = getFormula(extent)) {
    Value source = materialize(builder, loc, formula->source);
    Value constant =
        arith::ConstantIndexOp::create(builder, loc, formula->constant);
    if (formula->kind == Formula::CeilDiv)
      value = arith::CeilDivSIOp::create(builder, loc, source, constant);
    else
      value = arith::MinSIOp::create(builder, loc, source, constant);
  } else {
    value = pbsgpu::SizeOp::create(builder, loc, builder.getIndexType(),
                                   getName(extent));
  }
  return sizes[extent].materialized = value;
}

Attribute Sizes::getAttribute(Builder &builder, Extent extent) {
  extent = find(extent);
  if (int64_t known = sizes[extent].value; !ShapedType::isDynamic(known))
    return builder.getI64IntegerAttr(known);
  auto size = sizes[extent].materialized.getDefiningOp<pbsgpu::SizeOp>();
  return builder.getStringAttr(size.getName());
}

std::string Sizes::describe(Extent extent) {
  const Size &size = sizes[find(extent)];
  return ShapedType::isDynamic(size.value) ? size.name
                                           : std::to_string(size.value);
}

void Sizes::emitRequirements(OpBuilder &builder, Location loc) {
  SmallVector<Blocks> stated;
  for (const Blocks &entry : blocks) {
    bool isStated = llvm::any_of(stated, [&](const Blocks &other) {
      return other.blocks == entry.blocks && other.length == entry.length &&
             other.block == entry.block;
    });
    if (isStated || !ShapedType::isDynamic(sizes[entry.length].value))
      continue;
    stated.push_back(entry);
    if (entry.defines)
      continue;
    Value length = materialize(builder, loc, entry.length);
    Value block = arith::ConstantIndexOp::create(builder, loc, entry.block);
    Value expected = arith::CeilDivSIOp::create(builder, loc, length, block);
    Value count = materialize(builder, loc, entry.blocks);
    Value condition = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::eq, count, expected);
    pbsgpu::RequireOp::create(builder, loc, condition,
                              describe(entry.blocks) + " is " +
                                  describe(entry.length) + " / " +
                                  std::to_string(entry.block) + " rounded up");
  }
}

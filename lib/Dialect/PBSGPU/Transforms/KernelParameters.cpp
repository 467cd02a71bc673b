// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KernelParameters.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace pbsgpu;

std::string pbsgpu::chooseName(ArrayRef<StringRef> taken, StringRef name) {
  std::string result = name.str();
  for (unsigned number = 1; llvm::is_contained(taken, result); ++number)
    result = name.str() + std::to_string(number);
  return result;
}

BlockArgument pbsgpu::addParameter(KernelOp kernel, StringRef name, Type type,
                                   ArrayRef<LaunchOp> launches,
                                   ArrayRef<Value> values) {
  constexpr StringLiteral nameAttribute = "pbs.name";
  SmallVector<StringRef> taken;
  unsigned index = kernel.getNumArguments();
  for (unsigned i = 0; i < index; ++i)
    if (auto named = kernel.getArgAttrOfType<StringAttr>(i, nameAttribute))
      taken.push_back(named.getValue());
  Builder b(kernel.getContext());
  (void)kernel.insertArgument(
      index, type,
      b.getDictionaryAttr(b.getNamedAttr(
          nameAttribute, b.getStringAttr(chooseName(taken, name)))),
      kernel.getLoc());
  for (auto [launch, value] : llvm::zip_equal(launches, values))
    LaunchOp(launch).getParametersMutable().append(value);
  return kernel.getArgument(index);
}

/// Whether a plan can make a tensor map of what it hands over.
static bool canBeMapped(Value handed) {
  Operation *memory = handed.getDefiningOp();
  uint64_t alignment = 0;
  if (auto argument = dyn_cast_or_null<ArgumentOp>(memory))
    alignment = argument.getAlignment();
  else if (auto buffer = dyn_cast_or_null<BufferOp>(memory))
    alignment = buffer.getAlignment();
  return alignment >= static_cast<uint64_t>(tensorMapAlignment);
}

StringRef pbsgpu::findObstacleToMap(KernelOp kernel, Value memory,
                                    ArrayRef<LaunchOp> launches) {
  auto parameter = dyn_cast<BlockArgument>(memory);
  if (!parameter || parameter.getOwner() != &kernel.getBody().front())
    return "its memory is no parameter of the kernel";
  constexpr int64_t maxDimensions = 5;
  if (cast<MemRefType>(parameter.getType()).getRank() > maxDimensions)
    return "its memory has more dimensions than a tensor map";
  for (LaunchOp launch : launches)
    if (!canBeMapped(
            LaunchOp(launch).getParameters()[parameter.getArgNumber()]))
      return "a launch hands over memory that is aligned to less than 16 bytes";
  return "";
}

BlockArgument pbsgpu::addTensorMap(KernelOp kernel, BlockArgument memory,
                                   TensorMapType type,
                                   ArrayRef<LaunchOp> launches) {
  unsigned index = memory.getArgNumber();
  auto name = kernel.getArgAttrOfType<StringAttr>(index, "pbs.name");
  SmallVector<Value> maps;
  for (LaunchOp launch : launches) {
    ImplicitLocOpBuilder plan(launch.getLoc(), launch);
    maps.push_back(
        TensorMapOp::create(plan, type, launch.getParameters()[index]));
  }
  return addParameter(
      kernel, (name ? name.getValue() : StringRef("source")).str() + "_map",
      type, launches, maps);
}

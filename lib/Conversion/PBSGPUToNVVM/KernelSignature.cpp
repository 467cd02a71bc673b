// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel as a function, and its launches: parameters are expanded here, in
// one order for both.

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "KernelInfo.h"
#include "Patterns.h"

using namespace mlir;

namespace pbs::nvvm {

bool passesStrides(MemRefType type) { return !type.getLayout().isIdentity(); }

static SmallVector<int64_t> getStrides(MemRefType type) {
  return type.getStridesAndOffset().first;
}

static bool isOnlyRead(Value memref) {
  return llvm::all_of(memref.getUsers(), [](Operation *user) {
    return isa<pbsgpu::CopyTileOp, memref::LoadOp, vector::LoadOp,
               memref::DimOp, memref::ExtractStridedMetadataOp>(user);
  });
}

/// Appends the types that a parameter expands to.
static LogicalResult appendTypes(pbsgpu::KernelOp kernel, Type type,
                                 const LLVMTypeConverter &converter,
                                 SmallVectorImpl<Type> &types) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref) {
    types.push_back(converter.convertType(type));
    return success();
  }
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(memref.getStridesAndOffset(strides, offset)) || offset != 0)
    return kernel.emitOpError("parameter of type ")
           << type << " must have a strided layout with offset 0";
  types.push_back(LLVM::LLVMPointerType::get(kernel.getContext(), globalSpace));
  int64_t numValues = memref.getNumDynamicDims();
  if (passesStrides(memref))
    numValues += llvm::count_if(strides, ShapedType::isDynamic);
  types.append(numValues, converter.getIndexType());
  return success();
}

/// Puts the expanded arguments of a memref back together.
static Value buildDescriptor(OpBuilder &builder, Location loc,
                             MemRefType memref,
                             const LLVMTypeConverter &converter,
                             ArrayRef<BlockArgument> arguments) {
  Value pointer = LLVM::AddrSpaceCastOp::create(
      builder, loc, LLVM::LLVMPointerType::get(builder.getContext()),
      arguments.front());
  arguments = arguments.drop_front();
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc,
                                    builder.getI64IntegerAttr(value));
  };
  auto next = [&]() -> Value {
    Value value = arguments.front();
    arguments = arguments.drop_front();
    return value;
  };

  int64_t rank = memref.getRank();
  SmallVector<Value> sizes, strides(rank);
  for (int64_t size : memref.getShape())
    sizes.push_back(ShapedType::isDynamic(size) ? next() : constant(size));
  if (passesStrides(memref)) {
    for (auto [i, stride] : llvm::enumerate(getStrides(memref)))
      strides[i] = ShapedType::isDynamic(stride) ? next() : constant(stride);
  } else {
    Value stride = constant(1);
    for (int64_t i = rank - 1; i >= 0; --i) {
      strides[i] = stride;
      if (i > 0)
        stride = LLVM::MulOp::create(builder, loc, stride, sizes[i]);
    }
  }

  SmallVector<Value> fields = {pointer, pointer, constant(0)};
  llvm::append_range(fields, sizes);
  llvm::append_range(fields, strides);
  return MemRefDescriptor::pack(builder, loc, converter, memref, fields);
}

FailureOr<LLVM::LLVMFuncOp>
lowerKernelSignature(pbsgpu::KernelOp kernel,
                     const LLVMTypeConverter &converter,
                     ArrayRef<int64_t> alignments) {
  MLIRContext *context = kernel.getContext();
  SmallVector<Type> types;
  SmallVector<std::pair<size_t, size_t>> ranges;
  for (Type type : kernel.getArgumentTypes()) {
    size_t first = types.size();
    if (failed(appendTypes(kernel, type, converter, types)))
      return failure();
    ranges.push_back({first, types.size() - first});
  }

  OpBuilder builder(kernel);
  auto function = LLVM::LLVMFuncOp::create(
      builder, kernel.getLoc(), kernel.getSymName(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types));
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    builder.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(),
                    builder.getDenseI32ArrayAttr(
                        {int32_t(kernel.getWarps() * pbsgpu::warpSize)}));
  StringRef schedule = pbsgpu::ScheduleAttr::getAttrName();
  if (Attribute kept = kernel->getAttr(schedule))
    function->setAttr(schedule, kept);
  // Subnormals become zero (.ftz), as softmax needs no others: the hot loop is
  // a third shorter.
  function.setDenormalFpMathF32("preserve-sign,preserve-sign");

  for (auto [i, argument] : llvm::enumerate(kernel.getArguments())) {
    unsigned position = ranges[i].first;
    auto set = [&](StringRef name, Attribute value) {
      function.setArgAttr(position, name, value);
    };
    if (isa<pbsgpu::TensorMapType>(argument.getType())) {
      set(LLVM::LLVMDialect::getByValAttrName(),
          TypeAttr::get(
              LLVM::LLVMArrayType::get(builder.getI8Type(), tensorMapBytes)));
      set(LLVM::LLVMDialect::getAlignAttrName(),
          builder.getI64IntegerAttr(tensorMapParameterAlignment));
      // Without it every thread would copy the map to its local memory, where
      // TMA does not find it.
      set(NVVM::NVVMDialect::getGridConstantAttrName(), builder.getUnitAttr());
    }
    if (!isa<MemRefType>(argument.getType()))
      continue;
    // Outputs overlap nothing; inputs that overlap each other are only read.
    set(LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
    if (isOnlyRead(argument))
      set(LLVM::LLVMDialect::getReadonlyAttrName(), builder.getUnitAttr());
    if (alignments[i] > 0)
      set(LLVM::LLVMDialect::getAlignAttrName(),
          builder.getI64IntegerAttr(alignments[i]));
  }

  function.getBody().takeBody(kernel.getBody());
  Block &entry = function.getBody().front();
  unsigned numOld = entry.getNumArguments();
  SmallVector<Location> locations(types.size(), kernel.getLoc());
  entry.addArguments(types, locations);
  builder.setInsertionPointToStart(&entry);
  for (unsigned i = 0; i < numOld; ++i) {
    BlockArgument old = entry.getArgument(i);
    auto [first, count] = ranges[i];
    auto expanded = entry.getArguments().drop_front(numOld).slice(first, count);
    Value replacement = expanded.front();
    if (auto memref = dyn_cast<MemRefType>(old.getType()))
      replacement = buildDescriptor(builder, old.getLoc(), memref, converter,
                                    SmallVector<BlockArgument>(expanded));
    if (replacement.getType() != old.getType())
      replacement = UnrealizedConversionCastOp::create(
                        builder, old.getLoc(), old.getType(), replacement)
                        .getResult(0);
    old.replaceAllUsesWith(replacement);
  }
  entry.eraseArguments(0, numOld);
  kernel.erase();
  return function;
}

/// The extent of a dimension, as directly as the plan says it.
static Value getExtent(OpBuilder &builder, Location loc, Value memref,
                       int64_t dimension) {
  auto find = [&](auto op) -> Value {
    ArrayRef<int64_t> shape = op.getStaticShape();
    if (!ShapedType::isDynamic(shape[dimension]))
      return arith::ConstantIndexOp::create(builder, loc, shape[dimension]);
    return op.getDynamicShape()[llvm::count_if(shape.take_front(dimension),
                                               ShapedType::isDynamic)];
  };
  if (auto argument = memref.getDefiningOp<pbsgpu::ArgumentOp>())
    return find(argument);
  if (auto buffer = memref.getDefiningOp<pbsgpu::BufferOp>())
    return find(buffer);
  return memref::DimOp::create(builder, loc, memref, dimension);
}

void expandLaunch(pbsgpu::LaunchOp launch, int64_t sharedBytes) {
  OpBuilder builder(launch);
  Location loc = launch.getLoc();
  SmallVector<Value> expanded;
  for (Value parameter : launch.getParameters()) {
    expanded.push_back(parameter);
    auto memref = dyn_cast<MemRefType>(parameter.getType());
    if (!memref)
      continue;
    for (int64_t i = 0; i < memref.getRank(); ++i)
      if (memref.isDynamicDim(i))
        expanded.push_back(getExtent(builder, loc, parameter, i));
    if (!passesStrides(memref))
      continue;
    SmallVector<int64_t> strides = getStrides(memref);
    if (llvm::none_of(strides, ShapedType::isDynamic))
      continue;
    auto metadata =
        memref::ExtractStridedMetadataOp::create(builder, loc, parameter);
    for (auto [i, stride] : llvm::enumerate(strides))
      if (ShapedType::isDynamic(stride))
        expanded.push_back(metadata.getStrides()[i]);
  }
  launch.getParametersMutable().assign(expanded);
  launch.setSharedBytes(sharedBytes);
}

} // namespace pbs::nvvm

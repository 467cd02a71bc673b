// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the host does: verifiers of the launch plan. The constraints that the
// diagnostics cite are those of docs/spec-pbsgpu.md.

#include "pbs/Dialect/PBSGPU/IR/Launches.h"
#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace pbsgpu;

//===----------------------------------------------------------------------===//
// Plan
//===----------------------------------------------------------------------===//

/// Whether the plan's file can express `op`.
static bool isPlanOp(Operation *op) {
  if (isa_and_present<PBSGPUDialect>(op->getDialect()))
    return op->hasTrait<OpTrait::HasParent<PlanOp>::Impl>();
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    return compare.getPredicate() <= arith::CmpIPredicate::sge;
  return isa<arith::ConstantOp, arith::AddIOp, arith::SubIOp, arith::MulIOp,
             arith::FloorDivSIOp, arith::CeilDivSIOp, arith::MinSIOp,
             arith::MaxSIOp, arith::AndIOp, arith::OrIOp, arith::SelectOp,
             memref::DimOp, memref::ExtractStridedMetadataOp>(op);
}

LogicalResult PlanOp::verifyRegions() {
  llvm::StringSet<> sizes, memories;
  bool hasOutputs = false;
  for (Operation &op : getBody().front()) {
    if (!isPlanOp(&op))
      return op.emitOpError(
          "plan_c1: cannot stand in a plan: its file cannot express it");
    // A constant may also be a kernel's parameter.
    for (Type type : op.getResultTypes())
      if (!type.isIndex() && !type.isSignlessInteger(1) &&
          !isa<MemRefType>(type) && !isa<arith::ConstantOp, TensorMapOp>(op))
        return op.emitOpError(
                   "plan_c2: cannot stand in a plan: it computes with index "
                   "and i1, not with ")
               << type;
    if (auto size = dyn_cast<SizeOp>(op)) {
      if (size.getName() == "multiprocessors")
        return size.emitOpError(
            "size_c2: name 'multiprocessors' is taken by the format");
      if (!sizes.insert(size.getName()).second)
        return size.emitOpError("size_c3: a size \"")
               << size.getName() << "\" exists already";
    }
    StringRef memory;
    if (auto argument = dyn_cast<ArgumentOp>(op)) {
      memory = argument.getName();
      if (argument.getRole() == Role::Output)
        hasOutputs = true;
      else if (hasOutputs)
        return argument.emitOpError(
            "plan_c3: an input must stand before the outputs");
    } else if (auto buffer = dyn_cast<BufferOp>(op)) {
      memory = buffer.getName();
    }
    if (!memory.empty() && !memories.insert(memory).second)
      return op.emitOpError("plan_c4: an argument or buffer \"")
             << memory << "\" exists already";
  }
  // A size that no argument's shape names would have no value.
  for (auto size : getBody().getOps<SizeOp>())
    if (llvm::none_of(size->getUsers(),
                      [](Operation *user) { return isa<ArgumentOp>(user); }))
      return size.emitOpError("size_c4: size \"")
             << size.getName() << "\" is not bound by an argument's shape";
  return success();
}

static LogicalResult verifyPlanName(Operation *op, StringRef constraint,
                                    StringRef name) {
  if (name.empty())
    return op->emitOpError(constraint) << ": name must not be empty";
  return success();
}

void SizeOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), getName());
}

LogicalResult SizeOp::verify() {
  return verifyPlanName(*this, "size_c1", getName());
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Verifies what arguments and buffers share; `constraints` are the names of
/// that, in order.
template <typename OpTy>
static LogicalResult verifyMemory(OpTy op,
                                  ArrayRef<StringLiteral> constraints) {
  auto type = cast<MemRefType>(op.getType());
  if (failed(verifyPlanName(op, constraints[0], op.getName())))
    return failure();
  Type element = type.getElementType();
  if (!element.isBF16() && !element.isF16() && !element.isF32() &&
      !element.isSignlessInteger(32) && !element.isSignlessInteger(16) &&
      !element.isSignlessInteger(1))
    return op.emitOpError(constraints[1])
           << ": elements must be bf16, f16, f32, i32, i16 or i1, not "
           << element;
  ArrayRef<int64_t> shape = op.getStaticShape();
  if (static_cast<int64_t>(shape.size()) != type.getRank())
    return op.emitOpError(constraints[2])
           << ": has a shape of " << shape.size() << " dimensions for " << type;
  if (llvm::count(shape, ShapedType::kDynamic) !=
      static_cast<int64_t>(op.getDynamicShape().size()))
    return op.emitOpError(constraints[3])
           << ": needs an operand for each dynamic extent";
  for (auto [given, typed] : llvm::zip_equal(shape, type.getShape())) {
    if (!ShapedType::isDynamic(given) && given < 1)
      return op.emitOpError(constraints[4])
             << ": extents must be at least 1, not " << given;
    if (given != typed)
      return op.emitOpError(constraints[5])
             << ": shape does not agree with " << type
             << ": extents must be static where the type's are";
  }
  int64_t alignment = static_cast<int64_t>(op.getAlignment());
  if (alignment < 1 || !llvm::isPowerOf2_64(alignment))
    return op.emitOpError(constraints[6])
           << ": alignment (" << alignment << ") must be a power of two";
  return success();
}

void ArgumentOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), getName());
}

LogicalResult ArgumentOp::verify() {
  static constexpr StringLiteral constraints[] = {
      "argument_c1", "argument_c2", "argument_c3", "argument_c4",
      "argument_c5", "argument_c6", "argument_c7"};
  if (failed(verifyMemory(*this, constraints)))
    return failure();
  auto type = cast<MemRefType>(getType());
  if (type.getLayout().isIdentity())
    return success();
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || offset != 0 ||
      strides.back() != 1 ||
      !llvm::all_of(ArrayRef(strides).drop_back(), ShapedType::isDynamic))
    return emitOpError("argument_c8: must be contiguous or have the layout "
                       "strided<[?, ..., "
                       "1]>, not ")
           << type;
  return success();
}

void BufferOp::getAsmResultNames(OpAsmSetValueNameFn setNameFn) {
  setNameFn(getResult(), getName());
}

LogicalResult BufferOp::verify() {
  static constexpr StringLiteral constraints[] = {
      "buffer_c1", "buffer_c2", "buffer_c3", "buffer_c4",
      "buffer_c5", "buffer_c6", "buffer_c7"};
  if (failed(verifyMemory(*this, constraints)))
    return failure();
  auto type = cast<MemRefType>(getType());
  if (!type.getLayout().isIdentity())
    return emitOpError("buffer_c8: must be contiguous, not ") << type;
  return success();
}

LogicalResult TensorMapOp::verify() {
  MemRefType source = getSource().getType();
  TensorMapType map = getType();
  if (source.getRank() != map.getDimensions() ||
      source.getElementType() != map.getElementType())
    return emitOpError("tensor_map_c1: source ")
           << source << " does not have the dimensions or the element type of "
           << map;
  int64_t columns = source.getShape().back();
  if (ShapedType::isDynamic(columns) || columns % map.getColumns())
    return emitOpError("tensor_map_c2: the last extent of source ")
           << source << " must be static and a multiple of " << map.getColumns()
           << ", the columns of " << map;
  Operation *memory = getSource().getDefiningOp();
  std::optional<uint64_t> alignment;
  if (auto argument = dyn_cast_or_null<ArgumentOp>(memory))
    alignment = argument.getAlignment();
  else if (auto buffer = dyn_cast_or_null<BufferOp>(memory))
    alignment = buffer.getAlignment();
  if (!alignment)
    return emitOpError("tensor_map_c3: source must be an argument or a buffer");
  if (*alignment < tensorMapAlignment)
    return emitOpError("tensor_map_c4: source is aligned to ")
           << *alignment << " bytes, but TMA needs " << tensorMapAlignment;
  return success();
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

llvm::MapVector<Operation *, SmallVector<LaunchOp>>
pbsgpu::findLaunches(ModuleOp module) {
  llvm::MapVector<Operation *, SmallVector<LaunchOp>> launches;
  module.walk([&](LaunchOp launch) {
    launches[SymbolTable::lookupNearestSymbolFrom(launch,
                                                  launch.getKernelAttr())]
        .push_back(launch);
  });
  return launches;
}

LogicalResult LaunchOp::verify() {
  auto sharedBytes = static_cast<int64_t>(getSharedBytes().value_or(0));
  if (sharedBytes < 0)
    return emitOpError("launch_c1: shared_bytes must not be negative");
  if (sharedBytes > INT32_MAX)
    return emitOpError("launch_c2: shared_bytes must be at most ") << INT32_MAX;
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  Operation *callee =
      symbolTable.lookupNearestSymbolFrom(*this, getKernelAttr());
  auto function = dyn_cast_or_null<FunctionOpInterface>(callee);
  if (!function)
    return emitOpError("launch_c3: kernel ")
           << getKernel() << " does not exist";
  size_t parameters = getParameters().size();
  if (parameters != function.getNumArguments())
    return emitOpError("launch_c4: has ")
           << parameters << " arguments, but kernel " << getKernel()
           << " takes " << function.getNumArguments();
  // Once a kernel is of another dialect, its parameters are machine types.
  auto kernel = dyn_cast<KernelOp>(callee);
  if (!kernel)
    return success();
  bool usesDynamic = kernel
                         .walk([](gpu::DynamicSharedMemoryOp) {
                           return WalkResult::interrupt();
                         })
                         .wasInterrupted();
  if (usesDynamic && !getDynamicSharedBytes())
    return emitOpError("launch_c5: has no dynamic_shared_bytes, but kernel ")
           << getKernel() << " uses gpu.dynamic_shared_memory";
  for (auto [index, pair] : llvm::enumerate(llvm::zip_equal(
           getParameters().getTypes(), kernel.getArgumentTypes())))
    if (auto [given, taken] = pair; given != taken)
      return emitOpError("launch_c6: argument ")
             << index << " is " << given << ", but kernel " << getKernel()
             << " takes " << taken;
  return success();
}

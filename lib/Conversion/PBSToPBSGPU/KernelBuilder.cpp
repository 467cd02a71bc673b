// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KernelBuilder.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace pbs;

std::string Emitter::chooseName(StringRef name) {
  std::string result = name.str();
  for (unsigned number = 1; !names.insert(result).second; ++number)
    result = name.str() + std::to_string(number);
  return result;
}

KernelBuilder::KernelBuilder(Emitter &emitter, Location loc, StringRef name,
                             int64_t warps)
    : b(loc, OpBuilder::atBlockEnd(emitter.kernels.getBody())),
      emitter(emitter), warps(warps) {
  kernel = pbsgpu::KernelOp::create(
      b, b.getStringAttr(emitter.chooseName(name)),
      TypeAttr::get(b.getFunctionType({}, {})), b.getI64IntegerAttr(warps),
      /*arg_attrs=*/ArrayAttr(), /*res_attrs=*/ArrayAttr());
  b.createBlock(&kernel.getBody());
}

void KernelBuilder::launch(Value gridX, Value gridY, Value gridZ,
                           Value dynamicSharedBytes) {
  pbsgpu::ReturnOp::create(b);
  auto symbol = SymbolRefAttr::get(emitter.kernels.getSymNameAttr(),
                                   {FlatSymbolRefAttr::get(kernel)});
  pbsgpu::LaunchOp::create(emitter.plan, b.getLoc(), symbol, gridX, gridY,
                           gridZ, /*sharedBytes=*/IntegerAttr(),
                           dynamicSharedBytes, emitter.guard, arguments);
}

Value KernelBuilder::parameter(StringRef name, Value argument) {
  if (!argument)
    return {};
  unsigned index = kernel.getNumArguments();
  NamedAttribute named(PBSDialect::getNameAttrName(), b.getStringAttr(name));
  LogicalResult inserted = kernel.insertArgument(
      index, argument.getType(), b.getDictionaryAttr(named), b.getLoc());
  assert(succeeded(inserted) && "a kernel takes any number of parameters");
  (void)inserted;
  arguments.push_back(argument);
  return kernel.getArgument(index);
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value KernelBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}
Value KernelBuilder::i32(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}
Value KernelBuilder::i64(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 64);
}
Value KernelBuilder::real(double value) {
  return arith::ConstantFloatOp::create(b, b.getF32Type(),
                                        APFloat(static_cast<float>(value)));
}
Value KernelBuilder::negativeInfinity() {
  return real(-std::numeric_limits<double>::infinity());
}
Value KernelBuilder::truth(bool value) {
  return arith::ConstantIntOp::create(b, value, 1);
}
Value KernelBuilder::add(Value x, Value y) {
  return b.createOrFold<arith::AddIOp>(x, y);
}
Value KernelBuilder::sub(Value x, Value y) {
  return b.createOrFold<arith::SubIOp>(x, y);
}
Value KernelBuilder::mul(Value x, Value y) {
  return b.createOrFold<arith::MulIOp>(x, y);
}

/// A constant of the integer type or index of `value`.
static Value constantLike(ImplicitLocOpBuilder &b, Value value,
                          int64_t constant) {
  return arith::ConstantOp::create(b,
                                   b.getIntegerAttr(value.getType(), constant));
}

Value KernelBuilder::div(Value x, int64_t y) {
  return b.createOrFold<arith::DivUIOp>(x, constantLike(b, x, y));
}
Value KernelBuilder::rem(Value x, int64_t y) {
  return b.createOrFold<arith::RemUIOp>(x, constantLike(b, x, y));
}
Value KernelBuilder::ceilDiv(Value x, int64_t y) {
  return div(add(x, constantLike(b, x, y - 1)), y);
}
Value KernelBuilder::min(Value x, Value y) {
  return b.createOrFold<arith::MinSIOp>(x, y);
}
Value KernelBuilder::max(Value x, Value y) {
  if (x.getType().isF32())
    return arith::MaxNumFOp::create(b, x, y);
  return b.createOrFold<arith::MaxSIOp>(x, y);
}

Value KernelBuilder::compare(Predicate predicate, Value x, Value y) {
  if (!x.getType().isF32())
    return b.createOrFold<arith::CmpIOp>(predicate, x, y);
  auto convert = [&] {
    switch (predicate) {
    case Predicate::eq:
      return arith::CmpFPredicate::OEQ;
    case Predicate::slt:
      return arith::CmpFPredicate::OLT;
    case Predicate::sle:
      return arith::CmpFPredicate::OLE;
    case Predicate::sgt:
      return arith::CmpFPredicate::OGT;
    case Predicate::sge:
      return arith::CmpFPredicate::OGE;
    default:
      llvm_unreachable("no comparison of f32");
    }
  };
  return arith::CmpFOp::create(b, convert(), x, y);
}

Value KernelBuilder::land(Value x, Value y) {
  return b.createOrFold<arith::AndIOp>(x, y);
}
Value KernelBuilder::lor(Value x, Value y) {
  return b.createOrFold<arith::OrIOp>(x, y);
}
Value KernelBuilder::lnot(Value x) {
  return b.createOrFold<arith::XOrIOp>(x, truth(true));
}
Value KernelBuilder::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(condition, x, y);
}
Value KernelBuilder::isNaN(Value x) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
}
Value KernelBuilder::toI32(Value x) {
  return b.createOrFold<arith::IndexCastOp>(b.getI32Type(), x);
}
Value KernelBuilder::toI64(Value x) {
  return b.createOrFold<arith::IndexCastOp>(b.getI64Type(), x);
}
Value KernelBuilder::toIndex(Value x) {
  return b.createOrFold<arith::IndexCastOp>(b.getIndexType(), x);
}
Value KernelBuilder::addF(Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}
Value KernelBuilder::subF(Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}
Value KernelBuilder::mulF(Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}
Value KernelBuilder::fma(Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}
Value KernelBuilder::exp2(Value x) {
  return math::Exp2Op::create(b, x, arith::FastMathFlags::afn);
}
Value KernelBuilder::log2(Value x) {
  return math::Log2Op::create(b, x, arith::FastMathFlags::afn);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static Attribute getWorkgroupSpace(MLIRContext *context) {
  return gpu::AddressSpaceAttr::get(context, gpu::AddressSpace::Workgroup);
}

Value KernelBuilder::dim(Value memory, int64_t dimension) {
  return b.createOrFold<memref::DimOp>(memory, dimension);
}
Value KernelBuilder::load(Value memory, ValueRange indices) {
  return memref::LoadOp::create(b, memory, indices);
}
Value KernelBuilder::loadRow(Value permutation, ValueRange indices,
                             Value last) {
  Value row = toIndex(load(permutation, indices));
  // Unsigned, entries below 0 are large.
  return last ? arith::MinUIOp::create(b, row, last) : row;
}
void KernelBuilder::store(Value value, Value memory, ValueRange indices) {
  memref::StoreOp::create(b, value, memory, indices);
}
Value KernelBuilder::shared(int64_t elements, Type type) {
  return memref::AllocaOp::create(
      b, MemRefType::get({elements}, type, MemRefLayoutAttrInterface(),
                         getWorkgroupSpace(b.getContext())));
}
Value KernelBuilder::dynamicShared(Value offset, Value elements, Type type) {
  Attribute space = getWorkgroupSpace(b.getContext());
  auto of = [&](Type element) {
    return MemRefType::get({ShapedType::kDynamic}, element,
                           MemRefLayoutAttrInterface(), space);
  };
  Value all = gpu::DynamicSharedMemoryOp::create(b, of(b.getI8Type()));
  return memref::ViewOp::create(b, of(type), all, offset, elements);
}

//===----------------------------------------------------------------------===//
// The CTA
//===----------------------------------------------------------------------===//

Value KernelBuilder::blockId(gpu::Dimension dimension) {
  return gpu::BlockIdOp::create(b, dimension);
}
Value KernelBuilder::thread() {
  return gpu::ThreadIdOp::create(b, gpu::Dimension::x);
}
void KernelBuilder::barrier() { gpu::BarrierOp::create(b); }
Value KernelBuilder::reduceCTA(Kind kind, Value value) {
  return gpu::AllReduceOp::create(
      b, value.getType(), value,
      gpu::AllReduceOperationAttr::get(b.getContext(), kind),
      /*uniform=*/b.getUnitAttr());
}
Value KernelBuilder::reduceWarp(Kind kind, Value value) {
  return gpu::SubgroupReduceOp::create(b, value, kind, /*uniform=*/true);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void KernelBuilder::when(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  body();
}

Value KernelBuilder::choose(Value condition, function_ref<Value()> then,
                            function_ref<Value()> otherwise) {
  auto yield = [&](function_ref<Value()> value) {
    return [&, value](OpBuilder &builder, Location) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(builder.getInsertionBlock(),
                          builder.getInsertionPoint());
      scf::YieldOp::create(b, value());
    };
  };
  return scf::IfOp::create(b, condition, yield(then), yield(otherwise))
      .getResult(0);
}

SmallVector<Value> KernelBuilder::loop(Value begin, Value end, Value step,
                                       ValueRange initial, LoopBody body) {
  auto loop = scf::ForOp::create(b, begin, end, step, initial);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> results =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  // A loop that carries nothing has its terminator already.
  if (!initial.empty())
    scf::YieldOp::create(b, results);
  return SmallVector<Value>(loop.getResults());
}

void KernelBuilder::loop(Value begin, Value end, Value step,
                         function_ref<void(Value)> body) {
  loop(begin, end, step, ValueRange(), [&](Value i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

void KernelBuilder::loopOverShare(Value end, function_ref<void(Value)> body) {
  loop(thread(), end, index(getThreads()), body);
}

Value KernelBuilder::loopOverShare(Value end, Value initial,
                                   function_ref<Value(Value, Value)> body) {
  return loop(thread(), end, index(getThreads()), initial,
              [&](Value i, ValueRange carried) -> SmallVector<Value> {
                return {body(i, carried.front())};
              })
      .front();
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

pbsgpu::FragmentType KernelBuilder::accumulator(int64_t rows, int64_t columns) {
  return pbsgpu::FragmentType::get(b.getContext(), rows, columns,
                                   b.getF32Type(),
                                   pbsgpu::FragmentLayout::Accumulator, warps);
}
Value KernelBuilder::splat(pbsgpu::FragmentType type, Value value) {
  return pbsgpu::SplatOp::create(b, type, value);
}
Value KernelBuilder::tile(int64_t rows, int64_t columns, Type type) {
  return pbsgpu::AllocTileOp::create(
      b, pbsgpu::TileType::get(b.getContext(), rows, columns, type));
}
Value KernelBuilder::map(pbsgpu::FragmentType type, ValueRange inputs,
                         Element element, Value condition) {
  auto map = pbsgpu::MapOp::create(b, type, inputs, condition);
  SmallVector<Type> types(inputs.size(), b.getF32Type());
  types.append(2, b.getI32Type());
  OpBuilder::InsertionGuard guard(b);
  Block *body = b.createBlock(&map.getBody(), {}, types,
                              SmallVector<Location>(types.size(), b.getLoc()));
  unsigned count = inputs.size();
  Value result =
      element(body->getArguments().take_front(count), body->getArgument(count),
              body->getArgument(count + 1));
  pbsgpu::YieldOp::create(b, result);
  return map;
}

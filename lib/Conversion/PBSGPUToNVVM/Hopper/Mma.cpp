// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products of warp groups (PTX ISA, "Asynchronous warpgroup level
// matrix instructions"), written as inline PTX: LLVM has no instructions for
// them that take A from registers.
//
// What keeps ptxas from serialising them (its warnings C7510 to C7519):
// - one asm for each instruction, and accumulators that go in and out of it;
// - a fence before each product;
// - a wait that takes the accumulators in and out, so that no use moves before
//   it, and reads A's registers, so that nothing else takes them.

#include "../Fragment.h"
#include "../KernelInfo.h"
#include "../Patterns.h"
#include "../ThreadBuilder.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace pbs::nvvm::hopper {
namespace {

/// Rows that a warp group multiplies at once.
constexpr int64_t groupRows = pbsgpu::mmaRows * pbsgpu::warpsOfGroup;

/// Offsets in descriptors count 16 bytes.
constexpr int64_t encode(int64_t bytes) { return bytes >> 4; }

/// A tile as an operand in shared memory (PTX ISA, "Matrix descriptor").
class Descriptor {
public:
  /// `isKMajor`: the rows of the tile go along M or N, its columns along K.
  Descriptor(OpBuilder &builder, Location loc, pbsgpu::TileType type,
             Value address, bool isKMajor)
      : builder(builder), loc(loc), panelBytes(type.getRows() * rowBytes),
        isKMajor(isKMajor) {
    // From panel to panel only an operand goes whose columns are not K.
    int64_t leading = encode(isKMajor ? chunkBytes : panelBytes) << 16;
    Value place =
        LLVM::PtrToIntOp::create(builder, loc, builder.getI32Type(), address);
    place = LLVM::LShrOp::create(builder, loc, place, constant32(4));
    place = LLVM::AndOp::create(builder, loc, place, constant32(0x3fff));
    lower = LLVM::OrOp::create(builder, loc, place, constant32(leading));
  }

  /// The operand of one instruction, `step` times 16 along K. Only its lower
  /// half is computed, since all of them stand in uniform registers.
  Value at(int64_t step) {
    int64_t column = step * pbsgpu::mmaDepth;
    int64_t bytes = isKMajor ? column / pbsgpu::panelColumns * panelBytes +
                                   column % pbsgpu::panelColumns * 2
                             : column * rowBytes;
    // The swizzle of 128 bytes, and 8 rows of it to the next ones.
    constexpr int64_t swizzle = int64_t(1) << 62;
    constexpr int64_t stride = encode(pbsgpu::swizzleRows * rowBytes) << 32;
    Value half = lower;
    if (bytes != 0)
      half = LLVM::AddOp::create(builder, loc, half, constant32(encode(bytes)));
    Value whole =
        LLVM::ZExtOp::create(builder, loc, builder.getI64Type(), half);
    Value upper = LLVM::ConstantOp::create(
        builder, loc, builder.getI64IntegerAttr(swizzle | stride));
    return LLVM::OrOp::create(builder, loc, whole, upper);
  }

private:
  Value constant32(int64_t value) {
    return LLVM::ConstantOp::create(builder, loc,
                                    builder.getI32IntegerAttr(value));
  }

  OpBuilder &builder;
  Location loc;
  int64_t panelBytes;
  bool isKMajor;
  /// The lower 32 bits.
  Value lower;
};

/// Inline PTX that changes f32 registers.
class AccumulatorAsm {
public:
  AccumulatorAsm(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc) {}

  /// The text of the accumulator's registers.
  static std::string name(size_t registers) {
    std::string text = "{";
    for (size_t i = 0; i < registers; ++i)
      text += (i ? ",$" : "$") + std::to_string(i);
    return text + "}";
  }

  /// Runs `text`. Its operands $0 to $(n-1) are the accumulator's registers,
  /// which are replaced, behind them stand `inputs`. With `reads` false the
  /// registers are written only.
  void run(SmallVectorImpl<Value> &accumulator, const std::string &text,
           ArrayRef<Value> inputs, bool reads, StringRef clobbers = "") {
    std::string constraints;
    auto add = [&](StringRef constraint) {
      if (!constraints.empty())
        constraints += ",";
      constraints += constraint;
    };
    SmallVector<Value> operands(inputs);
    for (size_t i = 0; i < accumulator.size(); ++i)
      add("=f");
    for (Value input : inputs)
      add(input.getType().isInteger(64) ? "l" : "r");
    if (reads) {
      for (size_t i = 0; i < accumulator.size(); ++i)
        add(std::to_string(i));
      llvm::append_range(operands, accumulator);
    }
    if (!clobbers.empty())
      add(clobbers);
    auto type = LLVM::LLVMStructType::getLiteral(
        builder.getContext(),
        SmallVector<Type>(accumulator.size(), builder.getF32Type()));
    auto result = LLVM::InlineAsmOp::create(
        builder, loc, type, operands, text, constraints,
        /*has_side_effects=*/true, /*is_align_stack=*/false,
        LLVM::TailCallKind::None,
        LLVM::AsmDialectAttr::get(builder.getContext(),
                                  LLVM::AsmDialect::AD_ATT),
        /*operand_attrs=*/ArrayAttr());
    for (auto [i, element] : llvm::enumerate(accumulator))
      element = LLVM::ExtractValueOp::create(builder, loc, result.getRes(), i);
  }

private:
  OpBuilder &builder;
  Location loc;
};

bool isZero(ArrayRef<Value> elements) {
  return llvm::all_of(elements, [](Value element) {
    return matchPattern(element, m_PosZeroFloat());
  });
}

struct StartMma : KernelPattern<pbsgpu::StartMmaOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::StartMmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    pbsgpu::TileType bType = op.getB().getType();
    int64_t depth = op.getTransposed() ? bType.getColumns() : bType.getRows();
    int64_t columns = op.getAccumulator().getType().getColumns();

    std::optional<Descriptor> a;
    SmallVector<Value> aRegisters;
    if (auto tile = dyn_cast<pbsgpu::TileType>(op.getA().getType())) {
      a.emplace(rewriter, loc, tile, findRows(rewriter, loc, adaptor.getA()),
                /*isKMajor=*/true);
    } else {
      aRegisters = unpackVector(rewriter, loc, adaptor.getA());
    }
    Descriptor b(rewriter, loc, bType, adaptor.getB(),
                 /*isKMajor=*/op.getTransposed());

    SmallVector<Value> accumulator =
        unpackVector(rewriter, loc, adaptor.getAccumulator());
    bool reads = !isZero(accumulator);
    NVVM::WgmmaFenceAlignedOp::create(rewriter, loc);
    AccumulatorAsm code(rewriter, loc);
    constexpr int64_t registersOfStep = 4;
    for (int64_t step = 0; step < depth / pbsgpu::mmaDepth; ++step) {
      SmallVector<Value> inputs;
      if (a)
        inputs.push_back(a->at(step));
      else
        llvm::append_range(inputs,
                           ArrayRef(aRegisters)
                               .slice(step * registersOfStep, registersOfStep));
      inputs.push_back(b.at(step));
      code.run(accumulator,
               write(columns, bType.getElementType(), accumulator.size(),
                     /*aInRegisters=*/!a, op.getTransposed(), reads),
               inputs, reads);
      reads = true;
    }
    NVVM::WgmmaGroupSyncAlignedOp::create(rewriter, loc);
    for (Operation *await : op->getUsers())
      kernel.reading[await] = aRegisters;
    rewriter.replaceOp(op, packVector(rewriter, loc, accumulator));
    return success();
  }

private:
  /// The rows of `tile` that the warp's group multiplies. They are found where
  /// the tile is: found where the role begins, what they are found by would
  /// live in registers all the while.
  Value findRows(OpBuilder &builder, Location loc, Value tile) const {
    Region *region = builder.getInsertionBlock()->getParent();
    Value &rows = kernel.rowsOfGroup[{region, tile}];
    if (rows)
      return rows;
    OpBuilder::InsertionGuard guard(builder);
    if (tile.getParentRegion() == region)
      builder.setInsertionPointAfterValue(tile);
    else
      builder.setInsertionPointToStart(&region->front());
    ThreadBuilder thread(builder, loc, kernel);
    Value group = thread.shiftRight(thread.uniform(thread.warp()),
                                    llvm::Log2_64(pbsgpu::warpsOfGroup));
    rows = thread.offset(
        tile, thread.mul(group, thread.constant(groupRows * rowBytes)));
    return rows;
  }

  /// The text of one instruction.
  static std::string write(int64_t columns, Type elementType, size_t registers,
                           bool aInRegisters, bool bTransposed, bool reads) {
    auto operand = [](size_t i) { return "$" + std::to_string(i); };
    std::string type = elementType.isBF16() ? "bf16" : "f16";
    std::string a = operand(registers);
    size_t next = registers + 1;
    if (aInRegisters) {
      a = "{" + a;
      for (; next < registers + 4; ++next)
        a += "," + operand(next);
      a += "}";
    }
    std::string text = "wgmma.mma_async.sync.aligned.m64n" +
                       std::to_string(columns) + "k16.f32." + type + "." +
                       type + " " + AccumulatorAsm::name(registers) + ", " + a +
                       ", " + operand(next) + ", " + (reads ? "1" : "p") +
                       ", 1, 1, " + (aInRegisters ? "" : "0, ") +
                       (bTransposed ? "0" : "1") + ";";
    if (reads)
      return text;
    // Whether the accumulator is read is a predicate, not an immediate.
    return "{\n.reg .pred p;\nsetp.ne.b32 p, 0, 0;\n" + text + "\n}";
  }
};

struct AwaitMma : KernelPattern<pbsgpu::AwaitMmaOp> {
  using KernelPattern::KernelPattern;

  LogicalResult
  matchAndRewrite(pbsgpu::AwaitMmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    SmallVector<Value> accumulator =
        unpackVector(rewriter, loc, adaptor.getProduct());
    AccumulatorAsm(rewriter, loc)
        .run(accumulator,
             "wgmma.wait_group.sync.aligned " +
                 std::to_string(op.getPending()) + ";",
             kernel.reading.lookup(op), /*reads=*/true, "~{memory}");
    rewriter.replaceOp(op, packVector(rewriter, loc, accumulator));
    return success();
  }
};

} // namespace

void populateMmaPatterns(const LLVMTypeConverter &converter,
                         const KernelInfo &kernel,
                         RewritePatternSet &patterns) {
  patterns.add<StartMma, AwaitMma>(converter, kernel);
}

} // namespace pbs::nvvm::hopper

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of the math dialect that kernels use: upstream's patterns call
// a device library or leave what NVPTX cannot select. With `afn` each is one
// approximate instruction, and perhaps a product; without, the relative error
// is below 1e-6.

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/MathExtras.h"

#include "Patterns.h"

using namespace mlir;

namespace pbs::nvvm {
namespace {

/// Builds f32 arithmetic.
class RealBuilder {
public:
  RealBuilder(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value constant(float value) {
    return LLVM::ConstantOp::create(builder, loc,
                                    builder.getF32FloatAttr(value));
  }
  Value mul(Value a, Value b) {
    return LLVM::FMulOp::create(builder, loc, a, b);
  }
  Value add(Value a, Value b) {
    return LLVM::FAddOp::create(builder, loc, a, b);
  }
  Value negate(Value a) { return LLVM::FNegOp::create(builder, loc, a); }
  Value fma(Value a, Value b, Value c) {
    return LLVM::FMAOp::create(builder, loc, a, b, c);
  }
  Value absolute(Value a) { return LLVM::FAbsOp::create(builder, loc, a); }
  Value isLess(Value a, Value b) {
    return LLVM::FCmpOp::create(builder, loc, LLVM::FCmpPredicate::olt, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return LLVM::SelectOp::create(builder, loc, condition, a, b);
  }
  /// x between the bounds, NaN where x is.
  Value clamp(Value x, float low, float high) {
    Value above = LLVM::MaximumOp::create(builder, loc, x, constant(low));
    return LLVM::MinimumOp::create(builder, loc, above, constant(high));
  }
  /// The polynomial by Horner's rule; the highest coefficient comes last.
  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = constant(coefficients.back());
    for (float coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, constant(coefficient));
    return sum;
  }

  /// ex2.approx.f32, at most 2 units in the last place off (PTX ISA, "ex2").
  Value exp2(Value x) { return approximate<LLVM::Exp2Op>(x); }
  /// tanh.approx.f32, a relative error of 2^-11 (PTX ISA, "tanh").
  Value tanh(Value x) { return approximate<LLVM::TanhOp>(x); }
  /// lg2.approx.f32, off by at most 2^-22 in (0.5, 2) and by 2^-22 of the
  /// result elsewhere (PTX ISA, "lg2").
  Value log2(Value x) { return call("llvm.nvvm.lg2.approx.ftz.f", x); }
  /// 1 unit in the last place off (PTX ISA, "rcp").
  Value reciprocal(Value x) { return call("llvm.nvvm.rcp.approx.ftz.f", x); }
  /// A relative error of 2^-22.9 (PTX ISA, "rsqrt").
  Value reciprocalRoot(Value x) {
    return call("llvm.nvvm.rsqrt.approx.ftz.f", x);
  }

private:
  template <typename IntrinsicOp> Value approximate(Value x) {
    auto flags = LLVM::FastmathFlagsAttr::get(builder.getContext(),
                                              LLVM::FastmathFlags::afn);
    return IntrinsicOp::create(
        builder, loc, TypeRange(x.getType()), ValueRange(x),
        ArrayRef<NamedAttribute>(builder.getNamedAttr("fastmathFlags", flags)));
  }
  Value call(StringRef intrinsic, Value x) {
    return LLVM::CallIntrinsicOp::create(builder, loc, x.getType(),
                                         builder.getStringAttr(intrinsic), x)
        .getResults();
  }

  OpBuilder &builder;
  Location loc;
};

constexpr auto log2e = static_cast<float>(llvm::numbers::log2e);
/// What log2(e) has beyond its f32.
constexpr auto log2eRest =
    static_cast<float>(llvm::numbers::log2e - double(log2e));
constexpr auto ln2 = static_cast<float>(llvm::numbers::ln2);

Value buildExp2(RealBuilder &b, Value x, bool) { return b.exp2(x); }

/// 2^high (1 + rest ln 2) with high + rest = x log2(e): the rounding error of
/// the product alone would be 5e-6 for large x.
Value buildExp(RealBuilder &b, Value x, bool isApproximate) {
  if (isApproximate)
    return b.exp2(b.mul(x, b.constant(log2e)));
  // Beyond these it is 0 and infinity, and differences of infinities are not
  // met below.
  Value bounded = b.clamp(x, -104, 89);
  Value high = b.mul(bounded, b.constant(log2e));
  Value rest = b.fma(bounded, b.constant(log2e), b.negate(high));
  rest = b.fma(bounded, b.constant(log2eRest), rest);
  return b.mul(b.exp2(high), b.fma(rest, b.constant(ln2), b.constant(1)));
}

/// log2(x) times `factor`, whose product with ln 2 is `ofNatural`. Near 1,
/// where the instruction's error is not small against the result, by a
/// polynomial: log(1 + f) = f + f^2 Q(f) for |f| < 1/4, off by 2e-8.
Value buildLogarithm(RealBuilder &b, Value x, bool isApproximate, float factor,
                     float ofNatural) {
  Value result = b.log2(x);
  if (factor != 1)
    result = b.mul(result, b.constant(factor));
  if (isApproximate)
    return result;
  Value f = b.add(x, b.constant(-1));
  Value q = b.polynomial(f, {-0.4999999702f, 0.3333388865f, -0.2500101924f,
                             0.1994680017f, -0.1660118103f, 0.1571960449f,
                             -0.1395708472f});
  Value near = b.fma(b.mul(f, f), q, f);
  if (ofNatural != 1)
    near = b.mul(near, b.constant(ofNatural));
  return b.select(b.isLess(b.absolute(f), b.constant(0.25f)), near, result);
}

Value buildLog2(RealBuilder &b, Value x, bool isApproximate) {
  return buildLogarithm(b, x, isApproximate, 1, log2e);
}

Value buildLog(RealBuilder &b, Value x, bool isApproximate) {
  return buildLogarithm(b, x, isApproximate, ln2, 1);
}

/// 1 - 2 / (e^2|x| + 1) with the sign of x. For |x| < 0.55, where that cancels,
/// x + x^3 P(x^2), off by 4e-8.
Value buildTanh(RealBuilder &b, Value x, bool isApproximate) {
  if (isApproximate)
    return b.tanh(x);
  Value size = b.absolute(x);
  Value power = b.exp2(b.mul(size, b.constant(2 * log2e)));
  Value inverse = b.reciprocal(b.add(power, b.constant(1)));
  Value far = b.fma(inverse, b.constant(-2), b.constant(1));
  far = b.select(b.isLess(x, b.constant(0)), b.negate(far), far);
  Value square = b.mul(x, x);
  Value p = b.polynomial(
      square, {-0.3333294690f, 0.1332072467f, -0.0526718125f, 0.0164375779f});
  Value near = b.fma(b.mul(square, p), x, x);
  return b.select(b.isLess(size, b.constant(0.55f)), near, far);
}

Value buildRsqrt(RealBuilder &b, Value x, bool) { return b.reciprocalRoot(x); }

bool isApproximate(Operation *op) {
  auto flags = cast<arith::ArithFastMathInterface>(op).getFastMathFlagsAttr();
  return flags &&
         arith::bitEnumContainsAny(flags.getValue(), arith::FastMathFlags::afn);
}

/// A function of one f32 that `build` computes.
template <typename OpTy, Value (*build)(RealBuilder &, Value, bool)>
struct Function : ConvertOpToLLVMPattern<OpTy> {
  using ConvertOpToLLVMPattern<OpTy>::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    RealBuilder builder(rewriter, op.getLoc());
    rewriter.replaceOp(op,
                       build(builder, adaptor.getOperand(), isApproximate(op)));
    return success();
  }
};

/// LLVM's intrinsic, where NVPTX has an instruction for it.
template <typename OpTy, typename IntrinsicOp>
struct Intrinsic : ConvertOpToLLVMPattern<OpTy> {
  using ConvertOpToLLVMPattern<OpTy>::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    auto flags = LLVM::FastmathFlagsAttr::get(
        rewriter.getContext(), isApproximate(op) ? LLVM::FastmathFlags::afn
                                                 : LLVM::FastmathFlags::none);
    rewriter.replaceOpWithNewOp<IntrinsicOp>(
        op, TypeRange(op.getType()), adaptor.getOperands(),
        ArrayRef<NamedAttribute>(
            rewriter.getNamedAttr("fastmathFlags", flags)));
    return success();
  }
};

} // namespace

void populateMathPatterns(const LLVMTypeConverter &converter,
                          RewritePatternSet &patterns) {
  patterns.add<
      Function<math::Exp2Op, buildExp2>, Function<math::ExpOp, buildExp>,
      Function<math::Log2Op, buildLog2>, Function<math::LogOp, buildLog>,
      Function<math::RsqrtOp, buildRsqrt>, Function<math::TanhOp, buildTanh>,
      Intrinsic<math::AbsFOp, LLVM::FAbsOp>,
      Intrinsic<math::FmaOp, LLVM::FMAOp>,
      Intrinsic<math::SqrtOp, LLVM::SqrtOp>>(converter);
}

} // namespace pbs::nvvm

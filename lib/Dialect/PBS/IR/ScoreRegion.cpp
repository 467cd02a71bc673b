// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Score regions: their constraints and their syntax.

#include "Constraints.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace pbs;

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

LogicalResult pbs::verifyScalars(Operation *op,
                                 const ScoreConstraints &constraints,
                                 ValueRange scalars, Region &score) {
  if (!scalars.empty() && score.empty())
    return refuse(op, constraints.scalars)
           << "has scalars, but no score region that takes them";
  for (Type type : scalars.getTypes())
    if (cast<RankedTensorType>(type).getEncoding())
      return refuse(op, constraints.scalars)
             << "scalar " << type << " must have no encoding";
  return success();
}

/// The operations that kernels compute for each score. Canonicalisation makes
/// no others of them.
static bool isScoreOperation(Operation &op) {
  return isa<arith::ConstantOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
             arith::DivFOp, arith::NegFOp, arith::MaxNumFOp, arith::MinNumFOp,
             arith::MaximumFOp, arith::MinimumFOp, arith::CmpFOp,
             arith::SIToFPOp, arith::UIToFPOp, arith::AddIOp, arith::SubIOp,
             arith::MulIOp, arith::MaxSIOp, arith::MinSIOp, arith::CmpIOp,
             arith::AndIOp, arith::OrIOp, arith::XOrIOp, arith::ExtUIOp,
             arith::SelectOp>(op) ||
         isa<math::AbsFOp, math::ExpOp, math::Exp2Op, math::FmaOp, math::LogOp,
             math::Log2Op, math::RsqrtOp, math::SqrtOp, math::TanhOp>(op);
}

static bool isScoreType(Type type) {
  return type.isF32() || type.isSignlessInteger(32) ||
         type.isSignlessInteger(1);
}

/// Whether `op` makes other than what it says of infinities or NaN.
static bool assumesFinite(Operation &op) {
  auto math = dyn_cast<arith::ArithFastMathInterface>(op);
  if (!math || !math.getFastMathFlagsAttr())
    return false;
  constexpr auto finite =
      arith::FastMathFlags::nnan | arith::FastMathFlags::ninf;
  return arith::bitEnumContainsAny(math.getFastMathFlagsAttr().getValue(),
                                   finite);
}

LogicalResult pbs::verifyScoreRegion(Operation *op,
                                     const ScoreConstraints &constraints,
                                     ValueRange scalars, Region &score) {
  if (score.empty())
    return success();
  Block &body = score.front();
  Builder builder(op->getContext());
  SmallVector<Type> expected = {builder.getF32Type()};
  expected.append(4, builder.getI32Type());
  for (Type scalar : scalars.getTypes())
    expected.push_back(cast<RankedTensorType>(scalar).getElementType());
  if (TypeRange(expected) != body.getArgumentTypes())
    return refuse(op, constraints.arguments)
           << "the score region takes (" << body.getArgumentTypes()
           << "), but must take (" << expected << ")";
  if (!isa<ScoreYieldOp>(body.getTerminator()))
    return refuse(body.getTerminator(), constraints.end)
           << "a score region must end with pbs.yield";
  for (Operation &nested : body.without_terminator()) {
    if (!isScoreOperation(nested))
      return refuse(&nested, constraints.operations)
             << "has no place in a score region";
    for (TypeRange types :
         {TypeRange(nested.getOperandTypes()), TypeRange(nested.getResults())})
      for (Type type : types)
        if (!isScoreType(type))
          return refuse(&nested, constraints.types)
                 << "a score region computes with f32, i32 and i1, not with "
                 << type;
    if (assumesFinite(nested))
      return refuse(&nested, constraints.finite)
             << "a score may be infinite or NaN: fastmath flags nnan and ninf "
                "do not hold";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

void pbs::nameScoreArguments(Region &score, OpAsmSetValueNameFn setNameFn) {
  static constexpr StringLiteral names[] = {"score", "batch", "head",
                                            "query_position", "key_position"};
  if (score.empty())
    return;
  for (auto [argument, name] : llvm::zip(score.getArguments(), names))
    setNameFn(argument, name);
}

ParseResult
pbs::parseScoreRegion(OpAsmParser &parser,
                      SmallVectorImpl<OpAsmParser::UnresolvedOperand> &scalars,
                      SmallVectorImpl<Type> &types, Region &score) {
  if (succeeded(parser.parseOptionalLParen()))
    if (parser.parseOperandList(scalars) || parser.parseColonTypeList(types) ||
        parser.parseRParen())
      return failure();
  // The region is isolated: it may reuse the names around it.
  return parser.parseRegion(score, /*arguments=*/{},
                            /*enableNameShadowing=*/true);
}

void pbs::printScoreRegion(OpAsmPrinter &printer, Operation *,
                           ValueRange scalars, TypeRange types, Region &score) {
  if (!scalars.empty())
    printer << '(' << scalars << " : " << types << ") ";
  printer.printRegion(score);
}

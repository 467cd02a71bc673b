// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Score regions, operation by operation: each becomes a step that reads and
// writes numbered slots, which hold f32 as double, and i32 and i1 as well.

#include "ScoreRegion.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace pbs;
using namespace pbs::reference;

namespace {
/// Computes an operation's result from those of its operands.
using Compute = std::function<double(ArrayRef<double> operands)>;

struct Step {
  SmallVector<unsigned, 3> operands;
  Compute compute;
};
} // namespace

/// An i32, or an i1 where `isBit`, whose bits are the lowest of `value`.
static double wrap(int64_t value, bool isBit) {
  return isBit ? static_cast<double>(value & 1)
               : static_cast<double>(
                     static_cast<int32_t>(static_cast<uint32_t>(value)));
}

/// The number with a sign: that of an i1 is its only bit.
static int64_t toSigned(double value, bool isBit) {
  auto integer = static_cast<int64_t>(value);
  return isBit ? -integer : integer;
}

/// maximumf and minimumf give NaN where an operand is.
static double orNaN(double a, double b, double result) {
  return std::isnan(a) || std::isnan(b)
             ? std::numeric_limits<double>::quiet_NaN()
             : result;
}

static bool compare(arith::CmpFPredicate predicate, double a, double b) {
  using Predicate = arith::CmpFPredicate;
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case Predicate::AlwaysFalse:
    return false;
  case Predicate::AlwaysTrue:
    return true;
  case Predicate::ORD:
    return !unordered;
  case Predicate::UNO:
    return unordered;
  case Predicate::OEQ:
    return a == b;
  case Predicate::OGT:
    return a > b;
  case Predicate::OGE:
    return a >= b;
  case Predicate::OLT:
    return a < b;
  case Predicate::OLE:
    return a <= b;
  case Predicate::ONE:
    return !unordered && a != b;
  case Predicate::UEQ:
    return unordered || a == b;
  case Predicate::UGT:
    return unordered || a > b;
  case Predicate::UGE:
    return unordered || a >= b;
  case Predicate::ULT:
    return unordered || a < b;
  case Predicate::ULE:
    return unordered || a <= b;
  case Predicate::UNE:
    return unordered || a != b;
  }
  llvm_unreachable("all predicates are handled");
}

static double getConstant(arith::ConstantOp op) {
  if (auto real = dyn_cast<FloatAttr>(op.getValue()))
    return real.getValueAsDouble();
  auto integer = cast<IntegerAttr>(op.getValue());
  return op.getType().isInteger(1) ? double(!integer.getValue().isZero())
                                   : double(integer.getInt());
}

static Compute computeInteger(Operation *op) {
  using Operands = ArrayRef<double>;
  bool isBit = op->getOperand(0).getType().isInteger(1);
  auto binary = [&](auto function) -> Compute {
    return [function, isBit](Operands x) {
      return wrap(function(toSigned(x[0], isBit), toSigned(x[1], isBit)),
                  isBit);
    };
  };
  return llvm::TypeSwitch<Operation *, Compute>(op)
      .Case([&](arith::AddIOp) { return binary(std::plus<int64_t>()); })
      .Case([&](arith::SubIOp) { return binary(std::minus<int64_t>()); })
      .Case([&](arith::MulIOp) { return binary(std::multiplies<int64_t>()); })
      .Case([&](arith::AndIOp) { return binary(std::bit_and<int64_t>()); })
      .Case([&](arith::OrIOp) { return binary(std::bit_or<int64_t>()); })
      .Case([&](arith::XOrIOp) { return binary(std::bit_xor<int64_t>()); })
      .Case([&](arith::MaxSIOp) {
        return binary([](int64_t a, int64_t b) { return std::max(a, b); });
      })
      .Case([&](arith::MinSIOp) {
        return binary([](int64_t a, int64_t b) { return std::min(a, b); });
      })
      .Case([&](arith::CmpIOp op) -> Compute {
        return [predicate = op.getPredicate(), isBit](Operands x) {
          auto toBits = [&](double value) {
            return llvm::APInt(isBit ? 1 : 32, toSigned(value, isBit),
                               /*isSigned=*/true);
          };
          return double(
              arith::applyCmpPredicate(predicate, toBits(x[0]), toBits(x[1])));
        };
      })
      .Case([&](arith::SIToFPOp) -> Compute {
        return [isBit](Operands x) { return double(toSigned(x[0], isBit)); };
      })
      .Case([](arith::UIToFPOp) -> Compute {
        return [](Operands x) {
          return double(static_cast<uint32_t>(static_cast<int64_t>(x[0])));
        };
      })
      .Case([](arith::ExtUIOp) -> Compute {
        return [](Operands x) { return x[0]; };
      })
      .DefaultUnreachable("the verifier admits no other operation");
}

static Compute makeCompute(Operation *op) {
  using Operands = ArrayRef<double>;
  auto unary = [](double (*function)(double)) -> Compute {
    return [function](Operands x) { return function(x[0]); };
  };
  auto binary = [](auto function) -> Compute {
    return [function](Operands x) { return function(x[0], x[1]); };
  };
  return llvm::TypeSwitch<Operation *, Compute>(op)
      .Case([](arith::ConstantOp constant) -> Compute {
        return [value = getConstant(constant)](Operands) { return value; };
      })
      .Case([&](arith::AddFOp) { return binary(std::plus<double>()); })
      .Case([&](arith::SubFOp) { return binary(std::minus<double>()); })
      .Case([&](arith::MulFOp) { return binary(std::multiplies<double>()); })
      .Case([&](arith::DivFOp) { return binary(std::divides<double>()); })
      .Case([&](arith::NegFOp) -> Compute {
        return [](Operands x) { return -x[0]; };
      })
      .Case([&](arith::MaxNumFOp) {
        return binary([](double a, double b) { return std::fmax(a, b); });
      })
      .Case([&](arith::MinNumFOp) {
        return binary([](double a, double b) { return std::fmin(a, b); });
      })
      .Case([&](arith::MaximumFOp) {
        return binary(
            [](double a, double b) { return orNaN(a, b, std::fmax(a, b)); });
      })
      .Case([&](arith::MinimumFOp) {
        return binary(
            [](double a, double b) { return orNaN(a, b, std::fmin(a, b)); });
      })
      .Case([](arith::CmpFOp op) -> Compute {
        return [predicate = op.getPredicate()](Operands x) {
          return double(compare(predicate, x[0], x[1]));
        };
      })
      .Case([](arith::SelectOp) -> Compute {
        return [](Operands x) { return x[0] != 0 ? x[1] : x[2]; };
      })
      .Case([&](math::AbsFOp) { return unary(std::fabs); })
      .Case([&](math::ExpOp) { return unary(std::exp); })
      .Case([&](math::Exp2Op) { return unary(std::exp2); })
      .Case([](math::FmaOp) -> Compute {
        return [](Operands x) { return std::fma(x[0], x[1], x[2]); };
      })
      .Case([&](math::LogOp) { return unary(std::log); })
      .Case([&](math::Log2Op) { return unary(std::log2); })
      .Case([&](math::RsqrtOp) -> Compute {
        return [](Operands x) { return 1 / std::sqrt(x[0]); };
      })
      .Case([&](math::SqrtOp) { return unary(std::sqrt); })
      .Case([&](math::TanhOp) { return unary(std::tanh); })
      .Default([](Operation *op) { return computeInteger(op); });
}

ScoreFunction pbs::reference::makeScoreFunction(Region &region,
                                                ArrayRef<double> scalars) {
  if (region.empty())
    return nullptr;
  Block &body = region.front();
  DenseMap<Value, unsigned> slots;
  for (Value argument : body.getArguments())
    slots.try_emplace(argument, slots.size());
  SmallVector<Step> steps;
  for (Operation &op : body.without_terminator()) {
    Step step{{}, makeCompute(&op)};
    for (Value operand : op.getOperands())
      step.operands.push_back(slots.at(operand));
    steps.push_back(std::move(step));
    slots.try_emplace(op.getResult(0), slots.size());
  }
  unsigned result = slots.at(body.getTerminator()->getOperand(0));

  return [steps = std::move(steps), result, count = slots.size(),
          scalars = SmallVector<double>(scalars)](
             double score, int64_t batch, int64_t head, int64_t queryPosition,
             int64_t keyPosition) {
    SmallVector<double, 32> values = {score, double(batch), double(head),
                                      double(queryPosition),
                                      double(keyPosition)};
    llvm::append_range(values, scalars);
    values.reserve(count);
    for (const Step &step : steps) {
      SmallVector<double, 3> operands;
      for (unsigned operand : step.operands)
        operands.push_back(values[operand]);
      values.push_back(step.compute(operands));
    }
    return values[result];
  };
}

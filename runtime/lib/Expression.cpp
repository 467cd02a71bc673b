// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Expression.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>

using namespace pbs::runtime;

using Kind = Expression::Kind;

namespace {

struct Operator {
  const char *name;
  Kind kind;
  size_t operands;
};

constexpr Operator operators[] = {
    {"add", Kind::Add, 2},         {"sub", Kind::Sub, 2},
    {"mul", Kind::Mul, 2},         {"floordiv", Kind::FloorDiv, 2},
    {"ceildiv", Kind::CeilDiv, 2}, {"mod", Kind::Mod, 2},
    {"min", Kind::Min, 2},         {"max", Kind::Max, 2},
    {"eq", Kind::Eq, 2},           {"ne", Kind::Ne, 2},
    {"lt", Kind::Lt, 2},           {"le", Kind::Le, 2},
    {"gt", Kind::Gt, 2},           {"ge", Kind::Ge, 2},
    {"and", Kind::And, 2},         {"or", Kind::Or, 2},
    {"select", Kind::Select, 3},
};

} // namespace

Expression pbs::runtime::parseExpression(const JsonValue &value,
                                         const ExpressionScope &scope) {
  const Json &json = value.json();
  if (json.is_number())
    return Expression(value.integer(INT64_MIN, INT64_MAX));
  if (json.is_string()) {
    const std::string &name = value.string();
    bool known = scope.sizes.count(name) ||
                 (scope.multiprocessors && name == multiprocessorsName);
    if (!known)
      value.fail("'" + name + "' is not a size known here");
    return Expression(name);
  }
  if (!json.is_array() || json.empty() || !json[0].is_string())
    value.failExpected("an integer, a size's name or [operator, ...]");

  const std::string &name = value.element(0).string();
  Expression expression;
  if (name == "stride") {
    if (!scope.ranks)
      value.fail("'stride' cannot be used here");
    if (value.size() != 3)
      value.fail("'stride' takes an argument's name and a dimension");
    expression.kind = Kind::Stride;
    expression.name = value.element(1).string();
    auto rank = scope.ranks->find(expression.name);
    if (rank == scope.ranks->end())
      value.element(1).fail("no argument '" + expression.name + "'");
    if (rank->second == 0)
      value.fail("argument '" + expression.name + "' has no dimensions");
    expression.integer =
        value.element(2).integer(0, static_cast<int64_t>(rank->second) - 1);
    return expression;
  }
  const auto *found = std::find_if(
      std::begin(operators), std::end(operators),
      [&](const Operator &candidate) { return name == candidate.name; });
  if (found == std::end(operators))
    value.fail("unknown operator '" + name + "'");
  if (value.size() != found->operands + 1)
    value.fail("'" + name + "' takes " + std::to_string(found->operands) +
               " operands, found " + std::to_string(value.size() - 1));
  expression.kind = found->kind;
  for (size_t i = 1; i < value.size(); ++i)
    expression.operands.push_back(parseExpression(value.element(i), scope));
  return expression;
}

std::string Expression::toString() const {
  switch (kind) {
  case Kind::Integer:
    return std::to_string(integer);
  case Kind::Name:
    return '"' + name + '"';
  case Kind::Stride:
    return "[\"stride\",\"" + name + "\"," + std::to_string(integer) + "]";
  default:
    break;
  }
  std::string text = "[";
  for (const Operator &candidate : operators)
    if (candidate.kind == kind)
      text += '"' + std::string(candidate.name) + '"';
  for (const Expression &operand : operands)
    text += "," + operand.toString();
  return text + "]";
}

int64_t Expression::evaluate(const Bindings &bindings) const {
  auto operand = [&](size_t index) {
    return operands[index].evaluate(bindings);
  };
  switch (kind) {
  case Kind::Integer:
    return integer;
  case Kind::Name: {
    auto found = bindings.sizes.find(name);
    if (found == bindings.sizes.end())
      throw Error("size '" + name + "' has no value");
    return found->second;
  }
  case Kind::Stride: {
    auto found = bindings.strides.find(name);
    if (found == bindings.strides.end() ||
        static_cast<uint64_t>(integer) >= found->second.size())
      throw Error("expression " + toString() + " has no value");
    return found->second[integer];
  }
  // These evaluate no more operands than they need.
  case Kind::Select:
    return operand(0) ? operand(1) : operand(2);
  case Kind::And:
    return operand(0) && operand(1);
  case Kind::Or:
    return operand(0) || operand(1);
  default:
    break;
  }

  int64_t a = operand(0), b = operand(1), result = 0;
  bool overflow = false;
  switch (kind) {
  case Kind::Add:
    overflow = __builtin_add_overflow(a, b, &result);
    break;
  case Kind::Sub:
    overflow = __builtin_sub_overflow(a, b, &result);
    break;
  case Kind::Mul:
    overflow = __builtin_mul_overflow(a, b, &result);
    break;
  case Kind::FloorDiv:
  case Kind::CeilDiv:
  case Kind::Mod: {
    if (b == 0)
      throw Error("expression " + toString() + " divides by zero");
    if (b == -1) {
      // The one quotient that can overflow.
      if (kind != Kind::Mod)
        overflow = __builtin_sub_overflow(int64_t(0), a, &result);
      break;
    }
    int64_t quotient = a / b, remainder = a % b;
    bool sameSign = (remainder < 0) == (b < 0);
    if (kind == Kind::FloorDiv)
      result = quotient - (remainder != 0 && !sameSign);
    else if (kind == Kind::CeilDiv)
      result = quotient + (remainder != 0 && sameSign);
    else
      result = remainder != 0 && !sameSign ? remainder + b : remainder;
    break;
  }
  case Kind::Min:
    return std::min(a, b);
  case Kind::Max:
    return std::max(a, b);
  case Kind::Eq:
    return a == b;
  case Kind::Ne:
    return a != b;
  case Kind::Lt:
    return a < b;
  case Kind::Le:
    return a <= b;
  case Kind::Gt:
    return a > b;
  case Kind::Ge:
    return a >= b;
  default:
    __builtin_unreachable();
  }
  if (overflow)
    throw Error("expression " + toString() + " overflows 64 bits");
  return result;
}

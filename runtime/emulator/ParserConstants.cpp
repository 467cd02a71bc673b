// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constant expressions (PTX ISA, "Constants" and "Constant Expressions").

#include "Parser.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <cstring>

namespace pbs::runtime::emulator {

namespace {

constexpr unsigned maximumDepth = 64;

struct BinaryOperator {
  std::string_view spelling;
  unsigned precedence;
};

/// C's operators; a higher precedence binds tighter.
constexpr BinaryOperator binaryOperators[] = {
    {"?", 1},  {"||", 2}, {"&&", 3}, {"|", 4},  {"^", 5},  {"&", 6},  {"==", 7},
    {"!=", 7}, {"<", 8},  {">", 8},  {"<=", 8}, {">=", 8}, {"<<", 9}, {">>", 9},
    {"+", 10}, {"-", 10}, {"*", 11}, {"/", 11}, {"%", 11},
};

/// What is left of an operator that does not depend on its operands' types.
template <typename T>
bool compare(std::string_view spelling, T a, T b, bool &result) {
  if (spelling == "==")
    result = a == b;
  else if (spelling == "!=")
    result = a != b;
  else if (spelling == "<")
    result = a < b;
  else if (spelling == ">")
    result = a > b;
  else if (spelling == "<=")
    result = a <= b;
  else if (spelling == ">=")
    result = a >= b;
  else
    return false;
  return true;
}

double toDouble(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

uint64_t toBits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

} // namespace

/// Integers are signed unless one of them is not; a shift has its left
/// operand's type, and remainders are those of unsigned numbers.
Parser::Constant Parser::evaluate(std::string_view spelling, Constant left,
                                  Constant right) const {
  using Type = Constant::Type;
  auto truth = [](bool value) { return Constant{Type::Signed, value}; };
  bool compared = false;
  if (left.type == Type::Float || right.type == Type::Float) {
    if (left.type != right.type)
      fail("integers and floating-point values mixed in a constant");
    double a = toDouble(left.bits), b = toDouble(right.bits);
    if (compare(spelling, a, b, compared))
      return truth(compared);
    if (spelling == "+")
      return {Type::Float, toBits(a + b)};
    if (spelling == "-")
      return {Type::Float, toBits(a - b)};
    if (spelling == "*")
      return {Type::Float, toBits(a * b)};
    if (spelling == "/")
      return {Type::Float, toBits(a / b)};
    fail("'" + std::string(spelling) + "' is for integers");
  }
  uint64_t a = left.bits, b = right.bits;
  if (spelling == "<<")
    return {left.type, a << (b & 63)};
  if (spelling == ">>")
    return {left.type, left.type == Type::Signed
                           ? uint64_t(int64_t(a) >> (b & 63))
                           : a >> (b & 63)};
  if (spelling == "||")
    return truth(a || b);
  if (spelling == "&&")
    return truth(a && b);
  bool isSigned = left.type == Type::Signed && right.type == Type::Signed;
  if (isSigned ? compare(spelling, int64_t(a), int64_t(b), compared)
               : compare(spelling, a, b, compared))
    return truth(compared);
  Type type = isSigned ? Type::Signed : Type::Unsigned;
  if ((spelling == "/" || spelling == "%") && b == 0)
    fail("division by zero in a constant");
  switch (spelling[0]) {
  case '|':
    return {type, a | b};
  case '^':
    return {type, a ^ b};
  case '&':
    return {type, a & b};
  case '+':
    return {type, a + b};
  case '-':
    return {type, a - b};
  case '*':
    return {type, a * b};
  case '%':
    return {type, a % b};
  default:
    if (!isSigned)
      return {type, a / b};
    return {type, b == UINT64_MAX ? -a : uint64_t(int64_t(a) / int64_t(b))};
  }
}

Operand Parser::parseConstant() {
  Operand operand;
  // These literals are no part of expressions, but "-0f3F800000" is common.
  bool negative = token.isPunctuation("-") && ahead.kind == Token::Kind::Single;
  if (negative)
    advance();
  if (token.kind == Token::Kind::Single) {
    operand.kind = Operand::Kind::Single;
    operand.bits = token.bits ^ (uint64_t(negative) << 31);
    advance();
    return operand;
  }
  Constant value = parseExpression(0, 0);
  operand.kind = value.type == Constant::Type::Float ? Operand::Kind::Double
                                                     : Operand::Kind::Integer;
  operand.bits = value.bits;
  return operand;
}

uint64_t Parser::parseInteger() {
  Constant value = parseExpression(0, 0);
  if (value.type == Constant::Type::Float)
    fail("expected an integer before " + found());
  return value.bits;
}

Parser::Constant Parser::parseExpression(unsigned precedence, unsigned depth) {
  if (depth > maximumDepth)
    fail("expression nested too deeply");
  // In "[%rd1+4]" the expression begins with the sign.
  Constant value = parseUnary(depth + 1);
  while (token.kind == Token::Kind::Punctuation) {
    const auto *found =
        std::find_if(std::begin(binaryOperators), std::end(binaryOperators),
                     [&](const BinaryOperator &entry) {
                       return token.text == entry.spelling;
                     });
    if (found == std::end(binaryOperators) || found->precedence <= precedence)
      break;
    advance();
    if (found->spelling == "?") {
      Constant chosen = parseExpression(0, depth + 1);
      expect(":");
      Constant other = parseExpression(0, depth + 1);
      if (value.type == Constant::Type::Float)
        fail("a condition is an integer");
      value = value.bits ? chosen : other;
      continue;
    }
    Constant right = parseExpression(found->precedence, depth + 1);
    value = evaluate(found->spelling, value, right);
  }
  return value;
}

Parser::Constant Parser::parseUnary(unsigned depth) {
  using Type = Constant::Type;
  if (depth > maximumDepth)
    fail("expression nested too deeply");
  if (consume("-")) {
    Constant value = parseUnary(depth + 1);
    value.bits =
        value.type == Type::Float ? toBits(-toDouble(value.bits)) : -value.bits;
    return value;
  }
  if (consume("+"))
    return parseUnary(depth + 1);
  bool isLogical = token.isPunctuation("!");
  if (isLogical || token.isPunctuation("~")) {
    advance();
    Constant value = parseUnary(depth + 1);
    if (value.type == Type::Float)
      fail("'!' and '~' are for integers");
    if (isLogical)
      return {Type::Signed, !value.bits};
    return {Type::Unsigned, ~value.bits};
  }
  if (consume("(")) {
    // "(.s64) 1" and "(.u64) 1" are casts.
    bool isSigned = token.is(Token::Kind::Dotted, "s64");
    if (isSigned || token.is(Token::Kind::Dotted, "u64")) {
      advance();
      expect(")");
      Constant value = parseUnary(depth + 1);
      if (value.type == Type::Float)
        fail("only integers are cast");
      return {isSigned ? Type::Signed : Type::Unsigned, value.bits};
    }
    Constant value = parseExpression(0, depth + 1);
    expect(")");
    return value;
  }
  if (token.is(Token::Kind::Name, "WARP_SZ")) {
    advance();
    return {Type::Signed, 32};
  }
  if (token.kind == Token::Kind::Double) {
    Constant value = {Type::Float, token.bits};
    advance();
    return value;
  }
  if (token.kind != Token::Kind::Integer)
    fail("expected an operand instead of " + found());
  bool isUnsigned = token.text.back() == 'U' || token.bits > INT64_MAX;
  Constant value = {isUnsigned ? Type::Unsigned : Type::Signed, token.bits};
  advance();
  return value;
}

} // namespace pbs::runtime::emulator

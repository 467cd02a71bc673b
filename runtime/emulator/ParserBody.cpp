// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Function bodies: statements, operands and constant expressions.

#include "Parser.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

constexpr unsigned maximumDepth = 64;

struct SpecialName {
  std::string_view name;
  SpecialRegister first;
  /// Whether .x, .y and .z follow.
  bool isVector;
};

constexpr SpecialName specialNames[] = {
    {"%tid", SpecialRegister::TidX, true},
    {"%ntid", SpecialRegister::NtidX, true},
    {"%ctaid", SpecialRegister::CtaidX, true},
    {"%nctaid", SpecialRegister::NctaidX, true},
    {"%cluster_ctaid", SpecialRegister::ClusterCtaidX, true},
    {"%cluster_nctaid", SpecialRegister::ClusterNctaidX, true},
    {"%clusterid", SpecialRegister::ClusteridX, true},
    {"%nclusterid", SpecialRegister::NclusteridX, true},
    {"%cluster_ctarank", SpecialRegister::ClusterCtarank, false},
    {"%cluster_nctarank", SpecialRegister::ClusterNctarank, false},
    {"%laneid", SpecialRegister::Laneid, false},
    {"%warpid", SpecialRegister::Warpid, false},
    {"%nwarpid", SpecialRegister::Nwarpid, false},
    {"%smid", SpecialRegister::Smid, false},
    {"%nsmid", SpecialRegister::Nsmid, false},
    {"%gridid", SpecialRegister::Gridid, false},
    {"%lanemask_eq", SpecialRegister::LanemaskEq, false},
    {"%lanemask_le", SpecialRegister::LanemaskLe, false},
    {"%lanemask_lt", SpecialRegister::LanemaskLt, false},
    {"%lanemask_ge", SpecialRegister::LanemaskGe, false},
    {"%lanemask_gt", SpecialRegister::LanemaskGt, false},
    {"%dynamic_smem_size", SpecialRegister::DynamicSmemSize, false},
    {"%total_smem_size", SpecialRegister::TotalSmemSize, false},
    {"%clock", SpecialRegister::Clock, false},
    {"%clock_hi", SpecialRegister::ClockHigh, false},
    {"%clock64", SpecialRegister::Clock64, false},
    {"%globaltimer", SpecialRegister::Globaltimer, false},
};

} // namespace

void Parser::parseBlock(uint32_t line, unsigned depth) {
  if (depth > maximumDepth)
    fail("blocks nested too deeply");
  while (!consume("}")) {
    if (token.kind == Token::Kind::End)
      fail(line, "block without a '}'");
    if (consume(";"))
      continue;
    if (uint32_t inner = token.line; consume("{")) {
      scopes.emplace_back();
      parseBlock(inner, depth + 1);
      closeScope();
      continue;
    }
    if (token.kind == Token::Kind::Name && ahead.isPunctuation(":")) {
      Token label = token;
      advance();
      advance();
      if (consumeDotted("branchtargets")) {
        define(label, {Symbol::Kind::Targets,
                       uint32_t(function->branchTargets.size())});
        std::vector<uint32_t> targets;
        do
          targets.push_back(labelReference(expectName("a label")));
        while (consume(","));
        expect(";");
        function->branchTargets.push_back(std::move(targets));
        continue;
      }
      define(label, {Symbol::Kind::Label, uint32_t(function->labels.size())});
      function->labels.push_back(uint32_t(function->body.size()));
      continue;
    }
    if (token.kind != Token::Kind::Dotted) {
      parseStatement();
      continue;
    }
    if (consumeDotted("reg"))
      parseRegisters();
    else if (consumeDotted("local") || consumeDotted("param"))
      parseVariables(Space::Local, /*external=*/false);
    else if (consumeDotted("shared"))
      parseVariables(Space::Shared, /*external=*/false);
    else if (consumeDotted("global"))
      parseVariables(Space::Global, /*external=*/false);
    else if (consumeDotted("const"))
      parseVariables(Space::Const, /*external=*/false);
    else if (consumeDotted("extern")) {
      if (!consumeDotted("shared"))
        fail("expected '.shared' instead of " + found());
      parseVariables(Space::Shared, /*external=*/true);
    } else if (token.text == "loc" || token.text == "pragma" ||
               token.text == "file")
      skipDirective();
    else
      fail("unknown directive " + found());
  }
}

void Parser::closeScope() {
  Scope scope = std::move(scopes.back());
  scopes.pop_back();
  for (uint32_t index : scope.pending) {
    Function::LabelReference &reference = function->labelReferences[index];
    auto known = scope.symbols.find(reference.name);
    if (known != scope.symbols.end() &&
        (known->second.kind == Symbol::Kind::Label ||
         known->second.kind == Symbol::Kind::Targets)) {
      reference.label = known->second.index;
      reference.isTargetList = known->second.kind == Symbol::Kind::Targets;
    } else if (scopes.size() > 1) {
      scopes.back().pending.push_back(index);
    } else {
      fail(reference.line,
           "unknown name '" + std::string(reference.name) + "'");
    }
  }
}

void Parser::parseRegisters() {
  if (token.is(Token::Kind::Dotted, "v2") ||
      token.is(Token::Kind::Dotted, "v4"))
    fail("vector registers are not supported");
  Type type =
      token.kind == Token::Kind::Dotted ? parseType(token.text) : Type::None;
  if (type == Type::None)
    fail("expected a register's type instead of " + found());
  if (type == Type::B128)
    fail("registers of 128 bits are not supported");
  advance();
  do {
    Token name = expectName("a register's name");
    if (consume("<")) {
      uint64_t count = expectInteger("a number of registers");
      expect(">");
      scopes.back().ranges.push_back({name.text, count, type});
    } else {
      define(name, {Symbol::Kind::Register, newRegister(type, name.text)});
    }
  } while (consume(","));
  expect(";");
}

std::optional<Parser::Symbol> Parser::lookUp(std::string_view name) {
  for (size_t index = scopes.size(); index-- > 0;) {
    Scope &scope = scopes[index];
    auto known = scope.symbols.find(name);
    if (known != scope.symbols.end())
      return known->second;
    if (scope.ranges.empty())
      continue;
    size_t prefix = name.size();
    uint64_t number = 0;
    uint64_t weight = 1;
    while (prefix > 0 && name[prefix - 1] >= '0' && name[prefix - 1] <= '9' &&
           weight < UINT32_MAX) {
      number += weight * uint64_t(name[--prefix] - '0');
      weight *= 10;
    }
    bool leadingZero = name.size() - prefix > 1 && name[prefix] == '0';
    if (prefix == name.size() || leadingZero)
      continue;
    for (const RegisterRange &range : scope.ranges)
      if (range.prefix == name.substr(0, prefix) && number < range.count) {
        Symbol symbol = {Symbol::Kind::Register, newRegister(range.type, name)};
        scope.symbols.emplace(name, symbol);
        return symbol;
      }
  }
  return std::nullopt;
}

uint32_t Parser::labelReference(const Token &name) {
  uint32_t index = uint32_t(function->labelReferences.size());
  function->labelReferences.push_back({name.text, name.line});
  scopes.back().pending.push_back(index);
  return index;
}

void Parser::parseStatement() {
  Statement statement;
  statement.line = token.line;
  if (consume("@")) {
    statement.guardNegated = consume("!");
    Token name = expectName("a predicate");
    std::optional<Symbol> symbol = lookUp(name.text);
    if (!symbol || symbol->kind != Symbol::Kind::Register ||
        function->registers[symbol->index] != Type::Pred)
      fail(name.line,
           "'" + std::string(name.text) + "' is no predicate register");
    statement.guard = int32_t(symbol->index);
    statement.line = token.line;
  }
  statement.name = expectName("an instruction").text;
  statement.text = statement.name;
  bool isWhole = true;
  while (token.kind == Token::Kind::Dotted) {
    statement.modifiers.push_back(token.text);
    const char *textEnd = token.text.data() + token.text.size();
    isWhole &= token.adjacent;
    if (isWhole)
      statement.text = {statement.name.data(),
                        size_t(textEnd - statement.name.data())};
    advance();
  }
  if (!token.isPunctuation(";")) {
    do {
      if (statement.name == "call" && consume("("))
        statement.operands.push_back(
            parseOperandList(Operand::Kind::List, ")", 0));
      else
        statement.operands.push_back(parseOperand(0));
    } while (consume(","));
  }
  expect(";");
  function->body.push_back(std::move(statement));
}

Operand Parser::parseOperandList(Operand::Kind kind, std::string_view close,
                                 unsigned depth) {
  Operand list;
  list.kind = kind;
  if (consume(close))
    return list;
  do
    list.elements.push_back(parseOperand(depth + 1));
  while (consume(","));
  expect(close);
  return list;
}

Operand Parser::parseOperand(unsigned depth) {
  if (depth > maximumDepth)
    fail("operand nested too deeply");
  if (consume("{"))
    return parseOperandList(Operand::Kind::Vector, "}", depth);
  if (consume("["))
    return parseAddress(depth);
  bool isNegatedName =
      token.isPunctuation("!") && ahead.kind == Token::Kind::Name;
  if (isNegatedName)
    advance();
  if (token.kind != Token::Kind::Name)
    return parseConstant(0);
  Operand operand = parseNameOperand();
  operand.negated = isNegatedName;
  if (consume("|")) {
    Operand pair;
    pair.kind = Operand::Kind::Pair;
    pair.elements.push_back(std::move(operand));
    pair.elements.push_back(parseNameOperand());
    return pair;
  }
  return operand;
}

std::optional<Operand> Parser::parseSpecialRegister(std::string_view name) {
  Operand operand;
  if (name == "WARP_SZ") {
    operand.kind = Operand::Kind::Integer;
    operand.bits = 32;
    return operand;
  }
  for (const SpecialName &special : specialNames) {
    if (special.name != name)
      continue;
    operand.kind = Operand::Kind::Special;
    operand.index = uint32_t(special.first);
    if (special.isVector) {
      static constexpr std::string_view components[] = {"x", "y", "z"};
      auto component =
          std::find(std::begin(components), std::end(components), token.text);
      if (token.kind != Token::Kind::Dotted ||
          component == std::end(components))
        fail("'" + std::string(name) + "' needs .x, .y or .z before " +
             found());
      operand.index += uint32_t(component - std::begin(components));
      advance();
    }
    return operand;
  }
  return std::nullopt;
}

Operand Parser::parseNameOperand() {
  Token name = expectName("an operand");
  Operand operand;
  if (name.text == "_")
    return operand;
  std::optional<Symbol> symbol = lookUp(name.text);
  if (!symbol) {
    if (std::optional<Operand> special = parseSpecialRegister(name.text))
      return *special;
    if (!function || name.text.front() == '%')
      fail(name.line, "unknown name '" + std::string(name.text) + "'");
    operand.kind = Operand::Kind::Label;
    operand.index = labelReference(name);
    return operand;
  }
  switch (symbol->kind) {
  case Symbol::Kind::Register:
    operand.kind = Operand::Kind::Register;
    operand.index = symbol->index;
    return operand;
  case Symbol::Kind::Label:
  case Symbol::Kind::Targets:
    operand.kind = Operand::Kind::Label;
    operand.index = labelReference(name);
    return operand;
  case Symbol::Kind::Function:
    operand.kind = Operand::Kind::Function;
    operand.index = symbol->index;
    return operand;
  case Symbol::Kind::Variable:
    break;
  }
  operand.kind = Operand::Kind::Variable;
  operand.index = symbol->index;
  if (token.isPunctuation("+") || token.isPunctuation("-"))
    operand.bits = parseExpression(0, 0);
  return operand;
}

Operand Parser::parseAddress(unsigned depth) {
  Operand address;
  address.kind = Operand::Kind::Address;
  if (token.kind == Token::Kind::Name) {
    Operand base = parseNameOperand();
    if (base.kind == Operand::Kind::Variable)
      std::swap(address.bits, base.bits);
    else if (token.isPunctuation("+") || token.isPunctuation("-"))
      address.bits = parseExpression(0, 0);
    address.elements.push_back(std::move(base));
  } else {
    address.elements.push_back(parseConstant(0));
  }
  while (consume(","))
    address.elements.push_back(parseOperand(depth + 1));
  expect("]");
  return address;
}

Operand Parser::parseConstant(unsigned depth) {
  Operand operand;
  bool negative =
      token.isPunctuation("-") &&
      (ahead.kind == Token::Kind::Double || ahead.kind == Token::Kind::Single);
  if (negative)
    advance();
  if (token.kind == Token::Kind::Double || token.kind == Token::Kind::Single) {
    bool isSingle = token.kind == Token::Kind::Single;
    operand.kind = isSingle ? Operand::Kind::Single : Operand::Kind::Double;
    operand.bits = token.bits ^ (uint64_t(negative) << (isSingle ? 31 : 63));
    advance();
    return operand;
  }
  operand.kind = Operand::Kind::Integer;
  operand.bits = parseExpression(0, depth);
  return operand;
}

namespace {

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

uint64_t evaluate(std::string_view spelling, int64_t a, int64_t b) {
  if (spelling.size() == 2) {
    if (spelling == "||")
      return a || b;
    if (spelling == "&&")
      return a && b;
    if (spelling == "==")
      return a == b;
    if (spelling == "!=")
      return a != b;
    if (spelling == "<=")
      return a <= b;
    if (spelling == ">=")
      return a >= b;
    if (spelling == "<<")
      return uint64_t(b) > 63 ? 0 : uint64_t(a) << b;
    return uint64_t(a >> std::min<uint64_t>(uint64_t(b), 63));
  }
  switch (spelling[0]) {
  case '|':
    return uint64_t(a | b);
  case '^':
    return uint64_t(a ^ b);
  case '&':
    return uint64_t(a & b);
  case '<':
    return a < b;
  case '>':
    return a > b;
  case '+':
    return uint64_t(a) + uint64_t(b);
  case '-':
    return uint64_t(a) - uint64_t(b);
  case '*':
    return uint64_t(a) * uint64_t(b);
  case '/':
    return b == -1 ? -uint64_t(a) : uint64_t(a / b);
  default:
    return b == -1 ? 0 : uint64_t(a % b);
  }
}

} // namespace

uint64_t Parser::parseExpression(unsigned precedence, unsigned depth) {
  if (depth > maximumDepth)
    fail("expression nested too deeply");
  // In "[%rd1+4]" the expression begins with the sign.
  uint64_t value = parseUnary(depth + 1);
  while (token.kind == Token::Kind::Punctuation) {
    auto found =
        std::find_if(std::begin(binaryOperators), std::end(binaryOperators),
                     [&](const BinaryOperator &entry) {
                       return token.text == entry.spelling;
                     });
    if (found == std::end(binaryOperators) || found->precedence <= precedence)
      break;
    uint32_t line = token.line;
    advance();
    if (found->spelling == "?") {
      uint64_t chosen = parseExpression(0, depth + 1);
      expect(":");
      uint64_t other = parseExpression(0, depth + 1);
      value = value ? chosen : other;
      continue;
    }
    uint64_t right = parseExpression(found->precedence, depth + 1);
    if ((found->spelling == "/" || found->spelling == "%") && right == 0)
      fail(line, "division by zero in a constant");
    value = evaluate(found->spelling, int64_t(value), int64_t(right));
  }
  return value;
}

uint64_t Parser::parseUnary(unsigned depth) {
  if (depth > maximumDepth)
    fail("expression nested too deeply");
  if (consume("-"))
    return -parseUnary(depth + 1);
  if (consume("+"))
    return parseUnary(depth + 1);
  if (consume("~"))
    return ~parseUnary(depth + 1);
  if (consume("!"))
    return !parseUnary(depth + 1);
  if (consume("(")) {
    // "(.s64) 1" and "(.u64) 1" are casts.
    if (consumeDotted("s64") || consumeDotted("u64")) {
      expect(")");
      return parseUnary(depth + 1);
    }
    uint64_t value = parseExpression(0, depth + 1);
    expect(")");
    return value;
  }
  if (token.is(Token::Kind::Name, "WARP_SZ")) {
    advance();
    return 32;
  }
  if (token.kind != Token::Kind::Integer)
    fail("expected an operand instead of " + found());
  uint64_t value = token.bits;
  advance();
  return value;
}

} // namespace pbs::runtime::emulator

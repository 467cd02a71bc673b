// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Function bodies: statements and operands.

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
    {"%aggr_smem_size", SpecialRegister::TotalSmemSize, false},
    {"%clock", SpecialRegister::Clock, false},
    {"%clock_hi", SpecialRegister::ClockHigh, false},
    {"%clock64", SpecialRegister::Clock64, false},
    {"%globaltimer", SpecialRegister::Globaltimer, false},
    {"%globaltimer_lo", SpecialRegister::Globaltimer, false},
    {"%globaltimer_hi", SpecialRegister::GlobaltimerHigh, false},
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
    else if (token.text == "callprototype" || token.text == "calltargets")
      fail("indirect calls are not supported");
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
  // An alignment says nothing about a register.
  if (consumeDotted("align"))
    expectInteger("an alignment");
  uint8_t length = consumeDotted("v2") ? 2 : consumeDotted("v4") ? 4 : 1;
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
      scopes.back().ranges.push_back({name.text, count, type, length});
    } else {
      define(name, {Symbol::Kind::Register,
                    newRegister(type, name.text, length), length});
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
        Symbol symbol = {Symbol::Kind::Register,
                         newRegister(range.type, name, range.length),
                         range.length};
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
        symbol->length != 1 || function->registers[symbol->index] != Type::Pred)
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
  addStatement(std::move(statement));
}

/// mov.v2 and mov.v4 are a mov of each element, by way of registers of their
/// own, as the two vectors may share some.
void Parser::addStatement(Statement statement) {
  bool isVector = statement.name == "mov" && !statement.modifiers.empty() &&
                  (statement.modifiers.front() == "v2" ||
                   statement.modifiers.front() == "v4");
  if (!isVector) {
    function->body.push_back(std::move(statement));
    return;
  }
  size_t length = statement.modifiers.front() == "v2" ? 2 : 4;
  Type type = parseType(statement.modifiers.back());
  auto isOfLength = [&](const Operand &operand) {
    return operand.kind == Operand::Kind::Vector &&
           operand.elements.size() == length;
  };
  if (statement.modifiers.size() != 2 || type == Type::None ||
      statement.operands.size() != 2 ||
      !std::all_of(statement.operands.begin(), statement.operands.end(),
                   isOfLength))
    fail(statement.line,
         "'" + std::string(statement.text) + "' moves a vector to a vector");
  std::vector<Operand> destinations = statement.operands[0].elements;
  std::vector<Operand> sources = statement.operands[1].elements;
  statement.modifiers.erase(statement.modifiers.begin());
  Operand temporary;
  temporary.kind = Operand::Kind::Register;
  temporary.index = newRegister(type, "a moved vector", uint8_t(length));
  for (size_t index = 0; index < length; ++index, ++temporary.index) {
    statement.operands = {temporary, sources[index]};
    function->body.push_back(statement);
  }
  temporary.index -= uint32_t(length);
  for (size_t index = 0; index < length; ++index, ++temporary.index) {
    statement.operands = {destinations[index], temporary};
    function->body.push_back(statement);
  }
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
  if (token.kind != Token::Kind::Name || token.text == "WARP_SZ")
    return parseConstant();
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
  // The driver passes these; nothing here does, nor are there graphs.
  auto isNumber = [](char c) { return c >= '0' && c <= '9'; };
  constexpr std::string_view environment = "%envreg";
  if (name == "%current_graph_exec" ||
      (name.substr(0, environment.size()) == environment &&
       std::all_of(name.begin() + environment.size(), name.end(), isNumber))) {
    operand.kind = Operand::Kind::Integer;
    return operand;
  }
  for (std::string_view unsupported :
       {"%pm", "%reserved_smem_offset_", "%is_explicit_cluster"})
    if (name.substr(0, unsupported.size()) == unsupported)
      fail("special register '" + std::string(name) + "' is not supported");
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

Operand Parser::registerOperand(Symbol symbol) {
  Operand operand;
  operand.kind = Operand::Kind::Register;
  operand.index = symbol.index;
  if (symbol.length == 1)
    return operand;
  if (token.kind != Token::Kind::Dotted) {
    Operand vector;
    vector.kind = Operand::Kind::Vector;
    for (; operand.index < symbol.index + symbol.length; ++operand.index)
      vector.elements.push_back(operand);
    return vector;
  }
  size_t component = token.text.size() == 1
                         ? std::string_view("xyzwrgba").find(token.text)
                         : std::string_view::npos;
  if (component == std::string_view::npos || component % 4 >= symbol.length)
    fail("a vector of " + std::to_string(symbol.length) + " has no " + found());
  operand.index += uint32_t(component % 4);
  advance();
  return operand;
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
    return registerOperand(*symbol);
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
  if (consume("[")) {
    operand.isElement = true;
    operand.bits =
        parseInteger() * module.variables[operand.index].elementBytes;
    expect("]");
  } else if (token.isPunctuation("+") || token.isPunctuation("-")) {
    operand.bits = parseInteger();
  }
  return operand;
}

Operand Parser::parseAddress(unsigned depth) {
  Operand address;
  address.kind = Operand::Kind::Address;
  if (token.kind == Token::Kind::Name && token.text != "WARP_SZ") {
    Operand base = parseNameOperand();
    if (base.kind == Operand::Kind::Variable)
      std::swap(address.bits, base.bits);
    else if (token.isPunctuation("+") || token.isPunctuation("-"))
      address.bits = parseInteger();
    address.elements.push_back(std::move(base));
  } else {
    address.elements.push_back(parseConstant());
  }
  while (consume(","))
    address.elements.push_back(parseOperand(depth + 1));
  expect("]");
  return address;
}

} // namespace pbs::runtime::emulator

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Parser.h"

#include "pbs/Runtime/Error.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

/// More than any device has; keeps sums of sizes far from 64 bits.
constexpr uint64_t maximumVariableBytes = uint64_t(1) << 40;
constexpr unsigned maximumDepth = 64;
constexpr size_t maximumRegisters = 1 << 20;

} // namespace

Parser::Parser(std::string_view ptx, std::string_view moduleName)
    : lexer(ptx), moduleName(moduleName) {}

void Parser::fail(uint32_t line, const std::string &message) const {
  throw Error(moduleName + ":" + std::to_string(line) + ": " + message);
}

void Parser::fail(const std::string &message) const {
  if (token.kind == Token::Kind::Invalid)
    fail(token.line, std::string(token.text));
  fail(token.line, message);
}

std::string Parser::found() const {
  if (token.kind == Token::Kind::End)
    return "the end of the text";
  std::string spelling(token.text.substr(0, 40));
  // Messages are one line of printable text whatever the input is.
  for (char &c : spelling)
    if (static_cast<unsigned char>(c) < 32 ||
        static_cast<unsigned char>(c) > 126)
      c = '?';
  if (token.kind == Token::Kind::Dotted)
    return "'." + spelling + "'";
  return "'" + spelling + "'";
}

void Parser::advance() {
  token = ahead;
  if (token.kind == Token::Kind::Invalid)
    fail("");
  ahead = lexer.next();
}

bool Parser::consume(std::string_view punctuation) {
  if (!token.isPunctuation(punctuation))
    return false;
  advance();
  return true;
}

bool Parser::consumeDotted(std::string_view text) {
  if (!token.is(Token::Kind::Dotted, text))
    return false;
  advance();
  return true;
}

void Parser::expect(std::string_view punctuation) {
  if (!consume(punctuation))
    fail("expected '" + std::string(punctuation) + "' before " + found());
}

Token Parser::expectName(std::string_view what) {
  if (token.kind != Token::Kind::Name)
    fail("expected " + std::string(what) + " instead of " + found());
  Token name = token;
  advance();
  return name;
}

uint64_t Parser::expectInteger(std::string_view what) {
  if (token.kind != Token::Kind::Integer)
    fail("expected " + std::string(what) + " instead of " + found());
  uint64_t value = token.bits;
  advance();
  return value;
}

void Parser::define(const Token &name, Symbol symbol) {
  if (!scopes.back().symbols.emplace(name.text, symbol).second)
    fail(name.line, "'" + std::string(name.text) + "' is declared twice");
}

uint32_t Parser::newRegister(Type type, std::string_view name, uint8_t count) {
  if (function->registers.size() + count > maximumRegisters)
    fail("function '" + function->name + "' has too many registers");
  function->registers.insert(function->registers.end(), count, type);
  function->registerNames.insert(function->registerNames.end(), count, name);
  return uint32_t(function->registers.size() - count);
}

ModuleSyntax Parser::parse() {
  scopes.emplace_back();
  ahead = lexer.next();
  advance();
  if (!token.is(Token::Kind::Dotted, "version"))
    fail("expected '.version' instead of " + found());
  while (token.kind != Token::Kind::End)
    parseModuleItem();
  return std::move(module);
}

void Parser::parseModuleItem() {
  if (consume(";"))
    return;
  if (token.kind != Token::Kind::Dotted)
    fail("expected a directive instead of " + found());

  bool external = false;
  while (token.kind == Token::Kind::Dotted &&
         (token.text == "visible" || token.text == "weak" ||
          token.text == "common" || token.text == "extern")) {
    external |= token.text == "extern";
    advance();
  }
  if (consumeDotted("entry"))
    return parseFunction(/*isKernel=*/true);
  if (consumeDotted("func"))
    return parseFunction(/*isKernel=*/false);
  if (consumeDotted("global"))
    return parseVariables(Space::Global, external);
  if (consumeDotted("const"))
    return parseVariables(Space::Const, external);
  if (consumeDotted("shared"))
    return parseVariables(Space::Shared, external);
  if (consumeDotted("version")) {
    if (token.kind != Token::Kind::Double)
      fail("expected a version like 8.0 instead of " + found());
    return advance();
  }
  if (consumeDotted("target")) {
    do
      expectName("a target");
    while (consume(","));
    return;
  }
  if (consumeDotted("address_size")) {
    if (expectInteger("an address size") != 64)
      fail("only '.address_size 64' is supported");
    return;
  }
  if (consumeDotted("alias"))
    return parseAlias();
  if (token.text == "file" || token.text == "section" ||
      token.text == "pragma" || token.text == "loc" || token.text == "dwarf")
    return skipDirective();
  fail("unknown directive " + found());
}

/// Skips what says nothing about execution: ".pragma "x";", ".loc 1 2 3" and
/// what follows it, ".section .debug_info { ... }".
void Parser::skipDirective() {
  bool isSection = token.text == "section";
  bool endsWithLine = token.text == "loc" || token.text == "file";
  uint32_t line = token.line;
  advance();
  if (isSection) {
    while (token.kind != Token::Kind::End && !token.isPunctuation("{"))
      advance();
    unsigned depth = 0;
    do {
      if (token.kind == Token::Kind::End)
        fail(line, "'.section' without an end");
      if (token.isPunctuation("{"))
        ++depth;
      if (token.isPunctuation("}"))
        --depth;
      advance();
    } while (depth != 0);
    return;
  }
  while (token.kind != Token::Kind::End) {
    if (endsWithLine ? token.line != line : consume(";"))
      return;
    advance();
  }
}

/// Skips ".attribute(.managed, .unified(1, 2))".
void Parser::skipAttribute() {
  advance();
  expect("(");
  for (unsigned depth = 1; depth != 0; advance()) {
    if (token.kind == Token::Kind::End)
      fail("'.attribute' without an end");
    if (token.isPunctuation("("))
      ++depth;
    if (token.isPunctuation(")"))
      --depth;
  }
}

/// ".alias other, f;": both are functions, the first a prototype.
void Parser::parseAlias() {
  auto parseName = [&]() -> Function & {
    Token name = expectName("a function's name");
    std::optional<Symbol> symbol = lookUp(name.text);
    if (!symbol || symbol->kind != Symbol::Kind::Function)
      fail(name.line, "'" + std::string(name.text) + "' is no function");
    return module.functions[symbol->index];
  };
  Function &alias = parseName();
  expect(",");
  Function &original = parseName();
  if (alias.hasBody || !original.hasBody)
    fail("an alias has no body, and what it stands for has one");
  alias.alias = int32_t(&original - module.functions.data());
  expect(";");
}

void Parser::parseVariables(Space space, bool external, bool isFormal) {
  Variable variable;
  variable.space = space;
  variable.external = external;
  uint64_t alignment = 0;
  unsigned vectorLength = 1;
  while (token.kind == Token::Kind::Dotted) {
    if (consumeDotted("align")) {
      alignment = expectInteger("an alignment");
      if (alignment == 0 || alignment > 4096 || (alignment & (alignment - 1)))
        fail("an alignment is a power of two up to 4096");
    } else if (consumeDotted("ptr")) {
      // What the parameter points at says nothing about the parameter; its
      // alignment follows as `.align`.
      if (token.kind == Token::Kind::Dotted && token.text != "align")
        advance();
      if (consumeDotted("align"))
        expectInteger("an alignment");
    } else if (token.text == "attribute") {
      skipAttribute();
    } else if (consumeDotted("v2")) {
      vectorLength = 2;
    } else if (consumeDotted("v4")) {
      vectorLength = 4;
    } else if (Type type = parseType(token.text); type != Type::None &&
                                                  type != Type::Pred &&
                                                  variable.type == Type::None) {
      variable.type = type;
      advance();
    } else {
      fail("unexpected " + found() + " in a declaration");
    }
  }
  if (variable.type == Type::None)
    fail("a declaration needs a type before " + found());
  uint64_t elementBytes = byteWidth(variable.type) * vectorLength;
  variable.alignment = alignment ? alignment : elementBytes;
  variable.elementBytes = elementBytes;
  if (isFormal)
    return parseDeclarator(variable, elementBytes);
  do
    parseDeclarator(variable, elementBytes);
  while (consume(","));
  expect(";");
}

void Parser::parseDeclarator(Variable variable, uint64_t elementBytes) {
  Token name = expectName("a variable's name");
  variable.name = name.text;
  variable.line = name.line;
  variable.owner = functionIndex;
  variable.bytes = elementBytes;
  bool unsized = false;
  while (consume("[")) {
    if (consume("]")) {
      unsized = true;
      continue;
    }
    uint64_t count = parseInteger();
    if (count > maximumVariableBytes / std::max<uint64_t>(variable.bytes, 1))
      fail("variable '" + std::string(name.text) + "' is too large");
    variable.bytes *= count;
    expect("]");
  }
  if (consume("=")) {
    if (variable.space != Space::Global && variable.space != Space::Const)
      fail("only .global and .const variables have initialisers");
    parseInitializer(variable, 0);
    uint64_t bytes = variable.initializer.size() * byteWidth(variable.type);
    if (unsized)
      variable.bytes = bytes;
    if (bytes > variable.bytes)
      fail("variable '" + std::string(name.text) +
           "' is smaller than its initialiser");
  } else if (unsized || (variable.external && variable.bytes == 0)) {
    variable.bytes = 0;
    variable.dynamic = variable.space == Space::Shared;
  }
  define(name, {Symbol::Kind::Variable, uint32_t(module.variables.size())});
  module.variables.push_back(std::move(variable));
}

void Parser::parseInitializer(Variable &variable, unsigned depth) {
  if (depth > maximumDepth)
    fail("initialiser nested too deeply");
  if (consume("{")) {
    if (consume("}"))
      return;
    do
      parseInitializer(variable, depth + 1);
    while (consume(","));
    return expect("}");
  }
  if (variable.initializer.size() * byteWidth(variable.type) >
      maximumVariableBytes)
    fail("initialiser too large");
  if (bitWidth(variable.type) > 64)
    fail("elements above 64 bits have no initialisers");
  Variable::Element element;
  // 0xFF00(name) is the second byte of an address.
  bool isByte = token.kind == Token::Kind::Integer && ahead.isPunctuation("(");
  if (isByte) {
    while (element.shift < 56 && token.bits != uint64_t(0xFF) << element.shift)
      element.shift += 8;
    if (token.bits != uint64_t(0xFF) << element.shift)
      fail("expected a mask of one byte instead of " + found());
    advance();
    advance();
  }
  if (token.kind == Token::Kind::Name && token.text != "WARP_SZ") {
    parseInitialAddress(element);
    if (bitWidth(variable.type) != (isByte ? 8 : 64))
      fail(isByte ? "a byte of an address needs an element of 8 bits"
                  : "an address needs an element of 64 bits");
  } else if (isByte) {
    fail("expected an address instead of " + found());
  } else {
    Operand value = parseConstant();
    element.bits = value.bits;
    double number = 0;
    float single = 0;
    if (value.kind == Operand::Kind::Double) {
      std::copy_n(reinterpret_cast<const char *>(&value.bits), sizeof(number),
                  reinterpret_cast<char *>(&number));
    } else if (value.kind == Operand::Kind::Single) {
      std::copy_n(reinterpret_cast<const char *>(&value.bits), sizeof(single),
                  reinterpret_cast<char *>(&single));
      number = single;
    } else {
      number = double(int64_t(value.bits));
    }
    if (variable.type == Type::F64) {
      std::copy_n(reinterpret_cast<const char *>(&number), sizeof(number),
                  reinterpret_cast<char *>(&element.bits));
    } else if (variable.type == Type::F32) {
      single = float(number);
      element.bits = 0;
      std::copy_n(reinterpret_cast<const char *>(&single), sizeof(single),
                  reinterpret_cast<char *>(&element.bits));
    } else if (value.kind != Operand::Kind::Integer) {
      fail("a floating-point value initialises .f32 and .f64 only");
    }
  }
  if (isByte)
    expect(")");
  variable.initializer.push_back(element);
}

/// "name", "generic(name)", and either with an offset.
void Parser::parseInitialAddress(Variable::Element &element) {
  bool isGeneric = token.text == "generic" && ahead.isPunctuation("(");
  if (isGeneric) {
    advance();
    advance();
  }
  Operand operand = parseNameOperand();
  if (operand.kind != Operand::Kind::Variable)
    fail("an initialiser holds values and addresses of variables");
  Space space = module.variables[operand.index].space;
  if (space != Space::Global && space != Space::Const)
    fail("only addresses of .global and .const variables are constant");
  element.variable = int32_t(operand.index);
  element.bits = operand.bits;
  if (isGeneric) {
    expect(")");
    if (token.isPunctuation("+") || token.isPunctuation("-"))
      element.bits += parseInteger();
  }
}

std::array<uint32_t, 3> Parser::parseExtents() {
  std::array<uint32_t, 3> extents = {1, 1, 1};
  unsigned dimension = 0;
  do {
    if (dimension == 3)
      fail("expected at most three extents");
    uint64_t extent = expectInteger("an extent");
    if (extent == 0 || extent > UINT32_MAX)
      fail("an extent is from 1 to 2^32 - 1");
    extents[dimension++] = uint32_t(extent);
  } while (consume(","));
  return extents;
}

bool Parser::parseFunctionDirective(Function &function) {
  if (consumeDotted("reqntid")) {
    function.requiredThreads = parseExtents();
  } else if (consumeDotted("maxntid")) {
    function.maximumThreads = parseExtents();
  } else if (consumeDotted("reqnctapercluster")) {
    function.requiredCluster = parseExtents();
  } else if (consumeDotted("maxnreg")) {
    uint64_t count = expectInteger("a number of registers");
    function.maximumRegisters = uint32_t(std::min<uint64_t>(count, UINT32_MAX));
  } else if (consumeDotted("minnctapersm") || consumeDotted("maxnctapersm") ||
             consumeDotted("maxclusterrank")) {
    expectInteger("a number");
  } else if (consumeDotted("noreturn") || consumeDotted("explicitcluster") ||
             consumeDotted("blocksareclusters")) {
  } else if (token.is(Token::Kind::Dotted, "pragma")) {
    skipDirective();
  } else {
    return false;
  }
  return true;
}

void Parser::parseFormals(Function &function,
                          std::vector<Function::Formal> &formals) {
  if (!consume("("))
    return;
  if (consume(")"))
    return;
  do
    parseFormal(function, formals);
  while (consume(","));
  expect(")");
}

void Parser::parseFormal(Function &function,
                         std::vector<Function::Formal> &formals) {
  if (consumeDotted("reg")) {
    Type type =
        token.kind == Token::Kind::Dotted ? parseType(token.text) : Type::None;
    if (type == Type::None)
      fail("expected a register's type instead of " + found());
    advance();
    Token name = expectName("a parameter's name");
    uint32_t index = newRegister(type, name.text);
    define(name, {Symbol::Kind::Register, index});
    formals.push_back({true, index});
    return;
  }
  if (!consumeDotted("param"))
    fail("expected '.param' instead of " + found());
  size_t before = module.variables.size();
  parseVariables(function.isKernel ? Space::Param : Space::Local,
                 /*external=*/false, /*isFormal=*/true);
  formals.push_back({false, uint32_t(before)});
}

void Parser::parseFunction(bool isKernel) {
  Function parsed;
  parsed.isKernel = isKernel;
  parsed.line = token.line;
  function = &parsed;
  scopes.emplace_back();
  if (!isKernel) {
    while (token.is(Token::Kind::Dotted, "attribute"))
      skipAttribute();
    parseFormals(parsed, parsed.results);
  }
  Token name = expectName("a function's name");
  parsed.name = std::string(name.text);
  auto declared = scopes.front().symbols.find(name.text);
  functionIndex = declared == scopes.front().symbols.end()
                      ? int32_t(module.functions.size())
                      : int32_t(declared->second.index);
  for (const Function::Formal &result : parsed.results)
    if (!result.isRegister)
      module.variables[result.index].owner = functionIndex;
  parseFormals(parsed, parsed.parameters);
  while (parseFunctionDirective(parsed)) {
  }

  // The name is known inside the body and to everything that follows; a
  // prototype may come first.
  auto &symbols = scopes.front().symbols;
  auto known = symbols.find(name.text);
  if (known == symbols.end()) {
    known = symbols
                .emplace(name.text, Symbol{Symbol::Kind::Function,
                                           uint32_t(module.functions.size())})
                .first;
    module.functions.emplace_back();
    module.functions.back().name = parsed.name;
    module.functions.back().isKernel = isKernel;
    module.functions.back().line = parsed.line;
    module.functions.back().parameters = parsed.parameters;
    module.functions.back().results = parsed.results;
  } else if (known->second.kind != Symbol::Kind::Function ||
             (token.isPunctuation("{") &&
              module.functions[known->second.index].hasBody)) {
    fail(name.line, "'" + parsed.name + "' is declared twice");
  }
  uint32_t index = known->second.index;

  if (token.isPunctuation("{")) {
    parsed.hasBody = true;
    uint32_t line = token.line;
    advance();
    parseBlock(line, 0);
    closeScope();
    module.functions[index] = std::move(parsed);
  } else {
    if (!consume(";"))
      fail("expected a body or ';' before " + found());
    scopes.pop_back();
  }
  function = nullptr;
  functionIndex = -1;
}

} // namespace pbs::runtime::emulator

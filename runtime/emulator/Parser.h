// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recursive-descent parser of PTX, after the grammar of the PTX ISA.

#ifndef PBS_EMULATOR_PARSER_H
#define PBS_EMULATOR_PARSER_H

#include "Lexer.h"
#include "Syntax.h"

#include <optional>
#include <string>
#include <unordered_map>

namespace pbs::runtime::emulator {

/// Parses one module. Variables are not laid out yet.
class Parser {
public:
  /// \p ptx must outlive the parser and what it returns; \p moduleName begins
  /// every message.
  Parser(std::string_view ptx, std::string_view moduleName);

  /// Throws Error("module:line: ...").
  ModuleSyntax parse();

private:
  struct Symbol {
    enum class Kind : uint8_t { Register, Variable, Function, Label, Targets };
    Kind kind;
    uint32_t index;
    /// Registers of a vector, one behind the other.
    uint8_t length = 1;
  };
  /// `.reg .b32 %r<10>`, whose registers get numbers when they occur.
  struct RegisterRange {
    std::string_view prefix;
    uint64_t count;
    Type type;
    uint8_t length;
  };
  struct Scope {
    std::unordered_map<std::string_view, Symbol> symbols;
    std::vector<RegisterRange> ranges;
    /// Label references not resolved yet.
    std::vector<uint32_t> pending;
  };

  // Declarations; Parser.cpp.
  void parseModuleItem();
  void parseVariables(Space space, bool external, bool isFormal = false);
  void parseDeclarator(Variable variable, uint64_t elementBytes);
  void parseInitializer(Variable &variable, unsigned depth);
  void parseInitialAddress(Variable::Element &element);
  void parseFunction(bool isKernel);
  void parseFormals(Function &function, std::vector<Function::Formal> &formals);
  void parseFormal(Function &function, std::vector<Function::Formal> &formals);
  bool parseFunctionDirective(Function &function);
  std::array<uint32_t, 3> parseExtents();
  void skipDirective();
  void skipAttribute();
  void parseAlias();

  // Bodies; ParserBody.cpp.
  /// \p line is that of the opening brace, which has been read.
  void parseBlock(uint32_t line, unsigned depth);
  void parseRegisters();
  void parseStatement();
  void addStatement(Statement statement);
  /// A register or a vector of them; \p symbol's name has been read.
  Operand registerOperand(Symbol symbol);
  Operand parseOperand(unsigned depth);
  Operand parseNameOperand();
  Operand parseAddress(unsigned depth);
  Operand parseOperandList(Operand::Kind kind, std::string_view close,
                           unsigned depth);
  std::optional<Operand> parseSpecialRegister(std::string_view name);
  std::optional<Symbol> lookUp(std::string_view name);
  uint32_t labelReference(const Token &name);
  void closeScope();

  // Constant expressions; ParserConstants.cpp.
  struct Constant {
    enum class Type : uint8_t { Signed, Unsigned, Float };
    Type type = Type::Signed;
    /// Of 64 bits, those of a double where it is a Float.
    uint64_t bits = 0;
  };
  Operand parseConstant();
  uint64_t parseInteger();
  Constant parseExpression(unsigned precedence, unsigned depth);
  Constant parseUnary(unsigned depth);
  Constant evaluate(std::string_view spelling, Constant left,
                    Constant right) const;

  // Tokens; Parser.cpp.
  void advance();
  bool consume(std::string_view punctuation);
  bool consumeDotted(std::string_view text);
  void expect(std::string_view punctuation);
  Token expectName(std::string_view what);
  uint64_t expectInteger(std::string_view what);
  [[noreturn]] void fail(const std::string &message) const;
  [[noreturn]] void fail(uint32_t line, const std::string &message) const;
  /// The current token in quotes, for messages.
  std::string found() const;
  void define(const Token &name, Symbol symbol);
  /// The first of \p count new registers.
  uint32_t newRegister(Type type, std::string_view name, uint8_t count = 1);

  Lexer lexer;
  std::string moduleName;
  Token token;
  /// The token after `token`.
  Token ahead;
  ModuleSyntax module;
  /// The function whose header or body is being read.
  Function *function = nullptr;
  /// Its number, or -1 outside of functions.
  int32_t functionIndex = -1;
  std::vector<Scope> scopes;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_PARSER_H

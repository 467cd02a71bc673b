// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splits PTX text into tokens (PTX ISA, "Syntax").

#ifndef PBS_EMULATOR_LEXER_H
#define PBS_EMULATOR_LEXER_H

#include <cstdint>
#include <string_view>

namespace pbs::runtime::emulator {

struct Token {
  enum class Kind : uint8_t {
    /// The end of the text.
    End,
    /// A name: an opcode, label, variable or register ("%r1").
    Name,
    /// A dot and what follows it (".global", ".L1::no_allocate"); the text is
    /// without the dot.
    Dotted,
    /// An integer literal; its value is in `bits`.
    Integer,
    /// A floating-point literal: `bits` are those of a double.
    Double,
    /// A literal "0f3F800000": `bits` are those of a float.
    Single,
    String,
    /// Any other character, or one of << >> <= >= == != && ||.
    Punctuation,
    /// What is no token; the text is the message.
    Invalid,
  };

  Kind kind = Kind::End;
  /// Nothing stood between this token and the one before it.
  bool adjacent = false;
  /// From 1.
  uint32_t line = 1;
  std::string_view text;
  uint64_t bits = 0;

  bool is(Kind expected, std::string_view spelling) const {
    return kind == expected && text == spelling;
  }
  bool isPunctuation(std::string_view spelling) const {
    return is(Kind::Punctuation, spelling);
  }
};

/// Reads tokens one after the other. The text must outlive the tokens.
class Lexer {
public:
  explicit Lexer(std::string_view text);

  Token next();

private:
  Token scan();
  /// Skips blanks and comments; false at a comment without an end.
  bool skipBlanks();
  Token number();
  Token make(Token::Kind kind, std::string_view text, uint64_t bits = 0) const;

  const char *position;
  const char *end;
  uint32_t line = 1;
  uint32_t tokenLine = 1;
  bool adjacent = false;
  /// The last token was a name or what follows one.
  bool isNamePart = false;
};

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_LEXER_H

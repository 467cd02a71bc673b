// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Lexer.h"

#include <cstdlib>
#include <cstring>
#include <string>

namespace pbs::runtime::emulator {

namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

bool isNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '$' || c == '%';
}

bool isNameBody(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '$' || isDigit(c);
}

/// The value of a digit in any base up to 16, or 255.
unsigned digitValue(char c) {
  if (isDigit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return 255;
}

} // namespace

Lexer::Lexer(std::string_view text)
    : position(text.data()), end(text.data() + text.size()) {}

Token Lexer::make(Token::Kind kind, std::string_view text,
                  uint64_t bits) const {
  Token token;
  token.kind = kind;
  token.adjacent = adjacent;
  token.line = tokenLine;
  token.text = text;
  token.bits = bits;
  return token;
}

bool Lexer::skipBlanks() {
  while (position != end) {
    char c = *position;
    if (c == '\n') {
      ++line;
      ++position;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
      ++position;
    } else if (c == '#' ||
               (c == '/' && end - position > 1 && position[1] == '/')) {
      // Line comments, and the line markers that a preprocessor leaves.
      while (position != end && *position != '\n')
        ++position;
    } else if (c == '/' && end - position > 1 && position[1] == '*') {
      tokenLine = line;
      position += 2;
      while (end - position > 1 && !(position[0] == '*' && position[1] == '/'))
        line += *position++ == '\n';
      if (end - position < 2) {
        position = end;
        return false;
      }
      position += 2;
    } else {
      break;
    }
  }
  return true;
}

Token Lexer::next() {
  Token token = scan();
  isNamePart =
      token.kind == Token::Kind::Name || token.kind == Token::Kind::Dotted;
  return token;
}

Token Lexer::scan() {
  const char *before = position;
  tokenLine = line;
  if (!skipBlanks())
    return make(Token::Kind::Invalid, "comment without an end");
  adjacent = position == before;
  tokenLine = line;
  if (position == end)
    return make(Token::Kind::End, "end of text");

  const char *start = position;
  char c = *position;
  auto spelling = [&] {
    return std::string_view(start, size_t(position - start));
  };
  // ".5" is a number, ".5d" behind a name a modifier.
  if (isDigit(c) || (c == '.' && end - position > 1 && isDigit(position[1]) &&
                     !(adjacent && isNamePart)))
    return number();
  // A lone % is the remainder operator.
  if (isNameStart(c) &&
      (c != '%' || (end - position > 1 && isNameBody(position[1]) &&
                    !isDigit(position[1])))) {
    ++position;
    while (position != end && isNameBody(*position))
      ++position;
    return make(Token::Kind::Name, spelling());
  }
  if (c == '.' && end - position > 1 && isNameBody(position[1])) {
    ++position;
    ++start;
    while (position != end) {
      if (isNameBody(*position))
        ++position;
      else if (end - position > 2 && position[0] == ':' && position[1] == ':' &&
               isNameBody(position[2]))
        position += 2;
      else
        break;
    }
    return make(Token::Kind::Dotted, spelling());
  }
  if (c == '"') {
    ++position;
    while (position != end && *position != '"' && *position != '\n')
      position += *position == '\\' && end - position > 1 ? 2 : 1;
    if (position == end || *position != '"')
      return make(Token::Kind::Invalid, "string without an end");
    ++position;
    return make(Token::Kind::String, spelling());
  }
  ++position;
  static constexpr std::string_view pairs[] = {
      "<<", ">>", "<=", ">=", "==", "!=", "&&", "||"};
  if (position != end)
    for (std::string_view pair : pairs)
      if (c == pair[0] && *position == pair[1]) {
        ++position;
        break;
      }
  return make(Token::Kind::Punctuation, spelling());
}

Token Lexer::number() {
  const char *start = position;
  auto spelling = [&] {
    return std::string_view(start, size_t(position - start));
  };
  auto remaining = [&] { return end - position; };

  if (*position == '0' && remaining() > 1) {
    char kind = position[1] | 0x20;
    if (kind == 'f' || kind == 'd') {
      unsigned digits = kind == 'f' ? 8 : 16;
      position += 2;
      uint64_t bits = 0;
      for (unsigned count = 0; count < digits; ++count, ++position) {
        if (position == end || digitValue(*position) > 15)
          return make(Token::Kind::Invalid,
                      kind == 'f' ? "0f wants eight hexadecimal digits"
                                  : "0d wants sixteen hexadecimal digits");
        bits = bits << 4 | digitValue(*position);
      }
      return make(kind == 'f' ? Token::Kind::Single : Token::Kind::Double,
                  spelling(), bits);
    }
  }

  unsigned base = 10;
  if (*position == '0' && remaining() > 1) {
    char kind = position[1] | 0x20;
    if (kind == 'x') {
      base = 16;
      position += 2;
    } else if (kind == 'b') {
      base = 2;
      position += 2;
    } else if (isDigit(position[1])) {
      base = 8;
    }
  }
  const char *digits = position;
  while (position != end && digitValue(*position) < (base == 16 ? 16 : 10))
    ++position;

  // A decimal number with a fraction or an exponent.
  if (base == 10 || base == 8) {
    auto isExponent = [&](const char *at) {
      if (end - at < 2 || (*at | 0x20) != 'e')
        return false;
      bool isSigned = end - at > 2 && (at[1] == '+' || at[1] == '-');
      return isDigit(at[isSigned ? 2 : 1]);
    };
    bool fraction = remaining() > 0 && *position == '.' &&
                    (remaining() == 1 || !isNameBody(position[1]) ||
                     isDigit(position[1]) || isExponent(position + 1));
    if (fraction || isExponent(position)) {
      if (fraction) {
        ++position;
        while (position != end && isDigit(*position))
          ++position;
      }
      if (isExponent(position)) {
        position += 2;
        while (position != end && isDigit(*position))
          ++position;
      }
      double value = std::strtod(std::string(spelling()).c_str(), nullptr);
      uint64_t bits;
      std::memcpy(&bits, &value, sizeof(bits));
      return make(Token::Kind::Double, spelling(), bits);
    }
  }

  uint64_t value = 0;
  for (const char *digit = digits; digit != position; ++digit) {
    unsigned next = digitValue(*digit);
    if (next >= base)
      return make(Token::Kind::Invalid, "digit outside the number's base");
    uint64_t previous = value;
    value = value * base + next;
    if (previous > (UINT64_MAX - next) / base)
      return make(Token::Kind::Invalid, "integer above 64 bits");
  }
  if (digits == position)
    return make(Token::Kind::Invalid, "number without digits");
  if (position != end && *position == 'U')
    ++position;
  return make(Token::Kind::Integer, spelling(), value);
}

} // namespace pbs::runtime::emulator

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mutations for text formats. libFuzzer's own change bytes, after which hardly
// any text still parses; these change tokens and lines, so that more of them
// reach the checks behind the parser.

#include "Fuzz.h"

#include <algorithm>
#include <cctype>
#include <random>
#include <string_view>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);

namespace {

using Tokens = std::vector<std::string>;

bool isWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' ||
         c == '$';
}

bool isOneOf(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

/// Words with the mark before them, strings, and single characters; each with
/// the blanks that follow it.
Tokens split(std::string_view text) {
  Tokens tokens;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = begin + 1;
    if (text[begin] == '"') {
      while (end < text.size() && text[end] != '"' && text[end] != '\n')
        ++end;
      end = std::min(end + 1, text.size());
    } else if (isWord(text[begin]) || isOneOf(text[begin], "%@!#^-")) {
      while (end < text.size() && isWord(text[end]))
        ++end;
    }
    while (end < text.size() && (text[end] == ' ' || text[end] == '\n'))
      ++end;
    tokens.emplace_back(text.substr(begin, end - begin));
  }
  return tokens;
}

char kindOf(const std::string &token) {
  unsigned char first = static_cast<unsigned char>(token[0]);
  return std::isdigit(first) ? '0' : std::isalpha(first) ? 'a' : token[0];
}

class Mutator {
public:
  Mutator(std::string_view text, unsigned seed)
      : tokens(split(text)), random(seed) {}

  std::string run() {
    for (size_t round = below(4) + 1; round > 0 && !tokens.empty(); --round)
      mutateOnce();
    std::string text;
    for (const std::string &token : tokens)
      text += token;
    return text;
  }

private:
  size_t below(size_t bound) { return random() % bound; }

  void mutateOnce() {
    size_t at = below(tokens.size());
    switch (below(8)) {
    case 0:
    case 1:
      return replaceWithOneOfItsKind(at);
    case 2:
    case 3:
      return replaceNumber(at);
    case 4:
      return std::swap(tokens[at], tokens[below(tokens.size())]);
    case 5:
      return erase(at, at + 1 + below(3));
    case 6: {
      // A line, or what is between two brackets, disappears.
      auto [begin, end] = below(2) ? lineAround(at) : groupFrom(at);
      return erase(begin, end);
    }
    default: {
      auto [begin, end] = below(2) ? lineAround(at) : groupFrom(at);
      Tokens copy(tokens.begin() + begin, tokens.begin() + end);
      size_t place = below(2) ? end : lineAround(below(tokens.size())).first;
      tokens.insert(tokens.begin() + place, copy.begin(), copy.end());
    }
    }
  }

  void erase(size_t begin, size_t end) {
    end = std::min(end, tokens.size());
    tokens.erase(tokens.begin() + begin, tokens.begin() + end);
  }

  void replaceWithOneOfItsKind(size_t at) {
    char kind = kindOf(tokens[at]);
    size_t start = below(tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
      const std::string &other = tokens[(start + i) % tokens.size()];
      if (kindOf(other) == kind && other != tokens[at]) {
        tokens[at] = other;
        return;
      }
    }
  }

  void replaceNumber(size_t at) {
    static constexpr const char *numbers[] = {
        "0",          "1",          "-1",
        "2",          "7",          "16",
        "64",         "128",        "65536",
        "2147483648", "4294967296", "9223372036854775807",
        "?",          "1.5",        "-9223372036854775808"};
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::string &token = tokens[(at + i) % tokens.size()];
      size_t digits = 0;
      while (digits < token.size() &&
             std::isdigit(static_cast<unsigned char>(token[digits])))
        ++digits;
      if (digits == 0)
        continue;
      // "128x64xf32" keeps its other extents.
      token.replace(0, digits, numbers[below(std::size(numbers))]);
      return;
    }
  }

  std::pair<size_t, size_t> lineAround(size_t at) const {
    auto endsLine = [&](size_t index) {
      return tokens[index].find('\n') != std::string::npos;
    };
    size_t begin = at, end = at;
    while (begin > 0 && !endsLine(begin - 1))
      --begin;
    while (end < tokens.size() && !endsLine(end))
      ++end;
    return {begin, std::min(end + 1, tokens.size())};
  }

  /// From the first opening bracket at or after \p at to the one that closes
  /// it.
  std::pair<size_t, size_t> groupFrom(size_t at) const {
    while (at < tokens.size() && !isOneOf(tokens[at][0], "([{<"))
      ++at;
    size_t end = at, depth = 0;
    for (; end < tokens.size(); ++end) {
      if (isOneOf(tokens[end][0], "([{<"))
        ++depth;
      else if (isOneOf(tokens[end][0], ")]}>") && --depth == 0)
        break;
    }
    return {at, std::min(end + 1, tokens.size())};
  }

  Tokens tokens;
  std::minstd_rand random;
};

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t limit, unsigned seed) {
  if (seed % 4 == 0)
    return LLVMFuzzerMutate(data, size, limit);
  std::string_view text(reinterpret_cast<const char *>(data), size);
  std::string mutated = Mutator(text, seed).run();
  if (mutated.empty() || mutated.size() > limit)
    return LLVMFuzzerMutate(data, size, limit);
  std::copy(mutated.begin(), mutated.end(), data);
  return mutated.size();
}

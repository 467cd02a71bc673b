// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "PtxEntries.h"

#include <algorithm>
#include <cctype>

namespace pbs::runtime::cuda {
namespace {

/// Cuts PTX into words (identifiers, numbers and directives with their dot) and
/// single characters; leaves out white space, comments and strings.
class Words {
public:
  explicit Words(std::string_view text) : text(text) {}

  /// The next word, empty at the end.
  std::string_view next() {
    skip();
    if (text.empty())
      return {};
    size_t length = isWord(text[0]) ? 1 : 0;
    while (length != 0 && length < text.size() && isWord(text[length]) &&
           text[length] != '.')
      ++length;
    return take(std::max<size_t>(length, 1));
  }

private:
  static bool isWord(char character) {
    return std::isalnum(static_cast<unsigned char>(character)) ||
           character == '_' || character == '$' || character == '%' ||
           character == '.';
  }

  std::string_view take(size_t length) {
    std::string_view taken = text.substr(0, length);
    text.remove_prefix(taken.size());
    return taken;
  }

  /// Passes over the text up to and with \p end, searched from \p from.
  void skipPast(std::string_view end, size_t from) {
    size_t at = text.find(end, from);
    take(at == std::string_view::npos ? text.size() : at + end.size());
  }

  void skip() {
    while (!text.empty()) {
      if (std::isspace(static_cast<unsigned char>(text[0])))
        take(1);
      else if (text.substr(0, 2) == "//")
        skipPast("\n", 2);
      else if (text.substr(0, 2) == "/*")
        skipPast("*/", 2);
      else if (text[0] == '"')
        skipPast("\"", 1);
      else
        return;
    }
  }

  std::string_view text;
};

} // namespace

std::vector<PtxEntry> findEntries(std::string_view ptx) {
  std::vector<PtxEntry> entries;
  Words words(ptx);
  std::string_view word = words.next();
  while (!word.empty()) {
    if (word != ".entry") {
      word = words.next();
      continue;
    }
    PtxEntry entry;
    entry.name = words.next();
    word = words.next();
    if (word == "(")
      while (!word.empty() && word != ")") {
        word = words.next();
        entry.parameterCount += word == ".param";
      }
    if (!entry.name.empty())
      entries.push_back(std::move(entry));
  }
  return entries;
}

} // namespace pbs::runtime::cuda

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Pipelines/Pipelines.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace pbs;

static constexpr size_t longestLine = 160;
/// What the rest of a broken line is indented by.
static constexpr size_t continuation = 4;

/// Puts one space where several follow each other, but for strings. A quote in
/// a string is printed as its code.
static std::string joinSpaces(StringRef line) {
  std::string result;
  bool isString = false;
  for (size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (c == '"')
      isString = !isString;
    if (isString || c != ' ' || !StringRef(result).ends_with(" "))
      result += c;
  }
  return result;
}

/// Where to go on in the next line: behind a comma, or before an arrow, the
/// colon before types or attributes, inside as few brackets as can be, and then
/// as late as can be; 0 if nowhere.
static size_t findBreak(StringRef line, size_t room) {
  size_t best = 0;
  int depth = 0, bestDepth = 0;
  bool isString = false;
  for (size_t i = 0; i + 1 < line.size() && i < room; ++i) {
    char c = line[i];
    if (c == '"')
      isString = !isString;
    if (isString)
      continue;
    if (StringRef(")]}").contains(c) ||
        (c == '>' && !line.take_front(i).ends_with("-")))
      --depth;
    StringRef here = line.substr(i);
    bool isBefore =
        line.take_front(i).ends_with(" ") &&
        (here.starts_with("-> ") || here.starts_with(": ") || c == '{');
    bool isBehind = here.starts_with(", ");
    if ((isBefore || isBehind) && (best == 0 || depth <= bestDepth)) {
      best = isBefore ? i : i + 2;
      bestDepth = depth;
    }
    if (StringRef("([{<").contains(c))
      ++depth;
  }
  return best;
}

std::string pbs::printReadably(ModuleOp module) {
  std::string printed, result;
  llvm::raw_string_ostream os(printed);
  module.print(os);
  SmallVector<StringRef> lines;
  StringRef(printed).rtrim('\n').split(lines, '\n');
  for (StringRef line : lines) {
    StringRef text = line.ltrim(' ');
    std::string indentation(line.size() - text.size(), ' ');
    std::string joined = joinSpaces(text.rtrim(' '));
    StringRef rest = joined;
    while (indentation.size() + rest.size() > longestLine) {
      size_t length = findBreak(rest, longestLine - indentation.size());
      if (length == 0)
        break;
      result += indentation + rest.take_front(length).rtrim(' ').str() + "\n";
      if (rest.data() == joined.data())
        indentation.append(continuation, ' ');
      rest = rest.drop_front(length);
    }
    result += indentation + rest.str() + "\n";
  }
  return result;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Error.h"

#include <algorithm>
#include <sstream>

using namespace pbs::runtime;

/// Messages quote what files hold, and a name may hold anything: without this
/// it could break the line, or steer the terminal.
static std::string onOneLine(std::string message) {
  auto isControl = [](char character) {
    return (character >= 0 && character < ' ') || character == 127;
  };
  std::replace_if(message.begin(), message.end(), isControl, '?');
  return message;
}

Error::Error(const std::string &message, ErrorKind kind)
    : std::runtime_error(onOneLine(message)), errorKind(kind) {}

static std::string joined(const std::vector<std::string> &lines) {
  std::string message;
  for (const std::string &line : lines)
    message += (message.empty() ? "" : "\n") + onOneLine(line);
  return message;
}

Error::Error(const std::vector<std::string> &lines, ErrorKind kind)
    : std::runtime_error(joined(lines)), errorKind(kind) {}

Error::~Error() = default;

std::vector<std::string> Error::lines() const {
  std::vector<std::string> lines;
  std::istringstream text(what());
  for (std::string line; std::getline(text, line);)
    lines.push_back(line);
  return lines;
}

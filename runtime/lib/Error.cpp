// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Error.h"

#include <algorithm>

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

Error::~Error() = default;

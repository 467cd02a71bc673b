// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs mutants, each in a process of its own, which may crash.

#include "Mutation.h"

#include <cerrno>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

using namespace pbs::mutation;

namespace {

enum class Outcome { Caught, Hangs, Silent, Wrong };

struct Verdict {
  Outcome outcome;
  /// The kinds of hazards, or the message.
  std::string what;
};

/// The answer of a child.
std::string readAll(int file) {
  std::string text;
  for (;;) {
    char buffer[4096];
    ssize_t count = ::read(file, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return text;
    text.append(buffer, size_t(count));
  }
}

/// The kinds in \p message, each once.
std::string kindsIn(const std::string &message) {
  static const std::regex form("hazard: ([a-z-]+): ");
  std::set<std::string> kinds;
  for (std::sregex_iterator match(message.begin(), message.end(), form), end;
       match != end; ++match)
    kinds.insert((*match)[1]);
  std::string text;
  for (const std::string &kind : kinds)
    text += (text.empty() ? "" : ", ") + kind;
  return text;
}

Verdict judge(const std::string &ptx, const Run &run) {
  int ends[2];
  if (::pipe(ends) != 0)
    throw std::runtime_error("cannot make a pipe");
  std::fflush(nullptr);
  pid_t child = ::fork();
  if (child < 0)
    throw std::runtime_error("cannot make a process");
  if (child == 0) {
    ::close(ends[0]);
    std::string message;
    try {
      message = run(ptx);
    } catch (const std::exception &error) {
      message = error.what();
    }
    size_t written = 0;
    while (written < message.size()) {
      ssize_t count =
          ::write(ends[1], message.data() + written, message.size() - written);
      if (count <= 0)
        break;
      written += size_t(count);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string message = readAll(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status))
    return {Outcome::Wrong, "the emulator crashes"};
  if (message.empty())
    return {Outcome::Silent, ""};
  if (message == wrongResults)
    return {Outcome::Wrong, "the results are wrong"};
  std::string kinds = kindsIn(message);
  // The emulator's words for more steps than allowed.
  if (kinds.empty() && message.find(": no end within ") != std::string::npos)
    return {Outcome::Hangs, ""};
  return {Outcome::Caught, kinds.empty() ? message : kinds};
}

} // namespace

Arguments pbs::mutation::readArguments(const std::string &path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error(path + ": cannot open");
  Arguments arguments;
  std::string line, key;
  auto finish = [&] {
    if (!key.empty() && arguments[key].empty())
      throw std::runtime_error(path + ": no argument for '" + key + "'");
  };
  while (std::getline(file, line)) {
    size_t begin = line.find_first_not_of(' ');
    if (begin == std::string::npos || line[begin] == '#')
      continue;
    if (begin > 0) {
      if (key.empty())
        throw std::runtime_error(path + ": an argument without a key");
      std::string &argument = arguments[key];
      argument += (argument.empty() ? "" : " ") + line.substr(begin);
      continue;
    }
    finish();
    key = line;
    if (arguments.count(key))
      throw std::runtime_error(path + ": '" + key + "' twice");
  }
  finish();
  return arguments;
}

Report pbs::mutation::judgeMutants(const std::string &ptx, const Run &run,
                                   const Arguments &arguments,
                                   const std::set<std::string> &kernels) {
  Report report;
  Verdict whole = judge(ptx, run);
  if (whole.outcome != Outcome::Silent) {
    report.faults.push_back(
        "the module as it is: " +
        (whole.outcome == Outcome::Hangs ? "hangs" : whole.what));
    return report;
  }
  std::set<std::string> keys;
  for (const Mutant &mutant : makeMutants(ptx)) {
    if (!kernels.empty() && !kernels.count(mutant.kernel))
      continue;
    keys.insert(mutant.key);
    Verdict verdict = judge(mutant.text, run);
    bool isArgued = arguments.count(mutant.key) != 0;
    std::string outcome = verdict.what;
    switch (verdict.outcome) {
    case Outcome::Caught:
      ++report.caught;
      break;
    case Outcome::Hangs:
      ++report.hangs;
      outcome = "hangs";
      break;
    case Outcome::Silent:
      report.argued += isArgued;
      outcome = isArgued ? "right all the same" : "not noticed";
      break;
    case Outcome::Wrong:
      outcome = "no hazard, but " + verdict.what;
      break;
    }
    std::string line = "line " + std::to_string(mutant.line) + ": " +
                       mutant.key + ": " + outcome;
    report.text += line + "\n";
    bool isNoticed =
        verdict.outcome == Outcome::Caught || verdict.outcome == Outcome::Hangs;
    if (isNoticed && isArgued)
      report.faults.push_back("there is an argument that it is right: " + line);
    else if (!isNoticed && !(verdict.outcome == Outcome::Silent && isArgued))
      report.faults.push_back(line);
  }
  for (const auto &[key, argument] : arguments)
    if (!keys.count(key))
      report.faults.push_back("an argument about no mutant: " + key);
  return report;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "command-line/CommandLine.h"

#include "common/Names.h"
#include "common/StandardOutput.h"
#include "pbs/Runtime/Error.h"
#include "pbs/Runtime/OutputFile.h"

#include "mlir/Support/FileUtilities.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using llvm::StringRef;
namespace cl = llvm::cl;

static const char *toolName;

static void checkStream() {
  llvm::raw_fd_ostream &stream = llvm::outs();
  stream.flush();
  if (!stream.has_error())
    return;
  llvm::errs() << toolName << ": the standard output: cannot write: "
               << stream.error().message() << "\n";
  stream.clear_error();
  // The process is ending already.
  _exit(1);
}

void pbs::tools::beginTool(const char *name) {
  toolName = name;
  runtime::removeOutputsOnSignals();
  cl::SetVersionPrinter([](llvm::raw_ostream &stream) {
    stream << versionOf(toolName) << "\nLLVM " << LLVM_VERSION_STRING << "\n";
  });
  checkStandardOutput(name);
  // Streams that are there already outlive what is registered here.
  (void)llvm::outs();
  (void)std::atexit(checkStream);
}

/// The values of an enumerated option; nothing for others.
static llvm::SmallVector<StringRef> getValues(cl::Option &option) {
  // An option without a name of its own names its values, which is the only way
  // to ask for them.
  llvm::SmallVector<StringRef> values;
  StringRef name = std::exchange(option.ArgStr, "");
  option.getExtraOptionNames(values);
  option.ArgStr = name;
  return values;
}

/// Whether "-Ifolder" is the option "-I" with a value.
static bool isPrefixed(StringRef argument,
                       const llvm::DenseMap<StringRef, cl::Option *> &options) {
  for (size_t length = argument.size(); length-- > 1;) {
    auto found = options.find(argument.take_front(length));
    if (found != options.end() &&
        llvm::is_contained({cl::Prefix, cl::AlwaysPrefix},
                           found->second->getFormattingFlag()))
      return true;
  }
  return false;
}

pbs::tools::GivenOptions pbs::tools::checkOptions(const char *tool, int argc,
                                                  const char *const *argv) {
  auto fail = [&](const llvm::Twine &message) {
    llvm::errs() << tool << ": " << message << "\n";
    exit(1);
  };
  llvm::DenseMap<StringRef, cl::Option *> &options = cl::getRegisteredOptions();
  size_t inputs = 0;
  size_t mostInputs = cl::SubCommand::getTopLevel().PositionalOpts.size();
  auto addInput = [&](StringRef argument) {
    if (mostInputs == 0)
      fail(argument + ": no input is expected, see --help");
    if (++inputs > mostInputs)
      fail(argument + ": only one input at a time");
  };

  GivenOptions given;
  for (int index = 1; index < argc; ++index) {
    StringRef argument = argv[index];
    // A file of arguments.
    if (argument.starts_with("@"))
      continue;
    if (argument == "--") {
      while (++index < argc)
        addInput(argv[index]);
      break;
    }
    if (!argument.starts_with("-") || argument == "-") {
      addInput(argument);
      continue;
    }
    auto [name, value] = argument.ltrim('-').split('=');
    auto found = options.find(name);
    if (found == options.end()) {
      if (isPrefixed(argument.ltrim('-'), options))
        continue;
      std::vector<std::string> names;
      for (const auto &[other, option] : options)
        if (option->getOptionHiddenFlag() == cl::NotHidden)
          names.push_back(other.str());
      // Hash tables have no order of their own.
      llvm::sort(names);
      fail(describeUnknownOption(argument.str(), names));
    }
    cl::Option &option = *found->second;
    if (!option.hasArgStr())
      continue;
    if (!argument.contains('=')) {
      if (option.getValueExpectedFlag() != cl::ValueRequired ||
          index + 1 == argc)
        continue;
      value = argv[++index];
    }
    given.values[name] = value.str();
    llvm::SmallVector<StringRef> allowed = getValues(option);
    if (allowed.empty())
      continue;
    llvm::SmallVector<StringRef> parts;
    if (option.getMiscFlags() & cl::CommaSeparated)
      value.split(parts, ',');
    else
      parts.push_back(value);
    for (StringRef part : parts) {
      if (llvm::is_contained(allowed, part))
        continue;
      std::vector<std::string> names;
      for (StringRef other : allowed)
        if (!other.empty())
          names.push_back(other.str());
      fail("--" + name + "=" + value + ": expected " + listAlternatives(names));
    }
  }
  return given;
}

std::unique_ptr<llvm::MemoryBuffer> pbs::tools::openModule(StringRef path) {
  if (std::string message = describeCompiledInput(path.str()); !message.empty())
    throw runtime::Error(message);
  if (path == "-" &&
      llvm::sys::Process::FileDescriptorIsDisplayed(STDIN_FILENO))
    llvm::errs() << toolName << ": reads a module from the terminal\n";
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer =
      mlir::openInputFile(path, &message);
  if (!buffer)
    throw runtime::Error(message);
  constexpr StringRef mark = "\xef\xbb\xbf";
  if (!buffer->getBuffer().starts_with(mark))
    return buffer;
  return llvm::MemoryBuffer::getMemBufferCopy(
      buffer->getBuffer().drop_front(mark.size()),
      buffer->getBufferIdentifier());
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tools on top of LLVM share.

#ifndef PBS_TOOLS_COMMANDLINE_COMMANDLINE_H
#define PBS_TOOLS_COMMANDLINE_COMMANDLINE_H

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>

namespace pbs::tools {

/// What main() of the tool \p name does first, after llvm::InitLLVM: gives
/// --version our version, lets signals remove unfinished outputs, and lets the
/// process fail where the standard output cannot be written.
void beginTool(const char *name);

/// Options as they were given.
class GivenOptions {
public:
  /// "--NAME=VALUE": the value as it was given last, else the default.
  template <typename T>
  std::string describe(const llvm::cl::opt<T> &option) const {
    auto given = values.find(option.ArgStr);
    return ("--" + option.ArgStr + "=").str() +
           (given != values.end()
                ? given->second
                : llvm::formatv("{0}", option.getValue()).str());
  }

private:
  friend GivenOptions checkOptions(const char *, int, const char *const *);
  llvm::StringMap<std::string> values;
};

/// Ends the process with one line and exit code 1 for what the parser of
/// command lines would accept as something else, or refuse without saying what
/// is expected: unknown options, unknown values of enumerated options, too many
/// inputs. For the time after all options are registered and before they are
/// parsed.
GivenOptions checkOptions(const char *tool, int argc, const char *const *argv);

/// The text of a module at \p path, where "-" is the standard input, without a
/// byte order mark. Throws runtime::Error.
std::unique_ptr<llvm::MemoryBuffer> openModule(llvm::StringRef path);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMANDLINE_COMMANDLINE_H

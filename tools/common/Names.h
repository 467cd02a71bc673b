// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_NAMES_H
#define PBS_TOOLS_COMMON_NAMES_H

#include <string>
#include <vector>

namespace pbs::tools {

/// "pbs-run (PBS) 0.1.0".
std::string versionOf(const std::string &tool);

/// The one of \p names that \p name is most likely meant to be; empty if none
/// is near.
std::string nearestName(const std::string &name,
                        const std::vector<std::string> &names);

/// What to say about \p argument, "--NAME" or "--NAME=VALUE", where there is no
/// such option but \p names, which come without dashes.
std::string describeUnknownOption(const std::string &argument,
                                  const std::vector<std::string> &names);

/// "a, b or c".
std::string listAlternatives(const std::vector<std::string> &names);

/// What to say of a file that by its name is compiled already, where a module
/// is expected; empty for others.
std::string describeCompiledInput(const std::string &path);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_NAMES_H

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_COMMON_ARGUMENTS_H
#define PBS_TOOLS_COMMON_ARGUMENTS_H

#include "pbs/Runtime/Arguments.h"
#include "pbs/Runtime/Array.h"
#include "pbs/Runtime/Plan.h"

#include <string>
#include <vector>

namespace pbs::tools {

/// "q bf16 (B, 4, Nq, 128) = q.npy; k ... = nothing; no parameter = w.npy", of
/// parameters and what --arg gives, both in order.
std::string pairArguments(const std::vector<std::string> &parameters,
                          const std::vector<std::string> &given);

/// runtime::loadArguments, checked with runtime::bindArguments. Throws
/// runtime::Error; if an argument is missing, or does not fit by its type or
/// shape, that shows the entry's arguments beside what is given.
std::vector<runtime::Array>
loadArguments(const runtime::Entry &entry,
              const std::vector<std::string> &places);

/// Says in a line on std::cerr which of \p results the first \p places do not
/// take.
void mentionUnwritten(const char *tool, const std::vector<std::string> &results,
                      size_t places);

} // namespace pbs::tools

#endif // PBS_TOOLS_COMMON_ARGUMENTS_H

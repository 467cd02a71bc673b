// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns a parsed module into code.

#ifndef PBS_EMULATOR_DECODER_H
#define PBS_EMULATOR_DECODER_H

#include "Program.h"
#include "Syntax.h"

namespace pbs::runtime::emulator {

/// Decodes \p module, whose global and constant variables have addresses
/// already. \p name begins every message. Throws Error.
Program decode(ModuleSyntax &module, const std::string &name);

} // namespace pbs::runtime::emulator

#endif // PBS_EMULATOR_DECODER_H

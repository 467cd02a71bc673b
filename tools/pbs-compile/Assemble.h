// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_PBS_COMPILE_ASSEMBLE_H
#define PBS_TOOLS_PBS_COMPILE_ASSEMBLE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace pbs::compile {

/// Finds ptxas in PATH or CUDA's usual place.
llvm::Expected<std::string> findPtxas();

/// Assembles PTX text for a chip such as sm_80 with the given ptxas; gives the
/// cubin back.
llvm::Expected<std::string> assemble(llvm::StringRef ptxas, llvm::StringRef ptx,
                                     llvm::StringRef chip);

} // namespace pbs::compile

#endif // PBS_TOOLS_PBS_COMPILE_ASSEMBLE_H

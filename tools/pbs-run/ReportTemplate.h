// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Report.html and the scripts Report*.js as the build has found them.

#ifndef PBS_TOOLS_PBSRUN_REPORTTEMPLATE_H
#define PBS_TOOLS_PBSRUN_REPORTTEMPLATE_H

#include "llvm/ADT/StringRef.h"

namespace pbs {

/// The page, with the script in place of @SCRIPT@ and the data of @DATA@.
extern const llvm::StringLiteral reportMarkup;
extern const llvm::StringLiteral reportScript;

} // namespace pbs

#endif // PBS_TOOLS_PBSRUN_REPORTTEMPLATE_H

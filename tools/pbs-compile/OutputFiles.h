// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_TOOLS_PBS_COMPILE_OUTPUTFILES_H
#define PBS_TOOLS_PBS_COMPILE_OUTPUTFILES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"

#include <string>
#include <vector>

namespace pbs::compile {

/// Files that appear all together or not at all: each is written beside its
/// place first and renamed by `commit`.
class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  /// Removes what was not committed.
  ~OutputFiles();

  /// Path "-" is the standard output.
  llvm::Error add(llvm::StringRef path, llvm::StringRef contents);
  llvm::Error commit();

private:
  struct Pending {
    std::string path;
    llvm::sys::fs::TempFile file;
  };
  std::vector<Pending> pending;
  std::string standardOutput;
};

} // namespace pbs::compile

#endif // PBS_TOOLS_PBS_COMPILE_OUTPUTFILES_H

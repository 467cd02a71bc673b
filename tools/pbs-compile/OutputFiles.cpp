// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "OutputFiles.h"

#include "llvm/Support/raw_ostream.h"

namespace pbs::compile {

static llvm::Error describe(llvm::StringRef path, llvm::Error error) {
  return llvm::createStringError(path + ": " +
                                 llvm::toString(std::move(error)));
}

OutputFiles::~OutputFiles() {
  for (Pending &output : pending)
    llvm::consumeError(output.file.discard());
}

llvm::Error OutputFiles::add(llvm::StringRef path, llvm::StringRef contents) {
  if (path == "-") {
    standardOutput += contents;
    return llvm::Error::success();
  }
  if (llvm::sys::fs::is_directory(path))
    return llvm::createStringError(path + ": is a folder");
  llvm::Expected<llvm::sys::fs::TempFile> file =
      llvm::sys::fs::TempFile::create(path + ".%%%%%%.tmp");
  if (!file)
    return describe(path, file.takeError());
  llvm::raw_fd_ostream os(file->FD, /*shouldClose=*/false);
  os << contents;
  os.flush();
  std::error_code error = os.error();
  os.clear_error();
  pending.push_back({path.str(), std::move(*file)});
  return error ? describe(path, llvm::errorCodeToError(error))
               : llvm::Error::success();
}

llvm::Error OutputFiles::commit() {
  while (!pending.empty()) {
    Pending output = std::move(pending.back());
    pending.pop_back();
    if (llvm::Error error = output.file.keep(output.path))
      return describe(output.path, std::move(error));
  }
  llvm::outs() << standardOutput;
  llvm::outs().flush();
  standardOutput.clear();
  return llvm::Error::success();
}

} // namespace pbs::compile

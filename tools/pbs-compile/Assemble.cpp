// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Assemble.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

namespace pbs::compile {

llvm::Expected<std::string> findPtxas() {
  if (llvm::ErrorOr<std::string> path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  if (llvm::ErrorOr<std::string> path =
          llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"}))
    return *path;
  return llvm::createStringError(
      "ptxas is neither in PATH nor in /usr/local/cuda/bin; "
      "--compile-to=ptx does without it");
}

/// A file that is removed at the end of its scope.
static llvm::Expected<std::string> createTemporary(llvm::StringRef suffix,
                                                   llvm::FileRemover &remover) {
  llvm::SmallString<128> path;
  if (std::error_code error =
          llvm::sys::fs::createTemporaryFile("pbs-compile", suffix, path))
    return llvm::createStringError("cannot make a temporary file: " +
                                   error.message());
  remover.setFile(path);
  llvm::sys::RemoveFileOnSignal(path);
  return path.str().str();
}

static llvm::Expected<std::string> readFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createStringError(path + ": " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

llvm::Expected<std::string> assemble(llvm::StringRef ptxas, llvm::StringRef ptx,
                                     llvm::StringRef chip) {
  llvm::FileRemover removers[3];
  llvm::Expected<std::string> source = createTemporary("ptx", removers[0]);
  if (!source)
    return source;
  llvm::Expected<std::string> cubin = createTemporary("cubin", removers[1]);
  if (!cubin)
    return cubin;
  llvm::Expected<std::string> log = createTemporary("log", removers[2]);
  if (!log)
    return log;
  std::error_code error;
  llvm::raw_fd_ostream os(*source, error);
  os << ptx;
  os.close();
  if (error || os.has_error())
    return llvm::createStringError(*source + ": cannot be written");

  std::string architecture = ("-arch=" + chip).str();
  std::string message;
  int status = llvm::sys::ExecuteAndWait(
      ptxas, {ptxas, architecture, "-o", *cubin, *source}, std::nullopt,
      {std::nullopt, llvm::StringRef(*log), llvm::StringRef(*log)},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &message);
  if (status == 0)
    return readFile(*cubin);
  if (!message.empty())
    return llvm::createStringError(ptxas + " failed: " + message);
  llvm::Expected<std::string> output = readFile(*log);
  if (!output)
    return output;
  message = llvm::StringRef(*output).split('\n').first.str();
  return llvm::createStringError(ptxas + " failed: " + message);
}

} // namespace pbs::compile

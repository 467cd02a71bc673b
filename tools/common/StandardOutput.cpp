// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/StandardOutput.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <unistd.h>

static const char *toolName;

static void check() {
  errno = 0;
  std::cout.flush();
  if (std::cout)
    return;
  int error = errno;
  std::cerr << toolName << ": the standard output: cannot write"
            << (error ? std::string(": ") + std::strerror(error) : "") << "\n";
  // The process is ending already.
  _exit(1);
}

void pbs::tools::checkStandardOutput(const char *tool) {
  toolName = tool;
  (void)std::atexit(check);
}

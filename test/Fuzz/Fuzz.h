// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the fuzz targets share.

#ifndef PBS_TEST_FUZZ_FUZZ_H
#define PBS_TEST_FUZZ_FUZZ_H

#include "pbs/Runtime/Error.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace pbs::fuzz {

/// Ends the run, so that the input counts as one that crashes.
[[noreturn]] inline void fail(const std::string &what) {
  std::fprintf(stderr, "fuzz target: %s\n", what.c_str());
  std::abort();
}

/// Runs \p action, which may throw Error, and no other exception, with a
/// message of one printable line. True if it threw nothing.
template <typename Action> bool attempt(Action action) {
  try {
    action();
    return true;
  } catch (const runtime::Error &error) {
    std::string message = error.what();
    if (message.empty())
      fail("an error without a message");
    for (char character : message)
      if ((character >= 0 && character < ' ') || character == 127)
        fail("an error whose message is not one printable line: " + message);
    return false;
  }
}

} // namespace pbs::fuzz

#endif // PBS_TEST_FUZZ_FUZZ_H

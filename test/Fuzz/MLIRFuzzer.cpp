// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parsers, verifiers and printers of the dialects: what parses must print, and
// parse again to the same.

#include "MLIR.h"

using namespace mlir;

static std::string print(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  StringRef text(reinterpret_cast<const char *>(data), size);
  if (!pbs::fuzz::isWorthReading(text))
    return 0;
  pbs::fuzz::Context context;
  OwningOpRef<ModuleOp> module = context.parse(text);
  if (!module)
    return 0;
  std::string once = print(*module);
  module = context.parse(once);
  if (!module)
    pbs::fuzz::fail("what was printed does not parse:\n" + once);
  std::string twice = print(*module);
  if (once != twice)
    pbs::fuzz::fail("what was printed parses to something else:\n" + once +
                    twice);
  return 0;
}

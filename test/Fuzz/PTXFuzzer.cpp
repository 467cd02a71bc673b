// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulator's way from PTX to a program: lexer, parser, initialisers of
// variables, decoder. Nothing is launched.

#include "Fuzz.h"

#include "pbs/Runtime/Emulator.h"

using namespace pbs::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  EmulatorOptions options;
  options.hostThreads = 1;
  // A device for each input: a module's variables live as long as its device.
  std::unique_ptr<EmulatorDevice> device = createEmulator(options);
  pbs::fuzz::attempt(
      [&] { device->loadModule(text, "fuzz.ptx")->kernelNames(); });
  return 0;
}

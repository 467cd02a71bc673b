// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/OpenDevice.h"

#include "pbs/Runtime/Cuda.h"
#include "pbs/Runtime/Emulator.h"
#include "pbs/Runtime/Error.h"

#include <charconv>

using namespace pbs::runtime;

std::unique_ptr<Device> pbs::tools::openDevice(const std::string &name,
                                               ProgressBar *progress) {
  if (name == "emulator") {
    EmulatorOptions options;
    if (progress)
      options.progress = [progress](uint64_t done, uint64_t total) {
        progress->update(done, total);
      };
    return createEmulator(options);
  }
  if (name == "cuda")
    return createCudaDevice();
  unsigned ordinal;
  const char *end = name.data() + name.size();
  if (name.rfind("cuda:", 0) == 0 &&
      std::from_chars(name.data() + 5, end, ordinal).ptr == end &&
      name.size() > 5)
    return createCudaDevice(ordinal);
  throw Error("--device=" + name + ": expected emulator, cuda or cuda:N");
}

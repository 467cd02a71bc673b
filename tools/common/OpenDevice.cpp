// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/OpenDevice.h"

#include "pbs/Runtime/Emulator.h"
#include "pbs/Runtime/Error.h"

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
  bool cuda = name == "cuda" ||
              (name.rfind("cuda:", 0) == 0 && name.size() > 5 &&
               name.find_first_not_of("0123456789", 5) == std::string::npos);
  if (cuda)
    throw Error("--device=" + name +
                ": this build has no CUDA device yet, use --device=emulator");
  throw Error("--device=" + name + ": expected emulator, cuda or cuda:N");
}

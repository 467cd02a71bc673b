// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/OpenDevice.h"

#include "pbs/Runtime/Cuda.h"
#include "pbs/Runtime/Error.h"

#include <charconv>
#include <memory>

using namespace pbs::runtime;

std::unique_ptr<Device>
pbs::runtime::openDevice(const std::string &name,
                         const EmulatorOptions &options) {
  if (name == "emulator")
    return createEmulator(options);
  if (name == "cuda")
    return createCudaDevice();
  if (name.rfind("cuda:", 0) == 0) {
    unsigned ordinal = 0;
    const char *end = name.data() + name.size();
    auto [rest, error] = std::from_chars(name.data() + 5, end, ordinal);
    if (rest == end && error == std::errc())
      return createCudaDevice(ordinal);
  }
  throw Error("'" + name +
              "': no such device, expected emulator, cuda or cuda:N");
}

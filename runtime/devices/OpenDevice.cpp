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
  unsigned ordinal;
  const char *end = name.data() + name.size();
  if (name.rfind("cuda:", 0) == 0 &&
      std::from_chars(name.data() + 5, end, ordinal).ptr == end &&
      name.size() > 5)
    return createCudaDevice(ordinal);
  throw Error("'" + name +
              "': no such device, expected emulator, cuda or cuda:N");
}

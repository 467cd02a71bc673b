// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DriverApi.h"

#include "pbs/Runtime/Error.h"

#include <dlfcn.h>

namespace pbs::runtime::cuda {

void DriverApi::check(Result result, const std::string &what) const {
  if (result == success)
    return;
  const char *name = nullptr, *text = nullptr;
  getErrorName(result, &name);
  getErrorString(result, &text);
  throw Error(what + ": " + (name ? name : std::to_string(result)) +
              (text ? std::string(" (") + text + ")" : ""));
}

static DriverApi openDriver() {
  const char *library = "libcuda.so.1";
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw Error("no NVIDIA driver: " + std::string(dlerror()));
  DriverApi driver = {};
#define PBS_DRIVER(member, symbol, parameters)                                 \
  driver.member = reinterpret_cast<Result(*) parameters>(dlsym(handle, symbol));
  PBS_DRIVER_FUNCTIONS
  PBS_OPTIONAL_DRIVER_FUNCTIONS
#undef PBS_DRIVER
#define PBS_DRIVER(member, symbol, parameters)                                 \
  if (!driver.member)                                                          \
    throw Error(std::string(library) + " has no function " + symbol +          \
                ": the driver is too old");
  PBS_DRIVER_FUNCTIONS
#undef PBS_DRIVER
  driver.check(driver.init(0), "the NVIDIA driver does not start");
  return driver;
}

const DriverApi &getDriver() {
  static const DriverApi driver = openDriver();
  return driver;
}

} // namespace pbs::runtime::cuda

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
                  (text ? std::string(" (") + text + ")" : ""),
              result == errorOutOfMemory ? ErrorKind::OutOfMemory
                                         : ErrorKind::Device);
}

static DriverApi openDriver() {
  const char *library = "libcuda.so.1";
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    throw Error("no NVIDIA driver: " + std::string(dlerror()),
                ErrorKind::Unavailable);
  DriverApi driver = {};
#define PBS_DRIVER(member, symbol, parameters)                                 \
  driver.member = reinterpret_cast<Result(*) parameters>(dlsym(handle, symbol));
  PBS_DRIVER_FUNCTIONS
  PBS_OPTIONAL_DRIVER_FUNCTIONS
#undef PBS_DRIVER
#define PBS_DRIVER(member, symbol, parameters)                                 \
  if (!driver.member)                                                          \
    throw Error(std::string(library) + " has no function " + symbol +          \
                    ": the driver is too old",                                 \
                ErrorKind::Unavailable);
  PBS_DRIVER_FUNCTIONS
#undef PBS_DRIVER
  try {
    driver.check(driver.init(0), "the NVIDIA driver does not start");
  } catch (const Error &error) {
    throw Error(error.what(), ErrorKind::Unavailable);
  }
  return driver;
}

const DriverApi &getDriver() {
  static const DriverApi driver = openDriver();
  return driver;
}

} // namespace pbs::runtime::cuda

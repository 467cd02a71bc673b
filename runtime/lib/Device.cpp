// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Device.h"

#include "pbs/Runtime/Error.h"

using namespace pbs::runtime;

Module::~Module() = default;

Event::~Event() = default;

Graph::~Graph() = default;

Device::~Device() = default;

std::unique_ptr<Module> Device::loadCubin(std::string_view, std::string_view,
                                          std::string_view) {
  return nullptr;
}

void Device::stop() {
  throw Error("a kernel on this device cannot be stopped",
              ErrorKind::Unavailable);
}

void Device::resume() {}

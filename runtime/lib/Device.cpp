// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Device.h"

using namespace pbs::runtime;

Module::~Module() = default;

Event::~Event() = default;

Graph::~Graph() = default;

Device::~Device() = default;

std::unique_ptr<Module> Device::loadCubin(std::string_view, std::string_view,
                                          std::string_view) {
  return nullptr;
}

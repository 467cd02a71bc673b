// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Device.h"

using namespace pbs::runtime;

Module::~Module() = default;

Event::~Event() = default;

Device::~Device() = default;

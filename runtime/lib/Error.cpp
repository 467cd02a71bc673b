// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/Error.h"

using namespace pbs::runtime;

Error::Error(const std::string &message) : std::runtime_error(message) {}

Error::~Error() = default;

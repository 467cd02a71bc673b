// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DeviceRun.h"

#include "pbs/Runtime/Error.h"

using namespace mlir;
using namespace pbs;

FailureOr<std::vector<runtime::Array>>
pbs::runOnDevice(func::FuncOp function,
                 const std::vector<runtime::Array> &arguments,
                 const RunOptions &options) {
  throw runtime::Error(options.device == DeviceKind::Emulator
                           ? "--device=emulator is not supported yet"
                           : "--device=cuda is not supported yet");
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A module learns which GPU it is compiled for.

#include "pbs/Dialect/PBS/Transforms/Passes.h"

#include "pbs/Dialect/PBS/IR/PBS.h"
#include "pbs/Target/PTX/ModuleTarget.h"

namespace pbs {
#define GEN_PASS_DEF_PBSSETTARGET
#include "pbs/Dialect/PBS/Transforms/Passes.h.inc"
} // namespace pbs

using namespace mlir;

namespace {
struct SetTarget : pbs::impl::PBSSetTargetBase<SetTarget> {
  using PBSSetTargetBase::PBSSetTargetBase;

  void runOnOperation() override {
    if (failed(pbs::setTarget(getOperation(), chip, ptxVersion)))
      signalPassFailure();
  }
};
} // namespace

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention gathers keys and values instead of reading permuted copies.

#include "pbs/Dialect/PBS/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

namespace pbs {
#define GEN_PASS_DEF_PBSFUSEPERMUTATION
#include "pbs/Dialect/PBS/Transforms/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbs;

static remark::RemarkOpts describe(AttentionOp attention, StringRef name) {
  return remark::RemarkOpts::name(name)
      .category("pbs-fuse-permutation")
      .function(attention->getParentOfType<func::FuncOp>().getSymName());
}

/// Says why the permutation stays apart.
static bool decline(AttentionOp attention, const Twine &reason) {
  remark::missed(attention.getLoc(), describe(attention, "NotFused"))
      << remark::reason("{0}", reason.str());
  return false;
}

/// Whether `attention` may gather what `key` and `value` wrote.
static bool canGather(AttentionOp attention, PermuteOp key, PermuteOp value) {
  if (key.getPermutation() != value.getPermutation() ||
      (attention.getPermutation() &&
       attention.getPermutation() != key.getPermutation()))
    return decline(attention, "keys, values and attention do not share one "
                              "permutation");
  int64_t heads = key.getPermutation().getType().getHeads();
  int64_t queryHeads = attention.getQuery().getType().getDimSize(1);
  int64_t keyHeads = key.getSource().getType().getDimSize(1);
  if (heads != queryHeads && heads != keyHeads)
    return decline(attention, "the permutation's heads (" + Twine(heads) +
                                  ") are neither the query heads (" +
                                  Twine(queryHeads) + ") nor the key heads (" +
                                  Twine(keyHeads) + ")");
  if (keyHeads != value.getSource().getType().getDimSize(1))
    return decline(attention,
                   "before it, keys and values have different heads");
  return true;
}

namespace {
struct FusePermutation : pbs::impl::PBSFusePermutationBase<FusePermutation> {
  using PBSFusePermutationBase::PBSFusePermutationBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (strategy == "gather")
      return success();
    return emitError(UnknownLoc::get(context),
                     "pbs-fuse-permutation: strategy '")
           << strategy << "' is not supported yet, only 'gather'";
  }

  void runOnOperation() override {
    getOperation().walk([&](AttentionOp attention) {
      auto key = attention.getKey().getDefiningOp<PermuteOp>();
      auto value = attention.getValue().getDefiningOp<PermuteOp>();
      if (!key || !value || !canGather(attention, key, value))
        return;
      attention.getKeyMutable().assign(key.getSource());
      attention.getValueMutable().assign(value.getSource());
      attention.getPermutationMutable().assign(key.getPermutation());
      remark::passed(attention.getLoc(), describe(attention, "Fused"))
          << remark::metric("TensorsNotRead", key == value ? 1 : 2);
      if (value.use_empty() && value != key)
        value.erase();
      if (key.use_empty())
        key.erase();
    });
  }
};
} // namespace

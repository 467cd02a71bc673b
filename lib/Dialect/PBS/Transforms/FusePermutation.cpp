// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention gathers keys and values instead of reading permuted copies.

#include "pbs/Dialect/PBS/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "pbs/Dialect/PBS/IR/PBS.h"

namespace pbs {
#define GEN_PASS_DEF_PBSFUSEPERMUTATION
#include "pbs/Dialect/PBS/Transforms/Passes.h.inc"
} // namespace pbs

using namespace mlir;
using namespace pbs;

/// Whether `attention` may gather what `key` and `value` wrote; says why not.
static bool canGather(AttentionOp attention, PermuteOp key, PermuteOp value) {
  if (key.getPermutation() != value.getPermutation() ||
      (attention.getPermutation() &&
       attention.getPermutation() != key.getPermutation())) {
    attention.emitRemark("permutation not fused: keys, values and attention do "
                         "not share one permutation");
    return false;
  }
  int64_t heads = key.getPermutation().getType().getHeads();
  int64_t queryHeads = attention.getQuery().getType().getDimSize(1);
  for (PermuteOp permute : {key, value}) {
    int64_t keyHeads = permute.getSource().getType().getDimSize(1);
    if (heads == queryHeads || heads == keyHeads)
      continue;
    attention.emitRemark("permutation not fused: its heads (")
        << heads << ") are neither the query heads (" << queryHeads
        << ") nor the key heads (" << keyHeads << ")";
    return false;
  }
  if (key.getSource().getType().getDimSize(1) !=
      value.getSource().getType().getDimSize(1)) {
    attention.emitRemark("permutation not fused: before it, keys and values "
                         "have different heads");
    return false;
  }
  return true;
}

namespace {
struct FusePermutation : pbs::impl::PBSFusePermutationBase<FusePermutation> {
  using PBSFusePermutationBase::PBSFusePermutationBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (strategy != "gather") {
      function.emitError("pbs-fuse-permutation: strategy '")
          << strategy << "' is not supported yet, only 'gather'";
      return signalPassFailure();
    }
    function.walk([&](AttentionOp attention) {
      auto key = attention.getKey().getDefiningOp<PermuteOp>();
      auto value = attention.getValue().getDefiningOp<PermuteOp>();
      if (!key || !value || !canGather(attention, key, value))
        return;
      attention.getKeyMutable().assign(key.getSource());
      attention.getValueMutable().assign(value.getSource());
      attention.getPermutationMutable().assign(key.getPermutation());
      for (PermuteOp permute : {value, key}) {
        if (permute == key && key == value)
          break;
        if (permute.use_empty())
          permute.erase();
      }
      numFused += 2;
    });
  }
};
} // namespace

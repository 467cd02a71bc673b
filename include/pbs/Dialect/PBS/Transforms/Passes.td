// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_TRANSFORMS_PASSES_TD
#define PBS_DIALECT_PBS_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def PBSFusePermutation : Pass<"pbs-fuse-permutation", "::mlir::func::FuncOp"> {
  let summary = "Lets attention read keys and values through the permutation";
  let description = [{
    Attention over keys and values that were written in permuted order becomes
    attention over the originals, which gathers their rows through the
    permutation (`strategy=gather`). The permuted copies disappear unless
    something else reads them.

    Before:

    ```mlir
    %kp = pbs.permute %k, %p : ...
    %vp = pbs.permute %v, %p : ...
    %out, %lse = pbs.attention %q, %kp, %vp, %sel permutation(%p) scale = 0.125 causal
      : ..., !pbs.permuted<tensor<?x32x?x64xbf16>, segment = 256>, ...
    ```

    After:

    ```mlir
    %out, %lse = pbs.attention %q, %k, %v, %sel permutation(%p) scale = 0.125 causal
      : ..., tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>, ...
    ```

    Declines where keys and values went through different permutations, or where
    the permutation has neither the query heads nor the key heads.

    Remarks: the permuted tensors that attention no longer reads; or why not.
  }];
  let options = [
    Option<"strategy", "strategy", "std::string", "\"gather\"",
           "gather: read through the permutation in the kernel">
  ];
  let dependentDialects = ["::pbs::PBSDialect"];
}

#endif // PBS_DIALECT_PBS_TRANSFORMS_PASSES_TD

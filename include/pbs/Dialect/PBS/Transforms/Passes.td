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
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %p: !pbs.permutation<heads = 4, segment = 256>, %selection: !pbs.selection<128x128>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %kp = pbs.permute %k, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
         -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
      %vp = pbs.permute %v, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
         -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
      %out, %lse = pbs.attention %q, %kp, %vp, %selection permutation(%p) scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
            !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
            !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    After:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %p: !pbs.permutation<heads = 4, segment = 256>, %selection: !pbs.selection<128x128>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %out, %lse = pbs.attention %q, %k, %v, %selection permutation(%p) scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>,
            !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
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

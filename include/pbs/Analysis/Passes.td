// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_ANALYSIS_PASSES_TD
#define PBS_ANALYSIS_PASSES_TD

include "mlir/Pass/PassBase.td"

def PBSPrintTraffic : Pass<"pbs-print-traffic", "::mlir::func::FuncOp"> {
  let summary = "Prints the bytes that each kernel of a function moves";
  let description = [{
    Of each kernel that the operations of a function become, the predicted bytes
    of global memory that its threads load, store and copy (cp.async), as the
    emulator counts them; those of the loaded and copied ones that are rows
    scattered by a permutation; and a time where a model knows one. Then the
    number of launches, the bytes of all buffers, and the blocks and tiles of
    attentions. The function stays as it is. Of an `scf.if` on sizes the branch
    taken counts. Tiles are those of the attention's schedule, or that which
    `--pbs-choose-schedule` would choose for the module's GPU; times are that
    GPU's.

    Before:

    ```mlir
    func.func @prefill(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                       %p: !pbs.permutation<heads = 1, segment = 256>, %selection: !pbs.selection<128x128>)
        -> tensor<?x4x?x64xbf16> {
      %kp = pbs.permute %k, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 1, segment = 256>
         -> !pbs.permuted<tensor<?x1x?x64xbf16>, segment = 256>
      %vp = pbs.permute %v, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 1, segment = 256>
         -> !pbs.permuted<tensor<?x1x?x64xbf16>, segment = 256>
      %out, %lse = pbs.attention %q, %kp, %vp, %selection permutation(%p) scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x1x?x64xbf16>, segment = 256>,
            !pbs.permuted<tensor<?x1x?x64xbf16>, segment = 256>,
            !pbs.selection<128x128>, !pbs.permutation<heads = 1, segment = 256>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out : tensor<?x4x?x64xbf16>
    }
    ```

    Prints, with `query-length=4096 key-length=4096 density=0.3`:

    ```text
    @prefill: batch 1, 4096 queries, 4096 keys
      bytes                          loaded         stored         copied       gathered   microseconds
      permute                       1310720        1048576              0        1048576            3.4
      attention                     9116160        2097152       23494656              0           17.4
      all                          10426880        3145728       23494656        1048576
      2 launches, 1048576 bytes of workspace
      1523 of 2176 blocks skipped; 653 tiles, 256 of them masked
    ```
  }];
  let options = [
    Option<"batch", "batch", "int64_t", "1", "Batch size, where it is dynamic">,
    Option<"queryLength", "query-length", "int64_t", "0",
           "Queries, where their number is dynamic; 0: as many as keys">,
    Option<"keyLength", "key-length", "int64_t", "4096", "Keys, where their number is dynamic">,
    Option<"density", "density", "double", "0",
           "Blocks that attentions list, by all blocks of the segments up to a query block's own; 0: what "
           "rule and window let expect, at most">,
    Option<"masked", "masked", "double", "-1",
           "Masked blocks, by those listed; below 0: the blocks of own segments">
  ];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

#endif // PBS_ANALYSIS_PASSES_TD

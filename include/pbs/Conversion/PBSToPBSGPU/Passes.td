// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_CONVERSION_PBSTOPBSGPU_PASSES_TD
#define PBS_CONVERSION_PBSTOPBSGPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertPBSToPBSGPU : Pass<"convert-pbs-to-pbsgpu", "::mlir::ModuleOp"> {
  let summary = "Writes kernels and a launch plan for functions of the pbs dialect";
  let description = [{
    Each function with pbs operations becomes a `gpu.module` of kernels and a
    `pbsgpu.plan` of the function's name. Values convert one to many: a tensor
    and a permutation to a memref, a selection to its counts and indices. Results
    become trailing output arguments, which the kernels write. Names are those of
    `pbs.name`, else `arg0`, `result0` and so on; dynamic extents become sizes,
    one for all that must agree.

    An operation without a kernel yet is an error, and nothing is converted.

    Before:

    ```mlir
    func.func @prefill(%q: tensor<?x32x?x128xbf16> {pbs.name = "q"},
        %k: tensor<?x8x?x128xbf16> {pbs.name = "k"}, %v: tensor<?x8x?x128xbf16> {pbs.name = "v"},
        %selection: !pbs.selection<128x128>)
        -> (tensor<?x32x?x128xbf16> {pbs.name = "out"}, tensor<?x32x?xf32> {pbs.name = "lse"}) {
      %out, %lse = pbs.attention %q, %k, %v, %selection scale = 0.088 : ...
      return %out, %lse : ...
    }
    ```

    After:

    ```mlir
    gpu.module @prefill_kernels {
      pbsgpu.kernel @attention(%q: memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>, ...,
          %out: memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>, %lse: memref<?x32x?xf32>) warps = 4 {
        ...
        %o, %m, %l = pbsgpu.key_loop %counts, %indices[%batch, %head, %query_block] of %key_blocks
            walk = test key_block = 128 key_tile = 64 stages = 1 ...
        pbsgpu.store_fragment ...
        pbsgpu.return
      }
    }
    pbsgpu.plan @prefill {
      %B = pbsgpu.size "B"
      %Nq = pbsgpu.size "Nq"
      ...
      %q = pbsgpu.argument "q" input [%B, 32, %Nq, 128] align 16 : ...
      ...
      pbsgpu.require %0, "Nq is at most Nkv"
      pbsgpu.launch @prefill_kernels::@attention grid(%query_blocks, %heads, %B) threads = 128
        arguments(%q, ... : ...)
    }
    ```

    Remark: the kernels of an entry.
  }];
  let options = [
    Option<"keyTile", "key-tile", "int64_t", "64",
           "Keys that a CTA computes at once, at most: 16, 32, 64 or 128; no more than a key block">,
    Option<"warps", "warps", "int64_t", "4", "Warps of a CTA, at most: 1, 2, 4 or 8; no more than there are 16 rows of a query block for">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::pbsgpu::PBSGPUDialect"
  ];
}

#endif // PBS_CONVERSION_PBSTOPBSGPU_PASSES_TD

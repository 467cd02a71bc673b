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

    Attention is cut as its `pbsgpu.schedule` says, which its kernel keeps
    (`--pbs-choose-schedule`); without one, as that pass would for the module's
    GPU.

    An operation without a kernel yet is an error, and nothing is converted.

    Before:

    ```mlir
    func.func @prefill(%q: tensor<1x4x?x64xbf16> {pbs.name = "q"}, %k: tensor<1x1x?x64xbf16> {pbs.name = "k"},
                       %v: tensor<1x1x?x64xbf16> {pbs.name = "v"}, %selection: !pbs.selection<128x128>)
        -> (tensor<1x4x?x64xbf16> {pbs.name = "out"}, tensor<1x4x?xf32> {pbs.name = "lse"}) {
      %out, %lse = pbs.attention %q, %k, %v, %selection scale = 0.125
            {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2>}
          : tensor<1x4x?x64xbf16>, tensor<1x1x?x64xbf16>, tensor<1x1x?x64xbf16>, !pbs.selection<128x128>
         -> tensor<1x4x?x64xbf16>, tensor<1x4x?xf32>
      return %out, %lse : tensor<1x4x?x64xbf16>, tensor<1x4x?xf32>
    }
    ```

    After:

    ```mlir
    !queries = memref<1x4x?x64xbf16, strided<[?, ?, ?, 1]>>
    !keys = memref<1x1x?x64xbf16, strided<[?, ?, ?, 1]>>
    !output = !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
    !row = !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>
    !lanes = !pbsgpu.fragment<128x4xf32, accumulator, warps = 4>
    gpu.module @prefill_kernels {
      pbsgpu.kernel @attention(
          %q: !queries {pbs.name = "query"}, %k: !keys {pbs.name = "key"}, %v: !keys {pbs.name = "value"},
          %counts: memref<1x4x?x2xi32> {pbs.name = "counts"}, %indices: memref<1x4x?x?xi16> {pbs.name = "indices"},
          %out: !queries {pbs.name = "output"}, %lse: memref<1x4x?xf32> {pbs.name = "log_sum_exp"}) warps = 4
          attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2>} {
        ...
        %o:3, %next = pbsgpu.key_loop %counts, %indices[%batch, %head, %query_block] of %key_blocks from %c0
               walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%o0, %m0, %l0 : !output, !row, !lanes)
             : memref<1x4x?x2xi32>, memref<1x4x?x?xi16> -> !output, !row, !lanes load {
        } bodies {
        ^bb0(%key: index, %visit: index, %masked: i1, %o_in: !output, %m_in: !row, %l_in: !lanes):
          pbsgpu.copy_tile %k[%batch, %key_head, %key] to %k_tile : !keys, !pbsgpu.tile<64x64xbf16>
          pbsgpu.copy_tile %v[%batch, %key_head, %key] to %v_tile : !keys, !pbsgpu.tile<64x64xbf16>
          pbsgpu.await_copies
          ...
        }
        %sum = pbsgpu.row_reduce sum %o#2 : !lanes -> !row
        ...
        pbsgpu.store_fragment %normalised to %out[%batch, %head, %first_query] : !output, !queries
        ...
        pbsgpu.store_fragment %log_sum_exp to %lse[%batch, %head, %first_query] : !row, memref<1x4x?xf32>
        pbsgpu.return
      }
    }
    pbsgpu.plan @prefill {
      %Nq = pbsgpu.size "Nq"
      %Nkv = pbsgpu.size "Nkv"
      ...
      %q = pbsgpu.argument "q" input [1, 4, %Nq, 64] align 16 : !queries
      %k = pbsgpu.argument "k" input [1, 1, %Nkv, 64] align 16 : !keys
      %v = pbsgpu.argument "v" input [1, 1, %Nkv, 64] align 16 : !keys
      ...
      %out = pbsgpu.argument "out" output [1, 4, %Nq, 64] align 16 : !queries
      %lse = pbsgpu.argument "lse" output [1, 4, %Nq] align 4 : memref<1x4x?xf32>
      ...
      pbsgpu.require %agree, "Nq is at most Nkv"
      ...
      pbsgpu.launch @prefill_kernels::@attention grid(%query_blocks, %heads, %batches)
        arguments(%q, %k, %v, %counts, %indices, %out, %lse
          : !queries, !keys, !keys, memref<1x4x?x2xi32>, memref<1x4x?x?xi16>, !queries, memref<1x4x?xf32>)
    }
    ```

    An `scf.if` whose condition is arithmetic on lengths and constants, outside of
    others, guards the launches of its branches; what both branches give is one
    memory.

    Remarks: the kernels and launches of an entry and the bytes of its buffers;
    of each attention, whether it gathers, and how many blocks of a query block
    may be masked where that is known.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
    "::pbsgpu::PBSGPUDialect"
  ];
}

#endif // PBS_CONVERSION_PBSTOPBSGPU_PASSES_TD

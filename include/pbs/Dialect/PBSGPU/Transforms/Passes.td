// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_TD
#define PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def PBSGPUWalkList : Pass<"pbsgpu-walk-list", "::pbsgpu::KernelOp"> {
  let summary = "Walks the list of selected blocks instead of testing every block";
  let description = [{
    A key loop with `walk = test` becomes one with `walk = list`. Its body is
    cloned: for whole blocks `masked` is false, for masked blocks true, so that
    the element mask disappears from the first and its condition from the second.

    Before:

    ```mlir
    %o = pbsgpu.key_loop ... walk = test ... bodies {
    ^bb0(%key: index, %stage: index, %masked: i1, %o_in: ...):
      %s = pbsgpu.mma ...
      %kept = pbsgpu.map %s if %masked ... { ... }
      ...
    }
    ```

    After:

    ```mlir
    %o = pbsgpu.key_loop ... walk = list ... bodies {
    ^bb0(%key: index, %stage: index, %o_in: ...):
      %s = pbsgpu.mma ...
      ...
    }, {
    ^bb0(%key: index, %stage: index, %o_in: ...):
      %s = pbsgpu.mma ...
      %kept = pbsgpu.map %s ... { ... }
      ...
    }
    ```

    Remark: the masks dropped for whole blocks.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::pbsgpu::PBSGPUDialect"];
}

def PBSGPUDoubleBuffer : Pass<"pbsgpu-double-buffer", "::pbsgpu::KernelOp"> {
  let summary = "Copies key tiles ahead of the visit that needs them";
  let description = [{
    The copies of a key loop's bodies move into its `load` region, their tiles
    become rings of `stages` tiles, and the loop awaits and synchronises instead
    of the bodies.

    Before:

    ```mlir
    %k_tile = pbsgpu.alloc_tile : !pbsgpu.tile<64x128xbf16>
    pbsgpu.key_loop ... walk = list ... stages = 1 ... load {} bodies {
    ^bb0(%key: index, %stage: index, ...):
      pbsgpu.copy_tile %k[%batch, %head, %key] to %k_tile : ...
      pbsgpu.await_copies
      %s = pbsgpu.mma %q_tile, %k_tile transposed, %zero : ...
      ...
      gpu.barrier
      pbsgpu.yield ...
    }, { ... }
    ```

    After:

    ```mlir
    %k_ring = pbsgpu.alloc_tile : !pbsgpu.tile<64x128xbf16, stages = 2>
    pbsgpu.key_loop ... walk = list ... stages = 2 ... load {
    ^bb0(%key: index, %stage: index):
      %k_tile = pbsgpu.tile_stage %k_ring[%stage] : ...
      pbsgpu.copy_tile %k[%batch, %head, %key] to %k_tile : ...
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %stage: index, ...):
      %k_tile = pbsgpu.tile_stage %k_ring[%stage] : ...
      %s = pbsgpu.mma %q_tile, %k_tile transposed, %zero : ...
      ...
      pbsgpu.yield ...
    }, { ... }
    ```

    Declines where the walk is `test`, where the bodies do not copy the same, or
    where a copy depends on carried values.

    Remarks: the tiles that became rings and the copies begun ahead; or why not.
  }];
  let options = [
    Option<"stages", "stages", "int64_t", "2", "Tiles of a ring; 1 leaves all as it is">
  ];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPULowerKeyLoop : Pass<"pbsgpu-lower-key-loop", "::pbsgpu::KernelOp"> {
  let summary = "Turns key loops into scf loops with commits, waits and barriers";
  let description = [{
    `walk = list`: one loop over the tiles of the whole blocks and one over those
    of the masked blocks, without a drain between them. With `stages = S` above 1
    the first S - 1 tiles are copied before the loops, and each visit begins the
    copies of the visit S - 1 later.

    `walk = test`: a loop over all key blocks, with a cursor into each of the two
    ascending lists; a block that stands at neither cursor is not listed.

    Before:

    ```mlir
    %o = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %key_blocks walk = list
         key_block = 128 key_tile = 64 stages = 2 carry(%o0 : f32) : ... -> f32 load {
    ^bb0(%key: index, %stage: index):
      "load"
    } bodies {
    ^bb0(%key: index, %stage: index, %o_in: f32):
      "whole body"
    }, {
    ^bb0(%key: index, %stage: index, %o_in: f32):
      "masked body"
    }
    ```

    After (without the index arithmetic):

    ```mlir
    scf.if %any { "load"(%key_0, %c0) }
    pbsgpu.commit_copies
    %o1 = scf.for %t = %c0 to %whole_tiles step %c1 iter_args(%o_in = %o0) -> (f32) {
      scf.if %has_next { "load"(%key_next, %stage_next) }
      pbsgpu.commit_copies
      pbsgpu.await_copies pending = 1
      "whole body"
      gpu.barrier
      scf.yield %o_out : f32
    }
    %o2 = scf.for %t = %whole_tiles to %tiles step %c1 iter_args(%o_in = %o1) -> (f32) {
      ...
      "masked body"
      ...
    }
    ```

    Remark: the walk, the stages and the tiles of a block.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::pbsgpu::PBSGPUDialect"
  ];
}

def PBSGPUMergeParameters : Pass<"pbsgpu-merge-parameters", "::mlir::ModuleOp"> {
  let summary = "Drops kernel parameters without use and merges equal ones";
  let description = [{
    Works on kernels that are `llvm.func` and are launched by plans only. A
    parameter that the kernel does not read goes; parameters to which every
    launch hands the same value become one.

    Before:

    ```mlir
    llvm.func @k(%q: !llvm.ptr<1>, %q_batch: i64, %k: !llvm.ptr<1>, %k_batch: i64, %unused: i64)
    ...
    pbsgpu.launch @kernels::@k grid(...) threads = 128
      arguments(%0, %batch, %1, %batch, %2 : memref<...>, index, memref<...>, index, index)
    ```

    After:

    ```mlir
    llvm.func @k(%q: !llvm.ptr<1>, %batch: i64, %k: !llvm.ptr<1>)
    ...
    pbsgpu.launch @kernels::@k grid(...) threads = 128
      arguments(%0, %batch, %1 : memref<...>, index, memref<...>)
    ```

    Remark: the parameters dropped and merged.
  }];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

#endif // PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_TD

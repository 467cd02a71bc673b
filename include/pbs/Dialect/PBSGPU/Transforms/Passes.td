// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_TD
#define PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def PBSGPUWalkList : Pass<"pbsgpu-walk-list"> {
  let summary = "Walks the list of selected blocks instead of testing every block";
  let description = [{
    A key loop with `walk = test` becomes one with `walk = list`. Its body is
    cloned: for whole blocks `masked` is false, for masked blocks true, so that
    the element mask disappears from the first and its condition from the second.

    Before:

    ```mlir
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>,
                       %b: index, %h: index, %q: index, %blocks: index, %first: index, %x: f32) warps = 4 {
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %blocks from %first
             walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%s0 : !scores)
           : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {} bodies {
        ^bb0(%key: index, %visit: index, %masked: i1, %s_in: !scores):
          %kept = pbsgpu.map %s_in if %masked : !scores -> !scores {
          ^bb0(%score: f32, %row: i32, %column: i32):
            %y = arith.negf %score : f32
            pbsgpu.yield %y : f32
          }
          pbsgpu.yield %kept : !scores
        }
        pbsgpu.return
      }
    }
    ```

    After:

    ```mlir
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>,
                       %b: index, %h: index, %q: index, %blocks: index, %first: index, %x: f32) warps = 4 {
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %blocks from %first
             walk = list key_block = 128 key_tile = 64 ahead = 0 carry(%s0 : !scores)
           : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {} bodies {
        ^bb0(%key: index, %visit: index, %s_in: !scores):
          pbsgpu.yield %s_in : !scores
        }, {
        ^bb0(%key: index, %visit: index, %s_in: !scores):
          %kept = pbsgpu.map %s_in : !scores -> !scores {
          ^bb0(%score: f32, %row: i32, %column: i32):
            %y = arith.negf %score : f32
            pbsgpu.yield %y : f32
          }
          pbsgpu.yield %kept : !scores
        }
        pbsgpu.return
      }
    }
    ```

    Remark: the masks dropped for whole blocks.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::pbsgpu::PBSGPUDialect"];
}

def PBSGPUDoubleBuffer : Pass<"pbsgpu-double-buffer"> {
  let summary = "Copies key tiles ahead of the visit that needs them";
  let description = [{
    The copies of a key loop's bodies move into its `load` region, which runs
    `stages` - 1 visits ahead. Their tiles become rings of `stages` tiles without
    signals: a body awaits the tiles of its visit and releases them at its end,
    and the loop waits for copies and warps instead of the bodies.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %k: memref<?x64xbf16>,
                       %b: index, %h: index, %q: index, %blocks: index, %first: index, %x: f32) warps = 4 {
        %q_tile = pbsgpu.alloc_tile : !tile
        %k_tile = pbsgpu.alloc_tile : !tile
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %blocks from %first
             walk = list key_block = 128 key_tile = 64 ahead = 0 carry(%s0 : !scores)
           : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {} bodies {
        ^bb0(%key: index, %visit: index, %s_in: !scores):
          pbsgpu.copy_tile %k[%key] to %k_tile : memref<?x64xbf16>, !tile
          pbsgpu.await_copies
          %s_out = pbsgpu.mma %q_tile, %k_tile transposed, %s_in : !tile, !tile, !scores
          gpu.barrier
          pbsgpu.yield %s_out : !scores
        }, {
        ^bb0(%key: index, %visit: index, %s_in: !scores):
          pbsgpu.copy_tile %k[%key] to %k_tile : memref<?x64xbf16>, !tile
          pbsgpu.await_copies
          %s_out = pbsgpu.mma %q_tile, %k_tile transposed, %s_in : !tile, !tile, !scores
          gpu.barrier
          pbsgpu.yield %s_out : !scores
        }
        pbsgpu.return
      }
    }
    ```

    After:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %k: memref<?x64xbf16>,
                       %b: index, %h: index, %q: index, %blocks: index, %first: index, %x: f32) warps = 4 {
        %q_tile = pbsgpu.alloc_tile : !tile
        %k_ring = pbsgpu.alloc_ring : !ring
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %blocks from %first
             walk = list key_block = 128 key_tile = 64 ahead = 1 carry(%s0 : !scores)
           : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {
        ^bb0(%key: index, %visit: index):
          %empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
          pbsgpu.copy_tile %k[%key] to %empty : memref<?x64xbf16>, !tile
          pbsgpu.yield
        } bodies {
        ^bb0(%key: index, %visit: index, %s_in: !scores):
          %k_tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
          %s_out = pbsgpu.mma %q_tile, %k_tile transposed, %s_in : !tile, !tile, !scores
          pbsgpu.release %k_tile : !tile
          pbsgpu.yield %s_out : !scores
        }, {
        ^bb0(%key: index, %visit: index, %s_in: !scores):
          %k_tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
          %s_out = pbsgpu.mma %q_tile, %k_tile transposed, %s_in : !tile, !tile, !scores
          pbsgpu.release %k_tile : !tile
          pbsgpu.yield %s_out : !scores
        }
        pbsgpu.return
      }
    }
    ```

    Declines where the walk is `test`, where the bodies do not copy the same, or
    where a copy depends on carried values.

    Remarks: the tiles that became rings and the copies begun ahead; or why not.
  }];
  let options = [
    Option<"stages", "stages", "int64_t", "0",
           "Tiles of a ring; 1 leaves all as it is; 0: as the kernel's schedule says, or else 2">
  ];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPULowerKeyLoop : Pass<"pbsgpu-lower-key-loop"> {
  let summary = "Turns key loops into scf loops with commits, waits and barriers";
  let description = [{
    `walk = list`: one loop over the tiles of the whole blocks and one over those
    of the masked blocks, without a drain between them. With `ahead = a` above 0
    the copies of the first a tiles begin before the loops, and each visit begins
    those of the visit a later, where the list has such tiles. The key of the first
    tile is loaded before the counts, to wait for both at once. Visits are numbered
    from `from` on.

    Where the rings of the `load` region have signals, these are what the copies
    and the bodies wait for, and nothing is begun for an empty list. Otherwise each
    visit's copies are a group, for which the visit waits before its body, and a
    barrier after the body keeps the tiles from being overwritten while they are
    read; the first copies do not ask whether there is a list, since an empty one
    holds 65535, beyond all keys.

    `walk = test`: a loop over all key blocks, with a cursor into each of the two
    ascending lists; a block that stands at neither cursor is not listed.

    Before:

    ```mlir
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !tile = !pbsgpu.tile<64x64xbf16>
    gpu.module @kernels {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %k: memref<?x64xbf16>,
                       %b: index, %h: index, %q: index, %blocks: index, %first: index, %x: f32) warps = 4 {
        %ring = pbsgpu.alloc_ring : !ring
        %o, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %blocks from %first
             walk = list key_block = 64 key_tile = 64 ahead = 1 carry(%x : f32)
           : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {
        ^bb0(%key: index, %visit: index):
          %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
          pbsgpu.copy_tile %k[%key] to %empty : memref<?x64xbf16>, !tile
          pbsgpu.yield
        } bodies {
        ^bb0(%key: index, %visit: index, %o_in: f32):
          %o_out = math.sin %o_in : f32
          pbsgpu.yield %o_out : f32
        }, {
        ^bb0(%key: index, %visit: index, %o_in: f32):
          %o_out = math.cos %o_in : f32
          pbsgpu.yield %o_out : f32
        }
        pbsgpu.return
      }
    }
    ```

    After:

    ```mlir
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !tile = !pbsgpu.tile<64x64xbf16>
    gpu.module @kernels {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %k: memref<?x64xbf16>,
                       %b: index, %h: index, %q: index, %blocks: index, %first: index, %x: f32) warps = 4 {
        %ring = pbsgpu.alloc_ring : !ring
        ...
        %first_key = arith.muli %first_block, %c64 : index
        ...
        %tiles = arith.addi %whole_tiles, %masked_tiles : index
        ...
        %empty = pbsgpu.acquire %ring[%first] : !ring -> !tile
        pbsgpu.copy_tile %k[%first_key] to %empty : memref<?x64xbf16>, !tile
        pbsgpu.commit_copies
        %o_whole = scf.for %t = %c0 to %whole_tiles step %c1 iter_args(%o_in = %x) -> (f32) {
          ...
          scf.if %has_next {
            ...
            %empty = pbsgpu.acquire %ring[%next_visit] : !ring -> !tile
            pbsgpu.copy_tile %k[%next_key] to %empty : memref<?x64xbf16>, !tile
          }
          pbsgpu.commit_copies
          pbsgpu.await_copies pending = 1
          ...
          %o_out = math.sin %o_in : f32
          gpu.barrier
          scf.yield %o_out : f32
        }
        %o = scf.for %t = %whole_tiles to %tiles step %c1 iter_args(%o_in = %o_whole) -> (f32) {
          ...
          %o_out = math.cos %o_in : f32
          gpu.barrier
          scf.yield %o_out : f32
        }
        pbsgpu.return
      }
    }
    ```

    Remark: the walk, how many visits ahead copies begin, and the tiles of a block.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::pbsgpu::PBSGPUDialect"
  ];
}

def PBSGPUSignalCopies : Pass<"pbsgpu-signal-copies", "::mlir::ModuleOp"> {
  let summary = "Lets tiles tell when they are full and empty";
  let description = [{TODO}];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::pbsgpu::PBSGPUDialect"];
}

def PBSGPUUseTensorMaps : Pass<"pbsgpu-use-tensor-maps", "::mlir::ModuleOp"> {
  let summary = "Copies whole tiles through tensor maps";
  let description = [{TODO}];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUSplitRoles : Pass<"pbsgpu-split-roles", "::mlir::ModuleOp"> {
  let summary = "Lets some warps copy while others compute";
  let description = [{TODO}];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUDeferValues : Pass<"pbsgpu-defer-values"> {
  let summary = "Runs the product with the values beside the next visit's softmax";
  let description = [{TODO}];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUPersist : Pass<"pbsgpu-persist", "::mlir::ModuleOp"> {
  let summary = "Lets each CTA compute one query block after the other";
  let description = [{TODO}];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::pbsgpu::PBSGPUDialect"];
}

def PBSGPUStageOutput : Pass<"pbsgpu-stage-output"> {
  let summary = "Stores fragments through a tile that is not needed any more";
  let description = [{TODO}];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUAsyncProducts : Pass<"pbsgpu-async-products", "::mlir::ModuleOp"> {
  let summary = "Begins products and waits for them where they are used";
  let description = [{TODO}];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

#endif // PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_TD

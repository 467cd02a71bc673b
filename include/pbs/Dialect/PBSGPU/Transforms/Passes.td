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
    of the masked blocks, without a drain between them; where one body is for all
    blocks, one loop over all tiles. With `walk = list_from_end` these go through
    the list from its end, the loop over the masked blocks first. Visits are
    numbered from `from` on. The loops count in 32 bits: ptxas keeps what follows
    from such a counter in uniform registers.

    With `ahead = a` above 0 the copies of the first a tiles begin before the
    loops, and each visit begins those of the visit a later, where the list has
    such tiles. The key of the first tile is loaded before the counts, to wait for
    both at once; from the end its place is not known before.

    With `lengths` no counts are loaded. A third value takes the place of the first
    key's load in a visit that stands before the loops, and for the first copy of
    `walk = list`.

    With `near_end` the loop asks in each visit whether it is the one before which
    that region runs, and after the loop whether there was no visit.

    A `deferred` loop becomes the first visit, with the masked body and without its
    last product, the loops over the others, and the last product of the last
    visit, all of this in a branch for lists that are not empty. The loops carry
    the A and the accumulator of the product that is still to run, in place of the
    value that it makes; in a visit it stands behind the first product, with the
    wait for its tile and the release of it.

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
        %first_i32 = arith.index_cast %first : index to i32
        %first_visit = arith.index_cast %first_i32 : i32 to index
        %empty = pbsgpu.acquire %ring[%first_visit] : !ring -> !tile
        pbsgpu.copy_tile %k[%first_key] to %empty : memref<?x64xbf16>, !tile
        pbsgpu.commit_copies
        ...
        %whole_end = arith.index_cast %whole_tiles : index to i32
        %o_whole = scf.for %t = %c0_i32 to %whole_end step %c1_i32 iter_args(%o_in = %x) -> (f32) : i32 {
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
        ...
        %masked_begin = arith.index_cast %whole_tiles : index to i32
        %end = arith.index_cast %tiles : index to i32
        %o = scf.for %t = %masked_begin to %end step %masked_step iter_args(%o_in = %o_whole) -> (f32) : i32 {
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
  let description = [{
    The rings that a key loop loads get signals: the copies into a tile tell when
    it is full, the warps that have read it when it is empty. The loop then needs
    no groups, no waits and no barriers. A warp waits for the bytes that it reads
    and not for other warps, so that some multiply while others compute. It awaits
    a tile before its first use and releases it after its last one: values may
    still be on their way while the product with the keys runs.

    A tile that is copied before the loop, and that only the loop would wait for,
    becomes a ring of one tile, which is filled once and awaited before the loop.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>,
                       %q: memref<?x64xbf16>, %k: memref<?x64xbf16>, %b: index, %h: index,
                       %block: index, %row: index, %blocks: index, %x: f32) warps = 4 {
        %c0 = arith.constant 0 : index
        %q_tile = pbsgpu.alloc_tile : !tile
        %k_ring = pbsgpu.alloc_ring : !ring
        pbsgpu.copy_tile %q[%row] to %q_tile : memref<?x64xbf16>, !tile
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
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
        }
        pbsgpu.return
      }
    }
    ```

    After:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !once = !pbsgpu.ring<64x64xbf16, stages = 1>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>,
                       %q: memref<?x64xbf16>, %k: memref<?x64xbf16>, %b: index, %h: index,
                       %block: index, %row: index, %blocks: index, %x: f32) warps = 4 {
        %c0 = arith.constant 0 : index
        %q_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !once
        %c0_q = arith.constant 0 : index
        %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
        %q_empty = pbsgpu.acquire %q_ring[%c0_q] : !once -> !tile
        pbsgpu.copy_tile %q[%row] to %q_empty : memref<?x64xbf16>, !tile
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %q_tile = pbsgpu.await %q_ring[%c0_q] : !once -> !tile
        %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
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
        }
        pbsgpu.return
      }
    }
    ```

    Loops that copy nothing ahead stay as they are. Declines where the schedule turns
    the pass off, on a chip before sm_90, which does not wait for signals, where the
    loop does not stand in the kernel's first block, and where its waits and
    barriers serve more than its rings:

    - it waits for copies itself, or copies otherwise than ahead into rings;
    - its rings have signals already or are used outside of it, or a visit does not
      fill, read and release one tile of each of them, its own;
    - the kernel groups its copies before the loop;
    - a tile that the loop would wait for is used before, or copied inside another
      operation;
    - a tile that is used before the end of the loop is filled again after it.

    Remarks: the rings that got signals and the tiles that are filled once; or why
    not.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::pbsgpu::PBSGPUDialect"];
}

def PBSGPUUseTensorMaps : Pass<"pbsgpu-use-tensor-maps", "::mlir::ModuleOp"> {
  let summary = "Copies whole tiles through tensor maps";
  let description = [{
    A ring with signals whose tiles are whole blocks of a parameter's rows is
    filled through tensor maps (TMA). One thread asks for a tile, and the hardware
    computes the addresses, swizzles the rows and signals the bytes: the other
    threads spend neither instructions nor registers on it. Each pair of parameter
    and tile gets a map as a parameter of the kernel, and each launch hands one
    over.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 1>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%q: memref<?x64xbf16> {pbs.name = "query"}, %row: index) warps = 4 {
        %c0 = arith.constant 0 : index
        %q_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
        %empty = pbsgpu.acquire %q_ring[%c0] : !ring -> !tile
        pbsgpu.copy_tile %q[%row] to %empty : memref<?x64xbf16>, !tile
        %q_tile = pbsgpu.await %q_ring[%c0] : !ring -> !tile
        pbsgpu.return
      }
    }
    pbsgpu.plan @plan {
      %n = pbsgpu.size "N"
      %c1 = arith.constant 1 : index
      %q = pbsgpu.argument "q" input [%n, 64] align 16 : memref<?x64xbf16>
      pbsgpu.launch @kernels::@k grid(%n, %c1, %c1) arguments(%q, %c1 : memref<?x64xbf16>, index)
    }
    ```

    After:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 1>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%q: memref<?x64xbf16> {pbs.name = "query"}, %row: index,
                       %q_map: !map {pbs.name = "query_map"}) warps = 4 {
        %c0 = arith.constant 0 : index
        %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        %empty = pbsgpu.acquire %q_ring[%c0] : !ring -> !tile
        pbsgpu.copy_tile %q_map[%row] to %empty : !map, !tile
        %q_tile = pbsgpu.await %q_ring[%c0] : !ring -> !tile
        pbsgpu.return
      }
    }
    pbsgpu.plan @plan {
      %n = pbsgpu.size "N"
      %c1 = arith.constant 1 : index
      %q = pbsgpu.argument "q" input [%n, 64] align 16 : memref<?x64xbf16>
      %q_map = pbsgpu.tensor_map %q : memref<?x64xbf16> -> !map
      pbsgpu.launch @kernels::@k grid(%n, %c1, %c1) arguments(%q, %c1, %q_map : memref<?x64xbf16>, index, !map)
    }
    ```

    Rings without signals stay as they are. Declines where the schedule turns the pass
    off, where the chip (before sm_90) or the PTX version (before 8.6) has no tensor
    maps, where a copy gathers rows through a permutation or uses a map already,
    where a source is no parameter of the kernel or has more than 5 dimensions,
    where a tile has more than 256 rows, and where a launch hands over memory that is
    aligned to less than 16 bytes.

    Remarks: the copies into a ring that go through maps; or why not.
  }];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUSplitRoles : Pass<"pbsgpu-split-roles", "::mlir::ModuleOp"> {
  let summary = "Lets some warps copy while others compute";
  let description = [{
    Four warps are added, which copy what the kernel copies, while those that it had
    compute. The copies run as far ahead as the rings have tiles, and nothing but
    the signals of the rings ties the two roles. So no warp that computes spends
    instructions on copies, and the producer hands over registers that it does not
    need. Its key loop makes the same visits and has the region `load` as its body;
    what is computed without memory and tiles stays before the roles.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !once = !pbsgpu.ring<64x64xbf16, stages = 1>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %q: !map, %k: !map,
                       %b: index, %h: index, %block: index, %row: index, %blocks: index, %x: f32) warps = 4 {
        %c0 = arith.constant 0 : index
        %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !once
        %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        %q_empty = pbsgpu.acquire %q_ring[%c0] : !once -> !tile
        pbsgpu.copy_tile %q[%row] to %q_empty : !map, !tile
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %q_tile = pbsgpu.await %q_ring[%c0] : !once -> !tile
        %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
             walk = list key_block = 128 key_tile = 64 ahead = 1 carry(%s0 : !scores)
           : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {
        ^bb0(%key: index, %visit: index):
          %empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
          pbsgpu.copy_tile %k[%key] to %empty : !map, !tile
          pbsgpu.yield
        } bodies {
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

    After:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !once = !pbsgpu.ring<64x64xbf16, stages = 1>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %q: !map, %k: !map,
                       %b: index, %h: index, %block: index, %row: index, %blocks: index, %x: f32) warps = 8 {
        %c0 = arith.constant 0 : index
        %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !once
        %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        pbsgpu.roles "producer" warps = 4 registers = 56 {
          %q_empty = pbsgpu.acquire %q_ring[%c0] : !once -> !tile
          pbsgpu.copy_tile %q[%row] to %q_empty : !map, !tile
          %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list key_block = 128 key_tile = 64 ahead = 0
             : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
          ^bb0(%key: index, %visit: index):
            %empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
            pbsgpu.copy_tile %k[%key] to %empty : !map, !tile
            pbsgpu.yield
          }
          pbsgpu.end_role
        } "consumer" warps = 4 registers = 240 {
          %s0 = pbsgpu.splat %x : f32 -> !scores
          %q_tile = pbsgpu.await %q_ring[%c0] : !once -> !tile
          %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list key_block = 128 key_tile = 64 ahead = 0 carry(%s0 : !scores)
             : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {} bodies {
          ^bb0(%key: index, %visit: index, %s_in: !scores):
            %k_tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
            %s_out = pbsgpu.mma %q_tile, %k_tile transposed, %s_in : !tile, !tile, !scores
            pbsgpu.release %k_tile : !tile
            pbsgpu.yield %s_out : !scores
          }
          pbsgpu.end_role
        }
        pbsgpu.return
      }
    }
    ```

    Kernels whose key loops copy nothing ahead stay as they are. Declines where the
    schedule turns the pass off, on a chip other than sm_90a, whose warps hand
    registers over, where the warps are no groups of four or more than 28, where the
    kernel has roles already, branches between blocks or tells its threads apart, and
    where more than signals ties what copies to what computes:

    - a copy does not signal, or none goes into a ring;
    - all warps wait for each other;
    - a copy stands inside another operation than a region `load`;
    - a copy, or the list that copies follow, depends on what is loaded from memory
      or computed by a key loop.

    Remarks: the warps of both roles and the registers of each of their threads; or
    why not.
  }];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUDeferValues : Pass<"pbsgpu-defer-values"> {
  let summary = "Runs the product with the values beside the next visit's softmax";
  let description = [{
    A body of a key loop multiplies with the keys, computes the softmax and
    multiplies its result with the values: each step waits for the one before. A
    `deferred` loop leaves the last product to the next visit, right behind the first
    one there, so that the tensor cores have it to work on while the warps compute
    that visit's softmax. The tile of the values is released one visit later.

    The first visit, which has nothing to make up for, is a copy of the masked body.
    So that it is a masked block's anyway, the loop walks its list from the end, where
    these stand, as do all loops that visit the same rings.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
    !acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    !operand = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
    gpu.module @kernels {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %k: !map, %v: !map,
                       %b: index, %h: index, %block: index, %blocks: index) warps = 8 {
        %c0 = arith.constant 0 : index
        %zero = arith.constant 0.0 : f32
        %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        %v_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        pbsgpu.roles "producer" warps = 4 registers = 56 {
          %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list key_block = 128 key_tile = 64 ahead = 0
             : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
          ^bb0(%key: index, %visit: index):
            %k_empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
            pbsgpu.copy_tile %k[%key] to %k_empty : !map, !tile
            %v_empty = pbsgpu.acquire %v_ring[%visit] : !ring -> !tile
            pbsgpu.copy_tile %v[%key] to %v_empty : !map, !tile
            pbsgpu.yield
          }
          pbsgpu.end_role
        } "consumer" warps = 4 registers = 240 {
          %q = pbsgpu.alloc_tile : !tile
          %s0 = pbsgpu.splat %zero : f32 -> !acc
          %o, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list key_block = 128 key_tile = 64 ahead = 0 carry(%s0 : !acc)
             : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !acc load {} bodies {
          ^bb0(%key: index, %visit: index, %o_in: !acc):
            %k_tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
            %s = pbsgpu.mma %q, %k_tile transposed, %s0 : !tile, !tile, !acc
            pbsgpu.release %k_tile : !tile
            %p = pbsgpu.to_operand %s : !acc -> !operand
            %v_tile = pbsgpu.await %v_ring[%visit] : !ring -> !tile
            %o_out = pbsgpu.mma %p, %v_tile, %o_in : !operand, !tile, !acc
            pbsgpu.release %v_tile : !tile
            pbsgpu.yield %o_out : !acc
          }
          pbsgpu.end_role
        }
        pbsgpu.return
      }
    }
    ```

    After:

    ```mlir
    ...
        pbsgpu.roles "producer" warps = 4 registers = 56 {
          %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list_from_end key_block = 128 key_tile = 64 ahead = 0
    ...
        } "consumer" warps = 4 registers = 240 {
    ...
          %o, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list_from_end key_block = 128 key_tile = 64 ahead = 0 deferred
    ...
    ```

    Loops that carry nothing stay as they are. Declines where the schedule turns the
    pass off, where the walk is `test`, where the loop has a region `near_end`, where
    it, or one that visits the same rings, is told the first block of its walk, and
    where the last product cannot wait:

    - a body has no second product, or its first one needs the last one of the
      visit before;
    - the last product has a tile as A, or its B is not the tile of a ring with
      signals that the visit awaits for this product alone;
    - it is used otherwise than as a carried value, or not as the same one in each
      body;
    - the carried value is not zero at first, or the product does not add to it or
      to a multiple of it;
    - the same warps copy, into a ring of no more than `ahead` + 1 tiles;
    - the role's registers do not hold the carried value, the next visit's first
      product, the last one's A, and 32 more.

    Remark: that the loop defers its last product; or why not.
  }];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUPersist : Pass<"pbsgpu-persist", "::mlir::ModuleOp"> {
  let summary = "Lets each CTA compute one query block after the other";
  let description = [{
    As many CTAs as the device has multiprocessors compute one query block after the
    other, instead of one CTA for each block. While a CTA computes, its producer
    copies for the next block: nobody waits for the first tiles of a block, and no
    multiprocessor waits until a CTA has started.

    The blocks of a launch's grid are its items, numbered along the grid's rows (a
    row is one y and z): neighbours read the same keys, and each row begins with
    x = 0, where kernels have their longest lists. The last rows are taken in turn,
    first all their x = 0, then all x = 1, as many rows as hold three items for each
    multiprocessor: the shortest lists come last, so that all CTAs end together. A
    CTA's first item is its own number. It claims the others from a counter, which
    the plan sets to zero before the launch.

    - `scheduler` claims an item when it is asked for one, and publishes its column
      and row in the grid, the lengths of its lists and the block that it visits
      first; or that there are no more. Its warps are those that the producer does
      not need where one warp copies all through tensor maps, and otherwise four of
      their own.
    - `producer` receives each item, copies what it copied for a block, and asks for
      the next item three visits before the end.
    - `consumer` receives each item and computes it. The kernel's parameters that are
      index or memrefs are opaque there: what is computed from them for each item would
      otherwise be computed before the first one, and hold registers beside the products.

    Visits of the rings are numbered from item to item. A ring that is filled once
    for a block gets two tiles, or one where the chip's shared memory does not
    suffice; its tile is released behind the last use.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !once = !pbsgpu.ring<64x64xbf16, stages = 1>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 4>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %q: !map, %k: !map,
                       %blocks: index, %x: f32) warps = 8 {
        %c0 = arith.constant 0 : index
        %c64 = arith.constant 64 : index
        %block = gpu.block_id x
        %h = gpu.block_id y
        %b = gpu.block_id z
        %row = arith.muli %block, %c64 : index
        %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !once
        %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        pbsgpu.roles "producer" warps = 4 registers = 56 {
          %q_empty = pbsgpu.acquire %q_ring[%c0] : !once -> !tile
          pbsgpu.copy_tile %q[%b, %h, %row] to %q_empty : !map, !tile
          %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list key_block = 64 key_tile = 64 ahead = 0
             : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
          ^bb0(%key: index, %visit: index):
            %empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
            pbsgpu.copy_tile %k[%b, %h, %key] to %empty : !map, !tile
            pbsgpu.yield
          }
          pbsgpu.end_role
        } "consumer" warps = 4 registers = 240 {
          %s0 = pbsgpu.splat %x : f32 -> !scores
          %q_tile = pbsgpu.await %q_ring[%c0] : !once -> !tile
          %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %c0
               walk = list key_block = 64 key_tile = 64 ahead = 0 carry(%s0 : !scores)
             : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {} bodies {
          ^bb0(%key: index, %visit: index, %s_in: !scores):
            %k_tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
            %s_out = pbsgpu.mma %q_tile, %k_tile transposed, %s_in : !tile, !tile, !scores
            pbsgpu.release %k_tile : !tile
            pbsgpu.yield %s_out : !scores
          }
          pbsgpu.end_role
        }
        pbsgpu.return
      }
    }
    pbsgpu.plan @plan {
      %b = pbsgpu.size "B"
      %m = pbsgpu.size "M"
      %c4 = arith.constant 4 : index
      %x = arith.constant 0.0 : f32
      %counts = pbsgpu.argument "counts" input [%b, 4, %m, 2] align 4 : memref<?x4x?x2xi32>
      %indices = pbsgpu.argument "indices" input [%b, 4, %m, %m] align 2 : memref<?x4x?x?xi16>
      %qk = pbsgpu.argument "qk" input [%b, 4, %m, 64] align 16 : memref<?x4x?x64xbf16>
      %map = pbsgpu.tensor_map %qk : memref<?x4x?x64xbf16> -> !map
      pbsgpu.launch @kernels::@k grid(%m, %c4, %b)
        arguments(%counts, %indices, %map, %map, %m, %x : memref<?x4x?x2xi32>, memref<?x4x?x?xi16>, !map, !map, index, f32)
    }
    ```

    After:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 4>
    !items = !pbsgpu.item_ring<stages = 2>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %q: !map, %k: !map,
                       %blocks: index, %x: f32, %claimed: memref<1xi32> {pbs.name = "claimed"},
                       %grid_x: index {pbs.name = "grid_x"}, %grid_rows: index {pbs.name = "grid_rows"},
                       %rows_in_turn: index {pbs.name = "rows_in_turn"}) warps = 8 {
        ...
        %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        %items = pbsgpu.alloc_items : !items
        pbsgpu.roles "producer" warps = 1 registers = 56 {
          ...
          %received:4 = pbsgpu.receive %items[%n] : !items
          ...
          scf.condition(%is_item) %n_i32, %visit_i32, %received#0, %received#1, %received#2, %received#3 : i32, i32, i32, i32, i32, i32
          ...
          %row = arith.muli %block, %c64 : index
          ...
          %q_empty = pbsgpu.acquire %q_ring[%n_copied] : !ring -> !tile
          pbsgpu.copy_tile %q[%b, %h, %row] to %q_empty : !map, !tile
          %next = pbsgpu.key_loop %counts, %indices[%b, %h, %block] of %blocks from %from lengths(%whole, %masked, %first)
               walk = list key_block = 64 key_tile = 64 ahead = 0
             : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load { } near_end = 3 {
            ...
            pbsgpu.request %items[%n_next] : !items
            pbsgpu.yield
          } bodies {
          ^bb0(%key: index, %visit: index):
            %empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
            pbsgpu.copy_tile %k[%b, %h, %key] to %empty : !map, !tile
            pbsgpu.yield
          }
          ...
        } "scheduler" warps = 3 registers = 56 {
          ...
          pbsgpu.publish %items[%n_published], %grid_column, %grid_row, %lengths, %first_block : !items
          ...
          pbsgpu.await_request %items[%n_requested] : !items
          %number = pbsgpu.claim %claimed : memref<1xi32>
          %next = arith.addi %number, %ctas : i32
          ...
        } "consumer" warps = 4 registers = 240 {
          ...
          %these_counts = pbsgpu.opaque %counts : memref<?x4x?x2xi32>
          %these_indices = pbsgpu.opaque %indices : memref<?x4x?x?xi16>
          %these_blocks = pbsgpu.opaque %blocks : index
          ...
          %q_tile = pbsgpu.await %q_ring[%n_computed] : !ring -> !tile
          ...
          pbsgpu.release %q_tile : !tile
          ...
          pbsgpu.end_role
        }
        pbsgpu.return
      }
    }
    pbsgpu.plan @plan {
      ...
      %claimed = pbsgpu.buffer "k_claimed" [1] align 4 : memref<1xi32>
      pbsgpu.memset %claimed to 0 : memref<1xi32>
      %ctas = arith.minsi %multiprocessors, %items : index
      ...
      pbsgpu.launch @kernels::@k grid(%ctas, %c1_y, %c1_z)
        arguments(%counts, %indices, %map, %map, %m, %x, %claimed, %m, %rows, %in_turn :
          memref<?x4x?x2xi32>, memref<?x4x?x?xi16>, !map, !map, index, f32, memref<1xi32>, index, index, index)
    }
    ```

    Kernels without rings of signals stay as they are. Declines where the schedule
    turns the pass off, and where a kernel

    - has no roles, other roles than one that copies and then one that computes, a
      producer whose warps are no groups of four or hold a fragment where one is to
      copy, or no warps or registers left for a scheduler, as beside warps that copy
      row by row and three groups that compute;
    - does more outside of its roles than compute, holds a fragment there, computes
      behind them, or branches between blocks;
    - tells its threads apart (lanes it may), depends on the size of its CTAs or its grid
      or on clusters, or asks in a role for the place of its CTA in the grid;
    - does not walk the same list in both roles, with one key loop at the top of each
      that cuts blocks into the same tiles, numbers its visits from 0 and has neither
      lengths nor a region `near_end`;
    - tests every block, or copies in two bodies or ahead;
    - has other shared memory than rings, a ring without signals or without use, one
      that is filled otherwise than once for each visit or once for each block, or one
      of which the tiles of visits are not released.

    Remark: the tiles of rings that are filled once for each block; or why not.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::pbsgpu::PBSGPUDialect"];
}

def PBSGPUStageOutput : Pass<"pbsgpu-stage-output"> {
  let summary = "Stores fragments through a tile that is not needed any more";
  let description = [{
    A fragment's rows are scattered over the lanes of a warp, so that stores of 16-bit
    elements from registers write a few bytes of many rows at a time. A store goes
    `through` a tile that is not needed any more: each warp writes its rows there, and
    from there whole rows to global memory. This takes no shared memory of its own.

    The tile is one that was awaited from a ring with signals in the same block. It
    has the shape of the fragment and the elements of the destination, and only
    products before the store have read it, as A, of which each warp reads no rows but
    its own. Where it is released, it is now released behind the store.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 1>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels {
      pbsgpu.kernel @k(%q: memref<?x64xbf16>, %out: memref<?x64xbf16>, %row: index, %x: f32) warps = 4 {
        %c0 = arith.constant 0 : index
        %k_tile = pbsgpu.alloc_tile : !tile
        %q_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
        %empty = pbsgpu.acquire %q_ring[%c0] : !ring -> !tile
        pbsgpu.copy_tile %q[%row] to %empty : memref<?x64xbf16>, !tile
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %q_tile = pbsgpu.await %q_ring[%c0] : !ring -> !tile
        %s = pbsgpu.mma %q_tile, %k_tile transposed, %s0 : !tile, !tile, !scores
        pbsgpu.release %q_tile : !tile
        pbsgpu.store_fragment %s to %out[%row] : !scores, memref<?x64xbf16>
        pbsgpu.return
      }
    }
    ```

    After:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 1>
    !scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    gpu.module @kernels {
      pbsgpu.kernel @k(%q: memref<?x64xbf16>, %out: memref<?x64xbf16>, %row: index, %x: f32) warps = 4 {
        %c0 = arith.constant 0 : index
        %k_tile = pbsgpu.alloc_tile : !tile
        %q_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
        %empty = pbsgpu.acquire %q_ring[%c0] : !ring -> !tile
        pbsgpu.copy_tile %q[%row] to %empty : memref<?x64xbf16>, !tile
        %s0 = pbsgpu.splat %x : f32 -> !scores
        %q_tile = pbsgpu.await %q_ring[%c0] : !ring -> !tile
        %s = pbsgpu.mma %q_tile, %k_tile transposed, %s0 : !tile, !tile, !scores
        pbsgpu.store_fragment %s through %q_tile to %out[%row] : !scores, memref<?x64xbf16>, !tile
        pbsgpu.release %q_tile : !tile
        pbsgpu.return
      }
    }
    ```

    Stores of f32 and of one column stay as they are. Declines where the schedule turns
    the pass off and where there is no such tile.

    Remark: the store that goes through a tile; or why not.
  }];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

def PBSGPUAsyncProducts : Pass<"pbsgpu-async-products", "::mlir::ModuleOp"> {
  let summary = "Begins products and waits for them where they are used";
  let description = [{
    Products become those of warp groups (PTX ISA, "wgmma"), which read tiles from
    shared memory by themselves. A product begins where it stood and is awaited where
    it is needed: until then the warps do other work, and the tensor cores go on with
    the products begun after it. What releases one of its tiles moves behind the wait.

    Products end in the order in which they begin, so those before one that is needed
    are awaited, too. A product is awaited at the latest at the end of its block, and
    before anything that its tiles could be overwritten by: a store through one, a
    `pbsgpu.acquire` of its ring, a release inside another operation.

    Before:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
    !acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    !operand = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
    !column = !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%k: !map, %row: index, %x: f32) warps = 4 {
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        %k0_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
        pbsgpu.copy_tile %k[%row] to %k0_empty : !map, !tile
        %k1_empty = pbsgpu.acquire %k_ring[%c1] : !ring -> !tile
        pbsgpu.copy_tile %k[%row] to %k1_empty : !map, !tile
        %zero = pbsgpu.splat %x : f32 -> !acc
        %p = pbsgpu.to_operand %zero : !acc -> !operand
        %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
        %s = pbsgpu.mma %p, %k_tile transposed, %zero : !operand, !tile, !acc
        pbsgpu.release %k_tile : !tile
        %v_tile = pbsgpu.await %k_ring[%c1] : !ring -> !tile
        %o = pbsgpu.mma %p, %v_tile, %zero : !operand, !tile, !acc
        pbsgpu.release %v_tile : !tile
        %max = pbsgpu.row_reduce max %s : !acc -> !column
        %sum = pbsgpu.row_reduce sum %o : !acc -> !column
        pbsgpu.return
      }
    }
    ```

    After:

    ```mlir
    !tile = !pbsgpu.tile<64x64xbf16>
    !ring = !pbsgpu.ring<64x64xbf16, stages = 2>
    !map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
    !acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    !pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
    !operand = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
    !column = !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
      pbsgpu.kernel @k(%k: !map, %row: index, %x: f32) warps = 4 {
        %c0 = arith.constant 0 : index
        %c1 = arith.constant 1 : index
        %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
        %k0_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
        pbsgpu.copy_tile %k[%row] to %k0_empty : !map, !tile
        %k1_empty = pbsgpu.acquire %k_ring[%c1] : !ring -> !tile
        pbsgpu.copy_tile %k[%row] to %k1_empty : !map, !tile
        %zero = pbsgpu.splat %x : f32 -> !acc
        %p = pbsgpu.to_operand %zero : !acc -> !operand
        %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
        %s_begun = pbsgpu.start_mma %p, %k_tile transposed, %zero : !operand, !tile, !acc -> !pending
        %v_tile = pbsgpu.await %k_ring[%c1] : !ring -> !tile
        %o_begun = pbsgpu.start_mma %p, %v_tile, %zero : !operand, !tile, !acc -> !pending
        %s = pbsgpu.await_mma %s_begun pending = 1 : !pending -> !acc
        pbsgpu.release %k_tile : !tile
        %max = pbsgpu.row_reduce max %s : !acc -> !column
        %o = pbsgpu.await_mma %o_begun : !pending -> !acc
        pbsgpu.release %v_tile : !tile
        %sum = pbsgpu.row_reduce sum %o : !acc -> !column
        pbsgpu.return
      }
    }
    ```

    Kernels without rings of signals stay as they are. Declines where the schedule
    turns the pass off, on a chip other than sm_90a, which has products of warp groups,
    in a kernel that has no products or a `deferred` key loop, and where any product of
    the kernel

    - has not 16 rows for each warp of groups of four, or stands in a role that does not
      begin with such a group;
    - has more than 256 columns;
    - reads a tile that is not awaited from a ring with signals.

    Remark: the products that run on; or why not.
  }];
  let dependentDialects = ["::pbsgpu::PBSGPUDialect"];
}

#endif // PBS_DIALECT_PBSGPU_TRANSFORMS_PASSES_TD

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbsgpu-defer-values | FileCheck %s
// RUN: pbs-opt %s --pbsgpu-defer-values -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-defer-values --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!values = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 3>
!two = !pbsgpu.ring<64x64xbf16, stages = 2>
!scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!operand = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>

gpu.module @kernels {
  // CHECK-LABEL: pbsgpu.kernel @deferred(
  // REMARK: remark: [Passed] Deferred | Category:pbsgpu-defer-values | Function=deferred
  pbsgpu.kernel @deferred(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 8 {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !two
    %q = pbsgpu.alloc_tile : !tile
    // The loop that copies makes the same visits.
    // CHECK: pbsgpu.roles "producer"
    // CHECK: pbsgpu.key_loop
    // CHECK-NEXT: walk = list_from_end key_block = 128 key_tile = 64 ahead = 0{{$}}
    pbsgpu.roles "producer" warps = 4 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
         : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !two -> !tile
        pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 {
      // The carried values are multiplied by something first: zeros stay zero.
      // CHECK: pbsgpu.key_loop
      // CHECK-NEXT: walk = list_from_end key_block = 128 key_tile = 64 ahead = 0 deferred{{$}}
      // CHECK: bodies {
      // CHECK-NEXT: ^bb0(
      // CHECK-NEXT: pbsgpu.mma
      // CHECK-NEXT: pbsgpu.to_operand
      // CHECK-NEXT: pbsgpu.map
      %0 = pbsgpu.splat %zero : f32 -> !scores
      %one = pbsgpu.splat %x : f32 -> !scores
      %sum, %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
           carry(%one, %0 : !scores, !scores) : !counts, !indices -> !scores, !scores load {} bodies {
      ^bb0(%key: index, %visit: index, %sum_in: !scores, %o_in: !scores):
        %s = pbsgpu.mma %q, %q transposed, %sum_in : !tile, !tile, !scores
        %p = pbsgpu.to_operand %s : !scores -> !operand
        %scaled = pbsgpu.map %s, %o_in : !scores, !scores -> !scores {
        ^bb0(%factor: f32, %y: f32, %row: i32, %column: i32):
          %product = arith.mulf %factor, %y : f32
          pbsgpu.yield %product : f32
        }
        %tile = pbsgpu.await %ring[%visit] : !two -> !tile
        %o_out = pbsgpu.mma %p, %tile, %scaled : !operand, !tile, !scores
        pbsgpu.release %tile : !tile
        pbsgpu.yield %s, %o_out : !scores, !scores
      }, {
      ^bb0(%key: index, %visit: index, %sum_in: !scores, %o_in: !scores):
        %s = pbsgpu.mma %q, %q transposed, %sum_in : !tile, !tile, !scores
        %p = pbsgpu.to_operand %s : !scores -> !operand
        %tile = pbsgpu.await %ring[%visit] : !two -> !tile
        %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
        pbsgpu.release %tile : !tile
        pbsgpu.yield %s, %o_out : !scores, !scores
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // Warps that copy ahead themselves need one more tile.
  // CHECK-LABEL: pbsgpu.kernel @same_warps(
  // REMARK: [Passed] Deferred | {{.*}}Function=same_warps
  pbsgpu.kernel @same_warps(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK: walk = list_from_end key_block = 128 key_tile = 64 ahead = 1 deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @deferred_already(
  // REMARK-NOT: Function=deferred_already
  pbsgpu.kernel @deferred_already(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK: walk = list key_block = 128 key_tile = 64 ahead = 1 deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1 deferred
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // There is no sum that a product could add to: no remark is made.
  // CHECK-LABEL: pbsgpu.kernel @carries_nothing(
  // REMARK-NOT: Function=carries_nothing
  pbsgpu.kernel @carries_nothing(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @off(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=off | Reason="the schedule turns the pass off"
  pbsgpu.kernel @off(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4
      attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["defer-values"]>} {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tests_blocks(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=tests_blocks | Reason="the loop tests every block, so the next visit is not known"
  pbsgpu.kernel @tests_blocks(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %empty : !values, !tile
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
         carry(%0 : !scores) : !counts, !indices -> !scores load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @near_end(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=near_end | Reason="its region near_end runs between two visits"
  pbsgpu.kernel @near_end(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %empty : !values, !tile
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
         carry(%0 : !scores) : !counts, !indices -> !scores load {} near_end = 3 {
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // The third length is the block that comes first.
  // CHECK-LABEL: pbsgpu.kernel @first_block_known(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=first_block_known | Reason="the order of the visits is settled already"
  pbsgpu.kernel @first_block_known(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%i, %i, %i) walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @first_block_known_from_end(
  // REMARK: [Passed] Deferred | {{.*}}Function=first_block_known_from_end
  pbsgpu.kernel @first_block_known_from_end(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK: ahead = 1 deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%i, %i, %i) walk = list_from_end key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @one_product(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=one_product | Reason="a body has no second product"
  pbsgpu.kernel @one_product(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %q, %tile, %o_in : !tile, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @used_in_body(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=used_in_body | Reason="the last product is used otherwise than as a carried value"
  pbsgpu.kernel @used_in_body(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      %twice = pbsgpu.map %o_out : !scores -> !scores {
      ^bb0(%y: f32, %row: i32, %column: i32):
        %z = arith.addf %y, %y : f32
        pbsgpu.yield %z : f32
      }
      pbsgpu.yield %twice : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tile_as_a(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=tile_as_a | Reason="the last product has a tile as A, which may be overwritten"
  pbsgpu.kernel @tile_as_a(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %q, %tile, %o_in : !tile, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tile_of_kernel(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=tile_of_kernel | Reason="the last product's B is not the tile of the body's visit"
  pbsgpu.kernel @tile_of_kernel(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      %o_out = pbsgpu.mma %p, %q, %o_in : !operand, !tile, !scores
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tile_of_other_visit(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=tile_of_other_visit | Reason="the last product's B is not the tile of the body's visit"
  pbsgpu.kernel @tile_of_other_visit(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%c0] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tile_read_twice(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=tile_read_twice | Reason="what the last product awaits is also used otherwise"
  pbsgpu.kernel @tile_read_twice(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %s = pbsgpu.mma %q, %tile transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @first_needs_last(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=first_needs_last | Reason="the first product needs the last one of the visit before"
  pbsgpu.kernel @first_needs_last(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %o_in : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @bodies_differ(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=bodies_differ | Reason="the bodies' last products are carried as different values"
  pbsgpu.kernel @bodies_differ(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %p, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0, %0 : !scores, !scores) : !counts, !indices -> !scores, !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %a: !scores, %b: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %a : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out, %b : !scores, !scores
    }, {
    ^bb0(%key: index, %visit: index, %a: !scores, %b: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %b : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %a, %o_out : !scores, !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @starts_otherwise(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=starts_otherwise | Reason="the first visit's last product does not add to zero"
  pbsgpu.kernel @starts_otherwise(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %1 = pbsgpu.splat %x : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%1 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @adds_to_other(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=adds_to_other | Reason="the first visit's last product does not add to zero"
  pbsgpu.kernel @adds_to_other(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %s : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @adds_to_sum(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=adds_to_sum | Reason="the first visit's last product does not add to zero"
  pbsgpu.kernel @adds_to_sum(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %scaled = pbsgpu.map %o_in : !scores -> !scores {
      ^bb0(%y: f32, %row: i32, %column: i32):
        %z = arith.addf %y, %x : f32
        pbsgpu.yield %z : f32
      }
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %scaled : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_signals(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=no_signals | Reason="the last product's tile is of a ring without signals"
  pbsgpu.kernel @no_signals(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_tile_left(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=no_tile_left | Reason="the same warps copy, and their ring has no tile to keep for another visit"
  pbsgpu.kernel @no_tile_left(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 4 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !two
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !two -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !two -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.return
  }

  // Of each fragment a thread has 32 registers, 16 of the operand, and 32 for all else.
  // CHECK-LABEL: pbsgpu.kernel @enough_registers(
  // REMARK: [Passed] Deferred | {{.*}}Function=enough_registers
  pbsgpu.kernel @enough_registers(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 8 {
    // CHECK: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !two
    %q = pbsgpu.alloc_tile : !tile
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
         : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !two -> !tile
        pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 112 {
      %0 = pbsgpu.splat %zero : f32 -> !scores
      %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
           carry(%0 : !scores) : !counts, !indices -> !scores load {} bodies {
      ^bb0(%key: index, %visit: index, %o_in: !scores):
        %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
        %p = pbsgpu.to_operand %s : !scores -> !operand
        %tile = pbsgpu.await %ring[%visit] : !two -> !tile
        %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
        pbsgpu.release %tile : !tile
        pbsgpu.yield %o_out : !scores
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @few_registers(
  // REMARK: [Missed] NotDeferred | {{.*}}Function=few_registers | Reason="the role has not the registers for the product's operand beside the next visit's first product"
  pbsgpu.kernel @few_registers(%counts: !counts, %indices: !indices, %v: !values, %i: index, %x: f32) warps = 8 {
    // CHECK-NOT: deferred{{$}}
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !two
    %q = pbsgpu.alloc_tile : !tile
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
         : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !two -> !tile
        pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 104 {
      %0 = pbsgpu.splat %zero : f32 -> !scores
      %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
           carry(%0 : !scores) : !counts, !indices -> !scores load {} bodies {
      ^bb0(%key: index, %visit: index, %o_in: !scores):
        %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
        %p = pbsgpu.to_operand %s : !scores -> !operand
        %tile = pbsgpu.await %ring[%visit] : !two -> !tile
        %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
        pbsgpu.release %tile : !tile
        pbsgpu.yield %o_out : !scores
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbsgpu-double-buffer | FileCheck %s
// RUN: pbs-opt %s --pbsgpu-double-buffer -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-double-buffer --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: pbs-opt %s --pbsgpu-double-buffer=stages=3 \
// RUN:   | FileCheck %s --check-prefix=THREE
// RUN: pbs-opt %s --pbsgpu-double-buffer=stages=1 \
// RUN:   | FileCheck %s --check-prefix=ONE
// RUN: not pbs-opt %s --pbsgpu-double-buffer=stages=-1 2>&1 \
// RUN:   | FileCheck %s --check-prefix=NONE

// THREE: pbsgpu.alloc_ring : !ring_3x64x64xbf16
// THREE: ahead = 2
// ONE: pbsgpu.alloc_tile : !tile_64x64xbf16
// ONE: ahead = 0
// NONE: error: pbsgpu-double-buffer: stages (-1) must be at least 1, or 0

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!keys = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>

gpu.module @kernels {
  // CHECK-LABEL: pbsgpu.kernel @buffered(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[K:.*]]: memref<?x64xbf16>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %{{.*}}: f32)
  // REMARK: remark: [Passed] Buffered | Category:pbsgpu-double-buffer | Function=buffered | CopiesHoisted=1, Stages=2, TilesRinged=1
  pbsgpu.kernel @buffered(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK: %[[Q:.*]] = pbsgpu.alloc_tile : !tile_64x64xbf16
    // CHECK-NEXT: %[[RING:.*]] = pbsgpu.alloc_ring : !ring_2x64x64xbf16
    %q_tile = pbsgpu.alloc_tile : !tile
    %k_tile = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %x : f32 -> !scores
    // CHECK: pbsgpu.key_loop
    // CHECK-NEXT: ahead = 1
    // CHECK: load {
    // CHECK-NEXT: ^bb0(%[[KEY:.*]]: index, %[[VISIT:.*]]: index):
    // CHECK-NEXT: %[[SLOT:.*]] = pbsgpu.acquire %[[RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[ROW:.*]] = arith.addi %[[KEY]], %[[I]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[ROW]]] to %[[SLOT]]
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: } bodies {
    // CHECK-NEXT: ^bb0(%{{[^ ]*}}: index, %[[VISIT:[^ ]*]]: index, %[[S:.*]]: !accumulator_64x64xf32_4w):
    // CHECK-NEXT: %[[FULL:.*]] = pbsgpu.await %[[RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[OUT:.*]] = pbsgpu.mma %[[Q]], %[[FULL]] transposed, %[[S]]
    // CHECK-NEXT: pbsgpu.release %[[FULL]]
    // CHECK-NEXT: pbsgpu.yield %[[OUT]]
    // CHECK: }, {
    // CHECK-NEXT: ^bb0(%{{[^ ]*}}: index, %[[VISIT:[^ ]*]]: index, %[[S:.*]]: !accumulator_64x64xf32_4w):
    // CHECK-NEXT: %[[FULL:.*]] = pbsgpu.await %[[RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[OUT:.*]] = pbsgpu.mma %[[Q]], %[[FULL]] transposed, %[[S]]
    // CHECK-NEXT: %[[NEGATED:.*]] = pbsgpu.map %[[OUT]]
    // CHECK: pbsgpu.release %[[FULL]]
    // CHECK-NEXT: pbsgpu.yield %[[NEGATED]]
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
         carry(%0 : !scores) : !counts, !indices -> !scores load {} bodies {
    ^bb0(%key: index, %visit: index, %s: !scores):
      %row = arith.addi %key, %i : index
      pbsgpu.copy_tile %k[%row] to %k_tile : !keys, !tile
      pbsgpu.await_copies
      %p = pbsgpu.mma %q_tile, %k_tile transposed, %s : !tile, !tile, !scores
      gpu.barrier
      pbsgpu.yield %p : !scores
    }, {
    ^bb0(%key: index, %visit: index, %s: !scores):
      %row = arith.addi %key, %i : index
      pbsgpu.copy_tile %k[%row] to %k_tile : !keys, !tile
      pbsgpu.await_copies
      %p = pbsgpu.mma %q_tile, %k_tile transposed, %s : !tile, !tile, !scores
      %n = pbsgpu.map %p : !scores -> !scores {
      ^bb0(%y: f32, %r: i32, %c: i32):
        %z = arith.negf %y : f32
        pbsgpu.yield %z : f32
      }
      gpu.barrier
      pbsgpu.yield %n : !scores
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tests_blocks(
  // REMARK: [Missed] NotBuffered | {{.*}}Function=tests_blocks | Reason="the loop tests every block, so the next one to copy is not known"
  pbsgpu.kernel @tests_blocks(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-NOT: ahead = 1
    %tile = pbsgpu.alloc_tile : !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1):
      pbsgpu.copy_tile %k[%key] to %tile : !keys, !tile
      pbsgpu.await_copies
      gpu.barrier
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @carried(
  // REMARK: [Missed] NotBuffered | {{.*}}Function=carried | Reason="a copy depends on carried values"
  pbsgpu.kernel @carried(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-NOT: ahead = 1
    %tile = pbsgpu.alloc_tile : !tile
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
         carry(%i : index) : !counts, !indices -> index load {} bodies {
    ^bb0(%key: index, %visit: index, %row: index):
      pbsgpu.copy_tile %k[%row] to %tile : !keys, !tile
      pbsgpu.await_copies
      gpu.barrier
      pbsgpu.yield %key : index
    }, {
    ^bb0(%key: index, %visit: index, %row: index):
      pbsgpu.copy_tile %k[%row] to %tile : !keys, !tile
      pbsgpu.await_copies
      gpu.barrier
      pbsgpu.yield %key : index
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @bodies_differ(
  // REMARK: [Missed] NotBuffered | {{.*}}Function=bodies_differ | Reason="the bodies do not copy the same"
  pbsgpu.kernel @bodies_differ(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-NOT: ahead = 1
    %tile = pbsgpu.alloc_tile : !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.copy_tile %k[%key] to %tile : !keys, !tile
      pbsgpu.await_copies
      gpu.barrier
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.copy_tile %k[%i] to %tile : !keys, !tile
      pbsgpu.await_copies
      gpu.barrier
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @used_outside(
  // REMARK: [Missed] NotBuffered | {{.*}}Function=used_outside | Reason="a tile is used outside of the loop"
  pbsgpu.kernel @used_outside(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-NOT: ahead = 1
    %tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %tile : !keys, !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.copy_tile %k[%key] to %tile : !keys, !tile
      pbsgpu.await_copies
      gpu.barrier
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.copy_tile %k[%key] to %tile : !keys, !tile
      pbsgpu.await_copies
      gpu.barrier
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_barrier(
  // REMARK: [Missed] NotBuffered | {{.*}}Function=no_barrier | Reason="a body does not end with a barrier"
  pbsgpu.kernel @no_barrier(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-NOT: ahead = 1
    %tile = pbsgpu.alloc_tile : !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.copy_tile %k[%key] to %tile : !keys, !tile
      pbsgpu.await_copies
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.copy_tile %k[%key] to %tile : !keys, !tile
      pbsgpu.await_copies
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @empty_bodies(
  // REMARK: [Missed] NotBuffered | {{.*}}Function=empty_bodies | Reason="a body does not copy and then wait"
  pbsgpu.kernel @empty_bodies(%counts: !counts, %indices: !indices, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

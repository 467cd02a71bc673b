// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --pbsgpu-signal-copies | FileCheck %s
// RUN: pbs-opt %s --split-input-file --pbsgpu-signal-copies -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-signal-copies --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!keys = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!operand = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>

gpu.module @kernels [#nvvm.target<chip = "sm_90", features = "+ptx86">] {
  // CHECK-LABEL: pbsgpu.kernel @signalled(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[Q:[^ ]*]]: memref<?x64xbf16>
  // CHECK-NEXT: %[[K:[^ ]*]]: memref<?x64xbf16>
  // CHECK-NEXT: %[[V:[^ ]*]]: memref<?x64xbf16>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %{{.*}}: f32)
  // REMARK: remark: [Passed] Signalled | Category:pbsgpu-signal-copies | Function=signalled | FilledOnce=1, Rings=2
  pbsgpu.kernel @signalled(%counts: !counts, %indices: !indices, %q: !keys, %k: !keys, %v: !keys, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK: %[[Q_RING:.*]] = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring_1x64x64xbf16
    // CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0 : index
    // CHECK-NEXT: %[[K_RING:.*]] = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring_2x64x64xbf16
    // CHECK-NEXT: %[[V_RING:.*]] = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring_2x64x64xbf16
    // CHECK-NEXT: %[[Q_EMPTY:.*]] = pbsgpu.acquire %[[Q_RING]][%[[ZERO]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[Q]][%[[I]]] to %[[Q_EMPTY]]
    // CHECK-NEXT: pbsgpu.splat
    // CHECK-NEXT: %[[Q_TILE:.*]] = pbsgpu.await %[[Q_RING]][%[[ZERO]]]
    // CHECK-NEXT: pbsgpu.key_loop
    %q_tile = pbsgpu.alloc_tile : !tile
    %k_ring = pbsgpu.alloc_ring : !ring
    %v_ring = pbsgpu.alloc_ring : !ring
    pbsgpu.copy_tile %q[%i] to %q_tile : !keys, !tile
    %0 = pbsgpu.splat %x : f32 -> !scores
    // Each tile is asked for right before its copy, awaited right before its
    // first use and released right after its last one.
    // CHECK: load {
    // CHECK-NEXT: ^bb0(%[[KEY:.*]]: index, %[[VISIT:.*]]: index):
    // CHECK-NEXT: %[[K_EMPTY:.*]] = pbsgpu.acquire %[[K_RING]][%[[VISIT]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[KEY]]] to %[[K_EMPTY]]
    // CHECK-NEXT: %[[V_EMPTY:.*]] = pbsgpu.acquire %[[V_RING]][%[[VISIT]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[V]][%[[KEY]]] to %[[V_EMPTY]]
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: } bodies {
    // CHECK-NEXT: ^bb0(%{{[^ ]*}}: index, %[[VISIT:[^ ]*]]: index,
    // CHECK-NEXT: %[[K_TILE:.*]] = pbsgpu.await %[[K_RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[S:.*]] = pbsgpu.mma %[[Q_TILE]], %[[K_TILE]] transposed
    // CHECK-NEXT: pbsgpu.release %[[K_TILE]]
    // CHECK-NEXT: %[[P:.*]] = pbsgpu.to_operand %[[S]]
    // CHECK-NEXT: %[[V_TILE:.*]] = pbsgpu.await %[[V_RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[O:.*]] = pbsgpu.mma %[[P]], %[[V_TILE]]
    // CHECK-NEXT: pbsgpu.release %[[V_TILE]]
    // CHECK-NEXT: pbsgpu.yield %[[O]]
    // CHECK-NEXT: }, {
    // CHECK-NEXT: ^bb0(%{{[^ ]*}}: index, %[[VISIT:[^ ]*]]: index,
    // CHECK-NEXT: %[[K_TILE:.*]] = pbsgpu.await %[[K_RING]][%[[VISIT]]]
    // CHECK-NEXT: pbsgpu.mma %[[Q_TILE]], %[[K_TILE]] transposed
    // CHECK-NEXT: pbsgpu.release %[[K_TILE]]
    // CHECK-NEXT: %[[V_TILE:.*]] = pbsgpu.await %[[V_RING]][%[[VISIT]]]
    // CHECK-NEXT: pbsgpu.release %[[V_TILE]]
    // CHECK-NEXT: pbsgpu.yield
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %k_empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
      %v_empty = pbsgpu.acquire %v_ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %k_empty : !keys, !tile
      pbsgpu.copy_tile %v[%key] to %v_empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %v_tile = pbsgpu.await %v_ring[%visit] : !ring -> !tile
      %k_tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
      %s = pbsgpu.mma %q_tile, %k_tile transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %o_out = pbsgpu.mma %p, %v_tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %k_tile : !tile
      pbsgpu.release %v_tile : !tile
      pbsgpu.yield %o_out : !scores
    }, {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %k_tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
      %s = pbsgpu.mma %q_tile, %k_tile transposed, %0 : !tile, !tile, !scores
      %v_tile = pbsgpu.await %v_ring[%visit] : !ring -> !tile
      pbsgpu.release %k_tile : !tile
      pbsgpu.release %v_tile : !tile
      pbsgpu.yield %s : !scores
    }
    pbsgpu.return
  }

  // A tile that the kernel awaits itself stays one.
  // CHECK-LABEL: pbsgpu.kernel @awaited_before(
  // REMARK: [Passed] Signalled | {{.*}}Function=awaited_before | FilledOnce=0, Rings=1
  pbsgpu.kernel @awaited_before(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %x: f32) warps = 4 {
    // CHECK: %[[TILE:.*]] = pbsgpu.alloc_tile
    // CHECK: pbsgpu.copy_tile %{{.*}} to %[[TILE]]
    // CHECK-NEXT: pbsgpu.await_copies
    %c0 = arith.constant 0 : index
    %q_tile = pbsgpu.alloc_tile : !tile
    %ring = pbsgpu.alloc_ring : !ring
    pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    pbsgpu.await_copies
    %0 = pbsgpu.splat %x : f32 -> !scores
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %s: !scores):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %s_out = pbsgpu.mma %q_tile, %tile transposed, %s : !tile, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %s_out : !scores
    }
    pbsgpu.return
  }

  // A wait that leaves groups pending is none for copies without a group.
  // CHECK-LABEL: pbsgpu.kernel @awaited_in_part(
  // REMARK: [Passed] Signalled | {{.*}}Function=awaited_in_part | FilledOnce=1, Rings=1
  pbsgpu.kernel @awaited_in_part(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: pbsgpu.alloc_tile
    %c0 = arith.constant 0 : index
    %q_tile = pbsgpu.alloc_tile : !tile
    %ring = pbsgpu.alloc_ring : !ring
    pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    pbsgpu.await_copies pending = 1
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // The copies of this loop are not ahead: it waits for them itself.
  // CHECK-LABEL: pbsgpu.kernel @not_ahead(
  // REMARK-NOT: Function=not_ahead
  pbsgpu.kernel @not_ahead(%counts: !counts, %indices: !indices, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @off(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=off | Reason="the schedule turns the pass off"
  pbsgpu.kernel @off(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["signal-copies"]>} {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @signals_already(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=signals_already | Reason="its rings have signals already"
  pbsgpu.kernel @signals_already(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-COUNT-1: filled_by
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @nested(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=nested | Reason="the loop does not stand in the kernel's first block"
  pbsgpu.kernel @nested(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    scf.for %j = %c0 to %i step %i {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         : !counts, !indices load {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
        pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
        pbsgpu.yield
      } bodies {
      ^bb0(%key: index, %visit: index):
        %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
        pbsgpu.release %tile : !tile
        pbsgpu.yield
      }
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @waits_itself(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=waits_itself | Reason="the loop waits for copies itself"
  pbsgpu.kernel @waits_itself(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.await_copies pending = 1
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @copies_itself(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=copies_itself | Reason="the loop does not copy ahead into rings alone"
  pbsgpu.kernel @copies_itself(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %other = pbsgpu.alloc_tile : !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%i] to %other : !keys, !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @loads_no_ring(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=loads_no_ring | Reason="the loop does not copy ahead into rings alone"
  pbsgpu.kernel @loads_no_ring(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @used_outside(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=used_outside | Reason="a ring is used outside of the loop"
  pbsgpu.kernel @used_outside(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    %last = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %next walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_visit(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=other_visit | Reason="a visit does not fill and read one tile of each ring, its own"
  pbsgpu.kernel @other_visit(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%i] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @read_twice(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=read_twice | Reason="a visit does not fill and read one tile of each ring, its own"
  pbsgpu.kernel @read_twice(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      %again = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %again : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @not_released(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=not_released | Reason="a tile is not released"
  pbsgpu.kernel @not_released(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @not_read(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=not_read | Reason="a body does not read the tile of each ring"
  pbsgpu.kernel @not_read(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @groups(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=groups | Reason="the kernel groups its copies itself"
  pbsgpu.kernel @groups(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %q_tile = pbsgpu.alloc_tile : !tile
    %ring = pbsgpu.alloc_ring : !ring
    pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    pbsgpu.commit_copies
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @copied_inside(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=copied_inside | Reason="a copy before the loop stands inside another operation"
  pbsgpu.kernel @copied_inside(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %q_tile = pbsgpu.alloc_tile : !tile
    %ring = pbsgpu.alloc_ring : !ring
    scf.for %j = %c0 to %i step %i {
      pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    }
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @copied_twice(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=copied_twice | Reason="a tile is used before the loop that waits for it"
  pbsgpu.kernel @copied_twice(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %q_tile = pbsgpu.alloc_tile : !tile
    %ring = pbsgpu.alloc_ring : !ring
    pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @filled_again(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=filled_again | Reason="a tile is filled again after the loop"
  pbsgpu.kernel @filled_again(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %q_tile = pbsgpu.alloc_tile : !tile
    %ring = pbsgpu.alloc_ring : !ring
    pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.copy_tile %k[%i] to %q_tile : !keys, !tile
    pbsgpu.return
  }
}

// -----

!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!keys = memref<?x64xbf16>

gpu.module @kernels [#nvvm.target<chip = "sm_89", features = "+ptx86">] {
  // CHECK-LABEL: pbsgpu.kernel @chip(
  // REMARK: [Missed] NotSignalled | {{.*}}Function=chip | Reason="the chip does not wait for signals"
  pbsgpu.kernel @chip(%counts: !counts, %indices: !indices, %k: !keys, %i: index) warps = 4 {
    // CHECK-NOT: filled_by
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

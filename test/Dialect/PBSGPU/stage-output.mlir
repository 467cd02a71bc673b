// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbsgpu-stage-output | FileCheck %s
// RUN: pbs-opt %s --pbsgpu-stage-output --pbsgpu-stage-output | FileCheck %s
// RUN: pbs-opt %s --pbsgpu-stage-output -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-stage-output --remark-format=emitRemark 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=Function=others

!rows = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 1>
!o = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>

gpu.module @kernels {
  // The tile is released when the rows have passed through it.
  // CHECK-LABEL: pbsgpu.kernel @staged(
  // CHECK-NEXT: %{{.*}}: memref<?x64xbf16>,
  // CHECK-NEXT: %{{.*}}: memref<?x64xbf16>,
  // CHECK-NEXT: %[[OUT:.*]]: memref<?x64xbf16>,
  // CHECK-NEXT: %[[I:.*]]: index,
  // CHECK: %[[Q:.*]] = pbsgpu.await
  // CHECK-NEXT: %[[O:.*]] = pbsgpu.mma %[[Q]]
  // CHECK-NEXT: pbsgpu.store_fragment %[[O]] through %[[Q]] to %[[OUT]][%[[I]]] :
  // CHECK-NEXT: pbsgpu.release %[[Q]]
  // CHECK-NEXT: pbsgpu.return
  // REMARK: remark: [Passed] Staged | Category:pbsgpu-stage-output | Function=staged |
  pbsgpu.kernel @staged(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.return
  }

  // A tile that nobody fills again is released by nobody.
  // CHECK-LABEL: pbsgpu.kernel @never_released(
  // CHECK: pbsgpu.store_fragment %{{.*}} through
  // CHECK-NEXT: pbsgpu.return
  // REMARK: [Passed] Staged | {{.*}}Function=never_released
  pbsgpu.kernel @never_released(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.return
  }

  // Products inside of loops have read it, too.
  // CHECK-LABEL: pbsgpu.kernel @read_in_loop(
  // CHECK: scf.for
  // CHECK: pbsgpu.store_fragment %{{.*}} through
  // CHECK-NEXT: pbsgpu.release
  // REMARK: [Passed] Staged | {{.*}}Function=read_in_loop
  pbsgpu.kernel @read_in_loop(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %c1 = arith.constant 1 : index
    %o = scf.for %n = %c0 to %i step %c1 iter_args(%sum = %zero) -> !o {
      %next = pbsgpu.mma %q_tile, %k_tile transposed, %sum : !tile, !tile, !o
      scf.yield %next : !o
    }
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.release %q_tile : !tile
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @off(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=off | Reason="the schedule turns the pass off"
  pbsgpu.kernel @off(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4
      attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["stage-output"]>} {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.return
  }

  // One tile serves one store.
  // CHECK-LABEL: pbsgpu.kernel @second_store(
  // CHECK: pbsgpu.store_fragment %{{.*}} through
  // CHECK-NEXT: pbsgpu.release
  // CHECK-NEXT: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Passed] Staged | {{.*}}Function=second_store
  // REMARK: [Missed] NotStaged | {{.*}}Function=second_store | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @second_store(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.store_fragment %o to %out[%c0] : !o, !rows
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @without_signals(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=without_signals | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @without_signals(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_elements(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=other_elements | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @other_elements(%q: !rows, %k: !rows, %out: memref<?x64xf16>, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, memref<?x64xf16>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_shape(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=other_shape | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @other_shape(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !pbsgpu.ring<128x64xbf16, stages = 1>
    %empty = pbsgpu.acquire %ring[%c0] : !pbsgpu.ring<128x64xbf16, stages = 1> -> !pbsgpu.tile<128x64xbf16>
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !pbsgpu.tile<128x64xbf16>
    %q_tile = pbsgpu.await %ring[%c0] : !pbsgpu.ring<128x64xbf16, stages = 1> -> !pbsgpu.tile<128x64xbf16>
    pbsgpu.release %q_tile : !pbsgpu.tile<128x64xbf16>
    %o = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.return
  }

  // Other warps may still read all rows of B.
  // CHECK-LABEL: pbsgpu.kernel @read_as_b(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=read_as_b | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @read_as_b(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %k_tile, %q_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @read_as_both(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=read_as_both | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @read_as_both(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %q_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @read_later(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=read_later | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @read_later(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    %o2 = pbsgpu.mma %q_tile, %k_tile transposed, %o : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.return
  }

  // Who awaits the tile elsewhere may read it.
  // CHECK-LABEL: pbsgpu.kernel @awaited_twice(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=awaited_twice | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @awaited_twice(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %o = pbsgpu.mma %q_tile, %k_tile transposed, %zero : !tile, !tile, !o
    pbsgpu.release %q_tile : !tile
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    %again = pbsgpu.await %ring[%c0] : !ring -> !tile
    pbsgpu.release %again : !tile
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @released_inside(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // REMARK: [Missed] NotStaged | {{.*}}Function=released_inside | Reason="no tile of its form with signals has been read"
  pbsgpu.kernel @released_inside(%q: !rows, %k: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !o
    %k_tile = pbsgpu.alloc_tile : !tile
    pbsgpu.copy_tile %k[%i] to %k_tile : !rows, !tile
    pbsgpu.await_copies
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !tile
    %q_tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %c1 = arith.constant 1 : index
    %o = scf.for %n = %c0 to %i step %c1 iter_args(%sum = %zero) -> !o {
      %next = pbsgpu.mma %q_tile, %k_tile transposed, %sum : !tile, !tile, !o
      scf.yield %next : !o
    }
    pbsgpu.store_fragment %o to %out[%i] : !o, !rows
    %if = arith.cmpi eq, %i, %c0 : index
    scf.if %if {
      pbsgpu.release %q_tile : !tile
    }
    pbsgpu.return
  }

  // Rows of f32 or of one column.
  // CHECK-LABEL: pbsgpu.kernel @others(
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  // CHECK: pbsgpu.store_fragment %{{[^ ]*}} to
  pbsgpu.kernel @others(%f32: memref<?x64xf32>, %sums: memref<?xbf16>, %i: index, %x: f32) warps = 4 {
    %o = pbsgpu.splat %x : f32 -> !o
    %column = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.store_fragment %o to %f32[%i] : !o, memref<?x64xf32>
    pbsgpu.store_fragment %column to %sums[%i] : !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>, memref<?xbf16>
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --pbsgpu-async-products | FileCheck %s
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --pbsgpu-async-products -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-async-products --remark-format=emitRemark 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=Function=without_signals
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90 --pbsgpu-async-products \
// RUN:   --remarks-filter=pbsgpu-async-products --remark-format=emitRemark 2>&1 \
// RUN:   | FileCheck %s --check-prefix=OTHER --implicit-check-not=pbsgpu.start_mma

// OTHER: [Missed] NotAsync | {{.*}}Function=beside | Reason="the chip has no products of warp groups"

!rows = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!s = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!p = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>

gpu.module @kernels {
  // Each is awaited where it is used, while those begun behind it run on. Tiles are
  // released when they have been read.
  // CHECK-LABEL: pbsgpu.kernel @beside(
  // CHECK: %[[K:.*]] = pbsgpu.await
  // CHECK: %[[V:.*]] = pbsgpu.await
  // CHECK: %[[P:.*]] = pbsgpu.splat %{{.*}} : bf16
  // CHECK-NEXT: %[[S_BEGUN:.*]] = pbsgpu.start_mma %[[K]], %[[K]] transposed, %[[ZERO:.*]] : !tile_64x64xbf16, !tile_64x64xbf16, !accumulator_64x64xf32_4w -> !pending_accumulator_64x64xf32_4w
  // CHECK-NEXT: %[[O_BEGUN:.*]] = pbsgpu.start_mma %[[P]], %[[V]], %[[ZERO]] :
  // CHECK-NEXT: %[[S:.*]] = pbsgpu.await_mma %[[S_BEGUN]] pending = 1
  // CHECK-NEXT: pbsgpu.release %[[K]]
  // CHECK-NEXT: pbsgpu.row_reduce max %[[S]]
  // CHECK-NEXT: %[[O:.*]] = pbsgpu.await_mma %[[O_BEGUN]] :
  // CHECK-NEXT: pbsgpu.release %[[V]]
  // CHECK-NEXT: pbsgpu.row_reduce max %[[O]]
  // CHECK-NOT: pbsgpu.mma
  // REMARK: remark: [Passed] Async | Category:pbsgpu-async-products | Function=beside | Products=2
  pbsgpu.kernel @beside(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %one = arith.constant 1.0 : bf16
    %p = pbsgpu.splat %one : bf16 -> !p
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    pbsgpu.release %k_tile : !tile
    %o = pbsgpu.mma %p, %v_tile, %zero : !p, !tile, !s
    pbsgpu.release %v_tile : !tile
    %max = pbsgpu.row_reduce max %s : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    %max_o = pbsgpu.row_reduce max %o : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // Products end in the order in which they begin.
  // CHECK-LABEL: pbsgpu.kernel @used_in_order(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: %[[O_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: %[[S:.*]] = pbsgpu.await_mma %[[S_BEGUN]] :
  // CHECK-NEXT: %[[O:.*]] = pbsgpu.await_mma %[[O_BEGUN]] :
  // CHECK-NEXT: pbsgpu.row_reduce max %[[O]]
  // CHECK-NEXT: pbsgpu.row_reduce max %[[S]]
  // REMARK: [Passed] Async | {{.*}}Function=used_in_order
  pbsgpu.kernel @used_in_order(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %one = arith.constant 1.0 : bf16
    %p = pbsgpu.splat %one : bf16 -> !p
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    %o = pbsgpu.mma %p, %v_tile, %zero : !p, !tile, !s
    %max_o = pbsgpu.row_reduce max %o : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    %max = pbsgpu.row_reduce max %s : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.release %k_tile : !tile
    pbsgpu.release %v_tile : !tile
    pbsgpu.return
  }

  // A product that adds to another one begins behind it.
  // CHECK-LABEL: pbsgpu.kernel @added(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: %[[S:.*]] = pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: pbsgpu.start_mma %{{.*}}, %{{.*}}, %[[S]]
  // REMARK: [Passed] Async | {{.*}}Function=added
  pbsgpu.kernel @added(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    %o = pbsgpu.mma %v_tile, %k_tile, %s : !tile, !tile, !s
    %max_o = pbsgpu.row_reduce max %o : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @used_inside(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: arith.cmpi
  // CHECK-NEXT: %[[S:.*]] = pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: scf.if
  // CHECK-NEXT: pbsgpu.row_reduce max %[[S]]
  // REMARK: [Passed] Async | {{.*}}Function=used_inside
  pbsgpu.kernel @used_inside(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    %if = arith.cmpi eq, %i, %c0 : index
    scf.if %if {
      %max = pbsgpu.row_reduce max %s : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    }
    pbsgpu.return
  }

  // None runs beyond its block.
  // CHECK-LABEL: pbsgpu.kernel @in_loop(
  // CHECK: scf.for
  // CHECK-NEXT: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: %[[S:.*]] = pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: scf.yield %[[S]]
  // REMARK: [Passed] Async | {{.*}}Function=in_loop
  pbsgpu.kernel @in_loop(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %c1 = arith.constant 1 : index
    %sum = scf.for %n = %c0 to %i step %c1 iter_args(%s_in = %zero) -> !s {
      %s_out = pbsgpu.mma %k_tile, %v_tile transposed, %s_in : !tile, !tile, !s
      scf.yield %s_out : !s
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @used_in_other_block(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: %[[S:.*]] = pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: cf.br
  // CHECK: pbsgpu.row_reduce max %[[S]]
  // REMARK: [Passed] Async | {{.*}}Function=used_in_other_block
  pbsgpu.kernel @used_in_other_block(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    cf.br ^next
  ^next:
    %max = pbsgpu.row_reduce max %s : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // One that nobody uses is awaited, too.
  // CHECK-LABEL: pbsgpu.kernel @unused(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: pbsgpu.return
  // REMARK: [Passed] Async | {{.*}}Function=unused
  pbsgpu.kernel @unused(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    pbsgpu.return
  }

  // Where a tile is overwritten, the product has read it: where it is released,
  // CHECK-LABEL: pbsgpu.kernel @released_inside(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK: pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: scf.if
  // REMARK: [Passed] Async | {{.*}}Function=released_inside
  pbsgpu.kernel @released_inside(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    %if = arith.cmpi eq, %i, %c0 : index
    scf.if %if {
      pbsgpu.release %k_tile : !tile
    } else {
      pbsgpu.release %k_tile : !tile
    }
    %max = pbsgpu.row_reduce max %s : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // where its release is waited for,
  // CHECK-LABEL: pbsgpu.kernel @acquired_again(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK: pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: pbsgpu.release
  // CHECK-NEXT: pbsgpu.acquire
  // REMARK: [Passed] Async | {{.*}}Function=acquired_again
  pbsgpu.kernel @acquired_again(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    pbsgpu.release %k_tile : !tile
    %c2 = arith.constant 2 : index
    %k_again = pbsgpu.acquire %k_ring[%c2] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_again : !rows, !tile
    %max = pbsgpu.row_reduce max %s : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // and where rows are stored through it.
  // CHECK-LABEL: pbsgpu.kernel @stored_through(
  // CHECK: %[[S_BEGUN:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: pbsgpu.await_mma %[[S_BEGUN]]
  // CHECK-NEXT: pbsgpu.store_fragment
  // REMARK: [Passed] Async | {{.*}}Function=stored_through
  pbsgpu.kernel @stored_through(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %stored = pbsgpu.splat %x : f32 -> !s
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    "pbsgpu.store_fragment"(%stored, %k_tile, %out, %i) <{operandSegmentSizes = array<i32: 1, 1, 1, 1>}> : (!s, !tile, !rows, index) -> ()
    %max = pbsgpu.row_reduce max %s : !s -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @without_signals(
  // CHECK: pbsgpu.mma
  pbsgpu.kernel @without_signals(%x: f32) warps = 4 {
    %zero = pbsgpu.splat %x : f32 -> !s
    %tile = pbsgpu.alloc_tile : !tile
    %s = pbsgpu.mma %tile, %tile transposed, %zero : !tile, !tile, !s
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @off(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=off | Reason="the schedule turns the pass off"
  pbsgpu.kernel @off(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4
      attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["async-products"]>} {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
    pbsgpu.release %k_tile : !tile
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_products(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=no_products | Reason="it has no products"
  pbsgpu.kernel @no_products(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    pbsgpu.release %k_tile : !tile
    pbsgpu.release %v_tile : !tile
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @two_rows_of_tiles(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=two_rows_of_tiles | Reason="a product has not 16 rows for each warp of groups of four"
  pbsgpu.kernel @two_rows_of_tiles(%x: f32) warps = 2 {
    %ring = pbsgpu.alloc_ring filled_by = 64 emptied_by = 2 : !ring
    %two = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>
    %tile = pbsgpu.alloc_tile : !tile
    %s = pbsgpu.mma %tile, %tile transposed, %two : !tile, !tile, !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @half_a_group(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=half_a_group | Reason="a product has not 16 rows for each warp of groups of four"
  pbsgpu.kernel @half_a_group(%x: f32) warps = 2 {
    %ring = pbsgpu.alloc_ring filled_by = 64 emptied_by = 2 : !ring
    %zero = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<32x64xf32, accumulator, warps = 2>
    %a = pbsgpu.alloc_tile : !pbsgpu.tile<32x64xbf16>
    %tile = pbsgpu.alloc_tile : !tile
    %s = pbsgpu.mma %a, %tile transposed, %zero : !pbsgpu.tile<32x64xbf16>, !tile, !pbsgpu.fragment<32x64xf32, accumulator, warps = 2>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @between_groups(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=between_groups | Reason="a role that multiplies does not begin with a group of four warps"
  pbsgpu.kernel @between_groups(%k: !rows, %i: index, %x: f32) warps = 5 {
    %ring = pbsgpu.alloc_ring filled_by = 32 emptied_by = 4 : !ring
    pbsgpu.roles "other" warps = 1 {
      %empty = pbsgpu.acquire %ring[%i] : !ring -> !tile
      pbsgpu.copy_tile %k[%i] to %empty : !rows, !tile
      pbsgpu.end_role
    } "multiplies" warps = 4 {
      %zero = pbsgpu.splat %x : f32 -> !s
      %tile = pbsgpu.await %ring[%i] : !ring -> !tile
      %s = pbsgpu.mma %tile, %tile transposed, %zero : !tile, !tile, !s
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @too_wide(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=too_wide | Reason="a product has more than 256 columns"
  pbsgpu.kernel @too_wide(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %wide = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x264xf32, accumulator, warps = 4>
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<264x64xbf16>
    %s = pbsgpu.mma %k_tile, %tile transposed, %wide : !tile, !pbsgpu.tile<264x64xbf16>, !pbsgpu.fragment<64x264xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_tile(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=other_tile | Reason="a product's tile is not of a ring with signals"
  pbsgpu.kernel @other_tile(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %tile = pbsgpu.alloc_tile : !tile
    %s = pbsgpu.mma %k_tile, %tile transposed, %zero : !tile, !tile, !s
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_ring(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=other_ring | Reason="a product's tile is not of a ring with signals"
  pbsgpu.kernel @other_ring(%k: !rows, %v: !rows, %out: !rows, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %k_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %v_ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %k_empty = pbsgpu.acquire %k_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i] to %k_empty : !rows, !tile
    %v_empty = pbsgpu.acquire %v_ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %v_empty : !rows, !tile
    %k_tile = pbsgpu.await %k_ring[%c0] : !ring -> !tile
    %v_tile = pbsgpu.await %v_ring[%c0] : !ring -> !tile
    %ring = pbsgpu.alloc_ring : !ring
    %tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    %s = pbsgpu.mma %tile, %k_tile transposed, %zero : !tile, !tile, !s
    pbsgpu.return
  }

  // What a loop leaves to its next visit begins there.
  // CHECK-LABEL: pbsgpu.kernel @defers(
  // CHECK-NOT: pbsgpu.start_mma
  // REMARK: [Missed] NotAsync | {{.*}}Function=defers | Reason="a key loop defers products, and is not lowered"
  pbsgpu.kernel @defers(%k: !rows, %counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %zero = pbsgpu.splat %x : f32 -> !s
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0
         walk = list key_block = 64 key_tile = 64 ahead = 0 deferred carry(%zero : !s)
       : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !s load {} bodies {
    ^bb0(%key: index, %visit: index, %o_in: !s):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !rows, !tile
      %k_tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %s = pbsgpu.mma %k_tile, %k_tile transposed, %zero : !tile, !tile, !s
      %p = pbsgpu.to_operand %s : !s -> !p
      %v_tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %v_tile, %o_in : !p, !tile, !s
      pbsgpu.yield %o_out : !s
    }
    pbsgpu.return
  }
}

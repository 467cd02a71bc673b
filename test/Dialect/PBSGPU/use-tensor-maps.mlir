// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --pbsgpu-use-tensor-maps | FileCheck %s
// RUN: pbs-opt %s --split-input-file --pbsgpu-use-tensor-maps -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-use-tensor-maps --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!keys = memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>
!rows = memref<?x64xbf16>
!tile = !pbsgpu.tile<128x128xbf16>
!ring = !pbsgpu.ring<128x128xbf16, stages = 2>
!small = !pbsgpu.tile<64x64xbf16>
!once = !pbsgpu.ring<64x64xbf16, stages = 1>

gpu.module @kernels [#nvvm.target<chip = "sm_90", features = "+ptx86">] {
  // A parameter of which tiles of one form are copied has one map.
  // CHECK-LABEL: pbsgpu.kernel @mapped(
  // CHECK-NEXT: %{{.*}}: !strided_nx8xnx128xbf16 {pbs.name = "key"},
  // CHECK-NEXT: %{{.*}}: memref<?x64xbf16>,
  // CHECK-NEXT: %[[I:.*]]: index,
  // CHECK-NEXT: %[[K_MAP:.*]]: !map_4d_128x128xbf16 {pbs.name = "key_map"},
  // CHECK-NEXT: %[[Q_MAP:.*]]: !map_2d_64x64xbf16 {pbs.name = "source_map"}) warps = 8
  // REMARK: remark: [Passed] Mapped | Category:pbsgpu-use-tensor-maps | Function=mapped | Copies=2
  // REMARK: remark: [Passed] Mapped | Category:pbsgpu-use-tensor-maps | Function=mapped | Copies=1
  // REMARK: remark: [Passed] Mapped | Category:pbsgpu-use-tensor-maps | Function=mapped | Copies=1
  pbsgpu.kernel @mapped(%k: !keys {pbs.name = "key"}, %q: !rows, %i: index) warps = 8 {
    // CHECK: %[[A:.*]] = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_2x128x128xbf16
    // CHECK-NEXT: %[[B:.*]] = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_2x128x128xbf16
    // CHECK-NEXT: %[[C:.*]] = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_1x64x64xbf16
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %a = pbsgpu.alloc_ring filled_by = 256 emptied_by = 8 : !ring
    %b = pbsgpu.alloc_ring filled_by = 256 emptied_by = 8 : !ring
    %c = pbsgpu.alloc_ring filled_by = 256 emptied_by = 8 : !once
    // CHECK: pbsgpu.copy_tile %[[K_MAP]][%[[I]], %[[I]], %[[I]]] to %{{.*}} : !map_4d_128x128xbf16, !tile_128x128xbf16
    %first = pbsgpu.acquire %a[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i, %i, %i] to %first : !keys, !tile
    // CHECK: pbsgpu.copy_tile %[[K_MAP]]
    %second = pbsgpu.acquire %a[%c1] : !ring -> !tile
    pbsgpu.copy_tile %k[%i, %i, %c0] to %second : !keys, !tile
    // CHECK: pbsgpu.copy_tile %[[K_MAP]]
    %other = pbsgpu.acquire %b[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%i, %c0, %c0] to %other : !keys, !tile
    // CHECK: pbsgpu.copy_tile %[[Q_MAP]][%[[I]]] to %{{.*}} : !map_2d_64x64xbf16, !tile_64x64xbf16
    %q_empty = pbsgpu.acquire %c[%c0] : !once -> !small
    pbsgpu.copy_tile %q[%i] to %q_empty : !rows, !small
    %a_tile = pbsgpu.await %a[%c0] : !ring -> !tile
    %a_next = pbsgpu.await %a[%c1] : !ring -> !tile
    %b_tile = pbsgpu.await %b[%c0] : !ring -> !tile
    %q_tile = pbsgpu.await %c[%c0] : !once -> !small
    pbsgpu.return
  }

  // Nobody waits at a ring without signals: threads copy, and no remark is made.
  // CHECK-LABEL: pbsgpu.kernel @without_signals(
  // CHECK-NOT: !map_
  // REMARK-NOT: Function=without_signals
  pbsgpu.kernel @without_signals(%q: !rows, %i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring : !once
    %empty = pbsgpu.acquire %ring[%i] : !once -> !small
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !small
    pbsgpu.return
  }

  // One launch of several suffices to decline.
  // CHECK-LABEL: pbsgpu.kernel @unaligned(
  // CHECK-NOT: !map_
  // REMARK: [Missed] NotMapped | {{.*}}Function=unaligned | Reason="a launch hands over memory that is aligned to less than 16 bytes"
  pbsgpu.kernel @unaligned(%q: !rows, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !once
    %empty = pbsgpu.acquire %ring[%c0] : !once -> !small
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !small
    %tile = pbsgpu.await %ring[%c0] : !once -> !small
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @off(
  // CHECK-NOT: !map_
  // REMARK: [Missed] NotMapped | {{.*}}Function=off | Reason="the schedule turns the pass off"
  pbsgpu.kernel @off(%q: !rows, %i: index) warps = 4
      attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["use-tensor-maps"]>} {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !once
    %empty = pbsgpu.acquire %ring[%c0] : !once -> !small
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !small
    %tile = pbsgpu.await %ring[%c0] : !once -> !small
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @mapped_already(
  // CHECK-NEXT: %{{.*}}: !map_2d_64x64xbf16,
  // CHECK-NEXT: %{{.*}}: index) warps = 4
  // REMARK: [Missed] NotMapped | {{.*}}Function=mapped_already | Reason="its tiles are copied through a tensor map already"
  pbsgpu.kernel @mapped_already(%q: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !once
    %empty = pbsgpu.acquire %ring[%c0] : !once -> !small
    pbsgpu.copy_tile %q[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !small
    %tile = pbsgpu.await %ring[%c0] : !once -> !small
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @gathers(
  // CHECK-NOT: !map_
  // REMARK: [Missed] NotMapped | {{.*}}Function=gathers | Reason="a copy gathers rows, which tensor maps cannot"
  pbsgpu.kernel @gathers(%q: !rows, %p: memref<?xi32>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !once
    %empty = pbsgpu.acquire %ring[%c0] : !once -> !small
    pbsgpu.copy_tile %q[%i] through %p[] to %empty : !rows, !small, memref<?xi32>
    %tile = pbsgpu.await %ring[%c0] : !once -> !small
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_parameter(
  // CHECK-NOT: !map_
  // REMARK: [Missed] NotMapped | {{.*}}Function=no_parameter | Reason="its memory is no parameter of the kernel"
  pbsgpu.kernel @no_parameter(%q: memref<64x64xbf16>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %cast = memref.cast %q : memref<64x64xbf16> to !rows
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !once
    %empty = pbsgpu.acquire %ring[%c0] : !once -> !small
    pbsgpu.copy_tile %cast[%i] to %empty : !rows, !small
    %tile = pbsgpu.await %ring[%c0] : !once -> !small
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @dimensions(
  // CHECK-NOT: !map_
  // REMARK: [Missed] NotMapped | {{.*}}Function=dimensions | Reason="its memory has more dimensions than a tensor map"
  pbsgpu.kernel @dimensions(%q: memref<?x2x2x2x?x64xbf16>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !once
    %empty = pbsgpu.acquire %ring[%c0] : !once -> !small
    pbsgpu.copy_tile %q[%i, %i, %i, %i, %i] to %empty : memref<?x2x2x2x?x64xbf16>, !small
    %tile = pbsgpu.await %ring[%c0] : !once -> !small
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @rows(
  // CHECK-NOT: !map_
  // REMARK: [Missed] NotMapped | {{.*}}Function=rows | Reason="a tile is too large for a tensor map"
  pbsgpu.kernel @rows(%q: !rows, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !pbsgpu.ring<264x64xbf16, stages = 1>
    %empty = pbsgpu.acquire %ring[%c0] : !pbsgpu.ring<264x64xbf16, stages = 1> -> !pbsgpu.tile<264x64xbf16>
    pbsgpu.copy_tile %q[%i] to %empty : !rows, !pbsgpu.tile<264x64xbf16>
    %tile = pbsgpu.await %ring[%c0] : !pbsgpu.ring<264x64xbf16, stages = 1> -> !pbsgpu.tile<264x64xbf16>
    pbsgpu.return
  }
}

// Each launch hands over maps of what it hands over already.
// CHECK-LABEL: pbsgpu.plan @plan {
pbsgpu.plan @plan {
  %B = pbsgpu.size "B"
  %N = pbsgpu.size "N"
  // CHECK: %[[K:.*]] = pbsgpu.argument "k"
  %k = pbsgpu.argument "k" input [%B, 8, %N, 128] align 16 : !keys
  // CHECK: %[[Q:.*]] = pbsgpu.argument "q"
  %q = pbsgpu.argument "q" input [%N, 64] align 8 : !rows
  // CHECK: %[[COPY:.*]] = pbsgpu.buffer "copy"
  %copy = pbsgpu.buffer "copy" [%N, 64] align 128 : !rows
  // CHECK: %[[ALIGNED:.*]] = pbsgpu.argument "aligned"
  %aligned = pbsgpu.argument "aligned" input [%N, 64] align 32 : !rows
  // CHECK: %[[K_MAP:.*]] = pbsgpu.tensor_map %[[K]] : !strided_nx8xnx128xbf16 -> !map_4d_128x128xbf16
  // CHECK-NEXT: %[[COPY_MAP:.*]] = pbsgpu.tensor_map %[[COPY]] : memref<?x64xbf16> -> !map_2d_64x64xbf16
  // CHECK-NEXT: pbsgpu.launch @kernels::@mapped
  // CHECK-NEXT: arguments(%[[K]], %[[COPY]], %{{.*}}, %[[K_MAP]], %[[COPY_MAP]] :
  pbsgpu.launch @kernels::@mapped grid(%B, %N, %N) arguments(%k, %copy, %B : !keys, !rows, index)
  // CHECK: %[[K_AGAIN:.*]] = pbsgpu.tensor_map %[[K]]
  // CHECK-NEXT: %[[ALIGNED_MAP:.*]] = pbsgpu.tensor_map %[[ALIGNED]]
  // CHECK-NEXT: pbsgpu.launch @kernels::@mapped
  // CHECK-NEXT: arguments(%[[K]], %[[ALIGNED]], %{{.*}}, %[[K_AGAIN]], %[[ALIGNED_MAP]] :
  pbsgpu.launch @kernels::@mapped grid(%B, %N, %N) arguments(%k, %aligned, %N : !keys, !rows, index)
  // CHECK: pbsgpu.launch @kernels::@unaligned
  // CHECK-NEXT: arguments(%[[ALIGNED]], %{{.*}} : memref<?x64xbf16>, index)
  pbsgpu.launch @kernels::@unaligned grid(%N, %N, %N) arguments(%aligned, %N : !rows, index)
  pbsgpu.launch @kernels::@unaligned grid(%N, %N, %N) arguments(%q, %N : !rows, index)
}

// -----

!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 1>

// Signals came with sm_90, copies into a CTA's own shared memory with PTX 8.6.
gpu.module @kernels [#nvvm.target<chip = "sm_90", features = "+ptx80">] {
  // CHECK-LABEL: pbsgpu.kernel @old_ptx(
  // CHECK-NOT: !map_
  // REMARK: [Missed] NotMapped | {{.*}}Function=old_ptx | Reason="the chip or the PTX version has no tensor maps"
  pbsgpu.kernel @old_ptx(%q: memref<?x64xbf16>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %q[%i] to %empty : memref<?x64xbf16>, !tile
    %tile = pbsgpu.await %ring[%c0] : !ring -> !tile
    pbsgpu.return
  }
}

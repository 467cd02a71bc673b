// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

!q = !pbsgpu.tile<128x64xbf16>
!q_ring = !pbsgpu.ring<128x64xbf16, stages = 1>
!q_map = !pbsgpu.tensor_map<128x64xbf16, dimensions = 2>
!k = !pbsgpu.tile<16x64xbf16>
!k_ring = !pbsgpu.ring<16x64xbf16, stages = 1>
!k_map = !pbsgpu.tensor_map<16x64xbf16, dimensions = 2>
!wide = !pbsgpu.tile<16x128xbf16>
!wide_ring = !pbsgpu.ring<16x128xbf16, stages = 1>
!wide_map = !pbsgpu.tensor_map<16x128xbf16, dimensions = 2>
!v = !pbsgpu.tile<32x64xf16>
!v_ring = !pbsgpu.ring<32x64xf16, stages = 1>
!v_map = !pbsgpu.tensor_map<32x64xf16, dimensions = 2>
!two_groups = !pbsgpu.fragment<128x16xf32, accumulator, warps = 8>
!begun_by_two = !pbsgpu.pending<128x16xf32, accumulator, warps = 8>
!scores = !pbsgpu.fragment<64x16xf32, accumulator, warps = 4>
!begun = !pbsgpu.pending<64x16xf32, accumulator, warps = 4>
!weights = !pbsgpu.fragment<64x32xf32, accumulator, warps = 4>
!operand = !pbsgpu.fragment<64x32xf16, operand_a, warps = 4>
!out = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!out_begun = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>

gpu.module @kernels {
  // Both operands from tiles, B's transpose in its tile, a column step of 16 at a time.
  // CHECK-LABEL: llvm.func @tiles(
  pbsgpu.kernel @tiles(%q_map: !q_map, %k_map: !k_map, %i: index, %n: index, %out: memref<?x16xf32>) warps = 8 {
    // The swizzle of 128 bytes and 1,024 bytes from 8 rows to the next ones.
    // CHECK-DAG: %[[UPPER:.*]] = llvm.mlir.constant(4611686293305294848 : i64)
    // CHECK-DAG: %[[LEADING:.*]] = llvm.mlir.constant(65536 : i32)
    // CHECK-DAG: %[[ADDRESS_BITS:.*]] = llvm.mlir.constant(16383 : i32)
    // CHECK-DAG: %[[GROUP_BYTES:.*]] = llvm.mlir.constant(8192 : i32)
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[FOUR:.*]] = llvm.mlir.constant(4 : i32)
    // CHECK-DAG: %[[SIX:.*]] = llvm.mlir.constant(6 : i32)
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    %zero = arith.constant 0.0 : f32
    %s0 = pbsgpu.splat %zero : f32 -> !two_groups
    %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !q_ring
    %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !k_ring
    %q_empty = pbsgpu.acquire %q_ring[%n] : !q_ring -> !q
    pbsgpu.copy_tile %q_map[%i] to %q_empty : !q_map, !q
    %k_empty = pbsgpu.acquire %k_ring[%n] : !k_ring -> !k
    pbsgpu.copy_tile %k_map[%i] to %k_empty : !k_map, !k
    %q = pbsgpu.await %q_ring[%n] : !q_ring -> !q
    %k = pbsgpu.await %k_ring[%n] : !k_ring -> !k
    // A group of four warps multiplies 64 rows of A. They are found where A is awaited,
    // by the number of the warp, the same in all lanes.
    // CHECK: %[[OWN:.*]] = llvm.lshr %[[THREAD]], %{{.*}}
    // CHECK-NEXT: %[[WARP:.*]] = nvvm.shfl.sync idx %{{.*}}, %[[OWN]]
    // CHECK-NEXT: %[[GROUP:.*]] = llvm.lshr %[[WARP]], %[[TWO]]
    // CHECK-NEXT: %[[ROWS:.*]] = llvm.mul %[[GROUP]], %[[GROUP_BYTES]]
    // CHECK-NEXT: %[[A_TILE:.*]] = llvm.getelementptr %{{.*}}[%[[ROWS]]]
    // CHECK-COUNT-2: nvvm.mbarrier.try_wait
    // CHECK: %[[A_ADDRESS:.*]] = llvm.ptrtoint %[[A_TILE]] : !llvm.ptr<3> to i32
    // CHECK-NEXT: %[[A_16:.*]] = llvm.lshr %[[A_ADDRESS]], %[[FOUR]]
    // CHECK-NEXT: %[[A_LOW:.*]] = llvm.and %[[A_16]], %[[ADDRESS_BITS]]
    // CHECK-NEXT: %[[A0:.*]] = llvm.or %[[A_LOW]], %[[LEADING]]
    // CHECK-NEXT: %[[B_ADDRESS:.*]] = llvm.ptrtoint %{{.*}} : !llvm.ptr<3> to i32
    // CHECK-NEXT: %[[B_16:.*]] = llvm.lshr %[[B_ADDRESS]], %[[FOUR]]
    // CHECK-NEXT: %[[B_LOW:.*]] = llvm.and %[[B_16]], %[[ADDRESS_BITS]]
    // CHECK-NEXT: %[[B0:.*]] = llvm.or %[[B_LOW]], %[[LEADING]]
    // The first instruction does not read an accumulator of zeros.
    // CHECK-NEXT: nvvm.wgmma.fence.aligned
    // CHECK-NEXT: %[[A0_64:.*]] = llvm.zext %[[A0]] : i32 to i64
    // CHECK-NEXT: %[[A0_WHOLE:.*]] = llvm.or %[[A0_64]], %[[UPPER]]
    // CHECK-NEXT: %[[B0_64:.*]] = llvm.zext %[[B0]] : i32 to i64
    // CHECK-NEXT: %[[B0_WHOLE:.*]] = llvm.or %[[B0_64]], %[[UPPER]]
    // CHECK-NEXT: %[[S1:.*]] = llvm.inline_asm has_side_effects {{.*}} "{\0A.reg .pred p;\0Asetp.ne.b32 p, 0, 0;\0Awgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0,$1,$2,$3,$4,$5,$6,$7}, $8, $9, p, 1, 1, 0, 0;\0A}", "=f,=f,=f,=f,=f,=f,=f,=f,l,l" %[[A0_WHOLE]], %[[B0_WHOLE]] :
    // CHECK-NEXT: %[[FIRST:.*]] = llvm.extractvalue %[[S1]][0]
    // CHECK: %[[LAST:.*]] = llvm.extractvalue %[[S1]][7]
    // CHECK-NEXT: %[[A1:.*]] = llvm.add %[[A0]], %[[TWO]]
    // CHECK-NEXT: %[[A1_64:.*]] = llvm.zext %[[A1]] : i32 to i64
    // CHECK-NEXT: %[[A1_WHOLE:.*]] = llvm.or %[[A1_64]], %[[UPPER]]
    // CHECK-NEXT: %[[B1:.*]] = llvm.add %[[B0]], %[[TWO]]
    // CHECK-NEXT: %[[B1_64:.*]] = llvm.zext %[[B1]] : i32 to i64
    // CHECK-NEXT: %[[B1_WHOLE:.*]] = llvm.or %[[B1_64]], %[[UPPER]]
    // CHECK-NEXT: llvm.inline_asm has_side_effects {{.*}} "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0,$1,$2,$3,$4,$5,$6,$7}, $8, $9, 1, 1, 1, 0, 0;", "=f,=f,=f,=f,=f,=f,=f,=f,l,l,0,1,2,3,4,5,6,7" %[[A1_WHOLE]], %[[B1_WHOLE]], %[[FIRST]], {{.*}}, %[[LAST]] :
    // CHECK: llvm.add %[[A0]], %[[FOUR]]
    // CHECK: llvm.add %[[B0]], %[[FOUR]]
    // CHECK: wgmma.mma_async
    // CHECK: llvm.add %[[A0]], %[[SIX]]
    // CHECK: llvm.add %[[B0]], %[[SIX]]
    // CHECK: %[[S4:.*]] = llvm.inline_asm {{.*}}wgmma.mma_async
    // CHECK-NOT: wgmma.mma_async
    // CHECK: %[[BEGUN:.*]] = llvm.extractvalue %[[S4]][0]
    // CHECK: nvvm.wgmma.commit.group.sync.aligned
    %s_begun = pbsgpu.start_mma %q, %k transposed, %s0 : !q, !k, !two_groups -> !begun_by_two
    // Nobody uses the accumulator before the wait.
    // CHECK-NEXT: %[[S:.*]] = llvm.inline_asm has_side_effects {{.*}} "wgmma.wait_group.sync.aligned 0;", "=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7,~{memory}" %[[BEGUN]], {{.*}} :
    // CHECK-NEXT: llvm.extractvalue %[[S]][0]
    %s = pbsgpu.await_mma %s_begun : !begun_by_two -> !two_groups
    // The lanes have awaited the end of the product together.
    // CHECK-NOT: nvvm.bar.warp.sync
    // CHECK: mbarrier.arrive.shared.b64
    // CHECK-NOT: nvvm.bar.warp.sync
    // CHECK: mbarrier.arrive.shared.b64
    // CHECK: llvm.return
    pbsgpu.release %q : !q
    pbsgpu.release %k : !k
    pbsgpu.store_fragment %s to %out[%i] : !two_groups, memref<?x16xf32>
    pbsgpu.return
  }

  // A from registers, f16, B as it is: one step of A is four registers, one of B 16 rows.
  // CHECK-LABEL: llvm.func @operand(
  pbsgpu.kernel @operand(%map: !v_map, %i: index, %n: index, %x: f32, %out: memref<?x64xf32>) warps = 4 {
    // From panel to panel of B it is 4,096 bytes, from step to step 2,048.
    // CHECK-DAG: %[[LEADING:.*]] = llvm.mlir.constant(16777216 : i32)
    // CHECK-DAG: %[[STEP:.*]] = llvm.mlir.constant(128 : i32)
    // CHECK: %[[PAIR:.*]] = nvvm.convert.f32x2.to.f16x2
    // CHECK-NEXT: %[[A:.*]] = llvm.bitcast %[[PAIR]]
    %p = pbsgpu.splat %x : f32 -> !weights
    %c = pbsgpu.splat %x : f32 -> !out
    %a = pbsgpu.to_operand %p : !weights -> !operand
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !v_ring
    %empty = pbsgpu.acquire %ring[%n] : !v_ring -> !v
    pbsgpu.copy_tile %map[%i] to %empty : !v_map, !v
    %b = pbsgpu.await %ring[%n] : !v_ring -> !v
    // CHECK: %[[B0:.*]] = llvm.or %{{.*}}, %[[LEADING]]
    // CHECK-NEXT: nvvm.wgmma.fence.aligned
    // CHECK: llvm.inline_asm has_side_effects {{.*}} "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {$0,{{[^}]*}},$31}, {$32,$33,$34,$35}, $36, 1, 1, 1, 1;", "=f,{{[^"]*}},r,r,r,r,l,0,{{[^"]*}},31" %[[A]], %[[A]], %[[A]], %[[A]], %{{.*}} :
    // CHECK: llvm.add %[[B0]], %[[STEP]]
    // CHECK: llvm.inline_asm has_side_effects {{.*}} "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {$0,{{[^}]*}},$31}, {$32,$33,$34,$35}, $36, 1, 1, 1, 1;"
    // CHECK-NOT: wgmma.mma_async
    // CHECK: nvvm.wgmma.commit.group.sync.aligned
    %d_begun = pbsgpu.start_mma %a, %b, %c : !operand, !v, !out -> !out_begun
    // The wait reads A's registers, so that nothing else takes them before.
    // CHECK-NEXT: llvm.inline_asm has_side_effects {{.*}} "wgmma.wait_group.sync.aligned 0;", "=f,{{[^"]*}},r,r,r,r,r,r,r,r,0,{{[^"]*}},31,~{memory}" %[[A]], %[[A]], %[[A]], %[[A]], %[[A]], %[[A]], %[[A]], %[[A]], %
    %d = pbsgpu.await_mma %d_begun : !out_begun -> !out
    pbsgpu.release %b : !v
    pbsgpu.store_fragment %d to %out[%i] : !out, memref<?x64xf32>
    pbsgpu.return
  }

  // Steps go on in the next panel, 2,048 bytes behind the first one; a product that began
  // later may run on.
  // CHECK-LABEL: llvm.func @panels(
  pbsgpu.kernel @panels(%map: !wide_map, %i: index, %n: index, %p: f32, %out: memref<?x16xf32>) warps = 4 {
    // CHECK-DAG: %[[PANEL:.*]] = llvm.mlir.constant(128 : i32)
    // CHECK-DAG: %[[IN_PANEL:.*]] = llvm.mlir.constant(130 : i32)
    %zero = arith.constant 0.0 : f32
    %s0 = pbsgpu.splat %zero : f32 -> !scores
    %weights = pbsgpu.splat %p : f32 -> !pbsgpu.fragment<64x128xf32, accumulator, warps = 4>
    %a = pbsgpu.to_operand %weights : !pbsgpu.fragment<64x128xf32, accumulator, warps = 4>
                                   -> !pbsgpu.fragment<64x128xbf16, operand_a, warps = 4>
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !wide_ring
    %empty = pbsgpu.acquire %ring[%n] : !wide_ring -> !wide
    pbsgpu.copy_tile %map[%i] to %empty : !wide_map, !wide
    %b = pbsgpu.await %ring[%n] : !wide_ring -> !wide
    // CHECK: nvvm.wgmma.fence.aligned
    // CHECK-COUNT-4: wgmma.mma_async
    // CHECK: llvm.add %[[B0:.*]], %[[PANEL]]
    // CHECK: wgmma.mma_async
    // CHECK: llvm.add %[[B0]], %[[IN_PANEL]]
    // CHECK-COUNT-3: wgmma.mma_async
    // CHECK: nvvm.wgmma.commit.group.sync.aligned
    %first_begun = pbsgpu.start_mma %a, %b transposed, %s0 : !pbsgpu.fragment<64x128xbf16, operand_a, warps = 4>, !wide, !scores -> !begun
    // CHECK: nvvm.wgmma.fence.aligned
    // CHECK-COUNT-8: wgmma.mma_async
    // CHECK-NOT: wgmma.mma_async
    // CHECK: nvvm.wgmma.commit.group.sync.aligned
    %second_begun = pbsgpu.start_mma %a, %b transposed, %s0 : !pbsgpu.fragment<64x128xbf16, operand_a, warps = 4>, !wide, !scores -> !begun
    // CHECK: wgmma.wait_group.sync.aligned 1;
    %first = pbsgpu.await_mma %first_begun pending = 1 : !begun -> !scores
    // CHECK: wgmma.wait_group.sync.aligned 0;
    %second = pbsgpu.await_mma %second_begun : !begun -> !scores
    pbsgpu.release %b : !wide
    pbsgpu.store_fragment %first to %out[%i] : !scores, memref<?x16xf32>
    pbsgpu.store_fragment %second to %out[%i] : !scores, memref<?x16xf32>
    pbsgpu.return
  }

  // What threads have copied, the tensor cores see behind a fence.
  // CHECK-LABEL: llvm.func @copied_by_threads(
  pbsgpu.kernel @copied_by_threads(%k: memref<?x64xbf16>, %map: !q_map, %i: index, %n: index, %out: memref<?x16xf32>) warps = 8 {
    // CHECK: nvvm.cp.async.bulk.tensor
    // CHECK-NOT: nvvm.fence.proxy
    // CHECK: nvvm.cp.async.mbarrier.arrive %[[FULL:.*]] {noinc = true}
    // CHECK-NOT: nvvm.fence.proxy
    // CHECK: nvvm.mbarrier.try_wait %[[FULL]],
    // CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    // CHECK-NOT: nvvm.fence.proxy
    // CHECK: nvvm.wgmma.fence.aligned
    %zero = arith.constant 0.0 : f32
    %s0 = pbsgpu.splat %zero : f32 -> !two_groups
    %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !q_ring
    %k_ring = pbsgpu.alloc_ring filled_by = 256 emptied_by = 8 : !k_ring
    %q_empty = pbsgpu.acquire %q_ring[%n] : !q_ring -> !q
    pbsgpu.copy_tile %map[%i] to %q_empty : !q_map, !q
    %k_empty = pbsgpu.acquire %k_ring[%n] : !k_ring -> !k
    pbsgpu.copy_tile %k[%i] to %k_empty : memref<?x64xbf16>, !k
    %q = pbsgpu.await %q_ring[%n] : !q_ring -> !q
    %k_tile = pbsgpu.await %k_ring[%n] : !k_ring -> !k
    %s_begun = pbsgpu.start_mma %q, %k_tile transposed, %s0 : !q, !k, !two_groups -> !begun_by_two
    %s = pbsgpu.await_mma %s_begun : !begun_by_two -> !two_groups
    pbsgpu.release %q : !q
    pbsgpu.release %k_tile : !k
    pbsgpu.store_fragment %s to %out[%i] : !two_groups, memref<?x16xf32>
    pbsgpu.return
  }

  // Groups are those of the role.
  // CHECK-LABEL: llvm.func @role(
  pbsgpu.kernel @role(%q_map: !q_map, %k_map: !k_map, %i: index, %n: index, %out: memref<?x16xf32>) warps = 12 {
    // CHECK-DAG: %[[BEFORE:.*]] = llvm.mlir.constant(-128 : i32)
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !q_ring
    %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !k_ring
    pbsgpu.roles "producer" warps = 4 {
      %q_empty = pbsgpu.acquire %q_ring[%n] : !q_ring -> !q
      pbsgpu.copy_tile %q_map[%i] to %q_empty : !q_map, !q
      %k_empty = pbsgpu.acquire %k_ring[%n] : !k_ring -> !k
      pbsgpu.copy_tile %k_map[%i] to %k_empty : !k_map, !k
      pbsgpu.end_role
    } "consumer" warps = 8 {
      // CHECK: %[[OWN_THREAD:.*]] = llvm.add %[[THREAD]], %[[BEFORE]]
      // CHECK-NEXT: %[[OWN:.*]] = llvm.lshr %[[OWN_THREAD]], %{{.*}}
      // CHECK-NEXT: %[[WARP:.*]] = nvvm.shfl.sync idx %{{.*}}, %[[OWN]]
      // CHECK-NEXT: llvm.lshr %[[WARP]], %{{.*}}
      // CHECK: nvvm.wgmma.fence.aligned
      %zero = arith.constant 0.0 : f32
      %s0 = pbsgpu.splat %zero : f32 -> !two_groups
      %q = pbsgpu.await %q_ring[%n] : !q_ring -> !q
      %k = pbsgpu.await %k_ring[%n] : !k_ring -> !k
      %s_begun = pbsgpu.start_mma %q, %k transposed, %s0 : !q, !k, !two_groups -> !begun_by_two
      %s = pbsgpu.await_mma %s_begun : !begun_by_two -> !two_groups
      pbsgpu.release %q : !q
      pbsgpu.release %k : !k
      pbsgpu.store_fragment %s to %out[%i] : !two_groups, memref<?x16xf32>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

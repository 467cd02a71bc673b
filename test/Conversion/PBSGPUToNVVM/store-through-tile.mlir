// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 1>
!map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
!fragment = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!wide = !pbsgpu.tile<64x128xf16>
!wide_ring = !pbsgpu.ring<64x128xf16, stages = 1>
!wide_map = !pbsgpu.tensor_map<64x128xf16, dimensions = 2>
!wide_fragment = !pbsgpu.fragment<64x128xf32, accumulator, warps = 4>

gpu.module @kernels {
  // Each warp writes its 16 rows to the tile and then takes whole rows from there.
  // CHECK-LABEL: llvm.func @through(
  // CHECK-SAME: %[[OUT:[^:]*]]: !llvm.ptr<1> {{{[^}]*}}}, %[[ROWS:[^:]*]]: i64, %[[ROW_STRIDE:[^:]*]]: i64)
  pbsgpu.kernel @through(%map: !map, %i: index, %n: index, %x: f32, %out: memref<?x64xbf16, strided<[?, 1]>>) warps = 4 {
    // CHECK-DAG: %[[C0:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[C2:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[C3:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[C4:.*]] = llvm.mlir.constant(4 : i32)
    // CHECK-DAG: %[[C5:.*]] = llvm.mlir.constant(5 : i32)
    // CHECK-DAG: %[[C7:.*]] = llvm.mlir.constant(7 : i32)
    // CHECK-DAG: %[[C8:.*]] = llvm.mlir.constant(8 : i32)
    // CHECK-DAG: %[[C16:.*]] = llvm.mlir.constant(16 : i32)
    // CHECK-DAG: %[[LANES:.*]] = llvm.mlir.constant(31 : i32)
    // CHECK-DAG: %[[ROW_BYTES:.*]] = llvm.mlir.constant(128 : i32)
    // CHECK-DAG: %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
    // CHECK-DAG: %[[MEMORY:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK-DAG: %[[ELEMENT_BYTES:.*]] = llvm.mlir.constant(2 : i64)
    // CHECK-DAG: %[[FOUR_ROWS:.*]] = llvm.mlir.constant(4 : i64)
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK: %[[TILE:.*]] = llvm.getelementptr %[[MEMORY]][%{{.*}}]
    // CHECK-NEXT: llvm.cond_br
    // CHECK: nvvm.mbarrier.try_wait
    // CHECK: nvvm.mbarrier.try_wait
    %s = pbsgpu.splat %x : f32 -> !fragment
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%n] : !ring -> !tile
    pbsgpu.copy_tile %map[%i] to %empty : !map, !tile
    %tile = pbsgpu.await %ring[%n] : !ring -> !tile
    // Nothing of it is computed earlier.
    // CHECK: %[[HIDDEN:.*]] = llvm.inline_asm has_side_effects asm_dialect = att "", "=r,0" %[[THREAD]] : (i32) -> i32
    // CHECK-NEXT: %[[WARP:.*]] = llvm.lshr %[[HIDDEN]], %[[C5]]
    // CHECK-NEXT: %[[FIRST_ROW:.*]] = llvm.mul %[[WARP]], %[[C16]]
    // CHECK-NEXT: %[[LANE:.*]] = llvm.and %[[HIDDEN]], %[[LANES]]
    // A lane points to one row of the four matrices that an instruction writes.
    // CHECK-NEXT: %[[LOW:.*]] = llvm.and %[[LANE]], %[[C7]]
    // CHECK-NEXT: %[[EIGHTH:.*]] = llvm.lshr %[[LANE]], %[[C3]]
    // CHECK: %[[BELOW:.*]] = llvm.shl %{{.*}}, %[[C3]]
    // CHECK-NEXT: %[[IN_PART:.*]] = llvm.add %[[LOW]], %[[BELOW]]
    // CHECK-NEXT: %[[ROW:.*]] = llvm.add %[[IN_PART]], %[[FIRST_ROW]]
    // CHECK-NEXT: %[[ROW_OFFSET:.*]] = llvm.mul %[[ROW]], %[[ROW_BYTES]]
    // CHECK-NEXT: %[[SWIZZLED:.*]] = llvm.xor %{{.*}}, %[[LOW]]
    // CHECK: %[[CHUNK0:.*]] = llvm.xor %[[SWIZZLED]], %[[C0]]
    // CHECK-NEXT: %[[BYTES0:.*]] = llvm.mul %[[CHUNK0]], %[[C16]]
    // CHECK-NEXT: %[[OFFSET0:.*]] = llvm.add %[[ROW_OFFSET]], %[[BYTES0]]
    // CHECK-NEXT: %[[PLACE0:.*]] = llvm.getelementptr %[[TILE]][%[[OFFSET0]]]
    // CHECK-NEXT: nvvm.stmatrix %[[PLACE0]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<row>, shape = #nvvm.ld_st_matrix_shape<m = 8, n = 8>}
    // CHECK-NEXT: %[[CHUNK2:.*]] = llvm.xor %[[SWIZZLED]], %[[C2]]
    // CHECK: nvvm.stmatrix
    // CHECK-COUNT-2: nvvm.stmatrix
    // CHECK-NOT: nvvm.stmatrix
    // CHECK: nvvm.bar.warp.sync %[[ALL]]
    // Eight neighbouring lanes take a row of 128 bytes, four rows at a time.
    // CHECK-NEXT: %[[OWN_ROW:.*]] = llvm.add %[[FIRST_ROW]], %[[EIGHTH]]
    // CHECK: %[[FIRST:.*]] = llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
    // CHECK-NEXT: %[[NEXT_ROW:.*]] = llvm.add %[[OWN_ROW]], %[[C4]]
    // CHECK-NEXT: %[[IN_PERIOD:.*]] = llvm.and %[[NEXT_ROW]], %[[C7]]
    // CHECK-NEXT: %[[CHUNK:.*]] = llvm.xor %[[LOW]], %[[IN_PERIOD]]
    // CHECK-NEXT: %[[NEXT_OFFSET:.*]] = llvm.mul %[[NEXT_ROW]], %[[ROW_BYTES]]
    // CHECK-NEXT: %[[CHUNK_OFFSET:.*]] = llvm.mul %[[CHUNK]], %[[C16]]
    // CHECK-NEXT: %[[OFFSET:.*]] = llvm.add %[[NEXT_OFFSET]], %[[CHUNK_OFFSET]]
    // CHECK-NEXT: %[[PLACE:.*]] = llvm.getelementptr %[[TILE]][%[[OFFSET]]]
    // CHECK-NEXT: %[[SECOND:.*]] = llvm.load %[[PLACE]] {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
    // CHECK-COUNT-2: llvm.load
    // CHECK-NOT: llvm.load
    // Rows that do not exist are not written.
    // CHECK: %[[OWN_64:.*]] = llvm.zext %[[OWN_ROW]] : i32 to i64
    // CHECK-NEXT: %[[INDEX:.*]] = llvm.add %{{.*}}, %[[OWN_64]]
    // CHECK-NEXT: %[[REMAINING:.*]] = llvm.sub %[[ROWS]], %[[INDEX]]
    // CHECK-NEXT: llvm.mul %[[INDEX]], %[[ROW_STRIDE]]
    // CHECK: %[[ROW_PLACE:.*]] = llvm.getelementptr %[[OUT]]
    // CHECK-NEXT: %[[COLUMN:.*]] = llvm.mul %[[LOW]], %[[C16]]
    // CHECK-NEXT: %[[BASE:.*]] = llvm.getelementptr %[[ROW_PLACE]][%[[COLUMN]]]
    // CHECK-NEXT: %[[STRIDE_BYTES:.*]] = llvm.mul %[[ROW_STRIDE]], %[[ELEMENT_BYTES]]
    // CHECK-NEXT: %[[STRIDE:.*]] = llvm.inline_asm has_side_effects asm_dialect = att "", "=l,0" %[[STRIDE_BYTES]] : (i64) -> i64
    // CHECK: llvm.store %[[FIRST]], %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
    // CHECK: %[[INSIDE:.*]] = llvm.icmp "sgt" %[[REMAINING]], %[[FOUR_ROWS]]
    // CHECK-NEXT: llvm.cond_br %[[INSIDE]], ^[[STORE:.*]], ^[[AFTER:.*]]
    // CHECK-NEXT: ^[[STORE]]:
    // CHECK-NEXT: %[[DOWN:.*]] = llvm.mul %[[STRIDE]], %[[FOUR_ROWS]]
    // CHECK-NEXT: %[[PLACE:.*]] = llvm.getelementptr %[[BASE]][%[[DOWN]]]
    // CHECK-NEXT: llvm.store %[[SECOND]], %[[PLACE]] {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
    // CHECK-NEXT: llvm.br ^[[AFTER]]
    // CHECK-NEXT: ^[[AFTER]]:
    // CHECK-COUNT-2: llvm.store
    // CHECK-NOT: llvm.store
    // A copy by tensor map may come next: it sees what threads have done behind a fence.
    // CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
    pbsgpu.store_fragment %s through %tile to %out[%i] : !fragment, memref<?x64xbf16, strided<[?, 1]>>, !tile
    // All lanes have read the tile before one arrives.
    // CHECK-NEXT: nvvm.bar.warp.sync %[[ALL]]
    // CHECK: mbarrier.arrive.shared.b64
    pbsgpu.release %tile : !tile
    pbsgpu.return
  }

  // Of 128 columns, 16 lanes take a row; the second half of it stands a panel of 8,192
  // bytes behind the first one.
  // CHECK-LABEL: llvm.func @panels(
  pbsgpu.kernel @panels(%map: !wide_map, %i: index, %n: index, %x: f32, %out: memref<?x128xf16, strided<[?, 1]>>) warps = 4 {
    // CHECK-DAG: %[[C3:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[C4:.*]] = llvm.mlir.constant(4 : i32)
    // CHECK-DAG: %[[C7:.*]] = llvm.mlir.constant(7 : i32)
    // CHECK-DAG: %[[C15:.*]] = llvm.mlir.constant(15 : i32)
    // CHECK-DAG: %[[PANEL:.*]] = llvm.mlir.constant(8192 : i32)
    %s = pbsgpu.splat %x : f32 -> !wide_fragment
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !wide_ring
    %empty = pbsgpu.acquire %ring[%n] : !wide_ring -> !wide
    pbsgpu.copy_tile %map[%i] to %empty : !wide_map, !wide
    %tile = pbsgpu.await %ring[%n] : !wide_ring -> !wide
    // CHECK: llvm.inline_asm {{.*}} "", "=r,0"
    // CHECK: nvvm.convert.f32x2.to.f16x2
    // CHECK: nvvm.stmatrix %[[FIRST_PANEL:[^,]*]],
    // CHECK-COUNT-3: nvvm.stmatrix
    // CHECK: %[[SECOND_PANEL:.*]] = llvm.getelementptr %[[FIRST_PANEL]][8192]
    // CHECK-NEXT: nvvm.stmatrix %[[SECOND_PANEL]],
    // CHECK-COUNT-3: nvvm.stmatrix
    // CHECK-NOT: nvvm.stmatrix
    // CHECK: nvvm.bar.warp.sync
    // CHECK-NEXT: %[[CHUNK:.*]] = llvm.and %[[LANE:.*]], %[[C15]]
    // CHECK: %[[SECOND_HALF:.*]] = llvm.lshr %[[CHUNK]], %[[C3]]
    // CHECK-NEXT: %[[IN_PANEL:.*]] = llvm.and %[[CHUNK]], %[[C7]]
    // CHECK: llvm.mul %[[SECOND_HALF]], %[[PANEL]]
    // CHECK-COUNT-8: llvm.load
    // CHECK-NOT: llvm.load
    // CHECK-COUNT-8: llvm.store
    // CHECK-NOT: llvm.store
    // CHECK: nvvm.fence.proxy
    pbsgpu.store_fragment %s through %tile to %out[%i] : !wide_fragment, memref<?x128xf16, strided<[?, 1]>>, !wide
    pbsgpu.release %tile : !wide
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --pbsgpu-persist | FileCheck %s
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --pbsgpu-persist -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-persist --remark-format=emitRemark 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=Function=without_signals
// RUN: pbs-opt %s --pbs-set-target=chip=sm_120a --pbsgpu-persist | FileCheck %s --check-prefix=SMALL

// The pass leaves alone what it has made.
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --pbsgpu-persist -o %t.once
// RUN: pbs-opt %t.once --pbsgpu-persist | diff %t.once -

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!rows = memref<?x4x?x64xbf16>
!map = !pbsgpu.tensor_map<128x128xbf16, dimensions = 4>
!tile = !pbsgpu.tile<128x128xbf16>
!query = !pbsgpu.ring<128x128xbf16, stages = 1>
!keys = !pbsgpu.ring<128x128xbf16, stages = 2>
!scores = !pbsgpu.fragment<128x128xf32, accumulator, warps = 8>
!small_map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
!small_tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!once = !pbsgpu.ring<64x64xbf16, stages = 1>

gpu.module @kernels {
  // One warp copies all, and the scheduler is the rest of its group. What depends
  // on the place in the grid is computed for each item.
  // CHECK-LABEL: pbsgpu.kernel @mapped(
  // CHECK-NEXT: %[[Q:[^ ]*]]: !map_4d_128x128xbf16,
  // CHECK-NEXT: %[[K:[^ ]*]]: !map_4d_128x128xbf16,
  // CHECK-NEXT: %[[COUNTS:[^ ]*]]: memref<?x4x?x2xi32>,
  // CHECK-NEXT: %[[INDICES:[^ ]*]]: memref<?x4x?x?xi16>,
  // CHECK-NEXT: %[[BLOCKS:[^ ]*]]: index,
  // CHECK-NEXT: %[[CLAIMED:[^ ]*]]: memref<1xi32> {pbs.name = "claimed"},
  // CHECK-NEXT: %[[GRID_X:[^ ]*]]: index {pbs.name = "grid_x"},
  // CHECK-NEXT: %[[GRID_ROWS:[^ ]*]]: index {pbs.name = "grid_rows"},
  // CHECK-NEXT: %[[ROWS_IN_TURN:[^ ]*]]: index {pbs.name = "rows_in_turn"}) warps = 12
  // REMARK: remark: [Passed] Persistent | Category:pbsgpu-persist | Function=mapped | BlockTiles=2
  pbsgpu.kernel @mapped(%q: !map, %k: !map, %counts: !counts, %indices: !indices, %blocks: index) warps = 12 {
    // CHECK-DAG: %[[IN_TURN:.*]] = arith.index_cast %[[ROWS_IN_TURN]]
    // CHECK-DAG: %[[ROWS:.*]] = arith.index_cast %[[GRID_ROWS]]
    // CHECK-DAG: %[[X:.*]] = arith.index_cast %[[GRID_X]]
    // CHECK-DAG: %[[Y:.*]] = arith.constant 4 : i32
    // CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
    // CHECK-NOT: gpu.block_id
    %c0 = arith.constant 0 : index
    %c128 = arith.constant 128 : index
    %f0 = arith.constant 0.0 : f32
    %x = gpu.block_id x
    %h = gpu.block_id y
    %b = gpu.block_id z
    %row = arith.muli %x, %c128 : index
    // Two tiles of the ring that is filled once for each block fit into shared
    // memory beside the other ring, or one.
    // CHECK: %[[Q_RING:.*]] = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_2x128x128xbf16
    // SMALL: pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_1x128x128xbf16
    // CHECK: %[[K_RING:.*]] = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_2x128x128xbf16
    // SMALL: pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_2x128x128xbf16
    %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !query
    %k_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !keys
    // CHECK: %[[ITEMS:.*]] = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
    // CHECK: pbsgpu.roles "producer" warps = 1 registers = 56 {
    // CHECK-NEXT: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK-NEXT: scf.while (%[[ITEM:.*]] = %[[ZERO]], %[[VISITS:.*]] = %[[ZERO]])
    // CHECK-NEXT: %[[N:.*]] = arith.index_castui %[[ITEM]]
    // CHECK-NEXT: %[[RECEIVED:.*]]:4 = pbsgpu.receive %[[ITEMS]][%[[N]]]
    // CHECK: %[[IS_ITEM:.*]] = arith.cmpi sge, %[[RECEIVED]]#0, %{{.*}} : i32
    // CHECK-NEXT: scf.condition(%[[IS_ITEM]]) %[[ITEM]], %[[VISITS]], %[[RECEIVED]]#0, %[[RECEIVED]]#1, %[[RECEIVED]]#2, %[[RECEIVED]]#3
    // CHECK: ^bb0(%[[ITEM:[^ ]*]]: i32, %[[VISITS:[^ ]*]]: i32, %[[COLUMN:[^ ]*]]: i32, %[[ROW:[^ ]*]]: i32, %[[PACKED:[^ ]*]]: i32, %[[FIRST:[^ ]*]]: i32):
    // CHECK-DAG: %[[N:.*]] = arith.index_castui %[[ITEM]]
    // CHECK-DAG: %[[FROM:.*]] = arith.index_castui %[[VISITS]]
    // CHECK-DAG: %[[PLACE_X:.*]] = arith.index_castui %[[COLUMN]]
    // CHECK-DAG: %[[REST:.*]] = arith.remui %[[ROW]], %[[Y]]
    // CHECK-DAG: %[[PLACE_Y:.*]] = arith.index_castui %[[REST]]
    // CHECK-DAG: %[[QUOTIENT:.*]] = arith.divui %[[ROW]], %[[Y]]
    // CHECK-DAG: %[[PLACE_Z:.*]] = arith.index_castui %[[QUOTIENT]]
    // CHECK-DAG: %[[FIRST_ROW:.*]] = arith.muli %[[PLACE_X]], %[[C128]]
    // CHECK-DAG: %[[WHOLE:.*]] = arith.andi %[[PACKED]], %c65535_i32
    // CHECK-DAG: %[[MASKED:.*]] = arith.shrui %[[PACKED]], %c16_i32
    // CHECK-DAG: %[[WHOLE_INDEX:.*]] = arith.index_castui %[[WHOLE]]
    // CHECK-DAG: %[[MASKED_INDEX:.*]] = arith.index_castui %[[MASKED]]
    // CHECK-DAG: %[[FIRST_INDEX:.*]] = arith.index_castui %[[FIRST]]
    // CHECK: %[[NEXT_ITEM:.*]] = arith.addi %[[ITEM]], %{{.*}} : i32
    // CHECK: %[[EMPTY:.*]] = pbsgpu.acquire %[[Q_RING]][%[[N]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[Q]][%[[PLACE_Z]], %[[PLACE_Y]], %[[FIRST_ROW]]] to %[[EMPTY]]
    // CHECK-NEXT: %[[NEXT:.*]] = pbsgpu.key_loop %[[COUNTS]], %[[INDICES]][%[[PLACE_Z]], %[[PLACE_Y]], %[[PLACE_X]]] of %[[BLOCKS]] from %[[FROM]] lengths(%[[WHOLE_INDEX]], %[[MASKED_INDEX]], %[[FIRST_INDEX]])
    // CHECK: near_end = 3 {
    // CHECK: %[[NEXT_ITEM:.*]] = arith.addi %[[ITEM]], %{{.*}} : i32
    // CHECK-NEXT: %[[NEXT_N:.*]] = arith.index_castui %[[NEXT_ITEM]]
    // CHECK-NEXT: pbsgpu.request %[[ITEMS]][%[[NEXT_N]]]
    // CHECK-NEXT: pbsgpu.yield
    // CHECK: ^bb0(%[[KEY:.*]]: index, %[[VISIT:.*]]: index):
    // CHECK-NEXT: %[[EMPTY:.*]] = pbsgpu.acquire %[[K_RING]][%[[VISIT]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[PLACE_Z]], %[[PLACE_Y]], %[[KEY]]] to %[[EMPTY]]
    // CHECK: %[[NEXT_VISITS:.*]] = arith.index_cast %[[NEXT]] : index to i32
    // CHECK-NEXT: scf.yield %{{.*}}, %[[NEXT_VISITS]]
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %empty = pbsgpu.acquire %q_ring[%c0] : !query -> !tile
      pbsgpu.copy_tile %q[%b, %h, %row] to %empty : !map, !tile
      %next = pbsgpu.key_loop %counts, %indices[%b, %h, %x] of %blocks from %c0
           walk = list key_block = 128 key_tile = 128 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty_keys = pbsgpu.acquire %k_ring[%visit] : !keys -> !tile
        pbsgpu.copy_tile %k[%b, %h, %key] to %empty_keys : !map, !tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    // The first item is the CTA's own number, each other one is claimed when it is
    // asked for. All are divided by the length of a row of the grid, those of the
    // last rows by the number of these rows.
    // CHECK: } "scheduler" warps = 3 registers = 56 {
    // CHECK: %[[BLOCK:.*]] = gpu.block_id x
    // CHECK-NEXT: %[[OWN:.*]] = arith.index_cast %[[BLOCK]]
    // CHECK-NEXT: %[[GRID:.*]] = gpu.grid_dim x
    // CHECK-NEXT: %[[CTAS:.*]] = arith.index_cast %[[GRID]]
    // CHECK: scf.while (%[[ITEM:.*]] = %[[OWN]], %[[NUMBER:.*]] = %{{.*}}) : (i32, i32) -> i32 {
    // CHECK: %[[N:.*]] = arith.index_castui %[[NUMBER]]
    // CHECK: %[[ALL:.*]] = arith.muli %[[X]], %[[ROWS]]
    // CHECK: %[[IS_ITEM:.*]] = arith.cmpi ult, %[[ITEM]], %[[ALL]]
    // CHECK: %[[KNOWN:.*]] = arith.select %[[IS_ITEM]], %[[ITEM]], %{{.*}} : i32
    // CHECK: %[[ROWS_BEFORE:.*]] = arith.subi %[[ROWS]], %[[IN_TURN]]
    // CHECK: %[[BEFORE:.*]] = arith.muli %[[ROWS_BEFORE]], %[[X]]
    // CHECK: %[[IS_BEFORE:.*]] = arith.cmpi ult, %[[KNOWN]], %[[BEFORE]]
    // CHECK: %[[BEHIND:.*]] = arith.subi %[[KNOWN]], %[[BEFORE]]
    // CHECK: %[[DIVISOR:.*]] = arith.select %[[IS_BEFORE]], %[[X]], %[[IN_TURN]]
    // CHECK: %[[DIVIDEND:.*]] = arith.select %[[IS_BEFORE]], %[[KNOWN]], %[[BEHIND]]
    // CHECK: %[[QUOTIENT:.*]] = arith.divui %[[DIVIDEND]], %[[DIVISOR]]
    // CHECK: %[[PRODUCT:.*]] = arith.muli %[[QUOTIENT]], %[[DIVISOR]]
    // CHECK: %[[REST:.*]] = arith.subi %[[DIVIDEND]], %[[PRODUCT]]
    // CHECK: %[[COLUMN:.*]] = arith.select %[[IS_BEFORE]], %[[REST]], %[[QUOTIENT]]
    // CHECK: %[[ROW_BEHIND:.*]] = arith.addi %[[ROWS_BEFORE]], %[[REST]]
    // CHECK: %[[ROW:.*]] = arith.select %[[IS_BEFORE]], %[[QUOTIENT]], %[[ROW_BEHIND]]
    // CHECK-DAG: %[[PLACE_X:.*]] = arith.index_castui %[[COLUMN]]
    // CHECK-DAG: %[[REST:.*]] = arith.remui %[[ROW]], %[[Y]]
    // CHECK-DAG: %[[PLACE_Y:.*]] = arith.index_castui %[[REST]]
    // CHECK-DAG: %[[QUOTIENT:.*]] = arith.divui %[[ROW]], %[[Y]]
    // CHECK-DAG: %[[PLACE_Z:.*]] = arith.index_castui %[[QUOTIENT]]
    // CHECK: memref.load %[[COUNTS]][%[[PLACE_Z]], %[[PLACE_Y]], %[[PLACE_X]],
    // CHECK: %[[WHOLE:.*]] = arith.minsi
    // CHECK: memref.load %[[COUNTS]][%[[PLACE_Z]], %[[PLACE_Y]], %[[PLACE_X]],
    // CHECK: %[[MASKED:.*]] = arith.minsi
    // CHECK: %[[ZERO:.*]] = arith.constant 0 : index
    // CHECK: %[[LOADED:.*]] = memref.load %[[INDICES]][%[[PLACE_Z]], %[[PLACE_Y]], %[[PLACE_X]], %[[ZERO]]]
    // CHECK: %[[FIRST:.*]] = arith.extui %[[LOADED]]
    // CHECK-DAG: %[[WHOLE_I32:.*]] = arith.index_cast %[[WHOLE]]
    // CHECK-DAG: %[[MASKED_I32:.*]] = arith.index_cast %[[MASKED]]
    // CHECK: %[[SHIFTED:.*]] = arith.shli %[[MASKED_I32]], %c16_i32
    // CHECK: %[[PACKED:.*]] = arith.ori %[[WHOLE_I32]], %[[SHIFTED]]
    // CHECK: %[[COLUMN_OR_END:.*]] = arith.select %[[IS_ITEM]], %[[COLUMN]], %c-1_i32
    // CHECK-NEXT: pbsgpu.publish %[[ITEMS]][%[[N]]], %[[COLUMN_OR_END]], %[[ROW]], %[[PACKED]], %[[FIRST]]
    // CHECK-NEXT: scf.condition(%[[IS_ITEM]]) %[[NUMBER]]
    // CHECK: ^bb0(%[[NUMBER:.*]]: i32):
    // CHECK: %[[NEXT:.*]] = arith.addi %[[NUMBER]], %c1_i32
    // CHECK-NEXT: %[[NEXT_N:.*]] = arith.index_castui %[[NEXT]]
    // CHECK-NEXT: pbsgpu.await_request %[[ITEMS]][%[[NEXT_N]]]
    // CHECK-NEXT: %[[NUMBER:.*]] = pbsgpu.claim %[[CLAIMED]]
    // CHECK-NEXT: %[[ITEM:.*]] = arith.addi %[[NUMBER]], %[[CTAS]]
    // CHECK-NEXT: scf.yield %[[ITEM]], %[[NEXT]]
    // CHECK: } "consumer" warps = 8 registers = 224 {
    // CHECK: scf.while
    // CHECK: pbsgpu.receive %[[ITEMS]]
    // CHECK: ^bb0(%[[ITEM:[^ ]*]]: i32, %[[VISITS:[^ ]*]]: i32,
    // CHECK: %[[N:.*]] = arith.index_castui %[[ITEM]]
    // CHECK: %[[FROM:.*]] = arith.index_castui %[[VISITS]]
    // What is computed from parameters for each item would otherwise be computed
    // before the loop over items, and hold registers beside the products.
    // CHECK-DAG: %[[OPAQUE_COUNTS:.*]] = pbsgpu.opaque %[[COUNTS]] : memref<?x4x?x2xi32>
    // CHECK-DAG: %[[OPAQUE_INDICES:.*]] = pbsgpu.opaque %[[INDICES]] : memref<?x4x?x?xi16>
    // CHECK-DAG: %[[OPAQUE_BLOCKS:.*]] = pbsgpu.opaque %[[BLOCKS]] : index
    // CHECK: %[[TILE:.*]] = pbsgpu.await %[[Q_RING]][%[[N]]]
    // CHECK-NEXT: %{{.*}}, %[[NEXT:.*]] = pbsgpu.key_loop %[[OPAQUE_COUNTS]], %[[OPAQUE_INDICES]][{{.*}}] of %[[OPAQUE_BLOCKS]] from %[[FROM]] lengths(
    // CHECK-NOT: near_end
    // CHECK: pbsgpu.mma %[[TILE]]
    // CHECK: pbsgpu.yield
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.release %[[TILE]]
    // CHECK-NEXT: %[[NEXT_VISITS:.*]] = arith.index_cast %[[NEXT]]
    // CHECK-NEXT: scf.yield %{{.*}}, %[[NEXT_VISITS]]
    // CHECK: pbsgpu.end_role
    } "consumer" warps = 8 registers = 224 {
      %zero = pbsgpu.splat %f0 : f32 -> !scores
      %q_tile = pbsgpu.await %q_ring[%c0] : !query -> !tile
      %s, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %x] of %blocks from %c0
           walk = list key_block = 128 key_tile = 128 ahead = 0 carry(%zero : !scores)
         : !counts, !indices -> !scores load {} bodies {
      ^bb0(%key: index, %visit: index, %s_in: !scores):
        %k_tile = pbsgpu.await %k_ring[%visit] : !keys -> !tile
        %s_out = pbsgpu.mma %q_tile, %k_tile transposed, %s_in : !tile, !tile, !scores
        pbsgpu.release %k_tile : !tile
        pbsgpu.yield %s_out : !scores
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }


  // All warps of the producer gather rows, and the scheduler is a group of its own.
  // CHECK-LABEL: pbsgpu.kernel @gathered(
  // CHECK: warps = 16 {
  // CHECK: pbsgpu.roles "producer" warps = 4 registers = 56 {
  // CHECK: } "scheduler" warps = 4 registers = 32 {
  // CHECK: } "consumer" warps = 8 registers = 208 {
  // REMARK: [Passed] Persistent | {{.*}}Function=gathered | {{$}}
  pbsgpu.kernel @gathered(%k: memref<?x64xbf16>, %p: memref<?xi32>, %counts: !counts, %indices: !indices, %i: index) warps = 12 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 8 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %k[%key] through %p[] to %empty : memref<?x64xbf16>, !small_tile, memref<?xi32>
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 8 registers = 224 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // Roles that keep the registers that they have.
  // CHECK-LABEL: pbsgpu.kernel @without_registers(
  // CHECK: pbsgpu.roles "producer" warps = 1 {
  // CHECK: } "scheduler" warps = 3 {
  // CHECK: } "consumer" warps = 4 {
  // REMARK: [Passed] Persistent | {{.*}}Function=without_registers
  pbsgpu.kernel @without_registers(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // From the end of a list its last block is the first one.
  // CHECK-LABEL: pbsgpu.kernel @from_end(
  // CHECK: } "scheduler"
  // CHECK: %[[WHOLE:.*]] = arith.minsi
  // CHECK: %[[MASKED:.*]] = arith.minsi
  // CHECK: %[[ALL:.*]] = arith.addi %[[WHOLE]], %[[MASKED]] : index
  // CHECK: %[[AT_LEAST_ONE:.*]] = arith.maxui %[[ALL]], %[[ONE:.*]] : index
  // CHECK: %[[LAST:.*]] = arith.subi %[[AT_LEAST_ONE]], %[[ONE]] : index
  // CHECK: memref.load %{{.*}}, %[[LAST]]] : memref<?x4x?x?xi16>
  // REMARK: [Passed] Persistent | {{.*}}Function=from_end
  pbsgpu.kernel @from_end(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list_from_end key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list_from_end key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // The tile of a block is released behind its last use, which is not the loop.
  // CHECK-LABEL: pbsgpu.kernel @used_behind_loop(
  // CHECK: pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring_2x64x64xbf16
  // CHECK: } "consumer"
  // CHECK: %[[TILE:.*]] = pbsgpu.await
  // CHECK: pbsgpu.key_loop
  // CHECK: pbsgpu.mma %[[TILE]]
  // CHECK-NEXT: pbsgpu.release %[[TILE]]
  // REMARK: [Passed] Persistent | {{.*}}Function=used_behind_loop
  pbsgpu.kernel @used_behind_loop(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %zero = arith.constant 0.0 : f32
    %once = pbsgpu.alloc_ring filled_by = 1 emptied_by = 1 : !once
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %empty = pbsgpu.acquire %once[%c0] : !once -> !small_tile
      pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty_keys = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty_keys : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %full = pbsgpu.await %once[%c0] : !once -> !small_tile
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full_keys = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full_keys : !small_tile
        pbsgpu.yield
      }
      %splat = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
      %product = pbsgpu.mma %full, %full transposed, %splat : !small_tile, !small_tile, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // It is not released again.
  // CHECK-LABEL: pbsgpu.kernel @released(
  // CHECK: } "consumer"
  // CHECK: pbsgpu.await
  // CHECK-NEXT: pbsgpu.release
  // CHECK: pbsgpu.release
  // CHECK-NOT: pbsgpu.release
  // REMARK: [Passed] Persistent | {{.*}}Function=released
  pbsgpu.kernel @released(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %once = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !once
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %empty = pbsgpu.acquire %once[%c0] : !once -> !small_tile
      pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty_keys = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty_keys : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %full = pbsgpu.await %once[%c0] : !once -> !small_tile
      pbsgpu.release %full : !small_tile
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full_keys = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full_keys : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // A lane is the same one in any warp. The kernel's own parameters keep their names,
  // and what depends on one and on the place in the grid is computed from the opaque
  // one.
  // CHECK-LABEL: pbsgpu.kernel @named(
  // CHECK: index {pbs.name = "grid_x"},
  // CHECK-NEXT: index {pbs.name = "claimed"},
  // CHECK-NEXT: index {pbs.name = "claimed1"},
  // CHECK-NEXT: memref<1xi32> {pbs.name = "claimed2"},
  // CHECK-NEXT: index {pbs.name = "grid_x1"},
  // CHECK-NEXT: index {pbs.name = "grid_y"},
  // CHECK: } "consumer"
  // CHECK-DAG: %[[PLACE:.*]] = arith.index_castui
  // CHECK-DAG: %[[OPAQUE:.*]] = pbsgpu.opaque %grid_x : index
  // CHECK: %[[ROW:.*]] = arith.subi %[[OPAQUE]], %{{.*}} : index
  // CHECK: pbsgpu.key_loop %{{.*}}[%{{.*}}, %{{.*}}, %[[ROW]]]
  // REMARK: [Passed] Persistent | {{.*}}Function=named
  pbsgpu.kernel @named(%map: !small_map, %counts: !counts, %indices: !indices, %i: index {pbs.name = "grid_x"},
                       %a: index {pbs.name = "claimed"}, %b: index {pbs.name = "claimed1"}) warps = 8 {
    %c0 = arith.constant 0 : index
    %place = gpu.block_id x
    %x = arith.subi %i, %place : index
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 {
      %lane = gpu.lane_id
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @without_signals(
  // CHECK-NOT: pbsgpu.alloc_items
  pbsgpu.kernel @without_signals() warps = 4 {
    %ring = pbsgpu.alloc_ring : !ring
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @off(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=off | Reason="the schedule turns the pass off"
  pbsgpu.kernel @off(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8
      attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["persist"]>} {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_roles(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=no_roles | Reason="all its warps do the same"
  pbsgpu.kernel @no_roles(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !small_tile
    pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
    %full = pbsgpu.await %ring[%c0] : !ring -> !small_tile
    pbsgpu.release %full : !small_tile
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @control_flow(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=control_flow | Reason="its control flow is not structured"
  pbsgpu.kernel @control_flow(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    cf.br ^roles
  ^roles:
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @stores(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=stores | Reason="it does more outside of its roles than compute"
  pbsgpu.kernel @stores(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    %one = arith.constant 1 : i32
    memref.store %one, %counts[%i, %i, %x, %c0] : !counts
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @grid_size(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=grid_size | Reason="it depends on the size of its grid"
  pbsgpu.kernel @grid_size(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %size = gpu.grid_dim x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%size] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @thread_id(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=thread_id | Reason="it tells its threads apart"
  pbsgpu.kernel @thread_id(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %thread = gpu.thread_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%thread] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @place_in_role(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=place_in_role | Reason="a role asks for its place in the grid"
  pbsgpu.kernel @place_in_role(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %y = gpu.block_id y
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%y] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @three_roles(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=three_roles | Reason="it has other roles than one that copies and one that computes"
  pbsgpu.kernel @three_roles(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 12 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "idle" warps = 4 registers = 24 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @reads_first(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=reads_first | Reason="it has other roles than one that copies and one that computes"
  pbsgpu.kernel @reads_first(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @one_warp_copies(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=one_warp_copies | Reason="the warps that copy are not groups of four"
  pbsgpu.kernel @one_warp_copies(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 5 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 1 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_warps_left(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=no_warps_left | Reason="no warps are left for another role"
  pbsgpu.kernel @no_warps_left(%k: memref<?x64xbf16>, %counts: !counts, %indices: !indices, %i: index) warps = 32 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 28 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %k[%key] to %empty : memref<?x64xbf16>, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 28 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_loop(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=no_loop | Reason="a role does not have one key loop"
  pbsgpu.kernel @no_loop(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %empty = pbsgpu.acquire %ring[%c0] : !ring -> !small_tile
      pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %full = pbsgpu.await %ring[%c0] : !ring -> !small_tile
      pbsgpu.release %full : !small_tile
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_lists(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=other_lists | Reason="the roles walk different lists"
  pbsgpu.kernel @other_lists(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %x, %i] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tests_blocks(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=tests_blocks | Reason="its loops test every block"
  pbsgpu.kernel @tests_blocks(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = test key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index, %masked: i1):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = test key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index, %masked: i1):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @two_copies(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=two_copies | Reason="the loop that copies is not one body"
  pbsgpu.kernel @two_copies(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }, {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @goes_on(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=goes_on | Reason="its loops go on with rings already"
  pbsgpu.kernel @goes_on(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %c1 = arith.constant 1 : index
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c1
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c1
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // Each visit fills the next tile, and all read the first one.
  // CHECK-LABEL: pbsgpu.kernel @other_visits(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=other_visits | Reason="a ring is filled otherwise than once for each visit or once for each block"
  pbsgpu.kernel @other_visits(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%c0] : !ring -> !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @two_in_a_block(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=two_in_a_block | Reason="a ring is filled otherwise than once for each visit or once for each block"
  pbsgpu.kernel @two_in_a_block(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %c1 = arith.constant 1 : index
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    %both = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %empty0 = pbsgpu.acquire %both[%c0] : !ring -> !small_tile
      pbsgpu.copy_tile %map[%i] to %empty0 : !small_map, !small_tile
      %empty1 = pbsgpu.acquire %both[%c1] : !ring -> !small_tile
      pbsgpu.copy_tile %map[%i] to %empty1 : !small_map, !small_tile
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %full0 = pbsgpu.await %both[%c0] : !ring -> !small_tile
      pbsgpu.release %full0 : !small_tile
      %full1 = pbsgpu.await %both[%c1] : !ring -> !small_tile
      pbsgpu.release %full1 : !small_tile
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @global_id(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=global_id | Reason="it tells its threads apart"
  pbsgpu.kernel @global_id() warps = 8 {
    %id = gpu.global_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // The warps that compute may be others, where the scheduler is a group of its own.
  // CHECK-LABEL: pbsgpu.kernel @subgroup_id(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=subgroup_id | Reason="it tells its threads apart"
  pbsgpu.kernel @subgroup_id() warps = 8 {
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      %warp = gpu.subgroup_id : index
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @cta_size(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=cta_size | Reason="it depends on the size of its CTAs"
  pbsgpu.kernel @cta_size() warps = 8 {
    %size = gpu.block_dim x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @cluster(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=cluster | Reason="it depends on clusters"
  pbsgpu.kernel @cluster() warps = 8 {
    %cluster = gpu.cluster_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // One warp would copy for the next block while another one reads.
  // CHECK-LABEL: pbsgpu.kernel @copies_into_tile(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=copies_into_tile | Reason="it has other shared memory than rings"
  pbsgpu.kernel @copies_into_tile(%k: memref<?x64xbf16>, %i: index) warps = 8 {
    %tile = pbsgpu.alloc_tile : !small_tile
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      pbsgpu.copy_tile %k[%i] to %tile : memref<?x64xbf16>, !small_tile
      pbsgpu.await_copies
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @dynamic_memory(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=dynamic_memory | Reason="it has other shared memory than rings"
  pbsgpu.kernel @dynamic_memory() warps = 8 {
    %memory = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @own_memory(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=own_memory | Reason="it has other shared memory than rings"
  pbsgpu.kernel @own_memory() warps = 8 {
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      %memory = memref.alloca() : memref<32xf32, #gpu.address_space<workgroup>>
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @computes_behind(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=computes_behind | Reason="it computes behind its roles"
  pbsgpu.kernel @computes_behind() warps = 8 {
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      pbsgpu.end_role
    }
    %c64 = arith.constant 64 : index
    %row = arith.muli %x, %c64 : index
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @fragment_outside(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=fragment_outside | Reason="it holds a fragment outside of its roles"
  pbsgpu.kernel @fragment_outside(%x: f32) warps = 8 {
    %splat = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<128x64xf32, accumulator, warps = 8>
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 {
      pbsgpu.end_role
    } "consumer" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // One warp would copy where four hold the fragment now.
  // CHECK-LABEL: pbsgpu.kernel @fragment_in_producer(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=fragment_in_producer | Reason="the warps that copy hold a fragment"
  pbsgpu.kernel @fragment_in_producer(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %zero = arith.constant 0.0 : f32
      %splat = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_registers_left(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=no_registers_left | Reason="no registers are left for another role"
  pbsgpu.kernel @no_registers_left(%k: memref<?x64xbf16>, %counts: !counts, %indices: !indices, %i: index) warps = 28 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 256 emptied_by = 20 : !ring
    pbsgpu.roles "producer" warps = 8 registers = 192 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %k[%key] to %empty : memref<?x64xbf16>, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 20 registers = 24 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // Where three groups compute, a fifth one would take registers that they need.
  // CHECK-LABEL: pbsgpu.kernel @three_groups(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=three_groups | Reason="no registers are left for another role"
  pbsgpu.kernel @three_groups(%k: memref<?x64xbf16>, %counts: !counts, %indices: !indices, %i: index) warps = 16 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 12 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %k[%key] to %empty : memref<?x64xbf16>, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 12 registers = 152 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_key_blocks(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=other_key_blocks | Reason="the roles walk different lists"
  pbsgpu.kernel @other_key_blocks(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %x from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_tiles(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=other_tiles | Reason="the roles cut blocks into different tiles"
  pbsgpu.kernel @other_tiles(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 32 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @other_blocks(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=other_blocks | Reason="the roles cut blocks into different tiles"
  pbsgpu.kernel @other_blocks(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 128 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @lengths(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=lengths | Reason="its loops go on with rings already"
  pbsgpu.kernel @lengths(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0 lengths(%i, %i)
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0 lengths(%i, %i)
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // A row that lists one block needs no more than the two tiles, but many rows do.
  // CHECK-LABEL: pbsgpu.kernel @not_released(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=not_released | Reason="the tiles of visits are not released"
  pbsgpu.kernel @not_released(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @unused_ring(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=unused_ring | Reason="a ring is not used"
  pbsgpu.kernel @unused_ring(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    %unused = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @ring_without_signals(
  // CHECK-NOT: pbsgpu.alloc_items
  // REMARK: [Missed] NotPersistent | {{.*}}Function=ring_without_signals | Reason="a ring has no signals"
  pbsgpu.kernel @ring_without_signals(%map: !small_map, %counts: !counts, %indices: !indices, %i: index) warps = 8 {
    %c0 = arith.constant 0 : index
    %x = gpu.block_id x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !small_tile
        pbsgpu.copy_tile %map[%i] to %empty : !small_map, !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      %unsignalled = pbsgpu.alloc_ring : !ring
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %x] of %i from %c0
           walk = list key_block = 64 key_tile = 64 ahead = 0 : !counts, !indices load {} bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !small_tile
        pbsgpu.release %full : !small_tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// One CTA for each multiprocessor, or less; the counter is zero before the launch,
// under its guard. What all launches hand over as the same constant is none of the
// kernel's parameters.
// CHECK-LABEL: pbsgpu.plan @plan {
pbsgpu.plan @plan {
  // CHECK: %[[B:.*]] = pbsgpu.size "B"
  // CHECK: %[[M:.*]] = pbsgpu.size "M"
  %B = pbsgpu.size "B"
  %M = pbsgpu.size "M"
  %c4 = arith.constant 4 : index
  %q = pbsgpu.argument "q" input [%B, 4, %M, 128] align 16 : memref<?x4x?x128xbf16>
  %map = pbsgpu.tensor_map %q : memref<?x4x?x128xbf16> -> !map
  %counts = pbsgpu.argument "counts" input [%B, 4, %M, 2] align 4 : !counts
  %indices = pbsgpu.argument "indices" input [%B, 4, %M, %M] align 2 : !indices
  // CHECK: %[[GUARD:.*]] = arith.cmpi
  %guard = arith.cmpi sle, %B, %M : index
  // CHECK: %[[ROWS:.*]] = arith.muli %[[B]], %{{.*}} : index
  // CHECK: %[[ITEMS:.*]] = arith.muli %[[M]], %[[ROWS]] : index
  // CHECK: %[[PROCESSORS:.*]] = pbsgpu.multiprocessors
  // CHECK: %[[AT_END:.*]] = arith.muli %[[PROCESSORS]], %c3
  // CHECK: %[[COLUMNS:.*]] = arith.maxsi %[[M]], %c1
  // CHECK: %[[LAST:.*]] = arith.ceildivsi %[[AT_END]], %[[COLUMNS]]
  // CHECK: %[[IN_TURN:.*]] = arith.minsi %[[LAST]], %[[ROWS]]
  // CHECK: %[[COUNTER:.*]] = pbsgpu.buffer "mapped_claimed" [1] align 4 : memref<1xi32>
  // CHECK: pbsgpu.memset %[[COUNTER]] to 0 if %[[GUARD]] : memref<1xi32>
  // CHECK: %[[CTAS:.*]] = arith.minsi %[[PROCESSORS]], %[[ITEMS]]
  // CHECK: %[[ONE_Y:.*]] = arith.constant 1 : index
  // CHECK: %[[ONE_Z:.*]] = arith.constant 1 : index
  // CHECK: pbsgpu.launch @kernels::@mapped grid(%[[CTAS]], %[[ONE_Y]], %[[ONE_Z]]) if %[[GUARD]]
  // CHECK-NEXT: arguments({{.*}}, %[[M]], %[[COUNTER]], %[[M]], %[[ROWS]],
  // CHECK-NEXT: %[[IN_TURN]] :
  pbsgpu.launch @kernels::@mapped grid(%M, %c4, %B) if %guard
    arguments(%map, %map, %counts, %indices, %M : !map, !map, !counts, !indices, index)
  // The counter of another launch is another one.
  // CHECK: %[[COUNTER:.*]] = pbsgpu.buffer "mapped_claimed1" [1]
  // CHECK: pbsgpu.memset %[[COUNTER]] to 0 : memref<1xi32>
  // CHECK: pbsgpu.launch @kernels::@mapped
  // CHECK-NEXT: %[[COUNTER]]
  pbsgpu.launch @kernels::@mapped grid(%M, %c4, %c4)
    arguments(%map, %map, %counts, %indices, %M : !map, !map, !counts, !indices, index)
}

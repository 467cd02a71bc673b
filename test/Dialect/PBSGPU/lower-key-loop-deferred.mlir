// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbsgpu-lower-key-loop --canonicalize --cse | FileCheck %s

// Loops that run the last product of a visit in the next one.

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!values = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!ahead = !pbsgpu.ring<64x64xbf16, stages = 3>
!scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!operand = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>

gpu.module @kernels {
  // The first visit, the others, and the last product: A and the accumulator of a product
  // wait for the next visit.
  // CHECK-LABEL: pbsgpu.kernel @one_body(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[V:.*]]: memref<?x64xbf16>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %[[FROM:.*]]: index
  pbsgpu.kernel @one_body(%counts: !counts, %indices: !indices, %v: !values, %i: index, %from: index,
                          %out: memref<?x64xf32>) warps = 4 {
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[SECOND:.*]] = arith.constant 1 : i32
    // CHECK: %[[Q:.*]] = pbsgpu.alloc_tile
    // CHECK: %[[O0:.*]] = pbsgpu.splat
    // CHECK: %[[RING:.*]] = pbsgpu.alloc_ring
    %zero = arith.constant 0.0 : f32
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %zero : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%from] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %empty : !values, !tile
    // CHECK: %[[TILES:.*]] = arith.addi
    // CHECK-NEXT: %[[ANY:.*]] = arith.cmpi ugt, %[[TILES]], %[[C0]]
    // CHECK-NEXT: %[[O:.*]]:2 = scf.if %[[ANY]] -> ({{.*}}) {
    // The first visit awaits no tile, and what it did to the carried value is left out.
    // CHECK-NEXT: %[[S0:.*]] = pbsgpu.mma %[[Q]], %[[Q]] transposed, %[[O0]]
    // CHECK-NEXT: %[[P0:.*]] = pbsgpu.to_operand %[[S0]]
    // CHECK-NEXT: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // The product of the visit before stands behind the first one.
    // CHECK-NEXT: %[[STATE:.*]]:3 = scf.for %[[COUNTER:.*]] = %[[SECOND]] to %[[END]] step %{{.*}} iter_args(%[[P_IN:.*]] = %[[P0]], %[[O_IN:.*]] = %[[O0]], %[[S_IN:.*]] = %[[S0]])
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast %[[COUNTER]] : i32 to index
    // CHECK-NEXT: %[[S:.*]] = pbsgpu.mma %[[Q]], %[[Q]] transposed, %[[S_IN]]
    // CHECK-NEXT: %[[BEFORE:.*]] = arith.subi %[[T]], %[[C1]]
    // CHECK-NEXT: %[[BEFORE_I32:.*]] = arith.index_cast %[[BEFORE]] : index to i32
    // CHECK-NEXT: %[[FROM_I32:.*]] = arith.index_cast %[[FROM]] : index to i32
    // CHECK-NEXT: %[[SUM:.*]] = arith.addi %[[BEFORE_I32]], %[[FROM_I32]] : i32
    // CHECK-NEXT: %[[VISIT:.*]] = arith.index_cast %[[SUM]] : i32 to index
    // CHECK-NEXT: %[[TILE:.*]] = pbsgpu.await %[[RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[PRODUCT:.*]] = pbsgpu.mma %[[P_IN]], %[[TILE]], %[[O_IN]]
    // CHECK-NEXT: pbsgpu.release %[[TILE]]
    // CHECK-NEXT: %[[P:.*]] = pbsgpu.to_operand %[[S]]
    // CHECK-NEXT: %[[SCALED:.*]] = pbsgpu.map %[[PRODUCT]]
    // CHECK: scf.yield %[[P]], %[[SCALED]], %[[S]]
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[LAST:.*]] = arith.subi %[[TILES]], %[[C1]]
    // CHECK-NEXT: %[[LAST_I32:.*]] = arith.index_cast %[[LAST]] : index to i32
    // CHECK-NEXT: %[[FROM_I32:.*]] = arith.index_cast %[[FROM]] : index to i32
    // CHECK-NEXT: %[[SUM:.*]] = arith.addi %[[LAST_I32]], %[[FROM_I32]] : i32
    // CHECK-NEXT: %[[VISIT:.*]] = arith.index_cast %[[SUM]] : i32 to index
    // CHECK-NEXT: %[[TILE:.*]] = pbsgpu.await %[[RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[PRODUCT:.*]] = pbsgpu.mma %[[STATE]]#0, %[[TILE]], %[[STATE]]#1
    // CHECK-NEXT: pbsgpu.release %[[TILE]]
    // CHECK-NEXT: scf.yield %[[STATE]]#2, %[[PRODUCT]]
    // Nothing is visited, and nothing changes.
    // CHECK-NEXT: } else {
    // CHECK-NEXT: scf.yield %[[O0]], %[[O0]]
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.store_fragment %[[O]]#0
    // CHECK-NEXT: pbsgpu.store_fragment %[[O]]#1
    %sum, %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %from walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
         carry(%0, %0 : !scores, !scores) : !counts, !indices -> !scores, !scores load {} bodies {
    ^bb0(%key: index, %visit: index, %sum_in: !scores, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %sum_in : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %scaled = pbsgpu.map %o_in : !scores -> !scores {
      ^bb0(%y: f32, %row: i32, %column: i32):
        %twice = arith.addf %y, %y : f32
        pbsgpu.yield %twice : f32
      }
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %scaled : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %s, %o_out : !scores, !scores
    }
    pbsgpu.store_fragment %sum to %out[%i] : !scores, memref<?x64xf32>
    pbsgpu.store_fragment %o to %out[%i] : !scores, memref<?x64xf32>
    pbsgpu.return
  }

  // The first visit is one of the masked body, whichever list its block stands in. Then
  // come the other whole blocks, and the masked ones from the second visit on.
  // CHECK-LABEL: pbsgpu.kernel @two_bodies(
  // CHECK: memref<?x64xf32>,
  // CHECK-NEXT: %[[WHOLE:.*]]: index,
  // CHECK-NEXT: %[[MASKED:.*]]: index,
  pbsgpu.kernel @two_bodies(%counts: !counts, %indices: !indices, %v: !values, %i: index, %out: memref<?x64xf32>,
                            %whole: index, %masked: index, %x: f32) warps = 4 {
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[SECOND:.*]] = arith.constant 1 : i32
    // CHECK: %[[TILES:.*]] = arith.addi %[[WHOLE]], %[[MASKED]]
    // CHECK: scf.if
    // CHECK-NEXT: pbsgpu.mma
    // CHECK-NEXT: pbsgpu.map
    // CHECK-NEXT: ^bb0(
    // CHECK-NEXT: arith.negf
    // CHECK: %[[WHOLE_END:.*]] = arith.index_cast %[[WHOLE]] : index to i32
    // CHECK-NEXT: %[[STATE:.*]]:2 = scf.for %{{.*}} = %[[SECOND]] to %[[WHOLE_END]]
    // CHECK-COUNT-2: pbsgpu.mma
    // CHECK-NOT: pbsgpu.map
    // CHECK: scf.yield
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[BEGIN:.*]] = arith.maxui %[[WHOLE]], %[[C1]]
    // CHECK-NEXT: %[[BEGIN_I32:.*]] = arith.index_cast %[[BEGIN]] : index to i32
    // CHECK-NEXT: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: %[[LAST:.*]]:2 = scf.for %{{.*}} = %[[BEGIN_I32]] to %[[END]] step %{{.*}} iter_args(%{{.*}} = %[[STATE]]#0, %{{.*}} = %[[STATE]]#1)
    // CHECK-COUNT-2: pbsgpu.mma
    // CHECK: pbsgpu.map
    // CHECK-NEXT: ^bb0(
    // CHECK-NEXT: arith.negf
    // CHECK: scf.yield
    // CHECK-NEXT: }
    // CHECK: pbsgpu.mma %[[LAST]]#0, %{{.*}}, %[[LAST]]#1
    // CHECK-NOT: pbsgpu.mma
    // CHECK: } else {
    %c0 = arith.constant 0 : index
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %x : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %empty : !values, !tile
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%whole, %masked)
         walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
         carry(%0 : !scores) : !counts, !indices -> !scores load {} bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }, {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %kept = pbsgpu.map %s : !scores -> !scores {
      ^bb0(%y: f32, %row: i32, %column: i32):
        %negated = arith.negf %y : f32
        pbsgpu.yield %negated : f32
      }
      %p = pbsgpu.to_operand %kept : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.store_fragment %o to %out[%i] : !scores, memref<?x64xf32>
    pbsgpu.return
  }

  // From the end the other masked blocks come next. The first visit finds its key, that
  // of the last tile of its block, in the third value.
  // CHECK-LABEL: pbsgpu.kernel @from_end(
  // CHECK: memref<?x64xf32>,
  // CHECK-NEXT: %[[WHOLE:.*]]: index,
  // CHECK-NEXT: %[[MASKED:.*]]: index,
  // CHECK-NEXT: %[[FIRST:.*]]: index,
  pbsgpu.kernel @from_end(%counts: !counts, %indices: !indices, %v: !values, %i: index, %out: memref<?x64xf32>,
                          %whole: index, %masked: index, %first: index, %keys: memref<?xf32>, %x: f32) warps = 4 {
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
    // CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
    // CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
    // CHECK-DAG: %[[SECOND:.*]] = arith.constant 1 : i32
    // CHECK: %[[BLOCKS:.*]] = arith.addi %[[WHOLE]], %[[MASKED]]
    // CHECK-NEXT: %[[TILES:.*]] = arith.muli %[[BLOCKS]], %[[C2]]
    // CHECK: scf.if
    // CHECK-NEXT: %[[BLOCK_KEY:.*]] = arith.muli %[[FIRST]], %[[C128]]
    // CHECK-NEXT: %[[KEY:.*]] = arith.addi %[[BLOCK_KEY]], %[[C64]]
    // CHECK: memref.store %{{.*}}, %{{.*}}[%[[KEY]]]
    // CHECK: %[[MASKED_TILES:.*]] = arith.muli %[[MASKED]], %[[C2]]
    // CHECK-NEXT: %[[MASKED_END:.*]] = arith.index_cast %[[MASKED_TILES]] : index to i32
    // CHECK-NEXT: scf.for %{{.*}} = %[[SECOND]] to %[[MASKED_END]]
    // CHECK: memref.store
    // CHECK: scf.yield
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[BEGIN:.*]] = arith.maxui %[[MASKED_TILES]], %[[C1]]
    // CHECK-NEXT: %[[BEGIN_I32:.*]] = arith.index_cast %[[BEGIN]] : index to i32
    // CHECK-NEXT: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: scf.for %{{.*}} = %[[BEGIN_I32]] to %[[END]]
    // CHECK-NOT: memref.store
    // CHECK: } else {
    %c0 = arith.constant 0 : index
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %x : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %empty = pbsgpu.acquire %ring[%c0] : !ring -> !tile
    pbsgpu.copy_tile %v[%i] to %empty : !values, !tile
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%whole, %masked, %first)
         walk = list_from_end key_block = 128 key_tile = 64 ahead = 0 deferred
         carry(%0 : !scores) : !counts, !indices -> !scores load {} bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }, {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      memref.store %x, %keys[%key] : memref<?xf32>
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.store_fragment %o to %out[%i] : !scores, memref<?x64xf32>
    pbsgpu.return
  }

  // Copies that run ahead begin before the first visit, and each visit begins the next
  // one's before it reads the tile of the visit before.
  // CHECK-LABEL: pbsgpu.kernel @ahead(
  pbsgpu.kernel @ahead(%counts: !counts, %indices: !indices, %v: !values, %i: index, %out: memref<?x64xf32>, %x: f32) warps = 4 {
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK: %[[TILES:.*]] = arith.addi
    // CHECK-NEXT: %[[ANY:.*]] = arith.cmpi ugt, %[[TILES]], %[[C0]]
    // CHECK-NEXT: scf.if %[[ANY]] {
    // CHECK-NEXT: %{{.*}} = pbsgpu.acquire %[[RING:.*]][%[[C0]]]
    // CHECK-NEXT: pbsgpu.copy_tile
    // CHECK-NEXT: }
    // CHECK-NEXT: scf.if %[[ANY]] -> ({{.*}}) {
    // CHECK-NEXT: %[[HAS_SECOND:.*]] = arith.cmpi ugt, %[[TILES]], %[[C1]]
    // CHECK-NEXT: scf.if %[[HAS_SECOND]] {
    // CHECK: pbsgpu.acquire %[[RING]][%[[C1]]]
    // CHECK-NEXT: pbsgpu.copy_tile
    // CHECK-NEXT: }
    // CHECK: scf.for
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast
    // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[T]], %[[C1]]
    // CHECK-NEXT: %[[HAS_NEXT:.*]] = arith.cmpi ult, %[[NEXT]], %[[TILES]]
    // CHECK-NEXT: scf.if %[[HAS_NEXT]] {
    // CHECK: pbsgpu.acquire %[[RING]][%[[NEXT]]]
    // CHECK-NEXT: pbsgpu.copy_tile
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.mma
    // CHECK-NEXT: %[[BEFORE:.*]] = arith.subi %[[T]], %[[C1]]
    // CHECK-NEXT: pbsgpu.await %[[RING]][%[[BEFORE]]]
    %c0 = arith.constant 0 : index
    %q = pbsgpu.alloc_tile : !tile
    %0 = pbsgpu.splat %x : f32 -> !scores
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ahead
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 64 key_tile = 64 ahead = 1 deferred
         carry(%0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ahead -> !tile
      pbsgpu.copy_tile %v[%key] to %empty : !values, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o_in: !scores):
      %s = pbsgpu.mma %q, %q transposed, %0 : !tile, !tile, !scores
      %p = pbsgpu.to_operand %s : !scores -> !operand
      %tile = pbsgpu.await %ring[%visit] : !ahead -> !tile
      %o_out = pbsgpu.mma %p, %tile, %o_in : !operand, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %o_out : !scores
    }
    pbsgpu.store_fragment %o to %out[%i] : !scores, memref<?x64xf32>
    pbsgpu.return
  }
}

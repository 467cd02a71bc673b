// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbsgpu-lower-key-loop --canonicalize --cse | FileCheck %s
// RUN: pbs-opt %s --pbsgpu-lower-key-loop -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-lower-key-loop --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!fragment = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>

gpu.module @kernels {
  // CHECK-LABEL: pbsgpu.kernel @list(
  // CHECK-NEXT: %[[COUNTS:.*]]: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[K:.*]]: memref<?x64xf32>
  // CHECK-NEXT: %[[B:.*]]: index
  // CHECK-NEXT: %[[H:.*]]: index
  // CHECK-NEXT: %[[Q:.*]]: index
  // CHECK-NEXT: %[[X:.*]]: f32)
  // REMARK: remark: [Passed] KeyLoopLowered | Category:pbsgpu-lower-key-loop | Function=list | Ahead=0, TilesPerBlock=1, Walk=list
  pbsgpu.kernel @list(%counts: !counts, %indices: !indices, %k: memref<?x64xf32>, %b: index, %h: index, %q: index,
                      %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
    // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK-DAG: %[[STEP:.*]] = arith.constant 1 : i32
    // Counts are those of a list that fits, whatever memory holds.
    // CHECK: %[[CAPACITY:.*]] = memref.dim %[[INDICES]], %{{.*}}
    // CHECK: %[[WHOLE_I32:.*]] = memref.load %[[COUNTS]][%[[B]], %[[H]], %[[Q]], %[[C0]]]
    // CHECK: %[[WHOLE_GIVEN:.*]] = arith.index_cast %[[WHOLE_I32]]
    // CHECK: %[[WHOLE_FROM_0:.*]] = arith.maxsi %[[WHOLE_GIVEN]], %[[C0]]
    // CHECK: %[[WHOLE:.*]] = arith.minsi %[[WHOLE_FROM_0]], %[[CAPACITY]]
    // CHECK: %[[LEFT:.*]] = arith.subi %[[CAPACITY]], %[[WHOLE]]
    // CHECK: %[[MASKED_I32:.*]] = memref.load %[[COUNTS]][%[[B]], %[[H]], %[[Q]], %[[C1]]]
    // CHECK: %[[MASKED_GIVEN:.*]] = arith.index_cast %[[MASKED_I32]]
    // CHECK: %[[MASKED_FROM_0:.*]] = arith.maxsi %[[MASKED_GIVEN]], %[[C0]]
    // CHECK: %[[MASKED:.*]] = arith.minsi %[[MASKED_FROM_0]], %[[LEFT]]
    // CHECK: %[[TILES:.*]] = arith.addi %[[WHOLE]], %[[MASKED]]
    // The loops count in 32 bits.
    // CHECK: %[[WHOLE_END:.*]] = arith.index_cast %[[WHOLE]] : index to i32
    // CHECK-NEXT: %[[O1:.*]] = scf.for %{{.*}} = %[[ZERO]] to %[[WHOLE_END]] step %[[STEP]] iter_args(%[[IN:.*]] = %[[X]]) -> (f32) : i32 {
    // CHECK-NEXT: %[[OUT:.*]] = arith.negf %[[IN]]
    // CHECK-NEXT: scf.yield %[[OUT]]
    // CHECK: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: %[[O2:.*]] = scf.for %[[COUNTER:.*]] = %[[WHOLE_END]] to %[[END]] step %[[STEP]] iter_args(%{{.*}} = %[[O1]]) -> (f32) : i32 {
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast %[[COUNTER]] : i32 to index
    // CHECK-NEXT: %[[INDEX_I16:.*]] = memref.load %[[INDICES]][%[[B]], %[[H]], %[[Q]], %[[T]]]
    // CHECK-NEXT: %[[INDEX:.*]] = arith.index_castui %[[INDEX_I16]]
    // CHECK-NEXT: %[[KEY:.*]] = arith.muli %[[INDEX]], %[[C128]]
    // CHECK-NEXT: %[[OUT:.*]] = memref.load %[[K]][%[[KEY]], %[[T]]]
    // CHECK-NEXT: scf.yield %[[OUT]]
    // CHECK: pbsgpu.splat %[[O2]]
    %o, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %q from %c0 walk = list key_block = 128 key_tile = 128 ahead = 0
         carry(%x : f32) : !counts, !indices -> f32 load {} bodies {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = arith.negf %carried : f32
      pbsgpu.yield %y : f32
    }, {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = memref.load %k[%key, %visit] : memref<?x64xf32>
      pbsgpu.yield %y : f32
    }
    %f = pbsgpu.splat %o : f32 -> !fragment
    pbsgpu.store_fragment %f to %k[%q] : !fragment, memref<?x64xf32>
    pbsgpu.return
  }

  // Two tiles are copied before the loops and each visit copies the second next
  // one, if there is one. The copies go on from one loop to the other. The place of
  // the first key is loaded before the counts, to wait once for both.
  // CHECK-LABEL: pbsgpu.kernel @stages(
  // CHECK-NEXT: %[[COUNTS:.*]]: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[K:.*]]: memref<?x64xbf16>
  // REMARK: Function=stages | Ahead=2, TilesPerBlock=2, Walk=list
  pbsgpu.kernel @stages(%counts: !counts, %indices: !indices, %k: memref<?x64xbf16>, %b: index, %h: index, %q: index,
                        %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
    // CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
    // CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
    // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK-DAG: %[[STEP:.*]] = arith.constant 1 : i32
    // CHECK: %[[RING:.*]] = pbsgpu.alloc_ring
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 3>
    // CHECK-NEXT: %[[FIRST_I16:.*]] = memref.load %[[INDICES]][%{{.*}}, %{{.*}}, %{{.*}}, %[[C0]]]
    // CHECK-NEXT: %[[FIRST:.*]] = arith.index_castui %[[FIRST_I16]]
    // CHECK-NEXT: %[[FIRST_KEY:.*]] = arith.muli %[[FIRST]], %[[C128]]
    // CHECK: memref.load %[[COUNTS]]
    // CHECK: %[[BLOCKS:.*]] = arith.addi %[[WHOLE:.*]], %{{.*}} : index
    // CHECK-NEXT: %[[TILES:.*]] = arith.muli %[[BLOCKS]], %[[C2]]
    // CHECK-NEXT: %[[FIRST_SLOT:.*]] = pbsgpu.acquire %[[RING]][%[[C0]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[FIRST_KEY]]] to %[[FIRST_SLOT]]
    // CHECK-NEXT: pbsgpu.commit_copies
    // CHECK-NEXT: %[[MORE:.*]] = arith.cmpi ugt, %[[TILES]], %[[C1]]
    // CHECK-NEXT: scf.if %[[MORE]] {
    // CHECK: pbsgpu.acquire %[[RING]][%[[C1]]]
    // CHECK: pbsgpu.copy_tile
    // CHECK: }
    // CHECK-NEXT: pbsgpu.commit_copies
    // CHECK-NEXT: %[[WHOLE_TILES:.*]] = arith.muli %[[WHOLE]], %[[C2]]
    // CHECK-NEXT: %[[WHOLE_END:.*]] = arith.index_cast %[[WHOLE_TILES]] : index to i32
    // CHECK-NEXT: %[[O1:.*]] = scf.for %[[COUNTER:.*]] = %[[ZERO]] to %[[WHOLE_END]] step %[[STEP]]
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast %[[COUNTER]] : i32 to index
    // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[T]], %[[C2]]
    // CHECK-NEXT: %[[HAS_NEXT:.*]] = arith.cmpi ult, %[[NEXT]], %[[TILES]]
    // CHECK-NEXT: scf.if %[[HAS_NEXT]] {
    // CHECK-NEXT: %[[PLACE:.*]] = arith.divui %[[NEXT]], %[[C2]]
    // CHECK-NEXT: %[[INDEX_I16:.*]] = memref.load %[[INDICES]][%{{.*}}, %{{.*}}, %{{.*}}, %[[PLACE]]]
    // CHECK-NEXT: %[[INDEX:.*]] = arith.index_castui %[[INDEX_I16]]
    // CHECK-NEXT: %[[IN_BLOCK:.*]] = arith.remui %[[NEXT]], %[[C2]]
    // CHECK-NEXT: %[[BLOCK_KEY:.*]] = arith.muli %[[INDEX]], %[[C128]]
    // CHECK-NEXT: %[[TILE_KEY:.*]] = arith.muli %[[IN_BLOCK]], %[[C64]]
    // CHECK-NEXT: %[[KEY:.*]] = arith.addi %[[BLOCK_KEY]], %[[TILE_KEY]]
    // CHECK-NEXT: %[[SLOT:.*]] = pbsgpu.acquire %[[RING]][%[[NEXT]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[KEY]]] to %[[SLOT]]
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.commit_copies
    // CHECK-NEXT: pbsgpu.await_copies pending = 2
    // CHECK-NEXT: arith.negf
    // CHECK-NEXT: gpu.barrier
    // CHECK-NEXT: scf.yield
    // CHECK: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: scf.for %{{.*}} = %[[WHOLE_END]] to %[[END]] step %[[STEP]] iter_args(%{{.*}} = %[[O1]])
    // CHECK: pbsgpu.copy_tile
    // CHECK: pbsgpu.commit_copies
    // CHECK-NEXT: pbsgpu.await_copies pending = 2
    // CHECK-NEXT: math.absf
    // CHECK-NEXT: gpu.barrier
    %o, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %q from %c0 walk = list key_block = 128 key_tile = 64 ahead = 2
         carry(%x : f32) : !counts, !indices -> f32 load {
    ^bb0(%key: index, %visit: index):
      %slot = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 3> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %k[%key] to %slot : memref<?x64xbf16>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = arith.negf %carried : f32
      pbsgpu.yield %y : f32
    }, {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = math.absf %carried : f32
      pbsgpu.yield %y : f32
    }
    %f = pbsgpu.splat %o : f32 -> !fragment
    pbsgpu.store_fragment %f to %k[%q] : !fragment, memref<?x64xbf16>
    pbsgpu.return
  }

  // Rings that tell when they are full and empty: the loop waits for nothing
  // itself. Its visits are numbered from those of the loop before on, in the bodies
  // and in the copies that run ahead; keys are found by places in the list.
  // CHECK-LABEL: pbsgpu.kernel @signals(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[MAP:.*]]: !map_2d_64x64xbf16
  // CHECK-NEXT: %{{.*}}: memref<?xi64>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %[[FROM:.*]]: index)
  // REMARK: Function=signals | Ahead=1, TilesPerBlock=1, Walk=list
  pbsgpu.kernel @signals(%counts: !counts, %indices: !indices,
                         %map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %out: memref<?xi64>, %i: index,
                         %from: index) warps = 4 {
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK-NOT: pbsgpu.commit_copies
    // CHECK-NOT: pbsgpu.await_copies
    // CHECK-NOT: gpu.barrier
    // CHECK: %[[RING:.*]] = pbsgpu.alloc_ring
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    // CHECK: memref.load %[[INDICES]][{{.*}}, %[[C0]]]
    // CHECK: %[[TILES:.*]] = arith.addi
    // CHECK-NEXT: %[[ANY:.*]] = arith.cmpi ugt, %[[TILES]], %[[C0]]
    // CHECK-NEXT: scf.if %[[ANY]] {
    // CHECK-NEXT: %[[SLOT:.*]] = pbsgpu.acquire %[[RING]][%[[FROM]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[MAP]][%{{.*}}] to %[[SLOT]]
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[WHOLE_END:.*]] = arith.index_cast %{{.*}} : index to i32
    // CHECK-NEXT: scf.for %[[COUNTER:.*]] = %[[ZERO]] to %[[WHOLE_END]]
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast %[[COUNTER]] : i32 to index
    // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[T]], %[[C1]]
    // CHECK-NEXT: %[[HAS_NEXT:.*]] = arith.cmpi ult, %[[NEXT]], %[[TILES]]
    // CHECK-NEXT: scf.if %[[HAS_NEXT]] {
    // CHECK-NEXT: memref.load %[[INDICES]][{{.*}}, %[[NEXT]]]
    // CHECK: %[[NEXT_I32:.*]] = arith.index_cast %[[NEXT]] : index to i32
    // CHECK-NEXT: %[[FROM_I32:.*]] = arith.index_cast %[[FROM]] : index to i32
    // CHECK-NEXT: %[[NEXT_SUM:.*]] = arith.addi %[[NEXT_I32]], %[[FROM_I32]] : i32
    // CHECK-NEXT: %[[NEXT_VISIT:.*]] = arith.index_cast %[[NEXT_SUM]] : i32 to index
    // CHECK-NEXT: pbsgpu.acquire %[[RING]][%[[NEXT_VISIT]]]
    // CHECK-NEXT: pbsgpu.copy_tile
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[FROM_I32:.*]] = arith.index_cast %[[FROM]] : index to i32
    // CHECK-NEXT: %[[SUM:.*]] = arith.addi %[[COUNTER]], %[[FROM_I32]] : i32
    // CHECK-NEXT: %[[VISIT:.*]] = arith.index_cast %[[SUM]] : i32 to index
    // CHECK-NEXT: %[[FULL:.*]] = pbsgpu.await %[[RING]][%[[VISIT]]]
    // CHECK-NEXT: pbsgpu.release %[[FULL]]
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[TILES_I32:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: scf.for %{{.*}} = %[[WHOLE_END]] to %[[TILES_I32]]
    // CHECK: %[[MASKED:.*]] = pbsgpu.await %[[RING]]
    // CHECK-NEXT: pbsgpu.release %[[MASKED]]
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[FROM_I32:.*]] = arith.index_cast %[[FROM]] : index to i32
    // CHECK-NEXT: %[[AFTER:.*]] = arith.addi %[[TILES_I32]], %[[FROM_I32]] : i32
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %from walk = list key_block = 64 key_tile = 64 ahead = 1
        : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %slot = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %map[%key] to %slot : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.release %tile : !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.release %tile : !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield
    }
    // The next loop goes on where this one ended.
    // CHECK: %[[MORE_TILES:.*]] = arith.addi
    // CHECK-NEXT: arith.cmpi ugt, %[[MORE_TILES]], %[[C0]]
    // CHECK-NEXT: scf.if
    // CHECK-NEXT: %[[FIRST_VISIT:.*]] = arith.index_cast %[[AFTER]] : i32 to index
    // CHECK-NEXT: pbsgpu.acquire %[[RING]][%[[FIRST_VISIT]]]
    // CHECK-NOT: pbsgpu.commit_copies
    // CHECK-NOT: pbsgpu.await_copies
    // CHECK-NOT: gpu.barrier
    // CHECK: %[[MORE_I32:.*]] = arith.index_cast %[[MORE_TILES]] : index to i32
    // CHECK: %[[END:.*]] = arith.addi %[[MORE_I32]], %[[AFTER]] : i32
    // CHECK-NEXT: %[[LAST:.*]] = arith.index_cast %[[END]] : i32 to index
    // CHECK-NEXT: arith.index_cast %[[LAST]] : index to i64
    %last = pbsgpu.key_loop %counts, %indices[%i, %i, %from] of %i from %next walk = list key_block = 64 key_tile = 64 ahead = 1
        : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %slot = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %map[%key] to %slot : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    %last_i64 = arith.index_cast %last : index to i64
    memref.store %last_i64, %out[%i] : memref<?xi64>
    pbsgpu.return
  }

  // From the end of the list the masked blocks come first, and of each block its last
  // tile. Visits are numbered as they are made.
  // CHECK-LABEL: pbsgpu.kernel @from_end(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[K:.*]]: memref<?x64xf32>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %[[X:.*]]: f32)
  // REMARK: Function=from_end | Ahead=0, TilesPerBlock=2, Walk=list_from_end
  pbsgpu.kernel @from_end(%counts: !counts, %indices: !indices, %k: memref<?x64xf32>, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
    // CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
    // CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
    // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK: %[[WHOLE:.*]] = arith.minsi
    // CHECK: %[[MASKED:.*]] = arith.minsi
    // CHECK-NEXT: %[[BLOCKS:.*]] = arith.addi %[[WHOLE]], %[[MASKED]]
    // CHECK-NEXT: %[[TILES:.*]] = arith.muli %[[BLOCKS]], %[[C2]]
    // CHECK-NEXT: %[[MASKED_TILES:.*]] = arith.muli %[[MASKED]], %[[C2]]
    // CHECK-NEXT: %[[MASKED_END:.*]] = arith.index_cast %[[MASKED_TILES]] : index to i32
    // CHECK-NEXT: %[[O1:.*]] = scf.for %[[COUNTER:.*]] = %[[ZERO]] to %[[MASKED_END]] step %{{.*}} iter_args(%{{.*}} = %[[X]])
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast %[[COUNTER]] : i32 to index
    // CHECK-NEXT: %[[LAST:.*]] = arith.subi %[[TILES]], %[[C1]]
    // CHECK-NEXT: %[[TILE:.*]] = arith.subi %[[LAST]], %[[T]]
    // CHECK-NEXT: %[[PLACE:.*]] = arith.divui %[[TILE]], %[[C2]]
    // CHECK-NEXT: %[[INDEX_I16:.*]] = memref.load %[[INDICES]][%[[I]], %[[I]], %[[I]], %[[PLACE]]]
    // CHECK-NEXT: %[[INDEX:.*]] = arith.index_castui %[[INDEX_I16]]
    // CHECK-NEXT: %[[IN_BLOCK:.*]] = arith.remui %[[TILE]], %[[C2]]
    // CHECK-NEXT: %[[BLOCK_KEY:.*]] = arith.muli %[[INDEX]], %[[C128]]
    // CHECK-NEXT: %[[TILE_KEY:.*]] = arith.muli %[[IN_BLOCK]], %[[C64]]
    // CHECK-NEXT: %[[KEY:.*]] = arith.addi %[[BLOCK_KEY]], %[[TILE_KEY]]
    // CHECK-NEXT: %[[OUT:.*]] = memref.load %[[K]][%[[KEY]], %[[T]]]
    // CHECK-NEXT: scf.yield %[[OUT]]
    // CHECK: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: %[[O2:.*]] = scf.for %{{.*}} = %[[MASKED_END]] to %[[END]] step %{{.*}} iter_args(%[[IN:.*]] = %[[O1]])
    // CHECK-NEXT: arith.negf %[[IN]]
    // CHECK: memref.store %[[O2]]
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list_from_end key_block = 128 key_tile = 64 ahead = 0
         carry(%x : f32) : !counts, !indices -> f32 load {} bodies {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = arith.negf %carried : f32
      pbsgpu.yield %y : f32
    }, {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = memref.load %k[%key, %visit] : memref<?x64xf32>
      pbsgpu.yield %y : f32
    }
    memref.store %o, %k[%i, %i] : memref<?x64xf32>
    pbsgpu.return
  }

  // The place of the first tile is not known before the counts, and an empty list has
  // none: the copy asks, and its group is made in any case. One body visits all blocks
  // in one loop.
  // CHECK-LABEL: pbsgpu.kernel @ahead_from_end(
  // CHECK-NEXT: %[[COUNTS:.*]]: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // REMARK: Function=ahead_from_end | Ahead=1, TilesPerBlock=1, Walk=list_from_end
  pbsgpu.kernel @ahead_from_end(%counts: !counts, %indices: !indices, %k: memref<?x64xbf16>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK-NOT: memref.load %[[INDICES]]
    // CHECK: memref.load %[[COUNTS]]
    // CHECK-NOT: memref.load %[[INDICES]]
    // CHECK: %[[TILES:.*]] = arith.addi
    // CHECK-NEXT: %[[ANY:.*]] = arith.cmpi ugt, %[[TILES]], %[[C0]]
    // CHECK-NEXT: scf.if %[[ANY]] {
    // CHECK-NEXT: %[[LAST:.*]] = arith.subi %[[TILES]], %[[C1]]
    // CHECK-NEXT: memref.load %[[INDICES]][{{.*}}, %[[LAST]]]
    // CHECK: pbsgpu.copy_tile
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.commit_copies
    // CHECK-NEXT: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: scf.for %[[COUNTER:.*]] = %[[ZERO]] to %[[END]]
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast %[[COUNTER]] : i32 to index
    // CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[T]], %[[C1]]
    // CHECK-NEXT: %[[HAS_NEXT:.*]] = arith.cmpi ult, %[[NEXT]], %[[TILES]]
    // CHECK-NEXT: scf.if %[[HAS_NEXT]] {
    // CHECK-NEXT: %[[LAST:.*]] = arith.subi %[[TILES]], %[[C1]]
    // CHECK-NEXT: %[[PLACE:.*]] = arith.subi %[[LAST]], %[[NEXT]]
    // CHECK-NEXT: memref.load %[[INDICES]][{{.*}}, %[[PLACE]]]
    // CHECK: pbsgpu.acquire %{{.*}}[%[[NEXT]]]
    // CHECK-NEXT: pbsgpu.copy_tile
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.commit_copies
    // CHECK-NEXT: pbsgpu.await_copies pending = 1
    // CHECK-NEXT: gpu.barrier
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.return
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list_from_end key_block = 64 key_tile = 64 ahead = 1
        : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %slot = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %k[%key] to %slot : memref<?x64xbf16>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // Given lengths are taken as they are.
  // CHECK-LABEL: pbsgpu.kernel @lengths(
  // CHECK-NEXT: %[[COUNTS:.*]]: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %{{[^ ]*}}: index
  // CHECK-NEXT: %[[WHOLE:.*]]: index
  // CHECK-NEXT: %[[MASKED:.*]]: index
  pbsgpu.kernel @lengths(%counts: !counts, %indices: !indices, %i: index, %whole: index, %masked: index, %x: f32,
                         %out: memref<?xf32>) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK-NOT: memref
    // CHECK: %[[TILES:.*]] = arith.addi %[[WHOLE]], %[[MASKED]]
    // CHECK-NEXT: %[[WHOLE_END:.*]] = arith.index_cast %[[WHOLE]] : index to i32
    // CHECK-NEXT: scf.for %{{.*}} = %[[ZERO]] to %[[WHOLE_END]]
    // CHECK-NEXT: arith.negf
    // CHECK: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: scf.for %{{.*}} = %[[WHOLE_END]] to %[[END]]
    // CHECK-NEXT: math.absf
    // CHECK: memref.store
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%whole, %masked)
         walk = list key_block = 64 key_tile = 64 ahead = 0
         carry(%x : f32) : !counts, !indices -> f32 load {} bodies {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = arith.negf %carried : f32
      pbsgpu.yield %y : f32
    }, {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = math.absf %carried : f32
      pbsgpu.yield %y : f32
    }
    memref.store %o, %out[%i] : memref<?xf32>
    pbsgpu.return
  }

  // The first copy is that of the block which the third value names: it waits for
  // nothing in memory.
  // CHECK-LABEL: pbsgpu.kernel @first_block(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[K:.*]]: memref<?x64xbf16>
  // CHECK-NEXT: %{{[^ ]*}}: index
  // CHECK-NEXT: %{{[^ ]*}}: index
  // CHECK-NEXT: %{{[^ ]*}}: index
  // CHECK-NEXT: %[[FIRST:.*]]: index)
  pbsgpu.kernel @first_block(%counts: !counts, %indices: !indices, %k: memref<?x64xbf16>, %i: index, %whole: index,
                             %masked: index, %first: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
    // CHECK-NOT: memref.load
    // CHECK: %[[KEY:.*]] = arith.muli %[[FIRST]], %[[C128]]
    // CHECK-NOT: memref.load
    // CHECK: %[[SLOT:.*]] = pbsgpu.acquire
    // CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[KEY]]] to %[[SLOT]]
    // CHECK-NEXT: pbsgpu.commit_copies
    // CHECK: scf.for
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%whole, %masked, %first)
        walk = list key_block = 128 key_tile = 64 ahead = 1
        : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %slot = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %k[%key] to %slot : memref<?x64xbf16>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // What stands near the end runs before the visit when three are left, before the first
  // one of fewer, and behind the loop if there is none.
  // CHECK-LABEL: pbsgpu.kernel @near_end(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %[[X:.*]]: f32
  // CHECK-NEXT: %[[OUT:.*]]: memref<?xf32>)
  pbsgpu.kernel @near_end(%counts: !counts, %indices: !indices, %i: index, %x: f32, %out: memref<?xf32>) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
    // CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i32
    // CHECK: %[[TILES:.*]] = arith.addi
    // CHECK-NEXT: %[[LEFT:.*]] = arith.minui %[[TILES]], %[[C3]]
    // CHECK-NEXT: %[[TRIGGER:.*]] = arith.subi %[[TILES]], %[[LEFT]]
    // CHECK-NEXT: %[[END:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK-NEXT: %[[O:.*]] = scf.for %[[COUNTER:.*]] = %[[ZERO]] to %[[END]]
    // CHECK-NEXT: %[[T:.*]] = arith.index_cast %[[COUNTER]] : i32 to index
    // CHECK-NEXT: %[[IS_NEAR:.*]] = arith.cmpi eq, %[[T]], %[[TRIGGER]]
    // CHECK-NEXT: scf.if %[[IS_NEAR]] {
    // CHECK-NEXT: memref.store %[[X]], %[[OUT]][%[[I]]]
    // CHECK-NEXT: }
    // CHECK-NEXT: arith.negf
    // CHECK-NEXT: scf.yield
    // CHECK-NEXT: }
    // CHECK-NEXT: %[[IS_EMPTY:.*]] = arith.cmpi eq, %[[TILES]], %[[C0]]
    // CHECK-NEXT: scf.if %[[IS_EMPTY]] {
    // CHECK-NEXT: memref.store %[[X]], %[[OUT]][%[[I]]]
    // CHECK-NEXT: }
    // CHECK-NEXT: memref.store %[[O]], %[[OUT]][%[[I]]]
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 64 key_tile = 64 ahead = 0
         carry(%x : f32) : !counts, !indices -> f32 load {} near_end = 3 {
      memref.store %x, %out[%i] : memref<?xf32>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %carried: f32):
      %y = arith.negf %carried : f32
      pbsgpu.yield %y : f32
    }
    memref.store %o, %out[%i] : memref<?xf32>
    pbsgpu.return
  }

  // A block is listed if it stands at the cursor of either list.
  // CHECK-LABEL: pbsgpu.kernel @test(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[K:.*]]: memref<?x64xf32>
  // CHECK-NEXT: %{{[^ ]*}}: index
  // CHECK-NEXT: %{{[^ ]*}}: index
  // CHECK-NEXT: %{{[^ ]*}}: index
  // CHECK-NEXT: %[[N:.*]]: index
  // CHECK-NEXT: %[[X:.*]]: f32)
  // REMARK: Function=test | Ahead=0, TilesPerBlock=2, Walk=test
  pbsgpu.kernel @test(%counts: !counts, %indices: !indices, %k: memref<?x64xf32>, %b: index, %h: index, %q: index,
                      %n: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
    // CHECK: %[[CAPACITY:.*]] = memref.dim %[[INDICES]]
    // CHECK: %[[WHOLE:.*]] = arith.minsi %{{.*}}, %[[CAPACITY]]
    // CHECK: %[[MASKED:.*]] = arith.minsi
    // CHECK-NEXT: %[[LAST:.*]] = arith.subi %[[CAPACITY]], %[[C1]]
    // CHECK-NEXT: scf.for %[[BLOCK:.*]] = %[[C0]] to %[[N]] step %[[C1]] iter_args(%[[W:.*]] = %[[C0]], %[[M:.*]] = %[[C0]], %[[CARRIED:.*]] = %[[X]])
    // CHECK: %[[W_SAFE:.*]] = arith.minui %[[W]], %[[LAST]]
    // CHECK: %[[W_LEFT:.*]] = arith.cmpi ult, %[[W]], %[[WHOLE]]
    // CHECK: memref.load %[[INDICES]][{{.*}}, %[[W_SAFE]]]
    // CHECK: %[[W_SAME:.*]] = arith.cmpi eq, %{{.*}}, %[[BLOCK]]
    // CHECK: %[[IS_WHOLE:.*]] = arith.andi %[[W_LEFT]], %[[W_SAME]]
    // CHECK: %[[M_PLACE:.*]] = arith.addi %[[WHOLE]], %[[M]]
    // CHECK: %[[M_SAFE:.*]] = arith.minui %[[M_PLACE]], %[[LAST]]
    // CHECK: %[[M_LEFT:.*]] = arith.cmpi ult, %[[M]], %[[MASKED]]
    // CHECK: memref.load %[[INDICES]][{{.*}}, %[[M_SAFE]]]
    // CHECK: %[[M_SAME:.*]] = arith.cmpi eq, %{{.*}}, %[[BLOCK]]
    // CHECK: %[[IS_MASKED:.*]] = arith.andi %[[M_LEFT]], %[[M_SAME]]
    // CHECK: %[[W_STEP:.*]] = arith.index_castui %[[IS_WHOLE]]
    // CHECK: %[[W_NEXT:.*]] = arith.addi %[[W]], %[[W_STEP]]
    // CHECK: %[[M_STEP:.*]] = arith.index_castui %[[IS_MASKED]]
    // CHECK: %[[M_NEXT:.*]] = arith.addi %[[M]], %[[M_STEP]]
    // CHECK: %[[LISTED:.*]] = arith.ori %[[IS_WHOLE]], %[[IS_MASKED]]
    // CHECK: %[[OUT:.*]] = scf.if %[[LISTED]] -> (f32) {
    // CHECK: scf.for {{.*}} iter_args(%[[IN:.*]] = %[[CARRIED]])
    // CHECK: %[[Y:.*]] = memref.load %[[K]]
    // CHECK: arith.select %[[IS_MASKED]], %[[Y]], %[[IN]]
    // CHECK: } else {
    // CHECK-NEXT: scf.yield %[[CARRIED]]
    // CHECK: scf.yield %[[W_NEXT]], %[[M_NEXT]], %[[OUT]]
    %o, %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %n from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
         carry(%x : f32) : !counts, !indices -> f32 load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1, %carried: f32):
      %y = memref.load %k[%key, %visit] : memref<?x64xf32>
      %z = arith.select %masked, %y, %carried : f32
      pbsgpu.yield %z : f32
    }
    %f = pbsgpu.splat %o : f32 -> !fragment
    pbsgpu.store_fragment %f to %k[%n] : !fragment, memref<?x64xf32>
    pbsgpu.return
  }

  // Visits of listed blocks are numbered in order, tile after tile.
  // CHECK-LABEL: pbsgpu.kernel @test_numbers(
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x2xi32>
  // CHECK-NEXT: %{{.*}}: memref<?x4x?x?xi16>
  // CHECK-NEXT: %{{.*}}: memref<?xi64>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %[[FROM:.*]]: index)
  pbsgpu.kernel @test_numbers(%counts: !counts, %indices: !indices, %out: memref<?xi64>, %i: index, %from: index) warps = 4 {
    // CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
    // CHECK: %[[WHOLE:.*]] = arith.minsi
    // CHECK: %[[MASKED:.*]] = arith.minsi
    // CHECK: %[[BLOCKS:.*]] = arith.addi %[[WHOLE]], %[[MASKED]]
    // CHECK: %[[TILES:.*]] = arith.muli %[[BLOCKS]], %[[C2]]
    // CHECK: scf.for {{.*}} iter_args(%[[W:.*]] = %{{.*}}, %[[M:.*]] = %{{.*}})
    // CHECK: scf.for %[[T:.*]] =
    // CHECK: %[[BEFORE:.*]] = arith.addi %[[W]], %[[M]]
    // CHECK: %[[TILES_BEFORE:.*]] = arith.muli %[[BEFORE]], %[[C2]]
    // CHECK: %[[TILE:.*]] = arith.addi %[[TILES_BEFORE]], %[[T]]
    // CHECK: %[[TILE_I32:.*]] = arith.index_cast %[[TILE]] : index to i32
    // CHECK: %[[FROM_I32:.*]] = arith.index_cast %[[FROM]] : index to i32
    // CHECK: %[[SUM:.*]] = arith.addi %[[TILE_I32]], %[[FROM_I32]] : i32
    // CHECK: %[[VISIT:.*]] = arith.index_cast %[[SUM]] : i32 to index
    // CHECK: arith.index_cast %[[VISIT]] : index to i64
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %from walk = test key_block = 128 key_tile = 64 ahead = 0
        : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1):
      %visit_i64 = arith.index_cast %visit : index to i64
      memref.store %visit_i64, %out[%key] : memref<?xi64>
      pbsgpu.yield
    }
    // CHECK: %[[TILES_I32:.*]] = arith.index_cast %[[TILES]] : index to i32
    // CHECK: %[[FROM_I32:.*]] = arith.index_cast %[[FROM]] : index to i32
    // CHECK: %[[SUM:.*]] = arith.addi %[[TILES_I32]], %[[FROM_I32]] : i32
    // CHECK: %[[NEXT:.*]] = arith.index_cast %[[SUM]] : i32 to index
    // CHECK: arith.index_cast %[[NEXT]] : index to i64
    %next_i64 = arith.index_cast %next : index to i64
    memref.store %next_i64, %out[%i] : memref<?xi64>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @nothing_carried(
  // CHECK-NOT: pbsgpu.key_loop
  // CHECK: scf.if
  // CHECK-NEXT: scf.for
  // CHECK-NEXT: gpu.barrier
  pbsgpu.kernel @nothing_carried(%counts: !counts, %indices: !indices, %b: index, %h: index, %q: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %q from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1):
      gpu.barrier
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @nested(
  // CHECK-NOT: pbsgpu.key_loop
  // CHECK: pbsgpu.return
  pbsgpu.kernel @nested(%counts: !counts, %indices: !indices, %b: index, %h: index, %q: index) warps = 4 {
    %c0 = arith.constant 0 : index
    %next = pbsgpu.key_loop %counts, %indices[%b, %h, %q] of %q from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1):
      %inner_next = pbsgpu.key_loop %counts, %indices[%b, %h, %key] of %q from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
         : !counts, !indices load {} bodies {
      ^bb0(%inner_key: index, %inner_visit: index):
        gpu.barrier
        pbsgpu.yield
      }, {
      ^bb0(%inner_key: index, %inner_visit: index):
        gpu.barrier
        pbsgpu.yield
      }
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

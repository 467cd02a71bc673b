// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

// The first kernel sums the exponentials of each of the last queries over a
// chunk of keys. A CTA for each chunk and query head; a warp has 16 queries.
// CHECK-LABEL: gpu.module @per_query_head_kernels
// CHECK: pbsgpu.kernel @importance_log_sums(
// CHECK-NEXT: %[[Q:[^:]*]]: !strided_nx4xnx64xbf16 {pbs.name = "query"}
// CHECK-NEXT: %[[K:[^:]*]]: !strided_nx2xnx64xbf16 {pbs.name = "key"}
// CHECK-NEXT: %[[SUMS:[^:]*]]: memref<?x4x?x64xf32> {pbs.name = "log_sums"}) warps = 4
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK-DAG: %[[C1024:.*]] = arith.constant 1024 : index
// CHECK-DAG: %[[SCALE2:.*]] = arith.constant 0.180336878 : f32
// CHECK-DAG: %[[LEAST:.*]] = arith.constant 0xFF800000 : f32
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[NQ:.*]] = memref.dim %[[Q]], %[[C2]]
// CHECK: %[[NKV:.*]] = memref.dim %[[K]], %[[C2]]
// CHECK: %[[ROWS:.*]] = arith.minsi %[[NQ]], %[[C64]]
// CHECK: %[[FIRST:.*]] = arith.subi %[[NQ]], %[[ROWS]]
// CHECK: %[[SEGMENTS:.*]] = arith.divui %[[NKV]], %[[C256]]
// CHECK: %[[COMPLETE:.*]] = arith.muli %[[SEGMENTS]], %[[C256]]
// CHECK: %[[Q_TILE:.*]] = pbsgpu.alloc_tile : !tile_64x64xbf16
// CHECK: %[[K_TILE:.*]] = pbsgpu.alloc_tile : !tile_128x64xbf16
// CHECK: %[[CHUNK:.*]] = gpu.block_id x
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[KH:.*]] = arith.divui %[[H]], %[[C2]]
// CHECK: %[[BEGIN:.*]] = arith.muli %[[CHUNK]], %[[C1024]]
// CHECK: %[[CHUNK_END:.*]] = arith.addi %[[BEGIN]], %[[C1024]]
// CHECK: %[[END:.*]] = arith.minsi %[[CHUNK_END]], %[[COMPLETE]]
// CHECK: pbsgpu.copy_tile %[[Q]][%[[B]], %[[H]], %[[FIRST]]] to %[[Q_TILE]]
// CHECK: %[[STATE:.*]]:2 = scf.for %[[PLACE:.*]] = %[[BEGIN]] to %[[END]] step %[[C128]] iter_args(%[[MAX:.*]] = %{{.*}}, %[[SUM:.*]] = %{{.*}})
// CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[B]], %[[KH]], %[[PLACE]]] to %[[K_TILE]]
// CHECK-NEXT: pbsgpu.await_copies
// CHECK: %[[SCORES:.*]] = pbsgpu.mma %[[Q_TILE]], %[[K_TILE]] transposed
// Keys of the next chunk and of the tail do not count.
// CHECK: %[[LEFT:.*]] = arith.subi %[[END]], %[[PLACE]]
// CHECK: %[[LEFT32:.*]] = arith.index_cast %[[LEFT]] : index to i32
// CHECK: %[[KEPT:.*]] = pbsgpu.map %[[SCORES]] :
// CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %{{.*}}: i32, %[[COLUMN:.*]]: i32):
// CHECK-NEXT: %[[PRESENT:.*]] = arith.cmpi slt, %[[COLUMN]], %[[LEFT32]]
// CHECK-NEXT: %[[MASKED:.*]] = arith.select %[[PRESENT]], %[[X]], %[[LEAST]]
// CHECK-NEXT: pbsgpu.yield %[[MASKED]]
// CHECK: %[[TILE_MAX:.*]] = pbsgpu.row_reduce max %[[KEPT]]
// CHECK: %[[NEW_MAX:.*]] = pbsgpu.map %[[MAX]], %[[TILE_MAX]]
// CHECK: arith.maxnumf
// CHECK: %[[SHIFT:.*]] = pbsgpu.map %[[NEW_MAX]]
// CHECK: %[[RESCALE:.*]] = pbsgpu.map %[[MAX]], %[[SHIFT]]
// CHECK: math.fma %{{.*}}, %[[SCALE2]]
// CHECK: math.exp2
// CHECK: %[[SHIFTS:.*]] = pbsgpu.row_broadcast %[[SHIFT]]
// CHECK: %[[WEIGHTS:.*]] = pbsgpu.map %[[KEPT]], %[[SHIFTS]]
// CHECK: math.exp2
// The lanes of a row add up what they have behind the loop.
// CHECK: %[[TILE_SUM:.*]] = pbsgpu.row_reduce sum %[[WEIGHTS]] : !accumulator_64x128xf32_4w -> !accumulator_64x4xf32_4w
// CHECK: %[[RESCALES:.*]] = pbsgpu.row_broadcast %[[RESCALE]] : !accumulator_64x1xf32_4w -> !accumulator_64x4xf32_4w
// CHECK: %[[NEW_SUM:.*]] = pbsgpu.map %[[SUM]], %[[RESCALES]], %[[TILE_SUM]]
// CHECK: gpu.barrier
// CHECK-NEXT: scf.yield %[[NEW_MAX]], %[[NEW_SUM]]
// CHECK: %[[FINAL_SHIFT:.*]] = pbsgpu.map %[[STATE]]#0
// CHECK: %[[FINAL_SUM:.*]] = pbsgpu.row_reduce sum %[[STATE]]#1 : !accumulator_64x4xf32_4w -> !accumulator_64x1xf32_4w
// CHECK: %[[LOG_SUM:.*]] = pbsgpu.map %[[FINAL_SUM]], %[[FINAL_SHIFT]]
// CHECK: math.log2
// CHECK: pbsgpu.store_fragment %[[LOG_SUM]] to %[[SUMS]][%[[B]], %[[H]], %[[CHUNK]], %[[C0]]]
// CHECK-NEXT: pbsgpu.return

// The second multiplies again with keys as rows, 16 a warp, once the sums of
// all chunks are one.
// CHECK: pbsgpu.kernel @importance(
// CHECK-NEXT: %[[Q:[^:]*]]: {{[^{]*}} {pbs.name = "query"}
// CHECK-NEXT: %[[K:[^:]*]]: {{[^{]*}} {pbs.name = "key"}
// CHECK-NEXT: %[[SUMS:[^:]*]]: memref<?x4x?x64xf32> {pbs.name = "log_sums"}
// CHECK-NEXT: %[[I:[^:]*]]: memref<?x4x?xf32> {pbs.name = "importance"}) warps = 8
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[ROWS:.*]] = arith.minsi
// CHECK: %[[COMPLETE:.*]] = arith.muli
// CHECK: %[[Q_TILE:.*]] = pbsgpu.alloc_tile : !tile_64x64xbf16
// CHECK: %[[K_TILE:.*]] = pbsgpu.alloc_tile : !tile_128x64xbf16
// CHECK: %[[X:.*]] = gpu.block_id x
// CHECK: %[[PLACE:.*]] = arith.muli %[[X]], %{{.*}}
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: pbsgpu.copy_tile %[[K]][%[[B]], %{{.*}}, %[[PLACE]]] to %[[K_TILE]]
// CHECK: %[[COMBINED:.*]] = memref.alloca() : memref<64xf32, #gpu.address_space<workgroup>>
// CHECK: pbsgpu.copy_tile %[[Q]][%[[B]], %[[H]], %{{.*}}] to %[[Q_TILE]]
// CHECK: %[[CHUNKS:.*]] = memref.dim %[[SUMS]]
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: scf.for %[[ROW:.*]] = %[[T]] to
// CHECK: %[[MAX:.*]] = scf.for %[[CHUNK:.*]] = %{{.*}} to %[[CHUNKS]]
// CHECK: memref.load %[[SUMS]][%[[B]], %[[H]], %[[CHUNK]], %[[ROW]]]
// CHECK: arith.maxnumf
// CHECK: %[[SUM:.*]] = scf.for %[[CHUNK:.*]] = %{{.*}} to %[[CHUNKS]]
// CHECK: %[[PART:.*]] = memref.load %[[SUMS]][%[[B]], %[[H]], %[[CHUNK]], %[[ROW]]]
// CHECK: arith.subf %[[PART]], %[[MAX]]
// CHECK: math.exp2
// CHECK: %[[LOG:.*]] = math.log2 %[[SUM]]
// CHECK: %[[ALL:.*]] = arith.addf %[[MAX]], %[[LOG]]
// CHECK: memref.store %[[ALL]], %[[COMBINED]][%[[ROW]]]
// CHECK: pbsgpu.await_copies
// CHECK-NEXT: gpu.barrier
// CHECK: %[[SCORES:.*]] = pbsgpu.mma %[[K_TILE]], %[[Q_TILE]] transposed
// CHECK: %[[WEIGHTS:.*]] = pbsgpu.map %[[SCORES]] :
// CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: i32, %[[COLUMN:.*]]: i32):
// CHECK: memref.load %[[COMBINED]]
// CHECK: math.exp2
// CHECK: arith.cmpi slt, %[[COLUMN]]
// CHECK: %[[SUM:.*]] = pbsgpu.row_reduce sum %[[WEIGHTS]]
// CHECK: gpu.barrier
// CHECK: arith.uitofp
// CHECK: %[[PRESENT:.*]] = arith.subi %[[COMPLETE]], %[[PLACE]]
// CHECK: %[[MEAN:.*]] = pbsgpu.map
// CHECK: arith.divf
// CHECK: pbsgpu.store_fragment %[[MEAN]] to %[[I]][%[[B]], %[[H]], %[[PLACE]]]
// CHECK-NEXT: pbsgpu.return

// CHECK-LABEL: pbsgpu.plan @per_query_head
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[C1024:.*]] = arith.constant 1024 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "B"
// CHECK-DAG: %[[NQ:.*]] = pbsgpu.size "Nq"
// CHECK-DAG: %[[NKV:.*]] = pbsgpu.size "Nkv"
// CHECK: %[[Q:.*]] = pbsgpu.argument "q" input [%[[B]], 4, %[[NQ]], 64]
// CHECK: %[[K:.*]] = pbsgpu.argument "k" input [%[[B]], 2, %[[NKV]], 64]
// CHECK: %[[CHUNKS:.*]] = arith.ceildivsi %[[NKV]], %[[C1024]]
// CHECK: %[[SUMS:.*]] = pbsgpu.buffer "log_sums" [%[[B]], 4, %[[CHUNKS]], 64]
// CHECK: %[[I:.*]] = pbsgpu.argument "i" output [%[[B]], 4, %[[NKV]]]
// CHECK: pbsgpu.require %{{.*}}, "B is at most 65535"
// CHECK: pbsgpu.require %{{.*}}, "Nq is at most Nkv"
// CHECK: pbsgpu.require %{{.*}}, "Nkv is at most 2097152, 16384 key blocks"
// CHECK-NOT: pbsgpu.require
// CHECK: pbsgpu.launch @per_query_head_kernels::@importance_log_sums grid(%[[CHUNKS]], %[[C4]], %[[B]])
// CHECK-NEXT: arguments(%[[Q]], %[[K]], %[[SUMS]] :
// CHECK: %[[TILES:.*]] = arith.ceildivsi %[[NKV]], %[[C128]]
// CHECK: pbsgpu.launch @per_query_head_kernels::@importance grid(%[[TILES]], %[[C4]], %[[B]])
// CHECK-NEXT: arguments(%[[Q]], %[[K]], %[[SUMS]], %[[I]] :
func.func @per_query_head(%q: tensor<?x4x?x64xbf16> {pbs.name = "q"}, %k: tensor<?x2x?x64xbf16> {pbs.name = "k"})
    -> (tensor<?x4x?xf32> {pbs.name = "i"}) {
  %i = pbs.importance %q, %k query_block = 64 segment = 256 scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  return %i : tensor<?x4x?xf32>
}

// For an order of each key head the second kernel adds the query heads that
// share it; the first has a CTA for each query head as before.
// CHECK-LABEL: pbsgpu.kernel @importance1(
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
// CHECK: %[[ROWS:.*]] = arith.minsi
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: pbsgpu.copy_tile %{{.*}}[%[[B:.*]], %[[H]], %{{.*}}] to
// CHECK: scf.for %[[I:.*]] = %[[C0]] to %[[C3]] step %[[C1]] iter_args(%[[TOTAL:.*]] = %{{.*}}) -> (!accumulator_128x1xf32_8w)
// CHECK-NEXT: %[[OTHERS:.*]] = arith.muli %[[H]], %[[C3]]
// CHECK-NEXT: %[[QH:.*]] = arith.addi %[[OTHERS]], %[[I]]
// CHECK-NEXT: pbsgpu.copy_tile %{{.*}}[%[[B]], %[[QH]], %{{.*}}] to
// CHECK: memref.load %{{.*}}[%[[B]], %[[QH]], %{{.*}}, %{{.*}}]
// CHECK: pbsgpu.mma
// CHECK: gpu.barrier
// CHECK: %[[NEXT:.*]] = pbsgpu.map %[[TOTAL]], %{{.*}}
// CHECK: scf.yield %[[NEXT]]
// CHECK: arith.muli %[[ROWS]], %[[C3]]
// CHECK-LABEL: pbsgpu.plan @per_key_head
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C6:.*]] = arith.constant 6 : index
// CHECK: pbsgpu.launch @per_key_head_kernels::@importance_log_sums1 grid(%{{.*}}, %[[C6]], %{{.*}})
// CHECK: pbsgpu.launch @per_key_head_kernels::@importance1 grid(%{{.*}}, %[[C2]], %{{.*}})
func.func @per_key_head(%q: tensor<?x6x?x128xf16>, %k: tensor<?x2x?x128xf16>) -> tensor<?x2x?xf32> {
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<?x6x?x128xf16>, tensor<?x2x?x128xf16> -> tensor<?x2x?xf32>
  return %i : tensor<?x2x?xf32>
}

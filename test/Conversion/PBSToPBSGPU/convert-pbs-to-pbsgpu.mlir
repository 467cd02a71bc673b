// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-choose-schedule=schedule=key-tile=64,warps=4 --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s
// RUN: pbs-opt %s --pbs-choose-schedule=schedule=key-tile=64,warps=4 --convert-pbs-to-pbsgpu -o /dev/null --remarks-filter=convert-pbs-to-pbsgpu \
// RUN:   --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: remark: [Passed] AttentionConverted | Category:convert-pbs-to-pbsgpu | Function=prefill | Gathers={{(true|false)}}, KeyTile=64, {{(MaskedBlocksAtMost=[0-9]+, )?}}Warps=4
// REMARK: remark: [Passed] EntryConverted | Category:convert-pbs-to-pbsgpu | Function=prefill | Kernels=1, Launches=1, WorkspaceBytes=0

// CHECK-NOT: func.func @prefill
// CHECK: gpu.module @prefill_kernels
// CHECK-LABEL: pbsgpu.kernel @attention(
// CHECK-NEXT: %[[Q:[^ ]*]]: !strided_nx32xnx128xbf16
// CHECK-NEXT: %[[K:[^ ]*]]: !strided_nx8xnx128xbf16
// CHECK-NEXT: %[[V:[^ ]*]]: !strided_nx8xnx128xbf16
// CHECK-NEXT: %[[P:[^ ]*]]: memref<?x32x?xi32>
// CHECK-NEXT: %[[COUNTS:[^ ]*]]: memref<?x32x?x2xi32>
// CHECK-NEXT: %[[INDICES:[^ ]*]]: memref<?x32x?x?xi16>
// CHECK-NEXT: %[[OUT:[^ ]*]]: !strided_nx32xnx128xbf16
// CHECK-NEXT: %[[LSE:[^ ]*]]: memref<?x32x?xf32>{{.*}}) warps = 4
// The CTA's place.
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[SCALE:.*]] = arith.constant 0.180336878 : f32
// CHECK-DAG: %[[NEGATED_SCALE:.*]] = arith.constant -0.180336878 : f32
// CHECK-DAG: %[[LN2:.*]] = arith.constant 0.693147182 : f32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[INF:.*]] = arith.constant 0xFF800000 : f32
// CHECK-DAG: %[[LEAST:.*]] = arith.constant -3.40282347E+38 : f32
// CHECK-DAG: %[[BEHIND_ALL:.*]] = arith.constant 2147483647 : i32
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C127:.*]] = arith.constant 127 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK: %[[X:.*]] = gpu.block_id x
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[KH:.*]] = arith.divui %[[H]], %[[C4]]
// CHECK: %[[NQ:.*]] = memref.dim %[[Q]], %[[C2]]
// CHECK: %[[LAST_ROW:.*]] = arith.subi %[[NQ]], %[[C1]]
// CHECK: %[[LAST_BLOCK:.*]] = arith.divui %[[LAST_ROW]], %[[C128]]
// CHECK: %[[QB:.*]] = arith.subi %[[LAST_BLOCK]], %[[X]]
// CHECK: %[[ROW:.*]] = arith.muli %[[QB]], %[[C128]]
// CHECK: %[[NKV:.*]] = memref.dim %[[K]], %[[C2]]
// CHECK: %[[ROUNDED:.*]] = arith.addi %[[NKV]], %[[C127]]
// CHECK: %[[BLOCKS:.*]] = arith.divui %[[ROUNDED]], %[[C128]]
// CHECK: %[[AHEAD:.*]] = arith.subi %[[NKV]], %[[NQ]]
// CHECK: %[[FIRST:.*]] = arith.addi %[[ROW]], %[[AHEAD]]
// CHECK: %[[POSITION:.*]] = arith.index_cast %[[FIRST]]
// Tiles and the key loop.
// CHECK: %[[Q_TILE:.*]] = pbsgpu.alloc_tile : !tile_128x128xbf16
// CHECK: %[[K_TILE:.*]] = pbsgpu.alloc_tile : !tile_64x128xbf16
// CHECK: %[[V_TILE:.*]] = pbsgpu.alloc_tile : !tile_64x128xbf16
// CHECK: pbsgpu.copy_tile %[[Q]][%[[B]], %[[H]], %[[ROW]]] to %[[Q_TILE]]
// CHECK: %[[O0:.*]] = pbsgpu.splat %[[ZERO]] : f32 -> !accumulator_128x128xf32_4w
// CHECK: %[[M0:.*]] = pbsgpu.splat %[[INF]] : f32 -> !accumulator_128x1xf32_4w
// CHECK: %[[L0:.*]] = pbsgpu.splat %[[ZERO]] : f32 -> !accumulator_128x4xf32_4w
// CHECK: %[[LOOP:.*]]:3, %{{.*}} = pbsgpu.key_loop %[[COUNTS]], %[[INDICES]][%[[B]], %[[H]], %[[QB]]] of %[[BLOCKS]] from %[[C0]]{{$}}
// CHECK-NEXT: walk = test key_block = 128 key_tile = 64 ahead = 0
// CHECK-NEXT: carry(%[[O0]], %[[M0]], %[[L0]]
// CHECK: ^bb0(%[[KEY:.*]]: index, %{{.*}}: index, %[[MASKED:.*]]: i1, %[[O_IN:[^ ]*]]: !accumulator_128x128xf32_4w, %[[M_IN:[^ ]*]]: !accumulator_128x1xf32_4w, %[[L_IN:[^ ]*]]: !accumulator_128x4xf32_4w):
// CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[B]], %[[KH]], %[[KEY]]] through %[[P]][%[[B]], %[[H]]] to %[[K_TILE]]
// CHECK-NEXT: pbsgpu.copy_tile %[[V]][%[[B]], %[[KH]], %[[KEY]]] through %[[P]][%[[B]], %[[H]]] to %[[V_TILE]]
// CHECK-NEXT: pbsgpu.await_copies
// CHECK-NEXT: %[[S0:.*]] = pbsgpu.splat %[[ZERO]]
// CHECK-NEXT: %[[S:.*]] = pbsgpu.mma %[[Q_TILE]], %[[K_TILE]] transposed, %[[S0]]
// The mask, on original positions. Places beyond the last key stand behind all rows.
// CHECK: %[[KEY_I32:.*]] = arith.index_cast %[[KEY]]
// CHECK: %[[NKV_I32:.*]] = arith.index_cast %[[NKV]]
// CHECK: %[[KEPT:.*]] = pbsgpu.map %[[S]] if %[[MASKED]]
// CHECK-NEXT: ^bb0(%[[SCORE:.*]]: f32, %[[R:.*]]: i32, %[[C:.*]]: i32):
// CHECK-NEXT: %[[PLACE:.*]] = arith.addi %[[KEY_I32]], %[[C]]
// CHECK-NEXT: %[[INSIDE:.*]] = arith.cmpi slt, %[[PLACE]], %[[NKV_I32]]
// CHECK-NEXT: %[[LAST:.*]] = arith.subi %[[NKV_I32]], %[[ONE]]
// CHECK-NEXT: %[[SAFE:.*]] = arith.minsi %[[PLACE]], %[[LAST]]
// CHECK-NEXT: %[[SAFE_INDEX:.*]] = arith.index_cast %[[SAFE]]
// CHECK-NEXT: %[[KEY_POSITION:.*]] = memref.load %[[P]][%[[B]], %[[H]], %[[SAFE_INDEX]]]
// CHECK-NEXT: %[[COMPARED:.*]] = arith.select %[[INSIDE]], %[[KEY_POSITION]], %[[BEHIND_ALL]]
// CHECK-NEXT: %[[ROW_POSITION:.*]] = arith.addi %[[POSITION]], %[[R]]
// CHECK-NEXT: %[[KEEP:.*]] = arith.cmpi sle, %[[COMPARED]], %[[ROW_POSITION]]
// CHECK-NEXT: arith.select %[[KEEP]], %[[SCORE]], %[[INF]]
// Running maximum, weights, and the sums that each lane holds.
// CHECK: %[[TILE_M:.*]] = pbsgpu.row_reduce max %[[KEPT]]
// CHECK: %[[M_OUT:.*]] = pbsgpu.map %[[M_IN]], %[[TILE_M]]
// CHECK: arith.maxnumf
// CHECK: %[[SHIFT:.*]] = pbsgpu.map %[[M_OUT]]
// CHECK-NEXT: ^bb0(%[[MAXIMUM:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32):
// CHECK-NEXT: %[[FINITE:.*]] = arith.maxnumf %[[MAXIMUM]], %[[LEAST]]
// CHECK-NEXT: arith.mulf %[[FINITE]], %[[NEGATED_SCALE]]
// CHECK: %[[RESCALE:.*]] = pbsgpu.map %[[M_IN]], %[[SHIFT]]
// CHECK: math.fma %{{.*}}, %[[SCALE]], %{{.*}}
// CHECK: math.exp2 %{{.*}} fastmath<afn>
// CHECK: %[[SHIFTS:.*]] = pbsgpu.row_broadcast %[[SHIFT]]
// CHECK: %[[WEIGHTS:.*]] = pbsgpu.map %[[KEPT]], %[[SHIFTS]]
// CHECK: math.fma %{{.*}}, %[[SCALE]], %{{.*}}
// CHECK: math.exp2 %{{.*}} fastmath<afn>
// CHECK: %[[TILE_L:.*]] = pbsgpu.row_reduce sum %[[WEIGHTS]] : !accumulator_128x64xf32_4w -> !accumulator_128x4xf32_4w
// CHECK: %[[RESCALE_L:.*]] = pbsgpu.row_broadcast %[[RESCALE]] : !accumulator_128x1xf32_4w -> !accumulator_128x4xf32_4w
// CHECK: %[[L_OUT:.*]] = pbsgpu.map %[[L_IN]], %[[RESCALE_L]], %[[TILE_L]]
// CHECK: math.fma
// CHECK: %[[RESCALES:.*]] = pbsgpu.row_broadcast %[[RESCALE]] : !accumulator_128x1xf32_4w -> !accumulator_128x128xf32_4w
// CHECK: %[[RESCALED:.*]] = pbsgpu.map %[[O_IN]], %[[RESCALES]]
// CHECK: %[[OPERAND:.*]] = pbsgpu.to_operand %[[WEIGHTS]]
// CHECK: %[[O_OUT:.*]] = pbsgpu.mma %[[OPERAND]], %[[V_TILE]], %[[RESCALED]]
// CHECK-NEXT: gpu.barrier
// CHECK-NEXT: pbsgpu.yield %[[O_OUT]], %[[M_OUT]], %[[L_OUT]]
// The epilogue, which adds up what the lanes of a row hold.
// CHECK: %[[SUM:.*]] = pbsgpu.row_reduce sum %[[LOOP]]#2 : !accumulator_128x4xf32_4w -> !accumulator_128x1xf32_4w
// CHECK: %[[INVERSE:.*]] = pbsgpu.map %[[SUM]]
// CHECK: %[[INVERSES:.*]] = pbsgpu.row_broadcast %[[INVERSE]]
// CHECK: %[[O:.*]] = pbsgpu.map %[[LOOP]]#0, %[[INVERSES]]
// CHECK: pbsgpu.store_fragment %[[O]] to %[[OUT]][%[[B]], %[[H]], %[[ROW]]]
// CHECK: %[[FINAL_SHIFT:.*]] = pbsgpu.map %[[LOOP]]#1
// CHECK: %[[L:.*]] = pbsgpu.map %[[SUM]], %[[FINAL_SHIFT]]
// CHECK: math.log2 %{{.*}} fastmath<afn>
// CHECK: arith.mulf %{{.*}}, %[[LN2]]
// CHECK: pbsgpu.store_fragment %[[L]] to %[[LSE]][%[[B]], %[[H]], %[[ROW]]]
// CHECK: pbsgpu.return

// CHECK-LABEL: pbsgpu.plan @prefill
// CHECK-DAG: %[[MAX_KEYS:.*]] = arith.constant 2097152 : index
// CHECK-DAG: %[[MAX_GRID:.*]] = arith.constant 65535 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK: %[[B:.*]] = pbsgpu.size "B"
// CHECK-NEXT: %[[NQ:.*]] = pbsgpu.size "Nq"
// CHECK-NEXT: %[[NKV:.*]] = pbsgpu.size "Nkv"
// CHECK-NEXT: %[[QB:.*]] = arith.ceildivsi %[[NQ]], %[[C128]]
// CHECK-NEXT: %[[CAPACITY:.*]] = pbsgpu.size "C"
// CHECK-NEXT: %[[Q:.*]] = pbsgpu.argument "q" input [%[[B]], 32, %[[NQ]], 128] align 16 : !strided_nx32xnx128xbf16
// CHECK-NEXT: %[[K:.*]] = pbsgpu.argument "k" input [%[[B]], 8, %[[NKV]], 128] align 16
// CHECK-NEXT: %[[V:.*]] = pbsgpu.argument "v" input [%[[B]], 8, %[[NKV]], 128] align 16
// CHECK-NEXT: %[[P:.*]] = pbsgpu.argument "permutation" input [%[[B]], 32, %[[NKV]]] align 4 contents = {kind = "permutation", segment = 256 : i64} : memref<?x32x?xi32>
// CHECK-NEXT: %[[COUNTS:.*]] = pbsgpu.argument "counts" input [%[[B]], 32, %[[QB]], 2] align 4
// CHECK-SAME: contents = {causal = true, indices = "indices", key_block = 128 : i64, key_length = "Nkv", kind = "selection_counts", permutation = "permutation", query_block = 128 : i64, query_length = "Nq"}
// CHECK-NEXT: %[[INDICES:.*]] = pbsgpu.argument "indices" input [%[[B]], 32, %[[QB]], %[[CAPACITY]]] align 2 contents = {counts = "counts", kind = "selection_indices"} : memref<?x32x?x?xi16>
// CHECK-NEXT: %[[OUT:.*]] = pbsgpu.argument "out" output [%[[B]], 32, %[[NQ]], 128] align 16 : !strided_nx32xnx128xbf16
// CHECK-NEXT: %[[LSE:.*]] = pbsgpu.argument "lse" output [%[[B]], 32, %[[NQ]]] align 4 : memref<?x32x?xf32>
// CHECK-NEXT: %[[LENGTHS:.*]] = arith.cmpi sle, %[[NQ]], %[[NKV]]
// CHECK-NEXT: pbsgpu.require %[[LENGTHS]], "Nq is at most Nkv"
// CHECK-NEXT: %[[KEYS:.*]] = arith.cmpi sle, %[[NKV]], %[[MAX_KEYS]]
// CHECK-NEXT: pbsgpu.require %[[KEYS]], "Nkv is at most 2097152, 16384 key blocks"
// CHECK-NEXT: %[[BATCH:.*]] = arith.cmpi sle, %[[B]], %[[MAX_GRID]]
// CHECK-NEXT: pbsgpu.require %[[BATCH]], "B is at most 65535"
// CHECK-NEXT: pbsgpu.launch @prefill_kernels::@attention grid(%[[QB]], %[[C32]], %[[B]])
// CHECK-NEXT: arguments(%[[Q]], %[[K]], %[[V]], %[[P]], %[[COUNTS]], %[[INDICES]], %[[OUT]], %[[LSE]] :
func.func @prefill(%q: tensor<?x32x?x128xbf16> {pbs.name = "q"}, %k: tensor<?x8x?x128xbf16> {pbs.name = "k"},
    %v: tensor<?x8x?x128xbf16> {pbs.name = "v"}, %p: !pbs.permutation<heads = 32, segment = 256> {pbs.name = "permutation"},
    %s: !pbs.selection<128x128> {pbs.name = "selection"})
    -> (tensor<?x32x?x128xbf16> {pbs.name = "out"}, tensor<?x32x?xf32> {pbs.name = "lse"}) {
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x32x?x128xbf16>, tensor<?x8x?x128xbf16>, tensor<?x8x?x128xbf16>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 32, segment = 256> -> tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
  return %out, %lse : tensor<?x32x?x128xbf16>, tensor<?x32x?xf32>
}

// Without causality only the short last block needs a mask. Sizes that are
// known of one argument are known of all. An unused result is not written.
// CHECK-LABEL: pbsgpu.kernel @attention1(
// CHECK-NEXT: %{{.*}}: !strided_2x4xnx64xf16
// CHECK-NEXT: %[[K:[^ ]*]]: !strided_2x1x300x64xf16
// CHECK-NEXT: %{{.*}}: !strided_2x1x300x64xf16
// CHECK-NEXT: %{{.*}}: memref<2x4x?x2xi32>
// CHECK-NEXT: %{{.*}}: memref<2x4x?x?xi16>
// CHECK-NEXT: %{{.*}}: !strided_2x4xnx64xf16{{.*}}) warps = 4
// CHECK: %[[LENGTH:.*]] = arith.constant 300 : i32
// CHECK: %[[X:.*]] = gpu.block_id x
// CHECK: arith.muli %[[X]]
// CHECK: pbsgpu.copy_tile %[[K]][%{{.*}}, %{{.*}}, %{{[^ ]*}}] to %{{.*}} : {{.*}}, !tile_64x64xf16
// CHECK: pbsgpu.map {{.*}} if
// CHECK: %[[PLACE:.*]] = arith.addi
// CHECK-NEXT: %[[INSIDE:.*]] = arith.cmpi slt, %[[PLACE]], %[[LENGTH]]
// CHECK-NEXT: arith.select %[[INSIDE]]
// CHECK: pbsgpu.store_fragment
// CHECK-NOT: pbsgpu.store_fragment
// CHECK-LABEL: pbsgpu.plan @plain
// CHECK: pbsgpu.argument "arg0" input [2, 4, %[[NQ:.*]], 64] align 16 : !strided_2x4xnx64xf16
// CHECK: pbsgpu.argument "arg1" input [2, 1, 300, 64]
// CHECK: pbsgpu.argument "counts" {{.*}}{causal = false, {{.*}} key_length = 300 : i64, {{.*}} query_length = "Nq"
// CHECK: pbsgpu.argument "result0" output
// CHECK: pbsgpu.require %{{.*}}, "Nq is at most 300"
// CHECK-NEXT: pbsgpu.launch
func.func @plain(%q: tensor<2x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x300x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<2x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x300x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// Permuted keys are read in order; the permutation only tells their positions.
// CHECK-LABEL: pbsgpu.kernel @attention2(
// CHECK-NEXT: %{{.*}}
// CHECK-NEXT: %[[K:[^ ]*]]: !strided_nx2xnx64xbf16
// CHECK-NEXT: %{{.*}}
// CHECK-NEXT: %[[P:[^ ]*]]: memref<?x2x?xi32>{{[^%]*}}
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[KH:.*]] = arith.divui %[[H]]
// CHECK: pbsgpu.copy_tile %[[K]][%[[B]], %[[KH]], %{{[^ ]*}}] to
// CHECK: memref.load %[[P]][%[[B]], %[[KH]], %{{.*}}]
// CHECK-LABEL: pbsgpu.plan @permuted
// CHECK: pbsgpu.argument "arg1" input [%{{.*}}, 2, %{{.*}}, 64] align 16 : !strided_nx2xnx64xbf16
// Results come in the order of the function.
// CHECK: %[[LSE:.*]] = pbsgpu.argument "result0" output {{.*}} : memref<?x4x?xf32>
// CHECK: %[[OUT:.*]] = pbsgpu.argument "result1" output {{.*}} : !strided_nx4xnx64xbf16
// CHECK: pbsgpu.launch @permuted_kernels::@attention2
// CHECK-NEXT: arguments({{.*}}, %[[OUT]], %[[LSE]] :
!permuted = !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>
func.func @permuted(%q: tensor<?x4x?x64xbf16>, %k: !permuted, %v: !permuted, %s: !pbs.selection<128x128>,
    %p: !pbs.permutation<heads = 2, segment = 256>) -> (tensor<?x4x?xf32>, tensor<?x4x?x64xbf16>) {
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !permuted, !permuted, !pbs.selection<128x128>, !pbs.permutation<heads = 2, segment = 256>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %lse, %out : tensor<?x4x?xf32>, tensor<?x4x?x64xbf16>
}

// Tensors become typed values without a step. Sizes that cannot be compared here
// are compared by the launcher.
// CHECK-LABEL: pbsgpu.plan @tensors
// CHECK: pbsgpu.argument "arg3" input [1, 4, %{{.*}}] align 4 contents = {kind = "permutation", segment = 512 : i64} : memref<1x4x?xi32>
// CHECK: pbsgpu.argument "arg4" input [1, 4, 6, 2] align 4 contents = {causal = false, indices = "arg5", {{.*}}} : memref<1x4x6x2xi32>
// CHECK: pbsgpu.argument "arg5" input [1, 4, 6, %{{.*}}] align 2 contents = {counts = "arg4", kind = "selection_indices"} : memref<1x4x6x?xi16>
// CHECK: %[[EQUAL:.*]] = arith.cmpi eq
// CHECK-NEXT: pbsgpu.require %[[EQUAL]], "6 is Nq / 128 rounded up"
// CHECK: pbsgpu.launch
func.func @tensors(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %t: tensor<1x4x?xi32>,
    %c: tensor<?x4x6x2xi32>, %i: tensor<?x4x?x?xi16>) -> tensor<?x4x?x64xbf16> {
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x6x2xi32>, tensor<?x4x?x?xi16> -> !pbs.selection<128x128>
  %p = pbs.permutation_from_tensor %t : tensor<1x4x?xi32> -> !pbs.permutation<heads = 4, segment = 512>
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 512> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}

// What is not returned stands in a buffer.
// CHECK-LABEL: pbsgpu.plan @two
// CHECK: %[[COUNTS:.*]] = pbsgpu.argument "arg3_counts"
// CHECK: %[[INDICES:.*]] = pbsgpu.argument "arg3_indices"
// CHECK: pbsgpu.argument "arg4_counts"
// CHECK: pbsgpu.argument "arg4_indices" input [{{.*}}, %[[C1:.*]]] align 2
// CHECK: %[[BUFFER:.*]] = pbsgpu.buffer "output" [%{{.*}}, 4, %{{.*}}, 64] align 256 : memref<?x4x?x64xbf16>
// CHECK: pbsgpu.launch @two_kernels::@
// CHECK-NEXT: arguments({{.*}}, %[[COUNTS]], %[[INDICES]], %[[BUFFER]] :
// CHECK: pbsgpu.launch @two_kernels::@{{.*}}
// CHECK-NEXT: arguments(%[[BUFFER]],
func.func @two(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>,
    %s2: !pbs.selection<128x128>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  %out2, %lse2 = pbs.attention %out, %k, %v, %s2 scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out2 : tensor<?x4x?x64xbf16>
}

// Tiles and warps have no more room than the blocks: 64 keys, 16 rows a warp.
// CHECK-LABEL: gpu.module @small_blocks_kernels
// CHECK-NEXT: pbsgpu.kernel
// CHECK: ) warps = 4
// CHECK-LABEL: pbsgpu.plan @small_blocks
// CHECK: pbsgpu.argument "counts" {{.*}} key_block = 64 : i64, {{.*}} query_block = 64 : i64
// CHECK: pbsgpu.require %{{.*}}, "Nkv is at most 1048576, 16384 key blocks"
// CHECK: pbsgpu.launch @small_blocks_kernels::@{{.*}}
func.func @small_blocks(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %s: !pbs.selection<64x64>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<64x64>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}

// Without permutation a causal row stands before the places beyond the last key anyway: one comparison for each element.
// CHECK-LABEL: gpu.module @causal_kernels
// CHECK: ^bb0(%[[KEY:[^:]*]]: index, %{{.*}}: index, %[[MASKED:[^:]*]]: i1,
// CHECK: %[[KEY_I32:.*]] = arith.index_cast %[[KEY]] : index to i32
// CHECK: pbsgpu.map %{{.*}} if %[[MASKED]]
// CHECK-NEXT: ^bb0(%[[SCORE:[^:]*]]: f32, %[[ROW:[^:]*]]: i32, %[[COLUMN:[^:]*]]: i32):
// CHECK-NEXT: %[[PLACE:.*]] = arith.addi %[[KEY_I32]], %[[COLUMN]] : i32
// CHECK-NEXT: %[[OWN:.*]] = arith.addi %{{.*}}, %[[ROW]] : i32
// CHECK-NEXT: %[[BEFORE:.*]] = arith.cmpi sle, %[[PLACE]], %[[OWN]] : i32
// CHECK-NEXT: %[[KEPT:.*]] = arith.select %[[BEFORE]], %[[SCORE]], %{{.*}} : f32
// CHECK-NEXT: pbsgpu.yield %[[KEPT]]
func.func @causal(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %s: !pbs.selection<128x128>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}

// A window is an element mask over original positions beside causality. Places beyond
// the last key stand behind all rows.
// CHECK-LABEL: gpu.module @window_kernels
// CHECK-NEXT: pbsgpu.kernel @{{[^(]*}}(
// CHECK-NEXT: %
// CHECK-NEXT: %
// CHECK-NEXT: %
// CHECK-NEXT: %[[P:[^ ]*]]: memref<?x4x?xi32>
// CHECK-DAG: %[[W:.*]] = arith.constant 300 : i32
// CHECK-DAG: %[[BEHIND_ALL:.*]] = arith.constant 2147483647 : i32
// CHECK: %[[FIRST:.*]] = arith.index_cast %{{.*}} : index to i32
// CHECK-NEXT: pbsgpu.alloc_tile
// CHECK: pbsgpu.map
// CHECK-NEXT: (%[[X:[^:]*]]: f32, %[[ROW:[^:]*]]: i32, %[[COLUMN:[^:]*]]: i32):
// CHECK: %[[PLACE:.*]] = arith.addi %{{.*}}, %[[COLUMN]] : i32
// CHECK: %[[INSIDE:.*]] = arith.cmpi slt, %[[PLACE]]
// CHECK: %[[LOADED:.*]] = memref.load %[[P]]
// CHECK: %[[POSITION:.*]] = arith.select %[[INSIDE]], %[[LOADED]], %[[BEHIND_ALL]] : i32
// CHECK: %[[OWN:.*]] = arith.addi %[[FIRST]], %[[ROW]] : i32
// CHECK: %[[BEFORE:.*]] = arith.cmpi sle, %[[POSITION]], %[[OWN]] : i32
// CHECK: %[[BOUND:.*]] = arith.subi %[[OWN]], %[[W]] : i32
// CHECK: %[[AFTER:.*]] = arith.cmpi sgt, %[[POSITION]], %[[BOUND]] : i32
// CHECK: %[[BOTH:.*]] = arith.andi %[[BEFORE]], %[[AFTER]] : i1
// CHECK: arith.select %[[BOTH]], %[[X]], %{{.*}} : f32
// CHECK-LABEL: pbsgpu.plan @window
// CHECK: pbsgpu.argument "counts" {{.*}} permutation = "arg3", query_block = 128 : i64, query_length = "Nq", window = 300 : i64}
func.func @window(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %p: !pbs.permutation<heads = 4, segment = 256>, %s: !pbs.selection<128x128>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal window = 300
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}

// Without causality it bounds the left side alone. Positions have 32 bits, and no
// sequence more keys than the bound of the kernel's; the plan has it as it is.
// CHECK-LABEL: gpu.module @huge_window_kernels
// CHECK-DAG: %[[W:.*]] = arith.constant 1048576 : i32
// CHECK: pbsgpu.map
// CHECK: %[[PLACE:.*]] = arith.addi
// CHECK: %[[INSIDE:.*]] = arith.cmpi slt, %[[PLACE]]
// CHECK-NOT: arith.cmpi sle
// CHECK: %[[BOUND:.*]] = arith.subi %{{.*}}, %[[W]] : i32
// CHECK: %[[AFTER:.*]] = arith.cmpi sgt, %[[PLACE]], %[[BOUND]] : i32
// CHECK: %[[BOTH:.*]] = arith.andi %[[INSIDE]], %[[AFTER]] : i1
// CHECK: arith.select %[[BOTH]]
// CHECK-LABEL: pbsgpu.plan @huge_window
// CHECK: pbsgpu.argument "counts" {{.*}} window = 9223372036854775807 : i64}
func.func @huge_window(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>,
    %s: !pbs.selection<128x64>) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125 window = 9223372036854775807
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x64>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}

// A score region is a map of the scaled scores, before the mask; the maximum is then in natural units. Scalars are loaded
// once. Positions that it does not take are not computed.
// CHECK-LABEL: gpu.module @score_kernels
// CHECK: pbsgpu.kernel @{{.*}}(
// CHECK: %[[P:[^:]*]]: memref<?x4x?xi32> {pbs.name = "permutation"}
// CHECK-NEXT: %{{.*}}
// CHECK-NEXT: %{{.*}}
// CHECK-NEXT: %[[FACTOR:[^:]*]]: memref<f32> {pbs.name = "scalar0"}
// CHECK-NEXT: %[[OUT:[^:]*]]: {{.*}} {pbs.name = "output"})
// CHECK-DAG: %[[SCALE:.*]] = arith.constant 1.250000e-01 : f32
// CHECK-DAG: %[[LOG2E:.*]] = arith.constant 1.44269502 : f32
// CHECK: %[[F:.*]] = memref.load %[[FACTOR]][] : memref<f32>
// CHECK: pbsgpu.key_loop
// CHECK: ^bb0(%[[FIRST:[^:]*]]: index, %{{.*}}: index, %[[MASKED:[^:]*]]: i1,
// CHECK: %[[PRODUCTS:.*]] = pbsgpu.mma
// CHECK: %[[SCORES:.*]] = pbsgpu.map %[[PRODUCTS]] :
// CHECK-NEXT: ^bb0(%[[PRODUCT:.*]]: f32, %{{.*}}: i32, %[[COLUMN:.*]]: i32):
// CHECK-NEXT: %[[SCORE:.*]] = arith.mulf %[[PRODUCT]], %[[SCALE]]
// CHECK-NEXT: %[[PLACE:.*]] = arith.addi %{{.*}}, %[[COLUMN]]
// CHECK: arith.minsi %[[PLACE]]
// CHECK: %[[POSITION:.*]] = memref.load %[[P]]
// CHECK-NEXT: %[[REAL:.*]] = arith.sitofp %[[POSITION]]
// CHECK-NEXT: %[[NEW:.*]] = math.fma %[[REAL]], %[[F]], %[[SCORE]]
// CHECK-NEXT: pbsgpu.yield %[[NEW]]
// CHECK: pbsgpu.map %[[SCORES]] if %[[MASKED]]
// CHECK: math.fma %{{.*}}, %[[LOG2E]], %{{.*}}
// CHECK: math.exp2 %{{.*}} fastmath<afn>
// CHECK-LABEL: pbsgpu.plan @score
// CHECK: %[[ARGUMENT:.*]] = pbsgpu.argument "factor" input [] align 4 : memref<f32>
// CHECK: pbsgpu.launch
// CHECK-NEXT: arguments({{.*}}, %[[ARGUMENT]], %{{[^,]*}} :
func.func @score(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %p: !pbs.permutation<heads = 4, segment = 256>,
    %s: !pbs.selection<128x128>, %factor: tensor<f32> {pbs.name = "factor"}) -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %k, %k, %s permutation(%p) scale = 0.125
    : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%factor : tensor<f32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %f: f32):
      %real = arith.sitofp %j : i32 to f32
      %new = math.fma %real, %f, %score : f32
      pbs.yield %new
    }
  return %out : tensor<?x4x?x64xbf16>
}

// Other functions stay.
// CHECK-LABEL: func.func @other(
func.func @other(%x: f32) -> f32 {
  return %x : f32
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

// A CTA has the scores of one query block in its shared memory. A warp computes
// one product after the other, each lane 4 of the columns.
// CHECK-LABEL: pbsgpu.kernel @block_scores(
// CHECK-NEXT: %[[Q:[^:]*]]: memref<?x4x?x128xf32> {pbs.name = "pooled_query"}
// CHECK-NEXT: %[[K:[^:]*]]: memref<?x2x?x128xf32> {pbs.name = "pooled_key"}
// CHECK-NEXT: %[[NQ:[^:]*]]: index {pbs.name = "query_length"}
// CHECK-NEXT: %[[NKV:[^:]*]]: index {pbs.name = "key_length"}
// CHECK-NEXT: %[[S:[^:]*]]: memref<?x4x?x?xf32> {pbs.name = "scores"}) warps = 8
// CHECK-DAG: %[[LEAST:.*]] = arith.constant 0xFF800000 : f32
// CHECK-DAG: %[[SCALE:.*]] = arith.constant 1.250000e-01 : f32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0 : i32
// CHECK-DAG: %[[FOUND:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK: %[[A:.*]] = gpu.block_id x
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[KB:.*]] = arith.divui %{{.*}}, %[[C64]]
// CHECK: %[[FIRST_ROW:.*]] = arith.muli %[[A]], %[[C128]]
// CHECK: %[[AHEAD:.*]] = arith.subi %[[NKV]], %[[NQ]]
// CHECK: %[[FIRST:.*]] = arith.addi %[[FIRST_ROW]], %[[AHEAD]]
// CHECK: %[[SEGMENT:.*]] = arith.divui %[[FIRST]], %[[C256]]
// CHECK: %[[SHARED:.*]] = gpu.dynamic_shared_memory
// CHECK: %[[ROW:.*]] = memref.view %[[SHARED]][%[[C0]]][%[[KB]]] : {{.*}} to memref<?xf32, #gpu.address_space<workgroup>>
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: %[[LANE:.*]] = arith.remui %[[T]], %[[C32]]
// CHECK: %[[COLUMN:.*]] = arith.muli %[[LANE]], %[[C4]]
// CHECK: %[[KH:.*]] = arith.divui %[[H]], %[[C2]]
// CHECK: %[[QUERY:.*]] = vector.load %[[Q]][%[[B]], %[[H]], %[[A]], %[[COLUMN]]] {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK: %[[WARP:.*]] = arith.divui %[[T]], %[[C32]]
// CHECK: scf.for %[[C:.*]] = %[[WARP]] to %[[KB]] step %[[C8]]
// CHECK: %[[SEGMENT_OF_KEYS:.*]] = arith.divui %[[C]], %[[C4]]
// CHECK: %[[IS_CANDIDATE:.*]] = arith.cmpi slt, %[[SEGMENT_OF_KEYS]], %[[SEGMENT]]
// CHECK: %[[SCORE:.*]] = scf.if %[[IS_CANDIDATE]] -> (f32) {
// CHECK: %[[KEY:.*]] = vector.load %[[K]][%[[B]], %[[KH]], %[[C]], %[[COLUMN]]] {alignment = 16 : i64} : {{.*}}, vector<4xf32>
// CHECK-COUNT-4: math.fma
// CHECK: %[[DOT:.*]] = gpu.subgroup_reduce add %{{.*}} uniform
// CHECK: %[[SCALED:.*]] = arith.mulf %[[DOT]], %[[SCALE]]
// CHECK: scf.yield %[[SCALED]]
// CHECK: } else {
// CHECK-NEXT: scf.yield %[[LEAST]]
// CHECK: %[[IS_FIRST:.*]] = arith.cmpi eq, %[[LANE]], %[[C0]]
// CHECK-NEXT: scf.if %[[IS_FIRST]] {
// CHECK-NEXT: memref.store %[[SCORE]], %[[ROW]][%[[C]]]
// CHECK: gpu.barrier
// Then the softmax over the candidates.
// CHECK: %[[OWN:.*]] = scf.for %{{.*}} = %[[T]] to %[[KB]] step %[[C256]] iter_args(%{{.*}} = %[[LEAST]])
// CHECK: arith.maxnumf
// CHECK: %[[MAX:.*]] = gpu.all_reduce maxnumf %[[OWN]] uniform
// CHECK: %[[OWN:.*]] = scf.for %{{.*}} = %[[T]] to %[[KB]] step %[[C256]] iter_args(%{{.*}} = %[[ZERO]])
// CHECK: arith.subf %{{.*}}, %[[MAX]]
// CHECK: %[[WEIGHT:.*]] = math.exp2
// CHECK: arith.select %{{.*}}, %[[WEIGHT]], %[[ZERO]]
// CHECK: %[[SUM:.*]] = gpu.all_reduce add %[[OWN]] uniform
// CHECK: %[[OWN:.*]] = scf.for %[[C:.*]] = %[[T]] to %[[KB]] step %[[C256]] iter_args(%[[ANY:.*]] = %[[NONE]])
// CHECK: %[[SHARE:.*]] = arith.divf %{{.*}}, %[[SUM]]
// CHECK: %[[SCORE:.*]] = arith.select %{{.*}}, %[[SHARE]], %[[ZERO]]
// CHECK: memref.store %[[SCORE]], %[[ROW]][%[[C]]]
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[SCORE]], %[[SCORE]]
// CHECK: arith.select %[[NAN]], %[[FOUND]], %[[ANY]]
// A NaN anywhere makes the row 0.
// CHECK: %[[ANY:.*]] = gpu.all_reduce or %[[OWN]] uniform
// CHECK: %[[HAS_NAN:.*]] = arith.cmpi eq, %[[ANY]], %[[FOUND]]
// CHECK: scf.if %[[HAS_NAN]] {
// CHECK: memref.store %[[ZERO]], %[[ROW]]
// CHECK: scf.for %[[C:.*]] = %[[T]] to %[[KB]] step %[[C256]]
// CHECK: %[[SCORE:.*]] = memref.load %[[ROW]][%[[C]]]
// CHECK: memref.store %[[SCORE]], %[[S]][%[[B]], %[[H]], %[[A]], %[[C]]]

// Pooled rows are aligned as the loads need it. Each block is of as many rows as
// the lengths say, which need not be those of other arguments.
// CHECK-LABEL: pbsgpu.plan @causal
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C5:.*]] = arith.constant 5 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "q_0"
// CHECK-DAG: %[[NQ:.*]] = pbsgpu.size "x_0"
// CHECK-DAG: %[[NKV:.*]] = pbsgpu.size "x_1"
// CHECK-DAG: %[[QB:.*]] = arith.ceildivsi %[[NQ]], %[[C128]]
// CHECK-DAG: %[[KB:.*]] = arith.ceildivsi %[[NKV]], %[[C64]]
// CHECK: %[[Q:.*]] = pbsgpu.argument "q" input [%[[B]], 4, %[[QB]], 128] align 16
// CHECK: %[[K:.*]] = pbsgpu.argument "k" input [%[[B]], 2, %[[KB]], 128] align 16
// CHECK: pbsgpu.argument "x" input [%[[NQ]], %[[NKV]]] align 4
// CHECK: %[[S:.*]] = pbsgpu.argument "s" output [%[[B]], 4, %[[QB]], %[[KB]]] align 4
// CHECK: pbsgpu.require %{{.*}}, "q_0 is at most 65535"
// CHECK: pbsgpu.require %{{.*}}, "x_0 is at most x_1"
// CHECK: pbsgpu.require %{{.*}}, "x_1 is at most 1048576, 16384 key blocks"
// CHECK-NOT: pbsgpu.require
// A score of 4 bytes and a state of one.
// CHECK: %[[BYTES:.*]] = arith.muli %[[KB]], %[[C5]]
// CHECK: pbsgpu.launch @causal_kernels::@block_scores grid(%[[QB]], %[[C4]], %[[B]]) dynamic_shared_bytes(%[[BYTES]])
// CHECK-NEXT: arguments(%[[Q]], %[[K]], %[[NQ]], %[[NKV]], %[[S]] :
func.func @causal(%q: tensor<?x4x?x128xf32> {pbs.name = "q"}, %k: tensor<?x2x?x128xf32> {pbs.name = "k"},
    %x: tensor<?x?xf32> {pbs.name = "x"}) -> (tensor<?x4x?x?xf32> {pbs.name = "s"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %nq = tensor.dim %x, %c0 : tensor<?x?xf32>
  %nkv = tensor.dim %x, %c1 : tensor<?x?xf32>
  %s = pbs.block_scores %q, %k lengths(%nq, %nkv) blocks = [128, 64] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x128xf32>, tensor<?x2x?x128xf32> -> tensor<?x4x?x?xf32>
  return %s : tensor<?x4x?x?xf32>
}

// Without causality the candidates are all blocks but those of the own segments.
// CHECK-LABEL: gpu.module @not_causal_kernels
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK: %[[FIRST:.*]] = arith.divui %{{.*}}, %[[C256]]
// CHECK: %[[LAST:.*]] = arith.divui %{{.*}}, %[[C256]]
// CHECK: vector.load {{.*}} {alignment = 8 : i64} : {{.*}}, vector<2xf32>
// CHECK: scf.for %[[C:[^ ]*]] =
// CHECK: %[[SEGMENT:.*]] = arith.divui %[[C]], %[[C2]]
// CHECK: %[[FROM:.*]] = arith.cmpi sge, %[[SEGMENT]], %[[FIRST]]
// CHECK: %[[TO:.*]] = arith.cmpi sle, %[[SEGMENT]], %[[LAST]]
// CHECK: %[[OWN:.*]] = arith.andi %[[FROM]], %[[TO]]
// CHECK: scf.if %[[OWN]] -> (f32) {
// CHECK-NEXT: scf.yield
// CHECK-NEXT: } else {
// CHECK: vector.load
// CHECK-LABEL: pbsgpu.plan @not_causal
// CHECK-DAG: %[[C40:.*]] = arith.constant 40 : index
// CHECK-NOT: pbsgpu.require
// CHECK: pbsgpu.argument "arg0" input [1, 4, 4, 64] align 8
// CHECK: pbsgpu.launch {{.*}} dynamic_shared_bytes(%[[C40]])
func.func @not_causal(%q: tensor<1x4x4x64xf32>, %k: tensor<1x4x8x64xf32>) -> tensor<1x4x4x8xf32> {
  %nq = arith.constant 500 : index
  %nkv = arith.constant 1000 : index
  %s = pbs.block_scores %q, %k lengths(%nq, %nkv) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x4x64xf32>, tensor<1x4x8x64xf32> -> tensor<1x4x4x8xf32>
  return %s : tensor<1x4x4x8xf32>
}

// Sampled queries lie side by side, one of each 16.
// CHECK-LABEL: gpu.module @of_rows_kernels
// CHECK: pbsgpu.kernel @sample_rows
// CHECK-NEXT: %[[Q:[^:]*]]: {{.*}} {pbs.name = "query"}
// CHECK-NEXT: %[[S:[^:]*]]: memref<?x4x?x64xbf16> {pbs.name = "sampled_query"}
// CHECK-DAG: %[[STRIDE:.*]] = arith.constant 16 : index
// CHECK-DAG: %[[HALF:.*]] = arith.constant 8 : index
// CHECK: scf.for %[[PLACE:[^ ]*]] =
// CHECK: %[[FIRST:.*]] = arith.muli %[[PLACE]], %[[STRIDE]]
// CHECK: %[[MIDDLE:.*]] = arith.addi %[[FIRST]], %[[HALF]]
// CHECK: %[[ROW:.*]] = arith.minsi %[[MIDDLE]],
// CHECK: vector.load %[[Q]][%{{.*}}, %{{.*}}, %[[ROW]],
// CHECK: vector.store %{{.*}}, %[[S]][%{{.*}}, %{{.*}}, %[[PLACE]],

// A sum of exponentials for each of them and key block.
// While a key block is multiplied the next one is copied.
// CHECK: pbsgpu.kernel @row_sums
// CHECK: pbsgpu.copy_tile %sampled_query[%{{.*}}] to %[[QUERIES:[^ ]*]] :
// CHECK: pbsgpu.copy_tile %key[%{{.*}}] to %[[EVEN:[^ ]*]] :
// CHECK: scf.for %[[BLOCK:[^ ]*]] =
// CHECK: pbsgpu.copy_tile %key[%{{.*}}] to %[[ODD:[^ ]*]] :
// CHECK: pbsgpu.await_copies pending = 1
// CHECK: pbsgpu.mma %[[QUERIES]], %[[EVEN]] transposed
// CHECK: pbsgpu.row_reduce max
// CHECK: pbsgpu.row_reduce sum
// CHECK: pbsgpu.store_fragment %{{.*}} to %row_sums[%{{.*}}, %{{.*}}, %[[BLOCK]], %{{.*}}]
// CHECK: gpu.barrier
// CHECK: pbsgpu.copy_tile %key[%{{.*}}] to %[[EVEN]] :
// CHECK: pbsgpu.await_copies pending = 1
// CHECK: pbsgpu.mma %[[QUERIES]], %[[ODD]] transposed

// The selection finds the rows' totals and averages.
// CHECK: pbsgpu.kernel @select
// CHECK: gpu.all_reduce maxnumf
// CHECK: %[[SUM:.*]] = gpu.all_reduce add
// CHECK: math.log2 %[[SUM]]
// CHECK: memref.load %row_sums
// CHECK: math.exp2
// CHECK: arith.divf
func.func @of_rows(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>) -> !pbs.selection<128x128> {
  %c2 = arith.constant 2 : index
  %nq = tensor.dim %q, %c2 : tensor<?x4x?x64xbf16>
  %n = tensor.dim %k, %c2 : tensor<?x2x?x64xbf16>
  %s = pbs.block_scores %q, %k lengths(%nq, %n) score = #pbs.rows<stride = 16> blocks = [128, 128] segment = 256
    scale = 0.125 causal : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x?xf32>
  %l = pbs.select %s lengths(%nq, %n) rule = #pbs.threshold_by_length<0.04> segment = 256 causal
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-expand-prefill))" | FileCheck %s
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-expand-prefill))" -o /dev/null \
// RUN:   --remarks-filter=pbs-expand-prefill --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!rows = tensor<?x4x?x64xbf16>
!keys = tensor<?x2x?x64xbf16>
!lse = tensor<?x4x?xf32>

// CHECK-LABEL: func @per_query_head(
// CHECK-SAME: %[[Q:[^ ]*]]: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[V:[^ ]*]]: tensor<?x2x?x64xbf16>)
// REMARK: expand-prefill.mlir:[[#@LINE+15]]:{{.*}} remark: [Passed] Expanded | Category:pbs-expand-prefill | Function=per_query_head | BlockScore=#pbs.pooled<mean>, Permutation=per_query_head
func.func @per_query_head(%q: !rows, %k: !keys, %v: !keys) -> (!rows, !lse) {
  // CHECK-NEXT: %[[TWO:.*]] = arith.constant 2 : index
  // CHECK-NEXT: %[[NQ:.*]] = tensor.dim %[[Q]], %[[TWO]]
  // CHECK-NEXT: %[[NK:.*]] = tensor.dim %[[K]], %[[TWO]]
  // CHECK-NEXT: %[[I:.*]] = pbs.importance %[[Q]], %[[K]] query_block = 128 segment = 256 scale = 1.250000e-01 : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?xf32>
  // CHECK-NEXT: %[[P:.*]] = pbs.segment_sort %[[I]] : tensor<?x4x?xf32> -> !pbs.permutation<heads = 4, segment = 256>
  // CHECK-NEXT: %[[KP:.*]] = pbs.permute %[[K]], %[[P]]
  // CHECK-NEXT: %[[VP:.*]] = pbs.permute %[[V]], %[[P]]
  // CHECK-NEXT: %[[QB:.*]] = pbs.pool %[[Q]] mean block = 128
  // CHECK-NEXT: %[[KB:.*]] = pbs.pool %[[KP]] mean block = 128
  // CHECK-NEXT: %[[S:.*]] = pbs.block_scores %[[QB]], %[[KB]] lengths(%[[NQ]], %[[NK]]) blocks = [128, 128] segment = 256 scale = 1.250000e-01 causal
  // CHECK-NEXT: %[[L:.*]] = pbs.select %[[S]] lengths(%[[NQ]], %[[NK]]) permutation(%[[P]]) rule = #pbs.top_p<9.000000e-01 : f64> segment = 256 causal
  // CHECK-NEXT: %[[OUT:.*]], %[[LSE:.*]] = pbs.attention %[[Q]], %[[KP]], %[[VP]], %[[L]] permutation(%[[P]]) scale = 1.250000e-01 causal
  // CHECK-NEXT: return %[[OUT]], %[[LSE]]
  %out, %lse = pbs.prefill %q, %k, %v permutation = per_query_head blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.top_p<0.9 : f64> scale = 0.125 causal : !rows, !keys, !keys -> !rows, !lse
  return %out, %lse : !rows, !lse
}

// One order for the heads of a group; what else there is to hand on.
// CHECK-LABEL: func @per_kv_head(
func.func @per_kv_head(%q: !rows, %k: !keys, %v: !keys) -> (!rows, tensor<?x4xi32>) {
  // CHECK: pbs.importance {{.*}} -> tensor<?x2x?xf32>
  // CHECK: %[[P:.*]] = pbs.segment_sort {{.*}} -> !pbs.permutation<heads = 2, segment = 512>
  // CHECK: pbs.permute {{.*}} -> !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 512>
  // CHECK: pbs.pool {{.*}} max block = 128
  // CHECK: pbs.block_scores {{.*}} segment = 512 scale = 1.250000e-01 :
  // CHECK: %[[L:.*]], %[[CUT:.*]] = pbs.select {{.*}} rule = #pbs.top_k<8> segment = 512 capacity = 20 window = 300 : {{.*}} -> !pbs.selection<128x128>, tensor<?x4xi32>
  // CHECK: %[[OUT:.*]], %{{.*}} = pbs.attention {{.*}}, %[[L]] permutation(%[[P]]) scale = 1.250000e-01 window = 300 :
  // CHECK: return %[[OUT]], %[[CUT]]
  %out, %lse, %cut = pbs.prefill %q, %k, %v permutation = per_kv_head blocks = [128, 128] segment = 512 block_score = #pbs.pooled<max>
    rule = #pbs.top_k<8> capacity = 20 scale = 0.125 window = 300 : !rows, !keys, !keys -> !rows, !lse, tensor<?x4xi32>
  return %out, %cut : !rows, tensor<?x4xi32>
}

// CHECK-LABEL: func @no_permutation(
// CHECK-SAME: %[[Q:[^ ]*]]: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[V:[^ ]*]]: tensor<?x2x?x64xbf16>)
func.func @no_permutation(%q: !rows, %k: !keys, %v: !keys) -> !rows {
  // CHECK-NOT: pbs.importance
  // CHECK-NOT: pbs.permute
  // CHECK: pbs.pool %[[K]] mean
  // CHECK: %[[L:.*]] = pbs.select %{{.*}} lengths(%{{.*}}, %{{.*}}) rule = #pbs.all
  // CHECK: pbs.attention %[[Q]], %[[K]], %[[V]], %[[L]] scale
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 causal : !rows, !keys, !keys -> !rows, !lse
  return %out : !rows
}

// CHECK-LABEL: func @score_region(
// CHECK-SAME: %[[CAP:[^ ]*]]: tensor<f32>)
func.func @score_region(%q: !rows, %k: !keys, %v: !keys, %cap: tensor<f32>) -> !rows {
  // CHECK: pbs.attention {{.*}} score (%[[CAP]] : tensor<f32>) {
  // CHECK-NEXT: ^bb0(%[[SCORE:.*]]: f32, {{.*}}, %[[C:.*]]: f32):
  // CHECK-NEXT: %[[NEW:.*]] = arith.minimumf %[[SCORE]], %[[C]]
  // CHECK-NEXT: pbs.yield %[[NEW]]
  %out, %lse = pbs.prefill %q, %k, %v permutation = none blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 causal : !rows, !keys, !keys -> !rows, !lse score(%cap : tensor<f32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %c: f32):
      %new = arith.minimumf %score, %c : f32
      pbs.yield %new
    }
  return %out : !rows
}

// Lengths that are known make numbers of blocks.
// CHECK-LABEL: func @static(
func.func @static(%q: tensor<1x4x300x64xbf16>, %k: tensor<1x2x700x64xbf16>) -> tensor<1x4x300x64xbf16> {
  // CHECK: pbs.importance {{.*}} -> tensor<1x4x700xf32>
  // CHECK: pbs.permute {{.*}} -> !pbs.permuted<tensor<1x4x700x64xbf16>, segment = 256>
  // CHECK: pbs.pool {{.*}} -> tensor<1x4x3x64xf32>
  // CHECK: pbs.pool {{.*}} -> tensor<1x4x6x64xf32>
  // CHECK: pbs.block_scores {{.*}} -> tensor<1x4x3x6xf32>
  %out, %lse = pbs.prefill %q, %k, %k permutation = per_query_head blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.all scale = 0.125 causal : tensor<1x4x300x64xbf16>, tensor<1x2x700x64xbf16>, tensor<1x2x700x64xbf16>
    -> tensor<1x4x300x64xbf16>, tensor<1x4x300xf32>
  return %out : tensor<1x4x300x64xbf16>
}

// A score that is not of pooled rows reads queries and keys themselves, keys
// through the permutation.
// CHECK-LABEL: func @rows(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x4x?x64xf16>, %[[K:[^:]*]]: tensor<?x2x?x64xf16>
// CHECK: %[[P:.*]] = pbs.segment_sort
// CHECK-NOT: pbs.pool
// CHECK: %[[S:.*]] = pbs.block_scores %[[Q]], %[[K]] lengths({{.*}}) permutation(%[[P]]) score = #pbs.rows<stride = 8> blocks = [128, 64] segment = 256 scale = 1.250000e-01 causal : {{.*}} -> tensor<?x4x?x?xf32>
// CHECK: pbs.select %[[S]] lengths
func.func @rows(%q: tensor<?x4x?x64xf16>, %k: tensor<?x2x?x64xf16>, %v: tensor<?x2x?x64xf16>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) {
  %out, %lse = pbs.prefill %q, %k, %v permutation = per_kv_head blocks = [128, 64] segment = 256
    block_score = #pbs.rows<stride = 8> rule = #pbs.threshold<0.01> scale = 0.125 causal
    : tensor<?x4x?x64xf16>, tensor<?x2x?x64xf16>, tensor<?x2x?x64xf16> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
}

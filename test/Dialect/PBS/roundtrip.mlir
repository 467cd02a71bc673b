// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s | pbs-opt | FileCheck %s
// RUN: pbs-opt %s --mlir-print-op-generic | pbs-opt | FileCheck %s

// CHECK-LABEL: func private @types(
// CHECK-SAME: !pbs.permutation<heads = 32, segment = 256>,
// CHECK-SAME: !pbs.selection<128x128>,
// CHECK-SAME: !pbs.selection<64x128>,
// CHECK-SAME: !pbs.selection<128x64>,
// CHECK-SAME: !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 1024>,
// CHECK-SAME: !pbs.permuted<tensor<2x1x77x64xf16>, segment = 64>)
func.func private @types(!pbs.permutation<heads = 32, segment = 256>,
                         !pbs.selection<128x128>,
                         !pbs.selection<64x128>,
                         !pbs.selection<128x64>,
                         !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 1024>,
                         !pbs.permuted<tensor<2x1x77x64xf16>, segment = 64>)

// CHECK-LABEL: func private @attributes(
// CHECK-SAME: all = #pbs.all
// CHECK-SAME: best = #pbs.top_k<8>
// CHECK-SAME: max = #pbs<pooling max>
// CHECK-SAME: mean = #pbs<pooling mean>
// CHECK-SAME: most = #pbs.top_p<9.000000e-01 : f64>
// CHECK-SAME: near_best = #pbs.max_threshold<5.000000e-01 : f64>
// CHECK-SAME: none = #pbs.top_p<0.000000e+00 : f64>
// CHECK-SAME: pooled = #pbs.pooled<mean>
// CHECK-SAME: rows = #pbs.rows<stride = 16>
// CHECK-SAME: share = #pbs.threshold<1.250000e-01 : f64>
// CHECK-SAME: share_by_length = #pbs.threshold_by_length<2.500000e-01 : f64>
func.func private @attributes() attributes {
  all = #pbs.all, best = #pbs.top_k<8>, max = #pbs<pooling max>, mean = #pbs<pooling mean>,
  most = #pbs.top_p<0.9>, near_best = #pbs.max_threshold<0.5>, none = #pbs.top_p<0.0>,
  pooled = #pbs.pooled<mean>, rows = #pbs.rows<stride = 16>,
  share = #pbs.threshold<0.125>, share_by_length = #pbs.threshold_by_length<0.25>}

// CHECK-LABEL: func private @names(
// CHECK-SAME: tensor<?x8x?x128xbf16> {pbs.name = "q"})
// CHECK-SAME: (tensor<?x8x?x128xbf16> {pbs.name = "out"})
func.func private @names(tensor<?x8x?x128xbf16> {pbs.name = "q"})
    -> (tensor<?x8x?x128xbf16> {pbs.name = "out"})

// CHECK-LABEL: func @identity_permutation(
// CHECK-SAME: %[[B:.*]]: index, %[[N:.*]]: index)
func.func @identity_permutation(%b: index, %n: index) -> !pbs.permutation<heads = 8, segment = 256> {
  // CHECK: pbs.identity_permutation %[[B]], %[[N]] : !pbs.permutation<heads = 8, segment = 256>
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 8, segment = 256>
  return %p : !pbs.permutation<heads = 8, segment = 256>
}

// CHECK-LABEL: func @permutation_from_tensor(
// CHECK-SAME: %[[T:.*]]: tensor<?x32x?xi32>)
func.func @permutation_from_tensor(%t: tensor<?x32x?xi32>) -> !pbs.permutation<heads = 32, segment = 256> {
  // CHECK: pbs.permutation_from_tensor %[[T]] : tensor<?x32x?xi32> -> !pbs.permutation<heads = 32, segment = 256>
  %p = pbs.permutation_from_tensor %t : tensor<?x32x?xi32> -> !pbs.permutation<heads = 32, segment = 256>
  return %p : !pbs.permutation<heads = 32, segment = 256>
}

// CHECK-LABEL: func @full_selection(
// CHECK-SAME: %[[B:.*]]: index, %[[NQ:.*]]: index, %[[NK:.*]]: index,
// CHECK-SAME: %[[P:.*]]: !pbs.permutation
func.func @full_selection(%b: index, %nq: index, %nk: index,
    %p: !pbs.permutation<heads = 8, segment = 256>) -> (!pbs.selection<128x128>, !pbs.selection<128x128>) {
  // CHECK: pbs.full_selection %[[B]] lengths(%[[NQ]], %[[NK]]) heads = 32 : !pbs.selection<128x128>
  %0 = pbs.full_selection %b lengths(%nq, %nk) heads = 32 : !pbs.selection<128x128>
  // CHECK: pbs.full_selection %[[B]] lengths(%[[NQ]], %[[NK]])
  // CHECK-SAME: permutation(%[[P]] : !pbs.permutation<heads = 8, segment = 256>) heads = 32 causal : !pbs.selection<128x128>
  %1 = pbs.full_selection %b lengths(%nq, %nk) permutation(%p : !pbs.permutation<heads = 8, segment = 256>)
       heads = 32 causal : !pbs.selection<128x128>
  return %0, %1 : !pbs.selection<128x128>, !pbs.selection<128x128>
}

// CHECK-LABEL: func @selection_from_lists(
// CHECK-SAME: %[[C:.*]]: tensor<?x32x?x2xi32>, %[[I:.*]]: tensor<?x32x?x?xi16>)
func.func @selection_from_lists(%c: tensor<?x32x?x2xi32>, %i: tensor<?x32x?x?xi16>) -> !pbs.selection<128x128> {
  // CHECK: pbs.selection_from_lists %[[C]], %[[I]] : tensor<?x32x?x2xi32>, tensor<?x32x?x?xi16> -> !pbs.selection<128x128>
  %s = pbs.selection_from_lists %c, %i : tensor<?x32x?x2xi32>, tensor<?x32x?x?xi16> -> !pbs.selection<128x128>
  return %s : !pbs.selection<128x128>
}

// CHECK-LABEL: func @selection_from_mask(
// CHECK-SAME: %[[M:.*]]: tensor<?x32x?x?xi1>, %[[NQ:.*]]: index, %[[NK:.*]]: index,
// CHECK-SAME: %[[P:.*]]: !pbs.permutation
func.func @selection_from_mask(%m: tensor<?x32x?x?xi1>, %nq: index, %nk: index,
    %p: !pbs.permutation<heads = 32, segment = 256>) -> (!pbs.selection<128x128>, !pbs.selection<128x128>) {
  // CHECK: pbs.selection_from_mask %[[M]] lengths(%[[NQ]], %[[NK]]) : tensor<?x32x?x?xi1> -> !pbs.selection<128x128>
  %0 = pbs.selection_from_mask %m lengths(%nq, %nk) : tensor<?x32x?x?xi1> -> !pbs.selection<128x128>
  // CHECK: pbs.selection_from_mask %[[M]] lengths(%[[NQ]], %[[NK]]) permutation(%[[P]]) causal
  // CHECK-SAME: tensor<?x32x?x?xi1>, !pbs.permutation<heads = 32, segment = 256> -> !pbs.selection<128x128>
  %1 = pbs.selection_from_mask %m lengths(%nq, %nk) permutation(%p) causal
     : tensor<?x32x?x?xi1>, !pbs.permutation<heads = 32, segment = 256> -> !pbs.selection<128x128>
  // CHECK: %{{.*}}, %{{.*}} = pbs.selection_from_mask %[[M]] lengths(%[[NQ]], %[[NK]]) capacity = 1 : tensor<?x32x?x?xi1> -> !pbs.selection<128x128>, tensor<?x32xi32>
  %2, %cut = pbs.selection_from_mask %m lengths(%nq, %nk) capacity = 1
     : tensor<?x32x?x?xi1> -> !pbs.selection<128x128>, tensor<?x32xi32>
  return %0, %1 : !pbs.selection<128x128>, !pbs.selection<128x128>
}

// CHECK-LABEL: func @importance(
// CHECK-SAME: %[[Q:.*]]: tensor<?x32x?x64xbf16>, %[[K:.*]]: tensor<?x8x?x64xbf16>)
func.func @importance(%q: tensor<?x32x?x64xbf16>, %k: tensor<?x8x?x64xbf16>)
    -> (tensor<?x32x?xf32>, tensor<?x8x?xf32>) {
  // CHECK: pbs.importance %[[Q]], %[[K]] query_block = 128 segment = 256 scale = 1.250000e-01
  // CHECK-SAME: tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16> -> tensor<?x32x?xf32>
  %0 = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
     : tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16> -> tensor<?x32x?xf32>
  // CHECK: -> tensor<?x8x?xf32>
  %1 = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
     : tensor<?x32x?x64xbf16>, tensor<?x8x?x64xbf16> -> tensor<?x8x?xf32>
  return %0, %1 : tensor<?x32x?xf32>, tensor<?x8x?xf32>
}

// CHECK-LABEL: func @segment_sort(
// CHECK-SAME: %[[I:.*]]: tensor<?x32x?xf32>)
func.func @segment_sort(%i: tensor<?x32x?xf32>) -> !pbs.permutation<heads = 32, segment = 256> {
  // CHECK: pbs.segment_sort %[[I]] : tensor<?x32x?xf32> -> !pbs.permutation<heads = 32, segment = 256>
  %p = pbs.segment_sort %i : tensor<?x32x?xf32> -> !pbs.permutation<heads = 32, segment = 256>
  return %p : !pbs.permutation<heads = 32, segment = 256>
}

// CHECK-LABEL: func @permute(
// CHECK-SAME: %[[K:.*]]: tensor<?x8x?x128xf16>, %[[P:.*]]: !pbs.permutation
func.func @permute(%k: tensor<?x8x?x128xf16>, %p: !pbs.permutation<heads = 32, segment = 256>)
    -> !pbs.permuted<tensor<?x32x?x128xf16>, segment = 256> {
  // CHECK: pbs.permute %[[K]], %[[P]] : tensor<?x8x?x128xf16>, !pbs.permutation<heads = 32, segment = 256>
  // CHECK-SAME: -> !pbs.permuted<tensor<?x32x?x128xf16>, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x8x?x128xf16>, !pbs.permutation<heads = 32, segment = 256>
     -> !pbs.permuted<tensor<?x32x?x128xf16>, segment = 256>
  return %kp : !pbs.permuted<tensor<?x32x?x128xf16>, segment = 256>
}

// CHECK-LABEL: func @pool(
// CHECK-SAME: %[[Q:.*]]: tensor<?x32x?x128xbf16>, %[[K:.*]]: !pbs.permuted
func.func @pool(%q: tensor<?x32x?x128xbf16>, %k: !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 256>)
    -> (tensor<?x32x?x128xf32>, tensor<?x8x?x128xf32>) {
  // CHECK: pbs.pool %[[Q]] mean block = 128 : tensor<?x32x?x128xbf16> -> tensor<?x32x?x128xf32>
  %0 = pbs.pool %q mean block = 128 : tensor<?x32x?x128xbf16> -> tensor<?x32x?x128xf32>
  // CHECK: pbs.pool %[[K]] max block = 128 : !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 256> -> tensor<?x8x?x128xf32>
  %1 = pbs.pool %k max block = 128
     : !pbs.permuted<tensor<?x8x?x128xbf16>, segment = 256> -> tensor<?x8x?x128xf32>
  return %0, %1 : tensor<?x32x?x128xf32>, tensor<?x8x?x128xf32>
}

// CHECK-LABEL: func @pool_through(
// CHECK-SAME: %[[K:.*]]: tensor<?x8x?x128xbf16>, %[[P:.*]]: !pbs.permutation
func.func @pool_through(%k: tensor<?x8x?x128xbf16>, %p: !pbs.permutation<heads = 32, segment = 256>) -> tensor<?x32x?x128xf32> {
  // CHECK: pbs.pool %[[K]] permutation(%[[P]]) mean block = 128 : tensor<?x8x?x128xbf16>, !pbs.permutation<heads = 32, segment = 256> -> tensor<?x32x?x128xf32>
  %0 = pbs.pool %k permutation(%p) mean block = 128
     : tensor<?x8x?x128xbf16>, !pbs.permutation<heads = 32, segment = 256> -> tensor<?x32x?x128xf32>
  return %0 : tensor<?x32x?x128xf32>
}

// CHECK-LABEL: func @block_scores(
// CHECK-SAME: %[[Q:.*]]: tensor<?x32x?x64xf32>, %[[K:.*]]: tensor<?x8x?x64xf32>,
// CHECK-SAME: %[[NQ:.*]]: index, %[[NK:.*]]: index)
func.func @block_scores(%q: tensor<?x32x?x64xf32>, %k: tensor<?x8x?x64xf32>, %nq: index, %nk: index)
    -> (tensor<?x32x?x?xf32>, tensor<?x32x?x?xf32>) {
  // CHECK: pbs.block_scores %[[Q]], %[[K]] lengths(%[[NQ]], %[[NK]]) blocks = [128, 128] segment = 256 scale = 1.250000e-01 causal
  // CHECK-SAME: tensor<?x32x?x64xf32>, tensor<?x8x?x64xf32> -> tensor<?x32x?x?xf32>
  %0 = pbs.block_scores %q, %k lengths(%nq, %nk) blocks = [128, 128] segment = 256 scale = 0.125 causal
     : tensor<?x32x?x64xf32>, tensor<?x8x?x64xf32> -> tensor<?x32x?x?xf32>
  // CHECK: pbs.block_scores
  // CHECK-NOT: causal
  %1 = pbs.block_scores %q, %k lengths(%nq, %nk) blocks = [128, 128] segment = 256 scale = 0.125
     : tensor<?x32x?x64xf32>, tensor<?x8x?x64xf32> -> tensor<?x32x?x?xf32>
  return %0, %1 : tensor<?x32x?x?xf32>, tensor<?x32x?x?xf32>
}

// CHECK-LABEL: func @block_scores_of_rows(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x64xbf16>, %[[K:.*]]: tensor<?x2x?x64xbf16>, %[[NQ:.*]]: index, %[[NK:.*]]: index,
// CHECK-SAME: %[[P:.*]]: !pbs.permutation
func.func @block_scores_of_rows(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %nq: index, %nk: index,
    %p: !pbs.permutation<heads = 2, segment = 256>) -> (tensor<?x4x?x?xf32>, tensor<?x4x?x?xf32>) {
  // CHECK: pbs.block_scores %[[Q]], %[[K]] lengths(%[[NQ]], %[[NK]]) score = #pbs.rows<stride = 16> blocks = [128, 64] segment = 256 scale = 1.250000e-01 causal : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x?xf32>
  %0 = pbs.block_scores %q, %k lengths(%nq, %nk) score = #pbs.rows<stride = 16> blocks = [128, 64] segment = 256
     scale = 0.125 causal : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16> -> tensor<?x4x?x?xf32>
  // CHECK: pbs.block_scores %[[Q]], %[[K]] lengths(%[[NQ]], %[[NK]]) permutation(%[[P]]) score = #pbs.rows<stride = 1>
  // CHECK-SAME: tensor<?x2x?x64xbf16>, !pbs.permutation<heads = 2, segment = 256> -> tensor<?x4x?x?xf32>
  %1 = pbs.block_scores %q, %k lengths(%nq, %nk) permutation(%p) score = #pbs.rows<stride = 1> blocks = [128, 128]
     segment = 256 scale = 0.125
     : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, !pbs.permutation<heads = 2, segment = 256> -> tensor<?x4x?x?xf32>
  return %0, %1 : tensor<?x4x?x?xf32>, tensor<?x4x?x?xf32>
}

// CHECK-LABEL: func @select(
// CHECK-SAME: %[[S:.*]]: tensor<?x32x?x?xf32>, %[[NQ:.*]]: index, %[[NK:.*]]: index,
// CHECK-SAME: %[[P:.*]]: !pbs.permutation
func.func @select(%s: tensor<?x32x?x?xf32>, %nq: index, %nk: index,
    %p: !pbs.permutation<heads = 32, segment = 256>) -> (!pbs.selection<128x128>, !pbs.selection<128x128>) {
  // CHECK: pbs.select %[[S]] lengths(%[[NQ]], %[[NK]]) permutation(%[[P]]) rule = #pbs.top_p<9.000000e-01 : f64> segment = 256 causal
  // CHECK-SAME: tensor<?x32x?x?xf32>, !pbs.permutation<heads = 32, segment = 256> -> !pbs.selection<128x128>
  %0 = pbs.select %s lengths(%nq, %nk) permutation(%p) rule = #pbs.top_p<0.9 : f64> segment = 256 causal
     : tensor<?x32x?x?xf32>, !pbs.permutation<heads = 32, segment = 256> -> !pbs.selection<128x128>
  // CHECK: pbs.select %[[S]] lengths(%[[NQ]], %[[NK]]) rule = #pbs.top_p<5.000000e-01 : f64> segment = 128 : tensor<?x32x?x?xf32> -> !pbs.selection<128x128>
  %1 = pbs.select %s lengths(%nq, %nk) rule = #pbs.top_p<0.5> segment = 128
     : tensor<?x32x?x?xf32> -> !pbs.selection<128x128>
  // CHECK: pbs.select %[[S]] lengths(%[[NQ]], %[[NK]]) rule = #pbs.top_k<4> segment = 128
  %2 = pbs.select %s lengths(%nq, %nk) rule = #pbs.top_k<4> segment = 128
     : tensor<?x32x?x?xf32> -> !pbs.selection<128x128>
  // CHECK: pbs.select %[[S]] lengths(%[[NQ]], %[[NK]]) rule = #pbs.all segment = 128
  %3 = pbs.select %s lengths(%nq, %nk) rule = #pbs.all segment = 128
     : tensor<?x32x?x?xf32> -> !pbs.selection<128x128>
  // CHECK: %{{.*}}, %{{.*}} = pbs.select %[[S]] lengths(%[[NQ]], %[[NK]]) rule = #pbs.all segment = 128 capacity = 16 causal
  // CHECK-SAME: -> !pbs.selection<128x128>, tensor<?x32xi32>
  %4, %cut = pbs.select %s lengths(%nq, %nk) rule = #pbs.all segment = 128 capacity = 16 causal
     : tensor<?x32x?x?xf32> -> !pbs.selection<128x128>, tensor<?x32xi32>
  return %0, %1 : !pbs.selection<128x128>, !pbs.selection<128x128>
}

// CHECK-LABEL: func @attention_plain(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x64xf16>, %[[K:.*]]: tensor<?x1x?x64xf16>, %[[V:.*]]: tensor<?x1x?x64xf16>,
// CHECK-SAME: %[[S:.*]]: !pbs.selection<128x128>)
func.func @attention_plain(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>,
    %s: !pbs.selection<128x128>) -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) {
  // CHECK: pbs.attention %[[Q]], %[[K]], %[[V]], %[[S]] scale = 1.250000e-01
  // CHECK-SAME: tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
}

// CHECK-LABEL: func @window(
func.func @window(%q: tensor<?x4x?x64xf16>, %c: tensor<?x4x?x?xf32>, %m: tensor<?x4x?x?xi1>, %n: index)
    -> (tensor<?x4x?x64xf16>, !pbs.selection<128x128>, !pbs.selection<128x128>) {
  // CHECK: %[[S:.*]] = pbs.full_selection %{{.*}} lengths({{.*}}) heads = 4 causal window = 300 : !pbs.selection<128x128>
  %s = pbs.full_selection %n lengths(%n, %n) heads = 4 causal window = 300 : !pbs.selection<128x128>
  // CHECK: pbs.select {{.*}} segment = 256 window = 1 :
  %t = pbs.select %c lengths(%n, %n) rule = #pbs.all segment = 256 window = 1 : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  // CHECK: pbs.selection_from_mask {{.*}} causal window = 128 :
  %u = pbs.selection_from_mask %m lengths(%n, %n) causal window = 128 : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>
  // CHECK: pbs.attention {{.*}}, %[[S]] scale = 1.250000e-01 causal window = 300 :
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125 causal window = 300
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out, %t, %u : tensor<?x4x?x64xf16>, !pbs.selection<128x128>, !pbs.selection<128x128>
}

// CHECK-LABEL: func @attention_gather(
// CHECK-SAME: %[[P:[^ ]*]]: !pbs.permutation
func.func @attention_gather(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>,
    %s: !pbs.selection<128x128>, %p: !pbs.permutation<heads = 4, segment = 256>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) {
  // CHECK: pbs.attention {{.*}} permutation(%[[P]]) scale = 1.250000e-01 causal : {{.*}}, !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256> ->
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
}

// CHECK-LABEL: func @attention_permuted(
func.func @attention_permuted(%q: tensor<?x4x?x64xf16>, %k: !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>,
    %v: !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>,
    %s: !pbs.selection<128x128>, %p: !pbs.permutation<heads = 4, segment = 256>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) {
  // CHECK: pbs.attention {{.*}} : tensor<?x4x?x64xf16>, !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>,
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xf16>, !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>,
      !pbs.permuted<tensor<?x4x?x64xf16>, segment = 256>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
}

// The region's names may be those around it.
// CHECK-LABEL: func @attention_score(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x64xf16>, %{{.*}}: !pbs.selection<128x128>, %[[CAP:.*]]: tensor<f32>, %[[SINKS:.*]]: tensor<i32>)
func.func @attention_score(%q: tensor<?x4x?x64xf16>, %s: !pbs.selection<128x128>, %cap: tensor<f32>, %sinks: tensor<i32>)
    -> tensor<?x4x?x64xf16> {
  // CHECK: pbs.attention %[[Q]], %[[Q]], %[[Q]], %{{.*}} scale = 1.250000e-01 : {{.*}} -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32> score (%[[CAP]], %[[SINKS]] : tensor<f32>, tensor<i32>) {
  // CHECK-NEXT: ^bb0(%[[SCORE:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %[[KEY:.*]]: i32, %[[C:.*]]: f32, %[[N:.*]]: i32):
  // CHECK-NEXT: %[[SHARE:.*]] = arith.divf %[[SCORE]], %[[C]] : f32
  // CHECK-NEXT: %[[BOUNDED:.*]] = math.tanh %[[SHARE]] fastmath<afn> : f32
  // CHECK-NEXT: %[[IS_SINK:.*]] = arith.cmpi slt, %[[KEY]], %[[N]] : i32
  // CHECK-NEXT: %[[NEW:.*]] = arith.select %[[IS_SINK]], %[[SCORE]], %[[BOUNDED]] : f32
  // CHECK-NEXT: pbs.yield %[[NEW]]
  // CHECK-NEXT: }
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32> score(%cap, %sinks : tensor<f32>, tensor<i32>) {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %cap: f32, %n: i32):
      %share = arith.divf %s, %cap : f32
      %bounded = math.tanh %share fastmath<afn> : f32
      %is_sink = arith.cmpi slt, %j, %n : i32
      %new = arith.select %is_sink, %s, %bounded : f32
      pbs.yield %new
    }
  return %out : tensor<?x4x?x64xf16>
}

// CHECK-LABEL: func @attention_score_without_scalars(
func.func @attention_score_without_scalars(%q: tensor<?x4x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  // CHECK: -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32> score {
  // CHECK-NEXT: ^bb0(%[[SCORE:.*]]: f32,
  // CHECK-NEXT: pbs.yield %[[SCORE]]
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, !pbs.selection<128x128>
    -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      pbs.yield %score
    }
  return %out : tensor<?x4x?x64xf16>
}

// CHECK-LABEL: func @prefill(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x64xf16>, %[[K:.*]]: tensor<?x1x?x64xf16>, %[[V:.*]]: tensor<?x1x?x64xf16>)
func.func @prefill(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4x?xf32>) {
  // CHECK: %[[OUT:.*]], %[[LSE:.*]] = pbs.prefill %[[Q]], %[[K]], %[[V]] permutation = per_query_head blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean> rule = #pbs.top_p<9.000000e-01 : f64> scale = 1.250000e-01 causal : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>{{$}}
  // CHECK: return %[[OUT]], %[[LSE]]
  %out, %lse = pbs.prefill %q, %k, %v permutation = per_query_head blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.top_p<0.9 : f64> scale = 0.125 causal
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
}

// CHECK-LABEL: func @prefill_options(
// CHECK-SAME: %[[N:[^ ]*]]: tensor<i32>)
func.func @prefill_options(%q: tensor<?x4x?x64xf16>, %n: tensor<i32>) -> tensor<?x4xi32> {
  // CHECK: %{{.*}}, %{{.*}}, %[[CUT:.*]] = pbs.prefill {{.*}} permutation = per_kv_head blocks = [128, 128] segment = 512 block_score = #pbs.pooled<max> rule = #pbs.top_k<8> capacity = 20 scale = 1.250000e-01 window = 300 : {{.*}} -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>, tensor<?x4xi32> score (%[[N]] : tensor<i32>) {
  // CHECK-NEXT: ^bb0(%[[SCORE:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32, %{{.*}}: i32):
  // CHECK-NEXT: pbs.yield %[[SCORE]]
  // CHECK: return %[[CUT]]
  %out, %lse, %cut = pbs.prefill %q, %q, %q permutation = per_kv_head blocks = [128, 128] segment = 512 block_score = #pbs.pooled<max>
    rule = #pbs.top_k<8> capacity = 20 scale = 0.125 window = 300
    : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>
    -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>, tensor<?x4xi32> score(%n : tensor<i32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %m: i32):
      pbs.yield %score
    }
  return %cut : tensor<?x4xi32>
}

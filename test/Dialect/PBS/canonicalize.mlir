// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func @attention_drops_identity(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x64xbf16>, %[[K:.*]]: tensor<?x1x?x64xbf16>, %[[V:.*]]: tensor<?x1x?x64xbf16>, %[[S:.*]]: !pbs.selection<128x128>,
func.func @attention_drops_identity(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>,
    %v: tensor<?x1x?x64xbf16>, %s: !pbs.selection<128x128>, %b: index, %n: index)
    -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  // CHECK-NEXT: pbs.attention %[[Q]], %[[K]], %[[V]], %[[S]] scale
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}

// -----

// CHECK-LABEL: func @attention_reads_source(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x64xbf16>, %[[K:.*]]: tensor<?x1x?x64xbf16>, %[[V:.*]]: tensor<?x1x?x64xbf16>, %[[S:.*]]: !pbs.selection<128x128>,
func.func @attention_reads_source(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>,
    %v: tensor<?x1x?x64xbf16>, %s: !pbs.selection<128x128>, %b: index, %n: index)
    -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  // CHECK-NEXT: pbs.attention %[[Q]], %[[K]], %[[V]], %[[S]] scale
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
     -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  %vp = pbs.permute %v, %p : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
     -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
      !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}

// -----

// Under another permutation, plain keys would mean a gather through it.

// CHECK-LABEL: func @attention_keeps_other_permutation(
func.func @attention_keeps_other_permutation(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>,
    %s: !pbs.selection<128x128>, %o: !pbs.permutation<heads = 4, segment = 256>, %b: index, %n: index)
    -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  // CHECK: %[[KP:.*]] = pbs.permute
  // CHECK: pbs.attention %{{.*}}, %[[KP]], %[[KP]], %{{.*}} permutation(
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
     -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  %out, %lse = pbs.attention %q, %kp, %kp, %s permutation(%o) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
      !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}

// -----

// Keys that came permuted from elsewhere stay so, and causal attention over
// them keeps its permutation.

// CHECK-LABEL: func @attention_keeps_permuted(
func.func @attention_keeps_permuted(%q: tensor<?x4x?x64xbf16>,
    %k: !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>, %s: !pbs.selection<128x128>, %b: index, %n: index)
    -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  // CHECK: %[[P:.*]] = pbs.identity_permutation
  // CHECK: pbs.attention {{.*}} permutation(%[[P]])
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %out, %lse = pbs.attention %q, %k, %k, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
      !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}

// -----

// CHECK-LABEL: func @pool_reads_source(
// CHECK-SAME: %[[K:.*]]: tensor<?x4x?x64xbf16>,
func.func @pool_reads_source(%k: tensor<?x4x?x64xbf16>, %b: index, %n: index) -> tensor<?x4x?x64xf32> {
  // CHECK-NEXT: pbs.pool %[[K]] mean
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x4x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
     -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  %0 = pbs.pool %kp mean block = 128 : !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256> -> tensor<?x4x?x64xf32>
  return %0 : tensor<?x4x?x64xf32>
}

// -----

// CHECK-LABEL: func @pool_drops_identity(
func.func @pool_drops_identity(%k: tensor<?x4x?x64xbf16>, %b: index, %n: index) -> tensor<?x4x?x64xf32> {
  // CHECK-NEXT: pbs.pool %{{.*}} mean
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %0 = pbs.pool %k permutation(%p) mean block = 128
     : tensor<?x4x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xf32>
  return %0 : tensor<?x4x?x64xf32>
}

// -----

// The permutation gives the keys more heads, which the pooled keys have too.

// CHECK-LABEL: func @pool_keeps_heads(
func.func @pool_keeps_heads(%k: tensor<?x1x?x64xbf16>, %b: index, %n: index) -> tensor<?x4x?x64xf32> {
  // CHECK: %[[KP:.*]] = pbs.permute
  // CHECK: pbs.pool %[[KP]] mean
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
     -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  %0 = pbs.pool %kp mean block = 128 : !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256> -> tensor<?x4x?x64xf32>
  return %0 : tensor<?x4x?x64xf32>
}

// -----

// CHECK-LABEL: func @select_drops_identity(
func.func @select_drops_identity(%s: tensor<?x4x?x?xf32>, %b: index, %nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK-NEXT: pbs.select %{{.*}} lengths({{.*}}) rule
  %p = pbs.identity_permutation %b, %nk : !pbs.permutation<heads = 4, segment = 256>
  %0 = pbs.select %s lengths(%nq, %nk) permutation(%p) rule = #pbs.top_p<0.9> segment = 256 causal
     : tensor<?x4x?x?xf32>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @full_selection_drops_identity(
func.func @full_selection_drops_identity(%b: index, %nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK-NEXT: pbs.full_selection %{{.*}} lengths({{.*}}) heads = 4 causal
  %p = pbs.identity_permutation %b, %nk : !pbs.permutation<heads = 4, segment = 256>
  %0 = pbs.full_selection %b lengths(%nq, %nk) permutation(%p : !pbs.permutation<heads = 4, segment = 256>)
       heads = 4 causal : !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @selection_from_mask_drops_identity(
func.func @selection_from_mask_drops_identity(%m: tensor<?x4x?x?xi1>, %b: index, %nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK-NEXT: pbs.selection_from_mask %{{.*}} lengths({{[^)]*}}) : tensor
  %p = pbs.identity_permutation %b, %nk : !pbs.permutation<heads = 4, segment = 256>
  %0 = pbs.selection_from_mask %m lengths(%nq, %nk) permutation(%p)
     : tensor<?x4x?x?xi1>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @select_takes_all(
// CHECK-SAME: %[[S:.*]]: tensor<?x4x?x?xf32>, %[[NQ:.*]]: index, %[[NK:.*]]: index, %[[P:.*]]: !pbs.permutation
func.func @select_takes_all(%s: tensor<?x4x?x?xf32>, %nq: index, %nk: index,
    %p: !pbs.permutation<heads = 4, segment = 256>) -> !pbs.selection<128x128> {
  // CHECK: %[[B:.*]] = tensor.dim %[[S]], %{{.*}} : tensor<?x4x?x?xf32>
  // CHECK: pbs.full_selection %[[B]] lengths(%[[NQ]], %[[NK]]) permutation(%[[P]] : {{.*}}) heads = 4 causal
  %0 = pbs.select %s lengths(%nq, %nk) permutation(%p) rule = #pbs.top_p<1.0> segment = 256 causal
     : tensor<?x4x?x?xf32>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// The batch is known before the scores, which nobody needs.
// CHECK-LABEL: func @select_takes_all_of_computed_scores(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x4x?x64xbf16>
func.func @select_takes_all_of_computed_scores(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>,
    %p: !pbs.permutation<heads = 4, segment = 256>, %nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK-NOT: pbs.pool
  // CHECK-NOT: pbs.block_scores
  // CHECK: %[[B:.*]] = tensor.dim %[[Q]], %{{.*}} : tensor<?x4x?x64xbf16>
  // CHECK-NEXT: pbs.full_selection %[[B]]
  %pk = pbs.permute %k, %p : tensor<?x2x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
    -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  %a = pbs.pool %q mean block = 128 : tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xf32>
  %b = pbs.pool %pk mean block = 128 : !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256> -> tensor<?x4x?x64xf32>
  %s = pbs.block_scores %a, %b lengths(%nq, %nk) blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x?xf32>
  %0 = pbs.select %s lengths(%nq, %nk) permutation(%p) rule = #pbs.all segment = 256 causal
     : tensor<?x4x?x?xf32>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @select_rule_all(
func.func @select_rule_all(%s: tensor<?x4x?x?xf32>, %nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK: pbs.full_selection
  %0 = pbs.select %s lengths(%nq, %nk) rule = #pbs.all segment = 256
     : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @select_best_of_no_more(
func.func @select_best_of_no_more(%s: tensor<?x4x?x8xf32>, %nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK: pbs.full_selection
  %0 = pbs.select %s lengths(%nq, %nk) rule = #pbs.top_k<8> segment = 256
     : tensor<?x4x?x8xf32> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @select_best(
func.func @select_best(%s: tensor<?x4x?x9xf32>, %t: tensor<?x4x?x?xf32>, %nq: index, %nk: index)
    -> (!pbs.selection<128x128>, !pbs.selection<128x128>) {
  // CHECK-COUNT-2: pbs.select
  %0 = pbs.select %s lengths(%nq, %nk) rule = #pbs.top_k<8> segment = 256
     : tensor<?x4x?x9xf32> -> !pbs.selection<128x128>
  %1 = pbs.select %t lengths(%nq, %nk) rule = #pbs.top_k<16383> segment = 256
     : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return %0, %1 : !pbs.selection<128x128>, !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @select_all_in_window(
func.func @select_all_in_window(%s: tensor<?x4x?x?xf32>, %n: index) -> !pbs.selection<128x128> {
  // CHECK: pbs.full_selection {{.*}} heads = 4 causal window = 300
  %0 = pbs.select %s lengths(%n, %n) rule = #pbs.all segment = 256 causal window = 300
     : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// A capacity may leave some out.

// CHECK-LABEL: func @capacity_stays(
func.func @capacity_stays(%s: tensor<?x4x?x?xf32>, %nq: index, %nk: index)
    -> (!pbs.selection<128x128>, tensor<?x4xi32>, !pbs.selection<128x128>) {
  // CHECK: pbs.select
  // CHECK: pbs.selection_from_mask
  %0, %cut = pbs.select %s lengths(%nq, %nk) rule = #pbs.all segment = 256 capacity = 8
     : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x4xi32>
  %m = arith.constant dense<true> : tensor<2x4x3x3xi1>
  %1, %c = pbs.selection_from_mask %m lengths(%nq, %nk) capacity = 2
     : tensor<2x4x3x3xi1> -> !pbs.selection<128x128>, tensor<2x4xi32>
  return %0, %cut, %1 : !pbs.selection<128x128>, tensor<?x4xi32>, !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @select_takes_nearly_all(
func.func @select_takes_nearly_all(%s: tensor<?x4x?x?xf32>, %nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK: pbs.select
  %0 = pbs.select %s lengths(%nq, %nk) rule = #pbs.top_p<0.9999> segment = 256 causal
     : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @mask_is_all_true(
// CHECK-SAME: %[[NQ:.*]]: index, %[[NK:.*]]: index)
func.func @mask_is_all_true(%nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK: %[[B:.*]] = arith.constant 2 : index
  // CHECK-NEXT: pbs.full_selection %[[B]] lengths(%[[NQ]], %[[NK]]) heads = 4 : !pbs.selection<128x128>
  %m = arith.constant dense<true> : tensor<2x4x3x3xi1>
  %0 = pbs.selection_from_mask %m lengths(%nq, %nk) : tensor<2x4x3x3xi1> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @mask_is_not_all_true(
func.func @mask_is_not_all_true(%nq: index, %nk: index) -> !pbs.selection<128x128> {
  // CHECK: pbs.selection_from_mask
  %m = arith.constant dense<[[[[true, false]]]]> : tensor<1x1x1x2xi1>
  %0 = pbs.selection_from_mask %m lengths(%nq, %nk) : tensor<1x1x1x2xi1> -> !pbs.selection<128x128>
  return %0 : !pbs.selection<128x128>
}

// -----

// CHECK-LABEL: func @sort_of_one_segment(
// CHECK-SAME: %[[I:.*]]: tensor<?x4x256xf32>)
func.func @sort_of_one_segment(%i: tensor<?x4x256xf32>) -> !pbs.permutation<heads = 4, segment = 256> {
  // CHECK-DAG: %[[B:.*]] = tensor.dim %[[I]], %{{.*}} : tensor<?x4x256xf32>
  // CHECK-DAG: %[[N:.*]] = arith.constant 256 : index
  // CHECK: pbs.identity_permutation %[[B]], %[[N]]
  %p = pbs.segment_sort %i : tensor<?x4x256xf32> -> !pbs.permutation<heads = 4, segment = 256>
  return %p : !pbs.permutation<heads = 4, segment = 256>
}

// -----

// CHECK-LABEL: func @sort_of_more_than_one_segment(
func.func @sort_of_more_than_one_segment(%i: tensor<?x4x257xf32>) -> !pbs.permutation<heads = 4, segment = 256> {
  // CHECK: pbs.segment_sort
  %p = pbs.segment_sort %i : tensor<?x4x257xf32> -> !pbs.permutation<heads = 4, segment = 256>
  return %p : !pbs.permutation<heads = 4, segment = 256>
}

// -----

// The score region stays where the rest changes.
// CHECK-LABEL: func @attention_keeps_score_region(
// CHECK-SAME: %[[Q:.*]]: tensor<?x4x?x64xbf16>, %[[K:.*]]: tensor<?x4x?x64xbf16>, {{.*}}, %[[CAP:.*]]: tensor<f32>)
func.func @attention_keeps_score_region(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x4x?x64xbf16>,
    %s: !pbs.selection<128x128>, %b: index, %n: index, %cap: tensor<f32>) -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  // CHECK-NEXT: pbs.attention %[[Q]], %[[K]], %[[K]], %{{.*}} scale = {{.*}} score (%[[CAP]] : tensor<f32>) {
  // CHECK-NEXT: ^bb0(%[[SCORE:.*]]: f32, {{.*}}, %[[C:.*]]: f32):
  // CHECK-NEXT: %[[NEW:.*]] = arith.minimumf %[[SCORE]], %[[C]]
  // CHECK-NEXT: pbs.yield %[[NEW]]
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x4x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
     -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  %out, %lse = pbs.attention %q, %kp, %kp, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
      !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>, !pbs.selection<128x128>,
      !pbs.permutation<heads = 4, segment = 256> -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%cap : tensor<f32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %c: f32):
      %new = arith.minimumf %score, %c : f32
      pbs.yield %new
    }
  return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}

// -----

// What canonicalisation makes of a score region may stand in one.
// CHECK-LABEL: func @score_region_operations(
// CHECK: arith.extui
// CHECK: arith.xori
func.func @score_region_operations(%q: tensor<?x4x?x64xbf16>, %s: !pbs.selection<128x128>, %n: tensor<i32>)
    -> tensor<?x4x?x64xbf16> {
  %out, %lse = pbs.attention %q, %q, %q, %s scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, tensor<?x4x?x64xbf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32> score(%n : tensor<i32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %m: i32):
      %zero = arith.constant 0 : i32
      %one = arith.constant 1 : i32
      %true = arith.constant true
      %false = arith.constant false
      %is_near = arith.cmpi slt, %j, %m : i32
      %number = arith.select %is_near, %one, %zero : i32
      %real = arith.sitofp %number : i32 to f32
      %is_high = arith.cmpf ogt, %score, %real : f32
      %is_low = arith.select %is_high, %false, %true : i1
      %new = arith.uitofp %is_low : i1 to f32
      pbs.yield %new
    }
  return %out : tensor<?x4x?x64xbf16>
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation))" | FileCheck %s
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation))" -o /dev/null \
// RUN:   --remarks-filter=pbs-fuse-permutation --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: not pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=both}))" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=STRATEGY
// RUN: not pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{expected-density=1.5}))" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DENSITY

// STRATEGY: error: pbs-fuse-permutation: strategy 'both' must be 'gather', 'write' or 'auto'
// DENSITY: error: pbs-fuse-permutation: expected-density must be from 0 to 1

!half = tensor<?x4x?x64xbf16>
!keys = tensor<?x2x?x64xbf16>
!permutation = !pbs.permutation<heads = 4, segment = 256>
!permuted = !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
!selection = !pbs.selection<128x128>

// CHECK-LABEL: func @gather(
// CHECK-SAME: %[[Q:[^ ]*]]: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[V:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[P:[^ ]*]]: !pbs.permutation
// REMARK: fuse-permutation.mlir:[[#@LINE+6]]:{{.*}} remark: [Passed] Fused | Category:pbs-fuse-permutation | Function=gather | Strategy=gather, TensorsNotRead=2
func.func @gather(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> (!half, tensor<?x4x?xf32>) {
  // CHECK-NOT: pbs.permute %
  // CHECK: pbs.attention %[[Q]], %[[K]], %[[V]], %{{.*}} permutation(%[[P]]) scale = 1.250000e-01 causal : tensor<?x4x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x64xbf16>
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32>
  return %out, %lse : !half, tensor<?x4x?xf32>
}

// Attention that is not causal needs no permutation of permuted keys, but one
// to gather by.
// CHECK-LABEL: func @not_causal(
// CHECK-SAME: %[[P:[^ ]*]]: !pbs.permutation
func.func @not_causal(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> (!half, tensor<?x4x?xf32>) {
  // CHECK: pbs.attention {{.*}} permutation(%[[P]]) scale
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %kp, %vp, %s scale = 0.125 : !half, !permuted, !permuted, !selection -> !half, tensor<?x4x?xf32>
  return %out, %lse : !half, tensor<?x4x?xf32>
}

// Something else needs the permuted keys, and pooling reads them as well.
// CHECK-LABEL: func @other_use(
// CHECK-SAME: %{{[^ ]*}}: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[V:[^ ]*]]: tensor<?x2x?x64xbf16>
func.func @other_use(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection)
    -> (!half, !permuted, tensor<?x4x?x64xf32>) {
  // CHECK: %[[KP:.*]] = pbs.permute %[[K]]
  // CHECK-NOT: pbs.permute %
  // CHECK: pbs.attention %{{.*}}, %[[K]], %[[V]],
  // CHECK: pbs.pool %[[KP]] mean
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32>
  %pooled = pbs.pool %kp mean block = 128 : !permuted -> tensor<?x4x?x64xf32>
  return %out, %kp, %pooled : !half, !permuted, tensor<?x4x?x64xf32>
}

// CHECK-LABEL: func @pool(
// CHECK-SAME: %{{[^ ]*}}: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, %{{.*}}, %[[P:[^ ]*]]: !pbs.permutation
func.func @pool(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> (!half, tensor<?x4x?x64xf32>) {
  // CHECK-NOT: pbs.permute %
  // CHECK: pbs.pool %[[K]] permutation(%[[P]]) max block = 128
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
  %pooled = pbs.pool %kp max block = 128 : !permuted -> tensor<?x4x?x64xf32>
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32>
  return %out, %pooled : !half, tensor<?x4x?x64xf32>
}

// CHECK-LABEL: func @two_permutations(
// REMARK: fuse-permutation.mlir:[[#@LINE+7]]:{{.*}} remark: [Missed] NotFused | Category:pbs-fuse-permutation | Function=two_permutations | Reason="keys, values and attention do not share one permutation"
func.func @two_permutations(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %p2: !permutation, %s: !selection) -> !half {
  // CHECK: %[[KP:.*]] = pbs.permute
  // CHECK: %[[VP:.*]] = pbs.permute
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p2 : !keys, !permutation -> !permuted
  // CHECK: pbs.attention %{{.*}}, %[[KP]], %[[VP]],
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32>
  return %out : !half
}

// Permuted keys that come from outside are as they are.
// CHECK-LABEL: func @permuted_arguments(
func.func @permuted_arguments(%q: !half, %kp: !permuted, %vp: !permuted, %p: !permutation, %s: !selection) -> !half {
  // CHECK: pbs.attention {{.*}} !pbs.permuted
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32>
  return %out : !half
}

// The score region stays.
// CHECK-LABEL: func @score_region(
// CHECK-SAME: %{{[^ ]*}}: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, {{.*}}, %[[CAP:[^ ]*]]: tensor<f32>)
func.func @score_region(%q: !half, %k: !keys, %p: !permutation, %s: !selection, %cap: tensor<f32>) -> !half {
  // CHECK: pbs.attention %{{.*}}, %[[K]], %[[K]], {{.*}} score (%[[CAP]] : tensor<f32>) {
  // CHECK: arith.minimumf
  // CHECK-NEXT: pbs.yield
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %kp, %kp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x4x?xf32> score(%cap : tensor<f32>) {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32, %c: f32):
      %new = arith.minimumf %score, %c : f32
      pbs.yield %new
    }
  return %out : !half
}

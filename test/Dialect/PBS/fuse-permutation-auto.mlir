// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=auto}))" | FileCheck %s
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=auto}))" -o /dev/null \
// RUN:   --remarks-filter=pbs-fuse-permutation --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK
// Deciding again changes nothing.
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=auto}))" -o %t.once.mlir
// RUN: pbs-opt %t.once.mlir --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=auto}))" -o %t.twice.mlir
// RUN: cmp %t.once.mlir %t.twice.mlir
// The option speaks where the function does not.
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=auto expected-density=0.4}))" \
// RUN:   | FileCheck %s --check-prefix=OPTION

!half = tensor<?x32x?x64xbf16>
!keys = tensor<?x8x?x64xbf16>
!permutation = !pbs.permutation<heads = 32, segment = 256>
!permuted = !pbs.permuted<tensor<?x32x?x64xbf16>, segment = 256>
!selection = !pbs.selection<128x128>

// The longer the keys, the more blocks gather a row again.
// CHECK-LABEL: func @both(
// CHECK-SAME: %[[Q:[^ ]*]]: tensor<?x32x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x8x?x64xbf16>, %[[V:[^ ]*]]: tensor<?x8x?x64xbf16>, %[[P:[^ ]*]]: !pbs.permutation
// REMARK: [[#@LINE+20]]:{{.*}} remark: [Passed] Decided | Category:pbs-fuse-permutation | Function=both | AtKeys=[[N:[0-9]+]], CrossoverKeys=[[N]], GatherBytes={{[0-9]+}}, GatherMicroseconds={{[0-9.]+}}, Strategy=both, WriteBytes={{[0-9]+}}, WriteMicroseconds={{[0-9.]+}}
func.func @both(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> (!half, tensor<?x32x?xf32>)
    attributes {pbs.expected_density = 0.3 : f64} {
  // CHECK: %[[N:.*]] = tensor.dim %[[K]], %c2
  // CHECK: %[[C:.*]] = arith.constant [[#CROSSOVER:]] : index
  // CHECK: %[[LONG:.*]] = arith.cmpi sge, %[[N]], %[[C]] : index
  // CHECK: %[[R:.*]]:2 = scf.if %[[LONG]]
  // CHECK: %[[KP:.*]] = pbs.permute %[[K]]
  // CHECK: %[[VP:.*]] = pbs.permute %[[V]]
  // CHECK: %[[O:.*]], %[[L:.*]] = pbs.attention %[[Q]], %[[KP]], %[[VP]], %{{.*}} permutation(%[[P]])
  // CHECK: pbs.yield %[[SCORE:.*]]
  // CHECK: scf.yield %[[O]], %[[L]]
  // CHECK: } else {
  // CHECK-NOT: pbs.permute %
  // CHECK: %[[O2:.*]], %[[L2:.*]] = pbs.attention %[[Q]], %[[K]], %[[V]], %{{.*}} permutation(%[[P]])
  // CHECK: pbs.yield
  // CHECK: scf.yield %[[O2]], %[[L2]]
  // CHECK: return %[[R]]#0, %[[R]]#1
  // OPTION-LABEL: func @both(
  // OPTION: scf.if
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : !half, !keys, !keys, !selection, !permutation -> !half, tensor<?x32x?xf32> score {
    ^bb0(%score: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      %new = arith.negf %score : f32
      pbs.yield %new
    }
  return %out, %lse : !half, tensor<?x32x?xf32>
}

// Permuted copies that were given vanish from the branch that gathers.
// CHECK-LABEL: func @given_copies(
// OPTION-LABEL: func @given_copies(
func.func @given_copies(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> !half
    attributes {pbs.expected_density = 0.3 : f64} {
  // CHECK-NOT: pbs.permute %
  // CHECK: scf.if
  // CHECK-COUNT-2: pbs.permute %
  // CHECK: } else {
  // CHECK-NOT: pbs.permute %
  // CHECK: return
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x32x?xf32>
  return %out : !half
}

// Where the keys are known, one strategy is enough.
// CHECK-LABEL: func @short(
// REMARK: Function=short | AtKeys=1024, {{.*}} Strategy=gather
func.func @short(%q: tensor<1x32x1024x64xbf16>, %k: tensor<1x8x1024x64xbf16>, %v: tensor<1x8x1024x64xbf16>, %p: !permutation, %s: !selection)
    -> tensor<1x32x1024x64xbf16> attributes {pbs.expected_density = 0.3 : f64} {
  // CHECK-NOT: scf.if
  // CHECK-NOT: pbs.permute %
  // CHECK: return
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<1x32x1024x64xbf16>, tensor<1x8x1024x64xbf16>, tensor<1x8x1024x64xbf16>, !selection, !permutation
   -> tensor<1x32x1024x64xbf16>, tensor<1x32x1024xf32>
  return %out : tensor<1x32x1024x64xbf16>
}

// CHECK-LABEL: func @long(
// REMARK: Function=long | AtKeys=131072, {{.*}} Strategy=write
func.func @long(%q: tensor<1x32x131072x64xbf16>, %k: tensor<1x8x131072x64xbf16>, %v: tensor<1x8x131072x64xbf16>, %p: !permutation,
    %s: !selection) -> tensor<1x32x131072x64xbf16> attributes {pbs.expected_density = 0.3 : f64} {
  // CHECK-NOT: scf.if
  // CHECK-COUNT-2: pbs.permute %
  // CHECK: return
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<1x32x131072x64xbf16>, tensor<1x8x131072x64xbf16>, tensor<1x8x131072x64xbf16>, !selection, !permutation
   -> tensor<1x32x131072x64xbf16>, tensor<1x32x131072xf32>
  return %out : tensor<1x32x131072x64xbf16>
}

// A chunk of few queries lists few blocks, however many keys there are.
// CHECK-LABEL: func @chunk(
// REMARK: Function=chunk | AtKeys=32768, {{.*}} Strategy=gather
func.func @chunk(%q: tensor<?x32x256x64xbf16>, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> tensor<?x32x256x64xbf16>
    attributes {pbs.expected_density = 0.3 : f64} {
  // CHECK-NOT: scf.if
  // CHECK-NOT: pbs.permute %
  // CHECK: return
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : tensor<?x32x256x64xbf16>, !keys, !keys, !selection, !permutation -> tensor<?x32x256x64xbf16>, tensor<?x32x256xf32>
  return %out : tensor<?x32x256x64xbf16>
}

// Without an expected density it gathers, but full selections are what they are.
// CHECK-LABEL: func @not_known(
// OPTION-LABEL: func @not_known(
// REMARK: Fused | {{.*}} Function=not_known | Strategy=gather, TensorsNotRead=2
func.func @not_known(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> !half {
  // CHECK-NOT: scf.if
  // CHECK-NOT: pbs.permute %
  // CHECK: return
  // OPTION: scf.if
  // OPTION: return
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x32x?xf32>
  return %out : !half
}

// CHECK-LABEL: func @full(
// REMARK: Decided | {{.*}} Function=full |
func.func @full(%q: !half, %k: !keys, %v: !keys, %p: !permutation) -> !half {
  // CHECK: scf.if
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : !half
  %nq = tensor.dim %q, %c2 : !half
  %n = tensor.dim %k, %c2 : !keys
  %s = pbs.full_selection %b lengths(%nq, %n) permutation(%p : !permutation) heads = 32 causal : !selection
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : !half, !keys, !keys, !selection, !permutation -> !half, tensor<?x32x?xf32>
  return %out : !half
}

// Both copies are needed anyway.
// CHECK-LABEL: func @kept(
// REMARK: [Missed] NotFused | {{.*}} Function=kept | Reason="something else reads the permuted keys and values, so that gathering saves nothing"
func.func @kept(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> (!half, !permuted, !permuted)
    attributes {pbs.expected_density = 0.3 : f64} {
  // CHECK: %[[KP:.*]] = pbs.permute
  // CHECK: %[[VP:.*]] = pbs.permute
  // CHECK: pbs.attention %{{.*}}, %[[KP]], %[[VP]],
  %kp = pbs.permute %k, %p : !keys, !permutation -> !permuted
  %vp = pbs.permute %v, %p : !keys, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %kp, %vp, %s permutation(%p) scale = 0.125 causal
    : !half, !permuted, !permuted, !selection, !permutation -> !half, tensor<?x32x?xf32>
  return %out, %kp, %vp : !half, !permuted, !permuted
}

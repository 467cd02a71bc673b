// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=write}))" | FileCheck %s
// RUN: pbs-opt %s --pass-pipeline="builtin.module(func.func(pbs-fuse-permutation{strategy=write}))" -o /dev/null \
// RUN:   --remarks-filter=pbs-fuse-permutation --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!half = tensor<?x4x?x64xbf16>
!keys = tensor<?x2x?x64xbf16>
!permutation = !pbs.permutation<heads = 4, segment = 256>
!permuted = !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
!selection = !pbs.selection<128x128>

// CHECK-LABEL: func @gathers(
// CHECK-SAME: %[[Q:[^ ]*]]: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[V:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[P:[^ ]*]]: !pbs.permutation
// REMARK: [[#@LINE+5]]:{{.*}} remark: [Passed] Written | Category:pbs-fuse-permutation | Function=gathers | Strategy=write
func.func @gathers(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> !half {
  // CHECK: %[[KP:.*]] = pbs.permute %[[K]], %[[P]] : tensor<?x2x?x64xbf16>, {{.*}} -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  // CHECK: %[[VP:.*]] = pbs.permute %[[V]], %[[P]]
  // CHECK: pbs.attention %[[Q]], %[[KP]], %[[VP]], %{{.*}} permutation(%[[P]]) scale = 1.250000e-01 causal
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : !half, !keys, !keys, !selection, !permutation -> !half, tensor<?x4x?xf32>
  return %out : !half
}

// Keys are written before the pooling that reads them, and once.
// CHECK-LABEL: func @pool(
// CHECK-SAME: %{{[^ ]*}}: tensor<?x4x?x64xbf16>, %[[K:[^ ]*]]: tensor<?x2x?x64xbf16>, %[[V:[^ ]*]]: tensor<?x2x?x64xbf16>
func.func @pool(%q: !half, %k: !keys, %v: !keys, %p: !permutation, %s: !selection) -> (!half, tensor<?x4x?x64xf32>) {
  // CHECK: %[[KP:.*]] = pbs.permute %[[K]]
  // CHECK: pbs.pool %[[KP]] mean block = 128 : !pbs.permuted
  // CHECK-NOT: pbs.permute %[[K]]
  // CHECK: %[[VP:.*]] = pbs.permute %[[V]]
  // CHECK: pbs.attention %{{.*}}, %[[KP]], %[[VP]],
  %pooled = pbs.pool %k permutation(%p) mean block = 128 : !keys, !permutation -> tensor<?x4x?x64xf32>
  %out, %lse = pbs.attention %q, %k, %v, %s permutation(%p) scale = 0.125 causal
    : !half, !keys, !keys, !selection, !permutation -> !half, tensor<?x4x?xf32>
  return %out, %pooled : !half, tensor<?x4x?x64xf32>
}

// One tensor as keys and values is written once.
// CHECK-LABEL: func @same(
func.func @same(%q: !half, %k: !keys, %p: !permutation, %s: !selection) -> !half {
  // CHECK: %[[KP:.*]] = pbs.permute
  // CHECK-NOT: pbs.permute %
  // CHECK: pbs.attention %{{.*}}, %[[KP]], %[[KP]],
  %out, %lse = pbs.attention %q, %k, %k, %s permutation(%p) scale = 0.125 causal
    : !half, !keys, !keys, !selection, !permutation -> !half, tensor<?x4x?xf32>
  return %out : !half
}

// A pool alone gathers on: nothing else would read what is written.
// CHECK-LABEL: func @pool_alone(
func.func @pool_alone(%k: !keys, %p: !permutation) -> tensor<?x4x?x64xf32> {
  // CHECK-NOT: pbs.permute %
  // CHECK: pbs.pool %{{.*}} permutation
  %pooled = pbs.pool %k permutation(%p) mean block = 128 : !keys, !permutation -> tensor<?x4x?x64xf32>
  return %pooled : tensor<?x4x?x64xf32>
}

// Without a permutation there is nothing to write.
// CHECK-LABEL: func @plain(
func.func @plain(%q: !half, %k: !keys, %v: !keys, %s: !selection) -> !half {
  // CHECK-NOT: pbs.permute %
  // CHECK: pbs.attention
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125 causal : !half, !keys, !keys, !selection -> !half, tensor<?x4x?xf32>
  return %out : !half
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --cse --convert-pbs-to-pbsgpu | FileCheck %s

// Keys and values in one order are permuted by one kernel. It was launched at the
// user that the permutation got first, which is not the first one in the
// program once two equal permutations have become one.

// CHECK-LABEL: pbsgpu.plan @permuted
// CHECK: %[[PK:.*]] = pbsgpu.buffer "permuted"
// CHECK: %[[PV:.*]] = pbsgpu.argument "result1" output
// CHECK: pbsgpu.launch {{.*}}@permute grid
// CHECK-NEXT: arguments({{.*}}, %[[PK]], %{{.*}}, %[[PV]] :
// CHECK: pbsgpu.launch {{.*}}@pool grid
// CHECK-NEXT: arguments(%[[PK]],
// CHECK-NOT: pbsgpu.launch
!permutation = !pbs.permutation<heads = 2, segment = 256>
!permuted = !pbs.permuted<tensor<?x2x?x64xbf16>, segment = 256>
func.func @permuted(%k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x64xbf16>, %i: tensor<?x2x?xf32>)
    -> (tensor<?x2x?x64xf32>, !permuted) {
  %p = pbs.segment_sort %i : tensor<?x2x?xf32> -> !permutation
  %same = pbs.segment_sort %i : tensor<?x2x?xf32> -> !permutation
  %pk = pbs.permute %k, %same : tensor<?x2x?x64xbf16>, !permutation -> !permuted
  %pooled = pbs.pool %pk mean block = 128 : !permuted -> tensor<?x2x?x64xf32>
  %pv = pbs.permute %v, %p : tensor<?x2x?x64xbf16>, !permutation -> !permuted
  return %pooled, %pv : tensor<?x2x?x64xf32>, !permuted
}

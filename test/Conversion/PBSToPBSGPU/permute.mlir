// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

!permutation = !pbs.permutation<heads = 4, segment = 256>
!permuted = !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>

// One kernel writes keys and values. A CTA has 128 rows; 8 threads copy one, 16
// bytes each.
// CHECK-LABEL: pbsgpu.kernel @permute(
// CHECK-NEXT: %[[P:[^:]*]]: memref<?x4x?xi32> {pbs.name = "permutation"}
// CHECK-NEXT: %[[K:[^:]*]]: !strided_nx2xnx64xbf16 {pbs.name = "source0"}
// CHECK-NEXT: %[[PK:[^:]*]]: !strided_nx4xnx64xbf16 {pbs.name = "permuted0"}
// CHECK-NEXT: %[[V:[^:]*]]: !strided_nx2xnx64xbf16 {pbs.name = "source1"}
// CHECK-NEXT: %[[PV:[^:]*]]: !strided_nx4xnx64xbf16 {pbs.name = "permuted1"}) warps = 8
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK: %[[X:.*]] = gpu.block_id x
// CHECK: %[[FIRST:.*]] = arith.muli %[[X]], %[[C128]]
// CHECK: %[[FULL_END:.*]] = arith.addi %[[FIRST]], %[[C128]]
// CHECK: %[[N:.*]] = memref.dim %[[P]], %[[C2]]
// CHECK: %[[END:.*]] = arith.minsi %[[FULL_END]], %[[N]]
// CHECK-DAG: %[[H:.*]] = gpu.block_id y
// CHECK-DAG: %[[B:.*]] = gpu.block_id z
// CHECK-DAG: %[[KH:.*]] = arith.divui %[[H]], %[[C2]]
// CHECK: %[[ROWS:.*]] = memref.dim %[[K]], %[[C2]]
// CHECK: %[[LAST:.*]] = arith.subi %[[ROWS]],
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: %[[CHUNK:.*]] = arith.remui %[[T]], %[[C8]]
// CHECK: %[[COLUMN:.*]] = arith.muli %[[CHUNK]], %[[C8]]
// CHECK: %[[OWN:.*]] = arith.divui %[[T]], %[[C8]]
// CHECK: %[[BEGIN:.*]] = arith.addi %[[FIRST]], %[[OWN]]
// CHECK: scf.for %[[PLACE:.*]] = %[[BEGIN]] to %[[END]] step %[[C32]]
// CHECK-NEXT: %[[POSITION:.*]] = memref.load %[[P]][%[[B]], %[[H]], %[[PLACE]]]
// CHECK-NEXT: %[[GIVEN:.*]] = arith.index_cast %[[POSITION]] : i32 to index
// CHECK-NEXT: %[[ROW:.*]] = arith.minui %[[GIVEN]], %[[LAST]]
// CHECK-NEXT: %[[PART:.*]] = vector.load %[[K]][%[[B]], %[[KH]], %[[ROW]], %[[COLUMN]]] {alignment = 16 : i64} : {{.*}}, vector<8xbf16>
// CHECK-NEXT: vector.store %[[PART]], %[[PK]][%[[B]], %[[H]], %[[PLACE]], %[[COLUMN]]] {alignment = 16 : i64}
// CHECK: scf.for
// CHECK: vector.load %[[V]]
// CHECK: vector.store %{{.*}}, %[[PV]]
// CHECK: pbsgpu.return
// CHECK-NOT: pbsgpu.kernel
// CHECK-LABEL: pbsgpu.plan @keys_and_values
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "k_0"
// CHECK-DAG: %[[N:.*]] = pbsgpu.size "k_2"
// CHECK: %[[K:.*]] = pbsgpu.argument "k"
// CHECK: %[[V:.*]] = pbsgpu.argument "v"
// CHECK: %[[P:.*]] = pbsgpu.argument "p"
// CHECK: %[[PK:.*]] = pbsgpu.argument "result0" output [%[[B]], 4, %[[N]], 64]
// CHECK: %[[PV:.*]] = pbsgpu.argument "result1" output [%[[B]], 4, %[[N]], 64]
// CHECK: pbsgpu.require %{{.*}}, "k_0 is at most 65535"
// CHECK: %[[CTAS:.*]] = arith.ceildivsi %[[N]], %[[C128]]
// CHECK: pbsgpu.launch @keys_and_values_kernels::@permute grid(%[[CTAS]], %[[C4]], %[[B]])
// CHECK-NEXT: arguments(%[[P]], %[[K]], %[[PK]], %[[V]], %[[PV]] :
// CHECK-NOT: pbsgpu.launch
func.func @keys_and_values(%k: tensor<?x2x?x64xbf16> {pbs.name = "k"}, %v: tensor<?x2x?x64xbf16> {pbs.name = "v"},
    %p: !permutation {pbs.name = "p"}) -> (!permuted, !permuted) {
  %pk = pbs.permute %k, %p : tensor<?x2x?x64xbf16>, !permutation -> !permuted
  %pv = pbs.permute %v, %p : tensor<?x2x?x64xbf16>, !permutation -> !permuted
  return %pk, %pv : !permuted, !permuted
}

// What a kernel computes is permuted once it is there: in a kernel of its own.
// CHECK-LABEL: pbsgpu.plan @keys_and_output
// CHECK: %[[OUT:.*]] = pbsgpu.buffer "output"
// CHECK: pbsgpu.launch {{.*}}@permute1
// CHECK-NEXT: arguments(%[[P:.*]], %{{.*}}, %{{.*}} : memref<?x4x?xi32>,
// CHECK: pbsgpu.launch {{.*}}@attention
// CHECK-NEXT: arguments({{.*}}, %[[OUT]] :
// CHECK: pbsgpu.launch {{.*}}@permute2
// CHECK-NEXT: arguments(%[[P]], %[[OUT]], %{{.*}} : memref<?x4x?xi32>,
func.func @keys_and_output(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %s: !pbs.selection<128x128>, %p: !permutation)
    -> (!permuted, !permuted) {
  %pk = pbs.permute %k, %p : tensor<?x2x?x64xbf16>, !permutation -> !permuted
  %out, %lse = pbs.attention %q, %pk, %pk, %s permutation(%p) scale = 0.125 causal
    : tensor<?x4x?x64xbf16>, !permuted, !permuted, !pbs.selection<128x128>, !permutation
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  %po = pbs.permute %out, %p : tensor<?x4x?x64xbf16>, !permutation -> !permuted
  return %pk, %po : !permuted, !permuted
}

// What a kernel has sorted is a permutation, and no entry is checked.
// CHECK-LABEL: pbsgpu.kernel @permute
// CHECK-NOT: arith.minui
// CHECK: pbsgpu.return
func.func @sorted(%k: tensor<?x1x?x64xbf16>, %importance: tensor<?x4x?xf32>) -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256> {
  %p = pbs.segment_sort %importance : tensor<?x4x?xf32> -> !pbs.permutation<heads = 4, segment = 256>
  %kp = pbs.permute %k, %p : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
     -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
  return %kp : !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
}

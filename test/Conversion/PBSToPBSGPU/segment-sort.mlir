// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

// A thread for each key counts the keys of its segment that go before it.
// CHECK-LABEL: pbsgpu.kernel @segment_sort(
// CHECK-NEXT: %[[I:[^:]*]]: memref<?x4x?xf32> {pbs.name = "importance"}
// CHECK-NEXT: %[[P:[^:]*]]: memref<?x4x?xi32> {pbs.name = "permutation"}) warps = 8
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK-DAG: %[[C512:.*]] = arith.constant 512 : index
// CHECK-DAG: %[[H:.*]] = gpu.block_id y
// CHECK-DAG: %[[B:.*]] = gpu.block_id z
// CHECK-DAG: %[[X:.*]] = gpu.block_id x
// CHECK: %[[FIRST:.*]] = arith.muli %[[X]], %[[C256]]
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: %[[PLACE:.*]] = arith.addi %[[FIRST]], %[[T]]
// CHECK: %[[N:.*]] = memref.dim %[[I]]
// CHECK: %[[IS_KEY:.*]] = arith.cmpi slt, %[[PLACE]], %[[N]]
// CHECK: scf.if %[[IS_KEY]] {
// CHECK: %[[SEGMENT:.*]] = arith.divui %[[PLACE]], %[[C512]]
// CHECK: %[[BEGIN:.*]] = arith.muli %[[SEGMENT]], %[[C512]]
// CHECK: %[[END:.*]] = arith.addi %[[BEGIN]], %[[C512]]
// The tail stays, and so does a single segment.
// CHECK: %[[COMPLETE:.*]] = arith.cmpi sle, %[[END]], %[[N]]
// CHECK: %[[SEVERAL:.*]] = arith.cmpi sgt, %[[N]], %[[C512]]
// CHECK: %[[SORTED:.*]] = arith.andi %[[COMPLETE]], %[[SEVERAL]]
// CHECK: %[[TARGET:.*]] = scf.if %[[SORTED]] -> (index) {
// CHECK: %[[OWN:.*]] = memref.load %[[I]][%[[B]], %[[H]], %[[PLACE]]]
// CHECK: %[[OWN_NAN:.*]] = arith.cmpf uno, %[[OWN]], %[[OWN]]
// CHECK: %[[BEFORE:.*]] = scf.for %[[K:.*]] = %[[BEGIN]] to %[[END]] step %[[C1]] iter_args(%[[COUNT:.*]] = %[[C0]])
// CHECK: %[[OTHER:.*]] = memref.load %[[I]][%[[B]], %[[H]], %[[K]]]
// NaN is the least; ties go by index.
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[OTHER]], %[[OTHER]]
// CHECK: %[[GREATER:.*]] = arith.cmpf ogt, %[[OTHER]], %[[OWN]]
// CHECK: %[[NUMBER:.*]] = arith.xori %[[NAN]], %{{.*}}
// CHECK: %[[BEATS_NAN:.*]] = arith.andi %[[OWN_NAN]], %[[NUMBER]]
// CHECK: %[[MORE:.*]] = arith.ori %[[GREATER]], %[[BEATS_NAN]]
// CHECK: %[[SAME:.*]] = arith.cmpf oeq, %[[OTHER]], %[[OWN]]
// CHECK: %[[BOTH_NAN:.*]] = arith.andi %[[OWN_NAN]], %[[NAN]]
// CHECK: %[[EQUAL:.*]] = arith.ori %[[SAME]], %[[BOTH_NAN]]
// CHECK: %[[LOWER:.*]] = arith.cmpi slt, %[[K]], %[[PLACE]]
// CHECK: %[[TIE:.*]] = arith.andi %[[EQUAL]], %[[LOWER]]
// CHECK: %[[GOES_BEFORE:.*]] = arith.ori %[[MORE]], %[[TIE]]
// CHECK: %[[NEXT:.*]] = arith.addi %[[COUNT]], %[[C1]]
// CHECK: arith.select %[[GOES_BEFORE]], %[[NEXT]], %[[COUNT]]
// CHECK: %[[NEW:.*]] = arith.addi %[[BEGIN]], %[[BEFORE]]
// CHECK: scf.yield %[[NEW]]
// CHECK: } else {
// CHECK-NEXT: scf.yield %[[PLACE]]
// CHECK: %[[PLACE32:.*]] = arith.index_cast %[[PLACE]] : index to i32
// CHECK: memref.store %[[PLACE32]], %[[P]][%[[B]], %[[H]], %[[TARGET]]]

// CHECK-LABEL: pbsgpu.plan @sort
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "importance_0"
// CHECK-DAG: %[[N:.*]] = pbsgpu.size "importance_2"
// CHECK: %[[I:.*]] = pbsgpu.argument "importance" input [%[[B]], 4, %[[N]]]
// CHECK: %[[P:.*]] = pbsgpu.argument "result0" output [%[[B]], 4, %[[N]]] align 4 contents = {kind = "permutation", segment = 512 : i64}
// CHECK: pbsgpu.require %{{.*}}, "importance_0 is at most 65535"
// CHECK: %[[CTAS:.*]] = arith.ceildivsi %[[N]], %[[C256]]
// CHECK: pbsgpu.launch @sort_kernels::@segment_sort grid(%[[CTAS]], %[[C4]], %[[B]])
// CHECK-NEXT: arguments(%[[I]], %[[P]] :
func.func @sort(%i: tensor<?x4x?xf32> {pbs.name = "importance"}) -> !pbs.permutation<heads = 4, segment = 512> {
  %p = pbs.segment_sort %i : tensor<?x4x?xf32> -> !pbs.permutation<heads = 4, segment = 512>
  return %p : !pbs.permutation<heads = 4, segment = 512>
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

// A thread for each place, which holds itself.
// CHECK-LABEL: pbsgpu.kernel @identity_permutation(
// CHECK-SAME: %[[P:[^:]*]]: memref<?x4x?xi32> {pbs.name = "permutation"}) warps = 8
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK: %[[X:.*]] = gpu.block_id x
// CHECK: %[[FIRST:.*]] = arith.muli %[[X]], %[[C256]]
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: %[[PLACE:.*]] = arith.addi %[[FIRST]], %[[T]]
// CHECK: %[[N:.*]] = memref.dim %[[P]]
// CHECK: %[[INSIDE:.*]] = arith.cmpi slt, %[[PLACE]], %[[N]]
// CHECK: scf.if %[[INSIDE]]
// CHECK-DAG: %[[PLACE32:.*]] = arith.index_cast %[[PLACE]] : index to i32
// CHECK-DAG: %[[B:.*]] = gpu.block_id z
// CHECK-DAG: %[[H:.*]] = gpu.block_id y
// CHECK: memref.store %[[PLACE32]], %[[P]][%[[B]], %[[H]], %[[PLACE]]]

// CHECK-LABEL: pbsgpu.plan @identity
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "k_0"
// CHECK-DAG: %[[N:.*]] = pbsgpu.size "k_2"
// CHECK: %[[P:.*]] = pbsgpu.argument "result0" output [%[[B]], 4, %[[N]]] align 4 contents = {kind = "permutation", segment = 256 : i64}
// CHECK: pbsgpu.require %{{.*}}, "k_0 is at most 65535"
// CHECK: %[[CTAS:.*]] = arith.ceildivsi %[[N]], %[[C256]]
// CHECK: pbsgpu.launch @identity_kernels::@identity_permutation grid(%[[CTAS]], %[[C4]], %[[B]])
// CHECK-NEXT: arguments(%[[P]] :
func.func @identity(%k: tensor<?x2x?x64xbf16> {pbs.name = "k"}) -> !pbs.permutation<heads = 4, segment = 256> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %k, %c0 : tensor<?x2x?x64xbf16>
  %n = tensor.dim %k, %c2 : tensor<?x2x?x64xbf16>
  %p = pbs.identity_permutation %b, %n : !pbs.permutation<heads = 4, segment = 256>
  return %p : !pbs.permutation<heads = 4, segment = 256>
}

// Lengths may be known.
// CHECK-LABEL: pbsgpu.plan @constants
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-NOT: pbsgpu.require
// CHECK: pbsgpu.argument "result0" output [3, 1, 300] {{.*}} : memref<3x1x300xi32>
// CHECK-NOT: pbsgpu.require
// CHECK: pbsgpu.launch {{.*}} grid(%[[C2]], %[[C1]], %[[C3]])
func.func @constants() -> !pbs.permutation<heads = 1, segment = 256> {
  %c3 = arith.constant 3 : index
  %c300 = arith.constant 300 : index
  %p = pbs.identity_permutation %c3, %c300 : !pbs.permutation<heads = 1, segment = 256>
  return %p : !pbs.permutation<heads = 1, segment = 256>
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

!permutation = !pbs.permutation<heads = 4, segment = 256>

// A CTA for each block. A thread sums 8 columns of every 32nd row; then one for
// each column adds what the 32 groups have.
// CHECK-LABEL: pbsgpu.kernel @pool(
// CHECK-NEXT: %[[SOURCE:[^:]*]]: !strided_nx4xnx64xbf16 {pbs.name = "source"}
// CHECK-NEXT: %[[POOLED:[^:]*]]: memref<?x4x?x64xf32> {pbs.name = "pooled"}) warps = 8
// CHECK-DAG: %[[SHARE:.*]] = arith.constant 1.562500e-02 : f32
// CHECK-DAG: %[[NONE:.*]] = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK: %[[BLOCK:.*]] = gpu.block_id x
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[FIRST:.*]] = arith.muli %[[BLOCK]], %[[C64]]
// CHECK: %[[FULL_END:.*]] = arith.addi %[[FIRST]], %[[C64]]
// CHECK: %[[N:.*]] = memref.dim %[[SOURCE]]
// CHECK: %[[END:.*]] = arith.minsi %[[FULL_END]], %[[N]]
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: %[[GROUP:.*]] = arith.divui %[[T]], %[[C8]]
// CHECK: %[[CHUNK:.*]] = arith.remui %[[T]], %[[C8]]
// CHECK: %[[COLUMN:.*]] = arith.muli %[[CHUNK]], %[[C8]]
// CHECK: %[[BEGIN:.*]] = arith.addi %[[FIRST]], %[[GROUP]]
// CHECK: %[[PART:.*]] = scf.for %[[ROW:.*]] = %[[BEGIN]] to %[[END]] step %[[C32]] iter_args(%[[SUM:.*]] = %[[NONE]])
// CHECK-NEXT: %[[LOADED:.*]] = vector.load %[[SOURCE]][%[[B]], %[[H]], %[[ROW]], %[[COLUMN]]] {alignment = 16 : i64} : {{.*}}, vector<8xbf16>
// CHECK-NEXT: %[[WIDE:.*]] = arith.extf %[[LOADED]]
// CHECK-NEXT: arith.addf %[[SUM]], %[[WIDE]]
// CHECK: %[[PARTS:.*]] = memref.alloca() : memref<2048xf32, #gpu.address_space<workgroup>>
// CHECK: %[[OWN:.*]] = arith.muli %[[GROUP]], %[[C64]]
// CHECK: %[[PLACE:.*]] = arith.addi %[[OWN]], %[[COLUMN]]
// CHECK: %[[ELEMENT:.*]] = vector.extract %[[PART]][0]
// CHECK: memref.store %[[ELEMENT]], %[[PARTS]][%[[PLACE]]]
// CHECK-COUNT-7: memref.store %{{.*}}, %[[PARTS]]
// CHECK: gpu.barrier
// CHECK: %[[HAS_COLUMN:.*]] = arith.cmpi slt, %[[T]], %[[C64]]
// CHECK: scf.if %[[HAS_COLUMN]]
// CHECK: %[[TOTAL:.*]] = scf.for %[[I:.*]] = %[[C0]] to %[[C32]] step %[[C1]] iter_args(%[[SUM:.*]] = %[[ZERO]])
// CHECK: %[[OF_GROUP:.*]] = arith.muli %[[I]], %[[C64]]
// CHECK: %[[AT:.*]] = arith.addi %[[OF_GROUP]], %[[T]]
// CHECK: %[[ONE:.*]] = memref.load %[[PARTS]][%[[AT]]]
// CHECK: arith.addf %[[SUM]], %[[ONE]]
// Of the full block, even where the block is short.
// CHECK: %[[MEAN:.*]] = arith.mulf %[[TOTAL]], %[[SHARE]]
// CHECK: memref.store %[[MEAN]], %[[POOLED]][%[[B]], %[[H]], %[[BLOCK]], %[[T]]]
// CHECK-LABEL: pbsgpu.plan @mean
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK: %[[B:.*]] = pbsgpu.size "q_0"
// CHECK: %[[N:.*]] = pbsgpu.size "q_2"
// CHECK: %[[Q:.*]] = pbsgpu.argument "q"
// CHECK: %[[BLOCKS:.*]] = arith.ceildivsi %[[N]], %[[C64]]
// CHECK: %[[POOLED:.*]] = pbsgpu.argument "result0" output [%[[B]], 4, %[[BLOCKS]], 64]
// CHECK: pbsgpu.require %{{.*}}, "q_0 is at most 65535"
// CHECK-NOT: pbsgpu.require
// CHECK: pbsgpu.launch @mean_kernels::@pool grid(%[[BLOCKS]], %[[C4]], %[[B]])
// CHECK-NEXT: arguments(%[[Q]], %[[POOLED]] :
func.func @mean(%q: tensor<?x4x?x64xbf16> {pbs.name = "q"}) -> tensor<?x4x?x64xf32> {
  %r = pbs.pool %q mean block = 64 : tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xf32>
  return %r : tensor<?x4x?x64xf32>
}

// A maximum keeps NaN and is not scaled.
// CHECK-LABEL: gpu.module @max_kernels
// CHECK-DAG: %[[NONE:.*]] = arith.constant dense<0xFF800000> : vector<8xf32>
// CHECK-DAG: %[[LEAST:.*]] = arith.constant 0xFF800000 : f32
// CHECK: scf.for {{.*}} iter_args(%[[MOST:.*]] = %[[NONE]])
// CHECK: %[[WIDE:.*]] = arith.extf %{{.*}} : vector<8xf16> to vector<8xf32>
// CHECK: arith.maximumf %[[MOST]], %[[WIDE]] : vector<8xf32>
// CHECK: gpu.barrier
// CHECK: %[[ALL:.*]] = scf.for {{.*}} iter_args(%[[MOST:.*]] = %[[LEAST]])
// CHECK: arith.maximumf %[[MOST]], %{{.*}} : f32
// CHECK-NOT: arith.mulf
// CHECK: memref.store %[[ALL]]
// CHECK-LABEL: pbsgpu.plan @max
func.func @max(%q: tensor<?x4x?x128xf16>) -> tensor<?x4x?x128xf32> {
  %r = pbs.pool %q max block = 128 : tensor<?x4x?x128xf16> -> tensor<?x4x?x128xf32>
  return %r : tensor<?x4x?x128xf32>
}

// Keys may be gathered on the way, each of a permutation's heads from the key
// head that it shares.
// CHECK-LABEL: gpu.module @through_permutation_kernels
// CHECK: pbsgpu.kernel
// CHECK-NEXT: %[[K:[^:]*]]: {{[^{]*}} {pbs.name = "source"}
// CHECK-NEXT: %[[P:[^:]*]]: memref<?x4x?xi32> {pbs.name = "permutation"}
// CHECK-NEXT: %{{.*}} {pbs.name = "pooled"})
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[KH:.*]] = arith.divui %[[H]], %[[C2]]
// CHECK: scf.for %[[PLACE:.*]] = %{{.*}} to
// CHECK-NEXT: %[[POSITION:.*]] = memref.load %[[P]][%[[B]], %[[H]], %[[PLACE]]]
// CHECK-NEXT: %[[GIVEN:.*]] = arith.index_cast %[[POSITION]]
// CHECK-NEXT: %[[ROW:.*]] = arith.minui %[[GIVEN]], %{{.*}}
// CHECK-NEXT: vector.load %[[K]][%[[B]], %[[KH]], %[[ROW]], %{{.*}}]
// CHECK: memref.store %{{.*}}, %{{.*}}[%[[B]], %[[H]], %{{.*}}, %{{.*}}]
// CHECK-LABEL: pbsgpu.plan @through_permutation
// CHECK: %[[K:.*]] = pbsgpu.argument "k"
// CHECK: %[[P:.*]] = pbsgpu.argument "p"
// CHECK: pbsgpu.launch
// CHECK-NEXT: arguments(%[[K]], %[[P]], %{{[^,]*}} :
func.func @through_permutation(%k: tensor<?x2x?x64xbf16> {pbs.name = "k"}, %p: !permutation {pbs.name = "p"}) -> tensor<?x4x?x64xf32> {
  %r = pbs.pool %k permutation(%p) mean block = 128 : tensor<?x2x?x64xbf16>, !permutation -> tensor<?x4x?x64xf32>
  return %r : tensor<?x4x?x64xf32>
}

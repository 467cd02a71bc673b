// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

// Blocks that the mask leaves out lose their state; nothing is forced.
// CHECK-LABEL: gpu.module @mask_kernels
// CHECK: pbsgpu.kernel @selection_from_mask(
// CHECK-NEXT: %[[MASK:[^:]*]]: memref<?x4x?x?xi1> {pbs.name = "mask"}
// CHECK-NEXT: %{{[^:]*}}: index {pbs.name = "query_length"}
// CHECK-NEXT: %{{[^:]*}}: index {pbs.name = "key_length"}
// CHECK-NEXT: %{{[^:]*}}: memref<?x4x?x2xi32> {pbs.name = "counts"}
// CHECK-NEXT: %{{[^:]*}}: memref<?x4x?x?xi16> {pbs.name = "indices"}) warps = 2
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0 : i32
// CHECK: %[[A:.*]] = gpu.block_id x
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[STATES:.*]] = memref.view
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: gpu.barrier
// CHECK: scf.for %[[C:.*]] = %[[T]] to
// CHECK: %[[STATE:.*]] = memref.load %[[STATES]][%[[C]]]
// CHECK: %[[STATE32:.*]] = arith.extui %[[STATE]]
// CHECK: %[[CHOSEN:.*]] = memref.load %[[MASK]][%[[B]], %[[H]], %[[A]], %[[C]]]
// CHECK-NEXT: %[[LEFT:.*]] = arith.select %[[CHOSEN]], %[[STATE32]], %[[NONE]]
// CHECK-NEXT: %[[LEFT8:.*]] = arith.trunci %[[LEFT]]
// CHECK-NEXT: memref.store %[[LEFT8]], %[[STATES]][%[[C]]]
// CHECK-NOT: memref.atomic_rmw
// CHECK: gpu.barrier
// CHECK: pbsgpu.return
// CHECK-LABEL: pbsgpu.plan @mask
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "mask_0"
// CHECK-DAG: %[[N:.*]] = pbsgpu.size "q_2"
// CHECK-DAG: %[[QB:.*]] = arith.ceildivsi %[[N]], %[[C64]]
// CHECK-DAG: %[[KB:.*]] = arith.ceildivsi %[[N]], %[[C128]]
// CHECK: %[[MASK:.*]] = pbsgpu.argument "mask" input [%[[B]], 4, %[[QB]], %[[KB]]] align 1
// CHECK: %[[COUNTS:.*]] = pbsgpu.argument "result0_counts"
// CHECK: %[[INDICES:.*]] = pbsgpu.argument "result0_indices" output [%[[B]], 4, %[[QB]], %[[KB]]]
// CHECK-NOT: pbsgpu.memset
// CHECK: pbsgpu.launch @mask_kernels::@selection_from_mask grid(%[[QB]], %[[C4]], %[[B]]) dynamic_shared_bytes(%{{.*}})
// CHECK-NEXT: arguments(%[[MASK]], %[[N]], %[[N]], %[[COUNTS]], %[[INDICES]] :
func.func @mask(%m: tensor<?x4x?x?xi1> {pbs.name = "mask"}, %q: tensor<?x4x?x64xbf16> {pbs.name = "q"}) -> !pbs.selection<64x128> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c2 : tensor<?x4x?x64xbf16>
  %s = pbs.selection_from_mask %m lengths(%n, %n) causal : tensor<?x4x?x?xi1> -> !pbs.selection<64x128>
  return %s : !pbs.selection<64x128>
}

// With a capacity the lowest indices stay: the scores of all are the same.
// CHECK-LABEL: gpu.module @limited_kernels
// CHECK: pbsgpu.kernel
// CHECK: %[[CUT:[^:]*]]: memref<?x4xi32> {pbs.name = "cut"})
// CHECK-DAG: %[[CAPACITY:.*]] = arith.constant 5 : i32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[SCORES:.*]] = memref.view {{.*}} to memref<?xf32,
// CHECK: memref.store %[[ZERO]], %[[SCORES]]
// CHECK: %[[LISTED:.*]] = gpu.all_reduce add %{{.*}} uniform
// CHECK: arith.cmpi sgt, %[[LISTED]], %[[CAPACITY]]
// CHECK: memref.atomic_rmw addi %{{.*}}, %[[CUT]]
// CHECK-LABEL: pbsgpu.plan @limited
// CHECK: %[[CAPACITY:.*]] = arith.constant 5 : index
// CHECK: %[[ROOM:.*]] = arith.minsi %{{.*}}, %[[CAPACITY]]
// CHECK: pbsgpu.argument "result0_indices" output [%{{.*}}, 4, %{{.*}}, %[[ROOM]]]
// CHECK: %[[CUT:.*]] = pbsgpu.argument "result1" output [%{{.*}}, 4]
// CHECK: pbsgpu.memset %[[CUT]] to 0
// CHECK-NEXT: {{.*}}arith.muli
// CHECK-NEXT: pbsgpu.launch
// CHECK-NEXT: arguments({{.*}}, %[[CUT]] :
func.func @limited(%m: tensor<?x4x?x?xi1>, %q: tensor<?x4x?x64xbf16>) -> (!pbs.selection<64x128>, tensor<?x4xi32>) {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %q, %c2 : tensor<?x4x?x64xbf16>
  %s, %cut = pbs.selection_from_mask %m lengths(%n, %n) capacity = 5 causal
    : tensor<?x4x?x?xi1> -> !pbs.selection<64x128>, tensor<?x4xi32>
  return %s, %cut : !pbs.selection<64x128>, tensor<?x4xi32>
}

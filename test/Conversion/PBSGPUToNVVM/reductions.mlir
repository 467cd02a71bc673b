// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
gpu.module @kernels {
  // Five exchanges leave the sum in every lane.
  // CHECK-LABEL: llvm.func @warp(
  // CHECK-SAME: %[[X:[^:]*]]: f32
  pbsgpu.kernel @warp(%x: f32, %out: memref<4xf32>) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
    // CHECK-DAG: %[[CLAMP:.*]] = llvm.mlir.constant(31 : i32)
    // CHECK-DAG: %[[C16:.*]] = llvm.mlir.constant(16 : i32)
    // CHECK-DAG: %[[C8:.*]] = llvm.mlir.constant(8 : i32)
    // CHECK-DAG: %[[C4:.*]] = llvm.mlir.constant(4 : i32)
    // CHECK-DAG: %[[C2:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[C1:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK: %[[Y:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[X]], %[[C16]], %[[CLAMP]] : f32 -> f32
    // CHECK-NEXT: %[[A:.*]] = llvm.fadd %[[X]], %[[Y]] : f32
    // CHECK-NEXT: %[[Y:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[A]], %[[C8]], %[[CLAMP]]
    // CHECK-NEXT: %[[B:.*]] = llvm.fadd %[[A]], %[[Y]]
    // CHECK-NEXT: %[[Y:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[B]], %[[C4]], %[[CLAMP]]
    // CHECK-NEXT: %[[C:.*]] = llvm.fadd %[[B]], %[[Y]]
    // CHECK-NEXT: %[[Y:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[C]], %[[C2]], %[[CLAMP]]
    // CHECK-NEXT: %[[D:.*]] = llvm.fadd %[[C]], %[[Y]]
    // CHECK-NEXT: %[[Y:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[D]], %[[C1]], %[[CLAMP]]
    // CHECK-NEXT: %[[SUM:.*]] = llvm.fadd %[[D]], %[[Y]]
    // CHECK-NOT: nvvm.barrier0
    // CHECK: llvm.store %[[SUM]]
    %sum = gpu.subgroup_reduce add %x uniform : (f32) -> f32
    memref.store %sum, %out[%c0] : memref<4xf32>
    // CHECK: llvm.return
    pbsgpu.return
  }

  // The warps exchange their values through shared memory, behind a barrier that
  // lets everybody read those of the reduction before.
  // CHECK-LABEL: llvm.func @cta(
  pbsgpu.kernel @cta(%x: f32, %out: memref<4xf32>) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[WORDS:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK-COUNT-5: nvvm.shfl.sync bfly
    // CHECK: %[[OWN:.*]] = llvm.intr.maxnum(
    // CHECK: nvvm.barrier0
    // CHECK: %[[LANE:.*]] = llvm.and %[[THREAD:.*]], %{{.*}} : i32
    // CHECK: %[[IS_FIRST:.*]] = llvm.icmp "eq" %[[LANE]], %{{.*}} : i32
    // CHECK: llvm.cond_br %[[IS_FIRST]], ^[[STORE:.*]], ^[[AFTER:[^ ]*]]
    // CHECK: ^[[STORE]]:
    // CHECK: %[[WARP:.*]] = llvm.lshr %[[THREAD]], %{{.*}} : i32
    // CHECK: %[[BYTES:.*]] = llvm.mul %[[WARP]], %{{.*}} : i32
    // CHECK: %[[WORD:.*]] = llvm.getelementptr %[[WORDS]][%[[BYTES]]] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i8
    // CHECK-NEXT: llvm.store %[[OWN]], %[[WORD]] : f32, !llvm.ptr<3>
    // CHECK-NEXT: llvm.br ^[[AFTER]]
    // CHECK: ^[[AFTER]]:
    // CHECK-NEXT: nvvm.barrier0
    // CHECK-NEXT: %[[A:.*]] = llvm.load %[[WORDS]] : !llvm.ptr<3> -> f32
    // CHECK-NEXT: %[[PLACE:.*]] = llvm.getelementptr %[[WORDS]][4]
    // CHECK-NEXT: %[[B:.*]] = llvm.load %[[PLACE]]
    // CHECK-NEXT: %[[AB:.*]] = llvm.intr.maxnum(%[[A]], %[[B]])
    // CHECK-NEXT: %[[PLACE:.*]] = llvm.getelementptr %[[WORDS]][8]
    // CHECK-NEXT: %[[C:.*]] = llvm.load %[[PLACE]]
    // CHECK-NEXT: %[[ABC:.*]] = llvm.intr.maxnum(%[[AB]], %[[C]])
    // CHECK-NEXT: %[[PLACE:.*]] = llvm.getelementptr %[[WORDS]][12]
    // CHECK-NEXT: %[[D:.*]] = llvm.load %[[PLACE]]
    // CHECK-NEXT: %[[MOST:.*]] = llvm.intr.maxnum(%[[ABC]], %[[D]])
    // CHECK: llvm.store %[[MOST]]
    %most = gpu.all_reduce maxnumf %x uniform {} : (f32) -> f32
    memref.store %most, %out[%c0] : memref<4xf32>
    pbsgpu.return
  }

  // One warp needs no memory.
  // CHECK-LABEL: llvm.func @cta_of_one_warp(
  pbsgpu.kernel @cta_of_one_warp(%x: f32, %out: memref<4xf32>) warps = 1 {
    %c0 = arith.constant 0 : index
    // CHECK-NOT: @dynamic_shared_memory
    // CHECK-NOT: nvvm.barrier0
    // CHECK-COUNT-5: nvvm.shfl.sync bfly
    // CHECK-NOT: nvvm.barrier0
    // CHECK: llvm.return
    %sum = gpu.all_reduce add %x uniform {} : (f32) -> f32
    memref.store %sum, %out[%c0] : memref<4xf32>
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @kinds(
  // CHECK-SAME: %[[X:[^:]*]]: i32, %[[F:[^:]*]]: f32
  pbsgpu.kernel @kinds(%x: i32, %f: f32, %out: memref<8xi32>, %reals: memref<8xf32>) warps = 1 {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    // CHECK: %[[Y:.*]] = nvvm.shfl.sync bfly %{{.*}}, %[[X]], {{.*}} : i32 -> i32
    // CHECK-NEXT: llvm.add %[[X]], %[[Y]] : i32
    %sum = gpu.subgroup_reduce add %x uniform : (i32) -> i32
    memref.store %sum, %out[%c0] : memref<8xi32>
    // CHECK: llvm.intr.smin(%[[X]], %{{.*}})
    %least = gpu.subgroup_reduce minsi %x uniform : (i32) -> i32
    memref.store %least, %out[%c1] : memref<8xi32>
    // CHECK: llvm.intr.smax(%[[X]], %{{.*}})
    %most = gpu.subgroup_reduce maxsi %x uniform : (i32) -> i32
    memref.store %most, %out[%c2] : memref<8xi32>
    // CHECK: llvm.and %[[X]], %{{.*}} : i32
    %and = gpu.subgroup_reduce and %x uniform : (i32) -> i32
    memref.store %and, %out[%c3] : memref<8xi32>
    // CHECK: llvm.or %[[X]], %{{.*}} : i32
    %or = gpu.subgroup_reduce or %x uniform : (i32) -> i32
    memref.store %or, %out[%c4] : memref<8xi32>
    // CHECK: llvm.intr.minnum(%[[F]], %{{.*}})
    %least_real = gpu.subgroup_reduce minnumf %f uniform : (f32) -> f32
    memref.store %least_real, %reals[%c0] : memref<8xf32>
    // CHECK: llvm.intr.maxnum(%[[F]], %{{.*}})
    %most_real = gpu.subgroup_reduce maxnumf %f uniform : (f32) -> f32
    memref.store %most_real, %reals[%c1] : memref<8xf32>
    pbsgpu.return
  }
}

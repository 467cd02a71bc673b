// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
#workgroup = #gpu.address_space<workgroup>
gpu.module @kernels {
  // What the launch adds lies behind tiles, allocations in their order, and
  // what reductions of several warps exchange; each at a multiple of 16 bytes.
  // CHECK-LABEL: llvm.func @all(
  pbsgpu.kernel @all(%x: memref<?x64xbf16, strided<[?, 1]>>, %real: f32, %i: index) warps = 2 {
    %byte = arith.constant 7 : i8
    %small = memref.alloca() : memref<5xi8, #workgroup>
    %more = memref.alloca() : memref<3xf32, #workgroup>
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<8x64xbf16>
    %dynamic = gpu.dynamic_shared_memory : memref<?xi8, #workgroup>
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory : !llvm.ptr<3>
    // CHECK-DAG: %[[SMALL:.*]] = llvm.getelementptr %[[BASE]][1024] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    // CHECK-DAG: %[[MORE:.*]] = llvm.getelementptr %[[BASE]][1040]
    // CHECK-DAG: %[[DYNAMIC:.*]] = llvm.getelementptr %[[BASE]][1072]
    // CHECK: nvvm.cp.async.shared.global
    pbsgpu.copy_tile %x[%i] to %tile : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<8x64xbf16>
    // CHECK: %[[PLACE:.*]] = llvm.getelementptr {{.*}}%[[SMALL]][%{{.*}}] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
    // CHECK: llvm.store %{{.*}}, %[[PLACE]]
    memref.store %byte, %small[%i] : memref<5xi8, #workgroup>
    // CHECK: %[[WORDS:.*]] = llvm.getelementptr %[[BASE]][1056]
    %sum = gpu.all_reduce add %real uniform {} : (f32) -> f32
    // CHECK: %[[PLACE:.*]] = llvm.getelementptr {{.*}}%[[MORE]][%{{.*}}] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, f32
    // CHECK: llvm.store %{{.*}}, %[[PLACE]]
    memref.store %sum, %more[%i] : memref<3xf32, #workgroup>
    // CHECK: %[[PLACE:.*]] = llvm.getelementptr {{.*}}%[[DYNAMIC]][%{{.*}}] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
    // CHECK: llvm.store %{{.*}}, %[[PLACE]]
    memref.store %byte, %dynamic[%i] : memref<?xi8, #workgroup>
    pbsgpu.return
  }

  // Views divide what the launch adds.
  // CHECK-LABEL: llvm.func @views(
  // CHECK-SAME: %[[N:[^:]*]]: i64
  pbsgpu.kernel @views(%n: index, %real: f32) warps = 1 {
    %byte = arith.constant 7 : i8
    %c0 = arith.constant 0 : index
    %c4 = arith.constant 4 : index
    %end = arith.muli %n, %c4 : index
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK-DAG: %[[END:.*]] = llvm.mul %[[N]], %{{.*}} : i64
    %dynamic = gpu.dynamic_shared_memory : memref<?xi8, #workgroup>
    %reals = memref.view %dynamic[%c0][%n] : memref<?xi8, #workgroup> to memref<?xf32, #workgroup>
    %bytes = memref.view %dynamic[%end][%n] : memref<?xi8, #workgroup> to memref<?xi8, #workgroup>
    // CHECK-DAG: %[[BYTES:.*]] = llvm.getelementptr %[[BASE]][%[[END]]] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
    // CHECK-DAG: llvm.store %{{.*}}, %[[BASE]] : f32, !llvm.ptr<3>
    memref.store %real, %reals[%c0] : memref<?xf32, #workgroup>
    // CHECK: llvm.store %{{.*}}, %[[BYTES]] : i8, !llvm.ptr<3>
    memref.store %byte, %bytes[%c0] : memref<?xi8, #workgroup>
    pbsgpu.return
  }

  // An allocation may ask for more than 16.
  // CHECK-LABEL: llvm.func @aligned(
  pbsgpu.kernel @aligned(%real: f32, %i: index) warps = 1 {
    %first = memref.alloca() : memref<1xf32, #workgroup>
    %second = memref.alloca() {alignment = 128 : i64} : memref<1xf32, #workgroup>
    %third = memref.alloca() {alignment = 4 : i64} : memref<1xf32, #workgroup>
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK-DAG: %[[SECOND:.*]] = llvm.getelementptr %[[BASE]][128]
    // CHECK-DAG: %[[THIRD:.*]] = llvm.getelementptr %[[BASE]][144]
    // CHECK: llvm.getelementptr {{.*}}%[[BASE]][%{{.*}}]
    memref.store %real, %first[%i] : memref<1xf32, #workgroup>
    // CHECK: llvm.getelementptr {{.*}}%[[SECOND]][%{{.*}}]
    memref.store %real, %second[%i] : memref<1xf32, #workgroup>
    // CHECK: llvm.getelementptr {{.*}}%[[THIRD]][%{{.*}}]
    memref.store %real, %third[%i] : memref<1xf32, #workgroup>
    pbsgpu.return
  }
}

// CHECK-LABEL: pbsgpu.plan @plan
// CHECK: pbsgpu.launch @kernels::@all {{.*}} shared_bytes = 1072 dynamic_shared_bytes(%[[BYTES:.*]])
// CHECK-NEXT: arguments(
// CHECK: pbsgpu.launch @kernels::@views {{.*}} shared_bytes = 0 dynamic_shared_bytes(%[[BYTES]])
// CHECK-NEXT: arguments(
// CHECK: pbsgpu.launch @kernels::@aligned {{.*}} shared_bytes = 160
// CHECK-NEXT: arguments(
pbsgpu.plan @plan {
  %N = pbsgpu.size "N"
  %c1 = arith.constant 1 : index
  %real = arith.constant 1.0 : f32
  %x = pbsgpu.argument "x" input [%N, 64] align 16 : memref<?x64xbf16, strided<[?, 1]>>
  pbsgpu.launch @kernels::@all grid(%c1, %c1, %c1) dynamic_shared_bytes(%N)
    arguments(%x, %real, %c1 : memref<?x64xbf16, strided<[?, 1]>>, f32, index)
  pbsgpu.launch @kernels::@views grid(%c1, %c1, %c1) dynamic_shared_bytes(%N)
    arguments(%N, %real : index, f32)
  pbsgpu.launch @kernels::@aligned grid(%c1, %c1, %c1) arguments(%real, %c1 : f32, index)
}

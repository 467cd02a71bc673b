// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm -o /dev/null --remarks-filter=convert-pbsgpu-to-nvvm \
// RUN:   --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// CHECK: llvm.mlir.global external @dynamic_shared_memory() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
gpu.module @kernels {
  // Tiles follow each other at multiples of 1024 bytes, those of a ring too. Visit n
  // has the ring's tile n mod 3; without signals nothing waits.
  // REMARK: remark: [Passed] KernelConverted | Category:convert-pbsgpu-to-nvvm | Function=stages | SharedBytes=7168, Warps=4
  // CHECK-LABEL: llvm.func @stages(
  pbsgpu.kernel @stages(%x: memref<?x64xbf16, strided<[?, 1]>>, %i: index) warps = 4 {
    // CHECK-DAG: %[[BYTES:.*]] = llvm.mlir.constant(2048 : i32)
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory : !llvm.ptr<3>
    %first = pbsgpu.alloc_tile : !pbsgpu.tile<8x64xbf16>
    // CHECK-DAG: %[[RING:.*]] = llvm.getelementptr %[[BASE]][1024] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<16x64xbf16, stages = 3>
    // CHECK-DAG: %[[STAGES:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[VISIT:.*]] = llvm.trunc %{{.*}} : i64 to i32
    // CHECK: %[[STAGE:.*]] = llvm.urem %[[VISIT]], %[[STAGES]] : i32
    // CHECK: %[[OFFSET:.*]] = llvm.mul %[[STAGE]], %[[BYTES]] : i32
    // CHECK: llvm.getelementptr %[[RING]][%[[OFFSET]]]
    // CHECK-NOT: mbarrier
    // CHECK-NOT: nvvm.barrier
    %tile = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<16x64xbf16, stages = 3> -> !pbsgpu.tile<16x64xbf16>
    pbsgpu.copy_tile %x[%i] to %tile : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<16x64xbf16>
    // CHECK: nvvm.cp.async.shared.global
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<16x64xbf16, stages = 3> -> !pbsgpu.tile<16x64xbf16>
    pbsgpu.release %full : !pbsgpu.tile<16x64xbf16>
    // CHECK-NOT: mbarrier
    // CHECK-NOT: nvvm.bar
    // CHECK: llvm.return
    pbsgpu.return
  }
}

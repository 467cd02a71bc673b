// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --cse | FileCheck %s

gpu.module @kernels {
  pbsgpu.kernel @kernel(%x: memref<?x4x?xbf16, strided<[?, ?, 1]>>, %y: memref<?x8xf32>, %f: f32) warps = 2 {
    %tile = pbsgpu.alloc_ring : !pbsgpu.ring<16x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// Launches pass what the kernel's parameters became.
// CHECK-LABEL: pbsgpu.plan @plan
pbsgpu.plan @plan {
  // CHECK: %[[B:.*]] = pbsgpu.size "B"
  %B = pbsgpu.size "B"
  // CHECK: %[[N:.*]] = pbsgpu.size "N"
  %N = pbsgpu.size "N"
  // CHECK: %[[X:.*]] = pbsgpu.argument "x"
  %x = pbsgpu.argument "x" input [%B, 4, %N] align 16 : memref<?x4x?xbf16, strided<[?, ?, 1]>>
  // CHECK: %[[W:.*]] = pbsgpu.buffer "w"
  %w = pbsgpu.buffer "w" [%N, 8] align 16 : memref<?x8xf32>
  %f = arith.constant 1.5 : f32
  // CHECK: %[[F:.*]] = arith.constant 1.5{{.*}} : f32
  // CHECK: %{{.*}}, %{{.*}}, %{{.*}}, %[[STRIDES:.*]]:3 = memref.extract_strided_metadata %[[X]]
  // CHECK: pbsgpu.launch @kernels::@kernel grid(%[[B]], %[[B]], %[[B]]) shared_bytes = 4096
  // CHECK-NEXT: arguments(%[[X]], %[[B]], %[[N]], %[[STRIDES]]#0, %[[STRIDES]]#1, %[[W]], %[[N]], %[[F]] :
  pbsgpu.launch @kernels::@kernel grid(%B, %B, %B)
    arguments(%x, %w, %f : memref<?x4x?xbf16, strided<[?, ?, 1]>>, memref<?x8xf32>, f32)
}

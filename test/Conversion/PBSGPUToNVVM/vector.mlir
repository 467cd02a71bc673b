// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
// RUN: pbs-compile %s -o - | FileCheck %s --check-prefix=PTX

// A lane's copy of 16 bytes is one access if it says that it is aligned.
gpu.module @kernels {
  // CHECK-LABEL: llvm.func @aligned(
  // PTX-LABEL: .entry aligned(
  pbsgpu.kernel @aligned(%x: memref<?x64xbf16, strided<[?, 1]>>, %y: memref<?x64xbf16, strided<[?, 1]>>, %i: index, %j: index) warps = 1 {
    // CHECK: %[[V:.*]] = llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr -> vector<8xbf16>
    // CHECK: llvm.store %[[V]], %{{.*}} {alignment = 16 : i64} : vector<8xbf16>, !llvm.ptr
    // PTX-NOT: ld.global
    // PTX: ld.global.nc.v4.b32
    // PTX-NOT: ld.global
    // PTX: st.global.v4.b32
    // PTX-NOT: st.global
    // PTX: ret
    %v = vector.load %x[%i, %j] {alignment = 16 : i64} : memref<?x64xbf16, strided<[?, 1]>>, vector<8xbf16>
    vector.store %v, %y[%i, %j] {alignment = 16 : i64} : memref<?x64xbf16, strided<[?, 1]>>, vector<8xbf16>
    pbsgpu.return
  }

  // PTX-LABEL: .entry reals(
  pbsgpu.kernel @reals(%x: memref<?x64xf32>, %y: memref<?xf32>, %i: index, %j: index) warps = 1 {
    // PTX: ld.global.nc.v4.b32
    // PTX-NOT: ld.global
    // PTX: ret
    %v = vector.load %x[%i, %j] {alignment = 16 : i64} : memref<?x64xf32>, vector<4xf32>
    %a = vector.extract %v[0] : f32 from vector<4xf32>
    %b = vector.extract %v[3] : f32 from vector<4xf32>
    %c = arith.addf %a, %b : f32
    memref.store %c, %y[%i] : memref<?xf32>
    pbsgpu.return
  }

  // Without a word of it each element is one.
  // CHECK-LABEL: llvm.func @unaligned(
  // PTX-LABEL: .entry unaligned(
  pbsgpu.kernel @unaligned(%x: memref<?x64xf32>, %y: memref<?x64xf32>, %i: index, %j: index) warps = 1 {
    // CHECK: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
    // PTX-COUNT-4: ld.global.nc.b32
    // PTX: ret
    %v = vector.load %x[%i, %j] : memref<?x64xf32>, vector<4xf32>
    vector.store %v, %y[%i, %j] : memref<?x64xf32>, vector<4xf32>
    pbsgpu.return
  }
}

pbsgpu.plan @plan {
  %N = pbsgpu.size "N"
  %c1 = arith.constant 1 : index
  %x = pbsgpu.argument "x" input [%N, 64] align 16 : memref<?x64xbf16, strided<[?, 1]>>
  %f = pbsgpu.argument "f" input [%N, 64] align 16 : memref<?x64xf32>
  %y = pbsgpu.argument "y" output [%N, 64] align 16 : memref<?x64xbf16, strided<[?, 1]>>
  %g = pbsgpu.argument "g" output [%N, 64] align 16 : memref<?x64xf32>
  %s = pbsgpu.argument "s" output [%N] align 4 : memref<?xf32>
  pbsgpu.launch @kernels::@aligned grid(%c1, %c1, %c1)
    arguments(%x, %y, %c1, %c1 : memref<?x64xbf16, strided<[?, 1]>>, memref<?x64xbf16, strided<[?, 1]>>, index, index)
  pbsgpu.launch @kernels::@reals grid(%c1, %c1, %c1)
    arguments(%f, %s, %c1, %c1 : memref<?x64xf32>, memref<?xf32>, index, index)
  pbsgpu.launch @kernels::@unaligned grid(%c1, %c1, %c1)
    arguments(%f, %g, %c1, %c1 : memref<?x64xf32>, memref<?x64xf32>, index, index)
}

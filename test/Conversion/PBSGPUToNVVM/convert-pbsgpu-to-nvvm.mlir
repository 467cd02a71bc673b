// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
// RUN: pbs-opt %s --pbs-set-target="chip=sm_90a ptx-version=8.6" --convert-pbsgpu-to-nvvm | FileCheck %s --check-prefix=SM90

// CHECK: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx70">]
// SM90: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_90a", features = "+ptx86">]
gpu.module @kernels {
  // A memref is its address, its dynamic extents, then its dynamic strides; one
  // without a layout needs no strides.
  // CHECK-LABEL: llvm.func @parameters(
  // CHECK-SAME: %[[X:[^:]*]]: !llvm.ptr<1> {llvm.align = 16 : i64, llvm.noalias, llvm.readonly},
  // CHECK-SAME: %[[X0:[^:]*]]: i64, %{{[^:]*}}: i64, %[[S0:[^:]*]]: i64, %{{[^:]*}}: i64,
  // CHECK-SAME: %[[Y:[^:]*]]: !llvm.ptr<1> {llvm.align = 4 : i64, llvm.noalias}, %[[Y0:[^:]*]]: i64, %[[I:[^:]*]]: i64, %{{[^:]*}}: f32)
  // CHECK-SAME: denormal_fp_math_f32 = "preserve-sign,preserve-sign"
  // CHECK-SAME: nvvm.kernel, nvvm.reqntid = array<i32: 64>
  pbsgpu.kernel @parameters(%x: memref<?x?x8xbf16, strided<[?, ?, 1]>>, %y: memref<?x8xf32>, %i: index, %f: f32) warps = 2 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: llvm.mul %[[I]], %[[S0]]
    %v = memref.load %x[%i, %c0, %c0] : memref<?x?x8xbf16, strided<[?, ?, 1]>>
    %wide = arith.extf %v : bf16 to f32
    // CHECK: llvm.store
    memref.store %wide, %y[%c0, %c0] : memref<?x8xf32>
    // CHECK: llvm.return
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @extents(
  // CHECK-SAME: %{{[^:]*}}: !llvm.ptr<1>{{[^,]*}}, {{.*}}, %[[N:[^:]*]]: i64)
  pbsgpu.kernel @extents(%x: memref<4x?xi32>, %y: memref<?xi32>) warps = 1 {
    %c0 = arith.constant 0 : index
    // CHECK-NOT: llvm.alloca
    // CHECK: llvm.trunc %[[N]] : i64 to i32
    %n = memref.dim %y, %c0 : memref<?xi32>
    %n32 = arith.index_cast %n : index to i32
    memref.store %n32, %x[%c0, %c0] : memref<4x?xi32>
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @place(
  pbsgpu.kernel @place(%x: memref<?xi32>) warps = 1 {
    // CHECK-DAG: nvvm.read.ptx.sreg.ctaid.x range <i32, 0, 2147483647>
    %i = gpu.block_id x
    // CHECK-DAG: nvvm.read.ptx.sreg.ctaid.y range <i32, 0, 65535>
    %j = gpu.block_id y
    // CHECK-DAG: nvvm.read.ptx.sreg.ctaid.z range <i32, 0, 65535>
    %k = gpu.block_id z
    // CHECK-DAG: nvvm.read.ptx.sreg.tid.x range <i32, 0, 32>
    %t = gpu.thread_id x
    %ij = arith.addi %i, %j : index
    %kt = arith.addi %k, %t : index
    // CHECK: nvvm.barrier0
    gpu.barrier
    %kt32 = arith.index_cast %kt : index to i32
    memref.store %kt32, %x[%ij] : memref<?xi32>
    pbsgpu.return
  }
}

pbsgpu.plan @plan {
  %N = pbsgpu.size "N"
  %x = pbsgpu.argument "x" input [%N, %N, 8] align 16 : memref<?x?x8xbf16, strided<[?, ?, 1]>>
  %y = pbsgpu.argument "y" output [%N, 8] align 4 : memref<?x8xf32>
  %c1 = arith.constant 1 : index
  %f = arith.constant 1.5 : f32
  pbsgpu.launch @kernels::@parameters grid(%c1, %c1, %c1)
    arguments(%x, %y, %N, %f : memref<?x?x8xbf16, strided<[?, ?, 1]>>, memref<?x8xf32>, index, f32)
}

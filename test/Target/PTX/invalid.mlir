// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: rm -rf %t && split-file --leading-lines %s %t
// RUN: not pbs-compile %t/unsigned.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=UNSIGNED
// RUN: not pbs-compile %t/infinite.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=INFINITE
// RUN: not pbs-compile %t/target.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not pbs-compile %t/twice.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not pbs-compile %t/negative.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not pbs-compile %t/large.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: test ! -e %t/out.ptx -a ! -e %t/out.plan.json

//--- unsigned.mlir
gpu.module @kernels {
  pbsgpu.kernel @kernel() warps = 1 {
    pbsgpu.return
  }
}
pbsgpu.plan @entry {
  %N = pbsgpu.size "N"
  %x = pbsgpu.argument "x" output [%N] align 4 : memref<?xf32>
  %c3 = arith.constant 3 : index
  // UNSIGNED: unsigned.mlir:[[#@LINE+1]]:8: error: 'arith.cmpi' op cannot stand in a plan
  %c = arith.cmpi ult, %c3, %N : index
  pbsgpu.require %c, "N"
  pbsgpu.launch @kernels::@kernel grid(%N, %N, %N) threads = 32 arguments()
}
//--- infinite.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel(%x: !llvm.ptr<1>, %f: f32) attributes {nvvm.kernel} {
    llvm.store %f, %x : f32, !llvm.ptr<1>
    llvm.return
  }
}
pbsgpu.plan @entry {
  %N = pbsgpu.size "N"
  %x = pbsgpu.argument "x" output [%N] align 4 : memref<?xf32>
  %f = arith.constant 0x7F800000 : f32
  // INFINITE: infinite.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op passes an f32 that is no finite constant
  pbsgpu.launch @kernels::@kernel grid(%N, %N, %N) threads = 32 shared_bytes = 0 arguments(%x, %f : memref<?xf32>, f32)
}
//--- target.mlir
// TARGET: target.mlir:[[#@LINE+1]]:1: error: 'gpu.module' op must have exactly one #nvvm.target
gpu.module @kernels {
  llvm.func @kernel() attributes {nvvm.kernel} {
    llvm.return
  }
}
//--- twice.mlir
gpu.module @first [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel() attributes {nvvm.kernel} {
    llvm.return
  }
}
gpu.module @second [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  // TWICE: twice.mlir:[[#@LINE+1]]:3: error: 'llvm.func' op kernel 'kernel' exists twice
  llvm.func @kernel() attributes {nvvm.kernel} {
    llvm.return
  }
}
//--- negative.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel() attributes {nvvm.kernel} {
    llvm.return
  }
}
pbsgpu.plan @entry {
  %x = pbsgpu.argument "x" output [1] align 4 : memref<1xf32>
  %c1 = arith.constant 1 : index
  %bytes = arith.constant -5 : index
  // NEGATIVE: negative.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op dynamic_shared_bytes (-5) must not be negative, nor above 2147483647 with shared_bytes
  pbsgpu.launch @kernels::@kernel grid(%c1, %c1, %c1) threads = 32 shared_bytes = 528 dynamic_shared_bytes(%bytes) arguments()
}
//--- large.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel() attributes {nvvm.kernel} {
    llvm.return
  }
}
pbsgpu.plan @entry {
  %x = pbsgpu.argument "x" output [1] align 4 : memref<1xf32>
  %c1 = arith.constant 1 : index
  %bytes = arith.constant 2147483647 : index
  // LARGE: large.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op dynamic_shared_bytes (2147483647) must not be negative, nor above 2147483647 with shared_bytes
  pbsgpu.launch @kernels::@kernel grid(%c1, %c1, %c1) threads = 32 shared_bytes = 528 dynamic_shared_bytes(%bytes) arguments()
}

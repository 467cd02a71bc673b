// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: rm -rf %t && split-file --leading-lines %s %t
// RUN: not pbs-compile %t/unsigned.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=UNSIGNED
// RUN: not pbs-compile %t/infinite.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=INFINITE
// RUN: not pbs-compile %t/target.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not pbs-compile %t/twice.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not pbs-compile %t/negative.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not pbs-compile %t/large.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not pbs-compile %t/version.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=VERSION
// RUN: not pbs-compile %t/chip.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not pbs-compile %t/pointer.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=POINTER
// RUN: not pbs-compile %t/copy.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=COPY
// RUN: not pbs-compile %t/bulk.mlir -o %t/out.ptx 2>&1 | FileCheck %s --check-prefix=BULK
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
  // UNSIGNED: unsigned.mlir:[[#@LINE+1]]:8: error: 'arith.cmpi' op plan_c1: cannot stand in a plan
  %c = arith.cmpi ult, %c3, %N : index
  pbsgpu.require %c, "N"
  pbsgpu.launch @kernels::@kernel grid(%N, %N, %N) arguments()
}
//--- infinite.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel(%x: !llvm.ptr<1>, %f: f32) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    llvm.store %f, %x : f32, !llvm.ptr<1>
    llvm.return
  }
}
pbsgpu.plan @entry {
  %N = pbsgpu.size "N"
  %x = pbsgpu.argument "x" output [%N] align 4 : memref<?xf32>
  %f = arith.constant 0x7F800000 : f32
  // INFINITE: infinite.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op passes an f32 that is no finite constant
  pbsgpu.launch @kernels::@kernel grid(%N, %N, %N) shared_bytes = 0 arguments(%x, %f : memref<?xf32>, f32)
}
//--- target.mlir
// TARGET: target.mlir:[[#@LINE+1]]:1: error: 'gpu.module' op must have exactly one #nvvm.target
gpu.module @kernels {
  llvm.func @kernel() attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    llvm.return
  }
}
//--- twice.mlir
gpu.module @first [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel() attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    llvm.return
  }
}
gpu.module @second [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  // TWICE: twice.mlir:[[#@LINE+1]]:3: error: 'llvm.func' op kernel 'kernel' exists twice
  llvm.func @kernel() attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    llvm.return
  }
}
//--- negative.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel() attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    llvm.return
  }
}
pbsgpu.plan @entry {
  %x = pbsgpu.argument "x" output [1] align 4 : memref<1xf32>
  %c1 = arith.constant 1 : index
  %bytes = arith.constant -5 : index
  // NEGATIVE: negative.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op dynamic_shared_bytes (-5) must not be negative, nor above 2147483647 with shared_bytes
  pbsgpu.launch @kernels::@kernel grid(%c1, %c1, %c1) shared_bytes = 528 dynamic_shared_bytes(%bytes) arguments()
}
//--- large.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx70">] {
  llvm.func @kernel() attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    llvm.return
  }
}
pbsgpu.plan @entry {
  %x = pbsgpu.argument "x" output [1] align 4 : memref<1xf32>
  %c1 = arith.constant 1 : index
  %bytes = arith.constant 2147483647 : index
  // LARGE: large.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op dynamic_shared_bytes (2147483647) must not be negative, nor above 2147483647 with shared_bytes
  pbsgpu.launch @kernels::@kernel grid(%c1, %c1, %c1) shared_bytes = 528 dynamic_shared_bytes(%bytes) arguments()
}
//--- version.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx80">] {
  llvm.func @kernel(%map: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64, nvvm.grid_constant}) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    nvvm.prefetch tensormap, %map : !llvm.ptr
    llvm.return
  }
}
pbsgpu.plan @entry {
  %x = pbsgpu.argument "x" output [8, 64] align 16 : memref<8x64xbf16>
  %c1 = arith.constant 1 : index
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<8x64xbf16, dimensions = 2>
  // VERSION: version.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op argument 0 is a tensor map, which needs sm_90 or later and PTX version 8.6 or later, not sm_90a and PTX version 8.0
  pbsgpu.launch @kernels::@kernel grid(%c1, %c1, %c1) shared_bytes = 0
    arguments(%map : !pbsgpu.tensor_map<8x64xbf16, dimensions = 2>)
}
//--- chip.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_80", features = "+ptx86">] {
  llvm.func @kernel(%map: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64, nvvm.grid_constant}) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    %0 = llvm.load volatile %map : !llvm.ptr -> i32
    llvm.return
  }
}
pbsgpu.plan @entry {
  %x = pbsgpu.argument "x" output [8, 64] align 16 : memref<8x64xbf16>
  %c1 = arith.constant 1 : index
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<8x64xbf16, dimensions = 2>
  // CHIP: chip.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op argument 0 is a tensor map, which needs sm_90 or later and PTX version 8.6 or later, not sm_80 and PTX version 8.6
  pbsgpu.launch @kernels::@kernel grid(%c1, %c1, %c1) shared_bytes = 0
    arguments(%map : !pbsgpu.tensor_map<8x64xbf16, dimensions = 2>)
}
//--- pointer.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_90a">] {
  llvm.func @kernel(%map: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>, llvm.align = 64 : i64}) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    nvvm.prefetch tensormap, %map : !llvm.ptr
    llvm.return
  }
}
pbsgpu.plan @entry {
  %x = pbsgpu.argument "x" output [8, 64] align 16 : memref<8x64xbf16>
  %c1 = arith.constant 1 : index
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<8x64xbf16, dimensions = 2>
  // POINTER: pointer.mlir:[[#@LINE+1]]:3: error: 'pbsgpu.launch' op argument 0 is a tensor map, but kernel @kernels::@kernel does not take 128 bytes with llvm.byval and nvvm.grid_constant there
  pbsgpu.launch @kernels::@kernel grid(%c1, %c1, %c1) shared_bytes = 0
    arguments(%map : !pbsgpu.tensor_map<8x64xbf16, dimensions = 2>)
}
//--- copy.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx80">] {
  llvm.func @kernel(%map: !llvm.ptr, %cluster: !llvm.ptr<7>, %tile: !llvm.ptr<3>, %barrier: !llvm.ptr<3>) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    %c0 = llvm.mlir.constant(0 : i32) : i32
    nvvm.cp.async.bulk.tensor.shared.cluster.global %cluster, %map, %barrier, box[%c0, %c0] : !llvm.ptr<7>, !llvm.ptr
    // COPY: copy.mlir:[[#@LINE+1]]:5: error: 'nvvm.cp.async.bulk.tensor.shared.cluster.global' op needs sm_90 or later and PTX version 8.6 or later, not sm_90a and PTX version 8.0
    nvvm.cp.async.bulk.tensor.shared.cluster.global %tile, %map, %barrier, box[%c0, %c0] {isCTAOnly = true}
      : !llvm.ptr<3>, !llvm.ptr
    llvm.return
  }
}
//--- bulk.mlir
gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx80">] {
  llvm.func @kernel(%x: !llvm.ptr<1>, %tile: !llvm.ptr<3>, %barrier: !llvm.ptr<3>) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    %c16 = llvm.mlir.constant(16 : i32) : i32
    // BULK: bulk.mlir:[[#@LINE+1]]:5: error: 'nvvm.cp.async.bulk.shared.cluster.global' op needs sm_90 or later and PTX version 8.6 or later, not sm_90a and PTX version 8.0
    nvvm.cp.async.bulk.shared.cluster.global %tile, %x, %barrier, %c16 : !llvm.ptr<3>, !llvm.ptr<1>
    llvm.return
  }
}

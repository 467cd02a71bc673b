// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize | FileCheck %s

// An allocation in shared memory stood at a multiple of 16 bytes, whatever
// alignment it asks for.

// CHECK: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory
// CHECK: llvm.getelementptr %[[BASE]][256] :
gpu.module @kernels {
  pbsgpu.kernel @aligned(%x: f32, %i: index) warps = 1 {
    %first = memref.alloca() : memref<8xf32, #gpu.address_space<workgroup>>
    %second = memref.alloca() {alignment = 256 : i64} : memref<8xf32, #gpu.address_space<workgroup>>
    memref.store %x, %first[%i] : memref<8xf32, #gpu.address_space<workgroup>>
    memref.store %x, %second[%i] : memref<8xf32, #gpu.address_space<workgroup>>
    pbsgpu.return
  }
}

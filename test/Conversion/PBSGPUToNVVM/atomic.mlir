// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
// RUN: pbs-compile %s -o - | FileCheck %s --check-prefix=PTX

// Nothing waits for a counter's place among other accesses: no fence, and no
// loop of compare-and-swap.
gpu.module @kernels {
  // CHECK-LABEL: llvm.func @count(
  // PTX-LABEL: .entry count(
  pbsgpu.kernel @count(%counters: memref<?x8xi32>, %i: index, %j: index, %by: i32) warps = 1 {
    // CHECK: %[[PLACE:.*]] = llvm.getelementptr
    // CHECK: llvm.atomicrmw add %[[PLACE]], %{{.*}} syncscope("device") monotonic : !llvm.ptr, i32
    // PTX-NOT: {{fence|membar}}
    // PTX: {{red|atom}}.{{.*}}add.u32
    // PTX-NOT: {{fence|membar|cas}}
    // PTX: ret
    %old = memref.atomic_rmw addi %by, %counters[%i, %j] : (i32, memref<?x8xi32>) -> i32
    pbsgpu.return
  }
}

pbsgpu.plan @plan {
  %N = pbsgpu.size "N"
  %c1 = arith.constant 1 : index
  %by = arith.constant 1 : i32
  %x = pbsgpu.argument "x" output [%N, 8] align 4 : memref<?x8xi32>
  pbsgpu.launch @kernels::@count grid(%c1, %c1, %c1)
    arguments(%x, %c1, %c1, %by : memref<?x8xi32>, index, index, i32)
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Instructions that LLVM has no intrinsics for keep their names at the stop
// nvvm, and become inline PTX ahead of the code generator.
// RUN: pbs-compile %s --compile-to=nvvm -o - | FileCheck %s --check-prefix=NVVM
// RUN: pbs-opt %s --convert-nvvm-to-llvm | FileCheck %s --check-prefix=LLVM
// RUN: pbs-compile %s -o - | FileCheck %s --check-prefix=PTX
// RUN: pbs-opt %s --convert-nvvm-to-llvm | pbs-compile - -o - | FileCheck %s --check-prefix=PTX

gpu.module @kernels [#nvvm.target<chip = "sm_90a">] {
  // NVVM-LABEL: llvm.func @kernel(
  // LLVM-LABEL: llvm.func @kernel(
  // PTX: .version 8.6
  // PTX-LABEL: .entry kernel(
  llvm.func @kernel(%barrier: !llvm.ptr<3>) attributes {nvvm.kernel, nvvm.reqntid = array<i32: 128>} {
    %c0 = llvm.mlir.constant(0 : i32) : i32
    %c1 = llvm.mlir.constant(1 : i32) : i32
    %c64 = llvm.mlir.constant(64 : i32) : i32
    // NVVM: nvvm.barrier.arrive id
    // LLVM: llvm.inline_asm {{.*}}"bar.arrive
    // PTX: bar.arrive
    nvvm.barrier.arrive id = %c1 number_of_threads = %c64
    // NVVM: nvvm.mbarrier.try_wait.parity
    // LLVM: llvm.inline_asm {{.*}}mbarrier.try_wait.parity
    // PTX: mbarrier.try_wait.parity
    nvvm.mbarrier.try_wait.parity %barrier, %c0, %c1 : !llvm.ptr<3>, i32, i32
    // NVVM: nvvm.fence.mbarrier.init
    // LLVM: nvvm.fence.mbarrier.init
    // PTX: fence.mbarrier_init
    nvvm.fence.mbarrier.init
    llvm.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
// RUN: %python %S/Inputs/math_accuracy.py

gpu.module @kernels {
  // Approximate functions are one instruction.
  // CHECK-LABEL: llvm.func @approximate(
  // CHECK-SAME: %[[X:[^:]*]]: f32
  pbsgpu.kernel @approximate(%x: f32, %out: memref<8xf32>) warps = 1 {
    // CHECK-NOT: llvm.select
    // CHECK: llvm.intr.tanh(%[[X]]) {fastmathFlags = #llvm.fastmath<afn>}
    %tanh = math.tanh %x fastmath<afn> : f32
    // CHECK: %[[Y:.*]] = llvm.fmul %[[X]], %{{.*}} : f32
    // CHECK: llvm.intr.exp2(%[[Y]]) {fastmathFlags = #llvm.fastmath<afn>}
    %exp = math.exp %x fastmath<afn> : f32
    // CHECK: %[[L:.*]] = llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f"(%[[X]])
    // CHECK: llvm.fmul %[[L]], %{{.*}} : f32
    %log = math.log %x fastmath<afn> : f32
    // CHECK: llvm.call_intrinsic "llvm.nvvm.rsqrt.approx.ftz.f"(%[[X]])
    %rsqrt = math.rsqrt %x fastmath<afn> : f32
    // CHECK: llvm.intr.sqrt(%[[X]]) {fastmathFlags = #llvm.fastmath<afn>}
    %sqrt = math.sqrt %x fastmath<afn> : f32
    %c0 = arith.constant 0 : index
    %a = arith.addf %tanh, %exp : f32
    %b = arith.addf %a, %log : f32
    %c = arith.addf %b, %rsqrt : f32
    %d = arith.addf %c, %sqrt : f32
    memref.store %d, %out[%c0] : memref<8xf32>
    pbsgpu.return
  }

  // Exact ones come of approximate ones where these are accurate.
  // CHECK-LABEL: llvm.func @exact(
  // CHECK-SAME: %[[X:[^:]*]]: f32
  pbsgpu.kernel @exact(%x: f32, %out: memref<8xf32>) warps = 1 {
    // CHECK: %[[SIZE:.*]] = llvm.intr.fabs(%[[X]])
    // CHECK: llvm.intr.exp2(%{{.*}}) {fastmathFlags = #llvm.fastmath<afn>}
    // CHECK: llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"
    // CHECK: llvm.fcmp "olt" %[[SIZE]]
    // CHECK-NEXT: llvm.select
    %tanh = math.tanh %x : f32
    // CHECK: llvm.intr.sqrt(%[[X]]) : (f32) -> f32
    %sqrt = math.sqrt %x : f32
    %c0 = arith.constant 0 : index
    %a = arith.addf %tanh, %sqrt : f32
    memref.store %a, %out[%c0] : memref<8xf32>
    pbsgpu.return
  }
}

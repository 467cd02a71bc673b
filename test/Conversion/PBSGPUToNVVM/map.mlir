// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

gpu.module @kernels {
  // What depends on the column alone is computed once for each column: two of
  // the lane's four elements.
  // CHECK-LABEL: llvm.func @coordinates(
  pbsgpu.kernel @coordinates(%out: memref<?x8xf32>, %p: memref<?xi32>, %i: index) warps = 1 {
    // CHECK: llvm.load
    // CHECK: llvm.load
    // CHECK-NOT: llvm.load
    // CHECK-COUNT-4: llvm.mul %{{.*}}, %{{.*}} : i32
    %s = pbsgpu.map -> !pbsgpu.fragment<16x8xf32, accumulator, warps = 1> {
    ^bb0(%row: i32, %column: i32):
      %place = arith.index_cast %column : i32 to index
      %position = memref.load %p[%place] : memref<?xi32>
      %product = arith.muli %row, %position : i32
      %r = arith.sitofp %product : i32 to f32
      pbsgpu.yield %r : f32
    }
    pbsgpu.store_fragment %s to %out[%i] : !pbsgpu.fragment<16x8xf32, accumulator, warps = 1>, memref<?x8xf32>
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @if(
  // CHECK-SAME: %[[X:[^:]*]]: f32, %[[N:[^:]*]]: i32)
  pbsgpu.kernel @if(%out: memref<?x8xf32>, %i: index, %x: f32, %n: i32) warps = 1 {
    %zero = arith.constant 0 : i32
    %c = arith.cmpi sgt, %n, %zero : i32
    %s = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x8xf32, accumulator, warps = 1>
    // CHECK: %[[C:.*]] = llvm.icmp "sgt" %[[N]]
    // CHECK: llvm.cond_br %[[C]], ^[[THEN:.*]], ^[[AFTER:.*]](%[[UNCHANGED:.*]] : vector<4xf32>)
    // CHECK: ^[[THEN]]:
    // CHECK: llvm.fadd
    // CHECK: llvm.br ^[[AFTER]](%{{.*}} : vector<4xf32>)
    // CHECK: ^[[AFTER]](%{{.*}}: vector<4xf32>):
    %t = pbsgpu.map %s if %c : !pbsgpu.fragment<16x8xf32, accumulator, warps = 1> -> !pbsgpu.fragment<16x8xf32, accumulator, warps = 1> {
    ^bb0(%e: f32, %row: i32, %column: i32):
      %r = arith.addf %e, %e : f32
      pbsgpu.yield %r : f32
    }
    pbsgpu.store_fragment %t to %out[%i] : !pbsgpu.fragment<16x8xf32, accumulator, warps = 1>, memref<?x8xf32>
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @math(
  // CHECK-NOT: __nv_
  pbsgpu.kernel @math(%out: memref<?xf32>, %x: f32) warps = 1 {
    %c0 = arith.constant 0 : index
    // CHECK: llvm.intr.exp2(%{{.*}}) {fastmathFlags = #llvm.fastmath<afn>}
    %a = math.exp2 %x : f32
    // CHECK: llvm.call_intrinsic "llvm.nvvm.lg2.approx.ftz.f"
    %b = math.log2 %a : f32
    // CHECK: llvm.intr.fma
    %c = math.fma %a, %b, %x : f32
    // CHECK: llvm.intr.maxnum
    %d = arith.maxnumf %c, %x : f32
    memref.store %d, %out[%c0] : memref<?xf32>
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

gpu.module @kernels {
  // The four lanes of a row exchange their partial results.
  // CHECK-LABEL: llvm.func @row_reduce(
  // CHECK-SAME: %[[X:[^:]*]]: f32)
  pbsgpu.kernel @row_reduce(%out: memref<?xf32>, %i: index, %x: f32) warps = 1 {
    // CHECK-DAG: %[[C1:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[C2:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
    %s = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x8xf32, accumulator, warps = 1>
    // CHECK: %[[OWN:.*]] = llvm.intr.maxnum(%[[X]], %[[X]])
    // CHECK: %[[BESIDE:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[OWN]], %[[C1]]
    // CHECK: %[[TWO:.*]] = llvm.intr.maxnum(%[[OWN]], %[[BESIDE]])
    // CHECK: %[[ACROSS:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[TWO]], %[[C2]]
    // CHECK: llvm.intr.maxnum(%[[TWO]], %[[ACROSS]])
    %m = pbsgpu.row_reduce max %s : !pbsgpu.fragment<16x8xf32, accumulator, warps = 1> -> !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>
    // CHECK: llvm.fadd
    %l = pbsgpu.row_reduce sum %s : !pbsgpu.fragment<16x8xf32, accumulator, warps = 1> -> !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>
    pbsgpu.store_fragment %m to %out[%i] : !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>, memref<?xf32>
    pbsgpu.store_fragment %l to %out[%i] : !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>, memref<?xf32>
    pbsgpu.return
  }

  // Lanes that keep their own partial results exchange them later, once.
  // CHECK-LABEL: llvm.func @lanes(
  // CHECK-SAME: %[[X:[^:]*]]: f32)
  pbsgpu.kernel @lanes(%out: memref<?xf32>, %i: index, %x: f32) warps = 1 {
    // CHECK-DAG: %[[C1:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[C2:.*]] = llvm.mlir.constant(2 : i32)
    %s = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x8xf32, accumulator, warps = 1>
    // CHECK-NOT: nvvm.shfl.sync
    // CHECK: %[[OWN:.*]] = llvm.fadd %[[X]], %[[X]]
    // CHECK-NOT: nvvm.shfl.sync
    // CHECK: %[[SCALED:.*]] = llvm.fmul %[[OWN]], %[[X]]
    %own = pbsgpu.row_reduce sum %s : !pbsgpu.fragment<16x8xf32, accumulator, warps = 1> -> !pbsgpu.fragment<16x4xf32, accumulator, warps = 1>
    %row = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>
    %factor = pbsgpu.row_broadcast %row : !pbsgpu.fragment<16x1xf32, accumulator, warps = 1> -> !pbsgpu.fragment<16x4xf32, accumulator, warps = 1>
    %scaled = pbsgpu.map %own, %factor : !pbsgpu.fragment<16x4xf32, accumulator, warps = 1>, !pbsgpu.fragment<16x4xf32, accumulator, warps = 1>
        -> !pbsgpu.fragment<16x4xf32, accumulator, warps = 1> {
    ^bb0(%y: f32, %z: f32, %r: i32, %column: i32):
      %product = arith.mulf %y, %z : f32
      pbsgpu.yield %product : f32
    }
    // CHECK: %[[BESIDE:.*]] = nvvm.shfl.sync bfly %{{.*}}, %[[SCALED]], %[[C1]]
    // CHECK-NEXT: %[[TWO:.*]] = llvm.fadd %[[SCALED]], %[[BESIDE]]
    // CHECK-NEXT: %[[ACROSS:.*]] = nvvm.shfl.sync bfly %{{.*}}, %[[TWO]], %[[C2]]
    // CHECK-NEXT: llvm.fadd %[[TWO]], %[[ACROSS]]
    %sum = pbsgpu.row_reduce sum %scaled : !pbsgpu.fragment<16x4xf32, accumulator, warps = 1> -> !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>
    pbsgpu.store_fragment %sum to %out[%i] : !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>, memref<?xf32>
    pbsgpu.return
  }

  // Fragments are vectors where control flow merges.
  // CHECK-LABEL: llvm.func @carried(
  pbsgpu.kernel @carried(%out: memref<?x64xf32>, %i: index, %x: f32, %c: i32) warps = 2 {
    %s = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>
    %b = pbsgpu.alloc_tile : !pbsgpu.tile<64x64xbf16>
    %a = pbsgpu.to_operand %s : !pbsgpu.fragment<64x64xf32, accumulator, warps = 2> -> !pbsgpu.fragment<64x64xbf16, operand_a, warps = 2>
    // CHECK: llvm.br ^[[LOOP:.*]](%{{.*}}, %{{.*}} : vector<64xf32>, vector<32xi32>)
    // CHECK: ^[[LOOP]](%{{.*}}: vector<64xf32>, %{{.*}}: vector<32xi32>):
    cf.br ^loop(%s, %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>, !pbsgpu.fragment<64x64xbf16, operand_a, warps = 2>)
  ^loop(%t: !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>, %u: !pbsgpu.fragment<64x64xbf16, operand_a, warps = 2>):
    %v = pbsgpu.mma %u, %b, %t : !pbsgpu.fragment<64x64xbf16, operand_a, warps = 2>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>
    %w = pbsgpu.to_operand %v : !pbsgpu.fragment<64x64xf32, accumulator, warps = 2> -> !pbsgpu.fragment<64x64xbf16, operand_a, warps = 2>
    %zero = arith.constant 0 : i32
    %again = arith.cmpi eq, %c, %zero : i32
    cf.cond_br %again, ^loop(%v, %w : !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>, !pbsgpu.fragment<64x64xbf16, operand_a, warps = 2>), ^exit
  ^exit:
    pbsgpu.store_fragment %v to %out[%i] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>, memref<?x64xf32>
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @to_operand(
  pbsgpu.kernel @to_operand(%out: memref<?x64xf32>, %i: index) warps = 1 {
    %zero = arith.constant 0.0 : f32
    %b = pbsgpu.alloc_tile : !pbsgpu.tile<16x64xbf16>
    // CHECK: %[[FIRST:.*]] = llvm.sitofp
    // CHECK: %[[SECOND:.*]] = llvm.sitofp
    %s = pbsgpu.map -> !pbsgpu.fragment<16x16xf32, accumulator, warps = 1> {
    ^bb0(%row: i32, %column: i32):
      %r = arith.sitofp %column : i32 to f32
      pbsgpu.yield %r : f32
    }
    // The first of two elements stands in the lower half.
    // CHECK: nvvm.convert.f32x2.to.bf16x2 %[[SECOND]], %[[FIRST]] {rnd = #nvvm.fp_rnd_mode<rn>} : vector<2xbf16>
    %a = pbsgpu.to_operand %s : !pbsgpu.fragment<16x16xf32, accumulator, warps = 1> -> !pbsgpu.fragment<16x16xbf16, operand_a, warps = 1>
    %c = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<16x64xf32, accumulator, warps = 1>
    %d = pbsgpu.mma %a, %b, %c : !pbsgpu.fragment<16x16xbf16, operand_a, warps = 1>, !pbsgpu.tile<16x64xbf16>, !pbsgpu.fragment<16x64xf32, accumulator, warps = 1>
    pbsgpu.store_fragment %d to %out[%i] : !pbsgpu.fragment<16x64xf32, accumulator, warps = 1>, memref<?x64xf32>
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func @map_if_false(
// CHECK-SAME: %[[S:.*]]: !accumulator_
func.func @map_if_false(%s: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  // CHECK-NEXT: return %[[S]]
  %false = arith.constant false
  %0 = pbsgpu.map %s if %false : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %row: i32, %column: i32):
    %y = arith.negf %x : f32
    pbsgpu.yield %y : f32
  }
  return %0 : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
}

// CHECK-LABEL: func @map_if_true(
// CHECK-SAME: %[[S:.*]]: !accumulator_
func.func @map_if_true(%s: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  // CHECK-NEXT: pbsgpu.map %[[S]] :
  // CHECK: arith.negf
  %true = arith.constant true
  %0 = pbsgpu.map %s if %true : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %row: i32, %column: i32):
    %y = arith.negf %x : f32
    pbsgpu.yield %y : f32
  }
  return %0 : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
}

// CHECK-LABEL: func @map_unused_inputs(
// CHECK-SAME: %[[A:[^:]*]]: !accumulator_64x64xf32_4w, %[[B:[^:]*]]: !accumulator_64x64xf32_4w, %[[C:[^:]*]]: i1
func.func @map_unused_inputs(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %b: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %c: i1)
    -> (!pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // CHECK: pbsgpu.map %[[B]] :
  // CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32):
  // CHECK-NEXT: arith.negf %[[X]]
  %0 = pbsgpu.map %a, %b : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %y: f32, %row: i32, %column: i32):
    %z = arith.negf %y : f32
    pbsgpu.yield %z : f32
  }
  // The first input is the value under a false condition.
  // CHECK: pbsgpu.map %[[A]], %[[B]] if %[[C]] :
  %1 = pbsgpu.map %a, %b if %c : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %y: f32, %row: i32, %column: i32):
    %z = arith.negf %y : f32
    pbsgpu.yield %z : f32
  }
  return %0, %1 : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbsgpu-walk-list | FileCheck %s
// RUN: pbs-opt %s --pbsgpu-walk-list -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-walk-list --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!scores = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>

gpu.module @kernels {
  // CHECK-LABEL: pbsgpu.kernel @split(
  // REMARK: remark: [Passed] ListWalked | Category:pbsgpu-walk-list | Function=split | MasksDropped=1
  pbsgpu.kernel @split(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %0 = pbsgpu.splat %x : f32 -> !scores
    // CHECK: pbsgpu.key_loop
    // CHECK-NEXT: walk = list key_block = 128 key_tile = 64 ahead = 0
    // CHECK-NEXT: carry(
    // CHECK: load {
    // CHECK-NEXT: } bodies {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %[[CARRIED:.*]]: !accumulator_64x64xf32_4w):
    // CHECK-NEXT: pbsgpu.yield %[[CARRIED]]
    // CHECK-NEXT: }, {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %[[CARRIED:.*]]: !accumulator_64x64xf32_4w):
    // CHECK-NEXT: %[[MASKED:.*]] = pbsgpu.map %[[CARRIED]] : !accumulator_
    // CHECK: pbsgpu.yield %[[MASKED]]
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
         carry(%0 : !scores) : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !scores load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1, %carried: !scores):
      %kept = pbsgpu.map %carried if %masked : !scores -> !scores {
      ^bb0(%score: f32, %row: i32, %column: i32):
        %y = arith.negf %score : f32
        pbsgpu.yield %y : f32
      }
      pbsgpu.yield %kept : !scores
    }
    pbsgpu.return
  }

  // Other uses of the condition see a constant.
  // CHECK-LABEL: pbsgpu.kernel @other_use(
  pbsgpu.kernel @other_use(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK-DAG: %[[FALSE:.*]] = arith.constant false
    // CHECK-DAG: %[[TRUE:.*]] = arith.constant true
    // CHECK: arith.select %[[FALSE]]
    // CHECK: arith.select %[[TRUE]]
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
         carry(%x : f32) : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1, %carried: f32):
      %y = arith.select %masked, %carried, %x : f32
      pbsgpu.yield %y : f32
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @walks_already(
  pbsgpu.kernel @walks_already(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK: pbsgpu.key_loop
    // CHECK-NEXT: walk = list
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
       : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

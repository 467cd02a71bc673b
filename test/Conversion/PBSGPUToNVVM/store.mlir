// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

gpu.module @kernels {
  // A lane writes two rows, each behind a test whether it exists, and two
  // elements at once.
  // CHECK-LABEL: llvm.func @pairs(
  // CHECK-SAME: %{{[^:]*}}: !llvm.ptr<1> {llvm.noalias}, %[[ROWS:[^:]*]]: i64, %{{[^:]*}}: i64, %[[FIRST:[^:]*]]: i64
  pbsgpu.kernel @pairs(%out: memref<?x16xbf16, strided<[?, 1]>>, %first: index, %x: f32) warps = 1 {
    %s = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x16xf32, accumulator, warps = 1>
    // CHECK: %[[REMAINING:.*]] = llvm.sub %[[ROWS]], %{{.*}} : i64
    // CHECK: %[[INSIDE:.*]] = llvm.icmp "sgt" %[[REMAINING]], %{{.*}} : i64
    // CHECK: llvm.cond_br %[[INSIDE]], ^[[STORE:.*]], ^[[NEXT:.*]]
    // CHECK: ^[[STORE]]:
    // CHECK: %[[PAIR:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
    // CHECK: llvm.store %[[PAIR]], %{{.*}} {alignment = 4 : i64} : i32, !llvm.ptr<1>
    // CHECK: %[[BESIDE:.*]] = llvm.getelementptr %{{.*}}[16]
    // CHECK: llvm.store %{{.*}}, %[[BESIDE]] {alignment = 4 : i64}
    // CHECK: llvm.br ^[[NEXT]]
    // CHECK: ^[[NEXT]]:
    // CHECK: llvm.icmp "sgt" %[[REMAINING]], %{{.*}} : i64
    // CHECK-COUNT-2: llvm.store
    // CHECK-NOT: llvm.store
    pbsgpu.store_fragment %s to %out[%first] : !pbsgpu.fragment<16x16xf32, accumulator, warps = 1>, memref<?x16xbf16, strided<[?, 1]>>
    // CHECK: llvm.return
    pbsgpu.return
  }

  // Of 32 columns and more, the four lanes of a row exchange pairs, neighbours
  // first and then halves, and each writes eight elements at once.
  // CHECK-LABEL: llvm.func @exchanged(
  pbsgpu.kernel @exchanged(%out: memref<?x32xbf16, strided<[?, 1]>>, %first: index, %x: f32) warps = 1 {
    %s = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x32xf32, accumulator, warps = 1>
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32) : i32
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32) : i32
    // CHECK-COUNT-2: nvvm.shfl.sync bfly %{{.*}}, %{{.*}}, %[[ONE]], %{{.*}} : i32 -> i32
    // CHECK-COUNT-2: nvvm.shfl.sync bfly %{{.*}}, %{{.*}}, %[[TWO]], %{{.*}} : i32 -> i32
    // CHECK: llvm.cond_br %{{.*}}, ^[[STORE:.*]], ^[[NEXT:.*]]
    // CHECK: ^[[STORE]]:
    // CHECK: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
    // CHECK: ^[[NEXT]]:
    // CHECK-COUNT-4: nvvm.shfl.sync bfly
    // CHECK: llvm.store %{{.*}}, %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<1>
    // CHECK-NOT: llvm.store
    pbsgpu.store_fragment %s to %out[%first] : !pbsgpu.fragment<16x32xf32, accumulator, warps = 1>, memref<?x32xbf16, strided<[?, 1]>>
    // CHECK: llvm.return
    pbsgpu.return
  }

  // One of the four lanes that share a row writes it.
  // CHECK-LABEL: llvm.func @one_column(
  pbsgpu.kernel @one_column(%out: memref<?xf32>, %first: index, %x: f32) warps = 1 {
    %s = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>
    // CHECK: %[[WRITER:.*]] = llvm.icmp "eq" %{{.*}}, %{{.*}} : i32
    // CHECK: %[[INSIDE:.*]] = llvm.icmp "sgt"
    // CHECK: %[[WRITES:.*]] = llvm.and %[[INSIDE]], %[[WRITER]]
    // CHECK: llvm.cond_br %[[WRITES]]
    // CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<1>
    pbsgpu.store_fragment %s to %out[%first] : !pbsgpu.fragment<16x1xf32, accumulator, warps = 1>, memref<?xf32>
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

gpu.module @kernels {
  // 128 threads copy 16 rows of 128 bytes at once, each its chunk of 16 bytes
  // to the place where the swizzle has it.
  // CHECK-LABEL: llvm.func @contiguous(
  // CHECK-SAME: %[[X:[^:]*]]: !llvm.ptr<1> {{.*}}, %[[ROWS:[^:]*]]: i64, %[[STRIDE:[^:]*]]: i64, %[[FIRST:[^:]*]]: i64)
  pbsgpu.kernel @contiguous(%x: memref<?x64xbf16, strided<[?, 1]>>, %first: index) warps = 4 {
    // CHECK-DAG: %[[C0:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[C16:.*]] = llvm.mlir.constant(16 : i32)
    // CHECK-DAG: %[[C3:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[C7:.*]] = llvm.mlir.constant(7 : i32)
    // CHECK-DAG: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x range <i32, 0, 128>
    // CHECK-DAG: %[[CHUNK:.*]] = llvm.and %[[THREAD]], %[[C7]]
    // CHECK-DAG: %[[ROW:.*]] = llvm.lshr %[[THREAD]], %[[C3]]
    // CHECK-DAG: %[[ROW7:.*]] = llvm.and %[[ROW]], %[[C7]]
    // CHECK-DAG: llvm.xor %[[CHUNK]], %[[ROW7]]
    // CHECK: %[[EXTENT:.*]] = llvm.trunc %[[ROWS]] : i64 to i32
    // CHECK: %[[FIRST32:.*]] = llvm.trunc %[[FIRST]] : i64 to i32
    // CHECK: %[[PLACE:.*]] = llvm.add %[[FIRST32]], %[[ROW]] : i32
    // Rows past the last are filled with zeros: nothing is read.
    // CHECK: %[[INSIDE:.*]] = llvm.icmp "slt" %{{.*}}, %[[EXTENT]] : i32
    // CHECK: %[[BYTES:.*]] = llvm.select %[[INSIDE]], %[[C16]], %[[C0]] : i1, i32
    // CHECK: nvvm.cp.async.shared.global %[[TILE:.*]], %{{.*}}, 16, cache = cg, %[[BYTES]]
    // CHECK: %[[NEXT:.*]] = llvm.getelementptr %[[TILE]][2048]
    // CHECK: nvvm.cp.async.shared.global %[[NEXT]], %{{.*}}, 16, cache = cg, %{{.*}}
    // CHECK-NOT: nvvm.cp.async.shared.global
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<32x64xbf16>
    pbsgpu.copy_tile %x[%first] to %tile : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<32x64xbf16>
    // CHECK: llvm.return
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @gathered(
  pbsgpu.kernel @gathered(%x: memref<?x64xbf16, strided<[?, 1]>>, %p: memref<2x?xi32>, %i: index, %first: index) warps = 4 {
    // Each lane looks up one row. The permutation's last entry stands in for
    // places past it.
    // CHECK: %[[IS_PLACE:.*]] = llvm.icmp "slt" %[[PLACE:.*]], %{{.*}} : i32
    // CHECK: llvm.intr.smin(%[[PLACE]], %{{.*}}) : (i32, i32) -> i32
    // CHECK: %[[ENTRY:.*]] = llvm.load %{{.*}} invariant {alignment = 4 : i64} : !llvm.ptr<1> -> i32
    // CHECK: %[[IS_ROW:.*]] = llvm.icmp "ult" %[[ENTRY]], %{{.*}} : i32
    // CHECK: %[[IS_INSIDE:.*]] = llvm.and %[[IS_PLACE]], %[[IS_ROW]] : i1
    // CHECK: %[[LOOKED_UP:.*]] = llvm.select %[[IS_INSIDE]], %[[ENTRY]], %{{.*}} : i1, i32
    // And takes those that it copies from the others: rows of 8 chunks.
    // CHECK: %[[ROW:.*]] = nvvm.shfl.sync idx %{{.*}}, %[[LOOKED_UP]], %{{.*}}, %{{.*}} : i32 -> i32
    // CHECK: llvm.icmp "sge" %[[ROW]], %{{.*}} : i32
    // CHECK: %[[WIDE:.*]] = llvm.zext %[[ROW]] : i32 to i64
    // CHECK: llvm.mul %[[WIDE]], %{{.*}} : i64
    // CHECK: nvvm.cp.async.shared.global
    // CHECK: nvvm.shfl.sync idx %{{.*}}, %[[LOOKED_UP]]
    // CHECK: nvvm.cp.async.shared.global
    // CHECK-NOT: nvvm.cp.async.shared.global
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<32x64xbf16>
    pbsgpu.copy_tile %x[%first] through %p[%i] to %tile
      : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<32x64xbf16>, memref<2x?xi32>
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @more_threads_than_chunks(
  pbsgpu.kernel @more_threads_than_chunks(%x: memref<?x64xbf16, strided<[?, 1]>>, %first: index) warps = 4 {
    // CHECK: %[[HAS_ROW:.*]] = llvm.icmp "ult" %{{.*}}, %{{.*}} : i32
    // CHECK: llvm.cond_br %[[HAS_ROW]]
    // CHECK: nvvm.cp.async.shared.global
    // CHECK-NOT: nvvm.cp.async.shared.global
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<8x64xbf16>
    pbsgpu.copy_tile %x[%first] to %tile : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<8x64xbf16>
    // CHECK: llvm.return
    pbsgpu.return
  }

  // CHECK-LABEL: llvm.func @groups(
  pbsgpu.kernel @groups() warps = 1 {
    // CHECK-NEXT: nvvm.cp.async.commit.group
    pbsgpu.commit_copies
    // CHECK-NEXT: nvvm.cp.async.wait.group 1
    // CHECK-NEXT: nvvm.barrier0
    pbsgpu.await_copies pending = 1
    // CHECK-NEXT: llvm.call_intrinsic "llvm.nvvm.cp.async.wait.all"()
    // CHECK-NEXT: nvvm.barrier0
    pbsgpu.await_copies
    pbsgpu.return
  }
}

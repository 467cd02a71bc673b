// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An opaque value is what an empty instruction gives, of which no compiler knows that
// it changes nothing.
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

!contiguous = memref<?x4x?x8xi32>
!strided = memref<?x4x64xi32, strided<[?, ?, 1]>>

gpu.module @kernels {
  // CHECK-LABEL: llvm.func @index(
  // CHECK-SAME: %[[N:[^ ]*]]: i64, %[[OUT:[^ ]*]]: !llvm.ptr<1>
  // CHECK: %[[ADDRESS:.*]] = llvm.addrspacecast %[[OUT]]
  // CHECK-NEXT: %[[OPAQUE:.*]] = llvm.inline_asm has_side_effects {{.*}} "", "=l,0" %[[N]] : (i64) -> i64
  // CHECK-NEXT: llvm.getelementptr {{.*}} %[[ADDRESS]][%[[OPAQUE]]]
  pbsgpu.kernel @index(%n: index, %out: memref<?xi32>, %x: i32) warps = 1 {
    %opaque = pbsgpu.opaque %n : index
    memref.store %x, %out[%opaque] : memref<?xi32>
    pbsgpu.return
  }

  // Sizes that the type does not say; strides follow from them. The address is what it
  // was.
  // CHECK-LABEL: llvm.func @contiguous(
  // CHECK-SAME: %[[OUT:[^ ]*]]: !llvm.ptr<1> {{{[^}]*}}}, %[[SIZE0:[^ ]*]]: i64, %[[SIZE2:[^ ]*]]: i64, %[[I:[^ ]*]]: i64
  // CHECK-DAG: %[[COLUMNS:.*]] = llvm.mlir.constant(8 : i64)
  // CHECK-DAG: %[[SIZE1:.*]] = llvm.mlir.constant(4 : i64)
  // CHECK: %[[ADDRESS:.*]] = llvm.addrspacecast %[[OUT]]
  // CHECK: %[[OPAQUE2:.*]] = llvm.inline_asm has_side_effects {{.*}} "", "=l,0" %[[SIZE2]]
  // CHECK-NEXT: %[[STRIDE1:.*]] = llvm.mul %[[OPAQUE2]], %[[COLUMNS]]
  // CHECK-NEXT: %[[STRIDE0:.*]] = llvm.mul %[[STRIDE1]], %[[SIZE1]]
  // CHECK-NEXT: %[[OPAQUE0:.*]] = llvm.inline_asm has_side_effects {{.*}} "", "=l,0" %[[SIZE0]]
  // CHECK-NOT: llvm.inline_asm
  // CHECK: llvm.mul %[[I]], %[[STRIDE0]]
  // CHECK: llvm.mul %[[I]], %[[STRIDE1]]
  // CHECK: llvm.getelementptr {{.*}} %[[ADDRESS]][
  // CHECK: llvm.store %{{.*}}, %{{.*}}
  // CHECK-NEXT: llvm.store %[[OPAQUE0]], %{{.*}}
  pbsgpu.kernel @contiguous(%m: !contiguous, %i: index, %x: i32, %size: memref<1xi64>) warps = 1 {
    %c0 = arith.constant 0 : index
    %opaque = pbsgpu.opaque %m : !contiguous
    %rows = memref.dim %opaque, %c0 : !contiguous
    %rows_i64 = arith.index_cast %rows : index to i64
    memref.store %x, %opaque[%i, %i, %i, %i] : !contiguous
    memref.store %rows_i64, %size[%c0] : memref<1xi64>
    pbsgpu.return
  }

  // Strides that the type does not say either, as they are.
  // CHECK-LABEL: llvm.func @strided(
  // CHECK-SAME: %[[OUT:[^ ]*]]: !llvm.ptr<1> {{{[^}]*}}}, %[[SIZE0:[^ ]*]]: i64, %[[STRIDE0:[^ ]*]]: i64, %[[STRIDE1:[^ ]*]]: i64, %[[I:[^ ]*]]: i64
  // CHECK: %[[ADDRESS:.*]] = llvm.addrspacecast %[[OUT]]
  // CHECK-NEXT: %[[OPAQUE1:.*]] = llvm.inline_asm has_side_effects {{.*}} "", "=l,0" %[[STRIDE1]]
  // CHECK-NEXT: %{{.*}} = llvm.inline_asm has_side_effects {{.*}} "", "=l,0" %[[SIZE0]]
  // CHECK-NEXT: %[[OPAQUE0:.*]] = llvm.inline_asm has_side_effects {{.*}} "", "=l,0" %[[STRIDE0]]
  // CHECK-NOT: llvm.inline_asm
  // CHECK: llvm.mul %[[I]], %[[OPAQUE0]]
  // CHECK: llvm.mul %[[I]], %[[OPAQUE1]]
  // CHECK: llvm.getelementptr {{.*}} %[[ADDRESS]][
  pbsgpu.kernel @strided(%m: !strided, %i: index, %x: i32) warps = 1 {
    %opaque = pbsgpu.opaque %m : !strided
    memref.store %x, %opaque[%i, %i, %i] : !strided
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm -o /dev/null \
// RUN:   --remarks-filter=convert-pbsgpu-to-nvvm --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!ring = !pbsgpu.ring<32x128xbf16, stages = 3>
!tile = !pbsgpu.tile<32x128xbf16>
!map = !pbsgpu.tensor_map<32x128xbf16, dimensions = 3>

gpu.module @kernels {
  // Signals stand behind the tiles, those that say full before those that say empty.
  // REMARK: Function=requests | SharedBytes=24624, Warps=4
  // CHECK-LABEL: llvm.func @requests(
  // CHECK-SAME: %[[MAP:[^ ]*]]: !llvm.ptr {{{[^}]*}}}, %[[I:[^ ]*]]: i64, %[[J:[^ ]*]]: i64, %[[N:[^ ]*]]: i64)
  pbsgpu.kernel @requests(%map: !map, %i: index, %j: index, %n: index) warps = 4 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[STAGES:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[WARPS:.*]] = llvm.mlir.constant(4 : i32)
    // CHECK-DAG: %[[SIGNAL_BYTES:.*]] = llvm.mlir.constant(8 : i32)
    // CHECK-DAG: %[[LANES:.*]] = llvm.mlir.constant(31 : i32)
    // CHECK-DAG: %[[PANEL:.*]] = llvm.mlir.constant(64 : i32)
    // CHECK-DAG: %[[BYTES:.*]] = llvm.mlir.constant(8192 : i32)
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory

    // One thread makes the signals ready; the CTA waits for it.
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK-NEXT: %[[IS_FIRST:.*]] = llvm.icmp "eq" %[[THREAD]], %[[ZERO]]
    // CHECK-NEXT: llvm.cond_br %[[IS_FIRST]], ^[[INIT:.*]], ^[[READY:.*]]
    // CHECK-NEXT: ^[[INIT]]:
    // CHECK-NEXT: %[[FULL0:.*]] = llvm.getelementptr %[[BASE]][24576]
    // CHECK-NEXT: nvvm.mbarrier.init %[[FULL0]], %[[ONE]]
    // CHECK-NEXT: %[[FULL1:.*]] = llvm.getelementptr %[[BASE]][24584]
    // CHECK-NEXT: nvvm.mbarrier.init %[[FULL1]], %[[ONE]]
    // CHECK-NEXT: %[[FULL2:.*]] = llvm.getelementptr %[[BASE]][24592]
    // CHECK-NEXT: nvvm.mbarrier.init %[[FULL2]], %[[ONE]]
    // CHECK-NEXT: %[[EMPTY0:.*]] = llvm.getelementptr %[[BASE]][24600]
    // CHECK-NEXT: nvvm.mbarrier.init %[[EMPTY0]], %[[WARPS]]
    // CHECK-NEXT: %[[EMPTY1:.*]] = llvm.getelementptr %[[BASE]][24608]
    // CHECK-NEXT: nvvm.mbarrier.init %[[EMPTY1]], %[[WARPS]]
    // CHECK-NEXT: %[[EMPTY2:.*]] = llvm.getelementptr %[[BASE]][24616]
    // CHECK-NEXT: nvvm.mbarrier.init %[[EMPTY2]], %[[WARPS]]
    // CHECK-NEXT: nvvm.fence.mbarrier.init
    // CHECK-NEXT: llvm.br ^[[READY]]
    // CHECK-NEXT: ^[[READY]]:
    // CHECK-NEXT: nvvm.barrier0
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring

    // The tile and its signals, and the parity of the visit's round.
    // CHECK: %[[VISIT:.*]] = llvm.trunc %[[N]] : i64 to i32
    // CHECK-NEXT: %[[STAGE:.*]] = llvm.urem %[[VISIT]], %[[STAGES]]
    // CHECK-NEXT: %[[SIGNALS:.*]] = llvm.getelementptr %[[BASE]][24576]
    // CHECK-NEXT: %[[SIGNAL_OFFSET:.*]] = llvm.mul %[[STAGE]], %[[SIGNAL_BYTES]]
    // CHECK-NEXT: %[[FULL:.*]] = llvm.getelementptr %[[SIGNALS]][%[[SIGNAL_OFFSET]]]
    // CHECK-NEXT: %[[EMPTY:.*]] = llvm.getelementptr %[[FULL]][24]
    // CHECK-NEXT: %[[ROUND:.*]] = llvm.udiv %[[VISIT]], %[[STAGES]]
    // CHECK-NEXT: %[[PARITY:.*]] = llvm.and %[[ROUND]], %[[ONE]]
    // CHECK-NEXT: %[[PARITY_BEFORE:.*]] = llvm.xor %[[PARITY]], %[[ONE]]
    // CHECK-NEXT: %[[OFFSET:.*]] = llvm.mul %[[STAGE]], %[[BYTES]]
    // CHECK-NEXT: %[[TILE:.*]] = llvm.getelementptr %[[BASE]][%[[OFFSET]]]
    %slot = pbsgpu.acquire %ring[%n] : !ring -> !tile

    // One thread waits for the empty tile, says how many bytes come, and asks for
    // them, a panel of 64 columns at a time.
    // CHECK-NEXT: llvm.cond_br %[[IS_FIRST]], ^[[COPY:.*]], ^[[COPIED:.*]]
    // CHECK-NEXT: ^[[COPY]]:
    // CHECK-NEXT: llvm.br ^[[POLL:[^ ]*]]
    // CHECK-NEXT: ^[[POLL]]:
    // CHECK-NEXT: %[[IS_EMPTY:.*]] = nvvm.mbarrier.try_wait %[[EMPTY]], %[[PARITY_BEFORE]]
    // CHECK-NEXT: llvm.cond_br %[[IS_EMPTY]], ^[[ASK:.*]], ^[[POLL]]
    // CHECK-NEXT: ^[[ASK]]:
    // CHECK-NEXT: nvvm.mbarrier.arrive.expect_tx %[[FULL]], %[[BYTES]]
    // CHECK-DAG: %[[I32:.*]] = llvm.trunc %[[I]] : i64 to i32
    // CHECK-DAG: %[[J32:.*]] = llvm.trunc %[[J]] : i64 to i32
    // CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %[[TILE]], %[[MAP]], %[[FULL]], box[%[[ZERO]], %[[J32]], %[[I32]]] {isCTAOnly = true}
    // CHECK-NEXT: %[[SECOND:.*]] = llvm.getelementptr %[[TILE]][4096]
    // CHECK-NEXT: nvvm.cp.async.bulk.tensor.shared.cluster.global %[[SECOND]], %[[MAP]], %[[FULL]], box[%[[PANEL]], %[[J32]], %[[I32]]] {isCTAOnly = true}
    // CHECK-NEXT: llvm.br ^[[COPIED]]
    // CHECK-NEXT: ^[[COPIED]]:
    pbsgpu.copy_tile %map[%i, %j] to %slot : !map, !tile

    // Every thread waits for the full tile.
    // CHECK-NEXT: llvm.br ^[[POLL:[^ ]*]]
    // CHECK-NEXT: ^[[POLL]]:
    // CHECK-NEXT: %[[IS_FULL:.*]] = nvvm.mbarrier.try_wait %[[FULL]], %[[PARITY]]
    // CHECK-NEXT: llvm.cond_br %[[IS_FULL]], ^[[READ:.*]], ^[[POLL]]
    // CHECK-NEXT: ^[[READ]]:
    %full = pbsgpu.await %ring[%n] : !ring -> !tile

    // One lane arrives for its warp, without a branch. Nobody has read the tile, so
    // that there is nothing to wait for.
    // CHECK-NEXT: %[[LANE:.*]] = llvm.and %[[THREAD]], %[[LANES]]
    // CHECK-NEXT: %[[IS_FIRST_LANE:.*]] = llvm.icmp "eq" %[[LANE]], %[[ZERO]]
    // CHECK-NEXT: %[[EMPTY_PLACE:.*]] = llvm.ptrtoint %[[EMPTY]] : !llvm.ptr<3> to i32
    // CHECK-NEXT: llvm.inline_asm has_side_effects {{.*}} "@$1 mbarrier.arrive.shared.b64 _, [$0];", "r,b,~{memory}" %[[EMPTY_PLACE]], %[[IS_FIRST_LANE]] : (i32, i1) -> ()
    // CHECK-NEXT: llvm.return
    pbsgpu.release %full : !tile
    pbsgpu.return
  }

  // Every thread copies, so every thread waits for the empty tile and arrives with
  // its copies, as one of the 128 that fill the ring.
  // CHECK-LABEL: llvm.func @threads(
  pbsgpu.kernel @threads(%k: memref<?x128xbf16>, %i: index, %n: index) warps = 4 {
    // CHECK-DAG: %[[THREADS:.*]] = llvm.mlir.constant(128 : i32)
    // CHECK-COUNT-3: nvvm.mbarrier.init %{{.*}}, %[[THREADS]]
    // CHECK: nvvm.barrier0
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    // CHECK: %[[SIGNALS:.*]] = llvm.getelementptr %{{.*}}[24576]
    // CHECK: %[[FULL:.*]] = llvm.getelementptr %[[SIGNALS]][%{{.*}}]
    // CHECK-NEXT: %[[EMPTY:.*]] = llvm.getelementptr %[[FULL]][24]
    // CHECK: llvm.br ^[[POLL:[^ ]*]]
    // CHECK-NEXT: ^[[POLL]]:
    // CHECK-NEXT: %[[IS_EMPTY:.*]] = nvvm.mbarrier.try_wait %[[EMPTY]],
    // CHECK-NEXT: llvm.cond_br %[[IS_EMPTY]], ^[[COPY:.*]], ^[[POLL]]
    // CHECK-NEXT: ^[[COPY]]:
    %slot = pbsgpu.acquire %ring[%n] : !ring -> !tile
    // CHECK-NOT: llvm.cond_br
    // CHECK-COUNT-4: nvvm.cp.async.shared.global
    // CHECK-NEXT: nvvm.cp.async.mbarrier.arrive %[[FULL]] {noinc = true}
    pbsgpu.copy_tile %k[%i] to %slot : memref<?x128xbf16>, !tile
    // CHECK: nvvm.mbarrier.try_wait %[[FULL]],
    // CHECK-NOT: nvvm.cp.async.wait
    // CHECK-NOT: nvvm.barrier
    %full = pbsgpu.await %ring[%n] : !ring -> !tile
    // CHECK: %[[EMPTY_PLACE:.*]] = llvm.ptrtoint %[[EMPTY]]
    // CHECK-NEXT: llvm.inline_asm {{.*}}mbarrier.arrive.shared.b64{{.*}} %[[EMPTY_PLACE]], %{{.*}}
    pbsgpu.release %full : !tile
    pbsgpu.return
  }

  // Lanes that read the tile themselves do so before one of them arrives.
  // CHECK-LABEL: llvm.func @read(
  pbsgpu.kernel @read(%map: !map, %i: index, %n: index) warps = 2 {
    // CHECK-DAG: %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
    // CHECK: nvvm.barrier0
    // CHECK-NOT: nvvm.bar.warp.sync
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 2 : !ring
    %zero = arith.constant 0.0 : f32
    %s0 = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<32x32xf32, accumulator, warps = 2>
    // CHECK: %[[EMPTY:.*]] = llvm.getelementptr %{{.*}}[24]
    %slot = pbsgpu.acquire %ring[%n] : !ring -> !tile
    pbsgpu.copy_tile %map[%i, %i] to %slot : !map, !tile
    %full = pbsgpu.await %ring[%n] : !ring -> !tile
    // CHECK: nvvm.ldmatrix
    %s = pbsgpu.mma %full, %full transposed, %s0 : !tile, !tile, !pbsgpu.fragment<32x32xf32, accumulator, warps = 2>
    // CHECK: nvvm.bar.warp.sync %[[ALL]]
    // CHECK-NOT: nvvm.ldmatrix
    // CHECK: %[[EMPTY_PLACE:.*]] = llvm.ptrtoint %[[EMPTY]]
    // CHECK-NEXT: llvm.inline_asm {{.*}}mbarrier.arrive.shared.b64{{.*}} %[[EMPTY_PLACE]], %{{.*}}
    // CHECK-NEXT: llvm.return
    pbsgpu.release %full : !tile
    pbsgpu.return
  }
}

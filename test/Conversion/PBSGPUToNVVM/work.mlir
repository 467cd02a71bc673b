// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm -o /dev/null \
// RUN:   --remarks-filter=convert-pbsgpu-to-nvvm --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!items = !pbsgpu.item_ring<stages = 2>

gpu.module @kernels {
  // One thread takes the number, the others get 0.
  // CHECK-LABEL: llvm.func @claim(
  // CHECK-SAME: %[[COUNTER:[^:]*]]: !llvm.ptr<1>
  pbsgpu.kernel @claim(%counter: memref<1xi32>, %out: memref<?xi32>, %i: index) warps = 2 {
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK: %[[ADDRESS:.*]] = llvm.addrspacecast %[[COUNTER]]
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK-NEXT: %[[IS_FIRST:.*]] = llvm.icmp "eq" %[[THREAD]], %[[ZERO]]
    // CHECK-NEXT: llvm.cond_br %[[IS_FIRST]], ^[[CLAIM:.*]], ^[[AFTER:.*]](%[[ZERO]] : i32)
    // CHECK-NEXT: ^[[CLAIM]]:
    // CHECK-NEXT: %[[OLD:.*]] = llvm.atomicrmw add %[[ADDRESS]], %[[ONE]] syncscope("device") monotonic
    // CHECK-NEXT: llvm.br ^[[AFTER]](%[[OLD]] : i32)
    // CHECK-NEXT: ^[[AFTER]](%[[NUMBER:.*]]: i32):
    // CHECK: llvm.store %[[NUMBER]]
    %number = pbsgpu.claim %counter : memref<1xi32>
    memref.store %number, %out[%i] : memref<?xi32>
    pbsgpu.return
  }

  // Of each stage one signal tells that its item is there, one that all warps have
  // received it, and one that it is asked for.
  // REMARK: Function=signals | SharedBytes=80, Warps=4
  // CHECK-LABEL: llvm.func @signals(
  pbsgpu.kernel @signals(%out: memref<?xi32>, %n: index, %x: i32) warps = 4 {
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[RECEIVERS:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK: %[[FULL0:.*]] = llvm.getelementptr %[[BASE]][32]
    // CHECK-NEXT: nvvm.mbarrier.init %[[FULL0]], %[[ONE]]
    // CHECK-NEXT: %[[FULL1:.*]] = llvm.getelementptr %[[BASE]][40]
    // CHECK-NEXT: nvvm.mbarrier.init %[[FULL1]], %[[ONE]]
    // CHECK-NEXT: %[[EMPTY0:.*]] = llvm.getelementptr %[[BASE]][48]
    // CHECK-NEXT: nvvm.mbarrier.init %[[EMPTY0]], %[[RECEIVERS]]
    // CHECK-NEXT: %[[EMPTY1:.*]] = llvm.getelementptr %[[BASE]][56]
    // CHECK-NEXT: nvvm.mbarrier.init %[[EMPTY1]], %[[RECEIVERS]]
    // CHECK-NEXT: %[[REQUESTED0:.*]] = llvm.getelementptr %[[BASE]][64]
    // CHECK-NEXT: nvvm.mbarrier.init %[[REQUESTED0]], %[[ONE]]
    // CHECK-NEXT: %[[REQUESTED1:.*]] = llvm.getelementptr %[[BASE]][72]
    // CHECK-NEXT: nvvm.mbarrier.init %[[REQUESTED1]], %[[ONE]]
    // CHECK-NEXT: nvvm.fence.mbarrier.init
    %items = pbsgpu.alloc_items : !items
    pbsgpu.roles "scheduler" warps = 1 {
      pbsgpu.publish %items[%n], %x, %x, %x, %x : !items
      memref.store %x, %out[%n] : memref<?xi32>
      pbsgpu.end_role
    } "worker" warps = 3 {
      %a, %b, %c, %d = pbsgpu.receive %items[%n] : !items
      memref.store %a, %out[%n] : memref<?xi32>
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // The first thread waits for the empty place and writes the item, which stands where
  // its number says, before it arrives.
  // CHECK-LABEL: llvm.func @publish(
  // CHECK-SAME: %[[N:[^:]*]]: i64, %[[A:[^:]*]]: i32, %[[B:[^:]*]]: i32, %[[C:[^:]*]]: i32, %[[D:[^:]*]]: i32)
  pbsgpu.kernel @publish(%n: index, %a: i32, %b: i32, %c: i32, %d: i32) warps = 2 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[SIGNAL_BYTES:.*]] = llvm.mlir.constant(8 : i32)
    // CHECK-DAG: %[[ITEM_BYTES:.*]] = llvm.mlir.constant(16 : i32)
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK: nvvm.barrier0
    %items = pbsgpu.alloc_items : !items
    // CHECK: %[[NUMBER:.*]] = llvm.trunc %[[N]] : i64 to i32
    // CHECK-NEXT: %[[STAGE:.*]] = llvm.urem %[[NUMBER]], %[[TWO]]
    // CHECK-NEXT: %[[SIGNALS:.*]] = llvm.getelementptr %[[BASE]][32]
    // CHECK-NEXT: %[[OFFSET:.*]] = llvm.mul %[[STAGE]], %[[SIGNAL_BYTES]]
    // CHECK-NEXT: %[[FULL:.*]] = llvm.getelementptr %[[SIGNALS]][%[[OFFSET]]]
    // CHECK-NEXT: %[[EMPTY:.*]] = llvm.getelementptr %[[FULL]][16]
    // CHECK-NEXT: %[[ROUND:.*]] = llvm.udiv %[[NUMBER]], %[[TWO]]
    // CHECK-NEXT: %[[PARITY:.*]] = llvm.and %[[ROUND]], %[[ONE]]
    // CHECK-NEXT: %[[PARITY_BEFORE:.*]] = llvm.xor %[[PARITY]], %[[ONE]]
    // CHECK-NEXT: llvm.cond_br %{{.*}}, ^[[WRITE:.*]], ^[[AFTER:.*]]
    // CHECK-NEXT: ^[[WRITE]]:
    // CHECK-NEXT: llvm.br ^[[POLL:[^ ]*]]
    // CHECK-NEXT: ^[[POLL]]:
    // CHECK-NEXT: %[[IS_EMPTY:.*]] = nvvm.mbarrier.try_wait %[[EMPTY]], %[[PARITY_BEFORE]]
    // CHECK-NEXT: llvm.cond_br %[[IS_EMPTY]], ^[[STORE:.*]], ^[[POLL]]
    // CHECK-NEXT: ^[[STORE]]:
    // CHECK-NEXT: %[[ITEM_OFFSET:.*]] = llvm.mul %[[STAGE]], %[[ITEM_BYTES]]
    // CHECK-NEXT: %[[ITEM:.*]] = llvm.getelementptr %[[BASE]][%[[ITEM_OFFSET]]]
    // CHECK-NEXT: %[[V0:.*]] = llvm.insertelement %[[A]], %{{.*}}[%[[ZERO]] : i32]
    // CHECK-NEXT: %[[V1:.*]] = llvm.insertelement %[[B]], %[[V0]][%[[ONE]] : i32]
    // CHECK-NEXT: %[[V2:.*]] = llvm.insertelement %[[C]], %[[V1]][%[[TWO]] : i32]
    // CHECK-NEXT: %[[V3:.*]] = llvm.insertelement %[[D]], %[[V2]][
    // CHECK-NEXT: llvm.store %[[V3]], %[[ITEM]] {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
    // CHECK-NEXT: nvvm.mbarrier.arrive %[[FULL]]
    // CHECK-NEXT: llvm.br ^[[AFTER]]
    // CHECK-NEXT: ^[[AFTER]]:
    pbsgpu.publish %items[%n], %a, %b, %c, %d : !items
    pbsgpu.return
  }

  // Every thread waits and reads; then one lane of each warp says that it has.
  // CHECK-LABEL: llvm.func @receive(
  pbsgpu.kernel @receive(%out: memref<?xi32>, %n: index) warps = 2 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[THREE:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK: nvvm.barrier0
    %items = pbsgpu.alloc_items : !items
    // CHECK: %[[FULL:.*]] = llvm.getelementptr %{{.*}}[%{{.*}}]
    // CHECK-NEXT: %[[EMPTY:.*]] = llvm.getelementptr %[[FULL]][16]
    // CHECK-NEXT: %[[ROUND:.*]] = llvm.udiv
    // CHECK-NEXT: %[[PARITY:.*]] = llvm.and %[[ROUND]], %[[ONE]]
    // CHECK-NEXT: llvm.br ^[[POLL:[^ ]*]]
    // CHECK-NEXT: ^[[POLL]]:
    // CHECK-NEXT: %[[IS_FULL:.*]] = nvvm.mbarrier.try_wait %[[FULL]], %[[PARITY]]
    // CHECK-NEXT: llvm.cond_br %[[IS_FULL]], ^[[READ:.*]], ^[[POLL]]
    // CHECK-NEXT: ^[[READ]]:
    // CHECK-NEXT: %[[OFFSET:.*]] = llvm.mul
    // CHECK-NEXT: %[[ITEM:.*]] = llvm.getelementptr %[[BASE]][%[[OFFSET]]]
    // CHECK-NEXT: %[[VALUES:.*]] = llvm.load %[[ITEM]] {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
    // CHECK-NEXT: %[[A:.*]] = llvm.extractelement %[[VALUES]][%[[ZERO]] : i32]
    // CHECK-NEXT: %[[B:.*]] = llvm.extractelement %[[VALUES]][%[[ONE]] : i32]
    // CHECK-NEXT: %[[C:.*]] = llvm.extractelement %[[VALUES]][%[[TWO]] : i32]
    // CHECK-NEXT: %[[D:.*]] = llvm.extractelement %[[VALUES]][%[[THREE]] : i32]
    // CHECK-NEXT: nvvm.bar.warp.sync %[[ALL]]
    // CHECK: %[[IS_FIRST_LANE:.*]] = llvm.icmp "eq" %{{.*}}, %[[ZERO]]
    // CHECK-NEXT: %[[PLACE:.*]] = llvm.ptrtoint %[[EMPTY]]
    // CHECK-NEXT: llvm.inline_asm {{.*}}mbarrier.arrive.shared.b64{{.*}} %[[PLACE]], %[[IS_FIRST_LANE]]
    // CHECK: llvm.store %[[A]]
    // CHECK: llvm.store %[[B]]
    // CHECK: llvm.store %[[C]]
    // CHECK: llvm.store %[[D]]
    %a, %b, %c, %d = pbsgpu.receive %items[%n] : !items
    memref.store %a, %out[%n] : memref<?xi32>
    memref.store %b, %out[%n] : memref<?xi32>
    memref.store %c, %out[%n] : memref<?xi32>
    memref.store %d, %out[%n] : memref<?xi32>
    pbsgpu.return
  }

  // Nobody asks for the first item, so that the request for item n is number n - 1. One
  // thread asks, behind the signals that tell of full and of empty places.
  // CHECK-LABEL: llvm.func @request(
  // CHECK-SAME: %[[N:[^:]*]]: i64)
  pbsgpu.kernel @request(%n: index) warps = 2 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[ONE_64:.*]] = llvm.mlir.constant(1 : i64)
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK-NEXT: %[[IS_FIRST:.*]] = llvm.icmp "eq" %[[THREAD]], %[[ZERO]]
    // CHECK: nvvm.barrier0
    %items = pbsgpu.alloc_items : !items
    // CHECK-NEXT: %[[BEFORE:.*]] = llvm.sub %[[N]], %[[ONE_64]]
    // CHECK-NEXT: %[[NUMBER:.*]] = llvm.trunc %[[BEFORE]] : i64 to i32
    // CHECK-NEXT: llvm.urem %[[NUMBER]], %[[TWO]]
    // CHECK: %[[FULL:.*]] = llvm.getelementptr %{{.*}}[%{{.*}}]
    // CHECK-NEXT: %[[EMPTY:.*]] = llvm.getelementptr %[[FULL]][16]
    // CHECK-NEXT: %[[REQUESTED:.*]] = llvm.getelementptr %[[EMPTY]][16]
    // CHECK-NEXT: llvm.cond_br %[[IS_FIRST]], ^[[ASK:.*]], ^[[AFTER:.*]]
    // CHECK-NEXT: ^[[ASK]]:
    // CHECK-NEXT: nvvm.mbarrier.arrive %[[REQUESTED]]
    // CHECK-NEXT: llvm.br ^[[AFTER]]
    // CHECK-NEXT: ^[[AFTER]]:
    // CHECK-NEXT: llvm.return
    pbsgpu.request %items[%n] : !items
    pbsgpu.return
  }

  // All threads wait for it.
  // CHECK-LABEL: llvm.func @await_request(
  // CHECK-SAME: %[[N:[^:]*]]: i64)
  pbsgpu.kernel @await_request(%n: index) warps = 2 {
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[ONE_64:.*]] = llvm.mlir.constant(1 : i64)
    // CHECK: nvvm.barrier0
    %items = pbsgpu.alloc_items : !items
    // CHECK-NEXT: %[[BEFORE:.*]] = llvm.sub %[[N]], %[[ONE_64]]
    // CHECK-NEXT: %[[NUMBER:.*]] = llvm.trunc %[[BEFORE]] : i64 to i32
    // CHECK: %[[EMPTY:.*]] = llvm.getelementptr %{{.*}}[16]
    // CHECK-NEXT: %[[REQUESTED:.*]] = llvm.getelementptr %[[EMPTY]][16]
    // CHECK-NEXT: %[[ROUND:.*]] = llvm.udiv %[[NUMBER]], %[[TWO]]
    // CHECK-NEXT: %[[PARITY:.*]] = llvm.and %[[ROUND]], %[[ONE]]
    // CHECK-NEXT: llvm.br ^[[POLL:[^ ]*]]
    // CHECK-NEXT: ^[[POLL]]:
    // CHECK-NEXT: %[[IS_REQUESTED:.*]] = nvvm.mbarrier.try_wait %[[REQUESTED]], %[[PARITY]]
    // CHECK-NEXT: llvm.cond_br %[[IS_REQUESTED]], ^[[AFTER:.*]], ^[[POLL]]
    // CHECK-NEXT: ^[[AFTER]]:
    // CHECK-NEXT: llvm.return
    pbsgpu.await_request %items[%n] : !items
    pbsgpu.return
  }

  // Roles that do nothing but this are run by their first threads, which arrive for
  // themselves: two warps of the third role receive, and one thread of the second.
  // CHECK-LABEL: llvm.func @one_thread(
  pbsgpu.kernel @one_thread(%counter: memref<1xi32>, %out: memref<?xi32>, %n: index, %x: i32) warps = 4 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[RECEIVERS:.*]] = llvm.mlir.constant(3 : i32)
    // CHECK-DAG: %[[BASE:.*]] = llvm.mlir.addressof @dynamic_shared_memory
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK: %[[EMPTY:.*]] = llvm.getelementptr %[[BASE]][48]
    // CHECK-NEXT: nvvm.mbarrier.init %[[EMPTY]], %[[RECEIVERS]]
    // CHECK: nvvm.barrier0
    %items = pbsgpu.alloc_items : !items
    pbsgpu.roles "scheduler" warps = 1 {
      // CHECK: llvm.cond_br %{{.*}}, ^[[SCHEDULER:.*]], ^[[OTHERS:.*]]
      // CHECK-NEXT: ^[[SCHEDULER]]:
      // CHECK-NEXT: llvm.cond_br %{{.*}}, ^[[FIRST:.*]], ^[[END:.*]]
      // CHECK-NEXT: ^[[FIRST]]:
      // CHECK: %[[NUMBER:.*]] = llvm.atomicrmw add
      // CHECK: llvm.insertelement %[[NUMBER]]
      // CHECK: llvm.store
      // CHECK-NEXT: nvvm.mbarrier.arrive
      // CHECK-NEXT: llvm.br ^[[END]]
      %number = pbsgpu.claim %counter : memref<1xi32>
      pbsgpu.publish %items[%n], %number, %x, %x, %x : !items
      pbsgpu.end_role
    } "second" warps = 1 {
      // CHECK-NEXT: ^[[OTHERS]]:
      // CHECK: llvm.cond_br %{{.*}}, ^[[SECOND:.*]], ^[[THIRD:.*]]
      // CHECK-NEXT: ^[[SECOND]]:
      // CHECK-NEXT: llvm.cond_br %{{.*}}, ^[[FIRST:.*]], ^[[END]]
      // CHECK-NEXT: ^[[FIRST]]:
      // CHECK: nvvm.mbarrier.arrive %{{.*}} :
      // CHECK: nvvm.mbarrier.try_wait
      // CHECK-NEXT: llvm.cond_br %{{.*}}, ^[[RECEIVED:.*]], ^
      // CHECK-NEXT: ^[[RECEIVED]]:
      // CHECK-NEXT: nvvm.mbarrier.arrive %{{.*}} :
      // CHECK-NEXT: llvm.br ^[[END]]
      pbsgpu.request %items[%n] : !items
      %a, %b, %c, %d = pbsgpu.receive %items[%n] : !items
      pbsgpu.end_role
    } "third" warps = 2 {
      // CHECK-NEXT: ^[[THIRD]]:
      // CHECK: nvvm.bar.warp.sync
      // CHECK: mbarrier.arrive.shared.b64
      %a, %b, %c, %d = pbsgpu.receive %items[%n] : !items
      memref.store %a, %out[%n] : memref<?xi32>
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // How many CTAs the grid has.
  // CHECK-LABEL: llvm.func @grid(
  pbsgpu.kernel @grid(%out: memref<?xi64>, %i: index) warps = 1 {
    // CHECK: %[[X:.*]] = nvvm.read.ptx.sreg.nctaid.x
    // CHECK-NEXT: %[[X_64:.*]] = llvm.zext %[[X]] : i32 to i64
    // CHECK: llvm.store %[[X_64]]
    %x = gpu.grid_dim x
    %x_i64 = arith.index_cast %x : index to i64
    memref.store %x_i64, %out[%i] : memref<?xi64>
    // CHECK: nvvm.read.ptx.sreg.nctaid.y
    %y = gpu.grid_dim y
    %y_i64 = arith.index_cast %y : index to i64
    memref.store %y_i64, %out[%i] : memref<?xi64>
    // CHECK: nvvm.read.ptx.sreg.nctaid.z
    %z = gpu.grid_dim z
    %z_i64 = arith.index_cast %z : index to i64
    memref.store %z_i64, %out[%i] : memref<?xi64>
    pbsgpu.return
  }
}

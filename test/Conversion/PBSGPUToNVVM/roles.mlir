// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --pbs-set-target=chip=sm_90a --convert-pbsgpu-to-nvvm --canonicalize --cse | FileCheck %s

gpu.module @kernels {
  // Registers change hands from a known number: 65,536 for 384 threads, in steps of 8.
  // Groups of four warps take theirs before their role begins.
  // CHECK-LABEL: llvm.func @registers(
  // CHECK-SAME: %[[OUT:[^:]*]]: !llvm.ptr<1>
  // CHECK-SAME: nvvm.maxnreg = 168 : i32, nvvm.reqntid = array<i32: 384>}
  pbsgpu.kernel @registers(%out: memref<?xf32>, %x: f32, %i: index) warps = 12 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[ONE:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[FOUR:.*]] = llvm.mlir.constant(4 : i32)
    // CHECK-DAG: %[[FIVE:.*]] = llvm.mlir.constant(5 : i32)
    // CHECK-DAG: %[[LANES:.*]] = llvm.mlir.constant(31 : i32)
    // CHECK-DAG: %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
    // CHECK-DAG: %[[PRODUCERS:.*]] = llvm.mlir.constant(128 : i32)
    // CHECK-DAG: %[[CONSUMERS:.*]] = llvm.mlir.constant(256 : i32)
    // The number of the warp, the same in all lanes.
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK-NEXT: %[[OWN:.*]] = llvm.lshr %[[THREAD]], %[[FIVE]]
    // CHECK-NEXT: %[[WARP:.*]] = nvvm.shfl.sync idx %[[ALL]], %[[OWN]], %[[ZERO]], %[[LANES]] : i32 -> i32
    // CHECK-NEXT: %[[IS_PRODUCER:.*]] = llvm.icmp "ult" %[[WARP]], %[[FOUR]]
    // CHECK-NEXT: llvm.cond_br %[[IS_PRODUCER]], ^[[FIRST_GROUP:.*]], ^[[OTHERS:.*]]
    // CHECK-NEXT: ^[[FIRST_GROUP]]:
    // CHECK-NEXT: nvvm.setmaxregister decrease 56
    // CHECK-NEXT: llvm.br ^[[PRODUCER:.*]]
    // CHECK-NEXT: ^[[OTHERS]]:
    // CHECK-NEXT: nvvm.setmaxregister increase 224
    // CHECK-NEXT: llvm.br ^[[CONSUMER:.*]]
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      // A barrier of its own for each role, with the role's threads.
      // CHECK-NEXT: ^[[PRODUCER]]:
      // CHECK-NEXT: nvvm.barrier id = %[[ONE]] number_of_threads = %[[PRODUCERS]]
      pbsgpu.role_barrier
      // CHECK-NEXT: llvm.br ^[[END:.*]]
      pbsgpu.end_role
    } "consumer" warps = 8 registers = 224 {
      // CHECK-NEXT: ^[[CONSUMER]]:
      // CHECK-NEXT: %[[MEMORY:.*]] = llvm.addrspacecast %[[OUT]]
      // CHECK-NEXT: nvvm.barrier id = %[[TWO]] number_of_threads = %[[CONSUMERS]]
      pbsgpu.role_barrier
      // CHECK-NEXT: %[[PLACE:.*]] = llvm.getelementptr {{.*}}%[[MEMORY]][
      // CHECK-NEXT: llvm.store %{{.*}}, %[[PLACE]]
      // CHECK-NEXT: llvm.br ^[[END]]
      memref.store %x, %out[%i] : memref<?xf32>
      pbsgpu.end_role
    }
    // CHECK-NEXT: ^[[END]]:
    // CHECK-NEXT: llvm.return
    pbsgpu.return
  }

  // Roles that share a group of four warps take its registers together and part behind
  // that.
  // CHECK-LABEL: llvm.func @shared_group(
  pbsgpu.kernel @shared_group(%out: memref<?xf32>, %x: f32, %i: index) warps = 8 {
    // CHECK-DAG: %[[SECOND_WARP:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[SECOND_GROUP:.*]] = llvm.mlir.constant(4 : i32)
    // CHECK: %[[WARP:.*]] = nvvm.shfl.sync
    // CHECK-NEXT: %[[IS_FIRST_GROUP:.*]] = llvm.icmp "ult" %[[WARP]], %[[SECOND_GROUP]]
    // CHECK-NEXT: llvm.cond_br %[[IS_FIRST_GROUP]], ^[[GROUP:.*]], ^[[OTHERS:.*]]
    // CHECK-NEXT: ^[[GROUP]]:
    // CHECK-NEXT: nvvm.setmaxregister decrease 56
    // CHECK-NEXT: %[[IS_PRODUCER:.*]] = llvm.icmp "ult" %[[WARP]], %[[SECOND_WARP]]
    // CHECK-NEXT: llvm.cond_br %[[IS_PRODUCER]], ^[[PRODUCER:.*]], ^[[NEXT:.*]]
    // CHECK-NEXT: ^[[OTHERS]]:
    // CHECK-NEXT: nvvm.setmaxregister decrease 240
    // CHECK-NEXT: llvm.br ^[[CONSUMER:.*]]
    pbsgpu.roles "producer" warps = 1 registers = 56 {
      // CHECK-NEXT: ^[[PRODUCER]]:
      // CHECK-NEXT: nvvm.barrier
      // CHECK-NEXT: llvm.br ^[[END:.*]]
      pbsgpu.role_barrier
      pbsgpu.end_role
    } "scheduler" warps = 3 registers = 56 {
      // CHECK-NEXT: ^[[NEXT]]:
      // CHECK-NEXT: llvm.br ^[[SCHEDULER:.*]]
      // CHECK-NEXT: ^[[SCHEDULER]]:
      // CHECK-NEXT: nvvm.barrier
      // CHECK-NEXT: llvm.br ^[[END]]
      pbsgpu.role_barrier
      pbsgpu.end_role
    } "consumer" warps = 4 registers = 240 {
      // CHECK-NEXT: ^[[CONSUMER]]:
      // CHECK-NEXT: nvvm.barrier
      // CHECK-NEXT: llvm.br ^[[END]]
      pbsgpu.role_barrier
      pbsgpu.end_role
    }
    // CHECK-NEXT: ^[[END]]:
    // CHECK-NEXT: llvm.return
    pbsgpu.return
  }

  // Three roles of which none takes registers. A role's threads share what is copied
  // and wait for each other; what stands after the roles is for the CTA again.
  // CHECK-LABEL: llvm.func @threads(
  // CHECK-NOT: nvvm.maxnreg
  // CHECK-SAME: nvvm.reqntid = array<i32: 192>}
  // CHECK-NOT: nvvm.setmaxregister
  pbsgpu.kernel @threads(%k: memref<?x64xbf16>, %out: memref<?xf32>, %x: f32, %i: index) warps = 6 {
    // CHECK-DAG: %[[TWO:.*]] = llvm.mlir.constant(2 : i32)
    // CHECK-DAG: %[[THREADS:.*]] = llvm.mlir.constant(64 : i32)
    // CHECK-DAG: %[[BEFORE:.*]] = llvm.mlir.constant(-32 : i32)
    // CHECK-DAG: %[[SECOND_WARP:.*]] = llvm.mlir.constant(1 : i32)
    // CHECK-DAG: %[[FOURTH_WARP:.*]] = llvm.mlir.constant(3 : i32)
    %c0 = arith.constant 0 : index
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<16x64xbf16>
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK: %[[WARP:.*]] = nvvm.shfl.sync
    // CHECK-NEXT: %[[IS_FIRST:.*]] = llvm.icmp "ult" %[[WARP]], %[[SECOND_WARP]]
    // CHECK-NEXT: llvm.cond_br %[[IS_FIRST]], ^[[FIRST:.*]], ^[[OTHERS:.*]]
    pbsgpu.roles "first" warps = 1 {
      // CHECK-NEXT: ^[[FIRST]]:
      // CHECK-NEXT: llvm.store
      memref.store %x, %out[%c0] : memref<?xf32>
      // CHECK-NEXT: llvm.br ^[[END:.*]]
      pbsgpu.end_role
      // CHECK-NEXT: ^[[OTHERS]]:
      // CHECK-NEXT: %[[IS_SECOND:.*]] = llvm.icmp "ult" %[[WARP]], %[[FOURTH_WARP]]
      // CHECK-NEXT: llvm.cond_br %[[IS_SECOND]], ^[[SECOND:.*]], ^[[LAST:.*]]
    } "second" warps = 2 {
      // CHECK-NEXT: ^[[SECOND]]:
      // CHECK: llvm.add %[[THREAD]], %[[BEFORE]]
      // CHECK-COUNT-2: nvvm.cp.async.shared.global
      pbsgpu.copy_tile %k[%i] to %tile : memref<?x64xbf16>, !pbsgpu.tile<16x64xbf16>
      // CHECK-NEXT: llvm.call_intrinsic "llvm.nvvm.cp.async.wait.all"
      // CHECK-NEXT: nvvm.barrier id = %[[TWO]] number_of_threads = %[[THREADS]]
      pbsgpu.await_copies
      // CHECK-NEXT: llvm.br ^[[END]]
      pbsgpu.end_role
      // CHECK-NEXT: ^[[LAST]]:
      // CHECK-NEXT: llvm.br ^[[THIRD:[^ ]*]]
    } "third" warps = 3 {
      // gpu.thread_id counts the threads of the CTA.
      // CHECK-NEXT: ^[[THIRD]]:
      // CHECK-NEXT: llvm.zext %[[THREAD]]
      %thread = gpu.thread_id x
      memref.store %x, %out[%thread] : memref<?xf32>
      pbsgpu.end_role
    }
    // CHECK: ^[[END]]:
    // CHECK-NEXT: nvvm.barrier0
    gpu.barrier
    memref.store %x, %out[%i] : memref<?xf32>
    pbsgpu.return
  }

  // Of a role that only asks for copies by tensor map one thread runs all, and each of
  // a role's warps releases with its first lane.
  // CHECK-LABEL: llvm.func @ring(
  pbsgpu.kernel @ring(%map: !pbsgpu.tensor_map<16x64xbf16, dimensions = 2>, %i: index, %n: index) warps = 6 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[BEFORE:.*]] = llvm.mlir.constant(-160 : i32)
    // CHECK-DAG: %[[LANES:.*]] = llvm.mlir.constant(31 : i32)
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    // CHECK: nvvm.barrier0
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 5 : !pbsgpu.ring<16x64xbf16, stages = 2>
    // CHECK: nvvm.shfl.sync
    pbsgpu.roles "consumer" warps = 5 {
      // CHECK: %[[EMPTY:.*]] = llvm.getelementptr %{{.*}}[16]
      // CHECK: nvvm.mbarrier.try_wait
      %tile = pbsgpu.await %ring[%n] : !pbsgpu.ring<16x64xbf16, stages = 2> -> !pbsgpu.tile<16x64xbf16>
      // CHECK: %[[LANE:.*]] = llvm.and %[[THREAD]], %[[LANES]]
      // CHECK-NEXT: %[[IS_FIRST_LANE:.*]] = llvm.icmp "eq" %[[LANE]], %[[ZERO]]
      // CHECK-NEXT: %[[PLACE:.*]] = llvm.ptrtoint %[[EMPTY]]
      // CHECK-NEXT: llvm.inline_asm {{.*}}mbarrier.arrive.shared.b64{{.*}} %[[PLACE]], %[[IS_FIRST_LANE]]
      // CHECK-NEXT: llvm.br ^[[END:.*]]
      pbsgpu.release %tile : !pbsgpu.tile<16x64xbf16>
      pbsgpu.end_role
    } "producer" warps = 1 {
      // CHECK: %[[OWN:.*]] = llvm.add %[[THREAD]], %[[BEFORE]]
      // CHECK-NEXT: %[[IS_FIRST:.*]] = llvm.icmp "eq" %[[OWN]], %[[ZERO]]
      // CHECK-NEXT: llvm.br ^[[PRODUCER:.*]]
      // CHECK-NEXT: ^[[PRODUCER]]:
      // CHECK-NEXT: llvm.cond_br %[[IS_FIRST]], ^{{.*}}, ^[[END]]
      // CHECK-NOT: %[[IS_FIRST]]
      // CHECK: nvvm.mbarrier.try_wait
      // CHECK: nvvm.mbarrier.arrive.expect_tx
      // CHECK: nvvm.cp.async.bulk.tensor
      // CHECK-NOT: nvvm.cp.async.bulk.tensor
      // CHECK: ^[[END]]:
      %slot = pbsgpu.acquire %ring[%n] : !pbsgpu.ring<16x64xbf16, stages = 2> -> !pbsgpu.tile<16x64xbf16>
      pbsgpu.copy_tile %map[%i] to %slot : !pbsgpu.tensor_map<16x64xbf16, dimensions = 2>, !pbsgpu.tile<16x64xbf16>
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // Where all threads of the role do something, its first one asks for the copy.
  // CHECK-LABEL: llvm.func @first_thread(
  pbsgpu.kernel @first_thread(%map: !pbsgpu.tensor_map<16x64xbf16, dimensions = 2>, %out: memref<?xf32>, %x: f32,
                              %i: index, %n: index) warps = 6 {
    // CHECK-DAG: %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
    // CHECK-DAG: %[[BEFORE:.*]] = llvm.mlir.constant(-160 : i32)
    // CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 5 : !pbsgpu.ring<16x64xbf16, stages = 2>
    // CHECK: nvvm.shfl.sync
    // CHECK: llvm.cond_br %{{.*}}, ^{{.*}}, ^[[OTHERS:.*]]
    pbsgpu.roles "consumer" warps = 5 {
      %tile = pbsgpu.await %ring[%n] : !pbsgpu.ring<16x64xbf16, stages = 2> -> !pbsgpu.tile<16x64xbf16>
      pbsgpu.release %tile : !pbsgpu.tile<16x64xbf16>
      pbsgpu.end_role
    } "producer" warps = 1 {
      // CHECK: ^[[OTHERS]]:
      // CHECK-NEXT: llvm.br ^[[PRODUCER:.*]]
      // CHECK-NEXT: ^[[PRODUCER]]:
      // CHECK: %[[OWN:.*]] = llvm.add %[[THREAD]], %[[BEFORE]]
      // CHECK-NEXT: %[[IS_FIRST:.*]] = llvm.icmp "eq" %[[OWN]], %[[ZERO]]
      // CHECK-NEXT: llvm.cond_br %[[IS_FIRST]], ^[[COPY:.*]], ^[[COPIED:.*]]
      // CHECK-NEXT: ^[[COPY]]:
      // CHECK: nvvm.mbarrier.try_wait
      // CHECK: nvvm.mbarrier.arrive.expect_tx
      // CHECK: nvvm.cp.async.bulk.tensor
      // CHECK-NEXT: llvm.br ^[[COPIED]]
      // CHECK-NEXT: ^[[COPIED]]:
      // CHECK: llvm.store
      %slot = pbsgpu.acquire %ring[%n] : !pbsgpu.ring<16x64xbf16, stages = 2> -> !pbsgpu.tile<16x64xbf16>
      pbsgpu.copy_tile %map[%i] to %slot : !pbsgpu.tensor_map<16x64xbf16, dimensions = 2>, !pbsgpu.tile<16x64xbf16>
      memref.store %x, %out[%i] : memref<?xf32>
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // What only roles use is computed in each of them that does: no register holds it
  // before.
  // CHECK-LABEL: llvm.func @own_values(
  // CHECK-SAME: %[[X:[^:]*]]: f32
  pbsgpu.kernel @own_values(%out: memref<?xf32>, %x: f32, %i: index) warps = 2 {
    // CHECK-NOT: llvm.fadd %[[X]], %[[X]]
    // CHECK: llvm.fmul %[[X]], %[[X]]
    // CHECK-NOT: llvm.fadd %[[X]], %[[X]]
    // CHECK: llvm.cond_br %{{.*}}, ^[[FIRST:.*]], ^
    %twice = arith.addf %x, %x : f32
    %after = arith.mulf %x, %x : f32
    pbsgpu.roles "first" warps = 1 {
      // CHECK: ^[[FIRST]]:
      // CHECK: %[[TWICE:.*]] = llvm.fadd %[[X]], %[[X]]
      // CHECK: llvm.store %[[TWICE]]
      memref.store %twice, %out[%i] : memref<?xf32>
      pbsgpu.end_role
    } "second" warps = 1 {
      // CHECK: %[[AGAIN:.*]] = llvm.fadd %[[X]], %[[X]]
      // CHECK: llvm.store %[[AGAIN]]
      memref.store %twice, %out[%i] : memref<?xf32>
      pbsgpu.end_role
    }
    memref.store %after, %out[%i] : memref<?xf32>
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --pbsgpu-split-roles | FileCheck %s
// RUN: pbs-opt %s --split-input-file --pbsgpu-split-roles -o /dev/null \
// RUN:   --remarks-filter=pbsgpu-split-roles --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!keys = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!once = !pbsgpu.ring<128x64xbf16, stages = 1>
!q_tile = !pbsgpu.tile<128x64xbf16>
!q_map = !pbsgpu.tensor_map<128x64xbf16, dimensions = 2>
!scores = !pbsgpu.fragment<128x64xf32, accumulator, warps = 8>

gpu.module @kernels [#nvvm.target<chip = "sm_90a", features = "+ptx86">] {
  // CHECK-LABEL: pbsgpu.kernel @split(
  // CHECK-NEXT: %[[COUNTS:.*]]: memref<?x4x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x4x?x?xi16>
  // CHECK-NEXT: %[[Q:.*]]: !map_2d_128x64xbf16
  // CHECK-NEXT: %[[K:[^ ]*]]: memref<?x64xbf16>
  // CHECK-NEXT: %[[OUT:[^ ]*]]: memref<?x64xbf16>
  // CHECK-NEXT: %[[SCALE:.*]]: memref<f32>
  // CHECK-NEXT: %[[I:.*]]: index) warps = 12
  // REMARK: remark: [Passed] Split | Category:pbsgpu-split-roles | Function=split | ConsumerRegisters=224, Consumers=8, ProducerRegisters=56, Producers=4
  pbsgpu.kernel @split(%counts: !counts, %indices: !indices, %q: !q_map, %k: !keys, %out: !keys, %scale: memref<f32>, %i: index) warps = 8 {
    // What needs neither memory nor tiles stays before the roles. Threads that
    // copy arrive at the signals: they are those of the producer now.
    // CHECK: %[[C0:.*]] = arith.constant 0 : index
    // CHECK-NEXT: %[[Q_RING:.*]] = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_1x128x64xbf16
    // CHECK-NEXT: %[[K_RING:.*]] = pbsgpu.alloc_ring filled_by = 128 emptied_by = 8 : !ring_2x64x64xbf16
    // CHECK-NEXT: %[[BLOCK:.*]] = gpu.block_id x
    // CHECK-NEXT: %[[ROW:.*]] = arith.muli %[[BLOCK]], %[[I]]
    // CHECK-NEXT: pbsgpu.roles "producer" warps = 4 registers = 56 {
    // CHECK-NEXT: %[[Q_EMPTY:.*]] = pbsgpu.acquire %[[Q_RING]][%[[C0]]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[Q]][%[[ROW]]] to %[[Q_EMPTY]]
    // CHECK-NEXT: pbsgpu.key_loop %[[COUNTS]], %[[INDICES]][%[[I]], %[[I]], %[[BLOCK]]] of %[[I]] from %[[C0]]{{$}}
    // CHECK-NEXT: walk = list key_block = 128 key_tile = 64 ahead = 0{{$}}
    // CHECK-NEXT: : memref<?x4x?x2xi32>, memref<?x4x?x?xi16>{{$}}
    // CHECK-NEXT: load {
    // CHECK-NEXT: } bodies {
    // CHECK-NEXT: ^bb0(%[[KEY:.*]]: index, %[[VISIT:.*]]: index):
    // CHECK-NEXT: %[[K_EMPTY:.*]] = pbsgpu.acquire %[[K_RING]][%[[VISIT]]]
    // CHECK-NEXT: %[[FIRST:.*]] = arith.addi %[[KEY]], %[[I]]
    // CHECK-NEXT: pbsgpu.copy_tile %[[K]][%[[FIRST]]] to %[[K_EMPTY]]
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.end_role
    // CHECK-NEXT: } "consumer" warps = 8 registers = 224 {
    // CHECK-NEXT: %[[X:.*]] = memref.load %[[SCALE]][]
    // CHECK-NEXT: %[[Y:.*]] = arith.negf %[[X]]
    // CHECK-NEXT: %[[S0:.*]] = pbsgpu.splat %[[Y]]
    // CHECK-NEXT: %[[Q_TILE:.*]] = pbsgpu.await %[[Q_RING]][%[[C0]]]
    // CHECK-NEXT: %[[S:.*]], %{{.*}} = pbsgpu.key_loop %[[COUNTS]], %[[INDICES]][%[[I]], %[[I]], %[[BLOCK]]] of %[[I]] from %[[C0]]{{$}}
    // CHECK-NEXT: walk = list key_block = 128 key_tile = 64 ahead = 0{{$}}
    // CHECK-NEXT: carry(%[[S0]] : !accumulator_128x64xf32_8w)
    // CHECK-NEXT: : memref
    // CHECK-NEXT: load {
    // CHECK-NEXT: } bodies {
    // CHECK-COUNT-2: pbsgpu.mma %[[Q_TILE]]
    // CHECK: pbsgpu.store_fragment %[[S]] to %[[OUT]][%[[ROW]]]
    // CHECK-NEXT: pbsgpu.end_role
    // CHECK-NEXT: }
    // CHECK-NEXT: pbsgpu.return
    %c0 = arith.constant 0 : index
    %q_ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !once
    %k_ring = pbsgpu.alloc_ring filled_by = 256 emptied_by = 8 : !ring
    %x = memref.load %scale[] : memref<f32>
    %y = arith.negf %x : f32
    %block = gpu.block_id x
    %row = arith.muli %block, %i : index
    %q_empty = pbsgpu.acquire %q_ring[%c0] : !once -> !q_tile
    pbsgpu.copy_tile %q[%row] to %q_empty : !q_map, !q_tile
    %s0 = pbsgpu.splat %y : f32 -> !scores
    %q_full = pbsgpu.await %q_ring[%c0] : !once -> !q_tile
    %s, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %block] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         carry(%s0 : !scores) : !counts, !indices -> !scores load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %k_ring[%visit] : !ring -> !tile
      %first = arith.addi %key, %i : index
      pbsgpu.copy_tile %k[%first] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %s_in: !scores):
      %tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
      %s_out = pbsgpu.mma %q_full, %tile transposed, %s_in : !q_tile, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %s_out : !scores
    }, {
    ^bb0(%key: index, %visit: index, %s_in: !scores):
      %tile = pbsgpu.await %k_ring[%visit] : !ring -> !tile
      %s_out = pbsgpu.mma %q_full, %tile transposed, %s_in : !q_tile, !tile, !scores
      pbsgpu.release %tile : !tile
      pbsgpu.yield %s_out : !scores
    }
    pbsgpu.store_fragment %s to %out[%row] : !scores, !keys
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @one_group(
  // REMARK: [Passed] Split | {{.*}}Function=one_group | ConsumerRegisters=240, Consumers=4, ProducerRegisters=56, Producers=4
  pbsgpu.kernel @one_group(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK: } "consumer" warps = 4 registers = 240 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // Three groups that compute leave the producer less.
  // CHECK-LABEL: pbsgpu.kernel @three_groups(
  // REMARK: [Passed] Split | {{.*}}Function=three_groups | ConsumerRegisters=160, Consumers=12, ProducerRegisters=32, Producers=4
  pbsgpu.kernel @three_groups(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 12 {
    // CHECK: } "consumer" warps = 12 registers = 160 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 384 emptied_by = 12 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // Who gathers needs them.
  // CHECK-LABEL: pbsgpu.kernel @three_groups_gather(
  // REMARK: [Passed] Split | {{.*}}Function=three_groups_gather | ConsumerRegisters=152, Consumers=12, ProducerRegisters=56, Producers=4
  pbsgpu.kernel @three_groups_gather(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %order: memref<?xi32>) warps = 12 {
    // CHECK: } "consumer" warps = 12 registers = 152 {
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 384 emptied_by = 12 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] through %order[] to %empty : !keys, !tile, memref<?xi32>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // Nothing is copied ahead: no remark is made.
  // CHECK-LABEL: pbsgpu.kernel @not_ahead(
  // REMARK-NOT: Function=not_ahead
  pbsgpu.kernel @not_ahead(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 0
       : !counts, !indices load {} bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @off(
  // REMARK: [Missed] NotSplit | {{.*}}Function=off | Reason="the schedule turns the pass off"
  pbsgpu.kernel @off(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["split-roles"]>} {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @two_warps(
  // REMARK: [Missed] NotSplit | {{.*}}Function=two_warps | Reason="its warps are not groups of four"
  pbsgpu.kernel @two_warps(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 2 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 64 emptied_by = 2 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // No warp is left for the producer.
  // CHECK-LABEL: pbsgpu.kernel @too_many_warps(
  // REMARK: [Missed] NotSplit | {{.*}}Function=too_many_warps | Reason="its warps are not groups of four"
  pbsgpu.kernel @too_many_warps(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 32 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 1024 emptied_by = 32 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @branches(
  // REMARK: [Missed] NotSplit | {{.*}}Function=branches | Reason="its control flow is not structured"
  pbsgpu.kernel @branches(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    cf.br ^last
  ^last:
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @roles(
  // REMARK: [Missed] NotSplit | {{.*}}Function=roles | Reason="it has roles already"
  pbsgpu.kernel @roles(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK: pbsgpu.roles "first" warps = 2 {
    %c0 = arith.constant 0 : index
    pbsgpu.roles "first" warps = 2 {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         : !counts, !indices load {
      ^bb0(%key: index, %visit: index):
        pbsgpu.yield
      } bodies {
      ^bb0(%key: index, %visit: index):
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "second" warps = 2 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tile(
  // REMARK: [Missed] NotSplit | {{.*}}Function=tile | Reason="copies into some tiles do not signal"
  pbsgpu.kernel @tile(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %other = pbsgpu.alloc_tile : !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @ring_without_signals(
  // REMARK: [Missed] NotSplit | {{.*}}Function=ring_without_signals | Reason="copies into some tiles do not signal"
  pbsgpu.kernel @ring_without_signals(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @groups(
  // REMARK: [Missed] NotSplit | {{.*}}Function=groups | Reason="copies into some tiles do not signal"
  pbsgpu.kernel @groups(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    pbsgpu.commit_copies
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @waits(
  // REMARK: [Missed] NotSplit | {{.*}}Function=waits | Reason="copies into some tiles do not signal"
  pbsgpu.kernel @waits(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.await_copies
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @barrier(
  // REMARK: [Missed] NotSplit | {{.*}}Function=barrier | Reason="all warps wait for each other"
  pbsgpu.kernel @barrier(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    gpu.barrier
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @threads(
  // REMARK: [Missed] NotSplit | {{.*}}Function=threads | Reason="it tells its threads apart"
  pbsgpu.kernel @threads(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    %thread = gpu.thread_id x
    %number = arith.index_cast %thread : index to i64
    memref.store %number, %places[%thread] : memref<?xi64>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @loop_inside(
  // REMARK: [Missed] NotSplit | {{.*}}Function=loop_inside | Reason="a copy stands inside another operation"
  pbsgpu.kernel @loop_inside(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    scf.for %j = %c0 to %i step %i {
      %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
         : !counts, !indices load {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
        pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
        pbsgpu.yield
      } bodies {
      ^bb0(%key: index, %visit: index):
        %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
        pbsgpu.release %tile : !tile
        pbsgpu.yield
      }
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @body_copies(
  // REMARK: [Missed] NotSplit | {{.*}}Function=body_copies | Reason="a copy stands inside another operation"
  pbsgpu.kernel @body_copies(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %other = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      %slot = pbsgpu.acquire %other[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%i] to %slot : !keys, !tile
      %full = pbsgpu.await %other[%visit] : !ring -> !tile
      pbsgpu.release %full : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @loaded_list(
  // REMARK: [Missed] NotSplit | {{.*}}Function=loaded_list | Reason="the list that copies follow is not known before"
  pbsgpu.kernel @loaded_list(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %loaded = memref.load %places[%i] : memref<?xi64>
    %place = arith.index_cast %loaded : i64 to index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %place] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @loaded_lengths(
  // REMARK: [Missed] NotSplit | {{.*}}Function=loaded_lengths | Reason="the list that copies follow is not known before"
  pbsgpu.kernel @loaded_lengths(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %loaded = memref.load %places[%i] : memref<?xi64>
    %place = arith.index_cast %loaded : i64 to index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%place, %place) walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @second_loop(
  // REMARK: [Missed] NotSplit | {{.*}}Function=second_loop | Reason="the list that copies follow is not known before"
  pbsgpu.kernel @second_loop(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    %last = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %next walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @loaded_row(
  // REMARK: [Missed] NotSplit | {{.*}}Function=loaded_row | Reason="a copy depends on what only some warps compute"
  pbsgpu.kernel @loaded_row(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %other = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %loaded = memref.load %places[%i] : memref<?xi64>
    %place = arith.index_cast %loaded : i64 to index
    %row = arith.addi %place, %i : index
    %slot = pbsgpu.acquire %other[%c0] : !ring -> !tile
    pbsgpu.copy_tile %k[%row] to %slot : !keys, !tile
    %full = pbsgpu.await %other[%c0] : !ring -> !tile
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @loads_at_loaded_row(
  // REMARK: [Missed] NotSplit | {{.*}}Function=loads_at_loaded_row | Reason="a copy depends on what only some warps compute"
  pbsgpu.kernel @loads_at_loaded_row(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %loaded = memref.load %places[%i] : memref<?xi64>
    %place = arith.index_cast %loaded : i64 to index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      %row = arith.addi %key, %place : index
      pbsgpu.copy_tile %k[%row] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @no_copies(
  // REMARK: [Missed] NotSplit | {{.*}}Function=no_copies | Reason="it does not copy into rings"
  pbsgpu.kernel @no_copies(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

// -----

!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!keys = memref<?x64xbf16>
!tile = !pbsgpu.tile<64x64xbf16>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>

gpu.module @kernels [#nvvm.target<chip = "sm_100a", features = "+ptx86">] {
  // CHECK-LABEL: pbsgpu.kernel @chip(
  // REMARK: [Missed] NotSplit | {{.*}}Function=chip | Reason="the chip's warps cannot hand over registers"
  pbsgpu.kernel @chip(%counts: !counts, %indices: !indices, %k: !keys, %i: index, %places: memref<?xi64>) warps = 4 {
    // CHECK-NOT: pbsgpu.roles
    %c0 = arith.constant 0 : index
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !ring
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
       : !counts, !indices load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
      pbsgpu.copy_tile %k[%key] to %empty : !keys, !tile
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      %tile = pbsgpu.await %ring[%visit] : !ring -> !tile
      pbsgpu.release %tile : !tile
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

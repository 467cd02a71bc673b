// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

// A CTA of two warps finds the state of each key block, then writes the lists of
// its query block.
// CHECK-LABEL: pbsgpu.kernel @full_selection(
// CHECK-NEXT: %[[NQ:[^:]*]]: index {pbs.name = "query_length"}
// CHECK-NEXT: %[[NKV:[^:]*]]: index {pbs.name = "key_length"}
// CHECK-NEXT: %[[COUNTS:[^:]*]]: memref<?x4x?x2xi32> {pbs.name = "counts"}
// CHECK-NEXT: %[[INDICES:[^:]*]]: memref<?x4x?x?xi16> {pbs.name = "indices"}) warps = 2
// CHECK-DAG: %[[UNUSED:.*]] = arith.constant -1 : i16
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0 : i32
// CHECK-DAG: %[[WHOLE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[MASKED:.*]] = arith.constant 2 : i32
// CHECK-DAG: %[[LISTED:.*]] = arith.constant 3 : i32
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK: %[[A:.*]] = gpu.block_id x
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[KB:.*]] = arith.divui %{{.*}}, %[[C64]]
// CHECK: %[[FIRST_ROW:.*]] = arith.muli %[[A]], %[[C128]]
// CHECK: %[[END:.*]] = arith.addi %[[FIRST_ROW]], %[[C128]]
// CHECK: %[[END_ROW:.*]] = arith.minsi %[[END]], %[[NQ]]
// CHECK: %[[LAST_ROW:.*]] = arith.subi %[[END_ROW]], %[[C1]]
// CHECK: %[[AHEAD:.*]] = arith.subi %[[NKV]], %[[NQ]]
// CHECK: %[[FIRST:.*]] = arith.addi %[[FIRST_ROW]], %[[AHEAD]]
// CHECK: %[[LAST:.*]] = arith.addi %[[LAST_ROW]], %[[AHEAD]]
// States stand behind the place for scores.
// CHECK: %[[BEHIND:.*]] = arith.muli %[[KB]], %[[C4]]
// CHECK: %[[SHARED:.*]] = gpu.dynamic_shared_memory
// CHECK: %[[STATES:.*]] = memref.view %[[SHARED]][%[[BEHIND]]][%[[KB]]]
// CHECK: %[[T:.*]] = gpu.thread_id x
// CHECK: %[[WARP:.*]] = arith.divui %[[T]], %[[C32]]
// CHECK: scf.for %[[C:.*]] = %[[WARP]] to %[[KB]] step %[[C2]]
// CHECK: %[[BEGIN:.*]] = arith.muli %[[C]], %[[C64]]
// CHECK: %[[FULL_END:.*]] = arith.addi %[[BEGIN]], %[[C64]]
// CHECK: %[[SHORT_END:.*]] = arith.minsi %[[FULL_END]], %[[NKV]]
// CHECK: %[[HIGHEST:.*]] = arith.subi %[[SHORT_END]], %[[C1]]
// CHECK: %[[IS_FULL:.*]] = arith.cmpi sle, %[[FULL_END]], %[[NKV]]
// CHECK: %[[IS_ATTENDED:.*]] = arith.cmpi sle, %[[BEGIN]], %[[LAST]]
// CHECK: %[[IS_ATTENDED_BY_ALL:.*]] = arith.cmpi sle, %[[HIGHEST]], %[[FIRST]]
// CHECK: %[[IS_WHOLE:.*]] = arith.andi %[[IS_FULL]], %[[IS_ATTENDED_BY_ALL]]
// CHECK: %[[KIND:.*]] = arith.select %[[IS_WHOLE]], %[[WHOLE]], %[[MASKED]]
// CHECK: arith.select %[[IS_ATTENDED]], %[[KIND]], %[[NONE]]
// CHECK: memref.store %{{.*}}, %[[STATES]][%[[C]]]
// CHECK: gpu.barrier
// A thread lists a range of blocks behind those of the threads before it.
// CHECK: %[[RANGE:.*]] = arith.divui %{{.*}}, %[[C64]]
// CHECK: %[[FROM:.*]] = arith.muli %[[T]], %[[RANGE]]
// CHECK: %[[FULL_TO:.*]] = arith.addi %[[FROM]], %[[RANGE]]
// CHECK: %[[TO:.*]] = arith.minsi %[[FULL_TO]], %[[KB]]
// CHECK: %[[OWN:.*]]:2 = scf.for %[[C:.*]] = %[[FROM]] to %[[TO]] step %[[C1]] iter_args(%{{.*}} = %[[C0]], %{{.*}} = %[[C0]])
// CHECK: memref.load %[[STATES]][%[[C]]]
// CHECK: %[[STATE:.*]] = arith.andi %{{.*}}, %[[LISTED]]
// CHECK: arith.cmpi eq, %[[STATE]], %[[WHOLE]]
// CHECK: arith.cmpi eq, %[[STATE]], %[[MASKED]]
// CHECK: %[[WHOLES:.*]] = memref.alloca() : memref<64xi32, #gpu.address_space<workgroup>>
// CHECK: %[[MASKEDS:.*]] = memref.alloca() : memref<64xi32, #gpu.address_space<workgroup>>
// CHECK: memref.store %{{.*}}, %[[WHOLES]][%[[T]]]
// CHECK: memref.store %{{.*}}, %[[MASKEDS]][%[[T]]]
// CHECK: gpu.barrier
// CHECK: %[[SUMS:.*]]:4 = scf.for %[[OTHER:.*]] = %[[C0]] to %[[C64]] step %[[C1]]
// CHECK-DAG: memref.load %[[WHOLES]][%[[OTHER]]]
// CHECK-DAG: memref.load %[[MASKEDS]][%[[OTHER]]]
// CHECK-DAG: arith.cmpi slt, %[[OTHER]], %[[T]]
// CHECK: %[[WHOLE_PLACE:.*]] = arith.index_cast %[[SUMS]]#2
// CHECK: %[[BEHIND_WHOLES:.*]] = arith.addi %[[SUMS]]#0, %[[SUMS]]#3
// CHECK: %[[MASKED_PLACE:.*]] = arith.index_cast %[[BEHIND_WHOLES]]
// CHECK: scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %[[C1]] iter_args(%[[P:.*]] = %[[WHOLE_PLACE]], %[[M:.*]] = %[[MASKED_PLACE]])
// CHECK: memref.store %{{.*}}, %[[INDICES]][%[[B]], %[[H]], %[[A]], %[[P]]]
// CHECK: memref.store %{{.*}}, %[[INDICES]][%[[B]], %[[H]], %[[A]], %[[M]]]
// CHECK: %[[COUNT:.*]] = arith.addi %[[SUMS]]#0, %[[SUMS]]#1
// CHECK: %[[USED:.*]] = arith.index_cast %[[COUNT]]
// CHECK: %[[REST:.*]] = arith.addi %[[USED]], %[[T]]
// CHECK: %[[ROOM:.*]] = memref.dim %[[INDICES]]
// CHECK: scf.for %[[PLACE:.*]] = %[[REST]] to %[[ROOM]] step %[[C64]]
// CHECK-NEXT: memref.store %[[UNUSED]], %[[INDICES]][%[[B]], %[[H]], %[[A]], %[[PLACE]]]
// CHECK: %[[IS_FIRST:.*]] = arith.cmpi eq, %[[T]], %[[C0]]
// CHECK-NEXT: scf.if %[[IS_FIRST]]
// CHECK-NEXT: memref.store %[[SUMS]]#0, %[[COUNTS]][%[[B]], %[[H]], %[[A]], %[[C0]]]
// CHECK-NEXT: memref.store %[[SUMS]]#1, %[[COUNTS]][%[[B]], %[[H]], %[[A]], %[[C1]]]

// A selection that is returned is two arrays; there is room for every block.
// CHECK-LABEL: pbsgpu.plan @full
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C5:.*]] = arith.constant 5 : index
// CHECK-DAG: %[[C64:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[C128:.*]] = arith.constant 128 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "q_0"
// CHECK-DAG: %[[NQ:.*]] = pbsgpu.size "q_2"
// CHECK-DAG: %[[NKV:.*]] = pbsgpu.size "k_2"
// CHECK: %[[QB:.*]] = arith.ceildivsi %[[NQ]], %[[C128]]
// CHECK: %[[COUNTS:.*]] = pbsgpu.argument "lists_counts" output [%[[B]], 4, %[[QB]], 2] align 4 : memref<?x4x?x2xi32>
// CHECK: %[[KB:.*]] = arith.ceildivsi %[[NKV]], %[[C64]]
// CHECK: %[[INDICES:.*]] = pbsgpu.argument "lists_indices" output [%[[B]], 4, %[[QB]], %[[KB]]] align 2 : memref<?x4x?x?xi16>
// CHECK: pbsgpu.require %{{.*}}, "q_0 is at most 65535"
// CHECK: pbsgpu.require %{{.*}}, "q_2 is at most k_2"
// CHECK: pbsgpu.require %{{.*}}, "k_2 is at most 1048576, 16384 key blocks"
// CHECK-NOT: pbsgpu.require
// CHECK: %[[BYTES:.*]] = arith.muli %[[KB]], %[[C5]]
// CHECK: pbsgpu.launch @full_kernels::@full_selection grid(%[[QB]], %[[C4]], %[[B]]) dynamic_shared_bytes(%[[BYTES]])
// CHECK-NEXT: arguments(%[[NQ]], %[[NKV]], %[[COUNTS]], %[[INDICES]] :
func.func @full(%q: tensor<?x4x?x64xbf16> {pbs.name = "q"}, %k: tensor<?x2x?x64xbf16> {pbs.name = "k"})
    -> (!pbs.selection<128x64> {pbs.name = "lists"}) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x4x?x64xbf16>
  %nq = tensor.dim %q, %c2 : tensor<?x4x?x64xbf16>
  %nkv = tensor.dim %k, %c2 : tensor<?x2x?x64xbf16>
  %s = pbs.full_selection %b lengths(%nq, %nkv) heads = 4 causal : !pbs.selection<128x64>
  return %s : !pbs.selection<128x64>
}

// Of permuted keys a warp looks at each, where their segment does not decide.
// A window bounds them from below.
// CHECK-LABEL: gpu.module @permuted_kernels
// CHECK: pbsgpu.kernel
// CHECK: %[[P:[^:]*]]: memref<?x2x?xi32> {pbs.name = "permutation"}
// CHECK-DAG: %[[WINDOW:.*]] = arith.constant 1000 : index
// CHECK-DAG: %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG: %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG: %[[C256:.*]] = arith.constant 256 : index
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[PH:.*]] = arith.divui %[[H]], %[[C2]]
// CHECK: arith.subi %{{.*}}, %[[WINDOW]]
// CHECK: scf.for
// CHECK: %[[SEGMENT:.*]] = arith.divui %{{.*}}, %[[C256]]
// CHECK: %[[SEGMENT_BEGIN:.*]] = arith.muli %[[SEGMENT]], %[[C256]]
// CHECK: %[[SCANS:.*]] = arith.andi
// CHECK: scf.if %{{.*}} -> (i32) {
// CHECK: %[[FOUND:.*]]:3 = scf.for %[[PLACE:.*]] = %{{.*}} to %{{.*}} step %[[C32]]
// CHECK: %[[POSITION:.*]] = memref.load %[[P]][%[[B]], %[[PH]], %[[PLACE]]]
// CHECK-DAG: arith.minsi %{{.*}}, %[[POSITION]]
// CHECK-DAG: arith.maxsi %{{.*}}, %[[POSITION]]
// CHECK: gpu.subgroup_reduce minsi %[[FOUND]]#0 uniform
// CHECK: gpu.subgroup_reduce maxsi %[[FOUND]]#1 uniform
// CHECK: gpu.subgroup_reduce or %[[FOUND]]#2 uniform
// CHECK: } else {
// CHECK: gpu.barrier
// CHECK-LABEL: pbsgpu.plan @permuted
// CHECK: %[[P:.*]] = pbsgpu.argument "p"
// CHECK: pbsgpu.launch
// CHECK-NEXT: arguments(%[[NQ:.*]], %[[NKV:.*]], %[[P]], %{{.*}}, %{{.*}} :
// CHECK-NEXT: index, index,
func.func @permuted(%q: tensor<?x4x?x64xbf16>, %p: !pbs.permutation<heads = 2, segment = 256> {pbs.name = "p"}) -> !pbs.selection<128x128> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x4x?x64xbf16>
  %n = tensor.dim %q, %c2 : tensor<?x4x?x64xbf16>
  %s = pbs.full_selection %b lengths(%n, %n) permutation(%p : !pbs.permutation<heads = 2, segment = 256>)
    heads = 4 causal window = 1000 : !pbs.selection<128x128>
  return %s : !pbs.selection<128x128>
}

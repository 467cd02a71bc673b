// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --canonicalize --cse | FileCheck %s

!permutation = !pbs.permutation<heads = 2, segment = 256>

// Given scores are loaded; NaN among them makes them 0. Then bisection finds the
// key from which on the candidates are taken.
// CHECK-LABEL: gpu.module @of_scores_kernels
// CHECK: pbsgpu.kernel @select(
// CHECK-NEXT: %[[S:[^:]*]]: memref<?x4x?x?xf32> {pbs.name = "scores"}
// CHECK-NEXT: %{{[^:]*}}: index {pbs.name = "query_length"}
// CHECK-NEXT: %{{[^:]*}}: index {pbs.name = "key_length"}
// CHECK-NEXT: %{{[^:]*}}: memref<?x4x?x2xi32> {pbs.name = "counts"}
// CHECK-NEXT: %{{[^:]*}}: memref<?x4x?x?xi16> {pbs.name = "indices"}) warps = 2
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[K:.*]] = arith.constant 3.000000e+00 : f32
// CHECK-DAG: %[[BITS:.*]] = arith.constant 46 : index
// CHECK-DAG: %[[LOW:.*]] = arith.constant 0 : i64
// CHECK-DAG: %[[HIGH:.*]] = arith.constant 70368744177664 : i64
// CHECK-DAG: %[[TWO:.*]] = arith.constant 2 : i64
// CHECK-DAG: %[[LAST_INDEX:.*]] = arith.constant 16383 : i64
// CHECK-DAG: %[[INDICES:.*]] = arith.constant 16384 : i64
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0 : i32
// CHECK-DAG: %[[HOLDS_TOKEN_0:.*]] = arith.constant 4 : i32
// CHECK-DAG: %[[FORCED:.*]] = arith.constant 8 : i32
// CHECK-DAG: %[[ATTENDED:.*]] = arith.constant 3 : i32
// CHECK: %[[A:.*]] = gpu.block_id x
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[ROW:.*]] = memref.view {{.*}} to memref<?xf32,
// CHECK: scf.for %[[C:[^ ]*]] =
// CHECK: %[[SCORE:.*]] = memref.load %[[S]][%[[B]], %[[H]], %[[A]], %[[C]]]
// CHECK: memref.store %[[SCORE]], %[[ROW]][%[[C]]]
// CHECK: arith.cmpf uno, %[[SCORE]], %[[SCORE]]
// CHECK: gpu.all_reduce or
// CHECK: memref.store %[[ZERO]], %[[ROW]]
// CHECK: %[[STATES:.*]] = memref.view {{.*}} to memref<?xi8,
// CHECK: gpu.barrier
// CHECK: %[[CUT:.*]]:2 = scf.for %{{.*}} = %{{.*}} to %[[BITS]] step %{{.*}} iter_args(%[[L:.*]] = %[[LOW]], %[[U:.*]] = %[[HIGH]])
// CHECK: %[[BOTH:.*]] = arith.addi %[[L]], %[[U]]
// CHECK: %[[MIDDLE:.*]] = arith.divui %[[BOTH]], %[[TWO]]
// CHECK: %[[OWN:.*]] = scf.for %[[C:.*]] = %{{.*}} to {{.*}} iter_args(%{{.*}} = %[[ZERO]])
// CHECK: %[[SCORE:.*]] = memref.load %[[ROW]][%[[C]]]
// -0 ranks as +0.
// CHECK: %[[PLAIN:.*]] = arith.addf %[[SCORE]], %[[ZERO]]
// CHECK: %[[WORD:.*]] = arith.bitcast %[[PLAIN]] : f32 to i32
// CHECK: %[[SIGN:.*]] = arith.shrsi %[[WORD]]
// CHECK: %[[FLIP:.*]] = arith.ori %[[SIGN]]
// CHECK: %[[ORDERED:.*]] = arith.xori %[[WORD]], %[[FLIP]]
// CHECK: %[[WIDE:.*]] = arith.extui %[[ORDERED]] : i32 to i64
// CHECK: %[[UPPER:.*]] = arith.muli %[[WIDE]], %[[INDICES]]
// CHECK: %[[INDEX:.*]] = arith.index_cast %[[C]] : index to i64
// CHECK: %[[LOWER:.*]] = arith.subi %[[LAST_INDEX]], %[[INDEX]]
// CHECK: %[[KEY:.*]] = arith.addi %[[UPPER]], %[[LOWER]]
// CHECK: arith.cmpi sge, %[[KEY]], %[[MIDDLE]]
// Each candidate weighs 1 for top_k.
// CHECK: arith.select %{{.*}}, %[[ZERO]], %[[ONE]]
// CHECK: %[[WEIGHT:.*]] = gpu.all_reduce add %[[OWN]] uniform
// CHECK: %[[SUFFICES:.*]] = arith.cmpf oge, %[[WEIGHT]], %[[K]]
// CHECK: %[[NEW_LOW:.*]] = arith.select %[[SUFFICES]], %[[MIDDLE]], %[[L]]
// CHECK: %[[NEW_HIGH:.*]] = arith.select %[[SUFFICES]], %[[U]], %[[MIDDLE]]
// CHECK: scf.yield %[[NEW_LOW]], %[[NEW_HIGH]]
// What is forced is listed in any case, if somebody may attend it.
// CHECK: scf.for %[[C:[^ ]*]] =
// CHECK: memref.load %[[STATES]][%[[C]]]
// CHECK: arith.andi %[[STATE:.*]], %[[HOLDS_TOKEN_0]]
// CHECK: %[[IS_FORCED:.*]] = arith.ori
// CHECK: %[[REACHES:.*]] = arith.cmpi sge, %{{.*}}, %[[CUT]]#0
// CHECK: %[[TAKEN:.*]] = arith.andi %{{.*}}, %[[REACHES]]
// CHECK: %[[WANTED:.*]] = arith.ori %[[IS_FORCED]], %[[TAKEN]]
// CHECK: arith.andi %[[STATE]], %[[ATTENDED]]
// CHECK: %[[LISTED:.*]] = arith.andi %[[WANTED]], %{{.*}}
// CHECK: %[[MARK:.*]] = arith.select %[[IS_FORCED]], %[[FORCED]], %[[NONE]]
// CHECK: %[[MARKED:.*]] = arith.ori %[[STATE]], %[[MARK]]
// CHECK: arith.select %[[LISTED]], %[[MARKED]], %[[NONE]]
// CHECK: gpu.barrier
// CHECK-NOT: memref.atomic_rmw
// CHECK-LABEL: pbsgpu.plan @of_scores
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[B:.*]] = pbsgpu.size "scores_0"
// CHECK-DAG: %[[NQ:.*]] = pbsgpu.size "x_0"
// CHECK-DAG: %[[NKV:.*]] = pbsgpu.size "x_1"
// CHECK: %[[S:.*]] = pbsgpu.argument "scores" input [%[[B]], 4, %[[QB:.*]], %[[KB:.*]]] align 4
// CHECK: %[[COUNTS:.*]] = pbsgpu.argument "lists_counts"
// CHECK: %[[INDICES:.*]] = pbsgpu.argument "lists_indices"
// CHECK-NOT: pbsgpu.memset
// CHECK: pbsgpu.launch @of_scores_kernels::@select grid(%[[QB]], %[[C4]], %[[B]]) dynamic_shared_bytes(%{{.*}})
// CHECK-NEXT: arguments(%[[S]], %[[NQ]], %[[NKV]], %[[COUNTS]], %[[INDICES]] :
func.func @of_scores(%s: tensor<?x4x?x?xf32> {pbs.name = "scores"}, %x: tensor<?x?xf32> {pbs.name = "x"})
    -> (!pbs.selection<128x128> {pbs.name = "lists"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %nq = tensor.dim %x, %c0 : tensor<?x?xf32>
  %nkv = tensor.dim %x, %c1 : tensor<?x?xf32>
  %l = pbs.select %s lengths(%nq, %nkv) rule = #pbs.top_k<3> segment = 256 : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// Scores that nobody else reads are computed here and never stored. A candidate
// weighs its score for top_p, or nothing below 0.
// CHECK-LABEL: gpu.module @of_pooled_kernels
// CHECK-NOT: @block_scores
// CHECK: pbsgpu.kernel {{.*}}(
// CHECK-NEXT: %[[Q:[^:]*]]: memref<?x4x24x64xf32> {pbs.name = "pooled_query"}
// CHECK-NEXT: %[[K:[^:]*]]: memref<?x2x24x64xf32> {pbs.name = "pooled_key"}
// CHECK: %[[P:[^:]*]]: memref<?x2x3000xi32> {pbs.name = "permutation"}
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[TARGET:.*]] = arith.constant 0.899999976 : f32
// CHECK: vector.load %[[Q]]
// CHECK: vector.load %[[K]]
// CHECK: gpu.all_reduce or
// CHECK: memref.load %[[P]]
// CHECK: scf.for {{.*}} -> (i64, i64)
// CHECK: %[[SCORE:.*]] = memref.load
// CHECK: arith.maxnumf %[[SCORE]], %[[ZERO]]
// CHECK: %[[SUM:.*]] = gpu.all_reduce add
// CHECK: arith.cmpf oge, %[[SUM]], %[[TARGET]]
// CHECK-LABEL: pbsgpu.plan @of_pooled
// CHECK: %[[Q:.*]] = pbsgpu.argument "q" {{.*}} align 8
// CHECK: %[[K:.*]] = pbsgpu.argument "k" {{.*}} align 8
// CHECK: %[[P:.*]] = pbsgpu.argument "p"
// CHECK-NOT: pbsgpu.buffer
// CHECK: pbsgpu.launch
// CHECK-NEXT: arguments(%[[Q]], %[[K]], %[[N:.*]], %[[N]], %[[P]], %{{.*}}, %{{[^,]*}} :
// CHECK-NOT: pbsgpu.launch
func.func @of_pooled(%q: tensor<?x4x?x64xf32> {pbs.name = "q"}, %k: tensor<?x2x?x64xf32> {pbs.name = "k"},
    %p: !permutation {pbs.name = "p"}) -> !pbs.selection<128x128> {
  %n = arith.constant 3000 : index
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32> -> tensor<?x4x?x?xf32>
  %l = pbs.select %s lengths(%n, %n) permutation(%p) rule = #pbs.top_p<0.9> segment = 256 causal
    : tensor<?x4x?x?xf32>, !permutation -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// Scores that are returned are stored by a kernel of their own, once.
// CHECK-LABEL: pbsgpu.plan @returned
// CHECK: %[[S:.*]] = pbsgpu.argument "result0" output {{.*}} : memref<1x2x24x24xf32>
// CHECK: pbsgpu.launch @returned_kernels::@block_scores
// CHECK-NEXT: arguments({{.*}}, %[[S]] :
// CHECK: pbsgpu.launch @returned_kernels::@select{{[0-9]+}}
// CHECK-NEXT: arguments(%[[S]],
func.func @returned(%q: tensor<1x2x24x64xf32>, %k: tensor<1x2x24x64xf32>) -> (tensor<1x2x24x24xf32>, !pbs.selection<128x128>) {
  %n = arith.constant 3000 : index
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125 causal
    : tensor<1x2x24x64xf32>, tensor<1x2x24x64xf32> -> tensor<1x2x24x24xf32>
  %l = pbs.select %s lengths(%n, %n) rule = #pbs.top_k<2> segment = 256 causal : tensor<1x2x24x24xf32> -> !pbs.selection<128x128>
  return %s, %l : tensor<1x2x24x24xf32>, !pbs.selection<128x128>
}

// Over its capacity a query block keeps what is forced and the best of the
// others, and is counted.
// CHECK-LABEL: gpu.module @limited_kernels
// CHECK: pbsgpu.kernel
// CHECK: %[[CUT:[^:]*]]: memref<?x4xi32> {pbs.name = "cut"})
// CHECK-DAG: %[[CAPACITY:.*]] = arith.constant 16 : i32
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK: %[[H:.*]] = gpu.block_id y
// CHECK: %[[B:.*]] = gpu.block_id z
// CHECK: %[[T:.*]] = gpu.thread_id x
// Every candidate is taken: nothing is ranked before.
// CHECK-NOT: (i64, i64)
// CHECK: %[[LISTED:.*]] = gpu.all_reduce add %{{.*}} uniform {
// CHECK: %[[FORCED:.*]] = gpu.all_reduce add %{{.*}} uniform {
// CHECK: %[[IS_OVER:.*]] = arith.cmpi sgt, %[[LISTED]], %[[CAPACITY]]
// CHECK: scf.if %[[IS_OVER]]
// CHECK: %[[ROOM:.*]] = arith.subi %[[CAPACITY]], %[[FORCED]]
// CHECK: %[[TARGET:.*]] = arith.sitofp %[[ROOM]]
// CHECK: %[[KEYS:.*]]:2 = scf.for {{.*}} -> (i64, i64)
// CHECK: arith.cmpf oge, %{{.*}}, %[[TARGET]]
// CHECK: %[[HAS_ROOM:.*]] = arith.cmpi sgt, %[[ROOM]]
// CHECK: %[[REACHES:.*]] = arith.cmpi sge, %{{.*}}, %[[KEYS]]#0
// CHECK: arith.andi %[[HAS_ROOM]], %[[REACHES]]
// CHECK: %[[IS_FIRST:.*]] = arith.cmpi eq, %[[T]]
// CHECK: scf.if %[[IS_FIRST]]
// CHECK-NEXT: memref.atomic_rmw addi %[[ONE]], %[[CUT]][%[[B]], %[[H]]]
// CHECK-LABEL: pbsgpu.plan @limited
// CHECK: %[[CAPACITY:.*]] = arith.constant 16 : index
// CHECK: %[[CUT:.*]] = pbsgpu.buffer "cut" [%{{.*}}, 4] align 256
// CHECK: %[[ROOM:.*]] = arith.minsi %{{.*}}, %[[CAPACITY]]
// CHECK: pbsgpu.argument "result0_indices" output [%{{.*}}, 4, %{{.*}}, %[[ROOM]]]
// CHECK: pbsgpu.memset %[[CUT]] to 0
// CHECK: pbsgpu.launch
// CHECK-NEXT: arguments({{.*}}, %[[CUT]] :
func.func @limited(%s: tensor<?x4x?x?xf32>, %x: tensor<?xf32>) -> !pbs.selection<128x128> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %l, %cut = pbs.select %s lengths(%n, %n) rule = #pbs.all segment = 256 capacity = 16 causal
    : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>, tensor<?x4xi32>
  return %l : !pbs.selection<128x128>
}

// A capacity of more than all blocks is room for all.
// CHECK-LABEL: pbsgpu.plan @spacious
// CHECK: pbsgpu.argument "result0_indices" output [1, 2, 8, 8]
func.func @spacious(%s: tensor<1x2x8x8xf32>) -> (!pbs.selection<128x128>, tensor<1x2xi32>) {
  %n = arith.constant 1024 : index
  %l, %cut = pbs.select %s lengths(%n, %n) rule = #pbs.all segment = 256 capacity = 16
    : tensor<1x2x8x8xf32> -> !pbs.selection<128x128>, tensor<1x2xi32>
  return %l, %cut : !pbs.selection<128x128>, tensor<1x2xi32>
}

// A threshold needs no search, and is rounded up.
// CHECK-LABEL: gpu.module @threshold_kernels
// CHECK-DAG: %[[TAU:.*]] = arith.constant 0.0100000007 : f32
// CHECK: arith.cmpf oge, %{{.*}}, %[[TAU]]
func.func @threshold(%s: tensor<1x2x24x24xf32>) -> !pbs.selection<128x128> {
  %n = arith.constant 3000 : index
  %l = pbs.select %s lengths(%n, %n) rule = #pbs.threshold<0.01> segment = 256 causal : tensor<1x2x24x24xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// It falls with the root of the number of key blocks.
// CHECK-LABEL: gpu.module @threshold_by_length_kernels
// CHECK-DAG: %[[C:.*]] = arith.constant 4.000000e-02 : f32
// CHECK: %[[BLOCKS:.*]] = arith.uitofp
// CHECK: %[[ROOT:.*]] = math.sqrt %[[BLOCKS]]
// CHECK: %[[TAU:.*]] = arith.divf %[[C]], %[[ROOT]]
// CHECK: arith.cmpf oge, %{{.*}}, %[[TAU]]
func.func @threshold_by_length(%s: tensor<1x2x?x?xf32>, %x: tensor<?xf32>) -> !pbs.selection<128x128> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %l = pbs.select %s lengths(%n, %n) rule = #pbs.threshold_by_length<0.04> segment = 256 causal : tensor<1x2x?x?xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// It is a share of the best candidate's score.
// CHECK-LABEL: gpu.module @max_threshold_kernels
// CHECK-DAG: %[[ALPHA:.*]] = arith.constant 1.250000e-01 : f32
// CHECK: %[[BEST:.*]] = gpu.all_reduce maxnumf
// CHECK: %[[TAU:.*]] = arith.mulf %[[BEST]], %[[ALPHA]]
// CHECK: arith.cmpf oge, %{{.*}}, %[[TAU]]
func.func @max_threshold(%s: tensor<1x2x24x24xf32>) -> !pbs.selection<128x128> {
  %n = arith.constant 3000 : index
  %l = pbs.select %s lengths(%n, %n) rule = #pbs.max_threshold<0.125> segment = 256 causal : tensor<1x2x24x24xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

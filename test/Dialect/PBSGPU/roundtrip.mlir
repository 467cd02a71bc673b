// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s | pbs-opt | FileCheck %s
// RUN: pbs-opt %s --mlir-print-op-generic | pbs-opt | FileCheck %s

// CHECK-LABEL: func private @types(
// CHECK-SAME: !accumulator_128x64xf32_8w,
// CHECK-SAME: !accumulator_128x1xf32_8w,
// CHECK-SAME: !operand_128x64xbf16_8w,
// CHECK-SAME: !tile_64x128xbf16,
// CHECK-SAME: !ring_2x64x128xf16,
// CHECK-SAME: !accumulator_128x4xf32_8w,
// CHECK-SAME: !pending_accumulator_128x64xf32_8w,
// CHECK-SAME: !pbsgpu.item_ring<stages = 2>)
func.func private @types(!pbsgpu.fragment<128x64xf32, accumulator, warps = 8>,
                         !pbsgpu.fragment<128x1xf32, accumulator, warps = 8>,
                         !pbsgpu.fragment<128x64xbf16, operand_a, warps = 8>,
                         !pbsgpu.tile<64x128xbf16>,
                         !pbsgpu.ring<64x128xf16, stages = 2>,
                         !pbsgpu.fragment<128x4xf32, accumulator, warps = 8>,
                         !pbsgpu.pending<128x64xf32, accumulator, warps = 8>,
                         !pbsgpu.item_ring<stages = 2>)

gpu.module @kernels {
  // CHECK-LABEL: pbsgpu.kernel @empty() warps = 8
  // CHECK-NEXT: pbsgpu.return
  pbsgpu.kernel @empty() warps = 8 {
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @parameters(
  // CHECK-NEXT: %{{.*}}: memref<?x8xf32> {pbs.name = "x"}
  // CHECK-NEXT: %{{.*}}: index
  // CHECK-NEXT: %{{.*}}: f32) warps = 1 attributes {note = "kept"}
  pbsgpu.kernel @parameters(%x: memref<?x8xf32> {pbs.name = "x"}, %n: index, %f: f32) warps = 1
      attributes {note = "kept"} {
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @maps(
  // CHECK-NEXT: %{{.*}}: !map_3d_128x64xbf16
  // CHECK-NEXT: %{{.*}}: !map_2d_64x128xf16) warps = 1
  pbsgpu.kernel @maps(%x: !pbsgpu.tensor_map<128x64xbf16, dimensions = 3>,
                      %y: !pbsgpu.tensor_map<64x128xf16, dimensions = 2>) warps = 1 {
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @tiles(
  // CHECK-NEXT: %[[K:.*]]: !strided_nx8xnx128xbf16
  // CHECK-NEXT: %[[P:.*]]: memref<?x32x?xi32>
  // CHECK-NEXT: %[[I:.*]]: index) warps = 4
  pbsgpu.kernel @tiles(%k: memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, %p: memref<?x32x?xi32>, %i: index) warps = 4 {
    // CHECK: %[[TILE:.*]] = pbsgpu.alloc_tile : !tile_64x128xbf16
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<64x128xbf16>
    // CHECK: pbsgpu.copy_tile %[[K]][%[[I]], %[[I]], %[[I]]] to %[[TILE]] : !strided_nx8xnx128xbf16, !tile_64x128xbf16
    pbsgpu.copy_tile %k[%i, %i, %i] to %tile : memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, !pbsgpu.tile<64x128xbf16>
    // CHECK: pbsgpu.copy_tile %[[K]][%[[I]], %[[I]], %[[I]]] through %[[P]][%[[I]], %[[I]]] to %[[TILE]] : {{.*}}, !tile_64x128xbf16, memref<?x32x?xi32>
    pbsgpu.copy_tile %k[%i, %i, %i] through %p[%i, %i] to %tile
      : memref<?x8x?x128xbf16, strided<[?, ?, ?, 1]>>, !pbsgpu.tile<64x128xbf16>, memref<?x32x?xi32>
    // CHECK: pbsgpu.commit_copies
    pbsgpu.commit_copies
    // CHECK: pbsgpu.await_copies pending = 1
    pbsgpu.await_copies pending = 1
    // CHECK: pbsgpu.await_copies{{$}}
    pbsgpu.await_copies
    pbsgpu.return
  }

  // A ring without signals: the kernel synchronises otherwise.
  // CHECK-LABEL: pbsgpu.kernel @ring(
  // CHECK-NEXT: %[[K:.*]]: memref<?x128xbf16>
  // CHECK-NEXT: %[[I:.*]]: index) warps = 4
  pbsgpu.kernel @ring(%k: memref<?x128xbf16>, %i: index) warps = 4 {
    // CHECK: %[[RING:.*]] = pbsgpu.alloc_ring : !ring_2x64x128xbf16
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x128xbf16, stages = 2>
    // CHECK: %[[SLOT:.*]] = pbsgpu.acquire %[[RING]][%[[I]]] : !ring_2x64x128xbf16 -> !tile_64x128xbf16
    %slot = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x128xbf16, stages = 2> -> !pbsgpu.tile<64x128xbf16>
    // CHECK: pbsgpu.copy_tile %[[K]][%[[I]]] to %[[SLOT]] : memref<?x128xbf16>, !tile_64x128xbf16
    pbsgpu.copy_tile %k[%i] to %slot : memref<?x128xbf16>, !pbsgpu.tile<64x128xbf16>
    // CHECK: %[[TILE:.*]] = pbsgpu.await %[[RING]][%[[I]]] : !ring_2x64x128xbf16 -> !tile_64x128xbf16
    %tile = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x128xbf16, stages = 2> -> !pbsgpu.tile<64x128xbf16>
    // CHECK: pbsgpu.release %[[TILE]] : !tile_64x128xbf16
    pbsgpu.release %tile : !pbsgpu.tile<64x128xbf16>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @roles(
  // CHECK-NEXT: %[[MAP:.*]]: !map_3d_64x128xbf16
  // CHECK-NEXT: %[[I:.*]]: index) warps = 12
  pbsgpu.kernel @roles(%map: !pbsgpu.tensor_map<64x128xbf16, dimensions = 3>, %i: index) warps = 12 {
    // CHECK: %[[RING:.*]] = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring_2x64x128xbf16
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !pbsgpu.ring<64x128xbf16, stages = 2>
    // CHECK: pbsgpu.roles "producer" warps = 4 registers = 56 {
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      // CHECK-NEXT: %[[SLOT:.*]] = pbsgpu.acquire %[[RING]][%[[I]]]
      %slot = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x128xbf16, stages = 2> -> !pbsgpu.tile<64x128xbf16>
      // CHECK-NEXT: pbsgpu.copy_tile %[[MAP]][%[[I]], %[[I]]] to %[[SLOT]] : !map_3d_64x128xbf16, !tile_64x128xbf16
      pbsgpu.copy_tile %map[%i, %i] to %slot : !pbsgpu.tensor_map<64x128xbf16, dimensions = 3>, !pbsgpu.tile<64x128xbf16>
      // CHECK-NEXT: pbsgpu.end_role
      pbsgpu.end_role
    // CHECK-NEXT: } "consumer" warps = 8 registers = 224 {
    } "consumer" warps = 8 registers = 224 {
      // CHECK-NEXT: cf.br ^bb1
      cf.br ^last
      // CHECK-NEXT: ^bb1:
    ^last:
      // CHECK-NEXT: %[[TILE:.*]] = pbsgpu.await %[[RING]][%[[I]]]
      %tile = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x128xbf16, stages = 2> -> !pbsgpu.tile<64x128xbf16>
      // CHECK-NEXT: pbsgpu.release %[[TILE]]
      pbsgpu.release %tile : !pbsgpu.tile<64x128xbf16>
      // CHECK-NEXT: pbsgpu.role_barrier
      pbsgpu.role_barrier
      // CHECK-NEXT: pbsgpu.end_role
      pbsgpu.end_role
    // CHECK-NEXT: }
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @roles_without_registers(
  pbsgpu.kernel @roles_without_registers(%x: f32) warps = 3 attributes {note = "kept"} {
    // CHECK: pbsgpu.roles "first" warps = 1 {
    pbsgpu.roles "first" warps = 1 {
      pbsgpu.end_role
    // CHECK: } "second one" warps = 2 {
    } "second one" warps = 2 {
      // CHECK: pbsgpu.splat %{{.*}} : f32 -> !accumulator_32x8xf32_2w
      %0 = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<32x8xf32, accumulator, warps = 2>
      pbsgpu.end_role
    // CHECK: } {note = "kept"}
    } {note = "kept"}
    pbsgpu.return
  }

  // Roles that share four warps, and with them the registers.
  // CHECK-LABEL: pbsgpu.kernel @roles_of_one_group(
  pbsgpu.kernel @roles_of_one_group(%counter: memref<1xi32>, %n: index, %x: i32) warps = 8 {
    // CHECK: %[[ITEMS:.*]] = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
    %items = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
    // CHECK: pbsgpu.roles "one" warps = 1 registers = 56 {
    pbsgpu.roles "one" warps = 1 registers = 56 {
      // CHECK-NEXT: pbsgpu.request %[[ITEMS]][%[[N:.*]]] : !pbsgpu.item_ring<stages = 2>
      pbsgpu.request %items[%n] : !pbsgpu.item_ring<stages = 2>
      pbsgpu.end_role
    // CHECK: } "two" warps = 3 registers = 56 {
    } "two" warps = 3 registers = 56 {
      // CHECK-NEXT: pbsgpu.await_request %[[ITEMS]][%[[N]]] : !pbsgpu.item_ring<stages = 2>
      pbsgpu.await_request %items[%n] : !pbsgpu.item_ring<stages = 2>
      // CHECK-NEXT: %[[NUMBER:.*]] = pbsgpu.claim %{{.*}} : memref<1xi32>
      %number = pbsgpu.claim %counter : memref<1xi32>
      // CHECK-NEXT: pbsgpu.publish %[[ITEMS]][%[[N]]], %[[NUMBER]], %[[X:.*]], %[[X]], %[[X]] : !pbsgpu.item_ring<stages = 2>
      pbsgpu.publish %items[%n], %number, %x, %x, %x : !pbsgpu.item_ring<stages = 2>
      pbsgpu.end_role
    // CHECK: } "three" warps = 4 registers = 224 {
    } "three" warps = 4 registers = 224 {
      // CHECK-NEXT: %{{.*}}:4 = pbsgpu.receive %[[ITEMS]][%[[N]]] : !pbsgpu.item_ring<stages = 2>
      %a, %b, %c, %d = pbsgpu.receive %items[%n] : !pbsgpu.item_ring<stages = 2>
      // CHECK-NEXT: %{{.*}} = pbsgpu.opaque %[[N]] : index
      %same_n = pbsgpu.opaque %n : index
      // CHECK-NEXT: %{{.*}} = pbsgpu.opaque %{{.*}} : memref<1xi32>
      %same_counter = pbsgpu.opaque %counter : memref<1xi32>
      pbsgpu.end_role
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @fragments(
  // CHECK-NEXT: %[[OUT:[^ ]*]]: !strided_nx32xnx128xbf16
  // CHECK-NEXT: %[[LSE:[^ ]*]]: memref<?x32x?xf32>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %[[X:.*]]: f32)
  pbsgpu.kernel @fragments(%out: memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>, %lse: memref<?x32x?xf32>,
                           %i: index, %x: f32) warps = 4 {
    %q = pbsgpu.alloc_tile : !pbsgpu.tile<128x128xbf16>
    %k = pbsgpu.alloc_tile : !pbsgpu.tile<64x128xbf16>
    // CHECK: %[[ZERO:.*]] = pbsgpu.splat %[[X]] : f32 -> !accumulator_128x64xf32_4w
    %zero = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
    %zero_out = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>
    // CHECK: %[[S:.*]] = pbsgpu.mma %{{.*}}, %{{.*}} transposed, %[[ZERO]] : !tile_128x128xbf16, !tile_64x128xbf16, !accumulator_128x64xf32_4w
    %s = pbsgpu.mma %q, %k transposed, %zero
       : !pbsgpu.tile<128x128xbf16>, !pbsgpu.tile<64x128xbf16>, !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
    // CHECK: %[[M:.*]] = pbsgpu.row_reduce max %[[S]] : !accumulator_128x64xf32_4w -> !accumulator_128x1xf32_4w
    %m = pbsgpu.row_reduce max %s : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>
    // CHECK: pbsgpu.row_reduce sum
    %l = pbsgpu.row_reduce sum %s : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>
    // CHECK: %[[MB:.*]] = pbsgpu.row_broadcast %[[M]] : !accumulator_128x1xf32_4w -> !accumulator_128x64xf32_4w
    %mb = pbsgpu.row_broadcast %m : !pbsgpu.fragment<128x1xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
    %c = arith.cmpf oeq, %x, %x : f32
    // CHECK: %[[D:.*]] = pbsgpu.map %[[S]], %[[MB]] if %{{.*}} : !accumulator_128x64xf32_4w, !accumulator_128x64xf32_4w -> !accumulator_128x64xf32_4w {
    // CHECK-NEXT: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %{{.*}}: i32, %{{.*}}: i32):
    // CHECK-NEXT: %[[R:.*]] = arith.subf %[[A]], %[[B]] : f32
    // CHECK-NEXT: pbsgpu.yield %[[R]] : f32
    %d = pbsgpu.map %s, %mb if %c : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>, !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
      -> !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> {
    ^bb0(%a: f32, %b: f32, %row: i32, %column: i32):
      %r = arith.subf %a, %b : f32
      pbsgpu.yield %r : f32
    }
    // CHECK: pbsgpu.map -> !accumulator_128x8xf32_4w {
    // CHECK-NEXT: ^bb0(%{{.*}}: i32, %[[COLUMN:.*]]: i32):
    // CHECK-NEXT: arith.sitofp %[[COLUMN]]
    %columns = pbsgpu.map -> !pbsgpu.fragment<128x8xf32, accumulator, warps = 4> {
    ^bb0(%row: i32, %column: i32):
      %r = arith.sitofp %column : i32 to f32
      pbsgpu.yield %r : f32
    }
    // CHECK: %[[OP:.*]] = pbsgpu.to_operand %[[D]] : !accumulator_128x64xf32_4w -> !operand_128x64xbf16_4w
    %op = pbsgpu.to_operand %d : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x64xbf16, operand_a, warps = 4>
    // CHECK: %[[O:.*]] = pbsgpu.mma %[[OP]], %{{.*}}, %{{.*}} : !operand_128x64xbf16_4w, !tile_64x128xbf16, !accumulator_128x128xf32_4w
    %o = pbsgpu.mma %op, %k, %zero_out
       : !pbsgpu.fragment<128x64xbf16, operand_a, warps = 4>, !pbsgpu.tile<64x128xbf16>, !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>
    // CHECK: pbsgpu.store_fragment %[[O]] to %[[OUT]][%[[I]], %[[I]], %[[I]]] : !accumulator_128x128xf32_4w, !strided_nx32xnx128xbf16
    pbsgpu.store_fragment %o to %out[%i, %i, %i] : !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>, memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>
    // CHECK: pbsgpu.store_fragment %{{.*}} to %[[LSE]][%[[I]], %[[I]], %[[I]]] : !accumulator_128x1xf32_4w, memref<?x32x?xf32>
    pbsgpu.store_fragment %l to %lse[%i, %i, %i] : !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>, memref<?x32x?xf32>
    // CHECK: pbsgpu.store_fragment %[[O]] through %{{.*}} to %[[OUT]][%[[I]], %[[I]], %[[I]]] : !accumulator_128x128xf32_4w, !strided_nx32xnx128xbf16, !tile_128x128xbf16
    pbsgpu.store_fragment %o through %q to %out[%i, %i, %i]
      : !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>, memref<?x32x?x128xbf16, strided<[?, ?, ?, 1]>>, !pbsgpu.tile<128x128xbf16>
    // CHECK: %[[LANES:.*]] = pbsgpu.row_reduce sum %[[S]] : !accumulator_128x64xf32_4w -> !accumulator_128x4xf32_4w
    %lanes = pbsgpu.row_reduce sum %s : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x4xf32, accumulator, warps = 4>
    // CHECK: pbsgpu.row_reduce sum %[[LANES]] : !accumulator_128x4xf32_4w -> !accumulator_128x1xf32_4w
    %rows = pbsgpu.row_reduce sum %lanes : !pbsgpu.fragment<128x4xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @products(
  pbsgpu.kernel @products(%x: f32) warps = 4 {
    %q = pbsgpu.alloc_tile : !pbsgpu.tile<64x64xbf16>
    %zero = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    %p = pbsgpu.to_operand %zero : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
    // CHECK: %[[FIRST:.*]] = pbsgpu.start_mma %{{.*}}, %{{.*}} transposed, %{{.*}} : !tile_64x64xbf16, !tile_64x64xbf16, !accumulator_64x64xf32_4w -> !pending_accumulator_64x64xf32_4w
    %first = pbsgpu.start_mma %q, %q transposed, %zero
      : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
     -> !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
    // CHECK: %[[SECOND:.*]] = pbsgpu.start_mma %{{.*}}, %{{.*}}, %{{.*}} : !operand_64x64xbf16_4w, !tile_64x64xbf16, !accumulator_64x64xf32_4w -> !pending_accumulator_64x64xf32_4w
    %second = pbsgpu.start_mma %p, %q, %zero
      : !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
     -> !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
    // CHECK: pbsgpu.await_mma %[[FIRST]] pending = 1 : !pending_accumulator_64x64xf32_4w -> !accumulator_64x64xf32_4w
    %a = pbsgpu.await_mma %first pending = 1 : !pbsgpu.pending<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    // CHECK: pbsgpu.await_mma %[[SECOND]] : !pending_accumulator_64x64xf32_4w -> !accumulator_64x64xf32_4w
    %b = pbsgpu.await_mma %second : !pbsgpu.pending<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @key_loop_test(
  // CHECK-NEXT: %[[COUNTS:.*]]: memref<?x32x?x2xi32>
  // CHECK-NEXT: %[[INDICES:.*]]: memref<?x32x?x?xi16>
  // CHECK-NEXT: %[[I:.*]]: index
  // CHECK-NEXT: %[[X:.*]]: f32)
  pbsgpu.kernel @key_loop_test(%counts: memref<?x32x?x2xi32>, %indices: memref<?x32x?x?xi16>, %i: index, %x: f32) warps = 4 {
    // CHECK: %[[C0:.*]] = arith.constant 0 : index
    %c0 = arith.constant 0 : index
    // CHECK: %{{.*}}, %[[NEXT:.*]] = pbsgpu.key_loop %[[COUNTS]], %[[INDICES]][%[[I]], %[[I]], %[[I]]] of %[[I]] from %[[C0]]{{$}}
    // CHECK-NEXT: walk = test key_block = 128 key_tile = 64 ahead = 0
    // CHECK-NEXT: carry(%[[X]] : f32){{$}}
    // CHECK-NEXT: : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> -> f32{{$}}
    // CHECK-NEXT: {{^}}        load {
    // CHECK-NEXT: } bodies {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: i1, %[[CARRIED:.*]]: f32):
    // CHECK-NEXT: pbsgpu.yield %[[CARRIED]] : f32
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = test key_block = 128 key_tile = 64 ahead = 0
         carry(%x : f32) : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> -> f32 load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1, %carried: f32):
      pbsgpu.yield %carried : f32
    }
    // Visits go on from those of the loop before.
    // CHECK: pbsgpu.key_loop {{.*}} from %[[NEXT]]{{$}}
    %last = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %next walk = test key_block = 128 key_tile = 64 ahead = 0
         : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @key_loop_list(
  pbsgpu.kernel @key_loop_list(%counts: memref<?x32x?x2xi32>, %indices: memref<?x32x?x?xi16>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK: pbsgpu.key_loop
    // CHECK-NEXT: walk = list key_block = 128 key_tile = 64 ahead = 1{{$}}
    // CHECK-NEXT: : memref<?x32x?x2xi32>, memref<?x32x?x?xi16>{{$}}
    // CHECK-NEXT: load {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index):
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: } bodies {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index):
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: }, {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index):
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: }
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 1
      : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> load {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }, {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // One body for all blocks, and what runs near the end.
  // CHECK-LABEL: pbsgpu.kernel @key_loop_near_end(
  pbsgpu.kernel @key_loop_near_end(%counts: memref<?x32x?x2xi32>, %indices: memref<?x32x?x?xi16>, %i: index) warps = 4 {
    %c0 = arith.constant 0 : index
    // CHECK: pbsgpu.key_loop {{.*}} from %[[C0:[^ ]*]] lengths(%[[I:.*]], %[[I]]){{$}}
    // CHECK-NEXT: walk = list_from_end key_block = 128 key_tile = 64 ahead = 0{{$}}
    // CHECK-NEXT: : memref<?x32x?x2xi32>, memref<?x32x?x?xi16>{{$}}
    // CHECK-NEXT: load {
    // CHECK-NEXT: } near_end = 3 {
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: } bodies {
    // CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index):
    // CHECK-NEXT: pbsgpu.yield
    // CHECK-NEXT: }{{$}}
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%i, %i) walk = list_from_end key_block = 128 key_tile = 64 ahead = 0
      : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> load {} near_end = 3 {
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index):
      pbsgpu.yield
    }
    pbsgpu.return
  }

  // CHECK-LABEL: pbsgpu.kernel @key_loop_deferred(
  pbsgpu.kernel @key_loop_deferred(%counts: memref<?x32x?x2xi32>, %indices: memref<?x32x?x?xi16>, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %q = pbsgpu.alloc_tile : !pbsgpu.tile<64x64xbf16>
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 3>
    %zero = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    // CHECK: pbsgpu.key_loop {{.*}} lengths(%[[I:.*]], %[[I]], %[[I]]){{$}}
    // CHECK-NEXT: walk = list key_block = 64 key_tile = 64 ahead = 0 deferred{{$}}
    // CHECK-NEXT: carry(%{{.*}} : !accumulator_64x64xf32_4w){{$}}
    // CHECK-NEXT: : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> -> !accumulator_64x64xf32_4w{{$}}
    // CHECK-NEXT: load {
    // CHECK-NEXT: } bodies {
    %o, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%i, %i, %i) walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
        carry(%zero : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>)
      : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> load {} bodies {
    ^bb0(%key: index, %visit: index, %in: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>):
      %s = pbsgpu.mma %q, %q transposed, %zero : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
      %p = pbsgpu.to_operand %s : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
      %v = pbsgpu.await %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 3> -> !pbsgpu.tile<64x64xbf16>
      %out = pbsgpu.mma %p, %v, %in : !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
      pbsgpu.release %v : !pbsgpu.tile<64x64xbf16>
      pbsgpu.yield %out : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    }
    pbsgpu.return
  }
}

// CHECK-LABEL: pbsgpu.plan @plan {
pbsgpu.plan @plan {
  // CHECK: %[[B:.*]] = pbsgpu.size "B"
  %B = pbsgpu.size "B"
  // CHECK: %[[N:.*]] = pbsgpu.size "N"
  %N = pbsgpu.size "N"
  // CHECK: %[[SMS:.*]] = pbsgpu.multiprocessors
  %multiprocessors = pbsgpu.multiprocessors
  // CHECK: %[[ARGUMENT:.*]] = pbsgpu.argument "x" input [%[[B]], 8] align 16 contents = {kind = "anything"} : memref<?x8xf32>
  %x = pbsgpu.argument "x" input [%B, 8] align 16 contents = {kind = "anything"} : memref<?x8xf32>
  // CHECK: %[[OUTPUT:.*]] = pbsgpu.argument "y" output [%[[N]], 8] align 4 : !strided_nx8xf32
  %y = pbsgpu.argument "y" output [%N, 8] align 4 : memref<?x8xf32, strided<[?, 1]>>
  // CHECK: %[[BUFFER:.*]] = pbsgpu.buffer "work" [4, %[[N]]] align 16 : memref<4x?xf32>
  %buffer = pbsgpu.buffer "work" [4, %N] align 16 : memref<4x?xf32>
  %guard = arith.cmpi sle, %B, %N : index
  %half = pbsgpu.argument "half" output [%B, 128] align 16 : memref<?x128xf16>
  // CHECK: %[[KEYS:.*]] = pbsgpu.buffer "keys"
  %keys = pbsgpu.buffer "keys" [8, %N, 128] align 32 : memref<8x?x128xbf16>
  // CHECK: %[[MAP:.*]] = pbsgpu.tensor_map %[[KEYS]] : memref<8x?x128xbf16> -> !map_3d_128x64xbf16
  %map = pbsgpu.tensor_map %keys : memref<8x?x128xbf16> -> !pbsgpu.tensor_map<128x64xbf16, dimensions = 3>
  %half_map = pbsgpu.tensor_map %half : memref<?x128xf16> -> !pbsgpu.tensor_map<64x128xf16, dimensions = 2>
  // CHECK: pbsgpu.launch @kernels::@maps grid({{.*}}){{$}}
  // CHECK-NEXT: arguments(%[[MAP]], %{{.*}} : !map_3d_128x64xbf16, !map_2d_64x128xf16)
  pbsgpu.launch @kernels::@maps grid(%B, %B, %B)
    arguments(%map, %half_map : !pbsgpu.tensor_map<128x64xbf16, dimensions = 3>, !pbsgpu.tensor_map<64x128xf16, dimensions = 2>)
  // CHECK: pbsgpu.require %[[GUARD:.*]], "B is at most N"
  pbsgpu.require %guard, "B is at most N"
  // CHECK: pbsgpu.memset %[[BUFFER]] to 0 if %[[GUARD]] : memref<4x?xf32>
  pbsgpu.memset %buffer to 0 if %guard : memref<4x?xf32>
  // CHECK: pbsgpu.launch @kernels::@empty grid(%[[SMS]], %[[B]], %[[N]]) arguments()
  pbsgpu.launch @kernels::@empty grid(%multiprocessors, %B, %N) arguments()
  %f = arith.constant 1 : index
  // CHECK: pbsgpu.launch @kernels::@empty grid({{.*}}) shared_bytes = 4096 if %[[GUARD]] arguments()
  pbsgpu.launch @kernels::@empty grid(%f, %f, %f) shared_bytes = 4096 if %guard arguments()
  // CHECK: pbsgpu.launch @kernels::@empty grid({{.*}}) dynamic_shared_bytes(%[[N]]) arguments()
  pbsgpu.launch @kernels::@empty grid(%f, %f, %f) dynamic_shared_bytes(%N) arguments()
  // CHECK: pbsgpu.launch @kernels::@empty grid({{.*}}) shared_bytes = 4096 dynamic_shared_bytes(%[[N]]) if %[[GUARD]] arguments()
  pbsgpu.launch @kernels::@empty grid(%f, %f, %f) shared_bytes = 4096 dynamic_shared_bytes(%N) if %guard arguments()
}

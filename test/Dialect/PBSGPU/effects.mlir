// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What upstream's passes may do with tiles, copies, waits and items, and what not.
// RUN: pbs-opt %s --cse --canonicalize --loop-invariant-code-motion --cse | FileCheck %s
// RUN: pbs-opt %s --remove-dead-values --canonicalize | FileCheck %s --check-prefix=DEAD

!k = memref<?x64xbf16, strided<[?, 1]>>
!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
!items = !pbsgpu.item_ring<stages = 2>

gpu.module @kernels {
  // Two products of what did not change are one; a tile that nobody uses goes.
  // CHECK-LABEL: pbsgpu.kernel @same_product
  // CHECK-COUNT-1: pbsgpu.alloc_tile
  // CHECK-NOT: pbsgpu.alloc_tile
  // CHECK: %[[P:.*]] = pbsgpu.mma
  // CHECK-NOT: pbsgpu.mma
  // CHECK: pbsgpu.store_fragment %[[P]]
  // CHECK: pbsgpu.store_fragment %[[P]]
  pbsgpu.kernel @same_product(%k: !k, %out: memref<?x64xf32>, %i: index, %x: f32) warps = 4 {
    %tile = pbsgpu.alloc_tile : !t
    %unused = pbsgpu.alloc_tile : !t
    pbsgpu.copy_tile %k[%i] to %tile : !k, !t
    pbsgpu.await_copies
    %zero = pbsgpu.splat %x : f32 -> !acc
    %a = pbsgpu.mma %tile, %tile transposed, %zero : !t, !t, !acc
    %b = pbsgpu.mma %tile, %tile transposed, %zero : !t, !t, !acc
    pbsgpu.store_fragment %a to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.store_fragment %b to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.return
  }

  // A copy changes its tile, and a wait changes all tiles that copies are on their
  // way to.
  // CHECK-LABEL: pbsgpu.kernel @other_product
  // CHECK: pbsgpu.copy_tile
  // CHECK-NEXT: pbsgpu.commit_copies
  // CHECK-NEXT: pbsgpu.copy_tile
  // CHECK-NEXT: pbsgpu.commit_copies
  // CHECK-NEXT: pbsgpu.await_copies pending = 1
  // CHECK: %[[A:.*]] = pbsgpu.mma
  // CHECK: pbsgpu.await_copies{{$}}
  // CHECK: %[[B:.*]] = pbsgpu.mma
  // CHECK: pbsgpu.copy_tile
  // CHECK-NEXT: %[[C:.*]] = pbsgpu.mma
  // CHECK: store_fragment %[[A]]
  // CHECK: store_fragment %[[B]]
  // CHECK: store_fragment %[[C]]
  pbsgpu.kernel @other_product(%k: !k, %out: memref<?x64xf32>, %i: index, %j: index, %x: f32) warps = 4 {
    %zero = pbsgpu.splat %x : f32 -> !acc
    %q = pbsgpu.alloc_tile : !t
    %tile = pbsgpu.alloc_tile : !t
    pbsgpu.copy_tile %k[%i] to %q : !k, !t
    pbsgpu.commit_copies
    pbsgpu.copy_tile %k[%i] to %tile : !k, !t
    pbsgpu.commit_copies
    pbsgpu.await_copies pending = 1
    %a = pbsgpu.mma %q, %tile transposed, %zero : !t, !t, !acc
    pbsgpu.await_copies
    %b = pbsgpu.mma %q, %tile transposed, %zero : !t, !t, !acc
    pbsgpu.copy_tile %k[%j] to %tile : !k, !t
    %c = pbsgpu.mma %q, %tile transposed, %zero : !t, !t, !acc
    pbsgpu.store_fragment %a to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.store_fragment %b to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.store_fragment %c to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.return
  }

  // Each product that has begun is awaited, so that two are never one; behind its end
  // the tiles may be others. One that nobody awaits goes.
  // CHECK-LABEL: pbsgpu.kernel @begun_product
  // CHECK: %[[A:.*]] = pbsgpu.mma
  // CHECK-NEXT: %[[FIRST:.*]] = pbsgpu.start_mma
  // CHECK-NEXT: %[[SECOND:.*]] = pbsgpu.start_mma
  // CHECK-NOT: pbsgpu.start_mma
  // CHECK: %[[B:.*]] = pbsgpu.await_mma %[[FIRST]] pending = 1
  // CHECK-NEXT: %[[C:.*]] = pbsgpu.await_mma %[[SECOND]]
  // CHECK-NEXT: %[[D:.*]] = pbsgpu.mma
  // CHECK-NEXT: store_fragment %[[A]]
  // CHECK-NEXT: store_fragment %[[B]]
  // CHECK-NEXT: store_fragment %[[C]]
  // CHECK-NEXT: store_fragment %[[D]]
  pbsgpu.kernel @begun_product(%out: memref<?x64xf32>, %i: index, %x: f32) warps = 4 {
    %zero = pbsgpu.splat %x : f32 -> !acc
    %tile = pbsgpu.alloc_tile : !t
    %a = pbsgpu.mma %tile, %tile transposed, %zero : !t, !t, !acc
    %first = pbsgpu.start_mma %tile, %tile transposed, %zero : !t, !t, !acc -> !pending
    %second = pbsgpu.start_mma %tile, %tile transposed, %zero : !t, !t, !acc -> !pending
    %unused = pbsgpu.start_mma %tile, %tile, %zero : !t, !t, !acc -> !pending
    %b = pbsgpu.await_mma %first pending = 1 : !pending -> !acc
    %c = pbsgpu.await_mma %second : !pending -> !acc
    %d = pbsgpu.mma %tile, %tile transposed, %zero : !t, !t, !acc
    pbsgpu.store_fragment %a to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.store_fragment %b to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.store_fragment %c to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.store_fragment %d to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.return
  }

  // Each claim takes a number, used or not; places that nobody uses go.
  // CHECK-LABEL: pbsgpu.kernel @items
  // CHECK: pbsgpu.alloc_items
  // CHECK-NOT: pbsgpu.alloc_items
  // CHECK: pbsgpu.await_request
  // CHECK-NEXT: pbsgpu.claim
  // CHECK-NEXT: %[[NUMBER:.*]] = pbsgpu.claim
  // CHECK-NEXT: pbsgpu.publish %{{.*}}, %[[NUMBER]], %[[NUMBER]], %[[NUMBER]], %[[NUMBER]]
  // CHECK-NEXT: pbsgpu.receive
  // CHECK-NEXT: pbsgpu.receive
  // CHECK-NEXT: pbsgpu.request
  // CHECK-NEXT: pbsgpu.request
  pbsgpu.kernel @items(%counter: memref<1xi32>, %n: index) warps = 4 {
    %items = pbsgpu.alloc_items : !items
    %unused = pbsgpu.alloc_items : !items
    pbsgpu.await_request %items[%n] : !items
    %a = pbsgpu.claim %counter : memref<1xi32>
    %b = pbsgpu.claim %counter : memref<1xi32>
    pbsgpu.publish %items[%n], %b, %b, %b, %b : !items
    %first:4 = pbsgpu.receive %items[%n] : !items
    %second:4 = pbsgpu.receive %items[%n] : !items
    pbsgpu.request %items[%n] : !items
    pbsgpu.request %items[%n] : !items
    pbsgpu.return
  }

  // Two opaque values are never one, and stay in loops; one that nobody uses goes.
  // CHECK-LABEL: pbsgpu.kernel @opaque
  // CHECK-NOT: pbsgpu.opaque
  // CHECK: scf.for
  // CHECK-NEXT: %[[A:.*]] = pbsgpu.opaque
  // CHECK-NEXT: %[[B:.*]] = pbsgpu.opaque
  // CHECK-NEXT: memref.store %{{.*}}, %{{.*}}[%[[A]]]
  // CHECK-NEXT: memref.store %{{.*}}, %{{.*}}[%[[B]]]
  pbsgpu.kernel @opaque(%out: memref<?xf32>, %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %unused = pbsgpu.opaque %out : memref<?xf32>
    scf.for %n = %c0 to %i step %c1 {
      %a = pbsgpu.opaque %i : index
      %b = pbsgpu.opaque %i : index
      memref.store %x, %out[%a] : memref<?xf32>
      memref.store %x, %out[%b] : memref<?xf32>
    }
    pbsgpu.return
  }

  // A wait is a barrier: another thread may have written what is loaded again. What
  // a fragment is stored over has changed, too.
  // CHECK-LABEL: pbsgpu.kernel @loads
  // CHECK: memref.load
  // CHECK: pbsgpu.await_copies
  // CHECK: memref.load
  // CHECK: pbsgpu.store_fragment
  // CHECK: memref.load
  pbsgpu.kernel @loads(%out: memref<?xf32>, %i: index) warps = 4 {
    %a = memref.load %out[%i] : memref<?xf32>
    pbsgpu.await_copies
    %b = memref.load %out[%i] : memref<?xf32>
    %sum = arith.addf %a, %b : f32
    %column = pbsgpu.splat %sum : f32 -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>
    pbsgpu.store_fragment %column to %out[%i] : !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>, memref<?xf32>
    %c = memref.load %out[%i] : memref<?xf32>
    memref.store %c, %out[%i] : memref<?xf32>
    pbsgpu.return
  }

  // What does not change leaves both bodies and the region that copies; copies,
  // waits and products of tiles stay.
  // CHECK-LABEL: pbsgpu.kernel @invariant
  // CHECK: %[[SPLAT:.*]] = pbsgpu.splat
  // CHECK: %[[ROW:.*]] = arith.muli
  // CHECK: pbsgpu.key_loop
  // CHECK: load {
  // CHECK: pbsgpu.copy_tile %{{.*}}[%[[ROW]]]
  // CHECK: bodies {
  // CHECK-NEXT: ^bb0
  // CHECK-NEXT: pbsgpu.await
  // CHECK-NEXT: pbsgpu.mma {{.*}}, %[[SPLAT]]
  // CHECK: }, {
  // CHECK-NEXT: ^bb0
  // CHECK-NEXT: pbsgpu.await_copies
  // CHECK-NEXT: pbsgpu.mma {{.*}}, %[[SPLAT]]
  pbsgpu.kernel @invariant(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %k: !k, %out: memref<?x64xf32>,
                           %i: index, %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %q = pbsgpu.alloc_tile : !t
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
    %start = pbsgpu.splat %x : f32 -> !acc
    %r, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = list key_block = 64 key_tile = 64 ahead = 1
        carry(%start : !acc) : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> !acc load {
    ^bb0(%key: index, %visit: index):
      %row = arith.muli %i, %i : index
      %tile = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !t
      pbsgpu.copy_tile %k[%row] to %tile : !k, !t
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %o: !acc):
      %zero = pbsgpu.splat %x : f32 -> !acc
      %tile = pbsgpu.await %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !t
      %p = pbsgpu.mma %q, %tile transposed, %zero : !t, !t, !acc
      pbsgpu.yield %p : !acc
    }, {
    ^bb0(%key: index, %visit: index, %o: !acc):
      pbsgpu.await_copies
      %zero = pbsgpu.splat %x : f32 -> !acc
      %p = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
      pbsgpu.yield %p : !acc
    }
    pbsgpu.store_fragment %r to %out[%i] : !acc, memref<?x64xf32>
    pbsgpu.return
  }

  // Canonicalisation drops what is carried twice and what is not read; what only
  // computes itself takes liveness.
  // CHECK-LABEL: pbsgpu.kernel @carried
  // CHECK: carry(%{{[^,]*}}, %{{[^,]*}} : f32, f32)
  // CHECK: ^bb0(%{{[^ ]*}}: index, %{{[^ ]*}}: index, %{{[^ ]*}}: i1, %[[V:[^ ]*]]: f32, %{{[^ ]*}}: f32):
  // CHECK: %[[SUM:.*]] = arith.addf %[[V]], %[[V]]
  // CHECK: pbsgpu.yield %[[SUM]], %{{[^,]*}} : f32, f32
  // DEAD-LABEL: pbsgpu.kernel @carried
  // DEAD: carry(%{{[^,]*}} : f32)
  // DEAD: ^bb0(%{{[^ ]*}}: index, %{{[^ ]*}}: index, %{{[^ ]*}}: i1, %[[V:[^ ]*]]: f32):
  // DEAD: memref.store
  // DEAD: pbsgpu.yield %{{[^,]*}} : f32
  pbsgpu.kernel @carried(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %out: memref<?xf32>, %i: index,
                         %x: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %r:4, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 walk = test key_block = 64 key_tile = 64 ahead = 0
        carry(%x, %x, %x, %x : f32, f32, f32, f32) : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32, f32, f32, f32 load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1, %a: f32, %b: f32, %dead: f32, %unread: f32):
      %sum = arith.addf %a, %b : f32
      %grown = arith.mulf %dead, %dead : f32
      memref.store %sum, %out[%key] : memref<?xf32>
      pbsgpu.yield %sum, %sum, %grown, %a : f32, f32, f32, f32
    }
    %both = arith.addf %r#0, %r#1 : f32
    memref.store %both, %out[%i] : memref<?xf32>
    pbsgpu.return
  }

  // Nothing is carried through the region near the end.
  // DEAD-LABEL: pbsgpu.kernel @near_end
  // DEAD: lengths(%{{[^,]*}}, %{{[^,]*}})
  // DEAD: carry(%{{[^,]*}} : f32)
  // DEAD: near_end = 2 {
  // DEAD-NEXT: memref.store
  // DEAD-NEXT: pbsgpu.yield{{$}}
  // DEAD: ^bb0(%{{[^ ]*}}: index, %{{[^ ]*}}: index, %[[V:[^ ]*]]: f32):
  // DEAD-NEXT: %[[SUM:.*]] = arith.addf %[[V]], %[[V]]
  // DEAD-NEXT: pbsgpu.yield %[[SUM]] : f32
  pbsgpu.kernel @near_end(%counts: memref<?x4x?x2xi32>, %indices: memref<?x4x?x?xi16>, %out: memref<?xf32>, %i: index,
                          %x: f32, %y: f32) warps = 4 {
    %c0 = arith.constant 0 : index
    %r:2, %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %c0 lengths(%i, %i) walk = list_from_end key_block = 64 key_tile = 64 ahead = 0
        carry(%x, %y : f32, f32) : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32, f32 load {} near_end = 2 {
      memref.store %x, %out[%i] : memref<?xf32>
      pbsgpu.yield
    } bodies {
    ^bb0(%key: index, %visit: index, %a: f32, %dead: f32):
      %sum = arith.addf %a, %a : f32
      %grown = arith.mulf %dead, %dead : f32
      pbsgpu.yield %sum, %grown : f32, f32
    }
    memref.store %r#0, %out[%i] : memref<?xf32>
    pbsgpu.return
  }
}

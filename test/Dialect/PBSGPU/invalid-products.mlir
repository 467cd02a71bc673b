// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each: products that run on, and those that loops defer.

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
func.func @f(%a: !t, %b: !pbsgpu.tile<64x64xf16>, %c: !acc) {
  // expected-error@+1 {{mma_c2: A's elements are 'bf16', but B's are 'f16'}}
  %begun = pbsgpu.start_mma %a, %b, %c : !t, !pbsgpu.tile<64x64xf16>, !acc -> !pending
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
func.func @f(%a: !t, %b: !t, %c: !pbsgpu.fragment<64x4xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{mma_c3: the accumulator must be an accumulator fragment of more than four columns}}
  %product = pbsgpu.mma %a, %b, %c : !t, !t, !pbsgpu.fragment<64x4xf32, accumulator, warps = 4>
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
func.func @f(%a: !t, %b: !t, %c: !acc) {
  // expected-error@+1 {{start_mma_c1: gives '!pbsgpu.pending<64x32xf32, accumulator, warps = 4>', but the accumulator is}}
  %begun = pbsgpu.start_mma %a, %b, %c : !t, !t, !acc -> !pbsgpu.pending<64x32xf32, accumulator, warps = 4>
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
func.func @f(%a: !t, %b: !t, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>) {
  // expected-error@+1 {{start_mma_c2: '!pbsgpu.fragment<64x64xf32, accumulator, warps = 2>' has not 16 rows for each warp of groups of four}}
  %begun = pbsgpu.start_mma %a, %b, %c : !t, !t, !pbsgpu.fragment<64x64xf32, accumulator, warps = 2> -> !pbsgpu.pending<64x64xf32, accumulator, warps = 2>
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
func.func @f(%a: !pbsgpu.tile<128x64xbf16>, %b: !t, %c: !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{start_mma_c2: '!pbsgpu.fragment<128x64xf32, accumulator, warps = 4>' has not 16 rows for each warp of groups of four}}
  %begun = pbsgpu.start_mma %a, %b, %c : !pbsgpu.tile<128x64xbf16>, !t, !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.pending<128x64xf32, accumulator, warps = 4>
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 5 {
    %tile = pbsgpu.alloc_tile : !t
    pbsgpu.roles "a" warps = 1 {
      pbsgpu.end_role
    } "b" warps = 4 {
      %zero = pbsgpu.splat %x : f32 -> !acc
      // expected-error@+1 {{start_mma_c3: stands in a role from warp 1 on, whose warps are not groups of four}}
      %begun = pbsgpu.start_mma %tile, %tile, %zero : !t, !t, !acc -> !pending
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
func.func @f(%begun: !pending) {
  // expected-error@+1 {{await_mma_c1: the product does not begin in the block, with a pbsgpu.start_mma}}
  %product = pbsgpu.await_mma %begun : !pending -> !acc
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
func.func @f(%a: !t, %b: !t, %c: !acc, %if: i1) {
  %begun = pbsgpu.start_mma %a, %b, %c : !t, !t, !acc -> !pending
  scf.if %if {
    // expected-error@+1 {{await_mma_c1: the product does not begin in the block, with a pbsgpu.start_mma}}
    %product = pbsgpu.await_mma %begun : !pending -> !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
func.func @f(%a: !t, %b: !t, %c: !acc) {
  %begun = pbsgpu.start_mma %a, %b, %c : !t, !t, !acc -> !pending
  // expected-error@+1 {{await_mma_c2: the product is awaited twice}}
  %product = pbsgpu.await_mma %begun : !pending -> !acc
  %again = pbsgpu.await_mma %begun : !pending -> !acc
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
func.func @f(%a: !t, %b: !t, %c: !acc) {
  %begun = pbsgpu.start_mma %a, %b, %c : !t, !t, !acc -> !pending
  // expected-error@+1 {{await_mma_c3: gives '!pbsgpu.fragment<64x32xf32, accumulator, warps = 4>', but awaits '!pbsgpu.pending<64x64xf32, accumulator, warps = 4>'}}
  %product = pbsgpu.await_mma %begun : !pending -> !pbsgpu.fragment<64x32xf32, accumulator, warps = 4>
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!pending = !pbsgpu.pending<64x64xf32, accumulator, warps = 4>
func.func @f(%a: !t, %b: !t, %c: !acc) {
  %begun = pbsgpu.start_mma %a, %b, %c : !t, !t, !acc -> !pending
  // expected-error@+1 {{await_mma_c4: pending must not be negative}}
  %product = pbsgpu.await_mma %begun pending = -1 : !pending -> !acc
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c17: defers products, but tests blocks}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %masked: i1, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c18: cannot defer the last product: a body has no second product}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %out = pbsgpu.mma %q, %q transposed, %in : !t, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c18: cannot defer the last product: the last product is used otherwise than as a carried value}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    %other = pbsgpu.to_operand %out : !acc -> !a
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c18: cannot defer the last product: the last product has a tile as A, which may be overwritten}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %q, %v, %in : !t, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c18: cannot defer the last product: the last product's B is not the tile of the body's visit}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %out = pbsgpu.mma %p, %q, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c18: cannot defer the last product: the last product's B is not the tile of the body's visit}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%i] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c18: cannot defer the last product: what the last product awaits is also used otherwise}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %s = pbsgpu.mma %q, %v transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c18: cannot defer the last product: the first product needs the last one of the visit before}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %in : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c19: the bodies defer different products}}
  %o:2, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero, %zero : !acc, !acc) : !counts, !indices -> !acc, !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc, %other: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out, %other : !acc, !acc
  }, {
  ^bb0(%key: index, %visit: index, %in: !acc, %other: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %other : !a, !t, !acc
    pbsgpu.yield %in, %out : !acc, !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  %another = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c19: the bodies defer different products}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }, {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %another[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 4>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c19: the bodies defer different products}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 0 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {} bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }, {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v transposed, %in : !a, !t, !acc
    pbsgpu.yield %out : !acc
  }
  return
}

// -----

!t = !pbsgpu.tile<64x64xbf16>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
!a = !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!counts = memref<?x4x?x2xi32>
!indices = memref<?x4x?x?xi16>
!keys = memref<?x64xbf16, strided<[?, 1]>>
func.func @f(%c: !counts, %n: !indices, %i: index, %q: !t, %zero: !acc, %source: !keys) {
  %ring = pbsgpu.alloc_ring : !ring
  // expected-error@+1 {{key_loop_c20: the loop loads 1 visits ahead and defers a read of '!pbsgpu.ring<64x64xbf16, stages = 2>', which has no tile left for that}}
  %o, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 1 deferred
    carry(%zero : !acc) : !counts, !indices -> !acc load {
  ^bb0(%key: index, %visit: index):
    %empty = pbsgpu.acquire %ring[%visit] : !ring -> !t
    pbsgpu.copy_tile %source[%key] to %empty : !keys, !t
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index, %in: !acc):
    %s = pbsgpu.mma %q, %q transposed, %zero : !t, !t, !acc
    %p = pbsgpu.to_operand %s : !acc -> !a
    %v = pbsgpu.await %ring[%visit] : !ring -> !t
    %out = pbsgpu.mma %p, %v, %in : !a, !t, !acc
    pbsgpu.release %v : !t
    pbsgpu.yield %out : !acc
  }
  return
}

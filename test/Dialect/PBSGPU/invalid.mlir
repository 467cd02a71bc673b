// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each.

gpu.module @m {
  // expected-error@+1 {{kernel_c1: warps (0) must be 1 to 32}}
  pbsgpu.kernel @k() warps = 0 {
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{kernel_c1: warps (33) must be 1 to 32}}
  pbsgpu.kernel @k() warps = 33 {
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{kernel_c3: parameter 0 is 'tensor<4xf32>', but must be a strided memref}}
  pbsgpu.kernel @k(%x: tensor<4xf32>) warps = 4 {
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{kernel_c3: parameter 0 is 'memref<4xf32, 3>', but must be a strided memref in the default memory space}}
  pbsgpu.kernel @k(%x: memref<4xf32, 3>) warps = 4 {
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{a kernel has no results}}
  pbsgpu.kernel @k() -> f32 warps = 4 {
    pbsgpu.return
  }
}

// -----

// expected-error@+1 {{expects parent op 'gpu.module'}}
pbsgpu.kernel @k() warps = 4 {
  pbsgpu.return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>) {
  // expected-error@+1 {{copy_tile_c4: has 1 indices into source}}
  pbsgpu.copy_tile %a[%b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x128xbf16>) {
  // expected-error@+1 {{copy_tile_c2: rows of source 'memref<?x?x64xbf16, strided<[?, ?, 1]>>' are not as wide as, or of another type than}}
  pbsgpu.copy_tile %a[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x128xbf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xf16>) {
  // expected-error@+1 {{copy_tile_c2: rows of source 'memref<?x?x64xbf16, strided<[?, ?, 1]>>' are not as wide as, or of another type than}}
  pbsgpu.copy_tile %a[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 2]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>) {
  // expected-error@+1 {{copy_tile_c3: source 'memref<?x?x64xbf16, strided<[?, ?, 2]>>' must have a last dimension of stride 1}}
  pbsgpu.copy_tile %a[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 2]>>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>, %d: memref<?x?xi32>) {
  // expected-error@+1 {{copy_tile_c12: has 2 indices into permutation}}
  pbsgpu.copy_tile %a[%b, %b] through %d[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xbf16>, memref<?x?xi32>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>, %d: memref<?x?xi64>) {
  // expected-error@+1 {{copy_tile_c6: permutation 'memref<?x?xi64>' must hold rows of i32}}
  pbsgpu.copy_tile %a[%b, %b] through %d[%b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xbf16>, memref<?x?xi64>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{await_copies_c1: pending must not be negative}}
  pbsgpu.await_copies pending = -1
  return
}

// -----

func.func @f(%a: f64) {
  // expected-error@+1 {{splat_c1: value is 'f64', but the fragment's elements are 'f32'}}
  %0 = pbsgpu.splat %a : f64 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<128x64xbf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{mma_c4: A is 64x64, B is 128x64 and the accumulator 64x64: not a matrix product}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<128x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<128x64xbf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{mma_c4: A is 64x64, B is 64x128 and the accumulator 64x64: not a matrix product}}
  %0 = pbsgpu.mma %a, %b transposed, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<128x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<64x64xf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{mma_c2: A's elements are 'bf16', but B's are 'f16'}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<64x64xbf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{mma_c1: A must be a tile or an operand_a fragment}}
  %0 = pbsgpu.mma %c, %b, %c : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<64x64xbf16>, %c: !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>) {
  // expected-error@+1 {{mma_c3: the accumulator must be an accumulator fragment}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{map_c3: region must take ('f32', 'i32', 'i32'), but takes ('f32')}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32):
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{map_c3: region must take ('f32', 'i32', 'i32'), but takes ('f32', 'index', 'index')}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %r: index, %c: index):
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %r: i32, %c: i32):
  // expected-error@+1 {{map_c5: must yield ('f32'), but yields ('i32')}}
    pbsgpu.yield %r : i32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %r: i32, %c: i32):
  // expected-error@+1 {{map_c5: must yield ('f32'), but yields ()}}
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %r: i32, %c: i32):
    // expected-error@+1 {{map_c6: cannot stand in a map: all it may do is compute and read memory}}
    gpu.barrier
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{map_c4: region must end with pbsgpu.yield}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %r: i32, %c: i32):
    llvm.unreachable
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{map_c1: input '!pbsgpu.fragment<64x64xf32, accumulator, warps = 4>' does not have the result's form}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 4> {
  ^bb0(%x: f32, %r: i32, %c: i32):
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: i1) {
  // expected-error@+1 {{map_c2: with a condition needs a first input of the result's type}}
  %0 = pbsgpu.map if %a -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> {
  ^bb0(%r: i32, %c: i32):
    %x = arith.constant 1.0 : f32
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{row_reduce_c1: reduces accumulator rows to one column, or to four where there are more}}
  %0 = pbsgpu.row_reduce sum %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x4xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{row_reduce_c1: reduces accumulator rows to one column, or to four where there are more}}
  %0 = pbsgpu.row_reduce sum %a : !pbsgpu.fragment<64x4xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x4xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{row_broadcast_c1: spreads one accumulator column over rows}}
  %0 = pbsgpu.row_broadcast %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  // expected-error@+1 {{to_operand_c1: makes an operand_a fragment of an accumulator of the same shape}}
  %0 = pbsgpu.to_operand %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %b: memref<?x64xbf16, strided<[?, 1]>>, %c: index) {
  // expected-error@+1 {{store_fragment_c4: has 2 indices into destination}}
  pbsgpu.store_fragment %a to %b[%c, %c] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, memref<?x64xbf16, strided<[?, 1]>>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %b: memref<?x32xbf16>, %c: index) {
  // expected-error@+1 {{store_fragment_c5: rows of destination 'memref<?x32xbf16>' are not as wide as those of}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, memref<?x32xbf16>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>, %b: memref<?x?xf32>, %c: index) {
  // expected-error@+1 {{store_fragment_c4: has 1 indices into destination}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>, memref<?x?xf32>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>, %b: memref<?x64xbf16, strided<[?, 1]>>, %c: index) {
  // expected-error@+1 {{store_fragment_c1: stores accumulators}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x64xbf16, operand_a, warps = 4>, memref<?x64xbf16, strided<[?, 1]>>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %b: memref<?x64xi32>, %c: index) {
  // expected-error@+1 {{store_fragment_c2: destination 'memref<?x64xi32>' must hold f32, bf16 or f16}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, memref<?x64xi32>
  return
}

// -----

gpu.module @m {
  // expected-error@+1 {{kernel_c2: must not have results}}
  "pbsgpu.kernel"() <{function_type = () -> f32, sym_name = "k", warps = 4 : i64}> ({
    pbsgpu.return
  }) : () -> ()
}

// -----

func.func @f(%a: memref<64xbf16>, %t: !pbsgpu.tile<64x64xbf16>) {
  // expected-error@+1 {{copy_tile_c1: source 'memref<64xbf16>' must have at least 2 dimensions}}
  pbsgpu.copy_tile %a[] to %t : memref<64xbf16>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%a: memref<?x64xbf16, strided<[?, 1]>>, %t: !pbsgpu.tile<64x64xbf16>, %i: index) {
  // expected-error@+1 {{copy_tile_c5: has indices into a permutation, but no permutation}}
  "pbsgpu.copy_tile"(%a, %i, %i, %t) <{operandSegmentSizes = array<i32: 1, 1, 0, 1, 1>}> : (memref<?x64xbf16, strided<[?, 1]>>, index, index, !pbsgpu.tile<64x64xbf16>) -> ()
  return
}

// -----

func.func @f(%a: memref<?x64xbf16, strided<[?, 1]>>, %t: !pbsgpu.tile<64x64xbf16>, %i: index, %p: memref<?xi32, strided<[2]>>) {
  // expected-error@+1 {{copy_tile_c7: permutation 'memref<?xi32, strided<[2]>>' must have a last dimension of stride 1}}
  pbsgpu.copy_tile %a[%i] through %p[] to %t : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>, memref<?xi32, strided<[2]>>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>, %d: memref<f32>) {
  // expected-error@+1 {{store_fragment_c3: destination must have a dimension for the rows}}
  pbsgpu.store_fragment %a to %d[] : !pbsgpu.fragment<64x1xf32, accumulator, warps = 4>, memref<f32>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %d: memref<?x64xf32, strided<[?, 2]>>, %i: index) {
  // expected-error@+1 {{store_fragment_c6: destination 'memref<?x64xf32, strided<[?, 2]>>' must have a last dimension of stride 1}}
  pbsgpu.store_fragment %a to %d[%i] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, memref<?x64xf32, strided<[?, 2]>>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x4xf32, accumulator, warps = 4>, %d: memref<?x4xf32>, %i: index) {
  // expected-error@+1 {{store_fragment_c1: stores accumulators of other than four columns}}
  pbsgpu.store_fragment %a to %d[%i] : !pbsgpu.fragment<64x4xf32, accumulator, warps = 4>, memref<?x4xf32>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %t: !pbsgpu.tile<128x64xbf16>, %d: memref<?x64xbf16>, %i: index) {
  // expected-error@+1 {{store_fragment_c7: goes through '!pbsgpu.tile<128x64xbf16>', which is not of the shape of}}
  pbsgpu.store_fragment %a through %t to %d[%i] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, memref<?x64xbf16>, !pbsgpu.tile<128x64xbf16>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %t: !pbsgpu.tile<64x64xbf16>, %d: memref<?x64xf16>, %i: index) {
  // expected-error@+1 {{store_fragment_c7: goes through '!pbsgpu.tile<64x64xbf16>', which is not of the shape of}}
  pbsgpu.store_fragment %a through %t to %d[%i] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, memref<?x64xf16>, !pbsgpu.tile<64x64xbf16>
  return
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{a fragment's rows (24) must be a positive multiple of 16}}
func.func private @f(!pbsgpu.fragment<24x64xf32, accumulator, warps = 0>)

// -----

// expected-error@+1 {{a fragment's rows (0) must be a positive multiple of 16}}
func.func private @f(!pbsgpu.fragment<0x64xf32, accumulator, warps = 0>)

// -----

// expected-error@+1 {{an accumulator's columns (12) must be 1 or a positive multiple of 8}}
func.func private @f(!pbsgpu.fragment<64x12xf32, accumulator, warps = 0>)

// -----

// expected-error@+1 {{an accumulator's elements must be f32, not 'bf16'}}
func.func private @f(!pbsgpu.fragment<64x64xbf16, accumulator, warps = 0>)

// -----

// expected-error@+1 {{an operand's elements must be bf16 or f16, not 'f32'}}
func.func private @f(!pbsgpu.fragment<64x64xf32, operand_a, warps = 0>)

// -----

// expected-error@+1 {{an operand's columns (24) must be a positive multiple of 16}}
func.func private @f(!pbsgpu.fragment<64x24xf16, operand_a, warps = 0>)

// -----

// expected-error@+1 {{expected <rows>x<columns>x<type>}}
func.func private @f(!pbsgpu.fragment<64x64x2xf32, accumulator, warps = 0>)

// -----

// expected-error@+1 {{a tile's columns (96) must be a positive multiple of 64}}
func.func private @f(!pbsgpu.tile<64x96xbf16>)

// -----

// expected-error@+1 {{a tile's rows (60) must be a positive multiple of 8}}
func.func private @f(!pbsgpu.tile<60x64xbf16>)

// -----

// expected-error@+1 {{a tile's elements must be bf16 or f16, not 'f32'}}
func.func private @f(!pbsgpu.tile<64x64xf32>)

// -----

// expected-error@+1 {{a tile's stages (0) must be at least 1}}
func.func private @f(!pbsgpu.ring<64x64xbf16, stages = 0>)

// -----

// expected-error@+1 {{a tile must be smaller than 2 GiB}}
func.func private @f(!pbsgpu.tile<9223372036854775800x64xbf16>)

// -----

gpu.module @m {
  // expected-error@+1 {{warps (0) must be 1 to 32}}
  pbsgpu.kernel @k() warps = 0 {
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{warps (33) must be 1 to 32}}
  pbsgpu.kernel @k() warps = 33 {
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{parameter 0 is 'tensor<4xf32>', but must be a strided memref}}
  pbsgpu.kernel @k(%x: tensor<4xf32>) warps = 4 {
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{parameter 0 is 'memref<4xf32, 3>', but must be a strided memref in the default memory space}}
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

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 8 {
    // expected-error@+1 {{cannot be shared by 8 warps: they must be a multiple of 128}}
    %0 = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 8>
    pbsgpu.return
  }
}

// -----

func.func @f(%a: !pbsgpu.ring<64x64xbf16, stages = 2>, %b: index) {
  // expected-error@+1 {{a stage of '!pbsgpu.ring<64x64xbf16, stages = 2>' is '!pbsgpu.tile<64x64xbf16>'}}
  %0 = pbsgpu.await %a[%b] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<32x64xbf16>
  return
}

// -----

func.func @f(%a: !pbsgpu.ring<64x64xbf16, stages = 2>) {
  %b = arith.constant 2 : index
  // expected-error@+1 {{stage 2 does not exist in '!pbsgpu.ring<64x64xbf16, stages = 2>'}}
  %0 = pbsgpu.await %a[%b] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32, %a: !pbsgpu.ring<64x64xbf16, stages = 2>) {
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %c0 walk = list key_block = 128 key_tile = 64 ahead = 2 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {
  ^bb0(%k: index, %s: index):
    // expected-error@+1 {{the key loop counts 3 stages, more than those of '!pbsgpu.ring<64x64xbf16, stages = 2>'}}
    %1 = pbsgpu.acquire %a[%s] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.yield
  } bodies {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }, {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.ring<64x64xbf16, stages = 2>) {
  // expected-error@+1 {{copies into one tile, not into the ring}}
  pbsgpu.copy_tile %a[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.ring<64x64xbf16, stages = 2>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>) {
  // expected-error@+1 {{has 1 indices into source}}
  pbsgpu.copy_tile %a[%b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x128xbf16>) {
  // expected-error@+1 {{are not as wide as, or of another type than}}
  pbsgpu.copy_tile %a[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x128xbf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xf16>) {
  // expected-error@+1 {{are not as wide as, or of another type than}}
  pbsgpu.copy_tile %a[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 2]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>) {
  // expected-error@+1 {{must have a last dimension of stride 1}}
  pbsgpu.copy_tile %a[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 2]>>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>, %d: memref<?x?xi32>) {
  // expected-error@+1 {{has 2 indices into permutation}}
  pbsgpu.copy_tile %a[%b, %b] through %d[%b, %b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xbf16>, memref<?x?xi32>
  return
}

// -----

func.func @f(%a: memref<?x?x64xbf16, strided<[?, ?, 1]>>, %b: index, %c: !pbsgpu.tile<64x64xbf16>, %d: memref<?x?xi64>) {
  // expected-error@+1 {{must hold rows of i32}}
  pbsgpu.copy_tile %a[%b, %b] through %d[%b] to %c : memref<?x?x64xbf16, strided<[?, ?, 1]>>, !pbsgpu.tile<64x64xbf16>, memref<?x?xi64>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{pending must not be negative}}
  pbsgpu.await_copies pending = -1
  return
}

// -----

func.func @f(%a: f64) {
  // expected-error@+1 {{value is 'f64', but the fragment's elements are 'f32'}}
  %0 = pbsgpu.splat %a : f64 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<128x64xbf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{A is 64x64, B is 128x64 and the accumulator 64x64: not a matrix product}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<128x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<128x64xbf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{A is 64x64, B is 64x128 and the accumulator 64x64: not a matrix product}}
  %0 = pbsgpu.mma %a, %b transposed, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<128x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<64x64xf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{A's elements are 'bf16', but B's are 'f16'}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<64x64xbf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{A must be a tile or an operand_a fragment}}
  %0 = pbsgpu.mma %c, %b, %c : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.ring<64x64xbf16, stages = 2>, %b: !pbsgpu.tile<64x64xbf16>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{reads one tile, not the ring}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.ring<64x64xbf16, stages = 2>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.ring<64x64xbf16, stages = 2>, %c: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{reads one tile, not the ring}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.ring<64x64xbf16, stages = 2>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.tile<64x64xbf16>, %b: !pbsgpu.tile<64x64xbf16>, %c: !pbsgpu.fragment<64x64xbf16, operand_a, warps = 0>) {
  // expected-error@+1 {{the accumulator must be an accumulator fragment}}
  %0 = pbsgpu.mma %a, %b, %c : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xbf16, operand_a, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{region must take ('f32', 'i32', 'i32'), but takes ('f32')}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> {
  ^bb0(%x: f32):
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{region must take ('f32', 'i32', 'i32'), but takes ('f32', 'index', 'index')}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> {
  ^bb0(%x: f32, %r: index, %c: index):
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> {
  ^bb0(%x: f32, %r: i32, %c: i32):
  // expected-error@+1 {{must yield ('f32'), but yields ('i32')}}
    pbsgpu.yield %r : i32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> {
  ^bb0(%x: f32, %r: i32, %c: i32):
  // expected-error@+1 {{must yield ('f32'), but yields ()}}
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> {
  ^bb0(%x: f32, %r: i32, %c: i32):
    // expected-error@+1 {{cannot stand in a map: all it may do is compute and read memory}}
    gpu.barrier
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{region must end with pbsgpu.yield}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> {
  ^bb0(%x: f32, %r: i32, %c: i32):
    llvm.unreachable
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{does not have the result's form}}
  %0 = pbsgpu.map %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x1xf32, accumulator, warps = 0> {
  ^bb0(%x: f32, %r: i32, %c: i32):
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: i1) {
  // expected-error@+1 {{with a condition needs a first input of the result's type}}
  %0 = pbsgpu.map if %a -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> {
  ^bb0(%r: i32, %c: i32):
    %x = arith.constant 1.0 : f32
    pbsgpu.yield %x : f32
  }
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{reduces accumulator rows to one column}}
  %0 = pbsgpu.row_reduce sum %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{spreads one accumulator column over rows}}
  %0 = pbsgpu.row_broadcast %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>) {
  // expected-error@+1 {{makes an operand_a fragment of an accumulator of the same shape}}
  %0 = pbsgpu.to_operand %a : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0> -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>, %b: memref<?x64xbf16, strided<[?, 1]>>, %c: index) {
  // expected-error@+1 {{has 2 indices into destination}}
  pbsgpu.store_fragment %a to %b[%c, %c] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>, memref<?x64xbf16, strided<[?, 1]>>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>, %b: memref<?x32xbf16>, %c: index) {
  // expected-error@+1 {{are not as wide as those of}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>, memref<?x32xbf16>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x1xf32, accumulator, warps = 0>, %b: memref<?x?xf32>, %c: index) {
  // expected-error@+1 {{has 1 indices into destination}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x1xf32, accumulator, warps = 0>, memref<?x?xf32>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xbf16, operand_a, warps = 0>, %b: memref<?x64xbf16, strided<[?, 1]>>, %c: index) {
  // expected-error@+1 {{stores accumulators}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x64xbf16, operand_a, warps = 0>, memref<?x64xbf16, strided<[?, 1]>>
  return
}

// -----

func.func @f(%a: !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>, %b: memref<?x64xi32>, %c: index) {
  // expected-error@+1 {{must hold f32, bf16 or f16}}
  pbsgpu.store_fragment %a to %b[%c] : !pbsgpu.fragment<64x64xf32, accumulator, warps = 0>, memref<?x64xi32>
  return
}

// -----

// expected-error @below {{'gpu.module' op the pbsgpu dialect has no attribute 'pbsgpu.schedul'}}
gpu.module @misspelt attributes {pbsgpu.schedul = 1} {
}

// -----

// expected-error @below {{'gpu.module' op 'pbsgpu.schedule' must be a #pbsgpu.schedule, but is 1 : i64}}
gpu.module @number attributes {pbsgpu.schedule = 1} {
}

// -----

// expected-error @below {{schedule's warps (3) must be 1, 2, 4 or 8}}
gpu.module @warps attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 3, stages = 2>} {
}

// -----

// expected-error @below {{schedule's off names "walk-lists", which is no pass that can be left out; those are walk-list, double-buffer}}
gpu.module @off attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["walk-lists"]>} {
}

// -----

// expected-error@+1 {{a tensor map's elements must be bf16 or f16, not 'f32'}}
func.func private @f(!pbsgpu.tensor_map<64x64xf32, dimensions = 2>)

// -----

// expected-error@+1 {{a tensor map's rows (257) must be 1 to 256}}
func.func private @f(!pbsgpu.tensor_map<257x64xbf16, dimensions = 2>)

// -----

// expected-error@+1 {{a tensor map's rows (0) must be 1 to 256}}
func.func private @f(!pbsgpu.tensor_map<0x64xbf16, dimensions = 2>)

// -----

// expected-error@+1 {{a tensor map's columns (96) must be a positive multiple of 64}}
func.func private @f(!pbsgpu.tensor_map<64x96xbf16, dimensions = 2>)

// -----

// expected-error@+1 {{a tensor map's dimensions (1) must be 2 to 5}}
func.func private @f(!pbsgpu.tensor_map<64x64xbf16, dimensions = 1>)

// -----

// expected-error@+1 {{a tensor map's dimensions (6) must be 2 to 5}}
func.func private @f(!pbsgpu.tensor_map<64x64xbf16, dimensions = 6>)

// -----

// expected-error@+1 {{expected ','}}
func.func private @f(!pbsgpu.tensor_map<64x64xbf16>)

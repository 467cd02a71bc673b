// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each.

pbsgpu.plan @p {
  // expected-error@+1 {{size_c4: size "B" is not bound by an argument's shape}}
  %B = pbsgpu.size "B"
}

// -----

pbsgpu.plan @p {
  %B = pbsgpu.size "B"
  // expected-error@+1 {{size_c3: a size "B" exists already}}
  %N = pbsgpu.size "B"
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{size_c2: name 'multiprocessors' is taken by the format}}
  %N = pbsgpu.size "multiprocessors"
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{size_c1: name must not be empty}}
  %N = pbsgpu.size ""
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.argument "x" input [8] align 16 : memref<8xf32>
  // expected-error@+1 {{plan_c4: an argument or buffer "x" exists already}}
  %y = pbsgpu.buffer "x" [8] align 16 : memref<8xf32>
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.argument "x" output [8] align 16 : memref<8xf32>
  // expected-error@+1 {{plan_c3: an input must stand before the outputs}}
  %y = pbsgpu.argument "y" input [8] align 16 : memref<8xf32>
}

// -----

pbsgpu.plan @p {
  %c = arith.constant 3 : index
  // expected-error@+1 {{plan_c1: cannot stand in a plan: its file cannot express it}}
  %d = arith.shli %c, %c : index
}

// -----

pbsgpu.plan @p {
  %c = arith.constant 3 : i32
  // expected-error@+1 {{plan_c2: cannot stand in a plan: it computes with index and i1, not with 'i32'}}
  %d = arith.addi %c, %c : i32
}

// -----

pbsgpu.plan @p {
  %c = arith.constant 3 : index
  // expected-error@+1 {{plan_c1: cannot stand in a plan: its file cannot express it}}
  %d = arith.cmpi ult, %c, %c : index
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c3: has a shape of 2 dimensions for 'memref<8xf32>'}}
  %x = pbsgpu.argument "x" input [8, 8] align 16 : memref<8xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c6: shape does not agree with 'memref<?xf32>': extents must be static where the type's are}}
  %x = pbsgpu.argument "x" input [8] align 16 : memref<?xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c5: extents must be at least 1, not 0}}
  %x = pbsgpu.argument "x" input [0] align 16 : memref<0xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c7: alignment (12) must be a power of two}}
  %x = pbsgpu.argument "x" input [8] align 12 : memref<8xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c2: elements must be bf16, f16, f32, i32, i16 or i1, not 'f64'}}
  %x = pbsgpu.argument "x" input [8] align 16 : memref<8xf64>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c8: must be contiguous or have the layout}}
  %x = pbsgpu.argument "x" input [8, 8] align 16 : memref<8x8xf32, strided<[16, 1]>>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c8: must be contiguous, not}}
  %x = pbsgpu.buffer "x" [8, 8] align 16 : memref<8x8xf32, strided<[?, 1]>>
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 4 {
    pbsgpu.return
  }
}
pbsgpu.plan @p {
  %f = arith.constant 1.0 : f32
  %c = arith.constant 1 : index
  // expected-error@+1 {{launch_c3: kernel @m::@nothing does not exist}}
  pbsgpu.launch @m::@nothing grid(%c, %c, %c) arguments(%f : f32)
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 4 {
    pbsgpu.return
  }
}
pbsgpu.plan @p {
  %f = arith.constant 1.0 : f32
  %c = arith.constant 1 : index
  // expected-error@+1 {{launch_c4: has 0 arguments, but kernel @m::@k takes 1}}
  pbsgpu.launch @m::@k grid(%c, %c, %c) arguments()
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 4 {
    pbsgpu.return
  }
}
pbsgpu.plan @p {
  %f = arith.constant 1.0 : f32
  %c = arith.constant 1 : index
  // expected-error@+1 {{launch_c6: argument 0 is 'index', but kernel @m::@k takes 'f32'}}
  pbsgpu.launch @m::@k grid(%c, %c, %c) arguments(%c : index)
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 4 {
    pbsgpu.return
  }
}
pbsgpu.plan @p {
  %f = arith.constant 1.0 : f32
  %c = arith.constant 1 : index
  // expected-error@+1 {{launch_c1: shared_bytes must not be negative}}
  pbsgpu.launch @m::@k grid(%c, %c, %c) shared_bytes = -1 arguments(%f : f32)
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 4 {
    pbsgpu.return
  }
}
pbsgpu.plan @p {
  // expected-note@+1 {{prior use here}}
  %f = arith.constant 1.0 : f32
  %c = arith.constant 1 : index
  // expected-error@+1 {{use of value '%f' expects different type than prior uses: 'index' vs 'f32'}}
  pbsgpu.launch @m::@k grid(%c, %c, %c) dynamic_shared_bytes(%f) arguments(%f : f32)
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 4 {
    pbsgpu.return
  }
}
pbsgpu.plan @p {
  %f = arith.constant 1.0 : f32
  %c = arith.constant 1 : index
  // expected-error@+1 {{launch_c2: shared_bytes must be at most 2147483647}}
  pbsgpu.launch @m::@k grid(%c, %c, %c) shared_bytes = 2147483648 arguments(%f : f32)
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @dynamic() warps = 1 {
    %memory = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    pbsgpu.return
  }
}
pbsgpu.plan @plan {
  %c1 = arith.constant 1 : index
  // expected-error @below {{'pbsgpu.launch' op launch_c5: has no dynamic_shared_bytes, but kernel @kernels::@dynamic uses gpu.dynamic_shared_memory}}
  pbsgpu.launch @kernels::@dynamic grid(%c1, %c1, %c1) arguments()
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.argument "x" input [8, 128] align 16 : memref<8x128xbf16>
  // expected-error@+1 {{tensor_map_c1: source 'memref<8x128xbf16>' does not have the dimensions or the element type of '!pbsgpu.tensor_map<64x64xbf16, dimensions = 3>'}}
  %map = pbsgpu.tensor_map %x : memref<8x128xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 3>
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.argument "x" input [8, 128] align 16 : memref<8x128xbf16>
  // expected-error@+1 {{tensor_map_c1: source 'memref<8x128xbf16>' does not have the dimensions or the element type of}}
  %map = pbsgpu.tensor_map %x : memref<8x128xbf16> -> !pbsgpu.tensor_map<64x64xf16, dimensions = 2>
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.argument "x" input [8, 64] align 16 : memref<8x64xbf16>
  // expected-error@+1 {{tensor_map_c2: the last extent of source 'memref<8x64xbf16>' must be static and a multiple of 128, the columns of}}
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<64x128xbf16, dimensions = 2>
}

// -----

pbsgpu.plan @p {
  %D = pbsgpu.size "D"
  %x = pbsgpu.argument "x" input [8, %D] align 16 : memref<8x?xbf16>
  // expected-error@+1 {{tensor_map_c2: the last extent of source 'memref<8x?xbf16>' must be static and a multiple of 64}}
  %map = pbsgpu.tensor_map %x : memref<8x?xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.argument "x" input [8, 64] align 8 : memref<8x64xbf16>
  // expected-error@+1 {{tensor_map_c4: source is aligned to 8 bytes, but TMA needs 16}}
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.buffer "x" [8, 64] align 2 : memref<8x64xbf16>
  // expected-error@+1 {{tensor_map_c4: source is aligned to 2 bytes, but TMA needs 16}}
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.buffer "x" [8, 64] align 16 : memref<8x64xbf16>
  %y = pbsgpu.buffer "y" [8, 64] align 16 : memref<8x64xbf16>
  %true = arith.constant true
  %either = arith.select %true, %x, %y : memref<8x64xbf16>
  // expected-error@+1 {{tensor_map_c3: source must be an argument or a buffer}}
  %map = pbsgpu.tensor_map %either : memref<8x64xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
}

// -----

pbsgpu.plan @p {
  %x = pbsgpu.buffer "x" [8, 64] align 16 : memref<8x64xbf16>
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
  %true = arith.constant true
  // expected-error@+1 {{plan_c2: cannot stand in a plan: it computes with index and i1, not with '!pbsgpu.tensor_map<64x64xbf16, dimensions = 2>'}}
  %either = arith.select %true, %map, %map : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
}

// -----

func.func @f(%x: memref<8x64xbf16>) {
  // expected-error@+1 {{expects parent op 'pbsgpu.plan'}}
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>) warps = 4 {
    pbsgpu.return
  }
}
pbsgpu.plan @p {
  %c = arith.constant 1 : index
  %x = pbsgpu.buffer "x" [8, 64] align 16 : memref<8x64xbf16>
  %map = pbsgpu.tensor_map %x : memref<8x64xbf16> -> !pbsgpu.tensor_map<32x64xbf16, dimensions = 2>
  // expected-error@+1 {{launch_c6: argument 0 is '!pbsgpu.tensor_map<32x64xbf16, dimensions = 2>', but kernel @m::@k takes '!pbsgpu.tensor_map<64x64xbf16, dimensions = 2>'}}
  pbsgpu.launch @m::@k grid(%c, %c, %c) arguments(%map : !pbsgpu.tensor_map<32x64xbf16, dimensions = 2>)
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c1: name must not be empty}}
  %x = pbsgpu.argument "" input [8] align 16 : memref<8xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{argument_c4: needs an operand for each dynamic extent}}
  %x = "pbsgpu.argument"() <{alignment = 16 : i64, name = "x", role = #pbsgpu<role input>, staticShape = array<i64: -9223372036854775808>}> : () -> memref<?xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c1: name must not be empty}}
  %x = pbsgpu.buffer "" [8] align 16 : memref<8xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c2: elements must be bf16, f16, f32, i32, i16 or i1, not 'i64'}}
  %x = pbsgpu.buffer "x" [8] align 16 : memref<8xi64>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c3: has a shape of 1 dimensions for 'memref<8x8xf32>'}}
  %x = pbsgpu.buffer "x" [8] align 16 : memref<8x8xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c4: needs an operand for each dynamic extent}}
  %x = "pbsgpu.buffer"() <{alignment = 16 : i64, name = "x", staticShape = array<i64: -9223372036854775808>}> : () -> memref<?xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c5: extents must be at least 1, not 0}}
  %x = pbsgpu.buffer "x" [0] align 16 : memref<0xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c6: shape does not agree with 'memref<8xf32>': extents must be static where the type's are}}
  %x = pbsgpu.buffer "x" [4] align 16 : memref<8xf32>
}

// -----

pbsgpu.plan @p {
  // expected-error@+1 {{buffer_c7: alignment (0) must be a power of two}}
  %x = pbsgpu.buffer "x" [8] align 0 : memref<8xf32>
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each.

// expected-error@+1 {{fragment_c2: rows (24) must be a positive multiple of 64, 16 for each of its 4 warps}}
func.func private @f(!pbsgpu.fragment<24x64xf32, accumulator, warps = 4>)

// -----

// expected-error@+1 {{fragment_c2: rows (0) must be a positive multiple of 64, 16 for each of its 4 warps}}
func.func private @f(!pbsgpu.fragment<0x64xf32, accumulator, warps = 4>)

// -----

// expected-error@+1 {{fragment_c4: an accumulator's columns (12) must be 1, 4 or a positive multiple of 8}}
func.func private @f(!pbsgpu.fragment<64x12xf32, accumulator, warps = 4>)

// -----

// expected-error@+1 {{fragment_c3: an accumulator's elements must be f32, not 'bf16'}}
func.func private @f(!pbsgpu.fragment<64x64xbf16, accumulator, warps = 4>)

// -----

// expected-error@+1 {{fragment_c5: an operand's elements must be bf16 or f16, not 'f32'}}
func.func private @f(!pbsgpu.fragment<64x64xf32, operand_a, warps = 4>)

// -----

// expected-error@+1 {{fragment_c6: an operand's columns (24) must be a positive multiple of 16}}
func.func private @f(!pbsgpu.fragment<64x24xf16, operand_a, warps = 4>)

// -----

// expected-error@+1 {{expected <rows>x<columns>x<type>}}
func.func private @f(!pbsgpu.fragment<64x64x2xf32, accumulator, warps = 4>)

// -----

// expected-error@+1 {{tile_c3: columns (96) must be a positive multiple of 64}}
func.func private @f(!pbsgpu.tile<64x96xbf16>)

// -----

// expected-error@+1 {{tile_c2: rows (60) must be a positive multiple of 8}}
func.func private @f(!pbsgpu.tile<60x64xbf16>)

// -----

// expected-error@+1 {{tile_c1: elements must be bf16 or f16, not 'f32'}}
func.func private @f(!pbsgpu.tile<64x64xf32>)

// -----

// expected-error@+1 {{ring_c1: stages (0) must be at least 1}}
func.func private @f(!pbsgpu.ring<64x64xbf16, stages = 0>)

// -----

// expected-error@+1 {{tile_c4: a tile must be smaller than 2 GiB}}
func.func private @f(!pbsgpu.tile<9223372036854775800x64xbf16>)

// -----

// expected-error @below {{'gpu.module' op schedule_c6: the pbsgpu dialect has no attribute 'pbsgpu.schedul'}}
gpu.module @misspelt attributes {pbsgpu.schedul = 1} {
}

// -----

// expected-error @below {{'gpu.module' op schedule_c5: 'pbsgpu.schedule' must be a #pbsgpu.schedule, but is 1 : i64}}
gpu.module @number attributes {pbsgpu.schedule = 1} {
}

// -----

// expected-error @below {{schedule_c2: warps (3) must be 1, 2, 4, 8 or 12}}
gpu.module @warps attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 3, stages = 2>} {
}

// -----

// expected-error @below {{schedule_c4: off names "walk-lists", which is no pass that can be left out; those are walk-list, double-buffer, signal-copies, use-tensor-maps, split-roles, defer-values, persist, stage-output, async-products}}
gpu.module @off attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 2, off = ["walk-lists"]>} {
}

// -----

// expected-error@+1 {{tensor_map_type_c1: elements must be bf16 or f16, not 'f32'}}
func.func private @f(!pbsgpu.tensor_map<64x64xf32, dimensions = 2>)

// -----

// expected-error@+1 {{tensor_map_type_c2: rows (257) must be 1 to 256}}
func.func private @f(!pbsgpu.tensor_map<257x64xbf16, dimensions = 2>)

// -----

// expected-error@+1 {{tensor_map_type_c2: rows (0) must be 1 to 256}}
func.func private @f(!pbsgpu.tensor_map<0x64xbf16, dimensions = 2>)

// -----

// expected-error@+1 {{tensor_map_type_c3: columns (96) must be a positive multiple of 64}}
func.func private @f(!pbsgpu.tensor_map<64x96xbf16, dimensions = 2>)

// -----

// expected-error@+1 {{tensor_map_type_c4: dimensions (1) must be 2 to 5}}
func.func private @f(!pbsgpu.tensor_map<64x64xbf16, dimensions = 1>)

// -----

// expected-error@+1 {{tensor_map_type_c4: dimensions (6) must be 2 to 5}}
func.func private @f(!pbsgpu.tensor_map<64x64xbf16, dimensions = 6>)

// -----

// expected-error@+1 {{expected ','}}
func.func private @f(!pbsgpu.tensor_map<64x64xbf16>)

// -----

// expected-error@+1 {{fragment_c1: warps (0) must be 1 to 32}}
func.func private @f(!pbsgpu.fragment<64x64xf32, accumulator, warps = 0>)

// -----

// expected-error@+1 {{fragment_c1: warps (33) must be 1 to 32}}
func.func private @f(!pbsgpu.fragment<64x64xf32, accumulator, warps = 33>)

// -----

// expected-error@+1 {{ring_c2: a ring must be smaller than 2 GiB}}
func.func private @f(!pbsgpu.ring<64x64xbf16, stages = 262144>)

// -----

// expected-error@+1 {{schedule_c1: key_tile (24) must be 16, 32, 64 or 128}}
gpu.module @key_tile attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 24, warps = 4, stages = 2>} {
}

// -----

// expected-error@+1 {{schedule_c3: stages (0) must be 1 to 8}}
gpu.module @stages attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 0>} {
}

// -----

// expected-error@+1 {{schedule_c3: stages (9) must be 1 to 8}}
gpu.module @stages attributes {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 64, warps = 4, stages = 9>} {
}

// -----

// expected-error@+1 {{item_ring_c1: stages (0) must be 1 to 8}}
func.func private @f(!pbsgpu.item_ring<stages = 0>)

// -----

// expected-error@+1 {{item_ring_c1: stages (9) must be 1 to 8}}
func.func private @f(!pbsgpu.item_ring<stages = 9>)

// -----

// expected-error@+1 {{fragment_c3: an accumulator's elements must be f32, not 'bf16'}}
func.func private @f(!pbsgpu.pending<64x64xbf16, accumulator, warps = 4>)

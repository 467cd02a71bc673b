// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each.

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c1: has one of filled_by and emptied_by, but needs both or none}}
    %ring = pbsgpu.alloc_ring filled_by = 1 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c1: has one of filled_by and emptied_by}}
    %ring = pbsgpu.alloc_ring emptied_by = 1 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c2: filled_by (0) must be 1 to 1024}}
    %ring = pbsgpu.alloc_ring filled_by = 0 emptied_by = 1 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c2: filled_by (1025) must be 1 to 1024}}
    %ring = pbsgpu.alloc_ring filled_by = 1025 emptied_by = 1 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c3: emptied_by (0) must be 1 to 32}}
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 0 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c3: emptied_by (33) must be 1 to 32}}
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 33 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// -----

func.func @f() {
  // expected-error@+1 {{alloc_ring_c4: a ring with signals stands in the first block of a kernel}}
  %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 1 : !pbsgpu.ring<64x64xbf16, stages = 2>
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    cf.br ^next
    ^next:
    // expected-error@+1 {{alloc_ring_c4: a ring with signals stands in the first block of a kernel}}
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    pbsgpu.roles "a" warps = 4 {
      // expected-error@+1 {{alloc_ring_c4: a ring with signals stands in the first block of a kernel}}
      %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring filled_by = 2 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    // expected-error@+1 {{alloc_ring_c5: the copy arrives 1 times at the ring, but it is filled_by 2}}
    %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.copy_tile %map[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%source: memref<?x64xbf16, strided<[?, 1]>>, %i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    // expected-error@+1 {{alloc_ring_c5: the copy arrives 128 times at the ring, but it is filled_by 1}}
    %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.copy_tile %source[%i] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%source: memref<?x64xbf16, strided<[?, 1]>>, %i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring filled_by = 64 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.roles "fill" warps = 3 {
      // expected-error@+1 {{alloc_ring_c5: the copy arrives 96 times at the ring, but it is filled_by 64}}
      %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %source[%i] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    } "read" warps = 1 {
      %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c6: 4 warps release the ring's tiles, but it is emptied_by 3}}
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 3 : !pbsgpu.ring<64x64xbf16, stages = 2>
    %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.copy_tile %map[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c6: 3 warps release the ring's tiles, but it is emptied_by 4}}
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    pbsgpu.roles "fill" warps = 1 {
      %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %map[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    } "one" warps = 1 {
      %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    } "two" warps = 2 {
      %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.copy_tile %map[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
    // expected-error@+1 {{alloc_ring_c7: the tile is not released, but other tiles of the ring are}}
    %other = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c8: tiles of the ring are filled, but never awaited}}
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.copy_tile %map[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    // expected-error@+1 {{alloc_ring_c8: tiles of the ring are awaited, but never filled}}
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %i: index) {
  // expected-error@+1 {{acquire_c1: gives '!pbsgpu.tile<32x64xbf16>', but a tile of '!pbsgpu.ring<64x64xbf16, stages = 2>' is '!pbsgpu.tile<64x64xbf16>'}}
  %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<32x64xbf16>
  return
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %i: index) {
  // expected-error@+1 {{await_c1: gives '!pbsgpu.tile<64x64xf16>', but a tile of '!pbsgpu.ring<64x64xbf16, stages = 2>' is '!pbsgpu.tile<64x64xbf16>'}}
  %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xf16>
  return
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %i: index) {
  // expected-error@+1 {{acquire_c2: the tile is used 0 times, but must be used once, by a pbsgpu.copy_tile into it}}
  %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %source: memref<?x64xbf16, strided<[?, 1]>>, %i: index) {
  // expected-error@+1 {{acquire_c2: the tile is used 2 times}}
  %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  pbsgpu.copy_tile %source[%i] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
  pbsgpu.copy_tile %source[%i] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %i: index) {
  // expected-error@+1 {{acquire_c2: the tile is used 1 times}}
  %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  pbsgpu.release %empty : !pbsgpu.tile<64x64xbf16>
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    // expected-error@+1 {{acquire_c3: another role copies into the tile than the one that acquires it}}
    %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.roles "fill" warps = 1 {
      pbsgpu.copy_tile %map[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    } "read" warps = 3 {
      %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

func.func @f(%full: !pbsgpu.tile<64x64xbf16>) {
  // expected-error@+1 {{release_c1: the tile is not what a pbsgpu.await gives}}
  pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %i: index) {
  %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  // expected-error@+1 {{release_c2: the tile is released twice}}
  pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
  pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.roles "fill" warps = 1 {
      pbsgpu.end_role
    } "read" warps = 3 {
      // expected-error@+1 {{release_c3: another role awaits the tile than the one that releases it}}
      pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %i: index, %zero: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>) {
  %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  // expected-error@+1 {{release_c4: the tile is read after it is released}}
  pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
  %product = pbsgpu.mma %full, %full, %zero : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  return
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %i: index, %zero: !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>, %if: i1) {
  %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  // expected-error@+1 {{release_c4: the tile is read after it is released}}
  pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
  scf.if %if {
    %product = pbsgpu.mma %full, %full, %zero : !pbsgpu.tile<64x64xbf16>, !pbsgpu.tile<64x64xbf16>, !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
  }
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    %a = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
    cf.br ^next(%a : !pbsgpu.ring<64x64xbf16, stages = 2>)
  ^next(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>):
    // expected-error@+1 {{kernel_c4: the ring is not what a pbsgpu.alloc_ring gives}}
    %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

func.func @f(%map: !pbsgpu.tensor_map<32x64xbf16, dimensions = 2>, %tile: !pbsgpu.tile<64x64xbf16>, %i: index) {
  // expected-error@+1 {{copy_tile_c8: copies tiles of '!pbsgpu.tensor_map<32x64xbf16, dimensions = 2>', but '!pbsgpu.tile<64x64xbf16>' is another}}
  pbsgpu.copy_tile %map[%i] to %tile : !pbsgpu.tensor_map<32x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %tile: !pbsgpu.tile<64x64xbf16>, %i: index) {
  // expected-error@+1 {{copy_tile_c9: has 2 indices into '!pbsgpu.tensor_map<64x64xbf16, dimensions = 2>', but needs 1}}
  pbsgpu.copy_tile %map[%i, %i] to %tile : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

func.func @f(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %tile: !pbsgpu.tile<64x64xbf16>, %i: index, %p: memref<?xi32>) {
  // expected-error@+1 {{copy_tile_c10: a tensor map does not gather rows}}
  pbsgpu.copy_tile %map[%i] through %p[] to %tile : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>, memref<?xi32>
  return
}

// -----

func.func @f(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %tile: !pbsgpu.tile<64x64xbf16>, %i: index) {
  // expected-error@+1 {{copy_tile_c11: a tensor map fills tiles acquired from a ring with signals only}}
  pbsgpu.copy_tile %map[%i] to %tile : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%map: !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, %i: index) warps = 4 {
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
    %empty = pbsgpu.acquire %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    // expected-error@+1 {{copy_tile_c11: a tensor map fills tiles acquired from a ring with signals only}}
    pbsgpu.copy_tile %map[%i] to %empty : !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>, !pbsgpu.tile<64x64xbf16>
    pbsgpu.return
  }
}

// -----

func.func @f(%ring: !pbsgpu.ring<64x64xbf16, stages = 2>, %source: memref<?x64xbf16, strided<[?, 1]>>, %i: index) {
  %full = pbsgpu.await %ring[%i] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
  // expected-error@+1 {{copy_tile_c13: the tile is awaited for reading; pbsgpu.acquire gives one to fill}}
  pbsgpu.copy_tile %source[%i] to %full : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
  return
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each.

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c3: key_block (128) must be a positive multiple of key_tile (48)}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 48 ahead = 0 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c3: key_block (128) must be a positive multiple of key_tile (0)}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 0 ahead = 0 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c4: ahead (-1) must not be negative}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = -1 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c5: with walk = test must have ahead = 0, not 1}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 1 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c6: with walk = test has 2 bodies, but needs one}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }, {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c6: with walk = list has 3 bodies, but needs one or two}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {
  ^bb0(%k: index, %s: index):
    pbsgpu.yield
  } bodies {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }, {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }, {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c7: must have a load region exactly if ahead is above 0}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {
  ^bb0(%k: index, %s: index):
    pbsgpu.yield
  } bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c7: must have a load region exactly if ahead is above 0}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }, {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c13: load region must take ('index', 'index'), but takes ('index')}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {
  ^bb0(%k: index):
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

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c12: carries (), but its results are ('f32')}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c14: body must take ('index', 'index', 'i1', 'f32'), but takes ('index', 'index', 'f32')}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    // expected-error@+1 {{key_loop_c16: must yield ('f32'), but yields ()}}
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x3xi32>, %n: memref<?x4x?x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c1: counts 'memref<?x4x?x3xi32>' must be i32, batch x head x query block x 2}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%x : f32)
    : memref<?x4x?x3xi32>, memref<?x4x?x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?xi16>, %i: index, %x: f32) {
  // expected-error@+1 {{key_loop_c2: indices 'memref<?x4x?xi16>' must be i16, batch x head x query block x capacity}}
  %0, %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0 carry(%x : f32)
    : memref<?x4x?x2xi32>, memref<?x4x?xi16> -> f32 load {} bodies {
  ^bb0(%k: index, %s: index, %m: i1, %y: f32):
    pbsgpu.yield %y : f32
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c8: load region must have one block}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
  ^bb0(%key: index, %visit: index):
    cf.br ^next
    ^next:
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }, {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %source: memref<?x64xbf16, strided<[?, 1]>>, %ring: !pbsgpu.ring<64x64xbf16, stages = 2>) {
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
  ^bb0(%key: index, %visit: index):
    // expected-error@+1 {{key_loop_c9: the ring is not allocated by pbsgpu.alloc_ring}}
    %empty = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.copy_tile %source[%key] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }, {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %source: memref<?x64xbf16, strided<[?, 1]>>) warps = 4 {
    %ring = pbsgpu.alloc_ring filled_by = 128 emptied_by = 4 : !pbsgpu.ring<64x64xbf16, stages = 2>
    %plain = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
    %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1
      : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
    ^bb0(%key: index, %visit: index):
      %empty = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %source[%key] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
      // expected-error@+1 {{key_loop_c10: some rings of the loop have signals and others have none}}
      %other = pbsgpu.acquire %plain[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
      pbsgpu.copy_tile %source[%key] to %other : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
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
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index, %source: memref<?x64xbf16, strided<[?, 1]>>) {
  %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x64xbf16, stages = 2>
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 2
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
  ^bb0(%key: index, %visit: index):
    // expected-error@+1 {{key_loop_c11: the loop loads 2 visits ahead, but '!pbsgpu.ring<64x64xbf16, stages = 2>' has no tile left for that}}
    %empty = pbsgpu.acquire %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.copy_tile %source[%key] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x64xbf16>
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    %full = pbsgpu.await %ring[%visit] : !pbsgpu.ring<64x64xbf16, stages = 2> -> !pbsgpu.tile<64x64xbf16>
    pbsgpu.release %full : !pbsgpu.tile<64x64xbf16>
    pbsgpu.yield
  }, {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c15: body must end with pbsgpu.yield}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    llvm.unreachable
  }, {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c21: has 1 lengths, but needs two or three, and to walk a list}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i lengths(%i) walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c21: has 4 lengths, but needs two or three, and to walk a list}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i lengths(%i, %i, %i, %i) walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c21: has 2 lengths, but needs two or three, and to walk a list}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i lengths(%i, %i) walk = test key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} bodies {
  ^bb0(%key: index, %visit: index, %masked: i1):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c22: must have a region of one block for near_end exactly if it has the number, which must be at least 1}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} near_end = 0 {
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c22: must have a region of one block for near_end exactly if it has the number}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} near_end = 3 {} bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c22: must have a region of one block for near_end exactly if it has the number}}
  %next = "pbsgpu.key_loop"(%c, %n, %i, %i, %i, %i, %i) <{ahead = 0 : i64, keyBlock = 128 : i64, keyTile = 64 : i64,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 0, 0>, walk = #pbsgpu<walk list>}> ({
  }, {
    "pbsgpu.yield"() : () -> ()
  }, {
  ^bb0(%key: index, %visit: index):
    "pbsgpu.yield"() : () -> ()
  }) : (memref<?x4x?x2xi32>, memref<?x4x?x?xi16>, index, index, index, index, index) -> index
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c23: with near_end must have one body, copy nothing ahead and defer nothing}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} near_end = 3 {
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }, {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c23: with near_end must have one body, copy nothing ahead and defer nothing}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 1
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  } near_end = 3 {
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c23: with near_end must have one body, copy nothing ahead and defer nothing}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0 deferred
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} near_end = 3 {
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c24: near_end region must take (), but takes ('index')}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} near_end = 3 {
  ^bb0(%key: index):
    pbsgpu.yield
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  // expected-error@+1 {{key_loop_c15: near_end region must end with pbsgpu.yield}}
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} near_end = 3 {
    llvm.unreachable
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

// -----

func.func @f(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index) {
  %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 128 key_tile = 64 ahead = 0
    : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {} near_end = 3 {
    // expected-error@+1 {{key_loop_c16: must yield (), but yields ('index')}}
    pbsgpu.yield %i : index
  } bodies {
  ^bb0(%key: index, %visit: index):
    pbsgpu.yield
  }
  return
}

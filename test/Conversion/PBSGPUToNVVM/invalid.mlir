// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbsgpu-to-nvvm --split-input-file --verify-diagnostics

gpu.module @kernels {
  pbsgpu.kernel @copy(%x: memref<?x192xbf16, strided<[?, 1]>>, %first: index) warps = 4 {
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<32x192xbf16>
    // expected-error@+1 {{cannot copy rows of 192 elements with 4 warps}}
    pbsgpu.copy_tile %x[%first] to %tile : memref<?x192xbf16, strided<[?, 1]>>, !pbsgpu.tile<32x192xbf16>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @mma(%x: f32) warps = 1 {
    %a = pbsgpu.alloc_tile : !pbsgpu.tile<16x64xbf16>
    %b = pbsgpu.alloc_tile : !pbsgpu.tile<8x64xbf16>
    %c = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x8xf32, accumulator, warps = 1>
    // expected-error@+1 {{needs a multiple of 16 columns, not 8}}
    %d = pbsgpu.mma %a, %b transposed, %c : !pbsgpu.tile<16x64xbf16>, !pbsgpu.tile<8x64xbf16>, !pbsgpu.fragment<16x8xf32, accumulator, warps = 1>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @math(%out: memref<?xf32>, %x: f32) warps = 1 {
    %c0 = arith.constant 0 : index
    // expected-error@+1 {{failed to legalize operation 'math.sin'}}
    %y = math.sin %x : f32
    memref.store %y, %out[%c0] : memref<?xf32>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{must have a strided layout with offset 0}}
  pbsgpu.kernel @offset(%out: memref<?xf32, strided<[1], offset: 4>>) warps = 1 {
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @key_loop(%counts: memref<?x32x?x2xi32>, %indices: memref<?x32x?x?xi16>, %i: index) warps = 4 {
    // expected-error@+1 {{'pbsgpu.key_loop' must be lowered before, with --pbsgpu-lower-key-loop and then --convert-scf-to-cf}}
    %next = pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i from %i walk = test key_block = 128 key_tile = 64 ahead = 0
      : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> load {} bodies {
    ^bb0(%key: index, %visit: index, %masked: i1):
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @structured(%x: memref<?xf32>, %i: index, %f: f32) warps = 4 {
    // expected-error@+1 {{'scf.for' must be lowered before, with --convert-scf-to-cf}}
    scf.for %j = %i to %i step %i {
      memref.store %f, %x[%j] : memref<?xf32>
    }
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @kind(%x: f32) warps = 2 {
    // expected-error@+1 {{'gpu.all_reduce' op has instructions for add, minnumf and maxnumf of f32 and for add, minsi, maxsi, and, or of i32 only}}
    %y = gpu.all_reduce mul %x uniform {} : (f32) -> f32
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @type(%x: i64) warps = 2 {
    // expected-error@+1 {{'gpu.all_reduce' op has instructions for add, minnumf and maxnumf of f32 and for}}
    %y = gpu.all_reduce add %x uniform {} : (i64) -> i64
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @own_operation(%x: f32) warps = 2 {
    // expected-error@+1 {{'gpu.all_reduce' op has instructions for add, minnumf and maxnumf of f32 and for}}
    %y = gpu.all_reduce %x uniform {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      gpu.yield %c : f32
    } : (f32) -> f32
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @warp_kind(%x: f32) warps = 2 {
    // expected-error@+1 {{'gpu.subgroup_reduce' op has instructions for add, minnumf and maxnumf of f32 and for}}
    %y = gpu.subgroup_reduce maximumf %x uniform : (f32) -> f32
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @cluster(%x: f32) warps = 2 {
    // expected-error@+1 {{'gpu.subgroup_reduce' op has no instructions for a cluster}}
    %y = gpu.subgroup_reduce add %x uniform cluster(size = 8) : (f32) -> f32
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @divergent(%x: f32) warps = 2 {
    // expected-error@+1 {{'gpu.all_reduce' op must be uniform: its instructions wait for all threads that take part}}
    %y = gpu.all_reduce add %x {} : (f32) -> f32
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @divergent_warp(%x: f32) warps = 2 {
    // expected-error@+1 {{'gpu.subgroup_reduce' op must be uniform: its instructions wait for all threads that take part}}
    %y = gpu.subgroup_reduce add %x : (f32) -> f32
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @stack() warps = 2 {
    // expected-error@+1 {{'memref.alloca' op must be a contiguous memref of static shape in the workgroup memory space}}
    %x = memref.alloca() : memref<4xf32>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @private() warps = 2 {
    // expected-error@+1 {{'memref.alloca' op must be a contiguous memref of static shape in the workgroup memory space}}
    %x = memref.alloca() : memref<4xf32, #gpu.address_space<private>>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @dynamic(%n: index) warps = 2 {
    // expected-error@+1 {{'memref.alloca' op must be a contiguous memref of static shape in the workgroup memory space}}
    %x = memref.alloca(%n) : memref<?xf32, #gpu.address_space<workgroup>>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @gaps() warps = 2 {
    // expected-error@+1 {{'memref.alloca' op must be a contiguous memref of static shape in the workgroup memory space}}
    %x = memref.alloca() : memref<4x4xf32, strided<[8, 1]>, #gpu.address_space<workgroup>>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @alignment() warps = 2 {
    // expected-error@+1 {{'memref.alloca' op alignment (2048) must be a power of two up to 1024}}
    %x = memref.alloca() {alignment = 2048 : i64} : memref<4xf32, #gpu.address_space<workgroup>>
    pbsgpu.return
  }
}

// -----

gpu.module @kernels {
  pbsgpu.kernel @dimension(%x: memref<?x?xf32>, %i: index, %out: memref<?xi32>) warps = 2 {
    // expected-error@+1 {{'memref.dim' op needs a constant dimension}}
    %n = memref.dim %x, %i : memref<?x?xf32>
    %stored = arith.index_cast %n : index to i32
    memref.store %stored, %out[%i] : memref<?xi32>
    pbsgpu.return
  }
}

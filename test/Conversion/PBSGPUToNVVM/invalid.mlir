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
    %c = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<16x8xf32, accumulator>
    // expected-error@+1 {{needs a multiple of 16 columns, not 8}}
    %d = pbsgpu.mma %a, %b transposed, %c : !pbsgpu.tile<16x64xbf16>, !pbsgpu.tile<8x64xbf16>, !pbsgpu.fragment<16x8xf32, accumulator>
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
    // expected-error@+1 {{must be lowered before, with --pbsgpu-lower-key-loop}}
    pbsgpu.key_loop %counts, %indices[%i, %i, %i] of %i walk = test key_block = 128 key_tile = 64 stages = 1
      : memref<?x32x?x2xi32>, memref<?x32x?x?xi16> load {} bodies {
    ^bb0(%key: index, %stage: index, %masked: i1):
      pbsgpu.yield
    }
    pbsgpu.return
  }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the instructions compute: copies with and without a permutation, both
// forms of a product, a row's maximum, stores; with 2, 4 and 8 warps, and with
// fewer rows than the tiles have.
//
// RUN: rm -rf %t && mkdir %t && cd %t
// RUN: pbs-compile %s -o product.ptx
// RUN: %python %S/Inputs/check_product.py product.plan.json bf16 128 64
// RUN: %python %S/Inputs/check_product.py product.plan.json bf16 101 37
// RUN: sed 's/warps = 4/warps = 2/g' %s | pbs-compile - -o two.ptx
// RUN: %python %S/Inputs/check_product.py two.plan.json bf16 77 64
// RUN: sed 's/warps = 4/warps = 8/g; s/bf16/f16/g' %s | pbs-compile - -o half.ptx --chip=sm_90a
// RUN: %python %S/Inputs/check_product.py half.plan.json f16 3 61

gpu.module @kernels {
  pbsgpu.kernel @product(%a: memref<?x128xbf16, strided<[?, 1]>>, %b: memref<?x128xbf16, strided<[?, 1]>>,
                         %p: memref<?xi32>, %product: memref<?x128xbf16, strided<[?, 1]>>,
                         %maxima: memref<?xf32>) warps = 4 {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %a_tile = pbsgpu.alloc_tile : !pbsgpu.tile<128x128xbf16>
    %ring = pbsgpu.alloc_ring : !pbsgpu.ring<64x128xbf16, stages = 2>
    %slot = pbsgpu.acquire %ring[%c1] : !pbsgpu.ring<64x128xbf16, stages = 2> -> !pbsgpu.tile<64x128xbf16>
    pbsgpu.copy_tile %a[%c0] to %a_tile : memref<?x128xbf16, strided<[?, 1]>>, !pbsgpu.tile<128x128xbf16>
    pbsgpu.copy_tile %b[%c0] through %p[] to %slot
      : memref<?x128xbf16, strided<[?, 1]>>, !pbsgpu.tile<64x128xbf16>, memref<?xi32>
    pbsgpu.await_copies
    %b_tile = pbsgpu.await %ring[%c1] : !pbsgpu.ring<64x128xbf16, stages = 2> -> !pbsgpu.tile<64x128xbf16>
    %scores0 = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
    %scores = pbsgpu.mma %a_tile, %b_tile transposed, %scores0
      : !pbsgpu.tile<128x128xbf16>, !pbsgpu.tile<64x128xbf16>, !pbsgpu.fragment<128x64xf32, accumulator, warps = 4>
    %row_maxima = pbsgpu.row_reduce max %scores
      : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>
    %operand = pbsgpu.to_operand %scores
      : !pbsgpu.fragment<128x64xf32, accumulator, warps = 4> -> !pbsgpu.fragment<128x64xbf16, operand_a, warps = 4>
    %product0 = pbsgpu.splat %zero : f32 -> !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>
    %result = pbsgpu.mma %operand, %b_tile, %product0
      : !pbsgpu.fragment<128x64xbf16, operand_a, warps = 4>, !pbsgpu.tile<64x128xbf16>, !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>
    pbsgpu.store_fragment %result to %product[%c0]
      : !pbsgpu.fragment<128x128xf32, accumulator, warps = 4>, memref<?x128xbf16, strided<[?, 1]>>
    pbsgpu.store_fragment %row_maxima to %maxima[%c0] : !pbsgpu.fragment<128x1xf32, accumulator, warps = 4>, memref<?xf32>
    pbsgpu.return
  }
}

pbsgpu.plan @product {
  %M = pbsgpu.size "M"
  %N = pbsgpu.size "N"
  %c1 = arith.constant 1 : index
  %a = pbsgpu.argument "a" input [%M, 128] align 16 : memref<?x128xbf16, strided<[?, 1]>>
  %b = pbsgpu.argument "b" input [%N, 128] align 16 : memref<?x128xbf16, strided<[?, 1]>>
  %p = pbsgpu.argument "p" input [%N] align 4 : memref<?xi32>
  %product = pbsgpu.argument "product" output [%M, 128] align 16 : memref<?x128xbf16, strided<[?, 1]>>
  %maxima = pbsgpu.argument "maxima" output [%M] align 4 : memref<?xf32>
  pbsgpu.launch @kernels::@product grid(%c1, %c1, %c1)
    arguments(%a, %b, %p, %product, %maxima : memref<?x128xbf16, strided<[?, 1]>>, memref<?x128xbf16, strided<[?, 1]>>,
              memref<?xi32>, memref<?x128xbf16, strided<[?, 1]>>, memref<?xf32>)
}

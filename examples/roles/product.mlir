// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two kernels of which four warps copy while eight multiply. README.md beside
// this says how to run them.

!map = !pbsgpu.tensor_map<128x64xbf16, dimensions = 3>
!ring = !pbsgpu.ring<128x64xbf16, stages = 3>
!tile = !pbsgpu.tile<128x64xbf16>
!sum = !pbsgpu.fragment<128x128xf32, accumulator, warps = 8>
!rows = memref<?x?x64xbf16, strided<[?, ?, 1]>>
!result = memref<?x128xf32, strided<[?, 1]>>

module attributes {pbs.target = #nvvm.target<O = 3, chip = "sm_90a", features = "+ptx86">} {
  gpu.module @kernels {
    // The product of A (M x 64 T) and B's transpose (128 x 64 T), each given as T
    // slices of 64 columns, which tensor maps copy.
    pbsgpu.kernel @product(%a: !map, %b: !map, %c: !result, %slices: index) warps = 12 {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c128 = arith.constant 128 : index
      %zero = arith.constant 0.0 : f32
      %block = gpu.block_id x
      %row = arith.muli %block, %c128 : index
      %as = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring
      %bs = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !ring
      pbsgpu.roles "producer" warps = 4 registers = 40 {
        scf.for %t = %c0 to %slices step %c1 {
          %at = pbsgpu.acquire %as[%t] : !ring -> !tile
          pbsgpu.copy_tile %a[%t, %row] to %at : !map, !tile
          %bt = pbsgpu.acquire %bs[%t] : !ring -> !tile
          pbsgpu.copy_tile %b[%t, %c0] to %bt : !map, !tile
        }
        pbsgpu.end_role
      } "consumer" warps = 8 registers = 232 {
        %none = pbsgpu.splat %zero : f32 -> !sum
        %sum = scf.for %t = %c0 to %slices step %c1 iter_args(%before = %none) -> !sum {
          %at = pbsgpu.await %as[%t] : !ring -> !tile
          %bt = pbsgpu.await %bs[%t] : !ring -> !tile
          %after = pbsgpu.mma %at, %bt transposed, %before : !tile, !tile, !sum
          pbsgpu.release %at : !tile
          pbsgpu.release %bt : !tile
          scf.yield %after : !sum
        }
        pbsgpu.store_fragment %sum to %c[%row] : !sum, !result
        pbsgpu.end_role
      }
      pbsgpu.return
    }

    // The sum over tiles of 128 keys of A K', keys gathered through a permutation
    // by the producer's threads.
    pbsgpu.kernel @gathered(%a: !map, %keys: !rows, %permutation: memref<?xi32>, %c: !result,
                            %tiles: index) warps = 12 {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c128 = arith.constant 128 : index
      %zero = arith.constant 0.0 : f32
      %block = gpu.block_id x
      %row = arith.muli %block, %c128 : index
      %as = pbsgpu.alloc_ring filled_by = 1 emptied_by = 8 : !pbsgpu.ring<128x64xbf16, stages = 1>
      %ks = pbsgpu.alloc_ring filled_by = 128 emptied_by = 8 : !ring
      pbsgpu.roles "producer" warps = 4 {
        %at = pbsgpu.acquire %as[%c0] : !pbsgpu.ring<128x64xbf16, stages = 1> -> !tile
        pbsgpu.copy_tile %a[%c0, %row] to %at : !map, !tile
        scf.for %t = %c0 to %tiles step %c1 {
          %first = arith.muli %t, %c128 : index
          %kt = pbsgpu.acquire %ks[%t] : !ring -> !tile
          pbsgpu.copy_tile %keys[%c0, %first] through %permutation[] to %kt : !rows, !tile, memref<?xi32>
        }
        pbsgpu.end_role
      } "consumer" warps = 8 {
        %at = pbsgpu.await %as[%c0] : !pbsgpu.ring<128x64xbf16, stages = 1> -> !tile
        %none = pbsgpu.splat %zero : f32 -> !sum
        %sum = scf.for %t = %c0 to %tiles step %c1 iter_args(%before = %none) -> !sum {
          %kt = pbsgpu.await %ks[%t] : !ring -> !tile
          %after = pbsgpu.mma %at, %kt transposed, %before : !tile, !tile, !sum
          pbsgpu.release %kt : !tile
          scf.yield %after : !sum
        }
        pbsgpu.release %at : !tile
        pbsgpu.store_fragment %sum to %c[%row] : !sum, !result
        pbsgpu.end_role
      }
      pbsgpu.return
    }
  }

  pbsgpu.plan @product {
    %T = pbsgpu.size "T"
    %M = pbsgpu.size "M"
    %one = arith.constant 1 : index
    %rows = arith.constant 128 : index
    %a = pbsgpu.argument "a" input [%T, %M, 64] align 16 : !rows
    %b = pbsgpu.argument "b" input [%T, 128, 64] align 16 : memref<?x128x64xbf16, strided<[?, ?, 1]>>
    %c = pbsgpu.argument "c" output [%M, 128] align 16 : !result
    %a_map = pbsgpu.tensor_map %a : !rows -> !map
    %b_map = pbsgpu.tensor_map %b : memref<?x128x64xbf16, strided<[?, ?, 1]>> -> !map
    %blocks = arith.ceildivsi %M, %rows : index
    pbsgpu.launch @kernels::@product grid(%blocks, %one, %one)
      arguments(%a_map, %b_map, %c, %T : !map, !map, !result, index)
  }

  pbsgpu.plan @gathered {
    %T = pbsgpu.size "T"
    %M = pbsgpu.size "M"
    %N = pbsgpu.size "N"
    %one = arith.constant 1 : index
    %rows = arith.constant 128 : index
    %a = pbsgpu.argument "a" input [%T, %M, 64] align 16 : !rows
    %keys = pbsgpu.argument "keys" input [%T, %N, 64] align 16 : !rows
    %permutation = pbsgpu.argument "permutation" input [%N] align 4 : memref<?xi32>
    %c = pbsgpu.argument "c" output [%M, 128] align 16 : !result
    %a_map = pbsgpu.tensor_map %a : !rows -> !map
    %blocks = arith.ceildivsi %M, %rows : index
    %tiles = arith.ceildivsi %N, %rows : index
    pbsgpu.launch @kernels::@gathered grid(%blocks, %one, %one)
      arguments(%a_map, %keys, %permutation, %c, %tiles : !map, !rows, memref<?xi32>, !result, index)
  }
}

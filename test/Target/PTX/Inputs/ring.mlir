// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One role copies blocks of 64 rows into a ring with signals, another one sums
// the products of each block with its transpose.

!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!tile = !pbsgpu.tile<64x64xbf16>
!map = !pbsgpu.tensor_map<64x64xbf16, dimensions = 2>
!acc = !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
gpu.module @kernels {
  pbsgpu.kernel @k(%map: !map, %out: memref<64x64xf32>, %n: index) warps = 5 {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c64 = arith.constant 64 : index
    %ring = pbsgpu.alloc_ring filled_by = 1 emptied_by = 4 : !ring
    pbsgpu.roles "fill" warps = 1 {
      scf.for %v = %c0 to %n step %c1 {
        %row = arith.muli %v, %c64 : index
        %empty = pbsgpu.acquire %ring[%v] : !ring -> !tile
        pbsgpu.copy_tile %map[%row] to %empty : !map, !tile
      }
      pbsgpu.end_role
    } "read" warps = 4 {
      %zero = arith.constant 0.0 : f32
      %start = pbsgpu.splat %zero : f32 -> !acc
      %sum = scf.for %v = %c0 to %n step %c1 iter_args(%a = %start) -> !acc {
        %full = pbsgpu.await %ring[%v] : !ring -> !tile
        %next = pbsgpu.mma %full, %full transposed, %a : !tile, !tile, !acc
        pbsgpu.release %full : !tile
        scf.yield %next : !acc
      }
      pbsgpu.store_fragment %sum to %out[%c0] : !acc, memref<64x64xf32>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

pbsgpu.plan @p {
  %N = pbsgpu.size "N"
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %n = arith.floordivsi %N, %c64 : index
  %x = pbsgpu.argument "x" input [%N, 64] align 16 : memref<?x64xbf16>
  %y = pbsgpu.argument "y" output [64, 64] align 16 : memref<64x64xf32>
  %map = pbsgpu.tensor_map %x : memref<?x64xbf16> -> !map
  pbsgpu.launch @kernels::@k grid(%c1, %c1, %c1) arguments(%map, %y, %n : !map, memref<64x64xf32>, index)
}

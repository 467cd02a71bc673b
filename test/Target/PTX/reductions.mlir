// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What reductions and counters compute, with 1, 2, 4 and 8 warps. A CTA reduces
// a row; reductions of the CTA follow each other without a barrier between.
//
// RUN: rm -rf %t && mkdir %t && cd %t
// RUN: pbs-compile %s -o four.ptx
// RUN: %python %S/Inputs/check_reductions.py four.plan.json 128
// RUN: sed 's/warps = 4/warps = 1/; s/128x/32x/g; s/, 128\]/, 32]/' %s | pbs-compile - -o one.ptx
// RUN: %python %S/Inputs/check_reductions.py one.plan.json 32
// RUN: sed 's/warps = 4/warps = 2/; s/128x/64x/g; s/, 128\]/, 64]/' %s | pbs-compile - -o two.ptx
// RUN: %python %S/Inputs/check_reductions.py two.plan.json 64
// RUN: sed 's/warps = 4/warps = 8/; s/128x/256x/g; s/, 128\]/, 256]/' %s | pbs-compile - -o eight.ptx --chip=sm_90a
// RUN: %python %S/Inputs/check_reductions.py eight.plan.json 256

gpu.module @kernels {
  pbsgpu.kernel @reduce(%x: memref<?x128xf32>, %n: memref<?x128xi32>, %reals: memref<?x6x128xf32>,
                        %integers: memref<?x10x128xi32>, %counters: memref<8xi32>) warps = 4 {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %c5 = arith.constant 5 : index
    %c6 = arith.constant 6 : index
    %c7 = arith.constant 7 : index
    %c8 = arith.constant 8 : index
    %c9 = arith.constant 9 : index
    %seven = arith.constant 7 : i32
    %row = gpu.block_id x
    %t = gpu.thread_id x
    %a = memref.load %x[%row, %t] : memref<?x128xf32>
    %i = memref.load %n[%row, %t] : memref<?x128xi32>

    %r0 = gpu.subgroup_reduce add %a uniform : (f32) -> f32
    memref.store %r0, %reals[%row, %c0, %t] : memref<?x6x128xf32>
    %r1 = gpu.subgroup_reduce minnumf %a uniform : (f32) -> f32
    memref.store %r1, %reals[%row, %c1, %t] : memref<?x6x128xf32>
    %r2 = gpu.subgroup_reduce maxnumf %a uniform : (f32) -> f32
    memref.store %r2, %reals[%row, %c2, %t] : memref<?x6x128xf32>
    %r3 = gpu.all_reduce add %a uniform {} : (f32) -> f32
    memref.store %r3, %reals[%row, %c3, %t] : memref<?x6x128xf32>
    %r4 = gpu.all_reduce minnumf %a uniform {} : (f32) -> f32
    memref.store %r4, %reals[%row, %c4, %t] : memref<?x6x128xf32>
    %r5 = gpu.all_reduce maxnumf %a uniform {} : (f32) -> f32
    memref.store %r5, %reals[%row, %c5, %t] : memref<?x6x128xf32>

    %i0 = gpu.subgroup_reduce add %i uniform : (i32) -> i32
    memref.store %i0, %integers[%row, %c0, %t] : memref<?x10x128xi32>
    %i1 = gpu.subgroup_reduce minsi %i uniform : (i32) -> i32
    memref.store %i1, %integers[%row, %c1, %t] : memref<?x10x128xi32>
    %i2 = gpu.subgroup_reduce maxsi %i uniform : (i32) -> i32
    memref.store %i2, %integers[%row, %c2, %t] : memref<?x10x128xi32>
    %i3 = gpu.subgroup_reduce and %i uniform : (i32) -> i32
    memref.store %i3, %integers[%row, %c3, %t] : memref<?x10x128xi32>
    %i4 = gpu.subgroup_reduce or %i uniform : (i32) -> i32
    memref.store %i4, %integers[%row, %c4, %t] : memref<?x10x128xi32>
    %i5 = gpu.all_reduce add %i uniform {} : (i32) -> i32
    memref.store %i5, %integers[%row, %c5, %t] : memref<?x10x128xi32>
    %i6 = gpu.all_reduce minsi %i uniform {} : (i32) -> i32
    memref.store %i6, %integers[%row, %c6, %t] : memref<?x10x128xi32>
    %i7 = gpu.all_reduce maxsi %i uniform {} : (i32) -> i32
    memref.store %i7, %integers[%row, %c7, %t] : memref<?x10x128xi32>
    %i8 = gpu.all_reduce and %i uniform {} : (i32) -> i32
    memref.store %i8, %integers[%row, %c8, %t] : memref<?x10x128xi32>
    %i9 = gpu.all_reduce or %i uniform {} : (i32) -> i32
    memref.store %i9, %integers[%row, %c9, %t] : memref<?x10x128xi32>

    %low = arith.andi %i, %seven : i32
    %counter = arith.index_cast %low : i32 to index
    %old = memref.atomic_rmw addi %i, %counters[%counter] : (i32, memref<8xi32>) -> i32
    pbsgpu.return
  }
}

pbsgpu.plan @reduce {
  %N = pbsgpu.size "N"
  %c1 = arith.constant 1 : index
  %x = pbsgpu.argument "x" input [%N, 128] align 4 : memref<?x128xf32>
  %n = pbsgpu.argument "n" input [%N, 128] align 4 : memref<?x128xi32>
  %reals = pbsgpu.argument "reals" output [%N, 6, 128] align 4 : memref<?x6x128xf32>
  %integers = pbsgpu.argument "integers" output [%N, 10, 128] align 4 : memref<?x10x128xi32>
  %counters = pbsgpu.argument "counters" output [8] align 4 : memref<8xi32>
  pbsgpu.memset %counters to 0 : memref<8xi32>
  pbsgpu.launch @kernels::@reduce grid(%N, %c1, %c1)
    arguments(%x, %n, %reals, %integers, %counters
      : memref<?x128xf32>, memref<?x128xi32>, memref<?x6x128xf32>, memref<?x10x128xi32>, memref<8xi32>)
}

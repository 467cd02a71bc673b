// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A key loop in a role that loads ahead into rings without signals became a loop with a barrier of the CTA, which other
// roles do not reach.
// RUN: pbs-opt %s --pbsgpu-lower-key-loop | FileCheck %s

!ring = !pbsgpu.ring<64x64xbf16, stages = 2>
!tile = !pbsgpu.tile<64x64xbf16>

gpu.module @kernels {
  // CHECK-LABEL: pbsgpu.kernel @loop
  pbsgpu.kernel @loop(%c: memref<?x4x?x2xi32>, %n: memref<?x4x?x?xi16>, %i: index,
                      %k: memref<?x64xbf16, strided<[?, 1]>>) warps = 4 {
    %ring = pbsgpu.alloc_ring : !ring
    pbsgpu.roles "loop" warps = 3 {
      // CHECK: scf.for
      // CHECK: pbsgpu.await_copies pending = 1
      // CHECK: pbsgpu.role_barrier
      // CHECK: scf.for
      // CHECK: pbsgpu.role_barrier
      // CHECK: pbsgpu.end_role
      %next = pbsgpu.key_loop %c, %n[%i, %i, %i] of %i from %i walk = list key_block = 64 key_tile = 64 ahead = 1
        : memref<?x4x?x2xi32>, memref<?x4x?x?xi16> load {
      ^bb0(%key: index, %visit: index):
        %empty = pbsgpu.acquire %ring[%visit] : !ring -> !tile
        pbsgpu.copy_tile %k[%key] to %empty : memref<?x64xbf16, strided<[?, 1]>>, !tile
        pbsgpu.yield
      } bodies {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !tile
        pbsgpu.release %full : !tile
        pbsgpu.yield
      }, {
      ^bb0(%key: index, %visit: index):
        %full = pbsgpu.await %ring[%visit] : !ring -> !tile
        pbsgpu.release %full : !tile
        pbsgpu.yield
      }
      pbsgpu.end_role
    } "other" warps = 1 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}
